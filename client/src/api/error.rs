//! Determines what a REST answer means. Its status is not reliable; the words in its body mostly are.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::auth::Answer;
use crate::failure::{Reason, ServerError, ServerErrorKind};
use crate::http::redact;
use crate::http::retry::retry_after;

/// How long to wait before another attempt at a locked node, if the answer does not say.
const LOCK_PAUSE: Duration = Duration::from_secs(2);

/// Returns the JSON of a successful answer, or the error that the answer means.
pub(super) fn json_of(answer: &Answer) -> Result<&[u8], ServerError> {
    if is_html(&answer.headers, &answer.body) {
        return Err(html(answer));
    }
    if !answer.status.is_success() {
        return Err(classify(answer));
    }
    if answer.body.trim_ascii().is_empty() {
        return Err(with_answer(
            answer,
            ServerErrorKind::NotCells,
            "the server sent an empty answer: this host name is not configured on the Cells server, or a proxy \
             changes the Accept header",
        )
        .because(Reason::Empty));
    }
    Ok(&answer.body)
}

/// Returns the error that a refused REST call means. Not for successful answers.
pub(super) fn classify(answer: &Answer) -> ServerError {
    if is_html(&answer.headers, &answer.body) {
        return html(answer);
    }
    match first_document(&answer.body) {
        Some(document) => {
            let words = Words::of(&document);
            if words.is_foreign() && answer.status == StatusCode::NOT_FOUND {
                return plain(answer);
            }
            let (kind, message) = (words.kind(answer.status), words.message());
            ServerError { reason: reason(&message), ..with_answer(answer, kind, &message) }
        }
        None => plain(answer),
    }
}

fn with_answer(answer: &Answer, kind: ServerErrorKind, message: &str) -> ServerError {
    let pause = (kind == ServerErrorKind::Locked).then_some(LOCK_PAUSE);
    ServerError {
        status: Some(answer.status.as_u16()),
        retry_after: retry_after(&answer.headers).or(pause),
        ..ServerError::new(kind, redact::text(message))
    }
}

/// Returns what the server's words say beyond the kind; the server has no code for it.
fn reason(words: &str) -> Option<Reason> {
    const KNOWN: [(&str, Reason); 6] = [
        ("already exists", Reason::NameTaken),
        ("does not match", Reason::WrongPassword),
        ("Login failed", Reason::WrongPassword),
        ("cannot find restore location", Reason::NoOrigin),
        ("Data too long", Reason::TooLong),
        ("locked", Reason::Locked),
    ];
    if matches!(words, "path is not readable" | "path is not writeable") {
        return Some(Reason::NoAccess);
    }
    KNOWN.iter().find(|(part, _)| words.contains(part)).map(|(_, reason)| *reason)
}

/// Returns the first document of an error body, which may contain two in a row.
fn first_document(body: &[u8]) -> Option<Value> {
    let value = serde_json::Deserializer::from_slice(body).into_iter::<Value>().next()?.ok()?;
    value.is_object().then_some(value)
}

/// The words of an error document, unwrapped.
#[derive(Debug, Default)]
struct Words {
    title: String,
    detail: String,
    /// An `E_…` code, as newer servers send it.
    code: Option<String>,
    /// The numeric code of a wrapped error.
    number: Option<u16>,
}

impl Words {
    fn of(document: &Value) -> Self {
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
        let (title, detail) = (text("Title"), text("Detail"));
        let code = [detail, title].into_iter().find_map(error_code);
        // Some services send the complete error as JSON text in the title.
        let wrapped = [title, detail].into_iter().find_map(|text| {
            let inner: Value = serde_json::from_slice(text.as_bytes()).ok()?;
            inner.get("Detail").is_some().then_some(inner)
        });
        if let Some(inner) = wrapped {
            let inner_text = |name: &str| inner.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            return Self {
                title: inner_text("Detail"),
                detail: inner_text("Detail"),
                code,
                number: inner.get("Code").and_then(Value::as_u64).and_then(|number| u16::try_from(number).ok()),
            };
        }
        let (title, detail) = if title.is_empty() && detail.is_empty() {
            let oauth = if text("error_description").is_empty() { text("error") } else { text("error_description") };
            (oauth, "")
        } else {
            (title, detail)
        };
        Self { title: title.to_owned(), detail: detail.to_owned(), code, number: None }
    }

    /// Whether the document has none of the fields that a Cells server sends.
    fn is_foreign(&self) -> bool {
        self.title.is_empty() && self.detail.is_empty() && self.code.is_none()
    }

    fn kind(&self, status: StatusCode) -> ServerErrorKind {
        if let Some(code) = &self.code {
            return by_status(status.as_u16()).unwrap_or_else(|| by_code(code));
        }
        by_prefix(&self.detail)
            .map(|kind| self.refined(kind))
            .or_else(|| self.number.and_then(by_status))
            .or_else(|| by_status(status.as_u16()))
            .unwrap_or_else(|| self.refined(ServerErrorKind::Server))
    }

    /// Refines a kind for errors that the server reports as internal although the request is at fault.
    fn refined(&self, kind: ServerErrorKind) -> ServerErrorKind {
        if kind != ServerErrorKind::Server {
            return kind;
        }
        const KNOWN: [(&str, ServerErrorKind); 15] = [
            ("Data too long", ServerErrorKind::BadRequest),
            ("Duplicate entry", ServerErrorKind::Conflict),
            ("hash is already in use", ServerErrorKind::Conflict),
            ("docstore%!(EXTRA", ServerErrorKind::NotFound),
            ("not allowed", ServerErrorKind::Forbidden),
            ("proto:", ServerErrorKind::BadRequest),
            ("unmarshal", ServerErrorKind::BadRequest),
            ("unknown field", ServerErrorKind::BadRequest),
            ("unsupported format", ServerErrorKind::BadRequest),
            ("unknown job name", ServerErrorKind::BadRequest),
            ("no.workspace.in.path", ServerErrorKind::BadRequest),
            ("make sure to use JSON", ServerErrorKind::BadRequest),
            ("please provide", ServerErrorKind::BadRequest),
            ("please do not modify directly the root", ServerErrorKind::Forbidden),
            ("cannot find restore location", ServerErrorKind::NotFound),
        ];
        let text = if self.detail.is_empty() { &self.title } else { &self.detail };
        let found = KNOWN.iter().find(|(part, _)| text.contains(part));
        found.map_or(kind, |(_, kind)| *kind)
    }

    fn message(&self) -> String {
        let detail = self
            .detail
            .split_once(": ")
            .filter(|(prefix, _)| PREFIXES.iter().any(|(known, _)| known == prefix))
            .map_or(self.detail.as_str(), |(_, rest)| rest);
        let from_detail = self.title.is_empty() || error_code(&self.title).is_some();
        let text = if from_detail { detail } else { &self.title };
        if text.is_empty() { "the server gave no reason".to_owned() } else { text.to_owned() }
    }
}

const PREFIXES: [(&str, ServerErrorKind); 8] = [
    ("Not Found", ServerErrorKind::NotFound),
    ("Forbidden", ServerErrorKind::Forbidden),
    ("Conflict", ServerErrorKind::Conflict),
    ("Locked", ServerErrorKind::Locked),
    ("Unauthorized", ServerErrorKind::Unauthenticated),
    ("Bad Request", ServerErrorKind::BadRequest),
    ("Unprocessable Entity", ServerErrorKind::Quota),
    ("Internal Server Error", ServerErrorKind::Server),
];

fn by_prefix(detail: &str) -> Option<ServerErrorKind> {
    let (prefix, _) = detail.split_once(": ")?;
    PREFIXES.iter().find(|(known, _)| *known == prefix).map(|(_, kind)| *kind)
}

/// Returns the `E_…` code in a text. Newer servers put it into Detail, and sometimes into Title.
fn error_code(text: &str) -> Option<String> {
    let start =
        text.find("E_").filter(|start| !text[..*start].ends_with(|before: char| before.is_ascii_alphanumeric()))?;
    let code: String =
        text[start..].chars().take_while(|character| character.is_ascii_uppercase() || *character == '_').collect();
    (code.len() > 4).then_some(code)
}

fn by_code(code: &str) -> ServerErrorKind {
    let has = |part: &str| code.contains(part);
    if has("LOCKED") && !has("USER_LOCKED") {
        ServerErrorKind::Locked
    } else if has("NOT_FOUND") {
        ServerErrorKind::NotFound
    } else if has("FORBIDDEN") || has("NOT_EDITABLE") || has("CANNOT") {
        ServerErrorKind::Forbidden
    } else if has("UNAUTHORIZED") || has("LOGIN_FAILED") || has("USER_LOCKED") {
        ServerErrorKind::Unauthenticated
    } else if has("ALREADY_EXISTS") {
        ServerErrorKind::Conflict
    } else {
        ServerErrorKind::Server
    }
}

/// Returns the meaning of a status alone; a 500 has none.
fn by_status(status: u16) -> Option<ServerErrorKind> {
    Some(match status {
        401 => ServerErrorKind::Unauthenticated,
        403 => ServerErrorKind::Forbidden,
        404 | 410 => ServerErrorKind::NotFound,
        409 | 412 => ServerErrorKind::Conflict,
        423 => ServerErrorKind::Locked,
        422 | 507 => ServerErrorKind::Quota,
        429 => ServerErrorKind::TooMany,
        408 | 499 => ServerErrorKind::Server,
        400 | 402..=499 => ServerErrorKind::BadRequest,
        501 => ServerErrorKind::BadRequest,
        502..=504 => ServerErrorKind::Server,
        _ => return None,
    })
}

fn plain(answer: &Answer) -> ServerError {
    let text = String::from_utf8_lossy(answer.body.get(..300).unwrap_or(&answer.body)).trim().to_owned();
    let status = answer.status.as_u16();
    // An answer of the router: the service exists, but it does not have this call.
    let no_such_call = status == 405 || (status == 404 && text == "404: Page Not Found");
    let (kind, message) = match (status, text.as_str()) {
        (401, "Unauthorized.") => (ServerErrorKind::Unauthenticated, "the server does not accept the token".to_owned()),
        (401, "Unauthorized") => {
            (ServerErrorKind::Forbidden, "the server does not allow this call for this user".to_owned())
        }
        (404, _) if no_such_call => (ServerErrorKind::NotFound, "this server does not have this call".to_owned()),
        (405, _) => (ServerErrorKind::BadRequest, "this server does not have this call".to_owned()),
        (413, _) => {
            (ServerErrorKind::BadRequest, "the request is larger than a proxy in front of the server allows".to_owned())
        }
        _ => {
            // A Cells server reports a missing node in a document of its own, so this 404 means something else.
            let kind = by_status(status).filter(|kind| *kind != ServerErrorKind::NotFound);
            let kind = kind.unwrap_or(if status < 500 { ServerErrorKind::NotCells } else { ServerErrorKind::Server });
            let words = if text.is_empty() { "no reason given".to_owned() } else { text };
            (kind, format!("the server answered HTTP {status}: {words}"))
        }
    };
    let reason = if no_such_call { Some(Reason::NoSuchCall) } else { reason(&message) };
    ServerError { reason, ..with_answer(answer, kind, &message) }
}

fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let named = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/html"));
    let start = body.trim_ascii_start();
    let start = start[..start.len().min(15)].to_ascii_lowercase();
    named || start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
}

/// Classifies a web page in place of JSON: for some statuses it is a proxy's error page, otherwise there is no Cells
/// service.
fn html(answer: &Answer) -> ServerError {
    let status = answer.status.as_u16();
    let (kind, message) = match status {
        413 => {
            (ServerErrorKind::BadRequest, "a proxy in front of the server refuses a request of this size".to_owned())
        }
        429 => (ServerErrorKind::TooMany, "a proxy in front of the server limits the rate of requests".to_owned()),
        500 | 502..=504 => (ServerErrorKind::Server, format!("a proxy in front of the server answered HTTP {status}")),
        _ => (
            ServerErrorKind::NotCells,
            format!(
                "the answer is a web page (HTTP {status}): this is not a Cells server, or a sign-in page is in front \
                 of it"
            ),
        ),
    };
    with_answer(answer, kind, &message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::{answer, answer_of};
    use crate::http::retry::{Advice, Retryable as _};

    #[test]
    fn recorded_refusals_mean_what_they_say_not_what_their_status_says() {
        use ServerErrorKind::{BadRequest, Conflict, Forbidden, Locked, NotCells, NotFound, Server, Unauthenticated};
        for (name, kind, words) in [
            ("07-stat-missing-node", NotFound, "Could not retrieve node"),
            ("08-stat-missing-workspace", NotFound, "Workspace no-such-ws is not found"),
            ("11-stat-root", NotFound, "does not have this call"),
            ("20-list-missing-folder", NotFound, "Could not retrieve node"),
            ("24-admin-list-alice", Forbidden, "does not allow"),
            ("25-bad-json", BadRequest, "syntax error"),
            ("26-unknown-field", BadRequest, "unknown field"),
            ("27-wrong-content-type", BadRequest, "unmarshal"),
            ("28-accept-xml-empty-body", NotCells, "an empty answer"),
            ("29-method-not-allowed", BadRequest, "does not have this call"),
            ("31-unknown-service-html", NotCells, "web page"),
            ("37-create-folder-on-file", Forbidden, "on top of an existing file"),
            ("38-create-file-on-folder", Conflict, "already exists"),
            ("39-create-no-workspace", NotFound, "Workspace no-such-ws is not found"),
            ("40-create-readonly", Forbidden, "not writeable"),
            ("41-create-nothing", BadRequest, "at least one node"),
            ("42-create-name-256", BadRequest, "Data too long"),
            ("48-user-missing", NotFound, "cannot find user"),
            ("53-acls-alice", Forbidden, "does not allow"),
            ("56-datasource-missing", NotFound, "unknown datasource"),
            ("62-link-no-label", BadRequest, "non-empty label"),
            ("63-link-bad-node", NotFound, "Not found in tree"),
            ("66-link-delete-again", NotFound, "Cannot find workspace"),
            ("70-meta-put-notjson", BadRequest, "make sure to use JSON"),
            ("71-meta-put-no-namespace", NotFound, "is not defined"),
            ("85-session-wrong-password", Unauthenticated, "Login failed"),
            ("87-auth-none", Forbidden, "does not allow"),
            ("88-auth-garbage", Unauthenticated, "does not accept the token"),
            ("89-auth-expired-pat", Unauthenticated, "does not accept the token"),
            ("103-job-copy-missing-node", NotFound, "Could not retrieve node"),
            ("104-job-copy-no-target", BadRequest, "no.workspace.in.path"),
            ("105-job-unknown-name", BadRequest, "unknown job name"),
            ("108-job-compress-bad-format", BadRequest, "unsupported format"),
            ("109-job-compress-missing-node", Forbidden, "not allowed to be read"),
            ("111-job-remote-download", Forbidden, "not allowed"),
            ("114-delete-missing", NotFound, "Could not retrieve node"),
            ("115-delete-workspace-root", Forbidden, "root of a workspace"),
            ("117-restore-not-in-bin", NotFound, "restore location"),
            ("118-locked-423-as-500", Locked, "currently locked"),
            ("119-jobs-service-down", Server, "temporarily unavailable"),
        ] {
            let error = json_of(&answer(name)).expect_err(name);
            assert_eq!(error.kind, kind, "{name}: {error}");
            assert!(error.message.contains(words), "{name}: {error}");
        }
    }

    #[test]
    fn words_beyond_the_kind_become_a_reason() {
        for (name, reason) in [
            ("08-stat-missing-workspace", None),
            ("11-stat-root", Some(Reason::NoSuchCall)),
            ("28-accept-xml-empty-body", Some(Reason::Empty)),
            ("29-method-not-allowed", Some(Reason::NoSuchCall)),
            ("38-create-file-on-folder", Some(Reason::NameTaken)),
            ("40-create-readonly", Some(Reason::NoAccess)),
            ("42-create-name-256", Some(Reason::TooLong)),
            ("85-session-wrong-password", Some(Reason::WrongPassword)),
            ("117-restore-not-in-bin", Some(Reason::NoOrigin)),
            ("118-locked-423-as-500", Some(Reason::Locked)),
        ] {
            let error = json_of(&answer(name)).expect_err(name);
            assert_eq!(error.reason, reason, "{name}: {error}");
        }
        let locked = json_of(&answer("118-locked-423-as-500")).expect_err("locked");
        assert_eq!(locked.advice(), Advice::After(LOCK_PAUSE), "a lock is left alone for a while");
    }

    #[test]
    fn codes_of_newer_servers_keep_the_meaning_of_the_status() {
        use ServerErrorKind::{BadRequest, Conflict, Forbidden, Locked, NotFound, Quota, Server, Unauthenticated};
        let codes = |title: &str, detail: &str| format!("{{\"Title\":\"{title}\",\"Detail\":\"{detail}\"}}");
        for (status, title, detail, kind) in [
            (404, "Nicht gefunden", "E_NOT_FOUND", NotFound),
            (404, "E_NOT_FOUND", "Nicht gefunden", NotFound),
            (403, "Verboten", "E_FORBIDDEN_READ", Forbidden),
            (409, "Existiert", "E_INTERNAL_SERVER_ERROR", Conflict),
            (423, "Gesperrt", "E_RESOURCE_LOCKED", Locked),
            (422, "Voll", "E_INTERNAL_SERVER_ERROR", Quota),
            (401, "Nein", "E_UNAUTHORIZED", Unauthenticated),
            (500, "Fehlt", "E_WORKSPACE_NOT_FOUND", NotFound),
            (500, "Kaputt", "E_INTERNAL_SERVER_ERROR", Server),
            (400, "Falsch", "E_INTERNAL_SERVER_ERROR", BadRequest),
        ] {
            let error = classify(&answer_of(status, "application/json", &codes(title, detail)));
            assert_eq!(error.kind, kind, "{status} {detail}");
            let sentence = if title.starts_with("E_") { detail } else { title };
            assert_eq!(error.message, sentence);
        }
        for foreign in
            [answer_of(404, "text/plain", "not found"), answer_of(404, "application/json", "{\"message\":\"no\"}")]
        {
            assert_eq!(
                classify(&foreign).kind,
                ServerErrorKind::NotCells,
                "what is no Cells server never says that a node is missing"
            );
        }
        let text = classify(&answer_of(503, "text/plain", "Service unavailable."));
        assert_eq!((text.kind, text.advice()), (Server, Advice::Retry));
    }

    #[test]
    fn pages_of_a_proxy_differ_from_pages_of_a_wrong_address() {
        for (status, kind, advice) in [
            (502, ServerErrorKind::Server, Advice::Retry),
            (504, ServerErrorKind::Server, Advice::Retry),
            (429, ServerErrorKind::TooMany, Advice::Retry),
            (413, ServerErrorKind::BadRequest, Advice::Stop),
            (403, ServerErrorKind::NotCells, Advice::Stop),
            (200, ServerErrorKind::NotCells, Advice::Stop),
        ] {
            let error = json_of(&answer_of(status, "text/html", "<html>no</html>")).expect_err("a page");
            assert_eq!((error.kind, error.advice()), (kind, advice), "{status}");
        }
    }

    #[test]
    fn a_pause_that_the_server_asks_for_is_passed_on() {
        let mut refused = answer_of(429, "text/plain", "");
        refused.headers.insert("retry-after", http::HeaderValue::from_static("7"));
        assert_eq!(classify(&refused).advice(), Advice::After(std::time::Duration::from_secs(7)));
    }

    #[test]
    fn tokens_never_show_in_messages() {
        let token = format!("{}.{}", "a".repeat(43), "b".repeat(43));
        let error = classify(&answer_of(500, "application/json", &format!("{{\"Title\":\"token {token}\"}}")));
        assert!(!error.message.contains(&token), "{error}");
    }
}

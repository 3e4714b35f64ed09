//! What a REST answer means: the status of an answer is not to be trusted, the words of its body mostly are.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::auth::{Answer, AuthError};
use crate::http::retry::{Advice, Retryable, retry_after};
use crate::http::{HttpError, HttpErrorKind, redact};

/// What an answer means, whatever its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiErrorKind {
    /// The token is not valid (401 with a full stop).
    Unauthenticated,
    /// The user has not the right.
    Forbidden,
    /// The node, workspace or other thing does not exist.
    NotFound,
    /// Something of that name is in the way.
    Conflict,
    /// A job or another user holds a lock.
    Locked,
    /// The quota is used up.
    Quota,
    /// The server refuses the request as it is.
    BadRequest,
    /// Too many requests.
    TooMany,
    /// The server or a service behind it failed or is away.
    Server,
    /// An answer to another request than the one that was sent: a proxy mixes them up.
    Unasked,
    /// HTML or anything else that no Cells server says here.
    NotCells,
    /// No usable answer: see the source.
    Transport,
    /// No token could be had: see the source.
    Auth,
}

/// A REST failure.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What it means.
    pub kind: ApiErrorKind,
    /// The cause in words.
    pub message: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Retry-After, if the answer had one.
    pub retry_after: Option<std::time::Duration>,
    /// Whether right answers came before it, so that [`ApiErrorKind::NotCells`] may pass.
    pub passing: bool,
    /// The failure below, where the kind is Transport or Auth.
    #[source]
    pub source: Option<Cause>,
}

/// What lies below an [`ApiError`].
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No usable answer.
    #[error(transparent)]
    Http(HttpError),
    /// No token.
    #[error(transparent)]
    Auth(AuthError),
}

impl ApiError {
    /// A failure without an answer behind it.
    pub fn new(kind: ApiErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, retry_after: None, passing: false, source: None }
    }

    /// What the user can do, where there is something to say.
    pub fn hint(&self) -> Option<&str> {
        match (&self.source, self.kind) {
            (Some(Cause::Http(error) | Cause::Auth(AuthError::Http(error))), _) => error.hint.as_deref(),
            (_, ApiErrorKind::NotCells) => Some("check the URL: it must be the address of the Cells server itself"),
            (_, ApiErrorKind::Unauthenticated) => Some(
                "sign in again with 'cec configure'; after an upgrade of the server, personal access tokens must be made anew",
            ),
            _ => None,
        }
    }

    /// Whether it is certain that the server got nothing of the request.
    pub(super) fn is_unsent(&self) -> bool {
        match &self.source {
            Some(Cause::Http(error) | Cause::Auth(AuthError::Http(error))) => error.unsent,
            Some(Cause::Auth(_)) => true,
            None => false,
        }
    }

    /// Whether this is a refusal that the server also gives for a moment: while a node is being removed, its caches are empty,
    /// or it is too busy to find the user's rights (docs/protocol.md §4.2).
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.kind, ApiErrorKind::Forbidden | ApiErrorKind::NotFound)
            && matches!(self.message.as_str(), "path is not readable" | "path is not writeable")
    }

    /// Whether the call took longer than the server, a proxy or this program waits.
    pub(super) fn is_too_slow(&self) -> bool {
        let timed_out = match &self.source {
            Some(Cause::Http(error)) => error.kind == HttpErrorKind::Timeout && !error.unsent,
            _ => false,
        };
        timed_out || matches!(self.status, Some(408 | 504))
    }

    /// Whether the answer is larger than what is kept in memory.
    pub(super) fn is_too_large(&self) -> bool {
        matches!(&self.source, Some(Cause::Http(error)) if error.kind == HttpErrorKind::TooLarge)
    }

    /// Whether the answer was lost, so that nobody knows whether the request was carried out.
    pub fn is_answer_lost(&self) -> bool {
        let gateway = matches!(self.status, Some(502..=504)) && self.kind == ApiErrorKind::Server;
        gateway || (self.kind == ApiErrorKind::Transport && !self.is_unsent())
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let kind = match &error {
            AuthError::Http(_) => ApiErrorKind::Transport,
            AuthError::Expired => ApiErrorKind::Unauthenticated,
            AuthError::NotCells(_) => ApiErrorKind::NotCells,
            AuthError::WrongPassword
            | AuthError::Locked
            | AuthError::SessionLost
            | AuthError::Store(_)
            | AuthError::NotStored(_)
            | AuthError::FurtherStep(_)
            | AuthError::Link(_)
            | AuthError::Server { .. } => ApiErrorKind::Auth,
        };
        let message = error.to_string();
        let source = match error {
            AuthError::Http(error) => Cause::Http(error),
            other => Cause::Auth(other),
        };
        Self { source: Some(source), ..Self::new(kind, message) }
    }
}

impl From<HttpError> for ApiError {
    fn from(error: HttpError) -> Self {
        AuthError::Http(error).into()
    }
}

impl Retryable for ApiError {
    fn advice(&self) -> Advice {
        if self.may_pass() {
            return Advice::Briefly;
        }
        let transient = match self.kind {
            ApiErrorKind::Server | ApiErrorKind::TooMany | ApiErrorKind::Unasked => true,
            ApiErrorKind::NotCells => self.passing,
            ApiErrorKind::Locked => {
                return Advice::After(self.retry_after.unwrap_or(std::time::Duration::from_secs(2)));
            }
            ApiErrorKind::Transport | ApiErrorKind::Auth => match &self.source {
                Some(Cause::Http(error) | Cause::Auth(AuthError::Http(error))) => return error.advice(),
                Some(Cause::Auth(AuthError::Server { status, .. })) => *status >= 500 || *status == 429,
                _ => false,
            },
            _ => false,
        };
        match (transient, self.retry_after) {
            (true, Some(pause)) => Advice::After(pause),
            (true, None) => Advice::Retry,
            (false, _) => Advice::Stop,
        }
    }
}

/// Gives the JSON of a successful answer, or what the answer means otherwise.
pub(super) fn json_of(answer: &Answer) -> Result<&[u8], ApiError> {
    if is_html(&answer.headers, &answer.body) {
        return Err(html(answer));
    }
    if !answer.status.is_success() {
        return Err(classify(answer));
    }
    if answer.body.trim_ascii().is_empty() {
        return Err(with_answer(
            answer,
            ApiErrorKind::NotCells,
            "the server answered with nothing: this host name is not configured on the Cells server, or a proxy changes the Accept header",
        ));
    }
    Ok(&answer.body)
}

/// What a refused REST call means. Only for answers that are no success.
pub(super) fn classify(answer: &Answer) -> ApiError {
    if is_html(&answer.headers, &answer.body) {
        return html(answer);
    }
    match first_document(&answer.body) {
        Some(document) => {
            let words = Words::of(&document);
            if words.is_foreign() && answer.status == StatusCode::NOT_FOUND {
                return plain(answer);
            }
            with_answer(answer, words.kind(answer.status), &words.message())
        }
        None => plain(answer),
    }
}

fn with_answer(answer: &Answer, kind: ApiErrorKind, message: &str) -> ApiError {
    ApiError {
        status: Some(answer.status.as_u16()),
        retry_after: retry_after(&answer.headers),
        ..ApiError::new(kind, redact::text(message))
    }
}

/// Error bodies may hold two documents in a row; the first one counts.
fn first_document(body: &[u8]) -> Option<Value> {
    let value = serde_json::Deserializer::from_slice(body).into_iter::<Value>().next()?.ok()?;
    value.is_object().then_some(value)
}

/// The words of an error document, unwrapped.
#[derive(Debug, Default)]
struct Words {
    title: String,
    detail: String,
    /// An `E_…` code, as newer servers send.
    code: Option<String>,
    /// The numeric code of a wrapped error.
    number: Option<u16>,
}

impl Words {
    fn of(document: &Value) -> Self {
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
        let (title, detail) = (text("Title"), text("Detail"));
        let code = [detail, title].into_iter().find_map(error_code);
        // Some services put the whole error, as JSON text, into the title.
        let wrapped = [title, detail].into_iter().find_map(|text| {
            let inner: Value = serde_json::from_str(text).ok()?;
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

    /// Whether the document has nothing of what a Cells server says.
    fn is_foreign(&self) -> bool {
        self.title.is_empty() && self.detail.is_empty() && self.code.is_none()
    }

    fn kind(&self, status: StatusCode) -> ApiErrorKind {
        if let Some(code) = &self.code {
            return by_status(status.as_u16()).unwrap_or_else(|| by_code(code));
        }
        by_prefix(&self.detail)
            .map(|kind| self.refined(kind))
            .or_else(|| self.number.and_then(by_status))
            .or_else(|| by_status(status.as_u16()))
            .unwrap_or_else(|| self.refined(ApiErrorKind::Server))
    }

    /// What the server files under internal errors although the request is at fault.
    fn refined(&self, kind: ApiErrorKind) -> ApiErrorKind {
        if kind != ApiErrorKind::Server {
            return kind;
        }
        const KNOWN: [(&str, ApiErrorKind); 15] = [
            ("Data too long", ApiErrorKind::BadRequest),
            ("Duplicate entry", ApiErrorKind::Conflict),
            ("hash is already in use", ApiErrorKind::Conflict),
            ("docstore%!(EXTRA", ApiErrorKind::NotFound),
            ("not allowed", ApiErrorKind::Forbidden),
            ("proto:", ApiErrorKind::BadRequest),
            ("unmarshal", ApiErrorKind::BadRequest),
            ("unknown field", ApiErrorKind::BadRequest),
            ("unsupported format", ApiErrorKind::BadRequest),
            ("unknown job name", ApiErrorKind::BadRequest),
            ("no.workspace.in.path", ApiErrorKind::BadRequest),
            ("make sure to use JSON", ApiErrorKind::BadRequest),
            ("please provide", ApiErrorKind::BadRequest),
            ("please do not modify directly the root", ApiErrorKind::Forbidden),
            ("cannot find restore location", ApiErrorKind::NotFound),
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

const PREFIXES: [(&str, ApiErrorKind); 8] = [
    ("Not Found", ApiErrorKind::NotFound),
    ("Forbidden", ApiErrorKind::Forbidden),
    ("Conflict", ApiErrorKind::Conflict),
    ("Locked", ApiErrorKind::Locked),
    ("Unauthorized", ApiErrorKind::Unauthenticated),
    ("Bad Request", ApiErrorKind::BadRequest),
    ("Unprocessable Entity", ApiErrorKind::Quota),
    ("Internal Server Error", ApiErrorKind::Server),
];

fn by_prefix(detail: &str) -> Option<ApiErrorKind> {
    let (prefix, _) = detail.split_once(": ")?;
    PREFIXES.iter().find(|(known, _)| *known == prefix).map(|(_, kind)| *kind)
}

/// The `E_…` code in a text, which newer servers put into Detail and some into Title.
fn error_code(text: &str) -> Option<String> {
    let start =
        text.find("E_").filter(|start| !text[..*start].ends_with(|before: char| before.is_ascii_alphanumeric()))?;
    let code: String =
        text[start..].chars().take_while(|character| character.is_ascii_uppercase() || *character == '_').collect();
    (code.len() > 4).then_some(code)
}

fn by_code(code: &str) -> ApiErrorKind {
    let has = |part: &str| code.contains(part);
    if has("LOCKED") && !has("USER_LOCKED") {
        ApiErrorKind::Locked
    } else if has("NOT_FOUND") {
        ApiErrorKind::NotFound
    } else if has("FORBIDDEN") || has("NOT_EDITABLE") || has("CANNOT") {
        ApiErrorKind::Forbidden
    } else if has("UNAUTHORIZED") || has("LOGIN_FAILED") || has("USER_LOCKED") {
        ApiErrorKind::Unauthenticated
    } else if has("ALREADY_EXISTS") {
        ApiErrorKind::Conflict
    } else {
        ApiErrorKind::Server
    }
}

/// What a status means by itself; 500 means nothing.
fn by_status(status: u16) -> Option<ApiErrorKind> {
    Some(match status {
        401 => ApiErrorKind::Unauthenticated,
        403 => ApiErrorKind::Forbidden,
        404 | 410 => ApiErrorKind::NotFound,
        409 | 412 => ApiErrorKind::Conflict,
        423 => ApiErrorKind::Locked,
        422 | 507 => ApiErrorKind::Quota,
        429 => ApiErrorKind::TooMany,
        400 | 402..=499 => ApiErrorKind::BadRequest,
        501 => ApiErrorKind::BadRequest,
        502..=504 => ApiErrorKind::Server,
        _ => return None,
    })
}

fn plain(answer: &Answer) -> ApiError {
    let text = String::from_utf8_lossy(answer.body.get(..300).unwrap_or(&answer.body)).trim().to_owned();
    let status = answer.status.as_u16();
    let (kind, message) = match (status, text.as_str()) {
        (401, "Unauthorized.") => (ApiErrorKind::Unauthenticated, "the server does not accept the token".to_owned()),
        (401, "Unauthorized") => {
            (ApiErrorKind::Forbidden, "the server does not allow this call for this user".to_owned())
        }
        // Routing: the service is known, this call of it is not.
        (404, "404: Page Not Found") => (ApiErrorKind::NotFound, "this server has no such call".to_owned()),
        (405, _) => (ApiErrorKind::BadRequest, "this server has no such call".to_owned()),
        (413, _) => {
            (ApiErrorKind::BadRequest, "the request is larger than a proxy in front of the server allows".to_owned())
        }
        _ => {
            // A Cells server says in a document of its own what it does not find.
            let kind = by_status(status).filter(|kind| *kind != ApiErrorKind::NotFound);
            let kind = kind.unwrap_or(if status < 500 { ApiErrorKind::NotCells } else { ApiErrorKind::Server });
            let words = if text.is_empty() { "no reason given".to_owned() } else { text };
            (kind, format!("the server answered HTTP {status}: {words}"))
        }
    };
    with_answer(answer, kind, &message)
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

/// A web page where JSON is due: a proxy's own error page for some statuses, else no Cells service at all.
fn html(answer: &Answer) -> ApiError {
    let status = answer.status.as_u16();
    let (kind, message) = match status {
        413 => (ApiErrorKind::BadRequest, "a proxy in front of the server refuses a request of this size".to_owned()),
        429 => (ApiErrorKind::TooMany, "a proxy in front of the server asks for fewer requests".to_owned()),
        500 | 502..=504 => (ApiErrorKind::Server, format!("a proxy in front of the server answered HTTP {status}")),
        _ => (
            ApiErrorKind::NotCells,
            format!(
                "the answer is a web page (HTTP {status}): this is not a Cells server, or a sign-in page stands in front of it"
            ),
        ),
    };
    with_answer(answer, kind, &message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::{answer, answer_of};

    #[test]
    fn recorded_refusals_mean_what_they_say_not_what_their_status_says() {
        use ApiErrorKind::{BadRequest, Conflict, Forbidden, Locked, NotCells, NotFound, Server, Unauthenticated};
        for (name, kind, words) in [
            ("07-stat-missing-node", NotFound, "Could not retrieve node"),
            ("08-stat-missing-workspace", NotFound, "Workspace no-such-ws is not found"),
            ("11-stat-root", NotFound, "no such call"),
            ("20-list-missing-folder", NotFound, "Could not retrieve node"),
            ("24-admin-list-alice", Forbidden, "does not allow"),
            ("25-bad-json", BadRequest, "syntax error"),
            ("26-unknown-field", BadRequest, "unknown field"),
            ("27-wrong-content-type", BadRequest, "unmarshal"),
            ("28-accept-xml-empty-body", NotCells, "with nothing"),
            ("29-method-not-allowed", BadRequest, "no such call"),
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
    fn newer_servers_speak_in_codes_and_mean_their_status() {
        use ApiErrorKind::{BadRequest, Conflict, Forbidden, Locked, NotFound, Quota, Server, Unauthenticated};
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
                ApiErrorKind::NotCells,
                "what is no Cells server never says that a node is missing"
            );
        }
        let text = classify(&answer_of(503, "text/plain", "Service unavailable."));
        assert_eq!((text.kind, text.advice()), (Server, Advice::Retry));
    }

    #[test]
    fn pages_of_a_proxy_are_told_from_pages_of_a_wrong_address() {
        for (status, kind, advice) in [
            (502, ApiErrorKind::Server, Advice::Retry),
            (504, ApiErrorKind::Server, Advice::Retry),
            (429, ApiErrorKind::TooMany, Advice::Retry),
            (413, ApiErrorKind::BadRequest, Advice::Stop),
            (403, ApiErrorKind::NotCells, Advice::Stop),
            (200, ApiErrorKind::NotCells, Advice::Stop),
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

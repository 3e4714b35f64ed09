//! Determines what an answer of the gateway means.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::xml::Document;
use crate::failure::{Reason, ServerError, ServerErrorKind};
use crate::http::redact;
use crate::http::retry::retry_after;

/// How long to wait before another attempt at a locked node. The lock lasts until the job that holds it ends.
const LOCK_PAUSE: Duration = Duration::from_secs(5);

/// Whether the error may mean a dead token as well as a missing permission.
pub(super) fn may_be_token(error: &ServerError) -> bool {
    match (error.status, error.code.as_deref()) {
        (Some(401), _) | (Some(504), Some("TokenTimeMismatch")) => true,
        (Some(403), code) => matches!(code, None | Some("AccessDenied" | "UnauthorizedAccess")),
        _ => false,
    }
}

/// The type of the request, if the meaning of an answer depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// A read. Its result is never in doubt.
    Read,
    /// A write of a complete object.
    Write,
    /// A change of a multipart upload that was started.
    Multipart,
    /// A read about a multipart upload.
    MultipartRead,
}

impl RequestKind {
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Multipart)
    }

    fn is_multipart(self) -> bool {
        matches!(self, Self::Multipart | Self::MultipartRead)
    }
}

/// Returns the error that an unsuccessful answer means.
pub(super) fn classify(status: StatusCode, headers: &HeaderMap, body: &[u8], asked: RequestKind) -> ServerError {
    let document = Document::parse(body).filter(|document| document.root == "Error");
    let field =
        |name: &str| document.as_ref().and_then(|document| document.field(name)).filter(|text| !text.is_empty());
    let code = field("Code").map(ToOwned::to_owned);
    let message = field("Message").unwrap_or_default();
    let cause = Hidden::in_message(message);
    let kind = match (&cause, code.as_deref()) {
        (Some(cause), _) => cause.kind(asked),
        (None, Some(code)) => by_code(code).unwrap_or_else(|| by_status(status, headers, body)),
        (None, None) => by_status(status, headers, body),
    };
    let in_doubt = asked.writes() && kind == ServerErrorKind::Server && status.as_u16() != 501;
    let pause = retry_after(headers);
    let server_words = cause.as_ref().map_or(message, |cause| cause.words.as_str()).trim();
    let is_wordless = server_words.is_empty() && code.is_none() && body.is_empty();
    let reason = match code.as_deref() {
        Some("RequestTimeTooSkewed") => Some(Reason::Clock),
        _ => is_wordless.then_some(Reason::Wordless),
    };
    let message = words(kind, status, code.as_deref(), server_words, !body.is_empty());
    ServerError {
        reason,
        status: Some(status.as_u16()),
        request_id: request_id(headers).or_else(|| field("RequestId").map(ToOwned::to_owned)),
        retry_after: if kind == ServerErrorKind::Locked { pause.max(Some(LOCK_PAUSE)) } else { pause },
        in_doubt,
        code,
        ..ServerError::new(kind, message)
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-amz-request-id")?.to_str().ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The cause that an internal error of the gateway contains in its message: `cause({"Id":…,"Code":423,…})`, or
/// `cause(some words)`.
#[derive(Debug)]
struct Hidden {
    id: String,
    number: Option<u64>,
    words: String,
}

impl Hidden {
    fn in_message(message: &str) -> Option<Self> {
        let start = message.find("cause(")? + "cause(".len();
        let inner = message.get(start..message.rfind(')')?)?;
        let json = serde_json::from_slice::<Value>(inner.as_bytes()).ok().filter(Value::is_object);
        let Some(json) = json else {
            return Some(Self { id: String::new(), number: None, words: inner.to_owned() });
        };
        let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self { id: text("Id"), number: json.get("Code").and_then(Value::as_u64), words: text("Detail") })
    }

    fn kind(&self, asked: RequestKind) -> ServerErrorKind {
        let says = |part: &str| self.words.contains(part);
        match self.number {
            Some(423) => return ServerErrorKind::Locked,
            Some(409) if says("already in use") => return ServerErrorKind::NameInUse,
            Some(409) => return ServerErrorKind::Conflict,
            Some(404) if asked.is_multipart() => return ServerErrorKind::UploadGone,
            Some(404) => return ServerErrorKind::NotFound,
            Some(403) => return ServerErrorKind::Forbidden,
            Some(422) => return ServerErrorKind::Quota,
            Some(429) => return ServerErrorKind::TooMany,
            Some(400..=499) => return ServerErrorKind::BadRequest,
            _ => {}
        }
        if self.id == "parent.locked" {
            ServerErrorKind::Locked
        } else if says("cannot find initial multipart node") {
            ServerErrorKind::UploadGone
        } else if says("already in use") {
            ServerErrorKind::NameInUse
        } else if says("for folder") || says("folder already exists") {
            ServerErrorKind::Conflict
        } else if [
            "Data too long",
            "invalid UTF-8",
            "Object name cannot be empty",
            "missing hash for part",
            "part.empty",
        ]
        .iter()
        .any(|part| says(part))
        {
            ServerErrorKind::BadRequest
        } else {
            ServerErrorKind::Server
        }
    }
}

fn by_code(code: &str) -> Option<ServerErrorKind> {
    Some(match code {
        "AccessDenied" | "UnauthorizedAccess" | "TokenTimeMismatch" => ServerErrorKind::Forbidden,
        "NoSuchKey" | "NoSuchBucket" | "NoSuchVersion" => ServerErrorKind::NotFound,
        "NoSuchUpload" => ServerErrorKind::UploadGone,
        "InvalidRange" => ServerErrorKind::Range,
        "QuotaExceeded" => ServerErrorKind::Quota,
        "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "AuthorizationHeaderMalformed"
        | "AuthorizationParametersError" => ServerErrorKind::Signature,
        "SlowDown" | "TooManyRequests" => ServerErrorKind::TooMany,
        "XMinioObjectExistsAsDirectory" | "XMinioParentIsObject" => ServerErrorKind::Conflict,
        "InternalError"
        | "XMinioBackendDown"
        | "ServiceUnavailable"
        | "XMinioServerNotInitialized"
        | "ClientDisconnected"
        | "RequestTimeout" => ServerErrorKind::Server,
        _ => return None,
    })
}

fn by_status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ServerErrorKind {
    match status.as_u16() {
        401 | 403 if !is_html(headers, body) => ServerErrorKind::Forbidden,
        404 if !is_html(headers, body) => ServerErrorKind::NotFound,
        409 | 412 => ServerErrorKind::Conflict,
        413 => ServerErrorKind::TooLarge,
        416 => ServerErrorKind::Range,
        422 | 507 => ServerErrorKind::Quota,
        423 => ServerErrorKind::Locked,
        429 => ServerErrorKind::TooMany,
        // 499 is what a gateway answers if it shuts down during the request: its own server cancels what is behind it.
        408 | 499 => ServerErrorKind::Server,
        501 => ServerErrorKind::BadRequest,
        500..=599 => ServerErrorKind::Server,
        _ if is_html(headers, body) => ServerErrorKind::NotCells,
        _ => ServerErrorKind::BadRequest,
    }
}

/// Whether an answer is a web page.
pub(super) fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let named = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/html"));
    named || body.trim_ascii_start().to_ascii_lowercase().starts_with(b"<!doctype html")
}

fn words(kind: ServerErrorKind, status: StatusCode, code: Option<&str>, server_words: &str, page: bool) -> String {
    let server_words = redact::text(server_words).into_owned();
    let status = status.as_u16();
    match (kind, code) {
        (ServerErrorKind::Locked, _) => "a job on the server has locked the folder".to_owned(),
        (ServerErrorKind::Forbidden, Some("TokenTimeMismatch")) => {
            "the token expired before the request reached the server: a proxy delays uploads for longer than the \
             token is valid"
                .to_owned()
        }
        (ServerErrorKind::Forbidden, _) => "permission denied".to_owned(),
        (ServerErrorKind::NotFound, _) => "no such file on the server".to_owned(),
        (ServerErrorKind::UploadGone, _) => "the server no longer knows this multipart upload".to_owned(),
        (ServerErrorKind::Range, _) => "the range is outside the file".to_owned(),
        (ServerErrorKind::Signature, Some("RequestTimeTooSkewed")) => {
            "this machine's clock and the server's are too far apart".to_owned()
        }
        (ServerErrorKind::Signature, _) => "the server refused the request's signature".to_owned(),
        (ServerErrorKind::TooLarge, _) => {
            "a proxy in front of the server refuses a body of this size (HTTP 413)".to_owned()
        }
        (ServerErrorKind::NotCells, _) => {
            format!("the answer is a web page (HTTP {status}): this is not a Cells server")
        }
        (_, Some("XMinioBackendDown")) => "the server's storage is unavailable, or the file is locked".to_owned(),
        (_, Some(code)) if server_words.is_empty() => format!("the server answered HTTP {status} {code}"),
        (_, None) if server_words.is_empty() && page => {
            format!("a proxy in front of the server answered HTTP {status}")
        }
        (_, None) if server_words.is_empty() => format!("the server answered HTTP {status}"),
        _ => server_words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::{answer_in, recording};
    use crate::http::retry::{Advice, Retryable as _};

    fn recorded(name: &str, asked: RequestKind) -> ServerError {
        let answer = answer_in(&recording("s3", name));
        classify(answer.status, &answer.headers, &answer.body, asked)
    }

    #[test]
    fn recorded_refusals_have_different_kinds() {
        use RequestKind::{Multipart, MultipartRead, Read, Write};
        use ServerErrorKind::{
            BadRequest, Conflict, Forbidden, Locked, NotFound, Quota, Range, Server, Signature, UploadGone,
        };
        for (name, asked, kind, in_doubt) in [
            ("006-old-date", Read, Signature, false),
            ("007-bearer", Read, Forbidden, false),
            ("011-gateway-key-wrong-secret", Write, Signature, false),
            ("012-presigned-pat", Read, Signature, false),
            ("016-bad-token", Read, Forbidden, false),
            ("018-expired-token-head", Read, Forbidden, false),
            ("019-readonly-put", Write, Forbidden, false),
            ("022-wrong-sha256", Write, Server, true),
            ("046-put-te-chunked", Write, BadRequest, false),
            ("050-put-onto-folder", Write, Conflict, false),
            ("052-put-dot-pydio", Write, BadRequest, false),
            ("054-put-unknown-workspace", Write, NotFound, false),
            ("056-put-parent-locked", Write, Locked, false),
            ("057-mp-create-parent-locked", Write, Locked, false),
            ("060-put-tagging-not-implemented", Write, BadRequest, false),
            ("062-put-quota", Write, Quota, false),
            ("063-put-content-locked", Write, Forbidden, false),
            ("073-mp-complete-twice", Multipart, UploadGone, false),
            ("076-mp-too-small", Multipart, BadRequest, false),
            ("078-mp-gap", Multipart, BadRequest, false),
            ("080-mp-part-not-uploaded", Multipart, BadRequest, false),
            ("081-mp-order", Multipart, BadRequest, false),
            ("085-mp-part-absent-node", Multipart, UploadGone, false),
            ("089-abort-twice", Multipart, UploadGone, false),
            ("094-mp-part-nfd", Multipart, UploadGone, false),
            ("095-listparts-node-gone", MultipartRead, UploadGone, false),
            ("106-get-missing", Read, NotFound, false),
            ("107-head-missing", Read, NotFound, false),
            ("108-get-folder", Read, Conflict, false),
            ("109-head-folder", Read, Server, false),
            ("111-get-range-of-empty", Read, Range, false),
            ("113-get-denied-workspace", Read, NotFound, false),
        ] {
            let error = recorded(name, asked);
            assert_eq!((error.kind, error.in_doubt), (kind, in_doubt), "{name}: {error}");
            assert!(!error.message.is_empty() && !error.message.contains("cause("), "{name}: {error}");
        }
    }

    #[test]
    fn what_may_be_a_dead_token_is_known() {
        assert!(may_be_token(&recorded("016-bad-token", RequestKind::Read)));
        assert!(may_be_token(&recorded("018-expired-token-head", RequestKind::Read)));
        assert!(!may_be_token(&recorded("011-gateway-key-wrong-secret", RequestKind::Read)));
        assert!(!may_be_token(&recorded("006-old-date", RequestKind::Read)));
        assert!(recorded("006-old-date", RequestKind::Read).is(Reason::Clock));
        let late = b"<Error><Code>TokenTimeMismatch</Code><Message>m</Message></Error>";
        let error = classify(StatusCode::GATEWAY_TIMEOUT, &HeaderMap::new(), late, RequestKind::Write);
        assert!(may_be_token(&error) && !error.in_doubt, "{error}");
    }

    #[test]
    fn only_what_can_pass_is_worth_another_try() {
        let advice = |name, asked| recorded(name, asked).advice();
        assert_eq!(advice("056-put-parent-locked", RequestKind::Write), Advice::After(LOCK_PAUSE));
        assert_eq!(advice("022-wrong-sha256", RequestKind::Write), Advice::Retry);
        assert_eq!(advice("062-put-quota", RequestKind::Write), Advice::Stop);
        assert_eq!(advice("050-put-onto-folder", RequestKind::Write), Advice::Stop);
        let raced = "<Error><Code>InternalError</Code><Message>x: cause({&quot;Code&quot;:409,&quot;Detail&quot;:&quot;Node path already in use&quot;})</Message></Error>";
        let error =
            classify(StatusCode::INTERNAL_SERVER_ERROR, &HeaderMap::new(), raced.as_bytes(), RequestKind::Write);
        assert_eq!((error.kind, error.advice()), (ServerErrorKind::NameInUse, Advice::Retry));
    }

    #[test]
    fn a_refusal_without_words_has_its_own_reason() {
        let refused = |body: &[u8]| classify(StatusCode::BAD_GATEWAY, &HeaderMap::new(), body, RequestKind::Multipart);
        assert!(refused(b"").is(Reason::Wordless));
        assert!(!refused(b"<html></html>").is(Reason::Wordless));
        assert!(!refused(b"<Error><Code>InternalError</Code></Error>").is(Reason::Wordless));
    }

    /// Recorded while a server was stopped during the upload of a part.
    #[test]
    fn a_gateway_that_shuts_down_says_that_the_client_left() {
        let body = "<Error><Code>ClientDisconnected</Code><Message>Client disconnected before response was \
                    ready</Message></Error>";
        for body in [body, ""] {
            let status = StatusCode::from_u16(499).expect("a status");
            let error = classify(status, &HeaderMap::new(), body.as_bytes(), RequestKind::Multipart);
            assert_eq!((error.kind, error.advice()), (ServerErrorKind::Server, Advice::Retry), "{body:?}");
        }
    }

    #[test]
    fn statuses_of_proxies_have_their_own_words() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", http::HeaderValue::from_static("text/html"));
        let page = |status: u16| {
            classify(StatusCode::from_u16(status).expect("a status"), &headers, b"<html></html>", RequestKind::Write)
        };
        assert_eq!(page(413).kind, ServerErrorKind::TooLarge);
        assert_eq!((page(502).kind, page(502).in_doubt), (ServerErrorKind::Server, true));
        assert_eq!(page(404).kind, ServerErrorKind::NotCells);
        assert_eq!(page(429).kind, ServerErrorKind::TooMany);
    }
}

//! What a gateway answer means.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::xml::Document;
use crate::auth::AuthError;
use crate::http::retry::{Advice, Retryable, retry_after};
use crate::http::{HttpError, HttpErrorKind, redact};

/// How long a lock is left alone before the next try: it lasts as long as the job that holds it.
const LOCK_PAUSE: Duration = Duration::from_secs(5);

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3ErrorKind {
    /// The token is not valid; REST has confirmed it and it could not be renewed.
    Unauthenticated,
    /// The user has not the right, or someone holds a content lock.
    Forbidden,
    /// No such object, or no such workspace for this user.
    NotFound,
    /// The multipart upload is finished, aborted or expired (NoSuchUpload, or its temporary node is gone).
    UploadGone,
    /// A folder is in the way, or the target is a folder.
    Conflict,
    /// Another upload of the same new name is running (docs/protocol.md §5.4); worth another try after a stat.
    NameInUse,
    /// A job holds a lock; worth another try after a long pause.
    Locked,
    /// The quota is used up.
    Quota,
    /// The request is refused as it is.
    BadRequest,
    /// The range lies outside the object, or the answer is not the one that was asked for.
    Range,
    /// 413: a proxy limits the body.
    TooLarge,
    /// Too many requests.
    TooMany,
    /// The signature was refused: a proxy rewrites the path or the host, or the clock is off for good.
    Signature,
    /// The server or its storage failed or is away.
    Server,
    /// An answer to another request than the one that was sent: a proxy mixes them up.
    Unasked,
    /// HTML, or a success without an ETag: not the gateway.
    NotCells,
    /// No usable answer, or a body that ended early: see the source.
    Transport,
    /// No token could be had: see the source.
    Auth,
    /// The local end of the body failed.
    Body,
}

/// A gateway failure.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct S3Error {
    /// What it means.
    pub kind: S3ErrorKind,
    /// The cause in words.
    pub message: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The S3 error code, if the answer had one.
    pub code: Option<String>,
    /// X-Amz-Request-Id, if the answer had one.
    pub request_id: Option<String>,
    /// Retry-After, if the answer had one.
    pub retry_after: Option<std::time::Duration>,
    /// Whether the request may have been carried out although no success was heard
    /// (docs/protocol.md §5.3).
    pub in_doubt: bool,
    /// Whether right answers came before it, so that [`S3ErrorKind::NotCells`] may pass.
    pub passing: bool,
    /// The failure below.
    #[source]
    pub source: Option<Cause>,
}

/// What lies below an [`S3Error`].
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No usable answer.
    #[error(transparent)]
    Http(HttpError),
    /// No token.
    #[error(transparent)]
    Auth(AuthError),
}

impl S3Error {
    /// A failure without an answer behind it.
    pub fn new(kind: S3ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            code: None,
            request_id: None,
            retry_after: None,
            in_doubt: false,
            passing: false,
            source: None,
        }
    }

    /// What the user can do, where there is something to say.
    pub fn hint(&self) -> Option<&str> {
        if let Some(Cause::Http(error) | Cause::Auth(AuthError::Http(error))) = &self.source {
            return error.hint.as_deref();
        }
        match self.kind {
            S3ErrorKind::TooLarge => {
                Some("a smaller --part-size and --multipart-threshold, or a higher limit in the proxy")
            }
            S3ErrorKind::Signature if self.code.as_deref() == Some("RequestTimeTooSkewed") => {
                Some("check this machine's clock")
            }
            S3ErrorKind::Signature => Some("a proxy that rewrites the path or the Host header breaks signatures"),
            S3ErrorKind::NotCells => Some("check the URL: it must be the address of the Cells server itself"),
            S3ErrorKind::Unauthenticated => Some(
                "sign in again with 'cec configure'; after an upgrade of the server, personal access tokens must be made anew",
            ),
            _ => None,
        }
    }

    /// Whether the answer may mean a dead token as well as a missing right.
    pub(super) fn may_be_token(&self) -> bool {
        match (self.status, self.code.as_deref()) {
            (Some(401), _) | (Some(504), Some("TokenTimeMismatch")) => true,
            (Some(403), code) => matches!(code, None | Some("AccessDenied" | "UnauthorizedAccess")),
            _ => false,
        }
    }

    /// Whether it took longer than a proxy or this program waits, so that the server may still be at work.
    pub fn is_too_slow(&self) -> bool {
        let timed_out =
            matches!(&self.source, Some(Cause::Http(error)) if error.kind == HttpErrorKind::Timeout && !error.unsent);
        timed_out || matches!(self.status, Some(408 | 504))
    }

    /// Whether the connection was closed before the answer was whole.
    pub fn is_broken_off(&self) -> bool {
        matches!(&self.source, Some(Cause::Http(error)) if error.kind == HttpErrorKind::Closed)
    }

    /// Whether the answer gave any reason of its own, or was a page.
    pub(super) fn has_words(&self) -> bool {
        self.message != format!("the server answered HTTP {}", self.status.unwrap_or_default())
    }

    /// Whether the server finds our clock wrong.
    pub(super) fn is_clock(&self) -> bool {
        self.code.as_deref() == Some("RequestTimeTooSkewed")
    }
}

impl From<HttpError> for S3Error {
    fn from(error: HttpError) -> Self {
        Self { source: Some(Cause::Http(error.clone())), ..Self::new(S3ErrorKind::Transport, error.message) }
    }
}

impl From<AuthError> for S3Error {
    fn from(error: AuthError) -> Self {
        let kind = match error {
            AuthError::Http(error) => return error.into(),
            AuthError::Expired => S3ErrorKind::Unauthenticated,
            AuthError::NotCells(_) => S3ErrorKind::NotCells,
            AuthError::WrongPassword
            | AuthError::Locked
            | AuthError::SessionLost
            | AuthError::Store(_)
            | AuthError::NotStored(_)
            | AuthError::FurtherStep(_)
            | AuthError::Link(_)
            | AuthError::Server { .. } => S3ErrorKind::Auth,
        };
        Self { source: Some(Cause::Auth(error.clone())), ..Self::new(kind, error.to_string()) }
    }
}

impl Retryable for S3Error {
    fn advice(&self) -> Advice {
        let transient = match (self.kind, &self.source) {
            (S3ErrorKind::Server | S3ErrorKind::TooMany | S3ErrorKind::NameInUse | S3ErrorKind::Unasked, _) => true,
            (S3ErrorKind::NotCells, _) => self.passing,
            (S3ErrorKind::Locked, _) => return Advice::After(self.retry_after.unwrap_or(LOCK_PAUSE).max(LOCK_PAUSE)),
            (S3ErrorKind::Transport, Some(Cause::Http(error))) => return error.advice(),
            (S3ErrorKind::Transport, _) => true,
            (S3ErrorKind::Auth, Some(Cause::Auth(AuthError::Server { status, .. }))) => {
                *status >= 500 || *status == 429
            }
            _ => false,
        };
        match (transient, self.retry_after) {
            (true, Some(pause)) => Advice::After(pause),
            (true, None) => Advice::Retry,
            (false, _) => Advice::Stop,
        }
    }
}

/// What was asked, as far as it decides what an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A read: never in doubt.
    Read,
    /// A write of an object as a whole.
    Write,
    /// Something about a multipart upload that was started.
    Multipart,
    /// A read about a multipart upload.
    MultipartRead,
}

impl Asked {
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Multipart)
    }

    fn is_multipart(self) -> bool {
        matches!(self, Self::Multipart | Self::MultipartRead)
    }
}

/// What an answer that is no success means.
pub(super) fn classify(status: StatusCode, headers: &HeaderMap, body: &[u8], asked: Asked) -> S3Error {
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
    let in_doubt = asked.writes() && kind == S3ErrorKind::Server && status.as_u16() != 501;
    S3Error {
        status: Some(status.as_u16()),
        request_id: request_id(headers).or_else(|| field("RequestId").map(ToOwned::to_owned)),
        retry_after: retry_after(headers),
        in_doubt,
        message: words(kind, status, code.as_deref(), message, cause.as_ref(), !body.is_empty()),
        code,
        ..S3Error::new(kind, "")
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-amz-request-id")?.to_str().ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// What the gateway's internal errors hide in their message: `cause({"Id":…,"Code":423,…})`, or `cause(some words)`.
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
        let json = serde_json::from_str::<Value>(inner).ok().filter(Value::is_object);
        let Some(json) = json else {
            return Some(Self { id: String::new(), number: None, words: inner.to_owned() });
        };
        let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self { id: text("Id"), number: json.get("Code").and_then(Value::as_u64), words: text("Detail") })
    }

    fn kind(&self, asked: Asked) -> S3ErrorKind {
        let says = |part: &str| self.words.contains(part);
        match self.number {
            Some(423) => return S3ErrorKind::Locked,
            Some(409) if says("already in use") => return S3ErrorKind::NameInUse,
            Some(409) => return S3ErrorKind::Conflict,
            Some(404) if asked.is_multipart() => return S3ErrorKind::UploadGone,
            Some(404) => return S3ErrorKind::NotFound,
            Some(403) => return S3ErrorKind::Forbidden,
            Some(422) => return S3ErrorKind::Quota,
            Some(429) => return S3ErrorKind::TooMany,
            Some(400..=499) => return S3ErrorKind::BadRequest,
            _ => {}
        }
        if self.id == "parent.locked" {
            S3ErrorKind::Locked
        } else if says("cannot find initial multipart node") {
            S3ErrorKind::UploadGone
        } else if says("already in use") {
            S3ErrorKind::NameInUse
        } else if says("for folder") || says("folder already exists") {
            S3ErrorKind::Conflict
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
            S3ErrorKind::BadRequest
        } else {
            S3ErrorKind::Server
        }
    }
}

fn by_code(code: &str) -> Option<S3ErrorKind> {
    Some(match code {
        "AccessDenied" | "UnauthorizedAccess" | "TokenTimeMismatch" => S3ErrorKind::Forbidden,
        "NoSuchKey" | "NoSuchBucket" | "NoSuchVersion" => S3ErrorKind::NotFound,
        "NoSuchUpload" => S3ErrorKind::UploadGone,
        "InvalidRange" => S3ErrorKind::Range,
        "QuotaExceeded" => S3ErrorKind::Quota,
        "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "AuthorizationHeaderMalformed"
        | "AuthorizationParametersError" => S3ErrorKind::Signature,
        "SlowDown" | "TooManyRequests" => S3ErrorKind::TooMany,
        "XMinioObjectExistsAsDirectory" | "XMinioParentIsObject" => S3ErrorKind::Conflict,
        "InternalError"
        | "XMinioBackendDown"
        | "ServiceUnavailable"
        | "XMinioServerNotInitialized"
        | "RequestTimeout" => S3ErrorKind::Server,
        _ => return None,
    })
}

fn by_status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> S3ErrorKind {
    match status.as_u16() {
        401 | 403 if !is_html(headers, body) => S3ErrorKind::Forbidden,
        404 if !is_html(headers, body) => S3ErrorKind::NotFound,
        409 | 412 => S3ErrorKind::Conflict,
        413 => S3ErrorKind::TooLarge,
        416 => S3ErrorKind::Range,
        422 | 507 => S3ErrorKind::Quota,
        423 => S3ErrorKind::Locked,
        429 => S3ErrorKind::TooMany,
        408 => S3ErrorKind::Server,
        501 => S3ErrorKind::BadRequest,
        500..=599 => S3ErrorKind::Server,
        _ if is_html(headers, body) => S3ErrorKind::NotCells,
        _ => S3ErrorKind::BadRequest,
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

fn words(
    kind: S3ErrorKind,
    status: StatusCode,
    code: Option<&str>,
    message: &str,
    cause: Option<&Hidden>,
    page: bool,
) -> String {
    let told = cause.map_or(message, |cause| cause.words.as_str()).trim();
    let told = redact::text(told).into_owned();
    let status = status.as_u16();
    match (kind, code) {
        (S3ErrorKind::Locked, _) => "a job on the server holds a lock on the folder".to_owned(),
        (S3ErrorKind::Forbidden, Some("TokenTimeMismatch")) => {
            "the token ended before the request reached the server: a proxy keeps uploads back longer than the token lives".to_owned()
        }
        (S3ErrorKind::Forbidden, _) => "permission denied".to_owned(),
        (S3ErrorKind::NotFound, _) => "no such file on the server".to_owned(),
        (S3ErrorKind::UploadGone, _) => "the server does not know this multipart upload any more".to_owned(),
        (S3ErrorKind::Range, _) => "the range lies outside the file".to_owned(),
        (S3ErrorKind::Signature, Some("RequestTimeTooSkewed")) => "this machine's clock and the server's are too far apart".to_owned(),
        (S3ErrorKind::Signature, _) => "the server refused the request's signature".to_owned(),
        (S3ErrorKind::TooLarge, _) => "a proxy in front of the server refuses a body of this size (HTTP 413)".to_owned(),
        (S3ErrorKind::NotCells, _) => format!("the answer is a web page (HTTP {status}): this is not a Cells server"),
        (_, Some("XMinioBackendDown")) => "the server's storage is away, or the file is locked by another transfer".to_owned(),
        (_, Some(code)) if told.is_empty() => format!("the server answered HTTP {status} {code}"),
        (_, None) if told.is_empty() && page => format!("a proxy in front of the server answered HTTP {status}"),
        (_, None) if told.is_empty() => format!("the server answered HTTP {status}"),
        _ => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::{answer_in, recording};

    fn recorded(name: &str, asked: Asked) -> S3Error {
        let answer = answer_in(&recording("s3", name));
        classify(answer.status, &answer.headers, &answer.body, asked)
    }

    #[test]
    fn recorded_refusals_are_told_apart() {
        use Asked::{Multipart, MultipartRead, Read, Write};
        use S3ErrorKind::{
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
        assert!(recorded("016-bad-token", Asked::Read).may_be_token());
        assert!(recorded("018-expired-token-head", Asked::Read).may_be_token());
        assert!(!recorded("011-gateway-key-wrong-secret", Asked::Read).may_be_token());
        assert!(!recorded("006-old-date", Asked::Read).may_be_token());
        assert!(recorded("006-old-date", Asked::Read).is_clock());
        let late = b"<Error><Code>TokenTimeMismatch</Code><Message>m</Message></Error>";
        let error = classify(StatusCode::GATEWAY_TIMEOUT, &HeaderMap::new(), late, Asked::Write);
        assert!(error.may_be_token() && !error.in_doubt, "{error}");
    }

    #[test]
    fn only_what_can_pass_is_worth_another_try() {
        let advice = |name, asked| recorded(name, asked).advice();
        assert_eq!(advice("056-put-parent-locked", Asked::Write), Advice::After(LOCK_PAUSE));
        assert_eq!(advice("022-wrong-sha256", Asked::Write), Advice::Retry);
        assert_eq!(advice("062-put-quota", Asked::Write), Advice::Stop);
        assert_eq!(advice("050-put-onto-folder", Asked::Write), Advice::Stop);
        let raced = "<Error><Code>InternalError</Code><Message>x: cause({&quot;Code&quot;:409,&quot;Detail&quot;:&quot;Node path already in use&quot;})</Message></Error>";
        let error = classify(StatusCode::INTERNAL_SERVER_ERROR, &HeaderMap::new(), raced.as_bytes(), Asked::Write);
        assert_eq!((error.kind, error.advice()), (S3ErrorKind::NameInUse, Advice::Retry));
    }

    #[test]
    fn statuses_of_proxies_have_their_own_words() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", http::HeaderValue::from_static("text/html"));
        let page = |status: u16| {
            classify(StatusCode::from_u16(status).expect("a status"), &headers, b"<html></html>", Asked::Write)
        };
        assert_eq!(page(413).kind, S3ErrorKind::TooLarge);
        assert!(page(413).hint().is_some_and(|hint| hint.contains("--part-size")));
        assert_eq!((page(502).kind, page(502).in_doubt), (S3ErrorKind::Server, true));
        assert_eq!(page(404).kind, S3ErrorKind::NotCells);
        assert_eq!(page(429).kind, S3ErrorKind::TooMany);
    }
}

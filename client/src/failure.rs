//! The failure of a call to the server, the same type for REST and for the gateway. `api::error` and `s3::error` create
//! it from answers; all other code depends on its kind and reason only.

use std::time::Duration;

use crate::auth::AuthError;
use crate::http::retry::{Advice, Retryable};
use crate::http::{HttpError, HttpErrorKind};

/// The meaning of a failure, whatever the HTTP status of the answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerErrorKind {
    /// The token is not valid and could not be renewed.
    Unauthenticated,
    /// The user lacks a permission, or another user holds a content lock.
    Forbidden,
    /// The node, workspace, object or other thing does not exist.
    NotFound,
    /// The multipart upload is finished, aborted or expired (NoSuchUpload, or its temporary node is gone).
    UploadGone,
    /// Something with that name is in the way.
    Conflict,
    /// Another upload of the same new name is in progress (docs/protocol.md §5.4). Worth another attempt after a stat.
    NameInUse,
    /// A job or another user holds a lock. Worth another attempt after a pause.
    Locked,
    /// The quota is used up.
    Quota,
    /// The server refuses the request in this form.
    BadRequest,
    /// The range is outside the object, or the answer contains another range.
    Range,
    /// A proxy limits the size of bodies.
    TooLarge,
    /// Too many requests in a short time.
    TooMany,
    /// The signature was refused: a proxy changes the path or the host, or the clock is wrong.
    Signature,
    /// The server, its storage or a service behind it failed or is unavailable.
    Server,
    /// The answer belongs to another request: a proxy mixes answers up.
    Unasked,
    /// HTML, or anything else that a Cells server never sends.
    NotCells,
    /// There is no usable answer, or the body ended early; see the source.
    Transport,
    /// No token could be obtained; see the source.
    Auth,
    /// The body of the request could not be read locally.
    Body,
}

/// Details from the server's words, if something depends on more than the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A node cannot be read or written. The server also says so temporarily: while a node is being removed, while its
    /// caches are empty, or if it is too busy to find the user's permissions (docs/protocol.md §4.2).
    NoAccess,
    /// This server does not have the call.
    NoSuchCall,
    /// A success without a body.
    Empty,
    /// A refusal without any message.
    Wordless,
    /// Something with that name already exists.
    NameTaken,
    /// The given password is not the present one.
    WrongPassword,
    /// A value is longer than its column in the database.
    TooLong,
    /// The server does not know the original place of a deleted node.
    NoOrigin,
    /// The node is locked.
    Locked,
    /// The clocks of the server and of this machine differ too much.
    Clock,
}

/// The failure of a call to the server.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ServerError {
    /// The meaning.
    pub kind: ServerErrorKind,
    /// Details from the server's words, if any.
    pub reason: Option<Reason>,
    /// The cause in words.
    pub message: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The error code of the gateway, if the answer had one.
    pub code: Option<String>,
    /// X-Amz-Request-Id, if the answer had one.
    pub request_id: Option<String>,
    /// The pause before another attempt, if the answer or the kind requires one.
    pub retry_after: Option<Duration>,
    /// Whether a write may have been carried out although no success was received (docs/protocol.md §5.3).
    pub in_doubt: bool,
    /// Whether valid answers came before, so that [`ServerErrorKind::NotCells`] may be temporary.
    pub passing: bool,
    /// The underlying failure, if the kind is Transport, Auth or Unauthenticated.
    #[source]
    pub source: Option<Cause>,
}

/// The cause of a [`ServerError`].
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// There is no usable answer.
    #[error(transparent)]
    Http(HttpError),
    /// There is no token.
    #[error(transparent)]
    Auth(AuthError),
}

impl ServerError {
    /// Creates a failure that has no answer.
    pub fn new(kind: ServerErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason: None,
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

    /// Adds a reason.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Whether the failure has this reason.
    pub fn is(&self, reason: Reason) -> bool {
        self.reason == Some(reason)
    }

    /// Returns the failure of the HTTP client, if there was no usable answer.
    pub fn http(&self) -> Option<&HttpError> {
        match &self.source {
            Some(Cause::Http(error)) => Some(error),
            Some(Cause::Auth(_)) | None => None,
        }
    }

    /// Whether the server certainly received nothing of the request.
    pub fn is_unsent(&self) -> bool {
        self.http().map_or(matches!(self.source, Some(Cause::Auth(_))), |error| error.unsent)
    }

    /// Whether the refusal may be temporary; see [`Reason::NoAccess`].
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, ServerErrorKind::Forbidden | ServerErrorKind::NotFound) && self.is(Reason::NoAccess)
    }

    /// Whether the call exceeded a time limit of the server, a proxy or this program, so that the server may still be
    /// at work.
    pub fn is_too_slow(&self) -> bool {
        let timed_out = self.http().is_some_and(|error| error.kind == HttpErrorKind::Timeout && !error.unsent);
        timed_out || matches!(self.status, Some(408 | 504))
    }

    /// Whether the server or the connection was overloaded: 429, 503, or no answer in time.
    pub fn is_overload(&self) -> bool {
        self.kind == ServerErrorKind::TooMany || self.status == Some(503) || self.is_too_slow()
    }

    /// Whether the connection was closed before the answer was complete.
    pub fn is_broken_off(&self) -> bool {
        self.http().is_some_and(|error| error.kind == HttpErrorKind::Closed)
    }

    /// Whether the answer is larger than what is kept in memory.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(&self.source, Some(Cause::Http(error)) if error.kind == HttpErrorKind::TooLarge)
    }

    /// Whether the answer was lost, so that the request may have been carried out.
    pub fn is_answer_lost(&self) -> bool {
        let gateway = matches!(self.status, Some(502..=504)) && self.kind == ServerErrorKind::Server;
        gateway || (self.kind == ServerErrorKind::Transport && !self.is_unsent())
    }
}

impl From<HttpError> for ServerError {
    fn from(error: HttpError) -> Self {
        let message = error.message.clone();
        Self { source: Some(Cause::Http(error)), ..Self::new(ServerErrorKind::Transport, message) }
    }
}

impl From<AuthError> for ServerError {
    fn from(error: AuthError) -> Self {
        let kind = match error {
            AuthError::Http(error) => return error.into(),
            AuthError::Expired => ServerErrorKind::Unauthenticated,
            AuthError::NotCells(_) => ServerErrorKind::NotCells,
            AuthError::WrongPassword
            | AuthError::Locked
            | AuthError::SessionLost
            | AuthError::Store(_)
            | AuthError::NotStored(_)
            | AuthError::FurtherStep(_)
            | AuthError::Link(_)
            | AuthError::Server { .. } => ServerErrorKind::Auth,
        };
        let message = error.to_string();
        Self { source: Some(Cause::Auth(error)), ..Self::new(kind, message) }
    }
}

impl Retryable for ServerError {
    fn advice(&self) -> Advice {
        if self.may_pass() {
            return Advice::Briefly;
        }
        let transient = match (self.kind, &self.source) {
            (
                ServerErrorKind::Server
                | ServerErrorKind::TooMany
                | ServerErrorKind::NameInUse
                | ServerErrorKind::Unasked
                | ServerErrorKind::Locked,
                _,
            ) => true,
            (ServerErrorKind::NotCells, _) => self.passing,
            (ServerErrorKind::Transport, Some(Cause::Http(error))) => return error.advice(),
            (ServerErrorKind::Auth, Some(Cause::Auth(AuthError::Server { status, .. }))) => {
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

//! The failure of a call to the server, the same for REST and for the gateway. What an answer means is read from it in
//! one place for each of the two (`api::error`, `s3::error`); everybody else goes by the kind and the reason.

use std::time::Duration;

use crate::auth::AuthError;
use crate::http::retry::{Advice, Retryable};
use crate::http::{HttpError, HttpErrorKind};

/// What a failure means, whatever the HTTP status of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerErrorKind {
    /// The token is not valid and could not be renewed.
    Unauthenticated,
    /// The user has not the permission, or someone holds a content lock.
    Forbidden,
    /// The node, workspace, object or other thing does not exist.
    NotFound,
    /// The multipart upload is finished, aborted or expired (NoSuchUpload, or its temporary node is gone).
    UploadGone,
    /// Something of that name is in the way.
    Conflict,
    /// Another upload of the same new name is running (docs/protocol.md §5.4); worth another try after a stat.
    NameInUse,
    /// A job or another user holds a lock; worth another try after a pause.
    Locked,
    /// The quota is used up.
    Quota,
    /// The server refuses the request as it is.
    BadRequest,
    /// The range is outside the object, or the answer is not the one that was asked for.
    Range,
    /// A proxy limits the size of a body.
    TooLarge,
    /// Too many requests.
    TooMany,
    /// The signature was refused: a proxy changes the path or the host, or the clock is wrong.
    Signature,
    /// The server, its storage or a service behind it failed or is away.
    Server,
    /// An answer to another request than the one that was sent: a proxy mixes them up.
    Unasked,
    /// HTML, or anything else that no Cells server answers with.
    NotCells,
    /// No usable answer, or a body that ended early: see the source.
    Transport,
    /// No token could be had: see the source.
    Auth,
    /// The local end of the body failed.
    Body,
}

/// What the server's words say beyond the kind, if something depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A node cannot be read or written. The server also says so for a moment: while a node is being removed, while its
    /// caches are empty, or if it is too busy to find the user's permissions (docs/protocol.md §4.2).
    NoAccess,
    /// This server does not have the call.
    NoSuchCall,
    /// A success without a body.
    Empty,
    /// A refusal without a word of its own.
    Wordless,
    /// Something of that name already exists.
    NameTaken,
    /// The password that was given is not the present one.
    WrongPassword,
    /// A value is longer than its column in the database.
    TooLong,
    /// The server does not know where a deleted node was.
    NoOrigin,
    /// The node is locked.
    Locked,
    /// The server's clock and this machine's are too far apart.
    Clock,
}

/// The failure of a call to the server.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ServerError {
    /// What it means.
    pub kind: ServerErrorKind,
    /// What the server's words say beyond that.
    pub reason: Option<Reason>,
    /// The cause in words.
    pub message: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The error code of the gateway, if the answer had one.
    pub code: Option<String>,
    /// X-Amz-Request-Id, if the answer had one.
    pub request_id: Option<String>,
    /// How long to pause before another try, if the answer or its kind says so.
    pub retry_after: Option<Duration>,
    /// Whether a write may have been carried out although no success was heard (docs/protocol.md §5.3).
    pub in_doubt: bool,
    /// Whether right answers came before it, so that [`ServerErrorKind::NotCells`] may pass.
    pub passing: bool,
    /// The failure below, if the kind is Transport, Auth or Unauthenticated.
    #[source]
    pub source: Option<Cause>,
}

/// What is below a [`ServerError`].
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No usable answer.
    #[error(transparent)]
    Http(HttpError),
    /// No token.
    #[error(transparent)]
    Auth(AuthError),
}

impl ServerError {
    /// A failure without an answer behind it.
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

    /// The same with what the server's words say beyond the kind.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Whether the server's words say that.
    pub fn is(&self, reason: Reason) -> bool {
        self.reason == Some(reason)
    }

    /// The failure of the HTTP core, if there was no usable answer.
    pub fn http(&self) -> Option<&HttpError> {
        match &self.source {
            Some(Cause::Http(error)) => Some(error),
            Some(Cause::Auth(_)) | None => None,
        }
    }

    /// Whether it is certain that the server got nothing of the request.
    pub fn is_unsent(&self) -> bool {
        self.http().map_or(matches!(self.source, Some(Cause::Auth(_))), |error| error.unsent)
    }

    /// Whether this is a refusal that the server also gives for a moment: see [`Reason::NoAccess`].
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, ServerErrorKind::Forbidden | ServerErrorKind::NotFound) && self.is(Reason::NoAccess)
    }

    /// Whether it took longer than the server, a proxy or this program waits, so that the server may still be at work.
    pub fn is_too_slow(&self) -> bool {
        let timed_out = self.http().is_some_and(|error| error.kind == HttpErrorKind::Timeout && !error.unsent);
        timed_out || matches!(self.status, Some(408 | 504))
    }

    /// Whether the server or the line had too much to do: 429, 503, or no answer in time.
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

    /// Whether the answer was lost, so that nobody knows whether the request was carried out.
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

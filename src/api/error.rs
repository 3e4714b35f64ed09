//! What a REST answer means (rest.md §0, §12; versions.md §2, §8).

use crate::auth::AuthError;
use crate::http::HttpError;
use crate::http::retry::{Advice, Retryable};

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

impl Retryable for ApiError {
    fn advice(&self) -> Advice {
        todo!()
    }
}

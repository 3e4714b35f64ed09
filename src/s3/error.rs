//! What a gateway answer means (s3.md §10, versions.md §8).

use crate::auth::AuthError;
use crate::http::HttpError;
use crate::http::retry::{Advice, Retryable};

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
    /// Another upload of the same new name is running (s3.md §9); worth another try after a stat.
    NameInUse,
    /// A job holds a lock; worth another try after a long pause.
    Locked,
    /// The quota is used up.
    Quota,
    /// The request is refused as it is.
    BadRequest,
    /// The range lies outside the object.
    Range,
    /// 413: a proxy limits the body.
    TooLarge,
    /// Too many requests.
    TooMany,
    /// The signature was refused: a proxy rewrites the path or the host, or the clock is off for good.
    Signature,
    /// The server or its storage failed or is away.
    Server,
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
    /// Whether the request may have been carried out although no success was heard (s3.md §9).
    pub in_doubt: bool,
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

impl Retryable for S3Error {
    fn advice(&self) -> Advice {
        todo!()
    }
}

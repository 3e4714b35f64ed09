//! Errors of obtaining tokens.

use std::sync::Arc;

use crate::http::HttpError;
use crate::store::StoreError;

/// A public link refuses its visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefusal {
    /// The server does not know the link.
    #[error("the server does not know this public link")]
    Unknown,
    /// The link has expired.
    #[error("the public link has expired")]
    Expired,
    /// The allowed number of downloads is used up.
    #[error("the public link allows no more downloads")]
    Used,
    /// The link requires a password.
    #[error("the public link requires a password")]
    PasswordNeeded,
    /// The password is wrong.
    #[error("the password of the public link is wrong")]
    WrongPassword,
    /// The link is locked after too many wrong passwords.
    #[error("the public link is locked after too many wrong passwords")]
    Locked,
}

/// No token could be obtained.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// The login or the password is wrong. Never retried, because ten failures lock the account.
    #[error("sign-in failed: wrong login or password")]
    WrongPassword,
    /// The account is locked on the server.
    #[error("the user is locked on the server")]
    Locked,
    /// The token has expired or was revoked, and cannot be renewed.
    #[error("the token is not valid (mistyped, expired or revoked)")]
    Expired,
    /// The answer to a renewal was lost, and the session with it: the server would treat a second request with the same
    /// refresh token as theft.
    #[error("the session is lost: the server's answer with its new tokens did not arrive")]
    SessionLost,
    /// A public link refuses its visitors.
    #[error(transparent)]
    Link(#[from] LinkRefusal),
    /// The stored tokens cannot be read, or new ones could not be stored. Nothing was sent.
    #[error("the session cannot be renewed: {0}")]
    Store(#[source] Arc<StoreError>),
    /// New tokens were received but could not be stored: they are lost when this process ends.
    #[error("the session is lost: its new tokens could not be stored: {0}")]
    NotStored(#[source] Arc<StoreError>),
    /// The server requires a further step (second factor, single sign-on).
    #[error("the server requires another sign-in step: {0}")]
    FurtherStep(String),
    /// The answer is not that of a Cells server.
    #[error("{0}")]
    NotCells(String),
    /// The server answered with another error.
    #[error("{message} (HTTP {status})")]
    Server {
        /// The HTTP status.
        status: u16,
        /// The server's error message.
        message: String,
    },
    /// There is no usable answer.
    #[error(transparent)]
    Http(#[from] HttpError),
}

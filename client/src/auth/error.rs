//! Why no token could be had.

use std::sync::Arc;

use crate::http::HttpError;
use crate::store::StoreError;

/// Why a link lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefusal {
    /// The server knows no such link, or none any more.
    #[error("the server does not know this public link")]
    Unknown,
    /// Its time is over.
    #[error("the public link has expired")]
    Expired,
    /// What it opens was downloaded as often as it allows.
    #[error("the public link allows no more downloads")]
    Used,
    /// It asks for a password.
    #[error("the public link requires a password")]
    PasswordNeeded,
    /// Its password is another.
    #[error("the password of the public link is wrong")]
    WrongPassword,
    /// Too many wrong passwords.
    #[error("the public link is locked after too many wrong passwords")]
    Locked,
}

/// Why no token could be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// Wrong login or password; never tried again (ten failures lock the account).
    #[error("sign-in failed: wrong login or password")]
    WrongPassword,
    /// The account is locked on the server.
    #[error("the user is locked on the server")]
    Locked,
    /// The token is not valid any more and cannot be renewed.
    #[error("the token is not valid (mistyped, expired or revoked)")]
    Expired,
    /// The answer to a renewal was lost, and with it the session: asking again would be taken for a theft.
    #[error("the session is lost: the server's answer with its new tokens did not arrive")]
    SessionLost,
    /// A public link lets nobody in, or not like this.
    #[error(transparent)]
    Link(#[from] LinkRefusal),
    /// Tokens cannot be read from where they are stored, or new ones could not be stored there. Nothing was sent.
    #[error("the session cannot be renewed: {0}")]
    Store(#[source] Arc<StoreError>),
    /// New tokens came and could not be stored: nobody will have them after this process.
    #[error("the session is lost: its new tokens could not be stored: {0}")]
    NotStored(#[source] Arc<StoreError>),
    /// The server asks for a further step (second factor, single sign-on).
    #[error("the server requires another sign-in step: {0}")]
    FurtherStep(String),
    /// The answer was not that of a Cells server.
    #[error("{0}")]
    NotCells(String),
    /// The server answered with another failure.
    #[error("{message} (HTTP {status})")]
    Server {
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// No usable answer.
    #[error(transparent)]
    Http(#[from] HttpError),
}

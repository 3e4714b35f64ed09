//! Tokens, and the authenticated sender that the REST and the S3 client share.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::account::{Account, ServerUrl};
use crate::http::{Http, HttpError};

/// A bearer token as it is sent. Cheap to clone, redacted in Debug.
#[derive(Debug, Clone)]
pub struct Token(Arc<SecretString>);

/// Why no token could be had.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Wrong login or password; never tried again (ten failures lock the account).
    #[error("login refused: wrong login or password")]
    WrongPassword,
    /// The account is locked on the server.
    #[error("the user is locked on the server")]
    Locked,
    /// The token is not valid any more and cannot be renewed.
    #[error("the token is not valid any more")]
    Expired,
    /// The server asks for a further step (second factor, single sign-on).
    #[error("the server asks for a further sign-in step: {0}")]
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

/// Where tokens come from: a fixed one, or a session that logs in once per process and renews itself, one renewal at a time.
#[derive(Debug)]
pub struct TokenSource {}

impl TokenSource {
    /// The source for an account.
    pub fn new(_http: Http, _account: &Account) -> Self {
        todo!()
    }

    /// A token that is good for at least `minimum_life`, renewed first where that is possible and needed.
    pub async fn token(&self, _minimum_life: Duration) -> Result<Token, AuthError> {
        todo!()
    }

    /// A token other than `refused`, which the server has refused: renewed by one caller for all.
    ///
    /// # Errors
    /// [`AuthError::Expired`] where the credentials cannot be renewed.
    pub async fn renew(&self, _refused: &Token) -> Result<Token, AuthError> {
        todo!()
    }

    /// When the present token ends, where known.
    pub fn expires_at(&self) -> Option<jiff::Timestamp> {
        todo!()
    }

    /// Ends a password session on the server, if one was opened; errors are of no consequence.
    pub async fn close(&self) {
        todo!()
    }
}

/// The authenticated sender: one HTTP core, one server, one source of tokens.
#[derive(Debug)]
pub struct Sender {
    /// The HTTP core.
    pub http: Http,
    /// The server.
    pub url: ServerUrl,
    /// The source of tokens.
    pub tokens: TokenSource,
}

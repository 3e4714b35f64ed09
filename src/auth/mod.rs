//! Tokens, and the authenticated sender that the REST and the S3 client share.

pub mod oauth;
#[cfg(test)]
pub(crate) mod recording;
mod sender;
mod session;

pub use sender::{Answer, Sender, is_dead_token_answer};

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::account::{Account, Credentials};
use crate::http::{Http, HttpError};
use session::Session;

/// A bearer token as it is sent. Cheap to clone, redacted in Debug.
#[derive(Debug, Clone)]
pub struct Token(Arc<SecretString>);

impl Token {
    /// A token from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(SecretString::from(text.into())))
    }

    /// The text, for the place where it is sent.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.expose() == other.expose()
    }
}

/// Why no token could be had.
#[derive(Debug, Clone, thiserror::Error)]
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
pub struct TokenSource {
    kind: Kind,
    /// The token that REST accepted last, and when it was asked.
    proven: Mutex<Option<(Token, Instant)>>,
}

#[derive(Debug)]
enum Kind {
    Fixed { token: Token, expires_at: Option<Timestamp> },
    Session(Box<Session>),
}

impl TokenSource {
    /// The source for an account. Nothing is sent before the first token is wanted.
    pub fn new(http: Http, account: &Account) -> Self {
        let kind = match &account.credentials {
            Credentials::Token(secret) => Kind::Fixed { token: Token(Arc::new(secret.clone())), expires_at: None },
            Credentials::OAuth { access, expires_at, .. } => Kind::Fixed {
                token: Token(Arc::new(access.clone())),
                expires_at: expires_at.and_then(|seconds| Timestamp::from_second(seconds).ok()),
            },
            Credentials::Password { login, password } => {
                Kind::Session(Box::new(Session::new(http, account.url.clone(), login.clone(), password.clone())))
            }
        };
        Self { kind, proven: Mutex::new(None) }
    }

    /// A token that is good for at least `minimum_life`, renewed first where that is possible and needed. A life that
    /// the server's tokens never have is cut to half of what they have. One that cannot be renewed is given as it is:
    /// the server's clock decides.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn token(&self, minimum_life: Duration) -> Result<Token, AuthError> {
        match &self.kind {
            Kind::Fixed { token, .. } => Ok(token.clone()),
            Kind::Session(session) => session.token(minimum_life).await,
        }
    }

    /// A token other than `refused`, which the server has refused: renewed by one caller for all.
    ///
    /// # Errors
    /// [`AuthError::Expired`] where the credentials cannot be renewed.
    pub async fn renew(&self, refused: &Token) -> Result<Token, AuthError> {
        match &self.kind {
            Kind::Fixed { .. } => Err(AuthError::Expired),
            Kind::Session(session) => session.renew(refused).await,
        }
    }

    /// When the present token ends, where known.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match &self.kind {
            Kind::Fixed { expires_at, .. } => *expires_at,
            Kind::Session(session) => session.expires_at(),
        }
    }

    /// Ends a password session on the server, if one was opened; errors are of no consequence.
    pub async fn close(&self) {
        if let Kind::Session(session) = &self.kind {
            session.close().await;
        }
    }
}

/// A point in time `life` from now, as far as timestamps reach.
fn in_the_future(life: Duration) -> Option<Timestamp> {
    let life = SignedDuration::try_from(life).ok()?;
    Timestamp::now().checked_add(life).ok()
}

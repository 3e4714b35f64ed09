//! Tokens, and the authenticated sender that the REST and the S3 client share.

mod clock;
pub mod oauth;
pub mod public_link;
#[cfg(test)]
pub(crate) mod recording;
mod renewal;
mod sender;
mod session;

pub use clock::Clock;
pub use sender::{ANY_WORKSPACE, Answer, Sender, is_dead_token_answer};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::account::{Account, Credentials, LinkUrl};
use crate::http::{Http, HttpError};
use crate::store::{Pair, StoreError, Vault};
use public_link::{LinkPage, LinkRefusal};
use renewal::Renewal;
use session::Session;

/// A bearer token as it is sent. Cheap to clone, redacted in Debug.
#[derive(Debug, Clone)]
pub struct Token(Arc<SecretString>);

impl Token {
    /// A token from its text; `None` if it holds a character that no bearer token has (RFC 6750, section 2.1): what is
    /// accepted here means nothing to a header, a shell or a configuration file.
    pub fn new(text: &str) -> Option<Self> {
        is_token(text).then(|| Self(Arc::new(SecretString::from(text))))
    }

    /// Whether it is a token at all: one that comes from a store may not be.
    pub fn is_sound(&self) -> bool {
        is_token(self.expose())
    }

    /// A token that was stored here before; [`Token::is_sound`] may be false, and then nothing is sent with it.
    fn stored(text: &SecretString) -> Self {
        Self(Arc::new(text.clone()))
    }

    /// The text, for the place where it is sent.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn is_text(&self, text: &SecretString) -> bool {
        self.expose() == text.expose_secret()
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.expose() == other.expose()
    }
}

fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let core = text.trim_end_matches('=');
    !core.is_empty() && core.bytes().all(is_part)
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
    Store(Arc<StoreError>),
    /// New tokens came and could not be stored: nobody will have them after this process.
    #[error("the session is lost, for its new tokens could not be stored: {0}")]
    NotStored(Arc<StoreError>),
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
    /// Whether a password session outlives this process, since its token was handed out.
    kept: AtomicBool,
}

#[derive(Debug)]
enum Kind {
    Fixed(Token),
    OAuth(Renewal),
    Session(Box<Session>),
}

impl TokenSource {
    /// The source for an account. Nothing is sent before the first token is wanted.
    pub fn new(http: Http, account: &Account) -> Self {
        Self::by_clock(http, account, None, None, Clock::default())
    }

    /// The source for an account of `vault`, where OAuth tokens that are renewed are stored. `token_life` is how long an
    /// access token lives when it is new, in seconds, where that is known.
    pub fn of_stored(http: Http, account: &Account, vault: Vault, token_life: Option<u64>) -> Self {
        Self::by_clock(http, account, Some(vault), token_life, Clock::default())
    }

    /// The same by another clock than the machine's own.
    pub fn by_clock(http: Http, account: &Account, vault: Option<Vault>, life: Option<u64>, clock: Clock) -> Self {
        let url = account.url.clone();
        let kind = match &account.credentials {
            Credentials::Token(secret) => Kind::Fixed(Token::stored(secret)),
            Credentials::OAuth { access, refresh, expires_at } => {
                let pair = Pair { access: access.clone(), refresh: refresh.clone(), expires_at: *expires_at, life };
                let store = vault.zip(account.stored_id.clone());
                Kind::OAuth(Renewal::new(http, url, &pair, store, clock))
            }
            Credentials::Password { login, password } => {
                Kind::Session(Box::new(Session::new(http, url, login.clone(), password.clone(), clock)))
            }
        };
        Self { kind, proven: Mutex::new(None), kept: AtomicBool::new(false) }
    }

    /// The source for the visitors of a public link, from what its page tells.
    pub fn of_link(http: Http, link: &LinkUrl, page: &LinkPage, password: SecretString) -> Self {
        let session = Session::new(http, link.server().clone(), page.login.clone(), password, Clock::default());
        let session = session.visiting(link.hash(), page.wants_password);
        Self { kind: Kind::Session(Box::new(session)), proven: Mutex::new(None), kept: AtomicBool::new(false) }
    }

    /// A token that is good for at least `minimum_life`, renewed first where that is possible and needed. A life that
    /// the server's tokens never have is cut to half of what they have. One that cannot be renewed is given as it is:
    /// the server's clock decides.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn token(&self, minimum_life: Duration) -> Result<Token, AuthError> {
        match &self.kind {
            Kind::Fixed(token) => Ok(token.clone()),
            Kind::OAuth(renewal) => renewal.token(minimum_life).await,
            Kind::Session(session) => session.token(minimum_life).await,
        }
    }

    /// A token other than `refused`, which the server has refused: renewed by one caller for all.
    ///
    /// # Errors
    /// [`AuthError::Expired`] where the credentials cannot be renewed.
    pub async fn renew(&self, refused: &Token) -> Result<Token, AuthError> {
        match &self.kind {
            Kind::Fixed(_) => Err(AuthError::Expired),
            Kind::OAuth(renewal) => renewal.renew(refused).await,
            Kind::Session(session) => session.renew(refused).await,
        }
    }

    /// When the present token ends, where known.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match &self.kind {
            Kind::Fixed(_) => None,
            Kind::OAuth(renewal) => renewal.expires_at(),
            Kind::Session(session) => session.expires_at(),
        }
    }

    /// Whether a token can be had after the present one has ended, as far as that is known here.
    pub async fn renews(&self) -> bool {
        match &self.kind {
            Kind::Fixed(_) => false,
            Kind::OAuth(renewal) => renewal.renews().await,
            Kind::Session(_) => true,
        }
    }

    /// Ends a password session on the server, if one was opened; errors are of no consequence. A renewal that is on its
    /// way is waited for: its answer is all that there is of the session then.
    pub async fn close(&self) {
        match &self.kind {
            Kind::Fixed(_) => {}
            Kind::OAuth(renewal) => renewal.settle().await,
            Kind::Session(_) if self.kept.load(Ordering::SeqCst) => {}
            Kind::Session(session) => session.close().await,
        }
    }

    /// Leaves a password session alone at the end: somebody else goes on using its token, until that ends by itself.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::SeqCst);
    }

    /// How long [`TokenSource::close`] deserves to be waited for.
    pub fn farewell(&self) -> Duration {
        match &self.kind {
            Kind::Fixed(_) | Kind::Session(_) => Duration::from_secs(2),
            Kind::OAuth(_) => Duration::from_secs(10),
        }
    }
}

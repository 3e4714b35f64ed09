//! Where the tokens of an account come from.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::clock::Clock;
use super::error::AuthError;
use super::public_link::LinkPage;
use super::renewal::Renewal;
use super::session::Session;
use super::token::Token;
use crate::account::{Account, Credentials, LinkUrl};
use crate::http::Http;
use crate::store::Vault;

/// Where tokens come from: a fixed one, or a session that logs in once per process and renews itself, one renewal at a time.
#[derive(Debug)]
pub struct TokenSource {
    kind: Kind,
    /// The token that REST accepted last, and when it was asked.
    pub(super) proven: Mutex<Option<(Token, Instant)>>,
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
        Self::by_clock(http, account, None, Clock::default())
    }

    /// The source for an account of `vault`, where OAuth tokens that are renewed are stored.
    pub fn of_stored(http: Http, account: &Account, vault: Vault) -> Self {
        Self::by_clock(http, account, Some(vault), Clock::default())
    }

    /// The same by another clock than the machine's own.
    pub fn by_clock(http: Http, account: &Account, vault: Option<Vault>, clock: Clock) -> Self {
        let url = account.url.clone();
        let kind = match &account.credentials {
            Credentials::Token(secret) => Kind::Fixed(Token::stored(secret)),
            Credentials::OAuth(pair) => {
                let store = vault.zip(account.stored_id.clone());
                Kind::OAuth(Renewal::new(http, url, pair.clone(), store, clock))
            }
            Credentials::Password { login, password } => {
                Kind::Session(Box::new(Session::new(http, url, login.clone(), password.clone(), clock)))
            }
        };
        Self { kind, proven: Mutex::new(None), kept: AtomicBool::new(false) }
    }

    /// The source for the visitors of a public link, from what its page tells.
    pub fn of_link(http: Http, link: &LinkUrl, page: &LinkPage, password: SecretString) -> Self {
        let session = Session::of_link(http, link, page, password);
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

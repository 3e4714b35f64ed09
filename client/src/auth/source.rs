//! The source of an account's tokens.

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

/// A source of tokens: a fixed one, a password session, or a pair that is renewed. A session opens once per process and
/// renews itself; only one renewal runs at a time.
#[derive(Debug)]
pub struct TokenSource {
    kind: Kind,
    /// The token that REST accepted last, and the time of that request.
    pub(super) proven: Mutex<Option<(Token, Instant)>>,
    /// Whether a password session must outlive this process, because its token was handed out.
    kept: AtomicBool,
}

#[derive(Debug)]
enum Kind {
    Fixed(Token),
    OAuth(Renewal),
    Session(Box<Session>),
}

impl TokenSource {
    /// Creates the source for an account. Nothing is sent until a token is requested.
    pub fn new(http: Http, account: &Account) -> Self {
        Self::by_clock(http, account, None, Clock::default())
    }

    /// Creates the source for a stored account. Renewed OAuth tokens are written to `vault`.
    pub fn of_stored(http: Http, account: &Account, vault: Vault) -> Self {
        Self::by_clock(http, account, Some(vault), Clock::default())
    }

    /// Like [`TokenSource::new`] and [`TokenSource::of_stored`], with another clock.
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

    /// Creates the source for the visitors of a public link from its page.
    pub fn of_link(http: Http, link: &LinkUrl, page: &LinkPage, password: SecretString) -> Self {
        let session = Session::of_link(http, link, page, password);
        Self { kind: Kind::Session(Box::new(session)), proven: Mutex::new(None), kept: AtomicBool::new(false) }
    }

    /// Returns a token that is valid for at least `minimum_life`, renewing it first if necessary and possible. If the
    /// server's tokens never live that long, half of their life is enough. A token that cannot be renewed is returned
    /// unchanged, because only the server's clock decides whether it is valid.
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

    /// Returns another token than `refused`, which the server has refused. One caller renews it for all.
    ///
    /// # Errors
    /// [`AuthError::Expired`] if the credentials cannot be renewed.
    pub async fn renew(&self, refused: &Token) -> Result<Token, AuthError> {
        match &self.kind {
            Kind::Fixed(_) => Err(AuthError::Expired),
            Kind::OAuth(renewal) => renewal.renew(refused).await,
            Kind::Session(session) => session.renew(refused).await,
        }
    }

    /// Returns when the present token expires, if known.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match &self.kind {
            Kind::Fixed(_) => None,
            Kind::OAuth(renewal) => renewal.expires_at(),
            Kind::Session(session) => session.expires_at(),
        }
    }

    /// Whether another token can be obtained when the present one has expired, if known.
    pub async fn renews(&self) -> bool {
        match &self.kind {
            Kind::Fixed(_) => false,
            Kind::OAuth(renewal) => renewal.renews().await,
            Kind::Session(_) => true,
        }
    }

    /// Ends a password session on the server, if one was opened. Errors are ignored. Waits for a renewal in progress,
    /// because only its answer contains what ends the session.
    pub async fn close(&self) {
        match &self.kind {
            Kind::Fixed(_) => {}
            Kind::OAuth(renewal) => renewal.finish().await,
            Kind::Session(_) if self.kept.load(Ordering::SeqCst) => {}
            Kind::Session(session) => session.close().await,
        }
    }

    /// Keeps a password session open at the end, because something else continues to use its token until it expires.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::SeqCst);
    }

    /// Returns how long to wait for [`TokenSource::close`].
    pub fn close_timeout(&self) -> Duration {
        match &self.kind {
            Kind::Fixed(_) | Kind::Session(_) => Duration::from_secs(2),
            Kind::OAuth(_) => Duration::from_secs(10),
        }
    }
}

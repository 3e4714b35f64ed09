//! OAuth tokens that renew themselves. A refresh token is good for one use, by whichever process: one at a time reads
//! the store, renews and writes the store, under a lock, and all others take what it wrote.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::oauth::{OAuth, OAuthError, Tokens};
use super::sender::{ANY_WORKSPACE, probe};
use super::{AuthError, Clock, Token};
use crate::account::ServerUrl;
use crate::http::Http;
use crate::http::retry::{self, RetryPolicy};
use crate::store::{Pair, Room, StoreError, Vault};
use crate::sys::lock::FileLock;

/// The life of a token of which only the end is known.
const USUAL_LIFE: Duration = Duration::from_secs(600);

/// How long to wait for the pair of another client, which knows no lock and was quicker.
const OTHERS_WRITE: Duration = Duration::from_secs(3);

/// A token that is refused so soon after it came is one of two that were issued at the same moment, of which only the
/// other one is alive: its refresh token must not be used, for that would kill the other.
const SUSPICIOUSLY_SOON: Duration = Duration::from_secs(10);

/// How long after a renewal that failed the next one is tried, while the present token is good.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// How long to pause between two looks into the store.
const PAUSE: Duration = Duration::from_millis(100);

/// The tokens of an account, renewed when they are about to end. What it does goes on when the caller is gone: a
/// refresh that nobody waits for would lose the session.
#[derive(Debug, Clone)]
pub(super) struct Renewal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Http,
    url: ServerUrl,
    oauth: OAuth,
    clock: Clock,
    /// Where the pair is kept, under this id; nowhere for credentials that are not stored.
    store: Option<(Vault, String)>,
    state: Mutex<State>,
    /// Counts finished renewals, failed ones too, so that those who waited for one share its outcome.
    rounds: AtomicU64,
    expires_at: std::sync::Mutex<Option<Timestamp>>,
}

#[derive(Debug)]
struct State {
    current: Issued,
    last_failure: Option<AuthError>,
    /// After a failure: when a renewal that is only a precaution makes sense again.
    not_before: Option<Instant>,
}

#[derive(Debug, Clone)]
struct Issued {
    token: Token,
    /// Taken out before it is sent, so that it is never sent twice.
    refresh: Option<SecretString>,
    life: Duration,
    /// `None` where nobody knows: the server's clock decides.
    ends: Option<Instant>,
    /// The same by the time of day, in seconds since the epoch, as it was told.
    expires_at: Option<i64>,
    /// When this process got it from the server; `None` where it did not.
    since: Option<Instant>,
}

/// What a token must be like.
#[derive(Debug, Clone)]
enum Need {
    /// Good for that long.
    Life(Duration),
    /// Another one than this, which the server refused.
    Other(Token),
}

impl Issued {
    fn of(pair: &Pair, clock: &Clock) -> Self {
        let remaining = pair.expires_at.map(|end| {
            let seconds = end.saturating_sub(clock.now().as_second());
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
        });
        Self {
            token: Token::stored(&pair.access),
            refresh: pair.refresh.clone(),
            life: pair.life.map_or(USUAL_LIFE, Duration::from_secs),
            ends: remaining.map(|remaining| clock.end_of(remaining)),
            expires_at: pair.expires_at,
            since: None,
        }
    }

    fn remaining(&self, clock: &Clock) -> Option<Duration> {
        Some(self.ends?.saturating_duration_since(clock.instant()))
    }

    /// When it ends, by the time of day.
    fn end(&self) -> Option<Timestamp> {
        self.expires_at.and_then(|seconds| Timestamp::from_second(seconds).ok())
    }

    /// Whether it came from the server a moment ago, and should be alive.
    fn is_fresh(&self, clock: &Clock) -> bool {
        let alive = self.remaining(clock).is_none_or(|remaining| !remaining.is_zero());
        alive && self.since.is_some_and(|since| clock.instant() - since < SUSPICIOUSLY_SOON)
    }

    fn meets(&self, need: &Need, clock: &Clock) -> bool {
        match need {
            Need::Other(refused) => !self.token.is(refused),
            Need::Life(minimum) => {
                let margin = Duration::from_secs(60).min(self.life / 5);
                let wanted = (*minimum).min(self.life / 2).max(margin);
                self.remaining(clock).is_none_or(|remaining| remaining >= wanted)
            }
        }
    }
}

impl Renewal {
    pub(super) fn new(http: Http, url: ServerUrl, pair: &Pair, store: Option<(Vault, String)>, clock: Clock) -> Self {
        let expires_at = pair.expires_at.and_then(|seconds| Timestamp::from_second(seconds).ok());
        Self(Arc::new(Inner {
            oauth: OAuth::new(http.clone(), url.clone()),
            http,
            url,
            store,
            state: Mutex::new(State { current: Issued::of(pair, &clock), last_failure: None, not_before: None }),
            clock,
            rounds: AtomicU64::new(0),
            expires_at: std::sync::Mutex::new(expires_at),
        }))
    }

    pub(super) async fn token(&self, minimum_life: Duration) -> Result<Token, AuthError> {
        self.have(Need::Life(minimum_life)).await
    }

    pub(super) async fn renew(&self, refused: &Token) -> Result<Token, AuthError> {
        self.have(Need::Other(refused.clone())).await
    }

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        *self.0.expires_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a refresh token.
    pub(super) async fn renews(&self) -> bool {
        self.0.state.lock().await.current.refresh.is_some()
    }

    /// Waits until no renewal is on its way.
    pub(super) async fn settle(&self) {
        drop(self.0.state.lock().await);
    }

    async fn have(&self, need: Need) -> Result<Token, AuthError> {
        let inner = Arc::clone(&self.0);
        let having = tokio::spawn(async move { inner.have(&need).await });
        having.await.unwrap_or_else(|error| Err(broken_down(&error)))
    }
}

impl Inner {
    /// The present token if it will do, else a new one. Those who come while one is being fetched wait for it and
    /// share what became of it.
    async fn have(&self, need: &Need) -> Result<Token, AuthError> {
        let before = self.rounds.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        if state.current.meets(need, &self.clock) {
            return Ok(state.current.token.clone());
        }
        // Without a refresh token and a place to find one, the server's clock decides.
        let hopeless = state.current.refresh.is_none() && self.store.is_none();
        if hopeless {
            return match need {
                Need::Life(_) => Ok(state.current.token.clone()),
                Need::Other(_) => Err(state.last_failure.clone().unwrap_or(AuthError::Expired)),
            };
        }
        let is_waiter = self.rounds.load(Ordering::SeqCst) != before;
        let is_too_soon = state.not_before.is_some_and(|until| self.clock.instant() < until);
        let shared = state.last_failure.clone().filter(|_| is_waiter || (is_too_soon && matches!(need, Need::Life(_))));
        let result = match shared {
            Some(failure) if is_waiter || self.may_go_on(&state.current, need, &failure) => Err(failure),
            _ => self.fetch_once(&mut state, need).await,
        };
        match result {
            Ok(()) => Ok(state.current.token.clone()),
            // It was only a precaution: what is still good goes on being used.
            Err(error) if self.may_go_on(&state.current, need, &error) => {
                tracing::debug!(%error, "the token could not be renewed early");
                Ok(state.current.token.clone())
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches a new token, and notes what became of it for those who wait for it.
    async fn fetch_once(&self, state: &mut State, need: &Need) -> Result<(), AuthError> {
        let was_lost = matches!(state.last_failure, Some(AuthError::SessionLost));
        let result = match self.fetch(&mut state.current, need).await {
            // The cause stays what it was.
            Err(AuthError::Expired) if was_lost => Err(AuthError::SessionLost),
            result => result,
        };
        self.rounds.fetch_add(1, Ordering::SeqCst);
        state.last_failure = result.as_ref().err().cloned();
        state.not_before = result.is_err().then(|| self.clock.instant() + AFTER_FAILURE);
        let end = state.current.end();
        *self.expires_at.lock().unwrap_or_else(PoisonError::into_inner) = end;
        result
    }

    async fn fetch(&self, current: &mut Issued, need: &Need) -> Result<(), AuthError> {
        let Some((vault, id)) = &self.store else {
            let refresh = current.refresh.take().ok_or(AuthError::Expired)?;
            let tokens = self.ask(current, refresh, need).await?;
            *current = self.issued(&self.pair_of(tokens));
            return Ok(());
        };
        let (lock, stored) = read_locked(vault, id).await?;
        if let Some(stored) = stored.filter(|stored| !current.token.is_text(&stored.access)) {
            *current = Issued::of(&stored, &self.clock);
            if current.meets(need, &self.clock) {
                return Ok(());
            }
        }
        let result = self.renew_stored(current, need, vault, id).await;
        drop(lock);
        result
    }

    /// Renews the pair in the store, whose lock is held.
    async fn renew_stored(&self, current: &mut Issued, need: &Need, vault: &Vault, id: &str) -> Result<(), AuthError> {
        if matches!(need, Need::Other(_)) && current.is_fresh(&self.clock) {
            if self.adopt(current, vault, id).await? {
                return Ok(());
            }
            current.refresh = None;
            write(vault, id, self.pair_of_issued(current), None).await?;
        }
        if current.refresh.is_none() {
            return match need {
                Need::Life(_) => Ok(()),
                Need::Other(_) => Err(AuthError::Expired),
            };
        }
        // The token is spent once it is sent: what comes for it must find its place.
        let room = make_room(vault, id).await?;
        let Some(refresh) = current.refresh.take() else { return Err(AuthError::Expired) };
        match self.ask(current, refresh, need).await {
            Ok(tokens) => self.keep(current, self.pair_of(tokens), (vault, id), room).await,
            // Somebody without our lock may have been quicker: what he stored is good.
            Err(AuthError::Expired) if self.adopt(current, vault, id).await? => Ok(()),
            Err(error @ (AuthError::Expired | AuthError::SessionLost)) => {
                // It is spent, or may be: no later process shall try it.
                let spent = Pair { refresh: None, ..self.pair_of_issued(current) };
                write(vault, id, spent, Some(room)).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends the refresh token. Passing failures are tried again, and so is an answer that was lost: if the server has
    /// acted, the new tokens are lost anyway; if it has not, the session is saved. The token is given back unless the
    /// server refuses it.
    async fn ask(&self, current: &mut Issued, refresh: SecretString, need: &Need) -> Result<Tokens, AuthError> {
        tracing::debug!("renewing the token");
        let alive = current.remaining(&self.clock).is_none_or(|remaining| !remaining.is_zero());
        // While the present token is good, nobody is kept waiting for long.
        let max_attempts = if alive && matches!(need, Need::Life(_)) { 2 } else { 4 };
        let policy = RetryPolicy { max_attempts, max_backoff: Duration::from_secs(3), ..RetryPolicy::default() };
        let mut was_lost = false;
        let lost = |_, error: &OAuthError, _| was_lost |= matches!(error, OAuthError::Http(error) if !error.unsent);
        match retry::run(&policy, |_| self.oauth.refresh(&refresh), lost).await {
            Ok(tokens) => Ok(tokens),
            Err(OAuthError::Refused { code, description, .. }) => {
                tracing::debug!(code, description, "the renewal was refused");
                let over = matches!(code.as_str(), "token_inactive" | "invalid_grant" | "invalid_request");
                Err(match over {
                    true if was_lost => AuthError::SessionLost,
                    true => AuthError::Expired,
                    false => AuthError::Server { status: 400, message: description },
                })
            }
            Err(error) => {
                current.refresh = Some(refresh);
                Err(match error {
                    OAuthError::Http(error) => AuthError::Http(error),
                    OAuthError::Unavailable(status) => AuthError::Server { status, message: error.to_string() },
                    error => AuthError::NotCells(error.to_string()),
                })
            }
        }
    }

    /// Makes a new pair last, then looks whether it is the one that is alive: of two refreshes at the same moment both
    /// may seem to succeed.
    async fn keep(
        &self,
        current: &mut Issued,
        pair: Pair,
        (vault, id): (&Vault, &str),
        room: Room,
    ) -> Result<(), AuthError> {
        let before = current.clone();
        let stored = read(vault, id).await?;
        let overtaken = stored.is_some_and(|stored| !before.token.is_text(&stored.access));
        if overtaken && self.is_dead(&pair.access).await {
            return if self.adopt(current, vault, id).await? { Ok(()) } else { Err(AuthError::Expired) };
        }
        let fresh = self.issued(&pair);
        write(vault, id, pair.clone(), Some(room)).await.map_err(lost)?;
        *current = fresh;
        if !overtaken && self.is_dead(&pair.access).await {
            // The winner stores his pair in a moment. Ours must not be used: that would kill his.
            if self.adopt(current, vault, id).await? {
                return Ok(());
            }
            current.refresh = None;
            write(vault, id, Pair { refresh: None, ..pair }, None).await?;
            return Err(AuthError::Expired);
        }
        Ok(())
    }

    /// Takes over a pair that somebody else stores within a moment. Gives whether there was one.
    async fn adopt(&self, current: &mut Issued, vault: &Vault, id: &str) -> Result<bool, AuthError> {
        let deadline = Instant::now() + OTHERS_WRITE;
        loop {
            if let Some(stored) = read(vault, id).await?.filter(|stored| !current.token.is_text(&stored.access)) {
                *current = Issued::of(&stored, &self.clock);
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether REST says that a token is dead; without an answer nothing is known, and it may be used.
    async fn is_dead(&self, access: &SecretString) -> bool {
        let token = Token::stored(access);
        probe(&self.http, &self.url, ANY_WORKSPACE, &token).await.unwrap_or(false)
    }

    /// Whether a token that was to be renewed early can still be used although that failed.
    fn may_go_on(&self, current: &Issued, need: &Need, error: &AuthError) -> bool {
        if matches!(need, Need::Other(_)) || matches!(error, AuthError::NotStored(_)) {
            return false;
        }
        // A renewal that was refused: by whose clock has the token ended? The server tells.
        let is_refused = matches!(error, AuthError::Expired);
        is_refused || current.remaining(&self.clock).is_none_or(|remaining| !remaining.is_zero())
    }

    /// A pair that has just come from the server.
    fn issued(&self, pair: &Pair) -> Issued {
        Issued { since: Some(self.clock.instant()), ..Issued::of(pair, &self.clock) }
    }

    fn pair_of(&self, tokens: Tokens) -> Pair {
        let Tokens { access, refresh, life, .. } = tokens;
        let end = self.clock.in_the_future(life);
        Pair { access, refresh, expires_at: end.map(Timestamp::as_second), life: Some(life.as_secs()) }
    }

    fn pair_of_issued(&self, issued: &Issued) -> Pair {
        Pair {
            access: SecretString::from(issued.token.expose()),
            refresh: issued.refresh.clone(),
            expires_at: issued.expires_at,
            life: Some(issued.life.as_secs()),
        }
    }
}

/// Runs on a thread that may wait.
async fn waiting<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, AuthError> {
    match tokio::task::spawn_blocking(what).await {
        Ok(result) => result.map_err(|error| AuthError::Store(Arc::new(error))),
        Err(error) => Err(broken_down(&error)),
    }
}

fn broken_down(error: &tokio::task::JoinError) -> AuthError {
    AuthError::Store(Arc::new(StoreError::BrokenDown(error.to_string())))
}

/// What it means that tokens which the server has given cannot be stored, although there was room for them.
fn lost(error: AuthError) -> AuthError {
    match error {
        AuthError::Store(cause) => AuthError::NotStored(cause),
        error => error,
    }
}

async fn make_room(vault: &Vault, id: &str) -> Result<Room, AuthError> {
    let (vault, id) = (vault.clone(), id.to_owned());
    waiting(move || vault.make_room(&id)).await
}

async fn read_locked(vault: &Vault, id: &str) -> Result<(FileLock, Option<Pair>), AuthError> {
    let (vault, id) = (vault.clone(), id.to_owned());
    waiting(move || {
        let lock = vault.lock(&id)?;
        let pair = vault.pair(&id)?;
        Ok((lock, pair))
    })
    .await
}

async fn read(vault: &Vault, id: &str) -> Result<Option<Pair>, AuthError> {
    let (vault, id) = (vault.clone(), id.to_owned());
    waiting(move || vault.pair(&id)).await
}

async fn write(vault: &Vault, id: &str, pair: Pair, room: Option<Room>) -> Result<(), AuthError> {
    let (vault, id) = (vault.clone(), id.to_owned());
    waiting(move || vault.store_pair(&id, &pair, room)).await
}

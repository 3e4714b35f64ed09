//! OAuth tokens that renew themselves. A refresh token is valid for one use, by any process. So one process at a time
//! reads the store, renews the pair and writes it back, under a lock, and all others take what it has stored.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::Instant;

use super::clock::Clock;
use super::error::AuthError;
use super::flight::{Flight, Supply};
use super::oauth::{OAuth, OAuthError};
use super::probe::{ANY_WORKSPACE, probe};
use super::token::{Need, TimedToken, Token, USUAL_LIFE};
use crate::account::{ServerUrl, TokenPair};
use crate::http::Http;
use crate::http::retry::{self, RetryPolicy};
use crate::store::{Room, StoreError, Vault};
use crate::sys::lock::FileLock;

/// How long to wait for a pair from another client that uses no lock and was faster.
const OTHERS_WRITE: Duration = Duration::from_secs(3);

/// A token that is refused this soon after it was issued is one of two that were issued at the same moment, of which
/// only the other one is alive. Its refresh token must not be used, because that would kill the other pair.
const SUSPICIOUSLY_SOON: Duration = Duration::from_secs(10);

/// The pause between two reads of the store.
const PAUSE: Duration = Duration::from_millis(100);

/// The tokens of an account, renewed shortly before they expire. A renewal continues if its caller is dropped: if
/// nobody took the answer, the session would be lost.
#[derive(Debug, Clone)]
pub(super) struct Renewal(Arc<Flight<RefreshSupply>>);

/// Everything that a renewal needs.
#[derive(Debug)]
struct RefreshSupply {
    http: Http,
    url: ServerUrl,
    oauth: OAuth,
    clock: Clock,
    /// The store of the pair and its id there; `None` if the credentials are not stored.
    store: Option<(Vault, String)>,
}

#[derive(Debug)]
struct State {
    current: Current,
    /// Whether the session was lost with an answer. This remains the reported cause, whatever the server answers later.
    is_lost: bool,
}

/// The pair in use.
#[derive(Debug, Clone)]
struct Current {
    /// The refresh token is taken out before it is sent, so that it is never sent twice.
    pair: TokenPair,
    access: TimedToken,
    /// When this process received the pair from the server; `None` if it was read from the store.
    received: Option<Instant>,
}

impl Current {
    fn stored(pair: TokenPair, clock: &Clock) -> Self {
        let remaining = pair.expires_at.map(|end| {
            let seconds = end.saturating_sub(clock.now().as_second());
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
        });
        let access = TimedToken {
            token: Token::stored(&pair.access),
            life: pair.life.unwrap_or(USUAL_LIFE),
            end: remaining.map(|remaining| clock.end_of(remaining)),
        };
        Self { pair, access, received: None }
    }

    fn received(pair: TokenPair, clock: &Clock) -> Self {
        Self { received: Some(clock.instant()), ..Self::stored(pair, clock) }
    }

    /// Whether the pair was received a moment ago and should be alive.
    fn is_fresh(&self, clock: &Clock) -> bool {
        let is_recent = self.received.is_some_and(|received| clock.instant() - received < SUSPICIOUSLY_SOON);
        is_recent && self.access.is_alive(clock)
    }
}

impl Renewal {
    pub(super) fn new(
        http: Http,
        url: ServerUrl,
        pair: TokenPair,
        store: Option<(Vault, String)>,
        clock: Clock,
    ) -> Self {
        let state = State { current: Current::stored(pair, &clock), is_lost: false };
        let oauth = OAuth::by_clock(http.clone(), url.clone(), clock.clone());
        let supply = RefreshSupply { http, url, oauth, clock: clock.clone(), store };
        Self(Arc::new(Flight::new(supply, state, clock)))
    }

    pub(super) async fn token(&self, minimum_life: Duration) -> Result<Token, AuthError> {
        self.get(Need::Life(minimum_life)).await
    }

    pub(super) async fn renew(&self, refused: &Token) -> Result<Token, AuthError> {
        self.get(Need::Other(refused.clone())).await
    }

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at()
    }

    /// Whether there is a refresh token.
    pub(super) async fn renews(&self) -> bool {
        self.0.with_state(|state| state.current.pair.refresh.is_some()).await
    }

    /// Waits until no renewal is in progress.
    pub(super) async fn finish(&self) {
        self.0.with_state(|_| ()).await;
    }

    async fn get(&self, need: Need) -> Result<Token, AuthError> {
        // On its own task: a caller that is dropped between the request and its answer must not lose the new tokens,
        // since the server has already invalidated the old ones.
        let flight = Arc::clone(&self.0);
        let getting = tokio::spawn(async move { flight.get(&need).await });
        getting.await.unwrap_or_else(|error| Err(broken_down(&error)))
    }
}

impl Supply for RefreshSupply {
    type State = State;
    type Need = Need;
    type Item = Token;
    type Error = AuthError;

    fn at_hand(&self, state: &State, need: &Need, failure: Option<&AuthError>) -> Option<Result<Token, AuthError>> {
        let State { current, .. } = state;
        if current.access.meets(need, &self.clock) {
            return Some(Ok(current.access.token.clone()));
        }
        // Without a refresh token, and without a store where another process may put one, only the server's clock
        // decides.
        let is_hopeless = current.pair.refresh.is_none() && self.store.is_none();
        is_hopeless.then(|| match need {
            Need::Life(_) => Ok(current.access.token.clone()),
            Need::Other(_) => Err(failure.cloned().unwrap_or(AuthError::Expired)),
        })
    }

    async fn fetch(&self, state: &mut State, need: &Need) -> Result<Token, AuthError> {
        let result = match self.fetch_pair(&mut state.current, need).await {
            // The server only says that the token is no longer valid. The user needs the true cause: the lost answer.
            Err(AuthError::Expired) if state.is_lost => Err(AuthError::SessionLost),
            result => result,
        };
        state.is_lost = matches!(result, Err(AuthError::SessionLost));
        result.map(|()| state.current.access.token.clone())
    }

    /// A token that should be renewed early can be used until it expires.
    fn fallback(&self, state: &State, need: &Need, failure: &AuthError) -> Option<Token> {
        if matches!(need, Need::Other(_)) || matches!(failure, AuthError::NotStored(_)) {
            return None;
        }
        // After a refusal, even a token that has expired by this machine's clock is tried, because only the server's
        // clock decides.
        let is_usable = matches!(failure, AuthError::Expired) || state.current.access.is_alive(&self.clock);
        is_usable.then(|| state.current.access.token.clone())
    }

    fn expires_at(&self, state: &State) -> Option<Timestamp> {
        state.current.pair.expires_at.and_then(|seconds| Timestamp::from_second(seconds).ok())
    }
}

impl RefreshSupply {
    async fn fetch_pair(&self, current: &mut Current, need: &Need) -> Result<(), AuthError> {
        let Some((vault, id)) = &self.store else {
            let refresh = current.pair.refresh.take().ok_or(AuthError::Expired)?;
            *current = Current::received(self.ask(current, refresh, need).await?, &self.clock);
            return Ok(());
        };
        let (lock, stored) = read_locked(vault, id).await?;
        // Another process may have renewed the pair while this one waited for the lock. A refresh with the old token
        // would end the session, including the tokens of that process.
        if let Some(stored) = stored.filter(|stored| !current.access.token.is_text(&stored.access)) {
            *current = Current::stored(stored, &self.clock);
            if current.access.meets(need, &self.clock) {
                return Ok(());
            }
        }
        let result = self.renew_stored(current, need, vault, id).await;
        drop(lock);
        result
    }

    /// Renews the pair in the store. The caller has its lock.
    async fn renew_stored(&self, current: &mut Current, need: &Need, vault: &Vault, id: &str) -> Result<(), AuthError> {
        if matches!(need, Need::Other(_)) && current.is_fresh(&self.clock) {
            if self.adopt(current, vault, id).await? {
                return Ok(());
            }
            // Nothing has replaced it: this pair is dead, and its refresh token would kill the pair that is alive.
            current.pair.refresh = None;
            write(vault, id, current.pair.clone(), None).await?;
        }
        if current.pair.refresh.is_none() {
            return match need {
                Need::Life(_) => Ok(()),
                Need::Other(_) => Err(AuthError::Expired),
            };
        }
        // The refresh token is spent once it is sent, so make sure that its successor can be stored.
        let room = make_room(vault, id).await?;
        // Taken out before it is sent. `ask` puts it back if it can be used again.
        let Some(refresh) = current.pair.refresh.take() else { return Err(AuthError::Expired) };
        match self.ask(current, refresh, need).await {
            Ok(pair) => self.keep(current, pair, (vault, id), room).await,
            // Another client that uses no lock may have been faster. Then its stored pair is valid.
            Err(AuthError::Expired) if self.adopt(current, vault, id).await? => Ok(()),
            Err(error @ (AuthError::Expired | AuthError::SessionLost)) => {
                // The token is spent, or may be: no later process should try it.
                let spent = TokenPair { refresh: None, ..current.pair.clone() };
                write(vault, id, spent, Some(room)).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends the refresh token. Temporary failures are retried, and so is a lost answer: if the server has acted, the
    /// new tokens are lost anyway; if it has not, the session is saved. The token is put back unless the server refuses
    /// it.
    async fn ask(&self, current: &mut Current, refresh: SecretString, need: &Need) -> Result<TokenPair, AuthError> {
        tracing::debug!("renewing the token");
        let alive = current.access.is_alive(&self.clock);
        // While the present token is valid, no caller should wait long.
        let max_attempts = if alive && matches!(need, Need::Life(_)) { 2 } else { 4 };
        let policy = RetryPolicy { max_attempts, max_backoff: Duration::from_secs(3), ..RetryPolicy::default() };
        let mut was_lost = false;
        // A refusal after a lost answer usually means that the first request was carried out, so the cause of both is
        // the lost answer.
        let lost = |_, error: &OAuthError, _| was_lost |= matches!(error, OAuthError::Http(error) if !error.unsent);
        match retry::run(&policy, |_| self.oauth.refresh(&refresh), lost).await {
            Ok(pair) => Ok(pair),
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
                current.pair.refresh = Some(refresh);
                Err(match error {
                    OAuthError::Http(error) => AuthError::Http(error),
                    OAuthError::Unavailable(status) => AuthError::Server { status, message: error.to_string() },
                    error => AuthError::NotCells(error.to_string()),
                })
            }
        }
    }

    /// Stores a new pair, then checks whether it is alive: of two refreshes at the same moment, both may seem to
    /// succeed.
    async fn keep(
        &self,
        current: &mut Current,
        pair: TokenPair,
        (vault, id): (&Vault, &str),
        room: Room,
    ) -> Result<(), AuthError> {
        let stored = read(vault, id).await?;
        let overtaken = stored.is_some_and(|stored| !current.access.token.is_text(&stored.access));
        // Another client has stored its pair in the meantime. If ours is dead, storing it would hide the one that is
        // alive.
        if overtaken && self.is_dead(&pair.access).await {
            return if self.adopt(current, vault, id).await? { Ok(()) } else { Err(AuthError::Expired) };
        }
        let fresh = Current::received(pair.clone(), &self.clock);
        // Stored before it is used: if this process is killed now, the next one finds the only valid pair.
        write(vault, id, pair.clone(), Some(room)).await.map_err(lost)?;
        *current = fresh;
        if !overtaken && self.is_dead(&pair.access).await {
            // The other client stores its pair in a moment. Ours must not be used, because that would kill the other
            // pair.
            if self.adopt(current, vault, id).await? {
                return Ok(());
            }
            current.pair.refresh = None;
            write(vault, id, TokenPair { refresh: None, ..pair }, None).await?;
            return Err(AuthError::Expired);
        }
        Ok(())
    }

    /// Waits a moment for a pair that another client stores, and takes it. Returns whether there was one.
    async fn adopt(&self, current: &mut Current, vault: &Vault, id: &str) -> Result<bool, AuthError> {
        let deadline = Instant::now() + OTHERS_WRITE;
        loop {
            if let Some(stored) = read(vault, id).await?.filter(|stored| !current.access.token.is_text(&stored.access))
            {
                *current = Current::stored(stored, &self.clock);
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether a token is dead according to REST. Without an answer it is assumed to be alive.
    async fn is_dead(&self, access: &SecretString) -> bool {
        let token = Token::stored(access);
        probe(&self.http, &self.url, ANY_WORKSPACE, &token).await.unwrap_or(false)
    }
}

/// Runs a function on a thread that may block.
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

/// Converts an error of storing tokens that the server has already issued.
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

async fn read_locked(vault: &Vault, id: &str) -> Result<(FileLock, Option<TokenPair>), AuthError> {
    let (vault, id) = (vault.clone(), id.to_owned());
    waiting(move || {
        let lock = vault.lock(&id)?;
        let pair = vault.pair(&id)?;
        Ok((lock, pair))
    })
    .await
}

async fn read(vault: &Vault, id: &str) -> Result<Option<TokenPair>, AuthError> {
    let (vault, id) = (vault.clone(), id.to_owned());
    waiting(move || vault.pair(&id)).await
}

async fn write(vault: &Vault, id: &str, pair: TokenPair, room: Option<Room>) -> Result<(), AuthError> {
    let (vault, id) = (vault.clone(), id.to_owned());
    waiting(move || vault.store_pair(&id, &pair, room)).await
}

//! The results of a sign-in: a short-lived access token, and a refresh token for one use. The same for password
//! sessions of the web page and for clients of the authorization server.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::clock::Clock;
use crate::random;
use crate::tokens::{Caller, Tokens};
use crate::world;

/// The client that the sessions of the web page belong to.
pub(crate) const FRONTEND: &str = "cells-frontend";

/// All scopes that a session of the web page may have.
pub(crate) const ALL_SCOPES: &str = "openid email profile pydio offline";

/// How long the results of a sign-in are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of an access token. Ten minutes by default, as on the real server; answers announce a second less.
    pub access: Duration,
    /// Of a refresh token that is not used. Sixty days by default.
    pub refresh: Duration,
    /// Of an authorization code. Ten minutes by default.
    pub code: Duration,
    /// Of a login page that was asked for. Half an hour by default.
    pub challenge: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access: Duration::from_mins(10),
            refresh: Duration::from_hours(1440),
            code: Duration::from_mins(10),
            challenge: Duration::from_mins(30),
        }
    }
}

/// What happens when the same refresh token is used twice at the same moment. The real server does all three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Race {
    /// The first gets its tokens, the others an error; all is well.
    #[default]
    OthersRefused,
    /// All get tokens, but only those of the last are alive. Using a dead refresh token kills those too.
    OnePairAlive,
    /// The second use counts as theft: all tokens of the session are revoked.
    AllDead,
}

/// What a login or a refresh yields.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) access: String,
    /// A JWT about the user; no endpoint takes it as a token.
    pub(crate) identity: String,
    pub(crate) refresh: String,
    /// For how many seconds the access token is valid, as announced.
    pub(crate) lifetime: i64,
    /// Seconds since the Unix epoch.
    pub(crate) expires: i64,
    pub(crate) scope: String,
}

/// Why a refresh token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Never seen, or no refresh token at all.
    Unknown,
    /// Issued to another client; nothing has happened to it.
    OtherClient,
    /// Used before, revoked or expired.
    Inactive,
    /// It is being used at this moment.
    Concurrent,
}

/// Who a login was for and by.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) login: String,
    pub(crate) client: String,
    pub(crate) scope: String,
    /// Seconds since the Unix epoch.
    pub(crate) authenticated: i64,
    session: String,
}

/// All tokens of one sign-in.
#[derive(Debug)]
struct Family {
    identity: Identity,
    /// Newest access token.
    access: String,
    /// The refresh token that may still be used, and when it ends; `None` when the family is dead.
    refresh: Option<(String, i64)>,
}

#[derive(Debug, Default)]
struct Families {
    families: Vec<Family>,
    /// Every refresh token there ever was, also used ones: to notice a second use.
    by_refresh: HashMap<String, usize>,
    by_access: HashMap<String, usize>,
    /// How many requests use a refresh token at this moment.
    in_flight: HashMap<String, usize>,
    /// When each refresh token was first used.
    first_used: HashMap<String, Instant>,
    lifetimes: Lifetimes,
    race: Race,
    window: Duration,
}

/// The sessions of one sandbox.
#[derive(Debug)]
pub(crate) struct Sessions {
    clock: Clock,
    issuer: String,
    state: Mutex<Families>,
}

impl Sessions {
    /// `url` is that of the server, without a slash at the end.
    pub(crate) fn new(clock: Clock, url: &str) -> Self {
        let state = Families { window: Duration::from_millis(5), ..Families::default() };
        Self { clock, issuer: format!("{url}/oidc/"), state: Mutex::new(state) }
    }

    pub(crate) fn set_lifetimes(&self, lifetimes: Lifetimes) {
        self.lock().lifetimes = lifetimes;
    }

    pub(crate) fn lifetimes(&self) -> Lifetimes {
        self.lock().lifetimes
    }

    /// Sets the result of a race, and the duration of a refresh: all uses within that time race with each other.
    pub(crate) fn set_race(&self, race: Race, window: Duration) {
        let mut state = self.lock();
        state.race = race;
        state.window = window;
    }

    /// Begins a session of a user whose password was right.
    pub(crate) fn begin(&self, login: &str, client: &str, scope: &str, tokens: &Tokens) -> Grant {
        let mut state = self.lock();
        let identity = Identity {
            login: login.to_owned(),
            client: client.to_owned(),
            scope: scope.to_owned(),
            authenticated: self.clock.now(),
            session: random::uuid(),
        };
        let index = state.families.len();
        state.families.push(Family { identity, access: String::new(), refresh: None });
        self.grant(&mut state, index, tokens)
    }

    /// Exchanges a refresh token for new tokens. The previous access token dies at once.
    ///
    /// If the refresh token was used before, all tokens of its session are revoked, because one must have been stolen.
    pub(crate) async fn refresh(&self, refresh: &str, client: &str, tokens: &Tokens) -> Result<Grant, Refusal> {
        let (others, window, race) = self.take_off(refresh);
        if others && race == Race::OthersRefused {
            self.land(refresh);
            return Err(Refusal::Concurrent);
        }
        let one_pair_lives = race == Race::OnePairAlive;
        if !one_pair_lives {
            tokio::time::sleep(window).await;
        }
        let result = self.trade(refresh, client, tokens, others && one_pair_lives);
        self.land(refresh);
        result
    }

    /// Whether others use this token at this moment, how long that takes, and what becomes of it.
    fn take_off(&self, refresh: &str) -> (bool, Duration, Race) {
        let mut state = self.lock();
        let count = state.in_flight.entry(refresh.to_owned()).or_default();
        *count += 1;
        let count = *count;
        let first_used = *state.first_used.entry(refresh.to_owned()).or_insert_with(Instant::now);
        let others = match state.race {
            // Nobody has to wait for the others: later requests get the tokens that are alive.
            Race::OnePairAlive => first_used.elapsed() < state.window,
            Race::OthersRefused | Race::AllDead => count > 1,
        };
        (others, state.window, state.race)
    }

    fn land(&self, refresh: &str) {
        let mut state = self.lock();
        if let Some(count) = state.in_flight.get_mut(refresh) {
            *count -= 1;
            if *count == 0 {
                state.in_flight.remove(refresh);
            }
        }
    }

    fn trade(&self, refresh: &str, client: &str, tokens: &Tokens, unnoticed: bool) -> Result<Grant, Refusal> {
        let now = self.clock.now_millis();
        let mut state = self.lock();
        let index = *state.by_refresh.get(refresh).ok_or(Refusal::Unknown)?;
        let family = state.families.get_mut(index).ok_or(Refusal::Unknown)?;
        if family.identity.client != client {
            return Err(Refusal::OtherClient);
        }
        tokens.revoke(&family.access);
        let current = family.refresh.as_ref().filter(|(_, ends)| now < *ends);
        let is_current = current.is_some_and(|(token, _)| token == refresh);
        if !(is_current || unnoticed && current.is_some()) {
            family.refresh = None;
            return Err(Refusal::Inactive);
        }
        Ok(self.grant(&mut state, index, tokens))
    }

    /// Ends the session that a refresh token or an access token belongs to, if `client` may.
    pub(crate) fn end(&self, token: &str, client: &str, tokens: &Tokens) {
        let mut state = self.lock();
        let index = state.by_refresh.get(token).or_else(|| state.by_access.get(token)).copied();
        let family = index.and_then(|index| state.families.get_mut(index));
        if let Some(family) = family.filter(|family| family.identity.client == client) {
            tokens.revoke(&family.access);
            family.refresh = None;
        }
    }

    /// Whose access token it is; `None` for personal ones and all others. Whether it is alive is another question.
    pub(crate) fn identity(&self, access: &str) -> Option<Identity> {
        let state = self.lock();
        let family = state.families.get(*state.by_access.get(access)?)?;
        Some(family.identity.clone())
    }

    /// The user whose refresh token this is, if it could still be used.
    pub(crate) fn user_of(&self, refresh: &str) -> Option<String> {
        let state = self.lock();
        let family = state.families.get(*state.by_refresh.get(refresh)?)?;
        let (token, _) = family.refresh.as_ref()?;
        (token == refresh).then(|| family.identity.login.clone())
    }

    fn grant(&self, state: &mut Families, index: usize, tokens: &Tokens) -> Grant {
        let (lifetimes, now) = (state.lifetimes, self.clock.now());
        let lifetime = i64::try_from(lifetimes.access.as_secs()).unwrap_or(i64::MAX / 4).saturating_sub(1);
        let refresh_millis = i64::try_from(lifetimes.refresh.as_millis()).unwrap_or(i64::MAX / 4);
        let Some(family) = state.families.get_mut(index) else { unreachable!("a family is never removed") };
        let access = tokens.issue_hard(Caller::full(&family.identity.login), lifetimes.access);
        let grant = Grant {
            identity: self.identity_token(&family.identity, &access),
            access,
            refresh: random::token(),
            lifetime,
            expires: now + lifetime,
            scope: family.identity.scope.clone(),
        };
        tokens.revoke(&family.access);
        family.access.clone_from(&grant.access);
        family.refresh = Some((grant.refresh.clone(), self.clock.now_millis().saturating_add(refresh_millis)));
        state.by_access.insert(grant.access.clone(), index);
        state.by_refresh.insert(grant.refresh.clone(), index);
        grant
    }

    /// A token in the form of a JWT. Its signature is random: nobody can check it here.
    fn identity_token(&self, identity: &Identity, access: &str) -> String {
        let now = self.clock.now();
        let header = serde_json::json!({
            "alg": "RS256", "kid": "public:hydra.openid.id-token", "typ": "JWT",
        });
        let mut claims = self.claims(identity);
        let digest = Sha256::digest(access.as_bytes());
        let more = serde_json::json!({
            "at_hash": URL_SAFE_NO_PAD.encode(&digest[..16]),
            "exp": now + 3600,
            "iat": now,
            "jti": random::uuid(),
            "sid": identity.session,
        });
        if let (Some(claims), Some(more)) = (claims.as_object_mut(), more.as_object()) {
            claims.extend(more.clone());
            claims.sort_keys();
        }
        let signature: [[u8; 32]; 16] = rand::random();
        format!(
            "{}.{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string()),
            URL_SAFE_NO_PAD.encode(signature.concat()),
        )
    }

    /// Returns the claims about a signed-in user.
    pub(crate) fn claims(&self, identity: &Identity) -> serde_json::Value {
        serde_json::json!({
            "aud": [identity.client],
            "authSource": "Pydio Cells",
            "auth_time": identity.authenticated,
            "email": "",
            "iat": identity.authenticated,
            "iss": self.issuer,
            "name": identity.login,
            "rat": identity.authenticated,
            "sub": world::user(&identity.login).map_or("", |user| user.uuid),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Families> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

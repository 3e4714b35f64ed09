//! Password sessions: a short-lived access token, and a refresh token that is used once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Clock;
use crate::random;
use crate::tokens::{Caller, Tokens};
use crate::world;

/// How long an access token lives.
const ACCESS_LIFETIME: Duration = Duration::from_secs(600);

/// The life the answer announces: a second less than the true one.
const ANNOUNCED_SECONDS: i64 = 599;

/// What a login or a refresh yields.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) access: String,
    /// A JWT about the user; no endpoint takes it as a token.
    pub(crate) identity: String,
    pub(crate) refresh: String,
    /// Seconds since the Unix epoch.
    pub(crate) expires: i64,
}

/// All tokens that came out of one login.
#[derive(Debug)]
struct Family {
    login: String,
    /// Newest access token.
    access: String,
    /// The refresh token that may still be used; `None` when the family is dead.
    refresh: Option<String>,
}

#[derive(Debug, Default)]
struct Families {
    families: Vec<Family>,
    /// Every refresh token there ever was, also used ones: to notice a second use.
    by_refresh: HashMap<String, usize>,
}

/// The sessions of one sandbox.
#[derive(Debug)]
pub(crate) struct Sessions {
    clock: Clock,
    state: Mutex<Families>,
}

impl Sessions {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Begins a session of a user whose password was right.
    pub(crate) fn begin(&self, login: &str, tokens: &Tokens) -> Grant {
        let grant = self.grant(login, tokens);
        let mut state = self.lock();
        let index = state.families.len();
        state.families.push(Family {
            login: login.to_owned(),
            access: grant.access.clone(),
            refresh: Some(grant.refresh.clone()),
        });
        state.by_refresh.insert(grant.refresh.clone(), index);
        grant
    }

    /// Trades a refresh token for new tokens; the access token before dies at once.
    ///
    /// A token that was used before, or is unknown, gives `None`. If it was used before, all
    /// tokens of its session die: somebody has stolen one.
    pub(crate) fn refresh(&self, refresh: &str, tokens: &Tokens) -> Option<Grant> {
        let mut state = self.lock();
        let index = *state.by_refresh.get(refresh)?;
        let family = state.families.get_mut(index)?;
        tokens.revoke(&family.access);
        if family.refresh.as_deref() != Some(refresh) {
            family.refresh = None;
            return None;
        }
        let grant = self.grant(&family.login, tokens);
        family.access.clone_from(&grant.access);
        family.refresh = Some(grant.refresh.clone());
        state.by_refresh.insert(grant.refresh.clone(), index);
        Some(grant)
    }

    /// Ends the session that a refresh token belongs to.
    pub(crate) fn end(&self, refresh: &str, tokens: &Tokens) {
        let mut state = self.lock();
        let index = state.by_refresh.get(refresh).copied();
        if let Some(family) = index.and_then(|index| state.families.get_mut(index)) {
            tokens.revoke(&family.access);
            family.refresh = None;
        }
    }

    fn grant(&self, login: &str, tokens: &Tokens) -> Grant {
        let now = self.clock.now();
        Grant {
            access: tokens.issue_hard(Caller::full(login), ACCESS_LIFETIME),
            identity: identity_token(login, now),
            refresh: random::token(),
            expires: now + ANNOUNCED_SECONDS,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Families> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token in the form of a JWT. Its signature is random: nobody can check it here.
fn identity_token(login: &str, now: i64) -> String {
    let header = serde_json::json!({
        "alg": "RS256", "kid": "public:hydra.openid.id-token", "typ": "JWT",
    });
    let claims = serde_json::json!({
        "aud": ["cells-frontend"],
        "authSource": "Pydio Cells",
        "auth_time": now,
        "email": "",
        "exp": now + 3600,
        "iat": now,
        "jti": random::uuid(),
        "name": login,
        "rat": now,
        "sid": random::uuid(),
        "sub": world::user(login).map_or("", |user| user.uuid),
    });
    let signature: [[u8; 32]; 8] = rand::random();
    format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string()),
        URL_SAFE_NO_PAD.encode(signature.concat()),
    )
}

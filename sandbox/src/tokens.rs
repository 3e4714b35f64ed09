//! Bearer tokens: personal access tokens of every kind, and the access tokens of sessions.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::random;

/// What kind of token [`crate::Sandbox::issue_token`] makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Dies that long after it was made.
    Hard(Duration),
    /// Dies after that long without use; every use starts the time again.
    Sliding(Duration),
    /// Reaches exactly one node, not even the children of a folder.
    Scoped {
        /// Workspace path of the node, as the token's user writes it.
        path: String,
        /// Whether the node may be written too.
        write: bool,
    },
}

/// The single node a scoped token reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Uuid of the node; empty when there was no such node, and then nothing is reached.
    pub(crate) node_uuid: String,
    pub(crate) write: bool,
}

/// Whoever sends a request, once the token was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) login: String,
    pub(crate) admin: bool,
    pub(crate) scope: Option<Scope>,
}

impl Caller {
    /// The user of that login with all of that user's rights.
    pub(crate) fn full(login: &str) -> Self {
        Self { login: login.to_owned(), admin: crate::world::user(login).is_some_and(|user| user.admin), scope: None }
    }
}

#[derive(Debug)]
struct Entry {
    caller: Caller,
    expires_millis: i64,
    /// Set for sliding tokens: how long a use keeps them alive.
    window_millis: Option<i64>,
}

/// All tokens that are alive.
#[derive(Debug)]
pub(crate) struct Tokens {
    clock: Clock,
    entries: Mutex<HashMap<String, Entry>>,
}

impl Tokens {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, entries: Mutex::default() }
    }

    /// Makes a token that dies after `lifetime`, whatever happens.
    pub(crate) fn issue_hard(&self, caller: Caller, lifetime: Duration) -> String {
        self.insert(caller, lifetime, false)
    }

    /// Makes a token that dies after `window` without use.
    pub(crate) fn issue_sliding(&self, caller: Caller, window: Duration) -> String {
        self.insert(caller, window, true)
    }

    fn insert(&self, caller: Caller, lifetime: Duration, sliding: bool) -> String {
        let token = random::token();
        let millis = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX / 4);
        let entry = Entry {
            caller,
            expires_millis: self.clock.now_millis().saturating_add(millis),
            window_millis: sliding.then_some(millis),
        };
        self.lock().insert(token.clone(), entry);
        token
    }

    /// Whose token it is, or `None` for an unknown, revoked or expired one. Counts as a use.
    pub(crate) fn check(&self, token: &str) -> Option<Caller> {
        let now = self.clock.now_millis();
        let mut entries = self.lock();
        let entry = entries.get_mut(token)?;
        if now >= entry.expires_millis {
            return None;
        }
        if let Some(window) = entry.window_millis {
            entry.expires_millis = now.saturating_add(window);
        }
        Some(entry.caller.clone())
    }

    /// Whether a token is alive, without using it.
    pub(crate) fn is_alive(&self, token: &str) -> bool {
        let now = self.clock.now_millis();
        self.lock().get(token).is_some_and(|entry| now < entry.expires_millis)
    }

    /// Kills a token at once; an unknown one is ignored.
    pub(crate) fn revoke(&self, token: &str) {
        self.lock().remove(token);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token a request carries, in any of the forms that REST and the S3 gateway know.
pub(crate) fn of_request(headers: &http::HeaderMap, query: Option<&str>) -> Option<String> {
    let header = |name| crate::transport::header(headers, name);
    let signed = |text: &str| {
        let credential = text.split_once("Credential=")?.1;
        Some(credential.split('/').next()?.to_owned())
    };
    if let Some(value) = header("authorization") {
        return match value.strip_prefix("Bearer ") {
            Some(token) => Some(token.to_owned()),
            None => signed(value),
        };
    }
    if let Some(token) = header("x-pydio-bearer") {
        return Some(token.to_owned());
    }
    let parameters = query.unwrap_or_default().split('&');
    parameters.filter_map(|parameter| parameter.strip_prefix("pydio_jwt=")).map(crate::transport::decode).next()
}

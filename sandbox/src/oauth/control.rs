//! What a test can ask of users and of the authorization server, past the protocol.

use std::time::Duration;

use crate::Sandbox;
use crate::sessions::{ALL_SCOPES, Lifetimes, Race};

/// The client that a command-line program signs in as.
const CLIENT: &str = "cells-client";

/// The tokens of a client that has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The bearer token.
    pub access: String,
    /// The refresh token, valid for one use.
    pub refresh: String,
    /// When the access token expires as announced: seconds since the Unix epoch, by the server's clock.
    pub expires_at: i64,
}

impl Sandbox {
    /// Signs a user in as `cells-client` without a browser or a password. The user must exist.
    pub fn sign_in(&self, login: &str) -> Pair {
        let grant = self.shared.sessions.begin(login, CLIENT, ALL_SCOPES, &self.shared.tokens);
        Pair { access: grant.access, refresh: grant.refresh, expires_at: grant.expires }
    }

    /// Whether a token is alive: personal, of a session, or of the authorization server. This does not count as a use.
    pub fn is_alive(&self, token: &str) -> bool {
        self.shared.tokens.is_alive(token)
    }

    /// Whether a refresh token could be used now.
    pub fn is_alive_refresh(&self, refresh: &str) -> bool {
        self.shared.sessions.user_of(refresh).is_some()
    }

    /// How long tokens and codes live that are issued from now on.
    pub fn set_lifetimes(&self, lifetimes: Lifetimes) {
        self.shared.sessions.set_lifetimes(lifetimes);
    }

    /// Sets the result of several uses of one refresh token at the same moment, and the duration of a refresh: uses
    /// within that time count as simultaneous. By default others are refused, and it takes 5 milliseconds. If all get
    /// tokens, they get them at once.
    pub fn set_refresh_race(&self, race: Race, refresh_takes: Duration) {
        self.shared.sessions.set_race(race, refresh_takes);
    }

    /// Accepts one more redirect URI for a client, `cells-client` for example.
    pub fn register_redirect(&self, client: &str, redirect: &str) {
        self.shared.authorizations.register(client, redirect);
    }

    /// Locks a user, as ten wrong passwords do, or unlocks one.
    pub fn set_locked(&self, login: &str, locked: bool) {
        self.shared.logins.set_locked(login, locked);
    }

    /// Sets whether a user must change the password. Signing in works anyway; only the state shows it.
    pub fn set_must_change_password(&self, login: &str, must: bool) {
        self.shared.logins.set_must_change_password(login, must);
    }

    /// Asks a user for a further step of that name after the right password, or for none.
    pub fn set_second_factor(&self, login: &str, name: Option<&str>) {
        self.shared.logins.set_second_factor(login, name);
    }
}

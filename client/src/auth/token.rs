//! Bearer tokens, and how long they are valid.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::clock::Clock;

/// The life of a token if neither the server nor the store says it.
pub(super) const USUAL_LIFE: Duration = Duration::from_secs(600);

/// A token is renewed this long before it expires, or a fifth of its life before, whichever is less.
const MARGIN: Duration = Duration::from_secs(60);

/// A bearer token. Cheap to clone, redacted in Debug output.
#[derive(Debug, Clone)]
pub struct Token(Arc<SecretString>);

impl Token {
    /// Creates a token; `None` if the text contains a character that bearer tokens never have (RFC 6750, section 2.1).
    /// So a token has no special meaning in a header, a shell or a configuration file.
    pub fn new(text: &str) -> Option<Self> {
        is_token(text).then(|| Self(Arc::new(SecretString::from(text))))
    }

    /// Whether the text is a valid token, which is not certain for one from the store.
    pub fn is_sound(&self) -> bool {
        is_token(self.expose())
    }

    /// Creates a token from stored text. Nothing is sent with it if [`Token::is_sound`] is false.
    pub(super) fn stored(text: &SecretString) -> Self {
        Self(Arc::new(text.clone()))
    }

    pub(super) fn secret(&self) -> &SecretString {
        &self.0
    }

    /// Returns the text, for the request header.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn is_text(&self, text: &SecretString) -> bool {
        self.expose() == text.expose_secret()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.expose() == other.expose()
    }
}

fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let core = text.trim_end_matches('=');
    !core.is_empty() && core.bytes().all(is_part)
}

/// The requirement for a token.
#[derive(Debug, Clone)]
pub(super) enum Need {
    /// Valid for at least this long.
    Life(Duration),
    /// Another token than this one, which the server has refused.
    Other(Token),
}

/// A token with its life.
#[derive(Debug, Clone)]
pub(super) struct TimedToken {
    pub(super) token: Token,
    /// The life of the token when it was new.
    pub(super) life: Duration,
    /// The expiry time; `None` if unknown, and then only the server's clock decides.
    pub(super) end: Option<Instant>,
}

impl TimedToken {
    /// Returns the remaining life, if known.
    pub(super) fn remaining(&self, clock: &Clock) -> Option<Duration> {
        Some(self.end?.saturating_duration_since(clock.instant()))
    }

    /// Whether the token is valid by this machine's clock.
    pub(super) fn is_alive(&self, clock: &Clock) -> bool {
        self.remaining(clock).is_none_or(|remaining| !remaining.is_zero())
    }

    /// Whether the token meets the requirement.
    pub(super) fn meets(&self, need: &Need, clock: &Clock) -> bool {
        match need {
            Need::Other(refused) => !self.token.is(refused),
            Need::Life(minimum) => {
                // A life that this server's tokens never have would cause a renewal before each request, so half of
                // their life is enough.
                let required = (*minimum).min(self.life / 2).max(MARGIN.min(self.life / 5));
                self.remaining(clock).is_none_or(|remaining| remaining >= required)
            }
        }
    }
}

//! Bearer tokens, and how long they are valid.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::clock::Clock;

/// The life of a token of which the server or the store says nothing.
pub(super) const USUAL_LIFE: Duration = Duration::from_secs(600);

/// A token is renewed so long before it expires, or a fifth of its life before, whichever is less.
const MARGIN: Duration = Duration::from_secs(60);

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
    pub(super) fn stored(text: &SecretString) -> Self {
        Self(Arc::new(text.clone()))
    }

    pub(super) fn secret(&self) -> &SecretString {
        &self.0
    }

    /// The text, for the place where it is sent.
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

/// What a token must be like.
#[derive(Debug, Clone)]
pub(super) enum Need {
    /// Valid for that long.
    Life(Duration),
    /// Another one than this, which the server refused.
    Other(Token),
}

/// A token and how long it is valid.
#[derive(Debug, Clone)]
pub(super) struct TimedToken {
    pub(super) token: Token,
    /// Its life when it was new.
    pub(super) life: Duration,
    /// When it expires; `None` if nobody knows, and then the server's clock decides.
    pub(super) end: Option<Instant>,
}

impl TimedToken {
    /// How much of its life is left, if that is known.
    pub(super) fn remaining(&self, clock: &Clock) -> Option<Duration> {
        Some(self.end?.saturating_duration_since(clock.instant()))
    }

    /// Whether it is valid, as far as this machine knows.
    pub(super) fn is_alive(&self, clock: &Clock) -> bool {
        self.remaining(clock).is_none_or(|remaining| !remaining.is_zero())
    }

    /// Whether it can be used for what is needed.
    pub(super) fn meets(&self, need: &Need, clock: &Clock) -> bool {
        match need {
            Need::Other(refused) => !self.token.is(refused),
            Need::Life(minimum) => {
                // A life that this server's tokens never have would be renewed for each request: half of it will do.
                let required = (*minimum).min(self.life / 2).max(MARGIN.min(self.life / 5));
                self.remaining(clock).is_none_or(|remaining| remaining >= required)
            }
        }
    }
}

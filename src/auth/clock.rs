//! What time it is, as far as the life of tokens goes. Tests move it; so days pass in a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// This machine's clock. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// How many seconds it was moved ahead.
    ahead: Arc<AtomicU64>,
}

impl Clock {
    /// Moves it ahead by whole seconds.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::from_secs(self.ahead.load(Ordering::SeqCst))
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        after(Timestamp::now(), self.ahead()).unwrap_or(Timestamp::MAX)
    }

    /// A point to measure from, which setting the time of day does not move.
    pub(super) fn instant(&self) -> Instant {
        Instant::now() + self.ahead()
    }

    /// The time of day `life` from now, as far as timestamps reach.
    pub(super) fn in_the_future(&self, life: Duration) -> Option<Timestamp> {
        after(self.now(), life)
    }
}

fn after(time: Timestamp, life: Duration) -> Option<Timestamp> {
    time.checked_add(SignedDuration::try_from(life).ok()?).ok()
}

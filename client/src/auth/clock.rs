//! The clock for the life of tokens. Tests can move it, so that days pass in a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The longest life of a token. A longer one, from a server or a stored account, is an error and could overflow the
/// clock.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The machine's clock. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// The number of seconds by which the clock was moved ahead.
    ahead: Arc<AtomicU64>,
}

impl Clock {
    /// Moves the clock ahead by whole seconds.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::from_secs(self.ahead.load(Ordering::SeqCst))
    }

    /// Returns the time of day.
    pub fn now(&self) -> Timestamp {
        after(Timestamp::now(), self.ahead()).unwrap_or(Timestamp::MAX)
    }

    /// Returns a monotonic time, which does not depend on the time of day.
    pub(super) fn instant(&self) -> Instant {
        Instant::now() + self.ahead()
    }

    /// Returns the time at which a token with this remaining life expires, at most [`LONGEST_LIFE`] from now.
    pub(super) fn end_of(&self, life: Duration) -> Instant {
        self.instant() + life.min(LONGEST_LIFE)
    }

    /// Returns the same as a time of day; `None` if it is outside the range of timestamps.
    pub(super) fn in_the_future(&self, life: Duration) -> Option<Timestamp> {
        after(self.now(), life.min(LONGEST_LIFE))
    }
}

fn after(time: Timestamp, life: Duration) -> Option<Timestamp> {
    time.checked_add(SignedDuration::try_from(life).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_beyond_the_limit_is_a_year() {
        let clock = Clock::default();
        for life in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(1 << 62)] {
            let left = clock.end_of(life).duration_since(clock.instant());
            assert!(left <= LONGEST_LIFE && left > LONGEST_LIFE - Duration::from_secs(60), "{left:?}");
            let end = clock.in_the_future(life).expect("a time");
            assert!(end < after(Timestamp::now(), LONGEST_LIFE + Duration::from_secs(60)).expect("a time"), "{end}");
        }
        let left = clock.end_of(Duration::from_secs(600)).duration_since(clock.instant());
        assert!(left <= Duration::from_secs(600) && left > Duration::from_secs(540), "{left:?}");
    }
}

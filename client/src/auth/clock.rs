//! What time it is, as far as the life of tokens goes. Tests move it; so days pass in a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The longest life of a token that counts. Whatever a server or a stored account says beyond it cannot be meant, and
/// would lead out of the range of a clock.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

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

    /// The point at which a token ends that has that much of its life left; at most [`LONGEST_LIFE`] from now.
    pub(super) fn end_of(&self, life: Duration) -> Instant {
        self.instant() + life.min(LONGEST_LIFE)
    }

    /// The same by the time of day, as far as timestamps reach.
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
    fn a_life_without_measure_is_a_year() {
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

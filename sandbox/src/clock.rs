//! The server's own clock: real time plus an offset that a test can set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that all parts of one sandbox share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    offset_seconds: Arc<AtomicI64>,
}

impl Clock {
    /// Shifts the clock against real time.
    pub(crate) fn set_offset(&self, seconds: i64) {
        self.offset_seconds.store(seconds, Ordering::Relaxed);
    }

    /// Returns the time on this server in milliseconds since the Unix epoch.
    pub(crate) fn now_millis(&self) -> i64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = i64::try_from(real.as_millis()).unwrap_or(i64::MAX);
        millis + self.offset_seconds.load(Ordering::Relaxed) * 1000
    }

    /// Returns the time on this server in nanoseconds since the Unix epoch.
    pub(crate) fn nanoseconds(&self) -> i128 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanoseconds = i128::try_from(real.as_nanos()).unwrap_or(i128::MAX);
        nanoseconds + i128::from(self.offset_seconds.load(Ordering::Relaxed)) * 1_000_000_000
    }

    /// Returns the time on this server in seconds since the Unix epoch.
    pub(crate) fn now(&self) -> i64 {
        self.now_millis().div_euclid(1000)
    }

    /// Returns the same time in the form that date formatters require.
    pub(crate) fn system_time(&self) -> SystemTime {
        let millis = u64::try_from(self.now_millis()).unwrap_or(0);
        UNIX_EPOCH + Duration::from_millis(millis)
    }
}

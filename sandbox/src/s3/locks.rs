//! Locks between readers and writers of an object.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::time::timeout;

/// Held while an object is read.
pub(super) type Reading = OwnedRwLockReadGuard<()>;

/// Held while an object is written.
pub(super) type Writing = OwnedRwLockWriteGuard<()>;

/// The number of locks from which unused ones are removed.
const TIDY_AT: usize = 1024;

/// A lock for each object, by the UUID of its node. Locks are granted in the order of requests, so that a writer is not
/// kept waiting by a stream of readers.
#[derive(Debug, Default)]
pub(super) struct ObjectLocks {
    locks: Mutex<HashMap<Arc<str>, Weak<RwLock<()>>>>,
}

impl ObjectLocks {
    /// Waits to read; `None` when that takes longer than `patience`.
    pub(super) async fn read(&self, uuid: &Arc<str>, patience: Duration) -> Option<Reading> {
        timeout(patience, self.of(uuid).read_owned()).await.ok()
    }

    /// Waits to write; `None` when that takes longer than `patience`.
    pub(super) async fn write(&self, uuid: &Arc<str>, patience: Duration) -> Option<Writing> {
        timeout(patience, self.of(uuid).write_owned()).await.ok()
    }

    /// Waits to write, as long as it takes.
    pub(super) async fn write_patiently(&self, uuid: &Arc<str>) -> Writing {
        self.of(uuid).write_owned().await
    }

    fn of(&self, uuid: &Arc<str>) -> Arc<RwLock<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(uuid).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.len() >= TIDY_AT {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(RwLock::new(()));
        locks.insert(Arc::clone(uuid), Arc::downgrade(&lock));
        lock
    }
}

//! A lock between processes, on a separate file that is never removed.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::open;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// A lock that is released when it is dropped or the process ends.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// Acquires the lock; `None` if another process still holds it after `patience`.
///
/// # Errors
/// Errors of the file system.
pub fn acquire(path: &Path, patience: Duration) -> io::Result<Option<FileLock>> {
    // The file is never removed: a process that has just opened it would lock a file that others no longer see.
    let file = open::own_file(path)?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(FileLock { _file: file })),
            // Polling, because a blocking lock has no time-out.
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_process_has_the_lock() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let held = acquire(&path, Duration::ZERO).expect("a lock");
        assert!(held.is_some());
        assert!(acquire(&path, Duration::from_millis(50)).expect("no error").is_none());
        drop(held);
        assert!(acquire(&path, Duration::ZERO).expect("a lock").is_some());
    }
}

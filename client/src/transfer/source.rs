//! What an upload reads: a local file, and how much of it at once.

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::transfer::TransferError;

/// How much is read at once, in bytes.
pub(in crate::transfer) const CHUNK: usize = 256 * 1024;

/// A file as it was when its upload began: it must not change until the last byte is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The file.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Option<SystemTime>,
    /// Which file of its disk it is, where the system tells: another one may take its name, size and time.
    pub identity: Option<(u64, u64)>,
}

impl Snapshot {
    /// The file as it is now.
    ///
    /// # Errors
    /// The file cannot be looked at, or is no regular file any more.
    pub fn take(path: &Path) -> Result<Self, TransferError> {
        let metadata = fs::metadata(path).map_err(|error| TransferError::local(path, error))?;
        if !metadata.is_file() {
            return Err(TransferError::Changed(path.to_owned()));
        }
        Ok(Self::of(path, &metadata))
    }

    fn of(path: &Path, metadata: &Metadata) -> Self {
        let identity = crate::sys::file_identity(metadata);
        Self { path: path.to_owned(), size: metadata.len(), modified: metadata.modified().ok(), identity }
    }

    /// Whether an open file is still this one.
    ///
    /// # Errors
    /// It has changed, or cannot be looked at.
    pub fn check(&self, file: &File) -> Result<(), TransferError> {
        let metadata = file.metadata().map_err(|error| TransferError::local(&self.path, error))?;
        if Self::of(&self.path, &metadata) == *self { Ok(()) } else { Err(TransferError::Changed(self.path.clone())) }
    }
}

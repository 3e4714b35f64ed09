//! The local file that an upload reads.

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::transfer::TransferError;

/// The number of bytes to read at once.
pub(in crate::transfer) const CHUNK: usize = 256 * 1024;

/// The state of a file at the start of its upload. The file must not change until its last byte is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The path of the file.
    pub path: PathBuf,
    /// The size in bytes.
    pub size: u64,
    /// The modification time.
    pub modified: Option<SystemTime>,
    /// The device and inode numbers, if the system has them. They reveal another file with the same name, size and
    /// time.
    pub identity: Option<(u64, u64)>,
}

impl Snapshot {
    /// Records the current state of a file.
    ///
    /// # Errors
    /// The file cannot be examined, or is not a regular file.
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

    /// Checks that an open file is unchanged.
    ///
    /// # Errors
    /// The file has changed, or cannot be examined.
    pub fn check(&self, file: &File) -> Result<(), TransferError> {
        let metadata = file.metadata().map_err(|error| TransferError::local(&self.path, error))?;
        if Self::of(&self.path, &metadata) == *self { Ok(()) } else { Err(TransferError::Changed(self.path.clone())) }
    }
}

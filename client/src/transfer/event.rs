//! Events that the engine reports to an [`Observer`] during a run.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::transfer::TransferError;
use crate::walk::local::LeftOut;

/// The direction of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From this machine to the server.
    Upload,
    /// From the server to this machine.
    Download,
}

/// The reason for the transfer of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The target does not exist.
    New,
    /// The target exists with another content and is replaced.
    Replaces,
    /// The source is newer than the target and replaces it.
    Newer,
    /// The name is in use, so the file gets another name.
    Renamed,
}

/// The number of an item, unique within a run.
pub type ItemNumber = u64;

/// The outcome of an item.
#[derive(Debug)]
pub enum ItemOutcome {
    /// The file was transferred. In a dry run: it would be transferred.
    Transferred(Reason),
    /// The target already has the same content.
    Unchanged,
    /// The target exists, and the policy keeps it.
    Skipped,
    /// The transfer failed.
    Failed(TransferError),
}

/// The result of one file.
#[derive(Debug)]
pub struct Record {
    /// The direction of the transfer.
    pub direction: Direction,
    /// The source, as a user would write it.
    pub source: String,
    /// The target, as a user would write it; empty if unknown.
    pub target: String,
    /// The size in bytes, if known.
    pub size: Option<u64>,
    /// The ETag on the server, if known.
    pub etag: Option<String>,
    /// The outcome.
    pub outcome: ItemOutcome,
    /// The time from the start of the item to its end.
    pub elapsed: Duration,
}

impl Record {
    /// Creates the record of a file whose transfer started at `begun`, without size and ETag.
    pub fn new(direction: Direction, (source, target): (String, String), outcome: ItemOutcome, begun: Instant) -> Self {
        Self { direction, source, target, size: None, etag: None, outcome, elapsed: begun.elapsed() }
    }

    /// Adds the size in bytes and the ETag.
    #[must_use]
    pub fn with_content(self, size: Option<u64>, etag: Option<String>) -> Self {
        Self { size, etag, ..self }
    }
}

/// Receives the events of a run. All methods have empty defaults. The engine calls them from many tasks at the same
/// time, so they must return quickly.
pub trait Observer: Send + Sync {
    /// Another file was found; `_bytes` is its size.
    fn found(&self, _bytes: u64) {}
    /// A file of initially unknown size has grown by `_bytes`.
    fn grew(&self, _item: ItemNumber, _bytes: u64) {}
    /// The search for files has ended: the number of files found is now the total.
    fn walk_finished(&self) {}
    /// A folder will be created on the server. [`Observer::folder_made`] follows unless the creation fails.
    fn folder_found(&self) {}
    /// A folder was created. In a dry run: it would be created.
    fn folder_made(&self, _direction: Direction, _path: &str) {}
    /// An existing node at the target was moved to the recycle bin. In a dry run: it would be moved.
    fn recycled(&self, _path: &str, _is_folder: bool) {}
    /// The transfer of a file starts; `_bytes` is its size.
    fn item_started(&self, _item: ItemNumber, _name: &str, _bytes: u64) {}
    /// `_count` more bytes of the file were transferred.
    fn bytes(&self, _item: ItemNumber, _count: u64) {}
    /// `_count` bytes that were reported before must be transferred again.
    fn bytes_lost(&self, _item: ItemNumber, _count: u64) {}
    /// `_bytes` of `_total` bytes of the file are there from an earlier run, which this one continues.
    fn item_resumed(&self, _item: ItemNumber, _name: &str, _bytes: u64, _total: u64) {}
    /// All bytes of the file that were reported before must be transferred again.
    fn item_restarted(&self, _item: ItemNumber) {}
    /// An attempt failed; the next one starts after `_pause`.
    fn item_retried(&self, _item: ItemNumber, _name: &str, _attempt: u32, _error: &dyn Display, _pause: Duration) {}
    /// All bytes of the file were sent; the engine has yet to verify that they arrived.
    fn item_sent(&self, _item: ItemNumber) {}
    /// A file failed temporarily. The engine tries it again at the end of the run.
    fn item_postponed(&self, _item: ItemNumber) {}
    /// A file is complete, whatever its outcome.
    fn item_done(&self, _item: ItemNumber, _record: &Record) {}
    /// The filter leaves out a file or folder.
    fn excluded(&self, _path: &str) {}
    /// Something happened that is not an error but that the user should know.
    fn notice(&self, _path: &str, _notice: Notice) {}
}

/// A notice about a path. The run does not fail because of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// A local entry is not uploaded.
    #[error("left out: {}", .0.reason())]
    LeftOut(LeftOut),
    /// A symbolic link that is followed leads out of the source folder.
    #[error("a link that points outside the folder is followed, like all links")]
    LeadsOut,
    /// A recycle bin in the source is not downloaded.
    #[error("the recycle bin is left out; name it as a source to download it")]
    RecycleBin,
    /// Somebody moved or deleted the target folder during the upload.
    #[error("the folder was moved or deleted during the upload and created again; the uploaded file went with it")]
    FolderMoved,
    /// The server has no checksum for the downloaded file, so it was not verified.
    #[error("could not be verified: the server lists no hash of it")]
    NoHash,
    /// The ETag matches the downloaded file, but the server's content hash does not.
    #[error("verified by its ETag; the server's x-cells-hash of it is wrong")]
    WrongHash,
    /// An earlier run has left the transfer unfinished, but it starts from the beginning.
    #[error("the interrupted transfer cannot be resumed, because {0}; starting again")]
    NotResumed(NotResumed),
    /// A stream was uploaded to encrypted storage. It was not verified: the ETag is not a checksum there, and a stream
    /// cannot be read again.
    #[error("could not be verified: the server encrypts what it stores and reports no checksum of a stream")]
    EncryptedStream,
}

/// Why a transfer that an earlier run has left starts from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotResumed {
    /// The source has changed.
    #[error("the file has changed since")]
    Changed,
    /// The parts have another size.
    #[error("the part size is another one")]
    PartSize,
    /// Too much time has passed.
    #[error("too much time has passed")]
    Expired,
    /// The server does not know the upload.
    #[error("the server no longer has the parts")]
    Gone,
    /// The temporary file of the download is missing or was replaced.
    #[error("its temporary file is missing")]
    NoFile,
}

/// An observer that ignores all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

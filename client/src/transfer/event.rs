//! What a run tells while it goes on.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::transfer::TransferError;
use crate::walk::local::LeftOut;

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Upload,
    /// From the server.
    Download,
}

/// Why a file is transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing of the name is there.
    New,
    /// It replaces another content.
    Replaces,
    /// It replaces an older content.
    Newer,
    /// The name is taken, so it goes beside it.
    Renamed,
}

/// The number of an item within a run.
pub type ItemNumber = u64;

/// How an item ended.
#[derive(Debug)]
pub enum ItemOutcome {
    /// It was transferred (or would be, in a dry run).
    Transferred(Reason),
    /// The target holds the same content already.
    Unchanged,
    /// The target exists and the policy leaves it alone.
    Skipped,
    /// It failed.
    Failed(TransferError),
}

/// What became of one file.
#[derive(Debug)]
pub struct Record {
    /// Which way.
    pub direction: Direction,
    /// The source as a user would write it.
    pub source: String,
    /// The target as a user would write it; empty where it is not known.
    pub target: String,
    /// Bytes, where known.
    pub size: Option<u64>,
    /// The ETag on the server, where known.
    pub etag: Option<String>,
    /// How it ended.
    pub outcome: ItemOutcome,
    /// How long it took.
    pub elapsed: Duration,
}

impl Record {
    /// What became of a file that was begun at `begun`; of an unknown size and ETag.
    pub fn new(direction: Direction, (source, target): (String, String), outcome: ItemOutcome, begun: Instant) -> Self {
        Self { direction, source, target, size: None, etag: None, outcome, elapsed: begun.elapsed() }
    }

    /// With the size and the ETag of its content.
    #[must_use]
    pub fn with_content(self, size: Option<u64>, etag: Option<String>) -> Self {
        Self { size, etag, ..self }
    }
}

/// Hears of a run. Every method has an empty default; they are called from many tasks at once and must be quick.
pub trait Observer: Send + Sync {
    /// Another file of so many bytes was found.
    fn found(&self, _bytes: u64) {}
    /// A file whose length is not known beforehand has so many bytes more.
    fn grew(&self, _item: ItemNumber, _bytes: u64) {}
    /// The walk has ended: what was found is the total.
    fn walk_finished(&self) {}
    /// A folder is to be made on the server; [`Observer::folder_made`] follows, unless that fails.
    fn folder_found(&self) {}
    /// A folder was made (or would be, in a dry run).
    fn folder_made(&self, _direction: Direction, _path: &str) {}
    /// What was in the way on the server was moved to the recycle bin (or would be, in a dry run).
    fn recycled(&self, _path: &str, _is_folder: bool) {}
    /// A file starts to move.
    fn item_started(&self, _item: ItemNumber, _name: &str, _bytes: u64) {}
    /// So many further bytes of it have moved.
    fn bytes(&self, _item: ItemNumber, _count: u64) {}
    /// So many of its bytes that had been counted must move again.
    fn bytes_lost(&self, _item: ItemNumber, _count: u64) {}
    /// All of its bytes that had been counted must move again.
    fn item_restarted(&self, _item: ItemNumber) {}
    /// An attempt failed and another follows after the pause.
    fn item_retried(&self, _item: ItemNumber, _name: &str, _attempt: u32, _error: &dyn Display, _pause: Duration) {}
    /// All of a file has moved, and its end is still to be proven.
    fn item_sent(&self, _item: ItemNumber) {}
    /// A file has failed for a passing reason and is tried once more at the end of the run.
    fn item_postponed(&self, _item: ItemNumber) {}
    /// A file has ended, one way or another.
    fn item_done(&self, _item: ItemNumber, _record: &Record) {}
    /// Something that is no failure but that the user should know.
    fn notice(&self, _path: &str, _notice: Notice) {}
}

/// What a run says of a path without failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// A local entry is left out.
    #[error("left out: {}", .0.reason())]
    LeftOut(LeftOut),
    /// A link is followed to what the source folder does not contain.
    #[error("a link that points outside the folder is followed, like all links")]
    LeadsOut,
    /// A recycle bin below the source is not downloaded.
    #[error("the recycle bin is left out; name it as a source to download it")]
    RecycleBin,
    /// Somebody moved or deleted the target folder during the upload.
    #[error("the folder was moved or deleted during the upload and created again; the uploaded file went with it")]
    FolderMoved,
    /// The server lists no checksum that the downloaded file could be compared with.
    #[error("could not be verified: the server lists no hash of it")]
    NoHash,
    /// The ETag proves the file, but the content hash that the server lists is another one.
    #[error("verified by its ETag; the server's x-cells-hash of it is wrong")]
    WrongHash,
    /// A stream went to a storage that encrypts: its ETag is no checksum, and a stream cannot be read again.
    #[error("could not be verified: the server encrypts what it stores and reports no checksum of a stream")]
    EncryptedStream,
}

/// An observer that hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

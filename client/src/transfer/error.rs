//! Why an item could not be transferred.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::failure::{ServerError, ServerErrorKind};
use crate::http::retry::{Advice, Retryable};
use crate::path::{NameError, RemotePath};
use crate::walk::WalkError;
use crate::walk::local::LocalError;

/// The kind of a local target that is neither a file nor a folder, in a [`TransferError::Clash`].
pub const NO_FILE: &str = "device, pipe or socket";

/// Why what a public link opens is not written under the link's own name, in a [`TransferError::LocalName`].
pub const HIDDEN_BY_LINK: &str = "the name comes from the link and starts with a dot";

/// A folder that has to be created before a transfer can begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingFolder {
    /// A folder on the server whose parent exists.
    Remote(RemotePath),
    /// A folder on the server; its parents may be missing too.
    RemoteWithParents(RemotePath),
    /// A local folder whose parent exists.
    Local(PathBuf),
    /// A local folder; its parents may be missing too.
    LocalWithParents(PathBuf),
}

/// Why an item could not be transferred.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A call to the server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A part of a remote tree could not be read.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The local file system refused.
    #[error("{}: {source}", path.display())]
    Local {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An entry of a local tree that cannot be taken.
    #[error("{}: {source}", path.display())]
    LocalEntry {
        /// The entry.
        path: PathBuf,
        /// Why.
        source: LocalError,
    },
    /// A name that the server could not give back.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A remote name that cannot be, or must not be, a local one.
    #[error("'{path}' cannot be written here: {reason}")]
    LocalName {
        /// The remote path.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// Something of the same type is there already, and the policy is to fail.
    #[error("'{0}' already exists")]
    Exists(String),
    /// Something of another type is there already.
    #[error("'{path}' already exists and is a {kind}")]
    Clash {
        /// The target.
        path: String,
        /// What it is, for example `file`.
        kind: &'static str,
        /// Whether it would give way with leave to overwrite.
        replaceable: bool,
    },
    /// Several sources, and the target is a file.
    #[error("'{0}' is not a folder, but several sources need a folder")]
    NotAFolder(String),
    /// The target was written as a folder, with a slash at its end, and is a file.
    #[error("{0} is a file, not a folder")]
    IsAFile(String),
    /// Two sources would be written to one target.
    #[error("'{first}' and '{second}' would both be written to '{target}'")]
    SameTarget {
        /// One source.
        first: String,
        /// The other.
        second: String,
        /// The target.
        target: String,
    },
    /// Another item of this run goes to the same place.
    #[error("'{source_path}' cannot be written to '{target}': {by} is written there")]
    TargetTaken {
        /// The item.
        source_path: String,
        /// The place.
        target: String,
        /// The other one, in words.
        by: &'static str,
    },
    /// A source or the place for the target does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The folder that the target would be in, or that several sources need, does not exist.
    #[error("{message}")]
    NoFolder {
        /// What does not exist.
        message: String,
        /// The folder to create.
        folder: MissingFolder,
    },
    /// The user may only read the target.
    #[error("'{0}' is read-only for this user")]
    ReadOnly(String),
    /// A workspace of several folders takes nothing beside them.
    #[error("the top level of '{0}' is read-only: upload to one of its folders")]
    ReadOnlyTop(String),
    /// A combination that cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// The file was written to while it was read.
    #[error("'{}' changed while it was being read", .0.display())]
    Changed(PathBuf),
    /// The file was written to, or has other content than its size tells, every time that it was read.
    #[error("'{}' changes every time it is read", .0.display())]
    KeepsChanging(PathBuf),
    /// The upload of a file on the server has not ended, and may never.
    #[error("'{0}' has no content: its upload is still running, or was interrupted")]
    Unfinished(String),
    /// What arrived is not what was sent.
    #[error("{path}: the {what} is {found}, not {expected}")]
    Integrity {
        /// The item.
        path: String,
        /// What was compared: `ETag`, `size` or `x-cells-hash`.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The server's own copy is not what the server says of it; fetching it again gives the same.
    #[error("the server's copy of {path} is damaged: {why}")]
    Damaged {
        /// The file on the server.
        path: String,
        /// How that shows.
        why: String,
    },
    /// What the server sends is not what it lists, however often it is asked: something in between answers in its place.
    #[error("the content of {path} is not the one that the server lists: {why}")]
    OtherContent {
        /// The file on the server.
        path: String,
        /// How that shows.
        why: String,
    },
    /// A reader got a content that is not the one that the server lists.
    #[error("the content of '{0}' is not the one that the server lists")]
    NotAsListed(String),
    /// A file on the server was replaced while a reader got it.
    #[error("'{0}' changed while it was being read")]
    ChangedOnServer(String),
    /// The server forgot an upload in parts before it was complete; all of it must be sent again.
    #[error("{0}: the server no longer has the parts that were sent")]
    UploadLost(String),
    /// The server forgot the parts of a stream, which cannot be read again.
    #[error("{0}: the server no longer has the parts that were sent, and standard input cannot be read again")]
    StreamLost(String),
    /// A stream is longer than so many parts can hold.
    #[error("standard input is too long for {0} parts")]
    TooManyParts(u32),
    /// A replaced file may be damaged on the server: the answer to the last attempt was lost.
    #[error("{path} may be damaged on the server, because the answer to the upload was lost: {source}")]
    InDoubt {
        /// The target.
        path: String,
        /// The last failure.
        source: Box<TransferError>,
    },
    /// An upload was answered as done, and what is there is not that file, or could not be looked at.
    #[error("{path} was uploaded, but {fault}")]
    Unproven {
        /// The target.
        path: String,
        /// What is there instead, or why nobody knows.
        fault: String,
        /// Why it could not be looked at.
        source: Option<Arc<TransferError>>,
    },
    /// All parts have arrived, and the server did not put them together.
    #[error("{path}: all parts arrived, but the server did not assemble them: {source}")]
    NotAssembled {
        /// The target.
        path: String,
        /// The last failure.
        source: Box<TransferError>,
    },
    /// Another user has locked the file.
    #[error("'{path}' is locked by {user}")]
    LockedBy {
        /// The target.
        path: String,
        /// Their login.
        user: String,
    },
    /// The folder that the item belongs in could not be made.
    #[error("the folder {folder} could not be used: {source}")]
    Folder {
        /// The folder.
        folder: String,
        /// Why.
        source: Arc<TransferError>,
    },
    /// Too many files in a row failed for reasons of the server, or of a full disk.
    #[error("gave up after {failures} failures in a row: {cause}")]
    GaveUp {
        /// How many.
        failures: usize,
        /// The last one.
        cause: String,
        /// Whose reasons they were.
        reach: Reach,
    },
    /// The run was stopped before this item was done.
    #[error("interrupted")]
    Cancelled,
}

/// What a failure means for the rest of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It concerns this item alone.
    Item,
    /// The server could not be reached or failed; if that goes on, the run is pointless.
    Server,
    /// The local disk is full; if that goes on, the run is pointless.
    Disk,
    /// Nothing further can succeed: no valid token.
    Everything,
}

impl TransferError {
    /// A local failure.
    pub fn local(path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Local { path: path.as_ref().to_owned(), source }
    }

    /// Something of another type, a `kind`, is in the way and stays there.
    pub fn clash(path: impl Display, kind: &'static str) -> Self {
        Self::Clash { path: path.to_string(), kind, replaceable: false }
    }

    /// Something of another type, a `kind`, is in the way on the server, and would give way with leave to overwrite.
    pub fn replaceable(path: impl Display, kind: &'static str) -> Self {
        Self::Clash { path: path.to_string(), kind, replaceable: true }
    }

    /// What the failure means for the rest of a run.
    pub fn reach(&self) -> Reach {
        match self {
            Self::Server(error) | Self::Walk(WalkError::Server(error)) => reach_of(error.kind),
            Self::InDoubt { source, .. } | Self::NotAssembled { source, .. } => source.reach(),
            Self::Unproven { source: Some(source), .. } => source.reach(),
            Self::Folder { source, .. } => source.reach(),
            Self::Local { source, .. }
                if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                Reach::Disk
            }
            Self::GaveUp { reach, .. } => *reach,
            _ => Reach::Item,
        }
    }

    /// Whether the request may have been carried out all the same.
    pub(in crate::transfer) fn leaves_doubt(&self) -> bool {
        match self {
            Self::Server(error) => error.in_doubt,
            Self::NotAssembled { .. } | Self::StreamLost(_) => true,
            _ => false,
        }
    }

    /// Whether the server or the line had too much to do.
    pub fn is_overload(&self) -> bool {
        match self {
            Self::Server(error) => error.is_overload(),
            Self::Unproven { source: Some(source), .. } => source.is_overload(),
            _ => false,
        }
    }

    /// Whether another try later in the run may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Server(error) => passes(error.advice()),
            Self::Walk(error) => error.is_transient(),
            Self::InDoubt { .. }
            | Self::Integrity { .. }
            | Self::Unproven { .. }
            | Self::Changed(_)
            | Self::UploadLost(_) => true,
            Self::Folder { source, .. } => source.is_transient(),
            _ => false,
        }
    }
}

impl Retryable for TransferError {
    fn advice(&self) -> Advice {
        match self {
            Self::Server(error) => error.advice(),
            Self::Unproven { source: Some(source), .. } => source.advice(),
            Self::Unproven { source: None, .. } | Self::Integrity { .. } | Self::Changed(_) | Self::UploadLost(_) => {
                Advice::Retry
            }
            _ => Advice::Stop,
        }
    }
}

/// Whether it may pass in minutes, not only at once.
fn passes(advice: Advice) -> bool {
    matches!(advice, Advice::Retry | Advice::After(_))
}

fn reach_of(kind: ServerErrorKind) -> Reach {
    match kind {
        ServerErrorKind::Unauthenticated | ServerErrorKind::Auth => Reach::Everything,
        ServerErrorKind::Transport | ServerErrorKind::NotCells | ServerErrorKind::Unasked => Reach::Server,
        _ => Reach::Item,
    }
}

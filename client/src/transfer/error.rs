//! Errors of items that could not be transferred.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::failure::{ServerError, ServerErrorKind};
use crate::http::retry::{Advice, Retryable};
use crate::path::{NameError, RemotePath};
use crate::walk::WalkError;
use crate::walk::local::LocalError;

/// The [`TransferError::Clash`] kind of a local target that is neither a file nor a folder.
pub const NO_FILE: &str = "device, pipe or socket";

/// The [`TransferError::LocalName`] reason if the name comes from a public link and starts with a dot.
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

/// The error of an item that could not be transferred.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A call to the server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A part of a remote tree could not be read.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// An operation of the local file system failed.
    #[error("{}: {source}", path.display())]
    Local {
        /// The file or folder that the operation was for.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// An entry of a local tree cannot be uploaded.
    #[error("{}: {source}", path.display())]
    LocalEntry {
        /// The path of the entry.
        path: PathBuf,
        /// Why it cannot be uploaded.
        source: LocalError,
    },
    /// The server could not return a file of this name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A remote name is not valid, or not safe, as a local name.
    #[error("'{path}' cannot be written here: {reason}")]
    LocalName {
        /// The remote path.
        path: String,
        /// Why the name is refused.
        reason: &'static str,
    },
    /// The target exists with the same type, and the policy is [`IfExists::Fail`](super::options::IfExists::Fail).
    #[error("'{0}' already exists")]
    Exists(String),
    /// The target exists with another type, such as a folder in place of a file.
    #[error("'{path}' already exists and is a {kind}")]
    Clash {
        /// The target.
        path: String,
        /// The type of the target, for example `file`.
        kind: &'static str,
        /// Whether [`IfExists::Overwrite`](super::options::IfExists::Overwrite) would replace it.
        replaceable: bool,
    },
    /// The target of several sources is a file.
    #[error("'{0}' is not a folder, but several sources need a folder")]
    NotAFolder(String),
    /// The target ends with a slash, so that a folder is expected, but it is a file.
    #[error("{0} is a file, not a folder")]
    IsAFile(String),
    /// Two sources have the same target.
    #[error("'{first}' and '{second}' would both be written to '{target}'")]
    SameTarget {
        /// One of the sources.
        first: String,
        /// The other source.
        second: String,
        /// Their target.
        target: String,
    },
    /// Another item of this run already uses the target.
    #[error("'{source_path}' cannot be written to '{target}': {by} is written there")]
    TargetTaken {
        /// The source of this item.
        source_path: String,
        /// The target.
        target: String,
        /// A description of the other item.
        by: &'static str,
    },
    /// A source, or the folder for the target, does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The parent folder of the target, or the target folder of several sources, does not exist.
    #[error("{message}")]
    NoFolder {
        /// The error message: which folder is missing.
        message: String,
        /// The folder to create.
        folder: MissingFolder,
    },
    /// The user has no permission to write to the target.
    #[error("'{0}' is read-only for this user")]
    ReadOnly(String),
    /// The target is the top of a workspace that consists of several folders; nothing can be created there.
    #[error("the top level of '{0}' is read-only: upload to one of its folders")]
    ReadOnlyTop(String),
    /// The sources and the target cannot be combined.
    #[error("{0}")]
    Usage(String),
    /// The file changed while it was read.
    #[error("'{}' changed while it was being read", .0.display())]
    Changed(PathBuf),
    /// The file changed during every attempt, or has more or less content than its size says.
    #[error("'{}' changes every time it is read", .0.display())]
    KeepsChanging(PathBuf),
    /// Another upload of the file has not ended. It may have been abandoned.
    #[error("'{0}' has no content: its upload is still running, or was interrupted")]
    Unfinished(String),
    /// Another process transfers the same file to the same target. Contains the local path.
    #[error("another process is transferring '{0}' at this moment")]
    InProgress(String),
    /// The received content differs from the sent content.
    #[error("{path}: the {what} is {found}, not {expected}")]
    Integrity {
        /// The path of the item.
        path: String,
        /// What was compared: `ETag`, `size` or `x-cells-hash`.
        what: &'static str,
        /// The expected value.
        expected: String,
        /// The actual value.
        found: String,
    },
    /// The stored copy on the server does not match the server's metadata, so another download would not help.
    #[error("the server's copy of {path} is damaged: {why}")]
    Damaged {
        /// The file on the server.
        path: String,
        /// What does not match.
        why: String,
    },
    /// The server repeatedly sends something else than it lists. The likely cause is a proxy or a cache.
    #[error("the content of {path} is not the one that the server lists: {why}")]
    OtherContent {
        /// The file on the server.
        path: String,
        /// What does not match.
        why: String,
    },
    /// A reader received a content that does not match the server's listing. Bytes that it has read cannot be replaced.
    #[error("the content of '{0}' is not the one that the server lists")]
    NotAsListed(String),
    /// The file was replaced on the server while a reader received it.
    #[error("'{0}' changed while it was being read")]
    ChangedOnServer(String),
    /// The server lost a multipart upload before it was complete, so all of the file must be sent again.
    #[error("{0}: the server no longer has the parts that were sent")]
    UploadLost(String),
    /// The server lost the parts of a stream. A stream cannot be read a second time.
    #[error("{0}: the server no longer has the parts that were sent, and standard input cannot be read again")]
    StreamLost(String),
    /// The stream is too long for this number of parts.
    #[error("standard input is too long for {0} parts")]
    TooManyParts(u32),
    /// An overwritten file may be damaged on the server, because the answer to the last attempt was lost.
    #[error("{path} may be damaged on the server, because the answer to the upload was lost: {source}")]
    InDoubt {
        /// The target.
        path: String,
        /// The error of the last attempt.
        source: Box<TransferError>,
    },
    /// The server confirmed the upload, but the target is not the uploaded file, or could not be checked.
    #[error("{path} was uploaded, but {fault}")]
    Unproven {
        /// The target.
        path: String,
        /// What the check found, or why it was not possible.
        fault: String,
        /// The error of the check, if it failed.
        source: Option<Arc<TransferError>>,
    },
    /// The server received all parts but did not assemble them.
    #[error("{path}: all parts arrived, but the server did not assemble them: {source}")]
    NotAssembled {
        /// The target.
        path: String,
        /// The error of the last attempt.
        source: Box<TransferError>,
    },
    /// Another user holds a lock on the file.
    #[error("'{path}' is locked by {user}")]
    LockedBy {
        /// The target.
        path: String,
        /// The login of that user.
        user: String,
    },
    /// The folder for the item could not be created.
    #[error("the folder {folder} could not be used: {source}")]
    Folder {
        /// The folder.
        folder: String,
        /// The error of the folder's creation.
        source: Arc<TransferError>,
    },
    /// The run ended early: too many files in a row failed because of the server or of a full disk.
    #[error("gave up after {failures} failures in a row: {cause}")]
    GaveUp {
        /// The number of failures in a row.
        failures: usize,
        /// The error message of the last failure.
        cause: String,
        /// Whether the server or the disk was the cause.
        reach: Reach,
    },
    /// The run ended early because of a limit that the user has set.
    #[error("the {0} is reached")]
    LimitReached(&'static str),
    /// The run was canceled before the item was complete.
    #[error("interrupted")]
    Cancelled,
}

/// How far the effect of an error reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only this item.
    Item,
    /// The server is unreachable or failing. If this continues, the run cannot succeed.
    Server,
    /// The local disk is full. If this continues, the run cannot succeed.
    Disk,
    /// All further items, because there is no valid token.
    Everything,
}

impl TransferError {
    /// Creates a [`TransferError::Local`].
    pub fn local(path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Local { path: path.as_ref().to_owned(), source }
    }

    /// Creates a [`TransferError::Clash`] that no policy resolves.
    pub fn clash(path: impl Display, kind: &'static str) -> Self {
        Self::Clash { path: path.to_string(), kind, replaceable: false }
    }

    /// Creates a [`TransferError::Clash`] that [`IfExists::Overwrite`](super::options::IfExists::Overwrite) would
    /// resolve.
    pub fn replaceable(path: impl Display, kind: &'static str) -> Self {
        Self::Clash { path: path.to_string(), kind, replaceable: true }
    }

    /// Returns how far the effect of the error reaches.
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

    /// Whether the server may have carried out the request despite the error.
    pub(in crate::transfer) fn leaves_doubt(&self) -> bool {
        match self {
            Self::Server(error) => error.in_doubt,
            Self::NotAssembled { .. } | Self::StreamLost(_) => true,
            _ => false,
        }
    }

    /// Whether the server or the connection was overloaded.
    pub fn is_overload(&self) -> bool {
        match self {
            Self::Server(error) => error.is_overload(),
            Self::Unproven { source: Some(source), .. } => source.is_overload(),
            _ => false,
        }
    }

    /// Whether a later run may continue the transfer where it stopped.
    pub(in crate::transfer) fn is_resumable(&self) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Server(_) | Self::NotAssembled { .. } => self.is_transient() || self.reach() == Reach::Everything,
            Self::InDoubt { source, .. } => source.is_resumable(),
            Self::Local { source, .. } => source.kind() != io::ErrorKind::NotFound,
            _ => false,
        }
    }

    /// Whether another attempt later in the same run may succeed.
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

/// Whether the cause may disappear within minutes. A cause that disappears within a second does not count.
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

//! The jobs of a run: the sources that the user named, after the rules of cp(1) are applied.

use std::path::PathBuf;
use std::sync::Arc;

use crate::api::Node;
use crate::path::RemotePath;
use crate::transfer::TransferError;
use crate::transfer::event::Direction;
use crate::transfer::plan::claims::{Claims, Merged};
use crate::transfer::plan::folders::TargetFolder;
use crate::transfer::plan::step::{DownloadCandidate, UploadCandidate};
use crate::walk::local::LeftOut;

/// One task of a run.
#[derive(Debug)]
pub enum Job {
    /// Create this folder on the server. Later jobs use it.
    MakeFolder(Arc<TargetFolder>),
    /// Create this local folder. Later jobs use it.
    MakeLocalFolder(PathBuf),
    /// Upload a file.
    UploadFile(UploadCandidate),
    /// Upload a folder.
    UploadTree(TreeUpload),
    /// Download a file.
    DownloadFile(DownloadCandidate),
    /// Download a folder.
    DownloadTree(TreeDownload),
    /// Skip a source without an error.
    LeftOut {
        /// The source as the user wrote it.
        source: String,
        /// Why it is skipped.
        reason: LeftOut,
    },
    /// Leave out a source that the filter does not select.
    Excluded(String),
    /// Report a source that cannot be transferred, while other sources are.
    Refused {
        /// The direction of its transfer.
        direction: Direction,
        /// The source as the user wrote it.
        source: String,
        /// Why it cannot be transferred.
        error: TransferError,
    },
}

/// A local folder to upload, and the state of its target.
#[derive(Debug)]
pub struct TreeUpload {
    /// The local folder.
    pub source: PathBuf,
    /// The remote folder for the contents of the source.
    pub target: RemotePath,
    /// The existing node at the target, if any.
    pub existing: Option<Node>,
    /// Names that other sources use in the same folders, if there are such sources.
    pub merged: Option<Arc<Merged>>,
}

/// A remote folder to download.
#[derive(Debug)]
pub struct TreeDownload {
    /// The folder on the server.
    pub source: RemotePath,
    /// The local folder for the contents of the source.
    pub target: PathBuf,
    /// Files that other sources put into the same folders, if there are such sources.
    pub merged: Option<Arc<Claims>>,
}

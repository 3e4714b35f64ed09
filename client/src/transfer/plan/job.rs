//! What a run is asked to do: what the user named, after the rules of cp(1).

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

/// One thing that the user named.
#[derive(Debug)]
pub enum Job {
    /// A folder on the server that what follows goes into, and that is to be made.
    MakeFolder(Arc<TargetFolder>),
    /// The same on this machine.
    MakeLocalFolder(PathBuf),
    /// A local file.
    UploadFile(UploadCandidate),
    /// A local folder.
    UploadTree(TreeUpload),
    /// A file on the server.
    DownloadFile(DownloadCandidate),
    /// A folder on the server.
    DownloadTree(TreeDownload),
    /// A source that is left out without being a failure.
    LeftOut {
        /// The source as the user wrote it.
        source: String,
        /// Why.
        reason: LeftOut,
    },
    /// A source that cannot be taken, among others that can.
    Refused {
        /// Which way it would have gone.
        direction: Direction,
        /// The source as the user wrote it.
        source: String,
        /// Why.
        error: TransferError,
    },
}

/// A tree that is to go to the server, with what is known of its target.
#[derive(Debug)]
pub struct TreeUpload {
    /// The local folder.
    pub source: PathBuf,
    /// Where its contents go.
    pub target: RemotePath,
    /// What is there.
    pub existing: Option<Node>,
    /// What other sources put into the same folders, where there are such sources.
    pub merged: Option<Arc<Merged>>,
}

/// A tree that is to come from the server.
#[derive(Debug)]
pub struct TreeDownload {
    /// The folder on the server.
    pub source: RemotePath,
    /// Where its contents go.
    pub target: PathBuf,
    /// The files of other sources that go to the same folders, where there are such sources.
    pub merged: Option<Arc<Claims>>,
}

//! The steps of a plan, in the order in which planners find them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::api::Node;
use crate::path::RemotePath;
use crate::transfer::TransferError;
use crate::transfer::event::{Direction, Notice};
use crate::transfer::plan::folders::TargetFolder;
use crate::walk::local::LeftOut;

/// A local file that may need to be uploaded.
#[derive(Debug, Clone)]
pub struct UploadCandidate {
    /// The local file.
    pub source: PathBuf,
    /// The size in bytes that the walk saw.
    pub size: u64,
    /// The modification time that the walk saw.
    pub modified: Option<SystemTime>,
    /// The remote folder for the file.
    pub folder: Arc<TargetFolder>,
    /// The name of the file in that folder, in NFC.
    pub name: String,
    /// Whether to replace the target whatever the policy is, because this run has already written it and must correct
    /// it.
    pub must_replace: bool,
}

impl UploadCandidate {
    /// Returns the remote path of the target.
    pub fn target(&self) -> RemotePath {
        self.folder.path.join(&self.name)
    }
}

/// A remote file that may need to be downloaded.
#[derive(Debug, Clone)]
pub struct DownloadCandidate {
    /// The file on the server.
    pub source: Node,
    /// The local path of the target.
    pub target: PathBuf,
    /// Whether this run created the folder of the target, so that nothing older can be there.
    pub in_new_folder: bool,
}

/// A file of a plan.
#[derive(Debug, Clone)]
pub enum Candidate {
    /// To the server.
    Upload(UploadCandidate),
    /// From the server.
    Download(DownloadCandidate),
}

impl Candidate {
    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Upload(candidate) => candidate.size,
            Self::Download(candidate) => candidate.source.size,
        }
    }

    /// Returns a short name for progress lines: the path of the source.
    pub fn label(&self) -> String {
        match self {
            Self::Upload(candidate) => candidate.source.display().to_string(),
            Self::Download(candidate) => candidate.source.path.to_string(),
        }
    }
}

/// One step of a plan.
#[derive(Debug)]
pub enum Step {
    /// A file to examine.
    File(Candidate),
    /// An item that cannot be transferred. It counts as failed.
    Refused {
        /// The direction of its transfer.
        direction: Direction,
        /// The source.
        source: String,
        /// The target; empty if unknown.
        target: String,
        /// Why it cannot be transferred.
        error: TransferError,
    },
    /// A notice, which is not a failure.
    Notice {
        /// The path that it is about.
        path: String,
        /// The notice.
        notice: Notice,
    },
}

impl Step {
    /// Creates the notice for an entry or a source that is not transferred.
    pub fn left_out(path: String, reason: LeftOut) -> Self {
        Self::Notice { path, notice: Notice::LeftOut(reason) }
    }
}

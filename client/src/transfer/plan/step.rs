//! What planners find, in the order in which they find it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::api::Node;
use crate::path::RemotePath;
use crate::transfer::TransferError;
use crate::transfer::event::{Direction, Notice};
use crate::transfer::plan::folders::TargetFolder;
use crate::walk::local::LeftOut;

/// A local file that may have to go to the server.
#[derive(Debug, Clone)]
pub struct UploadCandidate {
    /// The local file.
    pub source: PathBuf,
    /// Bytes, as the walk saw them.
    pub size: u64,
    /// When it was last written, as the walk saw it.
    pub modified: Option<SystemTime>,
    /// The folder on the server.
    pub folder: Arc<TargetFolder>,
    /// The name in that folder, in NFC.
    pub name: String,
    /// Whether it replaces what is there under any policy: this run has already replaced it, and something went wrong.
    pub must_replace: bool,
}

impl UploadCandidate {
    /// Where it goes.
    pub fn target(&self) -> RemotePath {
        self.folder.path.join(&self.name)
    }
}

/// A file on the server that may have to come here.
#[derive(Debug, Clone)]
pub struct DownloadCandidate {
    /// The file on the server.
    pub source: Node,
    /// Where it goes.
    pub target: PathBuf,
    /// This run has made the folder of it: nothing that was there before can be in its place.
    pub in_new_folder: bool,
}

/// One file of a plan.
#[derive(Debug, Clone)]
pub enum Candidate {
    /// To the server.
    Upload(UploadCandidate),
    /// From the server.
    Download(DownloadCandidate),
}

impl Candidate {
    /// Bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Upload(candidate) => candidate.size,
            Self::Download(candidate) => candidate.source.size,
        }
    }

    /// A short name for progress lines: the path of the source.
    pub fn label(&self) -> String {
        match self {
            Self::Upload(candidate) => candidate.source.display().to_string(),
            Self::Download(candidate) => candidate.source.path.to_string(),
        }
    }
}

/// One step of a plan, in the order in which planners find them.
#[derive(Debug)]
pub enum Step {
    /// A file to look at.
    File(Candidate),
    /// Something that cannot be done; it counts as a failed item.
    Refused {
        /// Which way it would have gone.
        direction: Direction,
        /// What.
        source: String,
        /// Where it would have gone; empty where that is not known.
        target: String,
        /// Why.
        error: TransferError,
    },
    /// Something that is left out without being a failure.
    Notice {
        /// What.
        path: String,
        /// Why.
        notice: Notice,
    },
}

impl Step {
    /// An entry of a local tree, or a source, that is left out.
    pub fn left_out(path: String, reason: LeftOut) -> Self {
        Self::Notice { path, notice: Notice::LeftOut(reason) }
    }
}

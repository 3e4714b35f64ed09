//! What is to be done, as values: the candidates that planners find, and the policy that decides on each.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;

use super::TransferError;
use super::event::Direction;
use super::folders::TargetFolder;
use super::options::IfExists;
use crate::api::Node;
use crate::path::RemotePath;
use crate::walk::local::LeftOut;

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

/// What the policy says about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Transfer it.
    Transfer(Reason),
    /// The same content is there already.
    Unchanged,
    /// Leave what is there alone.
    Skip,
    /// What is there is in the way.
    Exists,
}

/// What is known of a target file that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// Whether both contents are the same (false where the policy does not need to know).
    pub same_content: bool,
    /// Whether the source was written later.
    pub source_is_newer: bool,
}

/// Decides on a file from the policy and what is there.
pub fn decide(policy: IfExists, existing: Option<Comparison>) -> Decision {
    let Some(existing) = existing else {
        return Decision::Transfer(Reason::New);
    };
    if existing.same_content {
        return Decision::Unchanged;
    }
    match policy {
        IfExists::Fail => Decision::Exists,
        IfExists::Skip => Decision::Skip,
        IfExists::Overwrite => Decision::Transfer(Reason::Replaces),
        IfExists::Update if existing.source_is_newer => Decision::Transfer(Reason::Newer),
        IfExists::Update => Decision::Skip,
        IfExists::Rename => Decision::Transfer(Reason::Renamed),
    }
}

/// Whether a local time is later than a server's, which are whole seconds.
pub fn is_newer(local: Option<SystemTime>, remote: Option<Timestamp>) -> bool {
    let (Some(local), Some(remote)) = (local, remote) else {
        return false;
    };
    Timestamp::try_from(local).is_ok_and(|local| local.as_second() > remote.as_second())
}

/// Names to try when `name` is taken: `report-1.pdf`, `report-2.pdf`, … with the number before the last extension.
pub fn free_names(name: &str) -> impl Iterator<Item = String> + '_ {
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    };
    (1_u32..).map(move |number| format!("{stem}-{number}{extension}"))
}

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
        text: String,
    },
}

impl Step {
    /// An entry of a local tree, or a source, that is left out.
    pub fn left_out(path: String, reason: LeftOut) -> Self {
        Self::Notice { path, text: format!("left out: {}", reason.reason()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_table() {
        use Decision::{Exists, Skip, Transfer, Unchanged};
        use IfExists::{Fail, Overwrite, Rename, Update};
        let comparison = |same_content, source_is_newer| Some(Comparison { same_content, source_is_newer });
        for (policy, existing, decision) in [
            (Fail, None, Transfer(Reason::New)),
            (IfExists::Skip, None, Transfer(Reason::New)),
            (Fail, comparison(true, true), Unchanged),
            (Overwrite, comparison(true, true), Unchanged),
            (Rename, comparison(true, false), Unchanged),
            (Fail, comparison(false, true), Exists),
            (IfExists::Skip, comparison(false, true), Skip),
            (Overwrite, comparison(false, false), Transfer(Reason::Replaces)),
            (Update, comparison(false, true), Transfer(Reason::Newer)),
            (Update, comparison(false, false), Skip),
            (Rename, comparison(false, true), Transfer(Reason::Renamed)),
        ] {
            assert_eq!(decide(policy, existing), decision, "{policy:?} {existing:?}");
        }
    }

    #[test]
    fn free_names_keep_the_extension() {
        let first = |name: &str| free_names(name).next();
        assert_eq!(first("a.tar.gz").as_deref(), Some("a.tar-1.gz"));
        assert_eq!(first("plain").as_deref(), Some("plain-1"));
        assert_eq!(first(".hidden").as_deref(), Some(".hidden-1"));
        assert_eq!(free_names("x.y").nth(2).as_deref(), Some("x-3.y"));
    }
}

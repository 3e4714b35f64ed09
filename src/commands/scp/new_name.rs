//! The name of a single file whose target does not exist. The older client creates a folder with that name instead, so
//! a notice informs users of its scripts.

use std::path::PathBuf;

use super::direction::Direction;
use cells_client::path::RemotePath;
use cells_client::transfer::plan::Job;
use cells_client::transfer::plan::folders::FolderState;

/// The target of a single source, whose name may become that of the target.
pub(super) enum NewName {
    Remote(RemotePath),
    Local(PathBuf),
}

impl NewName {
    /// Returns the target; `None` for several sources, or for a stream.
    pub(super) fn of(direction: &Direction) -> Option<Self> {
        match direction {
            Direction::Up(sources, target, _) if sources.len() == 1 => Some(Self::Remote(target.nfc())),
            Direction::Down(sources, target) if sources.len() == 1 => Some(Self::Local(target.clone())),
            _ => None,
        }
    }

    /// Whether the run creates a file with exactly this name.
    pub(super) fn is_taken_by(&self, jobs: &[Job]) -> bool {
        match (self, jobs) {
            (Self::Remote(target), [Job::UploadFile(file)]) => {
                let was_there = match file.folder.state_now() {
                    Some(FolderState::Existing(children)) => children.contains_key(&file.name),
                    _ => false,
                };
                !was_there && file.folder.path.join(&file.name) == *target
            }
            (Self::Local(target), [Job::DownloadFile(file)]) => file.target == *target && !target.exists(),
            _ => false,
        }
    }

    /// Returns the notice.
    pub(super) fn note(&self) -> String {
        let (name, example) = match self {
            Self::Remote(target) => (target.to_string(), target.marked()),
            Self::Local(target) => (target.display().to_string(), target.display().to_string()),
        };
        format!("note: '{name}' did not exist, so it is now the file; to put the file into a folder, write {example}/")
    }
}

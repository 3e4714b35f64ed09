//! The name that a single file takes if its target does not exist. The older client makes a folder of that name instead, so
//! scripts that were written for it are told.

use std::path::PathBuf;

use super::direction::Direction;
use cells_client::path::RemotePath;
use cells_client::transfer::plan::Job;
use cells_client::transfer::plan::folders::FolderState;

/// The target of one source, which it may give its name to.
pub(super) enum NewName {
    Remote(RemotePath),
    Local(PathBuf),
}

impl NewName {
    /// The target; `None` if there are several sources, or one that is piped.
    pub(super) fn of(direction: &Direction) -> Option<Self> {
        match direction {
            Direction::Up(sources, target, _) if sources.len() == 1 => Some(Self::Remote(target.nfc())),
            Direction::Down(sources, target) if sources.len() == 1 => Some(Self::Local(target.clone())),
            _ => None,
        }
    }

    /// Whether the run makes a file of that very name where nothing was.
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

    /// What a script is told.
    pub(super) fn note(&self) -> String {
        let (name, example) = match self {
            Self::Remote(target) => (target.to_string(), target.marked()),
            Self::Local(target) => (target.display().to_string(), target.display().to_string()),
        };
        format!("note: '{name}' did not exist, so it is now the file; to put the file into a folder, write {example}/")
    }
}

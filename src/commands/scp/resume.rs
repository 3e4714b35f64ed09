//! The command line that continues an incomplete run. Usually it is the original one. But if the run has created its
//! target folder, that folder now exists, and by the rules of cp(1) the source would go into it under its own name.

use std::path::Path;

use super::direction::Direction;
use crate::shell::command_line;
use cells_client::transfer::plan::Job;
use cells_client::transfer::plan::target::gives_contents;

/// The continuation of a run with one source, if the source is a folder that has taken the target's name.
pub(super) struct Resume {
    /// The command line without its options.
    pub(super) line: String,
    target: String,
}

impl Resume {
    /// Returns the continuation; `None` for several sources, and for a source of which only the content is transferred.
    pub(super) fn of(direction: &Direction) -> Option<Self> {
        let (source, shown_target, target) = match direction {
            Direction::Up(sources, target, _) => match sources.as_slice() {
                [source] if !gives_contents(source) => {
                    (source.display().to_string(), target.marked(), target.nfc().to_string())
                }
                _ => return None,
            },
            Direction::Down(sources, target) => match sources.as_slice() {
                [source] if !source.contents => {
                    let target = target.display().to_string();
                    (source.path.marked(), target.clone(), target)
                }
                _ => return None,
            },
            Direction::PipeUp(..) | Direction::PipeDown(..) => return None,
        };
        let contents = format!("{}/.", source.trim_end_matches(std::path::is_separator));
        Some(Self { line: command_line("cec scp", &[&contents, &shown_target]), target })
    }

    /// Whether the run creates the target itself as the folder for the source.
    pub(super) fn has_changed(&self, jobs: &[Job]) -> bool {
        match jobs {
            [Job::UploadTree(tree)] => tree.target.to_string() == self.target,
            [Job::DownloadTree(tree)] => tree.target == Path::new(&self.target),
            _ => false,
        }
    }
}

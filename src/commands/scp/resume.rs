//! The command line that goes on where a run ended early. The same one does, but where the run has made its target: then
//! the target is a folder that exists, and by the rules of cp(1) the source would go into it under its own name.

use std::path::Path;

use super::direction::Direction;
use crate::shell::command_line;
use cells_client::transfer::plan::Job;
use cells_client::transfer::plan::target::gives_contents;

/// How a run of one source goes on, if that source turns out to be a folder that has taken the target's name.
pub(super) struct Resume {
    /// The command line, without its options.
    pub(super) line: String,
    target: String,
}

impl Resume {
    /// What would go on; `None` for several sources, and for one that gives its contents anyway.
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

    /// Whether the run makes the target itself the folder that the source goes to.
    pub(super) fn has_changed(&self, jobs: &[Job]) -> bool {
        match jobs {
            [Job::UploadTree(tree)] => tree.target.to_string() == self.target,
            [Job::DownloadTree(tree)] => tree.target == Path::new(&self.target),
            _ => false,
        }
    }
}

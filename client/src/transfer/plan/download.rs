//! Planning a download: a remote tree becomes steps while it is walked; local folders are made on the way.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::api::Node;
use crate::path::RemotePath;
use crate::sys::local_name;
use crate::transfer::event::{Direction, Notice};
use crate::transfer::plan::claims::sum;
use crate::transfer::plan::job::TreeDownload;
use crate::transfer::plan::step::{Candidate, DownloadCandidate, Step};
use crate::transfer::{Engine, TransferError};
use crate::walk::remote::{self, RemoteItem, RemoteOptions};

/// What is said of a node that was listed in a folder that it is not in.
const OUTSIDE: &str = "it is outside the requested folder";

/// What is said of the second of two names that are one here.
const SAME_HERE: &str = "another name in its folder is the same on this system (differs only in case or accents)";

impl Engine {
    /// Walks a remote tree and sends its steps. Ends early when nobody takes them any more.
    pub(in crate::transfer) async fn plan_tree_download(&self, tree: TreeDownload, steps: &mpsc::Sender<Step>) {
        let mut places =
            Places { blocked: HashMap::new(), made: HashSet::new(), taken: None, tree: &tree, engine: self };
        if let Err(error) = places.make(&tree.source, &tree.target) {
            let (source, target) = (tree.source.marked(), tree.target.display().to_string());
            let _ = steps.send(Step::Refused { direction: Direction::Download, source, target, error }).await;
            return;
        }
        if !self.options.dry_run && local_name::is_folding(&tree.target) {
            places.taken = Some(Taken::default());
        }
        let mut walk = remote::walk(&self.api, &self.s3, &tree.source, RemoteOptions::default());
        while let Some(item) = walk.recv().await {
            let step = match item {
                RemoteItem::Folder(node) => places.folder(&node),
                RemoteItem::File(node) => Some(places.file(node)),
                RemoteItem::RecycleBin(node) => {
                    Some(Step::Notice { path: node.path.to_string(), notice: Notice::RecycleBin })
                }
                RemoteItem::Failed { folder, error } => Some(Step::Refused {
                    direction: Direction::Download,
                    source: folder.marked(),
                    target: String::new(),
                    error: error.into(),
                }),
            };
            if let Some(step) = step
                && self.add_step(steps, step).await.is_err()
            {
                return;
            }
        }
    }
}

/// Where the nodes of a tree go, and which folders cannot be used.
struct Places<'a> {
    blocked: HashMap<RemotePath, Arc<TransferError>>,
    /// The folders on the server whose local ones this run has made, as sums: there may be hundreds of thousands, and a
    /// mistake costs no more than a second look.
    made: HashSet<u64>,
    /// The names so far, where two that differ may be one here.
    taken: Option<Taken>,
    tree: &'a TreeDownload,
    engine: &'a Engine,
}

impl Places<'_> {
    /// The local path of a node, if its folder can be used and its name can be a local one.
    fn place(&mut self, node: &Node) -> Result<PathBuf, TransferError> {
        let refused = |reason| TransferError::LocalName { path: node.path.to_string(), reason };
        let parent = node.path.parent().unwrap_or_default();
        if let Some(cause) = self.blocked.get(&parent) {
            return Err(TransferError::Folder { folder: parent.to_string(), source: cause.clone() });
        }
        // A server may say what it likes, but nothing that it says leads out of the target folder.
        let relative = node.path.relative_to(&self.tree.source).ok_or_else(|| refused(OUTSIDE))?;
        let mut place = self.tree.target.clone();
        for name in relative.split('/') {
            local_name::check(name).map_err(refused)?;
            place.push(name);
        }
        if self.taken.as_mut().is_some_and(|taken| taken.is_taken(&node.path)) {
            return Err(refused(SAME_HERE));
        }
        Ok(place)
    }

    fn folder(&mut self, node: &Node) -> Option<Step> {
        let made = self.place(node).and_then(|place| self.make(&node.path, &place));
        match made {
            Ok(()) => None,
            Err(error) => {
                let error = Arc::new(error);
                self.blocked.insert(node.path.clone(), error.clone());
                Some(Step::Refused {
                    direction: Direction::Download,
                    source: node.path.marked(),
                    target: String::new(),
                    error: TransferError::Folder { folder: node.path.to_string(), source: error },
                })
            }
        }
    }

    fn file(&mut self, node: Node) -> Step {
        let place = self.place(&node).and_then(|place| match &self.tree.merged {
            Some(claims) if !claims.claim(&place, self.taken.is_some()) => Err(TransferError::TargetTaken {
                source_path: node.path.to_string(),
                target: place.display().to_string(),
                by: "another source",
            }),
            _ => Ok(place),
        });
        match place {
            Ok(target) => {
                let in_new_folder = node.path.parent().is_some_and(|folder| self.made.contains(&sum(&folder)));
                Step::File(Candidate::Download(DownloadCandidate { source: node, target, in_new_folder }))
            }
            Err(error) => Step::Refused {
                direction: Direction::Download,
                source: node.path.marked(),
                target: String::new(),
                error,
            },
        }
    }

    fn make(&mut self, source: &RemotePath, place: &Path) -> Result<(), TransferError> {
        // Only the target itself was named: no other link is followed out of it.
        let is_named = *place == self.tree.target;
        match if is_named { fs::metadata(place) } else { fs::symlink_metadata(place) } {
            Ok(metadata) if metadata.is_dir() => return Ok(()),
            Ok(metadata) if metadata.is_symlink() => return Err(TransferError::clash(place.display(), "link")),
            Ok(_) => return Err(TransferError::clash(place.display(), "file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(TransferError::local(place, error)),
        }
        if self.engine.options.dry_run {
            can_write(place)?;
        } else {
            match fs::create_dir(place) {
                Ok(()) => {}
                // Another run was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && place.is_dir() => return Ok(()),
                Err(error) => return Err(TransferError::local(place, error)),
            }
        }
        self.made.insert(sum(source));
        self.engine.observer.folder_made(Direction::Download, &place.display().to_string());
        Ok(())
    }
}

/// The names of a tree as a file system knows them that takes some that differ for one. Of each only a sum is kept: a
/// tree may have hundreds of thousands.
#[derive(Default)]
struct Taken(HashSet<u64>);

impl Taken {
    /// Whether another path of the same folder has the same name here; takes it.
    fn is_taken(&mut self, path: &RemotePath) -> bool {
        !self.0.insert(sum(&(path.parent().unwrap_or_default(), local_name::folded(path.name()))))
    }
}

/// Whether a file can be made where `target` is to be, or where its folder would be made: a dry run would not notice
/// otherwise. What shows it has no name, where the system has such files. Blocking.
///
/// # Errors
/// Why none can be made.
pub(in crate::transfer) fn can_write(target: &Path) -> Result<(), TransferError> {
    let here = |folder: &Path| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() };
    let folder = target.ancestors().skip(1).map(here).find(|folder| folder.is_dir());
    let Some(folder) = folder else { return Ok(()) };
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(()),
        Err(error) => Err(TransferError::local(target, without_path(error))),
    }
}

/// The system's own words, without the name of the temporary file behind them, which tells the user nothing.
fn without_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((words, _)) => io::Error::new(error.kind(), words.to_owned()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_one_here_are_taken_once_in_each_folder() {
        let mut taken = Taken::default();
        let mut is_taken = |path: &str| taken.is_taken(&RemotePath::from_server(path));
        assert!(!is_taken("ws/a/Report") && !is_taken("ws/a/caf\u{e9}"));
        assert!(is_taken("ws/a/REPORT") && is_taken("ws/a/cafe\u{301}") && is_taken("ws/a/CAF\u{c9}"));
        assert!(!is_taken("ws/b/report") && !is_taken("ws/a/reports") && !is_taken("ws/a/cafe"));
    }
}

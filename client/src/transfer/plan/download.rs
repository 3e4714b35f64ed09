//! Plans a download: turns a remote tree into steps while it is walked, and creates local folders on the way.

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

/// The message for a node that does not belong to the listed folder.
const OUTSIDE: &str = "it is outside the requested folder";

/// The message for the second of two names that the local file system treats as equal.
const SAME_HERE: &str = "another name in its folder is the same on this system (differs only in case or accents)";

impl Engine {
    /// Walks a remote tree and sends its steps. Ends early if the receiver is gone.
    pub(in crate::transfer) async fn plan_tree_download(&self, tree: TreeDownload, steps: &mpsc::Sender<Step>) {
        let mut places = Places {
            blocked: HashMap::new(),
            made: HashSet::new(),
            used: self.options.local.filter.selects_files().then(HashSet::new),
            taken: None,
            tree: &tree,
            engine: self,
        };
        if let Err(error) = places.make(&tree.source, &tree.target) {
            let (source, target) = (tree.source.marked(), tree.target.display().to_string());
            let _ = steps.send(Step::Refused { direction: Direction::Download, source, target, error }).await;
            return;
        }
        if !self.options.dry_run && local_name::is_folding(&tree.target) {
            places.taken = Some(Taken::default());
        }
        let options = RemoteOptions { filter: self.options.local.filter.clone(), ..RemoteOptions::default() };
        let mut walk = remote::walk(&self.api, &self.s3, &tree.source, options);
        while let Some(item) = walk.recv().await {
            let step = match item {
                RemoteItem::Folder(node) => places.folder(&node),
                RemoteItem::File(node) => Some(places.file(node)),
                RemoteItem::RecycleBin(node) => {
                    Some(Step::Notice { path: node.path.to_string(), notice: Notice::RecycleBin })
                }
                RemoteItem::Excluded(node) => {
                    self.observer.excluded(&node.path.marked());
                    None
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

/// The local places of a tree's nodes, and the folders that cannot be used.
struct Places<'a> {
    blocked: HashMap<RemotePath, Arc<TransferError>>,
    /// Hashes of the remote folders whose local folders this run has created. Hashes save memory, since there may be
    /// hundreds of thousands of folders; a collision only causes one more look at the disk.
    made: HashSet<u64>,
    /// The folders that contain a selected file, if the filter selects files. Only they are created.
    used: Option<HashSet<u64>>,
    /// The names used so far, if the local file system treats some different names as equal.
    taken: Option<Taken>,
    tree: &'a TreeDownload,
    engine: &'a Engine,
}

impl Places<'_> {
    /// Returns the local path of a node. Fails if its folder cannot be used or its name is not a valid local name.
    fn place(&mut self, node: &Node) -> Result<PathBuf, TransferError> {
        let refused = |reason| TransferError::LocalName { path: node.path.to_string(), reason };
        let parent = node.path.parent().unwrap_or_default();
        if let Some(cause) = self.blocked.get(&parent) {
            return Err(TransferError::Folder { folder: parent.to_string(), source: cause.clone() });
        }
        // The path comes from the server, so it is not trusted: it must not lead out of the target folder.
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
        let made = self.place(node).and_then(|place| match self.used {
            Some(_) => Ok(()),
            None => self.make(&node.path, &place),
        });
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

    /// Creates the folders above a file that were postponed until there is one. Fails for the folder that cannot be
    /// created.
    fn make_above(&mut self, node: &Node) -> Result<(), TransferError> {
        let root = self.tree.source.segments().count();
        let above = std::iter::successors(node.path.parent(), RemotePath::parent);
        let mut folders: Vec<RemotePath> = above.take_while(|folder| folder.segments().count() > root).collect();
        folders.reverse();
        for folder in folders {
            if let Some(cause) = self.blocked.get(&folder) {
                return Err(TransferError::Folder { folder: folder.to_string(), source: cause.clone() });
            }
            if self.used.as_mut().is_none_or(|used| !used.insert(sum(&folder))) {
                continue;
            }
            let Some(relative) = folder.relative_to(&self.tree.source) else { continue };
            let place = self.tree.target.join(relative);
            if let Err(error) = self.make(&folder, &place) {
                let error = Arc::new(error);
                self.blocked.insert(folder.clone(), error.clone());
                return Err(TransferError::Folder { folder: folder.to_string(), source: error });
            }
        }
        Ok(())
    }

    fn file(&mut self, node: Node) -> Step {
        let place = self.place(&node).and_then(|place| self.make_above(&node).map(|()| place));
        let place = place.and_then(|place| match &self.tree.merged {
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
        // The user named only the target itself, so no other link may lead out of it.
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
                // Another run created the folder at the same moment.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && place.is_dir() => return Ok(()),
                Err(error) => return Err(TransferError::local(place, error)),
            }
        }
        self.made.insert(sum(source));
        self.engine.observer.folder_made(Direction::Download, &place.display().to_string());
        Ok(())
    }
}

/// The names of a tree on a file system that treats some different names as equal. Stores only hashes, because a tree
/// may have hundreds of thousands of names.
#[derive(Default)]
struct Taken(HashSet<u64>);

impl Taken {
    /// Whether another path of the same folder has this name locally. Records the name.
    fn is_taken(&mut self, path: &RemotePath) -> bool {
        !self.0.insert(sum(&(path.parent().unwrap_or_default(), local_name::folded(path.name()))))
    }
}

/// Checks that a file can be created at `target`, or in the folder that would be created for it. A dry run would not
/// notice the problem otherwise. Uses an unnamed file if the system supports them. Blocking.
///
/// # Errors
/// Why no file can be created.
pub(in crate::transfer) fn can_write(target: &Path) -> Result<(), TransferError> {
    let here = |folder: &Path| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() };
    let folder = target.ancestors().skip(1).map(here).find(|folder| folder.is_dir());
    let Some(folder) = folder else { return Ok(()) };
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(()),
        Err(error) => Err(TransferError::local(target, without_path(error))),
    }
}

/// Removes the path of the temporary file from an error, since it means nothing to the user.
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
    fn names_that_are_equal_locally_are_used_once_per_folder() {
        let mut taken = Taken::default();
        let mut is_taken = |path: &str| taken.is_taken(&RemotePath::from_server(path));
        assert!(!is_taken("ws/a/Report") && !is_taken("ws/a/caf\u{e9}"));
        assert!(is_taken("ws/a/REPORT") && is_taken("ws/a/cafe\u{301}") && is_taken("ws/a/CAF\u{c9}"));
        assert!(!is_taken("ws/b/report") && !is_taken("ws/a/reports") && !is_taken("ws/a/cafe"));
    }
}

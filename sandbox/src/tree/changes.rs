//! Changes by jobs: copies, moves, the recycle bin. Nothing is ever overwritten: if a name is in use, a number is
//! appended.

use super::forest::{Forest, TreeError};
use super::node::{Kind, NodeId};
use super::{Nodes, Place, root};

/// Name of the recycle bin, directly below the root of a workspace.
pub(crate) const RECYCLE_BIN: &str = "recycle_bin";

/// Whether sources stay where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    Copy,
    Move,
}

/// Where a copy or move leads.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// Into this folder, which is made if it is missing.
    Into(Place),
    /// To exactly this path.
    As(Place),
}

/// The copy of a folder that has been begun.
#[derive(Debug)]
pub(crate) struct BegunCopy {
    source: NodeId,
    folder: NodeId,
    log: String,
}

/// What the real server reports when a folder is moved into itself.
pub(crate) const MOVE_INTO_ITSELF: &str = "panic recovered in UpdateNode: cannot move a node below itself";

impl Nodes {
    /// Copies or moves nodes one after the other. Missing ones are skipped. Returns the lines of the job's log.
    pub(crate) fn transfer(
        &self,
        sources: &[Place],
        target: &Target,
        transfer: Transfer,
    ) -> Result<Vec<String>, String> {
        self.write(|forest, now| {
            let mut log = Vec::new();
            for source in sources {
                let Some(id) = super::find(forest, source) else {
                    continue;
                };
                let (parent, name) = destination(forest, source, target, now)?;
                if source.relative.is_empty() {
                    empty_workspace(forest, id, parent, &name, transfer, now);
                } else {
                    let name = transfer_one(forest, id, parent, &name, transfer, now)?;
                    log.push(written_down(source, target, &name, transfer));
                }
            }
            Ok(log)
        })
    }

    /// Begins to copy a folder: the new folder appears at once, and is empty. `None` if this copy does not begin like
    /// that.
    pub(crate) fn begin_copy(&self, source: &Place, target: &Target) -> Option<BegunCopy> {
        self.write(|forest, now| {
            let id = super::find(forest, source)?;
            if source.relative.is_empty() || forest.get(id)?.kind != Kind::Folder {
                return None;
            }
            let (parent, name) = destination(forest, source, target, now).ok()?;
            if forest.is_inside(parent, id) {
                return None;
            }
            let name = forest.free_name(parent, &name, Kind::Folder);
            let log = written_down(source, target, &name, Transfer::Copy);
            Some(BegunCopy { source: id, folder: forest.make_folder(parent, &name, now).ok()?, log })
        })
    }

    /// Fills a folder whose copy was begun. Returns the lines of the job's log.
    pub(crate) fn finish_copy(&self, begun: BegunCopy) -> Vec<String> {
        self.write(|forest, now| {
            for child in forest.children(begun.source).to_vec() {
                if let Some(name) = forest.get(child).map(|node| node.name.to_string()) {
                    forest.duplicate(child, begun.folder, &name, now);
                }
            }
        });
        vec![begun.log]
    }

    /// Moves nodes of one workspace to its recycle bin, which is made if it is missing. Times
    /// stay as they are.
    pub(crate) fn recycle(&self, sources: &[Place]) -> Result<(), String> {
        self.write(|forest, now| {
            for source in sources {
                let Some(id) = super::find(forest, source) else {
                    continue;
                };
                let bin = root(forest, source)
                    .ok_or(TreeError::Missing)
                    .and_then(|root| forest.make_folder(root, RECYCLE_BIN, now))
                    .map_err(|refusal| format!("{refusal:?}"))?;
                let Some(node) = forest.get_mut(id) else {
                    continue;
                };
                node.origin = Some(source.relative.clone());
                let kind = node.kind;
                let name = forest.free_name(bin, source.name(), kind);
                forest.relocate(id, bin, &name);
            }
            Ok(())
        })
    }

    /// Removes nodes permanently.
    pub(crate) fn erase(&self, sources: &[Place]) {
        self.write(|forest, _| {
            for source in sources {
                let Some(id) = super::find(forest, source) else {
                    continue;
                };
                // A root appears again as soon as it is read.
                let gone = if source.relative.is_empty() { forest.children(id).to_vec() } else { vec![id] };
                for id in gone {
                    forest.remove(id);
                }
            }
        });
    }

    /// Moves nodes of the recycle bin back to their original places, under their original names, and creates missing
    /// folders.
    pub(crate) fn restore(&self, sources: &[Place]) -> Result<(), String> {
        self.write(|forest, now| {
            for source in sources {
                let Some(id) = super::find(forest, source) else {
                    continue;
                };
                let (Some(origin), Some(root)) = (origin(forest, id), root(forest, source)) else {
                    continue;
                };
                let (parent, name) =
                    forest.make_parent_of(root, &origin, now).map_err(|refusal| format!("{refusal:?}"))?;
                let kind = forest.get(id).map_or(Kind::File, |node| node.kind);
                let name = forest.free_name(parent, name, kind);
                forest.relocate(id, parent, &name);
                if let Some(node) = forest.get_mut(id) {
                    node.origin = None;
                }
            }
            Ok(())
        })
    }

    /// Where a node of the recycle bin came from, below the root of its workspace.
    pub(crate) fn origin_of(&self, place: &Place) -> Option<String> {
        self.read(|forest| origin(forest, super::find(forest, place)?))
    }

    /// The Uuid of a node that can be restored: a direct child of the recycle bin that came there
    /// by being deleted.
    pub(crate) fn restorable(&self, place: &Place) -> Option<String> {
        let inside = place.relative.strip_prefix(RECYCLE_BIN)?.strip_prefix('/')?;
        if inside.contains('/') {
            return None;
        }
        self.read(|forest| {
            let id = super::find(forest, place)?;
            origin(forest, id)?;
            Some(forest.get(id)?.uuid.to_string())
        })
    }
}

impl Place {
    /// Whether this is inside the recycle bin, or the bin itself.
    pub(crate) fn is_in_bin(&self) -> bool {
        self.relative.split('/').next() == Some(RECYCLE_BIN)
    }
}

fn origin(forest: &Forest, id: NodeId) -> Option<String> {
    forest.get(id)?.origin.clone()
}

/// The folder that a source goes to and the name it is to have there, taken or not.
fn destination(forest: &mut Forest, source: &Place, target: &Target, now: i64) -> Result<(NodeId, String), String> {
    let describe = |refusal: TreeError| format!("{refusal:?}");
    let (Target::Into(place) | Target::As(place)) = target;
    let root = root(forest, place).ok_or("no.workspace.in.path")?;
    match target {
        Target::As(place) if !place.relative.is_empty() => {
            let (parent, name) = forest.make_parent_of(root, &place.relative, now).map_err(describe)?;
            Ok((parent, name.to_owned()))
        }
        _ => {
            // A file in place of the folder is accepted: what is created there never appears in a listing.
            let parent = match forest.find(root, &place.relative) {
                Some(id) => id,
                None => forest.make_folder(root, &place.relative, now).map_err(describe)?,
            };
            let name = match source.name() {
                "" => source.workspace.slug,
                name => name,
            };
            Ok((parent, name.to_owned()))
        }
    }
}

/// Returns the log line for one source; `name` is the name that was free.
fn written_down(source: &Place, target: &Target, name: &str, transfer: Transfer) -> String {
    let (into, as_path);
    let folder = match target {
        Target::As(place) if !place.relative.is_empty() => {
            as_path = place.path();
            as_path.rsplit_once('/').map_or("", |(above, _)| above)
        }
        Target::As(place) | Target::Into(place) => {
            into = place.path();
            into.trim_end_matches('/')
        }
    };
    let done = if transfer == Transfer::Copy { "copied" } else { "renamed" };
    format!("Successfully {done} {} to {folder}/{name}", source.path())
}

fn transfer_one(
    forest: &mut Forest,
    id: NodeId,
    parent: NodeId,
    name: &str,
    transfer: Transfer,
    now: i64,
) -> Result<String, String> {
    let kind = forest.get(id).map_or(Kind::File, |node| node.kind);
    let into_itself = forest.is_inside(parent, id);
    if into_itself && transfer == Transfer::Move {
        return Err(MOVE_INTO_ITSELF.to_owned());
    }
    let name = forest.free_name(parent, name, kind);
    match transfer {
        Transfer::Move => {
            forest.relocate(id, parent, &name);
            if let Some(node) = forest.get_mut(id) {
                node.origin = None;
            }
        }
        Transfer::Copy => {
            let copy = forest.duplicate(id, parent, &name, now);
            if let Some(copy) = copy.filter(|_| into_itself) {
                // The real server finds its own copy on the way and creates one more folder.
                let inner = forest.free_name(copy, &name, Kind::Folder);
                let _ = forest.make_folder(copy, &inner, now);
            }
        }
    }
    Ok(name)
}

/// The server accepts a workspace as a source: everything in it is copied or moved into a folder of that name.
fn empty_workspace(forest: &mut Forest, root: NodeId, parent: NodeId, name: &str, transfer: Transfer, now: i64) {
    let name = forest.free_name(parent, name, Kind::Folder);
    let children = forest.children(root).to_vec();
    let Ok(folder) = forest.make_folder(parent, &name, now) else {
        return;
    };
    for child in children {
        let Some(name) = forest.get(child).map(|node| node.name.to_string()) else {
            continue;
        };
        match transfer {
            Transfer::Move if forest.is_inside(folder, child) => {}
            Transfer::Move => forest.relocate(child, folder, &name),
            Transfer::Copy => {
                forest.duplicate(child, folder, &name, now);
            }
        }
    }
}

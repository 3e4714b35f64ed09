//! The archives that the server creates of folders: `folder.zip` exists if `folder` exists and nothing else has the
//! name. This server knows them but does not create them.

use crate::Shared;
use crate::tree::node::Kind;
use crate::tree::{Place, find};

/// Whether a place names a folder's archive.
pub(super) fn is_at(shared: &Shared, place: &Place) -> bool {
    let stem = [".zip", ".tar.gz", ".tar"].iter().find_map(|extension| place.relative.strip_suffix(extension));
    let Some(folder) = stem.filter(|stem| !stem.is_empty()) else {
        return false;
    };
    shared.nodes.read(|forest| {
        let folder = find(forest, &place.at(folder)).and_then(|id| forest.get(id));
        find(forest, place).is_none() && folder.is_some_and(|node| node.kind == Kind::Folder)
    })
}

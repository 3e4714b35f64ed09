//! The archives that the server makes of folders: `folder.zip` can be read although only `folder`
//! exists.

use super::Outcome;
use super::error::Failure;
use super::exchange::Exchange;
use crate::Shared;
use crate::tree::node::Kind;
use crate::tree::{Place, find};

/// A folder that is read as an archive.
#[derive(Debug)]
pub(super) struct Archive;

/// The archive at a place, when nothing of that name exists and the folder does.
pub(super) fn of(shared: &Shared, place: &Place) -> Option<Archive> {
    let folder = [".zip", ".tar", ".tar.gz"]
        .iter()
        .find_map(|extension| place.relative.strip_suffix(extension))
        .filter(|folder| !folder.is_empty())?;
    shared.nodes.read(|forest| {
        if find(forest, place).is_some() {
            return None;
        }
        let folder = find(forest, &place.at(folder)).and_then(|id| forest.get(id))?;
        (folder.kind == Kind::Folder).then_some(Archive)
    })
}

impl Archive {
    /// Sends the archive.
    pub(super) fn get(&self, _shared: &Shared, _exchange: &Exchange) -> Outcome {
        Err(Failure::internal("archives are not made").into())
    }
}

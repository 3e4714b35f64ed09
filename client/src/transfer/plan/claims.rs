//! What the sources of a run have taken, so that none of them writes over what another has made.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::path::RemotePath;
use crate::sys::local_name;
use crate::transfer::plan::folders::TargetFolder;

/// What sources whose contents go to the same folders have put there in this run, so that none of them takes what another
/// has made for something that was there, or writes over it.
#[derive(Debug, Default)]
pub struct Merged {
    folders: Mutex<HashMap<RemotePath, Arc<TargetFolder>>>,
    files: Mutex<HashSet<RemotePath>>,
}

impl Merged {
    /// The folder of that path, where another source has brought it into the run.
    pub fn folder(&self, path: &RemotePath) -> Option<Arc<TargetFolder>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Takes a path for a folder; false where a file of another source has it.
    pub fn enter(&self, folder: &Arc<TargetFolder>) -> bool {
        if self.files.lock().unwrap_or_else(PoisonError::into_inner).contains(&folder.path) {
            return false;
        }
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.path.clone(), folder.clone());
        true
    }

    /// Takes a path for a file; false where something of another source has it.
    pub fn claim(&self, path: RemotePath) -> bool {
        self.folder(&path).is_none() && self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(path)
    }
}

/// The places that files of a run have taken, as sums: none of them is written over by another source.
#[derive(Debug, Default)]
pub struct Claims(Mutex<HashSet<u64>>);

impl Claims {
    /// Takes a place; false where another file has it. `folding` says that the file system does not tell upper from lower
    /// case.
    pub fn claim(&self, place: &Path, folding: bool) -> bool {
        let key = if folding { sum(&local_name::folded(&place.to_string_lossy())) } else { sum(&place) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }
}

/// The sum that stands for a path: thousands of them are kept.
pub(in crate::transfer) fn sum(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

//! The targets that the sources of a run use, so that no source overwrites what another one has written.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::path::RemotePath;
use crate::sys::local_name;
use crate::transfer::plan::folders::TargetFolder;

/// The targets of sources whose contents go to the same folders. Without it, a source would treat the files of another
/// one as existing before the run, or overwrite them.
#[derive(Debug, Default)]
pub struct Merged {
    folders: Mutex<HashMap<RemotePath, Arc<TargetFolder>>>,
    files: Mutex<HashSet<RemotePath>>,
}

impl Merged {
    /// Returns the folder with this path, if another source has added it to the run.
    pub fn folder(&self, path: &RemotePath) -> Option<Arc<TargetFolder>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Adds a folder. Returns false if a file of another source has its path.
    pub fn enter(&self, folder: &Arc<TargetFolder>) -> bool {
        if self.files.lock().unwrap_or_else(PoisonError::into_inner).contains(&folder.path) {
            return false;
        }
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.path.clone(), folder.clone());
        true
    }

    /// Adds a file. Returns false if something of another source has its path.
    pub fn claim(&self, path: RemotePath) -> bool {
        self.folder(&path).is_none() && self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(path)
    }
}

/// The local targets of a run, as hashes, so that no source overwrites the file of another one.
#[derive(Debug, Default)]
pub struct Claims(Mutex<HashSet<u64>>);

impl Claims {
    /// Adds a target. Returns false if another file has it. `folding` if the file system ignores case.
    pub fn claim(&self, place: &Path, folding: bool) -> bool {
        // The file system would treat both names as one file, so they must have one hash.
        let key = if folding { sum(&local_name::folded(&place.to_string_lossy())) } else { sum(&place) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }
}

/// Returns a hash in place of a path, to save memory: a run may have hundreds of thousands.
pub(in crate::transfer) fn sum(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

//! A file with one JSON object per line. Each line is written at once and completely, so that the file is valid and up
//! to date however the program ends.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// A manifest in progress.
#[derive(Debug)]
pub struct Manifest {
    path: PathBuf,
    /// The file, or why it cannot be written.
    state: Mutex<Result<File, io::Error>>,
}

impl Manifest {
    /// Creates a manifest, replacing an existing file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), state: Mutex::new(Ok(File::create(path)?)) })
    }

    /// Adds a line. After a failure, nothing more is written.
    pub fn write(&self, record: &impl Serialize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(file) = state.as_mut() else { return };
        let line = serde_json::to_string(record).map_err(io::Error::from);
        let written = line.and_then(|line| file.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written {
            *state = Err(error);
        }
    }

    /// Adds the last line and flushes the file to the disk.
    pub fn end(&self, record: &impl Serialize) {
        self.write(record);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A pipe or a device cannot be flushed, and need not be.
        let synced =
            state.as_ref().map(|file| file.metadata().is_ok_and(|about| about.is_file()).then(|| file.sync_all()));
        if let Ok(Some(Err(error))) = synced {
            *state = Err(error);
        }
    }

    /// Returns why the manifest is incomplete, if it is.
    pub fn failure(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let error = state.as_ref().err()?;
        Some(format!("the manifest {} is incomplete: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_there_as_soon_as_it_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("manifest");
        std::fs::write(&path, "what was there before").expect("a file");
        let manifest = Manifest::create(&path).expect("a manifest");
        manifest.write(&"one\ntwo");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "\"one\\ntwo\"\n");
        manifest.end(&3);
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "\"one\\ntwo\"\n3\n");
        assert_eq!(manifest.failure(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_reported_at_the_end() {
        let manifest = Manifest::create(Path::new("/dev/full")).expect("a device");
        manifest.write(&1);
        manifest.end(&2);
        assert!(manifest.failure().expect("a failure").starts_with("the manifest /dev/full is incomplete: "));
    }
}

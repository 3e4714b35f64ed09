//! Counts of files, folders and bytes in trees.

use serde_json::{Value, json};

use cells_client::api::Node;

/// The number of files and folders, and the size of the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of files.
    pub files: u64,
    /// The number of folders, including workspaces.
    pub folders: u64,
    /// The size of the files in bytes.
    pub bytes: u64,
}

impl Tally {
    /// Counts one node, without its content.
    pub fn of(node: &Node) -> Self {
        match node.is_folder() {
            true => Self { folders: 1, ..Self::default() },
            false => Self { files: 1, bytes: node.size, ..Self::default() },
        }
    }

    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        self.files += other.files;
        self.folders += other.folders;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// Returns the last line of a JSON stream; `failed` is the number of folders that could not be listed.
    pub fn summary(self, failed: usize) -> Value {
        json!({
            "type": "summary", "schema": 1, "files": self.files, "folders": self.folders, "bytes": self.bytes,
            "failed": failed,
        })
    }
}

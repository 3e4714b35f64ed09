//! What a command that goes through trees has come across.

use serde_json::{Value, json};

use cells_client::api::Node;

/// Files, folders, and the bytes of the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many files.
    pub files: u64,
    /// How many folders, workspaces included.
    pub folders: u64,
    /// The bytes of the files.
    pub bytes: u64,
}

impl Tally {
    /// One node, without what is in it.
    pub fn of(node: &Node) -> Self {
        match node.is_folder() {
            true => Self { folders: 1, ..Self::default() },
            false => Self { files: 1, bytes: node.size, ..Self::default() },
        }
    }

    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.files += other.files;
        self.folders += other.folders;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// The last line of a stream of JSON; `failed` counts what could not be looked at.
    pub fn summary(self, failed: usize) -> Value {
        json!({
            "type": "summary", "schema": 1, "files": self.files, "folders": self.folders, "bytes": self.bytes,
            "failed": failed,
        })
    }
}

//! The record of one file or folder, in JSON, in a manifest, or in words.

use serde::Serialize;

use crate::error::Kind;
use cells_client::transfer::TransferError;
use cells_client::transfer::event::Reason;
use cells_client::transfer::event::{Direction, ItemOutcome, Record};

/// The JSON object of one file (docs/scripting.md).
#[derive(Serialize)]
pub(super) struct FileRecord<'a> {
    r#type: &'static str,
    direction: &'static str,
    source: &'a str,
    target: Option<&'a str>,
    size: Option<u64>,
    status: &'static str,
    reason: Option<&'static str>,
    etag: Option<&'a str>,
    seconds: f64,
    error: Option<FileError>,
}

/// Why a file failed.
#[derive(Serialize)]
struct FileError {
    code: u8,
    kind: &'static str,
    message: String,
}

impl FileError {
    fn new(error: &TransferError) -> Self {
        let kind = Kind::of_transfer(error);
        Self { code: kind.code(), kind: kind.name(), message: error.to_string() }
    }
}

impl<'a> FileRecord<'a> {
    /// Creates the record of a file. In a dry run: of what would happen.
    pub(super) fn new(record: &'a Record, dry_run: bool) -> Self {
        Self {
            r#type: "file",
            direction: direction_word(record.direction),
            source: &record.source,
            target: Some(record.target.as_str()).filter(|target| !target.is_empty()),
            size: record.size,
            status: match record.outcome {
                ItemOutcome::Transferred(_) if dry_run => "planned",
                ItemOutcome::Transferred(_) => "transferred",
                ItemOutcome::Unchanged => "unchanged",
                ItemOutcome::Skipped => "skipped",
                ItemOutcome::Failed(_) => "failed",
            },
            reason: match record.outcome {
                ItemOutcome::Transferred(reason) => Some(reason_word(reason)),
                _ => None,
            },
            etag: record.etag.as_deref(),
            seconds: (record.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
            error: match &record.outcome {
                ItemOutcome::Failed(error) => Some(FileError::new(error)),
                _ => None,
            },
        }
    }

    /// Returns the action in one word: why the file is transferred, or why not.
    pub(super) fn word(&self) -> &'static str {
        self.reason.unwrap_or(self.status)
    }
}

/// Returns the JSON object of a folder that would be created (docs/scripting.md).
pub(super) fn folder_record(direction: Direction, target: &str) -> serde_json::Value {
    serde_json::json!({
        "type": "folder", "direction": direction_word(direction), "target": target, "status": "planned",
    })
}

/// Returns the JSON object of an existing node that was, or would be, moved to the recycle bin (docs/scripting.md).
pub(super) fn recycled_record(path: &str, is_folder: bool, dry_run: bool) -> serde_json::Value {
    serde_json::json!({
        "type": "recycled",
        "path": path,
        "kind": if is_folder { "folder" } else { "file" },
        "status": if dry_run { "planned" } else { "recycled" },
    })
}

fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Upload => "upload",
        Direction::Download => "download",
    }
}

fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::New => "new",
        Reason::Replaces => "replaces",
        Reason::Newer => "newer",
        Reason::Renamed => "renamed",
    }
}

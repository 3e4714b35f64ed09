//! How far a run is at one moment, in words and as JSON.

use std::time::Duration;

use crate::ui::human;

/// What is shown at one moment.
pub(super) struct Snapshot {
    pub(super) files: u64,
    pub(super) found_files: u64,
    pub(super) bytes: u64,
    pub(super) found_bytes: u64,
    pub(super) total_known: bool,
    pub(super) rate: f64,
    pub(super) failed: u64,
    /// Something of unknown length moves: there is no total yet.
    pub(super) open_ended: bool,
}

impl Snapshot {
    /// The share that is done, in whole percent: of the bytes, or of the files where there are none.
    fn percent(&self) -> Option<u64> {
        let share = |done: u64, all: u64| {
            (all > 0).then(|| u64::try_from(u128::from(done) * 100 / u128::from(all)).unwrap_or(100))
        };
        share(self.bytes, self.found_bytes).or_else(|| share(self.files, self.found_files)).filter(|_| self.total_known)
    }

    /// How long the rest takes at the present rate.
    fn eta(&self) -> Option<Duration> {
        let left = self.found_bytes.saturating_sub(self.bytes);
        (self.total_known && self.rate >= 1.0).then(|| Duration::from_secs_f64((left as f64 / self.rate).min(1e8)))
    }

    pub(super) fn line(&self) -> String {
        if self.open_ended && !self.total_known {
            return format!("{}  {}/s", human::bytes(self.bytes), human::bytes(self.rate as u64));
        }
        let so_far = if self.total_known { "" } else { " so far" };
        let mut line = format!(
            "{}/{} files{so_far}  {} / {}",
            human::count(self.files),
            human::count(self.found_files),
            human::bytes(self.bytes),
            human::bytes(self.found_bytes),
        );
        if let Some(percent) = self.percent() {
            line.push_str(&format!("  {percent}%"));
        }
        line.push_str(&format!("  {}/s", human::bytes(self.rate as u64)));
        if let Some(eta) = self.eta() {
            line.push_str(&format!("  eta {}", human::duration(eta)));
        }
        if self.failed > 0 {
            line.push_str(&format!("  {} failed", self.failed));
        }
        line
    }
}

pub(super) fn json_progress(snapshot: &Snapshot) -> serde_json::Value {
    serde_json::json!({
        "type": "progress",
        "files": snapshot.files,
        "files_found": snapshot.found_files,
        "bytes": snapshot.bytes,
        "bytes_found": snapshot.found_bytes,
        "walk_finished": snapshot.total_known,
        "bytes_per_second": snapshot.rate as u64,
        "failed": snapshot.failed,
    })
}

//! The state of a run at one moment, in words and as JSON.

use std::time::Duration;

use crate::ui::human;

/// The minimum width in columns for a reason.
const LEAST_REASON: usize = 20;

/// The state at one moment.
pub(super) struct Snapshot {
    pub(super) files: u64,
    pub(super) found_files: u64,
    pub(super) bytes: u64,
    pub(super) found_bytes: u64,
    pub(super) total_known: bool,
    /// Bytes per second.
    pub(super) rate: f64,
    /// Files per second.
    pub(super) file_rate: f64,
    /// The number of folders created on the server, and of those to create, including created ones.
    pub(super) folders: (u64, u64),
    pub(super) failed: u64,
    /// Whether something of unknown length is transferred, so that there is no total yet.
    pub(super) open_ended: bool,
    /// Why nothing moves, if an attempt has failed and another one follows.
    pub(super) waiting_for: Option<String>,
}

impl Snapshot {
    /// Returns the completed share in percent: of the bytes, or of the files if there are no bytes.
    pub(super) fn percent(&self) -> Option<u64> {
        let share = |done: u64, all: u64| {
            (all > 0).then(|| u64::try_from(u128::from(done) * 100 / u128::from(all)).unwrap_or(100))
        };
        share(self.bytes, self.found_bytes).or_else(|| share(self.files, self.found_files)).filter(|_| self.total_known)
    }

    /// Returns the estimated remaining time: for the bytes, or for the files if these take longer, as small ones do. A
    /// rate of less than one file per second is not meaningful.
    fn eta(&self) -> Option<Duration> {
        let rest = |found: u64, done: u64, rate: f64| {
            let left = found.saturating_sub(done);
            (rate >= 1.0).then(|| (left as f64 / rate).min(1e8))
        };
        let bytes = rest(self.found_bytes, self.bytes, self.rate);
        let files = rest(self.found_files, self.files + self.failed, self.file_rate);
        let seconds = bytes.into_iter().chain(files).reduce(f64::max);
        seconds.filter(|_| self.total_known).map(Duration::from_secs_f64)
    }

    /// Returns the speed and the remaining time, or why there is no progress.
    fn pace(&self) -> Vec<String> {
        if let Some(error) = &self.waiting_for {
            return vec![format!("waiting to retry: {error}")];
        }
        let (made, found) = self.folders;
        if made < found && self.rate < 1.0 && self.file_rate < 1.0 {
            return vec![format!("creating folders {}/{}", human::count(made), human::count(found))];
        }
        let files = (self.file_rate >= 1.0).then(|| format!("{} files/s", human::count(self.file_rate as u64)));
        let eta = self.eta().map(|eta| format!("eta {}", human::duration(eta)));
        std::iter::once(format!("{}/s", human::bytes(self.rate as u64))).chain(files).chain(eta).collect()
    }

    /// Returns as much as fits into this width, most important first.
    pub(super) fn line_within(&self, width: usize) -> String {
        let line = self.line();
        if line.len() <= width || self.open_ended {
            return line;
        }
        let share = self.percent().map_or_else(|| human::bytes(self.bytes), |percent| format!("{percent}%"));
        let files = format!("{}/{} files", human::count(self.files), human::count(self.found_files));
        let failed = (self.failed > 0).then(|| format!("{} failed", self.failed));
        let mut short = share;
        for piece in failed.into_iter().chain(self.pace()).chain([files]) {
            let room = width.saturating_sub(short.len() + 2);
            // The beginning of a reason is better than none.
            if self.waiting_for.is_some() && piece.len() > room && room >= LEAST_REASON {
                return format!("{short}  {piece}");
            }
            if short.len() + 2 + piece.len() <= width {
                short = format!("{short}  {piece}");
            }
        }
        short
    }

    pub(super) fn line(&self) -> String {
        if self.open_ended && !self.total_known {
            return format!("{}  {}", human::bytes(self.bytes), self.pace().join("  "));
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
        line.push_str(&format!("  {}", self.pace().join("  ")));
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
        "folders": snapshot.folders.0,
        "folders_found": snapshot.folders.1,
        "failed": snapshot.failed,
        "waiting_for": snapshot.waiting_for,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_line_keeps_the_most_important_parts() {
        let snapshot = Snapshot {
            files: 60,
            found_files: 122,
            bytes: 100 << 20,
            found_bytes: 200 << 20,
            total_known: true,
            rate: f64::from(10 << 20),
            file_rate: 0.5,
            folders: (1, 1),
            failed: 1,
            open_ended: false,
            waiting_for: None,
        };
        let line = |width| snapshot.line_within(width);
        assert_eq!(line(200), "60/122 files  100 MiB / 200 MiB  50%  10.0 MiB/s  eta 10s  1 failed");
        assert_eq!(line(50), "50%  1 failed  10.0 MiB/s  eta 10s  60/122 files");
        assert_eq!(line(39), "50%  1 failed  10.0 MiB/s  eta 10s");
        assert_eq!(line(12), "50%  eta 10s");
        assert_eq!(line(4), "50%");
        let waiting_for = Some("cannot connect to cells.example: connection refused".to_owned());
        let waiting = Snapshot { waiting_for, ..snapshot };
        let reason = "waiting to retry: cannot connect to cells.example: connection refused";
        assert_eq!(waiting.line_within(200), format!("60/122 files  100 MiB / 200 MiB  50%  {reason}  1 failed"));
        assert_eq!(waiting.line_within(50), format!("50%  1 failed  {reason}"), "to be cut");
        assert_eq!(waiting.line_within(30), "50%  1 failed  60/122 files");
    }

    #[test]
    fn many_small_files_take_as_long_as_their_number_says() {
        let mut snapshot = Snapshot {
            files: 0,
            found_files: 2000,
            bytes: 0,
            found_bytes: 4 << 20,
            total_known: true,
            rate: 0.0,
            file_rate: 0.0,
            folders: (12, 21),
            failed: 0,
            open_ended: false,
            waiting_for: None,
        };
        assert_eq!(snapshot.line(), "0/2,000 files  0 B / 4.0 MiB  0%  creating folders 12/21");
        snapshot = Snapshot { files: 1000, bytes: 3 << 20, rate: f64::from(1 << 20), file_rate: 20.0, ..snapshot };
        let line = "1,000/2,000 files  3.0 MiB / 4.0 MiB  75%  1.0 MiB/s  20 files/s  eta 50s";
        assert_eq!(snapshot.line(), line);
        snapshot = Snapshot { rate: f64::from(1 << 10), ..snapshot };
        assert!(snapshot.line().ends_with("1.0 KiB/s  20 files/s  eta 17m04s"), "{}", snapshot.line());
        snapshot = Snapshot { rate: f64::from(1 << 20), file_rate: 0.2, ..snapshot };
        assert!(snapshot.line().ends_with("75%  1.0 MiB/s  eta 1.0s"), "{}", snapshot.line());
    }
}

//! Progress of a transfer: bars on a terminal, a plain line now and then elsewhere, JSON, or nothing; and the record of
//! each file where one is wanted.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::task::JoinHandle;
use unicode_width::UnicodeWidthChar;

use super::{Ui, escape, human};
use crate::error::Kind;
use crate::transfer::TransferError;
use crate::transfer::event::{Direction, ItemNumber, ItemOutcome, Observer, Record};
use crate::transfer::plan::Reason;

/// How often bars are drawn anew.
const BAR_INTERVAL: Duration = Duration::from_millis(100);
/// How often a plain line is written.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);
/// How often a JSON object is written.
const JSON_INTERVAL: Duration = Duration::from_secs(1);
/// A file gets a line of its own only when it has taken this long: small ones would only flicker.
const SHOWN_AFTER: Duration = Duration::from_millis(500);
/// The most lines of files below the total.
const FILE_LINES: usize = 4;
/// The span over which the rate is smoothed, in seconds.
const SMOOTHING: f64 = 5.0;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// Bars on a terminal, plain lines elsewhere.
    Auto,
    /// Bars.
    Bar,
    /// One line every ten seconds.
    Plain,
    /// One JSON object a second, on standard error.
    Json,
    /// Nothing.
    None,
}

#[derive(Debug)]
struct Active {
    name: String,
    size: u64,
    moved: u64,
    since: Instant,
}

#[derive(Debug, Default)]
struct State {
    found_files: u64,
    found_bytes: u64,
    walk_finished: bool,
    done_files: u64,
    failed: u64,
    folders: u64,
    moved: u64,
    active: BTreeMap<ItemNumber, Active>,
    rate: f64,
}

/// What is shown at one moment.
struct Snapshot {
    files: u64,
    found_files: u64,
    bytes: u64,
    found_bytes: u64,
    total_known: bool,
    rate: f64,
    failed: u64,
}

impl State {
    fn snapshot(&self) -> Snapshot {
        Snapshot {
            files: self.done_files,
            found_files: self.found_files,
            bytes: self.moved.min(self.found_bytes),
            found_bytes: self.found_bytes,
            total_known: self.walk_finished,
            rate: self.rate,
            failed: self.failed,
        }
    }
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

    fn line(&self) -> String {
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

/// Shows a transfer as it goes on.
pub struct Progress {
    ui: Arc<Ui>,
    mode: ProgressMode,
    verbose: bool,
    state: Arc<Mutex<State>>,
    bars: MultiProgress,
    ticker: Mutex<Option<JoinHandle<()>>>,
}

/// The JSON object of one file (docs/scripting.md).
#[derive(Serialize)]
struct FileRecord<'a> {
    r#type: &'static str,
    direction: &'static str,
    source: &'a str,
    target: &'a str,
    size: u64,
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Progress {
    /// Starts to show; `verbose` says every file as it ends. Needs a running runtime.
    pub fn start(ui: Arc<Ui>, mode: ProgressMode, verbose: bool) -> Arc<Self> {
        let mode = match mode {
            ProgressMode::Auto if ui.is_quiet() || ui.is_json() => ProgressMode::None,
            ProgressMode::Auto if ui.stderr_is_terminal() => ProgressMode::Bar,
            ProgressMode::Auto => ProgressMode::Plain,
            other => other,
        };
        let target =
            if mode == ProgressMode::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let progress = Arc::new(Self {
            ui,
            mode,
            verbose,
            state: Arc::default(),
            bars: MultiProgress::with_draw_target(target),
            ticker: Mutex::new(None),
        });
        let interval = match mode {
            ProgressMode::Bar => BAR_INTERVAL,
            ProgressMode::Plain => PLAIN_INTERVAL,
            ProgressMode::Json => JSON_INTERVAL,
            ProgressMode::Auto | ProgressMode::None => return progress,
        };
        let ticking = progress.clone();
        *lock(&progress.ticker) = Some(tokio::spawn(ticking.tick(interval)));
        progress
    }

    /// How many folders were made.
    pub fn folders(&self) -> u64 {
        lock(&self.state).folders
    }

    /// Stops showing and clears the bars away.
    pub fn stop(&self) {
        if let Some(ticker) = lock(&self.ticker).take() {
            ticker.abort();
        }
        // Nothing can be done about a terminal that refuses.
        let _ = self.bars.clear();
    }

    async fn tick(self: Arc<Self>, interval: Duration) {
        let mut lines = Lines::new(self.bars.clone());
        let (mut last_moved, mut last_time) = (0_u64, Instant::now());
        loop {
            tokio::time::sleep(interval).await;
            let (snapshot, files) = {
                let mut state = lock(&self.state);
                let elapsed = last_time.elapsed().as_secs_f64();
                let now = state.moved.saturating_sub(last_moved) as f64 / elapsed.max(1e-3);
                let weight = (elapsed / SMOOTHING).min(1.0);
                state.rate = if state.rate == 0.0 { now } else { state.rate * (1.0 - weight) + now * weight };
                (last_moved, last_time) = (state.moved, Instant::now());
                (state.snapshot(), file_lines(&state))
            };
            match self.mode {
                ProgressMode::Bar => lines.draw(&snapshot.line(), &files, self.ui.width().unwrap_or(80)),
                ProgressMode::Plain => self.ui.status(&format!("progress: {}", snapshot.line())),
                ProgressMode::Json => self.ui.json_status(&json_progress(&snapshot)),
                ProgressMode::Auto | ProgressMode::None => return,
            }
        }
    }

    /// Writes something without tearing the bars apart.
    fn aside(&self, write: impl FnOnce(&Ui)) {
        self.bars.suspend(|| write(&self.ui));
    }
}

fn json_progress(snapshot: &Snapshot) -> serde_json::Value {
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

/// The lines of the files that have been moving for a while, the oldest first.
fn file_lines(state: &State) -> Vec<String> {
    let long = state.active.values().filter(|active| active.since.elapsed() >= SHOWN_AFTER && active.moved > 0);
    long.take(FILE_LINES)
        .map(|active| {
            let percent = (u128::from(active.moved) * 100).checked_div(u128::from(active.size)).unwrap_or(100).min(100);
            format!("  {percent:>3}%  {:>10}  {}", human::bytes(active.size), escape(&active.name))
        })
        .collect()
}

/// The lines on the terminal: the total first, then as many files as there are to show.
struct Lines {
    bars: MultiProgress,
    shown: Vec<ProgressBar>,
    style: ProgressStyle,
}

impl Lines {
    fn new(bars: MultiProgress) -> Self {
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bars, shown: Vec::new(), style }
    }

    fn draw(&mut self, total: &str, files: &[String], width: usize) {
        let wanted = 1 + files.len();
        while self.shown.len() > wanted {
            if let Some(bar) = self.shown.pop() {
                self.bars.remove(&bar);
            }
        }
        while self.shown.len() < wanted {
            let bar = self.bars.add(ProgressBar::new(0));
            bar.set_style(self.style.clone());
            self.shown.push(bar);
        }
        let lines = std::iter::once(total).chain(files.iter().map(String::as_str));
        for (bar, line) in self.shown.iter().zip(lines) {
            bar.set_message(cut(line, width.saturating_sub(1)));
        }
    }
}

/// A line cut to the columns of the terminal; a path loses its middle, since its end tells more.
fn cut(line: &str, width: usize) -> String {
    let columns = |text: &str| text.chars().map(|character| character.width().unwrap_or(0)).sum::<usize>();
    if columns(line) <= width {
        return line.to_owned();
    }
    let head_width = width.saturating_sub(1) / 2;
    let mut used = 0;
    let head: String = line
        .chars()
        .take_while(|character| {
            used += character.width().unwrap_or(0);
            used <= head_width
        })
        .collect();
    let tail_width = width.saturating_sub(columns(&head) + 1);
    let mut used = 0;
    let tail: Vec<char> = line
        .chars()
        .rev()
        .take_while(|character| {
            used += character.width().unwrap_or(0);
            used <= tail_width
        })
        .collect();
    head + "…" + &tail.into_iter().rev().collect::<String>()
}

fn status_word(outcome: &ItemOutcome) -> &'static str {
    match outcome {
        ItemOutcome::Transferred(_) => "transferred",
        ItemOutcome::Unchanged => "unchanged",
        ItemOutcome::Skipped => "skipped",
        ItemOutcome::Failed(_) => "failed",
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

impl Observer for Progress {
    fn found(&self, bytes: u64) {
        let mut state = lock(&self.state);
        state.found_files += 1;
        state.found_bytes += bytes;
    }

    fn walk_finished(&self) {
        lock(&self.state).walk_finished = true;
    }

    fn folder_made(&self, path: &str) {
        lock(&self.state).folders += 1;
        if self.verbose {
            self.aside(|ui| ui.status(&format!("folder {path}")));
        }
    }

    fn item_started(&self, item: ItemNumber, name: &str, bytes: u64) {
        let active = Active { name: name.to_owned(), size: bytes, moved: 0, since: Instant::now() };
        lock(&self.state).active.insert(item, active);
    }

    fn bytes(&self, item: ItemNumber, count: u64) {
        let mut state = lock(&self.state);
        state.moved += count;
        if let Some(active) = state.active.get_mut(&item) {
            active.moved += count;
        }
    }

    fn bytes_lost(&self, item: ItemNumber, count: u64) {
        let mut state = lock(&self.state);
        state.moved = state.moved.saturating_sub(count);
        if let Some(active) = state.active.get_mut(&item) {
            active.moved = active.moved.saturating_sub(count);
        }
    }

    fn item_restarted(&self, item: ItemNumber) {
        let mut state = lock(&self.state);
        let lost = state.active.get_mut(&item).map_or(0, |active| std::mem::take(&mut active.moved));
        state.moved = state.moved.saturating_sub(lost);
    }

    fn item_retried(&self, _item: ItemNumber, name: &str, attempt: u32, error: &dyn Display, pause: Duration) {
        if self.verbose {
            let seconds = pause.as_secs_f64();
            let text = format!("{name}: attempt {attempt} failed, trying again in {seconds:.1} s: {error}");
            self.aside(|ui| ui.status(&text));
        }
    }

    fn item_postponed(&self, item: ItemNumber) {
        lock(&self.state).active.remove(&item);
    }

    fn item_done(&self, item: ItemNumber, record: &Record) {
        {
            let mut state = lock(&self.state);
            state.active.remove(&item);
            match record.outcome {
                ItemOutcome::Failed(_) => state.failed += 1,
                // What need not move counts as moved, or the end would never be reached.
                ItemOutcome::Unchanged | ItemOutcome::Skipped => state.moved += record.size,
                ItemOutcome::Transferred(_) => {}
            }
            state.done_files += u64::from(!matches!(record.outcome, ItemOutcome::Failed(_)));
        }
        if self.ui.is_json() {
            let record = FileRecord {
                r#type: "file",
                direction: if record.direction == Direction::Upload { "upload" } else { "download" },
                source: &record.source,
                target: &record.target,
                size: record.size,
                status: status_word(&record.outcome),
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
            };
            // A reader that has gone is noticed when the summary is written.
            self.aside(|ui| drop(ui.json_line(&record)));
        } else if self.verbose && !matches!(record.outcome, ItemOutcome::Failed(_)) {
            let word = match record.outcome {
                ItemOutcome::Transferred(reason) => reason_word(reason),
                ref other => status_word(other),
            };
            self.aside(|ui| ui.status(&format!("{word} {} -> {}", record.source, record.target)));
        }
    }

    fn notice(&self, path: &str, text: &str) {
        self.aside(|ui| ui.warn(&format!("{path}: {text}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_so_far_until_the_walk_has_ended() {
        let mut state = State { found_files: 2, found_bytes: 100, moved: 50, rate: 10.0, ..State::default() };
        let line = state.snapshot().line();
        assert!(line.contains("so far") && !line.contains('%') && !line.contains("eta"), "{line}");
        state.walk_finished = true;
        let line = state.snapshot().line();
        assert!(line.contains("50%") && line.contains("eta"), "{line}");
    }

    #[test]
    fn long_lines_lose_their_middle() {
        assert_eq!(cut("short", 10), "short");
        let line = cut("0123456789abcdef", 9);
        assert_eq!(line, "0123…cdef");
        assert_eq!(cut("日本語日本語", 7), "日…本語");
    }
}

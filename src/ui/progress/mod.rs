//! Progress of a transfer: bars on a terminal, a plain line at intervals elsewhere, JSON, or nothing; and the record of
//! each file, if requested.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{OutputError, Ui, human};
use crate::ui::manifest::Manifest;
use cells_client::transfer::TransferError;
use cells_client::transfer::event::{Direction, ItemNumber, ItemOutcome, Notice, Observer, Record};

mod lines;
mod record;
mod snapshot;

use lines::{Line, Lines, file_lines};
use record::{FileRecord, folder_record, recycled_record};
use snapshot::{Snapshot, json_progress};

/// The interval between two drawings of the bars.
const BAR_INTERVAL: Duration = Duration::from_millis(100);
/// The interval between two plain lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);
/// The interval between two JSON objects.
const JSON_INTERVAL: Duration = Duration::from_secs(1);
/// The time over which the rate is smoothed, in seconds.
const SMOOTHING: f64 = 5.0;

/// The form of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// Bars on a terminal, plain lines elsewhere.
    Auto,
    /// Bars.
    Bar,
    /// One line every ten seconds.
    Plain,
    /// One JSON object per second, on standard error.
    Json,
    /// Nothing.
    None,
}

/// What to show of a run.
#[derive(Debug)]
pub struct Show {
    /// The form of progress.
    pub mode: ProgressMode,
    /// Print each file when it ends, and each retry.
    pub verbose: bool,
    /// A dry run, whose result is the plan.
    pub dry_run: bool,
    /// Whether contents are written to standard output, so that nothing else may be.
    pub contents: bool,
    /// The file that records each item.
    pub manifest: Option<Manifest>,
    /// Canceled if the reader of the plan has gone.
    pub stop: CancellationToken,
}

impl Show {
    /// Whether the record of each file is printed as JSON on standard output.
    fn is_json(&self, ui: &Ui) -> bool {
        ui.is_json() && (self.dry_run || !self.contents)
    }
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
    /// Whether the run reads something of unknown length.
    open_ended: bool,
    done_files: u64,
    failed: u64,
    folders: u64,
    /// The number of files and folders that the filter leaves out.
    excluded: u64,
    /// The number of folders to create on the server, including created ones.
    found_folders: u64,
    /// The number of bytes that have moved.
    moved: u64,
    /// The number of bytes that need not move. They count as done, otherwise the end would never be reached, but not as
    /// speed.
    settled: u64,
    /// Why the last attempt failed, if nothing has moved since then.
    trouble: Option<String>,
    active: BTreeMap<ItemNumber, Active>,
    /// Bytes per second.
    rate: f64,
    /// Files per second.
    file_rate: f64,
}

impl State {
    /// Returns the number of files that are complete.
    fn ended_files(&self) -> u64 {
        self.done_files + self.failed
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            files: self.done_files,
            found_files: self.found_files,
            bytes: (self.moved + self.settled).min(self.found_bytes),
            found_bytes: self.found_bytes,
            total_known: self.walk_finished,
            rate: self.rate,
            file_rate: self.file_rate,
            folders: (self.folders, self.found_folders),
            failed: self.failed,
            open_ended: self.open_ended,
            waiting_for: self.trouble.clone(),
        }
    }
}

/// Shows a transfer while it runs.
pub struct Progress {
    ui: Arc<Ui>,
    show: Show,
    state: Arc<Mutex<State>>,
    bars: MultiProgress,
    ticker: Mutex<Option<JoinHandle<()>>>,
    /// The drawing; `None` once it has stopped. Locked while something is written.
    screen: Mutex<Option<Lines>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Progress {
    /// Starts the display. Requires a running runtime.
    pub fn start(ui: Arc<Ui>, show: Show) -> Arc<Self> {
        let mode = match show.mode {
            ProgressMode::Auto if ui.is_quiet() || ui.is_json() => ProgressMode::None,
            ProgressMode::Auto if ui.moves() => ProgressMode::Bar,
            ProgressMode::Auto => ProgressMode::Plain,
            other => other,
        };
        ui.leave_to_bars();
        let target = if mode == ProgressMode::Bar { ui.canvas() } else { ProgressDrawTarget::hidden() };
        let progress = Arc::new(Self::on(target, ui, Show { mode, ..show }));
        let interval = match mode {
            ProgressMode::Bar => BAR_INTERVAL,
            ProgressMode::Plain => PLAIN_INTERVAL,
            ProgressMode::Json => JSON_INTERVAL,
            ProgressMode::Auto | ProgressMode::None => return progress,
        };
        let cleared = Arc::downgrade(&progress);
        progress.ui.before_exit(move || {
            if let Some(progress) = cleared.upgrade() {
                progress.stop();
            }
        });
        let ticking = progress.clone();
        *lock(&progress.ticker) = Some(tokio::spawn(ticking.tick(interval)));
        progress
    }

    fn on(target: ProgressDrawTarget, ui: Arc<Ui>, show: Show) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        let screen = Mutex::new(Some(Lines::new(bars.clone())));
        Self { ui, show, state: Arc::default(), bars, ticker: Mutex::new(None), screen }
    }

    /// Whether records and summary are printed as JSON on standard output.
    pub fn is_json(&self) -> bool {
        self.show.is_json(&self.ui)
    }

    /// Returns the number of created folders.
    pub fn folders(&self) -> u64 {
        lock(&self.state).folders
    }

    /// Returns the number of files and folders that the filter leaves out. The content of such a folder is unknown.
    pub fn excluded(&self) -> u64 {
        lock(&self.state).excluded
    }

    /// Adds the last line to the manifest, if there is one.
    pub fn end_manifest(&self, summary: &serde_json::Value) {
        if let Some(manifest) = &self.show.manifest {
            manifest.end(summary);
        }
    }

    /// Returns why the manifest is incomplete, if it is.
    pub fn manifest_failure(&self) -> Option<String> {
        self.show.manifest.as_ref()?.failure()
    }

    /// Stops the display and clears the bars.
    pub fn stop(&self) {
        if let Some(ticker) = lock(&self.ticker).take() {
            ticker.abort();
        }
        // The lock waits for a drawing in progress, so that nothing is drawn after this.
        if let Some(mut lines) = lock(&self.screen).take() {
            lines.clear();
        }
    }

    async fn tick(self: Arc<Self>, interval: Duration) {
        let begun = Instant::now();
        let (mut last_moved, mut last_ended, mut last_time) = (0_u64, 0_u64, begun);
        loop {
            tokio::time::sleep(interval).await;
            {
                let mut state = lock(&self.state);
                let elapsed = last_time.elapsed().as_secs_f64();
                let now = |count: u64, last: u64| count.saturating_sub(last) as f64 / elapsed.max(1e-3);
                // Until there is a complete interval to smooth over, this is the plain average.
                let weight = (elapsed / SMOOTHING.min(begun.elapsed().as_secs_f64())).min(1.0);
                let ended = state.ended_files();
                state.rate = state.rate * (1.0 - weight) + now(state.moved, last_moved) * weight;
                state.file_rate = state.file_rate * (1.0 - weight) + now(ended, last_ended) * weight;
                (last_moved, last_ended, last_time) = (state.moved, ended, Instant::now());
            }
            if !self.show_now() {
                return;
            }
        }
    }

    /// Shows the present state. Returns false once the display has stopped.
    fn show_now(&self) -> bool {
        let (snapshot, files) = {
            let state = lock(&self.state);
            (state.snapshot(), file_lines(&state))
        };
        let mut screen = lock(&self.screen);
        let Some(lines) = screen.as_mut() else { return false };
        match self.show.mode {
            ProgressMode::Bar => {
                let width = self.ui.width().unwrap_or(80);
                let total = Line { percent: snapshot.percent(), text: snapshot.line_within(lines::room(width)) };
                lines.draw(total, files, width);
            }
            ProgressMode::Plain => self.ui.status(&format!("progress: {}", snapshot.line())),
            ProgressMode::Json => self.ui.json_status(&json_progress(&snapshot)),
            ProgressMode::Auto | ProgressMode::None => return false,
        }
        true
    }

    /// Prints a line of the plan, the result of a dry run: for people, or as columns.
    fn plan_line(&self, word: &str, source: Option<&str>, target: &str, size: Option<u64>) {
        self.result(|ui| {
            ui.line(&if ui.stdout_is_terminal() {
                let from = source.map(|source| format!("{} -> ", ui.shown(source))).unwrap_or_default();
                let size = size.map(|size| format!("  ({})", human::bytes(size))).unwrap_or_default();
                format!("{word:<9} {from}{}{size}", ui.shown(target))
            } else {
                let size = size.map_or_else(|| "-".to_owned(), |size| size.to_string());
                format!("{word}\t{}\t{target}\t{size}", source.unwrap_or("-"))
            })
        });
    }

    /// Writes a result. If the reader has gone, a dry run stops; a transfer continues, and the failure shows when the
    /// summary is written.
    fn result(&self, write: impl FnOnce(&Ui) -> Result<(), OutputError>) {
        self.aside(|ui| {
            if write(ui).is_err() && self.show.dry_run {
                self.show.stop.cancel();
            }
        });
    }

    /// Records an object in the manifest, and prints it as JSON if requested.
    fn record(&self, record: &impl Serialize) {
        if let Some(manifest) = &self.show.manifest {
            manifest.write(record);
        }
        if self.show.is_json(&self.ui) {
            self.result(|ui| ui.json_line(record));
        }
    }

    /// Prints what is being done, between the bars and earlier messages.
    pub fn say(&self, text: &str) {
        self.aside(|ui| ui.status(text));
    }

    /// Writes something without disturbing the bars.
    fn aside(&self, write: impl FnOnce(&Ui)) {
        self.bars.suspend(|| write(&self.ui));
    }
}

impl Observer for Progress {
    fn found(&self, bytes: u64) {
        let mut state = lock(&self.state);
        state.found_files += 1;
        state.found_bytes = state.found_bytes.saturating_add(bytes);
    }

    fn grew(&self, item: ItemNumber, bytes: u64) {
        let mut state = lock(&self.state);
        state.open_ended = true;
        state.found_bytes = state.found_bytes.saturating_add(bytes);
        if let Some(active) = state.active.get_mut(&item) {
            active.size = active.size.saturating_add(bytes);
        }
    }

    fn excluded(&self, path: &str) {
        lock(&self.state).excluded += 1;
        if self.show.verbose {
            self.say(&format!("excluded {path}"));
        }
    }

    fn walk_finished(&self) {
        lock(&self.state).walk_finished = true;
    }

    fn folder_found(&self) {
        lock(&self.state).found_folders += 1;
    }

    fn folder_made(&self, direction: Direction, path: &str) {
        lock(&self.state).folders += 1;
        if self.show.dry_run && self.ui.is_json() {
            self.result(|ui| ui.json_line(&folder_record(direction, path)));
        } else if self.show.dry_run {
            self.plan_line("folder", None, path, None);
        } else if self.show.verbose {
            self.aside(|ui| ui.status(&format!("folder {path}")));
        }
    }

    fn recycled(&self, path: &str, is_folder: bool) {
        self.record(&recycled_record(path, is_folder, self.show.dry_run));
        if self.ui.is_json() {
            return;
        }
        if self.show.dry_run {
            self.plan_line("recycled", None, path, None);
        } else {
            self.aside(|ui| ui.status(&format!("moved to the recycle bin: {path}")));
        }
    }

    fn item_started(&self, item: ItemNumber, name: &str, bytes: u64) {
        let active = Active { name: name.to_owned(), size: bytes, moved: 0, since: Instant::now() };
        lock(&self.state).active.insert(item, active);
    }

    fn bytes(&self, item: ItemNumber, count: u64) {
        let mut state = lock(&self.state);
        state.moved += count;
        state.trouble = None;
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
        lock(&self.state).trouble = Some(error.to_string());
        if self.show.verbose {
            let seconds = pause.as_secs_f64();
            let text = format!("{name}: attempt {attempt} failed, retrying in {seconds:.1} s: {error}");
            self.aside(|ui| ui.status(&text));
        }
    }

    fn item_resumed(&self, _item: ItemNumber, name: &str, bytes: u64, total: u64) {
        let (bytes, total) = (human::bytes(bytes), human::bytes(total));
        self.aside(|ui| ui.status(&format!("resuming {name}: {bytes} of {total} are already there")));
    }

    fn item_sent(&self, item: ItemNumber) {
        lock(&self.state).active.remove(&item);
    }

    fn item_postponed(&self, item: ItemNumber) {
        lock(&self.state).active.remove(&item);
    }

    fn item_done(&self, item: ItemNumber, record: &Record) {
        {
            let mut state = lock(&self.state);
            state.active.remove(&item);
            match record.outcome {
                // A canceled item has not failed.
                ItemOutcome::Failed(TransferError::Cancelled) => {}
                ItemOutcome::Failed(_) => state.failed += 1,
                ItemOutcome::Unchanged | ItemOutcome::Skipped => {
                    state.settled = state.settled.saturating_add(record.size.unwrap_or(0));
                }
                ItemOutcome::Transferred(_) => {}
            }
            if !matches!(record.outcome, ItemOutcome::Failed(_)) {
                state.done_files += 1;
                state.trouble = None;
            }
        }
        let shown = FileRecord::new(record, self.show.dry_run);
        self.record(&shown);
        // Failed items are listed at the end.
        if self.ui.is_json() || matches!(record.outcome, ItemOutcome::Failed(_)) {
            return;
        }
        if self.show.dry_run {
            self.plan_line(shown.word(), Some(&record.source), &record.target, record.size);
        } else if self.show.verbose {
            self.aside(|ui| ui.status(&format!("{} {} -> {}", shown.word(), record.source, record.target)));
        }
    }

    fn notice(&self, path: &str, notice: Notice) {
        let advice = if notice == Notice::LeadsOut { "; use --links skip to leave links out" } else { "" };
        self.aside(|ui| ui.warn(&format!("{path}: {notice}{advice}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::OutputSettings;
    use crate::ui::streams::recorded::Recorded;

    fn record(size: u64, outcome: ItemOutcome) -> Record {
        Record {
            direction: Direction::Upload,
            source: "source".to_owned(),
            target: "target".to_owned(),
            size: Some(size),
            etag: None,
            outcome,
            elapsed: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn skipped_bytes_do_not_count_as_speed_nor_canceled_items_as_failures() {
        let show = Show {
            mode: ProgressMode::None,
            verbose: false,
            dry_run: false,
            contents: false,
            manifest: None,
            stop: CancellationToken::new(),
        };
        let progress = Progress::start(Recorded::pipes(&OutputSettings::default(), "").ui(), show);
        progress.found(80);
        progress.found(20);
        progress.walk_finished();
        progress.item_done(1, &record(80, ItemOutcome::Unchanged));
        progress.item_done(2, &record(20, ItemOutcome::Failed(TransferError::Cancelled)));
        let mut state = lock(&progress.state);
        assert_eq!((state.moved, state.failed), (0, 0));
        state.rate = 10.0;
        assert_eq!(state.snapshot().line(), "1/2 files  80 B / 100 B  80%  10 B/s  eta 2.0s");
    }

    /// A terminal that records what is done to it.
    #[derive(Debug, Clone, Default)]
    struct Recorder(Arc<Mutex<Vec<String>>>);

    impl Recorder {
        fn note(&self, what: impl Into<String>) -> std::io::Result<()> {
            lock(&self.0).push(what.into());
            Ok(())
        }
    }

    impl indicatif::TermLike for Recorder {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.note(text)
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.note(text)
        }
        fn clear_line(&self) -> std::io::Result<()> {
            self.note("clear")
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn once_stopped_nothing_is_drawn_any_more() {
        let terminal = Recorder::default();
        let ui = Recorded::terminal(&OutputSettings::default(), "").ui();
        let show = Show {
            mode: ProgressMode::Bar,
            verbose: false,
            dry_run: false,
            contents: false,
            manifest: None,
            stop: CancellationToken::new(),
        };
        let progress = Progress::on(ProgressDrawTarget::term_like(Box::new(terminal.clone())), ui, show);
        progress.found(100);
        progress.item_started(1, "some-file", 100);
        progress.bytes(1, 96);
        if let Some(active) = lock(&progress.state).active.get_mut(&1) {
            active.since -= Duration::from_secs(60);
        }
        assert!(progress.show_now());
        let drawn = lock(&terminal.0).join("\n");
        assert!(drawn.contains("some-file") && drawn.contains("=>"), "{drawn}");
        progress.stop();
        let at_the_end = lock(&terminal.0).len();
        assert_eq!(lock(&terminal.0).last().map(String::as_str), Some("clear"), "{:?}", terminal.0);
        assert!(!progress.show_now());
        drop(progress);
        assert_eq!(lock(&terminal.0).len(), at_the_end, "{:?}", terminal.0);
    }

    #[test]
    fn totals_are_so_far_until_the_walk_has_ended() {
        let mut state = State { found_files: 2, found_bytes: 100, moved: 50, rate: 10.0, ..State::default() };
        let line = state.snapshot().line();
        assert!(line.contains("so far") && !line.contains('%') && !line.contains("eta"), "{line}");
        state.walk_finished = true;
        let line = state.snapshot().line();
        assert!(line.contains("50%") && line.contains("eta"), "{line}");
    }
}

//! Shows what the program is waiting for: a moving line on a terminal, a plain line at intervals elsewhere. Short waits
//! show nothing.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

use super::{Ui, escape, human, lock};

/// The minimum time before a wait is shown, and after the last output.
const SHOWN_AFTER: Duration = Duration::from_millis(500);
/// The interval between two movements of the line.
const BAR_INTERVAL: Duration = Duration::from_millis(100);
/// The interval between two plain lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// The last line on the terminal, if it shows a wait. Any other output clears it first.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the program is waiting for, innermost last.
    reasons: Vec<Reason>,
    /// The number of prompts and progress bars that use the terminal.
    held: usize,
    /// When the terminal was last written to.
    idle_since: Instant,
    /// Whether the cursor is behind text that must not be overwritten.
    in_a_line: bool,
    /// The drawn line.
    bar: Option<ProgressBar>,
    /// The number of entries that listings have received.
    entries: Option<Arc<AtomicU64>>,
}

#[derive(Debug)]
struct Reason {
    id: u64,
    since: Instant,
    text: String,
}

impl Default for Board {
    fn default() -> Self {
        let (reasons, idle_since) = (Vec::new(), Instant::now());
        let state = State { reasons, held: 0, idle_since, in_a_line: false, bar: None, entries: None };
        Self { state: Mutex::new(state) }
    }
}

impl State {
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Returns what to show at this moment, and when that wait started.
    fn shown(&self, now: Instant) -> Option<(String, Instant)> {
        let reason = self.reasons.last()?;
        let idle = now.saturating_duration_since(self.idle_since.max(reason.since));
        if self.held > 0 || self.in_a_line || idle < SHOWN_AFTER {
            return None;
        }
        let mut text = escape(&reason.text).into_owned();
        let entries = self.entries.as_ref().map_or(0, |entries| entries.load(Ordering::Relaxed));
        // A job has its own measure of progress.
        if entries > 0 && self.reasons.len() == 1 {
            text.push_str(&format!("  {} entries so far", human::count(entries)));
        }
        Some((text, reason.since))
    }

    fn draw(&mut self, canvas: impl FnOnce() -> ProgressDrawTarget) {
        let Some((text, since)) = self.shown(Instant::now()) else { return };
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}  {prefix}");
            let bar = ProgressBar::with_draw_target(None, canvas());
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        bar.set_prefix(human::duration(since.elapsed()));
        bar.set_message(text);
        bar.tick();
    }
}

impl Board {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Clears the line, because something else is about to be written; `ends_line` is whether it ends with a newline.
    pub(super) fn make_room(&self, ends_line: bool) {
        let mut state = self.state();
        state.clear();
        (state.idle_since, state.in_a_line) = (Instant::now(), !ends_line);
    }

    /// Keeps the terminal free until [`Board::release`].
    fn hold(&self) {
        let mut state = self.state();
        state.clear();
        state.held += 1;
    }

    fn release(&self) {
        let mut state = self.state();
        state.held = state.held.saturating_sub(1);
        (state.idle_since, state.in_a_line) = (Instant::now(), false);
    }
}

/// Keeps the terminal free until it is dropped.
pub(crate) struct Held<'a>(&'a Board);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl Ui {
    /// Keeps the terminal free for a prompt or another program.
    pub(crate) fn hold_waiting(&self) -> Held<'_> {
        self.board.hold();
        Held(&self.board)
    }

    /// Keeps the terminal free for progress bars from now on.
    pub(super) fn leave_to_bars(&self) {
        self.board.hold();
    }

    /// Shows the number of received entries while the program waits for listings.
    pub fn count_entries(&self, entries: Arc<AtomicU64>) {
        self.board.state().entries = Some(entries);
    }
}

/// Shows a wait until it is dropped.
pub struct Waiting {
    ui: Arc<Ui>,
    id: u64,
    _ticker: Option<AbortOnDropHandle<()>>,
}

impl Waiting {
    /// Starts to show `what` (`copying 3 items`): on a terminal, and as plain lines elsewhere. Requires a running
    /// runtime.
    pub fn start(ui: &Arc<Ui>, what: &str) -> Self {
        Self::begin(ui, what, true)
    }

    /// Starts to show `what` (`listing users`), only on a terminal. Requires a running runtime.
    pub fn on_terminal(ui: &Arc<Ui>, what: &str) -> Self {
        Self::begin(ui, what, false)
    }

    fn begin(ui: &Arc<Ui>, what: &str, plain: bool) -> Self {
        let mut state = ui.board.state();
        let id = state.reasons.last().map_or(0, |reason| reason.id + 1);
        state.reasons.push(Reason { id, since: Instant::now(), text: what.to_owned() });
        // A moving line would disturb a log on the same terminal.
        let logs = ui.settings.log.is_some() && ui.settings.log_file.is_none();
        let ticker = if ui.is_quiet() || ui.is_json() {
            None
        } else if ui.moves() && !logs {
            (id == 0).then(|| tokio::spawn(draw(Arc::clone(ui))))
        } else {
            plain.then(|| tokio::spawn(write(Arc::clone(ui), id)))
        };
        drop(state);
        Self { ui: Arc::clone(ui), id, _ticker: ticker.map(AbortOnDropHandle::new) }
    }

    /// Shows the present step, and its progress from 0 to 1, if known.
    pub fn say(&self, what: &str, message: &str, share: Option<f64>) {
        let mut line = what.to_owned();
        if let Some(share) = share.filter(|share| *share > 0.0) {
            line.push_str(&format!("  {:.0}%", share.min(1.0) * 100.0));
        }
        if !message.is_empty() {
            line.push_str("  ");
            line.push_str(&without_breaks(message));
        }
        let mut state = self.ui.board.state();
        if let Some(reason) = state.reasons.iter_mut().find(|reason| reason.id == self.id) {
            reason.text = line;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.ui.board.state();
        state.reasons.retain(|reason| reason.id != self.id);
        state.clear();
        state.idle_since = Instant::now();
    }
}

async fn draw(ui: Arc<Ui>) {
    loop {
        tokio::time::sleep(BAR_INTERVAL).await;
        ui.board.state().draw(|| ui.canvas());
    }
}

async fn write(ui: Arc<Ui>, id: u64) {
    let begun = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(PLAIN_INTERVAL).await;
        let text = ui.board.state().reasons.iter().find(|reason| reason.id == id).map(|reason| reason.text.clone());
        if let Some(text) = text {
            ui.status(&format!("{text}  {}", human::duration(begun.elapsed())));
        }
    }
}

fn without_breaks(text: &str) -> Cow<'_, str> {
    if text.contains('\n') { Cow::Owned(text.replace('\n', " ")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::streams::recorded::Recorded;

    fn shown(board: &Board, later: Duration) -> Option<String> {
        board.state().shown(Instant::now() + later).map(|(text, _)| text)
    }

    #[tokio::test]
    async fn a_wait_is_shown_after_a_time_without_output() {
        let ui = Recorded::terminal(&crate::settings::OutputSettings::default(), "").ui();
        let (board, later) = (&ui.board, 2 * SHOWN_AFTER);
        assert_eq!(shown(board, later), None);
        let outer = Waiting::on_terminal(&ui, "listing");
        assert_eq!(shown(board, Duration::ZERO), None, "not at once");
        assert_eq!(shown(board, later).as_deref(), Some("listing"));
        let entries = Arc::new(AtomicU64::new(1500));
        ui.count_entries(entries);
        assert_eq!(shown(board, later).as_deref(), Some("listing  1,500 entries so far"));
        let inner = Waiting::start(&ui, "copying a\u{1b}");
        assert_eq!(shown(board, later).as_deref(), Some("copying a\\u{1b}"));
        inner.say("copying a", "half\nway", Some(0.5));
        assert_eq!(shown(board, later).as_deref(), Some("copying a  50%  half way"));
        drop(inner);
        board.make_room(false);
        assert_eq!(shown(board, later), None, "a line is not ended");
        board.make_room(true);
        assert_eq!(shown(board, Duration::ZERO), None);
        assert!(shown(board, later).is_some());
        let held = ui.hold_waiting();
        assert_eq!(shown(board, later), None, "a question is open");
        drop(held);
        assert!(shown(board, later).is_some());
        drop(outer);
        assert_eq!(shown(board, later), None);
    }
}

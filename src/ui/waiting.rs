//! What is shown while the server works: a line that moves on a terminal, a plain line now and then elsewhere. Nothing
//! at all of what is done at once.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

use super::{Ui, escape, human};

/// What takes less than this is not worth a line.
const SHOWN_AFTER: Duration = Duration::from_millis(500);
/// How often a line on a terminal moves.
const BAR_INTERVAL: Duration = Duration::from_millis(100);
/// How often a plain line is written.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Shows that something is being waited for, as long as it lives.
#[derive(Debug)]
pub struct Waiting {
    bar: ProgressBar,
    latest: Arc<Mutex<String>>,
    _ticker: Option<AbortOnDropHandle<()>>,
}

impl Waiting {
    /// Starts to show `what` (`copying 3 items`). Needs a running runtime.
    pub fn start(ui: &Arc<Ui>, what: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let latest = Arc::new(Mutex::new(what.to_owned()));
        let ticker = if ui.is_quiet() || ui.is_json() {
            None
        } else if ui.stderr_is_terminal() {
            Some(tokio::spawn(draw(bar.clone())))
        } else {
            Some(tokio::spawn(write(Arc::clone(ui), Arc::clone(&latest))))
        };
        let waiting = Self { bar, latest, _ticker: ticker.map(AbortOnDropHandle::new) };
        waiting.show(what.to_owned());
        let shown = waiting.bar.clone();
        ui.before_exit(move || shown.finish_and_clear());
        waiting
    }

    /// What is being done now, and how far it is (0 to 1), where that is known.
    pub fn say(&self, what: &str, message: &str, share: Option<f64>) {
        let mut line = what.to_owned();
        if let Some(share) = share.filter(|share| *share > 0.0) {
            line.push_str(&format!("  {:.0}%", share.min(1.0) * 100.0));
        }
        if !message.is_empty() {
            line.push_str("  ");
            line.push_str(&without_breaks(message));
        }
        self.show(line);
    }

    fn show(&self, line: String) {
        self.bar.set_message(escape(&line).into_owned());
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

async fn draw(bar: ProgressBar) {
    tokio::time::sleep(SHOWN_AFTER).await;
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}  {elapsed}") {
        bar.set_style(style);
    }
    bar.set_draw_target(ProgressDrawTarget::stderr());
    loop {
        bar.tick();
        tokio::time::sleep(BAR_INTERVAL).await;
    }
}

async fn write(ui: Arc<Ui>, latest: Arc<Mutex<String>>) {
    let begun = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(PLAIN_INTERVAL).await;
        let line = latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ui.status(&format!("{line}  {}", human::duration(begun.elapsed())));
    }
}

fn without_breaks(text: &str) -> Cow<'_, str> {
    if text.contains('\n') { Cow::Owned(text.replace('\n', " ")) } else { Cow::Borrowed(text) }
}

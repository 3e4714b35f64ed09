//! Drawing: the lines of a terminal, and what fits on them.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use unicode_width::UnicodeWidthChar;

use super::State;
use crate::ui::{escape, human};

/// A file gets a line of its own only when it has taken this long: small ones would only flicker.
const SHOWN_AFTER: Duration = Duration::from_millis(500);

/// The most lines of files below the total.
const FILE_LINES: usize = 4;

/// The lines of the files that have been moving for a while, the oldest first.
pub(super) fn file_lines(state: &State) -> Vec<String> {
    if state.open_ended {
        return Vec::new();
    }
    let long = state.active.values().filter(|active| active.since.elapsed() >= SHOWN_AFTER && active.moved > 0);
    long.take(FILE_LINES)
        .map(|active| {
            let percent = (u128::from(active.moved) * 100).checked_div(u128::from(active.size)).unwrap_or(100).min(100);
            format!("  {percent:>3}%  {:>10}  {}", human::bytes(active.size), escape(&active.name))
        })
        .collect()
}

/// The lines on the terminal: the total first, then as many files as there are to show.
pub(super) struct Lines {
    bars: MultiProgress,
    shown: Vec<ProgressBar>,
    style: ProgressStyle,
}

impl Lines {
    pub(super) fn new(bars: MultiProgress) -> Self {
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bars, shown: Vec::new(), style }
    }

    /// Clears all lines away. A bar that is not finished would draw the others once more when it is dropped, whenever that
    /// is: a stale line above what is written by then.
    pub(super) fn clear(&mut self) {
        for bar in self.shown.drain(..) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        // Nothing can be done about a terminal that refuses.
        let _ = self.bars.clear();
    }

    pub(super) fn draw(&mut self, total: &str, files: &[String], width: usize) {
        let wanted = 1 + files.len();
        while self.shown.len() > wanted {
            if let Some(bar) = self.shown.pop() {
                bar.finish_and_clear();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_lose_their_middle() {
        assert_eq!(cut("short", 10), "short");
        let line = cut("0123456789abcdef", 9);
        assert_eq!(line, "0123…cdef");
        assert_eq!(cut("日本語日本語", 7), "日…本語");
    }
}

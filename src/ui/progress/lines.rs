//! Drawing: the lines on a terminal, and what fits into them.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use unicode_width::UnicodeWidthChar;

use super::State;
use crate::ui::{escape, human};

/// A file gets its own line after this time. Small files would only flicker.
const SHOWN_AFTER: Duration = Duration::from_millis(500);

/// The maximum number of file lines below the total.
const FILE_LINES: usize = 4;

/// A line on the terminal: a bar and its text.
pub(super) struct Line {
    /// The percentage; `None` if unknown, and then there is no bar.
    pub(super) percent: Option<u64>,
    pub(super) text: String,
}

/// Returns the lines of the files that have been moving for a while, oldest first.
pub(super) fn file_lines(state: &State) -> Vec<Line> {
    if state.open_ended {
        return Vec::new();
    }
    let long = state.active.values().filter(|active| active.since.elapsed() >= SHOWN_AFTER && active.moved > 0);
    long.take(FILE_LINES)
        .map(|active| {
            let percent = (u128::from(active.moved) * 100).checked_div(u128::from(active.size)).unwrap_or(100).min(100);
            // All bytes were sent, and the answer is outstanding.
            let is_sent = active.moved >= active.size;
            let size = if is_sent { "finishing".to_owned() } else { human::bytes(active.size) };
            let text = format!("{percent:>3}%  {size:>10}  {}", escape(&active.name));
            Line { percent: u64::try_from(percent).ok(), text }
        })
        .collect()
}

/// Returns the width of a bar for a terminal of this width.
fn bar_width(width: usize) -> usize {
    (width / 5).clamp(6, 30)
}

/// Returns the width of the text beside the bar.
pub(super) fn room(width: usize) -> usize {
    width.saturating_sub(bar_width(width) + 4)
}

/// The lines on the terminal: the total first, then the files.
pub(super) struct Lines {
    bars: MultiProgress,
    shown: Vec<ProgressBar>,
}

impl Lines {
    pub(super) fn new(bars: MultiProgress) -> Self {
        Self { bars, shown: Vec::new() }
    }

    /// Clears all lines. An unfinished bar would draw the others again when it is dropped, which would leave an
    /// outdated line on the screen.
    pub(super) fn clear(&mut self) {
        for bar in self.shown.drain(..) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        // If the terminal refuses, nothing can be done.
        let _ = self.bars.clear();
    }

    pub(super) fn draw(&mut self, total: Line, files: Vec<Line>, width: usize) {
        let wanted = 1 + files.len();
        while self.shown.len() > wanted {
            if let Some(bar) = self.shown.pop() {
                bar.finish_and_clear();
                self.bars.remove(&bar);
            }
        }
        while self.shown.len() < wanted {
            self.shown.push(self.bars.add(ProgressBar::new(100)));
        }
        let with_bar = style(&format!("[{{bar:{}}}] {{msg}}", bar_width(width)));
        let without_bar = style("{msg}");
        for (bar, line) in self.shown.iter().zip(std::iter::once(total).chain(files)) {
            match line.percent {
                Some(percent) => {
                    bar.set_style(with_bar.clone());
                    bar.set_position(percent);
                    bar.set_message(cut(&line.text, room(width)));
                }
                None => {
                    bar.set_style(without_bar.clone());
                    bar.set_message(cut(&line.text, width.saturating_sub(1)));
                }
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // Plain characters, since some terminals have no others.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

/// Shortens a line to the width of the terminal. A path loses its middle, because its end is more useful.
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

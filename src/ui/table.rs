//! Tables: aligned columns on a terminal, tab-separated values without a header elsewhere.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{OutputError, Ui};

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// What stands above it on a terminal, in capitals.
    pub title: &'static str,
    /// Whether it is a number, and so aligned to the right.
    pub right: bool,
}

impl Column {
    /// A column of text.
    pub const fn text(title: &'static str) -> Self {
        Self { title, right: false }
    }

    /// A column of numbers.
    pub const fn number(title: &'static str) -> Self {
        Self { title, right: true }
    }
}

/// A table being written. In a pipe each row goes out at once; on a terminal [`Table::finish`] writes all of them,
/// since the width of a column is known only then.
pub struct Table<'a> {
    ui: &'a Ui,
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
}

impl<'a> Table<'a> {
    /// An empty table.
    pub fn new(ui: &'a Ui, columns: &'static [Column]) -> Self {
        Self { ui, columns, rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn row(&mut self, cells: Vec<String>) -> Result<(), OutputError> {
        if self.ui.stdout_is_terminal() {
            self.rows.push(cells);
            return Ok(());
        }
        self.ui.line(&cells.join("\t"))
    }

    /// Writes what is not written yet. An empty table writes nothing at all.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn finish(self) -> Result<(), OutputError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        for line in align(self.columns, &self.rows, self.ui.width()) {
            self.ui.line(&line)?;
        }
        Ok(())
    }
}

/// No column is made narrower than this, so that something can be read of it.
const NARROWEST: usize = 12;

/// Makes the widest columns of text narrower until all fit in `within` columns of the terminal, as far as that goes.
/// Numbers and what [`is_whole`] stay.
fn fit(columns: &[Column], rows: &[Vec<String>], widths: &mut [usize], within: usize) {
    let gaps = 2 * widths.len().saturating_sub(1);
    loop {
        let excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(within);
        let can_shrink = |index: usize| {
            !columns[index].right
                && widths[index] > NARROWEST
                && !rows.iter().skip(1).filter_map(|row| row.get(index)).any(|cell| is_whole(cell))
        };
        let mut candidates: Vec<usize> =
            (0..widths.len().min(columns.len())).filter(|index| can_shrink(*index)).collect();
        candidates.sort_by_key(|index| std::cmp::Reverse(widths[*index]));
        let Some(widest) = candidates.first().copied().filter(|_| excess > 0) else { return };
        let next = candidates.get(1).map_or(NARROWEST, |index| widths[*index].saturating_sub(1)).max(NARROWEST);
        widths[widest] = widths[widest].saturating_sub(excess).max(next.min(widths[widest] - 1));
    }
}

/// Whether a text is of no use in part: an id or a link that one copies.
fn is_whole(cell: &str) -> bool {
    cell.contains("://") || (cell.len() == 36 && cell.bytes().filter(|byte| *byte == b'-').count() == 4)
}

/// A text that takes that many columns at most; an ellipsis stands for its end.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let kept = text.chars().take_while(|character| {
        used += character.width().unwrap_or(0);
        used < width
    });
    kept.chain(['…']).collect()
}

/// The lines of a table: the header, then the rows, two spaces between columns, control characters escaped, made to fit
/// in `within` columns where that is known.
fn align(columns: &[Column], rows: &[Vec<String>], within: Option<usize>) -> Vec<String> {
    let header = columns.iter().map(|column| column.title.to_owned()).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = std::iter::once(header)
        .chain(rows.iter().map(|row| row.iter().map(|cell| super::escape(cell).into_owned()).collect()))
        .collect();
    let mut widths: Vec<usize> = (0..columns.len())
        .map(|index| rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    if let Some(within) = within {
        fit(columns, &rows, &mut widths, within);
    }
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for ((cell, column), width) in row.iter().zip(columns).zip(&widths) {
                let cell = &cut(cell, *width);
                if !line.is_empty() {
                    line.push_str("  ");
                }
                let padding = " ".repeat(width.saturating_sub(cell.width()));
                if column.right {
                    line.push_str(&padding);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&padding);
                }
            }
            line.truncate(line.trim_end().len());
            line
        })
        .collect()
}

/// Writes named values, one a line: aligned on a terminal, `name TAB value` elsewhere.
///
/// # Errors
/// As [`Ui::line`].
pub fn fields(ui: &Ui, values: &[(&str, String)]) -> Result<(), OutputError> {
    let width = values.iter().map(|(name, _)| name.width()).max().unwrap_or(0) + 2;
    for (name, value) in values {
        if ui.stdout_is_terminal() {
            let padding = " ".repeat(width - name.width());
            ui.line(&format!("{name}{padding}{}", super::escape(value)))?;
        } else {
            ui.line(&format!("{name}\t{value}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_display_width() {
        let columns = [Column::text("NAME"), Column::number("SIZE"), Column::text("HASH")];
        let rows = [
            ["漢字.txt", "4 B", "7560"].map(str::to_owned).to_vec(),
            ["a\u{1b}", "41.2 MiB", ""].map(str::to_owned).to_vec(),
        ];
        assert_eq!(
            align(&columns, &rows, None),
            ["NAME          SIZE  HASH", "漢字.txt       4 B  7560", "a\\u{1b}   41.2 MiB"]
        );
    }

    #[test]
    fn the_widest_texts_are_cut_where_a_line_does_not_fit() {
        let columns = [Column::text("ID"), Column::text("NAME"), Column::number("SIZE"), Column::text("NOTE")];
        let id = "18ab830f-439a-4123-ad7a-1fdeb6f705a3";
        let rows = [
            [id, "a rather long name of a file", "12345678", "and a note that is longer than the name of it"],
            [id, "short", "1", "漢字漢字漢字漢字漢字漢字漢字漢字漢字"],
        ]
        .map(|row| row.map(str::to_owned).to_vec());
        let lines = align(&columns, &rows, Some(100));
        assert!(lines.iter().all(|line| line.width() <= 100 && !line.is_empty()), "{lines:#?}");
        assert!(lines[1].starts_with(id) && lines[1].contains("12345678") && lines[1].ends_with('…'), "{lines:#?}");
        assert_eq!(align(&columns, &rows, Some(1000)), align(&columns, &rows, None));
        // Where it cannot fit, something is still to be read of each.
        let lines = align(&columns, &rows, Some(20));
        assert!(lines[1].contains("a rather lo…"), "{lines:#?}");
    }
}

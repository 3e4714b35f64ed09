//! Tables: aligned columns on a terminal, tab-separated values without a header elsewhere.

use unicode_width::UnicodeWidthStr;

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
        for line in align(self.columns, &self.rows) {
            self.ui.line(&line)?;
        }
        Ok(())
    }
}

/// The lines of a table: the header, then the rows, two spaces between columns, control characters escaped.
fn align(columns: &[Column], rows: &[Vec<String>]) -> Vec<String> {
    let header = columns.iter().map(|column| column.title.to_owned()).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = std::iter::once(header)
        .chain(rows.iter().map(|row| row.iter().map(|cell| super::escape(cell).into_owned()).collect()))
        .collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|index| rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for ((cell, column), width) in row.iter().zip(columns).zip(&widths) {
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
            align(&columns, &rows),
            ["NAME          SIZE  HASH", "漢字.txt       4 B  7560", "a\\u{1b}   41.2 MiB"]
        );
    }
}

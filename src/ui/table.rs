//! Tables: aligned columns on a terminal, tab-separated values without a header elsewhere.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{OutputError, Ui};

/// A column. If a line does not fit on the terminal, texts are shortened first, then columns with a rank are omitted,
/// lowest rank first. Values that are still too long are never cut; each gets its own line.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    kind: ColumnKind,
    /// The rank: lower ones are omitted earlier; `None` means never.
    rank: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    Whole,
    Text,
    Fixed,
    Number,
}

impl Column {
    /// Creates a column of names, paths or ids, which are never cut because a part of them is useless.
    pub const fn whole(title: &'static str) -> Self {
        Self { title, kind: ColumnKind::Whole, rank: None }
    }

    /// Creates a column of texts, whose ends may be cut off.
    pub const fn text(title: &'static str) -> Self {
        Self { title, kind: ColumnKind::Text, rank: None }
    }

    /// Creates a column of short texts, such as states and times, which are never cut.
    pub const fn fixed(title: &'static str) -> Self {
        Self { title, kind: ColumnKind::Fixed, rank: None }
    }

    /// Creates a column of numbers, aligned to the right.
    pub const fn number(title: &'static str) -> Self {
        Self { title, kind: ColumnKind::Number, rank: None }
    }

    /// Allows the column to be omitted. Lower ranks are omitted earlier.
    #[must_use]
    pub const fn rank(self, rank: u8) -> Self {
        Self { rank: Some(rank), ..self }
    }
}

/// A table in progress. In a pipe each row is written at once. On a terminal [`Table::finish`] writes all of them,
/// since the widths of columns are known only then.
pub struct Table<'a> {
    ui: &'a Ui,
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
}

impl<'a> Table<'a> {
    /// Creates an empty table.
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

    /// Writes the remaining output. An empty table writes nothing.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn finish(self) -> Result<(), OutputError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let within = if self.ui.is_wide() { None } else { self.ui.width() };
        for line in align(self.columns, &self.rows, within) {
            self.ui.line(&line)?;
        }
        Ok(())
    }
}

/// The minimum width of a column, so that it remains readable.
const NARROWEST: usize = 12;
/// The gap between two columns.
const GAP: &str = "  ";
/// The end of the header if columns are omitted.
const MORE: &str = "  …";

/// The layout of a table: the columns to show, and their widths.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    /// The indices of the columns to show.
    shown: Vec<usize>,
    /// The width of every column, shown or not.
    widths: Vec<usize>,
    /// The width of the terminal, if known.
    within: Option<usize>,
}

impl Layout {
    /// Returns the best layout for columns of these widths.
    fn new(columns: &[Column], widths: &[usize], within: Option<usize>) -> Self {
        let mut layout = Self { shown: (0..columns.len()).collect(), widths: widths.to_vec(), within };
        let is = |kind: ColumnKind| move |index: usize| columns[index].kind == kind;
        loop {
            layout.widths = widths.to_vec();
            layout.narrow(is(ColumnKind::Text));
            if layout.excess() == 0 {
                return layout;
            }
            let ranked = layout.shown.iter().filter_map(|index| Some((columns[*index].rank?, *index)));
            let Some((_, lowest)) = ranked.min() else { break };
            layout.shown.retain(|index| *index != lowest);
        }
        // No more columns can be omitted: a value that is longer than its column gets its own line.
        layout.narrow(is(ColumnKind::Whole));
        layout
    }

    /// Returns by how many columns a line is too long.
    fn excess(&self) -> usize {
        let gaps = GAP.len() * self.shown.len().saturating_sub(1);
        let all: usize = self.shown.iter().map(|index| self.widths[*index]).sum::<usize>() + gaps;
        let room = |within: usize| if self.leaves_out() { within.saturating_sub(MORE.width()) } else { within };
        self.within.map_or(0, |within| all.saturating_sub(room(within)))
    }

    fn leaves_out(&self) -> bool {
        self.shown.len() < self.widths.len()
    }

    /// Narrows the widest of these columns until the line fits, if possible.
    fn narrow(&mut self, may_shrink: impl Fn(usize) -> bool) {
        loop {
            let excess = self.excess();
            let candidates = self.shown.iter().copied().filter(|index| may_shrink(*index));
            let mut candidates: Vec<usize> = candidates.filter(|index| self.widths[*index] > NARROWEST).collect();
            candidates.sort_by_key(|index| std::cmp::Reverse(self.widths[*index]));
            let Some(widest) = candidates.first().copied().filter(|_| excess > 0) else { return };
            let next = candidates.get(1).map_or(NARROWEST, |index| self.widths[*index].saturating_sub(1));
            let width = self.widths[widest];
            self.widths[widest] = width.saturating_sub(excess).max(next.max(NARROWEST).min(width - 1));
        }
    }

    /// Returns the lines of a row: one, and another one for each uncut value that is longer than its column; above it
    /// for the first column, below it for others.
    fn lines(&self, columns: &[Column], row: &[String]) -> Vec<String> {
        let (mut line, mut above, mut below, mut start) = (String::new(), None, Vec::new(), 0_usize);
        for index in &self.shown {
            let (column, width) = (columns[*index], self.widths[*index]);
            let cell = row.get(*index).map_or("", String::as_str);
            let cell = match column.kind {
                ColumnKind::Whole if cell.width() > width => {
                    match start {
                        0 => above = Some(cell.to_owned()),
                        _ => below.push(format!("{GAP}{cell}")),
                    }
                    String::new()
                }
                ColumnKind::Text => cut(cell, width),
                ColumnKind::Whole | ColumnKind::Fixed | ColumnKind::Number => cell.to_owned(),
            };
            line.push_str(&" ".repeat(start.saturating_sub(line.width())));
            if column.kind == ColumnKind::Number {
                line.push_str(&" ".repeat(width.saturating_sub(cell.width())));
            }
            line.push_str(&cell);
            start += width + GAP.len();
        }
        line.truncate(line.trim_end().len());
        above.into_iter().chain([line]).chain(below).collect()
    }
}

/// Cuts a text to a width. An ellipsis replaces its end.
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

/// Returns the lines of a table: the header, then the rows, with two spaces between columns and control characters
/// escaped. They fit into `within` columns, if given.
fn align(columns: &[Column], rows: &[Vec<String>], within: Option<usize>) -> Vec<String> {
    let header: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| super::escape(cell).into_owned()).collect()).collect();
    let all = || std::iter::once(&header).chain(&rows);
    let widest = |index: usize| all().filter_map(|row| row.get(index)).map(|cell| cell.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(widest).collect();
    let layout = Layout::new(columns, &widths, within);
    let mut lines = layout.lines(columns, &header);
    if layout.leaves_out() {
        lines.iter_mut().for_each(|line| line.push_str(MORE));
    }
    lines.extend(rows.iter().flat_map(|row| layout.lines(columns, row)));
    lines
}

/// Writes named values, one per line: aligned on a terminal, `name TAB value` elsewhere.
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
        let columns = [Column::whole("NAME"), Column::number("SIZE"), Column::text("HASH")];
        let rows = [
            ["漢字.txt", "4 B", "7560"].map(str::to_owned).to_vec(),
            ["a\u{1b}", "41.2 MiB", ""].map(str::to_owned).to_vec(),
        ];
        assert_eq!(
            align(&columns, &rows, None),
            ["NAME          SIZE  HASH", "漢字.txt       4 B  7560", "a\\u{1b}   41.2 MiB"]
        );
    }

    fn rows<const N: usize>(rows: &[[&str; N]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect()
    }

    #[test]
    fn texts_are_cut_where_a_line_does_not_fit() {
        let columns = [Column::whole("ID"), Column::text("NAME"), Column::number("SIZE"), Column::text("NOTE")];
        let id = "18ab830f-439a-4123-ad7a-1fdeb6f705a3";
        let rows = rows(&[
            [id, "a rather long name of a file", "12345678", "and a note that is longer than the name of it"],
            [id, "short", "1", "漢字漢字漢字漢字漢字漢字漢字漢字漢字"],
        ]);
        let lines = align(&columns, &rows, Some(100));
        assert!(lines.iter().all(|line| line.width() <= 100 && !line.is_empty()), "{lines:#?}");
        assert!(lines[1].starts_with(id) && lines[1].contains("12345678") && lines[1].ends_with('…'), "{lines:#?}");
        assert_eq!(align(&columns, &rows, Some(1000)), align(&columns, &rows, None));
    }

    /// What `cec ls -d` shows.
    const LISTING: [Column; 6] = [
        Column::fixed("TYPE"),
        Column::fixed("UUID").rank(2),
        Column::whole("NAME"),
        Column::number("SIZE"),
        Column::fixed("MODIFIED"),
        Column::fixed("HASH").rank(1),
    ];

    #[test]
    fn columns_are_omitted_by_rank_and_names_are_never_cut() {
        let uuid = "18ab830f-439a-4123-ad7a-1fdeb6f705a3";
        let long = "a name that is far too long to stand beside anything else on a narrow screen.txt";
        let hash = "7c9c9bebd585c3e3b6c1a8ae7bbf8a6f";
        for (name, width, header) in [
            ("short", 200, "TYPE  UUID                                  NAME   SIZE  MODIFIED        HASH"),
            ("short", 80, "TYPE  UUID                                  NAME   SIZE  MODIFIED  …"),
            ("short", 60, "TYPE  NAME   SIZE  MODIFIED  …"),
        ] {
            let lines = align(&LISTING, &rows(&[["File", uuid, name, "2 B", "59 seconds ago", hash]]), Some(width));
            assert_eq!(lines[0], header, "{lines:#?}");
            assert!(lines.iter().all(|line| line.width() <= width), "{lines:#?}");
            assert!(lines.len() == 2 && lines[1].contains("2 B  59 seconds ago"), "{lines:#?}");
        }
        let two = rows(&[
            ["File", uuid, long, "2 B", "59 seconds ago", hash],
            ["Folder", uuid, "short", "-", "1 day ago", "-"],
        ]);
        for width in [30, 60, 80, 100] {
            let lines = align(&LISTING, &two, Some(width));
            assert!(lines.iter().all(|line| line.width() <= width.max(long.width() + 2)), "{width}: {lines:#?}");
            assert!(lines.iter().any(|line| line.contains(long)), "{lines:#?}");
            assert!(lines.iter().any(|line| line.contains("Folder  short")), "{lines:#?}");
        }
        let lines = align(&LISTING, &two, Some(80));
        assert_eq!(lines[1], format!("File{:<54}2 B  59 seconds ago", ""), "{lines:#?}");
        assert_eq!(lines[2], format!("  {long}"), "{lines:#?}");
    }
}

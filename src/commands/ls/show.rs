//! The output of a listing.

use jiff::Timestamp;
use serde_json::Value;

use super::{Args, template};
use crate::commands::shared::operands::Operands;
use crate::commands::shared::tally::Tally;
use crate::context::Ctx;
use crate::error::CliError;
use crate::ui::json::NodeRecord;
use crate::ui::table::{Column, Table};
use crate::ui::template::Format;
use crate::ui::{Piece, Ui};
use cells_client::api::Node;
use cells_client::path::RemotePath;

const NODE_COLUMNS: &[Column] = &[
    Column::fixed("TYPE"),
    Column::fixed("UUID").rank(2),
    Column::whole("NAME"),
    Column::number("SIZE"),
    Column::fixed("MODIFIED"),
    Column::fixed("HASH").rank(1),
];

const WORKSPACE_COLUMNS: &[Column] = &[
    Column::fixed("TYPE"),
    Column::fixed("UUID").rank(2),
    Column::whole("NAME"),
    Column::text("LABEL").rank(3),
    Column::text("DESCRIPTION").rank(1),
    Column::fixed("PERMISSIONS").rank(4),
];

/// The placeholder for an empty cell, so that columns can be separated by blanks.
pub(super) const NOTHING: &str = "-";

/// In place of the hash of a file whose upload is running, or was interrupted.
const UNFINISHED: &str = "unfinished";

/// A listing that is written to standard output.
pub(super) struct Show<'a> {
    ui: &'a Ui,
    /// The folder that names are relative to, unless full paths are printed.
    pub(super) base: RemotePath,
    full_paths: bool,
    null: bool,
    workspaces: bool,
    table: Option<Table<'a>>,
    format: Option<Format>,
    /// The records of the JSON array; `None` if each is printed at once.
    records: Option<Vec<Value>>,
    /// The printed nodes.
    tally: Tally,
}

impl<'a> Show<'a> {
    pub(super) fn new(ctx: &'a Ctx, arguments: &Args, format: Option<Format>, workspaces: bool, several: bool) -> Self {
        let ui = &ctx.ui;
        let columns = if workspaces { WORKSPACE_COLUMNS } else { NODE_COLUMNS };
        Self {
            ui,
            base: RemotePath::root(),
            full_paths: arguments.raw || several,
            null: arguments.null,
            workspaces,
            table: arguments.details.then(|| Table::new(ui, columns)),
            format,
            records: (!arguments.recursive).then(Vec::new),
            tally: Tally::default(),
        }
    }

    /// Prints one node.
    pub(super) fn node(&mut self, node: &Node) -> Result<(), CliError> {
        self.tally.add(Tally::of(node));
        if self.ui.is_json() {
            let record = NodeRecord::listed(node);
            return match &mut self.records {
                Some(records) => {
                    records.push(serde_json::to_value(&record).map_err(std::io::Error::from)?);
                    Ok(())
                }
                None => Ok(self.ui.json_line(&record)?),
            };
        }
        let end = if self.null { "\0" } else { "\n" };
        if let Some(format) = &self.format {
            let text = format.fill(template::values(node, Timestamp::now()))?;
            return Ok(self.ui.record(&text, end)?);
        }
        let name = self.name(node);
        if let Some(table) = &mut self.table {
            let cells = if self.workspaces { workspace_cells(node) } else { node_cells(self.ui, node, name) };
            return Ok(table.row(cells)?);
        }
        let slash = if node.is_folder() { "/" } else { "" };
        if self.null {
            return Ok(self.ui.record(&format!("{name}{slash}"), end)?);
        }
        let name = self.ui.shown(name);
        if self.ui.color() && node.is_folder() {
            let (begin, end) = (Piece::Style("\u{1b}[1;34m"), Piece::Style("\u{1b}[0m"));
            Ok(self.ui.styled_line(&[begin, Piece::Text(&name), end, Piece::Text(slash)])?)
        } else {
            Ok(self.ui.line(&format!("{name}{slash}"))?)
        }
    }

    fn name<'n>(&self, node: &'n Node) -> &'n str {
        if self.full_paths {
            return node.path.as_str();
        }
        node.path.relative_to(&self.base).filter(|name| !name.is_empty()).unwrap_or(node.path.as_str())
    }

    /// Prints the remaining output.
    pub(super) fn finish(self, operands: &Operands<'_>) -> Result<(), CliError> {
        if self.ui.is_json() {
            match self.records {
                Some(_) if operands.all_failed() => {}
                Some(records) => self.ui.json_document(&records)?,
                None => self.ui.json_line(&self.tally.summary(operands.failure_count()))?,
            }
        }
        if let Some(table) = self.table {
            table.finish()?;
        }
        Ok(())
    }
}

fn node_cells(ui: &Ui, node: &Node, name: &str) -> Vec<String> {
    let kind = template::kind(node);
    // The server reports no size for an empty folder, or for one whose size it has not computed yet.
    let size = if node.is_folder() && node.size == 0 { NOTHING.to_owned() } else { ui.size(node.size) };
    vec![
        kind.to_owned(),
        node.public_uuid().unwrap_or(NOTHING).to_owned(),
        name.to_owned(),
        size,
        node.modified.map_or_else(|| NOTHING.to_owned(), |time| ui.time(time)),
        if node.is_temporary() { UNFINISHED } else { node.hash.as_deref().unwrap_or(NOTHING) }.to_owned(),
    ]
}

fn workspace_cells(node: &Node) -> Vec<String> {
    let text = |name: &str| node.text(name).unwrap_or(NOTHING);
    let uuid = node.public_uuid().unwrap_or(NOTHING);
    [template::kind(node), uuid, node.name(), text("ws_label"), text("ws_description"), text("ws_permissions")]
        .map(str::to_owned)
        .to_vec()
}

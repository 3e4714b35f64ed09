//! `cec trash ls`.

use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Completion, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::json::NodeRecord;
use crate::ui::table::{Column, Table};
use cells_client::api::Node;

const COLUMNS: &[Column] =
    &[Column::fixed("TYPE"), Column::number("SIZE"), Column::fixed("MODIFIED"), Column::whole("PATH")];

/// Arguments of `cec trash ls`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The server does not report the original place or the time of deletion: the time shown is that of \
    the last change.\n\nExamples:\n  cec trash ls\n  cec trash ls common-files --json"
)]
pub struct Args {
    /// Workspaces; all if omitted
    #[arg(value_name = "WORKSPACE", value_hint = Completion::Remote)]
    workspaces: Vec<String>,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::OfAccount
    }

    /// Lists recycle bins.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single workspaces are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        let mut nodes: Vec<Node> = Vec::new();
        for workspace in super::workspaces(ctx, &self.workspaces).await? {
            match super::content(ctx, &workspace).await {
                Ok(found) => {
                    nodes.extend(found);
                    operands.succeeded();
                }
                Err(error) => operands.failed(error)?,
            }
        }
        if ctx.ui.is_json() {
            if !operands.all_failed() {
                ctx.ui.json_document(&nodes.iter().map(NodeRecord::listed).collect::<Vec<_>>())?;
            }
            return Ok(operands.outcome());
        }
        if nodes.is_empty() && ctx.ui.stdout_is_terminal() && !operands.all_failed() {
            ctx.ui.status("the recycle bin is empty");
        }
        let mut table = Table::new(&ctx.ui, COLUMNS);
        for node in &nodes {
            let kind = if node.is_folder() { "Folder" } else { "File" };
            let modified = node.modified.map_or_else(|| "-".to_owned(), |time| ctx.ui.time(time));
            table.row(vec![kind.to_owned(), ctx.ui.size(node.size), modified, node.path.to_string()])?;
        }
        table.finish()?;
        Ok(operands.outcome())
    }
}

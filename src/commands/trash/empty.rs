//! `cec trash empty`.

use crate::api::Node;
use crate::commands::rm;
use crate::commands::shared::operands::Operands;
use crate::context::Ctx;
use crate::error::{CliError, Outcome};

/// Arguments of `cec trash empty`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Always asks, since nothing can be restored afterwards; where nobody can answer, nothing is done (exit \
    code 2).\n\nExamples:\n  cec trash empty common-files\n  cec trash empty -f"
)]
pub struct Args {
    /// Workspaces; all where none is given
    #[arg(value_name = "WORKSPACE")]
    workspaces: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Empties recycle bins.
///
/// # Errors
/// A question that nobody can answer, or that is answered No; what ends the whole command. Failures of single
/// workspaces and nodes are told and counted.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let mut operands = Operands::new(&ctx.ui);
    let mut nodes: Vec<Node> = Vec::new();
    for workspace in super::workspaces(ctx, &arguments.workspaces).await? {
        match super::content(ctx, &workspace).await {
            Ok(found) => nodes.extend(found),
            Err(error) => operands.failed(error)?,
        }
    }
    if nodes.is_empty() && !operands.all_failed() {
        ctx.ui.status("there is nothing in the recycle bin");
    }
    rm::erase(ctx, &nodes, arguments.force, operands).await
}

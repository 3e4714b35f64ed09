//! `cec trash empty`.

use crate::commands::rm;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use cells_client::api::Node;

/// Arguments of `cec trash empty`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Asks for confirmation, because nothing can be restored afterwards; if cec cannot ask, it does \
    nothing (exit code 2).\n\nExamples:\n  cec trash empty common-files\n  cec trash empty -f"
)]
pub struct Args {
    /// Workspaces; all if omitted
    #[arg(value_name = "WORKSPACE", value_hint = Completion::Remote)]
    workspaces: Vec<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    force: bool,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const STOPS_ITSELF: bool = true;
    const FOREIGN: &'static [Foreign] = &[Foreign::new(
        "cec trash",
        &["rm", "delete"],
        "'cec trash empty' permanently deletes the content of a \
            recycle bin",
    )];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::OfAccount
    }

    /// Empties recycle bins.
    ///
    /// # Errors
    /// The confirmation cannot be requested, or is answered No; the command cannot continue. Failures of single
    /// workspaces and nodes are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        let mut nodes: Vec<Node> = Vec::new();
        for workspace in super::workspaces(ctx, &self.workspaces).await? {
            match super::content(ctx, &workspace).await {
                Ok(found) => nodes.extend(found),
                Err(error) => operands.failed(error)?,
            }
        }
        if nodes.is_empty() && !operands.all_failed() {
            ctx.ui.status("the recycle bin is empty");
        }
        rm::erase(ctx, &nodes, self.force, operands).await
    }
}

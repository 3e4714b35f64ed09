//! `cec transfers abort`.

use super::{Selected, progress};
use crate::commands::shared::operands::Operands;
use crate::commands::shared::transfers::engine;
use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use cells_client::transfer::Options;

/// Arguments of `cec transfers abort`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The file that an upload would have replaced, and the local file of an upload, stay as they \
    are.\n\nExamples:\n  cec transfers abort 3f2a9c41d07b\n  cec transfers abort --all")]
pub struct Args {
    #[command(flatten)]
    selected: Selected,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Gives up unfinished transfers.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let (journals, found) = self.selected.find(ctx).await?;
        let engine = engine(ctx, Options { journals, ..Options::default() }).await?;
        let mut operands = Operands::new(&ctx.ui);
        for unfinished in found {
            let aborted = match unfinished {
                Ok(unfinished) => engine.abandon(&unfinished).await.map(|()| unfinished).map_err(CliError::from),
                Err(error) => Err(error),
            };
            operands.take(aborted.map(|unfinished| {
                let (local, there) = (unfinished.header.local.display(), progress(&unfinished));
                ctx.ui.status(&format!("aborted {}: {local} ({there})", unfinished.id));
            }))?;
        }
        Ok(operands.outcome())
    }
}

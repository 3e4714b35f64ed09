//! `cec mv`.

use crate::commands::shared::relocate::{self, Operation};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};

/// Arguments of `cec mv`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "cec mv [OPTIONS] <SRC>... <DST>",
    after_help = "A target that is a folder, or ends in /, receives the sources under their own names; else it is the \
    new name of the one source. Nothing is ever overwritten: where the name is taken, nothing starts (exit code \
    8).\n\nExamples:\n  cec mv common-files/report.pdf common-files/archive/\n  \
    cec mv common-files/draft.txt common-files/final.txt\n  cec mv 'common-files/2030-*' common-files/2030/"
)]
pub struct Args {
    #[command(flatten)]
    pub(super) common: relocate::Args,
}

/// Moves on the server.
///
/// # Errors
/// As [`relocate::run`].
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    relocate::run(ctx, arguments.common, Operation::Move).await
}

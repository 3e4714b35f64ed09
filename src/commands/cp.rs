//! `cec cp`.

use crate::commands::shared::relocate::{self, Operation};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};

/// Arguments of `cec cp`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "cec cp [OPTIONS] <SRC>... <DST>",
    after_help = "The server copies by itself; nothing passes through this machine. A target that is a folder, or ends \
    in /, receives the sources under their own names; else it is the new name of the one source. Nothing is ever \
    overwritten: where the name is taken, nothing starts (exit code 8).\n\nExamples:\n  \
    cec cp common-files/report.pdf common-files/archive/\n  cec cp common-files/a.txt common-files/b.txt\n  \
    cec cp 'common-files/*.pdf' personal-files/pdf/"
)]
pub struct Args {
    #[command(flatten)]
    pub(super) common: relocate::Args,
    #[command(flatten)]
    _habit: super::Habit,
}

/// Copies on the server.
///
/// # Errors
/// As [`relocate::run`].
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    relocate::run(ctx, arguments.common, Operation::Copy).await
}

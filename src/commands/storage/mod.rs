//! `cec storage`: data sources.

pub mod list_datasources;
pub mod resync_ds;

use clap::Subcommand;

use crate::context::Ctx;
use crate::error::{CliError, Outcome};

/// The commands of `cec storage`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List data sources (for administrators)
    ListDatasources(list_datasources::Args),
    /// Compare a data source with its storage and take in what differs (for administrators)
    ResyncDs(resync_ds::Args),
}

/// Runs a command of `cec storage`.
///
/// # Errors
/// The command's.
pub async fn run(ctx: &Ctx, verb: Verb) -> Result<Outcome, CliError> {
    match verb {
        Verb::ListDatasources(arguments) => list_datasources::run(ctx, arguments).await,
        Verb::ResyncDs(arguments) => resync_ds::run(ctx, arguments).await,
    }
}

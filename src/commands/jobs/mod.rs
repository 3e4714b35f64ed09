//! `cec jobs`: what runs on the server.

pub mod cancel;
pub mod delete;
mod filter;
pub mod get;
pub mod logs;
pub mod watch;

use clap::Subcommand;

use crate::api::scheduler::JobEntry;
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};

/// The commands of `cec jobs`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List jobs
    Get(get::Args),
    /// Delete jobs, or at least the records of their runs
    Delete(delete::Args),
    /// Follow jobs until they are done
    Watch(watch::Args),
    /// Show what the last run of a job has written down
    Logs(logs::Args),
    /// Stop the runs of jobs that are going on
    Cancel(cancel::Args),
}

/// Runs a command of `cec jobs`.
///
/// # Errors
/// The command's.
pub async fn run(ctx: &Ctx, verb: Verb) -> Result<Outcome, CliError> {
    match verb {
        Verb::Get(arguments) => get::run(ctx, arguments).await,
        Verb::Delete(arguments) => delete::run(ctx, arguments).await,
        Verb::Watch(arguments) => watch::run(ctx, arguments).await,
        Verb::Logs(arguments) => logs::run(ctx, arguments).await,
        Verb::Cancel(arguments) => cancel::run(ctx, arguments).await,
    }
}

/// How lists are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns
    Table,
    /// An array of what the server says
    Json,
}

/// The job of that id.
async fn named(ctx: &Ctx, id: &str) -> Result<JobEntry, CliError> {
    let found = ctx.api().await?.job_entry(id).await;
    let found = found.map_err(|error| CliError::from(error).during(format!("looking for the job {id}")).about(id))?;
    found.ok_or_else(|| {
        CliError::new(Kind::NotFound, format!("there is no job '{id}', or it is not yours to see"))
            .hint("'cec jobs get' lists the jobs")
            .about(id)
    })
}

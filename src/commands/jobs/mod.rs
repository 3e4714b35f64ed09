//! `cec jobs`: jobs on the server.

pub mod cancel;
pub mod delete;
mod filter;
pub mod get;
pub mod logs;
pub mod watch;

use crate::commands::verb::verbs;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::api::scheduler::JobEntry;

verbs! {
    /// The commands of `cec jobs`.
    #[command(
        after_help = "Examples:\n  cec jobs get\n  cec jobs watch\n  \
        cec jobs cancel copy-move-34454e75-818d-4537-8a77-f955ba6b29b7"
    )]
    pub enum Verbs {
        /// List jobs
        Get(get::Args),
        /// Delete jobs or the records of their runs
        Delete(delete::Args),
        /// Follow jobs until they finish
        Watch(watch::Args),
        /// Show the log of a job's last run
        Logs(logs::Args),
        /// Stop running jobs
        Cancel(cancel::Args),
    }
}

/// What these commands do until they print something.
const ACTIVITY: &str = "requesting jobs";

/// The output format of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns
    Table,
    /// Array of jobs as the server describes them
    Json,
}

/// Returns the job with this id.
async fn find_job(ctx: &Ctx, id: &str) -> Result<JobEntry, CliError> {
    let found = ctx.api().await?.job_entry(id).await;
    let found = found.map_err(|error| CliError::from(error).during(format!("looking for the job {id}")).about(id))?;
    found.ok_or_else(|| {
        CliError::new(Kind::NotFound, format!("there is no job '{id}', or you may not see it"))
            .hint("'cec jobs get' lists the jobs")
            .about(id)
    })
}

//! `cec storage resync-ds`.

use serde_json::json;

use crate::commands::shared::server_job::ServerJobs;
use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::shell::command_line;
use cells_client::api::jobs::JobId;
use cells_client::failure::ServerErrorKind;

/// Arguments of `cec storage resync-ds`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Starts a job on the server and prints its id. With --wait, the exit code is 10 if the job fails.\n\n\
    Examples:\n  cec storage resync-ds pydiods1\n  cec storage resync-ds pydiods1 --wait"
)]
pub struct Args {
    /// Name of the data source, as shown by 'cec storage list-datasources'
    #[arg(value_name = "NAME")]
    name: String,
    /// Wait until it is done
    #[arg(short, long)]
    wait: bool,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Starts the synchronization of a data source with its storage.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if the data source is unknown; [`Kind::JobFailed`]; any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let name = self.name.as_str();
        let during = |error: CliError| error.during(format!("resyncing {name}")).about(name);
        let api = ctx.api().await?;
        // The server starts a job for any name. It would fail later, unnoticed.
        match api.data_source(name).await {
            Ok(_) => {}
            Err(error) if error.kind == ServerErrorKind::NotFound => {
                return Err(CliError::new(Kind::NotFound, format!("there is no data source '{name}'"))
                    .hint("'cec storage list-datasources' lists them")
                    .about(name));
            }
            Err(error) => return Err(during(error.into())),
        }
        let (job, status, message) = if self.wait {
            let job = run_to_its_end(ctx, name).await.map_err(during)?;
            (job, "finished", format!("resynced {name}"))
        } else {
            let job = api.resync(name).await.map_err(|error| during(error.into()))?;
            let message = format!("resyncing {name}; follow it with: {}", command_line("cec jobs watch", &[&job.0]));
            (job, "started", message)
        };
        if ctx.ui.is_json() {
            ctx.ui.json_document(&json!({"name": name, "job_id": job.0, "status": status}))?;
        } else {
            ctx.ui.line(&job.0)?;
            ctx.ui.status(&message);
        }
        Ok(Outcome::Done)
    }
}

/// Starts the job and waits for the end of this run. The job's id never changes, and it keeps its earlier runs.
async fn run_to_its_end(ctx: &Ctx, name: &str) -> Result<JobId, CliError> {
    let api = ctx.api().await?;
    let mut jobs = ServerJobs::open(ctx).await?;
    let before = api.job_entry(&format!("resync-ds-{name}")).await?;
    let seen: Vec<String> = before.into_iter().flat_map(|job| job.tasks).map(|task| task.id).collect();
    jobs.watch().ready().await;
    let job = api.resync(name).await?;
    jobs.wait_for_run(&job, &seen, &format!("resyncing {name}")).await?;
    Ok(job)
}

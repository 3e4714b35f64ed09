//! `cec jobs cancel`.

use serde_json::json;

use crate::commands::shared::operands::Operands;
use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use cells_client::api::jobs::JobId;

/// Arguments of `cec jobs cancel`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Work already done is not undone. The server confirms before the job stops: 'cec jobs watch' \
    shows the result.\n\nExamples:\n  \
    cec jobs cancel copy-move-34454e75-818d-4537-8a77-f955ba6b29b7")]
pub struct Args {
    /// Jobs to stop
    #[arg(value_name = "JOB-ID", required = true)]
    ids: Vec<String>,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Stops running jobs.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        let mut records = Vec::new();
        for id in &self.ids {
            match cancel(ctx, id).await {
                Err(error) => operands.failed(error)?,
                Ok(tasks) => {
                    ctx.ui.status(&format!("stop requested: {id}"));
                    records.push(json!({"job_id": id, "tasks": tasks}));
                    operands.succeeded();
                }
            }
        }
        if ctx.ui.is_json() && !operands.all_failed() {
            ctx.ui.json_document(&records)?;
        }
        Ok(operands.outcome())
    }
}

/// Stops the runs of a job. Returns their ids.
async fn cancel(ctx: &Ctx, id: &str) -> Result<Vec<String>, CliError> {
    let job = super::find_job(ctx, id).await?;
    let open: Vec<String> = job.tasks.iter().filter(|task| !task.is_over()).map(|task| task.id.clone()).collect();
    if open.is_empty() {
        let state = job.last().map_or("it has not run", |task| match task.has_failed() {
            true => "it has failed or was stopped",
            false => "it is finished",
        });
        return Err(CliError::new(Kind::Failure, format!("the job '{id}' is not running: {state}")).about(id));
    }
    let api = ctx.api().await?;
    for task in &open {
        let stopped = api.stop_task(&JobId(job.id.clone()), task).await;
        stopped.map_err(|error| CliError::from(error).during(format!("stopping {id}")).about(id))?;
    }
    Ok(open)
}

//! `cec jobs logs`.

use serde_json::json;

use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use cells_client::api::jobs::JobId;

/// Arguments of `cec jobs logs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec jobs logs copy-move-34454e75-818d-4537-8a77-f955ba6b29b7\n  \
    cec jobs logs flush-mailer-queue --task-id b580dc78-4a6c-4fb3-864a-ea0bf8439745")]
pub struct Args {
    /// Id of the job
    #[arg(value_name = "JOB-ID")]
    id: String,
    /// Complete id of a run, instead of the last run
    #[arg(long, value_name = "TASK-ID")]
    task_id: Option<String>,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Prints the log of a run.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if the job or the run does not exist; any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let job = super::find_job(ctx, &self.id).await?;
        let task = match &self.task_id {
            Some(id) => job.tasks.iter().find(|task| task.id == *id),
            None => job.last(),
        };
        let Some(task) = task else {
            let message = match &self.task_id {
                Some(id) => format!("the job '{}' has no run '{id}'", job.id),
                None => format!("the job '{}' has not run, or the records of its runs were deleted", job.id),
            };
            return Err(CliError::new(Kind::NotFound, message).about(&job.id));
        };
        let lines = ctx.api().await?.task_log(&JobId(job.id.clone()), &task.id).await;
        let during = |error| CliError::from(error).during(format!("reading the log of {}", job.id)).about(&job.id);
        let lines = lines.map_err(during)?;
        if ctx.ui.is_json() {
            let record = |line: &cells_client::api::scheduler::LogLine| json!({"time": line.time.map(|time| time.to_string()), "level": line.level, "message": line.message});
            ctx.ui.json_document(&lines.iter().map(record).collect::<Vec<_>>())?;
            return Ok(Outcome::Done);
        }
        if lines.is_empty() {
            ctx.ui.status(&format!("the log is empty; last status: {}", task.message));
        }
        for line in &lines {
            let time = line.time.map_or_else(|| "-".to_owned(), |time| time.to_string());
            ctx.ui.cells(&[&time, &line.level, &line.message])?;
        }
        Ok(Outcome::Done)
    }
}

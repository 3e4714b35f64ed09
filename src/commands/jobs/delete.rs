//! `cec jobs delete`.

use serde_json::{Value, json};

use super::Format;
use super::filter::{self, Filter};
use crate::commands::verb::{Complaint, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::prompt::Consent;
use crate::ui::table::{Column, Table};
use cells_client::api::jobs::JobId;
use cells_client::api::scheduler::{JobEntry, SYSTEM_USER};
use clap::error::ErrorKind;

/// Arguments of `cec jobs delete`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Only some editions of the server can delete a job itself. Others delete the records of its runs, \
    and cec reports this. Running jobs continue: see 'cec jobs cancel'. System jobs are deleted one at a time, by \
    id, and after a question; a filter skips them. Filters are those of 'cec jobs get'.\n\nExamples:\n  \
    cec jobs delete --job-id copy-move-34454e75-818d-4537-8a77-f955ba6b29b7\n  \
    cec jobs delete --dry-run --filter '{\"task_status\": {\"op\": \"eq\", \"value\": \"Error\"}}'"
)]
pub struct Args {
    /// Job to delete
    #[arg(long, value_name = "JOB-ID", required_unless_present = "filter", conflicts_with = "filter")]
    job_id: Option<String>,
    /// All jobs that match
    #[arg(long, value_name = "JSON", value_parser = filter::parse)]
    filter: Option<Filter>,
    /// Do not ask for confirmation before deleting a system job
    #[arg(long)]
    force: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
}

const COLUMNS: [Column; 3] = [Column::whole("ID"), Column::text("LABEL"), Column::text("RESULT")];

/// The outcome for a job.
struct Deleted {
    id: String,
    label: String,
    result: String,
    failed: Option<CliError>,
}

impl Deleted {
    /// Returns the result in the older client's words, if it has some, because scripts compare them.
    fn older_result(&self) -> &str {
        match self.result.as_str() {
            DELETED => "done",
            PLANNED => "done (dry-run)",
            SKIPPED => "skipped: you cannot delete system jobs using batches",
            other => other,
        }
    }
}

const DELETED: &str = "deleted";
const PLANNED: &str = "would be deleted (dry run)";
const SKIPPED: &str = "skipped: delete system jobs by their id";

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec jobs delete", &["-f"], "add --force to delete without confirmation")];
    const COMPLAINTS: &'static [Complaint] = &[Complaint {
        command: "cec jobs delete",
        kinds: &[ErrorKind::MissingRequiredArgument],
        message: "either --job-id or --filter is required",
    }];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Deletes jobs.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if there is no such job; the confirmation cannot be requested, or is answered No; any failure
    /// of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let jobs = match &self.job_id {
            Some(id) => vec![super::find_job(ctx, id).await?],
            None => fitting(ctx, self.filter.as_ref()).await?,
        };
        let by_id = self.job_id.is_some();
        if by_id && jobs[0].owner == SYSTEM_USER && !self.force && !self.dry_run {
            ask(ctx, &jobs[0]).await?;
        }
        let mut results = Vec::new();
        for job in &jobs {
            results.push(delete(ctx, job, by_id, self.dry_run).await?);
        }
        write(ctx, &results, self.format)?;
        for deleted in &results {
            if let Some(error) = &deleted.failed {
                ctx.ui.error(error);
            }
        }
        let failures: Vec<Kind> = results.iter().filter_map(|deleted| Some(deleted.failed.as_ref()?.kind)).collect();
        Ok(match failures.as_slice() {
            [] => Outcome::Done,
            [first, ..] if failures.len() == results.len() => Outcome::Failed(*first),
            _ => Outcome::Partial,
        })
    }
}

async fn fitting(ctx: &Ctx, filter: Option<&Filter>) -> Result<Vec<JobEntry>, CliError> {
    let found = ctx.api().await?.jobs(&[]).await;
    let mut jobs = found.map_err(|error| CliError::from(error).during("listing jobs"))?;
    jobs.retain(|job| filter.is_some_and(|filter| filter.fits(job)));
    if jobs.is_empty() {
        return Err(CliError::new(Kind::NotFound, "no job matches the filter"));
    }
    Ok(jobs)
}

async fn ask(ctx: &Ctx, job: &JobEntry) -> Result<(), CliError> {
    if !ctx.ui.can_ask() {
        let message = format!("cannot ask for confirmation before deleting '{}', a system job", job.id);
        return Err(CliError::new(Kind::Usage, message).hint("add --force to delete it without asking"));
    }
    let question = format!("Delete the system job '{}'? This cannot be undone.", job.label);
    if ctx.ui.confirm(&question, Consent::TypedYes).await {
        Ok(())
    } else {
        Err(CliError::new(Kind::Failure, "nothing was deleted"))
    }
}

/// Deletes a job, or what can be deleted of it.
async fn delete(ctx: &Ctx, job: &JobEntry, by_id: bool, dry_run: bool) -> Result<Deleted, CliError> {
    let record = |result: &str, failed| Deleted {
        id: job.id.clone(),
        label: job.label.clone(),
        result: result.to_owned(),
        failed,
    };
    if job.owner == SYSTEM_USER && !by_id {
        return Ok(record(SKIPPED, None));
    }
    if dry_run {
        return Ok(record(PLANNED, None));
    }
    let (api, id) = (ctx.api().await?, JobId(job.id.clone()));
    let deleted = async {
        if api.delete_job(&id).await? {
            return Ok(DELETED.to_owned());
        }
        let tasks: Vec<String> = job.tasks.iter().map(|task| task.id.clone()).collect();
        api.delete_tasks(&id, &tasks).await?;
        Ok(match tasks.len() {
            0 => "nothing to delete: this server deletes only records of runs, and there are none".to_owned(),
            1 => "record of 1 run deleted; this server cannot delete the job itself".to_owned(),
            count => format!("records of {count} runs deleted; this server cannot delete the job itself"),
        })
    };
    match deleted.await {
        Ok(result) => Ok(record(&result, None)),
        Err(error) => {
            let error: cells_client::failure::ServerError = error;
            let error = CliError::from(error).during(format!("deleting the job {}", job.id)).about(&job.id);
            if error.ends_everything() { Err(error) } else { Ok(record("failed", Some(error))) }
        }
    }
}

fn write(ctx: &Ctx, results: &[Deleted], format: Option<Format>) -> Result<(), CliError> {
    if format == Some(Format::Json) {
        let older = |one: &Deleted| json!({"JobID": one.id, "JobLabel": one.label, "Result": one.older_result()});
        let records: Vec<Value> = results.iter().map(older).collect();
        ctx.ui.json_indented(&records)?;
    } else if ctx.ui.is_json() {
        let ours = |one: &Deleted| json!({"id": one.id, "label": one.label, "result": one.result});
        ctx.ui.json_document(&results.iter().map(ours).collect::<Vec<_>>())?;
    } else {
        let mut table = Table::new(&ctx.ui, &COLUMNS);
        for one in results {
            table.row(vec![one.id.clone(), one.label.clone(), one.result.clone()])?;
        }
        table.finish()?;
    }
    Ok(())
}

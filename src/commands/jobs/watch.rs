//! `cec jobs watch`.

use std::collections::HashMap;

use serde_json::json;

use super::get::task_record;
use super::wait::Pauses;
use crate::api::scheduler::{JobEntry, Task};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::human;

/// Arguments of `cec jobs watch`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Writes a line for each change of a run: time, job, state, progress, message. Without ids all jobs that \
    are running are followed, until none is. The exit code is 10 where a run fails.\n\nExamples:\n  cec jobs watch\n  \
    cec jobs watch copy-move-34454e75-818d-4537-8a77-f955ba6b29b7"
)]
pub struct Args {
    /// The jobs to follow; their last run
    #[arg(value_name = "JOB-ID")]
    ids: Vec<String>,
}

/// Follows jobs.
///
/// # Errors
/// [`Kind::NotFound`] for an id that names no job; any failure of a call.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let mut jobs = Vec::new();
    for id in &arguments.ids {
        jobs.push(super::named(ctx, id).await?);
    }
    let mut watch = Watch { ctx, told: HashMap::new() };
    if arguments.ids.is_empty() {
        let listed = ctx.api().await?.jobs(&[]).await;
        jobs = listed.map_err(|error| CliError::from(error).during("listing jobs"))?;
        jobs.retain(|job| job.tasks.iter().any(|task| !task.is_over()));
        if jobs.is_empty() {
            ctx.ui.status("nothing is running");
            return Ok(Outcome::Done);
        }
    }
    let ids: Vec<String> = jobs.iter().map(|job| job.id.clone()).collect();
    let mut known: HashMap<String, JobEntry> = HashMap::new();
    let mut pauses = Pauses::new();
    loop {
        for job in jobs {
            if watch.tell(&job)? {
                pauses.hurry();
            }
            known.insert(job.id.clone(), job);
        }
        // A job without any run yet is about to have one.
        let is_open = |id: &&String| known.get(*id).and_then(JobEntry::last).is_none_or(|task| !task.is_over());
        let open: Vec<String> = ids.iter().filter(is_open).cloned().collect();
        if open.is_empty() || open.iter().all(|id| known.get(id).is_some_and(|job| !watch.may_run(job))) {
            break;
        }
        pauses.pause().await;
        let listed = ctx.api().await?.jobs(&open).await;
        jobs = listed.map_err(|error| CliError::from(error).during("asking for the jobs"))?;
        // What was there and is not any more was done and cleared away.
        for id in open.iter().filter(|id| !jobs.iter().any(|job| job.id == **id)) {
            if let Some(task) = known.get_mut(id).and_then(|job| job.tasks.first_mut()) {
                task.status = "Finished".to_owned();
            }
        }
    }
    let failed = known.values().filter(|job| job.last().is_some_and(Task::has_failed)).count();
    match failed {
        0 => Ok(Outcome::Done),
        _ if failed == ids.len() => Ok(Outcome::Failed(Kind::JobFailed)),
        _ => Ok(Outcome::Partial),
    }
}

/// What has been told already.
struct Watch<'a> {
    ctx: &'a Ctx,
    told: HashMap<String, Task>,
}

impl Watch<'_> {
    /// Whether a job without an open run may get one soon: one that was started by somebody, not by its timetable.
    fn may_run(&self, job: &JobEntry) -> bool {
        job.last().is_some() || job.fields.get("AutoStart").is_some()
    }

    /// Writes what has changed of a job, and says whether anything has.
    fn tell(&mut self, job: &JobEntry) -> Result<bool, CliError> {
        let Some(task) = job.last() else { return Ok(false) };
        if self.told.get(&job.id) == Some(task) {
            return Ok(false);
        }
        self.told.insert(job.id.clone(), task.clone());
        let now = jiff::Timestamp::now();
        let now = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
        if self.ctx.ui.is_json() {
            let record = json!({"type": "task", "time": now.to_string(), "job_id": job.id, "label": job.label, "task": task_record(task)});
            self.ctx.ui.json_line(&record)?;
        } else {
            let progress = task.progress.map_or_else(|| "-".to_owned(), |part| format!("{:.0}%", part * 100.0));
            let since = match (task.started, self.ctx.ui.stdout_is_terminal()) {
                (Some(started), true) => human::ago(started, now),
                _ => now.to_string(),
            };
            let message = self.ctx.ui.shown(&task.message).into_owned();
            let cells = [since, job.id.clone(), task.status.clone(), progress, message];
            self.ctx.ui.line(&cells.join(if self.ctx.ui.stdout_is_terminal() { "  " } else { "\t" }))?;
        }
        self.ctx.ui.flush()?;
        Ok(true)
    }
}

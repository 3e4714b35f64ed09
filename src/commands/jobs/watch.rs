//! `cec jobs watch`.

use std::collections::HashMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, ZonedDateTime};
use serde_json::json;
use tokio::time::Instant;

use super::get::task_record;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use cells_client::api::jobs::{JobId, Task};
use cells_client::api::scheduler::JobEntry;
use cells_client::api::watch::Watch;

/// The pause before the jobs are asked for again, where the websocket has not told of them by then; it doubles up to
/// [`LONGEST_PAUSE`] while nothing changes.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// How old a job without any run may be to count as one that is about to begin.
const NEW: SignedDuration = SignedDuration::from_mins(1);

/// Arguments of `cec jobs watch`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Prints a line for each change of a run: time, job, state, progress, message. Without ids, follows \
    all running jobs until none is left. The exit code is 10 if a run fails, 3 if there is no run to \
    follow.\n\nExamples:\n  cec jobs watch\n  \
    cec jobs watch copy-move-34454e75-818d-4537-8a77-f955ba6b29b7"
)]
pub struct Args {
    /// Jobs to follow; the last run of each
    #[arg(value_name = "JOB-ID")]
    ids: Vec<String>,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec", &["watch"], "'cec jobs watch' follows jobs; watching files is not supported yet")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Follows jobs.
    ///
    /// # Errors
    /// [`Kind::NotFound`] for an id that names no job; any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let api = ctx.api().await?;
        let mut following = Following::new(ctx, Watch::open(api));
        let mut jobs = Vec::new();
        for id in &self.ids {
            jobs.push(super::find_job(ctx, id).await?);
        }
        if self.ids.is_empty() {
            jobs = api.jobs(&[]).await.map_err(|error| CliError::from(error).during("listing jobs"))?;
            jobs.retain(|job| job.tasks.iter().any(|task| !task.is_over()) || is_just_made(job));
            if jobs.is_empty() {
                ctx.ui.status("nothing is running");
                return Ok(Outcome::Done);
            }
        }
        let mut operands = Operands::new(&ctx.ui);
        for job in jobs {
            if job.last().is_none() && !is_just_made(&job) {
                operands.failed(without_run(&job.id))?;
                continue;
            }
            following.take(job)?;
        }
        loop {
            let open = following.open();
            if open.is_empty() {
                break;
            }
            following.next(&open).await?;
        }
        for (id, job) in &following.known {
            match job.last() {
                Some(task) if task.has_failed() => operands.silent(Kind::JobFailed),
                Some(_) => operands.succeeded(),
                None => operands.failed(without_run(id))?,
            }
        }
        Ok(operands.outcome())
    }
}

/// A job that there is nothing to see of.
fn without_run(id: &str) -> CliError {
    CliError::new(
        Kind::NotFound,
        format!(
            "the job '{id}' has not run, or the records of its runs were \
        deleted"
        ),
    )
    .about(id)
}

/// Whether a job was started a moment ago: its run is written down seconds later.
fn is_just_made(job: &JobEntry) -> bool {
    let age = job.created.map(|created| jiff::Timestamp::now().duration_since(created));
    job.last().is_none() && job.fields.get("AutoStart").is_some() && age.is_some_and(|age| age < NEW)
}

/// Jobs that are followed: by the websocket, which tells at once of what the user himself has set off, and by asking now
/// and then.
struct Following<'a> {
    ctx: &'a Ctx,
    news: Watch,
    known: HashMap<String, JobEntry>,
    told: HashMap<String, Task>,
    pause: Duration,
    ask_at: Instant,
}

impl<'a> Following<'a> {
    fn new(ctx: &'a Ctx, news: Watch) -> Self {
        let (known, told) = (HashMap::new(), HashMap::new());
        Self { ctx, news, known, told, pause: FIRST_PAUSE, ask_at: Instant::now() + FIRST_PAUSE }
    }

    /// Takes note of a job as it is now, and tells what is new.
    fn take(&mut self, job: JobEntry) -> Result<(), CliError> {
        if self.report(&job)? {
            self.pause = FIRST_PAUSE;
        }
        self.known.insert(job.id.clone(), job);
        Ok(())
    }

    /// The ids of the jobs that are not over.
    fn open(&self) -> Vec<String> {
        let is_open = |job: &&JobEntry| match job.last() {
            Some(task) => !task.is_over(),
            None => is_just_made(job),
        };
        self.known.values().filter(is_open).map(|job| job.id.clone()).collect()
    }

    /// Waits for news, or asks when it is time.
    async fn next(&mut self, open: &[String]) -> Result<(), CliError> {
        if let Some(news) = self.news.news_until(self.ask_at).await {
            let task = self.news.known(&news.job.id).and_then(|job| job.task.clone());
            let job = self.known.get(&news.job.id.0).filter(|job| open.contains(&job.id)).cloned();
            let (Some(task), Some(mut job)) = (task, job) else { return Ok(()) };
            job.tasks.retain(|known| known.id != task.id);
            job.tasks.insert(0, task);
            return self.take(job);
        }
        // Earlier than that the websocket has ended.
        if Instant::now() < self.ask_at {
            return Ok(());
        }
        let listed = self.ctx.api().await?.jobs(open).await;
        let mut listed = listed.map_err(|error| CliError::from(error).during("asking for the jobs"))?;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        for id in open {
            match listed.iter().position(|job| job.id == *id) {
                Some(place) => {
                    let job = listed.swap_remove(place);
                    if !self.is_outdated(&job) {
                        self.take(job)?;
                    }
                }
                // What was there and is not any more was done and cleared away.
                None => self.forget(id),
            }
        }
        self.ask_at = Instant::now() + self.pause;
        Ok(())
    }

    /// Whether the websocket has told more of a run than the server has written down of it.
    fn is_outdated(&self, job: &JobEntry) -> bool {
        let Some(task) = job.last().filter(|task| self.news.is_live() && !task.is_over()) else { return false };
        let heard = self.news.known(&JobId(job.id.clone())).and_then(|heard| heard.task.as_ref());
        heard.is_some_and(|heard| heard.id == task.id)
    }

    fn forget(&mut self, id: &str) {
        match self.known.get_mut(id).map(|job| job.tasks.first_mut()) {
            Some(Some(task)) => task.status = "Finished".to_owned(),
            _ => {
                self.known.remove(id);
            }
        }
    }

    /// Writes what has changed of a job, and says whether anything has.
    fn report(&mut self, job: &JobEntry) -> Result<bool, CliError> {
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
            // A log that goes on for minutes needs clock times.
            let time = match self.ctx.ui.stdout_is_terminal() {
                true => ZonedDateTime::new(now, TimeZone::system()).strftime("%H:%M:%S").to_string(),
                false => now.to_string(),
            };
            self.ctx.ui.cells(&[&time, &job.id, &task.status, &progress, &task.message])?;
        }
        self.ctx.ui.flush()?;
        Ok(true)
    }
}

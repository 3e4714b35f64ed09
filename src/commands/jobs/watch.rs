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

/// The pause before the state of jobs is requested, if the websocket has reported nothing by then. It doubles up to
/// [`LONGEST_PAUSE`] while nothing changes.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The maximum age of a job without any run that counts as one that is about to start.
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
    /// [`Kind::NotFound`] if a job does not exist; any failure of a call.
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

/// Creates the error for a job without any run.
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

/// Whether a job was started a moment ago, since its run is stored seconds later.
fn is_just_made(job: &JobEntry) -> bool {
    let age = job.created.map(|created| jiff::Timestamp::now().duration_since(created));
    job.last().is_none() && job.fields.get("AutoStart").is_some() && age.is_some_and(|age| age < NEW)
}

/// The followed jobs: with the websocket, which reports at once what the user has started, and with regular requests.
struct Following<'a> {
    ctx: &'a Ctx,
    news: Watch,
    known: HashMap<String, JobEntry>,
    printed: HashMap<String, Task>,
    pause: Duration,
    ask_at: Instant,
}

impl<'a> Following<'a> {
    fn new(ctx: &'a Ctx, news: Watch) -> Self {
        let (known, printed) = (HashMap::new(), HashMap::new());
        Self { ctx, news, known, printed, pause: FIRST_PAUSE, ask_at: Instant::now() + FIRST_PAUSE }
    }

    /// Records the present state of a job, and prints what has changed.
    fn take(&mut self, job: JobEntry) -> Result<(), CliError> {
        if self.report(&job)? {
            self.pause = FIRST_PAUSE;
        }
        self.known.insert(job.id.clone(), job);
        Ok(())
    }

    /// Returns the ids of the jobs that have not ended.
    fn open(&self) -> Vec<String> {
        let is_open = |job: &&JobEntry| match job.last() {
            Some(task) => !task.is_over(),
            None => is_just_made(job),
        };
        self.known.values().filter(is_open).map(|job| job.id.clone()).collect()
    }

    /// Waits for an event, or requests the states when it is time.
    async fn next(&mut self, open: &[String]) -> Result<(), CliError> {
        if let Some(news) = self.news.news_until(self.ask_at).await {
            let task = self.news.known(&news.job.id).and_then(|job| job.task.clone());
            let job = self.known.get(&news.job.id.0).filter(|job| open.contains(&job.id)).cloned();
            let (Some(task), Some(mut job)) = (task, job) else { return Ok(()) };
            job.tasks.retain(|known| known.id != task.id);
            job.tasks.insert(0, task);
            return self.take(job);
        }
        // The websocket has closed before that time.
        if Instant::now() < self.ask_at {
            return Ok(());
        }
        let listed = self.ctx.api().await?.jobs(open).await;
        let mut listed = listed.map_err(|error| CliError::from(error).during("requesting the jobs"))?;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        for id in open {
            match listed.iter().position(|job| job.id == *id) {
                Some(place) => {
                    let job = listed.swap_remove(place);
                    if !self.is_outdated(&job) {
                        self.take(job)?;
                    }
                }
                // A job that existed and is gone has finished and been cleared.
                None => self.forget(id),
            }
        }
        self.ask_at = Instant::now() + self.pause;
        Ok(())
    }

    /// Whether the websocket has reported a later state of a run than the server has stored.
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

    /// Prints what has changed in a job. Returns whether anything has.
    fn report(&mut self, job: &JobEntry) -> Result<bool, CliError> {
        let Some(task) = job.last() else { return Ok(false) };
        if self.printed.get(&job.id) == Some(task) {
            return Ok(false);
        }
        self.printed.insert(job.id.clone(), task.clone());
        let now = jiff::Timestamp::now();
        let now = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
        if self.ctx.ui.is_json() {
            let record = json!({"type": "task", "time": now.to_string(), "job_id": job.id, "label": job.label, "task": task_record(task)});
            self.ctx.ui.json_line(&record)?;
        } else {
            let progress = task.progress.map_or_else(|| "-".to_owned(), |part| format!("{:.0}%", part * 100.0));
            // A log of several minutes requires clock times.
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

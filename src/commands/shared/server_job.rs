//! Jobs that the server does in the background: starting them, and waiting for them with something to look at.

use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::shell::command_line;
use crate::ui::waiting::Waiting;
use cells_client::api::jobs::{Job, JobId, JobStatus};
use cells_client::api::watch::{End, Watch};
use cells_client::failure::ServerError;

/// What became of the request to start a job.
pub enum Started {
    /// It runs.
    Job(JobId),
    /// Nobody knows whether it runs.
    AnswerLost(CliError),
}

/// Starts jobs and waits for them.
pub struct ServerJobs<'a> {
    ctx: &'a Ctx,
    watch: Watch,
}

impl<'a> ServerJobs<'a> {
    /// Begins to listen for the ends of jobs; the sooner this is, the less is waited later.
    ///
    /// # Errors
    /// Nobody is signed in.
    pub async fn open(ctx: &'a Ctx) -> Result<Self, CliError> {
        Ok(Self { ctx, watch: Watch::open(ctx.api().await?) })
    }

    /// The listener itself.
    pub fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    /// Starts one of the server's own jobs by a request of the client that has not been polled.
    ///
    /// # Errors
    /// The server refuses; then nothing is started. [`Kind::Interrupted`].
    pub async fn start(
        &mut self,
        request: impl Future<Output = Result<JobId, ServerError>>,
    ) -> Result<Started, CliError> {
        self.watch.ready().await;
        let started = tokio::select! {
            biased;
            started = request => started,
            () = self.ctx.cancel.cancelled() => {
                return Err(CliError::new(Kind::Interrupted, "the server may have started the job"));
            }
        };
        match started {
            Ok(id) => Ok(Started::Job(id)),
            Err(error) if error.is_answer_lost() => Ok(Started::AnswerLost(error.into())),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until a job has ended; `what` is shown meanwhile (`copying a.txt`). Gives it as it was in the end, unless
    /// the server has cleared it away by then.
    ///
    /// # Errors
    /// [`Kind::JobFailed`] with the server's own words; [`Kind::Interrupted`] when the user does not want to wait any
    /// more; [`Kind::Unreachable`] where the server cannot be reached, or does not begin with it.
    pub async fn wait(&mut self, id: &JobId, what: &str) -> Result<Option<Job>, CliError> {
        self.wait_for_run(id, &[], what).await
    }

    /// As [`ServerJobs::wait`], for a job that has had other runs: those of `seen` (ids of tasks) are not meant.
    ///
    /// # Errors
    /// As [`ServerJobs::wait`].
    pub async fn wait_for_run(&mut self, id: &JobId, seen: &[String], what: &str) -> Result<Option<Job>, CliError> {
        let waiting = Waiting::start(&self.ctx.ui, what);
        let end = tokio::select! {
            biased;
            end = self.watch.end_of(id, seen, |job| waiting.say(what, shown_message(job), job.progress())) => end,
            () = self.ctx.cancel.cancelled() => return Err(still_running(id)),
        };
        drop(waiting);
        match end {
            Ok(End::Ended(job)) if job.status() == JobStatus::Failed => Err(failed(&job)),
            Ok(End::Ended(job)) => Ok(Some(*job)),
            Ok(End::Forgotten) => Ok(None),
            Ok(End::NotBegun) => {
                let message = format!("the job {} was started but did not appear within a minute", id.0);
                Err(CliError::new(Kind::Unreachable, message)
                    .hint(format!("follow it with: {}", command_line("cec jobs watch", &[&id.0]))))
            }
            Err(error) => Err(CliError::from(error)
                .during("waiting for the server")
                .hint(format!("the job may continue: {}", id.0))),
        }
    }
}

/// What a job says of itself, but for the names of its parts in the server's code.
fn shown_message(job: &Job) -> &str {
    if job.message().contains("actions.") { "" } else { job.message() }
}

/// What the failure of a job means.
pub fn failed(job: &Job) -> CliError {
    let reason = if job.message().is_empty() { &job.label } else { job.message() };
    CliError::new(Kind::JobFailed, format!("the server's job failed: {reason}"))
}

fn still_running(id: &JobId) -> CliError {
    CliError::new(Kind::Interrupted, "the job continues on the server")
        .hint(format!("stop it with: {}", command_line("cec jobs cancel", &[&id.0])))
}

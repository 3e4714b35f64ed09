//! Jobs on the server: starting them, and waiting for them with a progress display.

use crate::context::Ctx;
use crate::error::{CliError, Hint, Kind};
use crate::ui::waiting::Waiting;
use cells_client::api::jobs::{Job, JobId, JobStatus};
use cells_client::api::watch::{End, Watch};
use cells_client::failure::ServerError;

/// The outcome of a request to start a job.
pub enum Started {
    /// The job was started.
    Job(JobId),
    /// The answer was lost, so nobody knows whether the job was started.
    AnswerLost(CliError),
}

/// Starts jobs and waits for them.
pub struct ServerJobs<'a> {
    ctx: &'a Ctx,
    watch: Watch,
}

impl<'a> ServerJobs<'a> {
    /// Starts to watch for the ends of jobs. The earlier this is called, the less time is lost later.
    ///
    /// # Errors
    /// Nobody is signed in.
    pub async fn open(ctx: &'a Ctx) -> Result<Self, CliError> {
        Ok(Self { ctx, watch: Watch::open(ctx.api().await?) })
    }

    /// Returns the watch.
    pub fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    /// Starts one of the server's jobs. `request` is a call of the client that was not polled yet.
    ///
    /// # Errors
    /// The server refuses, and no job is started. [`Kind::Interrupted`].
    pub async fn start(
        &mut self,
        request: impl Future<Output = Result<JobId, ServerError>>,
    ) -> Result<Started, CliError> {
        // The websocket first: the end of a short job would otherwise be reported before anybody listens.
        self.watch.ready().await;
        let started = tokio::select! {
            // The answer has priority: it contains the id, with which the user can stop the job.
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

    /// Waits for the end of a job, and shows `what` in the meantime (`copying a.txt`). Returns its last state, unless
    /// the server has cleared it.
    ///
    /// # Errors
    /// [`Kind::JobFailed`] with the server's message; [`Kind::Interrupted`] if the user stops the wait;
    /// [`Kind::Unreachable`] if the server is unreachable, or does not start the job.
    pub async fn wait(&mut self, id: &JobId, what: &str) -> Result<Option<Job>, CliError> {
        self.wait_for_run(id, &[], what).await
    }

    /// Like [`ServerJobs::wait`], for a job that has had earlier runs, whose task ids are in `seen`.
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
            // A job that the server no longer knows has most likely finished. The callers check the result themselves.
            Ok(End::Forgotten) => Ok(None),
            Ok(End::NotBegun) => {
                let message = format!("the job {} was started but did not appear within a minute", id.0);
                Err(CliError::new(Kind::Unreachable, message).hint(Hint::command(
                    "follow it with",
                    "cec jobs watch",
                    &[&id.0],
                )))
            }
            Err(error) => Err(CliError::from(error)
                .during("waiting for the server")
                .hint(format!("the job may continue: {}", id.0))),
        }
    }
}

/// Returns the message of a job, without the internal names of its steps.
fn shown_message(job: &Job) -> &str {
    // Some releases report the internal name of the present step as the message.
    if job.message().contains("actions.") { "" } else { job.message() }
}

/// Creates the error for a failed job.
pub fn failed(job: &Job) -> CliError {
    let reason = if job.message().is_empty() { &job.label } else { job.message() };
    CliError::new(Kind::JobFailed, format!("the server's job failed: {reason}"))
}

fn still_running(id: &JobId) -> CliError {
    CliError::new(Kind::Interrupted, "the job continues on the server").hint(Hint::command(
        "stop it with",
        "cec jobs cancel",
        &[&id.0],
    ))
}

//! Waiting for runs of jobs, by asking: the server writes their state down some seconds late.

use std::time::Duration;

use tokio::time::Instant;

use crate::api::ApiErrorKind;
use crate::api::scheduler::{JobEntry, Task};
use crate::context::Ctx;
use crate::error::{CliError, Kind};

/// The pause after the first look; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// How long a run may take to show at all: the server stores runs three seconds late, on a busy day later.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pauses that grow, since what has not ended soon takes its time.
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }

    /// Something has happened, and more may soon.
    pub(super) fn hurry(&mut self) {
        self.0 = FIRST_PAUSE;
    }
}

/// Waits until a run of a job that is none of `seen` is over, and gives it.
///
/// # Errors
/// No such run shows for a minute; any failure of a call that asking again does not mend.
pub(in crate::commands) async fn new_task(ctx: &Ctx, id: &str, seen: &[String]) -> Result<Task, CliError> {
    let api = ctx.api().await?;
    let started = Instant::now();
    let mut told = String::new();
    let mut pauses = Pauses::new();
    loop {
        let job = match api.job_entry(id).await {
            // A long job outlives a moment without an answer.
            Err(error) if matches!(error.kind, ApiErrorKind::Transport | ApiErrorKind::Server) && !told.is_empty() => {
                ctx.ui.warn(&format!("the server did not answer: {error}"));
                None
            }
            other => other?,
        };
        let task = job.and_then(|job: JobEntry| job.tasks.into_iter().find(|task| !seen.contains(&task.id)));
        match task {
            Some(task) if task.is_over() => return Ok(task),
            Some(task) => {
                if task.message != told && ctx.ui.stderr_is_terminal() {
                    ctx.ui.status(&task.message);
                }
                told = task.message;
            }
            None if told.is_empty() && started.elapsed() > PATIENCE => {
                let message = format!("the job {id} was started and does not show within a minute");
                return Err(CliError::new(Kind::Unreachable, message).hint(format!("'cec jobs watch {id}' goes on")));
            }
            None => {}
        }
        pauses.pause().await;
    }
}

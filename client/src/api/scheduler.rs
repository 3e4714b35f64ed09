//! Jobs and their tasks as the administration sees them: everybody's, the server's own, their logs, their end.

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Client;
use super::jobs::{JobId, Task, WireTask, time};
use super::wire::{list, number};
use crate::failure::{Reason, ServerError, ServerErrorKind};
use crate::path::encode_segment;

/// The user that the server's own jobs belong to.
pub const SYSTEM_USER: &str = "pydio.system.user";

/// How many tasks of a job are read.
pub const MOST_TASKS: usize = 100;

/// How many lines a page of a log holds.
const LOG_PAGE: u64 = 500;

/// How many pages of a log are read: a server that does not know pages would say the same for ever.
const MOST_PAGES: u64 = 200;

/// A job with its tasks.
#[derive(Debug, Clone)]
pub struct JobEntry {
    /// The id.
    pub id: String,
    /// The server's words for it.
    pub label: String,
    /// The login of its owner.
    pub owner: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Its runs, newest first, at most [`MOST_TASKS`].
    pub tasks: Vec<Task>,
    /// The whole job as the server describes it.
    pub fields: Value,
}

/// A line of a task's log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// When it was written.
    pub time: Option<Timestamp>,
    /// `info`, `error`, …
    pub level: String,
    /// What it says.
    pub message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct JobsAnswer {
    #[serde(deserialize_with = "list")]
    jobs: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireJob {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Label")]
    label: String,
    #[serde(rename = "Owner")]
    owner: String,
    #[serde(rename = "CreatedAt", deserialize_with = "number")]
    created: i64,
    #[serde(rename = "Tasks", deserialize_with = "list")]
    tasks: Vec<WireTask>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct LogsAnswer {
    #[serde(deserialize_with = "list")]
    logs: Vec<WireLine>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireLine {
    #[serde(deserialize_with = "number")]
    ts: i64,
    level: String,
    msg: String,
}

impl Client {
    /// The jobs that the user may see: his own, and everybody's for an administrator; with `ids` those of them alone.
    /// Unknown ids are left out. Sorted by id.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn jobs(&self, ids: &[String]) -> Result<Vec<JobEntry>, ServerError> {
        let mut request = json!({"LoadTasks": "Any", "Owner": "*", "TasksLimit": MOST_TASKS});
        if !ids.is_empty() {
            request["JobIDs"] = json!(ids);
        }
        let answer: JobsAnswer = self.read("/a/jobs/user", &request).await?;
        let mut jobs = answer.jobs.into_iter().map(JobEntry::of).collect::<Result<Vec<_>, _>>()?;
        jobs.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(jobs)
    }

    /// The job of that id, whoever's; `None` where the user sees no such job.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn job_entry(&self, id: &str) -> Result<Option<JobEntry>, ServerError> {
        Ok(self.jobs(&[id.to_owned()]).await?.into_iter().find(|job| job.id == id))
    }

    /// Asks the server to stop a task. It says yes whatever becomes of it.
    ///
    /// # Errors
    /// Any failure of the call; [`ServerErrorKind::BadRequest`] for an id that is no whole UUID, which is not sent.
    pub async fn stop_task(&self, job: &JobId, task: &str) -> Result<(), ServerError> {
        check_task(task)?;
        let request = json!({"Cmd": "Stop", "JobId": job.0, "TaskId": task});
        let _: Value = self.write(Method::PUT, "/a/jobs/user", &request).await?;
        Ok(())
    }

    /// Deletes a job itself. Only some editions of the server can: false where this one cannot.
    ///
    /// # Errors
    /// Any other failure of the call.
    pub async fn delete_job(&self, job: &JobId) -> Result<bool, ServerError> {
        let path = format!("/a/scheduler/jobs/{}", encode_segment(&job.0));
        match self.raw(Method::DELETE, &path, None).await {
            Ok(_) => Ok(true),
            // The web page, or a complaint of the router: there is no such call.
            Err(error) if error.kind == ServerErrorKind::NotCells || error.is(Reason::NoSuchCall) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes the records of tasks; the job itself stays.
    ///
    /// # Errors
    /// Any failure of the call; [`ServerErrorKind::BadRequest`] for an id that is no whole UUID, which is not sent: it ends
    /// the jobs service for everybody.
    pub async fn delete_tasks(&self, job: &JobId, tasks: &[String]) -> Result<(), ServerError> {
        tasks.iter().try_for_each(|task| check_task(task))?;
        if tasks.is_empty() {
            return Ok(());
        }
        let request = json!({"JobId": job.0, "TaskID": tasks});
        let _: Value = self.write(Method::POST, "/a/jobs/tasks/delete", &request).await?;
        Ok(())
    }

    /// What a task has written down, oldest first.
    ///
    /// # Errors
    /// As [`Client::stop_task`].
    pub async fn task_log(&self, job: &JobId, task: &str) -> Result<Vec<LogLine>, ServerError> {
        check_task(task)?;
        let operation = format!("{}-{}", job.0, &task[..8]);
        let mut lines = Vec::new();
        for page in 0..MOST_PAGES {
            let query = format!("+OperationUuid:\"{operation}\"");
            let request = json!({"Query": query, "Page": page, "Size": LOG_PAGE, "Format": "JSON"});
            let answer: LogsAnswer = self.read("/a/jobs/tasks/logs", &request).await?;
            let count = answer.logs.len() as u64;
            lines.extend(answer.logs.into_iter().map(WireLine::into_line));
            if count < LOG_PAGE {
                // The newest comes first, and the times are whole seconds.
                lines.reverse();
                lines.sort_by_key(|line: &LogLine| line.time);
                return Ok(lines);
            }
        }
        let message = format!("the log has more than {} lines", MOST_PAGES * LOG_PAGE);
        Err(ServerError::new(ServerErrorKind::BadRequest, message))
    }
}

/// Whether a text is a whole UUID. Anything shorter, sent as a task's id, ends the jobs service for everybody.
pub fn is_task_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn check_task(task: &str) -> Result<(), ServerError> {
    if is_task_id(task) {
        return Ok(());
    }
    Err(ServerError::new(ServerErrorKind::BadRequest, format!("'{task}' is not a complete task id, so it is not sent")))
}

impl JobEntry {
    fn of(fields: Value) -> Result<Self, ServerError> {
        let wire: WireJob = serde_json::from_value(fields.clone()).map_err(|error| {
            ServerError::new(ServerErrorKind::NotCells, format!("the answer is not a job: {error}"))
        })?;
        let mut tasks: Vec<Task> = wire.tasks.into_iter().map(WireTask::into_task).collect();
        tasks.sort_by_key(|task| std::cmp::Reverse(task.started));
        Ok(Self { id: wire.id, label: wire.label, owner: wire.owner, created: time(wire.created), tasks, fields })
    }

    /// Its last run.
    pub fn last(&self) -> Option<&Task> {
        self.tasks.first()
    }
}

impl WireLine {
    fn into_line(self) -> LogLine {
        LogLine { time: time(self.ts), level: self.level, message: self.msg.trim_end().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::answer;

    #[test]
    fn recorded_jobs_are_read_with_their_tasks() {
        let answer: JobsAnswer = serde_json::from_slice(&answer("100-jobs-with-errors").body).expect("jobs");
        let job = JobEntry::of(answer.jobs[0].clone()).expect("a job");
        assert_eq!((job.owner.as_str(), job.tasks.len()), ("admin", 1));
        let task = job.last().expect("a task");
        assert_eq!((task.status.as_str(), task.message.as_str()), ("Error", "zip: not a valid zip file"));
        assert!(task.is_over() && task.has_failed() && task.progress.is_none());
    }

    #[test]
    fn only_whole_ids_are_sent() {
        for (text, whole) in [
            ("eeb9cac9-5d30-42e8-9e7f-f96aea8c22e4", true),
            ("eeb9cac9", false),
            ("eeb9cac9-5d30-42e8-9e7f-f96aea8c22e", false),
            ("", false),
            ("eeb9cac9-5d30-42e8-9e7f-f96aea8c22eg", false),
            ("eeb9cac95d30-42e8-9e7f-f96aea8c22e4--", false),
        ] {
            assert_eq!(is_task_id(text), whole, "{text}");
            assert_eq!(check_task(text).is_ok(), whole, "{text}");
        }
    }
}

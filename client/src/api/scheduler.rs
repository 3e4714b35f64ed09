//! Jobs and tasks as administrators see them: of all users and of the server, with their logs.

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Client;
use super::jobs::{JobId, Task, WireTask, time};
use super::wire::{list, number};
use crate::failure::{Reason, ServerError, ServerErrorKind};
use crate::path::encode_segment;

/// The owner of the server's own jobs.
pub const SYSTEM_USER: &str = "pydio.system.user";

/// The maximum number of tasks to read per job.
pub const MOST_TASKS: usize = 100;

/// The number of log lines per page.
const LOG_PAGE: u64 = 500;

/// The maximum number of log pages to read. A server that ignores pages would send the same one forever.
const MOST_PAGES: u64 = 200;

/// A job with its tasks.
#[derive(Debug, Clone)]
pub struct JobEntry {
    /// The id.
    pub id: String,
    /// The description.
    pub label: String,
    /// The login of its owner.
    pub owner: String,
    /// The creation time.
    pub created: Option<Timestamp>,
    /// The runs, newest first, at most [`MOST_TASKS`].
    pub tasks: Vec<Task>,
    /// The complete job, as the server describes it.
    pub fields: Value,
}

/// A line of a task's log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// The time of the entry.
    pub time: Option<Timestamp>,
    /// `info`, `error`, …
    pub level: String,
    /// The message.
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
    /// Returns the jobs that the user may see: their own, or those of everybody for an administrator. If `ids` is not
    /// empty, only those jobs. Unknown ids are omitted. Sorted by id.
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

    /// Returns the job with this id, whoever owns it; `None` if the user may not see it or it does not exist.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn job_entry(&self, id: &str) -> Result<Option<JobEntry>, ServerError> {
        Ok(self.jobs(&[id.to_owned()]).await?.into_iter().find(|job| job.id == id))
    }

    /// Asks the server to stop a task. The server always confirms, whether or not the task stops.
    ///
    /// # Errors
    /// Any failure of the call; [`ServerErrorKind::BadRequest`] if `task` is not a complete UUID; then nothing is sent.
    pub async fn stop_task(&self, job: &JobId, task: &str) -> Result<(), ServerError> {
        check_task(task)?;
        let request = json!({"Cmd": "Stop", "JobId": job.0, "TaskId": task});
        let _: Value = self.write(Method::PUT, "/a/jobs/user", &request).await?;
        Ok(())
    }

    /// Deletes a job. Returns false if this edition of the server has no such call.
    ///
    /// # Errors
    /// Any other failure of the call.
    pub async fn delete_job(&self, job: &JobId) -> Result<bool, ServerError> {
        let path = format!("/a/scheduler/jobs/{}", encode_segment(&job.0));
        match self.raw(Method::DELETE, &path, None).await {
            Ok(_) => Ok(true),
            // A web page, or an error of the router: the call does not exist.
            Err(error) if error.kind == ServerErrorKind::NotCells || error.is(Reason::NoSuchCall) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes the records of tasks. The job remains.
    ///
    /// # Errors
    /// Any failure of the call; [`ServerErrorKind::BadRequest`] if an id is not a complete UUID; then nothing is sent,
    /// because such an id would end the jobs service for everybody.
    pub async fn delete_tasks(&self, job: &JobId, tasks: &[String]) -> Result<(), ServerError> {
        tasks.iter().try_for_each(|task| check_task(task))?;
        if tasks.is_empty() {
            return Ok(());
        }
        let request = json!({"JobId": job.0, "TaskID": tasks});
        let _: Value = self.write(Method::POST, "/a/jobs/tasks/delete", &request).await?;
        Ok(())
    }

    /// Returns the log of a task, oldest line first.
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
                // The server sends the newest line first, and its times are whole seconds, so they cannot be used for
                // sorting.
                lines.reverse();
                lines.sort_by_key(|line: &LogLine| line.time);
                return Ok(lines);
            }
        }
        let message = format!("the log has more than {} lines", MOST_PAGES * LOG_PAGE);
        Err(ServerError::new(ServerErrorKind::BadRequest, message))
    }
}

/// Whether a text is a complete UUID. Anything shorter, sent as the id of a task, ends the jobs service for everybody.
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

    /// Returns the last run.
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
    fn only_complete_ids_are_sent() {
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

//! Starting jobs and reading their state.

use crate::failure::{ServerError, ServerErrorKind};
use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Client;
use super::wire::{list, number};
use crate::path::{self, RemotePath};

/// The id of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobId(pub String);

/// The target of a job that copies or moves nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobTarget {
    /// A folder; the nodes keep their names. The server creates the folder if it is missing.
    Folder(RemotePath),
    /// The new path of the only source.
    Name(RemotePath),
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// The job exists, but its task has not started or is not known yet.
    Waiting,
    /// The task is running.
    Running,
    /// The task succeeded.
    Finished,
    /// The task failed or was stopped.
    Failed,
}

/// A job, as the server reports it. The state of its tasks may be three seconds old or more.
#[derive(Debug, Clone)]
pub struct Job {
    /// The id.
    pub id: JobId,
    /// The description, in the user's language.
    pub label: String,
    /// The newest run, if there is one.
    pub task: Option<Task>,
    /// The target, if the job has one: a path in the user's form, or in the server's own tree.
    pub target: Option<String>,
}

/// A run of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The id, a complete UUID.
    pub id: String,
    /// The state, as the server names it: Running, Finished, Error, Queued, Paused, Interrupted, Idle, Unknown.
    pub status: String,
    /// The last status message.
    pub message: String,
    /// The progress from 0 to 1, if known.
    pub progress: Option<f64>,
    /// The login of the user who started the run.
    pub owner: String,
    /// The start time.
    pub started: Option<Timestamp>,
    /// The end time.
    pub ended: Option<Timestamp>,
    /// Whether the run can be stopped.
    pub can_stop: bool,
}

impl Task {
    /// Whether the run has ended, successfully or not.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "Finished" | "Error" | "Interrupted")
    }

    /// Whether the run has ended without success.
    pub fn has_failed(&self) -> bool {
        matches!(self.status.as_str(), "Error" | "Interrupted")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct JobsAnswer {
    #[serde(deserialize_with = "list")]
    pub(super) jobs: Vec<WireJob>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireJob {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Label")]
    label: String,
    #[serde(rename = "Tasks", deserialize_with = "list")]
    pub(super) tasks: Vec<WireTask>,
    #[serde(rename = "Actions", deserialize_with = "list")]
    actions: Vec<WireAction>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireAction {
    parameters: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct WireTask {
    #[serde(rename = "ID")]
    id: String,
    status: String,
    status_message: String,
    trigger_owner: String,
    #[serde(deserialize_with = "number")]
    start_time: i64,
    #[serde(deserialize_with = "number")]
    end_time: i64,
    can_stop: bool,
    has_progress: bool,
    progress: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RunAnswer {
    job_uuid: String,
}

impl Job {
    /// Returns the state.
    pub fn status(&self) -> JobStatus {
        match self.task.as_ref().map_or("", |task| &task.status) {
            "Finished" => JobStatus::Finished,
            "Error" | "Interrupted" => JobStatus::Failed,
            "Running" | "Paused" => JobStatus::Running,
            _ => JobStatus::Waiting,
        }
    }

    /// Returns the last status message.
    pub fn message(&self) -> &str {
        self.task.as_ref().map_or("", |task| &task.message)
    }

    /// Returns the progress from 0 to 1, if known.
    pub fn progress(&self) -> Option<f64> {
        self.task.as_ref().and_then(|task| task.progress)
    }

    /// Whether the job has ended, so that no further events are expected.
    pub fn has_ended(&self) -> bool {
        self.task.as_ref().is_some_and(Task::is_over)
    }
}

impl Client {
    /// Returns a job that the user may see, with its newest run that is not in `seen` (task ids). `None` if the server
    /// does not know the job: the id is wrong, the job belongs to somebody else, or it has finished and been cleared.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn job(&self, id: &JobId, seen: &[String]) -> Result<Option<Job>, ServerError> {
        // Administrators see the server's own jobs only if they ask for those of everybody. Other users still see only
        // their own.
        let request = json!({"JobIDs": [id.0], "LoadTasks": "Any", "Owner": "*"});
        let answer: JobsAnswer = self.read("/a/jobs/user", &request).await?;
        let job = answer.jobs.into_iter().find(|job| job.id == id.0);
        Ok(job.map(|mut job| {
            job.tasks.retain(|task| !seen.contains(&task.id));
            job.into_job()
        }))
    }

    /// Starts a job that copies nodes.
    ///
    /// # Errors
    /// As [`Client::run_job`].
    pub async fn copy(&self, sources: &[&RemotePath], to: &JobTarget) -> Result<JobId, ServerError> {
        self.run_job("copy", &self.relocation(sources, to)).await
    }

    /// Starts a job that moves nodes.
    ///
    /// # Errors
    /// As [`Client::run_job`].
    pub async fn move_(&self, sources: &[&RemotePath], to: &JobTarget) -> Result<JobId, ServerError> {
        self.run_job("move", &self.relocation(sources, to)).await
    }

    fn relocation(&self, sources: &[&RemotePath], to: &JobTarget) -> Value {
        let (target, is_parent) = match to {
            JobTarget::Folder(folder) => (folder, true),
            JobTarget::Name(path) => (path, false),
        };
        json!({"nodes": self.server_paths(sources), "target": self.server_path(target).as_str(), "targetParent": is_parent})
    }

    /// Starts a job that creates an archive; `format` is the server's name for its type: `zip`, `tar` or `tar.gz`.
    ///
    /// # Errors
    /// As [`Client::run_job`].
    pub async fn compress(
        &self,
        nodes: &[&RemotePath],
        archive: &RemotePath,
        format: &str,
    ) -> Result<JobId, ServerError> {
        let archive = self.server_path(archive);
        let parameters = json!({"nodes": self.server_paths(nodes), "archiveName": archive.as_str(), "format": format});
        self.run_job("compress", &parameters).await
    }

    /// Starts a job that extracts an archive into a folder; `format` is as for [`Client::compress`].
    ///
    /// # Errors
    /// As [`Client::run_job`].
    pub async fn extract(&self, archive: &RemotePath, folder: &RemotePath, format: &str) -> Result<JobId, ServerError> {
        let (archive, folder) = (self.server_path(archive), self.server_path(folder));
        let parameters = json!({"node": archive.as_str(), "target": folder.as_str(), "format": format});
        self.run_job("extract", &parameters).await
    }

    fn server_paths(&self, paths: &[&RemotePath]) -> Vec<String> {
        paths.iter().map(|path| self.server_path(path).to_string()).collect()
    }

    /// Returns the actual target of `source` according to the log of the job's newest run; `None` if the log does not
    /// contain it yet. The server chooses another name if the name of `target` is in use.
    ///
    /// # Errors
    /// Any failure of the call for the job.
    pub async fn logged_target(
        &self,
        job: &JobId,
        source: &RemotePath,
        target: &RemotePath,
    ) -> Result<Option<RemotePath>, ServerError> {
        let Some(task) = self.job(job, &[]).await?.and_then(|job| job.task) else { return Ok(None) };
        let lines = self.task_log(job, &task.id).await.unwrap_or_default();
        let (source, wanted) = (self.server_path(source), self.server_path(target));
        let words = format!(" {} to ", source.as_str());
        let Some((_, place)) = lines.iter().filter_map(|line| line.message.split_once(&words)).next_back() else {
            return Ok(None);
        };
        let name = place.trim_end_matches('/').rsplit('/').next().unwrap_or(place);
        let is_it = wanted.parent().unwrap_or_default().join(name).nfc() == wanted.nfc();
        let parent = target.parent().unwrap_or_default();
        Ok(Some(if is_it { target.clone() } else { parent.join(name) }))
    }

    /// Starts one of the server's built-in jobs by name. Sent once: if the answer is lost, nobody knows whether the job
    /// runs.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotFound`] if a source is missing; then no job is started.
    pub async fn run_job(&self, name: &str, parameters: &Value) -> Result<JobId, ServerError> {
        let request = json!({"JsonParameters": parameters.to_string()});
        let path = format!("/a/jobs/user/{}", path::encode_segment(name));
        let answer: RunAnswer = self.write(Method::PUT, &path, &request).await?;
        if answer.job_uuid.is_empty() {
            return Err(ServerError::new(
                ServerErrorKind::Server,
                "the server started a job but did not return its id",
            ));
        }
        Ok(JobId(answer.job_uuid))
    }
}

impl WireJob {
    pub(super) fn into_job(self) -> Job {
        let parameters = self.actions.into_iter().find_map(|action| action.parameters);
        let target = parameters.and_then(|mut parameters| parameters.remove("target"));
        let target = target.and_then(|target| target.as_str().map(str::to_owned)).filter(|target| !target.is_empty());
        let newest = self.tasks.into_iter().max_by_key(|task| task.start_time);
        Job { id: JobId(self.id), label: self.label, task: newest.map(WireTask::into_task), target }
    }
}

impl WireTask {
    pub(super) fn into_task(self) -> Task {
        let progress = if self.status == "Finished" { 1.0 } else { self.progress };
        Task {
            id: self.id,
            message: unwrapped(&self.status_message),
            progress: self.has_progress.then_some(progress),
            status: self.status,
            owner: self.trigger_owner,
            started: time(self.start_time),
            ended: time(self.end_time),
            can_stop: self.can_stop,
        }
    }
}

/// Converts seconds since the Unix epoch; zero means no time.
pub(super) fn time(seconds: i64) -> Option<Timestamp> {
    Some(seconds).filter(|seconds| *seconds > 0).and_then(|seconds| Timestamp::from_second(seconds).ok())
}

/// Returns the message in an error that is JSON text, which some failed tasks have as their message.
fn unwrapped(message: &str) -> String {
    let bare = |text: &str| text.strip_prefix("Error: ").unwrap_or(text).trim().to_owned();
    let message = bare(message);
    let inner = serde_json::from_slice::<Value>(message.as_bytes()).ok();
    let detail = inner.as_ref().and_then(|inner| inner.get("Detail")?.as_str()).map(bare);
    detail.filter(|detail| !detail.is_empty()).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::answer;

    fn job(name: &str) -> Option<Job> {
        let answer: JobsAnswer = serde_json::from_slice(&answer(name).body).expect(name);
        answer.jobs.into_iter().next().map(WireJob::into_job)
    }

    #[test]
    fn job_errors_are_reported_in_their_own_words() {
        let json = r#"{"Id":"object.not.found","Code":404,"Detail":"object was not found","Status":"Not Found"}"#;
        for (message, words) in [
            (format!("Error: {json}"), "object was not found"),
            (json.to_owned(), "object was not found"),
            ("Error: zip: not a valid zip file".to_owned(), "zip: not a valid zip file"),
            (r#"{"Detail":"Error: no room"}"#.to_owned(), "no room"),
            ("Moving a.txt".to_owned(), "Moving a.txt"),
            ("Error: {broken".to_owned(), "{broken"),
        ] {
            assert_eq!(unwrapped(&message), words, "{message}");
        }
    }

    #[test]
    fn recorded_jobs_are_read() {
        assert_eq!(job("95-job-poll-no-task").map(|job| job.status()), Some(JobStatus::Waiting));
        let running = job("97-job-poll-running").expect("a job");
        assert_eq!((running.status(), running.message()), (JobStatus::Running, "Moving e2copy.txt"));
        let finished = job("96-job-poll-finished").expect("a job");
        assert_eq!((finished.status(), finished.progress()), (JobStatus::Finished, Some(1.0)));
        let failed = job("99-job-poll-error-after-stop").expect("a job");
        assert_eq!(failed.status(), JobStatus::Failed);
        assert!(failed.message().starts_with("Could not retrieve node"), "{}", failed.message());
        assert!(job("102-job-poll-unknown-job").is_none());
    }
}

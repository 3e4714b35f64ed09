//! Background jobs. Their effect is soon visible, but their state is reported late.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

use crate::clock::Clock;

/// The number of events that a slow listener may be behind before it misses some.
const NEWS_KEPT: usize = 1024;

/// What a job was asked to do, as the job record shows it.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) id: &'static str,
    pub(crate) paths: Vec<String>,
    pub(crate) parameters: BTreeMap<&'static str, String>,
}

/// A job that is to be started.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The first part of the id, before the Uuid.
    pub(crate) prefix: &'static str,
    pub(crate) label: String,
    /// Who owns the job.
    pub(crate) owner: String,
    /// The login of the user who started the job, and who receives its events.
    pub(crate) trigger: String,
    pub(crate) action: Action,
    /// What the task reports while it runs.
    pub(crate) running: String,
}

/// A job as a poll sees it.
#[derive(Clone, Debug)]
pub(crate) struct JobView {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) owner: String,
    pub(crate) trigger: String,
    /// Whether somebody started it, and not its timetable or an event.
    pub(crate) auto_start: bool,
    pub(crate) created: i64,
    pub(crate) action: Action,
    /// Absent in the first moments, and when the task was deleted.
    pub(crate) task: Option<TaskView>,
    /// What the work itself has written down, as late as the end of its task.
    pub(crate) log: Vec<String>,
}

/// A task as a poll sees it.
#[derive(Clone, Debug)]
pub(crate) struct TaskView {
    pub(crate) id: String,
    pub(crate) status: TaskStatus,
    pub(crate) message: String,
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
}

/// An event, sent to listeners at once: a job with the present state of its task, not the late stored one.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) job: JobView,
    /// The time of this state, in nanoseconds since the Unix epoch. Events may arrive out of order.
    pub(crate) nanoseconds: i128,
}

/// The states of a task, numbered as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskStatus {
    Running = 2,
    Finished = 3,
    Error = 7,
}

#[derive(Debug)]
struct End {
    at: Instant,
    time: i64,
    error: Option<String>,
}

#[derive(Debug)]
struct Job {
    id: String,
    order: Order,
    created: i64,
    began: Instant,
    task_id: String,
    task_deleted: bool,
    stopped: bool,
    /// What the work itself has written down.
    log: Vec<String>,
    end: Option<End>,
}

/// The user that the server's own jobs belong to.
pub(crate) const SYSTEM_USER: &str = "pydio.system.user";

/// Jobs that every server has: id, label, action.
const SYSTEM_JOBS: [(&str, &str, &str); 2] = [
    ("actions.auth.prune.tokens", "Prune revoked tokens and expired reset password keys", "actions.auth.prune.tokens"),
    ("clean-user-data", "Clean or transfer user data on deletion", "actions.idm.clean-user-data"),
];

impl Job {
    /// A job that waits for its time and has never run.
    fn of_system(id: &str, label: &str, action: &'static str, now: i64) -> Self {
        Self {
            id: id.to_owned(),
            order: Order {
                prefix: "",
                label: label.to_owned(),
                owner: SYSTEM_USER.to_owned(),
                trigger: SYSTEM_USER.to_owned(),
                action: Action { id: action, paths: Vec::new(), parameters: BTreeMap::new() },
                running: String::new(),
            },
            created: now,
            began: Instant::now(),
            task_id: crate::random::uuid(),
            task_deleted: true,
            stopped: false,
            log: Vec::new(),
            end: None,
        }
    }
}

/// All jobs of one sandbox. Copies share the same list.
#[derive(Clone, Debug)]
pub(crate) struct Jobs {
    jobs: Arc<Mutex<Vec<Job>>>,
    clock: Clock,
    effect_delay: Duration,
    status_delay: Duration,
    /// Whether the service has crashed, so that it no longer answers.
    crashed: Arc<AtomicBool>,
    news: broadcast::Sender<News>,
}

impl Jobs {
    pub(crate) fn new(clock: Clock, effect_delay: Duration, status_delay: Duration) -> Self {
        let jobs =
            SYSTEM_JOBS.iter().map(|(id, label, action)| Job::of_system(id, label, action, clock.now())).collect();
        let (news, _) = broadcast::channel(NEWS_KEPT);
        Self { jobs: Arc::new(Mutex::new(jobs)), clock, effect_delay, status_delay, crashed: Arc::default(), news }
    }

    /// Returns all events from now on, of all users.
    pub(crate) fn listen(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Starts a job and returns its id. `work` runs after the effect delay, and its error is what the task reports.
    /// Must be called on the server's runtime.
    pub(crate) fn start(&self, order: Order, work: impl FnOnce() -> Result<(), String> + Send + 'static) -> String {
        let id = format!("{}-{}", order.prefix, crate::random::uuid());
        self.start_as(id, order, work)
    }

    /// Like [`Jobs::start`], for work that returns lines for its log.
    pub(crate) fn start_with_log(
        &self,
        order: Order,
        work: impl FnOnce() -> Result<Vec<String>, String> + Send + 'static,
    ) -> String {
        let id = format!("{}-{}", order.prefix, crate::random::uuid());
        self.run(id, order, work)
    }

    /// Starts a job with a fixed id. An existing job with this id runs again.
    pub(crate) fn start_as(
        &self,
        id: String,
        order: Order,
        work: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> String {
        self.run(id, order, move || work().map(|()| Vec::new()))
    }

    fn run(
        &self,
        id: String,
        order: Order,
        work: impl FnOnce() -> Result<Vec<String>, String> + Send + 'static,
    ) -> String {
        let mut jobs = self.lock();
        jobs.retain(|job| job.id != id);
        jobs.push(Job {
            id: id.clone(),
            order,
            created: self.clock.now(),
            began: Instant::now(),
            task_id: crate::random::uuid(),
            task_deleted: false,
            stopped: false,
            log: Vec::new(),
            end: None,
        });
        drop(jobs);
        self.tell(&id, TaskStatus::Running, "Starting...");
        let (jobs, name) = (self.clone(), id.clone());
        tokio::spawn(async move {
            tokio::time::sleep(jobs.effect_delay).await;
            if !jobs.is_stopped(&name) {
                let done = work();
                let (log, error) = done.map_or_else(|error| (Vec::new(), Some(error)), |log| (log, None));
                if let Some(job) = jobs.lock().iter_mut().find(|job| job.id == name) {
                    job.log = log;
                }
                jobs.finish(&name, error);
            }
        });
        id
    }

    /// The jobs of `owner` (of everybody if `None`) with these ids (all if empty), oldest first.
    pub(crate) fn list(&self, owner: Option<&str>, ids: &[String]) -> Vec<JobView> {
        self.lock()
            .iter()
            .filter(|job| owner.is_none_or(|owner| owner == job.order.owner))
            .filter(|job| ids.is_empty() || ids.contains(&job.id))
            .map(|job| self.view(job))
            .collect()
    }

    /// The ids of the jobs that have not ended.
    pub(crate) fn open(&self) -> Vec<String> {
        self.lock()
            .iter()
            .filter(|job| job.end.is_none() && job.order.owner != SYSTEM_USER)
            .map(|job| job.id.clone())
            .collect()
    }

    /// Stops a job whose effect has not come yet; it ends with an error.
    pub(crate) fn stop(&self, id: &str) {
        let error = {
            let mut jobs = self.lock();
            let job = jobs.iter_mut().find(|job| job.id == id && job.end.is_none());
            job.map(|job| {
                job.stopped = true;
                job.order.running.clone()
            })
        };
        if error.is_some() {
            self.finish(id, error);
        }
    }

    /// Deletes the record of a task; the job stays. Unknown ones are ignored.
    pub(crate) fn delete_task(&self, job_id: &str, task_id: &str) {
        let mut jobs = self.lock();
        let found = jobs.iter_mut().find(|job| job.id == job_id && job.task_id == task_id);
        if let Some(job) = found {
            job.task_deleted = true;
        }
    }

    /// Crashes the service, as a certain bad request does.
    pub(crate) fn crash(&self) {
        self.crashed.store(true, Ordering::Relaxed);
    }

    /// Whether the service answers.
    pub(crate) fn is_alive(&self) -> bool {
        !self.crashed.load(Ordering::Relaxed)
    }

    fn is_stopped(&self, id: &str) -> bool {
        self.lock().iter().any(|job| job.id == id && job.stopped)
    }

    fn finish(&self, id: &str, error: Option<String>) {
        let time = self.clock.now();
        let (status, message) = match &error {
            None => (TaskStatus::Finished, "Complete".to_owned()),
            Some(error) => (TaskStatus::Error, error.clone()),
        };
        let began = self.clock.nanoseconds();
        if let Some(job) = self.lock().iter_mut().find(|job| job.id == id) {
            job.end = Some(End { at: Instant::now(), time, error });
        }
        self.tell(id, status, &message);
        // The last message of the work is sent after the end, as it often is on the real server.
        self.tell_at(id, TaskStatus::Running, None, began);
    }

    fn tell(&self, id: &str, status: TaskStatus, message: &str) {
        self.tell_at(id, status, Some(message), self.clock.nanoseconds());
    }

    fn tell_at(&self, id: &str, status: TaskStatus, message: Option<&str>, nanoseconds: i128) {
        let job = {
            let jobs = self.lock();
            let Some(job) = jobs.iter().find(|job| job.id == id) else { return };
            let mut view = self.view(job);
            view.task = Some(TaskView {
                id: job.task_id.clone(),
                status,
                message: message.unwrap_or(&job.order.running).to_owned(),
                started: job.created,
                ended: job.end.as_ref().filter(|_| status != TaskStatus::Running).map(|end| end.time),
            });
            view
        };
        // There may be no listener.
        let _ = self.news.send(News { job, nanoseconds });
    }

    fn view(&self, job: &Job) -> JobView {
        // The store of tasks is late: at first there is no task, then one that runs.
        let task_is_stored = job.began.elapsed() >= 2 * self.effect_delay;
        let end = job.end.as_ref().filter(|end| end.at.elapsed() >= self.status_delay);
        let shown = (task_is_stored || end.is_some()) && !job.task_deleted;
        let (status, message) = match end {
            None => (TaskStatus::Running, job.order.running.clone()),
            Some(End { error: None, .. }) => (TaskStatus::Finished, "Complete".to_owned()),
            Some(End { error: Some(error), .. }) => (TaskStatus::Error, error.clone()),
        };
        JobView {
            id: job.id.clone(),
            label: job.order.label.clone(),
            owner: job.order.owner.clone(),
            trigger: job.order.trigger.clone(),
            auto_start: job.order.trigger != SYSTEM_USER,
            created: job.created,
            action: job.order.action.clone(),
            log: end.map(|_| job.log.clone()).unwrap_or_default(),
            task: shown.then(|| TaskView {
                id: job.task_id.clone(),
                status,
                message,
                started: job.created,
                ended: end.map(|end| end.time),
            }),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

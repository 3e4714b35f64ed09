//! Waiting for jobs: with the websocket, which reports their end at once, and with regular requests, which show it
//! about three seconds late.

use crate::failure::ServerError;
use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::Client;
use super::events::{Events, News};
use super::jobs::{Job, JobId};

/// How long opening the websocket may take. After that, the state of jobs is requested instead.
const OPENING: Duration = Duration::from_secs(2);

/// The pause before the first request for a job's state, if there is no websocket.
const FIRST_QUESTION: Duration = Duration::from_millis(500);

/// The pause between requests. The server stores the state of jobs about as often.
const INTERVAL: Duration = Duration::from_secs(3);

/// After this many answers in a row that the job does not exist, it counts as done and cleared.
const UNKNOWN_ANSWERS: u32 = 3;

/// How long to wait for the first run of a job, which may be late on a busy server.
const PATIENCE: Duration = Duration::from_secs(60);

/// The end of a job.
#[derive(Debug, Clone)]
pub enum End {
    /// The job has ended; its status shows whether it succeeded.
    Ended(Box<Job>),
    /// The server does not (or no longer) know the job: it has most likely finished and been cleared.
    Forgotten,
    /// The server knows the job but shows no run of it for a minute.
    NotBegun,
}

/// Watches for the ends of jobs. Open it before the job is started.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    link: Link,
    /// The latest event of each job.
    known: HashMap<JobId, News>,
}

#[derive(Debug)]
enum Link {
    Opening(AbortOnDropHandle<Option<Events>>),
    Open(Box<Events>),
    Closed,
}

impl Watch {
    /// Starts to open the websocket in the background.
    pub fn open(client: &Client) -> Self {
        let opener = client.clone();
        let opening = tokio::spawn(async move {
            match tokio::time::timeout(OPENING, opener.events()).await {
                Ok(Ok(events)) => Some(events),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "no websocket: polling the jobs instead");
                    None
                }
                Err(_) => None,
            }
        });
        Self { client: client.clone(), link: Link::Opening(AbortOnDropHandle::new(opening)), known: HashMap::new() }
    }

    /// Waits until the websocket is open or has failed. Events of a job that is started after that are not missed.
    pub async fn ready(&mut self) {
        if let Link::Opening(opening) = &mut self.link {
            let opened = opening.await.ok().flatten();
            self.link = opened.map_or(Link::Closed, |events| Link::Open(Box::new(events)));
        }
    }

    /// Waits for the end of a job and calls `hear` for each change before it. Runs in `seen` (task ids) are ignored: a
    /// job whose id never changes keeps its earlier runs.
    ///
    /// # Errors
    /// The state cannot be requested.
    pub async fn end_of(
        &mut self,
        id: &JobId,
        seen: &[String],
        mut hear: impl FnMut(&Job),
    ) -> Result<End, ServerError> {
        self.ready().await;
        let begun = Instant::now();
        let mut ask_at = begun + if self.is_live() { INTERVAL } else { FIRST_QUESTION };
        let mut unknown = 0;
        let is_new = |job: &Job| job.task.as_ref().is_some_and(|task| !seen.contains(&task.id));
        loop {
            if let Some(job) = self.known(id).filter(|job| job.has_ended() && is_new(job)) {
                return Ok(End::Ended(Box::new(job.clone())));
            }
            if let Some(news) = self.news_until(ask_at).await {
                if news.job.id == *id && is_new(&news.job) {
                    hear(&news.job);
                }
                continue;
            }
            if Instant::now() < ask_at {
                // The websocket has just closed.
                ask_at = ask_at.min(Instant::now() + FIRST_QUESTION);
                continue;
            }
            match self.client.job(id, seen).await? {
                Some(job) if job.has_ended() => return Ok(End::Ended(Box::new(job))),
                Some(job) if job.task.is_none() && self.known(id).is_none() && begun.elapsed() > PATIENCE => {
                    return Ok(End::NotBegun);
                }
                Some(job) => {
                    unknown = 0;
                    hear(&job);
                }
                None => unknown += 1,
            }
            if unknown >= UNKNOWN_ANSWERS {
                return Ok(End::Forgotten);
            }
            ask_at = Instant::now() + INTERVAL;
        }
    }

    /// Waits for an event of any of the user's jobs until `deadline`. Returns `None` at the deadline, or at once if the
    /// websocket closes. Without a websocket, waits until the deadline.
    pub async fn news_until(&mut self, deadline: Instant) -> Option<News> {
        self.ready().await;
        let Link::Open(events) = &mut self.link else {
            tokio::time::sleep_until(deadline).await;
            return None;
        };
        let event = tokio::select! {
            biased;
            event = events.next() => event,
            () = tokio::time::sleep_until(deadline) => return None,
        };
        let Some(news) = event else {
            self.link = Link::Closed;
            return None;
        };
        let known = self.known.get(&news.job.id);
        // Events may arrive out of order, but the end of a run is final.
        let is_newer =
            |known: &News| known.stamp <= news.stamp && !(known.job.has_ended() && known.is_of_same_run(&news));
        if news.job.has_ended() || known.is_none_or(is_newer) {
            self.known.insert(news.job.id.clone(), news.clone());
        }
        Some(news)
    }

    /// Returns the latest state of a job that the websocket has reported.
    pub fn known(&self, id: &JobId) -> Option<&Job> {
        self.known.get(id).map(|news| &news.job)
    }

    /// Whether the websocket is open, so that events arrive without requests.
    pub fn is_live(&self) -> bool {
        matches!(self.link, Link::Open(_))
    }
}

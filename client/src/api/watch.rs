//! Waiting for jobs: on the websocket, where their end is told at once, and by asking now and then, where it shows
//! some three seconds late.

use crate::failure::ServerError;
use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::Client;
use super::events::{Events, News};
use super::jobs::{Job, JobId};

/// How long the websocket may take to be opened before jobs are asked for instead.
const OPENING: Duration = Duration::from_secs(2);

/// When a job is asked for the first time where there is no websocket.
const FIRST_QUESTION: Duration = Duration::from_millis(500);

/// How often a job is asked for: the server itself writes their states down about this often.
const INTERVAL: Duration = Duration::from_secs(3);

/// How many answers in a row may say that there is no such job before it counts as done and cleared away.
const UNKNOWN_ANSWERS: u32 = 3;

/// How long a job may take to show a run at all, which on a busy server is late.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a job.
#[derive(Debug, Clone)]
pub enum End {
    /// It has ended, well or not: see its status.
    Ended(Box<Job>),
    /// The server does not know it (any more): most probably it ended and was cleared away.
    Forgotten,
    /// The server knows it and shows no run of it for a minute.
    NotBegun,
}

/// Listens for the ends of jobs. Open it before the job is started.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    link: Link,
    /// What is known of jobs that were heard of, with the time of the news.
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

    /// Waits until the websocket is open, or is known not to be there: a job that is started after that is heard of.
    pub async fn ready(&mut self) {
        if let Link::Opening(opening) = &mut self.link {
            let opened = opening.await.ok().flatten();
            self.link = opened.map_or(Link::Closed, |events| Link::Open(Box::new(events)));
        }
    }

    /// Waits for a job's end; `hear` is told of each change before it. Runs of `seen` (ids of tasks) are none of it: a
    /// job that always has the same id keeps them.
    ///
    /// # Errors
    /// The server cannot be asked.
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
                // The websocket has just ended.
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

    /// Waits for news of any of the user's jobs, at most until `deadline`. `None` at the deadline, and at once when the
    /// websocket ends; without a websocket the deadline is waited for.
    pub async fn news_until(&mut self, deadline: Instant) -> Option<News> {
        self.ready().await;
        let Link::Open(events) = &mut self.link else {
            tokio::time::sleep_until(deadline).await;
            return None;
        };
        let told = tokio::select! {
            biased;
            told = events.next() => told,
            () = tokio::time::sleep_until(deadline) => return None,
        };
        let Some(news) = told else {
            self.link = Link::Closed;
            return None;
        };
        let known = self.known.get(&news.job.id);
        // News may overtake each other, but the end of a run is its end.
        let is_newer =
            |known: &News| known.stamp <= news.stamp && !(known.job.has_ended() && known.is_of_same_run(&news));
        if news.job.has_ended() || known.is_none_or(is_newer) {
            self.known.insert(news.job.id.clone(), news.clone());
        }
        Some(news)
    }

    /// The last that the websocket told of a job.
    pub fn known(&self, id: &JobId) -> Option<&Job> {
        self.known.get(id).map(|news| &news.job)
    }

    /// Whether news comes by itself.
    pub fn is_live(&self) -> bool {
        matches!(self.link, Link::Open(_))
    }
}

//! Deletes nodes and waits until they are gone. A deletion is a job on the server, and the websocket reports its end at
//! once. The stored state of a job is some seconds late, so without a websocket success is detected by checking the
//! nodes, and failure by checking the job. In both cases the nodes are checked before they count as gone.

use std::time::Duration;

use tokio::time::Instant;

use crate::commands::shared::server_job;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::api::jobs::{JobId, JobStatus};
use cells_client::api::watch::Watch;
use cells_client::api::{Client, Node};
use cells_client::failure::ServerError;

/// The pause before the second check of the nodes. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long the nodes are not checked if the websocket will report the end. The server sends events in batches up to a
/// second late, for jobs that take a third of that.
const TOLD_PAUSE: Duration = Duration::from_millis(350);

/// The pause between two requests for the state of the jobs.
const JOB_INTERVAL: Duration = Duration::from_millis(1500);

/// How long a node may still exist after its job has finished or is unknown.
const GRACE: Duration = Duration::from_secs(30);

/// How long to wait for the effect of a request whose answer was lost: about ten times the usual duration.
const LOST_ANSWER: Duration = Duration::from_secs(3);

/// How long an interrupted run checks which nodes are gone.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Deletes nodes and waits until they are gone.
///
/// # Errors
/// The server refuses; [`Kind::JobFailed`] if its job fails.
pub(super) async fn remove(ctx: &Ctx, watch: &mut Watch, nodes: &[Node], permanently: bool) -> Result<(), CliError> {
    let api = ctx.api().await?;
    watch.ready().await;
    let paths: Vec<_> = nodes.iter().map(|node| node.path.clone()).collect();
    let during = |error: CliError| match nodes {
        [node] => error.during(format!("deleting {}", node.path)).about(&node.path),
        _ => error.during(format!("deleting {} items", nodes.len())),
    };
    let jobs: Vec<JobId> = match api.delete(&paths, permanently).await {
        Ok(jobs) => jobs,
        Err(error) if may_be_done(&error) && vanish(api, nodes).await => return Ok(()),
        Err(error) => return Err(during(error.into())),
    };
    wait(api, watch, nodes, &jobs).await.map_err(during)
}

/// Whether the request may have been carried out although there was no answer.
fn may_be_done(error: &ServerError) -> bool {
    error.http().is_some_and(|error| !error.unsent)
}

/// Whether the nodes disappear within a few moments.
async fn vanish(api: &Client, nodes: &[Node]) -> bool {
    let deadline = Instant::now() + LOST_ANSWER;
    while Instant::now() < deadline {
        match left(api, nodes).await {
            Ok(left) if left.is_empty() => return true,
            Ok(_) => tokio::time::sleep(FIRST_PAUSE * 4).await,
            Err(_) => return false,
        }
    }
    false
}

/// Whether a node is gone, or was replaced by another one.
pub(super) async fn is_gone(ctx: &Ctx, node: &Node) -> Result<bool, CliError> {
    Ok(left(ctx.api().await?, std::slice::from_ref(node)).await?.is_empty())
}

/// Returns the nodes that are gone, according to a short check.
pub(super) async fn gone_by_now<'n>(ctx: &Ctx, nodes: &'n [Node]) -> Vec<&'n Node> {
    let remaining = async { left(ctx.api().await?, nodes).await };
    match tokio::time::timeout(LAST_LOOK, remaining).await {
        Ok(Ok(left)) => nodes.iter().filter(|node| !left.iter().any(|left| is_same(node, left))).collect(),
        _ => Vec::new(),
    }
}

async fn wait(api: &Client, watch: &mut Watch, nodes: &[Node], jobs: &[JobId]) -> Result<(), CliError> {
    let mut pause = FIRST_PAUSE;
    let mut asked = Instant::now();
    // The time since which no job is known to be running.
    let mut idle_since: Option<Instant> = None;
    if watch.is_live() {
        wait_for_job_ends(watch, jobs, Instant::now() + TOLD_PAUSE).await?;
    }
    loop {
        let left = left(api, nodes).await?;
        let Some(first) = left.first() else { return Ok(()) };
        if asked.elapsed() >= JOB_INTERVAL {
            let running = any_running(api, jobs).await?;
            asked = Instant::now();
            idle_since = if running { None } else { idle_since.or(Some(asked)) };
        }
        if idle_since.is_some_and(|since| since.elapsed() >= GRACE) {
            return Err(CliError::new(
                Kind::JobFailed,
                format!("the server's job finished, but '{}' still exists", first.path),
            ));
        }
        wait_for_job_ends(watch, jobs, Instant::now() + pause).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits until the websocket has reported the ends of all jobs, or until `deadline`. Without a websocket, or once all
/// ends are known, waits until the deadline.
async fn wait_for_job_ends(watch: &mut Watch, jobs: &[JobId], deadline: Instant) -> Result<(), CliError> {
    let open = |watch: &Watch| jobs.iter().any(|id| watch.known(id).is_none_or(|job| !job.has_ended()));
    if !open(watch) {
        tokio::time::sleep_until(deadline).await;
        return Ok(());
    }
    while open(watch) && Instant::now() < deadline {
        let _news = watch.news_until(deadline).await;
        let failed = jobs.iter().filter_map(|id| watch.known(id)).find(|job| job.status() == JobStatus::Failed);
        if let Some(job) = failed {
            return Err(server_job::failed(job));
        }
    }
    Ok(())
}

/// Returns the nodes that still exist.
async fn left(api: &Client, nodes: &[Node]) -> Result<Vec<Node>, CliError> {
    let paths: Vec<_> = nodes.iter().map(|node| node.path.clone()).collect();
    let present = api.stat_many(&paths).await?;
    Ok(present.into_iter().filter(|present| nodes.iter().any(|node| is_same(node, present))).collect())
}

/// Whether both are the same node. A new node with an old path is not.
fn is_same(one: &Node, other: &Node) -> bool {
    one.path == other.path && (one.uuid == other.uuid || one.uuid.is_empty() || other.uuid.is_empty())
}

async fn any_running(api: &Client, jobs: &[JobId]) -> Result<bool, CliError> {
    let mut running = false;
    for id in jobs {
        let Some(job) = api.job(id, &[]).await? else { continue };
        match job.status() {
            JobStatus::Failed => return Err(server_job::failed(&job)),
            JobStatus::Waiting | JobStatus::Running => running = true,
            JobStatus::Finished => {}
        }
    }
    Ok(running)
}

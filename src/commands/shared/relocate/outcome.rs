//! The outcome of a job for each source. The state of the job is not sufficient: it may have failed halfway, and if a
//! name was in use, the server has chosen another one, which only the job's log contains.

use std::time::Duration;

use tokio::time::Instant;

use super::plan::Item;
use super::{Operation, Run};
use crate::commands::shared::nodes;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::api::Node;
use cells_client::api::jobs::JobId;
use cells_client::api::tree::SHOWN_WITHIN;
use cells_client::path::RemotePath;

/// How long the effect of a finished job may take to become visible if the server has chosen another name, or may have;
/// and that of a request whose answer was lost.
const RENAMED_WITHIN: Duration = Duration::from_millis(1500);
const LOST_ANSWER: Duration = Duration::from_secs(3);

/// When a single file is checked for the first time while its job runs, and the longest pause between two checks.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(3);

/// The pause between two checks.
const PAUSE: Duration = Duration::from_millis(150);

/// How long to wait for the end of a copy's job once the copy is visible, because an equal file may come from somebody
/// else.
const END_WITHIN: Duration = Duration::from_secs(1);

/// How long the log of a job may take to be stored, usually three seconds after its end, and the pause between two
/// requests for it.
const LOG_WITHIN: Duration = Duration::from_secs(8);
const LOG_PAUSE: Duration = Duration::from_millis(500);

/// The maximum number of alternative names to check.
const NAMES_INSTEAD: usize = 50;

/// The end of a job.
pub(super) enum Ended {
    /// It succeeded, according to the server.
    Well,
    /// It failed or was stopped, so the results may be incomplete.
    Badly(CliError),
    /// Nobody knows whether it started.
    Unknown(CliError),
}

impl Ended {
    fn patience(&self) -> Duration {
        match self {
            Self::Well => SHOWN_WITHIN,
            Self::Badly(_) => Duration::ZERO,
            Self::Unknown(_) => LOST_ANSWER,
        }
    }
}

impl Run<'_> {
    /// Determines the outcome of each item after the end of the job.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single items are reported and counted.
    pub(super) async fn conclude(&mut self, batch: &[Item], ended: Ended, job: Option<&JobId>) -> Result<(), CliError> {
        let seen = self.observe(batch, &ended).await?;
        // If the job of a single source has failed, nodes at the target prove nothing.
        let counts = !(matches!(ended, Ended::Badly(_)) && batch.len() == 1);
        let mut failure = match ended {
            Ended::Well => None,
            Ended::Badly(error) | Ended::Unknown(error) => Some(error),
        };
        let words = failure.as_ref().map(|error| (error.kind, error.message.clone()));
        for item in batch {
            let result = match &words {
                None => self.check_target(item, &seen, job).await?,
                Some(_) if counts && self.is_proven(item, &seen) => Ok(()),
                // The first failure carries the details; the others only repeat its message.
                Some((kind, message)) => Err(failure.take().unwrap_or_else(|| CliError::new(*kind, message.clone())))
                    .map_err(|error| self.perhaps_in_part(item, &seen, error)),
            };
            match result {
                Ok(()) => {
                    let done = self.operation.done();
                    self.ctx.ui.status(&format!("{done} {} to {}", item.source.path, item.target));
                    self.record(item, &item.target, done, job.map(|job| job.0.as_str()));
                    self.operands.succeeded();
                }
                Err(error) => {
                    let error = self.about(std::slice::from_ref(item), error);
                    self.operands.failed(error)?;
                }
            }
        }
        // Everything exists, but the server has failed at something.
        match failure.filter(|error| error.kind == Kind::JobFailed) {
            Some(error) => {
                let error = self.about(batch, error);
                self.operands.failed(error)
            }
            None => Ok(()),
        }
    }

    /// Returns the nodes at the targets, at the first alternative names, and at the sources of a move, as soon as none
    /// is missing.
    async fn observe(&self, batch: &[Item], ended: &Ended) -> Result<Vec<Node>, CliError> {
        let api = self.ctx.api().await?;
        let mut paths: Vec<RemotePath> = batch.iter().map(|item| item.target.clone()).collect();
        match self.operation {
            // The first alternative name shows whether the server has renamed anything at all.
            Operation::Copy => paths.extend(batch.iter().flat_map(|item| names_instead_of(item).take(1))),
            Operation::Move => {
                paths.extend(
                    batch
                        .iter()
                        .flat_map(|item| [item.place().clone()].into_iter().chain(names_instead_of(item).take(1))),
                );
            }
        }
        let begun = Instant::now();
        loop {
            let nodes = api.stat_many(&paths).await?;
            let all = batch.iter().all(|item| match ended {
                Ended::Well => at_target(item, &nodes).is_some() && self.source_is_gone_if_moved(item, &nodes),
                Ended::Badly(_) | Ended::Unknown(_) => self.is_proven(item, &nodes),
            });
            let is_instead =
                |item: &Item| names_instead_of(item).next().is_some_and(|path| nodes.iter().any(|it| it.path == path));
            // If an alternative name exists, the target may never appear, so the wait is short.
            let patience = match ended {
                Ended::Well if batch.iter().any(is_instead) => RENAMED_WITHIN,
                _ => ended.patience(),
            };
            if all || begun.elapsed() >= patience || self.ctx.cancel.is_cancelled() {
                return Ok(nodes);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether the source is gone, if it must be. Another node may have its path now.
    fn source_is_gone_if_moved(&self, item: &Item, seen: &[Node]) -> bool {
        let is_there = |node: &Node| node.path == *item.place() && node.uuid == item.source.uuid;
        self.operation == Operation::Copy || !seen.iter().any(is_there)
    }

    /// Whether an item is certainly done, whatever the state of the job. For the copy of a folder, nothing proves that.
    fn is_proven(&self, item: &Item, seen: &[Node]) -> bool {
        let Some(node) = at_target(item, seen) else { return false };
        // A folder is created first and filled later, so its existence proves nothing. A file is only visible when it
        // is complete.
        match self.operation {
            Operation::Copy => !node.is_folder() && node.etag.is_some() && node.etag == item.source.etag,
            Operation::Move => self.source_is_gone_if_moved(item, seen),
        }
    }

    fn perhaps_in_part(&self, item: &Item, seen: &[Node], error: CliError) -> CliError {
        let target = &item.target;
        if !seen.iter().any(|node| node.path == *target) {
            return error;
        }
        match self.operation {
            Operation::Copy => error.hint(format!("'{target}' may be incomplete")),
            Operation::Move => error.hint(format!("'{target}' may be incomplete; check what remains of the source")),
        }
    }

    /// Checks that an item is at its target after a successful job. Otherwise returns why not.
    async fn check_target(
        &mut self,
        item: &Item,
        seen: &[Node],
        job: Option<&JobId>,
    ) -> Result<Result<(), CliError>, CliError> {
        let Some(node) = at_target(item, seen) else { return self.explain(item, job).await.map(Err) };
        if !self.source_is_gone_if_moved(item, seen) {
            let message = format!("the server's job finished, but '{}' still exists", item.source.path);
            return Ok(Err(CliError::new(Kind::JobFailed, message)));
        }
        let Some(job) = job.filter(|_| !self.is_certain(item, node, seen)) else { return Ok(Ok(())) };
        // Somebody else may have created the node at the target, so that the server has chosen another name.
        let names: Vec<RemotePath> = names_instead_of(item).take(NAMES_INSTEAD).collect();
        let mut present = self.ctx.api().await?.stat_many(&names).await?;
        present.retain(|other| other.is_folder() == item.source.is_folder());
        let place = match self.operation {
            // The same UUID is proof. Without it, a node with an alternative name may belong to somebody else.
            Operation::Move => match present.iter().find(|other| other.uuid == item.source.uuid) {
                Some(moved) => Some(moved.path.clone()),
                None if present.is_empty() => None,
                None => self.written_down(item, job).await?,
            },
            // A copy is not older than the node that was at the target before.
            Operation::Copy if present.iter().any(|other| other.modified >= node.modified) => {
                self.written_down(item, job).await?
            }
            Operation::Copy => None,
        };
        Ok(match place {
            Some(path) if path != item.target => Err(self.renamed(item, &path, Some(job))),
            _ => Ok(()),
        })
    }

    /// Whether the node at the target is certainly the item: it is the same node, or no alternative name exists.
    fn is_certain(&self, item: &Item, node: &Node, seen: &[Node]) -> bool {
        match self.operation {
            Operation::Move => node.uuid == item.source.uuid,
            Operation::Copy => {
                let first = names_instead_of(item).next();
                !seen.iter().any(|other| Some(&other.path) == first.as_ref())
            }
        }
    }

    /// Returns the path of an item in the job's log; `None` if it does not appear in time.
    async fn written_down(&self, item: &Item, job: &JobId) -> Result<Option<RemotePath>, CliError> {
        let api = self.ctx.api().await?;
        let deadline = Instant::now() + LOG_WITHIN;
        loop {
            if let Some(place) = api.logged_target(job, item.place(), &item.target).await? {
                return Ok(Some(place));
            }
            if Instant::now() >= deadline || self.ctx.cancel.is_cancelled() {
                return Ok(None);
            }
            tokio::time::sleep(LOG_PAUSE).await;
        }
    }

    /// Returns why an item is not at its target although the job has succeeded: it has another name, or nothing was
    /// done.
    async fn explain(&mut self, item: &Item, job: Option<&JobId>) -> Result<CliError, CliError> {
        let names: Vec<RemotePath> = names_instead_of(item).take(NAMES_INSTEAD).collect();
        let present = self.ctx.api().await?.stat_many(&names).await?;
        let renamed = match self.operation {
            // The server counts up, so the last alternative name is the newest.
            Operation::Move => present.iter().find(|node| node.uuid == item.source.uuid).or(present.last()),
            Operation::Copy => present.last(),
        };
        Ok(match renamed {
            Some(node) => {
                let path = node.path.clone();
                self.renamed(item, &path, job)
            }
            None => {
                let message = format!("the server's job finished, but '{}' does not exist", item.target);
                CliError::new(Kind::JobFailed, message)
            }
        })
    }

    fn renamed(&mut self, item: &Item, path: &RemotePath, job: Option<&JobId>) -> CliError {
        self.record(item, path, "renamed", job.map(|job| job.0.as_str()));
        let message = format!("'{}' was taken, and the server chose '{path}' instead", item.target);
        CliError::new(Kind::Exists, message).hint("it treats names that differ only in case as equal")
    }
}

/// Returns the alternative names of an item.
fn names_instead_of(item: &Item) -> impl Iterator<Item = RemotePath> {
    nodes::names_instead(&item.target, item.source.is_folder())
}

/// Returns the node that is the complete result of an item, judging by its properties.
fn at_target<'a>(item: &Item, seen: &'a [Node]) -> Option<&'a Node> {
    seen.iter().find(|node| is_it(item, node))
}

fn is_it(item: &Item, node: &Node) -> bool {
    // The remains of a broken upload, or an upload in progress, are moved unchanged.
    let is_itself = item.source.is_temporary() && node.uuid == item.source.uuid;
    let is_whole = is_itself || (!node.is_temporary() && (node.is_folder() || node.size == item.source.size));
    node.path == item.target && node.is_folder() == item.source.is_folder() && is_whole
}

/// Waits until a single file is visible at its target, unchanged. Then it is done, since the server reports the ends of
/// jobs in batches up to a second late. A copy could come from somebody else, so its end is awaited a moment longer.
/// Other results cannot be recognized, so this never returns for them.
pub(super) async fn appears_at_target(ctx: &Ctx, operation: Operation, batch: &[Item]) {
    let (Ok(api), [item]) = (ctx.api().await, batch) else { return std::future::pending().await };
    if item.source.is_folder() {
        return std::future::pending().await;
    }
    let mut pause = FIRST_LOOK;
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(LAST_PAUSE);
        let Ok(Some(node)) = api.find(&item.target).await else { continue };
        let is_same = match operation {
            Operation::Move => node.uuid == item.source.uuid,
            Operation::Copy => node.etag.is_some() && node.etag == item.source.etag,
        };
        if is_same && is_it(item, &node) {
            if operation == Operation::Copy {
                tokio::time::sleep(END_WITHIN).await;
            }
            return;
        }
    }
}

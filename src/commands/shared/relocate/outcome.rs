//! What became of the sources once a job has ended: its own word is not enough. It may have failed halfway, and where a
//! name was taken meanwhile the server has chosen another one and says so in the job's log alone.

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

/// How long the effect of a finished job may take to be seen where the server has chosen another name, or perhaps has; of a
/// request whose answer was lost, to happen at all.
const RENAMED_WITHIN: Duration = Duration::from_millis(1500);
const LOST_ANSWER: Duration = Duration::from_secs(3);

/// When a single file is looked for the first time while its job runs, and the longest pause between two such looks.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(3);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(150);

/// How long the end of the job of a copy that shows already is waited for: the same file may be another one's.
const END_WITHIN: Duration = Duration::from_secs(1);

/// How long the log of a job may take to be written down, which is some three seconds after its end, and the pause
/// between two looks at it.
const LOG_WITHIN: Duration = Duration::from_secs(8);
const LOG_PAUSE: Duration = Duration::from_millis(500);

/// How many of the names that the server gives instead of a taken one are looked for.
const NAMES_INSTEAD: usize = 50;

/// How a job has ended.
pub(super) enum Ended {
    /// As the server says, well.
    Well,
    /// It has failed, or was stopped: whatever there is may be half of it.
    Badly(CliError),
    /// Nobody knows whether it has begun.
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
    /// Looks what became of each item once the job has ended.
    ///
    /// # Errors
    /// What ends the whole command; failures of single items are told and counted.
    pub(super) async fn conclude(&mut self, batch: &[Item], ended: Ended, job: Option<&JobId>) -> Result<(), CliError> {
        let seen = self.observe(batch, &ended).await?;
        // A job of one source that has failed has failed, whatever is there.
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
        // All are there, and yet the server has failed at something.
        match failure.filter(|error| error.kind == Kind::JobFailed) {
            Some(error) => {
                let error = self.about(batch, error);
                self.operands.failed(error)
            }
            None => Ok(()),
        }
    }

    /// The nodes at the targets, at the first names instead of them, and at the sources of a move; as soon as nothing is
    /// missing.
    async fn observe(&self, batch: &[Item], ended: &Ended) -> Result<Vec<Node>, CliError> {
        let api = self.ctx.api().await?;
        let mut paths: Vec<RemotePath> = batch.iter().map(|item| item.target.clone()).collect();
        match self.operation {
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

    /// Whether the source is gone, where it is to go. Another one may have taken its place.
    fn source_is_gone_if_moved(&self, item: &Item, seen: &[Node]) -> bool {
        let is_there = |node: &Node| node.path == *item.place() && node.uuid == item.source.uuid;
        self.operation == Operation::Copy || !seen.iter().any(is_there)
    }

    /// Whether an item is certainly done, whatever the job says of itself. Nothing tells that of the copy of a folder.
    fn is_proven(&self, item: &Item, seen: &[Node]) -> bool {
        let Some(node) = at_target(item, seen) else { return false };
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

    /// Whether an item is where it should be after a job that has ended well; else why not.
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
        // Somebody else may have made what is at the target, so that the server has chosen another name.
        let names: Vec<RemotePath> = names_instead_of(item).take(NAMES_INSTEAD).collect();
        let mut present = self.ctx.api().await?.stat_many(&names).await?;
        present.retain(|other| other.is_folder() == item.source.is_folder());
        let place = match self.operation {
            Operation::Move => match present.iter().find(|other| other.uuid == item.source.uuid) {
                Some(moved) => Some(moved.path.clone()),
                None if present.is_empty() => None,
                None => self.written_down(item, job).await?,
            },
            // A copy that was made after what is at the target is not older.
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

    /// Whether it is certain that what is at the target is the item: it is the same node, or no name was chosen instead.
    fn is_certain(&self, item: &Item, node: &Node, seen: &[Node]) -> bool {
        match self.operation {
            Operation::Move => node.uuid == item.source.uuid,
            Operation::Copy => {
                let first = names_instead_of(item).next();
                !seen.iter().any(|other| Some(&other.path) == first.as_ref())
            }
        }
    }

    /// Where a job says in its log that it has put an item; `None` where it says nothing in time.
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

    /// Why an item is not where it should be although the job has ended well: another name, or not done at all.
    async fn explain(&mut self, item: &Item, job: Option<&JobId>) -> Result<CliError, CliError> {
        let names: Vec<RemotePath> = names_instead_of(item).take(NAMES_INSTEAD).collect();
        let present = self.ctx.api().await?.stat_many(&names).await?;
        let renamed = match self.operation {
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

/// The names that the server gives an item where its own is taken.
fn names_instead_of(item: &Item) -> impl Iterator<Item = RemotePath> {
    nodes::names_instead(&item.target, item.source.is_folder())
}

/// What was to become of an item, whole as far as its looks tell, among nodes.
fn at_target<'a>(item: &Item, seen: &'a [Node]) -> Option<&'a Node> {
    seen.iter().find(|node| is_it(item, node))
}

fn is_it(item: &Item, node: &Node) -> bool {
    // What an upload has left behind, or is still sending, is moved as it is.
    let is_itself = item.source.is_temporary() && node.uuid == item.source.uuid;
    let is_whole = is_itself || (!node.is_temporary() && (node.is_folder() || node.size == item.source.size));
    node.path == item.target && node.is_folder() == item.source.is_folder() && is_whole
}

/// Waits until a single file shows where it should be, the same as it was. Then it is done: the server tells of the ends
/// of jobs in batches, up to a second late. A copy could be another one's, so that the end is still waited for a moment.
/// Nothing else can be told from its looks, and is waited for without end.
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

//! What `cec cp` and `cec mv` have in common.

mod plan;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::nodes;
use super::operands::Operands;
use super::server_job::{ServerJobs, Started};
use crate::api::Node;
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::path::RemotePath;
use crate::ui::json::kind_name;
use plan::Item;

/// How many sources one job takes.
const BATCH: usize = 100;

/// How long the effect of a finished job may take to be seen; of a request whose answer was lost, to happen at all.
const VISIBLE_WITHIN: Duration = Duration::from_millis(1500);
const LOST_ANSWER: Duration = Duration::from_secs(3);

/// When a single file is looked for the first time while its job runs, and the longest pause between two such looks.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(3);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(150);

/// How many of the names that the server gives instead of a taken one are looked for.
const NAMES_INSTEAD: usize = 50;

/// What happens to the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// They stay.
    Copy,
    /// They go.
    Move,
}

impl Operation {
    /// The server's name for it.
    fn name(self) -> &'static str {
        if self == Self::Copy { "copy" } else { "move" }
    }

    fn done(self) -> &'static str {
        if self == Self::Copy { "copied" } else { "moved" }
    }

    fn doing(self) -> &'static str {
        if self == Self::Copy { "copying" } else { "moving" }
    }
}

/// Arguments of `cec cp` and `cec mv`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// One or more sources, files, folders or patterns on the server, then the target
    #[arg(value_name = "PATH", required = true, num_args = 2..)]
    pub(super) paths: Vec<String>,
    /// Start the server's jobs, print their ids, and do not wait for them
    #[arg(long)]
    no_wait: bool,
    /// Take names as they are, without patterns
    #[arg(long)]
    no_glob: bool,
}

/// Copies or moves on the server: all is checked first, then the server works in the background and is waited for.
///
/// # Errors
/// A target that cannot be one; what ends the whole command. Failures of single sources are told and counted.
pub async fn run(ctx: &Ctx, arguments: Args, operation: Operation) -> Result<Outcome, CliError> {
    let Some((target, sources)) = arguments.paths.split_last() else { return Ok(Outcome::Done) };
    let mut operands = Operands::new(&ctx.ui);
    let planned = tokio::select! {
        biased;
        planned = plan::plan(ctx, sources, target, arguments.no_glob, operation, &mut operands) => planned?,
        () = ctx.cancel.cancelled() => {
            return Err(CliError::new(Kind::Interrupted, format!("nothing was {}", operation.done())));
        }
    };
    let Some(items) = planned else { return Ok(operands.outcome()) };
    let jobs = ServerJobs::open(ctx).await?;
    let mut run = Run { ctx, operation, no_wait: arguments.no_wait, jobs, operands, records: Vec::new() };
    let result = run.all(&items).await;
    if ctx.ui.is_json() && (!run.records.is_empty() || (result.is_ok() && !run.operands.all_failed())) {
        ctx.ui.json_document(&run.records)?;
    }
    result?;
    Ok(run.operands.outcome())
}

/// A run that is going on.
struct Run<'a> {
    ctx: &'a Ctx,
    operation: Operation,
    no_wait: bool,
    jobs: ServerJobs<'a>,
    operands: Operands<'a>,
    records: Vec<Value>,
}

impl Run<'_> {
    async fn all(&mut self, items: &[Item]) -> Result<(), CliError> {
        // What keeps its name goes in batches; a new name is one job each.
        for run in items.chunk_by(|one, other| one.keeps_name && other.keeps_name) {
            for batch in run.chunks(BATCH) {
                if self.ctx.cancel.is_cancelled() {
                    return Err(CliError::new(Kind::Interrupted, "interrupted"));
                }
                self.batch(batch).await?;
            }
        }
        Ok(())
    }

    /// One job. Where the server refuses several at once, each is tried by itself, so that the failure is that of the
    /// one it belongs to.
    async fn batch(&mut self, batch: &[Item]) -> Result<(), CliError> {
        match self.start(batch).await {
            Ok(Started::Job(id)) if self.no_wait => {
                if !self.ctx.ui.is_json() {
                    self.ctx.ui.line(&id.0)?;
                }
                for item in batch {
                    self.record(item, &item.target, "started", Some(&id.0));
                    self.operands.succeeded();
                }
                Ok(())
            }
            Ok(Started::Job(id)) => {
                let what = self.what(batch);
                let ended = tokio::select! {
                    biased;
                    ended = self.jobs.wait(&id, &what) => ended.map(drop),
                    () = shown(self.ctx, self.operation, batch) => Ok(()),
                };
                match ended {
                    Err(error) if error.kind != Kind::JobFailed => Err(error),
                    ended => self.settle(batch, ended.err(), Some(&id.0), VISIBLE_WITHIN).await,
                }
            }
            Ok(Started::AnswerLost(error)) => {
                let error = self.about(batch, error).hint("the server may have begun all the same");
                self.settle(batch, Some(error), None, LOST_ANSWER).await
            }
            Err(error) if batch.len() > 1 && !error.ends_everything() && error.kind != Kind::Unreachable => {
                for item in batch {
                    Box::pin(self.batch(std::slice::from_ref(item))).await?;
                }
                Ok(())
            }
            Err(error) => {
                let error = self.about(batch, error);
                self.operands.failed(error)
            }
        }
    }

    async fn start(&mut self, batch: &[Item]) -> Result<Started, CliError> {
        let api = self.ctx.api().await?;
        let sources: Vec<RemotePath> = batch.iter().map(|item| api.server_path(&item.source.path)).collect();
        let sources: Vec<&str> = sources.iter().map(RemotePath::as_str).collect();
        let into = batch.iter().all(|item| item.keeps_name);
        let target = match batch.first() {
            Some(item) if into => item.target.parent().unwrap_or_default(),
            Some(item) => item.target.clone(),
            None => RemotePath::root(),
        };
        let target = api.server_path(&target);
        let parameters = json!({"nodes": sources, "target": target.as_str(), "targetParent": into});
        self.jobs.start(self.operation.name(), &parameters).await
    }

    fn what(&self, batch: &[Item]) -> String {
        match batch {
            [item] => format!("{} {}", self.operation.doing(), item.source.path),
            _ => format!("{} {} items", self.operation.doing(), batch.len()),
        }
    }

    fn about(&self, batch: &[Item], error: CliError) -> CliError {
        let error = error.during(self.what(batch));
        match batch {
            [item] => error.about(&item.source.path),
            _ => error,
        }
    }

    /// Looks what became of each item once the job has ended, `failure` being why it did not end well.
    async fn settle(
        &mut self,
        batch: &[Item],
        failure: Option<CliError>,
        job: Option<&str>,
        patience: Duration,
    ) -> Result<(), CliError> {
        let arrived = self.arrived(batch, patience).await?;
        let mut failure = failure;
        for item in batch {
            if arrived.iter().any(|node| Self::is_it(item, node)) {
                let done = self.operation.done();
                self.ctx.ui.status(&format!("{done} {} to {}", item.source.path, item.target));
                self.record(item, &item.target, done, job);
                self.operands.succeeded();
                continue;
            }
            let error = match failure.take() {
                Some(error) => error,
                None => self.explain(item, job).await?,
            };
            let error = self.about(std::slice::from_ref(item), error);
            self.operands.failed(error)?;
        }
        Ok(())
    }

    /// The nodes at the targets, as soon as all are there.
    async fn arrived(&self, batch: &[Item], patience: Duration) -> Result<Vec<Node>, CliError> {
        let api = self.ctx.api().await?;
        let targets: Vec<RemotePath> = batch.iter().map(|item| item.target.clone()).collect();
        let deadline = Instant::now() + patience;
        loop {
            let nodes = api.stat_many(&targets).await?;
            let all = batch.iter().all(|item| nodes.iter().any(|node| Self::is_it(item, node)));
            if all || Instant::now() >= deadline || self.ctx.cancel.is_cancelled() {
                return Ok(nodes);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether a node is what was to become of an item, whole.
    fn is_it(item: &Item, node: &Node) -> bool {
        let is_whole = !node.is_temporary() && (node.is_folder() || node.size == item.source.size);
        node.path == item.target && node.is_folder() == item.source.is_folder() && is_whole
    }

    /// Why an item is not where it should be although the job has ended well: another name, or not done at all.
    async fn explain(&mut self, item: &Item, job: Option<&str>) -> Result<CliError, CliError> {
        let api = self.ctx.api().await?;
        let is_folder = item.source.is_folder();
        let names: Vec<RemotePath> = nodes::names_instead(&item.target, is_folder).take(NAMES_INSTEAD).collect();
        let present = api.stat_many(&names).await?;
        let renamed = match self.operation {
            Operation::Move => present.iter().find(|node| node.uuid == item.source.uuid).or(present.last()),
            Operation::Copy => present.last(),
        };
        let target = &item.target;
        Ok(match renamed {
            Some(node) => {
                let path = node.path.clone();
                self.record(item, &path, "renamed", job);
                CliError::new(Kind::Exists, format!("'{target}' was taken, and the server chose '{path}' instead"))
                    .hint("names that differ in case only are the same to it")
            }
            None => CliError::new(Kind::JobFailed, format!("the server's job has ended, but there is no '{target}'")),
        })
    }

    fn record(&mut self, item: &Item, target: &RemotePath, status: &str, job: Option<&str>) {
        self.records.push(json!({
            "source": item.source.path.as_str(), "target": target.as_str(), "type": kind_name(item.source.kind),
            "status": status, "job": job,
        }));
    }
}

/// Waits until a single file shows where it should be, the same as it was. Then it is done: the server tells of the ends
/// of jobs in batches, up to a second late. Nothing else can be told from its looks, and is waited for without end.
async fn shown(ctx: &Ctx, operation: Operation, batch: &[Item]) {
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
        if is_same && Run::is_it(item, &node) {
            return;
        }
    }
}

//! The common part of `cec cp` and `cec mv`.

mod outcome;
mod plan;

use serde_json::{Value, json};

use super::nodes;
use super::operands::Operands;
use super::server_job::{ServerJobs, Started};
use crate::commands::verb::{Completion, RemotePaths};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::json::kind_name;
use cells_client::api::Node;
use cells_client::api::jobs::JobTarget;
use cells_client::path::RemotePath;
use outcome::Ended;
use plan::Item;

/// The number of sources per job.
const BATCH: usize = 100;

/// What to do with the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Keep them.
    Copy,
    /// Remove them.
    Move,
}

impl Operation {
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
    /// Files, folders or patterns on the server, then the target
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required = true, num_args = 2..)]
    paths: Vec<String>,
    /// Start the server's jobs, print their ids and do not wait
    #[arg(long)]
    no_wait: bool,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
}

impl Args {
    /// Returns the sources and the target.
    pub fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::between(&self.paths)
    }
}

/// Copies or moves on the server: checks everything first, then waits for the server's jobs.
///
/// # Errors
/// The target is not possible; the command cannot continue. Failures of single sources are reported and counted.
pub async fn run(ctx: &Ctx, arguments: Args, operation: Operation) -> Result<Outcome, CliError> {
    let Some((target, sources)) = arguments.paths.split_last() else { return Ok(Outcome::Done) };
    let mut operands = Operands::new(&ctx.ui);
    // Nothing is changed while planning, so this part can be dropped at any point. What follows must end in order.
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
    // The records of completed items are printed even if the run ends early.
    if ctx.ui.is_json() && (!run.records.is_empty() || (result.is_ok() && !run.operands.all_failed())) {
        ctx.ui.json_document(&run.records)?;
    }
    result?;
    Ok(run.operands.outcome())
}

/// A run in progress.
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
        // Sources that keep their names are sent in batches; each new name requires its own job.
        for run in items.chunk_by(|one, other| one.keeps_name && other.keeps_name) {
            for batch in run.chunks(BATCH) {
                if self.ctx.cancel.is_cancelled() {
                    return Err(CliError::interrupted());
                }
                if let [Item { by_way_of: Some(name), source, .. }] = batch
                    && let Err(error) = self.make_way(source, name).await
                {
                    let error = self.about(batch, error);
                    self.operands.failed(error)?;
                    continue;
                }
                self.batch(batch).await?;
            }
        }
        Ok(())
    }

    /// Runs one job. If the server refuses several sources, tries each by itself, so that the failure is reported for
    /// the right one.
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
                    // A single file is often visible before the end of its job is reported.
                    ended = self.jobs.wait(&id, &what) => ended.map(drop),
                    () = outcome::appears_at_target(self.ctx, self.operation, batch) => Ok(()),
                };
                match ended {
                    Ok(()) => self.conclude(batch, Ended::Well, Some(&id)).await,
                    Err(error) if error.kind == Kind::JobFailed => {
                        self.conclude(batch, Ended::Badly(error), Some(&id)).await
                    }
                    // An error of the wait, not of the job: the job may still succeed, so the items must not count as
                    // failed.
                    Err(error) => Err(error),
                }
            }
            Ok(Started::AnswerLost(error)) => {
                let error = error.hint("the server may have started the job anyway");
                self.conclude(batch, Ended::Unknown(error), None).await
            }
            // The server refuses a batch as a whole without naming the source that it refuses.
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

    /// Renames a node to the temporary name that a change of case requires, and waits for the result.
    async fn make_way(&mut self, source: &Node, name: &RemotePath) -> Result<(), CliError> {
        let step = Item { source: source.clone(), target: name.clone(), keeps_name: false, by_way_of: None };
        let there = format!("its name may be '{name}' now");
        match self.start(std::slice::from_ref(&step)).await? {
            Started::Job(id) => {
                let what = self.what(std::slice::from_ref(&step));
                tokio::select! {
                    biased;
                    ended = self.jobs.wait(&id, &what) => drop(ended.map_err(|error| error.hint(there.clone()))?),
                    () = outcome::appears_at_target(self.ctx, self.operation, std::slice::from_ref(&step)) => {}
                }
            }
            Started::AnswerLost(error) => return Err(error.hint(there)),
        }
        // Not even a finished job is proof: the server may have chosen another name.
        match self.ctx.api().await?.find_made(name).await? {
            Some(node) if node.uuid == source.uuid => Ok(()),
            _ => Err(CliError::new(Kind::JobFailed, format!("the server's job finished, but '{name}' does not exist"))),
        }
    }

    async fn start(&mut self, batch: &[Item]) -> Result<Started, CliError> {
        let api = self.ctx.api().await?;
        let sources: Vec<&RemotePath> = batch.iter().map(Item::place).collect();
        let target = match batch.first() {
            Some(item) if batch.iter().all(|item| item.keeps_name) => {
                JobTarget::Folder(item.target.parent().unwrap_or_default())
            }
            Some(item) => JobTarget::Name(item.target.clone()),
            None => JobTarget::Folder(RemotePath::root()),
        };
        match self.operation {
            Operation::Copy => self.jobs.start(api.copy(&sources, &target)).await,
            Operation::Move => self.jobs.start(api.move_(&sources, &target)).await,
        }
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
            [item] => {
                let error = nodes::with_lock(error.about(&item.source.path), &item.source);
                match &item.by_way_of {
                    Some(name) => error.hint(format!("its name may be '{name}' now")),
                    None => error,
                }
            }
            _ => error,
        }
    }

    fn record(&mut self, item: &Item, target: &RemotePath, status: &str, job: Option<&str>) {
        self.records.push(json!({
            "source": item.source.path.as_str(), "target": target.as_str(), "type": kind_name(item.source.kind),
            "status": status, "job": job,
        }));
    }
}

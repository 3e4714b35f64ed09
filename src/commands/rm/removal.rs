//! A confirmed removal: batch by batch, each node reported when it is gone.

use serde_json::{Value, json};

use super::{is_gone_server, wait};
use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::context::Ctx;
use crate::error::{CliError, Hint, Kind};
use crate::ui::json::kind_name;
use cells_client::api::Node;
use cells_client::api::watch::Watch;
use cells_client::walk::remote::recycle_bin_of;

/// The number of nodes per request.
const BATCH: usize = 100;

/// The maximum number of nodes for which the way to restore them is printed, and of alternative names in the recycle
/// bin to check.
const UNDONE: usize = 5;
const NAMES_INSTEAD: usize = 10;

/// Returns the JSON record of a removed node.
pub(super) fn record(node: &Node, permanently: bool) -> Value {
    json!({"path": node.path.as_str(), "type": kind_name(node.kind), "permanently": permanently})
}

/// A removal in progress.
pub(super) struct Removal<'a> {
    ctx: &'a Ctx,
    /// Reports the ends of the server's jobs.
    watch: Watch,
    /// Whether all nodes are deleted permanently.
    permanently: bool,
    pub(super) operands: Operands<'a>,
    total: usize,
    /// The number of nodes that were removed or have failed.
    settled: usize,
    /// The records of removed nodes.
    pub(super) gone: Vec<Value>,
}

impl<'a> Removal<'a> {
    /// Creates the removal of `total` nodes.
    pub(super) fn new(ctx: &'a Ctx, watch: Watch, permanently: bool, operands: Operands<'a>, total: usize) -> Self {
        Self { ctx, watch, permanently, operands, total, settled: 0, gone: Vec::new() }
    }

    /// Removes all nodes batch by batch, and reports each when it is gone.
    pub(super) async fn remove(&mut self, nodes: &[Node]) -> Result<(), CliError> {
        let cancel = self.ctx.cancel.clone();
        for batch in nodes.chunks(BATCH) {
            if cancel.is_cancelled() {
                return Err(self.interrupted());
            }
            let before = self.settled;
            let removed = tokio::select! {
                biased;
                result = self.remove_batch(batch) => Some(result),
                () = cancel.cancelled() => None,
            };
            match removed {
                Some(Ok(())) => {}
                Some(Err(error)) if is_gone_server(&error) => {
                    return self.stop(error, self.total - before - batch.len());
                }
                Some(Err(error)) => return Err(error),
                None => {
                    let open = &batch[self.settled - before..];
                    for node in wait::gone_by_now(self.ctx, open).await {
                        self.record(node, Ok(()))?;
                    }
                    return Err(self.interrupted().hint("the server is still working on the last request"));
                }
            }
        }
        if cancel.is_cancelled() { Err(self.interrupted()) } else { Ok(()) }
    }

    /// Prints how to restore nodes from the recycle bin, if there are only a few. They may have another name there, if
    /// their own was in use.
    pub(super) async fn hint_at_undo(&self, nodes: &[Node]) {
        let ui = &self.ctx.ui;
        if self.permanently || nodes.len() > UNDONE || !ui.stderr_is_terminal() || ui.is_quiet() || ui.is_json() {
            return;
        }
        let Ok(api) = self.ctx.api().await else { return };
        let mut paths = Vec::new();
        for node in nodes {
            let bin = recycle_bin_of(&node.path).join(node.name());
            let others = nodes::names_instead(&bin, node.is_folder()).take(NAMES_INSTEAD);
            paths.extend(std::iter::once(bin.clone()).chain(others));
        }
        // A shared folder is moved to the recycle bin of its owner, which this user may not see.
        let found = api.stat_many(&paths).await.unwrap_or_default();
        let lies = |node: &Node| found.iter().find(|other| !node.uuid.is_empty() && other.uuid == node.uuid);
        let places: Vec<&str> = nodes.iter().filter_map(lies).map(|node| node.path.as_str()).collect();
        if !places.is_empty() {
            ui.hint(Hint::command("to undo", "cec restore", &places));
        }
    }

    /// Removes a batch. If the server refuses it, removes the nodes one by one, so that the failure is reported for the
    /// right one.
    async fn remove_batch(&mut self, batch: &[Node]) -> Result<(), CliError> {
        match wait::remove(self.ctx, &mut self.watch, batch, self.permanently).await {
            Ok(()) => return batch.iter().try_for_each(|node| self.record(node, Ok(()))),
            Err(error) if is_gone_server(&error) => return Err(error),
            Err(error) => {
                if let [node] = batch {
                    return self.record(node, Err(error));
                }
                if error.ends_everything() {
                    return self.record(&batch[0], Err(error));
                }
            }
        }
        for node in batch {
            let result = match wait::is_gone(self.ctx, node).await {
                Ok(true) => Ok(()),
                _ => wait::remove(self.ctx, &mut self.watch, std::slice::from_ref(node), self.permanently).await,
            };
            match result {
                Err(error) if is_gone_server(&error) => return Err(error),
                result => self.record(node, result)?,
            }
        }
        Ok(())
    }

    /// Reports the outcome for a node.
    fn record(&mut self, node: &Node, result: Result<(), CliError>) -> Result<(), CliError> {
        self.settled += 1;
        if result.is_ok() {
            let done = if self.permanently { "deleted" } else { "moved to the recycle bin:" };
            self.ctx.ui.status(&format!("{done} {}", node.path));
            self.gone.push(record(node, self.permanently));
        }
        self.operands.take(result.map_err(|error| nodes::with_lock(error, node)))
    }

    fn tally(&self) -> String {
        let done = if self.permanently { "deleted" } else { "moved to the recycle bin" };
        format!("{} of {} {done}", self.gone.len(), self.total)
    }

    fn interrupted(&self) -> CliError {
        CliError::new(Kind::Interrupted, self.tally())
    }

    /// Ends a removal whose server has become unreachable.
    fn stop(&mut self, error: CliError, not_tried: usize) -> Result<(), CliError> {
        let mut error = error;
        if self.total > 1 {
            error = error.hint(format!("{}, {not_tried} not tried", self.tally()));
        }
        if self.gone.is_empty() {
            return Err(error);
        }
        self.operands.failed(error)
    }
}

//! `cec rm`.

mod removal;
mod wait;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use crate::commands::shared::filters::{MeasureArgs, RuleArgs};
use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Hint, Kind, Outcome};
use crate::ui::human;
use crate::ui::prompt::Consent;
use cells_client::api::Node;
use cells_client::api::watch::Watch;
use cells_client::path::RemotePath;
use cells_client::walk::filter::Filter;
use cells_client::walk::glob::Reading;
use cells_client::walk::remote::{self, RemoteItem, RemoteOptions, is_in_recycle_bin, is_recycle_bin};
use removal::{Removal, record};

/// The number of paths to print before a confirmation.
const SHOWN: usize = 5;

/// Arguments of `cec rm`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "One file goes to the recycle bin without a question; a folder or several items after one. Permanent \
    deletion always asks, also for items already in the recycle bin; one run never does both. Patterns skip the \
    recycle bin and its content, unless it is named: 'common-files/recycle_bin/*'. If cec cannot ask, it does \
    nothing (exit code 2). With the options for selection, only the selected files of a folder are removed, and all \
    folders stay.\n\nExamples:\n  cec rm common-files/old.txt\n  cec rm -f 'common-files/*.tmp'\n  \
    cec rm -p common-files/secret\n  cec rm -R --min-age 30d --include '*.log' --dry-run common-files/logs"
)]
pub struct Args {
    /// Files, folders or patterns on the server
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required = true)]
    paths: Vec<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    force: bool,
    /// Delete permanently instead of moving to the recycle bin
    #[arg(short, long)]
    permanently: bool,
    /// Print what would be removed, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    measures: MeasureArgs,
    /// Keep files and folders whose names start with a dot
    #[arg(long, help_heading = "Selection")]
    no_hidden: bool,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
    #[command(flatten)]
    _habit: crate::commands::shared::Habit,
}

impl Verb for Args {
    const ACTIVITY: &'static str = "checking the paths";
    const STOPS_ITSELF: bool = true;
    const FOREIGN: &'static [Foreign] = &[Foreign::new(
        "cec",
        &["delete", "del", "remove", "unlink", "rmdir"],
        "'cec rm' moves to the recycle bin, 'cec rm -p' deletes",
    )];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.paths)
    }

    /// Deletes nodes, after a confirmation if necessary.
    ///
    /// # Errors
    /// The confirmation cannot be requested, or is answered No; the command cannot continue. Failures of single
    /// operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut filter = Filter { hidden: !self.no_hidden, ..self.rules.filter(ctx).await? };
        self.measures.limit(&mut filter)?;
        let filter = (filter.selects_files() || self.no_hidden).then(|| Arc::new(filter));
        let mut operands = Operands::new(&ctx.ui);
        let found = tokio::select! {
            biased;
            found = confirmed_nodes(ctx, &self, filter.as_ref(), &mut operands) => found?,
            () = ctx.cancel.cancelled() => return Err(CliError::new(Kind::Interrupted, "nothing was deleted")),
        };
        let permanently = self.permanently || found.first().is_some_and(|node| is_in_recycle_bin(&node.path));
        if found.is_empty() && filter.is_some() && !operands.all_failed() {
            ctx.ui.status("no file is selected");
        }
        if self.dry_run {
            return show_plan(ctx, &found, permanently, operands);
        }
        remove(ctx, &found, permanently, operands).await
    }
}

/// Permanently deletes nodes in recycle bins, after a confirmation unless `force` is set.
///
/// # Errors
/// As [`run`].
pub(super) async fn erase(ctx: &Ctx, nodes: &[Node], force: bool, operands: Operands<'_>) -> Result<Outcome, CliError> {
    if !nodes.is_empty() && !force {
        tokio::select! {
            biased;
            agreed = ask(ctx, nodes, true) => agreed?,
            () = ctx.cancel.cancelled() => return Err(CliError::new(Kind::Interrupted, "nothing was deleted")),
        }
    }
    remove(ctx, nodes, true, operands).await
}

/// Prints what would be removed.
fn show_plan(ctx: &Ctx, found: &[Node], permanently: bool, operands: Operands<'_>) -> Result<Outcome, CliError> {
    if ctx.ui.is_json() {
        let records: Vec<_> = found.iter().map(|node| record(node, permanently)).collect();
        ctx.ui.json_document(&records)?;
        return Ok(operands.outcome());
    }
    for node in found {
        let slash = if node.is_folder() { "/" } else { "" };
        ctx.ui.line(&format!("{}{slash}", ctx.ui.shown(node.path.as_str())))?;
    }
    if !found.is_empty() {
        let (items, size) = (found.len(), human::bytes(total_size(found)));
        let items = format!("{} {}", human::count(items as u64), if items == 1 { "item" } else { "items" });
        ctx.ui.status(&match permanently {
            true => format!("would delete {items} permanently ({size})"),
            false => format!("would move {items} to the recycle bin ({size})"),
        });
    }
    Ok(operands.outcome())
}

fn total_size(nodes: &[Node]) -> u64 {
    nodes.iter().map(|node| node.size).fold(0, u64::saturating_add)
}

async fn remove(ctx: &Ctx, found: &[Node], permanently: bool, operands: Operands<'_>) -> Result<Outcome, CliError> {
    if found.is_empty() {
        if ctx.ui.is_json() && !operands.all_failed() {
            ctx.ui.json_document(&Vec::<Value>::new())?;
        }
        return Ok(operands.outcome());
    }
    let watch = Watch::open(ctx.api().await?);
    let mut removal = Removal::new(ctx, watch, permanently, operands, found.len());
    let result = removal.remove(found).await;
    if ctx.ui.is_json() && (!removal.gone.is_empty() || (result.is_ok() && !removal.operands.all_failed())) {
        ctx.ui.json_document(&removal.gone)?;
    }
    result?;
    if !removal.operands.all_failed() {
        removal.hint_at_undo(found).await;
    }
    Ok(removal.operands.outcome())
}

/// Returns the nodes to remove, once the user has confirmed. All are removed in the same way: to the recycle bin, or
/// permanently.
async fn confirmed_nodes(
    ctx: &Ctx,
    arguments: &Args,
    filter: Option<&Arc<Filter>>,
    operands: &mut Operands<'_>,
) -> Result<Vec<Node>, CliError> {
    let mut found = Vec::new();
    for typed in &arguments.paths {
        match removable(ctx, typed, arguments).await {
            Ok(nodes) => found.extend(nodes),
            Err(error) if is_gone_server(&error) => return Err(error.hint("nothing was deleted")),
            Err(error) => operands.failed(error)?,
        }
    }
    let found = outermost(found);
    if !arguments.permanently {
        refuse_both_kinds(&found)?;
    }
    let found = match filter {
        Some(filter) => selected(ctx, found, filter, operands).await?,
        None => found,
    };
    if !found.is_empty() && !arguments.force && !arguments.dry_run {
        ask(ctx, &found, arguments.permanently).await?;
    }
    Ok(found)
}

/// Returns the files that the filter selects among the nodes and below them.
async fn selected(
    ctx: &Ctx,
    nodes: Vec<Node>,
    filter: &Arc<Filter>,
    operands: &mut Operands<'_>,
) -> Result<Vec<Node>, CliError> {
    let mut files = Vec::new();
    for node in nodes {
        if !node.is_folder() {
            files.extend(Some(node).filter(|node| filter.named_node(node.name(), node)));
            continue;
        }
        let options = RemoteOptions { filter: filter.clone(), ..RemoteOptions::default() };
        let mut walk = remote::walk(ctx.api().await?, ctx.s3().await?, &node.path, options);
        while let Some(item) = walk.recv().await {
            match item {
                RemoteItem::File(file) => files.push(file),
                RemoteItem::Failed { folder, error } => operands.unlisted(&node.path, &folder, error)?,
                RemoteItem::Folder(_) | RemoteItem::RecycleBin(_) | RemoteItem::Excluded(_) => {}
            }
        }
    }
    files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

async fn removable(ctx: &Ctx, typed: &str, arguments: &Args) -> Result<Vec<Node>, CliError> {
    let path = nodes::parse(ctx, typed)?;
    let refused = |path: &RemotePath| {
        let message = format!("'{path}' is a workspace; cec cannot delete workspaces");
        nodes::refuse_workspace(path, message, None)
    };
    // The older client's pattern `%`.
    let reading = Reading { literal: arguments.no_glob, percent: true, ..Reading::default() };
    if path.is_workspace() && !reading.is_pattern(&path) {
        return Err(refused(&path));
    }
    let found = nodes::resolve_exactly(ctx, &path, reading).await?;
    if let Some(workspace) = found.iter().find(|node| node.path.is_workspace()) {
        return Err(refused(&workspace.path));
    }
    if let Some(root) = found.iter().find(|node| node.is_root()) {
        return Err(nodes::refuse_root(root, "removed"));
    }
    match found.iter().find(|node| is_recycle_bin(&node.path)) {
        Some(bin) if !arguments.permanently => {
            Err(CliError::new(Kind::Usage, format!("'{}' is the recycle bin itself", bin.path))
                .hint(Hint::command(
                    "to delete it permanently, with all its content",
                    "cec rm -p",
                    &[bin.path.as_str()],
                ))
                .about(&bin.path))
        }
        _ => Ok(found),
    }
}

/// Refuses a mixture: nodes inside a recycle bin are deleted permanently, all others are moved there.
fn refuse_both_kinds(nodes: &[Node]) -> Result<(), CliError> {
    let inside = nodes.iter().find(|node| is_in_recycle_bin(&node.path));
    let outside = nodes.iter().find(|node| !is_in_recycle_bin(&node.path));
    let (Some(inside), Some(outside)) = (inside, outside) else { return Ok(()) };
    let message = format!(
        "'{}' would be moved to the recycle bin, but '{}' is already in it and would be deleted permanently",
        outside.path, inside.path
    );
    Err(CliError::new(Kind::Usage, message)
        .hint("delete items of the recycle bin in a separate run")
        .hint("or add --permanently to delete all of them permanently"))
}

/// Removes duplicates, and nodes inside a folder that is removed anyway.
fn outermost(mut nodes: Vec<Node>) -> Vec<Node> {
    let named: HashSet<RemotePath> = nodes.iter().map(|node| node.path.clone()).collect();
    let mut kept = HashSet::new();
    nodes.retain(|node| {
        let mut above = std::iter::successors(node.path.parent(), RemotePath::parent);
        !above.any(|folder| named.contains(&folder)) && kept.insert(node.path.clone())
    });
    nodes
}

/// Asks for a confirmation if necessary.
async fn ask(ctx: &Ctx, nodes: &[Node], permanently: bool) -> Result<(), CliError> {
    let for_good = permanently || nodes.iter().any(|node| is_in_recycle_bin(&node.path));
    if !for_good && nodes.len() == 1 && !nodes[0].is_folder() {
        return Ok(());
    }
    if !ctx.ui.can_ask() {
        let message = "cannot ask for confirmation before deleting";
        return Err(CliError::new(Kind::Usage, message).hint("add --force to delete without asking"));
    }
    for node in nodes.iter().take(SHOWN) {
        let slash = if node.is_folder() { "/" } else { "" };
        ctx.ui.before_asking(&format!("  {}{slash}  ({})", node.path, human::bytes(node.size)));
    }
    if nodes.len() > SHOWN {
        ctx.ui.before_asking(&format!("  and {} more", nodes.len() - SHOWN));
    }
    let size = human::bytes(total_size(nodes));
    let what = match nodes {
        [node] if node.is_folder() => format!("this folder with all its content ({size})"),
        [_] => format!("this file ({size})"),
        _ => format!("these {} items ({size})", nodes.len()),
    };
    let yes = if for_good {
        ctx.ui.confirm(&format!("Permanently delete {what}? This cannot be undone."), Consent::TypedYes).await
    } else {
        ctx.ui.confirm(&format!("Move {what} to the recycle bin?"), Consent::Yes).await
    };
    if yes { Ok(()) } else { Err(CliError::new(Kind::Failure, "nothing was deleted")) }
}

/// Whether the server is unreachable, so that the next request would fail too: there is no answer at all, or only that
/// of a proxy without a server behind it.
fn is_gone_server(error: &CliError) -> bool {
    error.kind == Kind::Unreachable && matches!(error.http_status, None | Some(502 | 503))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cells_client::api::NodeKind;

    fn nodes(paths: &[&str]) -> Vec<Node> {
        paths.iter().map(|path| Node::of_path(path, NodeKind::Folder)).collect()
    }

    #[test]
    fn nodes_inside_other_nodes_are_omitted() {
        let kept = outermost(nodes(&["w/a/b", "w/a", "w/ab", "w/a", "w/c", "w/c/d/e"]));
        let kept: Vec<_> = kept.iter().map(|node| node.path.as_str()).collect();
        assert_eq!(kept, ["w/a", "w/ab", "w/c"]);
    }

    #[test]
    fn one_run_removes_in_one_way() {
        assert!(refuse_both_kinds(&nodes(&["w/a", "w/b/recycle_bin/c", "w/recycle_bins"])).is_ok());
        assert!(refuse_both_kinds(&nodes(&["w/recycle_bin/a", "v/recycle_bin/b"])).is_ok());
        assert_eq!(refuse_both_kinds(&nodes(&["w/recycle_bin/a", "v/a"])).expect_err("refused").kind, Kind::Usage);
    }
}

//! `cec rm`.

mod wait;

use serde_json::json;

use super::nodes;
use super::operands::Operands;
use crate::api::Node;
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::path::RemotePath;
use crate::ui::human;
use crate::ui::json::kind_name;
use crate::ui::prompt::Consent;
use crate::walk::remote::RECYCLE_BIN;

/// How many nodes one request names.
const BATCH: usize = 100;

/// How many paths are shown before asking.
const SHOWN: usize = 5;

/// Arguments of `cec rm`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "One file goes to the recycle bin without a question; a folder, or several, after one. Deleting for \
    good always asks,\nand so does anything that is in the recycle bin already. Where nobody can answer, nothing is \
    done (exit code 2).\n\nExamples:\n  cec rm common-files/old.txt\n  cec rm -f 'common-files/*.tmp'\n  \
    cec rm -p common-files/secret"
)]
pub struct Args {
    /// Files, folders or patterns on the server
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Delete for good instead of moving to the recycle bin
    #[arg(short, long)]
    permanently: bool,
    /// Take names as they are, without patterns
    #[arg(long)]
    no_glob: bool,
}

/// Deletes, after having asked where that is due.
///
/// # Errors
/// A question that nobody can answer, or that is answered No; what ends the whole command. Failures of single
/// operands are told and counted.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let mut operands = Operands::new(&ctx.ui);
    let mut found = Vec::new();
    for typed in &arguments.paths {
        match removable(ctx, typed, arguments.no_glob).await {
            Ok(nodes) => found.extend(nodes),
            Err(error) => operands.failed(error)?,
        }
    }
    let found = outermost(found);
    if !found.is_empty() && !arguments.force {
        ask(ctx, &found, arguments.permanently).await?;
    }
    let mut records = Vec::new();
    for batch in found.chunks(BATCH) {
        for (node, result) in remove(ctx, batch, arguments.permanently).await {
            let for_good = arguments.permanently || is_in_bin(&node.path);
            if result.is_ok() {
                let done = if for_good { "deleted" } else { "moved to the recycle bin:" };
                ctx.ui.status(&format!("{done} {}", node.path));
                let path = node.path.as_str();
                records.push(json!({"path": path, "type": kind_name(node.kind), "permanently": for_good}));
            }
            operands.take(result)?;
        }
    }
    if ctx.ui.is_json() && !operands.all_failed() {
        ctx.ui.json_document(&records)?;
    }
    Ok(operands.outcome())
}

async fn removable(ctx: &Ctx, typed: &str, literal: bool) -> Result<Vec<Node>, CliError> {
    let path = nodes::parse(typed)?;
    let refused = |path: &RemotePath| {
        CliError::new(Kind::Usage, format!("'{path}' is a whole workspace, which cannot be removed like this"))
            .about(path)
    };
    if path.is_workspace() && !crate::walk::glob::has_pattern(&path) {
        return Err(refused(&path));
    }
    let found = nodes::named(ctx, &path, literal).await?;
    match found.iter().find(|node| node.path.is_workspace()) {
        Some(workspace) => Err(refused(&workspace.path)),
        None => Ok(found),
    }
}

/// Leaves out what is named twice, and what lies in a folder that is removed anyway.
fn outermost(mut nodes: Vec<Node>) -> Vec<Node> {
    let paths: Vec<RemotePath> = nodes.iter().map(|node| node.path.clone()).collect();
    let mut index = 0;
    nodes.retain(|node| {
        let covered = paths.iter().enumerate().any(|(other, path)| {
            let inside = node.path.relative_to(path);
            (other < index && inside == Some("")) || inside.is_some_and(|rest| !rest.is_empty())
        });
        index += 1;
        !covered
    });
    nodes
}

/// Whether a node is a recycle bin or lies in one: the server deletes such nodes for good.
fn is_in_bin(path: &RemotePath) -> bool {
    path.segments().nth(1) == Some(RECYCLE_BIN)
}

/// Asks where that is due.
async fn ask(ctx: &Ctx, nodes: &[Node], permanently: bool) -> Result<(), CliError> {
    let for_good = permanently || nodes.iter().any(|node| is_in_bin(&node.path));
    if !for_good && nodes.len() == 1 && !nodes[0].is_folder() {
        return Ok(());
    }
    if !ctx.ui.can_ask() {
        let message = "refusing to delete: this needs a confirmation, and nobody can be asked here";
        return Err(CliError::new(Kind::Usage, message).hint("add --force to delete without asking"));
    }
    for node in nodes.iter().take(SHOWN) {
        let slash = if node.is_folder() { "/" } else { "" };
        ctx.ui.before_asking(&format!("  {}{slash}  ({})", node.path, human::bytes(node.size)));
    }
    if nodes.len() > SHOWN {
        ctx.ui.before_asking(&format!("  and {} more", nodes.len() - SHOWN));
    }
    let size = human::bytes(nodes.iter().map(|node| node.size).sum());
    let what = match nodes {
        [node] if node.is_folder() => format!("this folder with all that is in it ({size})"),
        [_] => format!("this file ({size})"),
        _ => format!("these {} items ({size})", nodes.len()),
    };
    let yes = if for_good {
        ctx.ui.confirm(&format!("Delete {what} for good? This cannot be undone."), Consent::TypedYes).await
    } else {
        ctx.ui.confirm(&format!("Move {what} to the recycle bin?"), Consent::Yes).await
    };
    if yes { Ok(()) } else { Err(CliError::new(Kind::Failure, "nothing was deleted")) }
}

/// Removes a batch, and says of each node what became of it. One that the server does not take as a whole is tried
/// node by node, so that the failure is that of the node it belongs to.
async fn remove<'n>(ctx: &Ctx, batch: &'n [Node], permanently: bool) -> Vec<(&'n Node, Result<(), CliError>)> {
    let error = match wait::remove(ctx, batch, permanently).await {
        Ok(()) => return batch.iter().map(|node| (node, Ok(()))).collect(),
        Err(error) => error,
    };
    if let [node] = batch {
        return vec![(node, Err(error))];
    }
    if error.kind.ends_everything() {
        return vec![(&batch[0], Err(error))];
    }
    let mut results = Vec::with_capacity(batch.len());
    for node in batch {
        let result = match wait::is_gone(ctx, node).await {
            Ok(true) => Ok(()),
            _ => wait::remove(ctx, std::slice::from_ref(node), permanently).await,
        };
        let stop = result.as_ref().is_err_and(|error| error.kind.ends_everything());
        results.push((node, result));
        if stop {
            break;
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::NodeKind;

    fn nodes(paths: &[&str]) -> Vec<Node> {
        let node = |path: &&str| Node {
            path: RemotePath::from_server(path),
            uuid: String::new(),
            kind: NodeKind::Folder,
            size: 0,
            modified: None,
            etag: None,
            hash: None,
            mime: None,
            children: None,
            read_only: false,
            meta: std::collections::BTreeMap::new(),
        };
        paths.iter().map(node).collect()
    }

    #[test]
    fn what_is_covered_by_another_is_left_out() {
        let kept = outermost(nodes(&["w/a/b", "w/a", "w/ab", "w/a", "w/c", "w/c/d/e"]));
        let kept: Vec<_> = kept.iter().map(|node| node.path.as_str()).collect();
        assert_eq!(kept, ["w/a", "w/ab", "w/c"]);
    }

    #[test]
    fn the_recycle_bin_is_that_of_the_workspace() {
        for (path, expected) in [
            ("ws/recycle_bin", true),
            ("ws/recycle_bin/a", true),
            ("ws/a/recycle_bin", false),
            ("ws/recycle_bins", false),
            ("recycle_bin", false),
        ] {
            assert_eq!(is_in_bin(&RemotePath::from_server(path)), expected, "{path}");
        }
    }
}

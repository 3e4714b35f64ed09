//! Plans a copy or move, with all checks that the server does not make: it renames instead of overwriting, moves
//! complete workspaces, and loses nodes that are moved below a file.

use std::collections::{HashMap, HashSet};

use super::Operation;
use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::context::Ctx;
use crate::error::{CliError, Hint, Kind};
use cells_client::api::Node;
use cells_client::path::{RemotePath, check_folder_name, check_name};
use cells_client::walk::glob::{Expansion, Reading};
use cells_client::walk::remote::{is_in_recycle_bin, is_recycle_bin};

/// The target of the sources.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// A folder; if not `exists`, the server creates it.
    Into { folder: RemotePath, exists: bool },
    /// The new path of the only source.
    As(RemotePath),
}

/// One source and its new path.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) source: Node,
    pub(super) target: RemotePath,
    /// Whether the last name of the target is that of the source.
    pub(super) keeps_name: bool,
    /// The free temporary name on the way, if the server treats the new name as the old one.
    pub(super) by_way_of: Option<RemotePath>,
}

impl Item {
    /// Returns the path that the last job starts from.
    pub(super) fn place(&self) -> &RemotePath {
        self.by_way_of.as_ref().unwrap_or(&self.source.path)
    }
}

/// The number of names to try for a change of case.
const NAMES_TRIED: usize = 20;

/// Returns all items; `None` if anything is refused, and so everything. Failures are printed.
pub(super) async fn plan(
    ctx: &Ctx,
    typed: &[String],
    target: &str,
    literal: bool,
    operation: Operation,
    operands: &mut Operands<'_>,
) -> Result<Option<Vec<Item>>, CliError> {
    let mut found = Vec::new();
    for typed in typed {
        match sources(ctx, typed, literal, operation).await {
            // A missing source among several is a failed item, as in cp. Any other error refuses everything.
            Ok(sources) => found.extend(sources),
            Err(error) if error.kind == Kind::NotFound => operands.failed(error)?,
            Err(error) => return Err(error),
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let place = place(ctx, target, typed.len() > 1 || found.len() > 1, operation).await?;
    let mut items = items(ctx, found, &place, operation);
    let refused = refusals(ctx, &mut items, &place, operation).await?;
    if refused.is_empty() {
        return Ok(Some(items));
    }
    for error in refused {
        operands.failed(error)?;
    }
    Ok(None)
}

/// A source, and whether a pattern found it.
struct Source {
    node: Node,
    by_pattern: bool,
}

async fn sources(ctx: &Ctx, typed: &str, literal: bool, operation: Operation) -> Result<Vec<Source>, CliError> {
    let path = nodes::parse(ctx, typed)?;
    let is_move = operation == Operation::Move;
    // For a move, another Unicode form of the name is another node; a copy does no harm.
    let reading = Reading { literal, exact: is_move, ..Reading::default() };
    let whole = |path: &RemotePath| {
        let message = format!("'{path}' is a workspace, which cannot be {}", operation.done());
        nodes::refuse_workspace(path, message, Some(format!("name its content instead: '{path}/*'")))
    };
    // Before the request: the server would carry it out, and remove the workspace for everybody.
    if path.is_workspace() && !reading.is_pattern(&path) {
        return Err(whole(&path));
    }
    let Expansion { nodes: found, by_pattern, .. } = nodes::expand(ctx, &path, reading).await?;
    for node in &found {
        if node.path.is_workspace() {
            return Err(whole(&node.path));
        }
        if is_move && node.is_root() {
            // The same for one root of several: it would be gone for everybody who shares the workspace.
            return Err(nodes::refuse_root(node, "moved"));
        }
        if is_recycle_bin(&node.path) {
            let message = format!("'{}' is the recycle bin itself", node.path);
            return Err(CliError::new(Kind::Usage, message).about(&node.path));
        }
    }
    Ok(found.into_iter().map(|node| Source { node, by_pattern }).collect())
}

/// Determines the target by the rules of cp(1). A trailing slash requires a folder, which is created if it is missing.
async fn place(ctx: &Ctx, typed: &str, several: bool, operation: Operation) -> Result<Place, CliError> {
    let path = nodes::parse(ctx, typed)?;
    if path.is_root() {
        return Err(CliError::new(Kind::Usage, "the target must be a workspace or a path in one").about(&path));
    }
    if is_in_recycle_bin(&path) {
        return Err(CliError::new(Kind::Usage, format!("nothing can be {} to a recycle bin", operation.done()))
            .hint("use 'cec rm' to move items there, so that they can be restored")
            .about(&path));
    }
    let (nearest, rest) = nodes::nearest(ctx, &path).await?;
    let Some(nearest) = nearest else { return Err(nodes::missing(ctx, &path).await) };
    nodes::check_takes(ctx, &nearest).await?;
    // As in cp: `cp a b/` must not create a file `b`.
    let wants_folder = typed.ends_with('/');
    if !nearest.is_folder() {
        let message = match rest.is_empty() {
            true if !several && !wants_folder => format!("'{path}' already exists"),
            true if several => format!("'{path}' is a file, but several sources need a folder"),
            _ => format!("'{}' is a file, not a folder", nearest.path),
        };
        return Err(CliError::new(Kind::Exists, message).about(&path));
    }
    for name in &rest {
        check_name(name).map_err(|error| CliError::from(error).about(&path))?;
    }
    let folders = if wants_folder || several { rest.len() } else { rest.len().saturating_sub(1) };
    for name in nearest.path.segments().skip(1).chain(rest.iter().take(folders).map(String::as_str)) {
        check_folder_name(name).map_err(|error| CliError::from(error).about(&path))?;
    }
    // Existing folders keep their form on the server; only new names are converted to NFC.
    let full = nearest.path.join(&rest.join("/")).nfc_below(&nearest.path);
    match rest.as_slice() {
        [] => Ok(Place::Into { folder: nearest.path, exists: true }),
        _ if wants_folder => Ok(Place::Into { folder: full, exists: false }),
        _ if several => {
            Err(CliError::new(Kind::NotFound, format!("'{path}' does not exist, but several sources need a folder"))
                .hint(format!("to make it, add a / at the end: '{path}/'"))
                .about(&path))
        }
        [_] => Ok(Place::As(full)),
        [above, ..] => {
            let missing = nearest.path.join(above);
            let parent = path.parent().unwrap_or_default();
            Err(CliError::not_found(&missing).hint(Hint::command("make it with", "cec mkdir -p", &[parent.as_str()])))
        }
    }
}

/// Returns the sources with their new paths. Matches of a pattern are omitted if the target is inside them.
fn items(ctx: &Ctx, found: Vec<Source>, place: &Place, operation: Operation) -> Vec<Item> {
    let mut seen = HashSet::new();
    let mut items = Vec::new();
    for Source { node, by_pattern } in found {
        if !seen.insert(node.path.clone()) {
            continue;
        }
        let (target, keeps_name) = match place {
            // As in cp, `*` may match the target folder itself. To copy it into itself is never meant.
            Place::Into { folder, exists: true } if by_pattern && folder.relative_to(&node.path).is_some() => {
                ctx.ui.warn(&format!("not {}: {}, which contains the target", operation.done(), node.path));
                continue;
            }
            Place::Into { folder, .. } => {
                let name = RemotePath::root().join(node.name()).nfc();
                (folder.join(name.as_str()), name.as_str() == node.name())
            }
            Place::As(path) => (path.clone(), false),
        };
        items.push(Item { source: node, target, keeps_name, by_way_of: None });
    }
    items
}

/// Whether only the case of a name changes, so that the server would treat the new name as in use.
fn is_change_of_case(item: &Item) -> bool {
    let (source, target) = (&item.source.path, &item.target);
    source != target
        && source.parent() == target.parent()
        && source.nfc().as_str().to_lowercase() == target.nfc().as_str().to_lowercase()
        && source.nfc() != target.nfc()
}

/// Returns a free name beside a node.
async fn free_name(ctx: &Ctx, node: &Node) -> Result<RemotePath, CliError> {
    let names: Vec<RemotePath> = nodes::names_instead(&node.path, node.is_folder()).take(NAMES_TRIED).collect();
    let present = ctx.api().await?.stat_many(&names).await?;
    let is_free = |name: &RemotePath| present.iter().all(|node| node.path != *name);
    names.into_iter().find(is_free).ok_or_else(|| {
        let message = format!("only the case differs, and there is no free intermediate name for '{}'", node.path);
        CliError::new(Kind::Exists, message).about(&node.path)
    })
}

/// Returns the reasons to refuse: targets inside their sources, existing targets, several sources with the same target.
async fn refusals(
    ctx: &Ctx,
    items: &mut [Item],
    place: &Place,
    operation: Operation,
) -> Result<Vec<CliError>, CliError> {
    let mut refused = Vec::new();
    let mut taken: HashMap<String, &RemotePath> = HashMap::new();
    for item in items.iter_mut().filter(|item| operation == Operation::Move && is_change_of_case(item)) {
        item.by_way_of = Some(free_name(ctx, &item.source).await?);
        // The server treats both names as equal and would append a number, so a free name in between is necessary.
    }
    for item in items.iter() {
        let (source, target) = (&item.source.path, &item.target);
        if item.source.is_folder() && target.relative_to(source).is_some_and(|rest| !rest.is_empty()) {
            let message = format!("'{source}' cannot be {} into itself", operation.done());
            refused.push(CliError::new(Kind::Usage, message).about(source));
        }
        if item.source.is_folder()
            && let Err(error) = check_folder_name(target.name())
        {
            refused.push(CliError::from(error).about(target));
        }
        // The server ignores case when it looks for a free name.
        if let Some(first) = taken.insert(target.as_str().to_lowercase(), source) {
            let message = format!("'{first}' and '{source}' would both become '{target}'");
            refused.push(CliError::new(Kind::Usage, message).about(source));
        }
    }
    // In a new folder there are no existing targets.
    if matches!(place, Place::Into { exists: false, .. }) {
        return Ok(refused);
    }
    let targets: Vec<RemotePath> = items.iter().map(|item| item.target.clone()).collect();
    let present: HashSet<RemotePath> =
        ctx.api().await?.stat_many(&targets).await?.into_iter().map(|node| node.path).collect();
    for item in items.iter().filter(|item| present.contains(&item.target)) {
        // Even `cec cp a a` must fail: the server would create `a-1` without a word.
        let message = match item.source.path == item.target {
            true => format!("'{}' is there already", item.target),
            false => format!("'{}' already exists", item.target),
        };
        refused.push(CliError::new(Kind::Exists, message).about(&item.target));
    }
    Ok(refused)
}

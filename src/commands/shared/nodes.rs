//! Resolves what the user types to nodes.

use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::settings::parse_link;
use crate::ui::Ui;
use crate::ui::near::nearest as nearest_name;
use cells_client::account::LinkUrl;
use cells_client::api::Node;
use cells_client::failure::Reason;
use cells_client::path::{PathError, RemotePath};
use cells_client::walk::glob::{self, Expansion, Reading};
use cells_client::walk::remote;

/// The number of names in a folder to compare with a misspelled one.
const CONSIDERED: usize = 500;

/// The hint for a path that seems to be local.
const HERE: &str = "use a path on the server, WORKSPACE/FOLDER/FILE; 'cec scp' copies between the server and this \
    machine";

/// The maximum number of names in a message.
const NAMES_TOLD: usize = 5;

/// Returns the nodes that a path names: one, or all that its pattern matches.
///
/// # Errors
/// [`Kind::NotFound`] if there is none; [`Kind::Usage`] for the root, which is not a node, and for an invalid path.
pub async fn resolve(ctx: &Ctx, path: &RemotePath, literal: bool) -> Result<Vec<Node>, CliError> {
    let reading = Reading { literal, ..Reading::default() };
    Ok(expand(ctx, path, reading).await?.nodes)
}

/// Returns the nodes that a path names, for a command that changes them: other spellings of a name do not match.
///
/// # Errors
/// As [`resolve`].
pub async fn resolve_exactly(ctx: &Ctx, path: &RemotePath, reading: Reading) -> Result<Vec<Node>, CliError> {
    Ok(expand(ctx, path, Reading { exact: true, ..reading }).await?.nodes)
}

/// Expands a path. For changes ([`Reading::exact`]), prints how many nodes a pattern matches.
///
/// # Errors
/// As [`resolve`].
pub async fn expand(ctx: &Ctx, path: &RemotePath, reading: Reading) -> Result<Expansion, CliError> {
    if path.is_root() {
        return Err(CliError::new(Kind::Usage, "the root contains only the workspaces")
            .hint("'cec ls' lists the workspaces")
            .about(path));
    }
    let (api, s3) = (ctx.api().await?, ctx.s3().await?);
    let found = glob::expand(api, s3, path, reading)
        .await
        .map_err(|error| CliError::from(error).during(format!("looking for {path}")).about(path))?;
    if found.nodes.is_empty() {
        return Err(nothing(ctx, path, reading).await);
    }
    warn_of_literal_names(&ctx.ui, &found);
    if reading.exact && found.by_pattern {
        let count = found.nodes.len();
        ctx.ui.status(&format!("'{path}' matches {count} {}", if count == 1 { "item" } else { "items" }));
    }
    Ok(found)
}

/// Prints a notice if a name with `*` or `?` was treated as literal, because a node with exactly that name exists.
pub fn warn_of_literal_names(ui: &Ui, found: &Expansion) {
    for path in &found.very_names {
        ui.warn(&format!("'{path}' exists with exactly this name, so it is not used as a pattern"));
    }
}

/// Creates the error for a path that names nothing.
async fn nothing(ctx: &Ctx, path: &RemotePath, reading: Reading) -> CliError {
    if reading.is_pattern(path) {
        return CliError::new(Kind::NotFound, format!("nothing matches '{path}'")).about(path);
    }
    if reading.exact
        && let Ok(api) = ctx.api().await
        && let Ok(Some(other)) = api.find(path).await
    {
        return CliError::not_found(path)
            .hint(format!("'{}' does, with its accents encoded differently: copy the name from here", other.path));
    }
    missing(ctx, path).await
}

/// Refuses to put something directly into the top of a workspace of several folders.
///
/// # Errors
/// [`Kind::Permission`], with the names of the folders.
pub async fn check_takes(ctx: &Ctx, folder: &Node) -> Result<(), CliError> {
    if !folder.is_only_shown() {
        return Ok(());
    }
    let path = &folder.path;
    let error = CliError::new(Kind::Permission, format!("the top level of '{path}' is read-only")).about(path);
    let children: Vec<Node> = ctx.api().await?.children(path).try_collect().await.unwrap_or_default();
    let names: Vec<String> =
        children.iter().filter(|node| node.is_folder()).map(|node| format!("'{}'", node.path)).collect();
    Err(match names.len() {
        0 => error,
        count if count > NAMES_TOLD => {
            error.hint(format!("use one of its folders: {}, ...", names[..NAMES_TOLD].join(", ")))
        }
        _ => error.hint(format!("use one of its folders: {}", names.join(", "))),
    })
}

/// Parses a path: one of the account's, or one in the public link that the command uses.
///
/// # Errors
/// [`Kind::Usage`] if it is not a valid path.
pub fn parse(ctx: &Ctx, text: &str) -> Result<RemotePath, CliError> {
    remote_path(ctx, text).map_err(|error| {
        let is_local = matches!(text, "." | "..") || text.starts_with("./") || text.starts_with("../");
        let error = error.about(text);
        if is_local { error.hint(HERE) } else { error }
    })
}

/// Parses a path on the server. In a public link, the result begins with the last part of the link's URL, however it
/// was written.
///
/// # Errors
/// The text is not a path or a public link. An empty text is refused, because in a script it is a variable that was
/// never set.
fn remote_path(ctx: &Ctx, text: &str) -> Result<RemotePath, CliError> {
    if text.is_empty() {
        return Err(CliError::empty_path());
    }
    if LinkUrl::is_meant(text) {
        let (link, below) = parse_link(text)?;
        if ctx.link()? != Some(&link) {
            let message = format!("{link} is a public link, which this command does not support");
            return Err(CliError::new(Kind::Usage, message));
        }
        let path = RemotePath::parse(&format!("/{}/{below}", link.hash()));
        return path.map_err(|error| match error {
            PathError::DotSegment(_, segment) => PathError::DotSegment(text.to_owned(), segment).into(),
            error @ PathError::Nul(_) => error.into(),
        });
    }
    let path = RemotePath::parse(text)?;
    Ok(match ctx.link()? {
        Some(link) if path.workspace() != link.hash() => RemotePath::root().join(link.hash()).join(path.as_str()),
        _ => path,
    })
}

/// Creates the error for a folder that cannot be listed. `/` contains the workspaces.
pub fn listing_failed(error: impl Into<CliError>, folder: &RemotePath) -> CliError {
    let what = if folder.is_root() { "the workspaces" } else { folder.as_str() };
    error.into().during(format!("listing {what}")).about(folder)
}

/// Creates the error for a path that does not exist: names the workspace, or the node in it.
pub async fn missing(ctx: &Ctx, path: &RemotePath) -> CliError {
    let workspace = RemotePath::root().join(path.workspace());
    let workspace_exists = async || match ctx.api().await {
        Ok(api) => !matches!(api.find(&workspace).await, Ok(None)),
        Err(_) => true,
    };
    if !path.is_workspace() && workspace_exists().await {
        let error = CliError::not_found(path);
        return match similar_child(ctx, path).await {
            Some(similar) => error.hint(format!("did you mean '{similar}'?")),
            None => error,
        };
    }
    let error =
        CliError::new(Kind::NotFound, format!("there is no workspace '{workspace}', or you have no access to it"));
    let error = error.about(path);
    if ctx.ui.is_json() && path.is_workspace() && path.as_str().contains(',') {
        return error.hint("--json does not accept field names; select them with: --jq '.[] | {name, size}'");
    }
    let error = if is_here(path) { error.hint(HERE) } else { error };
    match similar_workspace(ctx, path).await {
        Some(similar) => error.hint(format!("did you mean '{similar}'?")),
        None => error.hint("'cec ls' lists your workspaces"),
    }
}

/// Returns the path with the name of the workspace that was probably meant: one with a similar spelling, or with this
/// label.
async fn similar_workspace(ctx: &Ctx, path: &RemotePath) -> Option<RemotePath> {
    let workspaces = ctx.api().await.ok()?.workspaces().await.ok()?;
    let typed = path.workspace();
    let labelled = |node: &&Node| node.text("ws_label").is_some_and(|label| label.eq_ignore_ascii_case(typed));
    let slug = match workspaces.iter().find(labelled) {
        Some(node) => node.path.workspace(),
        None => nearest_name(typed, workspaces.iter().map(|node| node.path.workspace()))?,
    };
    let below = path.relative_to(&RemotePath::root().join(typed)).unwrap_or_default();
    Some(RemotePath::root().join(slug).join(below))
}

/// Returns a node in the same folder with a similar spelling. Only for people, because it requires a listing.
async fn similar_child(ctx: &Ctx, path: &RemotePath) -> Option<RemotePath> {
    if !ctx.ui.stderr_is_terminal() || ctx.ui.is_json() {
        return None;
    }
    let folder = path.parent().filter(|folder| !folder.is_root())?;
    let children = remote::listing(ctx.api().await.ok()?, ctx.s3().await.ok()?, &folder, false);
    let children: Vec<Node> = children.take(CONSIDERED).try_collect().await.ok()?;
    let name = nearest_name(path.name(), children.iter().map(Node::name))?;
    Some(folder.join(name))
}

/// Refuses to change a complete workspace. If a local file has the same name, that was probably meant.
pub fn refuse_workspace(path: &RemotePath, message: String, hint: Option<String>) -> CliError {
    let error = CliError::new(Kind::Usage, message).about(path);
    let error = if is_here(path) { error.hint(HERE) } else { error };
    hint.into_iter().fold(error, CliError::hint)
}

/// Refuses to change one of several roots of a shared workspace, which would be gone for everybody.
pub fn refuse_root(node: &Node, done: &str) -> CliError {
    let path = &node.path;
    let message = format!("'{path}' is shared with everybody in '{}' and cannot be {done}", path.workspace());
    let error = CliError::new(Kind::Usage, message).about(path);
    if node.is_folder() { error.hint(format!("name its content instead: '{path}/*'")) } else { error }
}

/// Whether this path exists on this machine, with or without a leading slash.
fn is_here(path: &RemotePath) -> bool {
    !path.is_root() && [path.to_string(), format!("/{path}")].iter().any(|place| Path::new(place).exists())
}

/// Returns the deepest existing part of a path, and the names below it that do not exist.
///
/// # Errors
/// Any failure, except for a node that does not exist.
pub async fn nearest(ctx: &Ctx, path: &RemotePath) -> Result<(Option<Node>, Vec<String>), CliError> {
    let places: Vec<RemotePath> = path.ancestors().collect();
    let (missing, node) = match ctx.api().await?.find_first(&places).await? {
        Some((index, node)) => (&places[..index], Some(node)),
        None => (&places[..], None),
    };
    Ok((node, missing.iter().rev().map(|place| place.name().to_owned()).collect()))
}

/// Adds the user who has locked the node to an error.
pub fn with_lock(error: CliError, node: &Node) -> CliError {
    let is_refused = error.kind == Kind::Permission || error.reason == Some(Reason::Locked);
    match node.locked_by().filter(|_| is_refused) {
        Some(login) => error.hint(format!("'{}' is locked by '{login}', who can unlock it", node.path)),
        None => error,
    }
}

/// Returns the names that the server chooses if a name is in use: `a-1.txt`, `a-2.txt`, …
pub fn names_instead(taken: &RemotePath, is_folder: bool) -> impl Iterator<Item = RemotePath> {
    let (folder, name) = (taken.parent().unwrap_or_default(), taken.name().to_owned());
    (1..).map(move |number| {
        let (stem, extension) = match name.rfind('.') {
            Some(dot) if !is_folder && dot > 0 => name.split_at(dot),
            _ => (name.as_str(), ""),
        };
        folder.join(&format!("{stem}-{number}{extension}"))
    })
}

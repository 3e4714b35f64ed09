//! Resolves what the user types to links: a URL, the last part of one, a UUID, or a path.

use serde_json::Value;

use crate::commands::shared::nodes;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::api::share::{Link, LinkWorkspace};
use cells_client::failure::{ServerError, ServerErrorKind};
use cells_client::path::RemotePath;

/// The number that represents public links in the metadata of nodes.
const LINK_SCOPE: u64 = 3;

/// A link, and the path of the shared node if the link was found by it.
pub(super) type FoundLink = (Link, Option<RemotePath>);

/// Returns the links that a text names.
///
/// # Errors
/// [`Kind::NotFound`] if there is none; any failure of a call.
pub(super) async fn find(ctx: &Ctx, typed: &str) -> Result<Vec<FoundLink>, CliError> {
    if let Some((host, hash)) = typed.split_once("/public/") {
        let own = ctx.account().await?.url.host().to_owned();
        if host.contains("://") && !host.contains(&own) {
            let message = format!("'{typed}' is a link on another server");
            return Err(CliError::new(Kind::NotFound, message).about(typed));
        }
        return by_hash(ctx, hash.trim_matches('/'), typed).await;
    }
    if cells_client::api::scheduler::is_task_id(typed) {
        let api = ctx.api().await?;
        let link = match api.link(typed).await {
            Ok(link) => link,
            Err(error) if error.kind == ServerErrorKind::NotFound => return Err(no_link(typed)),
            Err(error) => return Err(during(error, typed)),
        };
        let all = api.links().await.map_err(|error| during(error, typed))?;
        let roots = all.into_iter().find(|workspace| workspace.uuid == link.uuid).map(|workspace| workspace.roots);
        let path = place(ctx, &roots.unwrap_or_default(), typed).await?;
        return Ok(vec![(link, path)]);
    }
    if typed.contains('/') {
        return by_path(ctx, typed).await;
    }
    by_hash(ctx, typed, typed).await
}

fn during(error: ServerError, typed: &str) -> CliError {
    CliError::from(error).during(format!("looking for the link {typed}")).about(typed)
}

fn no_link(typed: &str) -> CliError {
    CliError::new(Kind::NotFound, format!("there is no public link '{typed}'"))
        .hint("'cec share ls' lists the links")
        .about(typed)
}

async fn by_hash(ctx: &Ctx, hash: &str, typed: &str) -> Result<Vec<FoundLink>, CliError> {
    let all = ctx.api().await?.links().await.map_err(|error| during(error, typed))?;
    for workspace in all {
        let Ok(link) = workspace.link else { continue };
        if link.hash == hash {
            let path = place(ctx, &workspace.roots, typed).await?;
            return Ok(vec![(link, path)]);
        }
    }
    Err(no_link(typed))
}

/// Returns the path of a link's node, if it can be found.
async fn place(ctx: &Ctx, roots: &[(String, String)], typed: &str) -> Result<Option<RemotePath>, CliError> {
    if roots.is_empty() {
        return Ok(None);
    }
    let places = ctx.api().await?.locate(roots).await.map_err(|error| during(error, typed))?;
    Ok(places.into_iter().next().map(|(_, path)| path))
}

/// Whether a workspace belongs to an incomplete link: it has no URL, and can be removed only as a workspace.
pub(super) fn is_remains(workspace: &LinkWorkspace) -> bool {
    matches!(&workspace.link, Err(error) if error.kind == ServerErrorKind::NotFound)
}

/// Returns incomplete links by UUID, or by the path of the node that they were created for.
///
/// # Errors
/// Any failure of a call.
pub(super) async fn remains(ctx: &Ctx, typed: &str) -> Result<Vec<LinkWorkspace>, CliError> {
    let node = match typed.contains('/') && !typed.contains("/public/") {
        true => nodes::resolve(ctx, &nodes::parse(ctx, typed)?, true).await?.into_iter().next(),
        false => None,
    };
    let mut all = ctx.api().await?.links().await.map_err(|error| during(error, typed))?;
    all.retain(|workspace| {
        let opens = |node: &cells_client::api::Node| workspace.roots.iter().any(|(uuid, _)| *uuid == node.uuid);
        is_remains(workspace) && (workspace.uuid == typed || node.as_ref().is_some_and(opens))
    });
    Ok(all)
}

async fn by_path(ctx: &Ctx, typed: &str) -> Result<Vec<FoundLink>, CliError> {
    let path = nodes::parse(ctx, typed)?;
    let api = ctx.api().await?;
    let mut found = Vec::new();
    for node in nodes::resolve(ctx, &path, true).await? {
        let shares = node.meta.get("workspaces_shares").and_then(Value::as_array).cloned().unwrap_or_default();
        for share in shares {
            let is_link = share.get("Scope").and_then(Value::as_u64) == Some(LINK_SCOPE);
            let Some(uuid) = share.get("UUID").and_then(Value::as_str).filter(|_| is_link) else { continue };
            match api.link(uuid).await {
                Ok(link) => found.push((link, Some(node.path.clone()))),
                // This link is incomplete.
                Err(error) if error.kind == ServerErrorKind::NotFound => {}
                Err(error) => return Err(CliError::from(error).about(&path)),
            }
        }
    }
    if found.is_empty() {
        let message = format!("'{path}' has no public link");
        return Err(CliError::new(Kind::NotFound, message).hint("'cec share PATH' makes one").about(&path));
    }
    Ok(found)
}

/// Returns the only link that a text names.
///
/// # Errors
/// As [`find`]; [`Kind::Usage`] if there are several.
pub(super) async fn find_one(ctx: &Ctx, typed: &str) -> Result<FoundLink, CliError> {
    let mut found = find(ctx, typed).await?;
    if found.len() > 1 {
        let hashes: Vec<&str> = found.iter().map(|(link, _)| link.hash.as_str()).collect();
        let message = format!("'{typed}' has {} public links", found.len());
        return Err(CliError::new(Kind::Usage, message).hint(format!("name one: {}", hashes.join(", "))).about(typed));
    }
    Ok(found.remove(0))
}

//! `cec restore`, which is also `cec trash restore`.

use serde_json::{Value, json};

use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::shared::server_job::ServerJobs;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Hint, Kind, Outcome};
use crate::ui::json::kind_name;
use cells_client::api::Node;
use cells_client::api::jobs::{Job, JobId};
use cells_client::failure::{Reason, ServerError};
use cells_client::path::RemotePath;
use cells_client::walk::glob::Reading;
use cells_client::walk::remote::{depth_of_recycle_bin, is_in_recycle_bin, is_recycle_bin};

/// The number of alternative names to check if the original name is in use.
const NAMES_INSTEAD: usize = 10;

/// Arguments of `cec restore`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Restores items that 'cec rm' moved to a recycle bin to their original place and name; missing \
    folders are made again. If the name is taken, the server chooses another, and cec reports it. 'cec trash ls' \
    shows what can be restored.\n\nExamples:\n  cec restore common-files/recycle_bin/report.pdf\n  \
    cec restore 'common-files/recycle_bin/*'"
)]
pub struct Args {
    /// Items directly in a recycle bin, or patterns
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required = true)]
    paths: Vec<String>,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
}

impl Verb for Args {
    const ACTIVITY: &'static str = "checking the paths";
    const FOREIGN: &'static [Foreign] = &[Foreign::new(
        "cec",
        &["undelete", "undo", "unrm"],
        "'cec trash ls' lists deleted items, 'cec restore' restores them",
    )];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::OfAccount
    }

    /// Restores nodes.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single nodes are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        let mut found = Vec::new();
        for typed in &self.paths {
            match restorable(ctx, typed, self.no_glob).await {
                Ok(nodes) => found.extend(nodes),
                Err(error) => operands.failed(error)?,
            }
        }
        if found.is_empty() {
            return Ok(operands.outcome());
        }
        let mut jobs = ServerJobs::open(ctx).await?;
        jobs.watch().ready().await;
        // All jobs are started before the first one is waited for.
        let mut started: Vec<(Node, JobId)> = Vec::new();
        for node in found {
            match ctx.api().await?.restore(&node.path).await {
                Ok(id) => started.push((node, id)),
                Err(error) => operands.failed(refused(&node.path, error))?,
            }
        }
        let mut records = Vec::new();
        for (node, id) in &started {
            let what = format!("restoring {}", node.path);
            let ended = match jobs.wait(id, &what).await {
                Ok(job) => back_at(ctx, node, job).await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(place) => {
                    records.push(report(ctx, node, place.as_ref()));
                    operands.succeeded();
                }
                Err(error) => operands.failed(error.during(what).about(&node.path))?,
            }
        }
        if ctx.ui.is_json() && !operands.all_failed() {
            ctx.ui.json_document(&records)?;
        }
        Ok(operands.outcome())
    }
}

/// The place of a restored node.
struct Place {
    path: RemotePath,
    /// The original name, if the server had to choose another one.
    instead_of: Option<RemotePath>,
}

async fn restorable(ctx: &Ctx, typed: &str, literal: bool) -> Result<Vec<Node>, CliError> {
    let path = nodes::parse(ctx, typed)?;
    let found = nodes::resolve_exactly(ctx, &path, Reading { literal, ..Reading::default() }).await?;
    for node in &found {
        let refused = if is_recycle_bin(&node.path) {
            let inside = format!("{}/*", node.path);
            let hint = Hint::command("name its content instead", "cec restore", &[&inside]);
            Some((format!("'{}' is the recycle bin itself", node.path), hint))
        } else if !is_in_recycle_bin(&node.path) {
            Some((
                format!("'{}' is not in a recycle bin", node.path),
                Hint::from("'cec trash ls' lists the items in recycle bins"),
            ))
        } else if depth_of_recycle_bin(&node.path).is_some_and(|depth| node.path.segments().count() > depth + 1) {
            let depth = depth_of_recycle_bin(&node.path).unwrap_or_default();
            let above: Vec<&str> = node.path.segments().take(depth + 1).collect();
            let hint = format!("restore '{}', or move it out with 'cec mv'", above.join("/"));
            Some((format!("'{}' was deleted together with the folder that contains it", node.path), hint.into()))
        } else {
            None
        };
        if let Some((message, hint)) = refused {
            return Err(CliError::new(Kind::Usage, message).hint(hint).about(&node.path));
        }
    }
    Ok(found)
}

fn refused(path: &RemotePath, error: ServerError) -> CliError {
    let unknown = error.is(Reason::NoOrigin);
    let error = CliError::from(error).during(format!("restoring {path}")).about(path);
    if !unknown {
        return error;
    }
    let message = "the server does not know its original place: it was moved there, not deleted";
    CliError { kind: Kind::Failure, message: message.to_owned(), hints: Vec::new(), ..error }
        .hint("move it with 'cec mv'")
}

/// Finds the place of a restored node. The job contains a path in the server's own tree, which begins with a data
/// source; the path for the user is found with the node's UUID.
async fn back_at(ctx: &Ctx, node: &Node, job: Option<Job>) -> Result<Option<Place>, CliError> {
    let Some(target) = job.and_then(|job| job.target) else { return Ok(None) };
    let names: Vec<&str> = target.split('/').filter(|name| !name.is_empty()).collect();
    let workspace = RemotePath::root().join(node.path.workspace());
    let olds: Vec<RemotePath> = (0..names.len()).map(|skipped| workspace.join(&names[skipped..].join("/"))).collect();
    let instead =
        |old: &RemotePath| nodes::names_instead(old, node.is_folder()).take(NAMES_INSTEAD).collect::<Vec<_>>();
    let api = ctx.api().await?;
    let is_it = |found: &Node| found.uuid == node.uuid && !found.uuid.is_empty();
    if let Some(found) = api.stat_many(&olds).await?.into_iter().find(is_it) {
        return Ok(Some(Place { path: found.path, instead_of: None }));
    }
    let others: Vec<RemotePath> = olds.iter().flat_map(instead).collect();
    let Some(found) = api.stat_many(&others).await?.into_iter().find(is_it) else { return Ok(None) };
    let instead_of = olds.into_iter().find(|old| instead(old).contains(&found.path));
    Ok(Some(Place { path: found.path, instead_of }))
}

/// Reports the place of a restored node. Returns its record.
fn report(ctx: &Ctx, node: &Node, place: Option<&Place>) -> Value {
    match place {
        Some(Place { path, instead_of: None }) => ctx.ui.status(&format!("restored {path}")),
        Some(Place { path, instead_of: Some(old) }) => {
            ctx.ui.warn(&format!("'{old}' is taken, and the server restored it as '{path}'"));
        }
        None => ctx.ui.status(&format!("restored {}, but its new place is not known", node.path)),
    }
    json!({
        "source": node.path.as_str(), "target": place.map(|place| place.path.as_str()), "type": kind_name(node.kind),
        "renamed": place.is_some_and(|place| place.instead_of.is_some()),
    })
}

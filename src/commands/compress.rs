//! `cec compress`.

use std::collections::HashSet;

use serde_json::json;

use crate::commands::shared::archive::{self, Format};
use crate::commands::shared::nodes;
use crate::commands::shared::server_job::{ServerJobs, Started};
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Hint, Kind, Outcome};
use cells_client::api::Node;
use cells_client::path::{RemotePath, check_name};

/// Arguments of `cec compress`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "cec compress [OPTIONS] <PATH>... <ARCHIVE>",
    after_help = "The server makes the archive itself. The archive of a single folder contains the folder's content, \
    without its name. An existing archive is never replaced (exit code 8). Names end in .zip, .tar or .tar.gz, \
    according to --format.\n\nExamples:\n  \
    cec compress common-files/reports common-files/reports.zip\n  \
    cec compress 'common-files/*.pdf' common-files/notes.txt common-files/all.tar.gz"
)]
pub struct Args {
    /// Files, folders or patterns on the server, then the archive to make
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required = true, num_args = 2..)]
    paths: Vec<String>,
    /// Format of the archive; its ending is added to a name without one
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Start the server's job, print its id and do not wait
    #[arg(long)]
    no_wait: bool,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
}

impl Verb for Args {
    const STOPS_ITSELF: bool = true;
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec", &["zip", "tar", "archive"], "'cec compress' makes an archive on the server")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.paths)
    }

    /// Creates an archive on the server.
    ///
    /// # Errors
    /// Anything that prevents it. A single missing source is an error, because an archive must be complete.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let Some((typed, sources)) = self.paths.split_last() else { return Ok(Outcome::Done) };
        let (archive, format) = archive::to_make(self.format, &nodes::parse(ctx, typed)?)?;
        let prepared = tokio::select! {
            biased;
            prepared = prepare(ctx, sources, &archive, self.no_glob) => prepared?,
            () = ctx.cancel.cancelled() => return Err(CliError::new(Kind::Interrupted, "nothing was started")),
        };
        let (nodes, archive) = prepared;
        let mut jobs = ServerJobs::open(ctx).await?;
        let api = ctx.api().await?;
        let paths: Vec<&RemotePath> = nodes.iter().map(|node| &node.path).collect();
        let what = format!("creating {archive}");
        let failed = |error: CliError| error.during(what.clone()).about(&archive);
        let id = match jobs.start(api.compress(&paths, &archive, format.name())).await.map_err(failed)? {
            Started::Job(id) => id,
            Started::AnswerLost(error) => return Err(failed(error).hint("the server may have started the job anyway")),
        };
        let record = |status: &str, size: Option<u64>| {
            json!({"archive": archive.as_str(), "format": format.name(), "items": nodes.len(), "size": size,
                "status": status, "job": id.0})
        };
        if self.no_wait {
            if ctx.ui.is_json() {
                ctx.ui.json_document(&record("started", None))?;
            } else {
                ctx.ui.line(&id.0)?;
            }
            return Ok(Outcome::Done);
        }
        let ended = jobs.wait(&id, &what).await;
        if let Err(error) = ended {
            let made = ctx.api().await?.find(&archive).await;
            return Err(archive::left_behind(failed(error), &archive, matches!(made, Ok(Some(_)))));
        }
        let made = tokio::select! {
            made = ctx.api().await?.find_made(&archive) => made,
            () = ctx.cancel.cancelled() => return Err(failed(CliError::interrupted())),
        };
        let Some(made) = made.map_err(|error| failed(error.into()))? else {
            let message = format!("the server's job finished, but '{archive}' does not exist");
            return Err(failed(CliError::new(Kind::JobFailed, message)));
        };
        ctx.ui.status(&format!("made {archive} ({})", crate::ui::human::bytes(made.size)));
        if ctx.ui.is_json() {
            ctx.ui.json_document(&record("made", Some(made.size)))?;
        }
        Ok(Outcome::Done)
    }
}

/// Resolves the sources and the target.
async fn prepare(
    ctx: &Ctx,
    sources: &[String],
    archive: &RemotePath,
    literal: bool,
) -> Result<(Vec<Node>, RemotePath), CliError> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for typed in sources {
        let path = nodes::parse(ctx, typed)?;
        for node in nodes::resolve(ctx, &path, literal).await? {
            if node.path.is_workspace() {
                let message = format!("'{}' is a workspace", node.path);
                let hint = format!("name its content instead: '{}/*'", node.path);
                return Err(CliError::new(Kind::Usage, message).hint(hint).about(&node.path));
            }
            if archive.relative_to(&node.path).is_some_and(|rest| !rest.is_empty()) && node.is_folder() {
                let message = format!("the archive cannot be inside '{}', which it will contain", node.path);
                return Err(CliError::new(Kind::Usage, message).about(archive));
            }
            if seen.insert(node.path.clone()) {
                found.push(node);
            }
        }
    }
    let target = new_place(ctx, archive).await?;
    Ok((found, target))
}

/// Returns the path of a new node. Its parent folder must exist.
pub(super) async fn new_place(ctx: &Ctx, path: &RemotePath) -> Result<RemotePath, CliError> {
    if path.is_root() || path.is_workspace() {
        return Err(CliError::new(Kind::Usage, format!("'{path}' is a workspace")).about(path));
    }
    let (nearest, rest) = nodes::nearest(ctx, path).await?;
    let Some(nearest) = nearest else { return Err(nodes::missing(ctx, path).await) };
    if rest.is_empty() {
        return Err(CliError::new(Kind::Exists, format!("'{path}' already exists")).about(path));
    }
    if !nearest.is_folder() {
        return Err(CliError::new(Kind::Exists, format!("'{}' is a file, not a folder", nearest.path)).about(path));
    }
    nodes::check_takes(ctx, &nearest).await?;
    if let [above, _, ..] = rest.as_slice() {
        let parent = path.parent().unwrap_or_default();
        let hint = Hint::command("make it with", "cec mkdir -p", &[parent.as_str()]);
        return Err(CliError::not_found(nearest.path.join(above)).hint(hint));
    }
    check_name(path.name()).map_err(|error| CliError::from(error).about(path))?;
    Ok(nearest.path.join(&rest.join("/")).nfc_below(&nearest.path))
}

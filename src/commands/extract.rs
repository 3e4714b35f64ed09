//! `cec extract`.

use serde_json::json;

use super::compress::new_place;
use crate::commands::shared::archive::{self, Format, split};
use crate::commands::shared::nodes;
use crate::commands::shared::server_job::{ServerJobs, Started};
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use cells_client::path::{RemotePath, check_folder_name};

/// Arguments of `cec extract`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The server unpacks only into a new or empty folder, because it would overwrite existing files \
    without asking. Without a target, the folder is beside the archive and has its name.\n\nExamples:\n  \
    cec extract common-files/reports.zip\n  cec extract common-files/site.tar.gz personal-files/site"
)]
pub struct Args {
    /// Archive on the server: .zip, .tar or .tar.gz
    #[arg(value_name = "ARCHIVE", value_hint = Completion::Remote)]
    archive: String,
    /// Folder to unpack into
    #[arg(value_name = "TARGET", value_hint = Completion::Remote)]
    target: Option<String>,
    /// Format of the archive, if its name does not show it
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Start the server's job, print its id and do not wait
    #[arg(long)]
    no_wait: bool,
}

impl Verb for Args {
    const STOPS_ITSELF: bool = true;
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec", &["unzip", "untar"], "'cec extract' unpacks an archive on the server")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(self.target.iter().chain([&self.archive]))
    }

    /// Extracts an archive on the server.
    ///
    /// # Errors
    /// Anything that prevents it.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let typed = nodes::parse(ctx, &self.archive)?;
        let format = Format::of(self.format, &typed)?;
        let prepared = tokio::select! {
            biased;
            prepared = prepare(ctx, &typed, self.target.as_deref()) => prepared?,
            () = ctx.cancel.cancelled() => return Err(CliError::new(Kind::Interrupted, "nothing was started")),
        };
        let (archive, target) = prepared;
        let mut jobs = ServerJobs::open(ctx).await?;
        let api = ctx.api().await?;
        let what = format!("unpacking {archive}");
        let failed = |error: CliError| error.during(what.clone()).about(&archive);
        let id = match jobs.start(api.extract(&archive, &target, format.name())).await.map_err(failed)? {
            Started::Job(id) => id,
            Started::AnswerLost(error) => return Err(failed(error).hint("the server may have started the job anyway")),
        };
        let record = |status: &str| {
            json!({"archive": archive.as_str(), "target": target.as_str(), "format": format.name(), "status": status,
                "job": id.0})
        };
        if self.no_wait {
            if ctx.ui.is_json() {
                ctx.ui.json_document(&record("started"))?;
            } else {
                ctx.ui.line(&id.0)?;
            }
            return Ok(Outcome::Done);
        }
        let ended = jobs.wait(&id, &what).await;
        if let Err(error) = ended {
            let made = ctx.api().await?.find(&target).await;
            return Err(archive::left_behind(failed(error), &target, matches!(made, Ok(Some(_)))));
        }
        let made = tokio::select! {
            made = ctx.api().await?.find_made(&target) => made,
            () = ctx.cancel.cancelled() => return Err(failed(CliError::interrupted())),
        };
        if made.map_err(|error| failed(error.into()))?.is_none() {
            let message = format!("the server's job finished, but '{target}' does not exist: the archive may be empty");
            return Err(failed(CliError::new(Kind::JobFailed, message)));
        }
        ctx.ui.status(&format!("unpacked {archive} to {target}"));
        if ctx.ui.is_json() {
            ctx.ui.json_document(&record("extracted"))?;
        }
        Ok(Outcome::Done)
    }
}

/// Resolves the archive and the target folder.
async fn prepare(ctx: &Ctx, typed: &RemotePath, target: Option<&str>) -> Result<(RemotePath, RemotePath), CliError> {
    let found = nodes::resolve(ctx, typed, true).await?;
    let Some(archive) = found.into_iter().next() else { return Err(CliError::not_found(typed)) };
    if archive.is_folder() {
        return Err(CliError::new(Kind::Usage, format!("'{typed}' is a folder, not an archive")).about(typed));
    }
    let target = match target {
        Some(target) => nodes::parse(ctx, target)?,
        None => {
            let stem = split(archive.name())
                .map(|(stem, _)| stem)
                .ok_or_else(|| CliError::new(Kind::Usage, "name the folder to unpack into").about(typed))?;
            archive.path.parent().unwrap_or_default().join(stem)
        }
    };
    let there =
        if target.is_root() { Vec::new() } else { ctx.api().await?.stat_many(std::slice::from_ref(&target)).await? };
    match there.into_iter().next() {
        Some(node) if node.is_folder() && !node.path.is_workspace() && node.children == Some(0) => {
            Ok((archive.path, node.path))
        }
        Some(node) if node.is_folder() => {
            let message = format!("'{target}' already exists, and the server would overwrite its content");
            Err(CliError::new(Kind::Exists, message).hint("name a folder that does not exist").about(&target))
        }
        _ => {
            check_folder_name(target.name()).map_err(|error| CliError::from(error).about(&target))?;
            Ok((archive.path, new_place(ctx, &target).await?))
        }
    }
}

//! `cec share rm`.

use serde_json::json;

use super::target::{self, FoundLink};
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::prompt::Consent;
use cells_client::api::share::LinkWorkspace;

/// Arguments of `cec share rm`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Removes only the links, not the shared files; their URLs never work again. One link is removed \
    without a question, several after one.\n\nExamples:\n  \
    cec share rm https://files.example.com/public/1f0c6a3b9d20\n  \
    cec share rm -f common-files/report.pdf"
)]
pub struct Args {
    /// Links: a URL, the last part of one, a UUID, or the shared path
    #[arg(value_name = "LINK", required = true)]
    links: Vec<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    force: bool,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec share", &["delete", "remove", "del"], "'cec share rm' removes links")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::OfAccount
    }

    /// Removes public links.
    ///
    /// # Errors
    /// The confirmation cannot be requested, or is answered No; the command cannot continue. Failures of single
    /// operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        let mut found: Vec<FoundLink> = Vec::new();
        let mut remains: Vec<LinkWorkspace> = Vec::new();
        for typed in &self.links {
            let links = target::find(ctx, typed).await;
            let left = match &links {
                Err(error) if error.kind != Kind::NotFound => Vec::new(),
                _ if is_shared_or_uuid(typed) => target::remains(ctx, typed).await?,
                _ => Vec::new(),
            };
            match links {
                Ok(links) => found.extend(links),
                Err(error) if left.is_empty() => operands.failed(error)?,
                Err(_) => {}
            }
            remains.extend(left);
        }
        let mut known = std::collections::HashSet::new();
        found.retain(|(link, _)| known.insert(link.uuid.clone()));
        remains.retain(|workspace| known.insert(workspace.uuid.clone()));
        if known.len() > 1 && !self.force {
            ask(ctx, &found, &remains).await?;
        }
        let mut records = Vec::new();
        for workspace in &remains {
            let uuid = &workspace.uuid;
            let removed = ctx.api().await?.delete_remains(workspace).await;
            let removed = removed.map_err(|error| CliError::from(error).during(format!("removing {uuid}")).about(uuid));
            if removed.is_ok() {
                ctx.ui.status(&format!("removed {uuid}, which was never completed"));
                records.push(json!({"url": null, "uuid": uuid, "hash": null, "path": null}));
            }
            operands.take(removed)?;
        }
        for (link, path) in &found {
            let url = super::url(ctx, link).await?;
            let removed = ctx.api().await?.delete_link(&link.uuid).await;
            let removed = removed.map_err(|error| CliError::from(error).during(format!("removing {url}")).about(&url));
            if removed.is_ok() {
                ctx.ui.status(&format!("removed {url}"));
                let path = path.as_ref().map(cells_client::path::RemotePath::as_str);
                records.push(json!({"url": url, "uuid": link.uuid, "hash": link.hash, "path": path}));
            }
            operands.take(removed)?;
        }
        if ctx.ui.is_json() && !operands.all_failed() {
            ctx.ui.json_document(&records)?;
        }
        Ok(operands.outcome())
    }
}

/// Whether a text may name an incomplete link, which has neither URL nor hash.
fn is_shared_or_uuid(typed: &str) -> bool {
    !typed.contains("/public/") && (typed.contains('/') || cells_client::api::scheduler::is_task_id(typed))
}

async fn ask(ctx: &Ctx, found: &[FoundLink], remains: &[LinkWorkspace]) -> Result<(), CliError> {
    if !ctx.ui.can_ask() {
        let message = "cannot ask for confirmation before removing several links";
        return Err(CliError::new(Kind::Usage, message).hint("add --force to remove them without asking"));
    }
    for (link, _) in found {
        ctx.ui.before_asking(&format!("  {}  ({})", super::url(ctx, link).await?, link.label));
    }
    for workspace in remains {
        ctx.ui.before_asking(&format!("  {}  (never completed)", workspace.uuid));
    }
    let question = format!("Remove these {} public links?", found.len() + remains.len());
    if ctx.ui.confirm(&question, Consent::Yes).await {
        Ok(())
    } else {
        Err(CliError::new(Kind::Failure, "nothing was removed"))
    }
}

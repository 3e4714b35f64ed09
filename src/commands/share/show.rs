//! `cec share show`.

use serde_json::{Value, json};

use super::target;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::table;
use cells_client::api::share::{Link, NODE_NAME};
use cells_client::path::RemotePath;

/// Arguments of `cec share show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec share show https://files.example.com/public/1f0c6a3b9d20\n  \
    cec share show common-files/report.pdf")]
pub struct Args {
    /// Links: a URL, the last part of one, a UUID, or the shared path
    #[arg(value_name = "LINK", required = true)]
    links: Vec<String>,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const FOREIGN: &'static [Foreign] = &[Foreign::new("cec share", &["get", "info"], "'cec share show' shows a link")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::OfAccount
    }

    /// Shows all details of links.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        let mut records = Vec::new();
        let mut first = true;
        for typed in &self.links {
            let found = match target::find(ctx, typed).await {
                Ok(found) => found,
                Err(error) => {
                    operands.failed(error)?;
                    continue;
                }
            };
            for (link, path) in &found {
                if ctx.ui.is_json() {
                    records.push(record(ctx, link, path.as_ref()).await?);
                    continue;
                }
                if !std::mem::take(&mut first) {
                    ctx.ui.line("")?;
                }
                show(ctx, link, path.as_ref()).await?;
            }
            operands.succeeded();
        }
        if ctx.ui.is_json() && !operands.all_failed() {
            ctx.ui.json_document(&records)?;
        }
        Ok(operands.outcome())
    }
}

/// Returns the display name of a link: its label, the name of the shared node, or an empty text.
pub(super) fn label<'a>(link: &'a Link, path: Option<&'a RemotePath>) -> &'a str {
    if link.label == NODE_NAME { path.map(RemotePath::name).unwrap_or_default() } else { &link.label }
}

pub(in crate::commands) fn permissions(link: &Link) -> Vec<String> {
    link.permissions.iter().map(|permission| permission.name().to_lowercase()).collect()
}

async fn show(ctx: &Ctx, link: &Link, path: Option<&RemotePath>) -> Result<(), CliError> {
    let mut fields = vec![("URL", super::url(ctx, link).await?)];
    let mut add = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    add("UUID", Some(link.uuid.clone()));
    add("Path", path.map(ToString::to_string));
    add("Label", Some(label(link, path).to_owned()).filter(|label| !label.is_empty()));
    add("Description", Some(link.description.clone()).filter(|text| !text.is_empty()));
    let permissions = permissions(link).join(", ");
    add("Visitors may", Some(if permissions.is_empty() { "do nothing".to_owned() } else { permissions }));
    add("Password", Some(if link.password { "yes" } else { "no" }.to_owned()));
    add("Ends", Some(link.expires.map_or_else(|| "never".to_owned(), |time| ctx.ui.time(time))));
    let most = link.max_downloads.map(|most| format!("{} of {most}", link.downloads));
    add("Downloads", most.or_else(|| (link.downloads > 0).then(|| link.downloads.to_string())));
    add("Owner", link.owner.clone());
    Ok(table::fields(&ctx.ui, &fields)?)
}

/// Returns a link in JSON.
///
/// # Errors
/// The account cannot be opened.
pub(super) async fn record(ctx: &Ctx, link: &Link, path: Option<&RemotePath>) -> Result<Value, CliError> {
    Ok(json!({
        "url": super::url(ctx, link).await?,
        "uuid": link.uuid,
        "hash": link.hash,
        "path": path.map(RemotePath::as_str),
        "label": label(link, path),
        "description": link.description,
        "permissions": permissions(link),
        "password": link.password,
        "expires_at": link.expires.map(|time| time.to_string()),
        "max_downloads": link.max_downloads,
        "downloads": link.downloads,
        "owner": link.owner,
        "editable": link.editable,
    }))
}

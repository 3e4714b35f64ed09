//! `cec share ls`.

use super::{Places, show, target};
use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::shell::command_line;
use crate::ui::table::{Column, Table};
use cells_client::api::share::LinkWorkspace;

/// Arguments of `cec share ls`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec share ls\n  cec share ls --json")]
pub struct Args {
    /// Include links of others that you may only view
    #[arg(short, long)]
    all: bool,
}

const COLUMNS: [Column; 7] = [
    Column::whole("URL"),
    Column::whole("PATH"),
    Column::text("LABEL").rank(1),
    Column::fixed("VISITORS MAY").rank(4),
    Column::fixed("PASSWORD").rank(3),
    Column::fixed("ENDS").rank(5),
    Column::text("OWNER").rank(2),
];

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec", &["link", "links"], "'cec share' makes public links, 'cec share ls' lists them")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists public links.
    ///
    /// # Errors
    /// Any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let api = ctx.api().await?;
        let during = |error| CliError::from(error).during("listing public links");
        let all = api.links().await.map_err(during)?;
        let mut links = Vec::new();
        for workspace in &all {
            match &workspace.link {
                Ok(link) if link.editable || self.all => links.push((workspace, link)),
                Ok(_) => {}
                Err(_) if target::is_remains(workspace) => {
                    let uuid = &workspace.uuid;
                    let removal = command_line("cec share rm", &[uuid]);
                    ctx.ui.warn(&format!("{uuid} was never completed and opens nothing; remove it with: {removal}"));
                }
                Err(error) => {
                    ctx.ui.warn(&format!("the link {} ({}) cannot be read: {error}", workspace.uuid, workspace.label));
                }
            }
        }
        let roots: Vec<(String, String)> = links.iter().flat_map(|(workspace, _)| workspace.roots.clone()).collect();
        let places: Places = match roots.is_empty() {
            true => Places::new(),
            false => api.locate(&roots).await.map_err(during)?.into_iter().collect(),
        };
        let place = |workspace: &LinkWorkspace| workspace.roots.iter().find_map(|(uuid, _)| places.get(uuid));
        if ctx.ui.is_json() {
            let mut records = Vec::new();
            for (workspace, link) in links {
                records.push(show::record(ctx, link, place(workspace)).await?);
            }
            ctx.ui.json_document(&records)?;
            return Ok(Outcome::Done);
        }
        if links.is_empty() && ctx.ui.stdout_is_terminal() {
            ctx.ui.status("no public links");
        }
        let mut table = Table::new(&ctx.ui, &COLUMNS);
        for (workspace, link) in links {
            table.row(vec![
                super::url(ctx, link).await?,
                place(workspace).map_or_else(|| "-".to_owned(), ToString::to_string),
                or_nothing(show::label(link, place(workspace)).to_owned()),
                or_nothing(show::permissions(link).join(",")),
                if link.password { "yes" } else { "no" }.to_owned(),
                link.expires.map_or_else(|| "-".to_owned(), |time| ctx.ui.time(time)),
                link.owner.clone().unwrap_or_else(|| "-".to_owned()),
            ])?;
        }
        table.finish()?;
        Ok(Outcome::Done)
    }
}

/// Returns the text of a cell; a dash for an empty value.
fn or_nothing(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

//! `cec storage list-datasources`.

use serde_json::{Value, json};

use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::table::{Column, Table};
use cells_client::api::datasource::DataSource;

/// Arguments of `cec storage list-datasources`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The keys of the storage are never shown.\n\nExamples:\n  cec storage list-datasources\n  \
    cec storage list-datasources -r")]
pub struct Args {
    /// Print names only, one per line
    #[arg(short, long)]
    raw: bool,
}

const COLUMNS: [Column; 7] = [
    Column::whole("NAME"),
    Column::fixed("STORAGE").rank(4),
    Column::text("PLACE"),
    Column::fixed("FORMAT").rank(1),
    Column::text("ENCRYPTION").rank(2),
    Column::text("VERSIONING").rank(3),
    Column::fixed("STATE"),
];

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec storage", &["ls", "list"], "'cec storage list-datasources' lists them")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists data sources.
    ///
    /// # Errors
    /// Any failure of the call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let found = ctx.api().await?.data_sources().await;
        let sources = found.map_err(|error| CliError::from(error).during("listing data sources"))?;
        if ctx.ui.is_json() {
            ctx.ui.json_document(&sources.iter().map(record).collect::<Vec<_>>())?;
            return Ok(Outcome::Done);
        }
        if self.raw {
            sources.iter().try_for_each(|source| ctx.ui.line(&ctx.ui.shown(&source.name)))?;
            return Ok(Outcome::Done);
        }
        let cell = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let mut table = Table::new(&ctx.ui, &COLUMNS);
        for source in &sources {
            let state = match (source.disabled, source.internal) {
                (true, _) => "disabled",
                (_, true) => "internal",
                _ => "in use",
            };
            table.row(vec![
                source.name.clone(),
                source.storage.clone(),
                cell(&source.place),
                format(source).to_owned(),
                cell(&source.encryption),
                cell(&source.versioning),
                state.to_owned(),
            ])?;
        }
        table.finish()?;
        Ok(Outcome::Done)
    }
}

fn format(source: &DataSource) -> &'static str {
    if source.flat { "flat" } else { "structured" }
}

fn record(source: &DataSource) -> Value {
    let or_null = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    json!({
        "name": source.name,
        "storage": source.storage,
        "place": or_null(&source.place),
        "format": format(source),
        "encryption": or_null(&source.encryption),
        "versioning": or_null(&source.versioning),
        "disabled": source.disabled,
        "internal": source.internal,
    })
}

//! `cec config ls`.

use jiff::Timestamp;
use serde::Serialize;

use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::table::{Column, Table};

/// Arguments of `cec config ls`.
#[derive(Debug, clap::Args)]
#[command(visible_alias = "list", after_help = "Examples:\n  cec config ls\n  cec config ls --json")]
pub struct Args {}

/// A stored account, without its secret.
#[derive(Debug, Serialize)]
struct Record {
    account_id: String,
    active: bool,
    label: String,
    user: String,
    url: String,
    credentials: String,
    expires_at: Option<String>,
    stored_in: String,
}

const COLUMNS: &[Column] = &[
    Column::text("ACTIVE"),
    Column::text("ID"),
    Column::text("USER"),
    Column::text("URL"),
    Column::text("TYPE"),
    Column::text("SECRET IN"),
];

/// Lists the stored accounts.
///
/// # Errors
/// A file that cannot be read.
pub async fn run(ctx: &Ctx, _arguments: Args) -> Result<Outcome, CliError> {
    let vault = ctx.vault()?;
    let accounts = vault.load()?.accounts;
    let active = accounts.active_id();
    let records: Vec<Record> = accounts
        .entries
        .iter()
        .map(|(id, entry)| Record {
            account_id: id.clone(),
            active: active == Some(id),
            label: entry.label().to_owned(),
            user: entry.user().to_owned(),
            url: entry.url().to_owned(),
            credentials: match entry.kind() {
                "pat" => "token".to_owned(),
                "session" => "password".to_owned(),
                "oauth2" => "oauth".to_owned(),
                other => other.to_owned(),
            },
            expires_at: entry.expires_at().and_then(|end| Timestamp::from_second(end).ok()).map(|end| end.to_string()),
            stored_in: match entry.is_in_keyring() {
                true => "keyring".to_owned(),
                false => "file".to_owned(),
            },
        })
        .collect();
    if ctx.ui.is_json() {
        ctx.ui.json_document(&records)?;
        return Ok(Outcome::Done);
    }
    if records.is_empty() {
        ctx.ui.status("no account is stored; sign in with 'cec configure'");
    }
    let mut table = Table::new(&ctx.ui, COLUMNS);
    for record in records {
        let mark = if record.active { "*" } else { "" };
        let Record { account_id, user, url, credentials, stored_in, .. } = record;
        let user = if user.is_empty() { "-".to_owned() } else { user };
        table.row(vec![mark.to_owned(), account_id, user, url, credentials, stored_in])?;
    }
    table.finish()?;
    Ok(Outcome::Done)
}

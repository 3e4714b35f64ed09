//! `cec config ls`.

use jiff::Timestamp;
use serde::Serialize;

use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::table::{Column, Table};
use cells_client::store::Entry;

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
    /// When the credentials expire, if known and if they do not renew themselves.
    #[serde(serialize_with = "super::as_text")]
    expires_at: Option<Timestamp>,
    stored_in: String,
    /// Whether the credentials renew themselves. Unknown for OAuth tokens in the keyring, which is not read.
    renews: Option<bool>,
}

impl Record {
    fn new(id: &str, entry: &Entry, active: bool) -> Self {
        let in_keyring = entry.is_in_keyring();
        let renews = match entry.kind() {
            "session" => Some(true),
            "oauth2" if in_keyring => None,
            "oauth2" => Some(entry.has_refresh_token()),
            _ => Some(false),
        };
        let end = entry.expires_at().and_then(|end| Timestamp::from_second(end).ok());
        Self {
            account_id: id.to_owned(),
            active,
            label: entry.label().to_owned(),
            user: entry.user().to_owned(),
            url: entry.url().to_owned(),
            credentials: match entry.kind() {
                "pat" => "token".to_owned(),
                "session" => "password".to_owned(),
                "oauth2" => "oauth".to_owned(),
                other => other.to_owned(),
            },
            expires_at: end.filter(|_| renews == Some(false)),
            stored_in: if in_keyring { "keyring" } else { "file" }.to_owned(),
            renews,
        }
    }
}

const COLUMNS: &[Column] = &[
    Column::fixed("ACTIVE"),
    Column::whole("ID"),
    Column::text("USER").rank(3),
    Column::fixed("URL").rank(4),
    Column::fixed("TYPE"),
    Column::fixed("SECRET IN").rank(2),
    Column::text("LABEL").rank(1),
    Column::fixed("EXPIRES").rank(5),
];

impl Verb for Args {
    const FOREIGN: &'static [Foreign] = &[Foreign::new(
        "cec",
        &["account", "accounts", "profile", "profiles"],
        "'cec config ls' lists the accounts, 'cec config use' chooses one",
    )];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists the stored accounts.
    ///
    /// # Errors
    /// The file cannot be read.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let vault = ctx.vault()?;
        let accounts = vault.load()?.accounts;
        let active = accounts.active_id();
        let records: Vec<Record> =
            accounts.entries.iter().map(|(id, entry)| Record::new(id, entry, active == Some(id))).collect();
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
            let Record { account_id, user, url, credentials, stored_in, label, .. } = record;
            let shown = |text: String| if text.is_empty() { "-".to_owned() } else { text };
            let expires = match (record.renews, record.expires_at) {
                (Some(true), _) => "renews itself".to_owned(),
                (Some(false), Some(end)) => ctx.ui.time(end),
                (None, _) | (_, None) => "-".to_owned(),
            };
            table.row(vec![
                mark.to_owned(),
                account_id,
                shown(user),
                url,
                credentials,
                stored_in,
                shown(label),
                expires,
            ])?;
        }
        table.finish()?;
        Ok(Outcome::Done)
    }
}

//! Checks on this machine: config.json, the keyring, the account.

use super::report::Report;
use crate::commands::shared::transfers::all_unfinished;
use crate::context::{Ctx, Destination, waiting};
use crate::error::{CliError, Hint};
use crate::settings::Selection;
use crate::shell::command_line;
use cells_client::account::{Account, ServerUrl};
use cells_client::http::Http;
use cells_client::store::accounts::Loaded;
use cells_client::store::{Accounts, Entry, KeyringError, StoreError, keyring};

/// The message for checks that credentials from options or environment make unnecessary.
const NOT_USED: &str = "not used: the credentials come from flags or environment";

/// The server for the following checks.
pub(super) struct Subject {
    pub(super) url: ServerUrl,
    pub(super) http: Http,
    /// Whether its certificate is not checked.
    pub(super) skip_verify: bool,
    /// Whether there are credentials for it.
    pub(super) has_account: bool,
}

/// Checks this machine. Returns the server, if one is known.
pub(super) async fn diagnose(ctx: &Ctx, report: &mut Report<'_>) -> Result<Option<Subject>, CliError> {
    let selection = ctx.settings.selection();
    let stored = if let Ok(Selection::Unstored { .. } | Selection::Link { .. }) = &selection {
        let is_link = matches!(selection, Ok(Selection::Link { .. }));
        let why = if is_link { "not used: a public link needs no account" } else { NOT_USED };
        report.skipped("config", why, None)?;
        report.skipped("keyring", why, None)?;
        None
    } else {
        let loaded = config(ctx, report)?;
        check_keyring(ctx, report).await?;
        loaded.map(|loaded| loaded.accounts)
    };
    match ctx.account().await {
        Ok(account) => {
            report.ok("account", described(ctx, account).await?)?;
            let http = ctx.sender().await?.http.clone();
            let entry = account.stored_id.as_ref().and_then(|id| stored.as_ref()?.entries.get(id));
            Ok(Some(Subject {
                url: account.url.clone(),
                http,
                skip_verify: skips_verification(ctx, entry),
                has_account: true,
            }))
        }
        Err(error) => without_account(ctx, error, stored.as_ref(), report),
    }
}

/// Reads config.json, if possible.
fn config(ctx: &Ctx, report: &mut Report<'_>) -> Result<Option<Loaded>, CliError> {
    let file = match ctx.config_file() {
        Ok(file) => file,
        Err(error) => return report.failed("config", error).map(|()| None),
    };
    let path = file.path().display().to_string();
    match file.load() {
        Err(error) => report.failed("config", error).map(|()| None),
        Ok(loaded) => {
            let count = loaded.accounts.entries.len();
            let accounts = if count == 1 { "account" } else { "accounts" };
            if count == 0 {
                report.ok("config", format!("no account is stored in {path}"))?;
            } else if loaded.shows_secrets() {
                report.warning(
                    "config",
                    format!("other users can read the secrets in {path}"),
                    command_line("chmod 600", &[&path]),
                )?;
            } else {
                report.ok("config", format!("{count} {accounts} in {path}"))?;
            }
            Ok(Some(loaded))
        }
    }
}

async fn check_keyring(ctx: &Ctx, report: &mut Report<'_>) -> Result<(), CliError> {
    if ctx.settings.skip_keyring {
        return report.skipped("keyring", "not used because of --skip-keyring or CEC_SKIP_KEYRING", None);
    }
    let Ok(vault) = ctx.vault() else {
        return report.skipped("keyring", "not checked: there is no folder for config.json", None);
    };
    match waiting(move || keyring::check(vault.keyring())).await? {
        Ok(()) => report.ok("keyring", "it stores and returns secrets"),
        Err(error @ KeyringError::Absent(_)) => report.warning(
            "keyring",
            error.to_string(),
            "secrets are stored in config.json instead, which only you can read; add --skip-keyring to accept this",
        ),
        Err(error) => report.failed("keyring", StoreError::NotKept(error)),
    }
}

async fn described(ctx: &Ctx, account: &Account) -> Result<String, CliError> {
    let kind = account.credentials.kind();
    if let Some((link, _)) = ctx.link_in_use().await? {
        return Ok(format!("none is needed: {link} is a public link"));
    }
    Ok(match (&account.stored_id, ctx.place().await?) {
        (Some(id), Some(place)) => format!("{id}: the {kind} is in {place}"),
        _ => {
            let source = ctx.source().await?.unwrap_or("flags or environment");
            format!("a {kind} for {}, given by {source}", account.url)
        }
    })
}

/// Warns of transfers that were interrupted.
pub(super) fn unfinished_transfers(ctx: &Ctx, report: &mut Report<'_>) -> Result<(), CliError> {
    let message = match all_unfinished(ctx).iter().filter(|unfinished| !unfinished.is_running).count() {
        0 => return Ok(()),
        1 => "1 transfer on this machine is unfinished".to_owned(),
        count => format!("{count} transfers on this machine are unfinished"),
    };
    report.warning("transfers", message, "'cec transfers ls' lists them, 'cec transfers resume --all' resumes them")
}

fn skips_verification(ctx: &Ctx, entry: Option<&Entry>) -> bool {
    ctx.settings.connection.skip_verify.unwrap_or_else(|| entry.is_some_and(Entry::skip_verify))
}

/// Returns the server for the remaining checks if nobody is signed in: the named one, or that of the stored account.
fn without_account(
    ctx: &Ctx,
    error: CliError,
    stored: Option<&Accounts>,
    report: &mut Report<'_>,
) -> Result<Option<Subject>, CliError> {
    let (Ok(Selection::Stored { profile, claim }), Some(accounts)) = (ctx.settings.selection(), stored) else {
        return report.failed("account", error).map(|()| None);
    };
    let is_stored =
        |url: &ServerUrl| accounts.entries.values().any(|entry| entry.url().trim_end_matches('/') == url.origin());
    let named = claim.url.map(|given| given.value).filter(|url| profile.is_none() && !is_stored(url));
    if let Some(url) = named {
        report.skipped("account", format!("there are no credentials for {url}"), Some(&Hint::SignIn.to_string()))?;
        let skip_verify = skips_verification(ctx, None);
        let http = ctx.http(Destination::Account(&url), false, &[])?;
        return Ok(Some(Subject { url, http, skip_verify, has_account: false }));
    }
    report.failed("account", error)?;
    let id = match &profile {
        Some(profile) => accounts.named(profile).first().copied(),
        None => accounts.active_id(),
    };
    let Some(entry) = id.and_then(|id| accounts.entries.get(id)) else { return Ok(None) };
    let Ok(url) = ServerUrl::parse(entry.url()) else { return Ok(None) };
    let http = ctx.http(Destination::Account(&url), entry.skip_verify(), &entry.headers())?;
    Ok(Some(Subject { url, http, skip_verify: skips_verification(ctx, Some(entry)), has_account: false }))
}

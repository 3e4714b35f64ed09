//! `cec config relog`.

use super::named;
use crate::commands::configure;
use crate::context::{Ctx, waiting};
use crate::error::{CliError, Kind, Outcome};

/// Arguments of `cec config relog`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec config relog\n  cec config relog alice@files.example.com:443 --no-browser")]
pub struct Args {
    /// Its id or label; the active account where it is left out
    #[arg(value_name = "ID")]
    account: Option<String>,
    /// Open no browser: show the address of the login page, and ask for the code
    #[arg(long)]
    no_browser: bool,
}

/// Signs in anew to a stored account, in the way that it was signed in to before.
///
/// # Errors
/// As `cec configure`; [`Kind::NotFound`] for an unknown account.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let accounts = ctx.vault()?.load()?.accounts;
    let given =
        arguments.account.as_deref().or_else(|| ctx.settings.account.profile.as_ref().map(|name| name.value.as_str()));
    let id = match given.or_else(|| accounts.active_id()) {
        Some(name) => named(ctx, &accounts, Some(name), "").await?,
        None => named(ctx, &accounts, None, "Which account shall be signed in to?").await?,
    };
    let entry = &accounts.entries[&id];
    let again = configure::Args::again(entry.url(), entry.kind(), arguments.no_browser).ok_or_else(|| {
        CliError::new(Kind::Auth, format!("{id} is of the unknown type '{}'", entry.kind())).hint("use 'cec configure'")
    })?;
    let who = if entry.user().is_empty() { String::new() } else { format!(" as {}", entry.user()) };
    ctx.ui.status(&format!("signing in again{who} on {}", entry.url()));
    let outcome = configure::run(ctx, again).await?;
    let vault = ctx.vault()?;
    let now = vault.load()?.accounts.active;
    if now != id && entry.user().is_empty() {
        // It did not know whose it was; what it was is stored under its user's name now.
        waiting(move || vault.remove(&id)).await??;
    } else if now != id {
        ctx.ui.warn(&format!("this was somebody else: {now} is stored besides {id}, and is the active account now"));
    }
    Ok(outcome)
}

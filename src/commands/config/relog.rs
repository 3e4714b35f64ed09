//! `cec config relog`.

use super::choose_account;
use super::remove::revoke;
use crate::commands::configure::{self, Known};
use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::{Ctx, waiting};
use crate::error::{CliError, Outcome};

/// Arguments of `cec config relog`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cec config relog\n  cec config relog alice@files.example.com:443 --no-browser\n  \
    cec config relog --token-file token.txt\n  cec config relog --password - < pw.txt"
)]
pub struct Args {
    /// Id or label of the account; the active one if omitted
    #[arg(value_name = "ID")]
    account: Option<String>,
    /// Do not open a browser: print the URL of the sign-in page and ask for the code
    #[arg(long)]
    no_browser: bool,
}

impl Verb for Args {
    const FOREIGN: &'static [Foreign] = &[Foreign::new("cec config", &["login"], "'cec config add' signs in")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Signs in again to a stored account: with the given credentials, otherwise in the way that the user selects,
    /// otherwise in the same way as before.
    ///
    /// # Errors
    /// As `cec configure`; [`NotFound`](crate::error::Kind::NotFound) if the account is unknown.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let accounts = ctx.vault()?.load()?.accounts;
        let given =
            self.account.as_deref().or_else(|| ctx.settings.account.profile.as_ref().map(|name| name.value.as_str()));
        let id = match given.or_else(|| accounts.active_id()) {
            Some(name) => choose_account(ctx, &accounts, Some(name), "").await?,
            None => choose_account(ctx, &accounts, None, "Which account do you want to sign in to?").await?,
        };
        let entry = &accounts.entries[&id];
        let known = Known {
            url: entry.url().to_owned(),
            user: entry.user().to_owned(),
            kind: entry.kind().to_owned(),
            skip_verify: entry.skip_verify(),
            headers: entry.headers(),
        };
        let who = if entry.user().is_empty() { String::new() } else { format!(" as {}", entry.user()) };
        ctx.ui.status(&format!("signing in again{who} on {}", entry.url()));
        let outcome = configure::relogin(ctx, known, self.no_browser).await?;
        let vault = ctx.vault()?;
        let now = vault.load()?.accounts.active;
        if now != id && entry.user().is_empty() {
            // The old account did not contain its user, so the new one has another id. Ends the old session if
            // possible.
            let _ = revoke(ctx, &vault, &accounts, &id).await;
            waiting(move || vault.remove(&id)).await??;
        } else if now != id {
            ctx.ui.status(&format!("{now} is stored in addition to {id}, and is now the active account"));
        }
        Ok(outcome)
    }
}

//! `cec config rm`, and ending sessions on the server.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, timeout};

use super::choose_account;
use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::{Ctx, Destination, waiting};
use crate::error::{CliError, Kind, Outcome};
use crate::ui::prompt::Consent;
use cells_client::account::{Account, Credentials};
use cells_client::auth::oauth::OAuth;
use cells_client::auth::{ANY_WORKSPACE, Sender, TokenSource};
use cells_client::http::Http;
use cells_client::store::{Accounts, Vault};

/// How long ending a session may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `cec config rm`.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "remove",
    after_help = "Examples:\n  cec config rm alice@files.example.com:443\n  cec config rm -f alice@files.example.com"
)]
pub struct Args {
    /// Id or label of the account; cec asks for it if omitted
    #[arg(value_name = "ID")]
    account: Option<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    force: bool,
}

/// The removed account.
#[derive(Debug, Serialize)]
struct Record {
    account_id: String,
    /// Whether its session was ended on the server.
    session_ended: bool,
    /// The new active account.
    active: Option<String>,
}

/// The outcome of ending a session on the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// The session has ended.
    Ended,
    /// There was no session: password accounts open one for each run, and a token may be dead already.
    Nothing,
    /// The session continues, for this reason.
    GoesOn(String),
}

impl Verb for Args {
    const FOREIGN: &'static [Foreign] = &[
        Foreign::new(
            "cec",
            &["logout", "logoff", "signout"],
            "'cec config rm' removes an account, 'cec clear' all of them",
        ),
        Foreign::new("cec config", &["delete", "logout"], "'cec config rm' removes an account"),
    ];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Ends the session of a stored account on its server, and removes the account.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if the account is unknown; the file cannot be written.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let vault = ctx.vault()?;
        let accounts = vault.load()?.accounts;
        let id =
            choose_account(ctx, &accounts, self.account.as_deref(), "Which account do you want to remove?").await?;
        if !self.force {
            if !ctx.ui.can_ask() {
                return Err(CliError::new(Kind::Usage, format!("cannot ask for confirmation before removing {id}"))
                    .hint("add --force"));
            }
            if !ctx.ui.confirm(&format!("Remove {id}?"), Consent::Yes).await {
                return Err(CliError::new(Kind::Failure, "nothing was removed"));
            }
        }
        let revoked = revoke(ctx, &vault, &accounts, &id).await;
        let (removing, name) = (vault.clone(), id.clone());
        let Some(removed) = waiting(move || removing.remove(&name)).await?? else {
            return Err(CliError::new(Kind::NotFound, format!("there is no account '{id}'; it may have been removed")));
        };
        report(ctx, &id, &revoked);
        if let Some(error) = removed.left_in_keyring {
            ctx.ui.warn(&format!("its secret may remain in the system keyring: {error}"));
        }
        let now = vault.load()?.accounts;
        if accounts.active == id && !now.active.is_empty() {
            ctx.ui.status(&format!("the active account is now {}", now.active));
        }
        if ctx.ui.is_json() {
            let active = now.active_id().map(str::to_owned);
            ctx.ui.json_document(&Record { account_id: id, session_ended: revoked == Revoked::Ended, active })?;
        }
        Ok(Outcome::Done)
    }
}

fn report(ctx: &Ctx, id: &str, revoked: &Revoked) {
    match revoked {
        Revoked::Ended => ctx.ui.status(&format!("{id} is removed and signed out on the server")),
        Revoked::Nothing => ctx.ui.status(&format!("{id} is removed")),
        Revoked::GoesOn(reason) => {
            ctx.ui.status(&format!("{id} is removed"));
            ctx.ui.warn(reason);
        }
    }
}

/// Ends the session of an account on its server, if it has one.
pub(crate) async fn revoke(ctx: &Ctx, vault: &Vault, accounts: &Accounts, id: &str) -> Revoked {
    let goes_on =
        |reason: &dyn std::fmt::Display| Revoked::GoesOn(format!("could not end the session of {id}: {reason}"));
    let (vault, accounts, name) = (vault.clone(), accounts.clone(), id.to_owned());
    let found = match waiting(move || vault.find(&accounts, &name)).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return goes_on(&error),
        Err(error) => return goes_on(&error.message),
    };
    let Account { url, credentials, .. } = &found.account;
    if matches!(credentials, Credentials::Password { .. }) {
        return Revoked::Nothing;
    }
    ctx.warn_of_skip_verify(url, found.entry.skip_verify());
    let http = match ctx.http(Destination::Account(url), found.entry.skip_verify(), &found.entry.headers()) {
        Ok(http) => http,
        Err(error) => return goes_on(&error.message),
    };
    let token = match credentials {
        Credentials::OAuth(pair) => pair.refresh.as_ref().unwrap_or(&pair.access),
        _ if is_dead(&http, &found.account).await => return Revoked::Nothing,
        _ => {
            let reason = format!("the token of {id} is still valid: only a server administrator can revoke it");
            return Revoked::GoesOn(reason);
        }
    };
    match timeout(PATIENCE, OAuth::new(http, url.clone()).revoke(token)).await {
        Ok(Ok(())) => Revoked::Ended,
        Ok(Err(error)) => goes_on(&error),
        Err(_) => goes_on(&"the server did not answer"),
    }
}

/// Whether the server says that the token of an account is no longer valid.
async fn is_dead(http: &Http, account: &Account) -> bool {
    let sender = Sender::new(http.clone(), account.url.clone(), TokenSource::new(http.clone(), account));
    let asking = async {
        let token = sender.tokens.token(Duration::ZERO).await.ok()?;
        sender.is_dead(&token, ANY_WORKSPACE, Instant::now()).await.ok()
    };
    timeout(PATIENCE, asking).await.ok().flatten().unwrap_or(false)
}

//! `cec config …`: commands for stored accounts.

pub mod check;
pub mod export;
pub mod list;
pub mod relog;
pub mod remove;
pub mod select;
pub mod token;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serializer;
use tokio::time::Instant;

use crate::commands::verb::verbs;
use crate::commands::{configure, info};
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::auth::{ANY_WORKSPACE, Token};
use cells_client::store::Accounts;

verbs! {
    /// The commands of `cec config`.
    #[command(
        after_help = "Examples:\n  cec config add https://files.example.com\n  cec config status"
    )]
    pub enum Verbs {
        /// Sign in to a server and store the account
        Add(configure::Args),
        /// Show who is signed in to which server
        #[command(after_help = "Examples:\n  cec config status\n  cec config status --json")]
        Status(info::Args),
        /// List the stored accounts
        Ls(list::Args),
        /// Make a stored account the active one
        Use(select::Args),
        /// Remove a stored account and sign out on the server
        Rm(remove::Args),
        /// Sign in again to a stored account
        Relog(relog::Args),
        /// Print a valid token for other programs
        Token(token::Args),
        /// Print the account as a configuration for rclone, aws or s5cmd
        Export(export::Args),
        /// Check whether the system keyring works
        CheckKeyring(check::Args),
    }
}

/// Returns a valid token of the account in use, renewed if necessary. It is valid for `life`, if the server's tokens
/// live that long.
///
/// # Errors
/// Nobody is signed in, or the credentials have expired.
async fn good_token(ctx: &Ctx, life: Duration) -> Result<Token, CliError> {
    let sender = ctx.sender().await?;
    let token = sender.tokens.token(life).await?;
    if !token.is_sound() {
        let message = "the stored token contains invalid characters and is not safe to print";
        return Err(CliError::new(Kind::Auth, message).hint(crate::error::Hint::SignIn));
    }
    match sender.is_dead(&token, ANY_WORKSPACE, Instant::now()).await {
        Ok(false) => Ok(token),
        Ok(true) => Ok(sender.tokens.renew(&token).await?),
        // The server cannot be asked, and the token has expired by this machine's clock.
        Err(error) if sender.tokens.expires_at().is_some_and(|end| end <= Timestamp::now()) => Err(error.into()),
        Err(error) => {
            tracing::debug!(%error, "nobody knows whether the token is alive");
            Ok(token)
        }
    }
}

/// Warns if variables have priority over the account that was just stored or selected.
pub(crate) fn warn_of_environment(ctx: &Ctx) {
    let names = ctx.settings.overriding();
    if !names.is_empty() {
        let names = names.join(" and ");
        ctx.ui.warn(&format!("{names} in the environment override the active account: unset them to use it"));
    }
}

/// Returns the stored account with this id or label. Asks the user if there is none.
async fn choose_account(
    ctx: &Ctx,
    accounts: &Accounts,
    name: Option<&str>,
    question: &str,
) -> Result<String, CliError> {
    let ids: Vec<&str> = accounts.entries.keys().map(String::as_str).collect();
    if ids.is_empty() {
        return Err(CliError::new(Kind::NotFound, "no account is stored").hint("sign in with 'cec configure'"));
    }
    if let Some(name) = name {
        return match accounts.named(name).as_slice() {
            [id] => Ok((*id).to_owned()),
            [] => Err(CliError::new(Kind::NotFound, format!("there is no account '{name}'"))
                .hint(format!("the stored accounts are: {}", ids.join(", ")))),
            several => Err(CliError::new(Kind::Usage, format!("several accounts are named '{name}'"))
                .hint(format!("use the id: {}", several.join(", ")))),
        };
    }
    if !ctx.ui.can_ask() {
        return Err(
            CliError::new(Kind::Usage, "name the account to use").hint(format!("name one of: {}", ids.join(", ")))
        );
    }
    if let [only] = ids.as_slice() {
        return Ok((*only).to_owned());
    }
    let chosen = ctx.ui.choose(question, &ids).await;
    let id =
        chosen.and_then(|index| ids.get(index)).ok_or_else(|| CliError::new(Kind::Failure, "nothing was changed"))?;
    Ok((*id).to_owned())
}

/// Describes how long credentials of this type last that renew themselves.
pub(crate) fn lasts(credentials: &str) -> &'static str {
    match credentials {
        "oauth" => "it renews itself; it expires after 60 days without use (the server may set another limit)",
        _ => "every run signs in",
    }
}

/// Serializes a time as RFC 3339, or null.
pub(crate) fn as_text<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

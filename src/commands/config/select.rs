//! `cec config use`.

use serde::Serialize;

use super::{named, warn_of_environment};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};

/// Arguments of `cec config use`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec config use alice@files.example.com:443\n  cec config use")]
pub struct Args {
    /// Its id or label; asked for where it is left out
    #[arg(value_name = "ID")]
    account: Option<String>,
}

/// The account that is the active one now.
#[derive(Debug, Serialize)]
struct Record {
    account_id: String,
}

/// Makes a stored account the active one.
///
/// # Errors
/// [`Kind::NotFound`](crate::error::Kind) for an unknown one; a file that cannot be written.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let vault = ctx.vault()?;
    let accounts = vault.load()?.accounts;
    let id = named(ctx, &accounts, arguments.account.as_deref(), "Which account shall be used?").await?;
    vault.file().update(|accounts| accounts.active.clone_from(&id))?;
    ctx.ui.status(&format!("the active account is now {id}"));
    warn_of_environment(ctx);
    if ctx.ui.is_json() {
        ctx.ui.json_document(&Record { account_id: id })?;
    }
    Ok(Outcome::Done)
}

//! `cec config check-keyring` and `cec configure check-keyring`.

use serde::Serialize;

use crate::commands::verb::{RemotePaths, Verb};
use crate::context::{Ctx, waiting};
use crate::error::{CliError, Kind, Outcome};
use cells_client::store::keyring::{self, KeyringError, encoding};

/// The result of the check.
#[derive(Debug, Serialize)]
struct Record {
    works: bool,
    service: &'static str,
    reason: Option<String>,
}

/// Arguments of `cec config check-keyring`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Its examples, which `cec configure check-keyring` shows as well.
pub const EXAMPLES: &str = "Examples:\n  cec config check-keyring\n  cec config check-keyring --json";

impl Verb for Args {
    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        check_keyring(ctx).await
    }
}

/// Writes, reads and removes a test item in the system keyring.
///
/// # Errors
/// [`Kind::Auth`] if the keyring exists but does not work.
pub async fn check_keyring(ctx: &Ctx) -> Result<Outcome, CliError> {
    let vault = ctx.vault()?;
    ctx.ui.status(&format!("checking the system keyring, service {}", encoding::SERVICE));
    let result = waiting(move || keyring::check(vault.keyring())).await?;
    if ctx.ui.is_json() {
        let reason = result.as_ref().err().map(ToString::to_string);
        ctx.ui.json_document(&Record { works: result.is_ok(), service: encoding::SERVICE, reason })?;
    }
    match result {
        Ok(()) => {
            ctx.ui.status("it works: secrets are stored there");
            Ok(Outcome::Done)
        }
        Err(error @ KeyringError::Absent(_)) => Err(CliError::new(Kind::Failure, error.to_string())
            .hint("secrets are stored in clear text in config.json, which only you can read")),
        Err(error) => Err(cells_client::store::StoreError::NotKept(error).into()),
    }
}

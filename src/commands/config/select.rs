//! `cec config use`.

use serde::Serialize;

use super::{choose_account, warn_of_environment};
use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};

/// Arguments of `cec config use`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec config use alice@files.example.com:443\n  cec config use")]
pub struct Args {
    /// Id or label of the account; cec asks for it if omitted
    #[arg(value_name = "ID")]
    account: Option<String>,
}

/// The new active account.
#[derive(Debug, Serialize)]
struct Record {
    account_id: String,
}

impl Verb for Args {
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec config", &["set", "switch", "select"], "'cec config use' makes an account the active one")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Makes a stored account the active one.
    ///
    /// # Errors
    /// [`Kind::NotFound`](crate::error::Kind) if the account is unknown; the file cannot be written.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let vault = ctx.vault()?;
        let accounts = vault.load()?.accounts;
        let id = choose_account(ctx, &accounts, self.account.as_deref(), "Which account do you want to use?").await?;
        vault.file().update(|accounts| accounts.active.clone_from(&id))?;
        ctx.ui.status(&format!("the active account is now {id}"));
        warn_of_environment(ctx);
        if ctx.ui.is_json() {
            ctx.ui.json_document(&Record { account_id: id })?;
        }
        Ok(Outcome::Done)
    }
}

//! `cec clear`.

use crate::commands::completion;
use crate::commands::config::remove::{Revoked, revoke};
use crate::commands::verb::{RemotePaths, Verb};
use crate::context::{Ctx, waiting};
use crate::error::{CliError, Kind, Outcome};
use crate::ui::prompt::Consent;
use cells_client::store::vault::Removed;

/// Arguments of `cec clear`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec clear\n  cec clear -f")]
pub struct Args {
    /// Do not ask for confirmation
    #[arg(short, long)]
    force: bool,
}

impl Verb for Args {
    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Removes all stored accounts.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if nothing is stored; [`Kind::Usage`] if nobody can be asked; [`Kind::Failure`] if the answer
    /// is No.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let vault = ctx.vault()?;
        let path = vault.file().path();
        // A file that cannot be parsed can still be removed.
        let accounts = vault.load().map(|loaded| loaded.accounts).unwrap_or_default();
        if std::fs::symlink_metadata(&path).is_err() {
            return Err(CliError::new(Kind::NotFound, format!("no account is stored in {}", path.display())));
        }
        if !self.force {
            if !ctx.ui.can_ask() {
                return Err(CliError::new(Kind::Usage, "cannot ask for confirmation before removing all accounts")
                    .hint("add --force"));
            }
            for id in accounts.entries.keys() {
                ctx.ui.before_asking(&format!("  {id}"));
            }
            if !ctx.ui.confirm("Remove all stored accounts?", Consent::Yes).await {
                return Err(CliError::new(Kind::Failure, "nothing was removed"));
            }
        }
        // All sessions are ended at the same time, so that unreachable servers cause only one delay.
        let revoking = accounts.entries.keys().map(|id| revoke(ctx, &vault, &accounts, id));
        let revoked = futures_util::future::join_all(revoking).await;
        let removed = waiting(move || vault.clear()).await??;
        completion::remote::forget(&ctx.settings.environment);
        ctx.ui.status(&format!("removed {}", path.display()));
        for reason in revoked {
            if let Revoked::GoesOn(reason) = reason {
                ctx.ui.warn(&reason);
            }
        }
        for Removed { entry, left_in_keyring } in removed {
            if let Some(error) = left_in_keyring {
                let (url, user) = (entry.url(), entry.user());
                ctx.ui.warn(&format!("a secret may remain in the system keyring, as user {url}::{user}: {error}"));
            }
        }
        Ok(Outcome::Done)
    }
}

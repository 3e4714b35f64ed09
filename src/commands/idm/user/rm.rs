//! `cec idm user rm`.

use serde_json::json;

use crate::commands::shared::operands::Operands;
use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::prompt::Consent;
use cells_client::api::idm::UserEntry;

/// Arguments of `cec idm user rm`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Asks for confirmation, unless --force is used. The server decides what happens to the user's own \
    files: it may rename the folder or delete it.\n\nExamples:\n  cec idm user rm carol\n  cec idm user rm -f ci-bot"
)]
pub struct Args {
    /// Login names
    #[arg(value_name = "LOGIN", required = true)]
    logins: Vec<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    force: bool,
}

impl Verb for Args {
    const ACTIVITY: &'static str = crate::commands::idm::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Deletes users.
    ///
    /// # Errors
    /// The confirmation cannot be requested, or is answered No; the command cannot continue. Failures of single
    /// operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let api = ctx.api().await?;
        let own = api.user().await.map_err(|error| CliError::from(error).during("checking who is signed in"))?;
        let own = own.map(|own| own.login).unwrap_or_default();
        let mut operands = Operands::new(&ctx.ui);
        let mut users: Vec<UserEntry> = Vec::new();
        for login in &self.logins {
            if *login == own {
                let message = format!("'{login}' is signed in here and cannot delete itself");
                return Err(CliError::new(Kind::Usage, message).about(login));
            }
            // The server confirms the deletion of a user that does not exist.
            match super::find_user(ctx, login).await {
                Ok(user) if users.iter().any(|known| known.uuid == user.uuid) => {}
                Ok(user) => users.push(user),
                Err(error) => operands.failed(error)?,
            }
        }
        if !users.is_empty() && !self.force {
            ask(ctx, &users).await?;
        }
        let mut records = Vec::new();
        for user in &users {
            let login = &user.login;
            let deleted = api.delete_user(user).await;
            let deleted = deleted
                .map_err(|error| CliError::from(error).during(format!("deleting the user {login}")).about(login));
            if deleted.is_ok() {
                ctx.ui.status(&format!("deleted the user {login}"));
                records.push(json!({"login": login, "uuid": user.uuid}));
            }
            operands.take(deleted)?;
        }
        if ctx.ui.is_json() && !operands.all_failed() {
            ctx.ui.json_document(&records)?;
        }
        Ok(operands.outcome())
    }
}

async fn ask(ctx: &Ctx, users: &[UserEntry]) -> Result<(), CliError> {
    if !ctx.ui.can_ask() {
        let message = "cannot ask for confirmation before deleting users";
        return Err(CliError::new(Kind::Usage, message).hint("add --force to delete them without asking"));
    }
    for user in users {
        ctx.ui.before_asking(&format!("  {}  {}  ({})", user.login, user.display_name, user.profile));
    }
    let question = match users {
        [_] => "Delete this user? This cannot be undone.".to_owned(),
        _ => format!("Delete these {} users? This cannot be undone.", users.len()),
    };
    if ctx.ui.confirm(&question, Consent::TypedYes).await {
        Ok(())
    } else {
        Err(CliError::new(Kind::Failure, "nothing was deleted"))
    }
}

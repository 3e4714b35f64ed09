//! `cec idm user passwd`.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::commands::verb::{OtherPassword, RemotePaths, Verb};
use crate::context::Ctx;
use crate::credentials::read_password;
use crate::error::{CliError, Kind, Outcome};
use cells_client::api::idm::UserChange;
use cells_client::failure::Reason;

/// The minimum length of a password.
const SHORTEST: usize = 6;

/// The password of the user in question.
pub(super) const OTHER: OtherPassword = OtherPassword {
    owner: "the user's",
    hint: "add --password-stdin to read the user's password from standard input, or omit both to be asked",
};

/// Arguments of `cec idm user passwd`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Asks for the password twice without showing it, or reads it from standard input with \
        --password-stdin. For your own user, the server also requires the current password: cec asks for it first; on \
        standard input, it is the line before the new one.\n\nExamples:\n  cec idm user passwd carol\n  \
    cec idm user passwd carol --password-stdin < password.txt")]
pub struct Args {
    /// Login name
    #[arg(value_name = "LOGIN")]
    name: String,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

impl Verb for Args {
    const ACTIVITY: &'static str = crate::commands::idm::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    fn other_password(&self) -> Option<OtherPassword> {
        Some(OTHER)
    }

    /// Sets a user's password.
    ///
    /// # Errors
    /// [`Kind::NotFound`] if the user does not exist; [`Kind::Usage`] if the password is not valid; any failure of a
    /// call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let api = ctx.api().await?;
        let user = super::find_user(ctx, &self.name).await?;
        let login = user.login.as_str();
        let during = |error: CliError| error.during(format!("changing the password of {login}")).about(login);
        let oneself = api.user().await.map_err(|error| during(error.into()))?.is_some_and(|own| own.login == login);
        let old_password = match oneself {
            true => Some(present(ctx, login, self.password_stdin).await?),
            false => None,
        };
        let password = Some(new(ctx, login, self.password_stdin).await?);
        let change = UserChange { password, old_password, ..UserChange::default() };
        api.update_user(&user, &change).await.map_err(|error| {
            let refused = error.is(Reason::WrongPassword);
            let mut error = during(error.into());
            if oneself && refused {
                error.kind = Kind::Auth;
                error.message = "the current password is wrong".to_owned();
                error.hints.clear();
            }
            error
        })?;
        if ctx.ui.is_json() {
            ctx.ui.json_document(&json!({"login": login, "uuid": user.uuid, "changed": true}))?;
        } else {
            ctx.ui.status(&format!("changed the password of {login}"));
        }
        Ok(Outcome::Done)
    }
}

/// Returns a new password: asked for twice, or a line of standard input.
///
/// # Errors
/// [`Kind::Usage`] if nobody can be asked, or if the password is too short.
pub(super) async fn new(ctx: &Ctx, login: &str, from_stdin: bool) -> Result<SecretString, CliError> {
    let password = if from_stdin {
        read_password(&ctx.ui, &SecretString::from("-")).await?
    } else {
        let first = ask(ctx, &format!("New password for {login}")).await?;
        let second = ask(ctx, "Repeat password").await?;
        if first.expose_secret() != second.expose_secret() {
            return Err(CliError::new(Kind::Usage, "the two passwords differ"));
        }
        first
    };
    ctx.ui.secrets().keep(&password);
    if password.expose_secret().chars().count() < SHORTEST {
        return Err(CliError::new(Kind::Usage, format!("the password has fewer than {SHORTEST} characters")));
    }
    Ok(password)
}

async fn present(ctx: &Ctx, login: &str, from_stdin: bool) -> Result<SecretString, CliError> {
    let password = if from_stdin {
        read_password(&ctx.ui, &SecretString::from("-")).await?
    } else {
        ask(ctx, &format!("Current password for {login}")).await?
    };
    ctx.ui.secrets().keep(&password);
    Ok(password)
}

async fn ask(ctx: &Ctx, question: &str) -> Result<SecretString, CliError> {
    if !ctx.ui.can_ask() {
        return Err(CliError::new(Kind::Usage, "a password is required, and cec cannot ask here")
            .hint("add --password-stdin to read it from standard input"));
    }
    let typed = ctx.ui.ask_hidden(question).await?;
    typed.ok_or_else(|| CliError::new(Kind::Failure, "no password was given"))
}

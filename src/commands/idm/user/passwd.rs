//! `cec idm user passwd`.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::api::idm::UserChange;
use crate::commands::verb::{OtherPassword, RemotePaths, Verb};
use crate::context::Ctx;
use crate::credentials::read_password;
use crate::error::{CliError, Kind, Outcome};
use crate::failure::Reason;

/// The shortest password that is taken.
const SHORTEST: usize = 6;

/// The password of the user that a command is about.
pub(super) const OTHER: OtherPassword = OtherPassword {
    owner: "the user's",
    hint: "--password-stdin reads the user's from standard input; without it, it is asked for",
};

/// Arguments of `cec idm user passwd`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The password is asked for twice without being shown, or read from standard input with --password-stdin. \
    For your own user the server wants the present password as well: it is asked for first, and is the line before the \
    new one on standard input.\n\nExamples:\n  cec idm user passwd carol\n  \
    cec idm user passwd carol --password-stdin < password.txt"
)]
pub struct Args {
    /// The login name
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

    /// Gives a user a new password.
    ///
    /// # Errors
    /// [`Kind::NotFound`] where there is none; [`Kind::Usage`] for a password that is none; any failure of a call.
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
                error.message = "the present password is wrong".to_owned();
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

/// A new password: asked for twice, or a line of standard input.
///
/// # Errors
/// [`Kind::Usage`] where nobody can be asked, and for one that is too short.
pub(super) async fn new(ctx: &Ctx, login: &str, from_stdin: bool) -> Result<SecretString, CliError> {
    let password = if from_stdin {
        read_password(&ctx.ui, &SecretString::from("-")).await?
    } else {
        let first = ask(ctx, &format!("New password of {login}")).await?;
        let second = ask(ctx, "Once more").await?;
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
        ask(ctx, &format!("Present password of {login}")).await?
    };
    ctx.ui.secrets().keep(&password);
    Ok(password)
}

async fn ask(ctx: &Ctx, question: &str) -> Result<SecretString, CliError> {
    if !ctx.ui.can_ask() {
        return Err(CliError::new(Kind::Usage, "a password is needed, and nobody can be asked here")
            .hint("--password-stdin reads it from standard input"));
    }
    let typed = ctx.ui.ask_hidden(question).await?;
    typed.ok_or_else(|| CliError::new(Kind::Failure, "no password was given"))
}

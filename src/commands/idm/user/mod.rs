//! `cec idm user`.

mod change;
mod get;
mod passwd;
mod rm;

use clap::Subcommand;

use crate::api::idm::{UserEntry, is_login};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};

/// The commands of `cec idm user`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show all that is known of users
    Get(get::Args),
    /// Make a user
    Create(change::CreateArgs),
    /// Change a user
    Update(change::UpdateArgs),
    /// Delete users
    Rm(rm::Args),
    /// Give a user a new password
    Passwd(passwd::Args),
}

/// Runs a command of `cec idm user`.
///
/// # Errors
/// The command's.
pub async fn run(ctx: &Ctx, verb: Verb) -> Result<Outcome, CliError> {
    match verb {
        Verb::Get(arguments) => get::run(ctx, arguments).await,
        Verb::Create(arguments) => change::create(ctx, arguments).await,
        Verb::Update(arguments) => change::update(ctx, arguments).await,
        Verb::Rm(arguments) => rm::run(ctx, arguments).await,
        Verb::Passwd(arguments) => passwd::run(ctx, arguments).await,
    }
}

/// The user of that login.
async fn named(ctx: &Ctx, login: &str) -> Result<UserEntry, CliError> {
    if !is_login(login) {
        return Err(CliError::new(Kind::Usage, format!("'{login}' is not a login name"))
            .hint("a login name is no pattern; 'cec idm list-users' lists the users")
            .about(login));
    }
    let found = ctx.api().await?.user_entry(login).await;
    let found =
        found.map_err(|error| CliError::from(error).during(format!("looking for the user {login}")).about(login))?;
    found.ok_or_else(|| {
        CliError::new(Kind::NotFound, format!("there is no user '{login}'"))
            .hint("'cec idm list-users' lists the users")
            .about(login)
    })
}

//! `cec idm user`.

mod change;
mod get;
mod passwd;
mod rm;

use crate::commands::verb::verbs;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::api::idm::{UserEntry, is_login};

verbs! {
    /// The commands of `cec idm user`.
    #[command(
        after_help = "Personal access tokens are made on the server itself, not through its API:\n  \
        cells admin user token -u LOGIN -e 24h\n\nExamples:\n  cec idm user get alice\n  \
        cec idm user create carol --email carol@example.com\n  cec idm user passwd carol"
    )]
    pub enum Verbs {
        /// Show all details of users
        Get(get::Args),
        /// Create a user
        Create(change::CreateArgs),
        /// Change a user
        Update(change::UpdateArgs),
        /// Delete users
        Rm(rm::Args),
        /// Set a new password for a user
        Passwd(passwd::Args),
    }
}

/// Returns the user with this login.
async fn find_user(ctx: &Ctx, login: &str) -> Result<UserEntry, CliError> {
    if !is_login(login) {
        return Err(CliError::new(Kind::Usage, format!("'{login}' is not a login name"))
            .hint("use a login name without patterns; 'cec idm list-users' lists the users")
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

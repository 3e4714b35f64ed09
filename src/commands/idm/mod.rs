//! `cec idm`: users, groups, roles, workspaces, rights.

pub mod list;
pub mod list_acls;
pub mod user;

use clap::Subcommand;

use crate::context::Ctx;
use crate::error::{CliError, Outcome};

/// The commands of `cec idm`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List users
    #[command(after_help = "Examples:\n  cec idm list-users\n  cec idm list-users --json")]
    ListUsers(list::UserArgs),
    /// List groups of users
    #[command(after_help = "Examples:\n  cec idm list-groups")]
    ListGroups(list::PlainArgs),
    /// List roles
    #[command(after_help = "Examples:\n  cec idm list-roles")]
    ListRoles(list::PlainArgs),
    /// List workspaces, cells and public links
    #[command(after_help = "Examples:\n  cec idm list-workspaces")]
    ListWorkspaces(list::PlainArgs),
    /// List who may do what with which node, and delete such rights (for administrators)
    ListAcls(list_acls::Args),
    /// Show, make, change or delete users
    #[command(
        subcommand,
        after_help = "Personal access tokens are made on the server itself, not through its network interface:\n  \
        cells admin user token -u LOGIN -e 24h\n\nExamples:\n  cec idm user get alice\n  \
        cec idm user create carol --email carol@example.com\n  cec idm user passwd carol"
    )]
    User(user::Verb),
}

/// Runs a command of `cec idm`.
///
/// # Errors
/// The command's.
pub async fn run(ctx: &Ctx, verb: Verb) -> Result<Outcome, CliError> {
    match verb {
        Verb::ListUsers(arguments) => list::users(ctx, arguments).await,
        Verb::ListGroups(_) => list::groups(ctx).await,
        Verb::ListRoles(_) => list::roles(ctx).await,
        Verb::ListWorkspaces(_) => list::workspaces(ctx).await,
        Verb::ListAcls(arguments) => list_acls::run(ctx, arguments).await,
        Verb::User(verb) => user::run(ctx, verb).await,
    }
}

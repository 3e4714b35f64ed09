//! `cec idm`: users, groups, roles, workspaces, permissions.

pub mod list;
pub mod list_acls;
pub mod user;

use crate::commands::verb::verbs;

verbs! {
    /// The commands of `cec idm`.
    #[command(
        after_help = "Personal access tokens are made on the server itself, not through its API:\n  \
        cells admin user token -u LOGIN -e 24h\n\nExamples:\n  cec idm list-users\n  \
        cec idm user create carol --email carol@example.com\n  \
        cec idm list-acls -n 1c989848-5eff-49cf-8727-4db754e02c25"
    )]
    pub enum Verbs {
        /// List users
        #[command(after_help = "Examples:\n  cec idm list-users\n  cec idm list-users --json")]
        ListUsers(list::UserArgs),
        /// List groups of users
        #[command(after_help = "Examples:\n  cec idm list-groups")]
        ListGroups(list::GroupArgs),
        /// List roles
        #[command(after_help = "Examples:\n  cec idm list-roles")]
        ListRoles(list::RoleArgs),
        /// List workspaces, rooms and public links
        #[command(after_help = "Examples:\n  cec idm list-workspaces")]
        ListWorkspaces(list::WorkspaceArgs),
        /// List or delete the permissions on files and folders (for administrators)
        ListAcls(list_acls::Args),
        /// Show, create, change or delete users
        #[command(subcommand)]
        User(user::Verbs),
    }
}

/// What these commands do until they print something.
const ACTIVITY: &str = "requesting users and permissions";

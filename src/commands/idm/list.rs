//! `cec idm list-users`, `list-groups`, `list-roles` and `list-workspaces`.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::table::{Column, Table};
use cells_client::api::idm::{GroupEntry, RoleEntry, RoleKind, UserEntry, WorkspaceEntry};
use cells_client::api::share::NODE_NAME;

/// Arguments of `cec idm list-users`.
#[derive(Debug, clap::Args)]
pub struct UserArgs {
    /// Include the hidden users that represent visitors of public links
    #[arg(short, long)]
    all: bool,
}

/// Arguments of `cec idm list-groups`.
#[derive(Debug, clap::Args)]
pub struct GroupArgs {}

/// Arguments of `cec idm list-roles`.
#[derive(Debug, clap::Args)]
pub struct RoleArgs {}

/// Arguments of `cec idm list-workspaces`.
#[derive(Debug, clap::Args)]
pub struct WorkspaceArgs {}

const USERS: [Column; 6] = [
    Column::whole("LOGIN"),
    Column::text("NAME"),
    Column::text("E-MAIL").rank(4),
    Column::fixed("PROFILE").rank(2),
    Column::text("GROUP").rank(1),
    Column::fixed("LAST SEEN").rank(3),
];
const GROUPS: [Column; 3] = [Column::whole("PATH"), Column::text("LABEL"), Column::fixed("UUID").rank(1)];
const ROLES: [Column; 4] =
    [Column::whole("UUID"), Column::text("LABEL"), Column::fixed("KIND"), Column::text("APPLIES TO").rank(1)];
const WORKSPACES: [Column; 5] = [
    Column::whole("SLUG"),
    Column::text("LABEL").rank(3),
    Column::fixed("SCOPE"),
    Column::fixed("UUID").rank(2),
    Column::text("DESCRIPTION").rank(1),
];

/// Returns the text of a cell; a dash for an empty value.
pub(super) fn cell(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

pub(super) fn when(ctx: &Ctx, time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| ctx.ui.time(time))
}

/// Writes a list: rows, or one JSON array of records.
fn write<T>(
    ctx: &Ctx,
    columns: &'static [Column],
    items: &[T],
    row: impl Fn(&T) -> Vec<String>,
    record: impl Fn(&T) -> Value,
) -> Result<Outcome, CliError> {
    if ctx.ui.is_json() {
        ctx.ui.json_document(&items.iter().map(record).collect::<Vec<_>>())?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(&ctx.ui, columns);
    items.iter().try_for_each(|item| table.row(row(item)))?;
    table.finish()?;
    Ok(Outcome::Done)
}

impl Verb for UserArgs {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const FOREIGN: &'static [Foreign] = &[
        Foreign::new("cec", &["user", "users"], "see 'cec idm --help'"),
        Foreign::new(
            "cec idm",
            &["ls", "list"],
            "'cec idm list-users', list-groups, list-roles, list-workspaces and list-acls list",
        ),
        Foreign::new("cec idm user", &["ls", "list"], "'cec idm list-users' lists them"),
    ];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists users.
    ///
    /// # Errors
    /// Any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let found = ctx.api().await?.users().await;
        let mut users = found.map_err(|error| CliError::from(error).during("listing users"))?;
        users.retain(|user| self.all || !user.hidden);
        let row = |user: &UserEntry| {
            let cells = [&user.login, &user.display_name, &user.email, &user.profile, &user.group];
            cells.into_iter().map(|text| cell(text)).chain([when(ctx, user.last_connected)]).collect()
        };
        write(ctx, &USERS, &users, row, user_record)
    }
}

pub(super) fn user_record(user: &UserEntry) -> Value {
    let roles: Vec<Value> = user.roles.iter().map(|role| json!({"uuid": role.uuid, "label": role.label})).collect();
    json!({
        "login": user.login,
        "uuid": user.uuid,
        "display_name": user.display_name,
        "email": user.email,
        "profile": user.profile,
        "group": user.group,
        "roles": roles,
        "hidden": user.hidden,
        "locked": user.locked,
        "last_connected": user.last_connected.map(|time| time.to_string()),
        "attributes": user.attributes,
    })
}

impl Verb for GroupArgs {
    const ACTIVITY: &'static str = super::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists groups.
    ///
    /// # Errors
    /// Any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let found = ctx.api().await?.groups().await;
        let groups = found.map_err(|error| CliError::from(error).during("listing groups"))?;
        if groups.is_empty() {
            ctx.ui.status("no groups");
        }
        let row = |group: &GroupEntry| vec![group.path.clone(), group.label.clone(), group.uuid.clone()];
        let record = |group: &GroupEntry| json!({"path": group.path, "label": group.label, "uuid": group.uuid});
        write(ctx, &GROUPS, &groups, row, record)
    }
}

impl Verb for RoleArgs {
    const ACTIVITY: &'static str = super::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists roles.
    ///
    /// # Errors
    /// Any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let found = ctx.api().await?.roles().await;
        let roles = found.map_err(|error| CliError::from(error).during("listing roles"))?;
        let kind = |role: &RoleEntry| match role.kind {
            RoleKind::Role => "role",
            RoleKind::User => "user",
            RoleKind::Group => "group",
        };
        let row = |role: &RoleEntry| {
            vec![role.uuid.clone(), role.label.clone(), kind(role).to_owned(), cell(&role.auto_applies.join(","))]
        };
        let record = |role: &RoleEntry| {
            json!({
                "uuid": role.uuid,
                "label": role.label,
                "kind": kind(role),
                "auto_applies": role.auto_applies,
                "updated": role.updated.map(|time| time.to_string()),
            })
        };
        write(ctx, &ROLES, &roles, row, record)
    }
}

impl Verb for WorkspaceArgs {
    const ACTIVITY: &'static str = super::ACTIVITY;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists workspaces.
    ///
    /// # Errors
    /// Any failure of the call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let found = ctx.api().await?.all_workspaces().await;
        let workspaces = found.map_err(|error| CliError::from(error).during("listing workspaces"))?;
        let scope = |workspace: &WorkspaceEntry| match workspace.scope.as_str() {
            "ADMIN" => "workspace".to_owned(),
            "ROOM" => "cell".to_owned(),
            other => other.to_lowercase(),
        };
        let row = |workspace: &WorkspaceEntry| {
            vec![
                workspace.slug.clone(),
                cell(if workspace.label == NODE_NAME { "" } else { &workspace.label }),
                scope(workspace),
                workspace.uuid.clone(),
                cell(&workspace.description),
            ]
        };
        let record = |workspace: &WorkspaceEntry| {
            json!({
                "slug": workspace.slug,
                "uuid": workspace.uuid,
                "label": workspace.label,
                "description": workspace.description,
                "scope": scope(workspace),
                "roots": workspace.roots,
                "updated": workspace.updated.map(|time| time.to_string()),
            })
        };
        write(ctx, &WORKSPACES, &workspaces, row, record)
    }
}

//! Users, groups, roles, workspaces and permissions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use http::Method;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::wire::{list, number};
use super::{Client, never_empty};
use crate::failure::{Reason, ServerError, ServerErrorKind};
use crate::path::encode_segment;

/// The number of entries per page.
const PAGE: u64 = 200;

/// A user, as administrators see it.
#[derive(Debug, Clone, Default)]
pub struct UserEntry {
    /// The UUID.
    pub uuid: String,
    /// The login name.
    pub login: String,
    /// The path of the group; `/` if there is none.
    pub group: String,
    /// `admin`, `standard`, `shared` or `anon`.
    pub profile: String,
    /// The display name.
    pub display_name: String,
    /// The e-mail address.
    pub email: String,
    /// Whether the server created the user for the visitors of a public link.
    pub hidden: bool,
    /// Whether the user is locked.
    pub locked: bool,
    /// The time of the user's last connection.
    pub last_connected: Option<Timestamp>,
    /// The assigned roles, without those of the user itself and of its groups.
    pub roles: Vec<RoleEntry>,
    /// All attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// All fields of the answer. An update must send unchanged fields back.
    fields: Map<String, Value>,
}

/// A group of users.
#[derive(Debug, Clone)]
pub struct GroupEntry {
    /// The UUID.
    pub uuid: String,
    /// The display name.
    pub label: String,
    /// The path, such as `/staff/paris`.
    pub path: String,
}

/// A role.
#[derive(Debug, Clone, Default)]
pub struct RoleEntry {
    /// The UUID.
    pub uuid: String,
    /// The display name.
    pub label: String,
    /// The kind of the role.
    pub kind: RoleKind,
    /// The profiles whose users have the role automatically.
    pub auto_applies: Vec<String>,
    /// The time of the last change.
    pub updated: Option<Timestamp>,
}

/// The kind of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RoleKind {
    /// A role that can be assigned to any user.
    #[default]
    Role,
    /// The personal role of a user.
    User,
    /// The role of a group.
    Group,
}

/// A workspace, as administrators see it. Cells and public links are workspaces too.
#[derive(Debug, Clone)]
pub struct WorkspaceEntry {
    /// The UUID.
    pub uuid: String,
    /// The slug: the first segment of the workspace's paths.
    pub slug: String,
    /// The display name.
    pub label: String,
    /// The description.
    pub description: String,
    /// `ADMIN` for a workspace, `ROOM` for a cell, `LINK` for a public link.
    pub scope: String,
    /// The time of the last change.
    pub updated: Option<Timestamp>,
    /// The paths of the root nodes, beginning with the data source.
    pub roots: Vec<String>,
}

/// A permission of a role on a node.
#[derive(Debug, Clone)]
pub struct AclEntry {
    /// The number of the permission.
    pub id: String,
    /// The UUID of the node.
    pub node: String,
    /// The UUID of the role; empty if the permission applies to everybody.
    pub role: String,
    /// The UUID of the workspace.
    pub workspace: String,
    /// `read`, `write`, `deny`, …
    pub action: String,
    /// The value of the action.
    pub value: String,
    /// The complete permission, which a deletion must send.
    fields: Value,
}

/// Changes to a user. `None` means no change.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// The path of the group; `/` for none.
    pub group: Option<String>,
    /// Attributes to set. An empty text removes an attribute.
    pub attributes: BTreeMap<String, String>,
    /// UUIDs of all roles to assign, without those of the user itself and of its groups.
    pub roles: Option<Vec<String>>,
    /// A new password.
    pub password: Option<SecretString>,
    /// The present password, which the server requires from users who change their own.
    pub old_password: Option<SecretString>,
}

impl UserChange {
    /// Whether the values that this change has `written` are still the same `now`.
    pub fn is_kept(&self, written: &UserEntry, now: &UserEntry) -> bool {
        let roles = |user: &UserEntry| user.roles.iter().map(|role| role.uuid.clone()).collect::<BTreeSet<_>>();
        written.uuid == now.uuid
            && (self.group.is_none() || written.group == now.group)
            && (self.roles.is_none() || roles(written) == roles(now))
            && self.attributes.keys().all(|name| written.attributes.get(name) == now.attributes.get(name))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct UsersAnswer {
    #[serde(deserialize_with = "list")]
    users: Vec<Map<String, Value>>,
    #[serde(deserialize_with = "list")]
    groups: Vec<WireGroup>,
    #[serde(deserialize_with = "number")]
    total: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireUser {
    uuid: String,
    group_path: String,
    attributes: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "list")]
    roles: Vec<WireRole>,
    login: String,
    #[serde(deserialize_with = "number")]
    last_connected: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireGroup {
    uuid: String,
    group_path: String,
    group_label: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RolesAnswer {
    #[serde(deserialize_with = "list")]
    roles: Vec<WireRole>,
    #[serde(deserialize_with = "number")]
    total: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireRole {
    uuid: String,
    label: String,
    group_role: bool,
    user_role: bool,
    #[serde(deserialize_with = "number")]
    last_updated: i64,
    #[serde(deserialize_with = "list")]
    auto_applies: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WorkspacesAnswer {
    #[serde(deserialize_with = "list")]
    workspaces: Vec<WireWorkspace>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireWorkspace {
    #[serde(rename = "UUID")]
    uuid: String,
    label: String,
    description: String,
    slug: String,
    scope: String,
    #[serde(deserialize_with = "number")]
    last_updated: i64,
    root_nodes: Option<BTreeMap<String, WireRoot>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireRoot {
    path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AclsAnswer {
    #[serde(rename = "ACLs", deserialize_with = "list")]
    acls: Vec<Value>,
}

/// A page of a list.
struct Page<T> {
    items: Vec<T>,
    /// The total number of items, if the answer contains it.
    total: Option<u64>,
}

impl Client {
    /// Returns all users, sorted by login.
    ///
    /// # Errors
    /// Any failure of a call.
    pub async fn users(&self) -> Result<Vec<UserEntry>, ServerError> {
        let fetch = async |offset| {
            let request = json!({"Queries": [{"NodeType": "USER"}], "Limit": PAGE, "Offset": offset});
            let answer: UsersAnswer = self.read("/a/user", &request).await?;
            let items = answer.users.into_iter().map(UserEntry::of).collect::<Result<_, _>>()?;
            Ok(Page { items, total: u64::try_from(answer.total).ok() })
        };
        let users = all(fetch, |user: &UserEntry| user.uuid.clone()).await?;
        // Every user sees at least their own entry.
        let mut users = never_empty(users, "users")?;
        users.sort_by(|one, other| one.login.cmp(&other.login));
        Ok(users)
    }

    /// Returns all groups, sorted by path.
    ///
    /// # Errors
    /// Any failure of a call.
    pub async fn groups(&self) -> Result<Vec<GroupEntry>, ServerError> {
        let fetch = async |offset| {
            let request = json!({"Queries": [{"NodeType": "GROUP"}], "Limit": PAGE, "Offset": offset});
            let answer: UsersAnswer = self.read("/a/user", &request).await?;
            let items = answer.groups.into_iter().map(WireGroup::into_entry).collect();
            Ok(Page { items, total: u64::try_from(answer.total).ok() })
        };
        let mut groups = all(fetch, |group: &GroupEntry| group.uuid.clone()).await?;
        groups.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(groups)
    }

    /// Returns all roles, sorted by name.
    ///
    /// # Errors
    /// Any failure of a call.
    pub async fn roles(&self) -> Result<Vec<RoleEntry>, ServerError> {
        let fetch = async |offset| {
            let request = json!({"Limit": PAGE, "Offset": offset});
            let answer: RolesAnswer = self.read("/a/role", &request).await?;
            let items = answer.roles.into_iter().map(WireRole::into_entry).collect();
            Ok(Page { items, total: u64::try_from(answer.total).ok() })
        };
        let roles = all(fetch, |role: &RoleEntry| role.uuid.clone()).await?;
        // Every user sees at least their own role.
        let mut roles = never_empty(roles, "roles")?;
        roles.sort_by(|one, other| (&one.label, &one.uuid).cmp(&(&other.label, &other.uuid)));
        Ok(roles)
    }

    /// Returns all workspaces, cells and links, sorted by slug.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn all_workspaces(&self) -> Result<Vec<WorkspaceEntry>, ServerError> {
        // The order of the workspaces is random, so pages could skip some. Without a limit the answer contains all.
        let answer: WorkspacesAnswer = self.read("/a/workspace", &json!({})).await?;
        let mut all: Vec<WorkspaceEntry> = answer.workspaces.into_iter().map(WireWorkspace::into_entry).collect();
        all.sort_by(|one, other| (&one.slug, &one.uuid).cmp(&(&other.slug, &other.uuid)));
        all.dedup_by(|one, other| one.uuid == other.uuid);
        Ok(all)
    }

    /// Returns all permissions, or those on the nodes with these UUIDs. Requires an administrator.
    ///
    /// # Errors
    /// Any failure of a call.
    pub async fn acls(&self, nodes: &[String]) -> Result<Vec<AclEntry>, ServerError> {
        let fetch = async |offset| {
            let mut request = json!({"Limit": PAGE, "Offset": offset});
            if !nodes.is_empty() {
                request["Queries"] = json!([{"NodeIDs": nodes}]);
            }
            let answer: AclsAnswer = self.read("/a/acl", &request).await?;
            Ok(Page { items: answer.acls.into_iter().map(AclEntry::of).collect(), total: None })
        };
        let found = all(fetch, |acl: &AclEntry| acl.id.clone()).await?;
        if nodes.is_empty() { never_empty(found, "rights") } else { Ok(found) }
    }

    /// Deletes one permission. Returns whether it existed. The server deletes everything that matches the request, and
    /// an absent field matches everything, so this method first checks that only this permission matches.
    ///
    /// # Errors
    /// Any failure of the call; [`ServerErrorKind::BadRequest`] if other permissions match too; then nothing is
    /// deleted.
    pub async fn delete_acl(&self, acl: &AclEntry) -> Result<bool, ServerError> {
        let more = |what: &str| {
            let message = format!("not deleted, because the server would also delete {what}");
            ServerError::new(ServerErrorKind::BadRequest, message)
        };
        if acl.node.is_empty() || acl.action.is_empty() {
            return Err(more("permissions on other nodes, or other permissions"));
        }
        [&acl.node, &acl.action, &acl.role, &acl.workspace, &acl.value]
            .into_iter()
            .try_for_each(|text| no_star(text))?;
        let all = self.acls(std::slice::from_ref(&acl.node)).await?;
        let others: Vec<&AclEntry> = all.iter().filter(|other| other.id != acl.id && acl.is_fit_by(other)).collect();
        if let Some(other) = others.first() {
            return Err(more(&format!("{} more (such as number {})", others.len(), other.id)));
        }
        let answer: Deleted = self.write(Method::POST, "/a/acl/bulk/delete", &acl.fields).await?;
        Ok(answer.rows > 0)
    }

    /// Returns the user with exactly this login; `None` if there is none. The server may answer with another user: it
    /// treats `*` as a wildcard and ignores case.
    ///
    /// # Errors
    /// Any other failure of the call.
    pub async fn user_entry(&self, login: &str) -> Result<Option<UserEntry>, ServerError> {
        match self.get(&user_path(login)?).await {
            Ok(fields) => UserEntry::of(fields).map(|user| Some(user).filter(|user| user.login == login)),
            Err(error) if error.kind == ServerErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a user. An existing user is not changed.
    ///
    /// # Errors
    /// Any failure of the call; [`ServerErrorKind::Conflict`] if the login is in use.
    pub async fn create_user(&self, login: &str, change: &UserChange) -> Result<UserEntry, ServerError> {
        let mut fields = Map::new();
        fields.insert("Login".to_owned(), login.into());
        fields.insert("GroupPath".to_owned(), "/".into());
        self.put_user(login, fields, change).await.map_err(|error| {
            let kind = if error.is(Reason::NameTaken) { ServerErrorKind::Conflict } else { error.kind };
            ServerError { kind, ..error }
        })
    }

    /// Changes a user and returns the result.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn update_user(&self, user: &UserEntry, change: &UserChange) -> Result<UserEntry, ServerError> {
        self.put_user(&user.login, user.fields.clone(), change).await
    }

    async fn put_user(
        &self,
        login: &str,
        mut fields: Map<String, Value>,
        change: &UserChange,
    ) -> Result<UserEntry, ServerError> {
        if let Some(group) = &change.group {
            fields.insert("GroupPath".to_owned(), group.as_str().into());
        }
        // If there are no attributes at all, the server closes the connection.
        let attributes = fields.entry("Attributes").or_insert_with(|| json!({}));
        for (name, value) in &change.attributes {
            if let Some(attributes) = attributes.as_object_mut() {
                match value.is_empty() {
                    true => attributes.remove(name),
                    false => attributes.insert(name.clone(), value.as_str().into()),
                };
            }
        }
        if let Some(roles) = &change.roles {
            let own = fields.get("Roles").and_then(Value::as_array).cloned().unwrap_or_default();
            let is_own = |role: &Value| role.get("UserRole").is_some() || role.get("GroupRole").is_some();
            let given = roles.iter().map(|uuid| json!({"Uuid": uuid}));
            let roles: Vec<Value> = own.into_iter().filter(is_own).chain(given).collect();
            fields.insert("Roles".to_owned(), roles.into());
        }
        for (name, secret) in [("Password", &change.password), ("OldPassword", &change.old_password)] {
            if let Some(secret) = secret {
                fields.insert(name.to_owned(), secret.expose_secret().into());
            }
        }
        UserEntry::of(self.write(Method::PUT, &user_path(login)?, &fields).await?)
    }

    /// Deletes a user that was read before.
    ///
    /// # Errors
    /// Any failure of the call; [`ServerErrorKind::NotFound`] if the user no longer exists; [`ServerErrorKind::Server`]
    /// if the server reports that it has deleted more than one.
    pub async fn delete_user(&self, user: &UserEntry) -> Result<(), ServerError> {
        let path = user_path(&user.login)?;
        deleted_one(&self.delete_call(&path).await?, &format!("the user '{}'", user.login))
    }
}

/// The server's answer to a deletion.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Deleted {
    #[serde(rename = "NumRows", deserialize_with = "number")]
    rows: i64,
}

/// Checks that exactly one object was deleted. The server also reports success if there was none.
///
/// # Errors
/// [`ServerErrorKind::NotFound`]; [`ServerErrorKind::Server`] for more than one.
pub(super) fn deleted_one(answer: &Deleted, what: &str) -> Result<(), ServerError> {
    match answer.rows {
        1 => Ok(()),
        rows if rows > 1 => {
            let message = format!("the server was asked to delete {what} and reports that it deleted {rows}");
            Err(ServerError::new(ServerErrorKind::Server, message))
        }
        _ => Err(ServerError::new(ServerErrorKind::NotFound, format!("{what} no longer exists"))),
    }
}

/// Whether the server treats a text as the name of exactly one object.
fn is_exact(name: &str) -> bool {
    let is_odd = |character: char| character == '*' || character == '/' || character.is_control();
    !matches!(name, "" | "." | "..") && !name.contains(is_odd) && !name.to_ascii_lowercase().contains("%2f")
}

/// Checks that the server treats a name as that of exactly one object: a `*` matches any text, and a slash turns a
/// login into the path of a group with all its users.
///
/// # Errors
/// [`ServerErrorKind::BadRequest`].
pub(super) fn check_exact(name: &str) -> Result<(), ServerError> {
    if is_exact(name) {
        return Ok(());
    }
    Err(ServerError::new(
        ServerErrorKind::BadRequest,
        format!("'{name}' is not sent, because it may match several items on the server"),
    ))
}

fn no_star(text: &str) -> Result<(), ServerError> {
    if text.contains('*') { check_exact(text) } else { Ok(()) }
}

/// Whether a text can be the login of an existing user.
pub fn is_login(text: &str) -> bool {
    is_exact(text)
}

fn user_path(login: &str) -> Result<String, ServerError> {
    check_exact(login)?;
    Ok(format!("/a/user/{}", encode_segment(login)))
}

/// Returns all pages of a list, each item once. Ends at the reported total, or else at the first page that is not full.
async fn all<T, Fetch>(fetch: Fetch, identity: impl Fn(&T) -> String) -> Result<Vec<T>, ServerError>
where
    Fetch: AsyncFn(u64) -> Result<Page<T>, ServerError>,
{
    let mut found = Vec::new();
    let mut known = HashSet::new();
    let mut offset = 0;
    loop {
        let page = fetch(offset).await?;
        let count = page.items.len() as u64;
        let before = found.len();
        found.extend(page.items.into_iter().filter(|item| known.insert(identity(item))));
        offset += PAGE;
        let is_last = page.total.map_or(count < PAGE, |total| offset >= total);
        // A server that ignores offsets would send the same page forever.
        if is_last || count == 0 || found.len() == before {
            return Ok(found);
        }
    }
}

fn read<T: DeserializeOwned>(fields: Value) -> Result<T, ServerError> {
    serde_json::from_value(fields).map_err(|error| {
        ServerError::new(ServerErrorKind::NotCells, format!("unexpected answer from the server: {error}"))
    })
}

fn time(seconds: i64) -> Option<Timestamp> {
    Some(seconds).filter(|seconds| *seconds > 0).and_then(|seconds| Timestamp::from_second(seconds).ok())
}

/// Returns a group's path without the trailing slash.
fn group_path(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

impl UserEntry {
    fn of(fields: Map<String, Value>) -> Result<Self, ServerError> {
        let wire: WireUser = read(Value::Object(fields.clone()))?;
        let attributes = wire.attributes.unwrap_or_default();
        let attribute = |name: &str| attributes.get(name).cloned().unwrap_or_default();
        let roles = wire.roles.into_iter().map(WireRole::into_entry);
        Ok(Self {
            uuid: wire.uuid,
            login: wire.login,
            group: group_path(&wire.group_path),
            profile: attribute("profile"),
            display_name: attribute("displayName"),
            email: attribute("email"),
            hidden: attribute("hidden") == "true",
            locked: attribute("locks").contains("logout"),
            last_connected: time(wire.last_connected),
            roles: roles.filter(|role| role.kind == RoleKind::Role).collect(),
            attributes,
            fields,
        })
    }
}

impl WireGroup {
    fn into_entry(self) -> GroupEntry {
        let parent = self.group_path.trim_end_matches('/');
        GroupEntry { uuid: self.uuid, path: format!("{parent}/{}", self.group_label), label: self.group_label }
    }
}

impl WireRole {
    fn into_entry(self) -> RoleEntry {
        RoleEntry {
            uuid: self.uuid,
            label: self.label,
            kind: match (self.user_role, self.group_role) {
                (true, _) => RoleKind::User,
                (_, true) => RoleKind::Group,
                _ => RoleKind::Role,
            },
            auto_applies: self.auto_applies.into_iter().filter(|profile| !profile.is_empty()).collect(),
            updated: time(self.last_updated),
        }
    }
}

impl WireWorkspace {
    fn into_entry(self) -> WorkspaceEntry {
        WorkspaceEntry {
            uuid: self.uuid,
            slug: self.slug,
            label: self.label,
            description: self.description,
            scope: self.scope,
            updated: time(self.last_updated),
            roots: self.root_nodes.unwrap_or_default().into_values().map(|node| node.path).collect(),
        }
    }
}

impl AclEntry {
    /// Whether a deletion of this permission would also delete the other one.
    fn is_fit_by(&self, other: &Self) -> bool {
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        fits(&self.node, &other.node)
            && fits(&self.action, &other.action)
            && fits(&self.value, &other.value)
            && fits(&self.role, &other.role)
            && fits(&self.workspace, &other.workspace)
    }

    fn of(fields: Value) -> Self {
        let text = |value: &Value, name: &str| match value.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let action = fields.get("Action").cloned().unwrap_or_default();
        Self {
            id: text(&fields, "ID"),
            node: text(&fields, "NodeID"),
            role: text(&fields, "RoleID"),
            workspace: text(&fields, "WorkspaceID"),
            action: text(&action, "Name"),
            value: text(&action, "Value"),
            fields,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::answer;
    use std::sync::Mutex;

    #[test]
    fn recorded_users_roles_workspaces_and_rights_are_read() {
        let user = UserEntry::of(serde_json::from_slice(&answer("47-user-get").body).expect("JSON")).expect("a user");
        assert_eq!((user.login.as_str(), user.group.as_str(), user.profile.as_str()), ("alice", "/", "standard"));
        assert_eq!(user.last_connected.map(Timestamp::as_second), Some(1_795_453_613));
        assert!(user.roles.is_empty() && !user.hidden && !user.locked);
        let roles: RolesAnswer = serde_json::from_slice(&answer("49-roles").body).expect("roles");
        let roles: Vec<RoleEntry> = roles.roles.into_iter().map(WireRole::into_entry).collect();
        assert_eq!((roles[0].kind, roles[0].auto_applies.as_slice()), (RoleKind::Role, &["admin".to_owned()][..]));
        assert_eq!((roles[1].kind, roles[1].auto_applies.len()), (RoleKind::User, 0));
        let workspaces: WorkspacesAnswer = serde_json::from_slice(&answer("51-workspaces").body).expect("workspaces");
        let workspace = workspaces.workspaces.into_iter().next().expect("one").into_entry();
        assert_eq!((workspace.slug.as_str(), workspace.scope.as_str()), ("common-files", "ADMIN"));
        assert_eq!(workspace.roots, ["pydiods1/"]);
        let acls: AclsAnswer = serde_json::from_slice(&answer("52-acls").body).expect("rights");
        let acl = AclEntry::of(acls.acls[1].clone());
        assert_eq!((acl.id.as_str(), acl.action.as_str(), acl.node.as_str()), ("2", "write", "my-files"));
    }

    #[test]
    fn a_login_that_would_name_a_group_is_not_sent() {
        for login in ["", "/", "staff/", "a/b", "wtest*", "*", "..", ".", "staff%2F", "a%2fb", "a\n"] {
            assert_eq!(user_path(login).expect_err(login).kind, ServerErrorKind::BadRequest);
        }
        assert_eq!(user_path("a b").expect("a login"), "/a/user/a%20b");
    }

    #[tokio::test]
    async fn lists_are_read_to_their_end_and_no_further() {
        let count = |total: u64, told: bool| {
            let asked = Mutex::new(0);
            async move {
                let fetch = async |offset: u64| {
                    *asked.lock().expect("a lock") += 1;
                    let items = (offset..total.min(offset + PAGE)).map(|number| number.to_string()).collect();
                    Ok(Page { items, total: told.then_some(total) })
                };
                let found = all(fetch, String::clone).await.expect("no failure").len() as u64;
                (found, *asked.lock().expect("a lock"))
            }
        };
        for (total, told, calls) in [(0, true, 1), (0, false, 1), (199, false, 1), (200, true, 1), (401, true, 3)] {
            assert_eq!(count(total, told).await, (total, calls), "{total} {told}");
        }
        assert_eq!(count(200, false).await, (200, 2));
        assert_eq!(count(450, false).await, (450, 3));
    }

    #[tokio::test]
    async fn a_server_that_repeats_a_page_is_not_asked_again() {
        let fetch = async |_: u64| {
            Ok(Page { items: (0..PAGE).map(|number| number.to_string()).collect(), total: Some(100_000) })
        };
        assert_eq!(all(fetch, String::clone).await.expect("no failure").len() as u64, PAGE);
    }
}

//! `/a/user`, `/a/role`, `/a/workspace`, `/a/acl`: who exists, and who may do what.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::error::{Prefix, RestError, RestResult};
use super::json::{Field, JsonError, Value, message};
use super::{Call, reply};
use crate::directory::{Acl, GroupRecord, RoleRecord, State, UserRecord};
use crate::random;
use crate::world::{RootKind, WORKSPACES};

message! {
    struct PolicyInput {
        id: String = "id",
        resource: String = "Resource",
        action: String = "Action",
        subject: String = "Subject",
        effect: String = "Effect",
        conditions: String = "JsonConditions",
    }
}

message! {
    struct RoleInput {
        uuid: String = "Uuid",
        label: String = "Label",
        is_team: bool = "IsTeam",
        is_group: bool = "GroupRole",
        is_user: bool = "UserRole",
        last_updated: i64 = "LastUpdated",
        auto_applies: Vec<String> = "AutoApplies",
        policies: Vec<PolicyInput> = "Policies",
        editable: bool = "PoliciesContextEditable",
        force_override: bool = "ForceOverride",
    }
}

message! {
    struct UserInput {
        uuid: String = "Uuid",
        group_path: String = "GroupPath",
        attributes: Option<BTreeMap<String, String>> = "Attributes",
        roles: Vec<RoleInput> = "Roles",
        login: String = "Login",
        password: String = "Password",
        old_password: String = "OldPassword",
        is_group: bool = "IsGroup",
        group_label: String = "GroupLabel",
        last_connected: i64 = "LastConnected",
        policies: Vec<PolicyInput> = "Policies",
        editable: bool = "PoliciesContextEditable",
    }
}

message! {
    struct UserQuery {
        uuid: String = "Uuid",
        login: String = "Login",
        group_path: String = "GroupPath",
        recursive: bool = "Recursive",
        full_path: String = "FullPath",
        node_type: NodeType = "NodeType",
        attribute_name: String = "AttributeName",
        attribute_value: String = "AttributeValue",
        has_role: String = "HasRole",
        not: bool = "not",
    }
}

message! {
    struct UserSearch {
        queries: Vec<UserQuery> = "Queries",
        operation: Operation = "Operation",
        limit: i64 = "Limit",
        offset: i64 = "Offset",
        count_only: bool = "CountOnly",
    }
}

message! {
    struct RoleQuery {
        uuids: Vec<String> = "Uuid",
        label: String = "Label",
        is_group: bool = "IsGroupRole",
        is_user: bool = "IsUserRole",
        not: bool = "not",
    }
}

message! {
    struct RoleSearch {
        queries: Vec<RoleQuery> = "Queries",
        operation: Operation = "Operation",
        limit: i64 = "Limit",
        offset: i64 = "Offset",
        count_only: bool = "CountOnly",
    }
}

message! {
    struct WorkspaceQuery {
        uuid: String = "uuid",
        label: String = "label",
        description: String = "description",
        slug: String = "slug",
        scope: Scope = "scope",
        not: bool = "not",
    }
}

message! {
    struct WorkspaceSearch {
        queries: Vec<WorkspaceQuery> = "Queries",
        operation: Operation = "Operation",
        limit: i64 = "Limit",
        offset: i64 = "Offset",
        count_only: bool = "CountOnly",
    }
}

message! {
    struct ActionInput {
        name: String = "Name",
        value: String = "Value",
    }
}

message! {
    struct AclInput {
        id: i64 = "ID",
        action: Option<ActionInput> = "Action",
        role: String = "RoleID",
        workspace: String = "WorkspaceID",
        node: String = "NodeID",
    }
}

message! {
    struct AclQuery {
        actions: Vec<ActionInput> = "Actions",
        roles: Vec<String> = "RoleIDs",
        workspaces: Vec<String> = "WorkspaceIDs",
        nodes: Vec<String> = "NodeIDs",
        not: bool = "not",
    }
}

message! {
    struct AclSearch {
        queries: Vec<AclQuery> = "Queries",
        operation: Operation = "Operation",
        limit: i64 = "Limit",
        offset: i64 = "Offset",
        count_only: bool = "CountOnly",
    }
}

macro_rules! enumeration {
    ($(#[$outer:meta])* $name:ident: $($text:literal = $number:literal),*) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct $name(i64);

        impl Field for $name {
            fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
                value.enum_value(&[$(($text, $number)),*], name, source).map(Self)
            }
        }
    };
}

enumeration!(
    /// How several queries go together.
    Operation: "OR" = 0, "AND" = 1
);
enumeration!(
    /// Users, groups, or both.
    NodeType: "UNKNOWN" = 0, "USER" = 1, "GROUP" = 2
);
enumeration!(
    /// What kind of workspace.
    Scope: "ANY" = 0, "ADMIN" = 1, "ROOM" = 2, "LINK" = 3
);

/// Whether something matches the queries. Without queries, everything does.
fn fits<Q>(queries: &[Q], operation: Operation, one: impl Fn(&Q) -> bool) -> bool {
    match operation {
        _ if queries.is_empty() => true,
        Operation(1) => queries.iter().all(one),
        _ => queries.iter().any(one),
    }
}

/// A text against a pattern with `*` at one end or both.
fn matches(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => pattern.is_empty() || pattern == text,
    }
}

fn page<T>(items: Vec<T>, limit: i64, offset: i64) -> Vec<T> {
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    items.into_iter().skip(usize::try_from(offset).unwrap_or(0)).take(limit).collect()
}

/// Members without a value are omitted, as everywhere in answers.
fn compact(value: Json) -> Json {
    let Json::Object(members) = value else { return value };
    let is_something = |value: &Json| match value {
        Json::Null => false,
        Json::Bool(yes) => *yes,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
    };
    Json::Object(members.into_iter().filter(|(_, value)| is_something(value)).collect())
}

fn policy(resource: &str, action: &str, subject: &str) -> Json {
    json!({"id": "1", "Resource": resource, "Action": action, "Subject": subject, "Effect": "allow"})
}

fn role_json(role: &RoleRecord) -> Json {
    let subject = if role.is_user || role.is_group { "profile:standard" } else { "*" };
    compact(json!({
        "Uuid": role.uuid,
        "Label": role.label,
        "UserRole": role.is_user,
        "GroupRole": role.is_group,
        "LastUpdated": 1_795_450_715,
        "AutoApplies": [role.auto_applies],
        "Policies": [policy(&role.uuid, "READ", subject), policy(&role.uuid, "WRITE", "profile:admin")],
        "PoliciesContextEditable": true,
    }))
}

fn user_json(state: &State, user: &UserRecord) -> Json {
    let in_group = |group: &&GroupRecord| user.group_path.starts_with(&group.path());
    let groups = state.groups.iter().filter(in_group).map(|group| group.uuid.as_str());
    let ids: Vec<&str> = std::iter::once("ROOT_GROUP")
        .chain(groups)
        .chain(user.roles.iter().map(String::as_str))
        .chain([user.uuid.as_str()])
        .collect();
    let roles = ids.iter().filter_map(|id| state.roles.iter().find(|role| role.uuid == *id)).map(role_json);
    compact(json!({
        "Uuid": user.uuid,
        "GroupPath": user.group_path,
        "Attributes": user.attributes,
        "Roles": roles.collect::<Vec<_>>(),
        "Login": user.login,
        "LastConnected": user.last_connected,
        "Policies": [
            policy(&user.uuid, "READ", "profile:standard"),
            policy(&user.uuid, "WRITE", "profile:admin"),
            policy(&user.uuid, "WRITE", &format!("user:{}", user.login)),
        ],
        "PoliciesContextEditable": true,
    }))
}

fn group_json(group: &GroupRecord) -> Json {
    json!({
        "Uuid": group.uuid,
        "GroupPath": group.parent,
        "Attributes": {"pydio:labelLike": group.label},
        "IsGroup": true,
        "GroupLabel": group.label,
        "Policies": [policy(&group.uuid, "READ", "profile:standard"), policy(&group.uuid, "WRITE", "profile:admin")],
        "PoliciesContextEditable": true,
    })
}

/// The hidden users of public links, as user lists show them.
fn link_users(call: &Call) -> Vec<UserRecord> {
    let user = |link: crate::links::Link| UserRecord {
        uuid: link.user_uuid,
        login: link.user_login,
        group_path: "/".to_owned(),
        attributes: [("hidden", "true"), ("profile", "shared")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..UserRecord::default()
    };
    call.shared.links.all().into_iter().map(user).collect()
}

fn user_fits(query: &UserQuery, user: &UserRecord) -> bool {
    let in_path = match query.group_path.as_str() {
        "" => true,
        path if query.recursive => user.group_path.starts_with(path.trim_end_matches('/')),
        path => user.group_path.trim_end_matches('/') == path.trim_end_matches('/'),
    };
    let attribute = |name: &str| user.attributes.get(name).map(String::as_str).unwrap_or_default();
    let by_name = query.login.ends_with('*') && matches(&query.login, attribute("displayName"));
    let fits = query.node_type != NodeType(2)
        && (query.uuid.is_empty() || query.uuid == user.uuid)
        && (query.login.is_empty() || by_name || matches(&query.login, &user.login))
        && (query.attribute_name.is_empty() || matches(&query.attribute_value, attribute(&query.attribute_name)))
        && query.has_role.is_empty()
        && query.full_path.is_empty()
        && in_path;
    fits != query.not
}

fn group_fits(query: &UserQuery, group: &GroupRecord) -> bool {
    let same = |path: &str, wanted: &str| path.trim_end_matches('/') == wanted.trim_end_matches('/');
    let fits = query.node_type != NodeType(1)
        && query.login.is_empty()
        && query.attribute_name.is_empty()
        && query.has_role.is_empty()
        && (query.uuid.is_empty() || query.uuid == group.uuid)
        && (query.full_path.is_empty() || same(&group.path(), &query.full_path))
        && (query.group_path.is_empty() || same(&group.parent, &query.group_path));
    fits != query.not
}

/// `POST /a/user`: the limit counts users and groups together.
pub(super) async fn search_users(call: &mut Call) -> RestResult {
    let request: UserSearch = call.message().await?;
    let (queries, operation) = (&request.queries, request.operation);
    let hidden = link_users(call);
    let (all, total) = call.shared.directory.with(|state| {
        let group = |group: &GroupRecord| {
            fits(queries, operation, |query| group_fits(query, group)).then(|| ("Groups", group_json(group)))
        };
        let user = |user: &UserRecord| {
            fits(queries, operation, |query| user_fits(query, user)).then(|| ("Users", user_json(state, user)))
        };
        let mut users: Vec<&UserRecord> = state.users.iter().chain(&hidden).collect();
        users.sort_by(|one, other| one.login.cmp(&other.login));
        let found: Vec<(&str, Json)> =
            state.groups.iter().filter_map(group).chain(users.into_iter().filter_map(user)).collect();
        let total = found.len();
        (page(found, request.limit, request.offset), total)
    });
    let of = |kind: &str| all.iter().filter(|(one, _)| *one == kind).map(|(_, json)| json.clone()).collect::<Vec<_>>();
    if request.count_only {
        return reply(&compact(json!({"Total": total})));
    }
    reply(&compact(json!({"Groups": of("Groups"), "Users": of("Users"), "Total": total})))
}

fn no_user(login: &str) -> RestError {
    let message = format!("cannot find user with login {login}");
    RestError::typed(StatusCode::NOT_FOUND, Prefix::NotFound, &message)
}

/// `GET /a/user/{login}`
pub(super) fn get_user(call: &Call, login: &str) -> RestResult {
    let hidden = link_users(call);
    let found = call.shared.directory.with(|state| {
        let user = state.users.iter().chain(&hidden).find(|user| is_meant(login, user))?;
        Some(user_json(state, user))
    });
    reply(&found.ok_or_else(|| no_user(login))?)
}

/// Whether a login in a URL means this user: a `*` matches anything, in any case.
fn is_meant(login: &str, user: &UserRecord) -> bool {
    if !login.contains('*') {
        return user.login == login;
    }
    let (pattern, name) = (login.to_lowercase(), user.login.to_lowercase());
    let pieces: Vec<&str> = pattern.split('*').collect();
    let mut rest = name.as_str();
    for (index, piece) in pieces.iter().enumerate() {
        match rest.find(piece) {
            Some(at) if index > 0 || at == 0 => rest = &rest[at + piece.len()..],
            _ => return false,
        }
    }
    rest.is_empty() || pattern.ends_with('*')
}

fn forbidden(message: &str) -> RestError {
    RestError::untyped(StatusCode::FORBIDDEN, message)
}

/// `PUT /a/user/{login}`: makes a user or a group, or changes the one of the same Uuid.
pub(super) async fn put_user(call: &mut Call, login: &str) -> RestResult {
    let input: UserInput = call.message().await?;
    let caller = call.caller()?.clone();
    if input.is_group {
        call.require_admin()?;
        let parent = with_slashes(&input.group_path);
        return reply(&group_json(&call.shared.directory.with(|state| state.add_group(&input.group_label, &parent))));
    }
    let Some(attributes) = input.attributes.clone() else { return Err(RestError::Panic) };
    let existing = call.shared.directory.with(|state| state.users.iter().find(|user| user.login == login).cloned());
    let is_self = caller.login == login;
    let profile = attributes.get("profile").map(String::as_str).unwrap_or_default();
    match &existing {
        Some(user) if user.uuid != input.uuid => return Err(forbidden("User with the same login already exists!")),
        Some(_) if !caller.admin && !is_self => {
            return Err(forbidden("You are not allowed to edit this user"));
        }
        None if !caller.admin && profile != "shared" => {
            return Err(forbidden("you are not allowed to create users with this profile"));
        }
        _ => {}
    }
    if !input.password.is_empty() {
        if is_self && !call.shared.logins.is_password(login, &input.old_password) {
            return Err(forbidden("password does not match"));
        }
        call.shared.logins.set_password(login, &input.password);
    }
    let own: Vec<String> =
        input.roles.iter().filter(|role| !role.is_user && !role.is_group).map(|role| role.uuid.clone()).collect();
    let shown = call.shared.directory.with(|state| {
        let user = UserRecord {
            uuid: existing.as_ref().map_or_else(random::uuid, |user| user.uuid.clone()),
            login: login.to_owned(),
            group_path: with_slashes(&input.group_path),
            attributes,
            roles: own,
            last_connected: existing.as_ref().map_or(0, |user| user.last_connected),
        };
        match state.users.iter_mut().find(|known| known.login == login) {
            Some(known) => *known = user.clone(),
            None => state.add_user(user.clone()),
        }
        user_json(state, &user)
    });
    reply(&shown)
}

fn with_slashes(path: &str) -> String {
    match path.trim_matches('/') {
        "" => "/".to_owned(),
        path => format!("/{path}/"),
    }
}

/// `DELETE /a/user/{login}`: always a success, whether or not the user existed. A `*` matches any text, and a slash at
/// the end means a group with all its members.
pub(super) fn delete_user(call: &Call, login: &str) -> RestResult {
    if !call.caller()?.admin {
        return Err(forbidden("You are not allowed to edit this user"));
    }
    if let Some(group) = login.strip_suffix('/') {
        let path = with_slashes(group);
        call.shared.directory.with(|state| state.remove_group(&path));
        return reply(&json!({"Success": true}));
    }
    if call.caller()?.login == login {
        return Err(forbidden("Please make sure not to delete yourself!"));
    }
    let removed = call.shared.directory.with(|state| {
        let meant: Vec<String> =
            state.users.iter().filter(|user| is_meant(login, user)).map(|user| user.login.clone()).collect();
        meant.iter().filter(|login| state.remove_user(login)).count()
    });
    let count = if removed == 0 { String::new() } else { removed.to_string() };
    reply(&compact(json!({"Success": true, "NumRows": count})))
}

/// `POST /a/role`
pub(super) async fn search_roles(call: &mut Call) -> RestResult {
    let request: RoleSearch = call.message().await?;
    let one = |query: &RoleQuery, role: &RoleRecord| {
        let fits = (query.uuids.is_empty() || query.uuids.contains(&role.uuid))
            && matches(&query.label, &role.label)
            && (!query.is_user || role.is_user)
            && (!query.is_group || role.is_group);
        fits != query.not
    };
    let found: Vec<Json> = call.shared.directory.with(|state| {
        let roles = state.roles.iter();
        roles
            .filter(|role| fits(&request.queries, request.operation, |query| one(query, role)))
            .map(role_json)
            .collect()
    });
    let total = found.len();
    reply(&compact(json!({"Roles": page(found, request.limit, request.offset), "Total": total})))
}

/// `GET /a/role/{uuid}`
pub(super) fn get_role(call: &Call, uuid: &str) -> RestResult {
    let found = call.shared.directory.with(|state| state.roles.iter().find(|role| role.uuid == uuid).map(role_json));
    let message = format!("cannot find role for uuid {uuid}");
    reply(&found.ok_or_else(|| RestError::typed(StatusCode::NOT_FOUND, Prefix::NotFound, &message))?)
}

/// `POST /a/workspace`: in any order, and the total is that of the answer.
pub(super) async fn search_workspaces(call: &mut Call) -> RestResult {
    let request: WorkspaceSearch = call.message().await?;
    let one = |query: &WorkspaceQuery, item: &Json| {
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        let scope = ["ANY", "ADMIN", "ROOM", "LINK"].get(usize::try_from(query.scope.0).unwrap_or(0));
        let fits = matches(&query.uuid, text("UUID"))
            && matches(&query.label, text("Label"))
            && matches(&query.description, text("Description"))
            && matches(&query.slug, text("Slug"))
            && (query.scope.0 == 0 || scope == Some(&text("Scope")));
        fits != query.not
    };
    let mut all = workspaces(call);
    all.retain(|item| fits(&request.queries, request.operation, |query| one(query, item)));
    let start = rand::random::<u64>() as usize % all.len().max(1);
    all.rotate_left(start);
    let shown = page(all, request.limit, request.offset);
    let total = shown.len();
    reply(&compact(json!({"Workspaces": shown, "Total": total})))
}

fn workspaces(call: &Call) -> Vec<Json> {
    let fixed = WORKSPACES.iter().map(|workspace| {
        let path = match workspace.root_kind {
            RootKind::Datasource => "pydiods1/".to_owned(),
            RootKind::Personal => "my-files".to_owned(),
            RootKind::Folder => format!("{}-root/", workspace.slug),
        };
        let node = json!({"Uuid": workspace.root_uuid, "Path": path, "Type": "COLLECTION"});
        compact(json!({
            "UUID": workspace.uuid,
            "Label": workspace.label,
            "Description": workspace.description,
            "Slug": workspace.slug,
            "Scope": "ADMIN",
            "LastUpdated": 1_795_450_715,
            "Policies": [policy(workspace.uuid, "READ", "profile:standard"), policy(workspace.uuid, "WRITE", "profile:admin")],
            "Attributes": "{\"DEFAULT_RIGHTS\":\"rw\"}",
            "RootNodes": {workspace.root_uuid: node},
        }))
    });
    // Links of others are shown to administrators only.
    let caller = call.caller().ok();
    let is_mine = |owner: &str| caller.is_some_and(|caller| caller.admin || caller.login == owner);
    let roots = |node_uuids: &[String]| -> serde_json::Map<String, Json> {
        let node = |uuid: &String| {
            call.shared.nodes.read(|forest| {
                let id = forest.by_uuid(uuid)?;
                let node = json!({"Uuid": uuid, "Path": format!("pydiods1/{}", forest.path(id))});
                Some((uuid.clone(), node))
            })
        };
        node_uuids.iter().filter_map(node).collect()
    };
    let linked = call.shared.links.all().into_iter().filter(|link| is_mine(&link.owner)).map(|link| {
        compact(json!({
            "UUID": link.uuid,
            "Label": link.label,
            "Description": link.description,
            "Slug": link.slug,
            "Scope": "LINK",
            "LastUpdated": link.updated,
            "Policies": [policy(&link.uuid, "WRITE", &format!("user:{}", link.owner))],
            "RootNodes": roots(&link.node_uuids),
        }))
    });
    let orphaned = call.shared.links.orphans().into_iter().filter(|orphan| is_mine(&orphan.owner)).map(|orphan| {
        json!({
            "UUID": orphan.uuid,
            "Label": orphan.label,
            "Slug": orphan.slug,
            "Scope": "LINK",
            "LastUpdated": orphan.updated,
            "Policies": [policy(&orphan.uuid, "WRITE", &format!("user:{}", orphan.owner))],
            "RootNodes": roots(&orphan.node_uuids),
        })
    });
    fixed.chain(linked).chain(orphaned).collect()
}

/// `DELETE /a/workspace/{slug}`: only those of links; always a success, whether or not the workspace existed.
pub(super) fn delete_workspace(call: &Call, slug: &str) -> RestResult {
    call.require_admin()?;
    let links = &call.shared.links;
    let of_link = links.all().into_iter().find(|link| link.slug == slug).map(|link| link.uuid);
    let uuid = of_link.or_else(|| links.orphans().into_iter().find(|one| one.slug == slug).map(|one| one.uuid));
    match uuid {
        Some(uuid) => {
            links.remove(&uuid);
            reply(&json!({"Success": true, "NumRows": "1"}))
        }
        None => reply(&json!({"Success": true})),
    }
}

fn acl_json(acl: &Acl) -> Json {
    compact(json!({
        "ID": acl.id.to_string(),
        "Action": compact(json!({"Name": acl.action, "Value": acl.value})),
        "RoleID": acl.role,
        "WorkspaceID": acl.workspace,
        "NodeID": acl.node,
    }))
}

/// `POST /a/acl`: without a total.
pub(super) async fn search_acls(call: &mut Call) -> RestResult {
    call.require_admin()?;
    let request: AclSearch = call.message().await?;
    let one = |query: &AclQuery, acl: &Acl| {
        let any = |wanted: &[String], found: &String| wanted.is_empty() || wanted.contains(found);
        let fits = any(&query.roles, &acl.role)
            && any(&query.workspaces, &acl.workspace)
            && any(&query.nodes, &acl.node)
            && (query.actions.is_empty() || query.actions.iter().any(|action| action.name == acl.action));
        fits != query.not
    };
    let found: Vec<Json> = call.shared.directory.with(|state| {
        let acls = state.acls.iter();
        acls.filter(|acl| fits(&request.queries, request.operation, |query| one(query, acl))).map(acl_json).collect()
    });
    reply(&compact(json!({"ACLs": page(found, request.limit, request.offset)})))
}

/// `PUT /a/acl`
pub(super) async fn put_acl(call: &mut Call) -> RestResult {
    call.require_admin()?;
    let input: AclInput = call.message().await?;
    let action = input.action.unwrap_or_default();
    let mut acl = Acl {
        id: 0,
        action: action.name,
        value: action.value,
        role: input.role,
        workspace: input.workspace,
        node: input.node,
    };
    match call.shared.directory.with(|state| state.add_acl(acl.clone())) {
        Some(id) => {
            acl.id = id;
            reply(&acl_json(&acl))
        }
        None => {
            let message = "Error 1062 (23000): Duplicate entry for key 'acls_u1'";
            Err(RestError::nested(StatusCode::INTERNAL_SERVER_ERROR, message))
        }
    }
}

/// `POST /a/acl/bulk/delete`: takes a permission as a filter, in which an absent field matches everything.
pub(super) async fn delete_acls(call: &mut Call) -> RestResult {
    call.require_admin()?;
    let input: AclInput = call.message().await?;
    let removed = call.shared.directory.with(|state| {
        let before = state.acls.len();
        state.acls.retain(|acl| {
            let any = |wanted: &String, found: &String| wanted.is_empty() || wanted == found;
            let named = input
                .action
                .as_ref()
                .is_none_or(|action| any(&action.name, &acl.action) && any(&action.value, &acl.value));
            !(named
                && any(&input.role, &acl.role)
                && any(&input.workspace, &acl.workspace)
                && any(&input.node, &acl.node))
        });
        before - state.acls.len()
    });
    let count = if removed == 0 { String::new() } else { removed.to_string() };
    reply(&compact(json!({"Success": true, "NumRows": count})))
}

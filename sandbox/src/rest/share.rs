//! `/a/share/link`: making, changing, reading and removing public links.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::error::{Prefix, RestError, RestResult};
use super::idm::PolicyInput;
use super::json::{Field, JsonError, Value, message};
use super::tree::NodeInput;
use super::{Call, reply};
use crate::links::Link;
use crate::world;

/// The shortest hash that a user may choose.
const SHORTEST_HASH: usize = 12;

message! {
    struct LinkInput {
        uuid: String = "Uuid",
        link_hash: String = "LinkHash",
        link_url: String = "LinkUrl",
        label: String = "Label",
        description: String = "Description",
        user_uuid: String = "UserUuid",
        user_login: String = "UserLogin",
        password_required: bool = "PasswordRequired",
        access_start: i64 = "AccessStart",
        access_end: i64 = "AccessEnd",
        max_downloads: i64 = "MaxDownloads",
        current_downloads: i64 = "CurrentDownloads",
        view_template: String = "ViewTemplateName",
        target_users: std::collections::BTreeMap<String, String> = "TargetUsers",
        restrict_to_target_users: bool = "RestrictToTargetUsers",
        root_nodes: Vec<NodeInput> = "RootNodes",
        permissions: Vec<Permission> = "Permissions",
        policies: Vec<PolicyInput> = "Policies",
        editable: bool = "PoliciesContextEditable",
    }
}

message! {
    struct PutRequest {
        link: Option<LinkInput> = "ShareLink",
        password_enabled: bool = "PasswordEnabled",
        create_password: String = "CreatePassword",
        update_password: String = "UpdatePassword",
        update_hash: String = "UpdateCustomHash",
    }
}

/// What visitors may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permission(&'static str);

impl Field for Permission {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        const NAMES: [(&str, i64); 4] = [("NoAccess", 0), ("Preview", 1), ("Download", 2), ("Upload", 3)];
        let number = value.enum_value(&NAMES, name, source)?;
        Ok(Self(NAMES.iter().find(|(_, known)| *known == number).map_or("NoAccess", |(name, _)| name)))
    }
}

/// `PUT /a/share/link`
pub(super) async fn put_link(call: &mut Call) -> RestResult {
    let request: PutRequest = call.message().await?;
    let input = request.link.as_ref().ok_or(RestError::Panic)?;
    let (login, links) = (call.caller()?.login.clone(), &call.shared.links);
    let now = call.shared.clock.now();
    let before = if input.uuid.is_empty() { None } else { Some(editable(call, &input.uuid)?) };
    let is_new = before.is_none();
    if !is_new && input.user_login.is_empty() {
        // A change must return all fields of the link.
        return Err(RestError::nested(StatusCode::INTERNAL_SERVER_ERROR, "key required"));
    }
    let mut link = before.unwrap_or_else(|| Link::new(&login, now));
    if input.label.is_empty() {
        return Err(refused("please provide a non-empty label for this workspace"));
    }
    for node in &input.root_nodes {
        if call.shared.nodes.reach(call.caller()?, &node.uuid).is_none() {
            let message = format!("Node {} Not found in tree!", node.uuid);
            return Err(RestError::typed(StatusCode::NOT_FOUND, Prefix::NotFound, &message));
        }
    }
    link.label.clone_from(&input.label);
    link.description.clone_from(&input.description);
    if is_new {
        link.slug = links.free_slug(&link.label);
    }
    link.node_uuids = input.root_nodes.iter().map(|node| node.uuid.clone()).collect();
    link.permissions = input.permissions.iter().map(|permission| permission.0).collect();
    (link.access_end, link.max_downloads, link.updated) = (input.access_end, input.max_downloads, now);
    if let Err(error) = set_password(&request, &mut link).and_then(|()| set_hash(call, &request, &mut link)) {
        if is_new {
            links.abandon(&link);
            mark_nodes(call);
        }
        return Err(error);
    }
    links.put(link.clone());
    mark_nodes(call);
    reply(&wire(call, &link))
}

fn set_password(request: &PutRequest, link: &mut Link) -> Result<(), RestError> {
    if !request.password_enabled {
        link.password = None;
        return Ok(());
    }
    // The description in the request counts, not the present state.
    let keeps = request.link.as_ref().is_some_and(|input| input.password_required) && link.password.is_some();
    let given = if keeps { &request.update_password } else { &request.create_password };
    match (given.is_empty(), keeps) {
        (false, _) => link.password = Some(given.clone()),
        (true, true) => {}
        (true, false) => return Err(refused("Please provide a non empty password!")),
    }
    Ok(())
}

fn set_hash(call: &Call, request: &PutRequest, link: &mut Link) -> Result<(), RestError> {
    let wanted = &request.update_hash;
    if wanted.is_empty() || *wanted == link.hash {
        return Ok(());
    }
    if wanted.len() < SHORTEST_HASH {
        let message = "Please use a link hash with at least 12 characters";
        return Err(RestError::typed(StatusCode::FORBIDDEN, Prefix::Forbidden, message));
    }
    if call.shared.links.by_hash(wanted).is_some() {
        return Err(RestError::internal("hash is already in use, please use another one"));
    }
    link.hash.clone_from(wanted);
    Ok(())
}

fn refused(message: &str) -> RestError {
    RestError::typed(StatusCode::INTERNAL_SERVER_ERROR, Prefix::BadRequest, message)
}

fn unknown(uuid: &str) -> RestError {
    let message = format!("Cannot find workspace with Uuid {uuid}");
    RestError::typed(StatusCode::NOT_FOUND, Prefix::NotFound, &message)
}

/// The link of that Uuid, which the caller must have made; administrators may change all.
fn editable(call: &Call, uuid: &str) -> Result<Link, RestError> {
    let (link, caller) = (call.shared.links.get(uuid), call.caller()?);
    if call.shared.links.orphan(uuid).is_some() {
        return Err(RestError::internal("docstore%!(EXTRA string=not found)"));
    }
    let link = link.ok_or_else(|| unknown(uuid))?;
    if link.owner == caller.login || caller.admin {
        return Ok(link);
    }
    Err(RestError::internal("you are not allowed to edit this link"))
}

/// `GET /a/share/link/{uuid}`: for everybody who reaches what it opens.
pub(super) fn get_link(call: &Call, uuid: &str) -> RestResult {
    if call.shared.links.orphan(uuid).is_some() {
        return Err(RestError::internal("docstore%!(EXTRA string=Cannot find link associated to this workspace)"));
    }
    let Some(link) = call.shared.links.get(uuid) else { return Err(unknown(uuid)) };
    let caller = call.caller()?;
    let reached = link.node_uuids.iter().all(|node| call.shared.nodes.reach(caller, node).is_some());
    if link.owner != caller.login && !caller.admin && !reached {
        let message = "You are not allowed to access this link";
        return Err(RestError::typed(StatusCode::FORBIDDEN, Prefix::Forbidden, message));
    }
    reply(&wire(call, &link))
}

/// `DELETE /a/share/link/{uuid}`
pub(super) fn delete_link(call: &Call, uuid: &str) -> RestResult {
    editable(call, uuid)?;
    call.shared.links.remove(uuid);
    mark_nodes(call);
    reply(&json!({"Success": true}))
}

/// Who may do what with the workspace of a link.
fn policies(link: &Link) -> [(&'static str, String); 5] {
    let owner = world::user(&link.owner).map_or_else(|| link.owner.clone(), |user| user.uuid.to_owned());
    [
        ("OWNER", owner),
        ("READ", format!("user:{}", link.owner)),
        ("WRITE", format!("user:{}", link.owner)),
        ("WRITE", "profile:admin".to_owned()),
        ("READ", format!("user:{}", link.user_login)),
    ]
}

fn wire(call: &Call, link: &Link) -> Json {
    let editable = call.caller().is_ok_and(|caller| caller.admin || caller.login == link.owner);
    let policy = |(action, subject): (&str, String)| json!({"Resource": link.uuid, "Action": action, "Subject": subject, "Effect": "allow"});
    let mut shown = json!({
        "Uuid": link.uuid,
        "LinkHash": link.hash,
        "LinkUrl": format!("/public/{}", link.hash),
        "Label": link.label,
        "UserUuid": link.user_uuid,
        "UserLogin": link.user_login,
        "Policies": policies(link).map(policy),
    });
    let mut add = |name: &str, value: Json, present: bool| {
        if present {
            shown[name] = value;
        }
    };
    let nodes: Vec<Json> = link.node_uuids.iter().map(|uuid| json!({"Uuid": uuid})).collect();
    add("Description", json!(link.description), !link.description.is_empty());
    add("PasswordRequired", json!(true), link.password.is_some());
    add("AccessEnd", json!(link.access_end.to_string()), link.access_end != 0);
    add("MaxDownloads", json!(link.max_downloads.to_string()), link.max_downloads != 0);
    add("CurrentDownloads", json!(link.downloads.to_string()), link.downloads != 0);
    add("RootNodes", json!(nodes), !nodes.is_empty());
    add("Permissions", json!(link.permissions), !link.permissions.is_empty());
    add("PoliciesContextEditable", json!(true), editable);
    shown
}

/// Writes into the nodes which links open them.
fn mark_nodes(call: &Call) {
    const KEY: &str = "workspaces_shares";
    let (links, orphans) = (call.shared.links.all(), call.shared.links.orphans());
    call.shared.nodes.write(|forest, _| {
        for id in forest.with_extra(KEY) {
            if let Some(node) = forest.get_mut(id) {
                node.extra.remove(KEY);
            }
        }
        let linked = links.iter().flat_map(|link| &link.node_uuids);
        for uuid in linked.chain(orphans.iter().flat_map(|orphan| &orphan.node_uuids)) {
            let mut opened: Vec<Json> = links.iter().filter(|link| link.node_uuids.contains(uuid)).map(share).collect();
            let left = orphans.iter().filter(|orphan| orphan.node_uuids.contains(uuid));
            opened.extend(
                left.map(|orphan| json!({"UUID": orphan.uuid, "Label": orphan.label, "Slug": orphan.slug, "Scope": 3})),
            );
            if let Some(node) = forest.by_uuid(uuid).and_then(|id| forest.get_mut(id)) {
                node.extra.insert(KEY.to_owned(), json!(opened).to_string());
            }
        }
    });
}

/// A link as the nodes name it, with numbers where the answers have names.
fn share(link: &Link) -> Json {
    let number = |action: &str| match action {
        "OWNER" => 1,
        "READ" => 2,
        _ => 3,
    };
    let policy = |(action, subject): (&str, String)| json!({"Resource": link.uuid, "Action": number(action), "Subject": subject, "Effect": 1});
    json!({
        "UUID": link.uuid,
        "Label": link.label,
        "Slug": link.slug,
        "Scope": 3,
        "LastUpdated": link.updated,
        "Policies": policies(link).map(policy),
    })
}

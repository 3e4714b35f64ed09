//! Single nodes: stat, create.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;

use super::error::{RestError, RestResult};
use super::json::{Field, JsonError, Value, message};
use super::node::{Rendering, WireNode, WireType, quoted, render, render_id};
use super::{Call, reply};
use crate::tree::forest::{LONGEST_NAME, TreeError};
use crate::tree::node::Kind;
use crate::tree::{Access, Place, find, root};

message! {
    /// A request without parameters.
    struct Empty {}
}

message! {
    /// A node as a request names it. Some clients send all fields of a node, most of them `null`.
    #[allow(dead_code, reason = "what a client says of the rest is read and not heeded, as the server does")]
    struct NodeInput {
        path: String = "Path",
        uuid: String = "Uuid",
        kind: TypeInput = "Type",
        meta_store: BTreeMap<String, String> = "MetaStore",
        size: i64 = "Size",
        modified: i64 = "MTime",
        mode: i32 = "Mode",
        etag: String = "Etag",
        commits: Vec<Unheeded> = "Commits",
        appears_in: Vec<Unheeded> = "AppearsIn",
    }
}

/// A message whose fields are ignored.
#[derive(Debug)]
pub(crate) struct Unheeded;

impl Field for Unheeded {
    fn read(value: &Value, _name: &str, source: &str) -> Result<Self, JsonError> {
        value.members(source, |_, _| Ok(true))?;
        Ok(Self)
    }
}

message! {
    struct CreateRequest {
        nodes: Vec<NodeInput> = "Nodes",
        recursive: bool = "Recursive",
        template_uuid: String = "TemplateUUID",
    }
}

/// The type of a node as a request names it: a name or a number; absent means folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TypeInput {
    #[default]
    Folder,
    File,
}

impl Field for TypeInput {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        let names = [("UNKNOWN", 0), ("LEAF", 1), ("COLLECTION", 2)];
        Ok(match value.enum_value(&names, name, source)? {
            1 => Self::File,
            _ => Self::Folder,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NodeAnswer {
    node: WireNode,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<WireNode>,
}

/// A path that may at least be read, and whether it may only be read.
pub(super) fn readable(call: &Call, path: &str) -> Result<(Place, bool), RestError> {
    match call.shared.nodes.resolve(call.caller()?, path) {
        Access::Allowed(place) => Ok((place, false)),
        Access::ReadOnly(place) | Access::FileFolder(place) => Ok((place, true)),
        Access::WriteOnly(_) | Access::NotReadable => Err(RestError::not_readable()),
        Access::UnknownWorkspace(slug) => Err(RestError::no_workspace(&slug)),
    }
}

/// The node at a path, as stat shows it.
pub(super) fn look_up(call: &Call, path: &str, counts: bool) -> Result<WireNode, RestError> {
    let access = call.shared.nodes.resolve(call.caller()?, path);
    let (place, read_only, write_only) = match access {
        Access::WriteOnly(place) => (place, false, true),
        Access::FileFolder(place) => return file_folder(call, &place),
        _ => readable(call, path).map(|(place, read_only)| (place, read_only, false))?,
    };
    // Without the permission to read, counts are not visible either.
    let rendering = Rendering { counts: counts && !write_only, read_only, write_only, ..Rendering::PLAIN };
    let found = call.shared.nodes.read(|forest| {
        let id = find(forest, &place).filter(|id| !place.is_inside_archive() && !forest.is_unseen(*id))?;
        render_id(forest, id, &place, rendering)
    });
    match found.or_else(|| archive(call, &place)) {
        Some(node) => Ok(node),
        None if write_only => Err(RestError::not_readable()),
        None => Err(RestError::no_node(&place.shown())),
    }
}

/// The folder that a link to a single file seems to open: it has no Uuid, and only its visitors know it.
fn file_folder(call: &Call, place: &Place) -> Result<WireNode, RestError> {
    let missing = || RestError::no_node(&place.shown());
    let visit = place.visit.as_ref().ok_or_else(missing)?;
    call.shared.nodes.read(|forest| {
        let file = find(forest, place).and_then(|id| forest.get(id)).ok_or_else(missing)?;
        let meta =
            [("hashing_version", quoted("v4")), ("name", quoted(&visit.label)), ("virtual_root", quoted("true"))];
        Ok(WireNode {
            path: format!("{}/", visit.slug),
            r#type: Some(WireType::Collection),
            size: file.size.to_string(),
            mtime: file.mtime.to_string(),
            meta_store: meta.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ..WireNode::default()
        })
    })
}

/// A folder can be downloaded as an archive that does not exist: `folder.zip` is answered with a size of -1 if there is
/// a `folder` and no such file.
fn archive(call: &Call, place: &Place) -> Option<WireNode> {
    let is_archive = |suffix: &&str| place.relative.strip_suffix(*suffix);
    let folder = [".zip", ".tar.gz", ".tar"].iter().find_map(is_archive)?;
    let folder = place.at(folder);
    call.shared.nodes.read(|forest| {
        let node = forest.get(find(forest, &folder)?)?;
        if node.kind != Kind::Folder || folder.relative.is_empty() {
            return None;
        }
        let mut shown = render(node, place.path(), Rendering::PLAIN);
        shown.r#type = Some(WireType::Leaf);
        shown.size = "-1".to_owned();
        shown.meta_store.insert("name".to_owned(), quoted(place.name()));
        Some(shown)
    })
}

/// `GET /a/tree/stat/{path}`
pub(super) fn stat(call: &Call, path: &str) -> RestResult {
    let node = look_up(call, path, false)?;
    reply(&NodeAnswer { node })
}

/// `POST /a/meta/get/{path}`: the same node without a wrapper.
pub(super) async fn meta_get(call: &mut Call, path: &str) -> RestResult {
    let _: Empty = call.message().await?;
    reply(&look_up(call, path, false)?)
}

/// `POST /a/tree/create`
pub(super) async fn create(call: &mut Call) -> RestResult {
    let request: CreateRequest = call.message().await?;
    if request.nodes.is_empty() {
        let message = "please provide at least one node to create";
        return Err(RestError::internal(message));
    }
    let mut children = Vec::new();
    let mut done = Vec::new();
    for input in &request.nodes {
        if done.contains(&&input.path) {
            continue;
        }
        done.push(&input.path);
        children.push(create_one(call, input)?);
    }
    reply(&CreateAnswer { children })
}

fn create_one(call: &Call, input: &NodeInput) -> Result<WireNode, RestError> {
    let place = match call.shared.nodes.resolve(call.caller()?, &input.path) {
        Access::Allowed(place) | Access::WriteOnly(place) => place,
        Access::ReadOnly(_) | Access::FileFolder(_) | Access::NotReadable => {
            return Err(RestError::not_writeable());
        }
        Access::UnknownWorkspace(slug) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(RestError::no_workspace(&slug).with_status(status).twice());
        }
    };
    if call.shared.nodes.is_rootless(&place) {
        return Err(RestError::no_root().twice());
    }
    match input.kind {
        TypeInput::Folder => create_folder(call, &place),
        TypeInput::File => create_file(call, &place, input),
    }
}

fn create_folder(call: &Call, place: &Place) -> Result<WireNode, RestError> {
    let rendering = Rendering { indexed: true, ..Rendering::PLAIN };
    let made = call.shared.nodes.write(|forest, now| {
        let root = root(forest, place).ok_or(TreeError::Missing)?;
        let id = forest.make_folder(root, &place.relative, now)?;
        render_id(forest, id, place, rendering).ok_or(TreeError::Missing)
    });
    Ok(made?)
}

/// Writes a file with one space, or with the text in the request. An existing file is silently overwritten.
fn create_file(call: &Call, place: &Place, input: &NodeInput) -> Result<WireNode, RestError> {
    let nodes = &call.shared.nodes;
    if nodes.is_locked(place) {
        return Err(RestError::locked());
    }
    let is_folder = nodes.read(|forest| {
        let id = find(forest, place)?;
        forest.get(id).map(|node| node.kind == Kind::Folder)
    });
    if is_folder == Some(true) {
        return Err(TreeError::FolderInTheWay.into());
    }
    if place.name().chars().count() > LONGEST_NAME {
        return Err(TreeError::NameTooLong.into());
    }
    let contents = input.meta_store.get("Contents").and_then(|json| serde_json::from_str::<String>(json).ok());
    let content = contents.as_deref().unwrap_or(" ");
    nodes.put_bytes(place, content.as_bytes()).map_err(|error| RestError::internal(&error.to_string()))?;
    Ok(WireNode {
        path: place.path(),
        r#type: Some(WireType::Leaf),
        meta_store: input.meta_store.clone(),
        ..WireNode::default()
    })
}

//! `/a/tree/admin/…`: the tree as administrators see it, by data source, hidden names included.

use serde::Serialize;

use super::error::{RestError, RestResult};
use super::json::message;
use super::node::{Rendering, WireNode, render};
use super::tree::NodeInput;
use super::{Call, reply};
use crate::tree::forest::{Forest, segments};
use crate::tree::node::NodeId;
use crate::world::{self, USERS, WORKSPACES, Workspace};

/// Name of the data source with the folders of the users.
const PERSONAL_SOURCE: &str = "personal";

/// Which data source is the root of which workspace.
const SOURCES: [(&str, &str); 3] = [("pydiods1", "common-files"), ("a1ro", "a1-ro"), ("a1priv", "a1-priv")];

message! {
    struct ListRequest {
        node: Option<NodeInput> = "Node",
        recursive: bool = "Recursive",
        limit: i64 = "Limit",
        offset: i64 = "Offset",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListAnswer {
    parent: WireNode,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<WireNode>,
}

/// `POST /a/tree/admin/list`
pub(super) async fn list(call: &mut Call) -> RestResult {
    call.require_admin()?;
    let request: ListRequest = call.message().await?;
    let path = request.node.map(|node| node.path).unwrap_or_default();
    let names = segments(&path);
    let missing = || RestError::no_node(&format!("/{}", names.join("/")));
    let answer = call.shared.nodes.read(|forest| {
        let id = find(forest, &names)?;
        let prefix = names.join("/");
        let parent = shown(forest, id, prefix.clone())?;
        let mut found = Vec::new();
        collect(forest, id, &prefix, request.recursive, &mut found);
        Some((parent, found))
    });
    let (parent, found) = answer.ok_or_else(missing)?;
    let offset = usize::try_from(request.offset).unwrap_or(0);
    let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0);
    let children = found.into_iter().skip(offset).take(limit.unwrap_or(usize::MAX)).collect();
    reply(&ListAnswer { parent, children })
}

/// Children in byte order of their names; each one's own follow it directly.
fn collect(forest: &Forest, top: NodeId, prefix: &str, recursive: bool, found: &mut Vec<WireNode>) {
    let below = |id: NodeId, prefix: &str| -> Vec<(NodeId, String)> {
        let children = forest.children(id).iter().rev();
        children.filter_map(|id| Some((*id, format!("{prefix}/{}", forest.get(*id)?.name)))).collect()
    };
    let mut pending = below(top, prefix);
    while let Some((id, path)) = pending.pop() {
        if recursive {
            pending.extend(below(id, &path));
        }
        found.extend(shown(forest, id, path));
    }
}

fn shown(forest: &Forest, id: NodeId, path: String) -> Option<WireNode> {
    Some(render(forest.get(id)?, path, Rendering::default()))
}

/// The node at a path that starts with a data source.
fn find(forest: &Forest, names: &[&str]) -> Option<NodeId> {
    let (source, rest) = names.split_first()?;
    if *source == PERSONAL_SOURCE {
        let (login, rest) = rest.split_first()?;
        let user = USERS.iter().find(|user| user.login == *login)?;
        let personal = world::workspace("personal-files")?;
        return forest.find(forest.root(personal, user.login)?, &rest.join("/"));
    }
    let (_, slug) = SOURCES.iter().find(|(name, _)| name == source)?;
    let workspace: &Workspace = WORKSPACES.iter().find(|workspace| workspace.slug == *slug)?;
    forest.find(forest.root(workspace, "")?, &rest.join("/"))
}

//! Several nodes and listings in one call, with all the traps of paging.

use std::collections::BTreeMap;

use http::StatusCode;
use rand::seq::SliceRandom as _;
use serde::Serialize;

use super::error::{RestError, RestResult};
use super::json::message;
use super::node::{Rendering, WireNode, WireType, quoted, render, render_id};
use super::tree::{look_up, readable};
use super::{Call, reply};
use crate::links::Link;
use crate::tree::forest::Forest;
use crate::tree::node::{Kind, NodeId};
use crate::tree::{Access, find};
use crate::world::WORKSPACES;

message! {
    struct BulkRequest {
        node_paths: Vec<String> = "NodePaths",
        all_meta_providers: bool = "AllMetaProviders",
        versions: bool = "Versions",
        limit: i32 = "Limit",
        offset: i32 = "Offset",
        sort_field: String = "SortField",
        sort_dir_desc: bool = "SortDirDesc",
        filters: BTreeMap<String, String> = "Filters",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BulkAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<WireNode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<Pagination>,
}

/// The position of a page. Zero values are omitted.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Pagination {
    #[serde(skip_serializing_if = "super::is_default")]
    limit: i64,
    #[serde(skip_serializing_if = "super::is_default")]
    current_offset: i64,
    #[serde(skip_serializing_if = "super::is_default")]
    total: i64,
    #[serde(skip_serializing_if = "super::is_default")]
    current_page: i64,
    #[serde(skip_serializing_if = "super::is_default")]
    total_pages: i64,
    #[serde(skip_serializing_if = "super::is_default")]
    next_offset: i64,
    #[serde(skip_serializing_if = "super::is_default")]
    prev_offset: i64,
}

/// `POST /a/tree/stats` and `POST /a/meta/bulk/get`
pub(super) async fn list(call: &mut Call) -> RestResult {
    let request: BulkRequest = call.message().await?;
    let mut nodes = Vec::new();
    let mut pagination = None;
    // No data source keeps versions here, so there are none to list.
    let paths = if request.versions { &[][..] } else { &request.node_paths[..] };
    for path in paths {
        match path.as_str() {
            "*" => {}
            "" | "/" => nodes.push(WireNode::default()),
            "/*" => nodes.extend(workspaces(call)?),
            _ => match path.strip_suffix("/*") {
                None => nodes.extend(look_up(call, path, true).ok()),
                Some(folder) => {
                    let (page, place) = children(call, folder, &request)?;
                    nodes.extend(page);
                    pagination = place;
                }
            },
        }
    }
    reply(&BulkAnswer { nodes, pagination })
}

/// The workspaces of the caller, in an order that differs each time.
fn workspaces(call: &Call) -> Result<Vec<WireNode>, RestError> {
    let caller = call.caller()?;
    if caller.scope.is_some() {
        return Ok(Vec::new());
    }
    if call.shared.links.is_visitor(&caller.login) {
        let link = call.shared.links.by_user(&caller.login);
        return Ok(link.and_then(|link| visited(call, &link)).into_iter().collect());
    }
    let mut nodes: Vec<WireNode> = WORKSPACES
        .iter()
        .filter_map(|workspace| Some((workspace, workspace.right_of(&caller.login)?)))
        .map(|(workspace, right)| {
            let meta = [
                ("ws_description", quoted(workspace.description)),
                ("ws_label", quoted(workspace.label)),
                ("ws_permissions", quoted(right.permissions())),
                ("ws_scope", quoted("ADMIN")),
                ("ws_slug", quoted(workspace.slug)),
                ("ws_syncable", "true".to_owned()),
                ("ws_uuid", quoted(workspace.uuid)),
            ];
            WireNode {
                uuid: workspace.root_uuid.to_owned(),
                path: workspace.slug.to_owned(),
                r#type: Some(WireType::Collection),
                meta_store: meta.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
                ..WireNode::default()
            }
        })
        .collect();
    nodes.shuffle(&mut rand::rng());
    Ok(nodes)
}

/// The one workspace of a visitor of a public link.
fn visited(call: &Call, link: &Link) -> Option<WireNode> {
    call.shared.nodes.opened(link)?;
    let meta = [
        ("ws_description", quoted(&link.description)),
        ("ws_label", quoted(&link.label)),
        ("ws_permissions", quoted(link.right()?.permissions())),
        ("ws_scope", quoted("LINK")),
        ("ws_slug", quoted(&link.slug)),
        ("ws_uuid", quoted(&link.uuid)),
    ];
    Some(WireNode {
        uuid: link.node_uuids.first()?.clone(),
        path: link.slug.clone(),
        r#type: Some(WireType::Collection),
        meta_store: meta.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        ..WireNode::default()
    })
}

/// One page of the children of a folder.
fn children(
    call: &Call,
    folder: &str,
    request: &BulkRequest,
) -> Result<(Vec<WireNode>, Option<Pagination>), RestError> {
    let (place, read_only) = match call.shared.nodes.resolve(call.caller()?, folder) {
        Access::WriteOnly(place) => {
            let exists = call.shared.nodes.read(|forest| find(forest, &place)).is_some();
            return if exists { Ok((Vec::new(), None)) } else { Err(RestError::not_readable()) };
        }
        Access::FileFolder(place) => {
            let rendering = Rendering { read_only: true, ..Rendering::PLAIN };
            let file = call.shared.nodes.read(|forest| render_id(forest, find(forest, &place)?, &place, rendering));
            return Ok((file.into_iter().collect(), None));
        }
        _ => readable(call, folder)?,
    };
    let limited = call.caller()?.scope.is_some();
    let rendering = Rendering { read_only, ..Rendering::PLAIN };
    call.shared.nodes.read(|forest| {
        let missing = || RestError::no_node(&place.shown());
        let id = find(forest, &place).filter(|id| !forest.is_unseen(*id)).ok_or_else(missing)?;
        let is_folder = forest.get(id).is_some_and(|node| node.kind == Kind::Folder);
        // A token for one node does not reach what is below it.
        if !is_folder || limited {
            return Ok((Vec::new(), None));
        }
        if place.is_archive_or_inside() {
            let message = "The specified key does not exist.";
            return Err(RestError::untyped(StatusCode::INTERNAL_SERVER_ERROR, message));
        }
        let sorted = sort_and_filter(forest, id, request);
        let (ids, refilled) = page(forest, &sorted, request);
        let prefix = place.at(&forest.path(id)).path();
        let prefix = prefix.trim_end_matches('/');
        let nodes: Vec<WireNode> = ids
            .iter()
            .filter_map(|id| forest.get(*id))
            .map(|node| render(node, format!("{prefix}/{}", node.name), rendering))
            .collect();
        let pagination = paginate(request, sorted.len(), nodes.len(), refilled);
        Ok((nodes, pagination))
    })
}

/// All children, hidden ones included, in the order asked for.
fn sort_and_filter<'a>(forest: &'a Forest, id: NodeId, request: &BulkRequest) -> std::borrow::Cow<'a, [NodeId]> {
    let all = forest.children(id);
    let wanted = match request.filters.get("type").map(String::as_str) {
        Some("LEAF") => Some(Kind::File),
        Some("COLLECTION") => Some(Kind::Folder),
        _ => None,
    };
    let by_number = matches!(request.sort_field.as_str(), "mtime" | "size");
    let sorts = by_number || request.sort_field == "name";
    let reversed = sorts && request.sort_dir_desc;
    let is_unseen = |id: &NodeId| forest.is_index_held() && forest.is_unseen(*id);
    if wanted.is_none() && !by_number && !reversed && !forest.is_index_held() {
        return all.into();
    }
    let kind_of = |id: &NodeId| forest.get(*id).map(|node| node.kind);
    let is_wanted = |id: &&NodeId| (wanted.is_none() || kind_of(id) == wanted) && !is_unseen(id);
    let mut ids: Vec<NodeId> = all.iter().filter(is_wanted).copied().collect();
    match request.sort_field.as_str() {
        "mtime" => ids.sort_by_key(|id| forest.get(*id).map(|node| node.mtime)),
        "size" => ids.sort_by_key(|id| forest.get(*id).map(|node| node.size)),
        _ => {}
    }
    if reversed {
        ids.reverse();
    }
    ids.into()
}

/// Returns the visible nodes of a page, and whether it contains nodes of later pages.
///
/// If names that start with a dot are removed from a page, the server continues with the next complete page until it
/// has `Limit` nodes or more, and does not report it: the next page repeats them.
fn page(forest: &Forest, sorted: &[NodeId], request: &BulkRequest) -> (Vec<NodeId>, bool) {
    let offset = usize::try_from(request.offset).unwrap_or(0);
    let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0);
    let rest = sorted.get(offset..).unwrap_or_default();
    // For the index, a negative limit means no limit, but the first page exceeds it at once.
    if request.limit < 0 {
        return (rest.first().copied().into_iter().collect(), false);
    }
    let is_visible = |id: &&NodeId| forest.get(**id).is_some_and(|node| !node.name.starts_with('.'));
    let mut found: Vec<NodeId> = Vec::new();
    let mut pages = 0;
    for chunk in rest.chunks(limit.unwrap_or(usize::MAX)) {
        found.extend(chunk.iter().filter(is_visible));
        pages += 1;
        if limit.is_some_and(|limit| found.len() >= limit) {
            break;
        }
    }
    (found, pages > 1)
}

/// What the answer says about paging: nothing if everything came back at once.
fn paginate(request: &BulkRequest, total: usize, returned: usize, refilled: bool) -> Option<Pagination> {
    let limit = i64::from(request.limit);
    if limit <= 0 || returned >= total {
        return None;
    }
    let offset = i64::from(request.offset.max(0));
    let total = i64::try_from(total).unwrap_or(i64::MAX);
    let next = offset + limit;
    Some(Pagination {
        limit,
        current_offset: offset,
        total,
        current_page: offset / limit + 1,
        total_pages: if refilled { -1 } else { (total + limit - 1) / limit },
        next_offset: if next < total { next } else { 0 },
        prev_offset: (offset - limit).max(0),
    })
}

//! Nodes as the REST interface writes them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::tree::Place;
use crate::tree::forest::Forest;
use crate::tree::node::{Kind, Node, NodeId};

/// Mode of a folder that was made only because something below it was written.
const IMPLIED_MODE: u32 = 511;

/// A node on the wire. What is empty or zero is left out.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WireNode {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) uuid: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) r#type: Option<WireType>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) size: String,
    #[serde(rename = "MTime", skip_serializing_if = "is_zero")]
    pub(crate) mtime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<u32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) etag: String,
    /// Values are JSON texts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) meta_store: BTreeMap<String, String>,
}

/// The type of a node on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum WireType {
    Leaf,
    Collection,
}

/// What depends on the request rather than on the node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rendering {
    /// Whether to count the children of a folder.
    pub(crate) counts: bool,
    /// Whether the caller may only read.
    pub(crate) read_only: bool,
    /// Whether the caller may only write.
    pub(crate) write_only: bool,
    /// Whether the caller is the visitor of a public link.
    pub(crate) visited: bool,
    /// Whether to say that the node has just been indexed.
    pub(crate) indexed: bool,
    /// Whether to name the way hashes are computed, as all but administrators' listings do.
    pub(crate) hashing_version: bool,
}

impl Rendering {
    /// As in stat.
    pub(crate) const PLAIN: Self = Self {
        counts: false,
        read_only: false,
        write_only: false,
        visited: false,
        indexed: false,
        hashing_version: true,
    };
}

// Serde hands the field over by reference.
fn is_zero(number: &str) -> bool {
    number.is_empty() || number == "0"
}

/// A text as a value of the meta store.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Converts a node; `path` is its complete path, as the caller writes it.
pub(crate) fn render(node: &Node, path: String, rendering: Rendering) -> WireNode {
    let is_root = path.ends_with('/');
    let (size, etag) = node.indexed();
    let mut meta = BTreeMap::new();
    meta.insert("name".to_owned(), quoted(&node.name));
    if rendering.hashing_version {
        meta.insert("hashing_version".to_owned(), quoted("v4"));
    }
    if is_root && !rendering.visited {
        meta.insert("ws_root".to_owned(), quoted("true"));
    }
    if let Some(quota) = node.quota.filter(|_| is_root) {
        meta.insert("ws_quota".to_owned(), quota.to_string());
        meta.insert("ws_quota_usage".to_owned(), node.size.to_string());
    }
    if let Some(mime) = node.mime.current() {
        meta.insert("mime".to_owned(), quoted(mime));
    }
    if let Some(hash) = node.hash.current() {
        meta.insert("x-cells-hash".to_owned(), quoted(hash));
    }
    if rendering.indexed && !node.is_structured {
        meta.insert("datasource_node_indexed".to_owned(), "true".to_owned());
    }
    if rendering.read_only && (!is_root || rendering.visited) {
        meta.insert("node_readonly".to_owned(), quoted("true"));
    }
    if rendering.write_only {
        meta.insert("node_writeonly".to_owned(), quoted("true"));
    }
    if rendering.counts && node.kind == Kind::Folder {
        let (files, folders) = node.child_counts();
        meta.insert("ChildrenCount".to_owned(), (files + folders).to_string());
        meta.insert("ChildrenFiles".to_owned(), files.to_string());
        meta.insert("ChildrenFolders".to_owned(), folders.to_string());
    }
    meta.extend(node.extra.iter().map(|(name, value)| (name.clone(), value.clone())));
    // The top of a workspace with several roots exists nowhere else.
    let uuid = if node.extra.contains_key("virtual_root") { String::new() } else { node.uuid.to_string() };
    WireNode {
        uuid,
        path,
        r#type: Some(match node.kind {
            Kind::File => WireType::Leaf,
            Kind::Folder => WireType::Collection,
        }),
        size: size.to_string(),
        mtime: node.mtime.to_string(),
        mode: node.implied.then_some(IMPLIED_MODE),
        etag: etag.to_owned(),
        meta_store: meta,
    }
}

/// The node of that id with the path it has where `place` is.
pub(crate) fn render_id(forest: &Forest, id: NodeId, place: &Place, rendering: Rendering) -> Option<WireNode> {
    let rendering = Rendering { visited: place.visit.is_some(), ..rendering };
    Some(render(forest.get(id)?, place.at(&forest.path(id)).path(), rendering))
}

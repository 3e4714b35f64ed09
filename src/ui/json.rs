//! The JSON shapes that several commands share. They are a contract: fields are only ever added.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::{Node, NodeKind};

/// A node.
#[derive(Debug, Serialize)]
pub struct NodeRecord<'a> {
    /// Workspace and path.
    path: &'a str,
    /// The last name of the path.
    name: &'a str,
    /// `file`, `folder` or `workspace`.
    r#type: &'static str,
    /// Bytes; for folders the sum of what is below, as far as the server knows it.
    size: u64,
    /// When it was last written.
    mtime: Option<String>,
    /// Its UUID.
    uuid: Option<&'a str>,
    /// The server's own content hash (x-cells-hash).
    hash: Option<&'a str>,
    /// The entity tag.
    etag: Option<&'a str>,
    /// The MIME type.
    mime: Option<&'a str>,
    /// Whether the user may only read it.
    read_only: bool,
    /// Whether its name starts with a dot.
    hidden: bool,
    /// All other metadata; only where one node is asked for by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a BTreeMap<String, serde_json::Value>>,
}

impl<'a> NodeRecord<'a> {
    /// A node as listings show it.
    pub fn listed(node: &'a Node) -> Self {
        Self {
            path: node.path.as_str(),
            name: node.name(),
            r#type: kind_name(node.kind),
            size: node.size,
            mtime: node.modified.map(|time| time.to_string()),
            uuid: Some(node.uuid.as_str()).filter(|uuid| !uuid.is_empty()),
            hash: node.hash.as_deref(),
            etag: node.etag.as_deref(),
            mime: node.mime.as_deref(),
            read_only: node.read_only,
            hidden: node.is_hidden(),
            meta: None,
        }
    }

    /// A node with its metadata.
    pub fn detailed(node: &'a Node) -> Self {
        Self { meta: Some(&node.meta), ..Self::listed(node) }
    }
}

/// The name of a node's kind in JSON.
pub fn kind_name(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Workspace => "workspace",
        NodeKind::Folder => "folder",
        NodeKind::File => "file",
    }
}

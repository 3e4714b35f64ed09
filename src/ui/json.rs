//! The JSON shapes that several commands share. They are a contract: fields are only ever added.

use std::collections::BTreeMap;

use serde::Serialize;

use cells_client::api::{Node, NodeKind};

/// A node.
#[derive(Debug, Serialize)]
pub struct NodeRecord<'a> {
    /// Workspace and path.
    path: &'a str,
    /// The last name of the path.
    name: &'a str,
    /// `file`, `folder` or `workspace`.
    r#type: &'static str,
    /// Bytes; for folders the sum of what is below, as far as the server knows it. Listings do not know that of
    /// workspaces.
    size: Option<u64>,
    /// When it was last written.
    mtime: Option<String>,
    /// Its UUID; of a workspace its own, not that of its root folder.
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
    /// What only workspaces have.
    #[serde(flatten)]
    workspace: Option<WorkspaceFields<'a>>,
    /// All other metadata; only where one node is asked for by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a BTreeMap<String, serde_json::Value>>,
}

/// What a workspace has besides.
#[derive(Debug, Serialize)]
struct WorkspaceFields<'a> {
    /// Its name as people read it.
    label: Option<&'a str>,
    /// What it is for.
    description: Option<&'a str>,
    /// What the user may do in it: `read`, or `read,write`.
    permissions: Option<&'a str>,
}

impl<'a> NodeRecord<'a> {
    /// A node as listings show it.
    pub fn listed(node: &'a Node) -> Self {
        Self {
            path: node.path.as_str(),
            name: node.name(),
            r#type: kind_name(node.kind),
            size: (node.kind != NodeKind::Workspace).then_some(node.size),
            mtime: node.modified.map(|time| time.to_string()),
            uuid: node.public_uuid(),
            hash: node.hash.as_deref(),
            etag: node.etag.as_deref(),
            mime: node.mime.as_deref(),
            read_only: node.read_only,
            hidden: node.is_hidden(),
            workspace: (node.kind == NodeKind::Workspace).then(|| WorkspaceFields {
                label: node.text("ws_label"),
                description: node.text("ws_description"),
                permissions: node.text("ws_permissions"),
            }),
            meta: None,
        }
    }

    /// A node with its metadata.
    pub fn detailed(node: &'a Node) -> Self {
        Self { size: Some(node.size), meta: Some(&node.meta), ..Self::listed(node) }
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

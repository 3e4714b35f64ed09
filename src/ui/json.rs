//! The JSON objects that several commands use. They are a contract: fields are only ever added.

use std::collections::BTreeMap;

use serde::Serialize;

use cells_client::api::{Node, NodeKind};

/// A node.
#[derive(Debug, Serialize)]
pub struct NodeRecord<'a> {
    /// The path, beginning with the workspace.
    path: &'a str,
    /// The last segment of the path.
    name: &'a str,
    /// `file`, `folder` or `workspace`.
    r#type: &'static str,
    /// The size in bytes; for folders the sum of everything below, if the server knows it. Listings do not contain it
    /// for workspaces.
    size: Option<u64>,
    /// The time of the last write.
    mtime: Option<String>,
    /// The UUID; for a workspace its own, not that of its root folder.
    uuid: Option<&'a str>,
    /// The content hash (x-cells-hash).
    hash: Option<&'a str>,
    /// The ETag.
    etag: Option<&'a str>,
    /// The MIME type.
    mime: Option<&'a str>,
    /// Whether the user has no write permission.
    read_only: bool,
    /// Whether the name starts with a dot.
    hidden: bool,
    /// Fields that only workspaces have.
    #[serde(flatten)]
    workspace: Option<WorkspaceFields<'a>>,
    /// All other metadata; only if one node is requested by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a BTreeMap<String, serde_json::Value>>,
}

/// Additional fields of a workspace.
#[derive(Debug, Serialize)]
struct WorkspaceFields<'a> {
    /// The display name.
    label: Option<&'a str>,
    /// The description.
    description: Option<&'a str>,
    /// The user's permissions: `read`, or `read,write`.
    permissions: Option<&'a str>,
}

impl<'a> NodeRecord<'a> {
    /// Creates the record of a node in a listing.
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

    /// Creates the record of a node with its metadata.
    pub fn detailed(node: &'a Node) -> Self {
        Self { size: Some(node.size), meta: Some(&node.meta), ..Self::listed(node) }
    }
}

/// Returns the name of a node's type in JSON.
pub fn kind_name(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Workspace => "workspace",
        NodeKind::Folder => "folder",
        NodeKind::File => "file",
    }
}

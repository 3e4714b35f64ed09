//! The JSON of the REST calls. Reading is lenient: absent values are zero, numbers may be texts, unknown fields are
//! ignored.

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::meta_store::MetaStore;
use super::tree::{Node, NodeKind};
use crate::failure::{ServerError, ServerErrorKind};
use crate::path::RemotePath;

/// Reads a number that may be a number, a text or absent. Anything else is zero.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)).unwrap_or(0),
        Value::String(text) => text.trim().parse().unwrap_or(0),
        _ => 0,
    })
}

/// The size of nodes that the server would have to pack or unpack first.
const NO_SIZE: i64 = -1;

/// Whether the server offers an archive of this name beside every folder.
fn is_archive_name(name: &str) -> bool {
    [".zip", ".tar", ".tar.gz"].iter().any(|extension| name.ends_with(extension))
}

/// Reads a list that may be null.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A node in an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct WireNode {
    pub(super) uuid: String,
    pub(super) path: String,
    #[serde(rename = "Type")]
    pub(super) kind: String,
    #[serde(deserialize_with = "number")]
    pub(super) size: i64,
    #[serde(rename = "MTime", deserialize_with = "number")]
    pub(super) modified: i64,
    pub(super) etag: String,
    pub(super) meta_store: MetaStore,
}

impl WireNode {
    /// Whether the node does not really exist: an archive created on request, its content, or an empty placeholder.
    pub(super) fn is_virtual(&self) -> bool {
        self.path.is_empty() || (self.size == NO_SIZE && self.path.split('/').any(is_archive_name))
    }

    /// Checks a node that was requested: every Cells server reports its path and type, and omits the size only of nodes
    /// inside archives.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotCells`]. To treat such a node as missing would be a guess.
    pub(super) fn check(&self) -> Result<(), ServerError> {
        let fault = if self.path.is_empty() {
            "a node without a path"
        } else if self.is_virtual() {
            return Ok(());
        } else if self.size < 0 {
            "a node with a negative size"
        } else if self.kind != "LEAF" && self.kind != "COLLECTION" {
            "a node that is neither a file nor a folder"
        } else {
            return Ok(());
        };
        let message = format!("unexpected answer from the server: it contains {fault}");
        Err(ServerError::new(ServerErrorKind::NotCells, message))
    }

    pub(super) fn into_node(self) -> Node {
        let path = RemotePath::from_server(&self.path);
        let MetaStore { name: _, mime, hash, hashing_version, children, read_only, rest: mut meta } = self.meta_store;
        let mut text = |name: &str, value: Option<Value>, counts: bool| match value {
            Some(Value::String(text)) if counts && !text.is_empty() => Some(text),
            Some(other) => {
                meta.insert(name.to_owned(), other);
                None
            }
            None => None,
        };
        let hash = text("x-cells-hash", hash, hashing_version.is_some_and(|version| version == "v4"));
        let mime = text("mime", mime, true);
        let children = children.as_ref().and_then(as_count);
        // Workspaces report their permissions in another field than the nodes inside them.
        let no_write = |rights: &Value| rights.as_str().is_some_and(|rights| !rights.contains("write"));
        let is_only_shown = ["virtual_root", "level_readonly"].iter().any(|name| meta.get(*name).is_some_and(is_true));
        let read_only = read_only.as_ref().is_some_and(is_true)
            || is_only_shown
            || meta.get("ws_permissions").is_some_and(no_write);
        let kind = if path.is_workspace() {
            NodeKind::Workspace
        } else if self.kind == "COLLECTION" {
            NodeKind::Folder
        } else {
            NodeKind::File
        };
        Node {
            path,
            uuid: self.uuid,
            kind,
            size: u64::try_from(self.size).unwrap_or(0),
            modified: Some(self.modified)
                .filter(|seconds| *seconds > 0)
                .and_then(|seconds| Timestamp::from_second(seconds).ok()),
            etag: Some(self.etag).filter(|etag| !etag.is_empty()),
            hash,
            mime,
            children,
            read_only,
            meta,
        }
    }
}

fn as_count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

pub(super) fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str() == Some("true"))
}

/// The answer to a stat.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct StatAnswer {
    pub(super) node: Option<WireNode>,
}

/// The answer to a bulk call.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct BulkAnswer {
    #[serde(deserialize_with = "list")]
    pub(super) nodes: Vec<WireNode>,
    pub(super) pagination: Option<Pagination>,
    /// Present in the answers to stat and create, never in that to a bulk call.
    pub(super) node: Option<IgnoredAny>,
    pub(super) children: Option<IgnoredAny>,
}

impl BulkAnswer {
    /// Whether this is the answer to another call.
    pub(super) fn is_of_another_call(&self) -> bool {
        self.node.is_some() || self.children.is_some()
    }
}

/// The pagination of a listing; absent if the answer is complete.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Pagination {
    #[serde(deserialize_with = "number")]
    pub(super) current_offset: i64,
    #[serde(deserialize_with = "number")]
    pub(super) total: i64,
}

/// A bulk request. It contains only fields that every release knows, because unknown ones are refused.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BulkRequest {
    pub(super) node_paths: Vec<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) limit: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) offset: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A path in a request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WirePath {
    pub(super) path: String,
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
}

/// A request to create nodes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateRequest {
    pub(super) nodes: Vec<WirePath>,
    pub(super) recursive: bool,
}

/// The created nodes, in the order of the request.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct CreateAnswer {
    #[serde(deserialize_with = "list")]
    pub(super) children: Vec<WireNode>,
}

/// A request to delete nodes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteRequest {
    pub(super) nodes: Vec<WirePath>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) remove_permanently: bool,
}

/// The jobs that a deletion started.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct DeleteAnswer {
    #[serde(deserialize_with = "list")]
    pub(super) delete_jobs: Vec<WireJobReference>,
}

/// A request to restore nodes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RestoreRequest {
    pub(super) nodes: Vec<WirePath>,
}

/// The jobs that a restoration started.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RestoreAnswer {
    #[serde(deserialize_with = "list")]
    pub(super) restore_jobs: Vec<WireJobReference>,
}

/// A reference to a started job.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct WireJobReference {
    pub(super) uuid: String,
    pub(super) label: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::answer;

    fn bulk(name: &str) -> BulkAnswer {
        serde_json::from_slice(&answer(name).body).expect(name)
    }

    #[test]
    fn a_recorded_file_is_read() {
        let answer: StatAnswer = serde_json::from_slice(&answer("06-stat-file-encoded").body).expect("a node");
        let node = answer.node.expect("a node").into_node();
        assert_eq!(node.name(), "é#%.txt");
        assert_eq!((node.kind, node.size), (NodeKind::File, 1));
        assert_eq!(node.modified.map(Timestamp::as_second), Some(1_795_454_102));
        assert_eq!(node.etag.as_deref(), Some("7215ee9c7d9dc229d2921a40e899ec5f"));
        assert_eq!(node.hash.as_deref(), Some("a6e846668812162f86657e422d445bf4"));
        assert_eq!(node.mime.as_deref(), Some("text/plain"));
        assert!(node.meta.is_empty(), "{:?}", node.meta);
    }

    #[test]
    fn recorded_folders_have_their_counts_in_bulk_answers() {
        let node = bulk("21-bulk-missing-nodes-skipped").nodes.remove(0).into_node();
        assert_eq!((node.kind, node.children), (NodeKind::Folder, Some(6)));
        assert_eq!(node.meta["ChildrenFiles"], 2);
    }

    #[test]
    fn recorded_workspaces_are_read_with_their_rights() {
        let nodes: Vec<Node> = bulk("01-root-list-admin").nodes.into_iter().map(WireNode::into_node).collect();
        assert!(nodes.iter().all(|node| node.kind == NodeKind::Workspace && !node.read_only));
        let common = nodes.iter().find(|node| node.path.as_str() == "common-files").expect("a workspace");
        assert_eq!(common.meta["ws_label"], "Common Files");
        assert_eq!(common.meta["ws_syncable"], true);
    }

    #[test]
    fn recorded_pages_tell_their_total() {
        let page = bulk("17-list-hidden-page1");
        assert_eq!(page.nodes.len(), 7, "a page of five, filled up beyond its limit");
        assert_eq!(page.pagination.expect("a pagination").total, 15);
        assert!(bulk("22-list-of-a-file").nodes.is_empty());
    }

    #[test]
    fn unusual_values_are_read_as_defaults() {
        let text = r#"{"Path":"ws/a","Type":"LEAF","Size":12,"MTime":"x","New":{"a":1},
            "MetaStore":{"hashing_version":"\"v3\"","x-cells-hash":"\"abc\"","contentType":"text/javascript","n":"42","list":"[1]"}}"#;
        let node: WireNode = serde_json::from_str(text).expect("a node");
        let node = node.into_node();
        assert_eq!((node.size, node.modified, node.hash.as_deref()), (12, None, None));
        assert_eq!(node.meta["contentType"], "text/javascript");
        assert_eq!((&node.meta["n"], &node.meta["x-cells-hash"]), (&Value::from(42), &Value::from("abc")));
        let gone: WireNode = serde_json::from_str(r#"{"Path":"ws/a.zip","Size":"-1"}"#).expect("a node");
        assert!(gone.is_virtual() && gone.check().is_ok());
        let empty: BulkAnswer = serde_json::from_str(r#"{"Nodes":null}"#).expect("an answer");
        assert!(empty.nodes.is_empty() && empty.pagination.is_none());
    }

    #[test]
    fn a_node_of_another_server_does_not_count_as_missing() {
        let node = |text: &str| serde_json::from_str::<WireNode>(text).expect("JSON");
        for good in [
            r#"{"Path":"ws/a","Type":"LEAF"}"#,
            r#"{"Path":"ws/a","Type":"COLLECTION","Size":"9223372036854775807"}"#,
            r#"{"Path":"ws/a.tar.gz","Type":"LEAF","Size":"-1"}"#,
            r#"{"Path":"ws/a.zip/inner/b.txt","Size":-1}"#,
        ] {
            assert!(node(good).check().is_ok(), "{good}");
        }
        for (bad, reason) in [
            (r#"{"Path":"ws/a","Type":"LEAF","Size":"-1"}"#, "negative size"),
            (r#"{"Path":"ws/a.zip","Type":"LEAF","Size":"-2"}"#, "negative size"),
            (r#"{"Path":"ws/recycle_bin","Type":"COLLECTION","Size":-9223372036854775808}"#, "negative size"),
            (r#"{"Path":"ws/a","Size":"12"}"#, "neither a file nor a folder"),
            (r#"{"Path":"ws/a","Type":"leaf","MetaStore":{"ChildrenCount":"1"}}"#, "neither a file nor a folder"),
            (r#"{"Type":"LEAF"}"#, "without a path"),
        ] {
            let (node, error) = (node(bad), node(bad).check().expect_err(bad));
            assert!(error.kind == ServerErrorKind::NotCells && error.message.contains(reason), "{bad}: {error}");
            assert_eq!(node.is_virtual(), node.path.is_empty(), "{bad}");
        }
    }

    #[test]
    fn the_hash_counts_only_in_its_current_version() {
        let hash = |version: &str| {
            let text = format!(r#"{{"Path":"ws/a","Type":"LEAF","MetaStore":{{{version}"x-cells-hash":"\"abc\""}}}}"#);
            serde_json::from_str::<WireNode>(&text).expect("a node").into_node().hash
        };
        assert_eq!(hash(r#""hashing_version":"\"v4\"","#).as_deref(), Some("abc"));
        assert_eq!(hash(r#""hashing_version":"\"v3\"","#), None);
        assert_eq!(hash(""), None);
    }

    #[test]
    fn requests_hold_no_more_than_every_release_knows() {
        let request = BulkRequest { node_paths: vec!["ws/*".to_owned()], limit: 500, offset: 0 };
        assert_eq!(serde_json::to_string(&request).expect("JSON"), r#"{"NodePaths":["ws/*"],"Limit":500}"#);
    }
}

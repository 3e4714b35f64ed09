//! Properties of all REST answers, for property tests and fuzz targets.

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::jobs::JobsAnswer;
use super::tree::NodeKind;
use super::wire::{BulkAnswer, CreateAnswer, DeleteAnswer, StatAnswer, WireNode};
use super::{error, frontend, parse};
use crate::auth::Answer;

/// Classifies any body as an answer with this status: it must have a meaning and a message.
pub fn answer(status: u16, html: bool, body: &[u8]) {
    let Ok(status) = StatusCode::from_u16(status) else { return };
    let mut headers = HeaderMap::new();
    if html {
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    let answer = Answer { status, headers, body: Bytes::copy_from_slice(body) };
    match error::json_of(&answer) {
        Ok(json) => assert!(status.is_success() && !json.is_empty()),
        Err(error) => assert!(!error.message.is_empty() && error.status == Some(status.as_u16())),
    }
}

/// Reads any body as each of the documents that calls expect, and uses its nodes.
pub fn documents(body: &[u8]) {
    let mut nodes: Vec<WireNode> = Vec::new();
    if let Ok(bulk) = parse::<BulkAnswer>(body) {
        nodes.extend(bulk.nodes);
    }
    if let Ok(stat) = parse::<StatAnswer>(body) {
        nodes.extend(stat.node);
    }
    if let Ok(created) = parse::<CreateAnswer>(body) {
        nodes.extend(created.children);
    }
    for node in nodes {
        let gone = node.is_virtual();
        let node = node.into_node();
        assert!(gone || i64::try_from(node.size).is_ok());
        assert_eq!(node.kind == NodeKind::Workspace, node.path.is_workspace());
        assert!(node.hash.as_deref() != Some("") && node.etag.as_deref() != Some(""));
    }
    let _ = parse::<DeleteAnswer>(body);
    for job in parse::<JobsAnswer>(body).unwrap_or_default().jobs {
        let _ = job.into_job();
    }
    // Reading from a slice never waits.
    let _ = frontend::read_user(body).now_or_never().expect("an answer at once");
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Generates JSON of any shape, including names that the server uses.
    fn json() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            any::<String>(),
            Just("E_NODE_NOT_FOUND".to_owned()),
            Just("Not Found: nothing".to_owned()),
            Just(r#"{"Id":"x","Code":404,"Detail":"y"}"#.to_owned()),
            Just("ws/a".to_owned()),
            Just("-1".to_owned()),
        ];
        let text = text.prop_map(|text| serde_json::Value::from(text).to_string());
        let leaf = prop_oneof![
            text,
            any::<i64>().prop_map(|n| n.to_string()),
            Just("1e400".to_owned()),
            Just("null".to_owned())
        ];
        let names = [
            "Title",
            "Detail",
            "Nodes",
            "Node",
            "Path",
            "Type",
            "Size",
            "MTime",
            "MetaStore",
            "Jobs",
            "Tasks",
            "Children",
            "Pagination",
            "Total",
            "x-cells-hash",
            "hashing_version",
            "ChildrenCount",
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
                vec((prop::sample::select(names.to_vec()), inner), 0..4).prop_map(|fields| {
                    let fields: Vec<String> =
                        fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                    format!("{{{}}}", fields.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_answer_has_a_meaning(status in 100_u16..600, html in any::<bool>(), body in vec(any::<u8>(), 0..64)) {
            super::answer(status, html, &body);
            super::documents(&body);
        }

        #[test]
        fn so_has_any_json(status in 100_u16..600, body in json()) {
            super::answer(status, false, body.as_bytes());
            super::documents(body.as_bytes());
        }
    }
}

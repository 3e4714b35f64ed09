//! `/a/user-meta/…`: metadata that users attach to nodes. Nothing is checked against the type of a namespace.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::error::{Prefix, RestError, RestResult};
use super::idm::PolicyInput;
use super::json::{Field, JsonError, Value, message};
use super::node::{Rendering, render_id};
use super::tree::NodeInput;
use super::{Call, reply};
use crate::user_meta::Namespace;

message! {
    struct MetaInput {
        uuid: String = "Uuid",
        node_uuid: String = "NodeUuid",
        namespace: String = "Namespace",
        json_value: String = "JsonValue",
        policies: Vec<PolicyInput> = "Policies",
        editable: bool = "PoliciesContextEditable",
        resolved: Option<NodeInput> = "ResolvedNode",
    }
}

message! {
    struct UpdateRequest {
        operation: Operation = "Operation",
        meta_datas: Vec<MetaInput> = "MetaDatas",
    }
}

message! {
    struct NamespaceInput {
        namespace: String = "Namespace",
        label: String = "Label",
        order: i32 = "Order",
        indexable: bool = "Indexable",
        definition: String = "JsonDefinition",
        policies: Vec<PolicyInput> = "Policies",
        editable: bool = "PoliciesContextEditable",
    }
}

message! {
    struct DefineRequest {
        operation: Operation = "Operation",
        namespaces: Vec<NamespaceInput> = "Namespaces",
    }
}

message! {
    struct SearchRequest {
        uuids: Vec<String> = "MetadataUuids",
        node_uuids: Vec<String> = "NodeUuids",
        namespace: String = "Namespace",
        owner: String = "ResourceSubjectOwner",
    }
}

/// To set, or to delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Operation(i64);

impl Field for Operation {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        value.enum_value(&[("PUT", 0), ("DELETE", 1)], name, source).map(Self)
    }
}

/// `GET /a/user-meta/namespace`
pub(super) fn namespaces(call: &Call) -> RestResult {
    let editable = call.caller()?.admin;
    let shown = |namespace: &Namespace| {
        let policy = |action: &str| json!({"id": "1", "Resource": namespace.name, "Action": action, "Subject": "*", "Effect": "allow"});
        let mut shown = json!({
            "Namespace": namespace.name,
            "Label": namespace.label,
            "Indexable": true,
            "JsonDefinition": namespace.definition,
            "Policies": [policy("READ"), policy("WRITE")],
        });
        if editable {
            shown["PoliciesContextEditable"] = true.into();
        }
        shown
    };
    let all: Vec<Json> = call.shared.namespaces.all().iter().map(shown).collect();
    reply(&json!({"Namespaces": all}))
}

/// `PUT /a/user-meta/namespace`
pub(super) async fn define(call: &mut Call) -> RestResult {
    call.require_admin()?;
    let request: DefineRequest = call.message().await?;
    for input in &request.namespaces {
        if serde_json::from_str::<Json>(&input.definition).is_err() {
            return Err(RestError::internal("please provide a valid JSON definition for this namespace"));
        }
        if request.operation == Operation(1) {
            call.shared.namespaces.remove(&input.namespace);
        } else {
            call.shared.namespaces.put(&input.namespace, &input.label, &input.definition);
        }
    }
    let shown = |input: &NamespaceInput| json!({"Namespace": input.namespace, "Label": input.label});
    reply(&json!({"Namespaces": request.namespaces.iter().map(shown).collect::<Vec<_>>()}))
}

/// `PUT /a/user-meta/update`
pub(super) async fn update(call: &mut Call) -> RestResult {
    let request: UpdateRequest = call.message().await?;
    let deletes = request.operation == Operation(1);
    let mut shown = Vec::new();
    for input in &request.meta_datas {
        if !call.shared.namespaces.has(&input.namespace) {
            let message = format!("Namespace {} is not defined!", input.namespace);
            return Err(RestError::typed(StatusCode::NOT_FOUND, Prefix::NotFound, &message));
        }
        let Some((place, id, _)) = call.shared.nodes.reach(call.caller()?, &input.node_uuid) else {
            let message = format!("Node {} Not found in tree!", input.node_uuid);
            return Err(RestError::typed(StatusCode::NOT_FOUND, Prefix::NotFound, &message));
        };
        if !deletes && serde_json::from_str::<Json>(&input.json_value).is_err() {
            return Err(not_json(&input.json_value));
        }
        let uuid = call.shared.namespaces.value(&input.node_uuid, &input.namespace);
        // A deletion that does not name the value itself is a success and does nothing.
        if deletes && input.uuid != uuid {
            continue;
        }
        if deletes {
            call.shared.namespaces.forget(&input.node_uuid, &input.namespace);
        }
        call.shared.nodes.write(|forest, _| {
            if let Some(node) = forest.get_mut(id) {
                if deletes {
                    node.extra.remove(&input.namespace);
                } else {
                    node.extra.insert(input.namespace.clone(), input.json_value.clone());
                }
            }
        });
        if !deletes {
            let node = call.shared.nodes.read(|forest| render_id(forest, id, &place, Rendering::PLAIN));
            shown.push(json!({
                "Uuid": uuid,
                "NodeUuid": input.node_uuid,
                "Namespace": input.namespace,
                "JsonValue": input.json_value,
                "ResolvedNode": node,
            }));
        }
    }
    reply(&if shown.is_empty() { json!({}) } else { json!({"MetaDatas": shown}) })
}

fn not_json(value: &str) -> RestError {
    let message = format!(
        "make sure to use JSON format for metadata: Read: unexpected value type: 0, error found in #0 byte of \
         ...|{value}|..., bigger context ...|{value}|..."
    );
    RestError::nested(StatusCode::INTERNAL_SERVER_ERROR, &message)
}

/// `POST /a/user-meta/search`
pub(super) async fn search(call: &mut Call) -> RestResult {
    let request: SearchRequest = call.message().await?;
    let caller = call.caller()?;
    let mut found = Vec::new();
    for uuid in &request.node_uuids {
        let Some((_, id, _)) = call.shared.nodes.reach(caller, uuid) else { continue };
        let value = call.shared.nodes.read(|forest| forest.get(id)?.extra.get(&request.namespace).cloned());
        let value_uuid = call.shared.namespaces.value(uuid, &request.namespace);
        let shown =
            |value| json!({"Uuid": value_uuid, "NodeUuid": uuid, "Namespace": request.namespace, "JsonValue": value});
        found.extend(value.map(shown));
    }
    reply(&if found.is_empty() { json!({}) } else { json!({"Metadatas": found}) })
}

/// `GET /a/user-meta/tags/{namespace}`
pub(super) fn tags(call: &Call, namespace: &str) -> RestResult {
    let mut tags: Vec<String> = call.shared.nodes.read(|forest| {
        let nodes = forest.with_extra(namespace).into_iter().filter_map(|id| forest.get(id)?.extra.get(namespace));
        let texts = nodes.filter_map(|value| serde_json::from_str::<String>(value).ok());
        texts.flat_map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
    });
    tags.sort();
    tags.dedup();
    reply(&if tags.is_empty() { json!({}) } else { json!({"Tags": tags}) })
}

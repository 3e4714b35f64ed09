//! User metadata: namespaces, and the values of nodes.

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Client;
use super::tree::Node;
use super::wire::list;
use crate::failure::{ServerError, ServerErrorKind};
use crate::path::RemotePath;

/// A namespace: the definition of a metadata field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// The name that requests use: `usermeta-…`.
    pub name: String,
    /// The display name.
    pub label: String,
    /// Whether the search index contains its values.
    pub indexed: bool,
    /// The definition as JSON text, as the server stores it.
    pub definition: String,
    /// The type of its values.
    pub kind: MetaKind,
}

/// The types of user metadata. The server accepts any JSON for all of them, so the client validates values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetaKind {
    /// One line of text.
    Text,
    /// Several lines of text.
    LongText,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A time, in seconds since the Unix epoch.
    Date,
    /// One of several keys.
    Choice(Vec<Choice>),
    /// Words, separated by commas.
    Tags,
    /// A rating from zero to five.
    Stars,
    /// One of the server's colored labels.
    Label,
    /// Any JSON.
    Json,
    /// A type that this library does not know.
    Other(String),
}

/// A key of a choice, with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The stored value.
    pub key: String,
    /// The display name.
    pub label: String,
}

impl MetaKind {
    /// Returns the server's name for the type.
    pub fn name(&self) -> &str {
        match self {
            Self::Text => "string",
            Self::LongText => "textarea",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Choice(_) => "choice",
            Self::Tags => "tags",
            Self::Stars => "stars_rate",
            Self::Label => "css_label",
            Self::Json => "json",
            Self::Other(name) => name,
        }
    }

    fn of(definition: &str) -> Self {
        let definition: Value = serde_json::from_slice(definition.as_bytes()).unwrap_or_default();
        match definition.get("type").and_then(Value::as_str).unwrap_or_default() {
            "string" => Self::Text,
            "textarea" => Self::LongText,
            "integer" => Self::Integer,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "choice" => Self::Choice(choices(definition.get("data"))),
            "tags" => Self::Tags,
            "stars_rate" => Self::Stars,
            "css_label" => Self::Label,
            "json" => Self::Json,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Returns the keys of a choice. The definition is a list of items, or in older releases the text
/// `key|label,key|label`.
fn choices(data: Option<&Value>) -> Vec<Choice> {
    match data {
        Some(Value::String(text)) => text
            .split(',')
            .filter(|item| !item.is_empty())
            .map(|item| {
                let (key, label) = item.split_once('|').unwrap_or((item, item));
                Choice { key: key.to_owned(), label: label.to_owned() }
            })
            .collect(),
        Some(data) => {
            let items = data.get("items").and_then(Value::as_array);
            let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
            let choice = |item: &Value| {
                let key = text(item, "key")?;
                Some(Choice { label: text(item, "value").unwrap_or_else(|| key.clone()), key })
            };
            items.into_iter().flatten().filter_map(choice).collect()
        }
        None => Vec::new(),
    }
}

/// The metadata of a node: JSON texts by name, as the server stores them.
#[derive(Debug, Clone)]
pub struct MetaStore {
    /// The JSON texts. Some of the server's own values are not JSON.
    pub values: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NamespacesAnswer {
    #[serde(deserialize_with = "list")]
    namespaces: Vec<WireNamespace>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireNamespace {
    namespace: String,
    label: String,
    indexable: bool,
    json_definition: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct BulkAnswer {
    #[serde(deserialize_with = "list")]
    nodes: Vec<WireMeta>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireMeta {
    meta_store: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct SearchAnswer {
    #[serde(deserialize_with = "list")]
    metadatas: Vec<WireFound>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireFound {
    uuid: String,
    #[serde(rename = "NodeUuid")]
    node: String,
    namespace: String,
}

impl Client {
    /// Returns all namespaces, sorted by name.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn namespaces(&self) -> Result<Vec<Namespace>, ServerError> {
        let answer: NamespacesAnswer = self.get("/a/user-meta/namespace").await?;
        let mut all: Vec<Namespace> = answer.namespaces.into_iter().map(WireNamespace::into_namespace).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// Returns the metadata of a node; `None` if the node does not exist or may not be read.
    ///
    /// # Errors
    /// Any other failure of the call.
    pub async fn meta_store(&self, path: &RemotePath) -> Result<Option<MetaStore>, ServerError> {
        let answer: BulkAnswer =
            self.read("/a/meta/bulk/get", &json!({"NodePaths": [self.server_path(path).to_string()]})).await?;
        Ok(answer.nodes.into_iter().next().map(|node| MetaStore {
            values: node.meta_store.unwrap_or_default().into_iter().map(|(name, value)| (name, text(value))).collect(),
        }))
    }

    /// Sets a value of a node, replacing the existing one. The server does not check it against the type.
    ///
    /// # Errors
    /// Any failure of the call; [`crate::failure::ServerErrorKind::NotFound`] if the namespace is not defined.
    pub async fn set_meta(&self, node: &Node, namespace: &str, value: &Value) -> Result<(), ServerError> {
        check_can_have(node)?;
        let meta = json!({"NodeUuid": node.uuid, "Namespace": namespace, "JsonValue": value.to_string()});
        let request = json!({"Operation": "PUT", "MetaDatas": [meta]});
        let _: Value = self.write(Method::PUT, "/a/user-meta/update", &request).await?;
        Ok(())
    }

    /// Removes a value from a node. Returns whether there was one.
    ///
    /// # Errors
    /// As [`Client::set_meta`].
    pub async fn delete_meta(&self, node: &Node, namespace: &str) -> Result<bool, ServerError> {
        check_can_have(node)?;
        // Without the UUID of the value, the server reports success but does nothing.
        let request = json!({"NodeUuids": [node.uuid], "Namespace": namespace});
        let answer: SearchAnswer = self.read("/a/user-meta/search", &request).await?;
        let own = answer.metadatas.into_iter().filter(|meta| meta.node == node.uuid && meta.namespace == namespace);
        let uuids = own.map(|meta| meta.uuid).filter(|uuid| !uuid.is_empty());
        let metas: Vec<Value> =
            uuids.map(|uuid| json!({"Uuid": uuid, "NodeUuid": node.uuid, "Namespace": namespace})).collect();
        if metas.is_empty() {
            return Ok(false);
        }
        let request = json!({"Operation": "DELETE", "MetaDatas": metas});
        let _: Value = self.write(Method::PUT, "/a/user-meta/update", &request).await?;
        Ok(true)
    }
}

/// Checks that a node can have metadata, which belong to a UUID. Nodes inside archives have none, and neither has the
/// top of a workspace of several folders.
fn check_can_have(node: &Node) -> Result<(), ServerError> {
    if node.uuid.is_empty() {
        let message = format!("'{}' cannot have metadata: it has no UUID", node.path);
        return Err(ServerError::new(ServerErrorKind::BadRequest, message));
    }
    Ok(())
}

impl WireNamespace {
    fn into_namespace(self) -> Namespace {
        Namespace {
            name: self.namespace,
            label: self.label,
            indexed: self.indexable,
            kind: MetaKind::of(&self.json_definition),
            definition: self.json_definition,
        }
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::answer;

    #[test]
    fn recorded_namespaces_are_read() {
        let answer: NamespacesAnswer = serde_json::from_slice(&answer("68-meta-namespaces").body).expect("namespaces");
        let kinds: Vec<(String, MetaKind)> =
            answer.namespaces.into_iter().map(WireNamespace::into_namespace).map(|one| (one.label, one.kind)).collect();
        let of = |label: &str| kinds.iter().find(|(one, _)| one == label).map(|(_, kind)| kind.clone());
        assert_eq!(of("D"), Some(MetaKind::Date));
        assert_eq!(of("B"), Some(MetaKind::Boolean));
        let choice = |key: &str, label: &str| Choice { key: key.to_owned(), label: label.to_owned() };
        assert_eq!(of("C"), Some(MetaKind::Choice(vec![choice("a", "A"), choice("b", "B")])));
    }

    #[test]
    fn older_choices_are_one_text() {
        let kind = MetaKind::of(r#"{"type":"choice","data":"x|The X,y"}"#);
        let choice = |key: &str, label: &str| Choice { key: key.to_owned(), label: label.to_owned() };
        assert_eq!(kind, MetaKind::Choice(vec![choice("x", "The X"), choice("y", "y")]));
        assert_eq!(MetaKind::of("no JSON"), MetaKind::Other(String::new()));
    }
}

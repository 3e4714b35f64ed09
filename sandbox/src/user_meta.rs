//! The namespaces of user metadata.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::random;

/// What may be attached to nodes under one name.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    pub(crate) name: String,
    pub(crate) label: String,
    /// A JSON text: `{"type": …}`.
    pub(crate) definition: String,
}

/// All namespaces of a sandbox: one of each type at first.
#[derive(Debug)]
pub(crate) struct Namespaces {
    all: Mutex<Vec<Namespace>>,
    /// The Uuid of each value, by node and namespace.
    values: Mutex<HashMap<(String, String), String>>,
}

const FIRST: [(&str, &str, &str); 11] = [
    ("usermeta-tags", "Tags", r#"{"type":"tags"}"#),
    ("usermeta-a1-int", "I", r#"{"type": "integer"}"#),
    ("usermeta-a1-str", "S", r#"{"type": "string"}"#),
    ("usermeta-a1-txt", "T", r#"{"type": "textarea"}"#),
    ("usermeta-a1-date", "D", r#"{"type": "date", "data": {"format": "date"}}"#),
    ("usermeta-a1-json", "J", r#"{"type": "json"}"#),
    ("usermeta-a1-bool", "B", r#"{"type": "boolean"}"#),
    ("usermeta-a1-stars", "R", r#"{"type": "stars_rate"}"#),
    ("usermeta-a1-label", "L", r#"{"type": "css_label"}"#),
    (
        "usermeta-a1-choice",
        "C",
        r#"{"type": "choice", "data": {"items": [{"key": "a", "value": "A"}, {"key": "b", "value": "B"}]}}"#,
    ),
    ("usermeta-a1-old", "O", r#"{"type": "choice", "data": "x|The X,y|The Y"}"#),
];

impl Default for Namespaces {
    fn default() -> Self {
        let namespaces = Self { all: Mutex::default(), values: Mutex::default() };
        for (name, label, definition) in FIRST {
            namespaces.put(name, label, definition);
        }
        namespaces
    }
}

impl Namespaces {
    pub(crate) fn all(&self) -> Vec<Namespace> {
        self.lock().clone()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.lock().iter().any(|namespace| namespace.name == name)
    }

    /// Defines a namespace, or replaces its definition.
    pub(crate) fn put(&self, name: &str, label: &str, definition: &str) {
        self.remove(name);
        self.lock().push(Namespace {
            name: name.to_owned(),
            label: label.to_owned(),
            definition: definition.to_owned(),
        });
    }

    pub(crate) fn remove(&self, name: &str) {
        self.lock().retain(|namespace| namespace.name != name);
    }

    /// Returns the UUID of the value of a node under a name. Creates one if necessary.
    pub(crate) fn value(&self, node: &str, namespace: &str) -> String {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.entry((node.to_owned(), namespace.to_owned())).or_insert_with(random::uuid).clone()
    }

    /// Removes a value.
    pub(crate) fn forget(&self, node: &str, namespace: &str) {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).remove(&(node.to_owned(), namespace.to_owned()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Namespace>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

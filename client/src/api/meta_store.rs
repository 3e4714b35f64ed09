//! The metadata of a node in an answer, whose values are themselves JSON texts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The metadata of a node; fields that every node has are struct fields. Answers contain hundreds of nodes, so they are
/// read without an intermediate map.
#[derive(Debug, Default)]
pub(super) struct MetaStore {
    pub(super) name: Option<Value>,
    pub(super) mime: Option<Value>,
    pub(super) hash: Option<Value>,
    pub(super) hashing_version: Option<Value>,
    pub(super) children: Option<Value>,
    pub(super) read_only: Option<Value>,
    /// All other values.
    pub(super) rest: BTreeMap<String, Value>,
}

impl MetaStore {
    fn known(&mut self, name: &str) -> Option<&mut Option<Value>> {
        Some(match name {
            "name" => &mut self.name,
            "mime" => &mut self.mime,
            "x-cells-hash" => &mut self.hash,
            "hashing_version" => &mut self.hashing_version,
            "ChildrenCount" => &mut self.children,
            "node_readonly" => &mut self.read_only,
            _ => return None,
        })
    }

    /// Returns a value that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match name {
            "name" => self.name.as_ref(),
            _ => self.rest.get(name),
        }?
        .as_str()
    }
}

impl<'de> Deserialize<'de> for MetaStore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Store;
        impl<'de> Visitor<'de> for Store {
            type Value = MetaStore;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("metadata")
            }

            fn visit_unit<E>(self) -> Result<MetaStore, E> {
                Ok(MetaStore::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MetaStore, A::Error> {
                let mut store = MetaStore::default();
                while let Some(Name(name)) = map.next_key()? {
                    let Decoded(value) = map.next_value()?;
                    if let Some(place) = store.known(&name) {
                        *place = Some(value);
                    } else {
                        store.rest.insert(name.into_owned(), value);
                    }
                }
                Ok(store)
            }
        }
        deserializer.deserialize_any(Store)
    }
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A metadata value, decoded from its JSON text. Some values are plain text instead and are kept unchanged.
struct Decoded(Value);

impl<'de> Deserialize<'de> for Decoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Value;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value of metadata")
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(decoded(text))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<Value, A::Error> {
                Value::deserialize(SeqAccessDeserializer::new(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, values: A) -> Result<Value, A::Error> {
                Value::deserialize(MapAccessDeserializer::new(values))
            }
        }
        deserializer.deserialize_any(Text).map(Self)
    }
}

fn decoded(text: &str) -> Value {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    // A fast path: most values are strings without escapes.
    if let Some(inner) = inner.filter(|inner| inner.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')) {
        return inner.into();
    }
    serde_json::from_slice(text.as_bytes()).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_json_in_their_texts() {
        for (text, value) in [
            (r#""text""#, Value::from("text")),
            (r#""""#, "".into()),
            (r#""a \"b\" \u00e9""#, "a \"b\" é".into()),
            ("42", 42.into()),
            ("true", true.into()),
            ("null", Value::Null),
            (r#"["a",1]"#, serde_json::json!(["a", 1])),
            ("text/plain", "text/plain".into()),
            ("", "".into()),
            (r#"""#, r#"""#.into()),
            (r#""a"b""#, r#""a"b""#.into()),
            ("\"a\nb\"", "\"a\nb\"".into()),
        ] {
            assert_eq!(decoded(text), value, "{text}");
        }
    }

    #[test]
    fn what_every_node_has_is_in_its_place_and_values_may_be_no_texts() {
        let text = r#"{"name":"\"n\"","ChildrenCount":3,"usermeta-x":[1,{"a":null}],"other":null,"node_readonly":"true",
            "esc\u0061pe":1.5}"#;
        let store: MetaStore = serde_json::from_str(text).expect("metadata");
        assert_eq!(
            (store.name, store.children, store.read_only),
            (Some("n".into()), Some(3.into()), Some(true.into()))
        );
        let rest = serde_json::json!({"usermeta-x": [1, {"a": null}], "other": null, "escape": 1.5});
        assert_eq!(serde_json::to_value(&store.rest).expect("JSON"), rest);
        assert!(serde_json::from_str::<MetaStore>("null").expect("metadata").rest.is_empty());
    }
}

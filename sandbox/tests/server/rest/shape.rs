//! Compares an answer with a recorded one: the same keys, the same types, the same enum values,
//! the same error texts; identifiers, times and sizes may differ.

use serde_json::Value;

/// Strings that are the same on every server.
const EXACT: [&str; 19] = [
    "Title",
    "Detail",
    "Type",
    "Path",
    "name",
    "hashing_version",
    "ws_root",
    "Status",
    "Owner",
    "ws_permissions",
    "ws_scope",
    "ws_slug",
    "PackageType",
    "Msg",
    "error",
    "error_description",
    "scope",
    "token_type",
    "authSource",
];

/// Numbers that describe a page rather than a moment.
const EXACT_NUMBERS: [&str; 7] =
    ["Limit", "CurrentOffset", "Total", "CurrentPage", "TotalPages", "NextOffset", "PrevOffset"];

/// How lists are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lists {
    /// Element by element.
    InOrder,
    /// Each element must be like one of the recorded ones.
    AnyOf,
}

/// Where `found` differs from what was recorded; empty when it does not.
pub(crate) fn differences(recorded: &Value, found: &Value, lists: Lists) -> Vec<String> {
    let mut differences = Vec::new();
    compare("", "", recorded, found, lists, &mut differences);
    differences
}

fn compare(at: &str, key: &str, recorded: &Value, found: &Value, lists: Lists, out: &mut Vec<String>) {
    match (recorded, found) {
        (Value::Object(recorded), Value::Object(found)) => {
            for (key, value) in recorded {
                match found.get(key) {
                    Some(found) => compare(&format!("{at}.{key}"), key, value, found, lists, out),
                    None => out.push(format!("{at}.{key} is missing")),
                }
            }
            for key in found.keys().filter(|key| !recorded.contains_key(*key)) {
                out.push(format!("{at}.{key} was not recorded"));
            }
        }
        (Value::Array(recorded), Value::Array(found)) => match lists {
            Lists::InOrder => {
                if recorded.len() != found.len() {
                    let (expected, is) = (recorded.len(), found.len());
                    out.push(format!("{at} has {is} elements, not {expected}"));
                }
                for (index, (recorded, found)) in recorded.iter().zip(found).enumerate() {
                    compare(&format!("{at}[{index}]"), key, recorded, found, lists, out);
                }
            }
            Lists::AnyOf => {
                for (index, found) in found.iter().enumerate() {
                    let is_like = |recorded: &Value| differences(recorded, found, lists).is_empty();
                    if !recorded.iter().any(is_like) {
                        out.push(format!("{at}[{index}] is like none recorded: {found}"));
                    }
                }
            }
        },
        (Value::String(recorded), Value::String(found)) => {
            if EXACT.contains(&key) && recorded != found {
                out.push(format!("{at} is {found:?}, not {recorded:?}"));
            } else if recorded.parse::<i64>().is_ok() != found.parse::<i64>().is_ok() {
                out.push(format!("{at}: {found:?} does not look like {recorded:?}"));
            }
        }
        (Value::Number(recorded), Value::Number(found)) => {
            if EXACT_NUMBERS.contains(&key) && recorded != found {
                out.push(format!("{at} is {found}, not {recorded}"));
            }
        }
        _ if std::mem::discriminant(recorded) == std::mem::discriminant(found) => {}
        _ => out.push(format!("{at}: {found} is not of the type of {recorded}")),
    }
}

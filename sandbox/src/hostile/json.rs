//! False data in a JSON document.

use serde_json::Value;

use super::random::Random;
use super::{Lie, Malice, words};

/// A placeholder for a text that is not JSON, until the document is written.
const RAW: &str = "@@raw@@";

/// How deep values are within values.
const DEPTH: usize = 100_000;

/// Returns the document with false data in it; `None` if it is not JSON.
pub(super) fn changed(lie: Lie, body: &[u8], random: &mut Random, malice: &Malice) -> Option<String> {
    let mut document: Value = serde_json::from_slice(body).ok()?;
    let mut places = Vec::new();
    collect(&document, &mut String::new(), &mut places);
    let mut raw = String::new();
    match lie {
        Lie::Names => {
            for _ in 0..=random.below(3) {
                rename(&mut document, &places, random, malice);
            }
        }
        Lie::Escapes => {
            let all = random.one_of(2);
            let texts = places.iter().filter(|place| text_at(&document, place).is_some());
            let texts: Vec<&String> = texts.collect();
            let chosen = random.below(texts.len());
            for (index, place) in texts.iter().enumerate() {
                if let Some(Value::String(text)) = document.pointer_mut(place)
                    && (all || index == chosen)
                {
                    *text = format!("{text}{}", words::text(random));
                }
            }
        }
        Lie::Types => {
            for _ in 0..=random.below(3) {
                if let Some(value) = any(&mut document, &places, random) {
                    *value = other_type(value, random);
                }
            }
        }
        Lie::Numbers => {
            (*random.choose(&words::NUMBERS)).clone_into(&mut raw);
            let is_number = |value: &Value| match value {
                Value::Number(_) => true,
                Value::String(text) => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
                _ => false,
            };
            let numbers = places.iter().filter(|place| document.pointer(place).is_some_and(is_number));
            let numbers: Vec<String> = numbers.cloned().collect();
            let value = if numbers.is_empty() {
                any(&mut document, &places, random)
            } else {
                any(&mut document, &numbers, random)
            }?;
            *value = if value.is_string() { Value::String(raw.clone()) } else { Value::String(RAW.to_owned()) };
        }
        Lie::Gaps => {
            for _ in 0..=random.below(3) {
                remove(&mut document, &places, random);
            }
        }
        Lie::Nesting => {
            let (open, close) = if random.one_of(2) { ("[", "]") } else { ("{\"a\":", "}") };
            raw = format!("{}1{}", open.repeat(DEPTH), close.repeat(DEPTH));
            *any(&mut document, &places, random)? = Value::String(RAW.to_owned());
        }
        _ => {}
    }
    Some(document.to_string().replace(&format!("\"{RAW}\""), &raw))
}

/// The pointers to all values, the document's own first.
fn collect(value: &Value, at: &mut String, places: &mut Vec<String>) {
    if places.len() >= 4000 {
        return;
    }
    places.push(at.clone());
    let length = at.len();
    let mut enter = |key: &str, value: &Value| {
        at.push('/');
        at.push_str(&key.replace('~', "~0").replace('/', "~1"));
        collect(value, at, places);
        at.truncate(length);
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| enter(&index.to_string(), item)),
        Value::Object(fields) => fields.iter().for_each(|(key, field)| enter(key, field)),
        _ => {}
    }
}

fn text_at<'a>(document: &'a Value, place: &str) -> Option<&'a str> {
    document.pointer(place)?.as_str()
}

fn any<'a>(document: &'a mut Value, places: &[String], random: &mut Random) -> Option<&'a mut Value> {
    let place = random.choose(places).clone();
    document.pointer_mut(&place)
}

/// Gives a text that is a name, or ends in one, another one.
fn rename(document: &mut Value, places: &[String], random: &mut Random, malice: &Malice) {
    const NAMES: [&str; 12] =
        ["Path", "path", "name", "Name", "Label", "label", "Login", "Slug", "slug", "BinaryURL", "Uuid", "LinkHash"];
    let named = |place: &&String| NAMES.iter().any(|name| place.ends_with(&format!("/{name}")));
    let texts = |places: Vec<&String>| -> Vec<String> {
        places.into_iter().filter(|place| text_at(document, place).is_some()).cloned().collect()
    };
    let mut candidates = texts(places.iter().filter(named).collect());
    if candidates.is_empty() || random.one_of(8) {
        candidates = texts(places.iter().collect());
    }
    if candidates.is_empty() {
        return;
    }
    let name = words::name(random, malice);
    let keeps_folder = !random.one_of(4);
    if let Some(Value::String(text)) = any(document, &candidates, random) {
        *text = match text.rsplit_once('/').filter(|_| keeps_folder) {
            Some((folder, _)) => format!("{folder}/{name}"),
            None => name,
        };
    }
}

fn other_type(value: &Value, random: &mut Random) -> Value {
    let others = [
        Value::Null,
        Value::Bool(true),
        Value::from(7),
        Value::from("x"),
        serde_json::json!([]),
        serde_json::json!({}),
        serde_json::json!([[{"Path": 5}]]),
        serde_json::json!({"": null}),
    ];
    let same = std::mem::discriminant(value);
    let others: Vec<&Value> = others.iter().filter(|other| std::mem::discriminant(*other) != same).collect();
    (*random.choose(&others)).clone()
}

fn remove(document: &mut Value, places: &[String], random: &mut Random) {
    let place = random.choose(places).clone();
    let Some((above, last)) = place.rsplit_once('/') else { return };
    match document.pointer_mut(above) {
        Some(Value::Object(fields)) => {
            fields.shift_remove(&last.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(items)) => {
            if let Some(index) = last.parse::<usize>().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

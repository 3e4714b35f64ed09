//! Validates values. The server accepts any JSON for any type, so the types are checked here.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde_json::Value;

use cells_client::api::meta::MetaKind;

/// The labels that the web interface knows.
const LABELS: [&str; 5] = ["low", "todo", "personal", "work", "important"];

/// The maximum number of stars.
const MOST_STARS: i64 = 5;

/// A value from the command line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TypedValue {
    /// `--string-value`.
    Text(String),
    /// `--numeric-value`.
    Number(i64),
    /// `--boolean-value`.
    Boolean(bool),
    /// `--json-value`.
    Json(String),
}

/// Returns the JSON to store for a value.
///
/// # Errors
/// Why the value does not match the type.
pub(super) fn checked(kind: &MetaKind, given: &TypedValue) -> Result<Value, String> {
    let json: Value;
    let given = match given {
        TypedValue::Json(text) => {
            json =
                serde_json::from_slice(text.as_bytes()).map_err(|error| format!("this is not valid JSON: {error}"))?;
            match (&json, kind) {
                (_, MetaKind::Json | MetaKind::Other(_)) => return Ok(json),
                (Value::String(text), _) => TypedValue::Text(text.clone()),
                (Value::Bool(yes), _) => TypedValue::Boolean(*yes),
                (Value::Number(number), _) => match number.as_i64() {
                    Some(number) => TypedValue::Number(number),
                    None => return Err(format!("{number} is not a whole number")),
                },
                _ => return Err(format!("a {} does not accept a list, an object or null", kind.name())),
            }
        }
        other => other.clone(),
    };
    match kind {
        MetaKind::Text | MetaKind::LongText => Ok(text(given)?.into()),
        MetaKind::Integer => Ok(number(given)?.into()),
        MetaKind::Stars => match number(given)? {
            stars @ 0..=MOST_STARS => Ok(stars.into()),
            other => Err(format!("{other} stars: the range is 0 to {MOST_STARS}")),
        },
        MetaKind::Boolean => Ok(boolean(given)?.into()),
        MetaKind::Date => Ok(date(given)?.into()),
        MetaKind::Tags => Ok(tags(&text(given)?)?.join(",").into()),
        MetaKind::Choice(choices) => {
            let keys: Vec<&str> = choices.iter().map(|choice| choice.key.as_str()).collect();
            one_of(&text(given)?, &keys)
        }
        MetaKind::Label => one_of(&text(given)?, &LABELS),
        MetaKind::Json => Err("JSON is required: use --json-value".to_owned()),
        MetaKind::Other(_) => Ok(match given {
            TypedValue::Text(text) | TypedValue::Json(text) => text.into(),
            TypedValue::Number(number) => number.into(),
            TypedValue::Boolean(yes) => yes.into(),
        }),
    }
}

/// Returns the tags in a text, each once, separated by commas.
///
/// # Errors
/// There are no tags.
pub(super) fn tags(text: &str) -> Result<Vec<String>, String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    if tags.is_empty() { Err("it contains no tag".to_owned()) } else { Ok(tags) }
}

fn text(given: TypedValue) -> Result<String, String> {
    match given {
        TypedValue::Text(text) | TypedValue::Json(text) => Ok(text),
        TypedValue::Number(_) | TypedValue::Boolean(_) => Err("text is required: use --string-value".to_owned()),
    }
}

fn number(given: TypedValue) -> Result<i64, String> {
    match given {
        TypedValue::Number(number) => Ok(number),
        TypedValue::Text(text) | TypedValue::Json(text) => {
            text.trim().parse().map_err(|_| format!("'{text}' is not a whole number"))
        }
        TypedValue::Boolean(_) => Err("a whole number is required: use --numeric-value".to_owned()),
    }
}

fn boolean(given: TypedValue) -> Result<bool, String> {
    match given {
        TypedValue::Boolean(yes) => Ok(yes),
        TypedValue::Text(text) | TypedValue::Json(text) => {
            crate::env::parse_switch(text.trim()).map_err(|_| format!("'{text}' is neither true nor false"))
        }
        TypedValue::Number(_) => Err("true or false is required: use --boolean-value".to_owned()),
    }
}

/// Returns a date in seconds since the Unix epoch. Without a time zone, it is in UTC.
fn date(given: TypedValue) -> Result<i64, String> {
    let text = match given {
        TypedValue::Number(seconds) => return Ok(seconds),
        TypedValue::Text(text) | TypedValue::Json(text) => text,
        TypedValue::Boolean(_) => return Err("a date is required: use --string-value".to_owned()),
    };
    let typed = text.trim();
    if let Ok(seconds) = typed.parse::<i64>() {
        return Ok(seconds);
    }
    if let Ok(time) = typed.parse::<Timestamp>() {
        return Ok(time.as_second());
    }
    let local = typed.parse::<DateTime>().ok();
    let local = local.or_else(|| typed.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0)));
    let time = local.and_then(|local| jiff::tz::Offset::UTC.to_timestamp(local).ok());
    time.map(Timestamp::as_second).ok_or_else(|| {
        format!("'{text}' is not a date: write 2031-05-20, '2031-05-20 14:30:00', 2031-05-20T14:30:00Z or Unix seconds")
    })
}

fn one_of(text: &str, known: &[&str]) -> Result<Value, String> {
    // A choice without keys in its definition accepts any text.
    if known.is_empty() || known.contains(&text) {
        return Ok(text.into());
    }
    Err(format!("'{text}' is not one of: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cells_client::api::meta::Choice;
    use serde_json::json;

    fn choice() -> MetaKind {
        let choice = |key: &str| Choice { key: key.to_owned(), label: key.to_uppercase() };
        MetaKind::Choice(vec![choice("a"), choice("b")])
    }

    #[test]
    fn every_type_takes_what_it_is_for() {
        let text = |text: &str| TypedValue::Text(text.to_owned());
        let json_text = |text: &str| TypedValue::Json(text.to_owned());
        for (kind, given, value) in [
            (MetaKind::Text, text("a \"b\" \\ c"), json!("a \"b\" \\ c")),
            (MetaKind::LongText, text("a\nb"), json!("a\nb")),
            (MetaKind::Text, json_text("\"x\""), json!("x")),
            (MetaKind::Integer, TypedValue::Number(-42), json!(-42)),
            (MetaKind::Integer, text("42"), json!(42)),
            (MetaKind::Stars, TypedValue::Number(0), json!(0)),
            (MetaKind::Stars, json_text("5"), json!(5)),
            (MetaKind::Boolean, TypedValue::Boolean(false), json!(false)),
            (MetaKind::Boolean, text("yes"), json!(true)),
            (MetaKind::Date, text("2026-11-23"), json!(1_795_392_000)),
            (MetaKind::Date, text("2026-11-23 16:06:40"), json!(1_795_450_000)),
            (MetaKind::Date, text("2026-11-23T17:06:40+01:00"), json!(1_795_450_000)),
            (MetaKind::Date, TypedValue::Number(1_795_450_000), json!(1_795_450_000)),
            (MetaKind::Tags, text(" b, a ,,b"), json!("b,a")),
            (choice(), text("b"), json!("b")),
            (MetaKind::Label, text("todo"), json!("todo")),
            (MetaKind::Json, json_text("{\"k\":[1,2]}"), json!({"k": [1, 2]})),
            (MetaKind::Other("new".to_owned()), TypedValue::Number(1), json!(1)),
        ] {
            assert_eq!(checked(&kind, &given).as_ref(), Ok(&value), "{kind:?} {given:?}");
        }
    }

    #[test]
    fn values_of_another_type_are_refused() {
        let text = |text: &str| TypedValue::Text(text.to_owned());
        let json_text = |text: &str| TypedValue::Json(text.to_owned());
        for (kind, given) in [
            (MetaKind::Text, TypedValue::Number(1)),
            (MetaKind::Text, json_text("[1]")),
            (MetaKind::Text, json_text("null")),
            (MetaKind::Text, json_text("no JSON")),
            (MetaKind::Integer, text("4.5")),
            (MetaKind::Integer, json_text("4.5")),
            (MetaKind::Integer, TypedValue::Boolean(true)),
            (MetaKind::Stars, TypedValue::Number(6)),
            (MetaKind::Stars, TypedValue::Number(-1)),
            (MetaKind::Boolean, text("perhaps")),
            (MetaKind::Boolean, TypedValue::Number(1)),
            (MetaKind::Date, text("tomorrow")),
            (MetaKind::Date, text("2026-13-01")),
            (MetaKind::Tags, text(" , ")),
            (choice(), text("A")),
            (choice(), TypedValue::Number(1)),
            (MetaKind::Label, text("urgent")),
            (MetaKind::Json, text("{}")),
        ] {
            assert!(checked(&kind, &given).is_err(), "{kind:?} {given:?}");
        }
    }
}

//! The body of a call: from fields, from a file, or page by page.

#![expect(clippy::disallowed_methods, reason = "the body of a request may be standard input")]

use std::collections::HashSet;
use std::path::Path;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::error::{CliError, Kind};
use cells_client::hash;

/// The number of items per page if the body does not specify one.
const PAGE: u64 = 100;

/// A field of the command line.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// The nested names: `Query[FileName]` becomes `Query`, `FileName`; an empty name appends to a list.
    names: Vec<String>,
    value: String,
}

/// Parses `NAME=VALUE`.
pub(super) fn parse_field(text: &str) -> Result<Field, String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let mut names = Vec::new();
    let (first, mut rest) = name.find('[').map_or((name, ""), |open| name.split_at(open));
    names.push(first.to_owned());
    while let Some(inner) = rest.strip_prefix('[') {
        let (name, after) = inner.split_once(']').ok_or_else(|| format!("'{name}' has an unclosed bracket"))?;
        names.push(name.to_owned());
        rest = after;
    }
    if first.is_empty() || first.contains(']') || !rest.is_empty() {
        return Err(format!("'{name}' is not a field name"));
    }
    Ok(Field { names, value: value.to_owned() })
}

/// Returns the object that consists of these fields, text fields first.
///
/// # Errors
/// [`Kind::Usage`] if fields contradict each other; a file cannot be read.
pub(super) fn object(raw: &[Field], typed: &[Field]) -> Result<Map<String, Value>, CliError> {
    let mut root = Value::Object(Map::new());
    let raw = raw.iter().map(|field| Ok::<_, CliError>((field, Value::from(field.value.as_str()))));
    for field in raw.chain(typed.iter().map(|field| Ok((field, typed_value(&field.value)?)))) {
        let (field, value): (&Field, Value) = field?;
        set(&mut root, &field.names, value).map_err(|()| {
            CliError::new(Kind::Usage, format!("the field '{}' is used in two ways", field.names.join(".")))
        })?;
    }
    match root {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

fn typed_value(text: &str) -> Result<Value, CliError> {
    if let Some(file) = text.strip_prefix('@') {
        let content = read(Path::new(file))?;
        return Ok(String::from_utf8_lossy(&content).into_owned().into());
    }
    Ok(match text {
        "true" => true.into(),
        "false" => false.into(),
        "null" => Value::Null,
        _ => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
    })
}

fn set(at: &mut Value, names: &[String], value: Value) -> Result<(), ()> {
    let Some((name, rest)) = names.split_first() else {
        *at = value;
        return Ok(());
    };
    if name.is_empty() {
        if at.is_null() {
            *at = Value::Array(Vec::new());
        }
        let list = at.as_array_mut().ok_or(())?;
        // The following names belong to the last item, until it has that name already.
        if let (Some(last), Some(next)) = (list.last_mut(), rest.first())
            && last.get(next).is_none()
            && last.is_object()
        {
            return set(last, rest, value);
        }
        let mut item = Value::Null;
        set(&mut item, rest, value)?;
        list.push(item);
        return Ok(());
    }
    if at.is_null() {
        *at = Value::Object(Map::new());
    }
    let object = at.as_object_mut().ok_or(())?;
    set(object.entry(name.as_str()).or_insert(Value::Null), rest, value)
}

/// Reads a body from a file or standard input.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(file: &Path) -> Result<Bytes, CliError> {
    let content = if file == Path::new("-") {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut content).map(|_| content)
    } else {
        std::fs::read(file)
    };
    content.map(Bytes::from).map_err(|error| {
        let kind = CliError::from(std::io::Error::from(error.kind())).kind;
        CliError::new(kind, format!("cannot read {}: {error}", file.display()))
    })
}

/// Adds fields to a path as a query. Nested values are written as JSON.
pub(super) fn append_query(path: &mut String, fields: &Map<String, Value>) {
    for (name, value) in fields {
        path.push(if path.contains('?') { '&' } else { '?' });
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        path.push_str(&cells_client::path::encode_segment(name));
        path.push('=');
        path.push_str(&cells_client::path::encode_segment(&text));
    }
}

/// The bodies of successive pages.
#[derive(Debug)]
pub(super) struct Pages {
    body: Map<String, Value>,
    offset_name: &'static str,
    offset: u64,
    limit: u64,
    is_over: bool,
    /// The MD5 of each answer so far.
    seen: HashSet<[u8; 16]>,
}

impl Pages {
    /// Starts at the offset, and with the page size, in the body.
    pub(super) fn new(mut body: Map<String, Value>) -> Self {
        let by_size = body.contains_key("Size") || body.contains_key("From");
        let (offset_name, limit_name) = if by_size { ("From", "Size") } else { ("Offset", "Limit") };
        let number = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.parse().ok(),
            value => value.and_then(Value::as_u64),
        };
        let limit = number(body.get(limit_name)).filter(|limit| *limit > 0).unwrap_or(PAGE);
        let offset = number(body.get(offset_name)).unwrap_or(0);
        body.insert(limit_name.to_owned(), limit.into());
        Self { body, offset_name, offset, limit, is_over: false, seen: HashSet::new() }
    }

    /// Returns the next body, if there is another page.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        self.body.insert(self.offset_name.to_owned(), self.offset.into());
        Some(Bytes::from(Value::Object(self.body.clone()).to_string()))
    }

    /// Checks whether an answer is the last page. Folder listings have a pagination, since their pages may be short;
    /// all other lists end with a page that is not full.
    ///
    /// # Errors
    /// The server returns an earlier page again, as one that does not know the offset would do forever.
    pub(super) fn answered(&mut self, answer: &[u8]) -> Result<(), CliError> {
        if !self.seen.insert(hash::md5(answer)) {
            let message = "the server returns the same page again, so there is no end of them";
            return Err(
                CliError::new(Kind::Failure, message).hint("leave out --paginate, and use a larger Limit or Size")
            );
        }
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        self.offset += self.limit;
        let total = answer.pointer("/Pagination/Total").and_then(Value::as_u64);
        let lists = answer.as_object().into_iter().flatten().filter(|(name, _)| *name != "Facets");
        let count: usize = lists.filter_map(|(_, value)| Some(value.as_array()?.len())).sum();
        self.is_over = match total {
            Some(total) => self.offset >= total,
            None => (count as u64) < self.limit,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(texts: &[&str]) -> Vec<Field> {
        texts.iter().map(|text| parse_field(text).expect(text)).collect()
    }

    #[test]
    fn fields_become_an_object() {
        let raw =
            fields(&["Label=1", "Nodes[][Path]=a", "Nodes[][Type]=LEAF", "Nodes[][Path]=b", "Tags[]=x", "Tags[]=y"]);
        let typed = fields(&["Limit=2", "On=true", "Query[Size]=-1", "Query[Name]=x=y"]);
        assert_eq!(
            Value::Object(object(&raw, &typed).expect("an object")),
            json!({
                "Label": "1",
                "Nodes": [{"Path": "a", "Type": "LEAF"}, {"Path": "b"}],
                "Tags": ["x", "y"],
                "Limit": 2,
                "On": true,
                "Query": {"Size": -1, "Name": "x=y"},
            })
        );
        assert!(object(&fields(&["A=1", "A[b]=2"]), &[]).is_err());
        for text in ["A", "=x", "A[b=x", "A]b=x", "[a]=x"] {
            assert!(parse_field(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pages_end_where_the_answer_says() {
        let body = |text: &str| serde_json::from_str::<Map<String, Value>>(text).expect("an object");
        let mut pages = Pages::new(body(r#"{"Limit":2}"#));
        assert_eq!(pages.next().expect("a page"), r#"{"Limit":2,"Offset":0}"#.as_bytes());
        pages.answered(br#"{"Users":[1],"Groups":[2],"Total":3}"#).expect("another page");
        assert_eq!(pages.next().expect("a page"), r#"{"Limit":2,"Offset":2}"#.as_bytes());
        pages.answered(br#"{"Users":[3],"Total":3}"#).expect("another page");
        assert!(pages.next().is_none());
        let mut pages = Pages::new(body(r#"{"Limit":2}"#));
        pages.answered(br#"{"Nodes":[1],"Pagination":{"Total":3}}"#).expect("another page");
        assert!(pages.next().is_some(), "a short page of a folder is not its end");
        pages.answered(br#"{"Nodes":[],"Pagination":{"Total":3}}"#).expect("another page");
        assert!(pages.next().is_none());
        let mut pages = Pages::new(body(r#"{"Limit":1}"#));
        pages.answered(br#"{"Users":[1]}"#).expect("another page");
        pages.answered(br#"{"Users":[1]}"#).expect_err("this server does not know the offset");
        let mut pages = Pages::new(body(r#"{"Query":{},"Size":"1"}"#));
        assert_eq!(pages.next().expect("a page"), r#"{"Query":{},"Size":1,"From":0}"#.as_bytes());
    }

    #[test]
    fn a_query_is_encoded() {
        let mut path = "/a/x?y=1".to_owned();
        append_query(&mut path, &object(&fields(&["a b=c&d"]), &fields(&["n=2"])).expect("fields"));
        assert_eq!(path, "/a/x?y=1&a%20b=c%26d&n=2");
    }
}

//! Strict JSON requests: a reader that records positions, because the real server names the position of a mistake, and
//! refuses unknown fields.

use std::collections::BTreeMap;

use super::error::RestError;

/// A mistake in a request body.
#[derive(Debug)]
pub(crate) struct JsonError {
    at: usize,
    syntax: bool,
    message: String,
}

impl JsonError {
    fn syntax(at: usize, message: String) -> Self {
        Self { at, syntax: true, message }
    }

    fn meaning(at: usize, message: String) -> Self {
        Self { at, syntax: false, message }
    }

    /// The text the server answers; `source` is the body that was read.
    fn describe(&self, source: &str) -> String {
        let before = source.get(..self.at).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        let column = last_line.chars().count() + 1;
        let kind = if self.syntax { "syntax error " } else { "" };
        format!("proto: {kind}(line {line}:{column}): {}", self.message)
    }
}

/// A value and its offset.
#[derive(Debug)]
pub(crate) struct Value {
    at: usize,
    end: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(usize, String, Value)>),
}

/// Something that a request can contain.
pub(crate) trait Field: Sized {
    /// Reads the value of the field called `name`.
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError>;
}

/// Reads a complete request body.
pub(crate) fn parse<T: Field>(body: &[u8]) -> Result<T, RestError> {
    let source = String::from_utf8_lossy(body);
    let read = Parser::new(&source).document().and_then(|value| T::read(&value, "", &source));
    read.map_err(|error| RestError::internal(&error.describe(&source)))
}

/// Declares a request: a struct whose fields have the names given, and [`Field`] for it.
macro_rules! message {
    ($(#[$outer:meta])* struct $name:ident { $($(#[$inner:meta])* $field:ident: $type:ty = $json:literal,)* }) => {
        $(#[$outer])*
        #[derive(Debug, Default)]
        pub(crate) struct $name { $($(#[$inner])* pub(crate) $field: $type,)* }

        // A request without fields has nothing to change.
        #[allow(unreachable_code, unused_mut, unused_variables)]
        impl $crate::rest::json::Field for $name {
            fn read(
                value: &$crate::rest::json::Value,
                _name: &str,
                source: &str,
            ) -> Result<Self, $crate::rest::json::JsonError> {
                let mut message = Self::default();
                value.members(source, |key, member| {
                    match key {
                        $($json => message.$field =
                            $crate::rest::json::Field::read(member, key, source)?,)*
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                Ok(message)
            }
        }
    };
}
pub(crate) use message;

impl Value {
    /// Hands every member of an object to `take`, which says whether it knows the name. A member
    /// that is `null` counts as absent.
    pub(crate) fn members(
        &self,
        source: &str,
        mut take: impl FnMut(&str, &Self) -> Result<bool, JsonError>,
    ) -> Result<(), JsonError> {
        let Kind::Object(members) = &self.kind else {
            let found = self.raw(source);
            return Err(JsonError::syntax(self.at, format!("unexpected token {found}")));
        };
        let mut seen = Vec::new();
        for (at, name, member) in members {
            if seen.contains(&name) {
                return Err(JsonError::meaning(*at, format!("duplicate field {name:?}")));
            }
            seen.push(name);
            if !take(name, member)? {
                return Err(JsonError::meaning(*at, format!("unknown field {name:?}")));
            }
        }
        Ok(())
    }

    fn raw<'a>(&self, source: &'a str) -> &'a str {
        match self.kind {
            Kind::List(_) => "[",
            Kind::Object(_) => "{",
            _ => source.get(self.at..self.end).unwrap_or_default(),
        }
    }

    fn refuse(&self, kind: &str, name: &str, source: &str) -> JsonError {
        let found = self.raw(source);
        JsonError::meaning(self.at, format!("invalid value for {kind} field {name}: {found}"))
    }

    fn integer(&self) -> Option<i64> {
        let (Kind::Number(text) | Kind::Text(text)) = &self.kind else {
            return None;
        };
        if let Ok(number) = text.parse() {
            return Some(number);
        }
        let float: f64 = text.parse().ok()?;
        let is_whole = float.fract() == 0.0 && float.abs() < 9e15;
        #[allow(clippy::cast_possible_truncation)]
        is_whole.then_some(float as i64)
    }

    /// The name of an enum value, or its number.
    pub(crate) fn enum_value(&self, known: &[(&str, i64)], name: &str, source: &str) -> Result<i64, JsonError> {
        let number = match &self.kind {
            Kind::Null => Some(0),
            Kind::Text(text) => known.iter().find(|(value, _)| value == text).map(|(_, number)| *number),
            Kind::Number(_) => self.integer(),
            _ => None,
        };
        number.ok_or_else(|| self.refuse("enum", name, source))
    }
}

impl Field for String {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        match &value.kind {
            Kind::Text(text) => Ok(text.clone()),
            Kind::Null => Ok(Self::new()),
            _ => Err(value.refuse("string", name, source)),
        }
    }
}

impl Field for bool {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        match value.kind {
            Kind::Bool(yes) => Ok(yes),
            Kind::Null => Ok(false),
            _ => Err(value.refuse("bool", name, source)),
        }
    }
}

impl Field for i32 {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        match value.kind {
            Kind::Null => Ok(0),
            _ => value
                .integer()
                .and_then(|number| number.try_into().ok())
                .ok_or_else(|| value.refuse("int32", name, source)),
        }
    }
}

impl Field for i64 {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        match value.kind {
            Kind::Null => Ok(0),
            _ => value.integer().ok_or_else(|| value.refuse("int64", name, source)),
        }
    }
}

impl<T: Field> Field for Option<T> {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        match value.kind {
            Kind::Null => Ok(None),
            _ => T::read(value, name, source).map(Some),
        }
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        match &value.kind {
            Kind::Null => Ok(Self::new()),
            Kind::List(items) => items.iter().map(|item| T::read(item, name, source)).collect(),
            _ => {
                let found = value.raw(source);
                let message = format!("unexpected token {found}");
                Err(JsonError::syntax(value.at, message))
            }
        }
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn read(value: &Value, name: &str, source: &str) -> Result<Self, JsonError> {
        let mut map = Self::new();
        if matches!(value.kind, Kind::Null) {
            return Ok(map);
        }
        value.members(source, |key, member| {
            map.insert(key.to_owned(), T::read(member, name, source)?);
            Ok(true)
        })?;
        Ok(map)
    }
}

/// How deeply lists and objects may be nested.
const DEEPEST: usize = 200;

struct Parser<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(source: &'a str) -> Self {
        Self { source, at: 0, depth: 0 }
    }

    fn document(mut self) -> Result<Value, JsonError> {
        let value = self.value()?;
        self.blank();
        if self.at < self.source.len() {
            return Err(self.unexpected());
        }
        Ok(value)
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn blank(&mut self) {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.at += rest.len() - trimmed.len();
    }

    fn peek(&mut self) -> Option<char> {
        self.blank();
        self.rest().chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// Creates the error for something unexpected, which is quoted as one word or one character.
    fn unexpected(&mut self) -> JsonError {
        self.blank();
        let rest = self.rest();
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-+._".contains(c);
        let word: String = rest.chars().take_while(|c| is_word(*c)).take(32).collect();
        let found = match (word.is_empty(), rest.chars().next()) {
            (false, _) => word,
            (true, Some(character)) => character.to_string(),
            (true, None) => return JsonError::syntax(self.at, "unexpected end of input".into()),
        };
        let message = match found.as_str() {
            "{" | "}" | "[" | "]" | "," | ":" | "\"" => format!("unexpected token {found}"),
            _ => format!("invalid value {found}"),
        };
        JsonError::syntax(self.at, message)
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        let first = self.peek();
        let at = self.at;
        let kind = match first {
            Some('{') => self.nested(Self::object)?,
            Some('[') => self.nested(Self::list)?,
            Some('"') => Kind::Text(self.text()?),
            _ => self.word()?,
        };
        let end = self.at;
        Ok(Value { at, end, kind })
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Kind, JsonError>) -> Result<Kind, JsonError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(JsonError::syntax(self.at, "exceeded max recursion depth".into()));
        }
        self.at += 1;
        let kind = read(self);
        self.depth -= 1;
        kind
    }

    fn object(&mut self) -> Result<Kind, JsonError> {
        let mut members = Vec::new();
        if self.eat('}') {
            return Ok(Kind::Object(members));
        }
        loop {
            if self.peek() != Some('"') {
                return Err(self.unexpected());
            }
            let at = self.at;
            let name = self.text()?;
            if !self.eat(':') {
                return Err(self.unexpected());
            }
            members.push((at, name, self.value()?));
            if self.eat('}') {
                return Ok(Kind::Object(members));
            }
            if !self.eat(',') {
                return Err(self.unexpected());
            }
        }
    }

    fn list(&mut self) -> Result<Kind, JsonError> {
        let mut items = Vec::new();
        if self.eat(']') {
            return Ok(Kind::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.eat(']') {
                return Ok(Kind::List(items));
            }
            if !self.eat(',') {
                return Err(self.unexpected());
            }
        }
    }

    fn text(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        let mut escaped = false;
        for (offset, character) in self.rest().char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    self.at = start + offset + 1;
                    let raw = self.source.get(start..self.at).unwrap_or_default();
                    return serde_json::from_str(raw)
                        .map_err(|_| JsonError::syntax(start, format!("invalid escape code in {raw}")));
                }
                _ => {}
            }
        }
        Err(JsonError::syntax(start, "unexpected end of input".into()))
    }

    fn word(&mut self) -> Result<Kind, JsonError> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-+.".contains(c);
        let rest = self.rest();
        let word = rest.split(|c| !is_word(c)).next().unwrap_or_default();
        let kind = match word {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            _ if serde_json::from_str::<serde_json::Number>(word).is_ok() => Kind::Number(word.to_owned()),
            _ => return Err(self.unexpected()),
        };
        self.at += word.len();
        Ok(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    message! {
        struct Sample {
            names: Vec<String> = "Names",
            limit: i32 = "Limit",
            size: i64 = "Size",
            on: bool = "On",
        }
    }

    fn error(body: &str) -> String {
        match parse::<Sample>(body.as_bytes()) {
            Ok(sample) => format!("accepted: {sample:?}"),
            Err(RestError::Json { body, .. }) => body,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn numbers_may_be_text() {
        let sample: Sample = parse(br#"{"Names":["a","\u00e9"],"Limit":"3","Size":4.0,"On":null}"#).unwrap();
        assert_eq!(sample.names, ["a", "é"]);
        assert_eq!((sample.limit, sample.size, sample.on), (3, 4, false));
    }

    #[test]
    fn mistakes_are_located() {
        let cases = [
            ("{bad", "proto: syntax error (line 1:2): invalid value bad"),
            (r#"{"Names": ["x"], "Unknown": 1}"#, r#"proto: (line 1:18): unknown field \"Unknown\""#),
            ("{\n \"names\":[]}", r#"proto: (line 2:2): unknown field \"names\""#),
            (r#"{"Limit":1,"Limit":2}"#, r#"proto: (line 1:12): duplicate field \"Limit\""#),
            (r#"{"On":1}"#, "proto: (line 1:7): invalid value for bool field On: 1"),
            (r#"{"Limit":1.5}"#, "proto: (line 1:10): invalid value for int32 field Limit: 1.5"),
            (r#"{"Names":"x"}"#, "proto: syntax error (line 1:10): unexpected token"),
            ("", "proto: syntax error (line 1:1): unexpected end of input"),
            ("{} x", "proto: syntax error (line 1:4): invalid value x"),
        ];
        for (body, expected) in cases {
            let found = error(body);
            assert!(found.contains(expected), "{body}: {found}");
        }
    }
}

//! Go templates for `--format`, as in scripts for the older client.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{MissingKey, TemplateError, Value};

/// A template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It is not a valid template.
    #[error("the template cannot be read: {0}")]
    Syntax(String),
    /// It contains an unknown field.
    #[error("there is no field '{field}'; the fields are {known}")]
    UnknownField {
        /// The unknown field.
        field: String,
        /// The known fields.
        known: String,
    },
    /// It cannot be filled in.
    #[error("the template cannot be filled in: {0}")]
    Run(String),
}

/// A template for texts with fixed names.
pub struct Format {
    template: gotmpl::Template,
    fields: &'static [&'static str],
}

impl Format {
    /// Parses a template. Each field in it must be one of `fields`.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn parse(text: &str, fields: &'static [&'static str]) -> Result<Self, FormatError> {
        let template = gotmpl::Template::new("format")
            .missing_key(MissingKey::Error)
            .parse(text)
            .map_err(|error| FormatError::Syntax(error.to_string()))?;
        if unclosed_blocks(text) != 0 {
            return Err(FormatError::Syntax("its blocks and their ends do not match".to_owned()));
        }
        let format = Self { template, fields };
        // A trial with empty texts finds unknown fields before anything is requested from a server.
        match format.fill(fields.iter().map(|_| String::new())) {
            Err(error @ FormatError::UnknownField { .. }) => Err(error),
            _ => Ok(format),
        }
    }

    /// Returns the text for one record; `values` are those of the fields, in the same order.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn fill(&self, values: impl IntoIterator<Item = String>) -> Result<String, FormatError> {
        let named = self.fields.iter().zip(values);
        let map: BTreeMap<Arc<str>, Value> =
            named.map(|(name, value)| (Arc::from(*name), Value::String(value.into()))).collect();
        self.template.execute_to_string(&Value::Map(Arc::new(map))).map_err(|error| match error {
            TemplateError::MissingKey { key } => {
                FormatError::UnknownField { field: key, known: self.fields.join(", ") }
            }
            other => FormatError::Run(other.to_string()),
        })
    }
}

/// Returns the number of blocks without an end, which the library does not detect.
fn unclosed_blocks(text: &str) -> i32 {
    let (mut open, mut rest) = (0, text);
    while let Some((_, action)) = rest.split_once("{{") {
        let content = action.strip_prefix('-').unwrap_or(action).trim_start();
        let word = content.split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
        open += match word {
            "if" | "range" | "with" | "block" | "define" => 1,
            "end" => -1,
            _ => 0,
        };
        rest = if content.starts_with("/*") { after(content, "*/") } else { behind_action(content) };
    }
    open
}

/// Returns the text after the end of an action. Inside a string, the marks of an action are ordinary text.
fn behind_action(action: &str) -> &str {
    let (mut quote, mut is_escaped) = (None, false);
    for (index, letter) in action.char_indices() {
        match (quote, letter) {
            _ if is_escaped => is_escaped = false,
            (Some('"' | '\''), '\\') => is_escaped = true,
            (Some(opened), _) if opened == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(letter),
            (None, '}') if action[index..].starts_with("}}") => return &action[index + 2..],
            (None, _) => {}
        }
    }
    ""
}

fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[&str] = &["Name", "SizeBytes"];

    fn filled(template: &str) -> Result<String, FormatError> {
        Format::parse(template, FIELDS)?.fill(["a b.txt".to_owned(), "7".to_owned()])
    }

    #[test]
    fn templates_are_filled_in_as_go_does() {
        for (template, text) in [
            ("{{.Name}} {{.SizeBytes}}", "a b.txt 7"),
            ("{{ .Name | printf \"%-10s|\" }}", "a b.txt   |"),
            ("{{if eq .SizeBytes \"7\"}}seven{{else}}other{{end}}\\n", "seven\\n"),
            ("{{printf \"%q\" .Name}}\t{{len .Name}}", "\"a b.txt\"\t7"),
            ("plain", "plain"),
            ("{{printf \"%s\" \"{{if\"}}", "{{if"),
            ("{{`{{range \\`}}{{if .Name}}\"{{end}}", "{{range \\\""),
            ("{{printf \"\\\"}} {{with %s\" .Name}}", "\"}} {{with a b.txt"),
            ("{{/* if \" */}}{{- /* {{end}} */ -}} x", "x"),
        ] {
            assert_eq!(filled(template).expect(template), text);
        }
    }

    #[test]
    fn an_unknown_field_is_reported_with_the_known_ones() {
        let error = filled("{{.Nmae}}").expect_err("unknown");
        assert_eq!(error.to_string(), "there is no field 'Nmae'; the fields are Name, SizeBytes");
    }

    #[test]
    fn an_invalid_template_is_refused() {
        for template in [
            "{{.Name",
            "{{nosuch .Name}}",
            "{{if .Name}}",
            "{{.Name}}{{end}}",
            "{{- if .Name}}\"{{- end",
            "{{\"\\\"\"}}{{if .Name}}",
        ] {
            assert!(matches!(filled(template), Err(FormatError::Syntax(_) | FormatError::Run(_))), "{template}");
        }
    }
}

//! `--jq`: filters JSON results with an expression of the jq language.

use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, Error, File, Loader};
use jaq_core::{Compiler, Ctx, Exn, Native, Vars};
use jaq_json::{Val, read};

/// Functions of jq that the library does not define: rows for spreadsheets and for `cut`.
const ROWS: &str = r#"
def @tsv: [.[] | if type == "string"
    then gsub("\\\\"; "\\\\") | gsub("\t"; "\\t") | gsub("\n"; "\\n") | gsub("\r"; "\\r")
    elif . == null then "" else tostring end] | join("\t");
def @csv: [.[] | if type == "string" then "\"" + gsub("\""; "\"\"") + "\""
    elif . == null then "" else tostring end] | join(",");
"#;

/// A compiled jq expression, for any number of results.
pub struct JsonFilter(jaq_core::compile::Filter<Native<JustLut<Val>>>);

/// A value that an expression returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterResult {
    /// A string, which is printed raw, because `--jq .name` is for scripts.
    Text(String),
    /// Any other value, as JSON on one line.
    Json(String),
}

impl JsonFilter {
    /// Compiles an expression. It can use jq's standard library, but no files, modules, further input, or the
    /// environment, which may contain secrets.
    ///
    /// # Errors
    /// Why the expression is not valid.
    pub fn compile(expression: &str) -> Result<Self, String> {
        let rows = load::parse(ROWS, |parser| parser.defs()).unwrap_or_default();
        let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).chain(rows);
        let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let functions = functions.filter(|(name, ..)| *name != "env");
        let arena = Arena::default();
        let program = File { code: expression, path: () };
        let modules = Loader::new(definitions).load(&arena, program).map_err(|errors| {
            let complaint = errors.first().map(|(_, error)| load_complaint(error)).unwrap_or_default();
            format!("the --jq expression is not valid: {complaint}")
        })?;
        let filter = Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
            let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
            let complaint =
                first.map(|(name, kind)| format!("there is no {} '{name}'", kind.as_str())).unwrap_or_default();
            format!("the --jq expression cannot be used: {complaint}")
        })?;
        Ok(Self(filter))
    }

    /// Returns the values of the expression for a JSON text: any number of them.
    ///
    /// # Errors
    /// The expression does not match the result. Then none of its values may be printed.
    pub fn apply(&self, json: &str) -> Result<Vec<FilterResult>, String> {
        let input = read::parse_single(json.as_bytes()).map_err(|error| error.to_string())?;
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        self.0
            .id
            .run((context, input))
            .map(|value| match value.map_err(Exn::get_err) {
                Ok(Val::TStr(text)) => Ok(FilterResult::Text(String::from_utf8_lossy(&text).into_owned())),
                Ok(value) => Ok(FilterResult::Json(value.to_string())),
                Err(Ok(error)) => Err(format!("the --jq expression cannot be applied to the result: {error}")),
                // An expression must not decide how the program ends.
                Err(Err(_)) => Err("the --jq expression calls halt".to_owned()),
            })
            .collect()
    }
}

/// Returns in words why an expression cannot be compiled.
fn load_complaint(error: &Error<&str>) -> String {
    let found = |rest: &str| match rest.trim() {
        "" => "its end".to_owned(),
        rest => format!("'{rest}'"),
    };
    match error {
        Error::Io(files) => {
            files.first().map(|(name, why)| format!("'{name}' cannot be loaded: {why}")).unwrap_or_default()
        }
        Error::Lex(errors) => errors
            .first()
            .map(|(expected, rest)| format!("expected {} at {}", expected.as_str(), found(rest)))
            .unwrap_or_default(),
        Error::Parse(errors) => errors
            .first()
            .map(|(expected, rest)| format!("expected {} at {}", expected.as_str(), found(rest)))
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(expression: &str, json: &str) -> Result<Vec<FilterResult>, String> {
        JsonFilter::compile(expression).expect("an expression").apply(json)
    }

    #[test]
    fn texts_are_raw_and_other_values_json() {
        assert_eq!(
            apply(".name, .size, .tags", r#"{"name":"a \"b\"","size":12,"tags":["x",null,true]}"#),
            Ok(vec![
                FilterResult::Text("a \"b\"".to_owned()),
                FilterResult::Json("12".to_owned()),
                FilterResult::Json("[\"x\",null,true]".to_owned()),
            ])
        );
    }

    #[test]
    fn the_usual_functions_are_known() {
        let nodes = r#"[{"n":"b","s":2},{"n":"a","s":40}]"#;
        assert_eq!(apply("map(.s) | add", nodes), Ok(vec![FilterResult::Json("42".to_owned())]));
        assert_eq!(
            apply("sort_by(.n)[] | select(.s > 1) | [.n, .s] | @tsv", nodes),
            Ok(vec![FilterResult::Text("a\t40".to_owned()), FilterResult::Text("b\t2".to_owned())])
        );
        assert_eq!(apply(".[] | select(.n | test(\"^b\")).s", nodes), Ok(vec![FilterResult::Json("2".to_owned())]));
        assert_eq!(
            apply(".[0] | [.n, .s, null, \"a,\\\"b\"] | @csv", nodes),
            Ok(vec![FilterResult::Text("\"b\",2,,\"a,\"\"b\"".to_owned())])
        );
        assert_eq!(
            apply("[\"a\\tb\\\\\", true] | @tsv", "null"),
            Ok(vec![FilterResult::Text("a\\tb\\\\\ttrue".to_owned())])
        );
        assert_eq!(apply("empty", nodes), Ok(Vec::new()));
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(apply(".", "9007199254740993"), Ok(vec![FilterResult::Json("9007199254740993".to_owned())]));
    }

    #[test]
    fn error_messages_name_the_mistake() {
        let complaint = |expression| JsonFilter::compile(expression).err().expect("a complaint");
        assert!(complaint(".[").contains("expected closing bracket"), "{}", complaint(".["));
        assert!(complaint("nosuch").contains("there is no filter 'nosuch'"), "{}", complaint("nosuch"));
        assert!(complaint("$x").contains("there is no variable '$x'"), "{}", complaint("$x"));
        assert!(complaint("env").contains("there is no filter 'env'"), "{}", complaint("env"));
        assert!(complaint("").contains("is not valid"), "{}", complaint(""));
        assert!(apply("halt", "1").expect_err("no exit").contains("calls halt"));
        let misfit = apply(".a", "[1]").expect_err("a misfit");
        assert!(misfit.contains("cannot be applied to the result"), "{misfit}");
    }
}

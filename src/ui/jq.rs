//! `--jq`: results that are JSON, put through an expression of the jq language.

use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, Error, File, Loader};
use jaq_core::{Compiler, Ctx, Exn, Native, Vars};
use jaq_json::{Val, read};

/// What jq has and the library leaves to programs: rows for spreadsheets and for `cut`.
const ROWS: &str = r#"
def @tsv: [.[] | if type == "string"
    then gsub("\\\\"; "\\\\") | gsub("\t"; "\\t") | gsub("\n"; "\\n") | gsub("\r"; "\\r")
    elif . == null then "" else tostring end] | join("\t");
def @csv: [.[] | if type == "string" then "\"" + gsub("\""; "\"\"") + "\""
    elif . == null then "" else tostring end] | join(",");
"#;

/// A jq expression, ready to be used on any number of results.
pub struct JsonFilter(jaq_core::compile::Filter<Native<JustLut<Val>>>);

/// What an expression gives for one result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A text, which is shown as it is: `--jq .name` is for scripts.
    Text(String),
    /// Any other value, as JSON on one line.
    Json(String),
}

impl JsonFilter {
    /// Reads an expression. It has jq's standard library, but neither files, modules and further input nor the
    /// environment, which may hold secrets.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn compile(expression: &str) -> Result<Self, String> {
        let rows = load::parse(ROWS, |parser| parser.defs()).unwrap_or_default();
        let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).chain(rows);
        let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let functions = functions.filter(|(name, ..)| *name != "env");
        let arena = Arena::default();
        let program = File { code: expression, path: () };
        let modules = Loader::new(definitions).load(&arena, program).map_err(|errors| {
            let told = errors.first().map(|(_, error)| load_complaint(error)).unwrap_or_default();
            format!("the --jq expression is not valid: {told}")
        })?;
        let filter = Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
            let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
            let told = first.map(|(name, kind)| format!("there is no {} '{name}'", kind.as_str())).unwrap_or_default();
            format!("the --jq expression cannot be used: {told}")
        })?;
        Ok(Self(filter))
    }

    /// What the expression gives for a JSON text: any number of values.
    ///
    /// # Errors
    /// The expression does not fit the result, in words; nothing of its values is to be used then.
    pub fn apply(&self, json: &str) -> Result<Vec<Given>, String> {
        let input = read::parse_single(json.as_bytes()).map_err(|error| error.to_string())?;
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        self.0
            .id
            .run((context, input))
            .map(|value| match value.map_err(Exn::get_err) {
                Ok(Val::TStr(text)) => Ok(Given::Text(String::from_utf8_lossy(&text).into_owned())),
                Ok(value) => Ok(Given::Json(value.to_string())),
                Err(Ok(error)) => Err(format!("the --jq expression cannot be applied to the result: {error}")),
                // How the program ends is not for the expression to say.
                Err(Err(_)) => Err("the --jq expression calls halt".to_owned()),
            })
            .collect()
    }
}

/// What stands in the way of reading an expression.
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

    fn apply(expression: &str, json: &str) -> Result<Vec<Given>, String> {
        JsonFilter::compile(expression).expect("an expression").apply(json)
    }

    #[test]
    fn texts_are_raw_and_other_values_json() {
        assert_eq!(
            apply(".name, .size, .tags", r#"{"name":"a \"b\"","size":12,"tags":["x",null,true]}"#),
            Ok(vec![
                Given::Text("a \"b\"".to_owned()),
                Given::Json("12".to_owned()),
                Given::Json("[\"x\",null,true]".to_owned()),
            ])
        );
    }

    #[test]
    fn the_usual_functions_are_known() {
        let nodes = r#"[{"n":"b","s":2},{"n":"a","s":40}]"#;
        assert_eq!(apply("map(.s) | add", nodes), Ok(vec![Given::Json("42".to_owned())]));
        assert_eq!(
            apply("sort_by(.n)[] | select(.s > 1) | [.n, .s] | @tsv", nodes),
            Ok(vec![Given::Text("a\t40".to_owned()), Given::Text("b\t2".to_owned())])
        );
        assert_eq!(apply(".[] | select(.n | test(\"^b\")).s", nodes), Ok(vec![Given::Json("2".to_owned())]));
        assert_eq!(
            apply(".[0] | [.n, .s, null, \"a,\\\"b\"] | @csv", nodes),
            Ok(vec![Given::Text("\"b\",2,,\"a,\"\"b\"".to_owned())])
        );
        assert_eq!(apply("[\"a\\tb\\\\\", true] | @tsv", "null"), Ok(vec![Given::Text("a\\tb\\\\\ttrue".to_owned())]));
        assert_eq!(apply("empty", nodes), Ok(Vec::new()));
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(apply(".", "9007199254740993"), Ok(vec![Given::Json("9007199254740993".to_owned())]));
    }

    #[test]
    fn complaints_say_what_is_wrong() {
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

//! `cec meta set`.

use serde_json::Value;

use super::change::{self, Change};
use super::value::{self, TypedValue};
use crate::commands::verb::{Completion, RemotePaths, Verb};
use crate::context::Ctx;
use crate::env::parse_switch;
use crate::error::{CliError, Kind, Outcome};
use cells_client::api::meta::{MetaKind, Namespace};

/// Arguments of `cec meta set`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The server accepts any value for any type; this command checks it. For tags, update adds to the \
    existing ones, and delete removes those in --string-value, or all.\n\nExamples:\n  \
    cec meta set -p common-files/report.pdf -n usermeta-status -s final\n  \
    cec meta set -p common-files/report.pdf -n usermeta-checked -b\n  \
    cec meta set -p common-files/report.pdf -n usermeta-status -o delete"
)]
pub struct Args {
    /// Files, folders or patterns on the server
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required_unless_present = "path")]
    paths: Vec<String>,
    /// File or folder on the server; may be repeated
    #[arg(short, long, value_name = "PATH", value_hint = Completion::Remote)]
    path: Vec<String>,
    /// Whether to set or delete the value
    #[arg(short, long, value_enum, default_value_t = Operation::Update)]
    operation: Operation,
    /// Name of the metadata, as shown by 'cec meta ls'
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: String,
    /// JSON value
    #[arg(short, long, value_name = "JSON", group = "value")]
    json_value: Option<String>,
    /// Text, key of a choice, tags separated by commas, or date
    #[arg(short, long, value_name = "TEXT", group = "value", allow_hyphen_values = true)]
    string_value: Option<String>,
    /// Whole number
    #[arg(short = 'r', long, value_name = "NUMBER", group = "value", allow_negative_numbers = true)]
    numeric_value: Option<i64>,
    /// true or false; true if omitted
    #[arg(
        short, long, value_name = "BOOL", group = "value", value_parser = parse_switch, num_args = 0..=1,
        default_missing_value = "true"
    )]
    boolean_value: Option<bool>,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
}

/// What to do with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Operation {
    /// Set it
    Update,
    /// Remove it
    Delete,
}

impl Verb for Args {
    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(self.path.iter().chain(&self.paths))
    }

    /// Sets or deletes metadata.
    ///
    /// # Errors
    /// [`Kind::Usage`] if a value does not match the type, before anything is changed; the command cannot continue.
    /// Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let namespace = super::find_namespace(&super::namespaces(ctx).await?, &self.namespace)?;
        let given = self.typed_value();
        let value = match (self.operation, &given) {
            (Operation::Update, None) => return Err(needs_value(&namespace)),
            (_, Some(given)) => Some(checked(ctx, &namespace, given)?),
            (Operation::Delete, None) => None,
        };
        let paths: Vec<String> = self.path.iter().chain(&self.paths).cloned().collect();
        let change = match (self.operation, value) {
            (Operation::Update, Some(Value::String(tags))) if namespace.kind == MetaKind::Tags => {
                Change::AddTags(change::split(&tags))
            }
            (Operation::Delete, Some(Value::String(tags))) if namespace.kind == MetaKind::Tags => {
                Change::RemoveTags(change::split(&tags))
            }
            (Operation::Update, Some(value)) => Change::Set(value),
            (_, _) => Change::Delete,
        };
        change::apply(ctx, &paths, self.no_glob, &namespace, &change).await
    }
}

impl Args {
    fn typed_value(&self) -> Option<TypedValue> {
        let json = self.json_value.clone().map(TypedValue::Json);
        let text = self.string_value.clone().map(TypedValue::Text);
        let number = self.numeric_value.map(TypedValue::Number);
        json.or(text).or(number).or(self.boolean_value.map(TypedValue::Boolean))
    }
}

fn checked(ctx: &Ctx, namespace: &Namespace, given: &TypedValue) -> Result<Value, CliError> {
    if let MetaKind::Other(name) = &namespace.kind {
        ctx.ui.warn(&format!("{} has the unknown type '{name}': the value is not checked", namespace.name));
    }
    value::checked(&namespace.kind, given).map_err(|why| {
        let message =
            format!("the value does not match {}, which has the type {}: {why}", namespace.name, namespace.kind.name());
        CliError::new(Kind::Usage, message)
    })
}

fn needs_value(namespace: &Namespace) -> CliError {
    let flag = match &namespace.kind {
        MetaKind::Integer | MetaKind::Stars => "--numeric-value",
        MetaKind::Boolean => "--boolean-value",
        MetaKind::Json => "--json-value",
        _ => "--string-value",
    };
    let message = format!("no value for {}, which has the type {}", namespace.name, namespace.kind.name());
    CliError::new(Kind::Usage, message).hint(format!("set one with {flag}, or remove it with --operation delete"))
}

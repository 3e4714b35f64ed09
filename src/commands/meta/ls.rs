//! `cec meta ls`.

use serde_json::{Value, json};

use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::table::{Column, Table};
use cells_client::api::meta::{MetaKind, Namespace};

/// Arguments of `cec meta ls`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec meta ls\n  cec meta ls --json")]
pub struct Args {}

const COLUMNS: [Column; 4] =
    [Column::whole("NAMESPACE"), Column::text("LABEL"), Column::fixed("TYPE"), Column::text("VALUES")];

impl Verb for Args {
    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Lists the metadata that can be set.
    ///
    /// # Errors
    /// Any failure of the call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let all = super::namespaces(ctx).await?;
        if ctx.ui.is_json() {
            ctx.ui.json_document(&all.iter().map(record).collect::<Vec<_>>())?;
            return Ok(Outcome::Done);
        }
        let mut table = Table::new(&ctx.ui, &COLUMNS);
        for namespace in &all {
            let values: Vec<String> = values(&namespace.kind).into_iter().map(one_value).collect();
            let values = values.join(",");
            let values = if values.is_empty() { "-".to_owned() } else { values };
            table.row(vec![
                namespace.name.clone(),
                namespace.label.clone(),
                namespace.kind.name().to_owned(),
                values,
            ])?;
        }
        table.finish()?;
        if all.is_empty() {
            ctx.ui.status("no metadata are defined on this server");
        }
        Ok(Outcome::Done)
    }
}

/// Returns a key of a choice for a list of keys, in quotes if it contains the separator.
fn one_value(key: &str) -> String {
    if key.contains([',', '"']) { Value::from(key).to_string() } else { key.to_owned() }
}

fn values(kind: &MetaKind) -> Vec<&str> {
    match kind {
        MetaKind::Choice(choices) => choices.iter().map(|choice| choice.key.as_str()).collect(),
        _ => Vec::new(),
    }
}

fn record(namespace: &Namespace) -> Value {
    let choices = match &namespace.kind {
        MetaKind::Choice(choices) => {
            choices.iter().map(|choice| json!({"key": choice.key, "label": choice.label})).collect()
        }
        _ => Value::Null,
    };
    json!({
        "namespace": namespace.name,
        "label": namespace.label,
        "type": namespace.kind.name(),
        "choices": choices,
        "indexed": namespace.indexed,
    })
}

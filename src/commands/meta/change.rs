//! Changes the metadata of nodes. All tags are stored as one value, so tags that others add or remove at the same time
//! must not be lost.

use serde_json::{Value, json};

use crate::commands::shared::operands::Operands;
use crate::commands::shared::{edits, nodes};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use cells_client::api::Node;
use cells_client::api::meta::Namespace;
use cells_client::failure::{Reason, ServerError, ServerErrorKind};
use cells_client::path::RemotePath;
use cells_client::walk::glob::Reading;

/// Returns the tags in a value.
pub(super) fn split(tags: &str) -> Vec<String> {
    tags.split(',').map(str::to_owned).collect()
}

/// A change of a node's metadata.
#[derive(Debug)]
pub(super) enum Change {
    /// Set this value.
    Set(Value),
    /// Remove the value.
    Delete,
    /// Add these tags.
    AddTags(Vec<String>),
    /// Remove these tags.
    RemoveTags(Vec<String>),
}

impl Change {
    /// Whether the new value depends on the present one, so that a change by somebody else may be lost.
    fn is_edit(&self) -> bool {
        matches!(self, Self::AddTags(_) | Self::RemoveTags(_))
    }

    /// Returns the new value for a node; `None` if nothing would change.
    fn of(&self, node: &Node, name: &str) -> Option<New> {
        let present: Vec<String> =
            split(node.text(name).unwrap_or_default()).into_iter().filter(|tag| !tag.is_empty()).collect();
        match self {
            Self::Set(value) => Some(New::Value(value.clone())),
            Self::Delete => Some(New::Nothing),
            Self::AddTags(tags) => {
                let added: Vec<String> = tags.iter().filter(|tag| !present.contains(tag)).cloned().collect();
                (!added.is_empty()).then(|| New::Value([present, added].concat().join(",").into()))
            }
            Self::RemoveTags(tags) => {
                let left: Vec<String> = present.iter().filter(|tag| !tags.contains(tag)).cloned().collect();
                (left.len() < present.len()).then(|| match left.is_empty() {
                    true => New::Nothing,
                    false => New::Value(left.join(",").into()),
                })
            }
        }
    }
}

/// The new value.
#[derive(Debug)]
enum New {
    Value(Value),
    Nothing,
}

/// Changes the metadata of all operands.
///
/// # Errors
/// The command cannot continue. Failures of single operands are reported and counted.
pub(super) async fn apply(
    ctx: &Ctx,
    paths: &[String],
    literal: bool,
    namespace: &Namespace,
    change: &Change,
) -> Result<Outcome, CliError> {
    let mut operands = Operands::new(&ctx.ui);
    let mut records = Vec::new();
    for typed in paths {
        let result = async {
            let path = nodes::parse(ctx, typed)?;
            let found = nodes::resolve_exactly(ctx, &path, Reading { literal, ..Reading::default() }).await?;
            change_nodes(ctx, found, &namespace.name, change, &mut records).await
        };
        let result = result.await;
        operands.take(result)?;
    }
    if ctx.ui.is_json() && !operands.all_failed() {
        ctx.ui.json_document(&records)?;
    }
    Ok(operands.outcome())
}

/// Changes the metadata of nodes. If tags change, all nodes are written before any is checked.
async fn change_nodes(
    ctx: &Ctx,
    found: Vec<Node>,
    name: &str,
    change: &Change,
    records: &mut Vec<Value>,
) -> Result<(), CliError> {
    let api = ctx.api().await?;
    let mut open = found;
    let mut is_written = false;
    edits::keep(async || {
        if is_written {
            open = read_again(ctx, &open).await?;
        }
        let mut written = Vec::new();
        for node in &open {
            let Some(new) = change.of(node, name) else {
                records.push(report_tags(ctx, node, name, change, is_written));
                continue;
            };
            let result = match &new {
                New::Value(value) => api.set_meta(node, name, value).await.map(|()| true),
                New::Nothing => api.delete_meta(node, name).await,
            };
            // Somebody else created the first value of the node at the same moment.
            let is_beaten = matches!(&result, Err(error) if error.kind == ServerErrorKind::Conflict);
            let was_there = if is_beaten { true } else { result.map_err(|error| failed(error, name, node))? };
            if change.is_edit() || is_beaten {
                written.push(node.clone());
            } else {
                records.push(report(ctx, node, name, &new, was_there));
            }
        }
        (open, is_written) = (written, true);
        Ok(open.is_empty().then_some(()))
    })
    .await
}

/// Reads the same nodes again.
async fn read_again(ctx: &Ctx, nodes: &[Node]) -> Result<Vec<Node>, CliError> {
    let paths: Vec<RemotePath> = nodes.iter().map(|node| node.path.clone()).collect();
    let present = ctx.api().await?.stat_many(&paths).await?;
    let same = |node: &Node| present.iter().find(|other| other.uuid == node.uuid).cloned();
    nodes.iter().map(|node| same(node).ok_or_else(|| CliError::not_found(&node.path))).collect()
}

fn failed(error: ServerError, name: &str, node: &Node) -> CliError {
    let path = &node.path;
    let is_too_long = error.is(Reason::TooLong);
    let mut error = CliError::from(error).during(format!("changing {name} of {path}")).about(path);
    if is_too_long {
        error.message = "the value is longer than the server can store".to_owned();
    }
    nodes::with_lock(error, node)
}

/// Reports the outcome for tags.
fn report_tags(ctx: &Ctx, node: &Node, name: &str, change: &Change, is_changed: bool) -> Value {
    let (path, value) = (&node.path, node.text(name));
    ctx.ui.status(&match (change, value) {
        (Change::RemoveTags(tags), _) if !is_changed => format!("{path}: there was no '{}'", tags.join("', '")),
        (_, Some(value)) => format!("{path}: {name} is {}", Value::from(value)),
        (_, None) => format!("{path}: {name} was removed"),
    });
    json!({"path": path.as_str(), "namespace": name, "value": value})
}

/// Reports the outcome for a value.
fn report(ctx: &Ctx, node: &Node, name: &str, new: &New, was_there: bool) -> Value {
    let path = &node.path;
    let value = match new {
        New::Value(value) => {
            ctx.ui.status(&format!("{path}: {name} is {value}"));
            Some(value)
        }
        New::Nothing if was_there => {
            ctx.ui.status(&format!("{path}: {name} was removed"));
            None
        }
        New::Nothing => {
            ctx.ui.status(&format!("{path}: there was no {name}"));
            None
        }
    };
    json!({"path": path.as_str(), "namespace": name, "value": value})
}

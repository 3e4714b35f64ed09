//! `cec stat`.

use super::nodes;
use super::operands::Operands;
use crate::api::Node;
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::json::{NodeRecord, kind_name};
use crate::ui::{human, table};

/// Arguments of `cec stat`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec stat common-files/report.pdf\n  cec stat --json 'common-files/*.pdf'")]
pub struct Args {
    /// Files, folders or patterns on the server
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    /// Take names as they are, without patterns
    #[arg(long)]
    no_glob: bool,
}

/// Shows all that is known of each node.
///
/// # Errors
/// What ends the whole command; failures of single operands are told and counted.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let mut operands = Operands::new(&ctx.ui);
    let mut records = Vec::new();
    let mut first = true;
    for typed in &arguments.paths {
        let found = match found(ctx, typed, arguments.no_glob).await {
            Ok(found) => found,
            Err(error) => {
                operands.failed(error)?;
                continue;
            }
        };
        for node in &found {
            if ctx.ui.is_json() {
                records.push(serde_json::to_value(NodeRecord::detailed(node)).map_err(std::io::Error::from)?);
            } else {
                if !std::mem::take(&mut first) {
                    ctx.ui.line("")?;
                }
                show(ctx, node)?;
            }
        }
        operands.succeeded();
    }
    if ctx.ui.is_json() && !operands.all_failed() {
        ctx.ui.json_document(&records)?;
    }
    Ok(operands.outcome())
}

/// The nodes with what only bulk answers tell: hashes and child counts.
async fn found(ctx: &Ctx, typed: &str, literal: bool) -> Result<Vec<Node>, CliError> {
    let path = nodes::parse(typed)?;
    let found = nodes::named(ctx, &path, literal).await?;
    let paths: Vec<_> = found.iter().map(|node| node.path.clone()).collect();
    let detailed = ctx.api().await?.stat_many(&paths).await;
    let detailed = detailed.map_err(|error| CliError::from(error).during(format!("looking at {path}")).about(&path))?;
    // One that went away in between is still shown as it was.
    Ok(if detailed.len() == found.len() { detailed } else { found })
}

fn show(ctx: &Ctx, node: &Node) -> Result<(), CliError> {
    let ui = &ctx.ui;
    let mut fields = vec![("Path", node.path.to_string()), ("Type", kind_name(node.kind).to_owned())];
    let mut add = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    let size = match ui.stdout_is_terminal() && node.size >= 1024 {
        true => format!("{} ({} bytes)", human::bytes(node.size), node.size),
        false if ui.stdout_is_terminal() => human::bytes(node.size),
        false => node.size.to_string(),
    };
    add("Size", Some(size));
    add("Modified", node.modified.map(|time| with_age(ctx, time)));
    add("UUID", Some(node.uuid.clone()).filter(|uuid| !uuid.is_empty()));
    add("ETag", node.etag.clone());
    add("Hash", node.hash.clone());
    add("MIME type", node.mime.clone());
    add("Children", node.children.map(|count| count.to_string()));
    add("Read-only", node.read_only.then(|| "yes".to_owned()));
    Ok(table::fields(ui, &fields)?)
}

fn with_age(ctx: &Ctx, time: jiff::Timestamp) -> String {
    if ctx.ui.stdout_is_terminal() { format!("{time} ({})", ctx.ui.time(time)) } else { time.to_string() }
}

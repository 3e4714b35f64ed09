//! `cec stat`.

use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::json::{NodeRecord, kind_name};
use crate::ui::{human, table};
use cells_client::api::{Node, NodeKind};

/// Arguments of `cec stat`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec stat common-files/report.pdf\n  cec stat --json 'common-files/*.pdf'")]
pub struct Args {
    /// Files, folders or patterns on the server
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required = true)]
    paths: Vec<String>,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
}

impl Verb for Args {
    const FOREIGN: &'static [Foreign] = &[Foreign::new(
        "cec",
        &["open", "browse"],
        "not supported yet; 'cec stat' shows details, 'cec share' creates a public link to open",
    )];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.paths)
    }

    /// Shows all details of each node.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        let mut records = Vec::new();
        let mut first = true;
        for typed in &self.paths {
            let found = match nodes_with_details(ctx, typed, self.no_glob).await {
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
}

/// Returns the nodes with the details that only bulk answers contain: hashes and child counts.
async fn nodes_with_details(ctx: &Ctx, typed: &str, literal: bool) -> Result<Vec<Node>, CliError> {
    let path = nodes::parse(ctx, typed)?;
    let found = nodes::resolve(ctx, &path, literal).await?;
    let paths: Vec<_> = found.iter().map(|node| node.path.clone()).collect();
    let failed = |error| CliError::from(error).during(format!("reading {path}")).about(&path);
    let api = ctx.api().await?;
    let detailed = api.stat_many(&paths).await.map_err(failed)?;
    // If a node has disappeared in between, its earlier state is shown.
    let mut nodes = if detailed.len() == found.len() { detailed } else { found };
    if nodes.iter().any(|node| node.kind == NodeKind::Workspace) {
        // Only the list of workspaces contains their labels and their own UUIDs.
        let listed = api.workspaces().await.map_err(failed)?;
        for node in &mut nodes {
            let more = listed.iter().filter(|listed| listed.path == node.path).flat_map(|listed| &listed.meta);
            for (name, value) in more {
                node.meta.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    Ok(nodes)
}

fn show(ctx: &Ctx, node: &Node) -> Result<(), CliError> {
    let ui = &ctx.ui;
    let mut fields = vec![("Path", node.path.to_string()), ("Type", kind_name(node.kind).to_owned())];
    if node.is_temporary() {
        fields.push(("State", "unfinished: its upload is running, or was interrupted".to_owned()));
    }
    let mut add = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    let size = match ui.stdout_is_terminal() && node.size >= 1024 {
        true => format!("{} ({} bytes)", human::bytes(node.size), node.size),
        false if ui.stdout_is_terminal() => human::bytes(node.size),
        false => node.size.to_string(),
    };
    add("Size", Some(size));
    add("Modified", node.modified.map(|time| with_age(ctx, time)));
    add("UUID", node.public_uuid().map(str::to_owned));
    add("Label", node.text("ws_label").map(str::to_owned));
    add("Description", node.text("ws_description").map(str::to_owned));
    add("Permissions", node.text("ws_permissions").map(str::to_owned));
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

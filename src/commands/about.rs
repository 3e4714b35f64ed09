//! `cec about`.

use serde_json::{Value, json};

use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Hint, Kind, Outcome};
use crate::ui::table::{Column, Table};
use cells_client::api::Node;
use cells_client::path::RemotePath;

const COLUMNS: &[Column] = &[
    Column::whole("WORKSPACE"),
    Column::number("SIZE"),
    Column::number("QUOTA"),
    Column::number("USED"),
    Column::fixed("PERMISSIONS").rank(2),
    Column::text("LABEL").rank(1),
];

/// Arguments of `cec about`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The size is the server's own total, including the recycle bin; it may be out of date. A dash means \
    no quota.\n\nExamples:\n  cec about\n  cec about personal-files --json"
)]
pub struct Args {
    /// Workspaces; all if omitted
    #[arg(value_name = "WORKSPACE", value_hint = Completion::Remote)]
    workspaces: Vec<String>,
}

impl Verb for Args {
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec", &["quota", "df"], "'cec about' shows size and quota of workspaces")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.workspaces)
    }

    /// Shows the size and the quota of workspaces.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single workspaces are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        let api = ctx.api().await?;
        let failed = |error| CliError::from(error).during("listing the workspaces");
        let listed = api.workspaces().await.map_err(failed)?;
        let mut wanted: Vec<RemotePath> = Vec::new();
        for typed in &self.workspaces {
            match find_workspace(ctx, typed, &listed).await {
                Ok(path) => wanted.push(path),
                Err(error) => operands.failed(error)?,
            }
        }
        if self.workspaces.is_empty() {
            wanted = listed.iter().map(|workspace| workspace.path.clone()).collect();
        }
        let roots = api.stat_many(&wanted).await.map_err(failed)?;
        let mut table = Table::new(&ctx.ui, COLUMNS);
        let mut records: Vec<Value> = Vec::new();
        for root in &roots {
            operands.succeeded();
            let Some(workspace) = listed.iter().find(|workspace| workspace.path == root.path) else { continue };
            if ctx.ui.is_json() {
                records.push(record(root, workspace));
            } else {
                table.row(cells(ctx, root, workspace))?;
            }
        }
        if ctx.ui.is_json() {
            if !operands.all_failed() {
                ctx.ui.json_document(&records)?;
            }
        } else {
            table.finish()?;
        }
        Ok(operands.outcome())
    }
}

async fn find_workspace(ctx: &Ctx, typed: &str, listed: &[Node]) -> Result<RemotePath, CliError> {
    let path = nodes::parse(ctx, typed)?;
    if !path.is_workspace() {
        let hint = Hint::command("for the size of a folder", "cec du -s", &[path.as_str()]);
        return Err(CliError::new(Kind::Usage, format!("'{typed}' is not a workspace")).hint(hint).about(typed));
    }
    if listed.iter().any(|workspace| workspace.path == path) {
        return Ok(path);
    }
    Err(nodes::missing(ctx, &path).await)
}

/// Returns a number from the metadata of a workspace's root; `None` for zero.
fn number(root: &Node, name: &str) -> Option<u64> {
    let value = root.meta.get(name)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn quota(root: &Node) -> Option<u64> {
    number(root, "ws_quota").filter(|bytes| *bytes > 0)
}

fn cells(ctx: &Ctx, root: &Node, workspace: &Node) -> Vec<String> {
    let nothing = || "-".to_owned();
    let quota = quota(root);
    let used = quota.and(number(root, "ws_quota_usage").or(Some(0)));
    let share = quota.zip(used).map(|(quota, used)| format!("{}%", u128::from(used) * 100 / u128::from(quota)));
    vec![
        root.path.to_string(),
        ctx.ui.size(root.size),
        quota.map_or_else(nothing, |bytes| ctx.ui.size(bytes)),
        share.unwrap_or_else(nothing),
        workspace.text("ws_permissions").map_or_else(nothing, str::to_owned),
        workspace.text("ws_label").map_or_else(nothing, str::to_owned),
    ]
}

fn record(root: &Node, workspace: &Node) -> Value {
    let quota = quota(root);
    json!({
        "path": root.path.as_str(), "label": workspace.text("ws_label"), "permissions": workspace.text("ws_permissions"),
        "size": root.size, "quota": quota, "quota_used": quota.and(number(root, "ws_quota_usage").or(Some(0))),
    })
}

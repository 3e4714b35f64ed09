//! `cec ls --exists`.

use super::Args;
use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use cells_client::failure::ServerErrorKind;
use cells_client::path::RemotePath;
use cells_client::walk::WalkError;
use cells_client::walk::glob::{self, Reading};

/// Prints for each path whether it exists.
pub(super) async fn run(ctx: &Ctx, arguments: &Args, paths: &[String]) -> Result<Outcome, CliError> {
    let mut operands = Operands::new(&ctx.ui);
    let mut records = Vec::new();
    for typed in paths {
        let answer = match nodes::parse(ctx, typed) {
            Ok(path) => does_exist(ctx, arguments, &path).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(exists) => {
                if ctx.ui.is_json() {
                    records.push(serde_json::json!({"path": typed, "exists": exists}));
                } else {
                    ctx.ui.line(if exists { "true" } else { "false" })?;
                }
                if exists { operands.succeeded() } else { operands.silent(Kind::NotFound) }
            }
            Err(error) => operands.failed(error)?,
        }
    }
    if ctx.ui.is_json() {
        ctx.ui.json_document(&records)?;
    }
    Ok(operands.outcome())
}

async fn does_exist(ctx: &Ctx, arguments: &Args, path: &RemotePath) -> Result<bool, CliError> {
    let (api, s3) = (ctx.api().await?, ctx.s3().await?);
    if path.is_root() {
        // The root always exists, so the question is whether anybody is signed in.
        api.workspaces().await?;
        return Ok(true);
    }
    match glob::expand(api, s3, path, Reading { literal: arguments.no_glob, ..Reading::default() }).await {
        Ok(found) => Ok(!found.nodes.is_empty()),
        Err(WalkError::Server(error)) if error.kind == ServerErrorKind::NotFound => Ok(false),
        Err(error) => Err(CliError::from(error).during(format!("looking for {path}")).about(path)),
    }
}

//! `cec trash`: the content of recycle bins.

pub mod empty;
pub mod ls;

use futures_util::TryStreamExt;

use super::restore;
use crate::commands::shared::nodes;
use crate::commands::verb::verbs;
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use cells_client::api::Node;
use cells_client::path::RemotePath;
use cells_client::walk::remote::{self, RECYCLE_BIN};

verbs! {
    /// The commands of `cec trash`.
    #[command(
        after_help = "Examples:\n  cec trash ls\n  cec trash restore common-files/recycle_bin/report.pdf\n  \
        cec trash empty common-files"
    )]
    pub enum Verbs {
        /// List the content of recycle bins
        #[command(alias = "list")]
        Ls(ls::Args),
        /// Restore items to their original place
        Restore(restore::Args),
        /// Permanently delete the content of recycle bins
        Empty(empty::Args),
    }
}

/// What these commands do until they print something.
const ACTIVITY: &str = "listing recycle bins";

/// Returns the named workspaces, or all.
async fn workspaces(ctx: &Ctx, typed: &[String]) -> Result<Vec<RemotePath>, CliError> {
    if typed.is_empty() {
        let all = ctx.api().await?.workspaces().await;
        let all = all.map_err(|error| CliError::from(error).during("listing the workspaces"))?;
        return Ok(all.into_iter().map(|workspace| workspace.path).collect());
    }
    let mut named = Vec::new();
    for text in typed {
        let path = nodes::parse(ctx, text)?;
        // A recycle bin means its workspace.
        let workspace = if remote::is_recycle_bin(&path) { path.parent().unwrap_or_default() } else { path };
        if !workspace.is_workspace() {
            let message = format!("'{text}' is not a workspace; each workspace has one recycle bin");
            return Err(CliError::new(Kind::Usage, message).about(text));
        }
        named.push(workspace);
    }
    Ok(named)
}

/// Returns the nodes directly in the recycle bin of a workspace, including hidden ones; empty if there is no recycle
/// bin yet.
async fn content(ctx: &Ctx, workspace: &RemotePath) -> Result<Vec<Node>, CliError> {
    let bin = workspace.join(RECYCLE_BIN);
    let failed = |error: CliError| error.during(format!("listing {bin}")).about(&bin);
    let (api, s3) = (ctx.api().await?, ctx.s3().await?);
    let exists = api.find(&bin).await.map_err(|error| failed(error.into()))?;
    if exists.is_none() {
        let known = api.find(workspace).await.map_err(|error| failed(error.into()))?;
        return if known.is_some() { Ok(Vec::new()) } else { Err(nodes::missing(ctx, workspace).await) };
    }
    remote::children(api, s3, &bin).try_collect().await.map_err(|error| failed(error.into()))
}

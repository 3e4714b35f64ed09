//! `cec search`.

use serde_json::json;

use crate::commands::shared::nodes;
use crate::commands::verb::{Complaint, Completion, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::json::NodeRecord;
use cells_client::api::search::Search;
use clap::error::ErrorKind;

/// Arguments of `cec search`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Uses the server's index, which is fast but follows changes some seconds later; 'cec find' reads the \
    folders themselves. The text may be anywhere in a name, in upper or lower case; * matches \
    anything.\n\nExamples:\n  cec search report\n  \
    cec search '2031-*' --in common-files/reports --ext pdf\n  cec search --meta usermeta-tags=urgent"
)]
pub struct Args {
    /// Part of the name
    #[arg(value_name = "TEXT", required_unless_present_any = ["ext", "meta"])]
    text: Option<String>,
    /// Only below this folder
    #[arg(long = "in", value_name = "PATH", value_hint = Completion::Remote)]
    below: Option<String>,
    /// Only names with this extension
    #[arg(long, value_name = "EXT")]
    ext: Option<String>,
    /// Only items with this value of this metadata; may be repeated
    #[arg(long, value_name = "NAMESPACE=VALUE", value_parser = parse_meta)]
    meta: Vec<(String, String)>,
    /// End each path with a NUL character instead of a newline
    #[arg(short = '0', long = "null", conflicts_with = "json")]
    null: bool,
}

fn parse_meta(text: &str) -> Result<(String, String), String> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|one| one.is_alphanumeric() || "-_.".contains(one));
    match text.split_once('=') {
        Some((name, value)) if is_name(name) && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected a namespace and a value, such as usermeta-tags=urgent".to_owned()),
    }
}

impl Verb for Args {
    const ACTIVITY: &'static str = "searching";
    const COMPLAINTS: &'static [Complaint] = &[Complaint {
        command: "cec search",
        kinds: &[ErrorKind::MissingRequiredArgument],
        message: "a part of a name, --ext or --meta is required",
    }];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.below)
    }

    /// Searches. It is not a failure if there are no results.
    ///
    /// # Errors
    /// [`crate::error::Kind::NotFound`] if the folder to search does not exist; any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let ui = &ctx.ui;
        let below = match &self.below {
            Some(typed) => {
                let path = nodes::parse(ctx, typed)?;
                let named = if path.is_root() { Vec::new() } else { nodes::resolve(ctx, &path, true).await? };
                named.into_iter().next().map(|node| node.path)
            }
            None => None,
        };
        let extension = self.ext.map(|ext| ext.trim_start_matches('.').to_owned());
        let search = Search { name: self.text, extension, below, meta: self.meta };
        if search.is_slow() {
            ui.status("the index does not contain such common words: comparing all names, which takes longer");
        }
        let mut found = ctx.api().await?.search(search);
        let (mut files, mut folders, mut bytes) = (0_u64, 0_u64, 0_u64);
        while let Some(nodes) = found.page().await.map_err(|error| CliError::from(error).during("searching"))? {
            for node in nodes {
                if node.is_folder() {
                    folders += 1;
                } else {
                    files += 1;
                    bytes = node.size.saturating_add(bytes);
                }
                let slash = if node.is_folder() { "/" } else { "" };
                if ui.is_json() {
                    ui.json_line(&NodeRecord::listed(&node))?;
                } else if self.null {
                    ui.record(&format!("{}{slash}", node.path), "\0")?;
                } else {
                    ui.line(&format!("{}{slash}", ui.shown(node.path.as_str())))?;
                }
            }
        }
        if ui.is_json() {
            let summary = json!({"type": "summary", "schema": 1, "files": files, "folders": folders, "bytes": bytes, "failed": 0});
            ui.json_line(&summary)?;
        } else if files + folders == 0 {
            ui.status("nothing was found");
        }
        Ok(Outcome::Done)
    }
}

//! `cec mkdir`.

use super::nodes;
use super::operands::Operands;
use crate::api::Node;
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::path::{check_folder_name, check_name};
use crate::ui::json::NodeRecord;

/// Arguments of `cec mkdir`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec mkdir common-files/reports\n  cec mkdir -p common-files/2031/05/raw")]
pub struct Args {
    /// Folders on the server; one that exists already is kept
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<String>,
    /// Make missing folders above as well
    #[arg(short, long)]
    parents: bool,
}

/// What became of one operand.
enum Made {
    New(Node),
    Kept(Node),
}

/// Makes folders.
///
/// # Errors
/// What ends the whole command; failures of single operands are told and counted.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let mut operands = Operands::new(&ctx.ui);
    let mut records = Vec::new();
    for typed in &arguments.paths {
        let made = match make(ctx, typed, arguments.parents).await {
            Ok(made) => made,
            Err(error) => {
                operands.failed(error)?;
                continue;
            }
        };
        operands.succeeded();
        let (node, created) = match made {
            Made::New(node) => (node, true),
            Made::Kept(node) => (node, false),
        };
        ctx.ui.status(&format!("{} {}", if created { "created" } else { "exists already:" }, node.path));
        if ctx.ui.is_json() {
            let mut record = serde_json::to_value(NodeRecord::listed(&node)).map_err(std::io::Error::from)?;
            record["created"] = created.into();
            records.push(record);
        }
    }
    if ctx.ui.is_json() && !operands.all_failed() {
        ctx.ui.json_document(&records)?;
    }
    Ok(operands.outcome())
}

async fn make(ctx: &Ctx, typed: &str, parents: bool) -> Result<Made, CliError> {
    let path = nodes::parse(ctx, typed)?;
    let during = |error: CliError| error.during(format!("making {path}")).about(&path);
    if path.is_root() {
        return Err(CliError::new(Kind::Usage, "a folder is made inside a workspace").about(path));
    }
    let api = ctx.api().await?;
    let (nearest, rest) = nodes::nearest(ctx, &path).await.map_err(during)?;
    let Some(nearest) = nearest else { return Err(nodes::missing(ctx, &path, true).await) };
    if !nearest.is_folder() {
        let message = format!("'{}' is a file", nearest.path);
        return Err(CliError::new(Kind::Exists, message).about(&path));
    }
    if rest.is_empty() {
        return Ok(Made::Kept(nearest));
    }
    if rest.len() > 1 && !parents {
        let above = nearest.path.join(&rest[0]);
        return Err(CliError::not_found(&above).hint("-p makes missing folders above as well").about(&path));
    }
    let above = nearest.path.segments().skip(1).map(str::to_owned);
    for name in above.chain(rest) {
        check_name(&name).and_then(|()| check_folder_name(&name)).map_err(|error| during(error.into()))?;
    }
    // Everything is written in NFC, the folders above included: what is sent over S3 ends up there as well.
    let target = path.nfc();
    let made = api.create_folders(std::slice::from_ref(&target)).await.map_err(|error| during(error.into()))?;
    match made.into_iter().next() {
        Some(node) => Ok(Made::New(node)),
        None => Err(during(CliError::new(Kind::Unreachable, "the server did not say what it made"))),
    }
}

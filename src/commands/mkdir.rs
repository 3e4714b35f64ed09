//! `cec mkdir`.

use std::collections::{BTreeSet, HashMap};

use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::json::NodeRecord;
use cells_client::api::Node;
use cells_client::path::{RemotePath, check_folder_name, check_name};

/// The number of folders per call.
const BATCH: usize = 100;

/// Arguments of `cec mkdir`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec mkdir common-files/reports\n  cec mkdir -p common-files/2031/05/raw")]
pub struct Args {
    /// Folders on the server; existing ones are kept
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required = true)]
    paths: Vec<String>,
    /// Also make missing parent folders
    #[arg(short, long)]
    parents: bool,
}

/// The outcome for one operand.
enum FolderOutcome {
    New(Node),
    Kept(Node),
}

impl Verb for Args {
    const FOREIGN: &'static [Foreign] = &[Foreign::new("cec", &["md"], "'cec mkdir' makes folders")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.paths)
    }

    /// Creates folders.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut operands = Operands::new(&ctx.ui);
        let mut records = Vec::new();
        for batch in self.paths.chunks(BATCH) {
            let mut at_once = match together(ctx, batch, self.parents).await {
                Ok(made) => made,
                Err(error) if error.ends_everything() => return Err(error),
                // The request for each operand reports the failure again.
                Err(_) => HashMap::new(),
            };
            for typed in batch {
                let made = match at_once.remove(typed.as_str()) {
                    Some(made) => Ok(made),
                    None => make(ctx, typed, self.parents).await,
                };
                let (node, created) = match made {
                    Ok(FolderOutcome::New(node)) => (node, true),
                    Ok(FolderOutcome::Kept(node)) => (node, false),
                    Err(error) => {
                        operands.failed(error)?;
                        continue;
                    }
                };
                operands.succeeded();
                ctx.ui.status(&format!("{} {}", if created { "created" } else { "already exists:" }, node.path));
                if ctx.ui.is_json() {
                    let mut record = serde_json::to_value(NodeRecord::listed(&node)).map_err(std::io::Error::from)?;
                    record["created"] = created.into();
                    records.push(record);
                }
            }
        }
        if ctx.ui.is_json() && !operands.all_failed() {
            ctx.ui.json_document(&records)?;
        }
        Ok(operands.outcome())
    }
}

async fn make(ctx: &Ctx, typed: &str, parents: bool) -> Result<FolderOutcome, CliError> {
    let path = nodes::parse(ctx, typed)?;
    let during = |error: CliError| error.during(format!("creating {path}")).about(&path);
    if path.is_root() {
        return Err(CliError::new(Kind::Usage, "folders can only be made inside a workspace").about(path));
    }
    let api = ctx.api().await?;
    let (nearest, rest) = nodes::nearest(ctx, &path).await.map_err(during)?;
    let Some(nearest) = nearest else { return Err(nodes::missing(ctx, &path).await) };
    if !nearest.is_folder() {
        let message = format!("'{}' is a file", nearest.path);
        return Err(CliError::new(Kind::Exists, message).about(&path));
    }
    if rest.is_empty() {
        return Ok(FolderOutcome::Kept(nearest));
    }
    nodes::check_takes(ctx, &nearest).await?;
    if rest.len() > 1 && !parents {
        let above = nearest.path.join(&rest[0]);
        return Err(CliError::not_found(&above).hint("add -p to make missing parent folders").about(&path));
    }
    let above = nearest.path.segments().skip(1).map(str::to_owned);
    for name in above.chain(rest) {
        check_name(&name).and_then(|()| check_folder_name(&name)).map_err(|error| during(error.into()))?;
    }
    // All paths are written in NFC, including the parents, because uploads through the gateway use NFC as well.
    let target = path.nfc();
    let made = api.create_folders(std::slice::from_ref(&target)).await.map_err(|error| during(error.into()))?;
    match made.into_iter().next() {
        Some(node) => Ok(FolderOutcome::New(node)),
        None => Err(during(CliError::new(Kind::Unreachable, "the server does not show the new folder"))),
    }
}

/// Creates the simple ones of several folders with one call: nothing exists at the path, the parent is a folder, and
/// none is below another. [`make`] handles the others one by one.
async fn together<'a>(
    ctx: &Ctx,
    typed: &'a [String],
    parents: bool,
) -> Result<HashMap<&'a str, FolderOutcome>, CliError> {
    let mut wanted: HashMap<RemotePath, &str> = HashMap::new();
    for text in typed {
        let Ok(path) = nodes::parse(ctx, text) else { continue };
        let is_fine = |name| check_name(name).is_ok() && check_folder_name(name).is_ok();
        let is_plain = path.as_str().is_ascii() && path.segments().all(is_fine);
        if is_plain && !path.is_root() && !path.is_workspace() {
            wanted.insert(path, text);
        }
    }
    let above =
        |path: &RemotePath| std::iter::successors(path.parent(), RemotePath::parent).filter(|path| !path.is_root());
    let folders: BTreeSet<RemotePath> = wanted.keys().flat_map(|path| above(path).collect::<Vec<_>>()).collect();
    if wanted.len() < 2 || folders.iter().any(|folder| wanted.contains_key(folder)) {
        return Ok(HashMap::new());
    }
    let asked: Vec<RemotePath> = folders.iter().chain(wanted.keys()).cloned().collect();
    let api = ctx.api().await?;
    let known = api.stat_many(&asked).await?;
    let known: HashMap<&RemotePath, &Node> = known.iter().map(|node| (&node.path, node)).collect();
    let is_folder = |path: &RemotePath| known.get(path).map(|node| node.is_folder() && !node.is_only_shown());
    wanted.retain(|path, _| {
        let has_place = above(path).all(|folder| match is_folder(&folder) {
            Some(is_folder) => is_folder,
            None => parents && !folder.is_workspace(),
        });
        has_place && !known.contains_key(path)
    });
    if wanted.len() < 2 {
        return Ok(HashMap::new());
    }
    let targets: Vec<RemotePath> = wanted.keys().cloned().collect();
    let made = api.create_folders(&targets).await?;
    Ok(made.into_iter().filter_map(|node| Some((wanted.remove(&node.path)?, FolderOutcome::New(node)))).collect())
}

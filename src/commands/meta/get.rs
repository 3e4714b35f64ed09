//! `cec meta get`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Completion, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::ui::table::{Column, Table};
use cells_client::api::Node;
use cells_client::api::meta::Namespace;
use cells_client::path::RemotePath;
use cells_client::walk::remote::{self, RemoteItem, RemoteOptions};

/// Arguments of `cec meta get`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Shows all metadata of a file or folder, including the server's own; values are JSON. With \
        --recursive, shows only metadata that users set (see 'cec meta ls'), one per line after the \
        path.\n\nExamples:\n  \
    cec meta get common-files/report.pdf\n  cec meta get -p common-files/report.pdf -n usermeta-tags\n  \
    cec meta get -R common-files/reports -n usermeta-tags")]
pub struct Args {
    /// Files, folders or patterns on the server
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required_unless_present_any = ["path", "all"])]
    paths: Vec<String>,
    /// File or folder on the server; may be repeated
    #[arg(short, long, value_name = "PATH", value_hint = Completion::Remote)]
    path: Vec<String>,
    /// Only the metadata with this name
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Also show everything below the folders
    #[arg(short = 'R', long, conflicts_with = "format")]
    recursive: bool,
    /// Output format; json is that of the older client, an object of texts by name
    #[arg(short, long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
    /// List the available metadata instead of those of a file or folder
    #[arg(short, long)]
    all: bool,
}

/// The output format of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns
    Table,
    /// An object of texts
    Json,
}

const DEFINITIONS: [Column; 3] = [Column::whole("NAMESPACE"), Column::text("LABEL"), Column::whole("JSON DEFINITION")];
const VALUES: [Column; 2] = [Column::whole("META NAME"), Column::whole("VALUE")];
const TREE: [Column; 3] = [Column::whole("PATH"), Column::whole("META NAME"), Column::whole("VALUE")];

impl Verb for Args {
    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(self.path.iter().chain(&self.paths))
    }

    /// Prints metadata.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        if self.all {
            return definitions(ctx, self.format).await;
        }
        let mut operands = Operands::new(&ctx.ui);
        let paths: Vec<String> = self.path.iter().chain(&self.paths).cloned().collect();
        if self.recursive {
            return Trees::new(ctx, &self).await?.show(&paths, operands).await;
        }
        let mut records = Vec::new();
        for typed in &paths {
            match show(ctx, typed, &self, paths.len() > 1, &mut records).await {
                Err(error) => operands.failed(error)?,
                Ok(()) => operands.succeeded(),
            }
        }
        if ctx.ui.is_json() && !operands.all_failed() {
            ctx.ui.json_document(&records)?;
        }
        Ok(operands.outcome())
    }
}

/// Prints the metadata of all nodes that one operand names.
async fn show(
    ctx: &Ctx,
    typed: &str,
    arguments: &Args,
    several: bool,
    records: &mut Vec<Value>,
) -> Result<(), CliError> {
    let path = nodes::parse(ctx, typed)?;
    let found = nodes::resolve(ctx, &path, arguments.no_glob).await?;
    let several = several || found.len() > 1;
    for node in &found {
        let values = values(ctx, node, arguments).await?;
        let values: BTreeMap<&String, &String> = values.iter().collect();
        if ctx.ui.is_json() {
            let meta: BTreeMap<&String, Value> = values.iter().map(|(name, text)| (*name, decoded(text))).collect();
            records.push(json!({"path": node.path.as_str(), "uuid": node.uuid, "meta": meta}));
        } else if arguments.format == Some(Format::Json) {
            ctx.ui.json_indented(&values)?;
        } else {
            let mut table = Table::new(&ctx.ui, if several { &TREE } else { &VALUES });
            for (name, text) in values {
                let path = several.then(|| node.path.to_string());
                table.row(path.into_iter().chain([name.clone(), one_line(text)]).collect())?;
            }
            table.finish()?;
        }
    }
    Ok(())
}

/// Returns the metadata of a node as the server stores them, or only the requested value.
async fn values(ctx: &Ctx, node: &Node, arguments: &Args) -> Result<BTreeMap<String, String>, CliError> {
    let read = ctx.api().await?.meta_store(&node.path).await;
    let store =
        read.map_err(|error| CliError::from(error).during(format!("reading {}", node.path)).about(&node.path))?;
    let Some(mut store) = store else { return Err(CliError::not_found(&node.path)) };
    let Some(wanted) = &arguments.namespace else { return Ok(store.values) };
    match store.values.remove(wanted) {
        Some(value) => Ok(BTreeMap::from([(wanted.clone(), value)])),
        // Readers of the older client's format expect an object even if the value is missing: jq '."usermeta-tags" //
        // ""'.
        None if arguments.format == Some(Format::Json) => Ok(BTreeMap::new()),
        None => {
            let message = format!("'{}' has no metadata '{wanted}'", node.path);
            Err(CliError::new(Kind::NotFound, message).about(&node.path))
        }
    }
}

/// Decodes a metadata value, which is JSON text, except for some of the server's own.
fn decoded(text: &str) -> Value {
    serde_json::from_slice(text.as_bytes()).unwrap_or_else(|_| text.into())
}

/// Joins the lines of a JSON text, whose line breaks have no meaning. Other text is escaped.
fn one_line(text: &str) -> String {
    if text.contains(['\n', '\t']) { decoded(text).to_string() } else { text.to_owned() }
}

/// Prints the namespaces with their definitions, for `-a`.
async fn definitions(ctx: &Ctx, format: Option<Format>) -> Result<Outcome, CliError> {
    let all = super::namespaces(ctx).await?;
    if ctx.ui.is_json() || format == Some(Format::Json) {
        let record = |one: &Namespace| json!({"namespace": one.name, "label": one.label, "definition": one.definition});
        ctx.ui.json_document(&all.iter().map(record).collect::<Vec<_>>())?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(&ctx.ui, &DEFINITIONS);
    for namespace in all {
        table.row(vec![namespace.name, namespace.label, namespace.definition])?;
    }
    table.finish()?;
    Ok(Outcome::Done)
}

/// Prints complete trees, with a line for each value.
struct Trees<'a> {
    ctx: &'a Ctx,
    /// The names of the metadata to print.
    wanted: Vec<String>,
    /// Whether operands are literal names.
    literal: bool,
    table: Table<'a>,
    nodes: u64,
    values: u64,
}

impl<'a> Trees<'a> {
    async fn new(ctx: &'a Ctx, arguments: &Args) -> Result<Self, CliError> {
        let wanted = match &arguments.namespace {
            Some(name) => vec![name.clone()],
            None => super::namespaces(ctx).await?.into_iter().map(|namespace| namespace.name).collect(),
        };
        Ok(Self { ctx, wanted, literal: arguments.no_glob, table: Table::new(&ctx.ui, &TREE), nodes: 0, values: 0 })
    }

    async fn show(mut self, paths: &[String], mut operands: Operands<'_>) -> Result<Outcome, CliError> {
        for typed in paths {
            match self.operand(typed, &mut operands).await {
                Err(error) => operands.failed(error)?,
                Ok(()) => operands.succeeded(),
            }
        }
        self.table.finish()?;
        if self.ctx.ui.is_json() {
            let failed = operands.failure_count();
            let (nodes, values) = (self.nodes, self.values);
            let summary = json!({"type": "summary", "schema": 1, "nodes": nodes, "values": values, "failed": failed});
            self.ctx.ui.json_line(&summary)?;
        }
        Ok(operands.outcome())
    }

    async fn operand(&mut self, typed: &str, operands: &mut Operands<'_>) -> Result<(), CliError> {
        let path = nodes::parse(self.ctx, typed)?;
        for node in nodes::resolve(self.ctx, &path, self.literal).await? {
            // A bulk request returns more metadata than a stat.
            let detailed = self.ctx.api().await?.stat_many(std::slice::from_ref(&node.path)).await?;
            self.node(detailed.first().unwrap_or(&node))?;
            if node.is_folder() {
                self.below(&node.path, operands).await?;
            }
        }
        Ok(())
    }

    async fn below(&mut self, folder: &RemotePath, operands: &mut Operands<'_>) -> Result<(), CliError> {
        let (api, s3) = (self.ctx.api().await?, self.ctx.s3().await?);
        let mut items = remote::walk(api, s3, folder, RemoteOptions::default());
        while let Some(item) = items.recv().await {
            match item {
                RemoteItem::Folder(node) | RemoteItem::File(node) => self.node(&node)?,
                RemoteItem::RecycleBin(_) | RemoteItem::Excluded(_) => {}
                RemoteItem::Failed { folder, error } => {
                    operands.failed(nodes::listing_failed(error, &folder))?;
                }
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &Node) -> Result<(), CliError> {
        self.nodes += 1;
        let values: BTreeMap<&String, &Value> =
            self.wanted.iter().filter_map(|name| Some((name, node.meta.get(name)?))).collect();
        self.values += values.len() as u64;
        if self.ctx.ui.is_json() {
            if !values.is_empty() {
                let record = json!({"type": "node", "path": node.path.as_str(), "uuid": node.uuid, "meta": values});
                self.ctx.ui.json_line(&record)?;
            }
            return Ok(());
        }
        for (name, value) in values {
            self.table.row(vec![node.path.to_string(), name.clone(), value.to_string()])?;
        }
        Ok(())
    }
}

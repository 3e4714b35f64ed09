//! `cec du`.

use std::sync::Arc;

use serde_json::json;

use crate::commands::shared::filters::{MeasureArgs, RuleArgs};
use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::shared::tally::Tally;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::shell::command_line;
use cells_client::api::Node;
use cells_client::path::RemotePath;
use cells_client::walk::filter::Filter;
use cells_client::walk::ordered::{self, OrderedOptions, Step};
use cells_client::walk::remote::is_recycle_bin;

/// Arguments of `cec du`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Adds up the files themselves, including hidden ones; a recycle bin counts only if it is named. If \
    the output is not a terminal, each line is the size in bytes, a tab and the path.\n\nExamples:\n  \
    cec du -s 'common-files/*'\n  cec du common-files/reports\n  cec du -s --include '*.mp4' common-files\n  cec du -s common-files/recycle_bin"
)]
pub struct Args {
    /// Folders, files or patterns on the server; all workspaces if omitted
    #[arg(value_name = "PATH", value_hint = Completion::Remote)]
    paths: Vec<String>,
    /// Only the total of each path, not of each folder in it
    #[arg(short, long)]
    summarize: bool,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    measures: MeasureArgs,
    /// Skip names that start with a dot
    #[arg(long, help_heading = "Selection")]
    no_hidden: bool,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
}

impl Verb for Args {
    const ACTIVITY: &'static str = "adding up sizes";
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec du", &["--human-readable"], "sizes are human-readable on a terminal, and bytes in a pipe")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.paths)
    }

    /// Adds up the sizes of files.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single folders are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut filter = Filter { hidden: !self.no_hidden, ..self.rules.filter(ctx).await? };
        self.measures.limit(&mut filter)?;
        let (filter, operands) = (Arc::new(filter), Operands::new(&ctx.ui));
        let mut usage = Usage { ctx, summarize: self.summarize, filter, operands, total: Tally::default() };
        if self.paths.is_empty() {
            let workspaces = ctx.api().await?.workspaces().await;
            for workspace in workspaces.map_err(|error| CliError::from(error).during("listing the workspaces"))? {
                let result = usage.of_node(&workspace).await;
                usage.operands.take(result)?;
            }
        }
        for typed in &self.paths {
            let result = usage.of_operand(typed, self.no_glob).await;
            usage.operands.take(result)?;
        }
        if ctx.ui.is_json() {
            ctx.ui.json_line(&usage.total.summary(usage.operands.failure_count()))?;
        }
        Ok(usage.operands.outcome())
    }
}

struct Usage<'a> {
    ctx: &'a Ctx,
    summarize: bool,
    filter: Arc<Filter>,
    operands: Operands<'a>,
    total: Tally,
}

impl Usage<'_> {
    async fn of_operand(&mut self, typed: &str, literal: bool) -> Result<(), CliError> {
        let path = nodes::parse(self.ctx, typed)?;
        for node in nodes::resolve(self.ctx, &path, literal).await? {
            self.of_node(&node).await?;
        }
        Ok(())
    }

    async fn of_node(&mut self, node: &Node) -> Result<(), CliError> {
        if node.is_folder() {
            return self.of_folder(&node.path).await;
        }
        if !self.filter.named_node(node.name(), node) {
            return Ok(());
        }
        let sum = Tally::of(node);
        self.total.add(sum);
        self.show(&node.path, sum)
    }

    async fn of_folder(&mut self, root: &RemotePath) -> Result<(), CliError> {
        let options = OrderedOptions { filter: self.filter.clone(), hidden: true, depth: None };
        let mut walk = ordered::walk(self.ctx.api().await?, self.ctx.s3().await?, root, options);
        // One sum for each folder from the root to the present position.
        let mut sums = vec![Tally::default()];
        while let Some(step) = walk.next().await {
            match step {
                Step::Node { node, .. } if is_recycle_bin(&node.path) => {
                    let counting = command_line("cec du -s", &[node.path.as_str()]);
                    let hint = format!("the recycle bin is not counted; to count it: {counting}");
                    self.ctx.ui.status(&hint);
                }
                Step::Node { node, .. } if node.is_folder() => sums.push(Tally::of(&node)),
                Step::Node { node, .. } => {
                    if let Some(sum) = sums.last_mut() {
                        sum.add(Tally::of(&node));
                    }
                }
                Step::Left(folder) => {
                    let Some(sum) = sums.pop() else { continue };
                    match sums.last_mut() {
                        Some(above) => above.add(sum),
                        None => self.total.add(sum),
                    }
                    if sums.is_empty() || !self.summarize {
                        self.show(&folder, sum)?;
                    }
                }
                Step::Failed { folder, error } => self.operands.unlisted(root, &folder, error)?,
            }
        }
        Ok(())
    }

    fn show(&self, path: &RemotePath, sum: Tally) -> Result<(), CliError> {
        let ui = &self.ctx.ui;
        if ui.is_json() {
            let record = json!({"path": path.as_str(), "bytes": sum.bytes, "files": sum.files, "folders": sum.folders});
            return Ok(ui.json_line(&record)?);
        }
        let size = ui.size(sum.bytes);
        match ui.stdout_is_terminal() {
            true => Ok(ui.line(&format!("{size:>9}  {}", ui.shown(path.as_str())))?),
            false => Ok(ui.line(&format!("{size}\t{path}"))?),
        }
    }
}

//! `cec tree`.

use std::sync::Arc;

use crate::commands::shared::filters::{MeasureArgs, RuleArgs};
use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::shared::tally::Tally;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::human;
use crate::ui::json::NodeRecord;
use cells_client::api::Node;
use cells_client::path::RemotePath;
use cells_client::walk::filter::Filter;
use cells_client::walk::ordered::{self, OrderedOptions, Step};

/// Arguments of `cec tree`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Shows recycle bins without their content, unless they are named.\n\nExamples:\n  \
    cec tree common-files\n  cec tree -L 2\n  cec tree -a common-files/site")]
pub struct Args {
    /// Folders on the server; all workspaces if omitted
    #[arg(value_name = "PATH", value_hint = Completion::Remote)]
    paths: Vec<String>,
    /// Number of levels to show
    #[arg(short = 'L', long, value_name = "N", value_parser = levels)]
    level: Option<u64>,
    /// Also show names that start with a dot
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    measures: MeasureArgs,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
}

fn levels(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(0) => Err("at least 1 level is shown".to_owned()),
        Ok(levels) => Ok(levels),
        Err(_) => Err("a number of levels, at least 1".to_owned()),
    }
}

impl Verb for Args {
    const ACTIVITY: &'static str = "listing";
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec tree", &["-d", "--dirs-only"], "'cec find --type d' lists folders alone")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.paths)
    }

    /// Draws trees.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single folders are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let operands = Operands::new(&ctx.ui);
        let mut filter = self.rules.filter(ctx).await?;
        self.measures.limit(&mut filter)?;
        let filter = Arc::new(filter);
        let mut drawing = Drawing { ctx, filter, arguments: &self, operands, tally: Tally::default() };
        let all = ["/".to_owned()];
        for typed in if self.paths.is_empty() { &all } else { self.paths.as_slice() } {
            let result = drawing.operand(typed).await;
            drawing.operands.take(result)?;
        }
        let tally = drawing.tally;
        if ctx.ui.is_json() {
            ctx.ui.json_line(&tally.summary(drawing.operands.failure_count()))?;
        } else if !drawing.operands.all_failed() {
            let counted = |number: u64, one: &str| {
                format!("{} {one}{}", human::count(number), if number == 1 { "" } else { "s" })
            };
            let (folders, files) = (counted(tally.folders, "folder"), counted(tally.files, "file"));
            ctx.ui.status(&format!("{folders}, {files}, {}", human::bytes(tally.bytes)));
        }
        Ok(drawing.operands.outcome())
    }
}

struct Drawing<'a> {
    ctx: &'a Ctx,
    arguments: &'a Args,
    filter: Arc<Filter>,
    operands: Operands<'a>,
    tally: Tally,
}

impl Drawing<'_> {
    async fn operand(&mut self, typed: &str) -> Result<(), CliError> {
        let path = nodes::parse(self.ctx, typed)?;
        if path.is_root() {
            return self.tree(&path).await;
        }
        for node in nodes::resolve(self.ctx, &path, self.arguments.no_glob).await? {
            if node.is_folder() {
                self.tree(&node.path).await?;
            } else if self.filter.named_node(node.name(), &node) {
                self.show(&node, node.path.as_str(), "")?;
            }
        }
        Ok(())
    }

    async fn tree(&mut self, root: &RemotePath) -> Result<(), CliError> {
        let depth = self.arguments.level.map(|level| usize::try_from(level).unwrap_or(usize::MAX));
        let options = OrderedOptions { filter: self.filter.clone(), hidden: self.arguments.all, depth };
        let mut walk = ordered::walk(self.ctx.api().await?, self.ctx.s3().await?, root, options);
        if !self.ctx.ui.is_json() {
            self.ctx.ui.line(&self.ctx.ui.shown(&root.to_string()))?;
        }
        // For each folder on the way to the present node: whether it is the last one in its parent.
        let mut lasts: Vec<bool> = Vec::new();
        while let Some(step) = walk.next().await {
            match step {
                Step::Node { node, last } => {
                    let depth = node.path.segments().count() - root.segments().count();
                    lasts.truncate(depth.saturating_sub(1));
                    let mut lines: String = lasts.iter().map(|last| if *last { "    " } else { "│   " }).collect();
                    lines.push_str(if last { "└── " } else { "├── " });
                    lasts.push(last);
                    self.show(&node, node.name(), &lines)?;
                }
                Step::Left(_) => {}
                Step::Failed { folder, error } => self.operands.unlisted(root, &folder, error)?,
            }
        }
        Ok(())
    }

    fn show(&mut self, node: &Node, name: &str, lines: &str) -> Result<(), CliError> {
        self.tally.add(Tally::of(node));
        let ui = &self.ctx.ui;
        if ui.is_json() {
            return Ok(ui.json_line(&NodeRecord::listed(node))?);
        }
        let slash = if node.is_folder() { "/" } else { "" };
        Ok(ui.line(&format!("{lines}{}{slash}", ui.shown(name)))?)
    }
}

//! `cec find`.

use std::sync::Arc;
use std::time::Duration;

use crate::commands::shared::filters::RuleArgs;
use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::shared::tally::Tally;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::settings::{parse_age, parse_bytes};
use crate::ui::json::NodeRecord;
use cells_client::api::Node;
use cells_client::path::RemotePath;
use cells_client::walk::filter::Filter;
use cells_client::walk::glob::NamePattern;
use cells_client::walk::ordered::{self, OrderedOptions, Step};
use jiff::Timestamp;

/// Arguments of `cec find`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Searches everything below a path, including hidden names, but not the content of recycle bins \
    unless they are named. All conditions must match. --include and --exclude are about files: a folder that may \
    contain such files is listed too, unless --type f is given.\n\nExamples:\n  cec find common-files --name '*.pdf'\n  \
    cec find common-files --type f --min-size 100M\n  \
    cec find -0 common-files/tmp --type f --min-age 30d | xargs -0 cec rm -f --no-glob"
)]
pub struct Args {
    /// Folders, files or patterns on the server
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required = true)]
    paths: Vec<String>,
    /// Only names that match this pattern
    #[arg(long, value_name = "PATTERN")]
    name: Option<String>,
    /// Like --name, but ignore case
    #[arg(long, value_name = "PATTERN")]
    iname: Option<String>,
    /// Only files (f) or folders (d)
    #[arg(long = "type", value_name = "TYPE", value_enum)]
    kind: Option<Kind>,
    #[command(flatten)]
    rules: RuleArgs,
    /// Skip names that start with a dot
    #[arg(long, help_heading = "Selection")]
    no_hidden: bool,
    /// Only files of at least this size: 500, 10k, 1.5M, 2G
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    min_size: Option<u64>,
    /// Only files of at most this size
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    max_size: Option<u64>,
    /// Only items changed at least this long ago: 90s, 12h, 7d, 2w
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    min_age: Option<Duration>,
    /// Only items changed at most this long ago
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    max_age: Option<Duration>,
    /// Maximum depth: 0 is the path itself, 1 its direct content
    #[arg(long, value_name = "N")]
    max_depth: Option<usize>,
    /// End each path with a NUL character instead of a newline
    #[arg(short = '0', long = "null", conflicts_with = "json")]
    null: bool,
    /// Do not expand patterns
    #[arg(long)]
    no_glob: bool,
}

/// The type of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// File
    #[value(name = "f")]
    File,
    /// Folder
    #[value(name = "d")]
    Folder,
}

/// The conditions, all of which must match.
struct Conditions<'a> {
    arguments: &'a Args,
    names: Vec<NamePattern>,
    now: Timestamp,
}

impl<'a> Conditions<'a> {
    fn new(arguments: &'a Args) -> Result<Self, CliError> {
        let mut names = Vec::new();
        for (text, any_case) in [(&arguments.name, false), (&arguments.iname, true)] {
            if let Some(text) = text {
                names.push(NamePattern::parse(text, any_case)?);
            }
        }
        Ok(Self { arguments, names, now: Timestamp::now() })
    }

    fn hold(&self, node: &Node) -> bool {
        let asked = self.arguments;
        let kind = match asked.kind {
            None => true,
            Some(Kind::File) => !node.is_folder(),
            Some(Kind::Folder) => node.is_folder(),
        };
        kind && self.names.iter().all(|pattern| pattern.is_match(node.name())) && self.size(node) && self.age(node)
    }

    /// Whether the size of a file matches. Folders have no size of their own.
    fn size(&self, node: &Node) -> bool {
        let (least, most) = (self.arguments.min_size, self.arguments.max_size);
        let fits = least.is_none_or(|least| node.size >= least) && most.is_none_or(|most| node.size <= most);
        (least.is_none() && most.is_none()) || (!node.is_folder() && fits)
    }

    fn age(&self, node: &Node) -> bool {
        let (least, most) = (self.arguments.min_age, self.arguments.max_age);
        if least.is_none() && most.is_none() {
            return true;
        }
        // A node of unknown age matches neither condition. A time in the future counts as now.
        let Some(modified) = node.modified else { return false };
        let seconds = u64::try_from(self.now.as_second() - modified.as_second()).unwrap_or(0);
        let age = Duration::from_secs(seconds);
        least.is_none_or(|least| age >= least) && most.is_none_or(|most| age <= most)
    }
}

/// Prints the matches.
struct Finder<'a> {
    ctx: &'a Ctx,
    conditions: Conditions<'a>,
    filter: Arc<Filter>,
    operands: Operands<'a>,
    tally: Tally,
}

impl Verb for Args {
    const ACTIVITY: &'static str = "searching";
    const FOREIGN: &'static [Foreign] = &[
        Foreign::new("cec find", &["-maxdepth"], "use --max-depth to limit the depth"),
        Foreign::new("cec find", &["-size"], "use --min-size and --max-size"),
        Foreign::new("cec find", &["-mtime", "-mmin"], "use --min-age and --max-age"),
        Foreign::new("cec find", &["-print"], "omit it: the paths are always printed"),
        Foreign::new("cec find", &["-print0"], "-0 ends each path with a NUL character"),
        Foreign::new("cec find", &["-exec"], "pass the paths on: cec find -0 ... | xargs -0 ..."),
        Foreign::new("cec find", &["-delete"], "pass the paths on: cec find -0 ... | xargs -0 cec rm -f --no-glob"),
    ];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.paths)
    }

    /// Searches trees.
    ///
    /// # Errors
    /// A pattern is not valid; the command cannot continue. Failures of single folders are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        // No workspace has such a name: users of find(1) type it after -name.
        let is_name = |typed: &&String| typed.contains(['*', '?']) && typed.contains('.') && !typed.contains('/');
        if let Some(typed) = self.paths.iter().find(is_name) {
            let message = format!("'{typed}' is a name pattern, but a path is required");
            return Err(
                CliError::new(crate::error::Kind::Usage, message).hint("to match names: cec find PATH --name '*.jpg'")
            );
        }
        let conditions = Conditions::new(&self)?;
        let filter = Arc::new(Filter { hidden: !self.no_hidden, ..self.rules.filter(ctx).await? });
        let operands = Operands::new(&ctx.ui);
        let mut found = Finder { ctx, conditions, filter, operands, tally: Tally::default() };
        for typed in &self.paths {
            let result = found.look_in(typed).await;
            found.operands.take(result)?;
        }
        if ctx.ui.is_json() {
            ctx.ui.json_line(&found.tally.summary(found.operands.failure_count()))?;
        }
        Ok(found.operands.outcome())
    }
}

impl Finder<'_> {
    async fn look_in(&mut self, typed: &str) -> Result<(), CliError> {
        let path = nodes::parse(self.ctx, typed)?;
        let arguments = self.conditions.arguments;
        let roots = if path.is_root() {
            vec![path]
        } else {
            let named = nodes::resolve(self.ctx, &path, arguments.no_glob).await?;
            let mut roots = Vec::new();
            for node in named {
                // The rules are about what is below a folder.
                let is_shown = match node.is_folder() {
                    true => self.filter.rules.is_empty(),
                    false => self.filter.path(node.name()),
                };
                if is_shown {
                    self.show(&node)?;
                }
                if node.is_folder() {
                    roots.push(node.path);
                }
            }
            roots
        };
        if arguments.max_depth == Some(0) {
            return Ok(());
        }
        for root in roots {
            self.walk(&root).await?;
        }
        Ok(())
    }

    async fn walk(&mut self, root: &RemotePath) -> Result<(), CliError> {
        let filter = self.filter.clone();
        let options = OrderedOptions { filter, hidden: true, depth: self.conditions.arguments.max_depth };
        let mut walk = ordered::walk(self.ctx.api().await?, self.ctx.s3().await?, root, options);
        while let Some(step) = walk.next().await {
            match step {
                Step::Node { node, .. } => self.show(&node)?,
                Step::Left(_) => {}
                Step::Failed { folder, error } => self.operands.unlisted(root, &folder, error)?,
            }
        }
        Ok(())
    }

    fn show(&mut self, node: &Node) -> Result<(), CliError> {
        if !self.conditions.hold(node) {
            return Ok(());
        }
        self.tally.add(Tally::of(node));
        let ui = &self.ctx.ui;
        let slash = if node.is_folder() { "/" } else { "" };
        if ui.is_json() {
            ui.json_line(&NodeRecord::listed(node))?;
        } else if self.conditions.arguments.null {
            ui.record(&format!("{}{slash}", node.path), "\0")?;
        } else {
            ui.line(&format!("{}{slash}", ui.shown(node.path.as_str())))?;
        }
        Ok(())
    }
}

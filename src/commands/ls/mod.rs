//! `cec ls`.

mod exists;
mod show;
mod sorted;
mod template;
mod unsorted;

use std::collections::HashSet;
use std::future::ready;
use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_util::future::{Either, select};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryStreamExt};

use crate::commands::shared::filters::{MeasureArgs, RuleArgs};
use crate::commands::shared::nodes;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{Completion, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::ui::OutputError;
use crate::ui::template::Format;
use cells_client::api::{Client, Node};
use cells_client::path::RemotePath;
use cells_client::s3;
use cells_client::walk::filter::Filter;
use cells_client::walk::glob::Reading;
use cells_client::walk::{WalkError, remote};
use show::Show;
use template::FIELDS;

/// Arguments of `cec ls`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Patterns and -R skip the recycle bin of a workspace, unless it is named.\n\nExamples:\n  cec \
    ls\n  cec ls -d common-files/reports\n  cec ls -R --json common-files\n  \
    cec ls 'common-files/**/*.pdf'\n  cec ls -f common-files/done && echo there\n  cec ls --format '{{.Name}} {{.SizeBytes}}' common-files")]
pub struct Args {
    /// Folders, files or patterns on the server; the workspaces if omitted
    #[arg(value_name = "PATH", value_hint = Completion::Remote)]
    paths: Vec<String>,
    /// Also show type, UUID, size, time and hash
    #[arg(short, long, short_alias = 'l', alias = "long")]
    details: bool,
    /// Show full paths, one per line
    #[arg(short, long, conflicts_with = "details")]
    raw: bool,
    /// Format each item with a Go template: {{.Type}}, Uuid, Hash, Name, Path, HumanSize, SizeBytes, TimeStamp, Date
    #[arg(long, value_name = "TEMPLATE", conflicts_with_all = ["details", "raw", "exists", "json", "jq"])]
    format: Option<String>,
    /// Only print whether the path exists: true (exit code 0) or false (exit code 3)
    #[arg(short = 'f', long, conflicts_with_all = ["details", "raw", "recursive", "sort", "reverse", "all"], requires = "paths")]
    exists: bool,
    /// List folders recursively, without the content of recycle bins
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Sort by name, by size (largest first) or by time (newest first)
    #[arg(long, value_name = "BY", value_enum)]
    sort: Option<SortKey>,
    /// Reverse the order
    #[arg(long)]
    reverse: bool,
    /// End each name with a NUL character instead of a newline
    #[arg(short = '0', long = "null", conflicts_with_all = ["details", "json"])]
    null: bool,
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

/// The sort key of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SortKey {
    Name,
    Size,
    Time,
}

impl Args {
    /// Whether nodes are printed in the server's order, so that no folder must be in memory completely.
    fn keeps_order(&self) -> bool {
        self.sort.is_none() && !self.reverse && !self.all
    }
}

impl Verb for Args {
    const ACTIVITY: &'static str = "listing";
    const FOREIGN: &'static [Foreign] = &[
        Foreign::new("cec", &["dir", "ll"], "'cec ls' lists, 'cec ls -d' with details"),
        Foreign::new("cec ls", &["-S"], "--sort size lists the largest first"),
        Foreign::new("cec ls", &["-1"], "omit it: names are always listed one per line"),
        Foreign::new("cec ls", &["-t"], "-t is --token; --sort time lists the newest first"),
    ];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::each(&self.paths)
    }

    /// Lists nodes.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let paths = match self.paths.as_slice() {
            [] => vec!["/".to_owned()],
            paths => paths.to_vec(),
        };
        if self.exists {
            return exists::run(ctx, &self, &paths).await;
        }
        // A folder that is named twice is listed once, as in the older client's own example: ls DIR --format T DIR/
        let mut seen = HashSet::new();
        let mut is_new = |typed: &String| nodes::parse(ctx, typed).map_or(true, |path| seen.insert(path));
        let paths: Vec<String> = paths.into_iter().filter(|typed| is_new(typed)).collect();
        let format = self.format.as_deref().map(|template| Format::parse(template, FIELDS)).transpose()?;
        let mut filter = self.rules.filter(ctx).await?;
        self.measures.limit(&mut filter)?;
        let filter = Arc::new(filter);
        let mut operands = Operands::new(&ctx.ui);
        let only_root = paths.iter().all(|path| nodes::parse(ctx, path).is_ok_and(|path| path.is_root()));
        let mut show = Show::new(ctx, &self, format, only_root && !self.recursive, paths.len() > 1);
        for path in &paths {
            let result = list(ctx, (&self, &filter), path, &mut show, &mut operands).await;
            operands.take(result)?;
        }
        show.finish(&operands)?;
        Ok(operands.outcome())
    }
}

/// Lists one operand.
async fn list(
    ctx: &Ctx,
    (arguments, filter): (&Args, &Arc<Filter>),
    typed: &str,
    show: &mut Show<'_>,
    operands: &mut Operands<'_>,
) -> Result<(), CliError> {
    let path = nodes::parse(ctx, typed)?;
    let (api, s3) = (ctx.api().await?.clone(), ctx.s3().await?.clone());
    let lister = Lister { api, s3, hidden: arguments.all, filter: filter.clone() };
    // Names are printed relative to the folder that contains the operand.
    let reading = Reading { literal: arguments.no_glob, ..Reading::default() };
    // Most operands are folders. So the first page of the listing does not wait for the answer that this one is a folder.
    let mut ahead = lister.children(&path, &path).peekable();
    let (base, found) = if path.is_root() {
        (path.clone(), None)
    } else {
        let resolving = nodes::resolve(ctx, &path, arguments.no_glob);
        let found = if arguments.recursive || reading.is_pattern(&path) {
            resolving.await?
        } else {
            match select(pin!(resolving), Pin::new(&mut ahead).peek()).await {
                Either::Left((found, _)) => found?,
                Either::Right((_, resolving)) => resolving.await?,
            }
        };
        let is_pattern = !arguments.no_glob && found.first().is_none_or(|node| node.path.nfc() != path.nfc());
        match found.as_slice() {
            [folder] if folder.is_folder() && !is_pattern => (folder.path.clone(), None),
            _ => (shared_parent(&found), Some(found)),
        }
    };
    show.base = base.clone();
    match found {
        Some(mut nodes) => {
            nodes.retain(|node| node.is_folder() || filter.named_node(node.name(), node));
            order(&mut nodes, arguments);
            for node in &nodes {
                show.node(node)?;
            }
            if arguments.recursive {
                for folder in nodes.iter().filter(|node| node.is_folder()) {
                    tree(&lister, arguments, &folder.path, show, operands).await?;
                }
            }
            Ok(())
        }
        None if arguments.recursive => tree(&lister, arguments, &base, show, operands).await,
        None => {
            // A listing that failed was asked for before the server had answered at all. Only now is a fault one of a moment.
            let has_failed = matches!(Pin::new(&mut ahead).peek().now_or_never(), Some(Some(Err(_))));
            let is_usable = base == path && !has_failed;
            let mut children = if is_usable { ahead.boxed() } else { lister.children(&base, &base) };
            let failed = |error: WalkError| nodes::listing_failed(error, &base);
            // Hidden names arrive last and must be sorted in.
            if arguments.keeps_order() {
                while let Some(node) = next_flushed(ctx, &mut children).await?.transpose().map_err(failed)? {
                    show.node(&node)?;
                }
                return Ok(());
            }
            let mut nodes: Vec<Node> = children.try_collect().await.map_err(failed)?;
            order(&mut nodes, arguments);
            nodes.iter().try_for_each(|node| show.node(node))
        }
    }
}

/// Returns the next node. Flushes the output first if it must be waited for.
async fn next_flushed<T>(ctx: &Ctx, nodes: &mut BoxStream<'_, T>) -> Result<Option<T>, OutputError> {
    if let Some(ready) = nodes.next().now_or_never() {
        return Ok(ready);
    }
    ctx.ui.flush()?;
    Ok(nodes.next().await)
}

/// Lists everything below a folder.
async fn tree(
    lister: &Lister,
    arguments: &Args,
    root: &RemotePath,
    show: &mut Show<'_>,
    operands: &mut Operands<'_>,
) -> Result<(), CliError> {
    if arguments.keeps_order() {
        unsorted::list(lister, root, show, operands).await
    } else {
        sorted::list(lister, arguments, root, show, operands).await
    }
}

/// Returns the folder that contains all nodes; the root if they have different parents.
fn shared_parent(nodes: &[Node]) -> RemotePath {
    let mut parents = nodes.iter().map(|node| node.path.parent().unwrap_or_default());
    let first = parents.next().unwrap_or_default();
    if parents.all(|parent| parent == first) { first } else { RemotePath::root() }
}

/// Lists single folders.
#[derive(Debug, Clone)]
struct Lister {
    api: Client,
    s3: s3::Client,
    hidden: bool,
    filter: Arc<Filter>,
}

impl Lister {
    /// Returns the selected children of a folder as they arrive; those of the root are the workspaces. The paths that
    /// are filtered are relative to `root`.
    fn children(&self, root: &RemotePath, folder: &RemotePath) -> BoxStream<'static, Result<Node, WalkError>> {
        let (filter, root) = (self.filter.clone(), root.clone());
        let children = remote::listing(&self.api, &self.s3, folder, self.hidden);
        children.try_filter(move |node| ready(filter.node(&root, node))).boxed()
    }
}

/// Sorts nodes as requested. By default, the server's order is kept: by the bytes of names, except for hidden ones.
fn order(nodes: &mut [Node], arguments: &Args) {
    match arguments.sort {
        None if !arguments.all => {}
        None | Some(SortKey::Name) => nodes.sort_by(|one, other| one.path.cmp(&other.path)),
        Some(SortKey::Size) => nodes.sort_by(|one, other| other.size.cmp(&one.size).then(one.path.cmp(&other.path))),
        Some(SortKey::Time) => {
            nodes.sort_by(|one, other| other.modified.cmp(&one.modified).then(one.path.cmp(&other.path)));
        }
    }
    if arguments.reverse {
        nodes.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cells_client::api::NodeKind;

    fn node(path: &str, size: u64, seconds: Option<i64>) -> Node {
        let modified = seconds.map(|seconds| jiff::Timestamp::from_second(seconds).expect("a time"));
        Node { size, modified, ..Node::of_path(path, NodeKind::File) }
    }

    #[derive(clap::Parser)]
    struct Harness {
        #[command(flatten)]
        arguments: Args,
        #[arg(long)]
        json: bool,
        #[arg(long)]
        jq: bool,
    }

    fn ordered(flags: &[&str]) -> Vec<String> {
        use clap::Parser;
        let harness = Harness::parse_from([&["ls"], flags].concat());
        let mut nodes = [node("w/b", 2, Some(10)), node("w/a", 9, None), node("w/c", 2, Some(30))];
        order(&mut nodes, &harness.arguments);
        nodes.iter().map(|node| node.name().to_owned()).collect()
    }

    #[test]
    fn listings_are_sorted_as_asked() {
        assert_eq!(ordered(&[]), ["b", "a", "c"]);
        assert_eq!(ordered(&["--reverse"]), ["c", "a", "b"]);
        assert_eq!(ordered(&["--sort", "name"]), ["a", "b", "c"]);
        assert_eq!(ordered(&["--all"]), ["a", "b", "c"]);
        assert_eq!(ordered(&["--all", "--reverse"]), ["c", "b", "a"]);
        assert_eq!(ordered(&["--sort", "size"]), ["a", "b", "c"]);
        assert_eq!(ordered(&["--sort", "time"]), ["c", "b", "a"]);
        assert_eq!(ordered(&["--sort", "time", "--reverse"]), ["a", "b", "c"]);
    }
}

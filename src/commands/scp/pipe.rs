//! Transfers from standard input to the server, and from the server to standard output.

#![expect(clippy::disallowed_methods, reason = "an upload may read standard input")]

use std::time::Instant;

use super::args::{Args, Verbosity};
use super::plan::expand_source;
use super::report::{Facts, GoOn, report};
use super::{manifest, progress, show, supervise, unless_interrupted};
use crate::commands::shared::input::secret_is_piped;
use crate::commands::shared::transfers::{engine, no_content, write_content};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::sys::standard_input;
use crate::ui::Ui;
use crate::ui::progress::{Progress, Show};
use cells_client::api::Node;
use cells_client::path::RemotePath;
use cells_client::transfer::event::Reason;
use cells_client::transfer::event::{Direction, ItemOutcome, Observer, Record};
use cells_client::transfer::{Engine, Options, Summary};

/// Uploads standard input to one file.
pub(super) async fn up(
    ctx: &Ctx,
    args: &Args,
    verbosity: Verbosity,
    options: Options,
    target: &RemotePath,
    is_folder: bool,
) -> Result<Outcome, CliError> {
    if secret_is_piped(ctx)? {
        let message = "standard input cannot be both the file and the sign-in secret";
        return Err(CliError::new(Kind::Usage, message).hint("use --token-file or CEC_TOKEN for the token"));
    }
    if standard_input::was_closed() {
        return Err(CliError::new(Kind::Failure, "standard input is closed")
            .hint("to upload an empty file: cec scp - <TARGET> </dev/null"));
    }
    let engine = engine(ctx, options).await?;
    let planned = async { Ok(engine.stream_target(target, is_folder).await?) };
    let target = unless_interrupted(ctx, planned).await?;
    let manifest = manifest(args)?;
    if ctx.ui.stdin_is_terminal() && !args.dry_run {
        ctx.ui.status("reading standard input; Ctrl-D ends it");
    }
    let progress = progress(ctx, args, verbosity, &engine, manifest);
    let engine = Engine { observer: progress.clone(), ..engine };
    let summary = supervise(ctx, &progress, engine.upload_stream(Box::new(std::io::stdin()), target)).await;
    report(
        ctx,
        summary,
        &Facts { single: true, dry_run: args.dry_run, progress: &progress, go_on: GoOn::Pipeline, unfinished: 0 },
    )
}

/// Writes files to standard output one after the other, as `cec cat` does. With `--json`, nothing else is written
/// there, and errors are JSON.
pub(super) async fn down(
    ctx: &Ctx,
    args: &Args,
    verbosity: Verbosity,
    options: Options,
    sources: &[RemotePath],
) -> Result<Outcome, CliError> {
    let engine = engine(ctx, options).await?;
    let nodes = unless_interrupted(ctx, files(&ctx.ui, &engine, sources, args.no_glob)).await?;
    let manifest = manifest(args)?;
    // The content may go to the same terminal, where bars would disturb it.
    let quiet = Verbosity { no_progress: true, ..verbosity };
    let show = Show { contents: true, ..show(ctx, args, quiet, &engine, manifest) };
    let progress = Progress::start(ctx.ui.clone(), show);
    let begun = Instant::now();
    let mut summary = Summary::default();
    for (number, node) in (1..).zip(&nodes) {
        let started = Instant::now();
        if !args.dry_run {
            let written = unless_interrupted(ctx, write_content(ctx, &engine, number, node, 0..node.size)).await;
            written.map_err(|error| error.during(format!("reading {}", node.path)).about(&node.path))?;
        }
        let (names, outcome) = ((node.path.marked(), "-".to_owned()), ItemOutcome::Transferred(Reason::New));
        let record =
            Record::new(Direction::Download, names, outcome, started).with_content(Some(node.size), node.etag.clone());
        progress.item_done(number, &record);
        summary.count(record);
    }
    progress.stop();
    summary.elapsed = begun.elapsed();
    report(
        ctx,
        summary,
        &Facts { single: false, dry_run: args.dry_run, progress: &progress, go_on: GoOn::SameCommand, unfinished: 0 },
    )
}

/// Returns the files that the sources name. Fails for folders, which have no content.
async fn files(ui: &Ui, engine: &Engine, sources: &[RemotePath], literal: bool) -> Result<Vec<Node>, CliError> {
    let mut nodes = Vec::new();
    for source in sources {
        let named = expand_source(ui, engine, source, literal).await?;
        if named.is_empty() {
            let message = format!("'{source}' does not exist on the server");
            return Err(CliError::new(Kind::NotFound, message).about(source));
        }
        if let Some(folder) = named.iter().find(|node| node.is_folder()) {
            return Err(no_content(folder));
        }
        nodes.extend(named);
    }
    Ok(nodes)
}

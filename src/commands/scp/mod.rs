//! `cec scp`: files and trees to the server and back, standard input and output among them.

mod args;
mod choices;
mod direction;
mod pipe;
mod report;
mod tuning;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

pub use args::Args;

use direction::{Direction, direction};

use crate::api::Node;
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::path::RemotePath;
use crate::transfer::run::Job;
use crate::transfer::{Engine, Options, Summary, TransferError, event};
use crate::ui::manifest::Manifest;
use crate::ui::progress::{Progress, ProgressMode, Show};
use crate::walk::glob;
use crate::walk::local::real_path;

/// How long a run may take to stop before it says what it waits for.
const FAREWELL: Duration = Duration::from_millis(500);

/// Runs the command.
///
/// # Errors
/// What concerns the run as a whole, or its only file.
pub async fn run(ctx: &Ctx, args: Args) -> Result<Outcome, CliError> {
    let direction = direction(ctx, &args.paths)?;
    let options = tuning::options(ctx, &args)?;
    if args.preserve && matches!(direction, Direction::Up(..) | Direction::PipeUp(..)) {
        ctx.ui.warn("the server keeps no modification times of uploads; --preserve has no effect here");
    }
    if !args.multipart_debug_flags.is_empty() {
        ctx.ui.warn("--multipart-debug-flags is out of date: it logs as --log debug does");
    }
    match direction {
        Direction::PipeUp(target, is_folder) => return pipe::up(ctx, &args, options, &target, is_folder).await,
        Direction::PipeDown(sources) => return pipe::down(ctx, &args, options, &sources).await,
        Direction::Up(..) | Direction::Down(..) => {}
    }
    check_manifest(&args, &direction)?;
    let engine = engine(ctx, options).await?;
    let jobs = unless_interrupted(ctx, plan(&engine, direction, args.no_glob)).await?;
    let manifest = manifest(&args)?;
    let single = matches!(jobs.as_slice(), [Job::UploadFile(_) | Job::DownloadFile(_)]);
    let progress = progress(ctx, &args, &engine, manifest);
    let engine = Engine { observer: progress.clone(), ..engine };
    let summary = supervise(ctx, &progress, engine.execute(jobs)).await;
    report::report(ctx, summary, &report::Facts { single, dry_run: args.dry_run, progress: &progress })
}

/// An engine that nobody hears of yet.
async fn engine(ctx: &Ctx, options: Options) -> Result<Engine, CliError> {
    Ok(Engine {
        api: ctx.api().await?.clone(),
        s3: ctx.s3().await?.clone(),
        options: Arc::new(options),
        observer: Arc::new(event::Silent),
        // A plan that nobody reads is stopped by itself.
        cancel: ctx.cancel.child_token(),
    })
}

/// Refuses a manifest that would be written over what is to be sent.
fn check_manifest(args: &Args, direction: &Direction) -> Result<(), CliError> {
    let (Some(manifest), Direction::Up(sources, ..)) = (&args.manifest, direction) else { return Ok(()) };
    let (Some(real), true) = (real_path(manifest), manifest.exists()) else { return Ok(()) };
    match sources.iter().find(|source| real_path(source).as_ref() == Some(&real)) {
        None => Ok(()),
        Some(source) => {
            let message = format!("'{}' is a source, and the manifest would be written over it", source.display());
            Err(CliError::new(Kind::Usage, message).hint("name another file for --manifest").about(source.display()))
        }
    }
}

/// Opens the manifest, once all else is certain: whatever was in the file is gone then. A dry run writes none.
fn manifest(args: &Args) -> Result<Option<Manifest>, CliError> {
    let open = |path: &PathBuf| {
        Manifest::create(path).map_err(|error| {
            let message = format!("cannot write the manifest {}: {error}", path.display());
            CliError::new(CliError::from(error).kind, message)
        })
    };
    args.manifest.as_ref().filter(|_| !args.dry_run).map(open).transpose()
}

fn progress(ctx: &Ctx, args: &Args, engine: &Engine, manifest: Option<Manifest>) -> Arc<Progress> {
    Progress::start(ctx.ui.clone(), show(ctx, args, engine, manifest))
}

fn show(ctx: &Ctx, args: &Args, engine: &Engine, manifest: Option<Manifest>) -> Show {
    let output = &ctx.settings.output;
    // The lines of a log would tear the bars apart.
    let torn = output.log.is_some() && output.log_file.is_none();
    let mode = match args.progress.unwrap_or(ProgressMode::Auto) {
        _ if args.no_progress => ProgressMode::None,
        ProgressMode::Auto if torn && !output.quiet && !output.json => ProgressMode::Plain,
        mode => mode,
    };
    Show {
        mode,
        verbose: args.is_verbose(),
        dry_run: args.dry_run,
        contents: false,
        manifest,
        stop: engine.cancel.clone(),
    }
}

/// Waits for a run; says what it waits for where it does not stop at once.
async fn supervise(ctx: &Ctx, progress: &Arc<Progress>, run: impl Future<Output = Summary>) -> Summary {
    let (cancel, shown) = (ctx.cancel.clone(), progress.clone());
    let farewell = tokio::spawn(async move {
        cancel.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
        shown.say("stopping: waiting for the answer to what has been sent; Ctrl-C again quits at once");
    });
    let summary = run.boxed_local().await;
    farewell.abort();
    progress.stop();
    summary
}

async fn unless_interrupted<T>(ctx: &Ctx, work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::select! {
        done = work => done,
        () = ctx.cancel.cancelled() => Err(CliError::new(Kind::Interrupted, "interrupted")),
    }
}

/// The nodes of a pattern without those that lie in another of them: a folder comes with all that it holds.
fn topmost(nodes: Vec<Node>) -> Vec<Node> {
    let mut folders: HashSet<RemotePath> = HashSet::new();
    // They are sorted by path, so that a folder stands before what it holds.
    let mut is_topmost = |node: &Node| {
        let mut above = std::iter::successors(node.path.parent(), RemotePath::parent);
        if above.any(|folder| folders.contains(&folder)) {
            return false;
        }
        if node.is_folder() {
            folders.insert(node.path.clone());
        }
        true
    };
    nodes.into_iter().filter(|node| is_topmost(node)).collect()
}

async fn plan(engine: &Engine, direction: Direction, literal: bool) -> Result<Vec<Job>, CliError> {
    let (sources, target) = match direction {
        Direction::Down(sources, target) => (sources, target),
        Direction::Up(sources, target, folder) => return Ok(engine.upload_jobs(&sources, &target, folder).await?),
        Direction::PipeUp(..) | Direction::PipeDown(..) => return Ok(Vec::new()),
    };
    let (mut nodes, mut jobs) = (Vec::new(), Vec::new());
    for source in &sources {
        let found = found(engine, source, literal).await?;
        if found.is_empty() && sources.len() == 1 {
            let message = format!("{source} does not exist on the server");
            return Err(CliError::new(Kind::NotFound, message).about(source));
        }
        if found.is_empty() {
            // One of many: the others go on, as with cp.
            let error = TransferError::NotFound(format!("'{source}' does not exist on the server"));
            jobs.push(Job::Refused { direction: event::Direction::Download, source: source.marked(), error });
        }
        nodes.extend(found);
    }
    if !nodes.is_empty() {
        jobs.extend(engine.download_jobs(nodes, &target).await?);
    }
    Ok(jobs)
}

/// What a remote source names.
async fn found(engine: &Engine, source: &RemotePath, literal: bool) -> Result<Vec<Node>, CliError> {
    if source.is_root() {
        let message = "name a workspace to download from, for example cells://common-files";
        return Err(CliError::new(Kind::Usage, message));
    }
    Ok(topmost(glob::expand(&engine.api, &engine.s3, source, literal).await?))
}

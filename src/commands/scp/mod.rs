//! `cec scp`: files and trees to the server and back, standard input and output among them.

mod again;
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

pub(super) use direction::without_dot;

use again::Again;
use direction::{Direction, RemoteSource, direction};

use crate::api::Node;
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use crate::path::RemotePath;
use crate::transfer::run::Job;
use crate::transfer::target::DownloadSource;
use crate::transfer::{Engine, Options, Summary, TransferError, event};
use crate::ui::manifest::Manifest;
use crate::ui::progress::{Progress, ProgressMode, Show};
use crate::walk::glob;

/// How long a run may take to stop before it says what it waits for.
const FAREWELL: Duration = Duration::from_millis(500);

/// Runs the command.
///
/// # Errors
/// What concerns the run as a whole, or its only file.
pub async fn run(ctx: &Ctx, args: Args) -> Result<Outcome, CliError> {
    let ended = transfer(ctx, args).await;
    ended.map_err(|error| match error.kind {
        // Of a public link it is said what its visitors may do.
        Kind::Permission if error.hints.is_empty() && !matches!(ctx.link(), Ok(Some(_))) => {
            error.hint("ask whoever manages the workspace for more rights or room; 'cec about' tells its quota")
        }
        _ => error,
    })
}

async fn transfer(ctx: &Ctx, args: Args) -> Result<Outcome, CliError> {
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
    let engine = engine(ctx, options).await?;
    let manifest = manifest(&args)?;
    let (again, planned) = (Again::of(&direction), plan(&engine, direction, args.no_glob));
    let jobs = unless_interrupted(ctx, planned).await?;
    let again = again.filter(|again| again.has_changed(&jobs)).map(|again| again.line);
    let single = matches!(jobs.as_slice(), [Job::UploadFile(_) | Job::DownloadFile(_)]);
    let progress = progress(ctx, &args, manifest);
    let engine = Engine { observer: progress.clone(), ..engine };
    let summary = supervise(ctx, &progress, engine.execute(jobs)).await;
    report::report(ctx, summary, &report::Facts { single, dry_run: args.dry_run, progress: &progress, again })
}

/// An engine that nobody hears of yet.
async fn engine(ctx: &Ctx, options: Options) -> Result<Engine, CliError> {
    Ok(Engine {
        api: ctx.api().await?.clone().with_retry(options.retry.clone()),
        s3: ctx.s3().await?.clone(),
        options: Arc::new(options),
        observer: Arc::new(event::Silent),
        cancel: ctx.cancel.clone(),
    })
}

fn manifest(args: &Args) -> Result<Option<Manifest>, CliError> {
    let open = |path: &PathBuf| {
        Manifest::create(path).map_err(|error| {
            let message = format!("cannot write the manifest {}: {error}", path.display());
            CliError::new(CliError::from(error).kind, message)
        })
    };
    args.manifest.as_ref().map(open).transpose()
}

fn progress(ctx: &Ctx, args: &Args, manifest: Option<Manifest>) -> Arc<Progress> {
    let output = &ctx.settings.output;
    // The lines of a log would tear the bars apart.
    let torn = output.log.is_some() && output.log_file.is_none();
    let mode = match args.progress.unwrap_or(ProgressMode::Auto) {
        _ if args.no_progress => ProgressMode::None,
        ProgressMode::Auto if torn && !output.quiet && !output.json => ProgressMode::Plain,
        mode => mode,
    };
    let show = Show { mode, verbose: args.is_verbose(), dry_run: args.dry_run, manifest };
    Progress::start(ctx.ui.clone(), show)
}

/// Waits for a run; says what it waits for where it does not stop at once.
async fn supervise(ctx: &Ctx, progress: &Progress, run: impl Future<Output = Summary>) -> Summary {
    let (cancel, ui) = (ctx.cancel.clone(), ctx.ui.clone());
    let farewell = tokio::spawn(async move {
        cancel.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
        ui.status("stopping: waiting for the answer to what has been sent; Ctrl-C again quits at once");
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
        Direction::Up(sources, target, folder) => {
            let jobs = engine.upload_jobs(&sources, &target, folder).await;
            return jobs.map_err(|error| while_planning(error, &target.marked()));
        }
        Direction::PipeUp(..) | Direction::PipeDown(..) => return Ok(Vec::new()),
    };
    let (mut nodes, mut jobs) = (Vec::new(), Vec::new());
    for RemoteSource { path: source, contents } in &sources {
        let found = found(engine, source, literal).await?;
        if found.is_empty() && sources.len() == 1 {
            let message = format!("'{source}' does not exist on the server");
            return Err(CliError::new(Kind::NotFound, message).about(source));
        }
        if found.is_empty() {
            // One of many: the others go on, as with cp.
            let error = TransferError::NotFound(format!("'{source}' does not exist on the server"));
            jobs.push(Job::Refused { direction: event::Direction::Download, source: source.marked(), error });
        }
        nodes.extend(found.into_iter().map(|node| DownloadSource { node, contents: *contents }));
    }
    if !nodes.is_empty() {
        let planned = engine.download_jobs(nodes, &target).await;
        jobs.extend(planned.map_err(|error| while_planning(error, &target.display().to_string()))?);
    }
    Ok(jobs)
}

/// What failed before anything moved; of a failed call it is said what it was for.
fn while_planning(error: TransferError, target: &str) -> CliError {
    let is_call = matches!(error, TransferError::Api(_) | TransferError::S3(_) | TransferError::Walk(_));
    let error = CliError::from(error);
    if is_call { error.during(format!("looking for {target}")) } else { error }
}

/// What a remote source names.
async fn found(engine: &Engine, source: &RemotePath, literal: bool) -> Result<Vec<Node>, CliError> {
    if source.is_root() {
        let message = "name a workspace to download from, for example cells://common-files";
        return Err(CliError::new(Kind::Usage, message));
    }
    let nodes = glob::expand(&engine.api, &engine.s3, source, literal).await;
    Ok(topmost(nodes.map_err(|error| CliError::from(error).during(format!("looking for {}", source.marked())))?))
}

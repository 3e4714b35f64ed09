//! `cec scp`: uploads and downloads of files and trees, including standard input and output.

mod args;
mod choices;
mod direction;
mod new_name;
mod pipe;
mod plan;
mod report;
mod resume;
mod selection;
mod tuning;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

pub use args::Args;

use args::Verbosity;
use direction::{Direction, direction, without_dot};
use new_name::NewName;
use plan::plan;
use report::GoOn;
use resume::Resume;

use crate::commands::shared::transfers::{engine, journals};
use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::env::Environment;
use crate::error::{CliError, Kind, Outcome};
use crate::sys::limits;
use crate::ui::manifest::Manifest;
use crate::ui::progress::{Progress, ProgressMode, Show};
use cells_client::account::LinkUrl;
use cells_client::path::RemotePath;
use cells_client::transfer::plan::Job;
use cells_client::transfer::{Engine, Summary};
use cells_client::walk::local::real_path;

/// How long a canceled run may take before its reason for waiting is printed.
const FAREWELL: Duration = Duration::from_millis(500);

impl Verb for Args {
    const ACTIVITY: &'static str = "checking the paths";
    const STOPS_ITSELF: bool = true;
    const FOREIGN: &'static [Foreign] = &[
        Foreign::new(
            "cec",
            &["sync", "mirror", "rsync"],
            "sync is not supported yet; 'cec scp SRC/. DST' copies what is missing",
        ),
        Foreign::new(
            "cec",
            &["check", "compare", "diff"],
            "check is not supported yet; 'cec scp --dry-run SRC/. DST' shows what is missing",
        ),
        Foreign::new("cec", &["copy"], "'cec scp' copies to the server or from it, 'cec cp' on the server"),
        Foreign::new(
            "cec",
            &["put", "upload", "get", "download", "push", "pull"],
            "'cec scp SRC... DST' copies to the server or from it",
        ),
        Foreign::new(
            "cec",
            &["edit"],
            "editing in place is not supported; 'cec scp' downloads a file, 'cec scp -f' uploads it again",
        ),
        Foreign::new("cec", &["touch"], "to create an empty file: cec scp - cells://ws/name < /dev/null"),
        Foreign::new("cec scp", &["--limit-rate"], "--bwlimit RATE limits the speed"),
        Foreign::new(
            "cec scp",
            &["--delete", "--delete-after", "--mirror"],
            "scp never deletes; sync is not supported yet",
        ),
        Foreign::new("cec scp", &["-a", "--archive", "--times"], "--preserve keeps modification times of downloads"),
        Foreign::new(
            "cec scp",
            &["-P", "--parallel", "--threads", "--jobs", "--workers"],
            "--transfers N moves N files at once",
        ),
        Foreign::new("cec scp", &["--overwrite", "--clobber"], "--force replaces existing files"),
        Foreign::new("cec scp", &["--no-clobber", "--skip-existing"], "--ignore-existing keeps existing files"),
        Foreign::new("cec scp", &["-t"], "-t is --token; the target is the last argument"),
        Foreign::new("cec scp", &["-u"], "-u is --url; --update replaces only what is older"),
    ];

    fn remote_paths(&self) -> RemotePaths<'_> {
        let texts = self.paths.iter().filter_map(|path| path.to_str());
        let remote = texts.filter(|text| LinkUrl::is_meant(text) || RemotePath::is_marked(text));
        RemotePaths::Between(remote.map(|text| without_dot(text).0).collect())
    }

    fn wants_log(&self, environment: &Environment) -> Result<bool, CliError> {
        Ok(self.verbosity(environment)?.wants_log())
    }

    /// Runs the transfer.
    ///
    /// # Errors
    /// An error of the complete run, or of its only file.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let ended = transfer(ctx, self).await;
        ended.map_err(|error| match error.kind {
            // For a public link, another hint explains what its visitors may do.
            Kind::Permission if error.hints.is_empty() && !matches!(ctx.link(), Ok(Some(_))) => error.hint(
                "ask the manager of the workspace for more permissions or space; 'cec about' shows its \
                    quota",
            ),
            _ => error,
        })
    }
}

async fn transfer(ctx: &Ctx, args: Args) -> Result<Outcome, CliError> {
    let direction = direction(ctx, &args.paths)?;
    limits::survive_file_size_limit();
    let filter = selection::filter(ctx, &args, &direction).await?;
    let mut options = tuning::options(ctx, &args, filter)?;
    tuning::limit_pace(ctx, &args)?;
    let is_stream = matches!(direction, Direction::PipeUp(..) | Direction::PipeDown(..));
    if is_stream && (args.max_transfer.is_some() || args.max_duration.is_some()) {
        let message = "--max-transfer and --max-duration have no effect on standard input and output";
        return Err(CliError::new(Kind::Usage, message));
    }
    let verbosity = args.verbosity(&ctx.settings.environment)?;
    if args.preserve && matches!(direction, Direction::Up(..) | Direction::PipeUp(..)) {
        ctx.ui.warn("the server keeps no modification times of uploads; --preserve has no effect here");
    }
    if verbosity.debug_events {
        ctx.ui.warn("--multipart-debug-flags is deprecated: it logs like --log debug");
    }
    match direction {
        Direction::PipeUp(target, is_folder) => {
            return pipe::up(ctx, &args, verbosity, options, &target, is_folder).await;
        }
        Direction::PipeDown(sources) => return pipe::down(ctx, &args, verbosity, options, &sources).await,
        Direction::Up(..) | Direction::Down(..) => {}
    }
    check_manifest(&args, &direction)?;
    if !args.no_resume && !args.dry_run {
        options.journals = journals(ctx).await?;
    }
    let engine = engine(ctx, options).await?;
    let (resume, named) = (Resume::of(&direction), NewName::of(&direction));
    let jobs = unless_interrupted(ctx, plan(&ctx.ui, &engine, direction, args.no_glob)).await?;
    let named = named.filter(|named| named.is_taken_by(&jobs));
    let resume = resume.filter(|resume| resume.has_changed(&jobs)).map(|resume| resume.line);
    let manifest = manifest(&args)?;
    let is_folder = |job: &&Job| matches!(job, Job::MakeFolder(_) | Job::MakeLocalFolder(_) | Job::Excluded(_));
    let items: Vec<&Job> = jobs.iter().filter(|job| !is_folder(job)).collect();
    let single = matches!(items.as_slice(), [Job::UploadFile(_) | Job::DownloadFile(_)]);
    let progress = progress(ctx, &args, verbosity, &engine, manifest);
    let journals = engine.options.journals.clone();
    let engine = Engine { observer: progress.clone(), ..engine };
    let summary = supervise(ctx, &progress, engine.execute(jobs)).await;
    let transferred = summary.transferred > 0;
    let unfinished = journals.unfinished();
    let go_on = resume.map_or(GoOn::SameCommand, GoOn::Line);
    let facts = report::Facts { single, dry_run: args.dry_run, progress: &progress, go_on, unfinished };
    let outcome = report::report(ctx, summary, &facts);
    if let Some(named) = named.filter(|_| transferred && !args.dry_run && !ctx.ui.stderr_is_terminal()) {
        ctx.ui.status(&named.note());
    }
    outcome
}

/// Refuses a manifest that would overwrite one of the sources.
fn check_manifest(args: &Args, direction: &Direction) -> Result<(), CliError> {
    if args.manifest.as_deref().is_some_and(|manifest| manifest.as_os_str() == "-") {
        return Err(CliError::new(Kind::Usage, "--manifest requires a file, not - for standard output")
            .hint("use ./- for a file with this name, /dev/stdout for standard output"));
    }
    let (Some(manifest), Direction::Up(sources, ..)) = (&args.manifest, direction) else { return Ok(()) };
    let (Some(real), true) = (real_path(manifest), manifest.exists()) else { return Ok(()) };
    match sources.iter().find(|source| real_path(source).as_ref() == Some(&real)) {
        None => Ok(()),
        Some(source) => {
            let message = format!("'{}' is a source, and the manifest would overwrite it", source.display());
            Err(CliError::new(Kind::Usage, message).hint("name another file for --manifest").about(source.display()))
        }
    }
}

/// Creates the manifest as late as possible, because it replaces an existing file. A dry run has none.
fn manifest(args: &Args) -> Result<Option<Manifest>, CliError> {
    let open = |path: &PathBuf| {
        Manifest::create(path).map_err(|error| {
            let message = format!("cannot write the manifest {}: {error}", path.display());
            CliError::new(CliError::from(error).kind, message)
        })
    };
    args.manifest.as_ref().filter(|_| !args.dry_run).map(open).transpose()
}

fn progress(
    ctx: &Ctx,
    args: &Args,
    verbosity: Verbosity,
    engine: &Engine,
    manifest: Option<Manifest>,
) -> Arc<Progress> {
    Progress::start(ctx.ui.clone(), show(ctx, args, verbosity, engine, manifest))
}

fn show(ctx: &Ctx, args: &Args, verbosity: Verbosity, engine: &Engine, manifest: Option<Manifest>) -> Show {
    let output = &ctx.settings.output;
    // A log on the same terminal would disturb the bars.
    let torn = output.log.is_some() && output.log_file.is_none();
    let mode = match args.progress.unwrap_or(ProgressMode::Auto) {
        _ if verbosity.no_progress => ProgressMode::None,
        ProgressMode::Auto if torn && !output.quiet && !output.json => ProgressMode::Plain,
        mode => mode,
    };
    Show {
        mode,
        verbose: verbosity.every_file,
        dry_run: args.dry_run,
        contents: false,
        manifest,
        stop: engine.cancel.clone(),
    }
}

/// Waits for a run. If it does not stop at once when it is canceled, prints why.
async fn supervise(ctx: &Ctx, progress: &Arc<Progress>, run: impl Future<Output = Summary>) -> Summary {
    let (cancel, shown) = (ctx.cancel.clone(), progress.clone());
    let farewell = tokio::spawn(async move {
        cancel.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
        shown.say("stopping: waiting for the server to confirm sent data; press Ctrl-C again to quit now");
    });
    let summary = run.boxed_local().await;
    farewell.abort();
    progress.stop();
    summary
}

async fn unless_interrupted<T>(ctx: &Ctx, work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::select! {
        done = work => done,
        () = ctx.cancel.cancelled() => Err(CliError::interrupted()),
    }
}

//! `cec scp`: files and trees to the server and back.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::ArgPredicate;
use futures_util::FutureExt;

use crate::context::Ctx;
use crate::env::EnvError;
use crate::error::{CliError, Kind, Outcome};
use crate::hash::MEBIBYTE;
use crate::http::retry::RetryPolicy;
use crate::path::RemotePath;
use crate::settings::parse_duration;
use crate::transfer::options::{MAXIMUM_PARTS, PART_STEP};
use crate::transfer::run::Job;
use crate::transfer::{Engine, IfExists, Options, Summary, TransferError};
use crate::ui::human;
use crate::ui::progress::{Progress, ProgressMode};
use crate::walk::glob;
use crate::walk::local::{LinkPolicy, LocalOptions};

/// How many failures the list at the end names.
const LISTED_FAILURES: usize = 100;

const EXAMPLES: &str = "\
Examples:
  cec scp report.pdf cells://common-files/reports/
  cec scp -f photos cells://personal-files
  cec scp 'cells://common-files/reports/*.pdf' .
  cec scp --update --progress plain site cells://common-files/www";

const NOTES: &str = "\
One side is on the server: it starts with cells://. As with cp, a target that is a folder receives the sources under their
own names, and a target that does not exist is the name that the one source gets. A folder merges into a folder.

Every file is verified as it moves, and a download has its name only once it is whole. Run the same command again after a
failure: what is there already is not transferred twice.

The server keeps no modification times of uploads, so --preserve concerns downloads only.";

/// Arguments of `cec scp`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "cec scp [OPTIONS] <SRC>... <DST>",
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{NOTES}")
)]
pub struct Args {
    /// One or more sources, then the target
    #[arg(value_name = "PATH", num_args = 2.., required = true)]
    paths: Vec<OsString>,

    /// Replace files that exist (the same as --if-exists overwrite)
    #[arg(short, long, help_heading = "Overwriting", conflicts_with_all = ["if_exists", "update", "ignore_existing"])]
    force: bool,

    /// What to do with a target file that exists and differs
    #[arg(long, value_name = "POLICY", help_heading = "Overwriting", value_enum, default_value = "fail")]
    #[arg(default_value_ifs = [("update", ArgPredicate::IsPresent, "update"), ("ignore_existing", ArgPredicate::IsPresent, "skip")])]
    if_exists: IfExistsArg,

    /// Replace files that exist only where the source is newer
    #[arg(long, help_heading = "Overwriting", conflicts_with = "ignore_existing")]
    update: bool,

    /// Leave files that exist alone
    #[arg(long, help_heading = "Overwriting")]
    ignore_existing: bool,

    /// Take wildcards in remote sources literally
    #[arg(long, help_heading = "Selection")]
    no_glob: bool,

    /// Leave out local names that start with a dot
    #[arg(long, help_heading = "Selection")]
    no_hidden: bool,

    /// What to do with symbolic links in local trees
    #[arg(long, value_name = "POLICY", help_heading = "Selection", value_enum, default_value = "follow")]
    links: LinksArg,

    /// Set the modification times of downloaded files to the server's
    #[arg(short, long)]
    preserve: bool,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Stop at the first file that fails
    #[arg(long)]
    fail_fast: bool,

    /// Show no progress (the same as --progress none)
    #[arg(short, long, help_heading = "Output")]
    no_progress: bool,

    /// How to show progress
    #[arg(long, value_name = "FORM", help_heading = "Output", value_enum, conflicts_with = "no_progress")]
    progress: Option<ProgressMode>,

    /// Say every file as it is done, and every attempt that is repeated
    #[arg(short, long, help_heading = "Output")]
    verbose: bool,

    /// How many files move at once [default: 8]
    #[arg(long, value_name = "N", help_heading = "Speed")]
    transfers: Option<usize>,

    /// The size of a part, in MiB, a multiple of 10 [default: 50]
    #[arg(long, value_name = "MIB", help_heading = "Speed")]
    part_size: Option<u64>,

    /// How many parts of one file move at once [default: 2]
    #[arg(long, value_name = "N", help_heading = "Speed")]
    parts_concurrency: Option<usize>,

    /// Files above this size, in MiB, are sent in parts [default: 100]
    #[arg(long, value_name = "MIB", help_heading = "Speed")]
    multipart_threshold: Option<u64>,

    /// The most parts of one file; parts grow to keep to it [default: 5000]
    #[arg(long, value_name = "N", help_heading = "Speed")]
    max_parts_number: Option<u32>,

    /// Do not compare hashes after a transfer
    #[arg(long, help_heading = "Retries and verification")]
    skip_md5: bool,

    /// How often a request is tried in all [default: 8]
    #[arg(long, value_name = "N", help_heading = "Retries and verification")]
    retry_max_attempts: Option<u32>,

    /// The longest pause between two attempts [default: 30s]
    #[arg(long, value_name = "DURATION", help_heading = "Retries and verification", value_parser = parse_duration)]
    retry_max_backoff: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum IfExistsArg {
    /// Fail
    Fail,
    /// Leave it alone
    Skip,
    /// Replace it
    Overwrite,
    /// Replace it where the source is newer
    Update,
    /// Put the source beside it, under a free name
    Rename,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LinksArg {
    /// Take what they point at
    Follow,
    /// Leave them out
    Skip,
    /// Count each as a failure
    Error,
}

/// What is copied where.
enum Direction {
    Up(Vec<PathBuf>, RemotePath),
    Down(Vec<RemotePath>, PathBuf),
}

/// Runs the command.
///
/// # Errors
/// What concerns the run as a whole, or its only file.
pub async fn run(ctx: &Ctx, args: Args) -> Result<Outcome, CliError> {
    let direction = direction(&args.paths)?;
    let options = options(ctx, &args)?;
    if args.preserve && matches!(direction, Direction::Up(..)) {
        ctx.ui.warn("the server keeps no modification times of uploads; --preserve has no effect here");
    }
    let engine = Engine {
        api: ctx.api().await?.clone(),
        s3: ctx.s3().await?.clone(),
        options: Arc::new(options),
        observer: Arc::new(crate::transfer::event::Silent),
        cancel: ctx.cancel.clone(),
    };
    let jobs = tokio::select! {
        jobs = plan(&engine, direction, args.no_glob) => jobs?,
        () = ctx.cancel.cancelled() => return Err(CliError::new(Kind::Interrupted, "interrupted")),
    };
    let single = matches!(jobs.as_slice(), [Job::UploadFile(_) | Job::DownloadFile(_)]);
    let mode = if args.no_progress { ProgressMode::None } else { args.progress.unwrap_or(ProgressMode::Auto) };
    let progress = Progress::start(ctx.ui.clone(), mode, args.verbose || args.dry_run);
    let engine = Engine { observer: progress.clone(), ..engine };
    let summary = engine.execute(jobs).boxed().await;
    progress.stop();
    report(ctx, summary, single, progress.folders(), args.dry_run)
}

fn direction(paths: &[OsString]) -> Result<Direction, CliError> {
    let usage = |message: String| CliError::new(Kind::Usage, message);
    let Some((target, sources)) = paths.split_last() else {
        return Err(usage("a source and a target are needed".to_owned()));
    };
    let remote = |path: &OsString| path.to_str().filter(|text| RemotePath::is_marked(text)).map(str::to_owned);
    let remote_sources: Vec<String> = sources.iter().filter_map(remote).collect();
    match (remote(target), remote_sources.len()) {
        (Some(target), 0) => {
            Ok(Direction::Up(sources.iter().map(PathBuf::from).collect(), RemotePath::parse_marked(&target)?))
        }
        (None, count) if count == sources.len() => {
            let sources = remote_sources.iter().map(|text| RemotePath::parse_marked(text)).collect::<Result<_, _>>()?;
            Ok(Direction::Down(sources, PathBuf::from(target)))
        }
        (None, 0) => Err(usage("neither the sources nor the target are on the server".to_owned())
            .hint("mark the remote side: cells://workspace/path")),
        (Some(_), _) => Err(usage("both the sources and the target are on the server".to_owned())),
        (None, _) => Err(usage("local and remote sources cannot be mixed".to_owned())),
    }
}

async fn plan(engine: &Engine, direction: Direction, literal: bool) -> Result<Vec<Job>, CliError> {
    match direction {
        Direction::Up(sources, target) => Ok(engine.upload_jobs(&sources, &target).await?),
        Direction::Down(sources, target) => {
            let mut nodes = Vec::new();
            for source in &sources {
                if source.is_root() {
                    return Err(CliError::new(
                        Kind::Usage,
                        "name a workspace to download from, for example cells://common-files",
                    ));
                }
                let found = glob::expand(&engine.api, &engine.s3, source, literal).await?;
                if found.is_empty() {
                    return Err(
                        CliError::new(Kind::NotFound, format!("{source} does not exist on the server")).about(source)
                    );
                }
                nodes.extend(found);
            }
            Ok(engine.download_jobs(nodes, &target).await?)
        }
    }
}

fn options(ctx: &Ctx, args: &Args) -> Result<Options, CliError> {
    let environment = &ctx.settings.environment;
    let part_size = pick(args.part_size, environment.value("CEC_PART_SIZE"))?.unwrap_or(50);
    if part_size == 0 || !(part_size * MEBIBYTE).is_multiple_of(PART_STEP) {
        return Err(CliError::new(
            Kind::Usage,
            format!("the part size is {part_size} MiB, but must be a multiple of 10 MiB"),
        ));
    }
    let transfers = pick(args.transfers, environment.value("CEC_TRANSFERS"))?.unwrap_or(8);
    let parts_in_flight = pick(args.parts_concurrency, environment.value("CEC_PARTS_CONCURRENCY"))?.unwrap_or(2);
    let maximum_parts = pick(args.max_parts_number, environment.value("CEC_MAX_PARTS_NUMBER"))?.unwrap_or(5000);
    let max_attempts = pick(args.retry_max_attempts, environment.value("CEC_RETRY_MAX_ATTEMPTS"))?.unwrap_or(8);
    for (name, value, most) in [
        ("--transfers", transfers as u64, 256),
        ("--parts-concurrency", parts_in_flight as u64, 64),
        ("--max-parts-number", u64::from(maximum_parts), u64::from(MAXIMUM_PARTS)),
        ("--retry-max-attempts", u64::from(max_attempts), 1000),
    ] {
        if value == 0 || value > most {
            return Err(CliError::new(Kind::Usage, format!("{name} is {value}, but must be between 1 and {most}")));
        }
    }
    let threshold = pick(args.multipart_threshold, environment.value("CEC_MULTIPART_THRESHOLD"))?.unwrap_or(100);
    let max_backoff = pick(args.retry_max_backoff, environment.read("CEC_RETRY_MAX_BACKOFF", parse_duration))?;
    Ok(Options {
        if_exists: if args.force { IfExists::Overwrite } else { args.if_exists.into() },
        transfers,
        part_size: part_size * MEBIBYTE,
        parts_in_flight,
        multipart_threshold: threshold.saturating_mul(MEBIBYTE),
        maximum_parts,
        retry: RetryPolicy {
            max_attempts,
            max_backoff: max_backoff.unwrap_or(Duration::from_secs(30)),
            max_elapsed: Duration::from_secs(15 * 60),
        },
        preserve: args.preserve,
        verify: !args.skip_md5,
        fail_fast: args.fail_fast,
        dry_run: args.dry_run,
        local: LocalOptions { links: args.links.into(), hidden: !args.no_hidden },
    })
}

/// A flag, or else its variable.
fn pick<T>(flag: Option<T>, variable: Result<Option<T>, EnvError>) -> Result<Option<T>, EnvError> {
    match flag {
        Some(value) => Ok(Some(value)),
        None => variable,
    }
}

fn report(ctx: &Ctx, mut summary: Summary, single: bool, folders: u64, dry_run: bool) -> Result<Outcome, CliError> {
    if ctx.ui.is_json() {
        ctx.ui.json_line(&serde_json::json!({
            "type": "summary",
            "schema": 1,
            "dry_run": dry_run,
            "transferred": summary.transferred,
            "bytes": summary.bytes,
            "unchanged": summary.unchanged,
            "skipped": summary.skipped,
            "failed": summary.failed,
            "folders": folders,
            "seconds": (summary.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        }))?;
    }
    if let Some(stopped) = summary.stopped.take() {
        ctx.ui.status(&summary_line(&summary, "stopped", folders));
        return Err(match stopped {
            TransferError::Cancelled => CliError::new(Kind::Interrupted, "interrupted")
                .hint("run the same command again: what is there already is not transferred twice"),
            error => error.into(),
        });
    }
    if single
        && summary.failed == 1
        && let Some(failure) = summary.failures.pop()
    {
        return Err(CliError::from(failure.error).about(failure.source));
    }
    let word = if dry_run { "would do" } else { "done" };
    if summary.failed == 0 {
        ctx.ui.status(&summary_line(&summary, word, folders));
        return Ok(Outcome::Done);
    }
    let succeeded = summary.transferred + summary.unchanged + summary.skipped > 0;
    let hidden = summary.failed.saturating_sub(LISTED_FAILURES as u64);
    let mut kinds = Vec::new();
    let failures = std::mem::take(&mut summary.failures);
    for (index, failure) in failures.into_iter().enumerate() {
        let error = CliError::from(failure.error);
        if index < LISTED_FAILURES {
            ctx.ui.warn(&format!("failed: {}: {}", failure.source, error.message));
        }
        kinds.push(error.kind);
    }
    if hidden > 0 {
        ctx.ui.warn(&format!("and {} more failed", human::count(hidden)));
    }
    ctx.ui.status(&summary_line(&summary, word, folders));
    let common = kinds.first().copied().filter(|first| kinds.iter().all(|kind| kind == first));
    Ok(match common {
        _ if succeeded => Outcome::Partial,
        Some(kind) => Outcome::Failed(kind),
        None => Outcome::Failed(Kind::Failure),
    })
}

fn summary_line(summary: &Summary, word: &str, folders: u64) -> String {
    let files = |count: u64| format!("{} file{}", human::count(count), if count == 1 { "" } else { "s" });
    let mut line = format!(
        "{word}: {} ({}) in {}",
        files(summary.transferred),
        human::bytes(summary.bytes),
        human::duration(summary.elapsed)
    );
    let made = if folders == 1 { "folder made" } else { "folders made" };
    for (count, what) in
        [(folders, made), (summary.unchanged, "unchanged"), (summary.skipped, "skipped"), (summary.failed, "failed")]
    {
        if count > 0 {
            line.push_str(&format!(", {} {what}", human::count(count)));
        }
    }
    line
}

impl From<IfExistsArg> for IfExists {
    fn from(argument: IfExistsArg) -> Self {
        match argument {
            IfExistsArg::Fail => Self::Fail,
            IfExistsArg::Skip => Self::Skip,
            IfExistsArg::Overwrite => Self::Overwrite,
            IfExistsArg::Update => Self::Update,
            IfExistsArg::Rename => Self::Rename,
        }
    }
}

impl From<LinksArg> for LinkPolicy {
    fn from(argument: LinksArg) -> Self {
        match argument {
            LinksArg::Follow => Self::Follow,
            LinksArg::Skip => Self::Skip,
            LinksArg::Error => Self::Error,
        }
    }
}

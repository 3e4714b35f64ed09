//! The command-line client of Pydio Cells servers. This library exists for the program, its tests and examples only;
//! other programs can use the crate `cells-client`.

// The modules are private, so that the compiler finds unused code; `pub` in them means: for other modules.
#![allow(unreachable_pub)]

mod cli;
mod commands;
mod context;
mod credentials;
mod env;
pub mod error;
mod settings;
mod shell;
mod sys;
mod ui;

/// Entry points for the targets in fuzz/.
#[cfg(feature = "fuzzing")]
pub mod fuzzing {
    pub use crate::settings::properties::values;
    pub use crate::ui::properties::escaped;
}

use std::any::Any;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use cli::{AnyCommand, Cli};
use commands::verb::{Choice as _, Offline, OfflineVerb as _};
use context::Ctx;
use env::Environment;
use error::{CliError, Kind, Outcome};
use settings::{LogLevel, OutputSettings, Settings};
use sys::signal::Signal;
use ui::Ui;
use ui::jq::JsonFilter;

/// How long tasks may take to clean up after a panic.
const CLEANING: Duration = Duration::from_secs(1);

/// Runs the program with its arguments, of which the first is the program's name. Uses the environment and the standard
/// streams of the process.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    sys::limits::raise_open_files();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let environment = Environment::of_process();
    let cli = match cli::parse(&arguments, &environment) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(cli::report_usage(&error, &arguments, &environment)),
    };
    let output = match OutputSettings::resolve(&cli.globals, &environment) {
        Ok(output) => output,
        Err(error) => {
            let output = OutputSettings { json: cli.globals.json.unwrap_or(false), ..OutputSettings::default() };
            return ExitCode::from(report(&Ui::new(&output), Err(error.into())));
        }
    };
    let ui = Ui::new(&output);
    let filter = match output.jq.as_deref().map(JsonFilter::compile).transpose() {
        Ok(filter) => filter,
        Err(complaint) => {
            let error =
                CliError::new(Kind::Usage, complaint).hint("use the jq language, for example: cec ls --jq '.[].name'");
            return ExitCode::from(report(&ui, Err(error)));
        }
    };
    let ui = Arc::new(ui.filtered(filter));
    let (name, begun) = (cli.name.clone(), Instant::now());
    let result = cli.refuse_misread(&arguments).and_then(|()| contained(|| run_command(cli, &environment, &ui))?);
    let code = report(&ui, result);
    tracing::info!(command = name, code, seconds = begun.elapsed().as_secs_f64(), "ended");
    // A shell ends its loop only if the program was ended by the signal itself.
    match Signal::of_exit_code(code) {
        Some(signal) => signal.die(),
        None => ExitCode::from(code),
    }
}

/// Writes a panic to the log instead of standard error. The user sees the error that it is converted into.
pub fn note_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "crashed: {}", words_of(panic.payload()));
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown reason")
}

/// Runs a function that may panic. Values are dropped, and the panic becomes an error.
///
/// # Errors
/// The function panicked.
fn contained<T>(run: impl FnOnce() -> T) -> Result<T, CliError> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let words = words_of(panic.as_ref());
        // Tokio and the standard library panic if a thread cannot be started.
        if words.contains("spawn") && words.contains("thread") {
            return CliError::new(Kind::Failure, "the system refuses to start another thread")
                .hint("raise the limit of processes (ulimit -u) or of memory, or run fewer programs at the same time");
        }
        CliError::new(Kind::Failure, format!("this program crashed: {words}"))
            .hint("please report this bug of cec, with the output of --log debug")
    })
}

/// Whether the system can start one thread per processor and one more. A runtime with fewer threads than it expects
/// would wait forever.
fn threads_can_be_had() -> bool {
    let wanted = std::thread::available_parallelism().map_or(1, usize::from) + 1;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let stopped = Arc::new(std::sync::Mutex::new(stopped));
    let started: Vec<_> = (0..wanted)
        .map_while(|_| {
            let stopped = Arc::clone(&stopped);
            let wait = move || drop(stopped.lock().map(|stopped| stopped.recv()));
            std::thread::Builder::new().spawn(wait).ok()
        })
        .collect();
    drop(stop);
    let count = started.len();
    started.into_iter().for_each(|thread| drop(thread.join()));
    count == wanted
}

/// Creates the runtime: with threads if possible, otherwise on the present thread.
fn runtime() -> Result<Runtime, CliError> {
    let built = |mut builder: Builder| contained(|| builder.enable_all().build());
    if threads_can_be_had()
        && let Ok(Ok(runtime)) = built(Builder::new_multi_thread())
    {
        return Ok(runtime);
    }
    built(Builder::new_current_thread())?.map_err(|error| CliError::from(error).during("starting"))
}

/// Runs the parsed command line.
fn run_command(cli: Cli, environment: &Environment, ui: &Arc<Ui>) -> Result<Outcome, CliError> {
    let exposed = cli.exposed;
    let command = match cli.command {
        // Offline commands need no runtime, no TLS and no settings file.
        AnyCommand::Offline(command) => {
            begin_log(&OutputSettings::resolve(&cli.globals, environment)?, &cli.name, ui)?;
            let quiet = cli.globals.quiet == Some(true);
            return command.run(&Offline { ui, quiet, tree: cli::command });
        }
        AnyCommand::Complete(arguments) => return cli::candidates::print(&arguments, environment, ui),
        AnyCommand::Online(command) => command,
    };
    let mut settings = Settings::resolve(&cli.globals, environment)?;
    if command.wants_log(environment)? {
        settings.output.log.get_or_insert(LogLevel::Debug);
    }
    begin_log(&settings.output, &cli.name, ui)?;
    let runtime = runtime()?;
    if ui.stderr_is_terminal() && !exposed.is_empty() {
        let flags = exposed.join(" and ");
        ui.warn(&format!(
            "other users of this machine can see {flags} on the command line; prefer the environment, or -"
        ));
    }
    let ctx = Ctx::new(settings, Arc::clone(ui), CancellationToken::new());
    let result = contained(|| {
        runtime.block_on(async {
            let result = commands::dispatch(&ctx, command).await;
            ctx.close().await;
            result
        })
    });
    match result {
        Ok(result) => {
            // A read of standard input may never end, so the runtime does not wait for it.
            runtime.shutdown_background();
            result
        }
        Err(panic) => {
            // Drops the tasks on other threads, so that they remove their temporary files.
            runtime.shutdown_timeout(CLEANING);
            ui.clear();
            Err(panic)
        }
    }
}

/// Starts the log with the name of the command. Arguments are omitted, because they could contain secrets.
fn begin_log(settings: &OutputSettings, command: &str, ui: &Ui) -> Result<(), CliError> {
    cli::log::start(settings, ui.secrets())?;
    tracing::info!(command, version = env!("CARGO_PKG_VERSION"), "began");
    Ok(())
}

/// Prints the outcome of a command, and returns the exit code.
fn report(ui: &Ui, result: Result<Outcome, CliError>) -> u8 {
    // Buffered output is part of the result.
    let result = result.and_then(|outcome| Ok(ui.flush().map(|()| outcome)?));
    match result {
        Ok(outcome) => outcome.code(),
        Err(error) => {
            if error.kind != Kind::ClosedPipe {
                ui.error(&error);
            }
            error.kind.code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_values_are_dropped() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().to_owned();
        let error = contained(move || {
            let _file = file;
            panic!("nobody expected {}", "this")
        })
        .expect_err("a panic");
        assert_eq!((error.kind, error.message.as_str()), (Kind::Failure, "this program crashed: nobody expected this"));
        assert!(!path.exists());
        let error = contained(|| panic!("OS can't spawn worker thread: x")).expect_err("a panic");
        assert!(error.message.contains("another thread"), "{error}");
    }
}

//! The command-line client of Pydio Cells servers. A library for its own binary, tests and examples only.

pub mod account;
pub mod api;
pub mod auth;
pub mod cli;
pub mod commands;
pub mod context;
pub mod env;
pub mod error;
pub mod hash;
pub mod http;
pub mod path;
pub mod s3;
pub mod settings;
pub mod store;
pub mod sys;
pub mod transfer;
pub mod ui;
pub mod walk;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use cli::{AnyCommand, Cli, Command};
use context::Ctx;
use env::Environment;
use error::{CliError, Kind, Outcome};
use settings::{LogLevel, OutputSettings, Settings};
use ui::Ui;
use ui::jq::JsonFilter;

/// The whole program: the arguments, the program's name first → its exit code. The environment and the standard
/// streams are those of the process.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
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
                CliError::new(Kind::Usage, complaint).hint("the language is that of jq: cec ls --jq '.[].name'");
            return ExitCode::from(report(&ui, Err(error)));
        }
    };
    let ui = Arc::new(ui.filtered(filter));
    let (name, begun) = (cli.name.clone(), Instant::now());
    let result = cli.refuse_misread(&arguments).and_then(|()| run_command(cli, &environment, &ui));
    let code = report(&ui, result);
    tracing::info!(command = name, code, seconds = begun.elapsed().as_secs_f64(), "ended");
    ExitCode::from(code)
}

/// Runs what the command line says.
fn run_command(cli: Cli, environment: &Environment, ui: &Arc<Ui>) -> Result<Outcome, CliError> {
    let exposed = cli.exposed();
    let command = match cli.command {
        // No runtime, no TLS, no file of settings.
        AnyCommand::Offline(command) => {
            begin_log(&OutputSettings::resolve(&cli.globals, environment)?, &cli.name)?;
            return commands::offline(ui, command, cli.globals.quiet == Some(true), cli::command);
        }
        AnyCommand::Complete(arguments) => return cli::candidates::tell(&arguments, environment, ui),
        AnyCommand::Online(command) => command,
    };
    let mut settings = Settings::resolve(&cli.globals, environment)?;
    if let Command::Scp(arguments) = &command
        && arguments.verbosity(environment)?.wants_log()
    {
        settings.output.log.get_or_insert(LogLevel::Debug);
    }
    begin_log(&settings.output, &cli.name)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::from(error).during("starting"))?;
    if ui.stderr_is_terminal() && !exposed.is_empty() {
        let flags = exposed.join(" and ");
        ui.warn(&format!(
            "what {flags} says on the command line can be seen by others on this machine; prefer the environment, or -"
        ));
    }
    let ctx = Ctx::new(settings, Arc::clone(ui), CancellationToken::new());
    let result = runtime.block_on(async {
        let result = commands::dispatch(&ctx, command).await;
        ctx.close().await;
        result
    });
    // A read of standard input that nobody waits for any more must not keep the program.
    runtime.shutdown_background();
    result
}

/// Starts the log with what is run. Arguments could hold secrets, and are left out.
fn begin_log(settings: &OutputSettings, command: &str) -> Result<(), CliError> {
    cli::start_log(settings)?;
    tracing::info!(command, version = env!("CARGO_PKG_VERSION"), "began");
    Ok(())
}

/// Shows how a command ended, and gives the exit code.
fn report(ui: &Ui, result: Result<Outcome, CliError>) -> u8 {
    // What is still in the buffer is part of the result.
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

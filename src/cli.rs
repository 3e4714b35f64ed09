//! The command line: what can be typed, and what is said about what cannot.

use std::ffi::OsString;
use std::fs::OpenOptions;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::commands::{cat, clear, configure, info, ls, mkdir, rm, scp, stat, version};
use crate::env::{self, Environment};
use crate::error::{CliError, Kind};
use crate::settings::{GlobalArgs, LogLevel, OutputSettings};

/// The command-line client of Pydio Cells servers
///
/// A path on the server is workspace/folder/file; it may be written with the prefix cells:// everywhere.
#[derive(Debug, Parser)]
#[command(
    name = "cec",
    bin_name = "cec",
    version,
    disable_help_subcommand = false,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Start with 'cec configure', or set CEC_URL and CEC_TOKEN.",
    after_long_help = LONG_END
)]
pub struct Cli {
    /// The flags of every command.
    #[command(flatten)]
    pub globals: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const LONG_END: &str = "\
Exit codes:
  0 done, 1 failure, 2 usage, 3 not found, 4 not signed in, 5 permission denied, 6 server unreachable,
  7 some items failed, 8 target exists, 9 integrity, 10 a server job failed, 130 interrupted

Start with 'cec configure', or set CEC_URL and CEC_TOKEN.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in to a server and store the account
    Configure(configure::Args),
    /// Manage stored accounts
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show who is signed in where
    Info(info::Args),
    /// Forget all stored accounts
    Clear(clear::Args),
    /// Show the version of this program
    Version(version::Args),
    /// List workspaces, folders and files
    Ls(ls::Args),
    /// Show all that is known of files and folders
    Stat(stat::Args),
    /// Make folders
    Mkdir(mkdir::Args),
    /// Move files and folders to the recycle bin, or delete them for good
    Rm(rm::Args),
    /// Write the content of files to standard output
    Cat(cat::Args),
    /// Copy files and folders to the server, or from it
    Scp(scp::Args),
}

/// The commands of `cec config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Sign in to a server and store the account
    Add(configure::Args),
    /// Show who is signed in where
    Status(info::Args),
}

/// Says what is wrong with the command line, or gives the help that was asked for. Gives the exit code.
pub fn report_usage(error: &clap::Error, arguments: &[OsString], environment: &Environment) -> u8 {
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let json = arguments.iter().any(|argument| argument == "--json")
        || matches!(environment.switch(env::JSON), Ok(Some(true)));
    if json && !asked_for {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let ui = crate::ui::Ui::new(&OutputSettings { json, ..OutputSettings::default() });
        ui.error(&CliError::new(Kind::Usage, message).hint("see 'cec --help'"));
        return Kind::Usage.code();
    }
    // Nobody is left to tell where this fails.
    let _ = error.print();
    if asked_for { 0 } else { Kind::Usage.code() }
}

/// Starts the log where one is wanted. Only this program's own lines are taken: those of libraries could hold
/// headers, and so tokens.
///
/// # Errors
/// A log file that cannot be opened.
pub fn start_log(settings: &OutputSettings) -> Result<(), CliError> {
    let Some(level) = settings.log else { return Ok(()) };
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false);
    let layer = match &settings.log_file {
        None => lines.with_writer(std::io::stderr).boxed(),
        Some(path) => {
            let mut options = OpenOptions::new();
            options.create(true).append(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(path).map_err(|error| {
                CliError::new(Kind::Failure, format!("cannot open the log file {}: {error}", path.display()))
            })?;
            lines.with_writer(std::sync::Mutex::new(file)).boxed()
        }
    };
    // A second call within one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer.with_filter(own)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }
}

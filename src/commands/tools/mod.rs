//! `cec tools`: what helps scripts and needs neither server nor account.

mod check;
pub mod hash;
pub mod version;

use crate::error::{CliError, Outcome};
use crate::ui::Ui;

/// The commands of `cec tools`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Hash local files as the server does, or compare them with a list of hashes
    Hash(hash::Args),
    /// Ask about version numbers
    #[command(
        subcommand,
        after_help = "Examples:\n  cec tools version isvalid 4.4.1\n  cec tools version isgreater 4.4.1 4.4.0"
    )]
    Version(version::Command),
}

/// Runs the command.
///
/// # Errors
/// The command's.
pub fn run(ui: &Ui, command: &Command, quiet: bool) -> Result<Outcome, CliError> {
    match command {
        Command::Hash(arguments) => hash::run(ui, arguments),
        Command::Version(command) => version::run(ui, command, quiet),
    }
}

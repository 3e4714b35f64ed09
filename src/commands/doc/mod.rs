//! `cec doc`: the help of all commands as documents.

mod manual;
mod markdown;

use std::fs;
use std::path::PathBuf;

use crate::error::{CliError, Kind, Outcome};
use crate::ui::Ui;

/// Arguments of `cec doc`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec doc -p docs\n  cec doc --man -p /usr/local/share/man/man1")]
pub struct Args {
    /// The folder to write to
    #[arg(short, long, value_name = "DIR")]
    path: PathBuf,

    /// Write manual pages instead of cli.md
    #[arg(long)]
    man: bool,
}

/// Writes cli.md, or a manual page for each command, from the command tree.
///
/// # Errors
/// A folder that cannot be written to.
pub fn run(ui: &Ui, arguments: &Args, command: clap::Command) -> Result<Outcome, CliError> {
    let failed = |error: std::io::Error| {
        CliError::new(Kind::Failure, format!("cannot write to {}: {error}", arguments.path.display()))
    };
    fs::create_dir_all(&arguments.path).map_err(failed)?;
    if arguments.man {
        for (name, page) in manual::pages(command).map_err(failed)? {
            fs::write(arguments.path.join(name), page).map_err(failed)?;
        }
        ui.status(&format!("wrote the manual pages to {}", arguments.path.display()));
    } else {
        let file = arguments.path.join("cli.md");
        fs::write(&file, markdown::document(command)).map_err(failed)?;
        ui.status(&format!("wrote {}", file.display()));
    }
    Ok(Outcome::Done)
}

/// Hides the global options of a command, which stand with the first one alone.
fn without_globals(command: clap::Command) -> clap::Command {
    let globals: Vec<clap::Id> = command
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .map(|argument| argument.get_id().clone())
        .collect();
    globals.into_iter().fold(command, |command, id| command.mut_arg(id, |argument| argument.hide(true)))
}

/// The commands below a command that have a section or a page of their own.
fn shown(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help")
}

//! `cec doc`: the help of all commands as documents.

mod manual;
mod markdown;

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use crate::commands::verb::{Completion, Offline, OfflineVerb};
use crate::error::{CliError, Kind, Outcome};

/// Arguments of `cec doc`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec doc -p docs\n  cec doc --man -p /usr/local/share/man/man1")]
pub struct Args {
    /// The folder to write to
    #[arg(short, long, value_name = "DIR", value_hint = Completion::LocalFolder)]
    path: PathBuf,

    /// Write manual pages instead of cli.md
    #[arg(long)]
    man: bool,
}

/// A written file.
#[derive(Debug, Serialize)]
struct Record {
    path: String,
}

impl OfflineVerb for Args {
    /// Writes cli.md, or a manual page for each command.
    ///
    /// # Errors
    /// The folder cannot be written to.
    fn run(self, stage: &Offline<'_>) -> Result<Outcome, CliError> {
        let ui = stage.ui;
        let failed = |error: std::io::Error| {
            CliError::new(Kind::Failure, format!("cannot write to {}: {error}", self.path.display()))
        };
        fs::create_dir_all(&self.path).map_err(failed)?;
        let documents = if self.man {
            manual::pages((stage.tree)()).map_err(failed)?
        } else {
            vec![("cli.md".to_owned(), markdown::document((stage.tree)()))]
        };
        let mut written = Vec::with_capacity(documents.len());
        for (name, text) in documents {
            let file = self.path.join(name);
            fs::write(&file, text).map_err(failed)?;
            written.push(Record { path: file.display().to_string() });
        }
        if ui.is_json() {
            ui.json_document(&written)?;
        }
        match written.as_slice() {
            [only] => ui.status(&format!("wrote {}", only.path)),
            all => ui.status(&format!("wrote {} files to {}", all.len(), self.path.display())),
        }
        Ok(Outcome::Done)
    }
}

/// Hides the global options of a command, which appear only with the root command.
fn without_globals(command: clap::Command) -> clap::Command {
    let globals: Vec<clap::Id> = command
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .map(|argument| argument.get_id().clone())
        .collect();
    globals.into_iter().fold(command, |command, id| command.mut_arg(id, |argument| argument.hide(true)))
}

/// Returns the subcommands with their own section or page.
fn visible_subcommands(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help")
}

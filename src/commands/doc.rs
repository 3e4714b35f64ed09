//! `cec doc`: the help of all commands as documents.

use std::fmt::Write as _;
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
        clap_mangen::generate_to(command, &arguments.path).map_err(failed)?;
        ui.status(&format!("wrote the manual pages to {}", arguments.path.display()));
    } else {
        let file = arguments.path.join("cli.md");
        fs::write(&file, markdown(command)).map_err(failed)?;
        ui.status(&format!("wrote {}", file.display()));
    }
    Ok(Outcome::Done)
}

/// The help of a command tree as one Markdown document. The global options stand with the first alone.
pub fn markdown(mut command: clap::Command) -> String {
    let mut text = String::from(
        "# Commands\n\nThe help of every command, as `cec doc -p docs` writes it. The global options, which stand with \
         `cec` itself, go with every command.\n",
    );
    command.build();
    section(&mut command, &mut text, true);
    text
}

fn section(command: &mut clap::Command, text: &mut String, root: bool) {
    let name = command.get_bin_name().unwrap_or("cec").to_owned();
    let mut shown = command.clone().term_width(100);
    if !root {
        let globals: Vec<clap::Id> = shown
            .get_arguments()
            .filter(|argument| argument.is_global_set())
            .map(|argument| argument.get_id().clone())
            .collect();
        for id in globals {
            shown = shown.mut_arg(id, |argument| argument.hide(true));
        }
    }
    let help = shown.render_help().to_string();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\n## {name}\n\n```text\n{}\n```\n",
        help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end()
    );
    for child in command.get_subcommands_mut().filter(|child| !child.is_hide_set() && child.get_name() != "help") {
        section(child, text, false);
    }
}

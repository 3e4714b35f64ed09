//! The command line: its commands and options, and the messages for arguments that are not valid.

use std::ffi::OsString;

use clap::{FromArgMatches as _, Parser, Subcommand};

use crate::commands::{Command, OfflineCommand};
use crate::env::Environment;
use crate::settings::{ColorChoice, GlobalArgs, OutputSettings};
use help::{HelpSize, lay_out};

pub mod candidates;
pub mod complete;
mod exposed;
mod help;
pub mod log;
mod misread;
mod older_client;
mod topics;
mod usage;

pub use usage::report as report_usage;

/// The command-line client of Pydio Cells servers
///
/// A path on the server is workspace/folder/file; the prefix cells:// is optional, except in scp.
#[derive(Debug, Parser)]
#[command(
    name = "cec",
    bin_name = "cec",
    version,
    disable_help_subcommand = false,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = SHORT_END,
    after_long_help = LONG_END
)]
pub struct Cli {
    /// The global options.
    #[command(flatten)]
    pub globals: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub command: AnyCommand,
    /// The name of the command, such as `share ls`.
    #[arg(skip)]
    pub name: String,
    /// The options that contain secrets which other users of this machine can see.
    #[arg(skip)]
    pub exposed: Vec<String>,
}

const SHORT_END: &str = "\
Examples:
  cec configure https://files.example.com
  cec ls common-files
  cec scp report.pdf cells://common-files/reports/

More: 'cec help options', or instead of options: exit-codes, environment, filters, paths.

Start with 'cec configure', or set CEC_URL and CEC_TOKEN.";

const LONG_END: &str = "\
Examples:
  cec configure https://files.example.com
  cec ls common-files
  cec scp report.pdf cells://common-files/reports/

Exit codes:
  0 done, 1 failure, 2 usage, 3 not found, 4 not signed in, 5 permission denied,
  6 server unreachable, 7 some items failed, 8 target exists, 9 integrity,
  10 a server job failed, 130 interrupted, 143 terminated

Other users of this machine can see a token or password on the command line; use CEC_TOKEN, --token-file, \
CEC_PASSWORD, or - to read standard input.

More: 'cec help options', or instead of options: exit-codes, environment, filters, paths.

Start with 'cec configure', or set CEC_URL and CEC_TOKEN.";

/// All commands.
#[derive(Debug, Subcommand)]
pub enum AnyCommand {
    /// Commands that may contact a server.
    #[command(flatten)]
    Online(Command),
    /// Commands that never do.
    #[command(flatten)]
    Offline(OfflineCommand),
    /// Print the candidates at the cursor of a command line; for the scripts of `cec completion`
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),
}

/// The arguments of a completion request from a shell.
#[derive(Debug, clap::Args)]
pub struct CompleteArgs {
    /// Shell that asks, which decides the output format: bash, zsh or fish
    pub shell: String,
    /// bash: the line up to the cursor; others: the words before the cursor and the word under it
    #[arg(last = true)]
    pub words: Vec<String>,
}

/// Returns the command tree with the layout of `--help`: purpose, examples, usage, options with a line each, notes.
pub fn command() -> clap::Command {
    sized_command(HelpSize::Long)
}

fn sized_command(size: HelpSize) -> clap::Command {
    lay_out(<Cli as clap::CommandFactory>::command(), size).args_override_self(true)
}

/// Parses the command line.
///
/// # Errors
/// The arguments are not valid, or help was requested.
pub fn parse(arguments: &[OsString], environment: &Environment) -> Result<Cli, clap::Error> {
    let own = || arguments.iter().skip(1).take_while(|argument| *argument != "--");
    let long = own().any(|argument| argument == "--help" || argument == "help");
    let size = if long { HelpSize::Long } else { HelpSize::Short };
    let color = match wanted_color(arguments, environment) {
        ColorChoice::Auto => clap::ColorChoice::Auto,
        ColorChoice::Always => clap::ColorChoice::Always,
        ColorChoice::Never => clap::ColorChoice::Never,
    };
    let read = |arguments: &[OsString]| {
        let mut command = sized_command(size).color(color);
        // In help, global options are accepted only by the root command.
        let arguments = misread::headers_first(&without_flags_of_help(arguments));
        if names_command(&command, &arguments) {
            command =
                command.mut_args(|argument| if argument.is_global_set() { argument.hide(true) } else { argument });
        }
        let arguments = older_client::in_own_form(arguments, &command);
        let matches = command.try_get_matches_from_mut(arguments)?;
        let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        cli.exposed = exposed::flags(&command, &matches);
        let mut deepest = &matches;
        while let Some((name, matches)) = deepest.subcommand() {
            cli.name = if cli.name.is_empty() { name.to_owned() } else { format!("{} {name}", cli.name) };
            deepest = matches;
        }
        Ok(cli)
    };
    read(arguments).map_err(|error| {
        // The error message repeats the arguments, so their control characters are escaped.
        let shown: Vec<OsString> = arguments.iter().map(escaped).collect();
        if shown == arguments { error } else { read(&shown).err().unwrap_or(error) }
    })
}

/// Whether the command line contains the name of a command.
fn names_command(tree: &clap::Command, arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    words.any(|word| tree.find_subcommand(word).is_some())
}

/// Removes flags from `cec help`, which accepts only names: users add flags such as --json out of habit.
fn without_flags_of_help(arguments: &[OsString]) -> Vec<OsString> {
    let is_help = arguments.get(1).is_some_and(|argument| argument == "help");
    let is_flag = |argument: &OsString| argument.to_str().is_some_and(|text| text.starts_with('-'));
    arguments.iter().filter(|argument| !(is_help && is_flag(argument))).cloned().collect()
}

fn escaped(argument: &OsString) -> OsString {
    argument.to_str().map_or_else(|| argument.clone(), |text| crate::ui::escape(text).into_owned().into())
}

/// Returns the color choice for help and usage errors, which are printed before the command line is parsed.
fn wanted_color(arguments: &[OsString], environment: &Environment) -> ColorChoice {
    let mut texts = arguments.iter().map_while(|argument| Some(argument.to_str().unwrap_or_default()));
    let mut flag = None;
    while let Some(text) = texts.next().filter(|text| *text != "--") {
        let value = if text == "--color" { texts.next() } else { text.strip_prefix("--color=") };
        flag = value.and_then(|value| value.parse().ok()).or(flag);
    }
    let flags = GlobalArgs { color: flag, ..GlobalArgs::default() };
    OutputSettings::resolve(&flags, environment).map(|output| output.color).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::idioms;
    use crate::commands::verb::{Choice as _, Completion, RemotePaths};

    fn parsed(arguments: &[&str]) -> Result<Cli, clap::Error> {
        let arguments: Vec<OsString> = ["cec"].iter().chain(arguments).map(OsString::from).collect();
        parse(&arguments, &Environment::default())
    }

    #[test]
    fn the_command_tree_is_sound() {
        command().debug_assert();
        sized_command(HelpSize::Long).debug_assert();
    }

    #[test]
    fn of_repeated_flags_the_last_counts_and_headers_add_up() {
        let cli =
            parsed(&["--json", "--json", "-u", "A", "ls", "-a", "-a", "-u", "B", "-u", "C", "--json"]).expect("flags");
        assert_eq!((cli.globals.json, cli.globals.url.as_deref()), (Some(true), Some("C")));
        let cli =
            parsed(&["ls", "--sort", "name", "--sort", "SIZE", "--header", "A: 1", "--header", "B: 2"]).expect("flags");
        assert_eq!(cli.globals.header.len(), 2);
        let cli = parsed(&["-q", "ls", "--quiet=false", "--json=no", "-da"]).expect("flags");
        assert_eq!((cli.globals.quiet, cli.globals.json), (Some(false), Some(false)));
        let cli =
            parsed(&["--header", "A: 1", "idm", "--header", "B: 2", "list-users", "--header=C: 3"]).expect("flags");
        assert_eq!(cli.globals.header.len(), 3, "at whatever level they stand");
        assert!(parsed(&["ls", "--token", "x", "--token-file", "y"]).is_err(), "they exclude each other");
    }

    #[test]
    fn help_opens_with_examples_and_fits() {
        fn check(command: &clap::Command, path: &[&str]) {
            for flag in ["-h", "--help"] {
                let help = parsed(&[path, &[flag]].concat()).expect_err("help").to_string();
                let mut lines = help.lines().skip(1);
                assert_eq!((lines.next(), lines.next()), (Some(""), Some("Examples:")), "{path:?}: {help}");
                assert!(help.lines().all(|line| line.chars().count() <= 100), "{path:?}: {help}");
                assert_eq!(help.contains("Global options:\n"), path.is_empty(), "{path:?}: {help}");
                assert_eq!(help.contains("--connect-timeout"), path.is_empty() && flag == "--help", "{help}");
                assert!(help.contains("cec help options"), "{path:?}: {help}");
                if !path.is_empty() {
                    assert!(help.ends_with(": cec help options\n"), "{path:?}: {help}");
                }
            }
            // Commands that only programs call need no examples.
            for command in command.get_subcommands().filter(|command| !command.get_name().starts_with("__")) {
                check(command, &[path, &[command.get_name()]].concat());
            }
        }
        check(&command(), &[]);
    }

    /// Collects all commands below one, except for groups that cannot be run.
    fn commands(command: &clap::Command, path: &[&str], found: &mut Vec<(Vec<String>, clap::Command)>) {
        for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
            let path = [path, &[child.get_name()]].concat();
            if !child.has_subcommands() || child.get_positionals().next().is_some() {
                found.push((path.iter().map(ToString::to_string).collect(), child.clone()));
            }
            commands(child, &path, found);
        }
    }

    fn all_commands() -> Vec<(Vec<String>, clap::Command)> {
        let (mut tree, mut found) = (command(), Vec::new());
        tree.build();
        commands(&tree, &[], &mut found);
        found
    }

    /// Returns a command line with a path for each argument that completes paths, and these paths.
    fn line_with_paths(command: &clap::Command) -> (Vec<String>, Vec<String>) {
        let (mut words, mut paths) = (Vec::new(), Vec::new());
        for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
            let is_remote = matches!(Completion::of(argument), Some(Completion::Remote | Completion::RemoteOrLocal));
            let count = argument.get_num_args().map_or(1, |range| range.min_values().max(1));
            for _ in 0..count {
                let value = if is_remote { format!("cells://ws/{}", paths.len()) } else { "x".to_owned() };
                match argument.get_long() {
                    Some(long) if is_remote || argument.is_required_set() => words.push(format!("--{long}={value}")),
                    None if argument.is_positional() => words.push(value.clone()),
                    _ => continue,
                }
                paths.extend(Some(value).filter(|_| is_remote));
            }
        }
        (words, paths)
    }

    #[test]
    fn a_command_that_completes_remote_paths_knows_them() {
        let mut count = 0;
        for (path, command) in all_commands() {
            let (words, mut paths) = line_with_paths(&command);
            if paths.is_empty() {
                continue;
            }
            count += 1;
            let line: Vec<&str> = path.iter().chain(&words).map(String::as_str).collect();
            let cli = parsed(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
            let AnyCommand::Online(command) = &cli.command else { panic!("{line:?} is offline") };
            match command.about().remote_paths {
                RemotePaths::Each(mut known) | RemotePaths::Between(mut known) => {
                    known.sort_unstable();
                    paths.sort_unstable();
                    assert_eq!(known, paths, "{line:?}");
                }
                RemotePaths::OfAccount => {}
                RemotePaths::None => panic!("{line:?} has paths on the server and does not know them"),
            }
        }
        assert!(count > 20, "{count}");
    }

    #[test]
    fn words_of_other_programs_follow_commands_and_are_not_ours() {
        let mut tree = command();
        tree.build();
        let find = |place: &str| {
            let mut names = place.split(' ').skip(1);
            names.try_fold(&tree, |command, name| command.find_subcommand(name))
        };
        let idioms = idioms();
        assert!(idioms.foreign.len() > 60 && idioms.complaints.len() > 3);
        for foreign in idioms.foreign {
            let place = find(foreign.place).unwrap_or_else(|| panic!("there is no '{}'", foreign.place));
            for word in foreign.typed {
                let name = word.trim_start_matches('-');
                let own = |argument: &clap::Arg| {
                    let is_it = match word.strip_prefix("--") {
                        Some(long) => argument.get_long() == Some(long),
                        None => argument.get_short().is_some_and(|short| short.to_string() == name),
                    };
                    is_it && !argument.is_global_set()
                };
                let is_ours = if word.starts_with('-') {
                    place.get_arguments().any(own)
                } else {
                    place.find_subcommand(word).is_some()
                };
                assert!(!is_ours, "'{} {word}' exists, so nobody reads: {}", foreign.place, foreign.hint);
            }
        }
        for complaint in idioms.complaints {
            assert!(find(complaint.command).is_some(), "there is no '{}'", complaint.command);
        }
    }

    #[test]
    fn a_command_says_what_it_does_and_how_it_stops() {
        for (line, activity, stops_itself) in [
            (&["ls"][..], "listing", false),
            (&["mkdir", "a/b"], "waiting for the server", false),
            (&["scp", "a", "cells://b"], "checking the paths", true),
            (&["rm", "a/b"], "checking the paths", true),
            (&["cp", "a/b", "a/c"], "checking the paths", true),
            (&["mv", "a/b", "a/c"], "checking the paths", true),
            (&["compress", "a/b", "a/c.zip"], "waiting for the server", true),
            (&["extract", "a/c.zip"], "waiting for the server", true),
            (&["trash", "ls"], "listing recycle bins", false),
            (&["trash", "empty"], "listing recycle bins", true),
            (&["idm", "user", "get", "alice"], "requesting users and permissions", false),
            (&["share", "a/b"], "requesting public links", false),
            (&["share", "ls"], "requesting public links", false),
        ] {
            let cli = parsed(line).expect("a command line");
            let AnyCommand::Online(command) = &cli.command else { panic!("{line:?} is offline") };
            let about = command.about();
            assert_eq!((about.activity, about.stops_itself), (activity, stops_itself), "{line:?}");
        }
    }

    #[test]
    fn what_an_argument_is_completed_with_does_not_depend_on_its_name() {
        for (path, command) in all_commands() {
            let is_remote = |argument: &clap::Arg| Completion::of(argument) == Some(Completion::Remote);
            match path.join(" ").as_str() {
                // Their paths belong to REST calls and to groups of users.
                "api" | "idm user create" | "idm user update" => {
                    assert!(!command.get_arguments().any(is_remote), "{path:?}");
                }
                "ls" | "meta tag add" | "share" => {
                    assert!(command.get_positionals().next().is_some_and(is_remote), "{path:?}");
                }
                _ => {}
            }
        }
    }
}

//! Messages for command lines that are not valid, and the output of help.

#![expect(clippy::disallowed_methods, reason = "help and usage errors, escaped here, come before there is a screen")]

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::help::HelpSize;
use super::{misread, sized_command, topics, wanted_color};
use crate::commands::idioms;
use crate::commands::verb::Foreign;
use crate::env::{self, Environment};
use crate::error::{CliError, Kind};
use crate::settings::{ColorChoice, OutputSettings};
use crate::ui::Ui;
use crate::ui::near::{is_near, nearest};

/// Flags of other programs that mean the same with every command, and their replacements here.
const FOREIGN_FLAGS: &[(&[&str], &str)] = &[
    (&["--output", "--format"], "use --json for results as JSON, --jq EXPRESSION for a part of them"),
    (&["-y", "--yes"], "if the command asks a question, -f (--force) answers yes"),
];

/// Commands of other programs without a counterpart here.
const FOREIGN_COMMANDS: &[Foreign] = &[
    Foreign::new("cec", &["history", "versions"], "earlier versions of a file are not supported yet"),
    Foreign::new("cec", &["alias"], "use an alias of your shell instead"),
];

/// Prints the error or the requested help. Returns the exit code.
pub fn report(error: &clap::Error, arguments: &[OsString], environment: &Environment) -> u8 {
    if error.kind() == ErrorKind::DisplayHelp
        && let Some(group) = misread::grouped_help(arguments)
    {
        let json = wants_json(arguments, environment);
        return print_complaint(&help_in_group(&group, arguments), json, wanted_color(arguments, environment));
    }
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return exit_code_of_help(error.print());
    }
    if let Some(refused) = misread::short_global(arguments) {
        return print_complaint(&refused, wants_json(arguments, environment), wanted_color(arguments, environment));
    }
    if let Some(text) = topic(arguments) {
        let mut output = std::io::stdout().lock();
        return exit_code_of_help(output.write_all(text.as_bytes()).and_then(|()| output.flush()));
    }
    let json = wants_json(arguments, environment);
    let color = wanted_color(arguments, environment);
    let rendered = match error.kind() {
        // Only options were given, which is treated like no arguments.
        ErrorKind::MissingSubcommand if command_of(error, arguments) == "cec" => {
            sized_command(HelpSize::Short).render_help()
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.render(),
        _ => return print_complaint(&usage_error(error, arguments), json, color),
    };
    if json {
        return print_complaint(&usage_error(error, arguments), json, color);
    }
    let text = if is_colored(color) { rendered.ansi().to_string() } else { rendered.to_string() };
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    Kind::Usage.code()
}

/// Creates the error for `-sh` and similar groups of other programs: here -h means help and cannot be combined.
fn help_in_group(group: &str, arguments: &[OsString]) -> CliError {
    let command = command_typed(arguments);
    let rest = group.replace('h', "");
    let hint = match rest.as_str() {
        "-" => "sizes are human-readable on a terminal, and bytes in a pipe".to_owned(),
        rest => format!("sizes are human-readable on a terminal, and bytes in a pipe; omit the h: {rest}"),
    };
    CliError::new(Kind::Usage, format!("-h is --help and cannot be part of '{group}'"))
        .hint(hint)
        .hint(format!("see '{command} --help'"))
}

/// Returns the exit code of help: a failed write is an error, unless the reader has gone.
fn exit_code_of_help(result: std::io::Result<()>) -> u8 {
    let Err(error) = result else { return 0 };
    let error = CliError::from(crate::ui::OutputError::from(error));
    if error.kind != Kind::ClosedPipe {
        Ui::new(&OutputSettings::default()).error(&error);
    }
    error.kind.code()
}

fn is_colored(color: ColorChoice) -> bool {
    match color {
        ColorChoice::Never => false,
        ColorChoice::Always => true,
        ColorChoice::Auto => std::io::stderr().is_terminal(),
    }
}

fn print_complaint(error: &CliError, json: bool, color: ColorChoice) -> u8 {
    Ui::new(&OutputSettings { json, color, ..OutputSettings::default() }).error(error);
    Kind::Usage.code()
}

/// Returns the topic that `cec help` was called with, if it is not a command.
fn topic(arguments: &[OsString]) -> Option<String> {
    let mut words = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    words.next().filter(|word| *word == "help")?;
    let topic = words.find(|word| !word.starts_with('-'))?;
    if topic == topics::OPTIONS { Some(global_options()) } else { topics::text(topic).map(str::to_owned) }
}

/// Returns the help for global options.
fn global_options() -> String {
    let help = sized_command(HelpSize::Long).render_help().to_string();
    let (_, options) = help.split_once("Global options:\n").unwrap_or_default();
    format!(
        "Options of every command, before or after its name\n\n{}\n",
        options.split("\n\n").next().unwrap_or_default()
    )
}

/// Returns the command that an error is about: from its usage line, or from the arguments if there is none.
fn command_of(error: &clap::Error, arguments: &[OsString]) -> String {
    let text = error.render().to_string();
    let Some((_, usage)) = text.split_once("Usage: ") else { return command_typed(arguments) };
    let is_name = |word: &&str| word.starts_with(|first: char| first.is_ascii_lowercase());
    usage.split_whitespace().take_while(is_name).collect::<Vec<_>>().join(" ")
}

pub(super) fn command_typed(arguments: &[OsString]) -> String {
    let mut tree = sized_command(HelpSize::Short);
    tree.build();
    let mut found = &tree;
    for word in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        match found.find_subcommand(word) {
            Some(child) => found = child,
            // Values of options may come before the first command, and arguments after it.
            None if found.get_name() == tree.get_name() || word.starts_with('-') => {}
            None => break,
        }
    }
    found.get_bin_name().unwrap_or("cec").to_owned()
}

fn wants_json(arguments: &[OsString], environment: &Environment) -> bool {
    let flags = arguments.iter().take_while(|argument| *argument != "--").filter_map(|argument| argument.to_str());
    let flag = flags.filter_map(|flag| match flag.strip_prefix("--json") {
        None => (flag == "--jq" || flag.starts_with("--jq=")).then_some(true),
        Some("") => Some(true),
        Some(value) => env::parse_switch(value.strip_prefix('=')?).ok(),
    });
    flag.last().unwrap_or_else(|| {
        matches!(environment.switch(env::JSON), Ok(Some(true))) || matches!(environment.text(env::JQ), Ok(Some(_)))
    })
}

/// Converts clap's error, which has several lines, to one sentence with hints.
fn usage_error(error: &clap::Error, arguments: &[OsString]) -> CliError {
    let command = command_of(error, arguments);
    let help = format!("see '{command} --help'");
    if matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand) {
        return CliError::new(Kind::Usage, "no command given").hint(help);
    }
    if let (ErrorKind::InvalidUtf8, Some(argument)) = (error.kind(), not_unicode(arguments)) {
        let message = format!("the argument '{}' is not valid UTF-8", argument.to_string_lossy());
        return CliError::new(Kind::Usage, message).hint(help);
    }
    let text = env::plain_words(&error.render().to_string());
    let (complaint, usage) = text.split_once("Usage: ").unwrap_or((&text, ""));
    let complaint = complaint.split("For more information").next().unwrap_or_default();
    let lines = complaint.lines().map(str::trim).filter(|line| !line.is_empty());
    let (tips, lines): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("tip: "));
    let message = lines.join(" ");
    let refusal = CliError::new(Kind::Usage, message.trim_start_matches("error: "));
    let refusal = match own_words(error.kind(), &command, arguments) {
        Some(message) => CliError { message, ..refusal },
        None => refusal,
    };
    let refusal = match suggestion(error, &command, arguments) {
        Some(suggestion) => refusal.hint(suggestion),
        None => {
            // Similar names that clap finds but we do not are omitted.
            let tips = tips.iter().map(|tip| tip.trim_start_matches("tip: ")).filter(|tip| !tip.contains("similar "));
            tips.filter(|tip| !tip.contains("as a value") || names_file(error)).fold(refusal, CliError::hint)
        }
    };
    let usage = usage.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let refusal = match error.kind() {
        ErrorKind::MissingRequiredArgument | ErrorKind::TooFewValues => refusal.hint(format!("usage: {usage}")),
        _ => refusal,
    };
    refusal.hint(help)
}

/// Returns a clearer message for some errors of the parser.
fn own_words(kind: ErrorKind, command: &str, arguments: &[OsString]) -> Option<String> {
    if kind == ErrorKind::ArgumentConflict {
        let word = word_behind(command, arguments).filter(|word| foreign_command(command, word).is_some())?;
        return Some(format!("unrecognized subcommand '{word}'"));
    }
    let complaints = idioms().complaints;
    let own = complaints.iter().find(|own| own.command == command && own.kinds.contains(&kind));
    own.map(|own| own.message.to_owned())
}

/// Returns the argument that was parsed as flags but is the name of a local file.
fn dashed_file<'a>(flag: &str, arguments: &'a [OsString]) -> Option<&'a str> {
    let texts = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    let mut dashed = texts.filter(|text| text.starts_with('-') && !text.starts_with("--") && text.len() > 2);
    dashed.find(|text| text.starts_with(flag) && std::path::Path::new(text).exists())
}

/// Whether something that was parsed as a flag is the name of a local file.
fn names_file(error: &clap::Error) -> bool {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => std::path::Path::new(text).exists(),
        _ => false,
    }
}

/// Returns the first argument that is not valid UTF-8.
fn not_unicode(arguments: &[OsString]) -> Option<&OsString> {
    arguments.iter().skip(1).find(|argument| argument.to_str().is_none())
}

/// Returns the closest match to what was typed, if there is one.
fn suggestion(error: &clap::Error, command: &str, arguments: &[OsString]) -> Option<String> {
    let typed = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let (names, word) = (names_below(command), typed(ContextKind::InvalidSubcommand)?);
            let near = |word| nearest(word, names.iter().map(String::as_str));
            match foreign_command(command, word) {
                Some(hint) => Some(hint.to_owned()),
                None => Some(format!("a similar subcommand exists: '{}'", near(word)?)),
            }
        }
        ErrorKind::UnknownArgument => {
            let flag = typed(ContextKind::InvalidArg)?;
            if let Some(file) = dashed_file(flag, arguments) {
                return Some(format!("'{file}' is a local file: write ./ before its name, or -- before all paths"));
            }
            if !flag.starts_with('-')
                && let Some(hint) = any_word(command)
            {
                return Some(hint.to_owned());
            }
            let dashed = misread::single_dashed(arguments, command);
            if let Some((_, hint)) = dashed.filter(|(typed, _)| typed.starts_with(flag)) {
                return Some(hint);
            }
            let near = typed(ContextKind::SuggestedArg).filter(|near| is_near(flag, near));
            let own = near.map(|near| format!("a similar argument exists: '{near}'"));
            let foreign = |is_it: fn(&str, &str) -> bool| foreign_flag(flag, command, is_it).map(str::to_owned);
            foreign(|flag, known| flag == known).or(own).or_else(|| foreign(is_near))
        }
        ErrorKind::ArgumentConflict => {
            let known = word_behind(command, arguments).and_then(|word| foreign_command(command, word));
            known.or_else(|| any_word(command)).map(str::to_owned)
        }
        ErrorKind::InvalidValue => {
            let near = typed(ContextKind::SuggestedValue)?;
            Some(format!("a similar value exists: '{near}'"))
        }
        _ => None,
    }
}

/// Returns the word after the last name of a command, unless it is a flag.
fn word_behind<'a>(command: &str, arguments: &'a [OsString]) -> Option<&'a str> {
    let mut words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    let last = command.split(' ').next_back()?;
    words.find(|word| *word == last)?;
    words.next().filter(|word| !word.starts_with('-'))
}

/// Returns the hint for the name that a command has in other programs.
fn foreign_command(command: &str, word: &str) -> Option<&'static str> {
    let foreign = idioms().foreign;
    let mut all = foreign.into_iter().chain(FOREIGN_COMMANDS);
    all.find(|foreign| foreign.place == command && foreign.typed.contains(&word)).map(|foreign| foreign.hint)
}

/// Returns the hint for any other word after a command.
fn any_word(command: &str) -> Option<&'static str> {
    let foreign = idioms().foreign;
    foreign.iter().find(|foreign| foreign.place == command && foreign.typed.is_empty()).map(|foreign| foreign.hint)
}

/// Returns the hint for a flag of other programs; `is_it` compares it with what was typed.
pub(super) fn foreign_flag(flag: &str, command: &str, is_it: fn(&str, &str) -> bool) -> Option<&'static str> {
    let foreign = idioms().foreign;
    let own = foreign.iter().filter(|foreign| foreign.place == command).map(|foreign| (foreign.typed, foreign.hint));
    let mut all = own.chain(FOREIGN_FLAGS.iter().copied());
    all.find(|(flags, _)| flags.iter().any(|known| is_it(flag, known))).map(|(_, hint)| hint)
}

/// Returns the names below a command; for the root, also the topics of `help`.
fn names_below(command: &str) -> Vec<String> {
    let mut tree = sized_command(HelpSize::Short);
    tree.build();
    let mut found = &tree;
    for name in command.split_whitespace().skip(1) {
        let Some(child) = found.find_subcommand(name) else { break };
        found = child;
    }
    let shown = found.get_subcommands().filter(|child| !child.is_hide_set());
    let names = shown.flat_map(|child| std::iter::once(child.get_name()).chain(child.get_visible_aliases()));
    let topics = topics::NAMES.iter().copied().chain([topics::OPTIONS]).filter(|_| command == "cec");
    names.chain(topics).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::error::Hint;

    #[cfg(unix)]
    #[test]
    fn an_argument_that_is_not_unicode_is_named() {
        use std::os::unix::ffi::OsStringExt as _;
        let arguments: Vec<OsString> =
            vec!["cec".into(), "ls".into(), "good".into(), OsString::from_vec(b"bad\xff".to_vec())];
        let error = parse(&arguments, &Environment::default()).expect_err("no command line");
        let error = usage_error(&error, &arguments);
        assert_eq!(error.message, "the argument 'bad\u{fffd}' is not valid UTF-8");
    }

    #[test]
    fn complaints_become_one_sentence() {
        for (arguments, message, hints) in [
            (
                &["stat"][..],
                "the following required arguments were not provided: <PATH>...",
                &["usage: cec stat <PATH>...", "see 'cec stat --help'"][..],
            ),
            (&["lss"], "unrecognized subcommand 'lss'", &["a similar subcommand exists: 'ls'", "see 'cec --help'"]),
            (&["quux"], "unrecognized subcommand 'quux'", &["see 'cec --help'"]),
            (
                &["idm", "lst-users"],
                "unrecognized subcommand 'lst-users'",
                &["a similar subcommand exists: 'list-users'", "see 'cec idm --help'"],
            ),
            (
                &["meta", "gte"],
                "unrecognized subcommand 'gte'",
                &["a similar subcommand exists: 'get'", "see 'cec meta --help'"],
            ),
            (
                &["help", "enviroment"],
                "unrecognized subcommand 'enviroment'",
                &["a similar subcommand exists: 'environment'", "see 'cec --help'"],
            ),
            (
                &["scp", "--transfer", "2"],
                "unexpected argument '--transfer' found",
                &["a similar argument exists: '--transfers'", "see 'cec scp --help'"],
            ),
            (
                &["mv", "-r", "a", "b"],
                "unexpected argument '-r' found",
                &["folders always include their content; no option is needed", "see 'cec mv --help'"],
            ),
            (
                &["scp", "--jsn", "a", "cells://b"],
                "unexpected argument '--jsn' found",
                &["a similar argument exists: '--json'", "see 'cec scp --help'"],
            ),
            (&["-q"], "no command given", &["see 'cec --help'"]),
            (&[], "no command given", &["see 'cec --help'"]),
            (
                &["cat", "--count", "many", "x"],
                "invalid value 'many' for '--count <BYTES>': expected a whole number",
                &["see 'cec cat --help'"],
            ),
        ] {
            let arguments: Vec<OsString> = ["cec"].iter().chain(arguments).map(OsString::from).collect();
            let error = parse(&arguments, &Environment::default()).expect_err("no command line");
            let error = usage_error(&error, &arguments);
            assert_eq!(error.message, message);
            let expected: Vec<Hint> = hints.iter().map(|hint| (*hint).into()).collect();
            assert_eq!(error.hints, expected, "{arguments:?}");
        }
    }
}

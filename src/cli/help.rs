//! The layout of help: purpose, examples, usage, options with a line each, notes.

use clap::builder::{Resettable, StyledStr};

/// The size of help: `--help` and `help` show every option, `-h` only the common ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HelpSize {
    Short,
    Long,
}

/// The layout for the root command, with the next step at the end.
const ROOT_TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The layout for all other commands, with explanations before the options.
const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}{after-help}\n\n{all-args}\n\n\
    Options of every command, such as --json, --profile and -q: cec help options";

/// Applies the layout to a command and its subcommands. Removes texts that would make clap switch to its own long help,
/// so that both sizes have one line per option.
pub(super) fn lay_out(command: clap::Command, size: HelpSize) -> clap::Command {
    let text = |text: Option<&StyledStr>| text.map(ToString::to_string);
    let about = text(command.get_about()).unwrap_or_default();
    let long_about = text(command.get_long_about()).unwrap_or_default();
    let notes = text(command.get_after_help()).unwrap_or_default();
    let long_notes = text(command.get_after_long_help()).unwrap_or_else(|| notes.clone());
    let notes = match size {
        HelpSize::Short => notes,
        HelpSize::Long => format!("{}\n\n{long_notes}", long_about.trim_start_matches(&about)),
    };
    let paragraphs = notes.split("\n\n").map(str::trim_end).filter(|paragraph| !paragraph.trim().is_empty());
    let (examples, notes): (Vec<&str>, Vec<&str>) =
        paragraphs.partition(|paragraph| paragraph.starts_with("Examples:"));
    let (examples, notes) = (examples.join("\n\n"), notes.into_iter().map(flowing).collect::<Vec<_>>().join("\n\n"));
    let template = if command.get_name() == "cec" { ROOT_TEMPLATE } else { TEMPLATE };
    command
        .help_template(template)
        .long_about(None::<&str>)
        .before_help(filled(examples))
        .after_help(filled(notes))
        .after_long_help(None::<&str>)
        .mut_args(|argument| lay_out_argument(argument, size))
        .mut_subcommands(|command| lay_out(command, size))
}

fn filled(text: String) -> Resettable<StyledStr> {
    if text.is_empty() { Resettable::Reset } else { Resettable::Value(text.into()) }
}

/// Joins the lines of a paragraph, so that the terminal wraps them. A paragraph with indented lines is not changed.
fn flowing(paragraph: &str) -> String {
    if paragraph.contains("\n ") { paragraph.to_owned() } else { paragraph.replace('\n', " ") }
}

fn lay_out_argument(argument: clap::Arg, size: HelpSize) -> clap::Arg {
    let takes_values = argument.get_action().takes_values();
    let values = if takes_values { argument.get_possible_values() } else { Vec::new() };
    let argument = if values.is_empty() { argument } else { argument.ignore_case(true) };
    let descriptions: Vec<String> =
        values.iter().filter_map(|value| Some(format!("\n- {}: {}", value.get_name(), value.get_help()?))).collect();
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let default: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let default = if default.is_empty() { String::new() } else { format!(" [default: {}]", default.join(" ")) };
    let describes_values = !descriptions.is_empty() && !argument.is_global_set();
    let argument = if describes_values && size == HelpSize::Long {
        argument.help(help + &default + &descriptions.concat()).hide_possible_values(true).hide_default_value(true)
    } else if descriptions.is_empty() {
        argument
    } else {
        // Without help texts for each value, which would make clap switch to its long help.
        let names = values.iter().map(clap::builder::PossibleValue::get_name).collect::<Vec<_>>().join(", ");
        argument.help(format!("{help} [possible values: {names}]")).hide_possible_values(true)
    };
    match size {
        HelpSize::Short => argument.long_help(None::<&str>),
        HelpSize::Long => argument.long_help(None::<&str>).hide_short_help(false),
    }
}

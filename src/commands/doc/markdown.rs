//! The help of a command tree as one Markdown document.

use std::fmt::Write as _;

use super::{visible_subcommands, without_globals};

/// Returns the document. Global options appear only in the section of the root command.
pub(super) fn document(mut command: clap::Command) -> String {
    let mut text = String::from(
        "# Commands\n\nThe help of every command, as `cec doc -p docs` writes it. Every command accepts the global \
            options, which are listed under `cec`.\n",
    );
    command.build();
    section(&command, &mut text, true);
    text
}

fn section(command: &clap::Command, text: &mut String, root: bool) {
    let name = command.get_bin_name().unwrap_or("cec");
    let wide = command.clone().term_width(100);
    let help = if root { wide } else { without_globals(wide) }.render_help().to_string();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\n## {name}\n\n```text\n{}\n```\n",
        help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end()
    );
    for child in visible_subcommands(command) {
        section(child, text, false);
    }
}

//! Manual pages, one for each command.

use std::fmt::Write as _;
use std::io;

use clap_mangen::Man;

use super::{visible_subcommands, without_globals};

/// Returns the pages of a command tree with their file names.
///
/// # Errors
/// Writing to memory never fails.
pub(super) fn pages(mut command: clap::Command) -> io::Result<Vec<(String, String)>> {
    command.build();
    let mut pages = Vec::new();
    add(&command, true, &mut pages)?;
    Ok(pages)
}

fn add(command: &clap::Command, root: bool, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    let name = dashed(command);
    pages.push((format!("{name}.1"), page(command, &name, root)?));
    visible_subcommands(command).try_for_each(|child| add(child, false, pages))
}

/// Returns the name of a command in the form of a page name: `cec-config-ls`.
fn dashed(command: &clap::Command) -> String {
    command.get_bin_name().unwrap_or("cec").replace(' ', "-")
}

fn page(command: &clap::Command, name: &str, root: bool) -> io::Result<String> {
    let plain_text = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    let about = plain_text(command.get_about());
    let mut page = format!(
        ".TH \"{}\" 1 \"\" \"cec {}\" \"Manual of cec\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION"),
        escaped(name),
        escaped(&about)
    );
    let mut plain = if root { command.clone() } else { without_globals(command.clone()) };
    verbatim(&mut page, plain_text(Some(&plain.render_usage())).trim_start_matches("Usage: "));
    let (examples, notes) = (plain_text(command.get_before_help()), plain_text(command.get_after_help()));
    if !notes.is_empty() {
        page.push_str(".SH DESCRIPTION\n");
        paragraphs(&mut page, &notes);
    }
    if let Some(lines) = examples.strip_prefix("Examples:\n") {
        page.push_str(".SH EXAMPLES\n");
        verbatim(&mut page, lines);
    }
    let mut options = Vec::new();
    Man::new(plain).render_options_section(&mut options)?;
    // The values of an option are a list with a line each.
    page.push_str(&String::from_utf8_lossy(&options).replace("\n\\- ", "\n.br\n\\- "));
    let children: Vec<&clap::Command> = visible_subcommands(command).collect();
    if !children.is_empty() {
        page.push_str(".SH COMMANDS\n");
    }
    for child in children {
        let _ = writeln!(page, ".TP\n.BR {} (1)\n{}", escaped(&dashed(child)), escaped(&plain_text(child.get_about())));
    }
    if !root {
        page.push_str(".SH SEE ALSO\n.BR cec (1),\nwhich describes the options of every command.\n");
    }
    Ok(page)
}

/// Appends paragraphs. A paragraph with indented lines keeps its lines.
fn paragraphs(page: &mut String, text: &str) {
    for paragraph in text.split("\n\n") {
        page.push_str(".PP\n");
        if paragraph.contains("\n ") {
            verbatim(page, paragraph);
        } else {
            let _ = writeln!(page, "{}", escaped(paragraph));
        }
    }
}

/// Appends lines with their breaks and blanks.
fn verbatim(page: &mut String, text: &str) {
    let _ = writeln!(page, ".nf\n{}\n.fi", escaped(text));
}

/// Escapes a text for roff: backslashes, hyphens, and lines that would be requests.
fn escaped(text: &str) -> String {
    let line = |line: &str| {
        let escaped = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
        if escaped.starts_with('.') { format!("\\&{escaped}") } else { escaped }
    };
    text.lines().map(|text| line(text.trim_end())).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_request() {
        assert_eq!(escaped(".x -a\n'b' \\c\nd"), "\\&.x \\-a\n\\(aqb\\(aq \\ec\nd");
    }
}

//! The user's browser.

use std::io;
use std::process::{Command, Stdio};

/// Opens an address in a browser: one that `commands` names, in the form of `$BROWSER`, otherwise the system's. Its
/// environment is that of this process without the variables in `without`. It stays open when this process ends.
///
/// # Errors
/// No browser can be started.
pub fn open(address: &str, commands: Option<&str>, without: &[&str]) -> io::Result<()> {
    let candidates = match commands {
        Some(commands) => named(commands, address),
        None => open::commands(address),
    };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for mut command in candidates {
        for name in without {
            command.env_remove(name);
        }
        // Ctrl-C in this terminal must not end the browser.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Parses `$BROWSER`. Commands are separated by colons (semicolons on Windows). The address replaces `%s`, or is
/// appended as the last argument.
fn named(commands: &str, address: &str) -> Vec<Command> {
    let separator = if cfg!(windows) { ';' } else { ':' };
    let mut named = Vec::new();
    for command in commands.split(separator) {
        let mut words = command.split_whitespace().map(|word| word.replace("%s", address));
        let Some(program) = words.next() else { continue };
        let mut process = Command::new(program);
        process.args(words);
        if !command.contains("%s") {
            process.arg(address);
        }
        named.push(process);
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_variable_names_commands() {
        let separator = if cfg!(windows) { ";" } else { ":" };
        let commands = named(&["firefox -new-tab %s", "", "w3m -o x"].join(separator), "http://a/");
        let words: Vec<Vec<String>> = commands
            .iter()
            .map(|command| {
                std::iter::once(command.get_program())
                    .chain(command.get_args())
                    .map(|word| word.to_string_lossy().into_owned())
                    .collect()
            })
            .collect();
        assert_eq!(words, [vec!["firefox", "-new-tab", "http://a/"], vec!["w3m", "-o", "x", "http://a/"]]);
    }
}

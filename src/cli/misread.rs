//! Detects arguments that can be parsed, but probably not as they were meant.

use std::ffi::OsString;

use super::help::HelpSize;
use super::usage::foreign_flag;
use super::{AnyCommand, Cli, sized_command};
use crate::commands::verb::{Choice as _, OtherPassword};
use crate::error::{CliError, Kind};

impl Cli {
    /// Refuses arguments that were probably meant otherwise, if the misunderstanding would do harm.
    ///
    /// # Errors
    /// A `--password` that may be meant for a link or another user; `-t` or `-u` of another program, or a long flag
    /// with a single dash, that was read as a token or a URL.
    pub fn refuse_misread(&self, arguments: &[OsString]) -> Result<(), CliError> {
        let other_password = match &self.command {
            AnyCommand::Online(command) => command.about().other_password,
            AnyCommand::Offline(_) | AnyCommand::Complete(_) => None,
        };
        if let Some(OtherPassword { owner, hint }) = other_password
            && password_follows_command(arguments)
        {
            let message = format!("--password is the sign-in password, not {owner} password");
            return Err(CliError::new(Kind::Usage, message)
                .hint(hint)
                .hint("to sign in with it, write it before the command or set CEC_PASSWORD"));
        }
        if let Some(refused) = short_global(arguments) {
            return Err(refused);
        }
        let read_as_value = |typed: &str| typed.starts_with("-t") || typed.starts_with("-u");
        // A quick check first: such words are rare, and building the command tree takes time.
        if !own(arguments).any(read_as_value) {
            return Ok(());
        }
        match single_dashed(arguments, &super::usage::command_typed(arguments)) {
            Some((typed, hint)) if read_as_value(&typed) => {
                Err(CliError::new(Kind::Usage, format!("unexpected argument '{typed}' found")).hint(hint))
            }
            _ => Ok(()),
        }
    }
}

fn own(arguments: &[OsString]) -> impl Iterator<Item = &str> {
    let own = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    own.map(|argument| argument.to_str().unwrap_or_default())
}

/// The meaning of `-t` and `-u` in this program, for commands that have other meanings for them in other programs.
const SHORT_GLOBALS: &[(char, &str)] = &[
    ('t', "-t is --token; if this is a token, write --token"),
    ('u', "-u is --url; if this is a server, write its URL: https://files.example.com"),
];

/// Commands whose short flags users combine (`ls -lt`), and those of their flags that take no value.
const GROUPING: &[&str] = &["ls", "cp", "mv", "rm", "scp"];
const GROUPED: &str = "adlrRfnpvwqhS01";

/// Refuses `-t` and `-u` after the name of a command if their value is neither a token nor a URL. It would be sent as
/// one, or taken away from the command's own arguments.
pub(super) fn short_global(arguments: &[OsString]) -> Option<CliError> {
    // A quick check first: such words are rare, and building the command tree takes time.
    if !own(arguments).any(|word| short_flag(word).is_some()) {
        return None;
    }
    let mut words = behind_command(arguments);
    // In these commands `-t` and `-u` have their meaning of this program.
    let verb = words.next().filter(|verb| !matches!(*verb, "configure" | "config"))?;
    while let Some(word) = words.next() {
        let Some((flag, rest)) = short_flag(word) else { continue };
        if word.len() > 2 && !GROUPING.contains(&verb) {
            continue;
        }
        let value = if rest.is_empty() { words.next() } else { Some(rest) };
        let is_value = value.is_some_and(|value| match flag {
            _ if value.is_empty() => true,
            't' => value == "-" || is_token(value),
            _ => is_url(value),
        });
        if !is_value {
            let known = foreign_flag(&format!("-{flag}"), &format!("cec {verb}"), |flag, known| flag == known);
            let usual = || SHORT_GLOBALS.iter().find(|(known, _)| *known == flag).map_or("", |(_, hint)| hint);
            let hint = known.unwrap_or_else(usual);
            // The value is not repeated, because it could be a secret after all.
            let what = if flag == 't' { "a token" } else { "the URL of a server" };
            return Some(CliError::new(Kind::Usage, format!("the value of -{flag} is not {what}")).hint(hint));
        }
    }
    None
}

/// Returns the flag of [`SHORT_GLOBALS`] that a word is or ends with, and the flags before it. A flag with its value in
/// the same word does not count, because it may be a long flag with a single dash.
fn short_flag(word: &str) -> Option<(char, &str)> {
    let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?;
    let at = letters.find(['t', 'u'])?;
    let (before, rest) = (&letters[..at], &letters[at + 1..]);
    let is_it = before.chars().all(|letter| GROUPED.contains(letter)) && (at > 0 || rest.is_empty());
    is_it.then(|| (if letters[at..].starts_with('t') { 't' } else { 'u' }, rest))
}

/// Whether a text has the form of a token: a long sequence of letters, digits and a few symbols.
fn is_token(text: &str) -> bool {
    // With blanks it is neither a token nor a path, and is refused later as the token that it was given as.
    text.contains(char::is_whitespace)
        || (text.len() >= SHORTEST_TOKEN
            && text.chars().all(|one| one.is_ascii_alphanumeric() || "-_.~+=".contains(one)))
}

/// The minimum length of a server's tokens.
const SHORTEST_TOKEN: usize = 20;

/// Whether a text has the form of a URL, with or without a scheme, and is not the name of a local file.
fn is_url(text: &str) -> bool {
    let host = text.split('/').next().unwrap_or_default();
    let is_host = host == "localhost" || host.trim_matches('.').contains(['.', ':']);
    text.contains("://") || (is_host && !std::path::Path::new(text).exists())
}

/// Returns the words of the command line after the command's name.
fn behind_command(arguments: &[OsString]) -> impl Iterator<Item = &str> {
    let tree = sized_command(HelpSize::Short);
    let mut words = own(arguments);
    let mut found = None;
    while let Some(word) = words.next() {
        if takes_value(&tree, word) {
            words.next();
        } else if !word.starts_with('-') {
            found = Some(word);
            break;
        }
    }
    found.into_iter().chain(words)
}

fn takes_value(tree: &clap::Command, word: &str) -> bool {
    tree.get_arguments().any(|argument| {
        let by_long = argument.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
        let by_short = argument.get_short().is_some_and(|short| word == format!("-{short}"));
        (by_long || by_short) && argument.get_action().takes_values() && !argument.is_require_equals_set()
    })
}

/// Whether `--password` comes after the command's name.
fn password_follows_command(arguments: &[OsString]) -> bool {
    behind_command(arguments).skip(1).any(|word| word == "--password" || word.starts_with("--password="))
}

/// Returns the first long flag with a single dash, and a hint about it.
pub(super) fn single_dashed(arguments: &[OsString], command: &str) -> Option<(String, String)> {
    let mut tree = sized_command(HelpSize::Long);
    tree.build();
    let mut found = &tree;
    for name in command.split_whitespace().skip(1) {
        found = found.find_subcommand(name)?;
    }
    own(arguments).find_map(|typed| {
        let name = typed.strip_prefix('-').filter(|rest| rest.len() > 1 && !rest.starts_with('-'))?;
        let name = name.split('=').next()?;
        let known = |argument: &&clap::Arg| argument.get_long() == Some(name);
        if found.get_arguments().any(|argument| known(&argument)) {
            return Some((typed.to_owned(), format!("long options have two dashes: --{name}")));
        }
        let hint = foreign_flag(&format!("-{name}"), command, |flag, known| flag == known)?;
        Some((typed.to_owned(), hint.to_owned()))
    })
}

/// Returns the group of short flags with an `h` in it that caused help to be shown, if help was not requested
/// otherwise.
pub(super) fn grouped_help(arguments: &[OsString]) -> Option<String> {
    if own(arguments).any(|word| matches!(word, "-h" | "--help")) || own(arguments).next() == Some("help") {
        return None;
    }
    let is_group = |word: &&str| word.starts_with('-') && !word.starts_with("--") && word.contains('h');
    own(arguments).find(is_group).map(str::to_owned)
}

/// Moves all `--header` flags to the front. They are global, but clap keeps only those of one level.
pub(super) fn headers_first(arguments: &[OsString]) -> Vec<OsString> {
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    let mut left = arguments.iter().cloned();
    let program = left.next();
    while let Some(argument) = left.next() {
        if argument == "--" {
            rest.push(argument);
            break;
        }
        let text = argument.to_str().unwrap_or_default();
        if text.starts_with("--header=") {
            first.push(argument);
        } else if text == "--header"
            && let Some(value) = left.next()
        {
            first.extend([argument, value]);
        } else {
            rest.push(argument);
        }
    }
    program.into_iter().chain(first).chain(rest).chain(left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Vec<OsString> {
        ["cec"].iter().chain(words).map(OsString::from).collect()
    }

    #[test]
    fn headers_go_first_wherever_they_stand() {
        let moved = headers_first(&line(&["--header", "A: 1", "ls", "x", "--header=B: 2", "--", "--header", "C: 3"]));
        assert_eq!(moved, line(&["--header", "A: 1", "--header=B: 2", "ls", "x", "--", "--header", "C: 3"]));
        assert_eq!(headers_first(&line(&["ls", "--header"])), line(&["ls", "--header"]));
    }

    #[test]
    fn a_password_before_the_command_is_for_signing_in() {
        for (words, follows) in [
            (&["--password", "x", "share", "p"][..], false),
            (&["share", "p", "--password", "x"], true),
            (&["share", "p", "--password=x"], true),
            (&["--profile", "share", "--password", "x", "share", "p"], false),
            (&["-u", "share", "-q", "share", "--password=x", "p"], true),
            (&["share", "--", "--password"], false),
        ] {
            assert_eq!(password_follows_command(&line(words)), follows, "{words:?}");
        }
    }

    #[test]
    fn a_path_is_neither_a_token_nor_a_server() {
        let token = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_ABCDE.AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_ABCDE";
        for (words, hint) in [
            (&["ls", "-t", "personal-files/x"][..], Some("--sort time")),
            (&["ls", "-t", "personal-files"], Some("--sort time")),
            (&["cp", "-u", "a", "b"], Some("never replace an existing file")),
            (&["scp", "-u", "report", "cells://personal-files/"], Some("--update")),
            (&["-q", "scp", "-t", "cells://personal-files/", "a"], Some("the target is the last argument")),
            (&["du", "-u", "personal-files/x"], Some("https://")),
            (&["ls", "personal-files", "-t"], Some("--sort time")),
            (&["ls", "-lt", "personal-files"], Some("--sort time")),
            (&["ls", "-ltr"], Some("--sort time")),
            (&["find", "x", "-type", "f"], None),
            (&["meta", "get", "-nusermeta-tags", "x"], None),
            (&["ls", "-t", token], None),
            (&["ls", "-t", "-"], None),
            (&["ls", "-u", "files.example.com", "x"], None),
            (&["ls", "-u", "http://127.0.0.1:8080"], None),
            (&["ls", "-u", "localhost:8080"], None),
            (&["-t", "short", "-u", "host", "ls"], None),
            (&["ls", "--", "-t", "x"], None),
            (&["configure", "token", "-u", "files", "-t", "x"], None),
        ] {
            let hints = short_global(&line(words)).map(|error| error.hint_text().unwrap_or_default());
            assert_eq!(hints.is_some(), hint.is_some(), "{words:?} {hints:?}");
            assert!(hint.is_none_or(|hint| hints.unwrap_or_default().contains(hint)), "{words:?}");
        }
    }

    #[test]
    fn help_in_a_group_is_found_unless_it_was_asked_for() {
        assert_eq!(grouped_help(&line(&["du", "-sh", "x"])).as_deref(), Some("-sh"));
        assert_eq!(grouped_help(&line(&["du", "-sh", "--help"])), None);
        assert_eq!(grouped_help(&line(&["du", "-h"])), None);
    }
}

//! Command lines for the user to paste into a shell. Names in them may come from somebody else.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Quotes a word so that a POSIX shell reads exactly that word. Control characters are written in the form of bash, zsh
/// and ksh (`$'\n'`).
pub fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |character: char| character.is_alphanumeric() || "_-./:@%+=,".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    if !word.chars().any(char::is_control) {
        return Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")));
    }
    let mut text = String::from("$'");
    for character in word.chars() {
        match character {
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\'' | '\\' => text.extend(['\\', character]),
            // Three octal digits for each byte, so that following digits are not read as part of it.
            character if character.is_control() => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "\\{byte:03o}");
                }
            }
            character => text.push(character),
        }
    }
    text.push('\'');
    Cow::Owned(text)
}

/// Returns a command line: `start`, such as `cec mv`, followed by quoted words. A word that begins with a dash is not
/// read as an option.
pub fn command_line(start: &str, words: &[&str]) -> String {
    let mut line = start.to_owned();
    if words.iter().any(|word| word.starts_with('-')) {
        line.push_str(" --");
    }
    for word in words {
        line.push(' ');
        line.push_str(&quoted(word));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_if_a_shell_would_take_them_apart() {
        for (word, expected) in [
            ("cells://ws/a-b_c.d", "cells://ws/a-b_c.d"),
            ("my data/.", "'my data/.'"),
            ("it's", "'it'\\''s'"),
            ("x'; touch PWNED; '", "'x'\\''; touch PWNED; '\\'''"),
            ("~root", "'~root'"),
            ("", "''"),
            ("a\nb'\\\u{1b}1\u{9b}", "$'a\\nb\\'\\\\\\0331\\302\\233'"),
        ] {
            assert_eq!(quoted(word), expected, "{word:?}");
        }
        assert_eq!(command_line("cec mv", &["a b", "c"]), "cec mv 'a b' c");
        assert_eq!(command_line("cec jobs cancel", &["--proxy=h"]), "cec jobs cancel -- --proxy=h");
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_the_same_word_back() {
        for word in ["a b", "it's", "$(touch x)", "`id`", "!1", "~", "*", "a\tb\n", "\u{1b}[31m\u{9b}x\\'", ""] {
            let script = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("bash").args(["-c", &script]).output();
            let Ok(output) = output else { return };
            assert_eq!(String::from_utf8_lossy(&output.stdout), word, "{script}");
        }
    }
}

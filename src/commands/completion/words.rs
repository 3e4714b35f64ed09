//! The words of a bash command line: parsing them, and quoting candidates.

/// The quote at the start of the word at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

/// A command line up to the cursor, split in the same way as bash does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The words before the cursor without quotes, beginning with the program's name.
    pub before: Vec<String>,
    /// The word at the cursor without quotes; may be empty.
    pub current: String,
    /// The number of its characters that bash keeps, so that candidates must omit them.
    kept: usize,
    quote: Quote,
}

impl Line {
    /// Splits a line. `breaks` are the characters at which bash begins a new word for completion (COMP_WORDBREAKS).
    pub fn parse(text: &str, breaks: &str) -> Self {
        let mut line = Self { before: Vec::new(), current: String::new(), kept: 0, quote: Quote::None };
        let mut started = false;
        // The part of a word that bash keeps after a closed quote.
        let mut kept_unquoted = 0;
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match (line.quote, character) {
                (Quote::None, ' ' | '\t' | '\n') => {
                    if started {
                        line.before.push(std::mem::take(&mut line.current));
                    }
                    (started, line.kept) = (false, 0);
                    continue;
                }
                (Quote::None, '|' | ';' | '&') => {
                    line.before.clear();
                    line.current.clear();
                    (started, line.kept) = (false, 0);
                    continue;
                }
                (Quote::None, '\'' | '"') => {
                    kept_unquoted = line.kept;
                    line.open(if character == '"' { Quote::Double } else { Quote::Single });
                }
                (Quote::Single, '\'') | (Quote::Double, '"') => {
                    (line.quote, line.kept) = (Quote::None, kept_unquoted);
                }
                (Quote::None, '\\') => line.current.extend(characters.next()),
                (Quote::Double, '\\') => match characters.next() {
                    Some(next @ ('"' | '\\' | '$' | '`')) => line.current.push(next),
                    Some(next) => line.current.extend(['\\', next]),
                    None => line.current.push('\\'),
                },
                (Quote::None, character) => {
                    line.current.push(character);
                    if breaks.contains(character) {
                        line.kept = line.current.chars().count();
                    }
                }
                (_, character) => line.current.push(character),
            }
            started = true;
        }
        line
    }

    fn open(&mut self, quote: Quote) {
        self.quote = quote;
        self.kept = self.current.chars().count();
    }

    /// Returns a candidate for the present word as bash must insert it: quoted like the word, without the kept part,
    /// and with a space after it unless the path continues.
    pub fn give_back(&self, candidate: &str) -> String {
        let rest: String = candidate.chars().skip(self.kept).collect();
        let open = candidate.ends_with('/') || candidate.ends_with('=');
        match self.quote {
            Quote::None => escaped(&rest) + if open { "" } else { " " },
            Quote::Single => rest.replace('\'', "'\\''") + if open { "" } else { "' " },
            Quote::Double => {
                let special = |character| matches!(character, '"' | '\\' | '$' | '`');
                // Inside double quotes, only other quotes protect `!` from history expansion.
                escape(&rest, special).replace('!', "\"'!'\"") + if open { "" } else { "\" " }
            }
        }
    }
}

fn escaped(text: &str) -> String {
    escape(text, |character| !character.is_alphanumeric() && !"/._-+,%^:=@".contains(character))
}

fn escape(text: &str, special: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if special(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKS: &str = " \t\n\"'><=;|&(:";

    fn give_back(text: &str, candidate: &str) -> String {
        Line::parse(text, BREAKS).give_back(candidate)
    }

    #[test]
    fn a_line_is_taken_apart_as_bash_does() {
        let line = Line::parse("x; cec ls 'a b' c\\ d \"e \\\" f\" g\\", BREAKS);
        assert_eq!(line.before, ["cec", "ls", "a b", "c d", "e \" f"]);
        assert_eq!(line.current, "g");
        assert_eq!(Line::parse("cec ls ", BREAKS).current, "");
        assert_eq!(Line::parse("cec ls ''", BREAKS).before, ["cec", "ls"]);
        assert_eq!(Line::parse("cec ls \"a b", BREAKS).current, "a b");
    }

    #[test]
    fn candidates_are_quoted_as_the_word_was_begun() {
        assert_eq!(give_back("cec ls ws/a", "ws/a b'c"), "ws/a\\ b\\'c ");
        assert_eq!(give_back("cec ls ws/a\\ ", "ws/a b/"), "ws/a\\ b/");
        assert_eq!(give_back("cec ls 'ws/a", "ws/a b'c"), "ws/a b'\\''c' ");
        assert_eq!(give_back("cec ls \"ws/a", "ws/a $b/"), "ws/a \\$b/");
        assert_eq!(give_back("cec ls \"ws/a", "ws/a b"), "ws/a b\" ");
        assert_eq!(give_back("cec ls \"ws/a", "ws/a!id"), "ws/a\"'!'\"id\" ");
    }

    #[test]
    fn the_part_that_bash_keeps_is_omitted() {
        assert_eq!(give_back("cec scp cells://ws/a", "cells://ws/ab:c"), "//ws/ab:c ");
        assert_eq!(give_back("cec scp 'cells://ws/a", "cells://ws/ab"), "cells://ws/ab' ");
        assert_eq!(give_back("cec ls --sort=s", "--sort=size"), "size ");
        // A quote that is closed again is part of the word.
        assert_eq!(give_back("cec ls 'ws/ap'\\''os/'", "ws/ap'os/in side/"), "ws/ap\\'os/in\\ side/");
        assert_eq!(give_back("cec ls 'ws/ap'\\''os/", "ws/ap'os/in side/"), "os/in side/");
        assert_eq!(give_back("cec scp cells:'//ws/a'", "cells://ws/ab"), "//ws/ab ");
        assert_eq!(Line::parse("cec scp cells://ws/a", " \t\n").give_back("cells://ws/ab"), "cells://ws/ab ");
    }
}

//! Hints: what the user can do next. Some of them are more than a text, because a place with more knowledge words them.

use std::fmt;

use super::clipped;
use crate::shell::command_line;

/// A hint of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A sentence.
    Text(String),
    /// A command line of `cec` with paths or names, which are quoted for a shell.
    Command {
        /// What the command is for, such as `to undo`.
        purpose: String,
        /// The program, the verb and its options, such as `cec rm -p`.
        start: &'static str,
        /// The operands, unquoted.
        operands: Vec<String>,
    },
    /// Sign in. Once an account is in use, the screen replaces it by the way to sign in to that account.
    SignIn,
    /// Use another URL of the server.
    OtherUrl {
        /// When to use it; empty for always.
        condition: &'static str,
        /// The URL.
        url: String,
    },
}

impl Hint {
    /// Returns the hint for a user who types the URL at a prompt, and not as the value of an option.
    pub fn at_prompt(self) -> Self {
        match self {
            Self::OtherUrl { condition, url } => Self::Text(with_condition(condition, &format!("type {url}"))),
            hint => hint,
        }
    }

    /// Returns a hint that proposes a command line.
    pub fn command(purpose: impl Into<String>, start: &'static str, operands: &[&str]) -> Self {
        let operands = operands.iter().map(|operand| (*operand).to_owned()).collect();
        Self::Command { purpose: purpose.into(), start, operands }
    }

    /// Returns the hint with the URL of a public link in place of its name at the start of operands.
    pub fn naming_link(self, name: &str, url: &str) -> Self {
        let Self::Command { purpose, start, mut operands } = self else { return self };
        for operand in &mut operands {
            match operand.strip_prefix(name) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => *operand = format!("{url}{rest}"),
                _ => {}
            }
        }
        Self::Command { purpose, start, operands }
    }
}

fn with_condition(condition: &str, advice: &str) -> String {
    if condition.is_empty() { advice.to_owned() } else { format!("{condition}, {advice}") }
}

impl fmt::Display for Hint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Command { purpose, start, operands } => {
                let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
                formatter.write_str(&clipped(format!("{purpose}: {}", command_line(start, &operands))))
            }
            Self::SignIn => formatter.write_str("run 'cec configure' to sign in, or set CEC_URL and CEC_TOKEN"),
            Self::OtherUrl { condition, url } => {
                formatter.write_str(&with_condition(condition, &format!("use --url {url}")))
            }
        }
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::Text(clipped(text))
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_link_is_named_by_its_url_in_operands_only() {
        let named = |hint: Hint| hint.naming_link("docs", "https://f/public/l").to_string();
        assert_eq!(named(Hint::from("use cec ls docs/a")), "use cec ls docs/a");
        for (operand, expected) in [
            ("docs", "make it: cec mkdir https://f/public/l"),
            ("docs/a b", "make it: cec mkdir 'https://f/public/l/a b'"),
            ("docs2/a", "make it: cec mkdir docs2/a"),
            ("other/docs/a", "make it: cec mkdir other/docs/a"),
        ] {
            assert_eq!(named(Hint::command("make it", "cec mkdir", &[operand])), expected, "{operand}");
        }
    }

    #[test]
    fn a_prompt_expects_the_url_and_not_the_option() {
        let url = || "http://files.example.com".to_owned();
        for (condition, as_option, at_prompt) in [
            ("", "use --url http://files.example.com", "type http://files.example.com"),
            (
                "if the server has no TLS",
                "if the server has no TLS, use --url http://files.example.com",
                "if the server has no TLS, type http://files.example.com",
            ),
        ] {
            let hint = Hint::OtherUrl { condition, url: url() };
            assert_eq!((hint.to_string().as_str(), hint.at_prompt().to_string().as_str()), (as_option, at_prompt));
        }
        assert_eq!(Hint::from("use --url X").at_prompt().to_string(), "use --url X");
    }
}

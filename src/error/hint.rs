//! Hints: what the user can do next. Some of them are more than a text, because a place with more knowledge words them.

use std::fmt;

use super::clipped;

/// A hint of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A sentence.
    Text(String),
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

    /// Returns the hint with the URL of a public link in place of its name, if it contains a command line.
    pub fn naming_link(self, name: &str, url: &str) -> Self {
        match self {
            Self::Text(line) if line.contains("cec ") => Self::Text(with_link(&line, name, url)),
            hint => hint,
        }
    }
}

/// Returns a command line in which the paths of a public link begin with its URL.
fn with_link(line: &str, name: &str, url: &str) -> String {
    let mut text = line.to_owned();
    for (before, after) in [("'", "/"), ("'", "'"), (" ", "/"), (" ", " ")] {
        text = text.replace(&format!("{before}{name}{after}"), &format!("{before}{url}{after}"));
    }
    text
}

fn with_condition(condition: &str, advice: &str) -> String {
    if condition.is_empty() { advice.to_owned() } else { format!("{condition}, {advice}") }
}

impl fmt::Display for Hint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
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

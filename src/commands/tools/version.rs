//! `cec tools version`: questions about version numbers, with exit codes as answers.

use std::cmp::Ordering;

use crate::commands::verb::{Offline, OfflineVerb};
use crate::error::{CliError, Kind, Outcome};

const CODES: &str = "\
Exit code 0 means yes, 1 no. --quiet prints 1 (yes) or 0 (no) instead, and always exits with 0.";

const IS_VALID: &str = "Examples:\n  cec tools version isvalid 4.4.1 && echo a version";

const IS_RELEASE: &str = "\
Examples:
  cec tools version isrelease 4.4.0 && echo a release
  cec tools version isrelease -q 4.4.0-alpha3";

const IS_GREATER: &str = "\
Examples:
  cec tools version isgreater 4.4.2 4.4.0 && echo newer
  cec tools version isgreater -q \"$NEW\" \"$OLD\"";

/// The commands of `cec tools version`.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  cec tools version isvalid 4.4.1\n  cec tools version isgreater 4.4.1 4.4.0")]
pub enum Question {
    /// Check whether a text is a version number
    #[command(name = "isvalid", after_help = IS_VALID, after_long_help = format!("{IS_VALID}\n\n{CODES}"))]
    Valid(One),
    /// Check whether a version is a release: nothing follows its three numbers
    #[command(name = "isrelease", after_help = IS_RELEASE, after_long_help = format!("{IS_RELEASE}\n\n{CODES}"))]
    Release(One),
    /// Check whether the first version is greater than the second
    #[command(name = "isgreater", after_help = IS_GREATER, after_long_help = format!("{IS_GREATER}\n\n{CODES}"))]
    Greater(Two),
}

/// One version.
#[derive(Debug, clap::Args)]
pub struct One {
    /// Version, such as 4.4.0, v4.4 or 4.4.0-alpha3
    version: String,
}

/// Two versions.
#[derive(Debug, clap::Args)]
pub struct Two {
    /// Version that may be greater
    version: String,
    /// Version to compare it with
    than: String,
}

impl OfflineVerb for Question {
    /// Answers the question; `quiet` is whether -q was given. CEC_QUIET does not count, because it would turn every
    /// exit code into 0.
    ///
    /// # Errors
    /// [`Kind::Usage`] if a version to compare is not valid, except in quiet mode.
    fn run(self, stage: &Offline<'_>) -> Result<Outcome, CliError> {
        let Offline { ui, quiet, .. } = *stage;
        let (yes, no) = match &self {
            Self::Valid(One { version }) => (parse(version).is_some(), format!("[{version}] is *not* a valid version")),
            Self::Release(One { version }) => (
                parse(version).is_some_and(|version| version.leads_to.is_empty()),
                format!("[{version}] is *not* a valid release version"),
            ),
            // In quiet mode, an invalid version is simply not greater.
            Self::Greater(Two { version, than }) if quiet && (parse(version).is_none() || parse(than).is_none()) => {
                (false, String::new())
            }
            Self::Greater(Two { version, than }) => {
                let read = |text: &String| {
                    let complaint = || CliError::new(Kind::Usage, format!("'{text}' is not a valid version"));
                    parse(text).ok_or_else(complaint)
                };
                let greater = read(version)?.compare(&read(than)?).is_gt();
                (greater, format!("[{version}] is *not* greater than [{than}]"))
            }
        };
        if ui.is_json() {
            ui.json_document(&serde_json::json!({ "answer": yes }))?;
        } else if quiet {
            ui.line(if yes { "1" } else { "0" })?;
            return Ok(Outcome::Done);
        } else if !yes {
            ui.status(&no);
        }
        Ok(if yes { Outcome::Done } else { Outcome::Differences })
    }
}

/// A version as people write it: with or without a v, any count of numbers, a pre-release after a hyphen or directly, a
/// build after a plus. The older client accepts the same.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    numbers: Vec<u64>,
    leads_to: String,
}

fn parse(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (version, build) = text.split_once('+').map_or((text, None), |(version, build)| (version, Some(build)));
    let end = version.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(version.len());
    let (numbers, rest) = version.split_at(end);
    let leads_to = rest.strip_prefix('-').filter(|rest| !rest.is_empty()).unwrap_or(rest);
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '~');
    let is_list = |list: &str| list.split('.').all(|part| !part.is_empty() && part.chars().all(is_plain));
    if !(leads_to.is_empty() || is_list(leads_to)) || !build.is_none_or(is_list) {
        return None;
    }
    let numbers = numbers.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    Some(Version { numbers, leads_to: leads_to.to_owned() })
}

impl Version {
    /// Compares as semantic versions do. Missing numbers count as zero, and builds are ignored.
    fn compare(&self, other: &Self) -> Ordering {
        let count = self.numbers.len().max(other.numbers.len());
        let padded = |version: &Self| {
            let mut numbers = version.numbers.clone();
            numbers.resize(count, 0);
            numbers
        };
        padded(self).cmp(&padded(other)).then_with(|| match (self.leads_to.as_str(), other.leads_to.as_str()) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (one, other) => one.split('.').map(Part::of).cmp(other.split('.').map(Part::of)),
        })
    }
}

/// A part of a pre-release: numbers are less than words.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Number(u64),
    Word(&'a str),
}

impl<'a> Part<'a> {
    fn of(text: &'a str) -> Self {
        text.parse().map_or(Self::Word(text), Self::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_people_write_them() {
        for (text, numbers, leads_to) in [
            ("1.2.3", &[1, 2, 3][..], ""),
            ("v4.4", &[4, 4], ""),
            ("4", &[4], ""),
            ("1.2.3.4", &[1, 2, 3, 4], ""),
            ("01.02.03", &[1, 2, 3], ""),
            ("4.4.0-alpha3", &[4, 4, 0], "alpha3"),
            ("1.2.3alpha", &[1, 2, 3], "alpha"),
            ("1.2.3~1", &[1, 2, 3], "~1"),
            ("1.2.3-", &[1, 2, 3], "-"),
            ("1.2.3+meta", &[1, 2, 3], ""),
            ("v4-rc.1+b7", &[4], "rc.1"),
        ] {
            let version = parse(text).expect(text);
            assert_eq!((version.numbers.as_slice(), version.leads_to.as_str()), (numbers, leads_to), "{text}");
        }
        for text in ["", "v", "latest", "1..2", "1.2.", ".1", "1.2.x", "2.a", "1.2.3-a..b", "1.2.3+", "1 2", "1.2.3-ä"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn releases_come_after_what_leads_to_them() {
        let order =
            ["4.3.9", "4.4.0-1", "4.4.0-alpha", "4.4.0-alpha.1", "4.4.0-alpha2", "4.4.0-alpha3", "4.4.0-rc1", "4.4"];
        let order = order.iter().chain(&["4.4.0.1", "4.10.0", "5.0.0-alpha.1", "5"]);
        let versions: Vec<Version> = order.map(|text| parse(text).expect(text)).collect();
        assert!(versions.windows(2).all(|pair| pair[0].compare(&pair[1]).is_lt()), "{versions:?}");
        let same = |one: &str, other: &str| parse(one).expect(one).compare(&parse(other).expect(other)).is_eq();
        assert!(same("4.4", "v4.4.0+b7") && same("1.0-rc.1", "1-rc.1"));
    }
}

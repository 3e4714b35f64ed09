//! `cec tools version`: questions about version numbers, answered by exit codes.

use semver::Version;

use crate::error::{CliError, Kind, Outcome};
use crate::ui::Ui;

const CODES: &str = "\
Exit code 0 means yes, 1 no. With --quiet nothing is said, 1 (yes) or 0 (no) is printed, and the exit code is 0 either way.";

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
pub enum Command {
    /// Whether a text is a version number
    #[command(name = "isvalid", after_help = IS_VALID, after_long_help = format!("{IS_VALID}\n\n{CODES}"))]
    IsValid(One),
    /// Whether a version is a release: nothing follows its three numbers
    #[command(name = "isrelease", after_help = IS_RELEASE, after_long_help = format!("{IS_RELEASE}\n\n{CODES}"))]
    IsRelease(One),
    /// Whether the first version is greater than the second
    #[command(name = "isgreater", after_help = IS_GREATER, after_long_help = format!("{IS_GREATER}\n\n{CODES}"))]
    IsGreater(Two),
}

/// One version.
#[derive(Debug, clap::Args)]
pub struct One {
    /// Such as 4.4.0, v4.4 or 4.4.0-alpha3
    version: String,
}

/// Two versions.
#[derive(Debug, clap::Args)]
pub struct Two {
    /// The one that may be greater
    version: String,
    /// The one that it is compared with
    than: String,
}

/// Runs the command.
///
/// # Errors
/// [`Kind::Usage`] where versions are to be compared that are none, unless nothing is to be said.
pub fn run(ui: &Ui, command: &Command) -> Result<Outcome, CliError> {
    let (yes, no) = match command {
        Command::IsValid(One { version }) => {
            (parse(version).is_some(), format!("[{version}] is *not* a valid version"))
        }
        Command::IsRelease(One { version }) => (
            parse(version).is_some_and(|version| version.pre.is_empty() && version.build.is_empty()),
            format!("[{version}] is *not* a valid release version"),
        ),
        // Where nothing is said, what is no version is not greater.
        Command::IsGreater(Two { version, than })
            if ui.is_quiet() && (parse(version).is_none() || parse(than).is_none()) =>
        {
            (false, String::new())
        }
        Command::IsGreater(Two { version, than }) => {
            let read = |text: &String| {
                let complaint = || CliError::new(Kind::Usage, format!("'{text}' is not a valid version"));
                parse(text).ok_or_else(complaint)
            };
            let greater = read(version)?.cmp_precedence(&read(than)?).is_gt();
            (greater, format!("[{version}] is *not* greater than [{than}]"))
        }
    };
    if ui.is_json() {
        ui.json_document(&serde_json::json!({ "answer": yes }))?;
    } else if ui.is_quiet() {
        ui.line(if yes { "1" } else { "0" })?;
        return Ok(Outcome::Done);
    } else if !yes {
        ui.status(&no);
    }
    Ok(if yes { Outcome::Done } else { Outcome::Differences })
}

/// A version as people write it: with or without a v, with one to three numbers.
fn parse(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let missing = match numbers.split('.').count() {
        1 => ".0.0",
        2 => ".0",
        _ => "",
    };
    Version::parse(&format!("{numbers}{missing}{}", &text[numbers.len()..])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_people_write_them() {
        for (text, read) in [
            ("1.2.3", Some("1.2.3")),
            ("v4.4", Some("4.4.0")),
            ("4", Some("4.0.0")),
            ("4.4.0-alpha3", Some("4.4.0-alpha3")),
            ("v4-rc.1+b7", Some("4.0.0-rc.1+b7")),
            ("1.2.x", None),
            ("1.2.3.4", None),
            ("", None),
            ("v", None),
            ("latest", None),
            ("1..2", None),
        ] {
            assert_eq!(parse(text).map(|version| version.to_string()).as_deref(), read, "{text}");
        }
    }

    #[test]
    fn releases_come_after_what_leads_to_them() {
        let order = ["4.3.9", "4.4.0-alpha2", "4.4.0-alpha3", "4.4.0-rc1", "4.4.0", "4.10.0"];
        let versions: Vec<Version> = order.iter().filter_map(|text| parse(text)).collect();
        assert!(versions.is_sorted() && versions.len() == order.len());
    }
}

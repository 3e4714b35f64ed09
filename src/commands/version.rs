//! `cec version`.

use serde::Serialize;

use super::tools::version::{One, Question, Two};
use crate::commands::verb::{Offline, OfflineVerb};
use crate::error::{CliError, Outcome};
use crate::shell::command_line;
use crate::ui::Piece;
use crate::ui::template::Format;

const EXAMPLES: &str = "\
Examples:
  cec version
  cec version -f '{{.Version}} {{.OS}}/{{.Arch}}'
  cec version --json";

const NOTES: &str = "\
The fields of a template are those of the older client: PackageLabel, Version, GitCommit, GitTime, OS, Arch, GoVersion. \
GoVersion is the compiler, here rustc. GitCommit and GitTime are set in a release build from the repository, and \
empty otherwise.";

/// Arguments of `cec version`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{NOTES}"),
    override_usage = "cec version [OPTIONS]",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct Args {
    /// Format it with a Go template, without a newline: {{.Version}}, PackageLabel, GitCommit, GitTime, OS, Arch,
    /// GoVersion
    #[arg(short, long, value_name = "TEMPLATE", conflicts_with_all = ["json", "jq"])]
    format: Option<String>,
    /// The names of older clients for other commands.
    #[command(subcommand)]
    older: Option<Older>,
}

const INSTEAD: &str = "Examples:\n  cec tools version isgreater 4.4.1 4.4.0";

/// The names that commands had in older clients.
#[derive(Debug, clap::Subcommand)]
enum Older {
    /// Deprecated: see 'cec tools version isvalid'
    #[command(name = "isvalid", hide = true, after_help = INSTEAD)]
    IsValid(One),
    /// Deprecated: see 'cec tools version isrelease'
    #[command(name = "isrelease", hide = true, after_help = INSTEAD)]
    IsRelease(One),
    /// Deprecated: see 'cec tools version isgreater'
    #[command(name = "isgreater", hide = true, after_help = INSTEAD)]
    IsGreater(Two),
    /// Deprecated: see 'cec version'
    #[command(hide = true, after_help = EXAMPLES)]
    Show,
}

impl Older {
    /// Runs the present command, and prints its name.
    fn run(self, stage: &Offline<'_>) -> Result<Outcome, CliError> {
        let (name, question) = match self {
            Self::IsValid(one) => ("isvalid", Question::Valid(one)),
            Self::IsRelease(one) => ("isrelease", Question::Release(one)),
            Self::IsGreater(two) => ("isgreater", Question::Greater(two)),
            Self::Show => {
                stage.ui.warn("'cec version show' is deprecated: use 'cec version'");
                return Args { format: None, older: None }.run(stage);
            }
        };
        let (old, new) = (command_line("cec version", &[name]), command_line("cec tools version", &[name]));
        stage.ui.warn(&format!("'{old}' is deprecated: use '{new}'"));
        question.run(stage)
    }
}

/// The names for templates, which are those of the older client.
const FIELDS: &[&str] = &["PackageLabel", "Version", "GitCommit", "GitTime", "OS", "Arch", "GoVersion"];

/// The version information.
#[derive(Debug, Serialize)]
struct Record {
    name: &'static str,
    version: &'static str,
    commit: Option<&'static str>,
    commit_time: Option<&'static str>,
    os: &'static str,
    arch: &'static str,
    rust_version: Option<&'static str>,
}

impl Record {
    /// Returns the values of [`FIELDS`]; an empty text if unknown.
    fn values(&self) -> [String; 7] {
        let compiler = self.rust_version.map(|version| format!("rust{version}")).unwrap_or_default();
        let [commit, time] = [self.commit, self.commit_time].map(|text| text.unwrap_or_default().to_owned());
        let [name, version, os, arch] = [self.name, self.version, self.os, self.arch].map(str::to_owned);
        [name, version, commit, time, os, arch, compiler]
    }
}

/// Returns the operating system and the processor, under the older client's names.
pub(super) fn platform() -> (&'static str, &'static str) {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        arch => arch,
    };
    (os, arch)
}

impl OfflineVerb for Args {
    /// Prints the version. Reads no files.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] if the template is not valid; standard output cannot be written.
    fn run(self, stage: &Offline<'_>) -> Result<Outcome, CliError> {
        let ui = stage.ui;
        if let Some(older) = self.older {
            return older.run(stage);
        }
        let (os, arch) = platform();
        let record = Record {
            name: "Cells Client",
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("CEC_BUILD_COMMIT"),
            commit_time: option_env!("CEC_BUILD_COMMIT_TIME"),
            os,
            arch,
            rust_version: option_env!("CEC_BUILD_RUST"),
        };
        if let Some(template) = self.format {
            let text = Format::parse(&template, FIELDS)?.fill(record.values())?;
            // The older client prints no newline, but on a terminal the prompt would follow directly.
            let end = if ui.stdout_is_terminal() { "\n" } else { "" };
            ui.bytes(format!("{text}{end}").as_bytes())?;
            return Ok(Outcome::Done);
        }
        if ui.is_json() {
            ui.json_document(&record)?;
            return Ok(Outcome::Done);
        }
        let values = [
            (" Version: ", record.version),
            (" Git commit: ", record.commit.unwrap_or_default()),
            (" Timestamp: ", record.commit_time.unwrap_or_default()),
            (" OS/Arch: ", &format!("{os}/{arch}")),
            (" Rust version: ", record.rust_version.unwrap_or_default()),
        ];
        ui.line(record.name)?;
        for (name, value) in values {
            ui.styled_line(&[Piece::Text(name), Piece::Tab, Piece::Text(value)])?;
        }
        Ok(Outcome::Done)
    }
}

//! `cec version`.

use serde::Serialize;

use crate::error::{CliError, Outcome};
use crate::ui::Ui;

/// Arguments of `cec version`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec version\n  cec version --json")]
pub struct Args {}

/// What the program knows of itself.
#[derive(Debug, Serialize)]
struct Record {
    name: &'static str,
    version: &'static str,
    commit: Option<&'static str>,
    commit_time: Option<&'static str>,
    os: &'static str,
    arch: &'static str,
}

/// The operating system and the processor under the names that the older client gives them.
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

/// Shows the version. Nothing is read or opened for it.
///
/// # Errors
/// Standard output takes no more.
pub fn run(ui: &Ui, _arguments: &Args) -> Result<Outcome, CliError> {
    let (os, arch) = platform();
    let record = Record {
        name: "Cells Client",
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("CEC_BUILD_COMMIT"),
        commit_time: option_env!("CEC_BUILD_COMMIT_TIME"),
        os,
        arch,
    };
    if ui.is_json() {
        ui.json_document(&record)?;
        return Ok(Outcome::Done);
    }
    ui.line(record.name)?;
    ui.line(&format!(" Version: \t{}", record.version))?;
    ui.line(&format!(" Git commit: \t{}", record.commit.unwrap_or_default()))?;
    ui.line(&format!(" Timestamp: \t{}", record.commit_time.unwrap_or_default()))?;
    ui.line(&format!(" OS/Arch: \t{os}/{arch}"))?;
    Ok(Outcome::Done)
}

//! `cec cp`.

use crate::commands::shared::relocate::{self, Operation};
use crate::commands::verb::{Complaint, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use clap::error::ErrorKind;

/// Arguments of `cec cp`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "cec cp [OPTIONS] <SRC>... <DST>",
    after_help = "The server copies by itself; no content passes through this machine. A target that is a folder or \
    ends in / receives the sources under their own names; otherwise it is the new name of the single source. \
    Nothing is overwritten: if the name is taken, nothing starts (exit code 8).\n\nExamples:\n  \
    cec cp common-files/report.pdf common-files/archive/\n  cec cp common-files/a.txt common-files/b.txt\n  \
    cec cp 'common-files/*.pdf' personal-files/pdf/"
)]
pub struct Args {
    #[command(flatten)]
    common: relocate::Args,
    #[command(flatten)]
    _habit: crate::commands::shared::Habit,
}

impl Verb for Args {
    const ACTIVITY: &'static str = "checking the paths";
    const STOPS_ITSELF: bool = true;
    const FOREIGN: &'static [Foreign] = &[
        Foreign::new(
            "cec cp",
            &["-a", "--archive", "-p", "--preserve"],
            "--preserve keeps modification times of downloads",
        ),
        Foreign::new("cec cp", &["-t"], "-t is --token; the target is the last argument"),
        Foreign::new("cec cp", &["-u"], "-u is --url; 'cec cp' and 'cec mv' never replace an existing file"),
    ];
    const COMPLAINTS: &'static [Complaint] = &[Complaint {
        command: "cec cp",
        kinds: &[ErrorKind::TooFewValues, ErrorKind::WrongNumberOfValues],
        message: "a source and a target are required, but there is only one path",
    }];

    fn remote_paths(&self) -> RemotePaths<'_> {
        self.common.remote_paths()
    }

    /// Copies on the server.
    ///
    /// # Errors
    /// As [`relocate::run`].
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        relocate::run(ctx, self.common, Operation::Copy).await
    }
}

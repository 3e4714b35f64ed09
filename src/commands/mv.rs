//! `cec mv`.

use crate::commands::shared::relocate::{self, Operation};
use crate::commands::verb::{Complaint, Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use clap::error::ErrorKind;

/// Arguments of `cec mv`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "cec mv [OPTIONS] <SRC>... <DST>",
    after_help = "A target that is a folder or ends in / receives the sources under their own names; otherwise it is \
    the new name of the single source. Nothing is overwritten: if the name is taken, nothing starts (exit code \
    8).\n\nExamples:\n  cec mv common-files/report.pdf common-files/archive/\n  \
    cec mv common-files/draft.txt common-files/final.txt\n  cec mv 'common-files/2030-*' common-files/2030/"
)]
pub struct Args {
    #[command(flatten)]
    common: relocate::Args,
}

impl Verb for Args {
    const ACTIVITY: &'static str = "checking the paths";
    const STOPS_ITSELF: bool = true;
    const FOREIGN: &'static [Foreign] = &[
        Foreign::new("cec", &["move", "rename", "ren"], "'cec mv' moves and renames"),
        Foreign::new(
            "cec mv",
            &["-r", "-R", "--recursive"],
            "folders always include their content; no option is \
            needed",
        ),
        Foreign::new("cec mv", &["-t"], "-t is --token; the target is the last argument"),
        Foreign::new("cec mv", &["-u"], "-u is --url; 'cec cp' and 'cec mv' never replace an existing file"),
    ];
    const COMPLAINTS: &'static [Complaint] = &[Complaint {
        command: "cec mv",
        kinds: &[ErrorKind::TooFewValues, ErrorKind::WrongNumberOfValues],
        message: "a source and a target are required, but there is only one path",
    }];

    fn remote_paths(&self) -> RemotePaths<'_> {
        self.common.remote_paths()
    }

    /// Moves on the server.
    ///
    /// # Errors
    /// As [`relocate::run`].
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        relocate::run(ctx, self.common, Operation::Move).await
    }
}

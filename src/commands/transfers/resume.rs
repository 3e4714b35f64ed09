//! `cec transfers resume`.

use clap::{Args as _, FromArgMatches as _};

use super::{Selected, ls};
use crate::commands::scp;
use crate::commands::shared::operands::Operands;
use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use cells_client::hash::MEBIBYTE;
use cells_client::transfer::journal::{State, Unfinished};

/// Arguments of `cec transfers resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Each transfer runs as 'cec scp' does, one after the other. What can no longer be resumed, \
    because the file has changed or too much time has passed, starts from the beginning.\n\nExamples:\n  \
    cec transfers resume 3f2a9c41d07b\n  cec transfers resume --all")]
pub struct Args {
    #[command(flatten)]
    selected: Selected,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const STOPS_ITSELF: bool = true;

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Resumes unfinished transfers.
    ///
    /// # Errors
    /// The command cannot continue. Failures of single operands are reported and counted.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let (_, found) = self.selected.find(ctx).await?;
        let mut operands = Operands::new(&ctx.ui);
        for unfinished in found {
            let resumed = match unfinished {
                Ok(unfinished) => command(&unfinished)?.run(ctx).await,
                Err(error) => Err(error),
            };
            match resumed {
                Ok(Outcome::Failed(kind)) => operands.silent(kind),
                other => operands.take(other.map(|_| ()))?,
            }
        }
        Ok(operands.outcome())
    }
}

/// Returns the arguments of `cec scp` that continue a transfer.
fn command(unfinished: &Unfinished) -> Result<scp::Args, CliError> {
    let mut words = vec!["scp".into(), "--no-glob".into()];
    let (local, remote) = (unfinished.header.local.clone().into_os_string(), ls::remote(unfinished).into());
    let replaces = match &unfinished.header.state {
        State::Upload { part_size, replaces, .. } => {
            words.push(format!("--part-size={}", part_size / MEBIBYTE).into());
            words.push("--multipart-threshold=0".into());
            words.extend([local, remote]);
            replaces
        }
        State::Download { replaces, .. } => {
            words.extend([remote, local]);
            replaces
        }
    };
    if *replaces {
        words.insert(1, "--force".into());
    }
    let matches = scp::Args::augment_args(clap::Command::new("scp")).try_get_matches_from(words);
    let args = matches.and_then(|matches| scp::Args::from_arg_matches(&matches));
    args.map_err(|error| CliError::new(Kind::Failure, format!("the transfer cannot be resumed: {error}")))
}

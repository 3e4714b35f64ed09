//! `cec doctor`: checks everything between a command and the server, step by step.

mod local;
mod report;
mod server;

use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use report::Report;

const EXAMPLES: &str = "\
Examples:
  cec doctor
  cec doctor --url https://files.example.com
  cec doctor --jq '.[] | select(.verdict == \"failed\") | .hint'";

const NOTES: &str = "\
Checks config.json, the system keyring, the account, the proxy, the name of the server, the connection, TLS, the \
server, the clocks, REST, the version, the S3 gateway and the websocket, and warns of unfinished transfers. It changes nothing on the server; it writes \
a test item to the keyring and removes it. With credentials from flags or environment, it uses neither config.json \
nor the keyring. Without an account, it checks what is visible without signing in.

The exit code is that of the first failed check; warnings count as 0.";

/// Arguments of `cec doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{NOTES}"))]
pub struct Args {}

impl Verb for Args {
    const ACTIVITY: &'static str = "checking";
    const FOREIGN: &'static [Foreign] = &[Foreign::new("cec", &["ping"], "'cec doctor' checks the connection")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Runs all checks, and prints the result and a hint for each.
    ///
    /// # Errors
    /// Settings contradict each other, files cannot be used, or standard output cannot be written. Failed checks are
    /// not an error but determine the outcome.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut report = Report::new(&ctx.ui);
        let subject = local::diagnose(ctx, &mut report).await?;
        local::unfinished_transfers(ctx, &mut report)?;
        server::diagnose(ctx, subject.as_ref(), &mut report).await?;
        report.finish()
    }
}

//! `cec doctor`: looks at all that stands between a command and the server, one thing after the other.

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
server, the clocks, REST, the version, the S3 gateway and the websocket. It changes nothing on the server; it writes \
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

    /// Looks at everything, and says of each thing how it is and what can be done.
    ///
    /// # Errors
    /// Settings that contradict each other, files that cannot be used; standard output takes no more. What is found is no
    /// error: the outcome tells it.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let mut report = Report::new(&ctx.ui);
        let subject = local::diagnose(ctx, &mut report).await?;
        server::diagnose(ctx, subject.as_ref(), &mut report).await?;
        report.finish()
    }
}

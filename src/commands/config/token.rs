//! `cec config token`.

use std::time::Duration;

use serde::Serialize;

use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};

/// Arguments of `cec config token`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  curl -H \"Authorization: Bearer $(cec config token)\" $URL/a/tree/stat/personal-files\n  cec config token --profile alice@files.example.com:443"
)]
pub struct Args {
    /// Minimum remaining lifetime, if the server's tokens live that long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = crate::settings::parse_duration)]
    min_life: Duration,
}

/// A valid token.
#[derive(Debug, Serialize)]
struct Record {
    token: String,
    url: String,
    expires_at: Option<String>,
}

impl Verb for Args {
    const FOREIGN: &'static [Foreign] = &[Foreign::new(
        "cec",
        &["token", "tokens"],
        "'cec config token' prints a token, 'cec configure token' signs in with one",
    )];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Prints a valid token, renewed if necessary.
    ///
    /// # Errors
    /// Nobody is signed in, or the credentials have expired.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let account = ctx.account().await?;
        let tokens = &ctx.sender().await?.tokens;
        let token = super::good_token(ctx, self.min_life).await?;
        let expires_at = tokens.expires_at().map(|end| end.to_string());
        // This is the only command whose result is a secret.
        if ctx.ui.is_json() {
            let record = Record { token: token.expose().to_owned(), url: account.url.to_string(), expires_at };
            ctx.ui.json_document(&record)?;
        } else {
            ctx.ui.line(token.expose())?;
        }
        // Ending the session with this program would invalidate the printed token.
        tokens.keep();
        Ok(Outcome::Done)
    }
}

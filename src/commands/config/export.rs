//! `cec config export`: the account in use as a configuration of other programs. docs/other-clients.md describes what
//! they can do.

use std::time::Duration;

use serde::Serialize;

use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::shell::quoted;
use cells_client::account::Credentials;

/// The minimum remaining life of the exported token, if the server's tokens live that long.
const LIFE: Duration = Duration::from_secs(300);

/// Arguments of `cec config export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        cec config export --rclone >> ~/.config/rclone/rclone.conf\n  \
        cec config export --aws >> ~/.aws/config\n  \
        eval \"$(cec config export --s5cmd)\"")]
pub struct Args {
    #[command(flatten)]
    format: Format,
}

/// The program to export for.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Format {
    /// Remote named cells, for rclone.conf
    #[arg(long)]
    rclone: bool,
    /// Profile named cells, for ~/.aws/config
    #[arg(long)]
    aws: bool,
    /// Variables for s5cmd, in shell syntax
    #[arg(long)]
    s5cmd: bool,
}

/// A configuration with a token.
#[derive(Debug, Serialize)]
struct Record {
    program: &'static str,
    configuration: String,
    url: String,
    /// When the token expires, if known.
    expires_at: Option<String>,
}

impl Verb for Args {
    const FOREIGN: &'static [Foreign] = &[Foreign::new(
        "cec",
        &["mount", "serve"],
        "'cec config export --rclone' prints a configuration for rclone, which can mount and serve",
    )];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Prints the account in use as a configuration of another program.
    ///
    /// # Errors
    /// Nobody is signed in, or the credentials have expired.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let account = ctx.account().await?;
        let tokens = &ctx.sender().await?.tokens;
        let token = super::good_token(ctx, LIFE).await?;
        let (url, token) = (account.url.origin(), token.expose());
        let (program, text) = match self.format {
            Format { rclone: true, .. } => ("rclone", rclone(url, token)),
            Format { aws: true, .. } => ("aws", aws(url, token)),
            Format { .. } => ("s5cmd", s5cmd(url, token)),
        };
        if ctx.ui.is_json() {
            let expires_at = tokens.expires_at().map(|end| end.to_string());
            ctx.ui.json_document(&Record { program, configuration: text, url: url.to_owned(), expires_at })?;
        } else {
            ctx.ui.lines(&text)?;
        }
        tokens.keep();
        ctx.ui.status("the bucket is io; a key starts with the workspace: io/personal-files/folder/file");
        if !matches!(account.credentials, Credentials::Token(_)) {
            let end = tokens.expires_at().map(|end| format!(" at {}", ctx.ui.time(end))).unwrap_or_default();
            ctx.ui.warn(&format!("the token in it expires{end}: use a personal access token, which lasts longer"));
        }
        Ok(Outcome::Done)
    }
}

fn rclone(url: &str, token: &str) -> String {
    format!(
        "# A folder ends with a slash: cells:io/WORKSPACE/FOLDER/\n[cells]\ntype = s3\nprovider = Other\naccess_key_id = {token}\nsecret_access_key = gatewaysecret\n\
         region = us-east-1\nendpoint = {url}\nforce_path_style = true\nno_check_bucket = true\n\
         list_chunk = 1000000\nlist_url_encode = true\nupload_cutoff = 5G\n"
    )
}

fn aws(url: &str, token: &str) -> String {
    format!(
        "[profile cells]\naws_access_key_id = {token}\naws_secret_access_key = gatewaysecret\nregion = us-east-1\n\
         endpoint_url = {url}\nrequest_checksum_calculation = when_required\n\
         response_checksum_validation = when_required\ns3 =\n  addressing_style = path\n  \
         payload_signing_enabled = false\n  multipart_threshold = 50MB\n  multipart_chunksize = 50MB\n"
    )
}

fn s5cmd(url: &str, token: &str) -> String {
    format!(
        "export AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY=gatewaysecret\nexport AWS_REGION=us-east-1\n\
         export S3_ENDPOINT_URL={}\n",
        quoted(token),
        quoted(url)
    )
}

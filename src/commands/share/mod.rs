//! `cec share`: public links.

mod create;
mod edit;
mod ls;
mod options;
mod rm;
pub(super) mod show;
mod target;

use crate::commands::verb::{About, Choice, Idioms, OtherPassword, verbs};
use crate::context::Ctx;
use crate::env::Environment;
use crate::error::{CliError, Outcome};
use cells_client::api::share::Link;
use cells_client::path::RemotePath;

/// Arguments of `cec share`: those of a new link, or one of its commands.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verbs>,
    #[command(flatten)]
    create: create::Args,
}

impl Choice for Args {
    fn about(&self) -> About<'_> {
        self.verb.as_ref().map_or_else(|| self.create.about(), Choice::about)
    }

    fn wants_log(&self, environment: &Environment) -> Result<bool, CliError> {
        match &self.verb {
            Some(verb) => verb.wants_log(environment),
            None => Choice::wants_log(&self.create, environment),
        }
    }

    fn collect_idioms(idioms: &mut Idioms) {
        create::Args::collect_idioms(idioms);
        Verbs::collect_idioms(idioms);
    }

    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        match self.verb {
            Some(verb) => verb.run(ctx).await,
            None => Choice::run(self.create, ctx).await,
        }
    }
}

/// The password of the link in question.
const LINK_PASSWORD: OtherPassword =
    OtherPassword { owner: "the link's", hint: "use --password-stdin to set the link's password" };

verbs! {
    /// The commands of `cec share`.
    pub enum Verbs {
        /// List public links
        #[command(alias = "list")]
        Ls(ls::Args),
        /// Show all details of a public link
        Show(show::Args),
        /// Change a public link
        Edit(edit::Args),
        /// Remove public links
        Rm(rm::Args),
    }
}

/// What these commands do until they print something.
const ACTIVITY: &str = "requesting public links";

/// Returns the URL of a link. If the server does not know its own address, it reports only the path.
async fn url(ctx: &Ctx, link: &Link) -> Result<String, CliError> {
    if link.url.contains("://") {
        return Ok(link.url.clone());
    }
    let url = ctx.account().await?.url.at(&format!("/{}", link.url.trim_start_matches('/')))?;
    Ok(url.to_string())
}

/// The paths of shared nodes by UUID.
type Places = std::collections::HashMap<String, RemotePath>;

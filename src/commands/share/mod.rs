//! `cec share`: public links.

mod edit;
mod ls;
mod options;
mod rm;
pub(super) mod show;
mod target;

use clap::Subcommand;

use crate::api::share::Link;
use crate::api::{ApiError, ApiErrorKind};
use crate::commands::shared::nodes;
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use crate::path::RemotePath;
use crate::walk::glob::Reading;
use options::{Common, Flags};

/// Arguments of `cec share`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Prints the URL of a new link each time. Without options visitors may look at what it opens and download \
    it, as often as they like and for ever. A workspace that is called like one of the commands is written with its \
    prefix: 'cec share cells://ls/file'.\n\nExamples:\n  cec share common-files/report.pdf\n  \
    cec share common-files/drop --upload --no-download --expire 7d\n  \
    cec share common-files/report.pdf --password-stdin < password.txt"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// A file or folder on the server
    #[arg(value_name = "PATH", required = true)]
    path: Option<String>,
    #[command(flatten)]
    common: Common,
    /// The last part of the URL: at least 12 letters, digits, - and _
    #[arg(long, value_name = "TEXT")]
    slug: Option<String>,
}

impl Args {
    /// The command of `cec share` that it is; `None` where a link is made.
    pub fn verb(&self) -> Option<&Verb> {
        self.verb.as_ref()
    }
}

/// The commands of `cec share`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List public links
    #[command(alias = "list")]
    Ls(ls::Args),
    /// Show all that is known of a public link
    Show(show::Args),
    /// Change a public link
    Edit(edit::Args),
    /// Remove public links
    Rm(rm::Args),
}

/// Makes a public link, or runs a command of `cec share`.
///
/// # Errors
/// [`crate::error::Kind::Usage`] for options that do not fit, before anything is sent; any failure of a call.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    match arguments.verb {
        Some(Verb::Ls(arguments)) => ls::run(ctx, arguments).await,
        Some(Verb::Show(arguments)) => show::run(ctx, arguments).await,
        Some(Verb::Edit(arguments)) => edit::run(ctx, arguments).await,
        Some(Verb::Rm(arguments)) => rm::run(ctx, arguments).await,
        None => create(ctx, arguments).await,
    }
}

async fn create(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let typed = arguments.path.unwrap_or_default();
    let path = nodes::parse(ctx, &typed)?;
    if path.is_root() || path.is_workspace() {
        let message = format!("'{path}' is a whole workspace, which is not shared by a link");
        let hint = "share a folder in it; the commands of share are ls, show, edit and rm";
        return Err(nodes::refuse_workspace(&path, message, Some(hint.to_owned())));
    }
    let mut flags = Flags { is_new: true, is_folder: true, ..Flags::default() };
    arguments.common.check(&flags)?;
    options::check_slug(arguments.slug.as_deref())?;
    let literal = Reading { literal: true, ..Reading::default() };
    let node = nodes::to_change(ctx, &path, literal).await?.remove(0);
    flags.is_folder = node.is_folder();
    let mut wish = arguments.common.wish(None, &flags).map_err(|error| error.about(&node.path))?;
    wish.new_password = arguments.common.password(ctx).await?;
    if wish.label.is_empty() {
        wish.label = node.name().to_owned();
    }
    let during = |error: CliError| error.during(format!("sharing {}", node.path)).about(&node.path);
    let api = ctx.api().await?;
    let mut link = api.create_link(&node.uuid, &wish).await.map_err(|error| during(error.into()))?;
    if let Some(slug) = arguments.slug {
        let renamed = api.rename_new_link(&link, slug.clone()).await;
        link = renamed.map_err(|error| during(taken(error, &slug)))?;
    }
    if ctx.ui.is_json() {
        ctx.ui.json_document(&show::record(ctx, &link, Some(&node.path)).await?)?;
    } else {
        ctx.ui.line(&url(ctx, &link).await?)?;
    }
    Ok(Outcome::Done)
}

/// A last part of a URL that another link has.
fn taken(error: ApiError, slug: &str) -> CliError {
    let is_taken = error.kind == ApiErrorKind::Conflict;
    let error = CliError::from(error);
    if !is_taken {
        return error;
    }
    let message = format!("another link has the URL that ends in '{slug}'");
    CliError { message, ..error }.hint("choose another --slug, or none")
}

/// The URL of a link. The server gives only its path where it knows no address of its own.
async fn url(ctx: &Ctx, link: &Link) -> Result<String, CliError> {
    if link.url.contains("://") {
        return Ok(link.url.clone());
    }
    let url = ctx.account().await?.url.at(&format!("/{}", link.url.trim_start_matches('/')))?;
    Ok(url.to_string())
}

/// Where the nodes of links are, by UUID.
type Places = std::collections::HashMap<String, RemotePath>;

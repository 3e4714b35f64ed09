//! `cec share PATH`: creates a public link.

use super::options::{Common, Flags};
use super::{options, show, url};
use crate::commands::shared::nodes;
use crate::commands::verb::{Completion, Foreign, OtherPassword, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Outcome};
use cells_client::failure::{ServerError, ServerErrorKind};
use cells_client::walk::glob::Reading;

/// The hint for an unexpected word before or after the path.
const MAKE_LINK: &str = "to make a link: cec share [OPTIONS] <PATH>";

/// Arguments of `cec share` that make a link.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(
    after_help = "Makes a new link each time and prints its URL. By default, visitors may view and download, without \
    limit and without expiry. If a workspace has the name of a subcommand, write the prefix: \
    'cec share cells://ls/file'.\n\nExamples:\n  cec share common-files/report.pdf\n  \
    cec share common-files/drop --upload --no-download --expire 7d\n  \
    cec share common-files/report.pdf --password-stdin < password.txt"
)]
pub(super) struct Args {
    /// File or folder on the server
    #[arg(value_name = "PATH", value_hint = Completion::Remote, required = true)]
    path: Option<String>,
    #[command(flatten)]
    common: Common,
    /// Last part of the URL: at least 12 letters, digits, - and _
    #[arg(long, value_name = "TEXT")]
    slug: Option<String>,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const FOREIGN: &'static [Foreign] = &[
        Foreign::new("cec share", &["create", "add", "make", "new"], MAKE_LINK),
        Foreign::new("cec share", &[], MAKE_LINK),
    ];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::OfAccount
    }

    fn other_password(&self) -> Option<OtherPassword> {
        Some(super::LINK_PASSWORD)
    }

    /// Creates a public link.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] if the options are not valid, before anything is sent; any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let typed = self.path.unwrap_or_default();
        let path = nodes::parse(ctx, &typed)?;
        if path.is_root() || path.is_workspace() {
            let message = format!("'{path}' is a workspace, which a link cannot share");
            let hint = "share a folder in it; the commands of share are ls, show, edit and rm";
            return Err(nodes::refuse_workspace(&path, message, Some(hint.to_owned())));
        }
        let mut flags = Flags { is_new: true, is_folder: true, ..Flags::default() };
        self.common.check(&flags)?;
        options::check_slug(self.slug.as_deref())?;
        let literal = Reading { literal: true, ..Reading::default() };
        let node = nodes::resolve_exactly(ctx, &path, literal).await?.remove(0);
        flags.is_folder = node.is_folder();
        let mut wish = self.common.wish(None, &flags).map_err(|error| error.about(&node.path))?;
        wish.new_password = self.common.password(ctx).await?;
        if wish.label.is_empty() {
            wish.label = node.name().to_owned();
        }
        let during = |error: CliError| error.during(format!("sharing {}", node.path)).about(&node.path);
        let api = ctx.api().await?;
        let mut link = api.create_link(&node.uuid, &wish).await.map_err(|error| during(error.into()))?;
        if let Some(slug) = self.slug {
            let renamed = api.rename_new_link(&link, slug.clone()).await;
            link = renamed.map_err(|error| during(slug_in_use(error, &slug)))?;
        }
        if ctx.ui.is_json() {
            ctx.ui.json_document(&show::record(ctx, &link, Some(&node.path)).await?)?;
        } else {
            ctx.ui.line(&url(ctx, &link).await?)?;
        }
        Ok(Outcome::Done)
    }
}

/// Creates the error for the last part of a URL that another link uses.
pub(super) fn slug_in_use(error: ServerError, slug: &str) -> CliError {
    let is_taken = error.kind == ServerErrorKind::Conflict;
    let error = CliError::from(error);
    if !is_taken {
        return error;
    }
    let message = format!("another link already has the URL that ends in '{slug}'");
    CliError { message, ..error }.hint("choose another --slug, or omit it")
}

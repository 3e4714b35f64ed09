//! `cec share edit`.

use secrecy::SecretString;

use super::options::{Common, Flags, check_slug};
use super::{show, target};
use crate::commands::shared::edits;
use crate::commands::verb::{Foreign, OtherPassword, RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use cells_client::api::NodeKind;
use cells_client::api::share::{Link, Permission};
use cells_client::failure::ServerErrorKind;

/// Arguments of `cec share edit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Settings without an option stay unchanged.\n\nExamples:\n  \
    cec share edit common-files/report.pdf --expire 30d\n  \
    cec share edit 1f0c6a3b9d20 --no-download --no-password")]
pub struct Args {
    /// Link: its URL, the last part of it, its UUID, or the shared path
    #[arg(value_name = "LINK")]
    link: String,
    #[command(flatten)]
    common: Common,
    /// Remove the password
    #[arg(long, conflicts_with = "password_stdin")]
    no_password: bool,
    /// Last part of the URL: at least 12 letters, digits, - and _
    #[arg(long, value_name = "TEXT")]
    slug: Option<String>,
}

impl Verb for Args {
    const ACTIVITY: &'static str = super::ACTIVITY;
    const FOREIGN: &'static [Foreign] =
        &[Foreign::new("cec share", &["update", "set", "change"], "'cec share edit' changes a link")];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::OfAccount
    }

    fn other_password(&self) -> Option<OtherPassword> {
        Some(super::LINK_PASSWORD)
    }

    /// Changes a public link.
    ///
    /// # Errors
    /// [`Kind::Usage`] if the options are not valid, before anything is sent; any failure of a call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        if self.common.is_empty() && !self.no_password && self.slug.is_none() {
            return Err(CliError::new(Kind::Usage, "nothing to change").hint("see 'cec share edit --help'"));
        }
        let mut flags = Flags { is_new: false, is_folder: true, drop_password: self.no_password };
        self.common.check(&flags)?;
        check_slug(self.slug.as_deref())?;
        let (link, path) = target::find_one(ctx, &self.link).await?;
        flags.is_folder = opens_a_folder(ctx, &link, &self.link).await?;
        self.common.wish(Some(&link), &flags)?;
        let password = self.common.password(ctx).await?;
        let changed = change(ctx, &link, &self, &flags, password).await?;
        if ctx.ui.is_json() {
            ctx.ui.json_document(&show::record(ctx, &changed, path.as_ref()).await?)?;
        } else {
            ctx.ui.status(&format!("changed {}", super::url(ctx, &changed).await?));
        }
        Ok(Outcome::Done)
    }
}

/// Changes a link until the change persists.
async fn change(
    ctx: &Ctx,
    link: &Link,
    arguments: &Args,
    flags: &Flags,
    password: Option<SecretString>,
) -> Result<Link, CliError> {
    let api = ctx.api().await?;
    let during = |error: CliError| error.during(format!("changing the link {}", link.hash)).about(&arguments.link);
    let mut is_sent = false;
    edits::keep(async || {
        let now = api.link(&link.uuid).await.map_err(|error| during(error.into()))?;
        let mut wish = arguments.common.wish(Some(&now), flags)?;
        wish.hash = arguments.slug.clone().filter(|slug| *slug != now.hash);
        // The server never reports the password, only whether the link has one.
        wish.new_password = password.clone().filter(|_| !is_sent || !now.password);
        if wish.changes_nothing(&now) {
            return Ok(Some(now));
        }
        is_sent = true;
        match (api.update_link(&now, &wish).await, &wish.hash) {
            // Somebody else is writing the link at the same moment.
            (Err(error), None) if error.kind == ServerErrorKind::Conflict => {}
            (result, slug) => {
                let slug = slug.as_deref().unwrap_or_default();
                result.map_err(|error| during(super::create::slug_in_use(error, slug)))?;
            }
        }
        Ok(None)
    })
    .await
}

/// Whether visitors could upload: they already can, or the link opens a folder. The link itself does not show that, so
/// if the node cannot be found it counts as a folder.
async fn opens_a_folder(ctx: &Ctx, link: &Link, typed: &str) -> Result<bool, CliError> {
    if link.permissions.contains(&Permission::Upload) {
        return Ok(true);
    }
    let api = ctx.api().await?;
    let during = |error| CliError::from(error).during(format!("checking what {typed} opens"));
    let all = api.links().await.map_err(during)?;
    let roots: Vec<_> = all.into_iter().filter(|one| one.uuid == link.uuid).flat_map(|one| one.roots).collect();
    let places = api.locate(&roots).await.map_err(during)?;
    let paths: Vec<_> = places.into_iter().map(|(_, path)| path).collect();
    let nodes = api.stat_many(&paths).await.map_err(during)?;
    Ok(nodes.iter().all(|node| node.kind != NodeKind::File))
}

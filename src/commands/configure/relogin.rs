//! Sign-in to a stored account.

use super::{Subject, credentials, finish, flags, sign_in};
use crate::context::{Ctx, Destination};
use crate::error::{CliError, Outcome};
use crate::settings::{WithOrigin, parse_url};

/// The stored account, without its secret.
#[derive(Debug)]
pub(crate) struct Known {
    /// The server.
    pub(crate) url: String,
    /// The user; empty if the older client did not know it.
    pub(crate) user: String,
    /// The type as stored.
    pub(crate) kind: String,
    /// Whether any certificate is accepted for the server.
    pub(crate) skip_verify: bool,
    /// The headers for all requests.
    pub(crate) headers: Vec<(String, String)>,
}

impl Known {
    /// Whether the account belongs to this user, or its user is unknown.
    pub(super) fn is_of(&self, login: &str) -> bool {
        self.user.is_empty() || self.user == login
    }
}

/// Signs in again to a stored account: with credentials from options and environment, otherwise as the user answers on
/// a terminal, otherwise in the same way as before.
///
/// # Errors
/// As `cec configure`; the credentials belong to another user.
pub(crate) async fn relogin(ctx: &Ctx, known: Known, no_browser: bool) -> Result<Outcome, CliError> {
    let url = WithOrigin::flag(parse_url(&known.url)?, "the account");
    flags::refuse_other_login(ctx, &known)?;
    let before = flags::way_of(&known.kind, no_browser);
    let way = if no_browser { before.clone() } else { flags::way_to(ctx, &url, &known) };
    if !ctx.ui.can_ask() {
        let way = way.as_ref().or(before.as_ref());
        flags::refuse_to_ask(ctx, true, way, !known.user.is_empty())?;
    }
    let http = ctx.http(Destination::Account(&url.value), known.skip_verify, &known.headers)?;
    sign_in::check_server(ctx, &http, &url.value, known.skip_verify).await?;
    let way = match (way, before) {
        (Some(way), _) => way,
        (None, Some(before)) if !ctx.ui.can_ask() => before,
        (None, before) => credentials::ask_way(ctx, before.as_ref()).await?,
    };
    let login = Some(known.user.clone()).filter(|user| !user.is_empty());
    let login = login.or_else(|| ctx.settings.account.login.as_ref().map(|login| login.value.clone()));
    finish(ctx, &http, &Subject { url, login, known: Some(known) }, &way).await
}

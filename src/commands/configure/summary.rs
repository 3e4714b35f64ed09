//! The summary after an account was stored.

use jiff::Timestamp;
use serde::Serialize;

use crate::context::Ctx;
use crate::error::CliError;
use cells_client::account::{Account, Credentials, TokenPair};
use cells_client::api::frontend::{ServerInfo, User};
use cells_client::store::{Place, Saved};

/// The stored account.
#[derive(Debug, Serialize)]
struct Record {
    account_id: String,
    user: String,
    url: String,
    credentials: &'static str,
    stored_in: String,
    /// When the credentials expire, if known and if they do not renew themselves.
    expires_at: Option<String>,
    /// Whether the credentials renew themselves.
    renews: bool,
}

/// Prints who is signed in where, for how long, and where the secret is stored.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn print(
    ctx: &Ctx,
    account: &Account,
    user: &User,
    server: &ServerInfo,
    saved: &Saved,
) -> Result<(), CliError> {
    let (kind, name) = match &account.credentials {
        Credentials::Password { .. } => ("password", "password"),
        Credentials::Token(_) => ("token", "token"),
        Credentials::OAuth { .. } => ("oauth", "session"),
    };
    let (lasts, expires_at, renews) = life(&account.credentials);
    let version = match (&server.product, &server.version) {
        (Some(product), Some(version)) => format!(" ({product} {version})"),
        (Some(text), None) => format!(" ({text})"),
        (None, Some(version)) => format!(" (Cells {version})"),
        (None, None) => String::new(),
    };
    ctx.ui.status(&format!("signed in as {} on {}{version}", user.login, account.url));
    ctx.ui.status(&lasts);
    if let Place::File(path) = &saved.place {
        let why = saved.no_keyring.as_ref().map(|reason| format!("; there is no system keyring ({reason})"));
        let (path, why) = (path.display(), why.unwrap_or_default());
        ctx.ui.warn(&format!("the {name} is stored in clear text in {path}, which only you can read{why}"));
    }
    if user.must_change_password {
        ctx.ui.warn(&format!("the server requires {} to change the password in a browser", user.login));
    }
    if let Some(file) = &ctx.settings.connection.ca_cert {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        ctx.ui.hint(format!(
            "the certificate authority is not stored: set CEC_CA_CERT={} from now on, or add --ca-cert",
            file.display()
        ));
    }
    ctx.ui.hint("try: cec ls");
    if ctx.ui.is_json() {
        ctx.ui.json_document(&Record {
            account_id: saved.id.clone(),
            user: user.login.clone(),
            url: account.url.to_string(),
            credentials: kind,
            stored_in: saved.place.to_string(),
            expires_at: expires_at.map(|end| end.to_string()),
            renews,
        })?;
    }
    Ok(())
}

/// Returns how long credentials last: in words, as a time, and whether they renew themselves.
fn life(credentials: &Credentials) -> (String, Option<Timestamp>, bool) {
    let (words, end, renews) = match credentials {
        Credentials::OAuth(TokenPair { refresh: Some(_), .. }) => (
            "the session renews itself; it expires after 60 days without use (the server may set another limit)",
            None,
            true,
        ),
        Credentials::OAuth(TokenPair { refresh: None, expires_at, .. }) => {
            let end = expires_at.and_then(|seconds| Timestamp::from_second(seconds).ok());
            ("the token cannot be renewed; such tokens usually expire after ten minutes", end, false)
        }
        Credentials::Token(_) => ("the token expires at the time that its creator set", None, false),
        Credentials::Password { .. } => (
            "this server does not exchange the password for a session that renews itself: every run signs in",
            None,
            true,
        ),
    };
    (words.to_owned(), end, renews)
}

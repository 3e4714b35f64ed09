//! Checking credentials on the server, and storing them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::credentials::Obtained;
use crate::account::{Account, Credentials, ServerUrl};
use crate::api::frontend::{self, ServerInfo, User};
use crate::api::{ApiError, Client};
use crate::auth::oauth::OAuth;
use crate::auth::oauth::loopback::Farewell;
use crate::auth::{Sender, TokenSource};
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::http::Http;
use crate::store::{Place, Saved};

/// How long the end of the trial session may keep the program.
const FAREWELL: Duration = Duration::from_secs(2);

/// The account that was stored.
#[derive(Debug, Serialize)]
struct Record {
    account_id: String,
    user: String,
    url: String,
    credentials: &'static str,
    stored_in: String,
    /// When the credentials end where that is known and they do not renew themselves.
    expires_at: Option<String>,
    /// Whether they renew themselves.
    renews: bool,
}

/// Who is signed in, and where.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) login: String,
    pub(super) url: ServerUrl,
}

/// Checks that a Cells server answers, before any secret is asked for or sent.
///
/// # Errors
/// Nothing answers, or not a Cells server.
pub(super) async fn check_server(ctx: &Ctx, http: &Http, url: &ServerUrl) -> Result<(), CliError> {
    frontend::probe(http, url).await.map_err(|error| CliError::from(error).during(format!("checking {url}")))?;
    ctx.warn_of_plain_http(url);
    if ctx.settings.connection.skip_verify == Some(true) {
        ctx.ui.warn(&format!("the certificate of {url} is not checked, now and later; --ca-cert would be safer"));
    }
    Ok(())
}

/// Finds out whose credentials they are, and stores the account as the active one. Gives back the browser that waits to
/// hear of it.
pub(super) async fn sign_in(
    ctx: &Ctx,
    http: &Http,
    url: ServerUrl,
    obtained: Obtained,
) -> (Result<SignedIn, CliError>, Option<Farewell>) {
    let Obtained { credentials, farewell } = obtained;
    let account = Account { url, login: None, credentials, stored_id: None };
    let result = settle(ctx, http, &account).await;
    if result.is_err() {
        forget(http, &account).await;
    }
    (result, farewell)
}

/// # Errors
/// Credentials that are refused, or are those of another user than `--login` says; a file that cannot be written.
async fn settle(ctx: &Ctx, http: &Http, account: &Account) -> Result<SignedIn, CliError> {
    ctx.keep_secrets(&account.credentials);
    let (user, server) = ask(http, account).await?;
    let (whose, sends_login) = match &account.credentials {
        Credentials::Token(_) => ("the token is that of", false),
        Credentials::OAuth { .. } => ("this signed in", false),
        Credentials::Password { .. } => ("the password is that of", true),
    };
    let expected = ctx.settings.account.login.as_ref().filter(|_| !sends_login);
    if let Some(expected) = expected.filter(|expected| expected.value != user.login) {
        let message = format!("{whose} {}, but {} says {}", user.login, expected.name, expected.value);
        return Err(
            CliError::new(Kind::Usage, message).hint("nothing was stored; leave the login name out, or correct it")
        );
    }
    let skip_verify = ctx.settings.connection.skip_verify.unwrap_or(false);
    let saved = ctx.save_account(account, &user.login, skip_verify).await?;
    tell(ctx, account, &user, &server, &saved)?;
    Ok(SignedIn { login: user.login, url: account.url.clone() })
}

/// Ends a session that was just opened and that nothing will come of.
async fn forget(http: &Http, account: &Account) {
    if let Credentials::OAuth { refresh: Some(refresh), .. } = &account.credentials {
        let oauth = OAuth::new(http.clone(), account.url.clone());
        if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, oauth.revoke(refresh)).await {
            tracing::debug!(%error, "the new session could not be ended");
        }
    }
}

/// Asks the server who the credentials belong to.
async fn ask(http: &Http, account: &Account) -> Result<(User, ServerInfo), CliError> {
    let tokens = TokenSource::new(http.clone(), account);
    let sender = Arc::new(Sender::new(http.clone(), account.url.clone(), tokens));
    let client = Client::new(Arc::clone(&sender));
    let user = client.user().await;
    // The version is a courtesy: where the server does not tell it, all else still stands.
    let server = match &user {
        Ok(Some(_)) => client.server_info().await.unwrap_or_default(),
        _ => ServerInfo::default(),
    };
    // A server that does not answer must not keep the program.
    let _ = tokio::time::timeout(FAREWELL, sender.tokens.close()).await;
    let during = |error: ApiError| CliError::from(error).during(format!("signing in on {}", account.url));
    let user = user.map_err(during)?.ok_or_else(|| {
        CliError::new(Kind::Auth, format!("{} does not accept this {}", account.url, account.credentials.kind()))
            .hint("it may have ended, or belong to another server; nothing was stored")
    })?;
    Ok((user, server))
}

fn tell(ctx: &Ctx, account: &Account, user: &User, server: &ServerInfo, saved: &Saved) -> Result<(), CliError> {
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
        ctx.ui.warn(&format!("the {name} is kept in clear text in {path}, which only you can read{why}"));
    }
    if user.must_change_password {
        ctx.ui.warn(&format!("the server wants {} to change the password, in a browser", user.login));
    }
    if let Some(file) = &ctx.settings.connection.ca_cert {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        ctx.ui.hint(&format!(
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

/// How long credentials last: in words, as a time, and whether they renew themselves.
fn life(credentials: &Credentials) -> (String, Option<Timestamp>, bool) {
    let (words, end, renews) = match credentials {
        Credentials::OAuth { refresh: Some(_), .. } => {
            ("the session renews itself; unused for 60 days (the server may have another limit) it ends", None, true)
        }
        Credentials::OAuth { refresh: None, expires_at, .. } => {
            let end = expires_at.and_then(|seconds| Timestamp::from_second(seconds).ok());
            ("the token cannot be renewed; servers let such tokens live for ten minutes", end, false)
        }
        Credentials::Token(_) => ("the token lasts as long as whoever made it has set", None, false),
        Credentials::Password { .. } => {
            ("this server exchanges no password for a session that renews itself: every run logs in", None, true)
        }
    };
    (words.to_owned(), end, renews)
}

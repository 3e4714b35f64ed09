//! Checks credentials on the server and stores them.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::credentials::Obtained;
use super::{Subject, summary};
use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::ui::prompt::Consent;
use cells_client::account::{Account, Credentials, ServerUrl, TokenPair};
use cells_client::api::Client;
use cells_client::api::frontend::{self, ServerInfo, User};
use cells_client::auth::oauth::OAuth;
use cells_client::auth::oauth::loopback::WaitingBrowser;
use cells_client::auth::{Sender, TokenSource};
use cells_client::failure::ServerError;
use cells_client::http::Http;

/// How long ending the trial session may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// The signed-in user, and the account.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) login: String,
    pub(super) url: ServerUrl,
}

/// Checks that a Cells server answers, before any secret is requested or sent.
///
/// # Errors
/// There is no answer, or it is not from a Cells server.
pub(super) async fn check_server(
    ctx: &Ctx,
    http: &Http,
    url: &ServerUrl,
    stored_skip_verify: bool,
) -> Result<(), CliError> {
    ctx.warn_of_skip_verify(url, stored_skip_verify);
    frontend::probe(http, url).await.map_err(|error| CliError::from(error).during(format!("checking {url}")))?;
    ctx.warn_of_plain_http(url);
    Ok(())
}

/// Finds out whose credentials they are, and stores the account as the active one. Returns the browser that waits for
/// the result.
pub(super) async fn sign_in(
    ctx: &Ctx,
    http: &Http,
    subject: &Subject,
    obtained: Obtained,
) -> (Result<SignedIn, CliError>, Option<WaitingBrowser>) {
    let Obtained { credentials, farewell } = obtained;
    let account = Account { url: subject.url.value.clone(), login: None, credentials, stored_id: None };
    let result = store(ctx, http, subject, &account).await;
    if result.is_err() {
        forget(http, &account).await;
    }
    (result, farewell)
}

/// # Errors
/// The credentials are refused, or belong to another user than `--login` names; the file cannot be written.
async fn store(ctx: &Ctx, http: &Http, subject: &Subject, account: &Account) -> Result<SignedIn, CliError> {
    ctx.keep_secrets(&account.credentials);
    let (user, server) = ask(http, account).await?;
    let (whose, sends_login) = match &account.credentials {
        Credentials::Token(_) => ("the token belongs to", false),
        Credentials::OAuth { .. } => ("the browser signed in", false),
        Credentials::Password { .. } => ("the password belongs to", true),
    };
    let known = subject.known.as_ref();
    if let Some(known) = known.filter(|known| !known.user.is_empty() && known.user != user.login) {
        let message = format!("{whose} {}, but the account belongs to {}", user.login, known.user);
        let question = format!("{message}. Store it as another account?");
        if !ctx.ui.can_ask() || !ctx.ui.confirm(&question, Consent::Yes).await {
            return Err(CliError::new(Kind::Usage, message).hint("nothing was stored; 'cec configure' adds an account"));
        }
    }
    let expected = ctx.settings.account.login.as_ref().filter(|_| !sends_login && known.is_none());
    if let Some(expected) = expected.filter(|expected| expected.value != user.login) {
        let message = format!("{whose} {}, but {} says {}", user.login, expected.name, expected.value);
        return Err(CliError::new(Kind::Usage, message).hint("nothing was stored; omit or correct the login name"));
    }
    let stored_skip_verify = known.is_some_and(|known| known.skip_verify);
    let skip_verify = ctx.settings.connection.skip_verify.unwrap_or(stored_skip_verify);
    let saved = ctx.save_account(account, &user.login, skip_verify).await?;
    if let Some(replaced) = saved.replaced.as_ref().filter(|replaced| !shares_session(replaced, account)) {
        forget(http, replaced).await;
    }
    summary::print(ctx, account, &user, &server, &saved)?;
    Ok(SignedIn { login: user.login, url: account.url.clone() })
}

/// Whether ending the session of one account would end that of the other.
fn shares_session(one: &Account, other: &Account) -> bool {
    let token = |account: &Account| match &account.credentials {
        Credentials::OAuth(TokenPair { access, .. }) | Credentials::Token(access) => {
            Some(access.expose_secret().to_owned())
        }
        Credentials::Password { .. } => None,
    };
    one.url != other.url || token(one) == token(other)
}

/// Ends a session that nobody needs: one that was just opened in vain, or one that was replaced.
async fn forget(http: &Http, account: &Account) {
    if let Credentials::OAuth(TokenPair { refresh: Some(refresh), .. }) = &account.credentials {
        let oauth = OAuth::new(http.clone(), account.url.clone());
        if let Ok(Err(error)) = tokio::time::timeout(FAREWELL, oauth.revoke(refresh)).await {
            tracing::debug!(%error, "the session could not be ended");
        }
    }
}

/// Asks the server whose credentials they are.
async fn ask(http: &Http, account: &Account) -> Result<(User, ServerInfo), CliError> {
    let tokens = TokenSource::new(http.clone(), account);
    let sender = Arc::new(Sender::new(http.clone(), account.url.clone(), tokens));
    let client = Client::new(Arc::clone(&sender));
    let user = client.user().await;
    // The version is optional information. If the server does not report it, the sign-in still succeeds.
    let server = match &user {
        Ok(Some(_)) => client.server_info().await.unwrap_or_default(),
        _ => ServerInfo::default(),
    };
    // A server that does not answer must not block the program.
    let _ = tokio::time::timeout(FAREWELL, sender.tokens.close()).await;
    let during = |error: ServerError| CliError::from(error).during(format!("signing in to {}", account.url));
    let user = user.map_err(during)?.ok_or_else(|| {
        CliError::new(Kind::Auth, format!("{} does not accept this {}", account.url, account.credentials.kind()))
            .hint("it may be incomplete or expired, or belong to another server; nothing was stored")
    })?;
    Ok((user, server))
}

//! Obtains credentials: from options, from prompts, or from the server in exchange for a password.

use std::mem::discriminant;

use secrecy::{ExposeSecret as _, SecretString};

use super::flags::Way;
use super::sign_in::check_server;
use super::{Subject, browser};
use crate::context::{Ctx, Destination};
use crate::credentials::{read_password, read_token};
use crate::error::{CliError, Hint, Kind};
use crate::settings::{TokenOrigin, WithOrigin, parse_url};
use cells_client::account::{Credentials, ServerUrl, TokenPair};
use cells_client::auth::AuthError;
use cells_client::auth::oauth::OAuth;
use cells_client::auth::oauth::loopback::WaitingBrowser;
use cells_client::auth::oauth::password::SignedIn;
use cells_client::http::Http;

/// The number of attempts to type a password, a token or a code.
pub(super) const ATTEMPTS: u32 = 3;

/// Credentials that were not checked yet.
#[derive(Debug)]
pub(super) struct Obtained {
    pub(super) credentials: Credentials,
    /// The browser that waits for the result.
    pub(super) farewell: Option<WaitingBrowser>,
}

impl From<Credentials> for Obtained {
    fn from(credentials: Credentials) -> Self {
        Self { credentials, farewell: None }
    }
}

/// Obtains credentials in this way. Nothing is stored.
///
/// # Errors
/// A prompt was not answered, secrets belong to another server, or the server refuses.
pub(super) async fn obtain(ctx: &Ctx, http: &Http, subject: &Subject, way: &Way) -> Result<Obtained, CliError> {
    let url = &subject.url;
    match way {
        Way::Browser { no_browser } => browser::sign_in(ctx, http, &url.value, *no_browser).await,
        Way::AccessToken(token) => {
            let origin = match token.expose_secret() {
                "-" => TokenOrigin::StandardInput,
                _ => TokenOrigin::Inline(token.clone()),
            };
            let access = read_token(&ctx.ui, &origin).await?;
            Ok(Credentials::OAuth(TokenPair::of_access(access)).into())
        }
        Way::Token { from_input } => Ok(Credentials::Token(token(ctx, url, *from_input).await?).into()),
        Way::Password => Ok(password(ctx, http, subject).await?.into()),
    }
}

/// Creates the error for the end of input in place of an answer.
pub(super) fn no_answer() -> CliError {
    CliError::new(Kind::Failure, "no answer, nothing was stored")
}

/// Asks for a server until the URL is valid and a Cells server answers.
///
/// # Errors
/// The prompt was not answered.
pub(super) async fn ask_url(ctx: &Ctx) -> Result<(WithOrigin<ServerUrl>, Http), CliError> {
    loop {
        let text = ctx.ui.ask("URL of the server").await.ok_or_else(no_answer)?;
        let url = match parse_url(&text) {
            Ok(url) => url,
            Err(error) => {
                // Without its hint, which names an option.
                ctx.ui.before_asking(&format!("Not usable: {error}."));
                continue;
            }
        };
        let http = ctx.http(Destination::Account(&url), false, &[])?;
        match check_server(ctx, &http, &url, false).await {
            Ok(()) => return Ok((WithOrigin::flag(url, "the URL"), http)),
            Err(error) => {
                let hints = error.hints.into_iter().map(Hint::at_prompt).collect();
                let error = CliError { hints, ..error };
                ctx.ui.error(&error);
            }
        }
    }
}

/// Asks how to sign in. An empty answer means the `usual` way.
///
/// # Errors
/// The prompt was not answered.
pub(super) async fn ask_way(ctx: &Ctx, usual: Option<&Way>) -> Result<Way, CliError> {
    let mut choices = [
        ("browser", Way::Browser { no_browser: false }),
        ("token", Way::Token { from_input: false }),
        ("password", Way::Password),
    ];
    // The first one is the default; the order of the others does not change.
    choices.sort_by_key(|(_, way)| !usual.is_some_and(|usual| discriminant(usual) == discriminant(way)));
    let names = choices.each_ref().map(|(name, _)| *name);
    let chosen = ctx.ui.choose("How do you want to sign in?", &names).await;
    chosen.and_then(|index| choices.get(index)).map(|(_, way)| way.clone()).ok_or_else(no_answer)
}

/// Asks for a login name. An empty answer means the one that was typed `before`.
async fn ask_login(ctx: &Ctx, before: Option<&str>) -> Result<String, CliError> {
    let question = before.map_or_else(|| "Login".to_owned(), |login| format!("Login [{login}]"));
    let typed = ctx.ui.ask(&question).await.ok_or_else(no_answer)?;
    let login = if typed.is_empty() { before.unwrap_or_default() } else { &typed };
    if login.is_empty() { Err(no_answer()) } else { Ok(login.to_owned()) }
}

async fn ask_hidden(ctx: &Ctx, question: &str) -> Result<SecretString, CliError> {
    ctx.ui.ask_hidden(question).await?.ok_or_else(no_answer)
}

async fn token(ctx: &Ctx, url: &WithOrigin<ServerUrl>, from_input: bool) -> Result<SecretString, CliError> {
    if from_input {
        return read_token(&ctx.ui, &TokenOrigin::StandardInput).await;
    }
    match &ctx.settings.account.token {
        Some(token) => {
            ctx.settings.account.check_destination(token, url)?;
            read_token(&ctx.ui, &token.value).await
        }
        None => read_token(&ctx.ui, &TokenOrigin::Inline(ask_hidden(ctx, "Token").await?)).await,
    }
}

/// Whether this way asks for a token on the terminal.
pub(super) fn is_typed_token(ctx: &Ctx, way: &Way) -> bool {
    matches!(way, Way::Token { from_input: false }) && ctx.settings.account.token.is_none() && ctx.ui.can_ask()
}

/// Exchanges a password for a session that renews itself. The password is kept only if the server does not offer that.
async fn password(ctx: &Ctx, http: &Http, subject: &Subject) -> Result<Credentials, CliError> {
    let (parts, url) = (&ctx.settings.account, &subject.url);
    let mut login = match &subject.login {
        Some(login) => login.clone(),
        None => ask_login(ctx, None).await?,
    };
    let given = match &parts.password {
        Some(password) => {
            parts.check_destination(password, url)?;
            Some(read_password(&ctx.ui, &password.value).await?)
        }
        None => None,
    };
    let oauth = OAuth::new(http.clone(), url.value.clone());
    let during = |error: AuthError| CliError::from(error).during(format!("signing in to {}", url.value));
    let mut left = ATTEMPTS;
    let (password, signed_in) = loop {
        let password = match &given {
            Some(password) => password.clone(),
            None => ask_hidden(ctx, "Password").await?,
        };
        ctx.ui.secrets().keep(&password);
        left -= 1;
        match oauth.sign_in(&login, &password).await {
            Ok(signed_in) => break (password, signed_in),
            // Only a typed password is requested again, because ten wrong ones lock the user.
            Err(error @ AuthError::WrongPassword) if given.is_none() && left > 0 => {
                ctx.ui.error(&during(error));
                // The mistake may be in the login name.
                if subject.login.is_none() {
                    login = ask_login(ctx, Some(&login)).await?;
                }
            }
            Err(error) => return Err(during(error)),
        }
    };
    match signed_in {
        SignedIn::Tokens(tokens) => Ok((*tokens).into()),
        SignedIn::NotOffered(reason) => {
            tracing::info!(%reason, "the password is not exchanged for a renewable session");
            Ok(Credentials::Password { login, password })
        }
    }
}

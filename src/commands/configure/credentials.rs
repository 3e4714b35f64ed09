//! Getting hold of credentials: what was given, what is asked for, what the server gives for it.

use std::mem::discriminant;

use secrecy::{ExposeSecret as _, SecretString};

use super::flags::Way;
use super::sign_in::check_server;
use super::{Subject, browser};
use crate::context::{Ctx, Destination};
use crate::credentials::{read_password, read_token};
use crate::error::{CliError, Kind};
use crate::settings::{Given, TokenOrigin, parse_url};
use cells_client::account::{Credentials, ServerUrl, TokenPair};
use cells_client::auth::AuthError;
use cells_client::auth::oauth::OAuth;
use cells_client::auth::oauth::loopback::Farewell;
use cells_client::auth::oauth::password::SignedIn;
use cells_client::http::Http;

/// How often a password, a token or a code may be typed in one run.
pub(super) const ATTEMPTS: u32 = 3;

/// Credentials that nobody has looked at yet.
#[derive(Debug)]
pub(super) struct Obtained {
    pub(super) credentials: Credentials,
    /// The browser that waits to be told how it ended.
    pub(super) farewell: Option<Farewell>,
}

impl From<Credentials> for Obtained {
    fn from(credentials: Credentials) -> Self {
        Self { credentials, farewell: None }
    }
}

/// Gets credentials in that way. Nothing is stored.
///
/// # Errors
/// No answer where one was due, secrets that belong to another server, what the server says.
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

/// The end of input instead of an answer.
pub(super) fn no_answer() -> CliError {
    CliError::new(Kind::Failure, "no answer, nothing was stored")
}

/// Asks for the server until it is one, and answers.
///
/// # Errors
/// No answer.
pub(super) async fn ask_url(ctx: &Ctx) -> Result<(Given<ServerUrl>, Http), CliError> {
    loop {
        let text = ctx.ui.ask("URL of the server").await.ok_or_else(no_answer)?;
        let url = match parse_url(&text) {
            Ok(url) => url,
            Err(error) => {
                // Hints name flags, and here it is typed.
                ctx.ui.before_asking(&format!("Not usable: {error}."));
                continue;
            }
        };
        let http = ctx.http(Destination::Account(&url), false, &[])?;
        match check_server(ctx, &http, &url, false).await {
            Ok(()) => return Ok((Given::flag(url, "the URL"), http)),
            Err(mut error) => {
                // Here it is typed, and not given by a flag.
                error.hints.iter_mut().for_each(|hint| *hint = hint.replace("use --url ", "type "));
                ctx.ui.error(&error);
            }
        }
    }
}

/// Asks how to sign in; an empty answer takes the way that is `usual`.
///
/// # Errors
/// No answer.
pub(super) async fn ask_way(ctx: &Ctx, usual: Option<&Way>) -> Result<Way, CliError> {
    let mut choices = [
        ("browser", Way::Browser { no_browser: false }),
        ("token", Way::Token { from_input: false }),
        ("password", Way::Password),
    ];
    // The first one is taken where nothing is typed; the others stay in their order.
    choices.sort_by_key(|(_, way)| !usual.is_some_and(|usual| discriminant(usual) == discriminant(way)));
    let names = choices.each_ref().map(|(name, _)| *name);
    let chosen = ctx.ui.choose("How do you want to sign in?", &names).await;
    chosen.and_then(|index| choices.get(index)).map(|(_, way)| way.clone()).ok_or_else(no_answer)
}

/// Asks for a login name; an empty answer takes the one that was typed `before`.
async fn ask_login(ctx: &Ctx, before: Option<&str>) -> Result<String, CliError> {
    let question = before.map_or_else(|| "Login".to_owned(), |login| format!("Login [{login}]"));
    let typed = ctx.ui.ask(&question).await.ok_or_else(no_answer)?;
    let login = if typed.is_empty() { before.unwrap_or_default() } else { &typed };
    if login.is_empty() { Err(no_answer()) } else { Ok(login.to_owned()) }
}

async fn ask_hidden(ctx: &Ctx, question: &str) -> Result<SecretString, CliError> {
    ctx.ui.ask_hidden(question).await?.ok_or_else(no_answer)
}

async fn token(ctx: &Ctx, url: &Given<ServerUrl>, from_input: bool) -> Result<SecretString, CliError> {
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

/// Whether that way asks for a token on the terminal.
pub(super) fn is_typed_token(ctx: &Ctx, way: &Way) -> bool {
    matches!(way, Way::Token { from_input: false }) && ctx.settings.account.token.is_none() && ctx.ui.can_ask()
}

/// A password becomes a session that renews itself; only where the server does not offer that it is kept.
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
    let during = |error: AuthError| CliError::from(error).during(format!("signing in on {}", url.value));
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
            // Only what a person types may be wrong again: ten wrong ones lock the user.
            Err(error @ AuthError::WrongPassword) if given.is_none() && left > 0 => {
                ctx.ui.error(&during(error));
                // The login name may be the one that is mistyped.
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

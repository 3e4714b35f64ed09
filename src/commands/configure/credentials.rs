//! Getting hold of credentials: what was given, what is asked for, what the server gives for it.

use secrecy::{ExposeSecret as _, SecretString};

use super::browser;
use super::given::Way;
use crate::account::{Credentials, ServerUrl};
use crate::auth::oauth::OAuth;
use crate::auth::oauth::loopback::Farewell;
use crate::auth::oauth::password::SignedIn;
use crate::context::{Ctx, read_password, read_token};
use crate::error::{CliError, Kind};
use crate::http::Http;
use crate::settings::{Given, TokenOrigin, parse_url};

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
pub(super) async fn obtain(ctx: &Ctx, http: &Http, url: &Given<ServerUrl>, way: &Way) -> Result<Obtained, CliError> {
    match way {
        Way::Browser { no_browser } => browser::sign_in(ctx, http, &url.value, *no_browser).await,
        Way::AccessToken(token) => {
            let origin = match token.expose_secret() {
                "-" => TokenOrigin::StandardInput,
                _ => TokenOrigin::Inline(token.clone()),
            };
            let access = read_token(&ctx.ui, &origin).await?;
            Ok(Credentials::OAuth { access, refresh: None, expires_at: None }.into())
        }
        Way::Token { from_input } => Ok(Credentials::Token(token(ctx, url, *from_input).await?).into()),
        Way::Password => Ok(password(ctx, http, url).await?.into()),
    }
}

/// The end of input instead of an answer.
pub(super) fn no_answer() -> CliError {
    CliError::new(Kind::Failure, "no answer, nothing was stored")
}

/// Asks for the server until it is one.
///
/// # Errors
/// No answer.
pub(super) async fn ask_url(ctx: &Ctx) -> Result<Given<ServerUrl>, CliError> {
    loop {
        let text = ctx.ui.ask("URL of the server").await.ok_or_else(no_answer)?;
        match parse_url(&text) {
            Ok(url) => return Ok(Given::flag(url, "the URL")),
            Err(error) => ctx.ui.before_asking(&error.to_string()),
        }
    }
}

/// Asks how to sign in.
///
/// # Errors
/// No answer.
pub(super) async fn ask_way(ctx: &Ctx) -> Result<Way, CliError> {
    match ctx.ui.choose("How do you want to sign in?", &["browser", "token", "password"]).await {
        Some(0) => Ok(Way::Browser { no_browser: false }),
        Some(1) => Ok(Way::Token { from_input: false }),
        Some(_) => Ok(Way::Password),
        None => Err(no_answer()),
    }
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

/// A password becomes a session that renews itself; only where the server does not offer that it is kept.
async fn password(ctx: &Ctx, http: &Http, url: &Given<ServerUrl>) -> Result<Credentials, CliError> {
    let parts = &ctx.settings.account;
    let login = match &parts.login {
        Some(login) => login.value.clone(),
        None => ctx.ui.ask("Login").await.filter(|login| !login.is_empty()).ok_or_else(no_answer)?,
    };
    let password = match &parts.password {
        Some(password) => {
            parts.check_destination(password, url)?;
            read_password(&ctx.ui, &password.value).await?
        }
        None => ask_hidden(ctx, "Password").await?,
    };
    ctx.ui.keep_secret(&password);
    let oauth = OAuth::new(http.clone(), url.value.clone());
    let signed_in = oauth.sign_in(&login, &password).await;
    match signed_in.map_err(|error| CliError::from(error).during(format!("signing in on {}", url.value)))? {
        SignedIn::Tokens(tokens) => Ok((*tokens).into()),
        SignedIn::NotOffered(reason) => {
            tracing::info!(%reason, "no renewable session is given for the password");
            Ok(Credentials::Password { login, password })
        }
    }
}

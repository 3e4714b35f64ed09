//! `cec configure` and `cec config add`.

mod sign_in;

use secrecy::SecretString;

use crate::account::{Credentials, ServerUrl};
use crate::context::{Ctx, read_password, read_token};
use crate::error::{CliError, Kind, Outcome};
use crate::settings::{Given, TokenOrigin, parse_url};

/// Arguments of `cec configure`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        cec configure https://files.example.com\n  \
        cec configure token --url https://files.example.com --with-token < token.txt\n  \
        cec configure client-auth --url https://files.example.com --login alice")]
pub struct Args {
    /// URL of the server
    #[arg(value_name = "URL")]
    server: Option<String>,
    /// How to sign in.
    #[command(subcommand)]
    method: Option<Method>,
}

/// Ways to sign in.
#[derive(Debug, clap::Subcommand)]
enum Method {
    /// Sign in with a personal access token
    ///
    /// The token is made on the server, by an administrator: cells admin user token -u LOGIN -a 720h
    Token(TokenArgs),
    /// Sign in with a login name and a password
    #[command(visible_alias = "password")]
    ClientAuth(ClientAuthArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        cec configure token https://files.example.com\n  \
        cec configure token https://files.example.com --with-token < token.txt")]
struct TokenArgs {
    /// URL of the server
    #[arg(value_name = "URL")]
    server: Option<String>,
    /// Read the token from standard input
    #[arg(long, conflicts_with_all = ["token", "token_file"])]
    with_token: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        cec configure client-auth https://files.example.com --login alice\n  \
        cec configure client-auth files.example.com --login alice --password - < pw.txt")]
struct ClientAuthArgs {
    /// URL of the server
    #[arg(value_name = "URL")]
    server: Option<String>,
}

/// The names of the ways to sign in.
const METHODS: [&str; 3] = ["token", "client-auth", "password"];

/// What the older client has besides.
const LATER: [&str; 2] = ["oauth", "check-keyring"];

/// What the user chose, once it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Token,
    Password,
}

/// Asks for what is missing, checks it on the server, and stores the account.
///
/// # Errors
/// [`Kind::Usage`] where something is missing and nobody can be asked; what the server answers; a file that cannot be
/// written.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let servers = servers(&arguments);
    servers.iter().try_for_each(|text| refuse_method(text))?;
    let (way, with_token) = match &arguments.method {
        Some(Method::Token(arguments)) => (Some(Way::Token), arguments.with_token),
        Some(Method::ClientAuth(_)) => (Some(Way::Password), false),
        None => (given_way(ctx), false),
    };
    let url_given = given_url(ctx, &servers)?;
    if !ctx.ui.can_ask() {
        refuse_to_ask(ctx, url_given.is_some(), way, with_token)?;
    }
    let url = match url_given {
        Some(url) => url,
        None => ask_url(ctx).await?,
    };
    sign_in::check_server(ctx, &url.value).await?;
    let way = match way {
        Some(way) => way,
        None => ask_way(ctx).await?,
    };
    let credentials = match way {
        Way::Token => Credentials::Token(token(ctx, &url, with_token).await?),
        Way::Password => password(ctx, &url).await?,
    };
    sign_in::sign_in(ctx, url.value, credentials).await
}

/// The way to sign in that goes with what flags and environment give.
fn given_way(ctx: &Ctx) -> Option<Way> {
    let parts = &ctx.settings.account;
    let by_flag = |way: Way| match way {
        Way::Token => parts.token.as_ref().is_some_and(|token| token.by_flag),
        Way::Password => parts.password.as_ref().is_some_and(|password| password.by_flag),
    };
    let given = [(Way::Token, parts.token.is_some()), (Way::Password, parts.password.is_some())];
    let flag = given.iter().find(|(way, _)| by_flag(*way));
    flag.or_else(|| given.iter().find(|(_, given)| *given)).map(|(way, _)| *way)
}

/// What was typed as the server, before and after the way to sign in.
fn servers(arguments: &Args) -> Vec<&str> {
    let after = match &arguments.method {
        Some(Method::Token(arguments)) => arguments.server.as_deref(),
        Some(Method::ClientAuth(arguments)) => arguments.server.as_deref(),
        None => None,
    };
    arguments.server.as_deref().into_iter().chain(after).collect()
}

/// A single word is not a server but a way to sign in, mistyped or of another version.
fn refuse_method(text: &str) -> Result<(), CliError> {
    let word = text.trim().to_lowercase();
    if word.contains(['.', ':', '/', '@']) || word == "localhost" {
        return Ok(());
    }
    if LATER.contains(&word.as_str()) {
        return Err(CliError::new(Kind::Usage, format!("'configure {word}' is not in this version yet"))
            .hint("sign in with 'cec configure token' or 'cec configure client-auth'"));
    }
    let close = METHODS.iter().find(|name| edits(&word, name) <= 2);
    let hint = match close {
        Some(name) => format!("did you mean '{name}'?"),
        None => "the ways to sign in are token and client-auth; a server's URL looks like https://files.example.com"
            .to_owned(),
    };
    Err(CliError::new(Kind::Usage, format!("'{text}' is neither a way to sign in nor the URL of a server")).hint(hint))
}

/// How many characters must be added, left out or replaced to make one word of another.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, character) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for column in 0..to.len() {
            let replaced = diagonal + usize::from(to[column] != character);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

fn given_url(ctx: &Ctx, servers: &[&str]) -> Result<Option<Given<ServerUrl>>, CliError> {
    let flag = ctx.settings.account.url()?;
    let mut given = flag.clone().filter(|flag| flag.by_flag);
    for text in servers {
        let url = Given::flag(parse_url(text)?, "the URL");
        if let Some(other) = given.as_ref().filter(|other| other.value != url.value) {
            let message = format!("two servers are named: {} and {}", url.value, other.value);
            return Err(CliError::new(Kind::Usage, message));
        }
        given = Some(url);
    }
    Ok(given.or(flag))
}

/// Says what is missing where nobody can be asked for it.
fn refuse_to_ask(ctx: &Ctx, has_url: bool, way: Option<Way>, with_token: bool) -> Result<(), CliError> {
    let parts = &ctx.settings.account;
    let mut missing = Vec::new();
    if !has_url {
        missing.push("--url");
    }
    match way {
        None => missing.push("--token (or --login and --password)"),
        Some(Way::Token) if parts.token.is_none() && !with_token => {
            missing.push("--token, --token-file or --with-token");
        }
        Some(Way::Password) => {
            if parts.login.is_none() {
                missing.push("--login");
            }
            if parts.password.is_none() {
                missing.push("--password");
            }
        }
        Some(Way::Token) => {}
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(CliError::new(Kind::Usage, format!("nobody can be asked here, and this is missing: {}", missing.join(", ")))
        .hint("the environment works as well: CEC_URL, CEC_TOKEN, CEC_LOGIN, CEC_PASSWORD"))
}

/// The end of input instead of an answer.
fn no_answer() -> CliError {
    CliError::new(Kind::Failure, "no answer, nothing was stored")
}

async fn ask_url(ctx: &Ctx) -> Result<Given<ServerUrl>, CliError> {
    loop {
        let text = ctx.ui.ask("URL of the server").await.ok_or_else(no_answer)?;
        match parse_url(&text) {
            Ok(url) => return Ok(Given::flag(url, "the URL")),
            Err(error) => ctx.ui.before_asking(&error.to_string()),
        }
    }
}

async fn ask_way(ctx: &Ctx) -> Result<Way, CliError> {
    match ctx.ui.choose("How do you want to sign in?", &["token", "password"]).await {
        Some(0) => Ok(Way::Token),
        Some(_) => Ok(Way::Password),
        None => Err(no_answer()),
    }
}

async fn ask_hidden(ctx: &Ctx, question: &str) -> Result<SecretString, CliError> {
    ctx.ui.ask_hidden(question).await?.ok_or_else(no_answer)
}

async fn token(ctx: &Ctx, url: &Given<ServerUrl>, with_token: bool) -> Result<SecretString, CliError> {
    if with_token {
        return read_token(&ctx.ui, &TokenOrigin::StandardInput).await;
    }
    match &ctx.settings.account.token {
        Some(token) => {
            ctx.settings.account.check_destination(token, url)?;
            read_token(&ctx.ui, &token.value).await
        }
        None => ask_hidden(ctx, "Token").await,
    }
}

async fn password(ctx: &Ctx, url: &Given<ServerUrl>) -> Result<Credentials, CliError> {
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
    Ok(Credentials::Password { login, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_no_servers() {
        for (text, hint) in [
            ("tokn", "did you mean 'token'?"),
            ("Tokens", "did you mean 'token'?"),
            ("client-aut", "did you mean 'client-auth'?"),
            ("passwrod", "did you mean 'password'?"),
            ("oauth", "sign in with 'cec configure token' or 'cec configure client-auth'"),
        ] {
            let error = refuse_method(text).expect_err(text);
            assert_eq!((error.kind, error.hints), (Kind::Usage, vec![hint.to_owned()]), "{text}");
        }
        assert!(refuse_method("files").expect_err("a word").hints[0].contains("token and client-auth"));
        for text in ["localhost", "files.example.com", "https://files", "files:8080"] {
            assert!(refuse_method(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn edits_are_counted() {
        for (from, to, count) in
            [("", "abc", 3), ("abc", "abc", 0), ("ab", "abc", 1), ("xbc", "abc", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(edits(from, to), count, "{from} {to}");
        }
    }
}

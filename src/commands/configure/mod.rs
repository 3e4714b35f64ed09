//! `cec configure` and `cec config add`.

mod browser;
mod credentials;
mod flags;
mod relogin;
mod sign_in;
mod summary;

use secrecy::SecretString;

use crate::commands::config;
use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::{Ctx, Destination};
use crate::error::{CliError, Kind, Outcome};
use crate::settings::WithOrigin;
use cells_client::account::ServerUrl;
use cells_client::http::Http;
use flags::Way;
pub(crate) use relogin::{Known, relogin};

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
    /// Sign in with a browser
    ///
    /// Opens the server's sign-in page and waits for the browser to return to http://localhost:3000. Without a browser
    /// here (over SSH, without a display, with --no-browser), open the page on any machine and paste the code that it
    /// shows.
    #[command(visible_alias = "browser")]
    Oauth(OauthArgs),
    /// Sign in with a personal access token
    ///
    /// An administrator makes the token on the server: cells admin user token -u LOGIN -a 720h
    Token(TokenArgs),
    /// Sign in with a login name and a password
    ///
    /// The password is sent once and exchanged for a session that renews itself. It is stored only if the server does
    /// not offer this.
    #[command(visible_alias = "password")]
    ClientAuth(ClientAuthArgs),
    /// Check whether the system keyring works
    #[command(after_help = config::check::EXAMPLES)]
    CheckKeyring,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        cec configure oauth https://files.example.com\n  \
        cec configure oauth https://files.example.com --no-browser")]
struct OauthArgs {
    /// URL of the server
    #[arg(value_name = "URL")]
    server: Option<String>,
    /// Do not open a browser: print the URL of the sign-in page and ask for the code
    #[arg(long, conflicts_with = "id_token")]
    no_browser: bool,
    /// Access token of another client, or - to read it from standard input; it cannot be renewed
    #[arg(long, alias = "id_token", value_name = "TOKEN", allow_hyphen_values = true)]
    id_token: Option<SecretString>,
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

impl Verb for Args {
    const FOREIGN: &'static [Foreign] = &[Foreign::new(
        "cec",
        &["login", "logon", "signin", "auth", "connect"],
        "'cec configure' signs in, 'cec info' shows the account",
    )];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Asks for what is missing, checks it on the server, and stores the account.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage) if something is missing and nobody can be asked; any answer of the server;
    /// the file cannot be written.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        if matches!(self.method, Some(Method::CheckKeyring)) {
            return config::check::check_keyring(ctx).await;
        }
        let servers = self.servers();
        servers.iter().try_for_each(|text| flags::refuse_method(text))?;
        let url_given = flags::url(ctx, &servers)?;
        let way = self.way().or_else(|| flags::way(ctx));
        let login = ctx.settings.account.login.as_ref().map(|login| login.value.clone());
        if !ctx.ui.can_ask() {
            flags::refuse_to_ask(ctx, url_given.is_some(), way.as_ref(), login.is_some())?;
        }
        if let Some(way) = &way {
            flags::confirm_environment(ctx, way).await?;
        }
        let (url, http) = match url_given {
            Some(url) => {
                let http = ctx.http(Destination::Account(&url.value), false, &[])?;
                sign_in::check_server(ctx, &http, &url.value, false).await?;
                (url, http)
            }
            None => credentials::ask_url(ctx).await?,
        };
        let way = match way {
            Some(way) => way,
            None => credentials::ask_way(ctx, None).await?,
        };
        finish(ctx, &http, &Subject { url, login, known: None }, &way).await
    }
}

/// Obtains the credentials, finds out whose they are, stores them, and prints a summary. Asks again for a typed token
/// that is wrong.
async fn finish(ctx: &Ctx, http: &Http, subject: &Subject, way: &Way) -> Result<Outcome, CliError> {
    let mut left = 1;
    if credentials::is_typed_token(ctx, way) {
        left = credentials::ATTEMPTS;
        ctx.ui
            .before_asking("An administrator makes a token on the server: cells admin user token -q -u LOGIN -a 720h");
    }
    loop {
        left -= 1;
        let obtained = match credentials::obtain(ctx, http, subject, way).await {
            Err(error) if left > 0 && error.kind == Kind::Usage => {
                ctx.ui.error(&error);
                continue;
            }
            obtained => obtained?,
        };
        let (signed_in, farewell) = sign_in::sign_in(ctx, http, subject, obtained).await;
        // The browser shows the same result as the terminal.
        if let Some(farewell) = farewell {
            farewell.show(browser::last_page(&signed_in)).await;
        }
        match signed_in {
            Ok(_) => break,
            Err(error) if left > 0 && error.kind == Kind::Auth => ctx.ui.error(&error),
            Err(error) => return Err(error),
        }
    }
    if !flags::is_by_environment(ctx, way) {
        config::warn_of_environment(ctx);
    }
    Ok(Outcome::Done)
}

/// The subject of a sign-in.
#[derive(Debug)]
struct Subject {
    url: WithOrigin<ServerUrl>,
    /// The login name for a password.
    login: Option<String>,
    known: Option<Known>,
}

impl Args {
    /// The words in the place of the server, before and after the way to sign in.
    fn servers(&self) -> Vec<&str> {
        let after = match &self.method {
            Some(Method::Oauth(arguments)) => arguments.server.as_deref(),
            Some(Method::Token(arguments)) => arguments.server.as_deref(),
            Some(Method::ClientAuth(arguments)) => arguments.server.as_deref(),
            Some(Method::CheckKeyring) | None => None,
        };
        self.server.as_deref().into_iter().chain(after).collect()
    }

    fn way(&self) -> Option<Way> {
        self.method.as_ref().and_then(|method| match method {
            Method::CheckKeyring => None,
            Method::Oauth(OauthArgs { id_token: Some(token), .. }) => Some(Way::AccessToken(token.clone())),
            Method::Oauth(OauthArgs { no_browser, .. }) => Some(Way::Browser { no_browser: *no_browser }),
            Method::Token(TokenArgs { with_token, .. }) => Some(Way::Token { from_input: *with_token }),
            Method::ClientAuth(_) => Some(Way::Password),
        })
    }
}

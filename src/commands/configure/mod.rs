//! `cec configure` and `cec config add`.

mod browser;
mod credentials;
mod given;
mod sign_in;

use secrecy::SecretString;

use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use given::Way;

/// Arguments of `cec configure`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        cec configure https://files.example.com --skip-keyring\n  \
        cec configure token --skip-keyring --url https://files.example.com --with-token < token.txt\n  \
        cec configure client-auth --skip-keyring --url https://files.example.com --login alice")]
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
    /// Opens the server's login page, and waits for the browser to come back to http://localhost:3000. Without a
    /// browser here (over SSH, without a display, with --no-browser) the page is opened anywhere, and the code that it
    /// shows is pasted.
    #[command(visible_alias = "browser")]
    Oauth(OauthArgs),
    /// Sign in with a personal access token
    ///
    /// The token is made on the server, by an administrator: cells admin user token -u LOGIN -a 720h
    Token(TokenArgs),
    /// Sign in with a login name and a password
    ///
    /// The password is sent once, and exchanged for a session that renews itself. Only where a server does not offer
    /// that is the password stored.
    #[command(visible_alias = "password")]
    ClientAuth(ClientAuthArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        cec configure oauth https://files.example.com --skip-keyring\n  \
        cec configure oauth https://files.example.com --skip-keyring --no-browser")]
struct OauthArgs {
    /// URL of the server
    #[arg(value_name = "URL")]
    server: Option<String>,
    /// Open no browser: show the address of the login page, and ask for the code
    #[arg(long, conflicts_with = "id_token")]
    no_browser: bool,
    /// Access token of another client, or - to read it from standard input; it cannot be renewed
    #[arg(long, alias = "id_token", value_name = "TOKEN", allow_hyphen_values = true)]
    id_token: Option<SecretString>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        cec configure token https://files.example.com --skip-keyring\n  \
        cec configure token https://files.example.com --skip-keyring --with-token < token.txt")]
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
        cec configure client-auth https://files.example.com --skip-keyring --login alice\n  \
        cec configure client-auth files.example.com --skip-keyring --login alice --password - < pw.txt")]
struct ClientAuthArgs {
    /// URL of the server
    #[arg(value_name = "URL")]
    server: Option<String>,
}

/// Asks for what is missing, checks it on the server, and stores the account.
///
/// # Errors
/// [`Kind::Usage`] where something is missing and nobody can be asked; what the server answers; a file that cannot be
/// written.
pub async fn run(ctx: &Ctx, arguments: Args) -> Result<Outcome, CliError> {
    let servers = arguments.servers();
    servers.iter().try_for_each(|text| given::refuse_method(text))?;
    if !ctx.settings.skip_keyring {
        return Err(CliError::new(Kind::Usage, "this version cannot keep secrets in the system keyring yet")
            .hint("add --skip-keyring to keep the secret in config.json, readable by you only")
            .hint("or store nothing: set CEC_URL and CEC_TOKEN"));
    }
    let url_given = given::url(ctx, &servers)?;
    let way = arguments.way().or_else(|| given::way(ctx));
    if !ctx.ui.can_ask() {
        given::refuse_to_ask(ctx, url_given.is_some(), way.as_ref())?;
    }
    let url = match url_given {
        Some(url) => url,
        None => credentials::ask_url(ctx).await?,
    };
    let http = ctx.http(false, &[])?;
    sign_in::check_server(ctx, &http, &url.value).await?;
    let way = match way {
        Some(way) => way,
        None => credentials::ask_way(ctx).await?,
    };
    let obtained = credentials::obtain(ctx, &http, &url, &way).await?;
    let (signed_in, farewell) = sign_in::sign_in(ctx, &http, url.value, obtained).await;
    // What the browser is told is what the terminal is told.
    if let Some(farewell) = farewell {
        farewell.show(browser::last_page(&signed_in)).await;
    }
    signed_in.map(|_| Outcome::Done)
}

impl Args {
    /// What was typed as the server, before and after the way to sign in.
    fn servers(&self) -> Vec<&str> {
        let after = match &self.method {
            Some(Method::Oauth(arguments)) => arguments.server.as_deref(),
            Some(Method::Token(arguments)) => arguments.server.as_deref(),
            Some(Method::ClientAuth(arguments)) => arguments.server.as_deref(),
            None => None,
        };
        self.server.as_deref().into_iter().chain(after).collect()
    }

    fn way(&self) -> Option<Way> {
        self.method.as_ref().map(|method| match method {
            Method::Oauth(OauthArgs { id_token: Some(token), .. }) => Way::AccessToken(token.clone()),
            Method::Oauth(OauthArgs { no_browser, .. }) => Way::Browser { no_browser: *no_browser },
            Method::Token(TokenArgs { with_token, .. }) => Way::Token { from_input: *with_token },
            Method::ClientAuth(_) => Way::Password,
        })
    }
}

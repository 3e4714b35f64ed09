//! `cec info` and `cec config status`.

use jiff::Timestamp;
use serde::Serialize;

use crate::commands::verb::{Foreign, RemotePaths, Verb};
use crate::context::{Ctx, waiting};
use crate::error::{CliError, Hint, Kind, Outcome};
use crate::ui::table;
use cells_client::account::{Account, Credentials};
use cells_client::api::frontend::{ServerInfo, User};
use cells_client::api::share::Link;

/// Arguments of `cec info`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cec info\n  cec info --json --profile alice@files.example.com")]
pub struct Args {}

/// The signed-in user, and the server.
#[derive(Debug, Serialize)]
struct Record {
    user: String,
    display_name: Option<String>,
    email: Option<String>,
    admin: bool,
    url: String,
    server_version: Option<String>,
    server_product: Option<String>,
    credentials: &'static str,
    /// When the credentials expire, if known and if they do not renew themselves.
    #[serde(serialize_with = "super::config::as_text")]
    expires_at: Option<Timestamp>,
    /// Whether the credentials renew themselves.
    renews: bool,
    account_id: Option<String>,
    stored_in: Option<String>,
    /// The option or variable that the credentials come from.
    given_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<LinkRecord>,
}

/// The public link in use.
#[derive(Debug, Serialize)]
struct LinkRecord {
    url: String,
    label: String,
    permissions: Vec<String>,
    password: bool,
    expires_at: Option<String>,
    max_downloads: Option<u64>,
    downloads: u64,
}

impl LinkRecord {
    fn new(url: String, link: &Link) -> Self {
        Self {
            url,
            label: link.label.clone(),
            permissions: super::share::show::permissions(link),
            password: link.password,
            expires_at: link.expires.map(|time| time.to_string()),
            max_downloads: link.max_downloads,
            downloads: link.downloads,
        }
    }
}

impl Verb for Args {
    const FOREIGN: &'static [Foreign] = &[
        Foreign::new("cec", &["whoami", "id", "status", "me"], "'cec info' shows who is signed in to which server"),
        Foreign::new("cec config", &["show", "get", "current", "whoami"], "'cec config status' shows who is signed in"),
        Foreign::new(
            "cec config",
            &["path", "edit"],
            "'cec info' shows where secrets are stored; CEC_CONFIG sets the folder",
        ),
    ];

    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Asks the server who is signed in, and prints it.
    ///
    /// # Errors
    /// [`Kind::Auth`] if the credentials are not valid.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let account = ctx.account().await?;
        let api = ctx.api().await?;
        let asking = |error| CliError::from(error).during(format!("checking who is signed in to {}", account.url));
        let Some(user) = api.user().await.map_err(asking)? else {
            let who = account.login.as_deref().map(|login| format!(" for {login}")).unwrap_or_default();
            return Err(CliError::new(
                Kind::Auth,
                format!("the {}{who} is not valid on {}, or has expired", account.credentials.kind(), account.url),
            )
            .hint(Hint::SignIn));
        };
        // The version is optional information: if the server does not report it, everything else is still printed.
        let server = api.server_info().await.unwrap_or_default();
        let record = record(ctx, user, server).await?;
        // Last, because a renewal in progress looks for the account under its previous id.
        name(ctx, account, &record.user).await;
        if ctx.ui.is_json() {
            ctx.ui.json_document(&record)?;
        } else {
            show(ctx, &record)?;
        }
        Ok(Outcome::Done)
    }
}

/// Adds the user to a stored account from a very old file, which does not contain it.
async fn name(ctx: &Ctx, account: &Account, login: &str) {
    let (None, Some(id), Ok(vault)) = (&account.login, account.stored_id.clone(), ctx.vault()) else { return };
    let login = login.to_owned();
    // This is optional too.
    if let Ok(Err(error)) = waiting(move || vault.set_user(&id, &login)).await {
        tracing::warn!(%error, "the name of the user could not be stored");
    }
}

async fn record(ctx: &Ctx, user: User, server: ServerInfo) -> Result<Record, CliError> {
    let account = ctx.account().await?;
    let link = match ctx.link_in_use().await? {
        Some((link, page)) => {
            let known = ctx.api().await?.link(&page.uuid).await;
            let known = known.map_err(|error| CliError::from(error).during(format!("checking {link}")))?;
            Some(LinkRecord::new(link.to_string(), &known))
        }
        None => None,
    };
    let (credentials, expires_at) = match &account.credentials {
        Credentials::Token(_) => ("token", None),
        // Each run opens and ends its own session, so its expiry means nothing.
        Credentials::Password { .. } => (if link.is_some() { "link" } else { "password" }, None),
        Credentials::OAuth { .. } => ("oauth", ctx.sender().await?.tokens.expires_at()),
    };
    let renews = ctx.sender().await?.tokens.renews().await;
    let stored_in = ctx.place().await?.map(ToString::to_string);
    let login = user.login;
    Ok(Record {
        user: login.clone(),
        display_name: user.display_name,
        email: user.email,
        admin: user.admin,
        url: account.url.to_string(),
        server_version: server.version,
        server_product: server.product,
        credentials,
        expires_at: expires_at.filter(|_| !renews),
        renews,
        // The new id, if the account did not contain its user before.
        account_id: account.stored_id.as_ref().map(|id| match &account.login {
            Some(_) => id.clone(),
            None => account.url.account_id(&login),
        }),
        stored_in,
        given_by: ctx.source().await?,
        link,
    })
}

fn show(ctx: &Ctx, record: &Record) -> Result<(), CliError> {
    if let Some(link) = &record.link {
        return show_link(ctx, record, link);
    }
    let admin = if record.admin { " (administrator)" } else { "" };
    let mut fields = vec![("User", format!("{}{admin}", record.user))];
    let mut add = |name, value: Option<&String>| fields.extend(value.map(|value| (name, value.clone())));
    add("Name", record.display_name.as_ref());
    add("E-mail", record.email.as_ref());
    add("Server", Some(&record.url));
    add("Product", record.server_product.as_ref());
    add("Version", record.server_version.as_ref());
    add("Credentials", Some(&record.credentials.to_owned()));
    add("Expires", record.expires_at.map(|end| ctx.ui.time(end)).as_ref());
    add("Lasts", record.renews.then(|| super::config::lasts(record.credentials).to_owned()).as_ref());
    add("Account", record.account_id.as_ref());
    let given = format!("not stored: given by {}", record.given_by.unwrap_or("flags or environment"));
    add("Stored in", Some(record.stored_in.as_ref().unwrap_or(&given)));
    Ok(table::fields(&ctx.ui, &fields)?)
}

fn show_link(ctx: &Ctx, record: &Record, link: &LinkRecord) -> Result<(), CliError> {
    let ends = link.expires_at.clone().unwrap_or_else(|| "never".to_owned());
    let mut fields = vec![("Link", link.url.clone())];
    let mut add = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    add("Label", Some(link.label.clone()));
    add("Visitors may", Some(link.permissions.join(", ")));
    add("Password", Some(if link.password { "yes" } else { "no" }.to_owned()));
    add("Ends", Some(ends));
    add("Downloads", link.max_downloads.map(|most| format!("{} of {most}", link.downloads)));
    add("Product", record.server_product.clone());
    add("Version", record.server_version.clone());
    Ok(table::fields(&ctx.ui, &fields)?)
}

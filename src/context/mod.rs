//! The context of a command: settings, screen, cancellation, and the account with its clients, each opened when it is
//! first needed.

mod account;
mod connection;
mod warnings;

use std::sync::{Arc, OnceLock};

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::env;
use crate::error::{CliError, Kind};
use crate::settings::{Settings, parse_pause};
use crate::ui::Ui;
use cells_client::account::{Credentials, LinkUrl};
use cells_client::auth::{Sender, TokenSource};
use cells_client::http::pace::Pace;
use cells_client::http::retry::RetryPolicy;
use cells_client::path::View;
use cells_client::{api, s3};

pub use account::{Opened, waiting};
pub use connection::Destination;
use warnings::Warnings;

/// The maximum number of attempts that a user can set.
pub const MOST_ATTEMPTS: u32 = 1000;

/// The context of a command.
pub struct Ctx {
    /// The settings from options and environment.
    pub settings: Settings,
    /// The screen.
    pub ui: Arc<Ui>,
    /// Canceled when the user stops the command.
    pub cancel: CancellationToken,
    /// The public link in the command's arguments, in addition to the settings.
    named_link: OnceLock<LinkUrl>,
    /// The limits of all requests.
    pub pace: Pace,
    warnings: Warnings,
    opened: OnceCell<Opened>,
    view: OnceCell<Option<Arc<View>>>,
    sender: OnceCell<Arc<Sender>>,
    api: OnceCell<api::Client>,
    s3: OnceCell<s3::Client>,
}

impl Ctx {
    /// Creates a context. Nothing is opened.
    pub fn new(settings: Settings, ui: Arc<Ui>, cancel: CancellationToken) -> Self {
        Self {
            settings,
            ui,
            cancel,
            named_link: OnceLock::new(),
            pace: Pace::default(),
            warnings: Warnings::default(),
            opened: OnceCell::new(),
            view: OnceCell::new(),
            sender: OnceCell::new(),
            api: OnceCell::new(),
            s3: OnceCell::new(),
        }
    }

    /// Sets the public link in the command's arguments, which replaces the account.
    pub fn name_link(&self, link: LinkUrl) {
        // The dispatcher has checked that there is only one.
        let _ = self.named_link.set(link);
    }

    /// Returns the public link that replaces the account.
    ///
    /// # Errors
    /// An option also names an account.
    pub fn link(&self) -> Result<Option<&LinkUrl>, CliError> {
        match self.named_link.get() {
            Some(link) => Ok(Some(link)),
            None => Ok(self.settings.link()?),
        }
    }

    /// Returns the authenticated sender of the account in use.
    ///
    /// # Errors
    /// As [`Ctx::account`] and [`Ctx::http`].
    pub async fn sender(&self) -> Result<&Arc<Sender>, CliError> {
        self.sender
            .get_or_try_init(async || {
                let opened = self.opened().await?;
                let account = &opened.account;
                self.warn_of_skip_verify(&account.url, opened.skip_verify);
                let to = match &opened.visited {
                    Some((link, _)) => Destination::Link(link),
                    None => Destination::Account(&account.url),
                };
                let http = self.http(to, opened.skip_verify, &opened.headers)?;
                if let (Some((link, page)), Credentials::Password { password, .. }) =
                    (&opened.visited, &account.credentials)
                {
                    let tokens = TokenSource::of_link(http.clone(), link, page, password.clone());
                    return Ok(Arc::new(Sender::visiting(http, link.clone(), tokens)));
                }
                let tokens = match account.stored_id {
                    Some(_) => TokenSource::of_stored(http.clone(), account, self.vault()?),
                    None => TokenSource::new(http.clone(), account),
                };
                Ok(Arc::new(Sender::new(http, opened.account.url.clone(), tokens)))
            })
            .await
    }

    /// Returns the REST client.
    ///
    /// # Errors
    /// As [`Ctx::sender`].
    pub async fn api(&self) -> Result<&api::Client, CliError> {
        self.api
            .get_or_try_init(async || {
                let client = api::Client::new(Arc::clone(self.sender().await?)).with_retry(self.retry_policy()?);
                self.ui.count_entries(client.listed());
                Ok(client.seen_as(self.view().await?.clone()))
            })
            .await
    }

    /// Returns the retry policy for small requests.
    ///
    /// # Errors
    /// The value of a variable is not valid.
    pub fn retry_policy(&self) -> Result<RetryPolicy, CliError> {
        let environment = &self.settings.environment;
        let usual = RetryPolicy::default();
        let max_attempts = environment.value(env::RETRY_MAX_ATTEMPTS)?.unwrap_or(usual.max_attempts);
        let max_backoff = environment.read(env::RETRY_MAX_BACKOFF, parse_pause)?.unwrap_or(usual.max_backoff);
        if max_attempts > MOST_ATTEMPTS {
            let message = format!("{} is {max_attempts}, but must be at most {MOST_ATTEMPTS}", env::RETRY_MAX_ATTEMPTS);
            return Err(CliError::new(Kind::Usage, message).concerning_all());
        }
        Ok(RetryPolicy { max_backoff, ..usual }.with_attempts(max_attempts))
    }

    /// Returns the path view of the public link in use, if any.
    async fn view(&self) -> Result<&Option<Arc<View>>, CliError> {
        self.view
            .get_or_try_init(async || {
                let Some((link, page)) = &self.opened().await?.visited else { return Ok(None) };
                let client = api::Client::new(Arc::clone(self.sender().await?));
                let view = client.link_view(link.hash(), &page.uuid).await;
                let failed = |error| CliError::from(error).during(format!("opening {link}")).about(link);
                Ok(Some(Arc::new(view.map_err(failed)?)))
            })
            .await
    }

    /// Returns the client of the S3 gateway.
    ///
    /// # Errors
    /// As [`Ctx::sender`].
    pub async fn s3(&self) -> Result<&s3::Client, CliError> {
        self.s3
            .get_or_try_init(async || {
                let client = s3::Client::new(Arc::clone(self.sender().await?));
                Ok(client.seen_as(self.view().await?.clone()))
            })
            .await
    }

    /// Ends the password session on the server, if one was opened.
    pub async fn close(&self) {
        if let Some(sender) = self.sender.get() {
            // A server that does not answer must not block the end of the program.
            let _ = tokio::time::timeout(sender.tokens.close_timeout(), sender.tokens.close()).await;
        }
    }
}

//! What a command works with: settings, the screen, the wish to stop, and the account with its clients, each opened
//! when it is first asked for.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::account::{Account, Credentials, LinkUrl, ServerUrl};
use crate::auth::public_link::LinkPage;
use crate::auth::{AuthError, Sender, Token, TokenSource};
use crate::env;
use crate::error::{CliError, Kind};
use crate::http::retry::RetryPolicy;
use crate::path::shell::command_line;
use crate::path::{PathError, RemotePath, View};
use crate::settings::{Claim, GivenSecret, Selection, Settings, TokenOrigin, parse_link, parse_pause};
use crate::store::keyring::{self, Keyring, NoKeyring};
use crate::store::{Accounts, ConfigFile, Place, Saved, Vault};
use crate::sys::atomic_file::is_readable_by_others;
use crate::ui::Ui;
use crate::ui::prompt::Extent;
use crate::{api, s3};

mod connection;

pub use connection::Destination;

/// The longest token file that is read.
const LONGEST_TOKEN: u64 = 64 * 1024;

/// How long the command in CEC_TOKEN_COMMAND may take.
const TOKEN_COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// How often a request may be tried at most.
pub const MOST_ATTEMPTS: u32 = 1000;

/// What a command works with.
pub struct Ctx {
    /// What flags and environment say.
    pub settings: Settings,
    /// The screen.
    pub ui: Arc<Ui>,
    /// Cancelled when the user wants the command to stop.
    pub cancel: CancellationToken,
    /// The public link that the command is about, beside what settings say.
    named_link: OnceLock<LinkUrl>,
    /// Whether it was told that no certificate is checked.
    told_of_skip_verify: AtomicBool,
    /// Whether it was said which proxies of the environment are not usable.
    told_of_proxies: AtomicBool,
    /// Whether it was said that something of the environment is kept back.
    told_of_kept: AtomicBool,
    opened: OnceCell<Opened>,
    view: OnceCell<Option<Arc<View>>>,
    sender: OnceCell<Arc<Sender>>,
    api: OnceCell<api::Client>,
    s3: OnceCell<s3::Client>,
}

/// An account ready for use, with what its entry says about connections.
#[derive(Debug)]
pub struct Opened {
    /// The account.
    pub account: Account,
    /// Whether its entry accepts any certificate.
    pub skip_verify: bool,
    /// The headers that its entry adds.
    pub headers: Vec<(String, String)>,
    /// Where its secret is stored, if it is.
    pub place: Option<Place>,
    /// The flag or variable that gave it, if one did.
    pub source: Option<&'static str>,
    /// The public link that it is, with what its page tells.
    pub visited: Option<(LinkUrl, LinkPage)>,
}

impl Ctx {
    /// A context in which nothing is opened yet.
    pub fn new(settings: Settings, ui: Arc<Ui>, cancel: CancellationToken) -> Self {
        Self {
            settings,
            ui,
            cancel,
            named_link: OnceLock::new(),
            told_of_skip_verify: AtomicBool::new(false),
            told_of_proxies: AtomicBool::new(false),
            told_of_kept: AtomicBool::new(false),
            opened: OnceCell::new(),
            view: OnceCell::new(),
            sender: OnceCell::new(),
            api: OnceCell::new(),
            s3: OnceCell::new(),
        }
    }

    /// The account in use.
    ///
    /// # Errors
    /// Nobody is signed in, or what was given does not go together.
    pub async fn account(&self) -> Result<&Account, CliError> {
        Ok(&self.opened().await?.account)
    }

    async fn opened(&self) -> Result<&Opened, CliError> {
        self.opened.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> Result<Opened, CliError> {
        let selection = match self.named_link.get() {
            Some(link) => self.settings.visit(link)?,
            None => self.settings.selection()?,
        };
        let opened = match selection {
            Selection::Given { url, login, secret, source } => {
                self.ui.keep_advice(advice_for(source));
                self.warn_of_plain_http(&url);
                let credentials = match secret {
                    GivenSecret::Token(origin) => Credentials::Token(read_token(&self.ui, &origin).await?),
                    GivenSecret::Password(password) => {
                        // A password is only ever selected together with a login name.
                        let password = read_password(&self.ui, &password).await?;
                        Credentials::Password { login: login.clone().unwrap_or_default(), password }
                    }
                };
                Opened { source: Some(source), ..given(Account { url, login, credentials, stored_id: None }) }
            }
            Selection::Link { link, password } => self.open_link(link, password).await?,
            Selection::Stored { profile, claim } => self.open_stored(profile.as_deref(), &claim).await?,
        };
        self.keep_secrets(&opened.account.credentials);
        Ok(opened)
    }

    /// Signs a visitor of a public link in, as the page of the link says.
    async fn open_link(&self, link: LinkUrl, password: Option<SecretString>) -> Result<Opened, CliError> {
        let failed = |error: AuthError| CliError::from(error).during(format!("opening {link}")).about(&link);
        if !link.server().is_https() && !link.server().is_loopback() {
            let server = link.server();
            self.ui.warn(&format!("{server} is not encrypted: the link and its files can be read on the way"));
        }
        self.warn_of_skip_verify(link.server(), false);
        let page = LinkPage::fetch(&self.http(Destination::Link(&link), false, &[])?, &link).await.map_err(failed)?;
        let password = match password {
            None if page.wants_password && self.ui.can_ask() => {
                let asked = self.ui.ask_hidden(&format!("Password of {link}")).await;
                asked.map_err(|error| unread("the password", "the terminal", &error))?
            }
            given => given,
        };
        let password = page.password(password).map_err(failed)?;
        let credentials = Credentials::Password { login: page.login.clone(), password };
        let url = link.server().clone();
        let account = Account { url, login: Some(page.login.clone()), credentials, stored_id: None };
        Ok(Opened { visited: Some((link, page)), ..given(account) })
    }

    /// Makes the command one about a public link, which takes the place of the account.
    pub fn name_link(&self, link: LinkUrl) {
        // The first one counts; the dispatcher sees to it that there is no other.
        let _ = self.named_link.set(link);
    }

    /// The public link that takes the place of the account.
    ///
    /// # Errors
    /// An account by flag besides it.
    pub fn link(&self) -> Result<Option<&LinkUrl>, CliError> {
        match self.named_link.get() {
            Some(link) => Ok(Some(link)),
            None => Ok(self.settings.link()?),
        }
    }

    /// A path on the server as typed; in a public link it is named from the last part of the link's URL on, however it
    /// was written.
    ///
    /// # Errors
    /// What is no path, or no public link. Nothing at all is none: in a script it is a variable that was never set.
    pub fn remote_path(&self, text: &str) -> Result<RemotePath, CliError> {
        if text.is_empty() {
            return Err(CliError::empty_path());
        }
        if LinkUrl::is_meant(text) {
            let (link, below) = parse_link(text)?;
            if self.link()? != Some(&link) {
                let message = format!("{link} is a public link, which this command does not work in");
                return Err(CliError::new(Kind::Usage, message));
            }
            let path = RemotePath::parse(&format!("/{}/{below}", link.hash()));
            return path.map_err(|error| match error {
                PathError::DotSegment(_, segment) => PathError::DotSegment(text.to_owned(), segment).into(),
                error @ PathError::Nul(_) => error.into(),
            });
        }
        let path = RemotePath::parse(text)?;
        Ok(match self.link()? {
            Some(link) if path.workspace() != link.hash() => RemotePath::root().join(link.hash()).join(path.as_str()),
            _ => path,
        })
    }

    /// Warns where what goes to a server can be read on the way.
    pub fn warn_of_plain_http(&self, url: &ServerUrl) {
        if !url.is_https() && !url.is_loopback() {
            self.ui.warn(&format!("{url} is not encrypted: secrets and files can be read on the way"));
        }
    }

    /// Warns, once, where the certificate of a server is not checked; `stored` is what the account's entry says.
    pub fn warn_of_skip_verify(&self, url: &ServerUrl, stored: bool) {
        let flag = self.settings.connection.skip_verify;
        if !flag.unwrap_or(stored) || !url.is_https() {
            return;
        }
        if !self.told_of_skip_verify.swap(true, Ordering::Relaxed) {
            let why = if flag.is_none() { "; that is stored with the account" } else { "" };
            self.ui.warn(&format!(
                "the certificate of {url} is not checked, so anybody in between can read along{why}; --ca-cert is safer"
            ));
        }
    }

    /// Remembers the secrets of credentials, so that no message can show them.
    pub fn keep_secrets(&self, credentials: &Credentials) {
        match credentials {
            Credentials::Token(secret) => self.ui.secrets().keep(secret),
            Credentials::Password { password, .. } => self.ui.secrets().keep(password),
            Credentials::OAuth(pair) => {
                self.ui.secrets().keep(&pair.access);
                pair.refresh.iter().for_each(|refresh| self.ui.secrets().keep(refresh));
            }
        }
    }

    async fn open_stored(&self, profile: Option<&str>, claim: &Claim) -> Result<Opened, CliError> {
        let vault = self.vault()?;
        let loaded = vault.load()?;
        if loaded.shows_secrets() {
            let path = vault.file().path();
            let path = path.display().to_string();
            self.ui
                .warn(&format!("others can read the secrets in {path}; run: {}", command_line("chmod 600", &[&path])));
        }
        let id = choose(&loaded.accounts, profile)?;
        let is_active = loaded.accounts.active_id() == Some(id);
        let which = if is_active { &[][..] } else { &[id] };
        self.ui.keep_advice(format!("sign in again with: {}", command_line("cec config relog", which)));
        let entry = &loaded.accounts.entries[id];
        if let Some(url) = claim.url.as_ref().filter(|url| url.value.origin() != entry.url().trim_end_matches('/')) {
            let message = format!("{} names {}, but {id} is an account on {}", url.name, url.value, entry.url());
            let other = loaded.accounts.entries.iter().find(|(_, entry)| entry.url() == url.value.origin());
            let hint = match other {
                Some((id, _)) => format!("choose the stored account with --profile {id}, or give its credentials"),
                None => {
                    "give the credentials for that server as well, or sign in there with 'cec configure'".to_owned()
                }
            };
            return Err(CliError::new(Kind::Usage, message).hint(hint));
        }
        if let Some(login) = claim.login.as_ref().filter(|login| entry.user() != login.value) {
            let message = format!("{} is {}, but the stored account is {id}", login.name, login.value);
            return Err(CliError::new(Kind::Usage, message)
                .hint("give the password as well, or choose an account with --profile"));
        }
        let (id, accounts) = (id.to_owned(), loaded.accounts);
        let found = waiting(move || vault.find(&accounts, &id)).await??;
        Ok(Opened {
            skip_verify: found.entry.skip_verify(),
            headers: found.entry.headers(),
            place: Some(found.place),
            source: None,
            account: found.account,
            visited: None,
        })
    }

    /// The stored accounts with their secrets. What it does may wait: see [`waiting`].
    ///
    /// # Errors
    /// As [`Ctx::config_file`].
    pub fn vault(&self) -> Result<Vault, CliError> {
        let keyring: Arc<dyn Keyring> = match self.settings.no_keyring {
            true => Arc::new(NoKeyring::because("CEC_KEYRING says so")),
            false => keyring::system(),
        };
        Ok(Vault::new(self.config_file()?, keyring, self.settings.skip_keyring))
    }

    /// Stores an account as the active one, its secret in the keyring or in config.json.
    ///
    /// # Errors
    /// A keyring that is there but takes nothing; a file that cannot be written.
    pub async fn save_account(&self, account: &Account, login: &str, skip_verify: bool) -> Result<Saved, CliError> {
        let (vault, account, login) = (self.vault()?, account.clone(), login.to_owned());
        Ok(waiting(move || vault.save(&account, &login, skip_verify)).await??)
    }

    /// Where the secret of the account in use is stored; `None` where it was given by flags or environment.
    ///
    /// # Errors
    /// As [`Ctx::account`].
    pub async fn place(&self) -> Result<Option<&Place>, CliError> {
        Ok(self.opened().await?.place.as_ref())
    }

    /// The flag or variable that gave the account in use; `None` where it is stored.
    ///
    /// # Errors
    /// As [`Ctx::account`].
    pub async fn source(&self) -> Result<Option<&'static str>, CliError> {
        Ok(self.opened().await?.source)
    }

    /// Where accounts are stored.
    ///
    /// # Errors
    /// Neither flags nor environment name a place.
    pub fn config_file(&self) -> Result<ConfigFile, CliError> {
        let folder: PathBuf = self.settings.config_folder.clone().ok_or(crate::store::StoreError::NoFolder)?;
        Ok(ConfigFile::in_folder(folder))
    }

    /// The authenticated sender of the account in use.
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

    /// The REST client.
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

    /// How small requests are tried again, as the environment says.
    ///
    /// # Errors
    /// A variable with a bad value.
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

    /// How the paths of a public link are shown, where the account is one.
    async fn view(&self) -> Result<&Option<Arc<View>>, CliError> {
        self.view
            .get_or_try_init(async || {
                let Some((link, page)) = &self.opened().await?.visited else { return Ok(None) };
                let client = api::Client::new(Arc::clone(self.sender().await?));
                let view = client.visit(link.hash(), &page.uuid).await;
                let failed = |error| CliError::from(error).during(format!("opening {link}")).about(link);
                Ok(Some(Arc::new(view.map_err(failed)?)))
            })
            .await
    }

    /// The client of the S3 gateway.
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

    /// The public link that the account is, with what its page tells.
    ///
    /// # Errors
    /// As [`Ctx::account`].
    pub async fn visited(&self) -> Result<Option<&(LinkUrl, LinkPage)>, CliError> {
        Ok(self.opened().await?.visited.as_ref())
    }

    /// Ends what was opened on the server: a password session, where there is one.
    pub async fn close(&self) {
        if let Some(sender) = self.sender.get() {
            // A server that does not answer must not keep the program.
            let _ = tokio::time::timeout(sender.tokens.farewell(), sender.tokens.close()).await;
        }
    }
}

/// An account that was given, and is stored nowhere.
fn given(account: Account) -> Opened {
    let (headers, place, source) = (Vec::new(), None, None);
    Opened { account, skip_verify: false, headers, place, source, visited: None }
}

/// What to do where the credentials that a flag or variable gave are not good (any more).
fn advice_for(source: &str) -> String {
    let from = match source {
        env::TOKEN_FILE | "--token-file" => {
            format!("the token is in the file that {source} names: put a new one there")
        }
        env::TOKEN_COMMAND => {
            format!("the token is what the command in {source} printed: see that it prints a new one")
        }
        _ => format!("it was given by {source}: give a new one"),
    };
    if source.starts_with('-') {
        return from;
    }
    format!("{from}, or unset {source}, which wins over the accounts of 'cec configure'")
}

/// Runs on a thread that may wait, for a lock or for the keyring.
///
/// # Errors
/// What was run broke down.
pub async fn waiting<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Result<T, CliError> {
    tokio::task::spawn_blocking(what)
        .await
        .map_err(|error| CliError::new(Kind::Failure, format!("the accounts could not be reached: {error}")))
}

/// The id of the account that is used.
fn choose<'a>(accounts: &'a Accounts, profile: Option<&str>) -> Result<&'a str, CliError> {
    let known = || accounts.entries.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    if accounts.entries.is_empty() {
        let message = match profile {
            Some(name) => format!("there is no account '{name}': none is stored"),
            None => "not signed in: no account is stored".to_owned(),
        };
        let kind = if profile.is_some() { Kind::NotFound } else { Kind::Auth };
        return Err(CliError::new(kind, message).hint(crate::error::SIGN_IN));
    }
    let Some(name) = profile else {
        return accounts.active_id().ok_or_else(|| {
            CliError::new(Kind::Auth, "no stored account is the active one")
                .hint(format!("choose one with --profile: {}", known()))
        });
    };
    match accounts.named(name).as_slice() {
        [id] => Ok(id),
        [] => Err(CliError::new(Kind::NotFound, format!("there is no account '{name}'"))
            .hint(format!("the stored accounts are: {}", known()))),
        several => Err(CliError::new(Kind::Usage, format!("several accounts are called '{name}'"))
            .hint(format!("give the id: {}", several.join(", ")))),
    }
}

/// Reads a token from where it is. What is typed on a terminal is not shown.
///
/// # Errors
/// It cannot be read, is empty, or holds what no token holds.
pub async fn read_token(ui: &Ui, origin: &TokenOrigin) -> Result<SecretString, CliError> {
    let given = || "the token that was given".to_owned();
    let (text, name) = match origin {
        TokenOrigin::Inline(token) => (token.expose_secret().to_owned(), given()),
        TokenOrigin::StandardInput => {
            let read = ui.read_secret("Token", LONGEST_TOKEN, Extent::Everything).await;
            (read.map_err(|error| unread("the token", "standard input", &error))?, given())
        }
        TokenOrigin::File(path) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path).map_err(|error| {
                let kind = CliError::from(std::io::Error::from(error.kind())).kind;
                CliError::new(kind, format!("cannot read the token file {name}: {error}"))
            })?;
            if file.metadata().is_ok_and(|metadata| metadata.is_file()) && is_readable_by_others(path) {
                ui.warn(&format!("others can read the token in {name}; run: {}", command_line("chmod 600", &[&name])));
            }
            (read_limited(file).map_err(|error| unread("the token", &name, &error))?, format!("the token file {name}"))
        }
        TokenOrigin::Command(command) => {
            // It may ask something itself.
            let held = ui.hold_waiting();
            let printed = run_token_command(command, TOKEN_COMMAND_LIMIT).await?;
            drop(held);
            if printed.trim().is_empty() {
                return Err(CliError::new(Kind::Auth, "the command in CEC_TOKEN_COMMAND printed nothing"));
            }
            (printed, "what the command in CEC_TOKEN_COMMAND printed".to_owned())
        }
    };
    let token = text.trim();
    if token.is_empty() {
        return Err(CliError::new(Kind::Usage, format!("{name} is empty")));
    }
    // A path must not go out as one.
    // A path must not go out as a token: the tokens of a server contain no slash.
    if Token::new(token).is_none() || token.contains('/') {
        let message = format!(
            "{name} is not a token: it has a blank, a line break, a slash or another character that no token has"
        );
        return Err(CliError::new(Kind::Usage, message));
    }
    Ok(SecretString::from(token))
}

/// A password as it was given; `-` reads a line of standard input. What is typed on a terminal is not shown.
///
/// # Errors
/// It cannot be read, or is empty.
pub async fn read_password(ui: &Ui, given: &SecretString) -> Result<SecretString, CliError> {
    let password = match given.expose_secret() {
        "-" => {
            let read = ui.read_secret("Password", LONGEST_TOKEN, Extent::Line).await;
            read.map(SecretString::from).map_err(|error| unread("the password", "standard input", &error))?
        }
        _ => given.clone(),
    };
    if password.expose_secret().is_empty() {
        return Err(CliError::new(Kind::Usage, "the password that was given is empty"));
    }
    Ok(password)
}

fn unread(what: &str, place: &str, error: &std::io::Error) -> CliError {
    CliError::new(Kind::Failure, format!("cannot read {what} from {place}: {error}"))
}

fn read_limited(source: impl std::io::Read) -> std::io::Result<String> {
    let mut text = String::new();
    source.take(LONGEST_TOKEN).read_to_string(&mut text)?;
    Ok(text)
}

async fn run_token_command(command: &str, limit: Duration) -> Result<String, CliError> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let cannot = |error: std::io::Error| {
        CliError::new(Kind::Auth, format!("the command in CEC_TOKEN_COMMAND cannot be run: {error}"))
    };
    let ended = Instant::now() + limit;
    let mut process = std::process::Command::new(shell);
    // One that runs this program again would run itself without end.
    process.arg(flag).arg(command).env_remove(env::TOKEN_COMMAND);
    process.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    let mut child = process.spawn().map_err(cannot)?;
    let output = child.stdout.take();
    let reading = tokio::task::spawn_blocking(move || output.map_or_else(|| Ok(String::new()), read_limited));
    let read = tokio::time::timeout(limit, reading).await;
    let status = loop {
        match child.try_wait().map_err(cannot)? {
            Some(status) if read.is_ok() => break Some(status),
            _ if read.is_err() || Instant::now() >= ended => break None,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let (Some(status), Ok(read)) = (status, read) else {
        // One that has ended in this moment needs no ending.
        let _ = child.kill();
        let _ = child.try_wait();
        let message = format!("the command in CEC_TOKEN_COMMAND did not end within {} seconds", limit.as_secs());
        return Err(CliError::new(Kind::Auth, message));
    };
    if !status.success() {
        return Err(CliError::new(Kind::Auth, format!("the command in CEC_TOKEN_COMMAND failed ({status})")));
    }
    match read {
        Ok(text) => text.map_err(cannot),
        Err(error) => Err(CliError::new(Kind::Failure, format!("the command in CEC_TOKEN_COMMAND was lost: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ui() -> Ui {
        Ui::new(&crate::settings::OutputSettings::default())
    }

    fn accounts(active: &str) -> Accounts {
        let text = include_str!("../tests/recordings/config/multi-mixed.json");
        let mut accounts = Accounts::parse(text).expect("accounts");
        accounts.active = active.to_owned();
        accounts
    }

    #[test]
    fn profiles_are_ids_or_labels_and_unknown_ones_are_told() {
        let stored = accounts("a2std@127.0.0.1:8080");
        assert_eq!(choose(&stored, None).expect("the active one"), "a2std@127.0.0.1:8080");
        assert_eq!(choose(&stored, Some("bob@10.0.0.5")).expect("by label"), "bob@10.0.0.5:8080");
        let error = choose(&stored, Some("nobody")).expect_err("unknown");
        assert_eq!(error.kind, Kind::NotFound);
        assert!(error.hints[0].contains("bob@10.0.0.5:8080"), "{error:?}");
        assert_eq!(choose(&accounts("gone"), None).expect_err("no active one").kind, Kind::Auth);
        assert_eq!(choose(&Accounts::default(), None).expect_err("none").kind, Kind::Auth);
    }

    #[tokio::test]
    async fn tokens_are_trimmed_and_never_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "  abc\n").expect("a file");
        let token = read_token(&ui(), &TokenOrigin::File(path.clone())).await.expect("a token");
        assert_eq!(token.expose_secret(), "abc");
        std::fs::write(&path, "\n").expect("a file");
        assert_eq!(read_token(&ui(), &TokenOrigin::File(path)).await.expect_err("empty").kind, Kind::Usage);
        let missing = read_token(&ui(), &TokenOrigin::File("/no/such/file".into())).await.expect_err("missing");
        assert_eq!(missing.kind, Kind::NotFound);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn tokens_come_from_commands() {
        let token = read_token(&ui(), &TokenOrigin::Command("printf 'x%s\\n' yz".to_owned())).await.expect("a token");
        assert_eq!(token.expose_secret(), "xyz");
        assert_eq!(
            read_token(&ui(), &TokenOrigin::Command("exit 3".to_owned())).await.expect_err("failed").kind,
            Kind::Auth
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_that_does_not_end_is_not_waited_for() {
        let started = Instant::now();
        let error = run_token_command("exec sleep 20", Duration::from_millis(200)).await.expect_err("too long");
        assert_eq!(error.kind, Kind::Auth);
        assert!(error.message.contains("did not end"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn tokens_hold_what_a_header_can_carry() {
        for text in ["", "  ", "x y", "x\ny", "t\u{f6}ken", "a\u{1}b", "x;touch${IFS}y", "=", "a=b", "'a'"] {
            let error = read_token(&ui(), &TokenOrigin::Inline(text.into())).await.expect_err(text);
            assert_eq!(error.kind, Kind::Usage, "{text:?}");
            assert!(text.trim().is_empty() || !error.message.contains(text), "{error}");
        }
        assert_eq!(read_password(&ui(), &"".into()).await.expect_err("empty").kind, Kind::Usage);
        assert_eq!(read_password(&ui(), &" p w ".into()).await.expect("a password").expose_secret(), " p w ");
    }
}

//! The account in use: from options or the environment, from a public link, or from the store.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use super::{Ctx, Destination};
use crate::credentials::{cannot_read, read_password, read_token};
use crate::env;
use crate::error::{CliError, Kind};
use crate::settings::{Claim, Selection, UnstoredSecret};
use crate::shell::command_line;
use cells_client::account::{Account, Credentials, LinkUrl};
use cells_client::auth::AuthError;
use cells_client::auth::public_link::LinkPage;
use cells_client::store::keyring::{self, Keyring, NoKeyring};
use cells_client::store::{Accounts, ConfigFile, Place, Saved, Vault};

/// An opened account, with its connection settings.
#[derive(Debug)]
pub struct Opened {
    /// The account.
    pub account: Account,
    /// Whether any certificate is accepted according to its entry.
    pub skip_verify: bool,
    /// The headers in its entry.
    pub headers: Vec<(String, String)>,
    /// The place of its secret, if stored.
    pub place: Option<Place>,
    /// The option or variable that it comes from, if any.
    pub source: Option<&'static str>,
    /// The public link and its page, if the account is that of a visitor.
    pub visited: Option<(LinkUrl, LinkPage)>,
}

impl Ctx {
    /// Returns the account in use, and opens it first if necessary.
    ///
    /// # Errors
    /// Nobody is signed in, or the options contradict each other.
    pub async fn account(&self) -> Result<&Account, CliError> {
        Ok(&self.opened().await?.account)
    }

    pub(super) async fn opened(&self) -> Result<&Opened, CliError> {
        self.opened.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> Result<Opened, CliError> {
        let selection = match self.named_link.get() {
            Some(link) => self.settings.select_link(link)?,
            None => self.settings.selection()?,
        };
        let opened = match selection {
            Selection::Unstored { url, login, secret, source } => {
                self.ui.keep_advice(advice_for(source));
                self.warn_of_plain_http(&url);
                let credentials = match secret {
                    UnstoredSecret::Token(origin) => Credentials::Token(read_token(&self.ui, &origin).await?),
                    UnstoredSecret::Password(password) => {
                        // A selection contains a password only together with a login name.
                        let password = read_password(&self.ui, &password).await?;
                        Credentials::Password { login: login.clone().unwrap_or_default(), password }
                    }
                };
                Opened { source: Some(source), ..unstored(Account { url, login, credentials, stored_id: None }) }
            }
            Selection::Link { link, password } => self.open_link(link, password).await?,
            Selection::Stored { profile, claim } => self.open_stored(profile.as_deref(), &claim).await?,
        };
        self.keep_secrets(&opened.account.credentials);
        Ok(opened)
    }

    /// Opens a public link for a visitor, according to its page.
    async fn open_link(&self, link: LinkUrl, password: Option<SecretString>) -> Result<Opened, CliError> {
        let failed = |error: AuthError| CliError::from(error).during(format!("opening {link}")).about(&link);
        if !link.server().is_https() && !link.server().is_loopback() {
            let server = link.server();
            self.ui
                .warn(&format!("the connection to {server} is not encrypted: others can read the link and its files"));
        }
        self.warn_of_skip_verify(link.server(), false);
        let page = LinkPage::fetch(&self.http(Destination::Link(&link), false, &[])?, &link).await.map_err(failed)?;
        let password = match password {
            None if page.wants_password && self.ui.can_ask() => {
                let asked = self.ui.ask_hidden(&format!("Password for {link}")).await;
                asked.map_err(|error| cannot_read("the password", "the terminal", &error))?
            }
            given => given,
        };
        let password = page.password(password).map_err(failed)?;
        let credentials = Credentials::Password { login: page.login.clone(), password };
        let url = link.server().clone();
        let account = Account { url, login: Some(page.login.clone()), credentials, stored_id: None };
        Ok(Opened { visited: Some((link, page)), ..unstored(account) })
    }

    /// Registers the secrets of credentials, so that no message shows them.
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
            self.ui.warn(&format!(
                "other users can read the secrets in {path}; run: {}",
                command_line("chmod 600", &[&path])
            ));
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
                None => "also give the credentials for that server, or sign in there with 'cec configure'".to_owned(),
            };
            return Err(CliError::new(Kind::Usage, message).hint(hint));
        }
        if let Some(login) = claim.login.as_ref().filter(|login| entry.user() != login.value) {
            let message = format!("{} is {}, but the stored account is {id}", login.name, login.value);
            return Err(
                CliError::new(Kind::Usage, message).hint("also give the password, or choose an account with --profile")
            );
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

    /// Returns the stored accounts with their secrets. Its methods may block; see [`waiting`].
    ///
    /// # Errors
    /// As [`Ctx::config_file`].
    pub fn vault(&self) -> Result<Vault, CliError> {
        let keyring: Arc<dyn Keyring> = match self.settings.no_keyring {
            true => Arc::new(NoKeyring::because("disabled by CEC_KEYRING")),
            false => keyring::system(),
        };
        Ok(Vault::new(self.config_file()?, keyring, self.settings.skip_keyring))
    }

    /// Stores an account and makes it the active one. Its secret is stored in the keyring or in config.json.
    ///
    /// # Errors
    /// The keyring exists but does not accept the secret; the file cannot be written.
    pub async fn save_account(&self, account: &Account, login: &str, skip_verify: bool) -> Result<Saved, CliError> {
        let (vault, account, login) = (self.vault()?, account.clone(), login.to_owned());
        Ok(waiting(move || vault.save(&account, &login, skip_verify)).await??)
    }

    /// Returns the place of the secret of the account in use; `None` if the account comes from options or the
    /// environment.
    ///
    /// # Errors
    /// As [`Ctx::account`].
    pub async fn place(&self) -> Result<Option<&Place>, CliError> {
        Ok(self.opened().await?.place.as_ref())
    }

    /// Returns the option or variable that the account in use comes from; `None` if it is stored.
    ///
    /// # Errors
    /// As [`Ctx::account`].
    pub async fn source(&self) -> Result<Option<&'static str>, CliError> {
        Ok(self.opened().await?.source)
    }

    /// Returns the file of stored accounts.
    ///
    /// # Errors
    /// Neither options nor the environment define a folder.
    pub fn config_file(&self) -> Result<ConfigFile, CliError> {
        let folder: PathBuf = self.settings.config_folder.clone().ok_or(cells_client::store::StoreError::NoFolder)?;
        Ok(ConfigFile::in_folder(folder))
    }

    /// Returns the public link in use, if any, with its page.
    ///
    /// # Errors
    /// As [`Ctx::account`].
    pub async fn link_in_use(&self) -> Result<Option<&(LinkUrl, LinkPage)>, CliError> {
        Ok(self.opened().await?.visited.as_ref())
    }
}

/// Creates an account that is not stored.
fn unstored(account: Account) -> Opened {
    let (headers, place, source) = (Vec::new(), None, None);
    Opened { account, skip_verify: false, headers, place, source, visited: None }
}

/// Returns the hint for credentials from an option or variable that are not (or no longer) valid.
fn advice_for(source: &str) -> String {
    let from = match source {
        env::TOKEN_FILE | "--token-file" => {
            format!("write a new token to the file that {source} names")
        }
        env::TOKEN_COMMAND => {
            format!("make the command in {source} print a new token")
        }
        _ => format!("give a new one with {source}"),
    };
    if source.starts_with('-') {
        return from;
    }
    format!("{from}, or unset {source}, which overrides the accounts of 'cec configure'")
}

/// Runs a function on a thread that may block, for example on a lock or the keyring.
///
/// # Errors
/// The function panicked.
pub async fn waiting<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Result<T, CliError> {
    tokio::task::spawn_blocking(what)
        .await
        .map_err(|error| CliError::new(Kind::Failure, format!("the accounts could not be accessed: {error}")))
}

/// Returns the id of the account to use.
fn choose<'a>(accounts: &'a Accounts, profile: Option<&str>) -> Result<&'a str, CliError> {
    let known = || accounts.entries.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    if accounts.entries.is_empty() {
        let message = match profile {
            Some(name) => format!("there is no account '{name}': no account is stored"),
            None => "not signed in: no account is stored".to_owned(),
        };
        let kind = if profile.is_some() { Kind::NotFound } else { Kind::Auth };
        return Err(CliError::new(kind, message).hint(crate::error::Hint::SignIn));
    }
    let Some(name) = profile else {
        return accounts.active_id().ok_or_else(|| {
            CliError::new(Kind::Auth, "no stored account is active")
                .hint(format!("choose one with --profile: {}", known()))
        });
    };
    match accounts.named(name).as_slice() {
        [id] => Ok(id),
        [] => Err(CliError::new(Kind::NotFound, format!("there is no account '{name}'"))
            .hint(format!("use one of the stored accounts: {}", known()))),
        several => Err(CliError::new(Kind::Usage, format!("several accounts are named '{name}'"))
            .hint(format!("use the id: {}", several.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(active: &str) -> Accounts {
        let text = include_str!("../../tests/recordings/config/multi-mixed.json");
        let mut accounts = Accounts::parse(text).expect("accounts");
        accounts.active = active.to_owned();
        accounts
    }

    #[test]
    fn profiles_are_ids_or_labels_and_unknown_ones_are_reported() {
        let stored = accounts("a2std@127.0.0.1:8080");
        assert_eq!(choose(&stored, None).expect("the active one"), "a2std@127.0.0.1:8080");
        assert_eq!(choose(&stored, Some("bob@10.0.0.5")).expect("by label"), "bob@10.0.0.5:8080");
        let error = choose(&stored, Some("nobody")).expect_err("unknown");
        assert_eq!(error.kind, Kind::NotFound);
        assert!(error.hints[0].to_string().contains("bob@10.0.0.5:8080"), "{error:?}");
        assert_eq!(choose(&accounts("gone"), None).expect_err("no active one").kind, Kind::Auth);
        assert_eq!(choose(&Accounts::default(), None).expect_err("none").kind, Kind::Auth);
    }
}

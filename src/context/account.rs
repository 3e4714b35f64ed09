//! The account in use: given by flags or the environment, that of a public link, or a stored one.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use super::{Ctx, Destination};
use crate::credentials::{cannot_read, read_password, read_token};
use crate::env;
use crate::error::{CliError, Kind};
use crate::settings::{Claim, GivenSecret, Selection};
use crate::shell::command_line;
use cells_client::account::{Account, Credentials, LinkUrl};
use cells_client::auth::AuthError;
use cells_client::auth::public_link::LinkPage;
use cells_client::store::keyring::{self, Keyring, NoKeyring};
use cells_client::store::{Accounts, ConfigFile, Place, Saved, Vault};

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
    /// The account in use.
    ///
    /// # Errors
    /// Nobody is signed in, or what was given does not go together.
    pub async fn account(&self) -> Result<&Account, CliError> {
        Ok(&self.opened().await?.account)
    }

    pub(super) async fn opened(&self) -> Result<&Opened, CliError> {
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
                Opened { source: Some(source), ..unstored(Account { url, login, credentials, stored_id: None }) }
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

    /// The stored accounts with their secrets. What it does may wait: see [`waiting`].
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
        let folder: PathBuf = self.settings.config_folder.clone().ok_or(cells_client::store::StoreError::NoFolder)?;
        Ok(ConfigFile::in_folder(folder))
    }

    /// The public link that the account is, with what its page tells.
    ///
    /// # Errors
    /// As [`Ctx::account`].
    pub async fn visited(&self) -> Result<Option<&(LinkUrl, LinkPage)>, CliError> {
        Ok(self.opened().await?.visited.as_ref())
    }
}

/// An account that was given, and is stored nowhere.
fn unstored(account: Account) -> Opened {
    let (headers, place, source) = (Vec::new(), None, None);
    Opened { account, skip_verify: false, headers, place, source, visited: None }
}

/// What to do where the credentials that a flag or variable gave are not good (any more).
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

/// Runs on a thread that may wait, for a lock or for the keyring.
///
/// # Errors
/// What was run broke down.
pub async fn waiting<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Result<T, CliError> {
    tokio::task::spawn_blocking(what)
        .await
        .map_err(|error| CliError::new(Kind::Failure, format!("the accounts could not be accessed: {error}")))
}

/// The id of the account that is used.
fn choose<'a>(accounts: &'a Accounts, profile: Option<&str>) -> Result<&'a str, CliError> {
    let known = || accounts.entries.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    if accounts.entries.is_empty() {
        let message = match profile {
            Some(name) => format!("there is no account '{name}': no account is stored"),
            None => "not signed in: no account is stored".to_owned(),
        };
        let kind = if profile.is_some() { Kind::NotFound } else { Kind::Auth };
        return Err(CliError::new(kind, message).hint(crate::error::SIGN_IN));
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
}

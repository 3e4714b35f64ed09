//! Selects the account: a public link in the command's arguments, then credentials from options, then a profile option,
//! then the environment's link, its credentials and its profile, then the active account in config.json.

use std::path::PathBuf;

use secrecy::SecretString;

use super::{Settings, SettingsError, WithOrigin, parse_given_url};
use cells_client::account::{LinkUrl, ServerUrl};

/// The origin of a token.
#[derive(Debug, Clone)]
pub enum TokenOrigin {
    /// The token itself.
    Inline(SecretString),
    /// On standard input.
    StandardInput,
    /// A file.
    File(PathBuf),
    /// The output of a shell command.
    Command(String),
}

/// A secret from an option or the environment.
#[derive(Debug, Clone)]
pub enum UnstoredSecret {
    /// A token.
    Token(TokenOrigin),
    /// A password, together with a login.
    Password(SecretString),
}

/// The selected account.
#[derive(Debug, Clone)]
pub enum Selection {
    /// Credentials from options or the environment. Neither config.json nor the keyring is read.
    Unstored {
        /// The server.
        url: ServerUrl,
        /// The login name, if given.
        login: Option<String>,
        /// The secret.
        secret: UnstoredSecret,
        /// The option or variable that the secret comes from.
        source: &'static str,
    },
    /// A public link, which requires no account.
    Link {
        /// The link.
        link: LinkUrl,
        /// The password of the link, if given.
        password: Option<SecretString>,
    },
    /// An account in config.json.
    Stored {
        /// The id or label; `None` for the active account.
        profile: Option<String>,
        /// Other options about the account, which must match it.
        claim: Claim,
    },
}

/// Options about a stored account that are not sufficient to sign in.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    /// The server, which must match.
    pub url: Option<WithOrigin<ServerUrl>>,
    /// The login name, which must match.
    pub login: Option<WithOrigin<String>>,
}

impl Settings {
    /// Returns the public link to use instead of an account, apart from one in the command's arguments.
    ///
    /// # Errors
    /// Options name both an account and a link.
    pub fn link(&self) -> Result<Option<&LinkUrl>, SettingsError> {
        let Some(link) = &self.account.link else { return Ok(None) };
        match self.account_flag() {
            None => Ok(Some(&link.value)),
            Some(flag) if link.by_flag => Err(excluded(flag, link.name)),
            Some(_) => Ok(None),
        }
    }

    /// Returns the selection for a link in the command's arguments.
    ///
    /// # Errors
    /// An option also names an account.
    pub fn select_link(&self, link: &LinkUrl) -> Result<Selection, SettingsError> {
        if let Some(flag) = self.account_flag() {
            return Err(excluded(flag, "the URL of a public link"));
        }
        // If the environment names a link, its link password belongs to that link only.
        let owner = self.account.link_variable.as_ref();
        let password = self.account.link_password.clone().filter(|_| owner.is_none_or(|owner| owner == link));
        Ok(Selection::Link { link: link.clone(), password })
    }

    /// Returns the first option that names an account, or a part of one.
    fn account_flag(&self) -> Option<&'static str> {
        let parts = &self.account;
        [
            parts.url_flag.as_ref().map(|given| (given.by_flag, given.name)),
            parts.token.as_ref().map(|given| (given.by_flag, given.name)),
            parts.login.as_ref().map(|given| (given.by_flag, given.name)),
            parts.password.as_ref().map(|given| (given.by_flag, given.name)),
            parts.profile.as_ref().map(|given| (given.by_flag, given.name)),
        ]
        .into_iter()
        .flatten()
        .find_map(|(by_flag, name)| by_flag.then_some(name))
    }

    /// Selects the account.
    ///
    /// # Errors
    /// Credentials are incomplete, or would be sent to another server than the one they were given for.
    pub fn selection(&self) -> Result<Selection, SettingsError> {
        if let Some(link) = self.link()? {
            return self.select_link(link);
        }
        let parts = &self.account;
        let secret_by_flag = self.secret(true);
        let profile_flag = parts.profile.as_ref().filter(|profile| profile.by_flag);
        // At least a part of the credentials comes from options; the rest comes from the environment.
        if let (Some(_), Some(secret)) = (&parts.url_flag, &secret_by_flag) {
            return self.given(secret);
        }
        if let Some(profile) = profile_flag {
            if let Some(secret) = &secret_by_flag {
                return Err(SettingsError::new(format!("{} and --profile cannot be used together", secret.name)));
            }
            let url = parts.url_flag.as_ref().map(parse_given_url).transpose()?;
            let login = parts.login.clone().filter(|login| login.by_flag);
            return Ok(Selection::Stored { profile: Some(profile.value.clone()), claim: Claim { url, login } });
        }
        let any_url = parts.url_flag.is_some() || parts.url_variable.is_some();
        match secret_by_flag.or_else(|| self.secret(false)) {
            Some(secret) if any_url => self.given(&secret),
            Some(secret) => Err(SettingsError::with_hint(
                format!("{} needs the URL of its server", secret.name),
                "add --url or set CEC_URL",
            )),
            None => {
                let profile = parts.profile.as_ref().map(|profile| profile.value.clone());
                let login = parts.login.clone();
                if let Some(password) = &parts.password {
                    return Err(SettingsError::with_hint(
                        format!("{} needs a login name", password.name),
                        "add --login or set CEC_LOGIN",
                    ));
                }
                Ok(Selection::Stored { profile, claim: Claim { url: parts.url()?, login } })
            }
        }
    }

    /// Returns the secret from options, or from the environment if not `by_flag`. A token has priority over a password.
    fn secret(&self, by_flag: bool) -> Option<WithOrigin<UnstoredSecret>> {
        let parts = &self.account;
        if let Some(token) = parts.token.as_ref().filter(|token| token.by_flag == by_flag) {
            let value = UnstoredSecret::Token(token.value.clone());
            return Some(WithOrigin { value, name: token.name, by_flag });
        }
        let password = parts.password.as_ref().filter(|password| password.by_flag == by_flag)?;
        parts.login.as_ref()?;
        Some(WithOrigin { value: UnstoredSecret::Password(password.value.clone()), name: password.name, by_flag })
    }

    /// Returns the variables that have priority over the active account in config.json.
    pub fn overriding(&self) -> Vec<&'static str> {
        let parts = &self.account;
        let url = parts.url_variable.as_ref().map(|url| url.name);
        if let Some(link) = parts.link.as_ref().filter(|link| !link.by_flag) {
            return vec![link.name];
        }
        if let Some(secret) = self.secret(false) {
            return url.into_iter().chain([secret.name]).collect();
        }
        parts.profile.iter().filter(|profile| !profile.by_flag).map(|profile| profile.name).collect()
    }

    fn given(&self, secret: &WithOrigin<UnstoredSecret>) -> Result<Selection, SettingsError> {
        let parts = &self.account;
        let Some(url) = parts.url()? else {
            return Err(SettingsError::new("the URL of the server is missing"));
        };
        parts.check_destination(secret, &url)?;
        let login = parts.login.as_ref().map(|login| login.value.clone());
        Ok(Selection::Unstored { url: url.value, login, secret: secret.value.clone(), source: secret.name })
    }
}

fn excluded(flag: &str, link: &str) -> SettingsError {
    SettingsError::with_hint(
        format!("{flag} and {link} cannot be used together"),
        format!("omit {flag}: a public link needs no account"),
    )
}

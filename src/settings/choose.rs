//! Which account is used: a public link that the command is about, then credentials by flags, then a profile by flag,
//! then the environment's link, then its credentials, then its profile, then the active account of config.json.

use std::path::PathBuf;

use secrecy::SecretString;

use super::{Given, Settings, SettingsError, parse_given_url};
use cells_client::account::{LinkUrl, ServerUrl};

/// Where a given token is.
#[derive(Debug, Clone)]
pub enum TokenOrigin {
    /// Here.
    Inline(SecretString),
    /// On standard input.
    StandardInput,
    /// In a file.
    File(PathBuf),
    /// What a shell command prints.
    Command(String),
}

/// A secret given by flag or environment.
#[derive(Debug, Clone)]
pub enum GivenSecret {
    /// A token.
    Token(TokenOrigin),
    /// A password; the login is given too.
    Password(SecretString),
}

/// The account that is used.
#[derive(Debug, Clone)]
pub enum Selection {
    /// Credentials given by flags or environment; neither config.json nor the keyring is touched.
    Given {
        /// The server.
        url: ServerUrl,
        /// The login name, where given.
        login: Option<String>,
        /// The secret.
        secret: GivenSecret,
        /// The flag or variable that gave it.
        source: &'static str,
    },
    /// A public link, whose visitors need no account.
    Link {
        /// The link.
        link: LinkUrl,
        /// Its password, where one is given.
        password: Option<SecretString>,
    },
    /// An account of config.json.
    Stored {
        /// Its id or label; `None` for the active one.
        profile: Option<String>,
        /// What else was said about it and must be true of it.
        claim: Claim,
    },
}

/// What was said about a stored account without being enough to sign in.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    /// The server, which must be the account's.
    pub url: Option<Given<ServerUrl>>,
    /// The login name, which must be the account's.
    pub login: Option<Given<String>>,
}

impl Settings {
    /// The public link that takes the place of an account, without one that the command is about.
    ///
    /// # Errors
    /// An account by flag besides that of a flag.
    pub fn link(&self) -> Result<Option<&LinkUrl>, SettingsError> {
        let Some(link) = &self.account.link else { return Ok(None) };
        match self.account_flag() {
            None => Ok(Some(&link.value)),
            Some(flag) if link.by_flag => Err(excluded(flag, link.name)),
            Some(_) => Ok(None),
        }
    }

    /// The selection of a link that the command itself is about.
    ///
    /// # Errors
    /// An account by flag besides it.
    pub fn visit(&self, link: &LinkUrl) -> Result<Selection, SettingsError> {
        if let Some(flag) = self.account_flag() {
            return Err(excluded(flag, "the URL of a public link"));
        }
        // A password of the environment belongs to the environment's link, where that names one.
        let owner = self.account.link_variable.as_ref();
        let password = self.account.link_password.clone().filter(|_| owner.is_none_or(|owner| owner == link));
        Ok(Selection::Link { link: link.clone(), password })
    }

    /// The first flag that names an account, or a part of one.
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

    /// Decides which account is used.
    ///
    /// # Errors
    /// Credentials that are incomplete, or that would go to a server other than the one they were given for.
    pub fn selection(&self) -> Result<Selection, SettingsError> {
        if let Some(link) = self.link()? {
            return self.visit(link);
        }
        let parts = &self.account;
        let secret_by_flag = self.secret(true);
        let profile_flag = parts.profile.as_ref().filter(|profile| profile.by_flag);
        // Credentials that a flag has a part in, the rest being filled in from the environment.
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

    /// The secret that flags give, or else (`by_flag` false) the environment: a token before a password.
    fn secret(&self, by_flag: bool) -> Option<Given<GivenSecret>> {
        let parts = &self.account;
        if let Some(token) = parts.token.as_ref().filter(|token| token.by_flag == by_flag) {
            let value = GivenSecret::Token(token.value.clone());
            return Some(Given { value, name: token.name, by_flag });
        }
        let password = parts.password.as_ref().filter(|password| password.by_flag == by_flag)?;
        parts.login.as_ref()?;
        Some(Given { value: GivenSecret::Password(password.value.clone()), name: password.name, by_flag })
    }

    /// The variables that win over the active account of config.json, where they do.
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

    fn given(&self, secret: &Given<GivenSecret>) -> Result<Selection, SettingsError> {
        let parts = &self.account;
        let Some(url) = parts.url()? else {
            return Err(SettingsError::new("the URL of the server is missing"));
        };
        parts.check_destination(secret, &url)?;
        let login = parts.login.as_ref().map(|login| login.value.clone());
        Ok(Selection::Given { url: url.value, login, secret: secret.value.clone(), source: secret.name })
    }
}

fn excluded(flag: &str, link: &str) -> SettingsError {
    SettingsError::with_hint(
        format!("{flag} and {link} cannot be used together"),
        format!("omit {flag}: a public link needs no account"),
    )
}

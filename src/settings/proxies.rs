//! The proxies of the environment.

use secrecy::{ExposeSecret as _, SecretString};

use super::SettingsError;
use crate::env::{self, EnvError, Environment};

/// The proxy variables of the environment, with the name of the variable that is set.
#[derive(Debug, Clone, Default)]
pub struct ProxyTexts {
    /// For http://.
    pub http: Option<(&'static str, SecretString)>,
    /// For https://.
    pub https: Option<(&'static str, SecretString)>,
    /// For both, unless the specific one is set.
    pub all: Option<(&'static str, SecretString)>,
    /// Hosts that need no proxy.
    pub none: String,
}

impl ProxyTexts {
    /// Reads the variables. Of two spellings, the first one that is not empty counts.
    pub(super) fn resolve(environment: &Environment) -> Result<Self, SettingsError> {
        let first = |names: [&'static str; 2]| -> Result<Option<(&'static str, SecretString)>, EnvError> {
            for name in names {
                if let Some(text) = environment.text(name)?.map(str::trim).filter(|text| !text.is_empty()) {
                    return Ok(Some((name, SecretString::from(text))));
                }
            }
            Ok(None)
        };
        let by_stranger = environment.is_set(env::REQUEST_METHOD);
        Ok(Self {
            http: first(env::HTTP_PROXY)?.filter(|(name, _)| *name != env::HTTP_PROXY[1] || !by_stranger),
            https: first(env::HTTPS_PROXY)?,
            all: first(env::ALL_PROXY)?,
            none: first(env::EXCEPT_PROXY)?.map(|(_, text)| text.expose_secret().to_owned()).unwrap_or_default(),
        })
    }
}

//! The Credential Manager of Windows.

use std::collections::HashMap;

use keyring_core::api::CredentialStoreApi as _;
use keyring_core::{Entry, Error};
use secrecy::{ExposeSecret, SecretString};
use windows_native_keyring_store::Store;

use super::encoding::{self, SERVICE};
use super::{Keyring, KeyringError};

/// The generic credentials of the user on this machine.
#[derive(Debug)]
pub(super) struct CredentialManager;

impl CredentialManager {
    fn entry(user: &str) -> Result<Entry, KeyringError> {
        let target = encoding::windows_target(user);
        let modifiers = HashMap::from([("target", target.as_str()), ("persistence", "Local")]);
        let store = Store::new().map_err(|error| keyring_error(&error))?;
        store.build(SERVICE, user, Some(&modifiers)).map_err(|error| keyring_error(&error))
    }
}

impl Keyring for CredentialManager {
    fn get(&self, user: &str) -> Result<Option<SecretString>, KeyringError> {
        match Self::entry(user)?.get_secret() {
            Ok(bytes) => match encoding::windows_value(&bytes) {
                Some(secret) => Ok(Some(secret)),
                None => Err(KeyringError::Failed("its entry for this account is not text".to_owned())),
            },
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(keyring_error(&error)),
        }
    }

    fn set(&self, user: &str, secret: &SecretString) -> Result<(), KeyringError> {
        let entry = Self::entry(user)?;
        entry.set_secret(secret.expose_secret().as_bytes()).map_err(|error| keyring_error(&error))?;
        // With an explicit target the user name is empty, but the older client writes it.
        entry.update_attributes(&HashMap::from([("username", user)])).map_err(|error| keyring_error(&error))
    }

    fn remove(&self, user: &str) -> Result<bool, KeyringError> {
        match Self::entry(user)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(keyring_error(&error)),
        }
    }
}

fn keyring_error(error: &Error) -> KeyringError {
    match error {
        Error::NoStorageAccess(_) => KeyringError::Locked,
        error => KeyringError::Failed(error.to_string()),
    }
}

//! The Keychain of macOS.

use secrecy::{ExposeSecret, SecretString};
use security_framework::base::Error;
use security_framework::passwords::{delete_generic_password, get_generic_password, set_generic_password};

use super::encoding::{self, SERVICE};
use super::{Keyring, KeyringError};

/// The status for an item that does not exist.
const NOT_FOUND: i32 = -25300;

/// The status if the user would have to be asked but cannot be.
const INTERACTION_NOT_ALLOWED: i32 = -25308;

/// The login keychain.
#[derive(Debug)]
pub(super) struct Keychain;

impl Keyring for Keychain {
    fn get(&self, user: &str) -> Result<Option<SecretString>, KeyringError> {
        match get_generic_password(SERVICE, user) {
            Ok(bytes) => match encoding::macos_read(&bytes) {
                Some(secret) => Ok(Some(secret)),
                None => Err(KeyringError::Failed("its entry for this account is not text".to_owned())),
            },
            Err(error) if error.code() == NOT_FOUND => Ok(None),
            Err(error) => Err(keyring_error(error)),
        }
    }

    fn set(&self, user: &str, secret: &SecretString) -> Result<(), KeyringError> {
        let value = encoding::macos_write(secret);
        set_generic_password(SERVICE, user, value.expose_secret().as_bytes()).map_err(keyring_error)
    }

    fn remove(&self, user: &str) -> Result<bool, KeyringError> {
        match delete_generic_password(SERVICE, user) {
            Ok(()) => Ok(true),
            Err(error) if error.code() == NOT_FOUND => Ok(false),
            Err(error) => Err(keyring_error(error)),
        }
    }
}

fn keyring_error(error: Error) -> KeyringError {
    if error.code() == INTERACTION_NOT_ALLOWED {
        return KeyringError::Locked;
    }
    KeyringError::Failed(error.to_string())
}

//! The Secret Service of Linux: GNOME Keyring, KWallet, KeePassXC.

use std::collections::HashMap;
use std::io::ErrorKind;

use secrecy::{ExposeSecret, SecretString};
use secret_service::blocking::{Collection, Item, SecretService};
use secret_service::{EncryptionType, Error};

use super::encoding::{self, SERVICE};
use super::{Keyring, KeyringError};

/// The content type of the older client's secrets.
const CONTENT_TYPE: &str = "text/plain; charset=utf8";

/// The Secret Service on the session bus.
#[derive(Debug)]
pub(super) struct SecretServiceKeyring;

impl Keyring for SecretServiceKeyring {
    fn get(&self, user: &str) -> Result<Option<SecretString>, KeyringError> {
        let service = connect()?;
        let items = find(&service, user)?;
        let Some(item) = items.first() else { return Ok(None) };
        let secret = item.get_secret().map_err(keyring_error)?;
        let text = String::from_utf8(secret)
            .map_err(|_| KeyringError::Failed("its entry for this account is not text".to_owned()))?;
        Ok(Some(SecretString::from(text)))
    }

    fn set(&self, user: &str, secret: &SecretString) -> Result<(), KeyringError> {
        let service = connect()?;
        let items = find(&service, user)?;
        let bytes = secret.expose_secret().as_bytes();
        if let Some((newest, older)) = items.split_first() {
            newest.set_secret(bytes, CONTENT_TYPE).map_err(keyring_error)?;
            // There may be two items for one account, in two collections. Other programs must not find the outdated one
            // first.
            return older.iter().try_for_each(|item| item.delete().map_err(keyring_error));
        }
        let collection = collection(&service)?;
        unlock_collection(&collection)?;
        collection
            .create_item(&encoding::label(user), attributes(user), bytes, true, CONTENT_TYPE)
            .map_err(keyring_error)?;
        Ok(())
    }

    fn remove(&self, user: &str) -> Result<bool, KeyringError> {
        let service = connect()?;
        let items = find(&service, user)?;
        items.iter().try_for_each(|item| item.delete().map_err(keyring_error))?;
        Ok(!items.is_empty())
    }
}

fn connect() -> Result<SecretService<'static>, KeyringError> {
    SecretService::connect(EncryptionType::Dh).map_err(|error| match &error {
        Error::Unavailable => KeyringError::Absent("there is no session bus".to_owned()),
        _ if nobody_there(&error) => KeyringError::Absent("no Secret Service on the session bus".to_owned()),
        _ => keyring_error(error),
    })
}

/// Whether a failed connection means that there is no bus, or no such service on it and none that can be started.
fn nobody_there(error: &Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            return matches!(io.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
        }
        cause = current.source();
    }
    let text = error.to_string();
    ["ServiceUnknown", "NameHasNoOwner", "Error.Spawn", "Failed to connect to address"]
        .iter()
        .any(|name| text.contains(name))
}

fn attributes(user: &str) -> HashMap<&str, &str> {
    HashMap::from([("service", SERVICE), ("username", user)])
}

/// Returns the items of a user, unlocked, newest first. Unlocking may wait for the user, so the caller must limit the
/// time.
fn find<'a>(service: &'a SecretService<'_>, user: &str) -> Result<Vec<Item<'a>>, KeyringError> {
    let found = service.search_items(attributes(user)).map_err(keyring_error)?;
    let mut items = found.unlocked;
    // Unlocked items are sufficient for reading. Outdated ones in locked collections are the last choice.
    if items.is_empty() {
        for item in found.locked {
            item.unlock().map_err(keyring_error)?;
            item.ensure_unlocked().map_err(keyring_error)?;
            items.push(item);
        }
    }
    items.sort_by_cached_key(|item| std::cmp::Reverse(item.get_modified().unwrap_or(0)));
    Ok(items)
}

/// Returns the collection that the older client uses first: `login`, otherwise the default one.
fn collection<'a>(service: &'a SecretService<'_>) -> Result<Collection<'a>, KeyringError> {
    let all = service.get_all_collections().map_err(keyring_error)?;
    let login = all.into_iter().find(|collection| collection.collection_path.as_str().ends_with("/login"));
    match login {
        Some(collection) => Ok(collection),
        None => service.get_any_collection().map_err(|error| match error {
            Error::NoResult => KeyringError::Absent("it has no collection for secrets".to_owned()),
            error => keyring_error(error),
        }),
    }
}

fn unlock_collection(collection: &Collection<'_>) -> Result<(), KeyringError> {
    if collection.is_locked().map_err(keyring_error)? {
        collection.unlock().map_err(keyring_error)?;
    }
    collection.ensure_unlocked().map_err(keyring_error)
}

fn keyring_error(error: Error) -> KeyringError {
    match error {
        Error::Locked | Error::Prompt | Error::PromptDisconnected => KeyringError::Locked,
        error => KeyringError::Failed(error.to_string()),
    }
}

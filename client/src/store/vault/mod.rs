//! Accounts with their secrets: config.json combined with the keyring. Everything here may wait for a lock or for the
//! keyring, so call it only on threads that may block.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::accounts::{Accounts, ConfigFile, Entry, Loaded};
use super::keyring::{Keyring, KeyringError, encoding};
use super::{StoreError, migrate};
use crate::account::{Account, Credentials, TokenPair};
use crate::sys::atomic_file::Reserved;
use crate::sys::lock::FileLock;

/// How long to wait for another process that renews the same account's tokens: longer than its time-outs.
const ACCOUNT_PATIENCE: Duration = Duration::from_secs(100);

/// The place of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The system keyring.
    Keyring,
    /// The file config.json, as plain text.
    File(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyring => formatter.write_str("the system keyring"),
            Self::File(path) => path.display().fmt(formatter),
        }
    }
}

/// The result of storing an account.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The id of the account.
    pub id: String,
    /// The place of its secret.
    pub place: Place,
    /// Why the secret is not in the keyring, although it should be.
    pub no_keyring: Option<String>,
    /// The account that was stored under this id before.
    pub replaced: Option<Account>,
}

/// A stored account.
#[derive(Debug, Clone)]
pub struct StoredAccount {
    /// The account with its secret.
    pub account: Account,
    /// Its entry in config.json.
    pub entry: Entry,
    /// The place of the secret.
    pub place: Place,
}

/// The result of removing an account.
#[derive(Debug)]
pub struct Removed {
    /// Its entry in config.json.
    pub entry: Entry,
    /// Why its secret may still be in the keyring.
    pub left_in_keyring: Option<KeyringError>,
}

/// Reserved disk space for a new pair of tokens.
#[derive(Debug)]
pub struct Room(Reserved);

/// The accounts of a user.
#[derive(Debug, Clone)]
pub struct Vault {
    file: ConfigFile,
    keyring: Arc<dyn Keyring>,
    keep_in_file: bool,
}

impl Vault {
    /// Creates a vault from config.json and a keyring. With `keep_in_file`, new secrets are written to the file, and
    /// the keyring is only used for existing ones.
    pub fn new(file: ConfigFile, keyring: Arc<dyn Keyring>, keep_in_file: bool) -> Self {
        Self { file, keyring, keep_in_file }
    }

    /// Returns the file.
    pub fn file(&self) -> &ConfigFile {
        &self.file
    }

    /// Returns the keyring.
    pub fn keyring(&self) -> &dyn Keyring {
        self.keyring.as_ref()
    }

    /// Reads config.json.
    ///
    /// # Errors
    /// As [`ConfigFile::load`].
    pub fn load(&self) -> Result<Loaded, StoreError> {
        self.file.load()
    }

    /// Stores an account with its secret, and makes it the active one. The secret is written to the keyring first, then
    /// the account to config.json. If there is no keyring or it should not be used, the secret is written to the file.
    ///
    /// # Errors
    /// The keyring exists but does not accept the secret; the file cannot be written.
    pub fn save(&self, account: &Account, login: &str, skip_verify: bool) -> Result<Saved, StoreError> {
        let id = account.url.account_id(login);
        let user = encoding::user(account.url.origin(), login);
        // A renewal in another process would otherwise write its pair over the new credentials.
        let _lock = self.lock(&id)?;
        let replaced = self.load().ok().and_then(|loaded| self.find(&loaded.accounts, &id).ok());
        let replaced = replaced.map(|found| found.account);
        let no_keyring = if self.keep_in_file {
            None
        } else {
            // The keyring first: if the process ends in between, an entry without a secret would be useless, but a
            // secret without an entry is harmless.
            match self.keyring.set(&user, &item_of(&account.credentials)) {
                Ok(()) => {
                    let saved = self.save_entry(account, login, skip_verify, Place::Keyring, None)?;
                    return Ok(Saved { replaced, ..saved });
                }
                Err(KeyringError::Absent(reason)) => Some(reason),
                // A locked keyring is not a reason to write the secret to the file as plain text. The user must decide.
                Err(error) => return Err(StoreError::NotKept(error)),
            }
        };
        let saved = self.save_entry(account, login, skip_verify, Place::File(self.file.path()), no_keyring)?;
        Ok(Saved { replaced, ..saved })
    }

    fn save_entry(
        &self,
        account: &Account,
        login: &str,
        skip_verify: bool,
        place: Place,
        no_keyring: Option<String>,
    ) -> Result<Saved, StoreError> {
        let (id, outdated) = self.file.update(|accounts| {
            let id = account.url.account_id(login);
            let outdated = accounts.entries.get(&id).is_some_and(Entry::is_in_keyring);
            accounts.store(account, login, skip_verify);
            if let (Place::Keyring, Some(entry)) = (&place, accounts.entries.get_mut(&id)) {
                entry.move_to_keyring();
            }
            (id, outdated)
        })?;
        if outdated && place != Place::Keyring {
            // The secret is no longer used. If it cannot be removed, that is harmless.
            if let Err(error) = self.keyring.remove(&encoding::user(account.url.origin(), login)) {
                tracing::debug!(%error, "the outdated secret could not be removed from the keyring");
            }
        }
        Ok(Saved { id, place, no_keyring, replaced: None })
    }

    /// Returns an account with its secret. Secrets that old versions stored in the keyring under other names are moved.
    ///
    /// # Errors
    /// The account does not exist, it has no secret, or the keyring does not return it.
    pub fn find(&self, accounts: &Accounts, id: &str) -> Result<StoredAccount, StoreError> {
        let missing = || StoreError::NoSecret { id: id.to_owned() };
        let entry = accounts.entries.get(id).ok_or_else(missing)?.clone();
        if !entry.is_in_keyring() {
            let account = entry.account(id)?;
            return Ok(StoredAccount { account, entry, place: Place::File(self.file.path()) });
        }
        let refused = |source| StoreError::Keyring { id: id.to_owned(), source };
        let user = encoding::user(origin(&entry), entry.user());
        let item = self.keyring.get(&user).map_err(refused)?;
        let (entry, item) = match item {
            Some(item) => (entry, Some(item)),
            None => {
                let before = entry.clone();
                let (entry, item) = self.migrate(entry, &user).map_err(refused)?;
                if entry != before {
                    self.file.update(|accounts| accounts.entries.insert(id.to_owned(), entry.clone()))?;
                }
                (entry, item)
            }
        };
        Ok(StoredAccount { account: entry.account_of_item(id, item.as_ref())?, entry, place: Place::Keyring })
    }

    /// Finds an item of an old version and renames it. Returns the item, and the entry with its type, if that was
    /// unknown.
    fn migrate(&self, mut entry: Entry, user: &str) -> Result<(Entry, Option<SecretString>), KeyringError> {
        for legacy in encoding::legacy_users(origin(&entry)) {
            let Some(value) = self.keyring.get(&legacy)? else { continue };
            let Some(item) = migrate::item(&mut entry, &legacy, &value) else { continue };
            // The new item before the removal of the old one: a process that ends in between leaves two, never none.
            self.keyring.set(user, &item)?;
            self.keyring.remove(&legacy)?;
            return Ok((entry, Some(item)));
        }
        Ok((entry, None))
    }

    /// Returns the stored OAuth tokens of an account; `None` if the account does not (or no longer) exist, or has
    /// another type.
    ///
    /// # Errors
    /// As [`Vault::find`].
    pub fn pair(&self, id: &str) -> Result<Option<TokenPair>, StoreError> {
        let accounts = self.load()?.accounts;
        if !accounts.entries.contains_key(id) {
            return Ok(None);
        }
        Ok(match self.find(&accounts, id)?.account.credentials {
            Credentials::OAuth(pair) => Some(pair),
            Credentials::Token(_) | Credentials::Password { .. } => None,
        })
    }

    /// Prevents this and all other processes from renewing the tokens of an account, until the lock is dropped.
    ///
    /// # Errors
    /// The lock cannot be acquired.
    pub fn lock(&self, id: &str) -> Result<FileLock, StoreError> {
        self.file.lock_account(id, ACCOUNT_PATIENCE)
    }

    /// Makes sure that new tokens of an account can be stored before the old ones are used up: that there is disk
    /// space, and that the keyring accepts changes. The caller has the lock of the account.
    ///
    /// # Errors
    /// The keyring or the file cannot be changed. What is stored remains unchanged.
    pub fn make_room(&self, id: &str) -> Result<Room, StoreError> {
        let room = Room(self.file.reserve()?);
        let accounts = self.load()?.accounts;
        if let Some(entry) = accounts.entries.get(id).filter(|entry| entry.is_in_keyring()) {
            let user = encoding::user(origin(entry), entry.user());
            let refused = |source| StoreError::Keyring { id: id.to_owned(), source };
            // Writes the present value back, since there is no other way to find out whether the keyring accepts one.
            if let Some(item) = self.keyring.get(&user).map_err(refused)? {
                self.keyring.set(&user, &item).map_err(refused)?;
            }
        }
        Ok(room)
    }

    /// Stores new tokens of an account, in the space that was reserved for them, if any. They are on the disk when this
    /// returns. The caller has the lock of the account.
    ///
    /// # Errors
    /// The keyring or the file cannot be changed.
    pub fn store_pair(&self, id: &str, pair: &TokenPair, room: Option<Room>) -> Result<(), StoreError> {
        let loaded = self.load()?;
        let missing = || StoreError::NoSecret { id: id.to_owned() };
        let entry = loaded.accounts.entries.get(id).ok_or_else(missing)?;
        // The keyring first: it has the tokens, and the file only their expiry. If the file fails, the tokens are not
        // lost.
        if entry.is_in_keyring() {
            let user = encoding::user(origin(entry), entry.user());
            self.keyring
                .set(&user, &encoding::join(&pair.access, pair.refresh.as_ref()))
                .map_err(StoreError::NotKept)?;
        }
        self.file.update_in(room.map(|room| room.0), |accounts| {
            if let Some(entry) = accounts.entries.get_mut(id) {
                entry.set_pair(pair);
            }
        })
    }

    /// Sets the user of an account whose user was unknown, and renames its item in the keyring.
    ///
    /// # Errors
    /// The keyring or the file cannot be changed.
    pub fn set_user(&self, id: &str, login: &str) -> Result<(), StoreError> {
        let _lock = self.lock(id)?;
        let accounts = self.load()?.accounts;
        let Some(entry) = accounts.entries.get(id).filter(|entry| entry.user().is_empty()) else { return Ok(()) };
        let (old, new) = (encoding::user(origin(entry), ""), encoding::user(origin(entry), login));
        let in_keyring = entry.is_in_keyring();
        let refused = |source| StoreError::Keyring { id: id.to_owned(), source };
        // The new item before the entry, and the old one removed last: in every order of failures, one of them matches
        // the entry.
        if in_keyring
            && self.keyring.get(&new).map_err(refused)?.is_none()
            && let Some(item) = self.keyring.get(&old).map_err(refused)?
        {
            self.keyring.set(&new, &item).map_err(StoreError::NotKept)?;
        }
        self.file.update(|accounts| accounts.set_user(id, login))?;
        if in_keyring && let Err(error) = self.keyring.remove(&old) {
            tracing::debug!(%error, "the outdated secret could not be removed from the keyring");
        }
        Ok(())
    }

    /// Removes an account: its entry first, then its secret. A keyring that does not answer is reported, but does not
    /// fail the call. `None` if there is no such account.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remove(&self, id: &str) -> Result<Option<Removed>, StoreError> {
        // The entry first: if the secret went first and the file failed, the account would remain but could not be
        // used.
        let Some(entry) = self.file.update(|accounts| accounts.remove(id))? else { return Ok(None) };
        Ok(Some(self.forget_secret(entry)))
    }

    /// Removes all accounts, and config.json even if it cannot be parsed.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn clear(&self) -> Result<Vec<Removed>, StoreError> {
        let accounts = self.load().map(|loaded| loaded.accounts).unwrap_or_default();
        self.file.remove()?;
        let mut removed: Vec<Removed> = Vec::new();
        for entry in accounts.entries.into_values() {
            // A keyring that did not answer once is not asked again for every account.
            let silent = removed.iter().find_map(|earlier| earlier.left_in_keyring.clone());
            removed.push(match silent.filter(|_| entry.is_in_keyring()) {
                Some(error) => Removed { entry, left_in_keyring: Some(error) },
                None => self.forget_secret(entry),
            });
        }
        Ok(removed)
    }

    fn forget_secret(&self, entry: Entry) -> Removed {
        let mut left_in_keyring = None;
        if entry.is_in_keyring() {
            let user = encoding::user(origin(&entry), entry.user());
            left_in_keyring = self.keyring.remove(&user).err();
        }
        Removed { entry, left_in_keyring }
    }
}

fn origin(entry: &Entry) -> &str {
    entry.url().trim_end_matches('/')
}

/// Returns the keyring's value for credentials.
fn item_of(credentials: &Credentials) -> SecretString {
    match credentials {
        Credentials::Token(secret) => secret.clone(),
        Credentials::Password { password, .. } => password.clone(),
        Credentials::OAuth(pair) => encoding::join(&pair.access, pair.refresh.as_ref()),
    }
}

#[cfg(test)]
mod tests;

//! Accounts with their secrets: config.json and the keyring taken together. Everything here may wait for a lock or for
//! the keyring: it is for threads that may wait.

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

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the keyring of the system.
    Keyring,
    /// In config.json, in clear text.
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

/// An account that was stored.
#[derive(Debug, Clone)]
pub struct Saved {
    /// Its id.
    pub id: String,
    /// Where its secret is.
    pub place: Place,
    /// Why the secret is not in the keyring, although it should be.
    pub no_keyring: Option<String>,
    /// The account that was stored under that id before.
    pub replaced: Option<Account>,
}

/// An account that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The account with its secret.
    pub account: Account,
    /// What config.json says of it.
    pub entry: Entry,
    /// Where the secret is.
    pub place: Place,
}

/// What was removed.
#[derive(Debug)]
pub struct Removed {
    /// What config.json said of it.
    pub entry: Entry,
    /// Why its secret may still be in the keyring.
    pub left_in_keyring: Option<KeyringError>,
}

/// Room for a pair of tokens that is to come.
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
    /// The accounts of a config.json with their secrets in `keyring`. With `keep_in_file` secrets of accounts that are
    /// stored anew go to the file, and the keyring is asked only for what is there already.
    pub fn new(file: ConfigFile, keyring: Arc<dyn Keyring>, keep_in_file: bool) -> Self {
        Self { file, keyring, keep_in_file }
    }

    /// The file.
    pub fn file(&self) -> &ConfigFile {
        &self.file
    }

    /// The keyring.
    pub fn keyring(&self) -> &dyn Keyring {
        self.keyring.as_ref()
    }

    /// What config.json holds.
    ///
    /// # Errors
    /// As [`ConfigFile::load`].
    pub fn load(&self) -> Result<Loaded, StoreError> {
        self.file.load()
    }

    /// Stores an account with its secret, as the active one: the secret in the keyring first, then the account in
    /// config.json. Where there is no keyring at all, or none is wanted, the secret goes to the file.
    ///
    /// # Errors
    /// A keyring that is there but takes nothing; a file that cannot be written.
    pub fn save(&self, account: &Account, login: &str, skip_verify: bool) -> Result<Saved, StoreError> {
        let id = account.url.account_id(login);
        let user = encoding::user(account.url.origin(), login);
        let _lock = self.lock(&id)?;
        let replaced = self.load().ok().and_then(|loaded| self.find(&loaded.accounts, &id).ok());
        let replaced = replaced.map(|found| found.account);
        let no_keyring = if self.keep_in_file {
            None
        } else {
            match self.keyring.set(&user, &item_of(&account.credentials)) {
                Ok(()) => {
                    let saved = self.save_entry(account, login, skip_verify, Place::Keyring, None)?;
                    return Ok(Saved { replaced, ..saved });
                }
                Err(KeyringError::Absent(reason)) => Some(reason),
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
            // It is not used any more; one that cannot be removed harms nobody.
            if let Err(error) = self.keyring.remove(&encoding::user(account.url.origin(), login)) {
                tracing::debug!(%error, "the outdated secret could not be removed from the keyring");
            }
        }
        Ok(Saved { id, place, no_keyring, replaced: None })
    }

    /// An account with its secret, wherever that is. What old versions left in the keyring under other names is moved.
    ///
    /// # Errors
    /// An account that is not there, without a secret, or with one that the keyring does not give.
    pub fn find(&self, accounts: &Accounts, id: &str) -> Result<Found, StoreError> {
        let missing = || StoreError::NoSecret { id: id.to_owned() };
        let entry = accounts.entries.get(id).ok_or_else(missing)?.clone();
        if !entry.is_in_keyring() {
            let account = entry.account(id)?;
            return Ok(Found { account, entry, place: Place::File(self.file.path()) });
        }
        let told = |source| StoreError::Keyring { id: id.to_owned(), source };
        let user = encoding::user(origin(&entry), entry.user());
        let item = self.keyring.get(&user).map_err(told)?;
        let (entry, item) = match item {
            Some(item) => (entry, Some(item)),
            None => {
                let before = entry.clone();
                let (entry, item) = self.migrate(entry, &user).map_err(told)?;
                if entry != before {
                    self.file.update(|accounts| accounts.entries.insert(id.to_owned(), entry.clone()))?;
                }
                (entry, item)
            }
        };
        Ok(Found { account: entry.account_of_item(id, item.as_ref())?, entry, place: Place::Keyring })
    }

    /// Looks for an item of an old version and renames it. Gives the item, and the entry with its type where that was
    /// not known.
    fn migrate(&self, mut entry: Entry, user: &str) -> Result<(Entry, Option<SecretString>), KeyringError> {
        for legacy in encoding::legacy_users(origin(&entry)) {
            let Some(value) = self.keyring.get(&legacy)? else { continue };
            let Some(item) = migrate::item(&mut entry, &legacy, &value) else { continue };
            self.keyring.set(user, &item)?;
            self.keyring.remove(&legacy)?;
            return Ok((entry, Some(item)));
        }
        Ok((entry, None))
    }

    /// The OAuth tokens of an account as they are stored now; `None` where there is no such account (any more), or one of
    /// another kind.
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

    /// Keeps others from renewing the tokens of an account, in this process and in any other, until it is dropped.
    ///
    /// # Errors
    /// A lock that cannot be had.
    pub fn lock(&self, id: &str) -> Result<FileLock, StoreError> {
        self.file.lock_account(id, ACCOUNT_PATIENCE)
    }

    /// Makes sure that a new pair of tokens of an account whose lock is held can be stored, before the old one is given
    /// away: that there is room on the disk, and that the keyring takes what it is given.
    ///
    /// # Errors
    /// A keyring or a file that takes nothing. What is stored is then as it was.
    pub fn make_room(&self, id: &str) -> Result<Room, StoreError> {
        let room = Room(self.file.reserve()?);
        let accounts = self.load()?.accounts;
        if let Some(entry) = accounts.entries.get(id).filter(|entry| entry.is_in_keyring()) {
            let user = encoding::user(origin(entry), entry.user());
            let told = |source| StoreError::Keyring { id: id.to_owned(), source };
            // What it has is put back: there is no other way to ask whether it would take something.
            if let Some(item) = self.keyring.get(&user).map_err(told)? {
                self.keyring.set(&user, &item).map_err(told)?;
            }
        }
        Ok(room)
    }

    /// Stores a new pair of tokens of an account whose lock is held, in the room that was made for it, if it was. When
    /// this returns they are on the disk.
    ///
    /// # Errors
    /// A keyring or a file that takes nothing.
    pub fn store_pair(&self, id: &str, pair: &TokenPair, room: Option<Room>) -> Result<(), StoreError> {
        let loaded = self.load()?;
        let missing = || StoreError::NoSecret { id: id.to_owned() };
        let entry = loaded.accounts.entries.get(id).ok_or_else(missing)?;
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

    /// Gives an account whose user was not known the one that the server told; its item in the keyring as well.
    ///
    /// # Errors
    /// A keyring or a file that takes nothing.
    pub fn set_user(&self, id: &str, login: &str) -> Result<(), StoreError> {
        let _lock = self.lock(id)?;
        let accounts = self.load()?.accounts;
        let Some(entry) = accounts.entries.get(id).filter(|entry| entry.user().is_empty()) else { return Ok(()) };
        let (old, new) = (encoding::user(origin(entry), ""), encoding::user(origin(entry), login));
        let in_keyring = entry.is_in_keyring();
        let told = |source| StoreError::Keyring { id: id.to_owned(), source };
        if in_keyring
            && self.keyring.get(&new).map_err(told)?.is_none()
            && let Some(item) = self.keyring.get(&old).map_err(told)?
        {
            self.keyring.set(&new, &item).map_err(StoreError::NotKept)?;
        }
        self.file.update(|accounts| accounts.set_user(id, login))?;
        if in_keyring && let Err(error) = self.keyring.remove(&old) {
            tracing::debug!(%error, "the outdated secret could not be removed from the keyring");
        }
        Ok(())
    }

    /// Forgets an account: its entry first, then its secret. A keyring that does not answer is told and holds nothing
    /// up. `None` where there is no such account.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn remove(&self, id: &str) -> Result<Option<Removed>, StoreError> {
        let Some(entry) = self.file.update(|accounts| accounts.remove(id))? else { return Ok(None) };
        Ok(Some(self.forget_secret(entry)))
    }

    /// Forgets all accounts, and removes config.json even where it cannot be understood.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn clear(&self) -> Result<Vec<Removed>, StoreError> {
        let accounts = self.load().map(|loaded| loaded.accounts).unwrap_or_default();
        self.file.remove()?;
        let mut removed: Vec<Removed> = Vec::new();
        for entry in accounts.entries.into_values() {
            // A keyring that was silent once is not asked again for each account.
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

/// What the keyring holds for such credentials.
fn item_of(credentials: &Credentials) -> SecretString {
    match credentials {
        Credentials::Token(secret) => secret.clone(),
        Credentials::Password { password, .. } => password.clone(),
        Credentials::OAuth(pair) => encoding::join(&pair.access, pair.refresh.as_ref()),
    }
}

#[cfg(test)]
mod tests;

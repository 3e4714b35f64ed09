//! config.json, in the format of the older client: both clients read and write the same file. Unknown fields are kept.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};

use super::keyring::encoding;
use super::{StoreError, migrate};
use crate::account::{Account, Credentials, ServerUrl, TokenPair};
use crate::hash;
use crate::sys::atomic_file::{self, Reserved};
use crate::sys::{lock, open};

/// The name of the file.
const FILE_NAME: &str = "config.json";

/// How long to wait for another process that is changing the file.
const PATIENCE: Duration = Duration::from_secs(10);

/// By how many bytes the file may grow with the next tokens. Usual ones have 87 bytes.
const LONGER_TOKENS: u64 = 64 * 1024;

/// The known fields of an account in the order of the older client, and whether each is omitted if it is empty.
const FIELDS: [(&str, bool); 13] = [
    ("authType", false),
    ("url", false),
    ("user", false),
    ("idToken", true),
    ("refreshToken", true),
    ("tokenExpiresAt", true),
    ("password", true),
    ("skipVerify", false),
    ("useTokenCache", false),
    ("CustomHeaders", false),
    ("label", false),
    ("skipKeyring", false),
    ("createdAtVersion", false),
];

/// The fields that contain secrets.
const SECRETS: [&str; 3] = ["idToken", "refreshToken", "password"];

/// An additional field: the life of a new access token in seconds. The older client does not know it, and drops it.
const LIFE: &str = "tokenLifetime";

/// One stored account. Its secrets never appear in Debug output.
#[derive(Clone, PartialEq)]
pub struct Entry(Map<String, Value>);

impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Entry").field("url", &self.text("url")).field("user", &self.text("user")).finish()
    }
}

impl Entry {
    /// Creates an entry from JSON; `None` if the value is not an object.
    pub(super) fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Object(fields) => Some(Self(fields)),
            _ => None,
        }
    }

    /// Creates the entry of an account with its secret. Keeps the unknown fields and the headers of `previous`.
    pub fn new(account: &Account, login: &str, skip_verify: bool, previous: Option<&Self>) -> Self {
        let mut fields = previous.map(|entry| entry.0.clone()).unwrap_or_default();
        for secret in SECRETS.into_iter().chain(["tokenExpiresAt", LIFE, "clientKey", "clientSecret"]) {
            fields.shift_remove(secret);
        }
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        let text = |secret: &SecretString| Value::from(secret.expose_secret());
        set("url", account.url.origin().into());
        set("user", login.into());
        match &account.credentials {
            Credentials::Token(token) => {
                set("authType", "pat".into());
                set("idToken", text(token));
            }
            Credentials::Password { password, .. } => {
                set("authType", "session".into());
                set("password", text(password));
            }
            Credentials::OAuth(pair) => {
                set("authType", "oauth2".into());
                set("idToken", text(&pair.access));
                set("refreshToken", pair.refresh.as_ref().map_or(Value::Null, text));
                set("tokenExpiresAt", pair.expires_at.map_or(Value::Null, Value::from));
            }
        }
        set("skipVerify", skip_verify.into());
        set("skipKeyring", true.into());
        let mut entry = Self(fields);
        entry.complete(&account.url, login);
        entry
    }

    /// Adds the fields that the older client always writes.
    pub(super) fn complete(&mut self, url: &ServerUrl, login: &str) {
        let mut default = |name: &str, value: Value| {
            let field = self.0.entry(name).or_insert(Value::Null);
            if field.is_null() || field.as_str() == Some("") {
                *field = value;
            }
        };
        default("skipVerify", false.into());
        default("useTokenCache", true.into());
        default("CustomHeaders", Value::Null);
        default("label", url.account_label(login).into());
        default("createdAtVersion", env!("CARGO_PKG_VERSION").into());
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn has_text(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn secret(&self, name: &str) -> Option<SecretString> {
        let text = self.text(name);
        (!text.is_empty()).then(|| SecretString::from(text))
    }

    /// Returns the server's URL as stored.
    pub fn url(&self) -> &str {
        self.text("url")
    }

    /// Returns the login name; empty if the older client did not know it.
    pub fn user(&self) -> &str {
        self.text("user")
    }

    /// Returns the label.
    pub fn label(&self) -> &str {
        self.text("label")
    }

    /// Returns the type as stored. The names in older files are not translated here.
    pub(super) fn auth_type(&self) -> &str {
        self.text("authType")
    }

    /// Whether any certificate is accepted for this server.
    pub fn skip_verify(&self) -> bool {
        self.flag("skipVerify")
    }

    /// Returns the headers for all requests.
    pub fn headers(&self) -> Vec<(String, String)> {
        let Some(Value::Object(headers)) = self.0.get("CustomHeaders") else { return Vec::new() };
        headers.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }

    /// Whether the file itself contains a secret.
    pub fn holds_secret(&self) -> bool {
        SECRETS.iter().any(|name| self.has_text(name))
    }

    /// Removes the secrets, for an account whose secret is in the keyring.
    pub(super) fn move_to_keyring(&mut self) {
        for secret in SECRETS {
            self.0.shift_remove(secret);
        }
        self.set("skipKeyring", false.into());
    }

    /// Whether the secret is in the keyring: it is not in the file, and the file does not say that there is none.
    pub fn is_in_keyring(&self) -> bool {
        !self.holds_secret() && !self.flag("skipKeyring")
    }

    /// Replaces the tokens. They are written to the file only if the old ones were there.
    pub(super) fn set_pair(&mut self, pair: &TokenPair) {
        if !self.is_in_keyring() {
            self.set("idToken", pair.access.expose_secret().into());
            match &pair.refresh {
                Some(refresh) => self.set("refreshToken", refresh.expose_secret().into()),
                None => drop(self.0.shift_remove("refreshToken")),
            }
        }
        match pair.expires_at {
            Some(seconds) => self.set("tokenExpiresAt", seconds.into()),
            None => drop(self.0.shift_remove("tokenExpiresAt")),
        }
        match pair.life {
            Some(life) => self.set(LIFE, life.as_secs().into()),
            None => drop(self.0.shift_remove(LIFE)),
        }
    }

    /// Whether the file contains a refresh token.
    pub fn has_refresh_token(&self) -> bool {
        self.has_text("refreshToken")
    }

    /// Returns the life of a new access token, if this version has stored it.
    fn token_life(&self) -> Option<Duration> {
        self.0.get(LIFE).and_then(Value::as_u64).map(Duration::from_secs)
    }

    /// Returns the type as this version writes it: `pat`, `session`, `oauth2`, or the stored text.
    pub fn kind(&self) -> &str {
        self.auth_type()
    }

    /// Returns when the access token expires, in seconds since the epoch, if stored.
    pub fn expires_at(&self) -> Option<i64> {
        self.0.get("tokenExpiresAt").and_then(Value::as_i64).filter(|seconds| *seconds > 0)
    }

    /// Returns the account, with the secret from the file.
    ///
    /// # Errors
    /// The secret is missing, the type is unknown, or the URL cannot be used.
    pub fn account(&self, id: &str) -> Result<Account, StoreError> {
        self.account_with(id, self.secret("idToken"), self.secret("refreshToken"), self.secret("password"))
    }

    /// Returns the account, with the secret from the keyring.
    ///
    /// # Errors
    /// As [`Entry::account`].
    pub(super) fn account_of_item(&self, id: &str, item: Option<&SecretString>) -> Result<Account, StoreError> {
        let Some(item) = item else { return self.account_with(id, None, None, None) };
        match self.auth_type() {
            "oauth2" => {
                let (access, refresh) = encoding::split(item);
                self.account_with(id, access, refresh, None)
            }
            "session" => self.account_with(id, None, None, Some(item.clone())),
            _ => self.account_with(id, Some(item.clone()), None, None),
        }
    }

    fn account_with(
        &self,
        id: &str,
        access: Option<SecretString>,
        refresh: Option<SecretString>,
        password: Option<SecretString>,
    ) -> Result<Account, StoreError> {
        let stored_id = id.to_owned();
        let url = ServerUrl::parse(self.url()).map_err(|reason| StoreError::Url { id: stored_id.clone(), reason })?;
        let missing = || StoreError::NoSecret { id: stored_id.clone() };
        let credentials = match self.auth_type() {
            "pat" => Credentials::Token(access.ok_or_else(missing)?),
            "session" => {
                Credentials::Password { login: self.user().to_owned(), password: password.ok_or_else(missing)? }
            }
            "oauth2" => Credentials::OAuth(TokenPair {
                access: access.ok_or_else(missing)?,
                refresh,
                expires_at: self.expires_at(),
                life: self.token_life(),
            }),
            name => return Err(StoreError::Type { id: stored_id, name: name.to_owned() }),
        };
        let login = Some(self.user()).filter(|user| !user.is_empty()).map(str::to_owned);
        Ok(Account { url, login, credentials, stored_id: Some(stored_id) })
    }

    /// Returns the fields in the order of the older client, followed by unknown ones.
    fn ordered(&self) -> Map<String, Value> {
        let mut ordered = Map::new();
        for (name, may_be_left_out) in FIELDS {
            match self.0.get(name) {
                Some(value) if !(may_be_left_out && is_empty(value)) => {
                    ordered.insert(name.to_owned(), value.clone());
                }
                _ => {}
            }
        }
        for (name, value) in &self.0 {
            if !FIELDS.iter().any(|(known, _)| known == name) {
                ordered.insert(name.clone(), value.clone());
            }
        }
        ordered
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("") || value.as_i64() == Some(0)
}

/// All stored accounts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Accounts {
    /// The id of the active account. It may be empty, or not exist.
    pub active: String,
    /// The accounts by id, which is `user@host:port`.
    pub entries: BTreeMap<String, Entry>,
    /// Unknown fields of the file.
    pub(super) others: Map<String, Value>,
}

impl Accounts {
    /// Parses config.json, whichever version wrote it. An empty file, an empty list and `{}` contain no account.
    ///
    /// # Errors
    /// The reason, if the text is not such a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches('\u{feff}');
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_slice(text.as_bytes())
            // The error contains only the line and the column, because the text around them may be a secret.
            .map_err(|error| format!("it is not JSON (line {}, column {})", error.line(), error.column()))?;
        let Value::Object(fields) = value else { return Err("it is not a JSON object".to_owned()) };
        migrate::read(fields)
    }

    /// Returns the content of config.json, as the older client writes it: tabs, sorted ids, no newline at the end.
    pub fn render(&self) -> String {
        let mut configs = Map::new();
        for (id, entry) in &self.entries {
            configs.insert(id.clone(), Value::Object(entry.ordered()));
        }
        let mut file = Map::new();
        file.insert("ActiveConfigID".to_owned(), self.active.clone().into());
        file.insert("Configs".to_owned(), Value::Object(configs));
        for (name, value) in &self.others {
            file.insert(name.clone(), value.clone());
        }
        let mut text = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        // Serializing into memory fails only for map keys that are not text, and there are none.
        let _ = Value::Object(file).serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter));
        let text = String::from_utf8(text).unwrap_or_default();
        // Go escapes these characters in strings, and JSON has them nowhere else.
        text.replace('&', "\\u0026")
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029")
    }

    /// Returns the ids for a name: the id itself, or all with that label.
    pub fn named(&self, name: &str) -> Vec<&str> {
        if let Some((id, _)) = self.entries.get_key_value(name) {
            return vec![id];
        }
        self.entries.iter().filter(|(_, entry)| entry.label() == name).map(|(id, _)| id.as_str()).collect()
    }

    /// Returns the account to use if none is named: the active one, or the only one.
    pub fn active_id(&self) -> Option<&str> {
        if let Some((id, _)) = self.entries.get_key_value(&self.active) {
            return Some(id);
        }
        let mut ids = self.entries.keys();
        ids.next().filter(|_| ids.next().is_none()).map(String::as_str)
    }

    /// Removes an account and returns it. If it was the active one, another becomes active, because the older client
    /// requires one.
    pub fn remove(&mut self, id: &str) -> Option<Entry> {
        let removed = self.entries.remove(id);
        if !self.entries.contains_key(&self.active) {
            self.active = self.entries.keys().next().cloned().unwrap_or_default();
        }
        removed
    }

    /// Sets the user of an account from a very old file, which does not contain it: the id and the label change. If the
    /// user already has an account, that one is not changed. Returns the id; `None` if there is no such account, or its
    /// user is known.
    pub(super) fn set_user(&mut self, id: &str, login: &str) -> Option<String> {
        let entry = self.entries.get(id).filter(|entry| entry.user().is_empty())?;
        let url = ServerUrl::parse(entry.url()).ok()?;
        let mut entry = self.entries.remove(id)?;
        let known = url.account_id(login);
        if entry.label() == url.account_label("") {
            entry.set("label", url.account_label(login).into());
        }
        entry.set("user", login.into());
        self.entries.entry(known.clone()).or_insert(entry);
        if self.active == id {
            self.active.clone_from(&known);
        }
        Some(known)
    }

    /// Stores an account and makes it the active one. Returns its id. Replaces only an entry with exactly this id: one
    /// of the same server without a user, from a very old file, may belong to somebody else.
    pub fn store(&mut self, account: &Account, login: &str, skip_verify: bool) -> String {
        let id = account.url.account_id(login);
        let entry = Entry::new(account, login, skip_verify, self.entries.get(&id));
        self.entries.insert(id.clone(), entry);
        self.active.clone_from(&id);
        id
    }
}

/// The content of the file, and whether it is protected.
#[derive(Debug)]
pub struct Loaded {
    /// The accounts.
    pub accounts: Accounts,
    /// Whether users other than the owner can read the file.
    pub readable_by_others: bool,
}

impl Loaded {
    /// Whether users other than the owner can read a secret in the file.
    pub fn shows_secrets(&self) -> bool {
        self.readable_by_others && self.accounts.entries.values().any(Entry::holds_secret)
    }
}

/// The file config.json.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    folder: PathBuf,
}

impl ConfigFile {
    /// Returns the file in a folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Returns the path.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// Reads the accounts. A missing file contains none.
    ///
    /// # Errors
    /// The file cannot be read or parsed.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let path = self.path();
        let text = match open::read_text(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Loaded { accounts: Accounts::default(), readable_by_others: false });
            }
            Err(source) => return Err(StoreError::Io { doing: "read", path, source }),
        };
        let accounts = Accounts::parse(&text).map_err(|reason| StoreError::Format { path: path.clone(), reason })?;
        Ok(Loaded { accounts, readable_by_others: atomic_file::is_readable_by_others(&path) })
    }

    /// Reads the accounts, applies `change` and writes them, while no other process does the same. If no account
    /// remains, removes the file, because the older client cannot read an empty list.
    ///
    /// # Errors
    /// As [`ConfigFile::load`]; the file cannot be written.
    pub fn update<T>(&self, change: impl FnOnce(&mut Accounts) -> T) -> Result<T, StoreError> {
        self.update_in(None, change)
    }

    /// Like [`ConfigFile::update`], with disk space that was reserved before.
    ///
    /// # Errors
    /// As [`ConfigFile::update`].
    pub(super) fn update_in<T>(
        &self,
        room: Option<Reserved>,
        change: impl FnOnce(&mut Accounts) -> T,
    ) -> Result<T, StoreError> {
        let _lock = self.lock()?;
        let mut accounts = self.load()?.accounts;
        let result = change(&mut accounts);
        let path = self.path();
        // Temporary files of killed processes contain secrets.
        atomic_file::remove_leftovers(&path);
        if accounts.entries.is_empty() {
            atomic_file::remove(&path).map_err(|source| StoreError::Io { doing: "remove", path, source })?;
        } else {
            let content = accounts.render();
            let written = match room {
                Some(room) => room.fill(content.as_bytes()),
                None => atomic_file::write_private(&path, content.as_bytes()),
            };
            written.map_err(|source| StoreError::Io { doing: "write", path, source })?;
        }
        Ok(result)
    }

    /// Reserves disk space for the file with new tokens of an account.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn reserve(&self) -> Result<Reserved, StoreError> {
        let _lock = self.lock()?;
        let path = self.path();
        atomic_file::remove_leftovers(&path);
        let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let reserved = Reserved::of_length(&path, length + LONGER_TOKENS);
        reserved.map_err(|source| StoreError::Io { doing: "write", path, source })
    }

    /// Removes the file, whatever it contains. Returns whether there was one.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self) -> Result<bool, StoreError> {
        let path = self.path();
        if fs::symlink_metadata(&path).is_err() {
            return Ok(false);
        }
        let _lock = self.lock()?;
        atomic_file::remove(&path).map_err(|source| StoreError::Io { doing: "remove", path, source })
    }

    /// Locks one account, for the renewal of its tokens.
    ///
    /// # Errors
    /// The lock file cannot be created; another process holds the lock for longer than `patience`.
    pub(super) fn lock_account(&self, id: &str, patience: Duration) -> Result<lock::FileLock, StoreError> {
        self.prepare_folder()?;
        // An id may contain characters that file names cannot.
        let name = format!("{FILE_NAME}.{}.lock", &hash::hex(&hash::md5(id.as_bytes()))[..16]);
        self.acquire(&self.folder.join(name), patience)
    }

    fn lock(&self) -> Result<lock::FileLock, StoreError> {
        self.prepare_folder()?;
        self.acquire(&self.folder.join("config.json.lock"), PATIENCE)
    }

    fn acquire(&self, path: &Path, patience: Duration) -> Result<lock::FileLock, StoreError> {
        lock::acquire(path, patience)
            .map_err(|source| StoreError::Io { doing: "lock", path: path.to_owned(), source })?
            .ok_or_else(|| StoreError::Busy { path: self.path() })
    }

    fn prepare_folder(&self) -> Result<(), StoreError> {
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { doing, path, source }
        };
        atomic_file::create_private_folder(&self.folder).map_err(failed("create", &self.folder))?;
        if self.is_ours_alone() {
            atomic_file::make_private(&self.folder).map_err(failed("protect", &self.folder))?;
        }
        Ok(())
    }

    /// Whether the folder contains only what cec stores there. A folder from `--config` may contain anything, and then
    /// its permissions are not changed.
    fn is_ours_alone(&self) -> bool {
        let Ok(mut entries) = fs::read_dir(&self.folder) else { return false };
        self.folder.ends_with("cells-client")
            || entries.all(|entry| {
                entry.is_ok_and(|entry| {
                    let name = entry.file_name();
                    let name = name.to_string_lossy();
                    name.starts_with(FILE_NAME) || name.starts_with(".config-")
                })
            })
    }
}

#[cfg(test)]
mod tests;

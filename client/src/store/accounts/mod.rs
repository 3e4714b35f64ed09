//! config.json, in the format of the older client: both read and write the same file. What this version does not
//! know is kept as it is.

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

/// By how many bytes the file may grow with the next tokens; usual ones have 87.
const LONGER_TOKENS: u64 = 64 * 1024;

/// The known fields of an account in the order that the older client writes them, and whether each is left out where
/// it is empty.
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

/// The fields that are secret.
const SECRETS: [&str; 3] = ["idToken", "refreshToken", "password"];

/// A field of ours: the life of a new access token in seconds. The older client does not know it, and drops it.
const LIFE: &str = "tokenLifetime";

/// One stored account. Its secrets never show in Debug.
#[derive(Clone, PartialEq)]
pub struct Entry(Map<String, Value>);

impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Entry").field("url", &self.text("url")).field("user", &self.text("user")).finish()
    }
}

impl Entry {
    /// Takes an account as it was read; a value that is no object gives `None`.
    pub(super) fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Object(fields) => Some(Self(fields)),
            _ => None,
        }
    }

    /// An account whose secret is kept in the file. Fields of `previous` that this version does not know, and what
    /// it says about headers, are kept.
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

    /// Fills in what the older client always writes.
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

    /// The server's URL as stored.
    pub fn url(&self) -> &str {
        self.text("url")
    }

    /// The login name; empty where the older client never knew it.
    pub fn user(&self) -> &str {
        self.text("user")
    }

    /// The label.
    pub fn label(&self) -> &str {
        self.text("label")
    }

    /// The type as stored; the names that older versions wrote are not translated here.
    pub(super) fn auth_type(&self) -> &str {
        self.text("authType")
    }

    /// Whether any certificate is accepted for this server.
    pub fn skip_verify(&self) -> bool {
        self.flag("skipVerify")
    }

    /// The headers that go with every request.
    pub fn headers(&self) -> Vec<(String, String)> {
        let Some(Value::Object(headers)) = self.0.get("CustomHeaders") else { return Vec::new() };
        headers.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }

    /// Whether a secret is in the file itself.
    pub fn holds_secret(&self) -> bool {
        SECRETS.iter().any(|name| self.has_text(name))
    }

    /// Takes the secrets out, as an account has it whose secret is in the keyring.
    pub(super) fn move_to_keyring(&mut self) {
        for secret in SECRETS {
            self.0.shift_remove(secret);
        }
        self.set("skipKeyring", false.into());
    }

    /// Whether the secret is to be looked for in the keyring: it is not in the file, and the file does not say that
    /// there is none.
    pub fn is_in_keyring(&self) -> bool {
        !self.holds_secret() && !self.flag("skipKeyring")
    }

    /// Puts a new pair of tokens in place of the old one; in the file only where the old one was.
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

    /// Whether a refresh token is in the file.
    pub fn has_refresh_token(&self) -> bool {
        self.has_text("refreshToken")
    }

    /// The life of the access token when it was new, if this version stored it.
    fn token_life(&self) -> Option<Duration> {
        self.0.get(LIFE).and_then(Value::as_u64).map(Duration::from_secs)
    }

    /// The name of the type as this version writes it: `pat`, `session`, `oauth2`, or what else is stored.
    pub fn kind(&self) -> &str {
        self.auth_type()
    }

    /// When the access token ends, seconds since the epoch, where that is stored.
    pub fn expires_at(&self) -> Option<i64> {
        self.0.get("tokenExpiresAt").and_then(Value::as_i64).filter(|seconds| *seconds > 0)
    }

    /// The account, for use, its secret being in the file.
    ///
    /// # Errors
    /// An account whose secret is missing, of an unknown type, or with a URL that cannot be used.
    pub fn account(&self, id: &str) -> Result<Account, StoreError> {
        self.account_with(id, self.secret("idToken"), self.secret("refreshToken"), self.secret("password"))
    }

    /// The account, for use, with the value that the keyring holds for it.
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

    /// The fields in the order of the older client, then those it does not know.
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
    /// The id of the active one; may be empty, or name none.
    pub active: String,
    /// The accounts by id, `user@host:port`.
    pub entries: BTreeMap<String, Entry>,
    /// What else the file holds.
    pub(super) others: Map<String, Value>,
}

impl Accounts {
    /// Reads the content of config.json, whichever version wrote it. An empty file, an empty list and `{}` hold no
    /// account.
    ///
    /// # Errors
    /// The reason in words where it is not such a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches('\u{feff}');
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_str(text)
            // The line and column are told; the text around them may be a secret.
            .map_err(|error| format!("it is not JSON (line {}, column {})", error.line(), error.column()))?;
        let Value::Object(fields) = value else { return Err("it is not a JSON object".to_owned()) };
        migrate::read(fields)
    }

    /// The content of config.json, as the older client writes it: tabs, sorted ids, no newline at the end.
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
        // Values without map keys other than text always serialise into memory.
        let _ = Value::Object(file).serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter));
        let text = String::from_utf8(text).unwrap_or_default();
        // Go escapes these in strings, and they stand nowhere else in JSON.
        text.replace('&', "\\u0026")
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029")
    }

    /// The ids that a name stands for: the id itself, or all with that label.
    pub fn named(&self, name: &str) -> Vec<&str> {
        if let Some((id, _)) = self.entries.get_key_value(name) {
            return vec![id];
        }
        self.entries.iter().filter(|(_, entry)| entry.label() == name).map(|(id, _)| id.as_str()).collect()
    }

    /// The account that is used where none is named: the active one, or the only one.
    pub fn active_id(&self) -> Option<&str> {
        if let Some((id, _)) = self.entries.get_key_value(&self.active) {
            return Some(id);
        }
        let mut ids = self.entries.keys();
        ids.next().filter(|_| ids.next().is_none()).map(String::as_str)
    }

    /// Forgets an account. Where it was the active one, another takes its place: the older client cannot do without.
    /// Gives what was stored.
    pub fn remove(&mut self, id: &str) -> Option<Entry> {
        let removed = self.entries.remove(id);
        if !self.entries.contains_key(&self.active) {
            self.active = self.entries.keys().next().cloned().unwrap_or_default();
        }
        removed
    }

    /// Gives an account of a very old file, which says nothing of its user, the user that the server told: its id and
    /// its label are those of that user from now on. Where that user has an account already, that one stays as it is.
    /// Gives the id; `None` where there is no such account, or one of a known user.
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

    /// Stores an account and makes it the active one; gives its id. Only an entry with that very id is replaced: one
    /// of the same server without a user, left over from a very old file, may be somebody else's.
    pub fn store(&mut self, account: &Account, login: &str, skip_verify: bool) -> String {
        let id = account.url.account_id(login);
        let entry = Entry::new(account, login, skip_verify, self.entries.get(&id));
        self.entries.insert(id.clone(), entry);
        self.active.clone_from(&id);
        id
    }
}

/// What a file holds, and whether it is kept badly.
#[derive(Debug)]
pub struct Loaded {
    /// The accounts.
    pub accounts: Accounts,
    /// Whether others than the owner can read the file.
    pub readable_by_others: bool,
}

impl Loaded {
    /// Whether others than the owner can read a secret in the file.
    pub fn shows_secrets(&self) -> bool {
        self.readable_by_others && self.accounts.entries.values().any(Entry::holds_secret)
    }
}

/// Where config.json is.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    folder: PathBuf,
}

impl ConfigFile {
    /// The file in a folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Its path.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// Reads the accounts; a missing file holds none.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
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

    /// Reads the accounts, lets `change` change them, and writes them, while no other process does the same. Without
    /// any account left the file is removed: the older client cannot read an empty list.
    ///
    /// # Errors
    /// As [`ConfigFile::load`], and a file that cannot be written.
    pub fn update<T>(&self, change: impl FnOnce(&mut Accounts) -> T) -> Result<T, StoreError> {
        self.update_in(None, change)
    }

    /// The same in room that was made before.
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
        // They hold secrets.
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

    /// Makes room for what the file will hold once new tokens of an account are in it.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) fn reserve(&self) -> Result<Reserved, StoreError> {
        let _lock = self.lock()?;
        let path = self.path();
        atomic_file::remove_leftovers(&path);
        let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let reserved = Reserved::of_length(&path, length + LONGER_TOKENS);
        reserved.map_err(|source| StoreError::Io { doing: "write", path, source })
    }

    /// Removes the file, whatever it holds. Gives whether there was one.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove(&self) -> Result<bool, StoreError> {
        let path = self.path();
        if fs::symlink_metadata(&path).is_err() {
            return Ok(false);
        }
        let _lock = self.lock()?;
        atomic_file::remove(&path).map_err(|source| StoreError::Io { doing: "remove", path, source })
    }

    /// The lock of one account, held while its tokens are renewed.
    ///
    /// # Errors
    /// A lock file that cannot be made; another process that holds it for longer than `patience`.
    pub(super) fn lock_account(&self, id: &str, patience: Duration) -> Result<lock::FileLock, StoreError> {
        self.prepare_folder()?;
        // An id may hold characters that no file name can.
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

    /// Whether the folder holds nothing but what cec keeps there. One given by `--config` may hold anything, and its
    /// rights are then none of our business.
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

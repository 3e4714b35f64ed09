//! The formats of config.json in versions of the older client: the present list, the list with other type names, and a
//! single account as one flat object, with or without a type.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::accounts::{Accounts, Entry};
use super::keyring::encoding;
use crate::account::ServerUrl;

/// Reads a config.json of any format.
///
/// # Errors
/// The reason, if a known field has the wrong type.
pub(super) fn read(mut file: Map<String, Value>) -> Result<Accounts, String> {
    let configs = match file.shift_remove("Configs") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(configs)) => configs,
        Some(_) => return Err("\"Configs\" is not an object".to_owned()),
    };
    if configs.is_empty() && file.get("url").is_some_and(|url| url.as_str().is_some_and(|url| !url.is_empty())) {
        return single(file);
    }
    let active = match file.shift_remove("ActiveConfigID") {
        Some(Value::String(id)) => id,
        _ => String::new(),
    };
    let mut accounts = Accounts { active, others: file, ..Accounts::default() };
    for (id, value) in configs {
        let Some(mut entry) = Entry::from_value(value) else {
            return Err("an account is not an object".to_owned());
        };
        set_type(&mut entry);
        accounts.entries.insert(id, entry);
    }
    Ok(accounts)
}

/// Converts a flat object to a list with one account, the active one.
fn single(file: Map<String, Value>) -> Result<Accounts, String> {
    let Some(mut entry) = Entry::from_value(Value::Object(file)) else {
        return Err("it is not an account".to_owned());
    };
    let url = ServerUrl::parse(entry.url()).map_err(|_| "its \"url\" is not that of a server".to_owned())?;
    let user = entry.user().to_owned();
    set_type(&mut entry);
    // Before there was a keyring, the secret was in the file. If it still is, it stays there.
    if !entry.has("skipKeyring") {
        let here = entry.holds_secret();
        entry.set("skipKeyring", here.into());
    }
    entry.complete(&url, &user);
    let id = url.account_id(&user);
    let mut accounts = Accounts { active: id.clone(), ..Accounts::default() };
    accounts.entries.insert(id, entry);
    Ok(accounts)
}

/// Translates the type names of older versions. A missing type is derived from the secrets.
fn set_type(entry: &mut Entry) {
    let has = |name: &str| entry.has_text(name);
    let name = match entry.auth_type() {
        "Personal Access Token" => "pat",
        "Client Credentials" => "session",
        "OAuth2" => "oauth2",
        "" if has("password") => "session",
        "" if has("refreshToken") => "oauth2",
        "" if has("idToken") => "pat",
        _ => return,
    };
    entry.set("authType", name.into());
}

/// Converts a keyring value that an old version stored under another user name; `None` if the account cannot use it. An
/// account without a type gets the type of the secret.
pub(super) fn item(entry: &mut Entry, legacy_user: &str, value: &SecretString) -> Option<SecretString> {
    let (first, second) = encoding::split(value);
    if legacy_user.ends_with("::ClientCredentials") {
        // The value contains an obsolete client secret, followed by the password.
        if !matches!(entry.kind(), "session" | "") {
            return None;
        }
        entry.set("authType", "session".into());
        return second;
    }
    let access = first?;
    match (entry.kind(), second) {
        ("oauth2", refresh) => Some(encoding::join(&access, refresh.as_ref())),
        ("", Some(refresh)) => {
            entry.set("authType", "oauth2".into());
            Some(encoding::join(&access, Some(&refresh)))
        }
        ("pat" | "", _) => {
            entry.set("authType", "pat".into());
            Some(access)
        }
        _ => None,
    }
}

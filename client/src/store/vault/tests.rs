use secrecy::ExposeSecret as _;

use super::super::keyring::{MemoryKeyring, NoKeyring};
use super::*;
use crate::account::ServerUrl;

struct Home {
    folder: tempfile::TempDir,
    keyring: Arc<MemoryKeyring>,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), keyring: Arc::default() }
    }

    fn file(&self) -> ConfigFile {
        ConfigFile::in_folder(self.folder.path().join("cells-client"))
    }

    fn vault(&self) -> Vault {
        Vault::new(self.file(), Arc::clone(&self.keyring) as Arc<dyn Keyring>, false)
    }

    fn install(&self, name: &str) {
        let path = format!("{}/../tests/recordings/config/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("a recording");
        std::fs::create_dir_all(self.folder.path().join("cells-client")).expect("a folder");
        std::fs::write(self.file().path(), text).expect("a file");
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file().path()).unwrap_or_default()
    }

    fn item(&self, user: &str) -> Option<String> {
        self.keyring.get(user).expect("memory").map(|secret| secret.expose_secret().to_owned())
    }
}

fn account(credentials: Credentials) -> Account {
    Account { url: ServerUrl::parse("https://h").expect("a URL"), login: None, credentials, stored_id: None }
}

fn oauth() -> Account {
    account(Credentials::OAuth(TokenPair {
        access: "acc".into(),
        refresh: Some("ref".into()),
        expires_at: Some(1_900_000_000),
        life: None,
    }))
}

fn find(vault: &Vault, id: &str) -> Result<StoredAccount, StoreError> {
    vault.find(&vault.load().expect("accounts").accounts, id)
}

fn shown(found: &StoredAccount) -> String {
    match &found.account.credentials {
        Credentials::Token(token) => format!("pat {}", token.expose_secret()),
        Credentials::Password { login, password } => format!("session {login} {}", password.expose_secret()),
        Credentials::OAuth(TokenPair { access, refresh, .. }) => {
            format!("oauth2 {} {}", access.expose_secret(), refresh.as_ref().map_or("-", |text| text.expose_secret()))
        }
    }
}

#[test]
fn secrets_go_to_the_keyring_and_never_to_the_file() {
    let password = Credentials::Password { login: "bob".to_owned(), password: "pw&1".into() };
    for (account, login, item, found) in [
        (account(Credentials::Token("tok".into())), "alice", "tok", "pat tok"),
        (account(password), "bob", "pw&1", "session bob pw&1"),
        (oauth(), "carl", "acc__//__ref", "oauth2 acc ref"),
    ] {
        let place = Home::new();
        let saved = place.vault().save(&account, login, false).expect("saved");
        assert_eq!((saved.id.as_str(), &saved.place), (format!("{login}@h:443").as_str(), &Place::Keyring));
        assert_eq!(place.item(&format!("https://h::{login}")).as_deref(), Some(item));
        let text = place.text();
        assert!(text.contains("\"skipKeyring\": false") && !text.contains(item) && !text.contains("acc"), "{text}");
        assert_eq!(text.contains("tokenExpiresAt"), item.contains("__"), "{text}");
        assert_eq!(shown(&find(&place.vault(), &saved.id).expect("found")), found);
    }
}

#[test]
fn without_a_keyring_the_secret_goes_to_the_file_and_the_reason_is_reported() {
    let place = Home::new();
    let none = Vault::new(place.file(), Arc::new(NoKeyring::because("a test")), false);
    let saved = none.save(&oauth(), "carl", false).expect("saved");
    assert_eq!(saved.no_keyring.as_deref(), Some("a test"));
    assert_eq!(shown(&find(&none, &saved.id).expect("found")), "oauth2 acc ref");
    let unwanted = Vault::new(place.file(), Arc::clone(&place.keyring) as Arc<dyn Keyring>, true);
    let saved = unwanted.save(&oauth(), "dora", false).expect("saved");
    assert_eq!((saved.no_keyring, place.item("https://h::dora")), (None, None));
}

#[test]
fn an_account_that_moves_to_the_file_leaves_no_secret_in_the_keyring() {
    let place = Home::new();
    place.vault().save(&oauth(), "carl", false).expect("saved");
    let moved = Vault::new(place.file(), Arc::clone(&place.keyring) as Arc<dyn Keyring>, true);
    moved.save(&oauth(), "carl", false).expect("saved");
    assert_eq!(place.item("https://h::carl"), None);
    assert!(place.text().contains("\"skipKeyring\": true"), "{}", place.text());
}

#[test]
fn items_of_the_older_client_are_found() {
    let place = Home::new();
    place.install("multi-mixed");
    for (user, item, id, expected) in [
        ("https://files.example.com::admin", "PAT0", "admin@files.example.com:443", "pat PAT0"),
        ("https://files.example.com:8443::alice", "A__//__R", "alice@files.example.com:8443", "oauth2 A R"),
        ("http://10.0.0.5:8080::bob", "p__x", "bob@10.0.0.5:8080", "session bob p__x"),
    ] {
        assert!(matches!(find(&place.vault(), id), Err(StoreError::NoSecret { .. })), "{id}");
        place.keyring.set(user, &item.into()).expect("memory");
        let found = find(&place.vault(), id).expect(id);
        assert_eq!((shown(&found).as_str(), &found.place), (expected, &Place::Keyring));
    }
    // A value without a separator crashes the older client.
    place.keyring.set("https://files.example.com:8443::alice", &"A".into()).expect("memory");
    assert_eq!(shown(&find(&place.vault(), "alice@files.example.com:8443").expect("found")), "oauth2 A -");
}

#[test]
fn items_of_old_versions_are_renamed() {
    for (kind, user, value, item, expected) in [
        ("session", "ClientCredentials", "client__//__pw", "pw", "session u pw"),
        ("oauth2", "IdToken", "A__//__R", "A__//__R", "oauth2 A R"),
        ("pat", "IdToken", "T__//__", "T", "pat T"),
        ("", "ClientCredentials", "__//__pw", "pw", "session u pw"),
        ("", "IdToken", "A__//__R", "A__//__R", "oauth2 A R"),
        ("", "IdToken", "T__//__", "T", "pat T"),
    ] {
        let place = Home::new();
        let text = format!(r#"{{"url":"https://h","user":"u","authType":"{kind}"}}"#);
        std::fs::create_dir_all(place.folder.path().join("cells-client")).expect("a folder");
        std::fs::write(place.file().path(), text).expect("a file");
        let legacy = format!("https://h::{user}");
        place.keyring.set(&legacy, &value.into()).expect("memory");
        assert_eq!(shown(&find(&place.vault(), "u@h:443").expect("found")), expected, "{kind} {user}");
        assert_eq!((place.item(&legacy), place.item("https://h::u").as_deref()), (None, Some(item)));
        let found = find(&place.vault(), "u@h:443");
        assert_eq!(shown(&found.expect("again")), expected, "{kind} {user}");
    }
}

#[test]
fn a_new_pair_goes_where_the_old_one_was() {
    let pair = TokenPair {
        access: "A2".into(),
        refresh: Some("R2".into()),
        expires_at: Some(2_000_000_000),
        life: Some(Duration::from_secs(600)),
    };
    for keep_in_file in [false, true] {
        let place = Home::new();
        let vault = Vault::new(place.file(), Arc::clone(&place.keyring) as Arc<dyn Keyring>, keep_in_file);
        let id = vault.save(&oauth(), "carl", false).expect("saved").id;
        let lock = vault.lock(&id).expect("a lock");
        vault.store_pair(&id, &pair, None).expect("stored");
        drop(lock);
        let found = find(&vault, &id).expect("found");
        assert_eq!(shown(&found), "oauth2 A2 R2");
        let stored = vault.pair(&id).expect("an account").expect("a pair");
        assert_eq!((stored.expires_at, stored.life), (pair.expires_at, pair.life));
        assert_eq!(place.text().contains("A2"), keep_in_file);
        vault.store_pair(&id, &TokenPair { refresh: None, ..pair.clone() }, None).expect("stored");
        assert_eq!(shown(&find(&vault, &id).expect("found")), "oauth2 A2 -");
    }
}

#[derive(Debug)]
struct ReadOnly(Arc<MemoryKeyring>);

impl Keyring for ReadOnly {
    fn get(&self, user: &str) -> Result<Option<SecretString>, KeyringError> {
        self.0.get(user)
    }

    fn set(&self, _user: &str, _secret: &SecretString) -> Result<(), KeyringError> {
        Err(KeyringError::Locked)
    }

    fn remove(&self, _user: &str) -> Result<bool, KeyringError> {
        Err(KeyringError::Locked)
    }
}

#[test]
fn there_is_no_room_where_the_keyring_takes_nothing() {
    let place = Home::new();
    let id = place.vault().save(&oauth(), "carl", false).expect("saved").id;
    drop(place.vault().make_room(&id).expect("room"));
    assert_eq!(place.item("https://h::carl").as_deref(), Some("acc__//__ref"));
    let vault = Vault::new(place.file(), Arc::new(ReadOnly(Arc::clone(&place.keyring))), false);
    assert!(matches!(vault.make_room(&id), Err(StoreError::Keyring { source: KeyringError::Locked, .. })));
    let names = std::fs::read_dir(place.folder.path().join("cells-client")).expect("entries").flatten();
    assert!(names.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().ends_with(".tmp")));
}

#[test]
fn removing_works_without_the_keyring_and_reports_what_remains() {
    let place = Home::new();
    place.install("multi-mixed");
    let none = Vault::new(place.file(), Arc::new(NoKeyring::because("a test")), false);
    assert!(matches!(find(&none, "bob@10.0.0.5:8080"), Err(StoreError::Keyring { .. })));
    let removed = none.remove("bob@10.0.0.5:8080").expect("removed").expect("an account");
    assert!(matches!(removed.left_in_keyring, Some(KeyringError::Absent(_))));
    let removed = none.remove("admin@127.0.0.1:8080").expect("removed").expect("an account");
    assert_eq!(removed.left_in_keyring, None);
    assert!(none.remove("nobody").expect("no error").is_none());
    none.remove("alice@files.example.com:8443").expect("removed");
    assert_eq!(none.load().expect("accounts").accounts.active, "a2oauth@127.0.0.1:8080");
    assert_eq!(none.clear().expect("cleared").len(), 3);
    assert!(!place.file().path().exists());
}

#[test]
fn clearing_removes_the_items_and_a_file_that_cannot_be_understood() {
    let place = Home::new();
    place.vault().save(&oauth(), "carl", false).expect("saved");
    assert_eq!(place.vault().clear().expect("cleared").len(), 1);
    assert_eq!(place.item("https://h::carl"), None);
    std::fs::write(place.file().path(), "{broken").expect("a file");
    place.vault().clear().expect("cleared");
    assert!(!place.file().path().exists());
}

#[test]
fn an_account_of_a_very_old_file_gets_the_user_from_the_server() {
    for in_keyring in [false, true] {
        let home = Home::new();
        home.install("legacy-single-oauth-v2");
        let vault = home.vault();
        let id = "@127.0.0.1:8080";
        if in_keyring {
            let text = home.text();
            let secrets =
                ["idToken", "refreshToken"].map(|name| text.lines().find(|line| line.contains(name)).expect(name));
            let text = text.replace(secrets[0], "").replace(secrets[1], "");
            std::fs::write(home.file().path(), text).expect("a file");
            home.keyring.set("http://127.0.0.1:8080::IdToken", &"acc__//__ref".into()).expect("memory");
        }
        let before = shown(&find(&vault, id).expect("an account"));
        vault.set_user(id, "alice").expect("named");
        let accounts = vault.load().expect("a file").accounts;
        assert_eq!(accounts.active, "alice@127.0.0.1:8080");
        assert_eq!(accounts.entries.keys().collect::<Vec<_>>(), ["alice@127.0.0.1:8080"], "{in_keyring}");
        let found = find(&vault, "alice@127.0.0.1:8080").expect("an account");
        assert_eq!((found.entry.user(), found.entry.label()), ("alice", "alice@127.0.0.1"));
        assert_eq!(shown(&found), before);
        if in_keyring {
            assert_eq!(home.item("http://127.0.0.1:8080::alice").as_deref(), Some("acc__//__ref"));
            assert_eq!(home.item("http://127.0.0.1:8080::"), None);
        }
        // Neither a second call nor one for an account with a known user changes anything.
        let text = home.text();
        vault.set_user(id, "bob").expect("nothing");
        vault.set_user("alice@127.0.0.1:8080", "bob").expect("nothing");
        assert_eq!(home.text(), text);
    }
}

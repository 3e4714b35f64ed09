use super::*;

fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings/config").join(name);
    fs::read_to_string(path).expect(name)
}

fn parse(name: &str) -> Accounts {
    Accounts::parse(&sample(name)).expect(name)
}

fn kind(accounts: &Accounts, id: &str) -> String {
    match accounts.entries[id].account(id) {
        Ok(account) => format!("{} {} {}", account.credentials.kind(), account.login.unwrap_or_default(), account.url),
        Err(error) => error.to_string(),
    }
}

#[test]
fn files_of_the_older_client_come_back_byte_for_byte() {
    for name in [
        "keyring-pat.json",
        "multi-mixed.json",
        "oauth2-clear.json",
        "oauth2-idtoken-only-clear.json",
        "pat-clear.json",
        "session-clear.json",
    ] {
        assert_eq!(parse(name).render(), sample(name).trim_end_matches('\n'), "{name}");
    }
}

#[test]
fn every_kind_of_account_is_read() {
    let mixed = parse("multi-mixed.json");
    assert_eq!(mixed.active_id(), Some("alice@files.example.com:8443"));
    for (id, expected) in [
        ("a2oauth@127.0.0.1:8080", "OAuth token a2oauth http://127.0.0.1:8080"),
        ("a2std@127.0.0.1:8080", "password a2std http://127.0.0.1:8080"),
        ("admin@127.0.0.1:8080", "personal access token admin http://127.0.0.1:8080"),
        ("admin@files.example.com:443", "no secret is stored for admin@files.example.com:443"),
        ("bob@10.0.0.5:8080", "no secret is stored for bob@10.0.0.5:8080"),
    ] {
        assert_eq!(kind(&mixed, id), expected);
    }
    assert!(mixed.entries["alice@files.example.com:8443"].skip_verify());
    let id = "admin@127.0.0.1:8080";
    assert_eq!(kind(&parse("oauth2-idtoken-only-clear.json"), id), "OAuth token admin http://127.0.0.1:8080");
}

#[test]
fn older_lists_and_single_accounts_are_read() {
    let list = parse("legacy-list-labels.json");
    assert_eq!(kind(&list, "a2std@127.0.0.1:8080"), "password a2std http://127.0.0.1:8080");
    assert_eq!(kind(&list, "admin@127.0.0.1:8080"), "personal access token admin http://127.0.0.1:8080");
    assert_eq!(kind(&list, "x@127.0.0.1:8080"), "OAuth token x http://127.0.0.1:8080");
    for (name, id, expected) in [
        ("legacy-single-clientcreds-v1.json", "a2std@127.0.0.1:8080", "password a2std http://127.0.0.1:8080"),
        ("legacy-single-oauth-v2.json", "@127.0.0.1:8080", "OAuth token  http://127.0.0.1:8080"),
        ("legacy-single-pat-v2.json", "admin@127.0.0.1:8080", "personal access token admin http://127.0.0.1:8080"),
    ] {
        let accounts = parse(name);
        assert_eq!(accounts.active_id(), Some(id), "{name}");
        assert_eq!(kind(&accounts, id), expected, "{name}");
        let rendered = accounts.render();
        assert_eq!(Accounts::parse(&rendered).expect(name), parse_again(&rendered), "{name}");
        assert!(!rendered.contains("\"refreshToken\": \"\""), "{rendered}");
        assert!(rendered.contains("\"skipKeyring\": true"), "{rendered}");
    }
}

#[test]
fn storing_an_account_keeps_all_others_with_their_secrets() {
    for name in [
        "keyring-pat.json",
        "legacy-list-labels.json",
        "legacy-single-clientcreds-v1.json",
        "legacy-single-oauth-v2.json",
        "legacy-single-pat-v2.json",
        "multi-mixed.json",
        "oauth2-clear.json",
        "oauth2-idtoken-only-clear.json",
        "pat-clear.json",
        "session-clear.json",
    ] {
        let before = parse(name);
        let mut after = before.clone();
        let account = Account {
            url: ServerUrl::parse("http://127.0.0.1:8080").expect("a URL"),
            login: None,
            credentials: Credentials::Token(SecretString::from("new")),
            stored_id: None,
        };
        let id = after.store(&account, "newcomer", false);
        let mut after = Accounts::parse(&after.render()).expect(name);
        assert_eq!(after.active, id, "{name}");
        assert!(after.entries.remove(&id).is_some(), "{name}");
        let ids: Vec<_> = after.entries.keys().collect();
        assert_eq!(ids, before.entries.keys().collect::<Vec<_>>(), "{name}");
        for (id, entry) in &before.entries {
            assert_eq!(after.entries[id].ordered(), entry.ordered(), "{name} {id}");
            for secret in ["idToken", "refreshToken", "password", "clientSecret"] {
                assert_eq!(after.entries[id].text(secret), entry.text(secret), "{name} {id}");
            }
        }
    }
}

fn parse_again(text: &str) -> Accounts {
    let accounts = Accounts::parse(text).expect("accounts");
    Accounts::parse(&accounts.render()).expect("accounts")
}

#[test]
fn nothing_stored_is_no_error() {
    for text in ["", "  \n", "{}", "{\"ActiveConfigID\":\"\",\"Configs\":{}}", "{\"Configs\":null}", "{\"url\":\"\"}"] {
        let accounts = Accounts::parse(text).expect(text);
        assert!(accounts.entries.is_empty(), "{text}");
        assert_eq!(accounts.active_id(), None);
    }
    assert!(parse("empty-list.json").entries.is_empty());
}

#[test]
fn what_is_no_such_file_is_refused_without_repeating_it() {
    for text in ["{\"idToken\": \"s3cret", "[]", "7", "{\"Configs\": []}", "{\"Configs\": {\"a\": 1}}"] {
        let reason = Accounts::parse(text).expect_err(text);
        assert!(!reason.contains("s3cret"), "{reason}");
    }
}

/// Found by fuzzing: a number beyond all integer types lost its last digits with each write.
#[test]
fn numbers_do_not_drift_from_write_to_write() {
    let text = "{\"ActiveConfigID\": \"\", \"Configs\": {\"a\": {}}, \"future\": [118446744073709551616, 1e23, 0.1]}";
    let once = Accounts::parse(text).expect("accounts").render();
    assert!(once.contains("1.1844674407370955e+20") && once.contains("1e+23"), "{once}");
    assert_eq!(parse_again(&once).render(), once);
}

#[test]
fn unknown_fields_stay_at_every_level() {
    let text = "{\n\t\"ActiveConfigID\": \"a@h:443\",\n\t\"Configs\": {\n\t\t\"a@h:443\": {\n\t\t\t\"authType\": \"pat\",\n\t\t\t\
                \"url\": \"https://h\",\n\t\t\t\"user\": \"a\",\n\t\t\t\"idToken\": \"t\\u0026\\u003c\",\n\t\t\t\"CustomHeaders\": {\n\t\t\t\t\
                \"X-A\": \"1\"\n\t\t\t},\n\t\t\t\"future\": {\n\t\t\t\t\"deep\": [\n\t\t\t\t\t1.5,\n\t\t\t\t\tnull\n\t\t\t\t]\n\t\t\t}\n\t\t}\n\t},\n\t\
                \"Schema\": 9007199254740993\n}";
    let mut accounts = Accounts::parse(text).expect("accounts");
    assert_eq!(accounts.render(), text);
    assert_eq!(accounts.entries["a@h:443"].headers(), [("X-A".to_owned(), "1".to_owned())]);
    let account = Account {
        url: ServerUrl::parse("https://h").expect("a URL"),
        login: None,
        credentials: Credentials::Token(SecretString::from("new")),
        stored_id: None,
    };
    assert_eq!(accounts.store(&account, "a", false), "a@h:443");
    let rendered = accounts.render();
    for kept in ["\"future\"", "\"X-A\": \"1\"", "9007199254740993", "\"idToken\": \"new\""] {
        assert!(rendered.contains(kept), "{rendered}");
    }
}

#[test]
fn a_new_account_looks_like_one_of_the_older_client() {
    let mut accounts = Accounts::default();
    let account = Account {
        url: ServerUrl::parse("http://127.0.0.1:8080").expect("a URL"),
        login: None,
        credentials: Credentials::Password { login: "a2std".to_owned(), password: SecretString::from("P@ssw0rd!x") },
        stored_id: None,
    };
    accounts.store(&account, "a2std", false);
    let expected = sample("session-clear.json").replace("4.4.0-alpha3", env!("CARGO_PKG_VERSION"));
    assert_eq!(accounts.render(), expected.trim_end_matches('\n'));
}

#[test]
fn names_are_ids_or_labels() {
    let mixed = parse("multi-mixed.json");
    assert_eq!(mixed.named("admin@127.0.0.1:8080"), ["admin@127.0.0.1:8080"]);
    assert_eq!(mixed.named("bob@10.0.0.5"), ["bob@10.0.0.5:8080"]);
    assert!(mixed.named("nobody").is_empty());
}

#[test]
fn an_active_id_that_does_not_exist_means_the_only_account() {
    let mut accounts = parse("pat-clear.json");
    accounts.active = "gone".to_owned();
    assert_eq!(accounts.active_id(), Some("admin@127.0.0.1:8080"));
    let mut mixed = parse("multi-mixed.json");
    mixed.active = "gone".to_owned();
    assert_eq!(mixed.active_id(), None);
}

#[test]
fn the_file_goes_when_the_last_account_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = ConfigFile::in_folder(folder.path().join("cells-client"));
    assert!(file.load().expect("none").accounts.entries.is_empty());
    assert!(!file.remove().expect("none"));
    file.update(|accounts| *accounts = parse("pat-clear.json")).expect("written");
    assert!(file.path().exists());
    file.update(|accounts| accounts.entries.clear()).expect("written");
    assert!(!file.path().exists());
}

#[test]
fn updates_at_once_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = ConfigFile::in_folder(folder.path());
    std::thread::scope(|scope| {
        for number in 0..8 {
            let file = &file;
            scope.spawn(move || {
                let account = Account {
                    url: ServerUrl::parse("https://h").expect("a URL"),
                    login: None,
                    credentials: Credentials::Token(SecretString::from("t")),
                    stored_id: None,
                };
                file.update(|accounts| accounts.store(&account, &format!("u{number}"), false)).expect("written");
            });
        }
    });
    assert_eq!(file.load().expect("accounts").accounts.entries.len(), 8);
}

#[cfg(unix)]
#[test]
fn a_folder_with_other_content_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let base = tempfile::tempdir().expect("a folder");
    for (other, expected) in [(None, 0o700), (Some("notes.txt"), 0o755)] {
        let folder = base.path().join(other.unwrap_or("own"));
        fs::create_dir(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("a mode");
        if let Some(name) = other {
            fs::write(folder.join(name), "").expect("a file");
        }
        ConfigFile::in_folder(&folder).update(|accounts| *accounts = parse("pat-clear.json")).expect("written");
        assert_eq!(fs::metadata(&folder).expect("a folder").permissions().mode() & 0o777, expected);
        let file = fs::metadata(folder.join("config.json")).expect("a file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn debug_output_contains_no_secret() {
    assert!(!format!("{:?}", parse("multi-mixed.json")).contains("P@ssw0rd"));
}

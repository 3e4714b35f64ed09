use std::fs;

use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::{World, fields, transcript};

const TOKEN_LASTS: &str = "the token expires at the time that its creator set\n";

const KEPT: &str = "is stored in clear text in HOME/.config/pydio/cells-client/config.json, which only you can read\n\
                    hint: try: cec ls\n";

fn stored(world: &World) -> String {
    fs::read_to_string(world.config_file()).expect("config.json")
}

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

#[test]
fn a_token_is_checked_and_stored_for_every_later_command() {
    let world = World::new();
    let token = world.sandbox.token("alice");
    let run = world.signed_out(["configure", "token", "--skip-keyring", "--url", world.url(), "--token", &token]).run();
    run.is(
        0,
        "",
        &format!("signed in as alice on URL (Pydio Cells Home Edition 4.0.0)\n{TOKEN_LASTS}warning: the token {KEPT}"),
    );
    let expected = include_str!("../recordings/config/pat-clear.json")
        .replace("http://127.0.0.1:8080", world.url())
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", world.port()))
        .replace("PAT0000000000000000000000000000000000000000.PAT1111111111111111111111111111111111111111", &token)
        .replace("admin", "alice")
        .replace("4.4.0-alpha3", env!("CARGO_PKG_VERSION"));
    assert_eq!(stored(&world), expected.trim_end_matches('\n'));
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_what_is_stored() {
    let world = World::new();
    let token = world.sandbox.token("admin");
    let arguments = ["configure", "token", "--skip-keyring", "--url", world.url(), "--token", &token];
    world.signed_out(arguments).run();
    assert_eq!((mode(&world.config_folder()), mode(&world.config_file())), (0o700, 0o600));
    // What an older client left open is closed with the next change, and complained of until then.
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(world.config_folder(), fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::set_permissions(world.config_file(), fs::Permissions::from_mode(0o644)).expect("a mode");
    let run = world.signed_out(["ls", "-f", "common-files"]).run();
    let path = "HOME/.config/pydio/cells-client/config.json";
    run.is(0, "true\n", &format!("warning: other users can read the secrets in {path}; run: chmod 600 {path}\n"));
    world.signed_out(arguments).run();
    assert_eq!((mode(&world.config_folder()), mode(&world.config_file())), (0o700, 0o600));
}

#[test]
fn without_a_keyring_the_secret_goes_to_the_file_with_one_warning() {
    let world = World::new();
    let token = world.sandbox.token("alice");
    let run = world.signed_out(["configure", "token", "--url", world.url(), "--token", &token]).run();
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    let warning = "warning: the token is stored in clear text in HOME/.config/pydio/cells-client/config.json, which \
        only you can read; there is no system keyring (disabled by CEC_KEYRING)\n";
    assert!(run.stderr.contains(warning), "{run:?}");
    assert!(stored(&world).contains("\"skipKeyring\": true"));
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
}

#[test]
fn what_is_missing_is_named_where_nobody_can_be_asked() {
    let world = World::new();
    let refused = [
        &["configure"][..],
        &["configure", "token"],
        &["configure", "token", "--token", "some-token"],
        &["config", "add", "client-auth", "--url", "https://h"],
        &["configure", "https://h"],
    ]
    .map(|arguments| world.signed_out([arguments, &["--skip-keyring"]].concat()).run());
    assert_snapshot!(transcript(refused), @"
    $ cec configure --skip-keyring
    [stderr]
    error: cannot ask here, and this is missing: --url, --token (or --login and --password)
      hint: or set CEC_URL, CEC_TOKEN, CEC_LOGIN, CEC_PASSWORD
    [exit code 2]
    $ cec configure token --skip-keyring
    [stderr]
    error: cannot ask here, and this is missing: --url, --token, --token-file or --with-token
      hint: or set CEC_URL, CEC_TOKEN, CEC_LOGIN, CEC_PASSWORD
    [exit code 2]
    $ cec configure token --token some-token --skip-keyring
    [stderr]
    error: cannot ask here, and this is missing: --url
      hint: or set CEC_URL, CEC_TOKEN, CEC_LOGIN, CEC_PASSWORD
    [exit code 2]
    $ cec config add client-auth --url https://h --skip-keyring
    [stderr]
    error: cannot ask here, and this is missing: --login, --password
      hint: or set CEC_URL, CEC_TOKEN, CEC_LOGIN, CEC_PASSWORD
    [exit code 2]
    $ cec configure https://h --skip-keyring
    [stderr]
    error: cannot ask here, and this is missing: --token (or --login and --password)
      hint: or set CEC_URL, CEC_TOKEN, CEC_LOGIN, CEC_PASSWORD
    [exit code 2]
    ");
}

#[test]
fn a_mistyped_way_to_sign_in_is_no_server() {
    let world = World::new();
    assert_snapshot!(world.signed_out(["configure", "tokn"]).run(), @"
    [stderr]
    error: 'tokn' is neither a way to sign in nor the URL of a server
      hint: did you mean 'token'?
    [exit code 2]
    ");
    assert_eq!(world.signed_out(["configure", "check-keyring"]).run().code, 1);
    let two = ["configure", "https://a.example", "token", "https://b.example", "--skip-keyring", "-t", "x"];
    let run = world.signed_out(two).run();
    assert_snapshot!(run, @"
    [stderr]
    error: two servers are named: https://b.example and https://a.example
    [exit code 2]
    ");
}

#[test]
fn a_certificate_authority_is_needed_from_now_on() {
    let world = World::new();
    let token = world.sandbox.token("admin");
    let certificate = world.home().join("ca.pem");
    let authority = rcgen::generate_simple_self_signed(vec!["h.example".to_owned()]).expect("a certificate");
    fs::write(&certificate, authority.cert.pem()).expect("a file");
    let arguments = ["configure", "token", world.url(), "--skip-keyring", "-t", &token, "--ca-cert", "ca.pem"];
    let run = world.signed_out(arguments).run();
    assert_snapshot!(run, @"
    [stderr]
    signed in as admin on URL (Pydio Cells Home Edition 4.0.0)
    the token expires at the time that its creator set
    warning: the token is stored in clear text in HOME/.config/pydio/cells-client/config.json, which only you can read
    hint: the certificate authority is not stored: set CEC_CA_CERT=HOME/ca.pem from now on, or add --ca-cert
    hint: try: cec ls
    [exit code 0]
    ");
}

#[test]
fn a_byte_order_mark_is_no_harm() {
    let world = World::new();
    world.install_config(&format!("\u{feff}{}", include_str!("../recordings/config/keyring-pat.json")));
    let run = world.signed_out(["ls"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the secret of admin@files.example.com:443 is in the system keyring: there is no system keyring (disabled by CEC_KEYRING)
      hint: to keep the secret in config.json instead, sign in again: cec configure --skip-keyring
      hint: or set CEC_URL and CEC_TOKEN
    [exit code 4]
    ");
}

#[test]
fn tokens_come_from_input_files_and_the_environment() {
    let world = World::new();
    let token = world.sandbox.token("alice");
    world.write_secret("token", &format!("{token}\n"));
    let path = world.home().join("token").display().to_string();
    let done =
        format!("signed in as alice on URL (Pydio Cells Home Edition 4.0.0)\n{TOKEN_LASTS}warning: the token {KEPT}");
    for (arguments, input, variable) in [
        (&["configure", "token", "--with-token", "--url", world.url()][..], token.as_str(), None),
        (&["configure", "token", "-t", "-", "-u", world.url()], token.as_str(), None),
        (&["config", "add", "token", "--token-file", &path, "--url", world.url()], "", None),
        (&["configure", "token"], "", Some(("CEC_TOKEN", token.as_str()))),
        (&["config", "add", world.url()], "", Some(("CEC_TOKEN_FILE", path.as_str()))),
        (&["configure", world.url(), "token"], "", Some(("CEC_TOKEN", token.as_str()))),
        (&["configure", "token", world.url()], "", Some(("CEC_TOKEN", token.as_str()))),
        (&["configure", world.url(), "token", world.url(), "--with-token"], token.as_str(), None),
    ] {
        let mut cec = world.signed_out([arguments, &["--skip-keyring"]].concat()).input(input);
        if let Some((name, value)) = variable {
            cec = cec.env(name, value).env("CEC_URL", world.url());
        }
        cec.run().is(0, "", &done);
        fs::remove_file(world.config_file()).expect("it was stored");
    }
}

#[test]
fn a_password_becomes_a_session_and_is_not_stored() {
    let world = World::new();
    let password = world.sandbox.password("alice").to_owned();
    for method in ["client-auth", "password"] {
        let arguments = ["configure", method, "--url", world.url(), "--login", "alice", "--password", &password];
        let run = world.signed_out(arguments).env("CEC_SKIP_KEYRING", "true").run();
        run.is(
            0,
            "",
            &format!(
                "signed in as alice on URL (Pydio Cells Home Edition 4.0.0)\n\
                 the session renews itself; it expires after 60 days without use (the server may set another limit)\n\
                 warning: the session {KEPT}"
            ),
        );
    }
    let stored = stored(&world);
    assert!(stored.contains("\"authType\": \"oauth2\"") && stored.contains("\"refreshToken\""), "{stored}");
    assert!(!stored.contains(&password), "{stored}");
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    let logins = world.sandbox.requests().iter().filter(|request| request.path.ends_with("/frontend/session")).count();
    assert_eq!(logins, 2, "one for each sign-in");
}

#[test]
fn where_a_password_gives_no_session_it_is_stored() {
    let world = World::new();
    world.sandbox.faults().add(Fault::on("GET", "/oidc/").status(404).always());
    let arguments = ["configure", "client-auth", "--skip-keyring", "--url", world.url(), "--login", "alice"];
    let run = world.signed_out(arguments).env("CEC_PASSWORD", world.sandbox.password("alice")).run();
    run.is(
        0,
        "",
        &format!(
            "signed in as alice on URL (Pydio Cells Home Edition 4.0.0)\n\
             this server does not exchange the password for a session that renews itself: every run signs in\n\
             warning: the password {KEPT}"
        ),
    );
    let stored = stored(&world);
    assert!(stored.contains("\"authType\": \"session\"") && stored.contains(world.sandbox.password("alice")));
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    // Each session that was opened was closed again.
    let logins = world.sandbox.requests().iter().filter(|request| request.path.ends_with("/frontend/session")).count();
    assert!(logins.is_multiple_of(2), "{logins}");
}

#[test]
fn a_user_who_may_not_log_in_by_password_alone_hears_why() {
    let world = World::new();
    let configure = || {
        let arguments = ["configure", "client-auth", "--skip-keyring", "--url", world.url(), "--login", "alice"];
        world.signed_out(arguments).env("CEC_PASSWORD", world.sandbox.password("alice")).run()
    };
    world.sandbox.set_second_factor("alice", Some("mfa_totp"));
    assert_snapshot!(configure(), @"
    [stderr]
    error: the server requires another sign-in step: mfa_totp
      while: signing in to URL
      hint: sign in with the browser: cec configure oauth
    [exit code 4]
    ");
    world.sandbox.set_second_factor("alice", None);
    world.sandbox.set_locked("alice", true);
    assert_snapshot!(configure(), @"
    [stderr]
    error: the user is locked on the server
      while: signing in to URL
      hint: ask an administrator of the server to unlock it
    [exit code 4]
    ");
    let logins = world.sandbox.requests().iter().filter(|request| request.path.ends_with("/frontend/session")).count();
    assert_eq!(logins, 2, "each was sent once");
    assert!(!world.config_file().exists());
}

#[test]
fn a_password_that_must_be_changed_works_and_is_told() {
    let world = World::new();
    world.sandbox.set_must_change_password("alice", true);
    let arguments = ["configure", "client-auth", "--skip-keyring", "--url", world.url(), "--login", "alice"];
    let run = world.signed_out(arguments).env("CEC_PASSWORD", world.sandbox.password("alice")).run();
    assert_snapshot!(run, @"
    [stderr]
    signed in as alice on URL (Pydio Cells Home Edition 4.0.0)
    the session renews itself; it expires after 60 days without use (the server may set another limit)
    warning: the session is stored in clear text in HOME/.config/pydio/cells-client/config.json, which only you can read
    warning: the server requires alice to change the password in a browser
    hint: try: cec ls
    [exit code 0]
    ");
}

#[test]
fn an_access_token_of_another_client_is_stored_as_such() {
    let world = World::new();
    let token = world.sandbox.sign_in("alice").access;
    for (command, given, input) in [
        (["config", "add", "oauth"], token.as_str(), ""),
        (["configure", "oauth", "--json=false"], "-", token.as_str()),
    ] {
        let rest = ["-u", world.url(), "--id-token", given, "--skip-keyring"];
        let run = world.signed_out(command.into_iter().chain(rest)).input(input).run();
        run.is(
            0,
            "",
            &format!(
                "signed in as alice on URL (Pydio Cells Home Edition 4.0.0)\n\
                 the token cannot be renewed; such tokens usually expire after ten minutes\n\
                 warning: the session {KEPT}"
            ),
        );
        let expected = include_str!("../recordings/config/oauth2-idtoken-only-clear.json");
        let fields = |text: &str| {
            let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
            let configs = value["Configs"].as_object().expect("accounts").values().next().expect("one").clone();
            fields(&configs).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(fields(&stored(&world)), fields(expected));
    }
    let refused =
        world.signed_out(["config", "add", "oauth", "-u", world.url(), "--id-token", "x", "--skip-keyring"]).run();
    assert_eq!(refused.code, 4, "{refused:?}");
}

#[test]
fn a_session_of_another_user_than_was_said_is_ended_again() {
    let world = World::new();
    let pair = world.sandbox.sign_in("bob");
    let arguments = ["config", "add", "oauth", "-u", world.url(), "--id-token", &pair.access, "--login", "alice"];
    let run = world.signed_out(arguments).env("CEC_SKIP_KEYRING", "1").run();
    assert_snapshot!(run, @"
    [stderr]
    error: the browser signed in bob, but --login says alice
      hint: nothing was stored; omit or correct the login name
    [exit code 2]
    ");
    assert!(!world.config_file().exists());
}

#[test]
fn credentials_that_are_refused_are_not_stored() {
    let world = World::new();
    let token = ["configure", "token", "--skip-keyring", "--url", world.url(), "--token", "not-a-valid-token"];
    assert_snapshot!(world.signed_out(token).run(), @"
    [stderr]
    error: URL does not accept this personal access token
      hint: it may be incomplete or expired, or belong to another server; nothing was stored
    [exit code 4]
    ");
    let password = ["configure", "client-auth", "--skip-keyring", "--url", world.url(), "--login", "alice"];
    let run = world.signed_out(password).env("CEC_PASSWORD", "wrong-password").run();
    assert_snapshot!(run, @"
    [stderr]
    error: sign-in failed: wrong login or password
      while: signing in to URL
      hint: check both before you try again: ten wrong passwords lock the user
    [exit code 4]
    ");
    assert!(!run.stderr.contains("wrong-password"));
    let logins = world.sandbox.requests().iter().filter(|request| request.path.ends_with("/frontend/session")).count();
    assert_eq!(logins, 1, "a failed login is never repeated");
    assert!(!world.config_file().exists());
}

#[test]
fn a_login_name_must_be_that_of_the_token() {
    let world = World::new();
    let token = world.sandbox.token("alice");
    let configure = |login: &'static str| {
        let arguments = ["configure", "token", "--url", world.url(), "--token", &token, "--login", login];
        world.signed_out(arguments).env("CEC_SKIP_KEYRING", "1").run()
    };
    assert_snapshot!(configure("bob"), @"
    [stderr]
    error: the token belongs to alice, but --login says bob
      hint: nothing was stored; omit or correct the login name
    [exit code 2]
    ");
    assert!(!world.config_file().exists());
    assert_eq!(configure("alice").code, 0);
}

#[test]
fn the_url_is_checked_before_any_secret_is_used() {
    let world = World::new();
    let configure = |url: &str| {
        let arguments = ["configure", "token", "--skip-keyring", "--url", url, "--token", "a-secret-token"];
        let run = world.signed_out(arguments).env("CEC_CONNECT_TIMEOUT", "2s").run();
        assert!(!run.stderr.contains("a-secret-token"), "{run:?}");
        run
    };
    let dead = configure("http://127.0.0.1:9");
    assert_snapshot!(dead, @"
    [stderr]
    error: cannot connect to 127.0.0.1:9: connection refused
      while: checking http://127.0.0.1:9
      hint: check that the server is running and that the URL is correct
    [exit code 6]
    ");
    for url in ["ftp://h", "https://user:pass@h", "https://h/cells"] {
        assert_eq!(configure(url).code, 2, "{url}");
    }
    world.sandbox.faults().add(Fault::on("*", "/").html().always());
    let page = configure(world.url());
    assert_snapshot!(page, @"
    [stderr]
    error: URL answers with a web page: it is not a Cells server
      while: checking URL
      hint: check the URL and anything in front of the server (proxy, sign-in page)
    [exit code 6]
    ");
    let sent = world.sandbox.requests();
    assert!(sent.iter().all(|request| request.header("authorization").is_empty()), "no secret went there");
}

#[test]
fn the_last_account_is_the_active_one_and_others_stay() {
    let world = World::new();
    world.install_config(include_str!("../recordings/config/multi-mixed.json"));
    let token = world.sandbox.token("alice");
    let run = world.signed_out(["configure", "token", "--skip-keyring", "--url", world.url(), "-t", &token]).run();
    assert_eq!(run.code, 0, "{run:?}");
    let stored: serde_json::Value = serde_json::from_str(&stored(&world)).expect("JSON");
    assert_eq!(stored["ActiveConfigID"], format!("alice@127.0.0.1:{}", world.port()));
    assert_eq!(fields(&stored["Configs"]).len(), 7);
    world.signed_out(["info", "--json"]).run().json();
}

#[test]
fn two_at_once_lose_nothing() {
    let world = World::new();
    let children: Vec<_> = ["admin", "alice", "bob"]
        .iter()
        .map(|user| {
            let token = world.sandbox.token(user);
            let arguments = ["configure", "token", "--skip-keyring", "--url", world.url(), "-t", &token];
            world.signed_out(arguments).spawn()
        })
        .collect();
    for child in children {
        assert!(child.wait_with_output().expect("an end").status.success());
    }
    let stored: serde_json::Value = serde_json::from_str(&stored(&world)).expect("JSON");
    assert_eq!(fields(&stored["Configs"]).len(), 3);
}

#[cfg(unix)]
#[test]
fn a_linked_file_is_written_where_it_is() {
    let world = World::new();
    let real = world.home().join("dotfiles.json");
    fs::create_dir_all(world.config_folder()).expect("a folder");
    std::os::unix::fs::symlink(&real, world.config_file()).expect("a link");
    let token = world.sandbox.token("admin");
    let run = world.signed_out(["configure", "token", "--skip-keyring", "--url", world.url(), "-t", &token]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(fs::symlink_metadata(world.config_file()).expect("a link").file_type().is_symlink());
    assert_eq!(mode(&real), 0o600);
    assert_eq!(world.signed_out(["ls"]).run().code, 0);
}

#[test]
fn another_folder_is_taken_by_flag_or_variable() {
    let world = World::new();
    let folder = world.home().join("elsewhere").display().to_string();
    let token = world.sandbox.token("admin");
    let run = world
        .signed_out(["--config", &folder, "configure", "token", "--skip-keyring", "--url", world.url(), "-t", &token])
        .run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!world.config_folder().exists());
    assert_eq!(world.signed_out(["ls"]).env("CEC_CONFIG", &folder).run().code, 0);
    assert_eq!(world.signed_out(["ls", "--config", &folder]).run().code, 0);
    assert_eq!(world.signed_out(["ls"]).run().code, 4);
}

#[test]
fn json_says_what_was_stored() {
    let world = World::new();
    let token = world.sandbox.token("admin");
    let run =
        world.signed_out(["configure", "token", "--json", "--skip-keyring", "--url", world.url(), "-t", &token]).run();
    assert_eq!(run.code, 0);
    let record: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(fields(&record), ["account_id", "user", "url", "credentials", "stored_in", "expires_at", "renews"]);
    let warning: serde_json::Value = serde_json::from_str(&run.stderr).expect("JSON");
    assert_eq!(fields(&warning), ["type", "message"]);
}

#[test]
fn a_new_session_takes_the_place_of_the_older_one_on_the_server_too() {
    let world = World::new();
    let pair = world.store_session("alice", 3000);
    let password = world.sandbox.password("alice").to_owned();
    let arguments = ["configure", "client-auth", "--skip-keyring", "--url", world.url(), "--login", "alice"];
    let run = world.signed_out(arguments).env("CEC_PASSWORD", &password).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!world.sandbox.is_alive(&pair.access) && !world.sandbox.is_alive_refresh(&pair.refresh));
    assert_eq!(world.signed_out(["ls"]).run().code, 0);
}

#[test]
fn variables_that_win_over_what_is_stored_are_told() {
    let world = World::new();
    let (alice, bob) = (world.sandbox.token("alice"), world.sandbox.token("bob"));
    let warning =
        "warning: CEC_URL and CEC_TOKEN in the environment override the active account: unset them to use it\n";
    let arguments = ["configure", "token", world.url(), "--skip-keyring", "--with-token"];
    let run = world.signed_out(arguments).input(&alice).env("CEC_URL", world.url()).env("CEC_TOKEN", &bob).run();
    assert!(run.code == 0 && run.stderr.ends_with(warning), "{run:?}");
    let run = world.signed_out(["config", "use", "alice@127.0.0.1"]);
    let run = run.env("CEC_URL", world.url()).env("CEC_TOKEN", &bob).run();
    assert_eq!((run.code, run.stderr.ends_with(warning)), (0, true), "{run:?}");
}

#[test]
fn what_is_no_server_is_told_to_be_something_else() {
    let world = World::new();
    assert_snapshot!(world.signed_out(["configure", "token", "https://h/public/the-report", "-t", "x"]).run(), @"
    [stderr]
    error: 'https://h/public/the-report' is a public link, not a server
      hint: use it without an account: cec ls https://h/public/the-report
    [exit code 2]
    ");
    for url in ["https://h/?x=1", "https://h#frag"] {
        world.signed_out(["configure", "token", url, "-t", "x"]).run().is(
            2,
            "",
            &format!(
                "error: '{url}' has a query or fragment, unlike the URL of a server; omit it\n  \
                 hint: use a URL such as https://files.example.com\n"
            ),
        );
    }
}

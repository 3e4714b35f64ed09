//! `cec config …`: stored accounts.

use std::fs;

use insta::assert_snapshot;

use crate::support::{World, fields};

fn two_accounts(world: &World) {
    world.store_session("alice", 3000);
    let arguments = ["configure", "token", "--url", world.url(), "--with-token", "--skip-keyring"];
    let run = world.signed_out(arguments).input(&world.sandbox.token("admin")).run();
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn accounts_are_listed_chosen_and_used() {
    let world = World::new();
    assert_snapshot!(world.signed_out(["config", "ls"]).run(), @"
    [stderr]
    no account is stored; sign in with 'cec configure'
    [exit code 0]
    ");
    two_accounts(&world);
    world.signed_out(["config", "ls"]).run().is(
        0,
        "*\tadmin@127.0.0.1:PORT\tadmin\tURL\ttoken\tfile\tadmin@127.0.0.1\t-\n\
         \talice@127.0.0.1:PORT\talice\tURL\toauth\tfile\talice@127.0.0.1\trenews itself\n",
        "",
    );
    let list = world.signed_out(["config", "ls", "--json"]).run().json();
    let names = ["account_id", "active", "label", "user", "url", "credentials", "expires_at", "stored_in", "renews"];
    assert_eq!(fields(&list[0]), names);
    assert_eq!((&list[0]["active"], &list[1]["active"]), (&true.into(), &false.into()));
    let id = format!("alice@127.0.0.1:{}", world.port());
    assert_snapshot!(world.signed_out(["config", "use", &id]).run(), @"
    [stderr]
    the active account is now alice@127.0.0.1:PORT
    [exit code 0]
    ");
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    let json = world.signed_out(["config", "use", "alice@127.0.0.1", "--json"]).run();
    assert_snapshot!(json, @r#"
    [stdout]
    {"account_id":"alice@127.0.0.1:PORT"}
    [exit code 0]
    "#);
    let run = world.signed_out(["config", "use", "nobody"]).run();
    assert_eq!((run.code, run.stderr.starts_with("error: there is no account 'nobody'\n")), (3, true), "{run:?}");
    let run = world.signed_out(["config", "use"]).run();
    assert_eq!((run.code, run.stderr.starts_with("error: name the account to use\n")), (2, true), "{run:?}");
}

#[test]
fn a_forgotten_session_is_ended_on_the_server_and_a_token_is_told_to_go_on() {
    let world = World::new();
    two_accounts(&world);
    let stored = fs::read_to_string(world.config_file()).expect("config.json");
    let file: serde_json::Value = serde_json::from_str(&stored).expect("JSON");
    let id = format!("alice@127.0.0.1:{}", world.port());
    let access = file["Configs"][&id]["idToken"].as_str().expect("a token");
    assert!(world.sandbox.is_alive(access));
    assert_snapshot!(world.signed_out(["config", "rm", "-f", "alice@127.0.0.1"]).run(), @"
    [stderr]
    alice@127.0.0.1:PORT is removed and signed out on the server
    [exit code 0]
    ");
    assert!(!world.sandbox.is_alive(access));
    assert_snapshot!(world.signed_out(["config", "rm", "-f", "admin@127.0.0.1"]).run(), @"
    [stderr]
    admin@127.0.0.1:PORT is removed
    warning: the token of admin@127.0.0.1:PORT is still valid: only a server administrator can revoke it
    [exit code 0]
    ");
    // The older client cannot read an empty list.
    assert!(!world.config_file().exists());
    assert_eq!(world.signed_out(["config", "rm", "-f", "x"]).run().code, 3);
}

#[test]
fn nothing_is_forgotten_where_nobody_can_be_asked() {
    let world = World::new();
    let pair = world.store_session("alice", 3000);
    assert_snapshot!(world.signed_out(["config", "rm", "alice@127.0.0.1"]).input("y\n").run(), @"
    [stderr]
    error: cannot ask for confirmation before removing alice@127.0.0.1:PORT
      hint: add --force
    [exit code 2]
    ");
    assert!(world.config_file().exists() && world.sandbox.is_alive(&pair.access));
    let removed = world.signed_out(["config", "rm", "-f", "alice@127.0.0.1", "--json"]).run().json();
    assert_eq!(fields(&removed), ["account_id", "session_ended", "active"]);
    assert_eq!((&removed["session_ended"], removed["active"].is_null()), (&true.into(), true));
}

#[test]
fn a_token_that_is_dead_is_not_said_to_go_on() {
    let world = World::new();
    two_accounts(&world);
    world.sandbox.revoke_token(&world.sandbox.token("admin"));
    assert_snapshot!(world.signed_out(["config", "rm", "-f", "admin@127.0.0.1"]).run(), @"
    [stderr]
    admin@127.0.0.1:PORT is removed
    the active account is now alice@127.0.0.1:PORT
    [exit code 0]
    ");
}

#[cfg(unix)]
#[test]
fn a_file_without_secrets_may_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let open = || fs::set_permissions(world.config_file(), fs::Permissions::from_mode(0o644)).expect("a mode");
    world.install_config(include_str!("../recordings/config/keyring-pat.json"));
    open();
    let run = world.signed_out(["ls"]).run();
    assert!(run.code == 4 && !run.stderr.contains("chmod"), "{run:?}");
    world.store_session("alice", 3000);
    open();
    let run = world.signed_out(["ls"]).run();
    assert_snapshot!(run, @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [stderr]
    warning: other users can read the secrets in HOME/.config/pydio/cells-client/config.json; run: chmod 600 HOME/.config/pydio/cells-client/config.json
    [exit code 0]
    ");
    // So with a file that holds a token.
    let file = world.home().join("token");
    fs::write(&file, world.sandbox.token("alice")).expect("a file");
    for (mode, told) in
        [(0o644, "warning: other users can read the token in token; run: chmod 600 token\n"), (0o600, "")]
    {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
        let run = world.signed_out(["ls", "-u", world.url(), "--token-file", "token"]).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, told), "{run:?}");
    }
}

#[test]
fn clear_ends_sessions_too() {
    let world = World::new();
    let pair = world.store_session("alice", 3000);
    assert_eq!(world.signed_out(["clear", "-f"]).run().code, 0);
    assert!(!world.sandbox.is_alive(&pair.access));
}

#[test]
fn a_token_that_is_printed_is_good() {
    let world = World::new();
    let pair = world.store_session("alice", -5);
    world.sandbox.revoke_token(&pair.access);
    let run = world.signed_out(["config", "token"]).prints_secrets().run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(world.sandbox.is_alive(run.stdout.trim_end()) && run.stdout.trim_end() != pair.access);
    let json = world.signed_out(["config", "token", "--json"]).prints_secrets().run().json();
    assert_eq!(fields(&json), ["token", "url", "expires_at"]);
    // A password session lives on for whoever the token is for.
    let password = world.sandbox.password("bob");
    let run = world.signed_out(["config", "token", "-u", world.url(), "--login", "bob"]).env("CEC_PASSWORD", password);
    let run = run.prints_secrets().run();
    assert!(world.sandbox.is_alive(run.stdout.trim_end()), "{run:?}");
}

#[test]
fn a_token_that_is_dead_is_not_printed() {
    let world = World::new();
    let pair = world.store_session("alice", -5);
    let end = |world: &World| {
        let text = fs::read_to_string(world.config_file()).expect("config.json");
        let file: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        file["Configs"][format!("alice@127.0.0.1:{}", world.port())]["tokenExpiresAt"].as_i64()
    };
    let before = end(&world);
    world.sandbox.revoke_token(&pair.access);
    world.sandbox.faults().add(
        cells_sandbox::Fault::on("POST", "/oidc/oauth2/token")
            .status(401)
            .body("application/json", r#"{"error":"token_inactive"}"#),
    );
    let dead =
        "error: the token is not valid (mistyped, expired or revoked)\n  hint: sign in again with: cec config relog\n";
    // Refused, and then absent.
    for arguments in [&["config", "token"][..], &["config", "token"], &["config", "export", "--rclone"]] {
        world.signed_out(arguments.iter().copied()).run().is(4, "", dead);
        assert_eq!(end(&world), before, "when the token ended does not change");
    }
    let run = world.cec(["config", "token"]).env("CEC_TOKEN", "some-dead-token").run();
    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{run:?}");
}

#[test]
fn other_programs_are_configured() {
    let world = World::new();
    let token = world.sandbox.token("alice");
    for (format, lines) in [
        ("--rclone", ["[cells]", "provider = Other", "list_chunk = 1000000", "endpoint = URL"]),
        ("--aws", ["[profile cells]", "endpoint_url = URL", "  addressing_style = path", "region = us-east-1"]),
        (
            "--s5cmd",
            [
                "export S3_ENDPOINT_URL=URL",
                "export AWS_REGION=us-east-1",
                "export AWS_SECRET_ACCESS_KEY=gatewaysecret",
                "export S3_ENDPOINT_URL=URL",
            ],
        ),
    ] {
        let run = world.cec(["config", "export", format]).user("alice").prints_secrets().run();
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.contains(&token) && !run.stderr.contains(&token), "{format}");
        for line in lines {
            assert!(run.stdout.lines().any(|found| found == line), "{line}\n{}", run.stdout);
        }
    }
    let json = world.cec(["config", "export", "--aws", "--json"]).prints_secrets().run().json();
    assert_eq!(fields(&json), ["program", "configuration", "url", "expires_at"]);
    assert!(json["configuration"].as_str().expect("a text").starts_with("[profile cells]\n"));
    assert_eq!(world.cec(["config", "export"]).run().code, 2);
}

#[test]
fn signing_in_again_goes_the_same_way() {
    let world = World::new();
    world.install_config(include_str!("../recordings/config/session-clear.json").replace("a2std", "alice").as_str());
    let password = world.sandbox.password("alice").to_owned();
    let id = format!("alice@127.0.0.1:{}", world.port());
    let text = fs::read_to_string(world.config_file()).expect("config.json");
    fs::write(world.config_file(), text.replace("alice@127.0.0.1:8080", &id)).expect("config.json");
    let run = world.signed_out(["config", "relog", "--login", "alice"]).env("CEC_PASSWORD", &password).run();
    assert_snapshot!(run, @"
    [stderr]
    signing in again as alice on URL
    signed in as alice on URL (Pydio Cells Home Edition 4.0.0)
    the session renews itself; it expires after 60 days without use (the server may set another limit)
    warning: the session is stored in clear text in HOME/.config/pydio/cells-client/config.json, which only you can read; there is no system keyring (disabled by CEC_KEYRING)
    hint: try: cec ls
    [exit code 0]
    ");
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
}

/// What config.json says of an account.
fn entry(world: &World, login: &str) -> serde_json::Value {
    let text = fs::read_to_string(world.config_file()).expect("config.json");
    let file: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    file["Configs"][format!("{login}@127.0.0.1:{}", world.port())].clone()
}

#[test]
fn signing_in_again_takes_the_credentials_that_are_given_and_ends_the_older_session() {
    let world = World::new();
    let password = world.sandbox.password("alice").to_owned();
    let token = world.sandbox.token("alice");
    fs::write(world.home().join("token"), &token).expect("a file");
    let relog = |flags: &[&str]| {
        let arguments: Vec<String> =
            ["config", "relog"].iter().chain(flags).map(|argument| (*argument).to_owned()).collect();
        arguments
    };
    for (flags, input, variable, kind) in [
        (&["--password", "-"][..], password.as_str(), None, "oauth2"),
        (&[][..], "", Some(("CEC_PASSWORD", password.as_str())), "oauth2"),
        (&["--token", "-"], token.as_str(), None, "pat"),
        (&[], "", Some(("CEC_TOKEN", token.as_str())), "pat"),
    ] {
        let pair = world.store_session("alice", 3000);
        let arguments = relog(flags);
        let mut cec = world.signed_out(arguments.iter().map(String::as_str)).input(input);
        if let Some((name, value)) = variable {
            cec = cec.env(name, value);
        }
        let run = cec.run();
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stderr.starts_with("signing in again as alice on URL\nsigned in as alice on URL"), "{run:?}");
        assert_eq!(entry(&world, "alice")["authType"], kind);
        assert!(!world.sandbox.is_alive(&pair.access) && !world.sandbox.is_alive_refresh(&pair.refresh));
        assert_eq!(world.signed_out(["ls"]).run().code, 0);
    }
}

#[test]
fn signing_in_again_is_for_the_same_user_on_the_same_server() {
    let world = World::new();
    let pair = world.store_session("alice", 3000);
    let (bob, password) = (world.sandbox.token("bob"), world.sandbox.password("alice").to_owned());
    let run = world.signed_out(["config", "relog", "--login", "bob"]).run();
    assert_eq!((run.code, run.stderr.contains("error: --login is bob, but the account belongs to alice\n")), (2, true));
    let run = world.signed_out(["config", "relog", "--token", &bob]).run();
    let told = "error: the token belongs to bob, but the account belongs to alice\n";
    assert_eq!((run.code, run.stderr.contains(told)), (2, true), "{run:?}");
    assert_eq!(entry(&world, "alice")["refreshToken"], pair.refresh.as_str());
    // What the environment holds for another server, or for another user, is not meant.
    let run = world.signed_out(["config", "relog", "--password", "-"]).input(&password);
    let run = run.env("CEC_URL", "https://other.example.com").env("CEC_TOKEN", "some-token").run();
    assert_eq!(run.code, 0, "{run:?}");
    let wins = "warning: CEC_URL and CEC_TOKEN in the environment override the active account: unset them to use it\n";
    assert!(run.stderr.contains(wins), "{run:?}");
    let run = world.signed_out(["config", "relog", "--password", "-"]).input(&password);
    assert_eq!(run.env("CEC_LOGIN", "bob").env("CEC_TOKEN", &bob).run().code, 0);
    assert_eq!(entry(&world, "alice")["authType"], "oauth2");
}

#[test]
fn a_certificate_that_is_not_checked_is_told_and_stays_so_when_signing_in_again() {
    let world = World::with(cells_sandbox::Config { tls: true, ..cells_sandbox::Config::default() });
    world.store_session("alice", 3000);
    assert_snapshot!(world.signed_out(["ls", "--skip-verify"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [stderr]
    warning: the certificate of URL is not checked, so others may read all data; --ca-cert is safer
    [exit code 0]
    ");
    assert_snapshot!(world.signed_out(["ls", "--skip-verify", "-q"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [stderr]
    warning: the certificate of URL is not checked, so others may read all data; --ca-cert is safer
    [exit code 0]
    ");
    assert_eq!(world.signed_out(["ls"]).run().code, 6);
    let text = fs::read_to_string(world.config_file()).expect("config.json");
    world.install_config(&text.replace("\"skipVerify\":false", "\"skipVerify\":true"));
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [stderr]
    warning: the certificate of URL is not checked (stored with the account), so others may read all data; --ca-cert is safer
    [exit code 0]
    ");
    let run = world.signed_out(["config", "relog", "--password", "-"]).input(world.sandbox.password("alice")).run();
    assert_eq!((run.code, run.stderr.matches("is not checked").count()), (0, 1), "{run:?}");
    assert_eq!(entry(&world, "alice")["skipVerify"], true);
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [stderr]
    warning: the certificate of URL is not checked (stored with the account), so others may read all data; --ca-cert is safer
    [exit code 0]
    ");
}

#[test]
fn whether_there_is_a_keyring_is_told_as_json_too() {
    let world = World::new();
    let run = world.signed_out(["config", "check-keyring", "--json"]).run();
    assert_eq!(run.code, 1, "{run:?}");
    let record: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(fields(&record), ["works", "service", "reason"]);
    assert_eq!(record["reason"], "there is no system keyring (disabled by CEC_KEYRING)");
    let error: serde_json::Value = serde_json::from_str(&run.stderr).expect("JSON");
    assert_eq!(error["message"], record["reason"]);
}

#[test]
fn an_account_that_does_not_know_its_user_learns_it() {
    let world = World::new();
    let pair = world.sandbox.sign_in("alice");
    let legacy = include_str!("../recordings/config/legacy-single-oauth-v2.json")
        .replace(
            "ACC0000000000000000000000000000000000000000.ACC1111111111111111111111111111111111111111",
            &pair.access,
        )
        .replace(
            "REF0000000000000000000000000000000000000000.REF1111111111111111111111111111111111111111",
            &pair.refresh,
        );
    world.install_config(&legacy);
    let nameless = "*\t@127.0.0.1:PORT\t-\tURL\toauth\tfile\t@127.0.0.1\trenews itself\n";
    let named = "*\talice@127.0.0.1:PORT\talice\tURL\toauth\tfile\talice@127.0.0.1\trenews itself\n";
    // It works as it is.
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    world.signed_out(["config", "ls"]).run().is(0, nameless, "");
    let info = world.signed_out(["info", "--json"]).run().json();
    assert_eq!(info["account_id"], "alice@127.0.0.1:PORT");
    world.signed_out(["config", "ls"]).run().is(0, named, "");
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    // Who signs in again to it takes its place.
    world.install_config(
        include_str!("../recordings/config/legacy-single-pat-v2.json").replace("\"admin\"", "\"\"").as_str(),
    );
    let run = world.signed_out(["config", "relog", "--token-file", "token", "--skip-keyring"]);
    world.write_secret("token", &world.sandbox.token("alice"));
    let run = run.run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.starts_with("signing in again on URL\n") && !run.stderr.contains("somebody else"), "{run:?}");
    world.signed_out(["config", "ls"]).run().is(0, &named.replace("oauth", "token").replace("renews itself", "-"), "");
}

#[test]
fn no_log_at_any_level_holds_a_secret() {
    let world = World::new();
    let pair = world.store_session("alice", -5);
    world.sandbox.revoke_token(&pair.access);
    // The harness looks for all secrets, those of config.json included.
    let run = world.signed_out(["ls", "--log", "trace"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("renewing the token"), "{run:?}");
    // And to a file.
    fs::write(world.home().join("a.txt"), "a").expect("a file");
    let password = world.sandbox.password("bob").to_owned();
    let mut logged = 0;
    let client_auth = ["configure", "client-auth", world.url(), "--login", "bob"];
    for arguments in [
        &["info"][..],
        &["ls", "-d", "personal-files"],
        &["scp", "-w", "a.txt", "cells://personal-files/"],
        &["scp", "-w", "cells://personal-files/a.txt", "b.txt"],
        &["config", "token"],
        &["config", "export", "--rclone"],
        &["config", "rm", "-f", "alice@127.0.0.1"],
        &client_auth,
        &["configure", "token", world.url(), "--with-token"],
        &["clear", "-f"],
    ] {
        let log = world.home().join("log");
        let file = log.display().to_string();
        let flags = ["--skip-keyring", "--log", "trace", "--log-file", file.as_str()];
        let cec = world.signed_out(arguments.iter().copied().chain(flags)).input(&world.sandbox.token("alice"));
        let cec = if arguments == client_auth { cec.env("CEC_PASSWORD", &password) } else { cec };
        let cec = if arguments[0] == "config" { cec.prints_secrets() } else { cec };
        let run = cec.run();
        assert_eq!(run.code, 0, "{arguments:?} {run:?}");
        logged += fs::metadata(&log).expect("a log").len();
        fs::remove_file(log).expect("the log");
    }
    assert!(logged > 1000, "{logged}");
}

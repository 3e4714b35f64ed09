//! `cec config …`: stored accounts.

use std::fs;

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
    world.signed_out(["config", "ls"]).run().is(0, "", "no account is stored; sign in with 'cec configure'\n");
    two_accounts(&world);
    world.signed_out(["config", "ls"]).run().is(
        0,
        "*\tadmin@127.0.0.1:PORT\tadmin\tURL\ttoken\tfile\n\talice@127.0.0.1:PORT\talice\tURL\toauth\tfile\n",
        "",
    );
    let list = world.signed_out(["config", "ls", "--json"]).run().json();
    let names = ["account_id", "active", "label", "user", "url", "credentials", "expires_at", "stored_in"];
    assert_eq!(fields(&list[0]), names);
    assert_eq!((&list[0]["active"], &list[1]["active"]), (&true.into(), &false.into()));
    let id = format!("alice@127.0.0.1:{}", world.port());
    world.signed_out(["config", "use", &id]).run().is(0, "", "the active account is now alice@127.0.0.1:PORT\n");
    world.signed_out(["ls"]).run().is(0, "a1-ro/\ncommon-files/\npersonal-files/\n", "");
    let run = world.signed_out(["config", "use", "nobody"]).run();
    assert_eq!((run.code, run.stderr.starts_with("error: there is no account 'nobody'\n")), (3, true), "{run:?}");
    let run = world.signed_out(["config", "use"]).run();
    assert_eq!((run.code, run.stderr.starts_with("error: which account is meant?\n")), (2, true), "{run:?}");
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
    world.signed_out(["config", "rm", "-f", "alice@127.0.0.1"]).run().is(
        0,
        "",
        "alice@127.0.0.1:PORT is forgotten, and its session ended on the server\n",
    );
    assert!(!world.sandbox.is_alive(access));
    world.signed_out(["config", "rm", "-f", "admin@127.0.0.1"]).run().is(
        0,
        "",
        "admin@127.0.0.1:PORT is forgotten\nwarning: the token of admin@127.0.0.1:PORT goes on being valid: only an \
         administrator of the server can revoke it\n",
    );
    // The older client cannot read an empty list.
    assert!(!world.config_file().exists());
    assert_eq!(world.signed_out(["config", "rm", "-f", "x"]).run().code, 3);
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
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.starts_with("signing in again as alice on URL\n"), "{run:?}");
    world.signed_out(["ls"]).run().is(0, "a1-ro/\ncommon-files/\npersonal-files/\n", "");
}

#[test]
fn whether_there_is_a_keyring_is_told_as_json_too() {
    let world = World::new();
    let run = world.signed_out(["config", "check-keyring", "--json"]).run();
    assert_eq!(run.code, 1, "{run:?}");
    let record: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(fields(&record), ["works", "service", "reason"]);
    assert_eq!(record["reason"], "there is no system keyring here (CEC_KEYRING says so)");
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
    let nameless = "*\t@127.0.0.1:PORT\t-\tURL\toauth\tfile\n";
    let named = "*\talice@127.0.0.1:PORT\talice\tURL\toauth\tfile\n";
    // It works as it is.
    world.signed_out(["ls"]).run().is(0, "a1-ro/\ncommon-files/\npersonal-files/\n", "");
    world.signed_out(["config", "ls"]).run().is(0, nameless, "");
    let info = world.signed_out(["info", "--json"]).run().json();
    assert_eq!(info["account_id"], "alice@127.0.0.1:PORT");
    world.signed_out(["config", "ls"]).run().is(0, named, "");
    world.signed_out(["ls"]).run().is(0, "a1-ro/\ncommon-files/\npersonal-files/\n", "");
    // Who signs in again to it takes its place.
    world.install_config(
        include_str!("../recordings/config/legacy-single-pat-v2.json").replace("\"admin\"", "\"\"").as_str(),
    );
    let run = world.signed_out(["config", "relog", "--token-file", "token", "--skip-keyring"]);
    fs::write(world.home().join("token"), world.sandbox.token("alice")).expect("a file");
    let run = run.run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.starts_with("signing in again on URL\n") && !run.stderr.contains("somebody else"), "{run:?}");
    world.signed_out(["config", "ls"]).run().is(0, &named.replace("oauth", "token"), "");
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

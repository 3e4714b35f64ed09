//! Which account is used, and what becomes of one that cannot be.

use std::fs;

use insta::assert_snapshot;

use crate::support::World;

/// A config.json of the sandbox's own users: alice is the active one.
fn with_accounts() -> World {
    let world = World::new();
    let account = |user: &str| {
        format!(
            "\"{user}@127.0.0.1:{}\": {{\"authType\": \"pat\", \"url\": \"{}\", \"user\": \"{user}\", \
             \"idToken\": \"{}\", \"label\": \"{user}@home\", \"skipKeyring\": true}}",
            world.port(),
            world.url(),
            world.sandbox.token(user)
        )
    };
    world.install_config(&format!(
        "{{\"ActiveConfigID\": \"alice@127.0.0.1:{}\", \"Configs\": {{{}, {}}}}}",
        world.port(),
        account("alice"),
        account("bob")
    ));
    world
}

fn who(cec: crate::support::Cec<'_>) -> String {
    let run = cec.run();
    match serde_json::from_str::<serde_json::Value>(&run.stdout) {
        Ok(json) => json["user"].as_str().expect("a user").to_owned(),
        Err(_) => format!("{}: {}", run.code, run.stderr),
    }
}

#[test]
fn the_first_that_applies_is_used() {
    let world = with_accounts();
    let info = |flags: &[&str]| {
        let arguments: Vec<String> = ["info", "--json"].iter().chain(flags).map(|&text| text.to_owned()).collect();
        arguments
    };
    let run = |flags: &[&str], variables: &[(&str, &str)]| {
        let arguments = info(flags);
        let mut cec = world.signed_out(arguments.iter().map(String::as_str).collect::<Vec<_>>());
        for (name, value) in variables {
            cec = cec.env(name, value);
        }
        who(cec)
    };
    let (admin, bob) = (world.sandbox.token("admin"), world.sandbox.token("bob"));
    let environment = [("CEC_URL", world.url()), ("CEC_TOKEN", &admin), ("CEC_PROFILE", "bob@home")];
    assert_eq!(run(&[], &[]), "alice");
    assert_eq!(run(&[], &[("CEC_PROFILE", "bob@home")]), "bob");
    assert_eq!(run(&[], &environment), "admin");
    let id = format!("alice@127.0.0.1:{}", world.port());
    assert_eq!(run(&["--profile", &id], &environment), "alice");
    assert_eq!(run(&["--url", world.url(), "--token", &bob], &environment), "bob");
    let password = world.sandbox.password("bob").to_owned();
    assert_eq!(run(&["--url", world.url(), "--login", "bob", "--password", &password], &environment), "bob");
    assert_eq!(
        run(
            &[],
            &[
                ("CELLS_CLIENT_TARGET_URL", world.url()),
                ("CELLS_CLIENT_TARGET_USER_LOGIN", "bob"),
                ("CELLS_CLIENT_TARGET_USER_PWD", &password),
            ]
        ),
        "bob"
    );
    let command = format!("echo {admin}");
    assert_eq!(run(&[], &[("CEC_URL", world.url()), ("CEC_TOKEN_COMMAND", &command)]), "admin");
}

#[test]
fn with_credentials_given_no_file_is_touched() {
    let world = World::new();
    world.install_config("this is no JSON");
    world.cec(["ls", "-f", "common-files"]).run().is(0, "true\n", "");
    fs::remove_dir_all(world.home().join(".config")).expect("removed");
    world.cec(["ls", "-f", "common-files"]).run().is(0, "true\n", "");
    assert!(!world.home().join(".config").exists());
}

#[test]
fn a_url_alone_must_be_that_of_the_account() {
    let world = with_accounts();
    assert_eq!(world.signed_out(["ls", "--url", world.url()]).run().code, 0);
    let run = world.signed_out(["ls", "--url", "https://other.example.com"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: --url names https://other.example.com, but alice@127.0.0.1:PORT is an account on URL
      hint: also give the credentials for that server, or sign in there with 'cec configure'
    [exit code 2]
    ");
    let run = world.signed_out(["ls"]).env("CEC_URL", "https://other.example.com").run();
    assert_eq!(run.code, 2, "{run:?}");
    assert!(world.sandbox.requests().iter().all(|request| request.path != "/other"));
}

#[test]
fn a_login_name_alone_must_be_that_of_the_account() {
    let world = with_accounts();
    assert_eq!(world.signed_out(["ls", "--login", "alice"]).run().code, 0);
    assert_eq!(world.signed_out(["ls"]).env("CEC_LOGIN", "alice").run().code, 0);
    for (cec, name) in [
        (world.signed_out(["ls", "--login", "bob"]), "--login"),
        (world.signed_out(["ls"]).env("CEC_LOGIN", "bob"), "CEC_LOGIN"),
        (world.signed_out(["ls"]).env("CELLS_CLIENT_TARGET_USER_LOGIN", "bob"), "CELLS_CLIENT_TARGET_USER_LOGIN"),
    ] {
        let told = format!(
            "error: {name} is bob, but the stored account is alice@127.0.0.1:PORT\n  \
             hint: also give the password, or choose an account with --profile\n"
        );
        cec.run().is(2, "", &told);
    }
    // A profile by flag says more than the environment.
    assert_eq!(who(world.signed_out(["info", "--json", "--profile", "bob@home"]).env("CEC_LOGIN", "alice")), "bob");
}

#[test]
fn who_gave_a_bad_token_is_named_with_what_to_do() {
    let world = with_accounts();
    let hint = |cec: crate::support::Cec<'_>, code: i32| {
        let run = cec.run();
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{run:?}");
        run.stderr.lines().last().expect("a hint").to_owned()
    };
    fs::write(world.home().join("token"), "some-dead-token").expect("a file");
    let given = |variable: &str, value: &str| world.signed_out(["ls"]).env("CEC_URL", world.url()).env(variable, value);
    assert_eq!(
        hint(given("CEC_TOKEN", "some-dead-token"), 4),
        "  hint: give a new one with CEC_TOKEN, or unset CEC_TOKEN, which overrides the accounts of 'cec configure'"
    );
    let file = hint(given("CEC_TOKEN_FILE", "token"), 4);
    assert!(file.contains("hint: write a new token to the file that CEC_TOKEN_FILE names, or unset"), "{file}");
    let command = hint(given("CEC_TOKEN_COMMAND", "echo some-dead-token"), 4);
    assert!(command.contains("make the command in CEC_TOKEN_COMMAND print a new token"), "{command}");
    let flag = hint(world.signed_out(["ls", "-u", world.url(), "-t", "some-dead-token-of-somebody"]), 4);
    assert_eq!(flag, "  hint: give a new one with --token");
    assert_snapshot!(given("CEC_TOKEN_COMMAND", "true").run(), @"
    [stderr]
    error: the command in CEC_TOKEN_COMMAND printed nothing
    [exit code 4]
    ");
    // A stored one that is not the active one is named.
    let stored = fs::read_to_string(world.config_file()).expect("config.json");
    fs::write(world.config_file(), stored.replace(&world.sandbox.token("bob"), "some-dead-token")).expect("a file");
    assert_eq!(
        hint(world.signed_out(["ls", "--profile", "bob@home"]), 4),
        "  hint: sign in again with: cec config relog bob@127.0.0.1:PORT"
    );
}

#[test]
fn flags_stand_before_and_after_the_command() {
    let world = World::new();
    let token = world.sandbox.token("admin");
    for arguments in [
        ["--url", world.url(), "--token", &token, "ls", "-f", "common-files"],
        ["ls", "-f", "common-files", "-u", world.url(), "-t", &token],
        ["-u", world.url(), "ls", "--exists", "-t", &token, "common-files"],
    ] {
        world.signed_out(arguments).run().is(0, "true\n", "");
    }
    let token_by_input = world.signed_out(["ls", "-f", "common-files", "-u", world.url(), "-t", "-"]).input(&token);
    token_by_input.run().is(0, "true\n", "");
}

#[test]
fn secrets_that_are_none_are_refused_before_anything_is_sent() {
    let world = World::new();
    // As with a variable, nothing is no token.
    assert_eq!(world.signed_out(["ls", "-u", world.url(), "-t", ""]).run().code, 4);
    assert_snapshot!(world.signed_out(["ls", "-u", world.url(), "-t", "-"]).input("\n").run(), @"
    [stderr]
    error: the given token is empty
    [exit code 2]
    ");
    let run = world.signed_out(["ls", "-u", world.url(), "-t", "a\nb"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
    let run = world.signed_out(["ls", "-u", world.url(), "--login", "alice", "--password", "-"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the given password is empty
    [exit code 2]
    ");
    let run = world.signed_out(["ls", "-u", world.url()]).env("CEC_TOKEN", "").run();
    assert_eq!(run.code, 4, "{run:?}");
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn passwords_come_from_standard_input() {
    let world = World::new();
    let password = format!("{}\nwhat follows\n", world.sandbox.password("alice"));
    let flags = ["-u", world.url(), "--login", "alice", "--password", "-"];
    let run = world.signed_out(["info", "--json"].into_iter().chain(flags)).input(&password).run();
    assert_eq!(run.json()["user"], "alice");
    let configure = world.signed_out(["configure", "client-auth", "--skip-keyring"].into_iter().chain(flags));
    assert_eq!(configure.input(&password).run().code, 0);
    assert_eq!(world.signed_out(["ls", "-f", "common-files"]).run().code, 0);
}

#[test]
fn accounts_that_cannot_be_used_say_why() {
    let world = World::new();
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stderr]
    error: not signed in: no account is stored
      hint: run 'cec configure' to sign in, or set CEC_URL and CEC_TOKEN
    [exit code 4]
    ");
    world.install_config(include_str!("../recordings/config/empty-list.json"));
    assert_eq!(world.signed_out(["ls"]).run().code, 4);
    world.install_config(include_str!("../recordings/config/keyring-pat.json"));
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stderr]
    error: the secret of admin@files.example.com:443 is in the system keyring: there is no system keyring (disabled by CEC_KEYRING)
      hint: to keep the secret in config.json instead, sign in again: cec configure --skip-keyring
      hint: or set CEC_URL and CEC_TOKEN
    [exit code 4]
    ");
    let run = world.signed_out(["ls", "--profile", "nobody"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: there is no account 'nobody'
      hint: use one of the stored accounts: admin@files.example.com:443
    [exit code 3]
    ");
}

#[test]
fn every_sample_of_the_older_client_is_understood() {
    for (name, text) in [
        ("legacy-list-labels", include_str!("../recordings/config/legacy-list-labels.json")),
        ("legacy-single-oauth-v2", include_str!("../recordings/config/legacy-single-oauth-v2.json")),
        ("legacy-single-pat-v2", include_str!("../recordings/config/legacy-single-pat-v2.json")),
        ("oauth2-clear", include_str!("../recordings/config/oauth2-clear.json")),
        ("oauth2-idtoken-only-clear", include_str!("../recordings/config/oauth2-idtoken-only-clear.json")),
        ("pat-clear", include_str!("../recordings/config/pat-clear.json")),
    ] {
        let world = World::new();
        // The tokens of the samples are not valid here: put one in that is.
        let token = world.sandbox.token("alice");
        let text = text
            .replace("PAT0000000000000000000000000000000000000000.PAT1111111111111111111111111111111111111111", &token)
            .replace("ACC0000000000000000000000000000000000000000.ACC1111111111111111111111111111111111111111", &token);
        world.install_config(&text);
        assert_eq!(who(world.signed_out(["info", "--json"])), "alice", "{name}");
    }
    for (name, text) in [
        ("session-clear", include_str!("../recordings/config/session-clear.json")),
        ("legacy-single-clientcreds-v1", include_str!("../recordings/config/legacy-single-clientcreds-v1.json")),
    ] {
        let world = World::new();
        let text = text.replace("a2std", "alice").replace("P@ssw0rd!x", world.sandbox.password("alice"));
        world.install_config(&text);
        assert_eq!(who(world.signed_out(["info", "--json"])), "alice", "{name}");
    }
}

#[test]
fn headers_of_an_account_and_of_flags_go_with_requests() {
    let world = World::new();
    let token = world.sandbox.token("admin");
    world.install_config(&format!(
        "{{\"Configs\": {{\"admin@127.0.0.1:{}\": {{\"authType\": \"pat\", \"url\": \"{}\", \"user\": \"admin\", \
         \"idToken\": \"{token}\", \"skipKeyring\": true, \"CustomHeaders\": {{\"X-Stored\": \"one\"}}}}}}}}",
        world.port(),
        world.url()
    ));
    assert_eq!(world.signed_out(["ls", "--header", "X-Given: two"]).run().code, 0);
    let requests = world.sandbox.requests();
    let last = requests.last().expect("a request");
    assert_eq!((last.header("x-stored"), last.header("x-given")), ("one", "two"));
    let run = world.signed_out(["ls", "--header", "a-secret-without-colon"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: a header in --header does not have the form 'Name: value'
    [exit code 2]
    ");
}

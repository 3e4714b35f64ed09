use insta::assert_snapshot;

use crate::support::{World, fields};

#[test]
fn who_is_signed_in_where_is_asked_of_the_server() {
    let world = World::new();
    let run = world.cec(["info"]).run();
    assert_snapshot!(run, @"
    [stdout]
    User	admin (administrator)
    Name	Administrator
    Server	URL
    Product	Pydio Cells Home Edition
    Version	4.0.0
    Credentials	token
    Stored in	not stored: given by CEC_TOKEN
    [exit code 0]
    ");
    assert_eq!(world.cec(["config", "status"]).run().stdout, run.stdout);
}

#[test]
fn the_record_has_pinned_fields() {
    let world = World::new();
    let json = world.cec(["info", "--json"]).user("alice").run().json();
    assert_eq!(
        fields(&json),
        [
            "user",
            "display_name",
            "email",
            "admin",
            "url",
            "server_version",
            "server_product",
            "credentials",
            "expires_at",
            "renews",
            "account_id",
            "stored_in",
            "given_by"
        ]
    );
    assert_eq!((&json["user"], &json["admin"]), (&"alice".into(), &false.into()));
}

#[test]
fn credentials_that_are_not_valid_are_exit_code_4() {
    let world = World::new();
    let run = world.cec(["info"]).env("CEC_TOKEN", "some-dead-token").run();
    assert_snapshot!(run, @"
    [stderr]
    error: the personal access token is not valid on URL, or has expired
      hint: give a new one with CEC_TOKEN, or unset CEC_TOKEN, which overrides the accounts of 'cec configure'
    [exit code 4]
    ");
    assert_eq!(world.signed_out(["info"]).run().code, 4);
    let token = world.sandbox.token("bob");
    world.sandbox.revoke_token(&token);
    assert_eq!(world.cec(["info", "--json"]).env("CEC_TOKEN", &token).run().json_error(4)["kind"], "auth");
}

#[test]
fn a_dead_oauth_account_is_named() {
    let world = World::new();
    let text = include_str!("../recordings/config/oauth2-idtoken-only-clear.json");
    world.install_config(text);
    let run = world.signed_out(["info"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the OAuth token for admin is not valid on URL, or has expired
      hint: sign in again with: cec config relog
    [exit code 4]
    ");
}

#[test]
fn a_session_that_renews_itself_is_said_to() {
    let world = World::new();
    let pair = world.store_session("alice", 3000);
    let run = world.signed_out(["info"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let lasts = "\nLasts\tit renews itself; it expires after 60 days without use (the server may set another limit)\n";
    assert!(run.stdout.contains(lasts) && !run.stdout.contains("Expires"), "{run:?}");
    let json = world.signed_out(["info", "--json"]).run().json();
    assert_eq!((&json["renews"], json["expires_at"].is_null()), (&true.into(), true));
    // One that cannot be renewed ends when its token does.
    let text = std::fs::read_to_string(world.config_file()).expect("config.json").replace(&pair.refresh, "");
    world.install_config(&text);
    let json = world.signed_out(["info", "--json"]).run().json();
    assert_eq!((&json["renews"], json["expires_at"].is_string()), (&false.into(), true));
    let listed = &world.signed_out(["config", "ls", "--json"]).run().json()[0];
    assert_eq!((&listed["renews"], &listed["expires_at"]), (&false.into(), &json["expires_at"]));
    assert!(world.signed_out(["info"]).run().stdout.contains("\nExpires\t20"));
}

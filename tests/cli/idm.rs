//! `cec idm`.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{World, fields};

const DENIED: &str = "error: the server does not allow this call for this user\n";

/// The names in the first column.
fn first_column(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split('\t').next().expect("a column")).collect()
}

fn api(world: &World, method: &str, path: &str, body: &serde_json::Value) {
    let run = world.cec(["api", method, path, "--input", "-"]).input(&body.to_string()).run();
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn users_are_listed_with_their_columns() {
    let world = World::new();
    assert_snapshot!(world.cec(["idm", "list-users"]).run(), @"
    [stdout]
    admin	Administrator	-	admin	/	-
    alice	Alice	-	standard	/	-
    bob	Bob	-	standard	/	-
    [exit code 0]
    ");
    let json = world.cec(["idm", "list-users", "--json"]).run().json();
    assert_eq!(
        fields(&json[1]),
        [
            "login",
            "uuid",
            "display_name",
            "email",
            "profile",
            "group",
            "roles",
            "hidden",
            "locked",
            "last_connected",
            "attributes"
        ]
    );
    assert_eq!((&json[1]["login"], &json[1]["profile"]), (&json!("alice"), &json!("standard")));
}

#[test]
fn visitors_of_links_are_no_users_unless_asked_for() {
    let world = World::new();
    world.put("common-files/a.txt", "x");
    world.cec(["share", "common-files/a.txt"]).run();
    assert_eq!(first_column(&world.cec(["idm", "list-users"]).run().stdout).len(), 3);
    assert_eq!(first_column(&world.cec(["idm", "list-users", "--all"]).run().stdout).len(), 4);
}

#[test]
fn lists_are_complete_over_all_pages() {
    let world = World::new();
    // Beyond two pages of the client's own.
    for number in 0..450 {
        world.sandbox.add_user(&format!("user-{number:03}"));
    }
    for (command, count) in [("list-users", 453), ("list-roles", 458)] {
        let run = world.cec(["idm", command]).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{command}");
        let names: BTreeMap<&str, ()> = first_column(&run.stdout).into_iter().map(|name| (name, ())).collect();
        assert_eq!((run.stdout.lines().count(), names.len()), (count, count), "{command}");
    }
    let acls = world.cec(["idm", "list-acls"]).run();
    assert_eq!(acls.stdout.lines().count(), 8 + 450, "{:?}", acls.stderr);
}

#[test]
fn groups_roles_and_workspaces_are_listed() {
    let world = World::new();
    assert_snapshot!(world.cec(["idm", "list-groups"]).run(), @"
    [stderr]
    no groups
    [exit code 0]
    ");
    let group =
        |label: &str, parent: &str| json!({"Login": label, "IsGroup": true, "GroupLabel": label, "GroupPath": parent});
    api(&world, "PUT", "user/staff", &group("staff", "/"));
    api(&world, "PUT", "user/paris", &group("paris", "/staff/"));
    let run = world.cec(["idm", "list-groups"]).run();
    assert_eq!(first_column(&run.stdout), ["/staff", "/staff/paris"], "{run:?}");
    let json = world.cec(["idm", "list-groups", "--json"]).run().json();
    assert_eq!(fields(&json[0]), ["path", "label", "uuid"]);
    let roles = world.cec(["idm", "list-roles"]).run();
    assert_snapshot!(roles, @"
    [stdout]
    ADMINS	Administrators	role	admin
    EXTERNAL_USERS	External Users	role	shared
    UUID	Group paris	group	-
    UUID	Group staff	group	-
    MINISITE_NODOWNLOAD	Minisite (Download Disabled)	role	-
    MINISITE	Minisite Permissions	role	-
    ROOT_GROUP	Root Group	group	-
    UUID	User admin	user	-
    UUID	User alice	user	-
    UUID	User bob	user	-
    [exit code 0]
    ");
    let json = world.cec(["idm", "list-roles", "--json"]).run().json();
    assert_eq!(fields(&json[0]), ["uuid", "label", "kind", "auto_applies", "updated"]);
    let run = world.cec(["idm", "list-workspaces"]).run();
    assert_eq!(first_column(&run.stdout), ["a1-priv", "a1-ro", "common-files", "personal-files"], "{run:?}");
    let json = world.cec(["idm", "list-workspaces", "--json"]).run().json();
    assert_eq!(fields(&json[0]), ["slug", "uuid", "label", "description", "scope", "roots", "updated"]);
    assert_eq!(json[2]["scope"], "workspace");
}

#[test]
fn a_user_is_made_shown_changed_and_deleted() {
    let world = World::new();
    let create = ["idm", "user", "create", "carol", "--email", "c@example.com", "--display-name", "Carol C."];
    let run = world.cec(create.into_iter().chain(["--password-stdin"])).input("carol-Secret1\n").run();
    assert_snapshot!(run, @"
    [stderr]
    created the user carol
    [exit code 0]
    ");
    let shown = || world.cec(["idm", "user", "get", "carol", "--json"]).run().json()[0].clone();
    let user = shown();
    assert_eq!((&user["email"], &user["profile"]), (&json!("c@example.com"), &json!("standard")));
    let run =
        world.cec(["info"]).env("CEC_LOGIN", "carol").env("CEC_PASSWORD", "carol-Secret1").env("CEC_TOKEN", "").run();
    assert_eq!(run.code, 0, "{run:?}");
    let update =
        ["idm", "user", "update", "carol", "--email", "", "--attribute", "lang=de", "--role", "External Users"];
    assert_snapshot!(world.cec(update).run(), @"
    [stderr]
    changed the user carol
    [exit code 0]
    ");
    let user = shown();
    assert_eq!((&user["email"], &user["display_name"]), (&json!(""), &json!("Carol C.")), "the rest stays");
    assert_eq!(user["attributes"]["lang"], "de");
    assert_eq!(user["roles"], json!([{"uuid": "EXTERNAL_USERS", "label": "External Users"}]));
    world.cec(["idm", "user", "update", "carol", "--no-roles"]).run();
    assert_eq!(shown()["roles"], json!([]));
    let run = world.cec(["idm", "user", "rm", "carol"]).input("yes\n").run();
    assert_snapshot!(run, @"
    [stderr]
    error: cannot ask for confirmation before deleting users
      hint: add --force to delete them without asking
    [exit code 2]
    ");
    assert_snapshot!(world.cec(["idm", "user", "rm", "-f", "carol"]).run(), @"
    [stderr]
    deleted the user carol
    [exit code 0]
    ");
    let missing = "error: there is no user 'carol'\n  hint: 'cec idm list-users' lists the users\n";
    for verb in [&["get"][..], &["rm", "-f"], &["update", "--email", "x"], &["passwd"]] {
        world.cec(["idm", "user"].iter().chain(verb).copied().chain(["carol"])).run().is(3, "", missing);
    }
}

#[cfg(unix)]
#[test]
fn deleting_a_user_asks_on_a_terminal() {
    let world = World::new();
    let question = "Delete this user? This cannot be undone. Type 'yes' to continue:";
    let Some((code, screen)) = world.cec(["idm", "user", "rm", "bob"]).on_terminal(&[(question, "y\n")]) else {
        return;
    };
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("  bob  Bob  (standard)") && screen.contains("nothing was deleted"), "{screen}");
    let (code, screen) = world.cec(["idm", "user", "rm", "bob"]).on_terminal(&[(question, "yes\n")]).expect("a screen");
    assert_eq!(code, 0, "{screen}");
    assert_eq!(world.cec(["idm", "user", "get", "bob"]).run().code, 3);
}

#[cfg(unix)]
#[test]
fn passwords_are_typed_twice_and_not_shown() {
    let world = World::new();
    let typed = [("New password for bob: ", "bob-Secret-9\n"), ("Repeat password: ", "bob-Secret-9\n")];
    let Some((code, screen)) = world.cec(["idm", "user", "passwd", "bob"]).on_terminal(&typed) else { return };
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("bob-Secret-9") && screen.contains("changed the password of bob"), "{screen}");
    let typed = [("New password for bob: ", "bob-Secret-9\n"), ("Repeat password: ", "bob-Secret-8\n")];
    let (code, screen) = world.cec(["idm", "user", "passwd", "bob"]).on_terminal(&typed).expect("a screen");
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains("the two passwords differ"), "{screen}");
}

#[test]
fn a_password_is_changed_from_standard_input() {
    let world = World::new();
    let passwd = |user: &'static str| world.cec(["idm", "user", "passwd", user, "--password-stdin"]);
    assert_snapshot!(passwd("bob").input("bob-New-pass\n").run(), @"
    [stderr]
    changed the password of bob
    [exit code 0]
    ");
    assert_snapshot!(passwd("bob").input("short\n").run(), @"
    [stderr]
    error: the password has fewer than 6 characters
    [exit code 2]
    ");
    assert_eq!(
        world.cec(["idm", "user", "passwd", "bob"]).input("bob-New-pass\n").run().code,
        2,
        "it is not asked for"
    );
    // One's own: the present one first.
    let own = || passwd("bob").user("bob");
    let wrong = own().input("wrong-pass\nother-pass\n").run();
    assert_snapshot!(wrong, @"
    [stderr]
    error: the current password is wrong
      while: changing the password of bob
    [exit code 4]
    ");
    assert_snapshot!(own().input("bob-New-pass\nother-pass\n").run(), @"
    [stderr]
    changed the password of bob
    [exit code 0]
    ");
    let run = world.cec(["info"]).env("CEC_LOGIN", "bob").env("CEC_PASSWORD", "other-pass").env("CEC_TOKEN", "").run();
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn what_makes_no_user_is_refused() {
    let world = World::new();
    let create = |login: &str, more: &[&str]| {
        let arguments = ["idm", "user", "create", login, "--password-stdin"];
        world.cec(arguments.iter().chain(more).copied()).input("some-Secret1\n").run()
    };
    assert_snapshot!(create("alice", &[]), @"
    [stderr]
    error: the user 'alice' already exists
    [exit code 8]
    ");
    for login in ["a/b", "a b", "a*", ""] {
        assert_eq!(create(login, &[]).code, 2, "{login}");
    }
    let run = create("carol", &["--group", "/nope"]);
    assert_snapshot!(run, @"
    [stderr]
    error: there is no group '/nope'
      hint: 'cec idm list-groups' lists them
    [exit code 3]
    ");
    let run = create("carol", &["--role", "nope"]);
    assert_snapshot!(run, @"
    [stderr]
    error: there is no role 'nope' that can be assigned
      hint: 'cec idm list-roles' lists them
    [exit code 3]
    ");
    assert_eq!(create("carol", &["--user-profile", "king"]).code, 2);
    assert_eq!(create("carol", &["--attribute", "novalue"]).code, 2);
    assert_snapshot!(world.cec(["idm", "user", "rm", "-f", "admin"]).run(), @"
    [stderr]
    error: 'admin' is signed in here and cannot delete itself
    [exit code 2]
    ");
    assert_eq!(world.cec(["idm", "user", "update", "alice"]).run().code, 2);
    assert_eq!(world.cec(["idm", "user", "get", "carol"]).run().code, 3);
}

#[test]
fn rights_are_listed_and_deleted_one_by_one() {
    let world = World::new();
    let node = "10f5adc7-9d45-4de9-9db7-b4241c7e5821";
    let list = ["idm", "list-acls", "-n", node];
    let run = world.cec(list).run();
    assert_eq!(run.stdout.lines().count(), 2, "{run:?}");
    assert!(run.stdout.starts_with(&format!("{node}\tADMINS\tread\tc180e285-")), "{run:?}");
    let json = world.cec(list.into_iter().chain(["--json"])).run().json();
    assert_eq!(fields(&json[0]), ["id", "node", "role", "workspace", "action", "value"]);
    assert_snapshot!(world.cec(list.into_iter().chain(["--delete"])).input("yes\n").run(), @"
    [stderr]
    error: cannot ask for confirmation before deleting permissions
      hint: add --force to delete them without asking
    [exit code 2]
    ");
    world.cec(list.into_iter().chain(["--delete", "--force"])).run().is(
        0,
        "",
        &format!("deleted read of role ADMINS on {node}\ndeleted write of role ADMINS on {node}\n"),
    );
    world.cec(list).run().is(0, "", "");
    let run = world.cec(list.into_iter().chain(["--delete", "--force"])).run();
    assert_snapshot!(run, @"
    [stderr]
    error: there are no permissions on these files or folders
    [exit code 3]
    ");
    assert_eq!(world.cec(["idm", "list-acls"]).run().stdout.lines().count(), 6, "the others stay");
    assert_eq!(world.cec(["idm", "list-acls", "--delete", "--force"]).run().code, 2, "never all");
    assert_eq!(world.cec(["idm", "list-acls", "-n", "", "--delete", "--force"]).run().code, 2, "never all");
}

// Row 3 of what the older client gets wrong: a refusal is told as what it is.
#[test]
fn row_3_a_missing_right_is_no_bad_token() {
    let world = World::new();
    for (arguments, during) in [
        (&["idm", "list-acls"][..], "listing permissions"),
        (&["storage", "list-datasources"], "listing data sources"),
        (&["storage", "resync-ds", "pydiods1"], "resyncing pydiods1"),
    ] {
        let run = world.cec(arguments.iter().copied()).user("alice").run();
        run.is(5, "", &format!("{DENIED}  while: {during}\n"));
        let bad = world.cec(arguments.iter().copied()).env("CEC_TOKEN", "some-dead-token").run();
        assert_eq!((bad.code, bad.stdout.as_str()), (4, ""), "{bad:?}");
        assert!(bad.stderr.starts_with("error: the token is not valid (mistyped, expired or revoked)\n"), "{bad:?}");
    }
    for arguments in [&["idm", "user", "rm", "-f", "bob"][..], &["idm", "user", "update", "bob", "--email", "x"]] {
        assert_eq!(world.cec(arguments.iter().copied()).user("alice").run().code, 5, "{arguments:?}");
    }
    assert_eq!(world.cec(["idm", "list-users"]).user("alice").run().code, 0);
}

#[test]
fn help_says_where_personal_tokens_are_made() {
    let world = World::new();
    for arguments in [["idm", "--help", "-q"], ["idm", "user", "--help"]] {
        let help = world.signed_out(arguments).run();
        assert!(help.stdout.contains("cells admin user token -u LOGIN -e 24h"), "{help:?}");
    }
}

//! Commands that change something touch exactly what was named, and what they change is not lost.

use cells_sandbox::{Fault, Gate};
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{World, wait_for};

fn world(paths: &[&str]) -> World {
    let world = World::new();
    for path in paths {
        world.put(&format!("common-files/{path}"), path);
    }
    world
}

#[test]
fn a_name_that_exists_wins_over_a_pattern_in_every_segment() {
    let world = world(&["[2024] album/track1", "2 album/other", "a*b/x/1", "aXb/x/2"]);
    let run = world.cec(["rm", "-f", "common-files/[2024] album/*"]).run();
    assert_snapshot!(run, @"
    [stderr]
    'common-files/[2024] album/*' matches 1 item
    moved to the recycle bin: common-files/[2024] album/track1
    [exit code 0]
    ");
    assert_eq!(world.tree().list("common-files/2 album"), ["other"]);
    let run = world.cec(["ls", "-r", "common-files/a*b/x/*"]).run();
    assert_snapshot!(run, @"
    [stdout]
    common-files/a*b/x/1
    [stderr]
    warning: 'common-files/a*b' exists with exactly this name, so it is not used as a pattern
    [exit code 0]
    ");
}

#[test]
fn a_file_called_like_a_pattern_is_taken_alone_and_that_is_said() {
    let world = world(&["d/*", "d/a", "d/b"]);
    world.mkdir("common-files/to");
    let run = world.cec(["cp", "common-files/d/*", "common-files/to"]).run();
    assert_snapshot!(run, @"
    [stderr]
    warning: 'common-files/d/*' exists with exactly this name, so it is not used as a pattern
    copied common-files/d/* to common-files/to/*
    [exit code 0]
    ");
    assert_eq!(world.tree().list("common-files/to"), ["*"]);
    let run = world.cec(["rm", "--no-glob", "common-files/to/*"]).run();
    assert_snapshot!(run, @"
    [stderr]
    moved to the recycle bin: common-files/to/*
    [exit code 0]
    ");
}

#[test]
fn a_backslash_takes_the_meaning_of_a_character_away() {
    let world = world(&["[1] a/x.txt", "[1] a/y.md", "1 a/z.txt", "d/{b}", "d/b"]);
    let run = world.cec(["ls", "-r", r"common-files/\[1\] a/*.txt"]).run();
    run.is(0, "common-files/[1] a/x.txt\n", "");
    world.cec(["ls", "-r", r"common-files/d/\{b}"]).run().is(0, "common-files/d/{b}\n", "");
    assert_eq!(world.cec(["ls", r"common-files\d"]).run().code, 3);
}

#[test]
fn a_percent_sign_is_a_pattern_in_rm_alone() {
    let world = world(&["d/a", "d/b"]);
    for command in [&["ls"][..], &["stat"], &["meta", "get"], &["restore"]] {
        let run = world.cec([command, &["common-files/d/%"]].concat()).run();
        assert_eq!(run.code, 3, "{run:?}");
    }
    assert_eq!(world.cec(["mv", "common-files/d/%", "common-files/"]).run().code, 3);
    assert_eq!(world.cec(["rm", "-f", "--no-glob", "common-files/d/%"]).run().code, 3);
    assert_eq!(world.cec(["rm", "-f", "common-files/d/%"]).run().code, 0);
    assert_eq!(world.tree().list("common-files/d").len(), 0);
}

#[test]
fn a_list_of_names_run_twice_touches_nothing_else() {
    let world = world(&["report[1].pdf", "report1.pdf", "%", "keep"]);
    let names = ["common-files/report[1].pdf", "common-files/%"];
    let rm = || world.cec(["rm", "-f", "--no-glob"].into_iter().chain(names)).run();
    assert_eq!(rm().code, 0);
    let again = rm();
    assert_snapshot!(again, @"
    [stderr]
    error: 'common-files/report[1].pdf' does not exist
    error: 'common-files/%' does not exist
    [exit code 3]
    ");
    assert_eq!(world.tree().list("common-files"), ["keep", "recycle_bin", "report1.pdf"]);
}

#[test]
fn another_spelling_of_a_name_is_not_changed() {
    let world = world(&["F\u{e4}lder", "x"]);
    let typed = "common-files/Fa\u{308}lder";
    for command in [&["rm", "-f"][..], &["rm", "-fp"], &["meta", "tag", "add"], &["share"]] {
        let last = if command[0] == "meta" { &["t"][..] } else { &[] };
        let run = world.cec([command, &[typed], last].concat()).run();
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{run:?}");
        assert!(run.stderr.contains("'common-files/F\u{e4}lder' does"), "{run:?}");
    }
    assert_eq!(world.cec(["mv", typed, "common-files/y"]).run().code, 3);
    assert!(world.tree().exists("common-files/F\u{e4}lder"));
    // What only reads takes either.
    assert_eq!(world.cec(["stat", typed]).run().code, 0);
}

#[test]
fn the_roots_of_a_shared_workspace_stay() {
    let world = World::new();
    world.put("a1-priv/1b2f11ed-cellA/x", "x");
    world.mkdir("a1-priv/dbda9da5-cellB");
    world.tree().split_into_roots("a1-priv").expect("roots");
    let root = "a1-priv/1b2f11ed-cellA";
    let refused = "is shared with everybody in 'a1-priv'";
    for arguments in [
        &["mv", root, "personal-files/taken"][..],
        &["mv", root, "a1-priv/other-name"],
        &["mv", "a1-priv/*", "personal-files/"],
        &["rm", "-f", root],
        &["rm", "-fp", "a1-priv/*"],
    ] {
        let run = world.cec(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
        assert!(run.stderr.contains(refused), "{run:?}");
    }
    assert!(!world.sandbox.requests().iter().any(|request| request.path.contains("/jobs/user/move")));
    assert!(world.tree().exists("a1-priv/1b2f11ed-cellA/x"));
    // What is in them is like anything else, and a copy of one takes nothing away.
    assert_eq!(world.cec(["mv", &format!("{root}/x"), "a1-priv/dbda9da5-cellB/y"]).run().code, 0);
    assert_eq!(world.cec(["cp", root, "personal-files/"]).run().code, 0);
    assert!(world.tree().exists("personal-files/1b2f11ed-cellA"));
}

#[test]
fn the_top_of_a_shared_workspace_is_read_only() {
    let world = World::new();
    world.put("a1-priv/1b2f11ed-cellA/x.zip", "x");
    world.mkdir("a1-priv/dbda9da5-cellB");
    world.put("common-files/f", "f");
    world.tree().split_into_roots("a1-priv").expect("roots");
    for arguments in [
        &["mkdir", "a1-priv/new"][..],
        &["mkdir", "-p", "a1-priv/new/deep", "a1-priv/other"],
        &["cp", "common-files/f", "a1-priv"],
        &["cp", "common-files/f", "a1-priv/g"],
        &["mv", "common-files/f", "a1-priv/new/"],
        &["compress", "common-files/f", "a1-priv/f.zip"],
        &["extract", "a1-priv/1b2f11ed-cellA/x.zip", "a1-priv/out"],
    ] {
        let run = world.cec(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stdout.as_str()), (5, ""), "{run:?}");
        let hint = "hint: use one of its folders: 'a1-priv/1b2f11ed-cellA', 'a1-priv/dbda9da5-cellB'";
        assert!(run.stderr.contains("the top level of 'a1-priv' is read-only") && run.stderr.contains(hint), "{run:?}");
    }
    assert_eq!(world.cec(["mkdir", "a1-priv/dbda9da5-cellB/new"]).run().code, 0);
}

#[test]
fn a_login_is_no_pattern() {
    let world = World::new();
    for login in ["wtest1", "wtest2"] {
        world.sandbox.add_user(login);
    }
    for login in ["wtest*", "*", "staff/", "a/b", "..", "staff%2F"] {
        for command in [&["rm", "-f"][..], &["get"], &["update", "--email", "x"], &["passwd", "--password-stdin"]] {
            let run = world.cec([&["idm", "user"][..], command, &[login]].concat()).input("secret-12\n").run();
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
            assert!(run.stderr.contains(&format!("'{login}' is not a login name")), "{run:?}");
        }
    }
    let is_call = |method: &str| world.sandbox.requests().iter().any(|request| request.method == method);
    assert!(!is_call("DELETE") && !is_call("PUT"));
    assert_eq!(world.cec(["idm", "user", "rm", "-f", "wtest1"]).run().code, 0);
    assert_eq!(world.cec(["idm", "user", "get", "wtest2"]).run().code, 0);
}

#[test]
fn an_answer_about_another_user_changes_nobody() {
    let world = World::new();
    let bob = world.cec(["api", "GET", "user/bob"]).run().stdout;
    for command in [&["rm", "-f"][..], &["update", "--email", "x"]] {
        world.sandbox.faults().add(Fault::on("GET", "/a/user/alice").body("application/json", &bob));
        let run = world.cec([&["idm", "user"][..], command, &["alice"]].concat()).run();
        assert_eq!(run.code, 3, "{run:?}");
    }
    assert!(!world.sandbox.requests().iter().any(|request| request.method == "DELETE" || request.method == "PUT"));
}

#[test]
fn a_deletion_of_none_or_of_several_is_not_done() {
    for (body, code, told) in [
        ("{\"Success\":true}", 3, "the user 'bob' no longer exists"),
        ("{\"Success\":true,\"NumRows\":\"3\"}", 6, "reports that it deleted 3"),
    ] {
        let world = World::new();
        world.sandbox.faults().add(Fault::on("DELETE", "/a/user/bob").body("application/json", body));
        let run = world.cec(["idm", "user", "rm", "-f", "bob"]).run();
        assert_eq!((run.code, run.stderr.contains(told)), (code, true), "{run:?}");
    }
}

#[test]
fn a_right_that_would_take_others_along_is_not_deleted() {
    let world = World::new();
    let put = |acl: serde_json::Value| {
        let run = world.cec(["api", "PUT", "acl", "--input", "-"]).input(&acl.to_string()).run();
        assert_eq!(run.code, 0, "{run:?}");
    };
    let action = json!({"Name": "read", "Value": "1"});
    // Without a workspace it fits the one that has one as well.
    put(json!({"RoleID": "ADMINS", "NodeID": "some-node", "Action": action}));
    put(json!({"RoleID": "ADMINS", "NodeID": "some-node", "WorkspaceID": "some-workspace", "Action": action}));
    let delete = || world.cec(["idm", "list-acls", "-n", "some-node", "--delete", "-f"]).run();
    let run = delete();
    assert_snapshot!(run, @"
    [stderr]
    error: not deleted, because the server would also delete 1 more (such as number 10)
      while: deleting the permission read of role ADMINS on some-node
    deleted read of role ADMINS on some-node
    [exit code 7]
    ");
    assert_eq!(run.stderr.matches("deleted read").count(), 1, "{run:?}");
    let run = delete();
    assert_eq!((run.code, run.stderr.matches("deleted read").count()), (0, 1), "{run:?}");
}

#[test]
fn tags_that_are_put_on_at_the_same_time_are_all_kept() {
    let world = world(&["x"]);
    // Both have read before either writes.
    let gate = Gate::closed();
    world.sandbox.faults().add(Fault::on("PUT", "/a/user-meta/update").hold_request(&gate).times(2));
    let add = |tag| world.cec(["meta", "tag", "add", "common-files/x", tag]).spawn();
    let children = [add("one"), add("two")];
    wait_for("two writes", || world.sandbox.faults().hits() == 2);
    gate.open();
    for child in children {
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let tags = world.cec(["meta", "get", "--json", "common-files/x"]).run().json()[0]["meta"]["usermeta-tags"].clone();
    let mut tags: Vec<&str> = tags.as_str().expect("tags").split(',').collect();
    tags.sort_unstable();
    assert_eq!(tags, ["one", "two"]);
}

#[test]
fn changes_of_a_user_at_the_same_time_are_all_kept() {
    let world = World::new();
    let gate = Gate::closed();
    world.sandbox.faults().add(Fault::on("PUT", "/a/user/bob").hold_request(&gate).times(2));
    let update = |option, value| world.cec(["idm", "user", "update", "bob", option, value]).spawn();
    let children = [update("--display-name", "B"), update("--email", "b@example.com")];
    wait_for("two writes", || world.sandbox.faults().hits() == 2);
    gate.open();
    for child in children {
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let user = world.cec(["idm", "user", "get", "bob", "--json"]).run().json()[0].clone();
    assert_eq!((&user["display_name"], &user["email"]), (&json!("B"), &json!("b@example.com")));
}

#[test]
fn changes_of_a_link_at_the_same_time_are_all_kept() {
    let world = world(&["x"]);
    let url = world.cec(["share", "common-files/x"]).run().stdout;
    let hash = url.trim().rsplit('/').next().expect("a hash").to_owned();
    let gate = Gate::closed();
    world.sandbox.faults().add(Fault::on("PUT", "/a/share/link").hold_request(&gate).times(2));
    let edit = |option, value| world.cec(["share", "edit", &hash, option, value]).spawn();
    let children = [edit("--label", "L"), edit("--max-downloads", "3")];
    wait_for("two writes", || world.sandbox.faults().hits() == 2);
    gate.open();
    for child in children {
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let link = world.cec(["share", "show", &hash, "--json"]).run().json()[0].clone();
    assert_eq!((&link["label"], &link["max_downloads"]), (&json!("L"), &json!(3)));
}

#[test]
fn a_change_that_is_lost_again_and_again_is_a_failure() {
    let world = world(&["x"]);
    let nothing = json!({"MetaDatas": []}).to_string();
    world.sandbox.faults().add(Fault::on("PUT", "/a/user-meta/update").body("application/json", &nothing).always());
    let run = world.cec(["meta", "tag", "add", "common-files/x", "t"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: somebody else changed it at the same time, so this change was lost
      hint: run the command again
    [exit code 1]
    ");
}

#[test]
fn answers_that_are_no_objects_are_not_none() {
    let world = world(&["x"]);
    for body in ["[]", "null", "\"x\""] {
        for arguments in [
            &["share", "ls"][..],
            &["ls"],
            &["search", "report"],
            &["idm", "list-users"],
            &["idm", "list-workspaces"],
            &["jobs", "get"],
            &["storage", "list-datasources"],
            &["meta", "ls"],
            &["trash", "ls"],
        ] {
            world.sandbox.faults().clear();
            world.sandbox.faults().add(Fault::on("*", "/a/").body("application/json", body).always());
            let run = world.cec(arguments.iter().copied()).run();
            assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{body} {arguments:?} {run:?}");
        }
    }
    for body in ["{\"Node\":{}}", "{\"Node\":[]}", "{\"Node\":{\"Type\":\"LEAF\"}}"] {
        for arguments in
            [&["stat", "common-files/x"][..], &["rm", "-f", "common-files/x"], &["ls", "-f", "common-files/x"]]
        {
            world.sandbox.faults().clear();
            world.sandbox.faults().add(Fault::on("GET", "/a/tree/stat").body("application/json", body).always());
            let run = world.cec(arguments.iter().copied()).run();
            assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{body} {arguments:?} {run:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn rm_says_how_to_bring_it_back() {
    let world = world(&["short.txt", "docs/short.txt"]);
    world.cec(["rm", "-q", "common-files/short.txt"]).run().is(0, "", "");
    let Some((code, screen)) = world.cec(["rm", "common-files/docs/short.txt"]).on_terminal(&[]) else { return };
    assert_eq!(code, 0, "{screen}");
    let line = "hint: to undo: cec restore common-files/recycle_bin/short-1.txt";
    assert!(screen.contains(line) || screen.contains(&line.replace("hint: ", "")), "{screen}");
    world.cec(["restore", "common-files/recycle_bin/short-1.txt"]).run();
    assert!(world.tree().exists("common-files/docs/short.txt"));
}

#[test]
fn hints_in_a_public_link_name_it_by_its_url() {
    let world = world(&["d/x"]);
    let url = world.cec(["share", "common-files/d", "--upload"]).run().stdout.trim().replace("URL", world.url());
    let run = world.cec(["mkdir", &format!("{url}/a/b")]).run();
    assert_eq!(run.code, 3, "{run:?}");
    let run = world.cec(["cp", &format!("{url}/x"), &format!("{url}/a/b/c")]).run();
    assert_eq!(run.code, 3, "{run:?}");
    let hash = url.rsplit('/').next().expect("a hash");
    assert!(run.stderr.contains(&format!("cec mkdir -p URL/public/{hash}/a/b")), "{run:?}");
    let run = world.signed_out(["restore", &format!("{url}/x")]).run();
    assert_eq!((run.code, run.stderr.matches("error:").count()), (2, 1), "{run:?}");
}

#[test]
fn the_recycle_bin_of_one_of_several_roots_is_one() {
    let world = World::new();
    let root = "a1-priv/1b2f11ed-cellA";
    world.put(&format!("{root}/recycle_bin/old"), "x");
    world.put(&format!("{root}/new"), "x");
    world.mkdir("a1-priv/dbda9da5-cellB");
    world.tree().split_into_roots("a1-priv").expect("roots");
    // What is deleted there is gone for good, so that it is asked.
    let run = world.cec(["rm", &format!("{root}/recycle_bin/old")]).run();
    assert_eq!((run.code, run.stderr.contains("confirmation before deleting")), (2, true), "{run:?}");
    let run = world.cec(["rm", "-f", &format!("{root}/recycle_bin")]).run();
    assert_eq!((run.code, run.stderr.contains("is the recycle bin itself")), (2, true), "{run:?}");
    let run = world.cec(["ls", "-r", &format!("{root}/*")]).run();
    run.is(0, &format!("{root}/new\n"), "");
    let run = world.cec(["ls", "-r", &format!("{root}/recycle_bin/*")]).run();
    run.is(0, &format!("{root}/recycle_bin/old\n"), "");
    assert!(world.tree().exists(&format!("{root}/recycle_bin/old")));
}

#[test]
fn a_refusal_of_the_moment_is_not_final() {
    let world = world(&["x"]);
    let refusal = "{\"Title\":\"path is not readable\",\"Detail\":\"Forbidden: path is not readable\"}";
    let refused = |method: &str, path: &str| Fault::on(method, path).status(403).body("application/json", refusal);
    world.sandbox.faults().add(refused("GET", "/a/tree/stat"));
    world.sandbox.faults().add(refused("POST", "/a/tree/delete").times(2));
    let run = world.cec(["rm", "common-files/x"]).run();
    assert_snapshot!(run, @"
    [stderr]
    moved to the recycle bin: common-files/x
    [exit code 0]
    ");
    world.put("common-files/y", "y");
    world.sandbox.faults().add(refused("GET", "/a/tree/stat").always());
    assert_eq!(world.cec(["stat", "common-files/y"]).run().code, 5);
}

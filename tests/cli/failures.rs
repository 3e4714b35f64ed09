//! Servers and tokens that do not work: the true cause is told, and never taken for something missing.

use std::time::{Duration, Instant};

use cells_sandbox::{Config, Fault};
use insta::assert_snapshot;

use crate::support::World;

/// All that asks the server for something.
const COMMANDS: [&[&str]; 43] = [
    &["ls"],
    &["ls", "common-files/folder"],
    &["ls", "-R", "common-files"],
    &["stat", "common-files/a.txt"],
    &["mkdir", "common-files/new"],
    &["rm", "-f", "common-files/a.txt"],
    &["cat", "cells://common-files/a.txt"],
    &["find", "common-files"],
    &["du", "-s", "common-files"],
    &["tree", "common-files"],
    &["search", "x"],
    &["about"],
    &["about", "common-files"],
    &["cp", "common-files/a.txt", "common-files/b.txt"],
    &["mv", "common-files/a.txt", "common-files/b.txt"],
    &["trash", "ls"],
    &["trash", "empty", "-f", "common-files"],
    &["restore", "common-files/recycle_bin/x"],
    &["compress", "common-files/a.txt", "common-files/a.zip"],
    &["extract", "common-files/a.zip"],
    &["meta", "ls"],
    &["meta", "get", "-p", "common-files/a.txt"],
    &["meta", "set", "-p", "common-files/a.txt", "-n", "usermeta-tags", "-s", "x"],
    &["meta", "tag", "add", "common-files/a.txt", "x"],
    &["share", "common-files/a.txt"],
    &["share", "ls"],
    &["share", "show", "x"],
    &["share", "rm", "-f", "x"],
    &["idm", "list-users"],
    &["idm", "list-groups"],
    &["idm", "list-roles"],
    &["idm", "list-workspaces"],
    &["idm", "list-acls"],
    &["idm", "user", "get", "alice"],
    &["idm", "user", "rm", "-f", "nobody"],
    &["storage", "list-datasources"],
    &["storage", "resync-ds", "pydiods1"],
    &["jobs", "get"],
    &["jobs", "watch"],
    &["jobs", "cancel", "x"],
    &["jobs", "logs", "x"],
    &["jobs", "delete", "--job-id", "x"],
    &["api", "GET", "user/alice"],
];

#[test]
fn a_refused_token_is_never_not_found() {
    let world = World::new();
    world.put("common-files/a.txt", "x");
    world.mkdir("common-files/folder");
    for arguments in COMMANDS {
        let started = Instant::now();
        let run = world.cec(arguments.iter().copied()).env("CEC_TOKEN", "some-dead-token").run();
        assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{arguments:?} {run:?}");
        assert!(
            run.stderr.starts_with("error: the token is not valid (mistyped, expired or revoked)\n"),
            "{arguments:?} {run:?}"
        );
        assert!(run.stderr.contains("hint: give a new one with CEC_TOKEN"), "{run:?}");
        assert!(started.elapsed() < Duration::from_secs(20), "{arguments:?}");
    }
    let record = world.cec(["ls", "--json"]).env("CEC_TOKEN", "some-dead-token").run();
    assert_eq!(record.json_error(4)["http"], 401);
    assert!(world.tree().exists("common-files/a.txt"));
}

#[test]
fn a_dead_server_is_told_within_seconds() {
    let world = &World::new();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for arguments in COMMANDS {
            scope.spawn(move || {
                let run = world.cec(arguments.iter().copied()).env("CEC_URL", "http://127.0.0.1:9").run();
                assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{arguments:?} {run:?}");
                let cause = "error: cannot connect to 127.0.0.1:9: connection refused\n";
                assert!(run.stderr.starts_with(cause), "{arguments:?} {run:?}");
            });
        }
    });
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_web_page_in_place_of_an_answer_is_no_cells_server() {
    let world = World::new();
    world.sandbox.faults().add(Fault::on("*", "/").html().always());
    for arguments in COMMANDS {
        let run = world.cec(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{arguments:?} {run:?}");
        // Of a call that somebody typed, its path may as well be wrong.
        let hint = if arguments[0] == "api" { "hint: write the path" } else { "hint: check the URL" };
        assert!(run.stderr.contains(hint), "{arguments:?} {run:?}");
    }
}

#[test]
fn a_redirect_is_not_followed_and_no_token_goes_along() {
    let (world, other) = (World::new(), World::new());
    world.sandbox.faults().add(Fault::on("*", "/").redirect(other.url()).always());
    let run = world.cec(["ls"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{run:?}");
    assert!(other.sandbox.requests().is_empty());
}

#[test]
fn a_certificate_that_is_not_trusted_is_named_with_its_remedy() {
    let world = World::with(Config { tls: true, ..Config::default() });
    let run = world.cec(["ls"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the TLS connection to 127.0.0.1:PORT failed: the certificate is not signed by an authority that this machine trusts
      while: listing the workspaces
      hint: add the server's certificate authority with --ca-cert FILE
    [exit code 6]
    ");
    let file = world.home().join("ca.pem");
    std::fs::write(&file, world.sandbox.ca_pem().expect("a certificate")).expect("a file");
    let file = file.display().to_string();
    assert_eq!(world.cec(["ls", "--ca-cert", &file]).run().code, 0);
    assert_eq!(world.cec(["ls"]).env("CEC_CA_CERT", &file).run().code, 0);
    assert_eq!(world.cec(["ls", "--skip-verify"]).run().code, 0);
    assert_eq!(world.cec(["ls", "--skip_verify"]).run().code, 0);
    assert_eq!(world.cec(["ls"]).env("CEC_SKIP_VERIFY", "yes").run().code, 0);
    assert_eq!(world.cec(["ls"]).env("CEC_SKIP_VERIFY", "no").run().code, 6);
    let nonsense = world.cec(["ls"]).env("CEC_SKIP_VERIFY", "perhaps").run();
    assert_snapshot!(nonsense, @"
    [stderr]
    error: the environment variable CEC_SKIP_VERIFY has an invalid value: expected true or false (or 1/0, yes/no, on/off)
    [exit code 2]
    ");
}

#[test]
fn a_passing_failure_is_tried_again() {
    let world = World::new();
    world.put("common-files/a.txt", "x");
    world.sandbox.faults().add(Fault::on("*", "/a/tree/stat").status(503).times(2));
    world.cec(["ls", "common-files/a.txt"]).run().is(0, "a.txt\n", "");
}

#[test]
fn a_server_that_stays_silent_is_given_up() {
    let world = World::new();
    world.sandbox.faults().add(Fault::on("*", "/a/meta/bulk").hang().always());
    let started = Instant::now();
    let run = world.cec(["ls", "--timeout", "300ms"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{run:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn an_unreadable_folder_does_not_keep_the_rest_of_a_tree() {
    let world = World::new();
    for path in ["a/x", "b/y", "c/z"] {
        world.put(&format!("common-files/tree/{path}"), "");
    }
    // The listing of a whole tree: each folder is one call; the third fails for good.
    world.sandbox.faults().add(
        Fault::on("POST", "/a/meta/bulk").skip(2).status(403).body(
            "application/json",
            "{\"Title\":\"this is not allowed\",\"Detail\":\"Forbidden: this is not allowed\"}",
        ),
    );
    let run = world.cec(["ls", "-R", "common-files/tree"]).run();
    // The folders are listed at the same time, so any of the three may be the third.
    assert_eq!(run.code, 7, "{run:?}");
    assert!(run.stderr.contains("  while: listing common-files/tree/"), "{run:?}");
    assert_eq!(run.stdout.lines().count(), 5, "{run:?}");
    assert!(run.stdout.lines().any(|line| line == "c/"), "{run:?}");
}

#[test]
fn what_is_missing_or_unknown_is_never_exit_0() {
    let world = World::new();
    world.put("common-files/a.txt", "x");
    for (arguments, code) in [
        (&["ls", "common-files/nope"][..], 3),
        (&["ls", "nope"], 3),
        (&["ls", "tools"], 3),
        (&["ls", "common-files/a.txt/below"], 3),
        (&["ls", "--exists", "common-files/nope"], 3),
        (&["ls", "common-files/nope*"], 3),
        (&["stat", "common-files/nope"], 3),
        (&["cat", "cells://common-files/nope"], 3),
        (&["cat", "cells://common-files/a.txt/below"], 3),
        (&["mkdir", "nope/new"], 3),
        (&["rm", "common-files/nope"], 3),
        (&["rm", "-f", "common-files/a.txt/below"], 3),
        (&["scp", "cells://common-files/nope", "."], 3),
        (&["scp", "nope", "cells://common-files"], 3),
        (&["nope"], 2),
        (&["ls", "--nope"], 2),
        (&["stat"], 2),
        (&["cat"], 2),
        (&["mkdir"], 2),
        (&["rm"], 2),
        (&["scp"], 2),
        (&["scp", "cells://common-files/a.txt"], 2),
        (&["ls", "--exists"], 2),
        (&["find", "common-files/nope"], 3),
        (&["find", "nope"], 3),
        (&["du", "common-files/nope"], 3),
        (&["tree", "common-files/nope"], 3),
        (&["search", "x", "--in", "common-files/nope"], 3),
        (&["about", "nope"], 3),
        (&["cp", "common-files/nope", "common-files/b"], 3),
        (&["cp", "common-files/nope*", "common-files/b"], 3),
        (&["mv", "common-files/nope", "common-files/b"], 3),
        (&["mv", "nope/x", "common-files/b"], 3),
        (&["trash", "ls", "nope"], 3),
        (&["trash", "empty", "-f", "nope"], 3),
        (&["restore", "common-files/recycle_bin/nope"], 3),
        (&["restore", "common-files/nope"], 3),
        (&["compress", "common-files/nope", "common-files/a.zip"], 3),
        (&["extract", "common-files/nope.zip"], 3),
        (&["meta", "get", "-p", "common-files/nope"], 3),
        (&["meta", "set", "-p", "common-files/nope", "-n", "usermeta-tags", "-s", "x"], 3),
        (&["meta", "set", "-p", "common-files", "-n", "usermeta-nope", "-s", "x"], 3),
        (&["meta", "tag", "add", "common-files/nope", "x"], 3),
        (&["share", "common-files/nope"], 3),
        (&["share", "show", "nope"], 3),
        (&["share", "rm", "-f", "nope"], 3),
        (&["share", "edit", "nope", "--label", "x"], 3),
        (&["idm", "user", "get", "nope"], 3),
        (&["idm", "user", "rm", "-f", "nope"], 3),
        (&["idm", "user", "update", "nope", "--email", "a@b.c"], 3),
        (&["storage", "resync-ds", "nope"], 3),
        (&["storage", "resync-ds", "nope", "--wait"], 3),
        (&["jobs", "get", "nope"], 3),
        (&["jobs", "watch", "nope"], 3),
        (&["jobs", "cancel", "nope"], 3),
        (&["jobs", "logs", "nope"], 3),
        (&["jobs", "delete", "--job-id", "nope"], 3),
        (&["find"], 2),
        (&["cp"], 2),
        (&["cp", "common-files/a"], 2),
        (&["mv"], 2),
        (&["trash"], 2),
        (&["trash", "nope"], 2),
        (&["restore"], 2),
        (&["compress"], 2),
        (&["extract"], 2),
        (&["meta"], 2),
        (&["meta", "get"], 2),
        (&["meta", "set", "-p", "common-files"], 2),
        (&["share"], 2),
        (&["idm"], 2),
        (&["idm", "nope"], 2),
        (&["storage"], 2),
        (&["storage", "resync-ds"], 2),
        (&["jobs", "cancel"], 2),
        (&["api"], 2),
        (&["api", "GET"], 2),
        (&["search"], 2),
    ] {
        let run = world.cec(arguments.iter().copied()).run();
        let said = if arguments.contains(&"--exists") && code == 3 { "false\n" } else { "" };
        assert_eq!((run.code, run.stdout.as_str()), (code, said), "{arguments:?} {run:?}");
    }
}

#[test]
fn standard_output_holds_results_alone() {
    let world = World::new();
    world.put("common-files/a.txt", "content");
    world.put("common-files/b.txt", "content");
    let log = ["--log", "debug"];
    for (arguments, code, stdout) in [
        (&["ls", "common-files"][..], 0, "a.txt\nb.txt\n"),
        (&["ls", "common-files/nope", "common-files/a.txt"], 7, "common-files/a.txt\n"),
        (&["cat", "common-files/nope", "common-files/a.txt"], 7, "content"),
        (&["mkdir", "common-files/new"], 0, ""),
        (&["rm", "common-files/b.txt"], 0, ""),
        (&["scp", "cells://common-files/a.txt", "."], 0, ""),
        (&["cp", "common-files/a.txt", "common-files/c.txt"], 0, ""),
        (&["mv", "common-files/c.txt", "common-files/new"], 0, ""),
        (&["find", "common-files/nope", "common-files/new"], 7, "common-files/new/\ncommon-files/new/c.txt\n"),
        (&["search", "nothing-such"], 0, ""),
        (&["trash", "ls", "nope"], 3, ""),
        (&["meta", "get", "-p", "common-files/nope"], 3, ""),
        (&["share", "common-files/nope"], 3, ""),
        (&["idm", "list-groups"], 0, ""),
        (&["storage", "resync-ds", "nope"], 3, ""),
        (&["jobs", "watch", "nope"], 3, ""),
    ] {
        let run = world.cec(arguments.iter().copied().chain(log)).run();
        assert_eq!((run.code, run.stdout.as_str()), (code, stdout), "{arguments:?} {run:?}");
        assert!(run.stderr.contains("DEBUG"), "{arguments:?}: the log goes to standard error: {run:?}");
    }
}

#[test]
fn plain_http_to_another_machine_is_warned_of() {
    let world = World::new();
    // A proxy that is not there: nothing leaves this machine.
    let to = |url| ["ls", "-u", url, "-t", "some-token-of-somebody", "--proxy", "http://127.0.0.1:9"];
    let warning =
        "warning: the connection to http://files.example.com is not encrypted: others can read secrets and files\n";
    let run = world.signed_out(to("http://files.example.com")).run();
    assert_eq!((run.code, run.stderr.matches("warning:").count()), (6, 1), "{run:?}");
    assert!(run.stderr.starts_with(warning), "{run:?}");
    for url in ["https://files.example.com", world.url()] {
        let run = world.signed_out(to(url)).run();
        assert!(!run.stderr.contains("not encrypted"), "{run:?}");
    }
}

use std::time::Duration;

use cells_sandbox::{Config, Fault};
use insta::assert_snapshot;

use crate::support::World;

const NOBODY: &str = "error: cannot ask for confirmation before deleting\n  \
                      hint: add --force to delete without asking\n";

fn world() -> World {
    let world = World::new();
    for path in ["a.txt", "b.txt", "folder/x", "folder/y"] {
        world.put(&format!("common-files/{path}"), "content");
    }
    world
}

#[test]
fn one_file_goes_to_the_recycle_bin_without_a_question() {
    let world = world();
    assert_snapshot!(world.cec(["rm", "common-files/a.txt"]).run(), @"
    [stderr]
    moved to the recycle bin: common-files/a.txt
    [exit code 0]
    ");
    assert!(!world.tree().exists("common-files/a.txt"));
    assert!(world.tree().exists("common-files/recycle_bin/a.txt"));
}

#[test]
fn where_a_question_is_due_and_nobody_can_answer_nothing_is_done() {
    let world = world();
    for arguments in [
        &["rm", "common-files/folder"][..],
        &["rm", "common-files/a.txt", "common-files/b.txt"],
        &["rm", "common-files/*.txt"],
        &["rm", "-p", "common-files/a.txt"],
        &["rm", "--no-input", "common-files/folder"],
    ] {
        // What is on the pipe is no answer, whatever it says.
        for input in ["", "n\n", "y\n", "yes\n"] {
            let run = world.cec(arguments.iter().copied()).input(input).run();
            assert_eq!((run.code, run.stdout.as_str(), run.stderr.ends_with(NOBODY)), (2, "", true), "{run:?}");
        }
    }
    assert_eq!(world.tree().list("common-files"), ["a.txt", "b.txt", "folder"]);
    assert!(!world.sandbox.requests().iter().any(|request| request.path.contains("delete")));
}

#[test]
fn force_deletes_without_asking() {
    let world = world();
    assert_snapshot!(world.cec(["rm", "-f", "common-files/folder"]).run(), @"
    [stderr]
    moved to the recycle bin: common-files/folder
    [exit code 0]
    ");
    assert!(world.tree().is_folder("common-files/recycle_bin/folder"));
    assert_snapshot!(world.cec(["rm", "-fp", "common-files/a.txt", "common-files/b.txt"]).run(), @"
    [stderr]
    deleted common-files/a.txt
    deleted common-files/b.txt
    [exit code 0]
    ");
    assert_eq!(world.tree().list("common-files/recycle_bin"), ["folder"]);
}

#[test]
fn force_has_no_environment_form() {
    let world = world();
    for name in ["CEC_FORCE", "CEC_PERMANENTLY"] {
        world.cec(["rm", "common-files/folder"]).env(name, "true").run().is(2, "", NOBODY);
    }
    world.cec(["rm", "common-files/a.txt"]).env("CEC_PERMANENTLY", "true").run();
    assert!(world.tree().exists("common-files/recycle_bin/a.txt"));
}

#[test]
fn what_is_in_the_recycle_bin_is_deleted_for_good_and_so_asks() {
    let world = world();
    world.put("common-files/recycle_bin/old", "x");
    assert_snapshot!(world.cec(["rm", "common-files/recycle_bin/old"]).run(), @"
    [stderr]
    error: cannot ask for confirmation before deleting
      hint: add --force to delete without asking
    [exit code 2]
    ");
    assert_snapshot!(world.cec(["rm", "-f", "common-files/recycle_bin/old"]).run(), @"
    [stderr]
    deleted common-files/recycle_bin/old
    [exit code 0]
    ");
    assert!(!world.tree().exists("common-files/recycle_bin/old"));
}

#[test]
fn workspaces_are_refused() {
    let world = world();
    for arguments in [["rm", "-f", "common-files"], ["rm", "-fp", "cells://common-files/"]] {
        let run = world.cec(arguments).run();
        run.is(2, "", "error: 'common-files' is a workspace; cec cannot delete workspaces\n");
    }
    assert_eq!(world.cec(["rm", "-f", "/"]).run().code, 2);
    assert_eq!(world.cec(["rm", "-f", "*"]).run().code, 2);
    assert_eq!(world.tree().list("common-files").len(), 3);
}

#[test]
fn a_missing_node_is_not_found_even_with_force() {
    let world = world();
    let message = "error: 'common-files/nope' does not exist\n";
    assert_snapshot!(world.cec(["rm", "common-files/nope"]).run(), @"
    [stderr]
    error: 'common-files/nope' does not exist
    [exit code 3]
    ");
    assert_snapshot!(world.cec(["rm", "-f", "common-files/nope"]).run(), @"
    [stderr]
    error: 'common-files/nope' does not exist
    [exit code 3]
    ");
    let partly = world.cec(["rm", "-f", "common-files/nope", "common-files/a.txt"]).run();
    partly.is(7, "", &format!("{message}moved to the recycle bin: common-files/a.txt\n"));
}

#[test]
fn nodes_are_named_once() {
    let world = world();
    let paths =
        ["rm", "-f", "common-files/folder/x", "common-files/folder", "common-files/a.txt", "common-files/a.txt"];
    assert_snapshot!(world.cec(paths).run(), @"
    [stderr]
    moved to the recycle bin: common-files/folder
    moved to the recycle bin: common-files/a.txt
    [exit code 0]
    ");
}

#[test]
fn done_means_gone_and_not_before() {
    let world = World::with(Config { job_effect_delay: Duration::from_millis(700), ..Config::default() });
    world.put("common-files/slow.txt", "x");
    assert_snapshot!(world.cec(["rm", "common-files/slow.txt"]).run(), @"
    [stderr]
    moved to the recycle bin: common-files/slow.txt
    [exit code 0]
    ");
    assert!(!world.tree().exists("common-files/slow.txt"));
}

#[test]
fn missing_rights_are_told() {
    let world = world();
    world.put("a1-ro/a.txt", "x");
    let run = world.cec(["rm", "a1-ro/a.txt"]).user("alice").run();
    assert_snapshot!(run, @"
    [stderr]
    error: path is not writeable
      while: deleting a1-ro/a.txt
    [exit code 5]
    ");
    // The one that cannot be deleted does not keep the other.
    let run = world.cec(["rm", "-f", "a1-ro/a.txt", "common-files/a.txt"]).user("alice").run();
    assert_eq!(run.code, 7, "{run:?}");
    assert!(world.tree().exists("a1-ro/a.txt") && !world.tree().exists("common-files/a.txt"));
}

#[test]
fn a_lost_answer_is_settled_by_looking() {
    let world = world();
    world.sandbox.faults().add(Fault::on("POST", "/a/tree/delete").close_after());
    assert_snapshot!(world.cec(["rm", "common-files/a.txt"]).run(), @"
    [stderr]
    moved to the recycle bin: common-files/a.txt
    [exit code 0]
    ");
    assert!(world.tree().exists("common-files/recycle_bin/a.txt"));
}

#[test]
fn json_says_what_was_done() {
    let world = world();
    let json = world.cec(["rm", "-f", "--json", "common-files/folder", "common-files/a.txt"]).run().json();
    assert_eq!(
        json,
        serde_json::json!([
            {"path": "common-files/folder", "type": "folder", "permanently": false},
            {"path": "common-files/a.txt", "type": "file", "permanently": false},
        ])
    );
}

#[test]
fn a_pattern_never_takes_the_recycle_bin() {
    for pattern in ["common-files/*", "common-files/**", "common-files/re*", "*/re*", "common-files/{recycle_bin,rest}"]
    {
        let world = World::new();
        world.put("common-files/rest", "");
        world.put("common-files/recycle_bin/old/x", "");
        let run = world.cec(["rm", "-f", pattern]).run();
        run.is(0, "", &format!("'{pattern}' matches 1 item\nmoved to the recycle bin: common-files/rest\n"));
        assert_eq!(world.tree().list("common-files/recycle_bin"), ["old", "rest"], "{pattern}");
    }
    let world = world();
    world.put("common-files/recycle_bin/old", "");
    assert_snapshot!(world.cec(["rm", "-f", "common-files/*/old"]).run(), @"
    [stderr]
    error: nothing matches 'common-files/*/old'
    [exit code 3]
    ");
    world.cec(["rm", "-fp", "common-files/*"]).run();
    assert_eq!(world.tree().list("common-files"), ["recycle_bin"]);
    let run = world.cec(["rm", "-f", "common-files/recycle_bin/*"]).run();
    assert_snapshot!(run, @"
    [stderr]
    'common-files/recycle_bin/*' matches 1 item
    deleted common-files/recycle_bin/old
    [exit code 0]
    ");
}

#[test]
fn the_recycle_bin_itself_goes_only_permanently() {
    let world = world();
    world.put("common-files/recycle_bin/old", "");
    for path in ["common-files/recycle_bin", "cells://common-files/recycle_bin/", "common-*/recycle_bin"] {
        let run = world.cec(["rm", "-f", path]).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
        let told = "error: 'common-files/recycle_bin' is the recycle bin itself\n  hint: to delete it permanently, \
            with all its content: cec rm -p common-files/recycle_bin\n";
        assert!(run.stderr.ends_with(told), "{run:?}");
    }
    assert!(world.tree().exists("common-files/recycle_bin/old"));
    let run = world.cec(["rm", "-fp", "common-files/recycle_bin"]).run();
    assert_snapshot!(run, @"
    [stderr]
    deleted common-files/recycle_bin
    [exit code 0]
    ");
    assert!(!world.tree().exists("common-files/recycle_bin/old"));
}

#[test]
fn one_run_never_moves_and_deletes() {
    let world = world();
    world.put("common-files/recycle_bin/old", "");
    let operands = ["common-files/a.txt", "common-files/recycle_bin/old"];
    assert_snapshot!(world.cec(["rm", "-f"].into_iter().chain(operands)).run(), @"
    [stderr]
    error: 'common-files/a.txt' would be moved to the recycle bin, but 'common-files/recycle_bin/old' is already in it and would be deleted permanently
      hint: delete items of the recycle bin in a separate run
      hint: or add --permanently to delete all of them permanently
    [exit code 2]
    ");
    assert!(!world.sandbox.requests().iter().any(|request| request.path.contains("delete")));
    let run = world.cec(["rm", "-fp"].into_iter().chain(operands)).run();
    assert_snapshot!(run, @"
    [stderr]
    deleted common-files/a.txt
    deleted common-files/recycle_bin/old
    [exit code 0]
    ");
}

#[test]
fn a_server_that_goes_away_ends_it_with_one_error() {
    for (skipped, code, tally) in [(1, 7, "100 of 230 moved to the recycle bin, 30 not tried"), (0, 6, "0 of 230 ")] {
        let world = World::new();
        world.tree().generate("common-files/many", 230, 1).expect("files");
        world.sandbox.faults().add(Fault::on("POST", "/a/tree/delete").status(503).skip(skipped).always());
        let run = world.cec(["rm", "-f", "common-files/many/*"]).run();
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.matches("error:").count()), (code, "", 1), "{run:?}");
        assert!(run.stderr.contains(tally), "{run:?}");
        assert!(run.stderr.contains("while: deleting 100 items"), "{run:?}");
        assert_eq!(run.stderr.lines().filter(|line| line.starts_with("moved")).count(), 100 * skipped, "{run:?}");
    }
}

#[test]
fn a_job_that_fails_is_exit_10() {
    let world = world();
    let job = "{\"DeleteJobs\":[{\"Uuid\":\"copy-move-1\",\"Label\":\"Deleting\"}]}";
    world.sandbox.faults().add(Fault::on("POST", "/a/tree/delete").body("application/json", job));
    let poll = "{\"Jobs\":[{\"ID\":\"copy-move-1\",\"Label\":\"Deleting\",\"Tasks\":[{\"ID\":\"t\",\"JobID\":\"copy-move-1\",\
                \"Status\":\"Error\",\"StatusMessage\":\"the disk of the server is full\"}]}]}";
    world.sandbox.faults().add(Fault::on("POST", "/a/jobs/user").body("application/json", poll).always());
    let run = world.cec(["rm", "common-files/a.txt"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the server's job failed: the disk of the server is full
      while: deleting common-files/a.txt
    [exit code 10]
    ");
    assert!(world.tree().exists("common-files/a.txt"));
}

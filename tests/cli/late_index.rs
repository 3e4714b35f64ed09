//! Structured storage, whose index learns of a change some time after it was made: what a command has made is there for the
//! next command.

use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::{World, wait_for};

/// A world whose index learns of nothing more.
fn held() -> World {
    let world = World::new();
    assert!(world.tree().structure("common-files"));
    for name in ["site", "into"] {
        world.mkdir(&format!("common-files/{name}"));
    }
    world.put("common-files/site/page", "page");
    world.put("common-files/file", "x");
    world.tree().hold_index(true);
    world
}

fn count(world: &World, method: &str, path: &str) -> usize {
    let requests = world.sandbox.requests();
    requests.iter().filter(|request| request.method == method && request.path.ends_with(path)).count()
}

/// Runs a command that has to look so often until it sees what it made.
fn seen_after(world: &World, looks: usize, path: &str, arguments: &[&str]) {
    let child = world.cec(arguments.iter().copied()).spawn();
    let method = if path.ends_with("/get") { "POST" } else { "GET" };
    wait_for("the looks", || count(world, method, path) >= looks);
    world.tree().hold_index(false);
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_folder_is_made_once_it_is_seen_and_what_comes_next_goes_into_it() {
    let world = held();
    seen_after(&world, 2, "/meta/bulk/get", &["mkdir", "-p", "common-files/new/folder"]);
    let tree = world.home().join("tree");
    std::fs::create_dir(&tree).expect("a folder");
    std::fs::write(tree.join("leaf"), "leaf").expect("a file");
    world.cec(["scp", "-q", "tree", "cells://common-files/new/folder/"]).run().is(0, "", "");
    assert_eq!(world.tree().list("common-files/new/folder"), ["tree"]);
}

#[test]
fn several_folders_are_waited_for_together() {
    let world = held();
    seen_after(&world, 3, "/meta/bulk/get", &["mkdir", "common-files/one", "common-files/two"]);
    assert!(world.tree().is_folder("common-files/one") && world.tree().is_folder("common-files/two"));
}

#[test]
fn nothing_is_looked_for_where_the_index_knows_it_at_once() {
    let world = World::new();
    assert_snapshot!(world.cec(["mkdir", "common-files/a"]).run(), @"
    [stderr]
    created common-files/a
    [exit code 0]
    ");
    let requests = world.sandbox.requests();
    assert!(requests.last().is_some_and(|last| last.path.ends_with("/tree/create")), "{requests:#?}");
}

#[test]
fn what_is_copied_or_moved_is_waited_for() {
    for verb in ["cp", "mv"] {
        // As many looks as take longer than the wait where another name was chosen.
        seen_after(&held(), 16, "/meta/bulk/get", &[verb, "common-files/site", "common-files/into/site"]);
        seen_after(&held(), 16, "/meta/bulk/get", &[verb, "common-files/file", "common-files/into/"]);
    }
}

#[test]
fn what_is_packed_and_unpacked_is_waited_for() {
    let world = held();
    // One look before the job.
    seen_after(&world, 3, "/tree/stat/common-files/a.zip", &["compress", "common-files/site", "common-files/a.zip"]);
    world.tree().hold_index(true);
    world.sandbox.clear_requests();
    seen_after(&world, 3, "/tree/stat/common-files/out", &["extract", "common-files/a.zip", "common-files/out"]);
    assert_eq!(world.tree().list("common-files/out"), ["page"]);
}

#[test]
fn a_right_that_is_missed_for_a_moment_is_waited_for() {
    let world = World::new();
    for (status, words) in [(403, "path is not writeable"), (404, "path is not readable")] {
        let body = format!("{{\"Title\":\"{words}\",\"Detail\":\"Forbidden: {words}\"}}");
        let fault = Fault::on("POST", "/a/tree/create").status(status).times(2);
        world.sandbox.faults().add(fault.body("application/json", &body));
        let name = format!("common-files/{status}");
        world.cec(["mkdir", &name]).run().is(0, "", &format!("created {name}\n"));
    }
}

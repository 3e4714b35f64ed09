use std::time::Duration;

use cells_sandbox::{Config, Fault};
use insta::assert_snapshot;

use crate::support::{World, wait_for};

fn world() -> World {
    let world = World::new();
    for path in ["a.txt", "b.txt", "folder/x", "to/y"] {
        world.put(&format!("common-files/{path}"), path);
    }
    world
}

#[test]
fn a_file_is_renamed_and_a_folder_moved() {
    let world = world();
    let uuid = world.tree().uuid("common-files/a.txt");
    assert_snapshot!(world.cec(["mv", "common-files/a.txt", "common-files/c.txt"]).run(), @"
    [stderr]
    moved common-files/a.txt to common-files/c.txt
    [exit code 0]
    ");
    assert_eq!(world.tree().uuid("common-files/c.txt"), uuid);
    assert_snapshot!(world.cec(["mv", "common-files/folder", "common-files/to/"]).run(), @"
    [stderr]
    moved common-files/folder to common-files/to/folder
    [exit code 0]
    ");
    assert_eq!(world.tree().list("common-files"), ["b.txt", "c.txt", "to"]);
    world.cec(["mv", "common-files/to", "personal-files"]).run();
    assert_eq!(world.tree().list("personal-files/to"), ["folder", "y"]);
}

#[test]
fn a_pattern_matches_over_all_pages() {
    let world = World::new();
    world.tree().generate("common-files/many", 1003, 1).expect("files");
    world.mkdir("common-files/to");
    let run = world.cec(["mv", "-q", "common-files/many/*", "common-files/to"]).run();
    run.is(0, "", "");
    let counts = ["many", "to"].map(|name| world.tree().list(&format!("common-files/{name}")).len());
    assert_eq!(counts, [0, 1003]);
}

#[test]
fn a_pattern_leaves_out_the_target_that_it_matches() {
    let world = world();
    world.put("common-files/recycle_bin/old", "");
    assert_snapshot!(world.cec(["mv", "common-files/*", "common-files/to"]).run(), @"
    [stderr]
    'common-files/*' matches 4 items
    warning: not moved: common-files/to, which contains the target
    moved common-files/a.txt to common-files/to/a.txt
    moved common-files/b.txt to common-files/to/b.txt
    moved common-files/folder to common-files/to/folder
    [exit code 0]
    ");
    assert_eq!(world.tree().list("common-files"), ["recycle_bin", "to"]);
}

#[test]
fn a_change_of_case_alone_goes_by_way_of_a_free_name() {
    let world = world();
    world.put("common-files/a-1.txt", "another");
    let uuid = world.tree().uuid("common-files/a.txt");
    let run = world.cec(["mv", "common-files/a.txt", "common-files/A.txt"]).run();
    assert_snapshot!(run, @"
    [stderr]
    moved common-files/a.txt to common-files/A.txt
    [exit code 0]
    ");
    assert_eq!(world.tree().uuid("common-files/A.txt"), uuid);
    let run = world.cec(["mv", "common-files/folder", "common-files/Folder"]).run();
    assert_snapshot!(run, @"
    [stderr]
    moved common-files/folder to common-files/Folder
    [exit code 0]
    ");
    assert_eq!(world.tree().list("common-files"), ["A.txt", "Folder", "a-1.txt", "b.txt", "to"]);
    assert_eq!(world.tree().read("common-files/a-1.txt").expect("a file"), b"another");
}

#[test]
fn a_change_of_case_that_stops_halfway_says_where_it_is() {
    let world = world();
    world.sandbox.faults().add(Fault::on("PUT", "/a/jobs/user/move").skip(1).status(500));
    let run = world.cec(["mv", "common-files/a.txt", "common-files/A.txt"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the server answered HTTP 500: no reason given
      while: moving common-files/a.txt
      hint: try again later, or check the server's log
      hint: its name may be 'common-files/a-1.txt' now
    [exit code 6]
    ");
    assert!(world.tree().exists("common-files/a-1.txt"));
}

#[test]
fn what_an_upload_has_left_behind_is_moved() {
    let world = World::new();
    world.put("common-files/to/x", "");
    // An upload that has begun and stays.
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/half.bin").slow_request(1));
    std::fs::write(world.home().join("half.bin"), "x".repeat(100_000)).expect("a file");
    let mut upload = world.cec(["scp", "half.bin", "cells://common-files/half.bin"]).spawn();
    wait_for("an upload", || world.tree().exists("common-files/half.bin"));
    assert_snapshot!(world.cec(["mv", "common-files/half.bin", "common-files/to/moved.bin"]).run(), @"
    [stderr]
    moved common-files/half.bin to common-files/to/moved.bin
    [exit code 0]
    ");
    upload.kill().expect("an end");
    upload.wait().expect("an end");
}

#[test]
fn a_move_whose_job_fails_is_no_move() {
    let world = World::with(Config { job_effect_delay: Duration::from_secs(3600), ..Config::default() });
    world.put("common-files/folder/x", "x");
    let child = world.cec(["mv", "common-files/folder", "common-files/other"]).spawn();
    wait_for("a job", || !world.sandbox.requests().is_empty() && world.sandbox.has_open_jobs());
    // What somebody else puts there is not what was to be moved.
    world.put("common-files/other/y", "y");
    assert_eq!(world.sandbox.stop_jobs(), 1);
    let output = child.wait_with_output().expect("an end");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(10), &b""[..]), "{stderr}");
    assert!(stderr.starts_with("error: the server's job failed: Moving folder\n"), "{stderr}");
    assert!(world.tree().exists("common-files/folder/x"));
}

#[test]
fn names_are_written_in_the_composed_form() {
    let world = World::new();
    world.put("common-files/cafe\u{301}", "x");
    world.mkdir("common-files/to");
    let run = world.cec(["mv", "common-files/cafe\u{301}", "common-files/to"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(world.tree().list("common-files/to"), ["caf\u{e9}"]);
}

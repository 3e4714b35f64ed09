use std::time::Duration;

use cells_sandbox::Config;

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
    world.cec(["mv", "common-files/a.txt", "common-files/c.txt"]).run().is(
        0,
        "",
        "moved common-files/a.txt to common-files/c.txt\n",
    );
    assert_eq!(world.tree().uuid("common-files/c.txt"), uuid);
    world.cec(["mv", "common-files/folder", "common-files/to/"]).run().is(
        0,
        "",
        "moved common-files/folder to common-files/to/folder\n",
    );
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
    world.cec(["mv", "common-files/*", "common-files/to"]).run().is(
        0,
        "",
        "warning: not moved: common-files/to, which the target lies in\n\
         moved common-files/a.txt to common-files/to/a.txt\nmoved common-files/b.txt to common-files/to/b.txt\n\
         moved common-files/folder to common-files/to/folder\n",
    );
    assert_eq!(world.tree().list("common-files"), ["recycle_bin", "to"]);
}

#[test]
fn a_rename_in_case_only_is_refused_with_the_way_to_do_it() {
    let world = world();
    let run = world.cec(["mv", "common-files/a.txt", "common-files/A.txt"]).run();
    run.is(
        8,
        "",
        "error: the server takes 'common-files/A.txt' for 'common-files/a.txt' itself: only case differs\n  \
         hint: rename it in two steps: cec mv common-files/a.txt common-files/a.txt.new && cec mv \
         common-files/a.txt.new common-files/A.txt\n",
    );
    assert_eq!(world.tree().list("common-files"), ["a.txt", "b.txt", "folder", "to"]);
    world.cec(["mv", "-q", "common-files/a.txt", "common-files/a.txt.new"]).run().is(0, "", "");
    world.cec(["mv", "-q", "common-files/a.txt.new", "common-files/A.txt"]).run().is(0, "", "");
    assert_eq!(world.tree().list("common-files"), ["A.txt", "b.txt", "folder", "to"]);
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
    let run = world.cec(["mv", "common-files/caf\u{e9}", "common-files/to"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(world.tree().list("common-files/to"), ["caf\u{e9}"]);
}

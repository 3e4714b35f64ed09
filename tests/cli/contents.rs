//! `data/.` and `cells://ws/data/.`: what is in a folder goes to the target, and the same line goes on where a run ended.

use std::fs;

use cells_sandbox::{Fault, Gate};

use crate::support::{World, wait_for};
use crate::uploads::{ended, read_errors_until, signal};

fn world() -> World {
    let world = World::new();
    for (path, content) in [("data/one", "1"), ("data/sub/two", "22"), ("more/three", "333"), ("more/sub/four", "4444")]
    {
        world.write(path, content);
    }
    for (path, content) in
        [("there/one", "1"), ("there/sub/two", "22"), ("other/three", "333"), ("other/sub/four", "4444")]
    {
        world.put(&format!("common-files/{path}"), content);
    }
    world
}

/// What is below a folder here, sorted.
fn below(world: &World, folder: &str) -> Vec<String> {
    let root = world.home().join(folder);
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path.clone());
            } else {
                found.push(path.strip_prefix(&root).expect("below").display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// The summary of a run.
#[track_caller]
fn summary(world: &World, arguments: &[&str]) -> serde_json::Value {
    let run = world.cec(arguments.iter().copied()).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    serde_json::from_str(run.stdout.lines().last().expect("a summary")).expect("JSON")
}

#[test]
fn contents_go_to_a_target_that_is_missing_and_the_same_line_then_moves_nothing() {
    let world = world();
    for line in [
        &["scp", "--json", "data/.", "cells://common-files/new"][..],
        &["scp", "--json", "cells://common-files/there/.", "new"],
    ] {
        assert_eq!(summary(&world, line)["transferred"], 2, "{line:?}");
        let again = summary(&world, line);
        assert_eq!((&again["transferred"], &again["unchanged"]), (&0.into(), &2.into()), "{line:?}");
    }
    assert_eq!(world.tree().list("common-files/new"), ["one", "sub"]);
    assert_eq!(world.tree().list("common-files/new/sub"), ["two"]);
    assert_eq!(below(&world, "new"), ["one", "sub/two"]);
    // A file that is missing by now is all that goes.
    fs::remove_file(world.home().join("new/sub/two")).expect("a file");
    let mended = summary(&world, &["scp", "--json", "cells:///common-files/there/.", "new/"]);
    assert_eq!((&mended["transferred"], &mended["unchanged"]), (&1.into(), &1.into()));
}

#[test]
fn contents_of_several_folders_are_merged_and_none_is_written_over() {
    let world = world();
    let up = ["scp", "--json", "data/.", "more/.", "cells://common-files/new"];
    assert_eq!(summary(&world, &up)["transferred"], 4);
    assert_eq!(summary(&world, &up)["unchanged"], 4);
    assert_eq!(world.tree().list("common-files/new"), ["one", "sub", "three"]);
    assert_eq!(world.tree().list("common-files/new/sub"), ["four", "two"]);
    let down = ["scp", "--json", "cells://common-files/there/.", "cells://common-files/other/.", "new"];
    assert_eq!(summary(&world, &down)["transferred"], 4);
    assert_eq!(summary(&world, &down)["unchanged"], 4);
    assert_eq!(below(&world, "new"), ["one", "sub/four", "sub/two", "three"]);

    fs::write(world.home().join("more/sub/two"), "another").expect("a file");
    fs::write(world.home().join("one"), "a third").expect("a file");
    world.mkdir("common-files/into");
    let run = world.cec(["scp", "-f", "data/.", "more/.", "one", "cells://common-files/into"]).run();
    assert_eq!(run.code, 7, "{run:?}");
    assert_eq!(run.stderr.matches("another source is written there").count(), 2, "{run:?}");
    assert_eq!(world.tree().read("common-files/into/sub/two").as_deref(), Some(b"22".as_slice()));
    assert_eq!(world.tree().read("common-files/into/one").as_deref(), Some(b"a third".as_slice()));
    world.put("common-files/other/sub/two", "another");
    let run = world.cec(["scp", "-f", "cells://common-files/there/.", "cells://common-files/other/.", "into"]).run();
    assert_eq!((run.code, run.stderr.matches("another source is written there").count()), (7, 1), "{run:?}");
    assert_eq!(fs::read_to_string(world.home().join("into/sub/two")).expect("a file"), "22");
}

#[test]
fn only_what_is_in_folders_can_be_meant_and_the_parent_must_exist() {
    let world = world();
    for (line, code, words) in [
        (&["data/one/.", "cells://common-files/new"][..], 3, "'data/one/.' is not a folder"),
        (&["cells://common-files/there/one/.", "new"], 3, "'common-files/there/one' is not a folder"),
        (&["nope/.", "cells://common-files/new"], 3, "does not exist"),
        (&["cells://common-files/nope/.", "new"], 3, "does not exist"),
        (&["data/.", "cells://common-files/no/new"], 3, "common-files/no"),
        (&["data/.", "more", "cells://common-files/new"], 3, "cec mkdir"),
        (&["data/.", "cells://common-files/there/one"], 8, "is a file"),
    ] {
        let run = world.cec([&["scp"], line].concat()).run();
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{line:?} {run:?}");
        assert!(run.stderr.contains(words), "{line:?} {run:?}");
    }
    // A workspace as a whole, and this folder.
    assert_eq!(summary(&world, &["scp", "--json", "cells://common-files/.", "all"])["transferred"], 4);
    assert_eq!(below(&world, "all").len(), 4);
}

#[cfg(unix)]
#[test]
fn a_run_that_was_interrupted_names_the_line_that_goes_on() {
    let world = world();
    world.put("common-files/there/large", &"x".repeat(1 << 20));
    for (line, again) in [
        (["data", "cells://common-files/new"], "cec scp data/. cells://common-files/new"),
        (["cells://common-files/there/", "my copy"], "cec scp cells://common-files/there/. 'my copy'"),
        (["data", "cells://common-files/there"], "run the same command again"),
    ] {
        let gate = Gate::closed();
        let faults = world.sandbox.faults();
        faults.add(Fault::on("*", "/io/").always().hold_answer(&gate));
        let mut child = world.cec([&["scp", "-n"][..], &line].concat()).spawn();
        wait_for("a transfer", || faults.hits() > 0);
        signal(&child, "-INT");
        if line[1].starts_with("cells:") {
            // What has been sent is waited for.
            read_errors_until(&mut child, "stopping:");
            gate.open();
        }
        let (code, stderr) = ended(child);
        assert!(code == Some(130) && stderr.contains(again), "{line:?} {stderr}");
        gate.open();
        faults.clear();
    }
    let mended = summary(&world, &["scp", "--json", "data/.", "cells://common-files/new"]);
    assert_eq!(mended["failed"], 0);
    assert_eq!(world.tree().list("common-files/new"), ["one", "sub"]);
}

#[test]
fn a_run_in_which_something_failed_names_the_line_that_goes_on() {
    let world = world();
    fs::write(world.home().join("data/back\\slash"), "x").expect("a file");
    let run = world.cec(["scp", "-n", "data", "cells://common-files/new"]).run();
    assert_eq!(run.code, 7, "{run:?}");
    let hint = "hint: to continue, with the same options: cec scp data/. cells://common-files/new\n";
    assert!(run.stderr.ends_with(hint), "{run:?}");
    let run = world.cec(["scp", "-n", "data/.", "cells://common-files/new"]).run();
    assert!(run.code == 7 && !run.stderr.contains("to go on"), "the same line does it: {run:?}");
}

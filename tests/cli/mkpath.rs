//! Targets of `cec scp` that do not exist: a name for the one source, or a folder that is made.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::support::{Run, World};

fn world() -> World {
    let world = World::new();
    fs::create_dir(world.home().join("data")).expect("a folder");
    fs::write(world.home().join("data/one"), "1").expect("a file");
    fs::write(world.home().join("a.txt"), "a").expect("a file");
    fs::write(world.home().join("b.txt"), "b").expect("a file");
    world
}

fn scp(world: &World, arguments: &[&str]) -> Run {
    world.cec([&["scp"], arguments].concat()).run()
}

/// The files on the server below a folder, sorted.
fn files(world: &World, folder: &str) -> String {
    let run = world.cec(["find", folder, "--type", "f"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let mut lines: Vec<&str> = run.stdout.lines().collect();
    lines.sort_unstable();
    lines.join(" ")
}

#[test]
fn a_slash_makes_the_folder_and_another_run_goes_to_the_same_place() {
    for (sources, expected) in [
        (&["a.txt"][..], "common-files/new/a.txt"),
        (&["data"], "common-files/new/data/one"),
        (&["a.txt", "data"], "common-files/new/a.txt common-files/new/data/one"),
        (&["a.txt", "data/."], "common-files/new/a.txt common-files/new/one"),
        (&["data/."], "common-files/new/one"),
    ] {
        let world = world();
        for round in 0..2 {
            let run = scp(&world, &[sources, &["cells://common-files/new/"]].concat());
            // What was there already is the same.
            let code =
                if round == 1 && sources.contains(&"a.txt") { [0, 8].contains(&run.code) } else { run.code == 0 };
            assert!(code && !run.stderr.contains("note: "), "{sources:?} {round}: {run:?}");
            assert_eq!(files(&world, "common-files"), expected, "{sources:?} {round}");
        }
    }
}

#[test]
fn mkpath_makes_the_folders_above_as_well() {
    for (sources, expected) in [
        (&["a.txt"][..], "common-files/x/y/z/a.txt"),
        (&["data"], "common-files/x/y/z/data/one"),
        (&["data/."], "common-files/x/y/z/one"),
        (&["a.txt", "b.txt"], "common-files/x/y/z/a.txt common-files/x/y/z/b.txt"),
    ] {
        let world = world();
        let run = scp(&world, &[sources, &["--mkpath", "cells://common-files/x/y/z"]].concat());
        assert_eq!(run.code, 0, "{sources:?} {run:?}");
        assert_eq!(files(&world, "common-files"), expected, "{sources:?}");
    }
    let world = world();
    let run = world.cec(["scp", "--mkpath", "-", "cells://common-files/x/y/dump.sql"]).input("rows").run();
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(files(&world, "common-files"), "common-files/x/y/dump.sql");
    // What has no name cannot go into a folder.
    assert_eq!(world.cec(["scp", "--mkpath", "-", "cells://common-files/w/"]).input("rows").run().code, 2);
}

#[test]
fn nothing_is_made_before_all_is_checked_nor_in_a_dry_run() {
    let world = world();
    for arguments in [
        &["missing", "cells://common-files/new/"][..],
        &["--mkpath", "missing", "cells://common-files/x/y"],
        &["a.txt", "cells://common-files/x/y/"],
        &["--mkpath", "a.txt", "cells://nowhere/x"],
    ] {
        let run = scp(&world, arguments);
        assert_eq!(run.code, 3, "{arguments:?} {run:?}");
    }
    let run = scp(&world, &["--mkpath", "--dry-run", "a.txt", "cells://common-files/x/y"]);
    assert_eq!(run.code, 0, "{run:?}");
    let plan = "folder\t-\tcells://common-files/x/y\t-\nnew\ta.txt\tcells://common-files/x/y/a.txt\t1\n";
    assert_eq!(run.stdout, plan, "{run:?}");
    assert!(!world.cec(["ls", "-r", "common-files"]).run().stdout.contains("common-files/x"));
}

#[test]
fn a_file_is_never_taken_for_the_folder() {
    let world = world();
    world.put("common-files/taken", "old");
    for arguments in [
        &["-f", "a.txt", "cells://common-files/taken/"][..],
        &["-f", "data", "cells://common-files/taken/"],
        &["-f", "--mkpath", "a.txt", "cells://common-files/taken"],
        &["-f", "--mkpath", "a.txt", "cells://common-files/taken/below"],
    ] {
        let run = scp(&world, arguments);
        assert_eq!(run.code, 8, "{arguments:?} {run:?}");
    }
    assert_eq!(world.tree().read("common-files/taken"), Some(b"old".to_vec()));
}

#[test]
fn downloads_make_the_folder_too() {
    let world = world();
    world.put("common-files/tree/one", "1");
    world.put("common-files/two", "2");
    let here = |path: &str| fs::read_to_string(world.home().join(path)).unwrap_or_default();
    assert_eq!(scp(&world, &["cells://common-files/two", "new/"]).code, 0);
    assert_eq!(here("new/two"), "2");
    assert_eq!(scp(&world, &["cells://common-files/tree", "other/"]).code, 0);
    assert_eq!(here("other/tree/one"), "1");
    assert_eq!(scp(&world, &["--mkpath", "cells://common-files/tree", "cells://common-files/two", "p/q/r"]).code, 0);
    assert_eq!((here("p/q/r/tree/one"), here("p/q/r/two")), ("1".to_owned(), "2".to_owned()));
    assert_eq!(scp(&world, &["--mkpath", "cells://common-files/tree/.", "s/t"]).code, 0);
    assert_eq!(here("s/t/one"), "1");
    assert_eq!(scp(&world, &["cells://common-files/two", "no/such/"]).code, 3);
    let run = scp(&world, &["--mkpath", "--dry-run", "cells://common-files/two", "u/v"]);
    assert_snapshot!(run, @"
    [stdout]
    folder	-	u/v	-
    new	cells://common-files/two	u/v/two	1
    [stderr]
    would do: 1 file (1 B) in DURATION, 1 folder made
    [exit code 0]
    ");
    assert!(!Path::new(&world.home().join("u")).exists());
}

#[test]
fn a_script_is_told_where_the_older_client_would_have_made_a_folder() {
    let world = world();
    let note = "note: 'common-files/inbox' did not exist, so it is now the file; to put the file into a folder, write \
                cells://common-files/inbox/\n";
    let run = scp(&world, &["a.txt", "cells://common-files/inbox"]);
    assert!(run.code == 0 && run.stderr.ends_with(note), "{run:?}");
    let run = scp(&world, &["-f", "b.txt", "cells://common-files/inbox"]);
    assert!(run.code == 0 && !run.stderr.contains("note: "), "it was there: {run:?}");
    let run = scp(&world, &["cells://common-files/inbox", "outbox"]);
    assert_snapshot!(run, @"
    [stderr]
    done: 1 file (1 B) in DURATION
    note: 'outbox' did not exist, so it is now the file; to put the file into a folder, write outbox/
    [exit code 0]
    ");
    for quiet in [&["-q", "a.txt", "cells://common-files/q"][..], &["--json", "a.txt", "cells://common-files/j"]] {
        let run = scp(&world, quiet);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    }
    let run = scp(&world, &["data", "cells://common-files/tree"]);
    assert!(run.code == 0 && !run.stderr.contains("note: "), "{run:?}");
}

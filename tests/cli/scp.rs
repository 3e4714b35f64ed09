//! `cec scp` as a user meets it: exit codes, what is printed, JSON, progress.

use std::fs;
use std::time::Duration;

use cells_sandbox::{Fault, Gate};
use insta::assert_snapshot;

use crate::support::{World, exit_code, fields, wait_for};
use crate::trees::tree;

/// The summary without its time.
fn summary(stderr: &str) -> String {
    let line = stderr.lines().last().unwrap_or_default();
    match line.split_once(" in ") {
        Some((before, after)) => format!("{before}{}", after.find(',').map_or("", |comma| &after[comma..])),
        None => line.to_owned(),
    }
}

#[test]
fn a_file_goes_up_and_comes_down() {
    let world = World::new();
    world.write("one.txt", "content");
    let run = world.cec(["scp", "one.txt", "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    assert_eq!(summary(&run.stderr), "done: 1 file (7 B)");
    assert_eq!(world.tree().read("common-files/one.txt").as_deref(), Some(b"content".as_slice()));
    for source in ["cells://common-files/one.txt", "cells:///common-files/one.txt", "cells//common-files/one.txt"] {
        let run = world.cec(["scp", "-q", source, "back.txt"]).run();
        run.is(0, "", "");
        assert_eq!(fs::read(world.home().join("back.txt")).expect("a file"), b"content");
        fs::remove_file(world.home().join("back.txt")).expect("a file");
    }
}

#[test]
fn a_tree_merges_and_a_second_run_finds_it_unchanged() {
    let world = World::new();
    world.write("tree/a", "1");
    world.write("tree/sub/.hidden", "2");
    fs::create_dir_all(world.home().join("tree/empty")).expect("a folder");
    let run = world.cec(["scp", "tree", "cells://common-files"]).run();
    assert_eq!((run.code, summary(&run.stderr).as_str()), (0, "done: 2 files (2 B), 3 folders made"));
    let run = world.cec(["scp", "tree", "cells://common-files"]).run();
    assert_eq!((run.code, summary(&run.stderr).as_str()), (0, "done: 0 files (0 B), 2 unchanged"));
    let run = world.cec(["scp", "cells://common-files/tree", "back"]).run();
    assert_eq!((run.code, summary(&run.stderr).as_str()), (0, "done: 2 files (2 B), 3 folders made"));
    assert_eq!(tree(&world.home().join("back")), tree(&world.home().join("tree")));
}

#[test]
fn an_existing_target_is_refused_before_anything_moves() {
    let world = World::new();
    world.put("common-files/two", "old");
    world.write("one", "1");
    world.write("two", "2");
    let run = world.cec(["scp", "one", "two", "cells://common-files"]).run();
    assert_eq!(run.code, 8);
    assert!(run.stderr.starts_with("error: 'common-files/two' already exists\n"), "{}", run.stderr);
    assert!(run.stderr.contains("--force"), "{}", run.stderr);
    assert!(!world.tree().exists("common-files/one"));
    assert_eq!(world.cec(["scp", "-f", "-q", "one", "two", "cells://common-files"]).run().code, 0);
    assert_eq!(world.tree().read("common-files/two").as_deref(), Some(b"2".as_slice()));
    // The environment never turns overwriting on.
    let run = world.cec(["scp", "one", "cells://common-files"]).env("CEC_FORCE", "true").run();
    assert_eq!(run.code, 8);
    let run = world.cec(["scp", "cells://common-files/two", "one"]).run();
    assert_eq!(run.code, 8);
    assert_eq!(fs::read(world.home().join("one")).expect("a file"), b"1");
}

#[test]
fn what_is_missing_is_named_with_its_own_code() {
    let world = World::new();
    world.write("one", "1");
    let refused = world.transcript([
        &["scp", "none", "cells://common-files"][..],
        &["scp", "cells://common-files/none", "."],
        &["scp", "cells://common-files/*.none", "."],
        &["scp", "one", "cells://nowhere/x"],
        &["scp", "one", "cells://common-files/a/b/c"],
        &["scp", "cells://common-files/none", "no/such/folder/x"],
        &["scp", "one", "two"],
        &["scp", "cells://common-files/a", "cells://common-files/b"],
        &["scp", "one", "cells://"],
        &["scp", "one"],
        &["scp", "--part-size", "0", "one", "cells://common-files"],
        &["scp", "-n", "--progress", "bar", "one", "cells://common-files"],
        &["scp", "--transfers", "0", "one", "cells://common-files"],
        &["scp", "-f", "--update", "one", "cells://common-files"],
    ]);
    assert_snapshot!(refused, @r#"
    $ cec scp none cells://common-files
    [stderr]
    error: 'none' does not exist
    [exit code 3]
    $ cec scp cells://common-files/none .
    [stderr]
    error: 'common-files/none' does not exist on the server
    [exit code 3]
    $ cec scp "cells://common-files/*.none" .
    [stderr]
    error: 'common-files/*.none' does not exist on the server
    [exit code 3]
    $ cec scp one cells://nowhere/x
    [stderr]
    error: there is no workspace 'nowhere', or you have no access to it
    [exit code 3]
    $ cec scp one cells://common-files/a/b/c
    [stderr]
    error: 'common-files/a/b' does not exist on the server
      hint: create it with: cec mkdir -p common-files/a/b
    [exit code 3]
    $ cec scp cells://common-files/none no/such/folder/x
    [stderr]
    error: 'common-files/none' does not exist on the server
    [exit code 3]
    $ cec scp one two
    [stderr]
    error: neither the sources nor the target are on the server
      hint: mark the remote side: cells://workspace/path
    [exit code 2]
    $ cec scp cells://common-files/a cells://common-files/b
    [stderr]
    error: both the sources and the target are on the server
      hint: 'cec cp' copies on the server, 'cec mv' moves there
    [exit code 2]
    $ cec scp one cells://
    [stderr]
    error: name a workspace to upload to, for example cells://common-files
    [exit code 2]
    $ cec scp one
    [stderr]
    error: 'one' has no target
      hint: name the target last: cec scp <SRC>... <DST>
    [exit code 2]
    $ cec scp --part-size 0 one cells://common-files
    [stderr]
    error: --part-size is 0, but must be between 1 and 5120
    [exit code 2]
    $ cec scp -n --progress bar one cells://common-files
    [stderr]
    error: --no-progress and --progress exclude each other
    [exit code 2]
    $ cec scp --transfers 0 one cells://common-files
    [stderr]
    error: invalid value '0' for '--transfers <N|auto>': must be auto, or a number from 1 to 256
      hint: see 'cec scp --help'
    [exit code 2]
    $ cec scp -f --update one cells://common-files
    [stderr]
    error: the argument '--force' cannot be used with '--update'
      hint: see 'cec scp --help'
    [exit code 2]
    "#);
    let run = world.cec(["scp", "one", "cells://common-files"]).env("CEC_PART_SIZE", "many").run();
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("CEC_PART_SIZE"), "{}", run.stderr);
    let run = world.cec(["scp", "one", "cells://common-files"]).env("CEC_PART_SIZE", "15").run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    let warning = "warning: CEC_PART_SIZE is 15 MiB, but must be a multiple of 10 MiB: parts have 20 MiB\n";
    assert!(run.stderr.starts_with(warning), "{}", run.stderr);
    let run = world.cec(["scp", "one", "cells://common-files"]).env("CEC_TRANSFERS", "0").run();
    assert_snapshot!(run, @"
    [stderr]
    error: the environment variable CEC_TRANSFERS has an invalid value: must be auto, or a number from 1 to 256
    [exit code 2]
    ");
}

#[test]
fn a_bad_token_a_missing_right_and_a_dead_server_are_told_apart() {
    let world = World::new();
    world.write("one", "1");
    let run = world.cec(["scp", "one", "cells://common-files"]).env("CEC_TOKEN", "wrong").run();
    assert_eq!(run.code, 4, "{}", run.stderr);
    let run = world.cec(["scp", "one", "cells://a1-ro"]).user("alice").run();
    assert_eq!(run.code, 5, "{}", run.stderr);
    let run = world.cec(["scp", "one", "cells://common-files"]).env("CEC_URL", "http://127.0.0.1:1").run();
    assert_eq!(run.code, 6, "{}", run.stderr);
}

#[test]
fn failed_files_are_listed_and_the_rest_goes() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.write(&format!("tree/{name}"), name);
    }
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/b").status(403).always());
    let run = world.cec(["scp", "tree", "cells://common-files"]).run();
    assert_eq!(run.code, 7, "{}", run.stderr);
    assert!(run.stderr.contains("failed: tree/b: "), "{}", run.stderr);
    assert_eq!(summary(&run.stderr), "done: 2 files (2 B), 1 folder made, 1 failed");
    assert_eq!(world.tree().list("common-files/tree"), ["a", "c"]);
}

#[test]
fn a_copy_that_stays_wrong_is_exit_9() {
    let world = World::new();
    world.put("common-files/file", "some content");
    world.sandbox.faults().add(Fault::on("GET", "/io/common-files/file").corrupt_response_at(3).always());
    let run = world.cec(["scp", "--retry-max-attempts", "2", "cells://common-files/file", "."]).run();
    assert_eq!(run.code, 9, "{}", run.stderr);
    assert!(!world.home().join("file").exists());
}

#[test]
fn json_has_one_object_a_file_and_a_summary() {
    let world = World::new();
    world.write("tree/a", "1");
    world.write("tree/b", "2");
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/b").status(403).always());
    let run = world.cec(["scp", "--json", "tree", "cells://common-files"]).run();
    assert_eq!(run.code, 7);
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3, "{}", run.stdout);
    let of = |status: &str| lines.iter().find(|line| line["status"] == status).expect(status);
    for status in ["transferred", "failed"] {
        assert_eq!(
            fields(of(status)),
            ["type", "direction", "source", "target", "size", "status", "reason", "etag", "seconds", "error"]
        );
    }
    assert_eq!(of("transferred")["target"], "cells://common-files/tree/a");
    assert_eq!(fields(&of("failed")["error"]), ["code", "kind", "message"]);
    assert_eq!((&of("failed")["error"]["code"], &of("failed")["error"]["kind"]), (&5.into(), &"permission".into()));
    assert_eq!(
        fields(&lines[2]),
        [
            "type",
            "schema",
            "dry_run",
            "transferred",
            "bytes",
            "unchanged",
            "skipped",
            "excluded",
            "failed",
            "folders",
            "seconds"
        ]
    );
    assert_eq!((&lines[2]["type"], &lines[2]["failed"]), (&"summary".into(), &1.into()));
}

#[test]
fn times_are_preserved_on_the_way_down_only() {
    let world = World::new();
    world.write("one", "1");
    let run = world.cec(["scp", "-p", "one", "cells://common-files"]).run();
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("--preserve has no effect"), "{}", run.stderr);
    world.tree().set_mtime("common-files/one", 1_500_000_000);
    let run = world.cec(["scp", "-q", "-p", "cells://common-files/one", "back"]).run();
    run.is(0, "", "");
    let modified = fs::metadata(world.home().join("back")).and_then(|metadata| metadata.modified()).expect("a time");
    assert_eq!(modified, std::time::UNIX_EPOCH + Duration::from_secs(1_500_000_000));
}

#[test]
fn a_dry_run_says_what_it_would_do() {
    let world = World::new();
    world.write("tree/a", "1");
    let run = world.cec(["scp", "--dry-run", "tree", "cells://common-files"]).run();
    assert_snapshot!(run, @"
    [stdout]
    folder	-	cells://common-files/tree	-
    new	tree/a	cells://common-files/tree/a	1
    [stderr]
    would do: 1 file (1 B) in DURATION, 1 folder made
    [exit code 0]
    ");
    assert_eq!(summary(&run.stderr), "would do: 1 file (1 B), 1 folder made");
    let run = world.cec(["scp", "--dry-run", "--json", "tree", "cells://common-files"]).run();
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((run.code, lines.len()), (0, 3), "{}", run.stdout);
    assert_eq!(fields(&lines[0]), ["type", "direction", "target", "status"]);
    assert_eq!((&lines[0]["type"], &lines[0]["target"]), (&"folder".into(), &"cells://common-files/tree".into()));
    assert_eq!((&lines[1]["status"], &lines[1]["reason"]), (&"planned".into(), &"new".into()));
    assert_eq!((&lines[2]["dry_run"], &lines[2]["transferred"]), (&true.into(), &1.into()));
    assert!(world.tree().list("common-files").is_empty());
    // On the way down the targets are local ones, in what is done as well.
    world.put("common-files/down/sub/a", "1");
    let run = world.cec(["scp", "--dry-run", "cells://common-files/down", "."]).run();
    let plan = "folder\t-\t./down\t-\nfolder\t-\t./down/sub\t-\n\
                new\tcells://common-files/down/sub/a\t./down/sub/a\t1\n";
    assert_eq!((run.code, run.stdout.as_str()), (0, plan), "{}", run.stderr);
    let run = world.cec(["scp", "-v", "cells://common-files/down", "."]).run();
    assert!(run.stderr.starts_with("folder ./down\nfolder ./down/sub\nnew cells"), "{}", run.stderr);
}

#[test]
fn what_is_not_known_of_a_source_is_null() {
    let world = World::new();
    world.write("one", "1");
    for arguments in [
        ["scp", "--json", "none", "one", "cells://common-files"],
        ["scp", "--json", "cells://common-files/none", "cells://common-files/one", "."],
    ] {
        let run = world.cec(arguments.iter().copied().chain(["-f"])).run();
        assert_eq!(run.code, 7, "{}", run.stderr);
        let lines: Vec<serde_json::Value> =
            run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let failed = lines.iter().find(|line| line["status"] == "failed").expect("a failure");
        assert_eq!((&failed["target"], &failed["size"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    }
}

#[cfg(unix)]
#[test]
fn a_plan_without_a_reader_is_at_its_end() {
    let world = World::new();
    world.tree().generate("common-files/many", 620, 1).expect("files");
    world.put("common-files/last/a", "1");
    let scp = || world.cec(["scp", "--dry-run", "cells://common-files/many", "cells://common-files/last", "."]);
    let listings = || world.sandbox.requests().iter().filter(|request| request.path == "/a/meta/bulk/get").count();
    let before = listings();
    assert_eq!(scp().run().code, 0);
    let all = listings() - before;
    // The last folder is never listed.
    let gate = Gate::closed();
    let last = Fault::on("POST", "/a/meta/bulk/get").skip(all - 1).hold_request(&gate).always();
    world.sandbox.faults().add(last.may_stay_unmet("a run that ends early enough does not ask for the last folder"));
    let mut child = scp().spawn();
    drop(child.stdout.take());
    let stderr = std::io::read_to_string(child.stderr.take().expect("a pipe")).expect("text");
    assert_eq!((child.wait().expect("an end").code(), stderr.as_str()), (Some(0), ""));
    gate.open();
}

#[test]
fn globs_see_every_page_and_literal_names_win() {
    let world = World::new();
    world.tree().generate("common-files/many", 620, 1).expect("files");
    world.put("common-files/odd/[a]", "literal");
    world.put("common-files/odd/a", "match");
    fs::create_dir_all(world.home().join("many")).expect("a folder");
    assert_eq!(world.cec(["scp", "-q", "cells://common-files/many/*", "many"]).run().code, 0);
    assert_eq!(fs::read_dir(world.home().join("many")).expect("a folder").count(), 620);
    assert_eq!(world.cec(["scp", "-q", "cells://common-files/odd/[a]", "x"]).run().code, 0);
    assert_eq!(fs::read(world.home().join("x")).expect("a file"), b"literal");
    let run = world.cec(["scp", "-q", "--no-glob", "cells://common-files/odd/?", "y"]).run();
    assert_eq!(run.code, 3, "{}", run.stderr);
}

#[test]
fn flags_may_stand_anywhere() {
    let world = World::new();
    world.write("one", "1");
    world.write("two", "2");
    let run = world.cec(["scp", "one", "-q", "two", "-f", "cells://common-files", "--transfers", "2"]).run();
    run.is(0, "", "");
    assert_eq!(world.tree().list("common-files"), ["one", "two"]);
}

#[test]
fn a_missing_source_among_others_does_not_stop_them() {
    let world = World::new();
    world.write("one", "1");
    let run = world.cec(["scp", "nope", "one", "cells://common-files"]).run();
    assert_eq!(run.code, 7, "{}", run.stderr);
    assert!(run.stderr.contains("failed: 'nope' does not exist"), "{}", run.stderr);
    assert_eq!(world.tree().list("common-files"), ["one"]);
    fs::create_dir(world.home().join("back")).expect("a folder");
    let run = world.cec(["scp", "cells://common-files/nope", "cells://common-files/one", "back"]).run();
    assert_eq!(run.code, 7, "{}", run.stderr);
    assert!(world.home().join("back/one").exists());
}

#[test]
fn a_file_never_becomes_the_folder_that_was_meant() {
    let world = World::new();
    world.write("one", "1");
    let run = world.cec(["scp", "one", "cells://common-files/new/"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(world.tree().list("common-files/new"), ["one"]);
}

#[test]
fn two_stars_take_each_file_once() {
    let world = World::new();
    world.put("common-files/tree/a", "1");
    world.put("common-files/tree/sub/a", "2");
    fs::create_dir(world.home().join("back")).expect("a folder");
    let run = world.cec(["scp", "-q", "cells://common-files/tree/**", "back"]).run();
    run.is(0, "", "");
    assert_eq!(fs::read(world.home().join("back/sub/a")).expect("a file"), b"2");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_has_more_than_its_size_tells_is_never_sent_empty() {
    let world = World::new();
    let run = world.cec(["scp", "/proc/self/status", "cells://common-files"]).run();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("changes every time it is read"), "{}", run.stderr);
    assert!(world.tree().list("common-files").is_empty());
}

#[cfg(unix)]
#[test]
fn an_interrupt_says_how_to_go_on_and_leaves_nothing_half() {
    let world = World::new();
    world.put("common-files/tree/done", "1");
    world.put("common-files/tree/slow", &"x".repeat(500_000));
    world.sandbox.faults().add(
        Fault::on("GET", "/io/common-files/tree/slow").stall_response_at(100_000, Duration::from_secs(60)).always(),
    );
    let child = world.cec(["scp", "--transfers", "1", "cells://common-files/tree", "back"]).spawn();
    let asked = || world.sandbox.requests().iter().any(|request| request.path.contains("/io/common-files/tree/slow"));
    wait_for("the request", asked);
    std::thread::sleep(Duration::from_millis(200));
    let killed = std::process::Command::new("/bin/kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill").success());
    let output = child.wait_with_output().expect("an end");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(exit_code(&output.status), Some(130), "{stderr}");
    assert!(stderr.contains("cec scp cells://common-files/tree/. back"), "{stderr}");
    let names: Vec<_> =
        fs::read_dir(world.home().join("back")).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert!(names.iter().all(|name| name == "done"), "{names:?}");
}

#[test]
fn progress_has_its_forms() {
    let world = World::new();
    world.write("one", "1");
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/").delay(Duration::from_millis(1300)).always());
    // A plain line comes after ten seconds; its text is tested where it is made.
    for (mode, marker) in [("json", "\"type\":\"progress\""), ("plain", "done: "), ("none", "done: ")] {
        let run = world.cec(["scp", "-f", "--progress", mode, "one", &format!("cells://common-files/{mode}")]).run();
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stderr.contains(marker), "{mode}: {}", run.stderr);
    }
}

//! `cec scp` with standard input and output.

use std::io::Write;

use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::{World, exit_code, wait_for};
use crate::trees::content;

const MEBIBYTE: u64 = 1024 * 1024;

/// The methods and queries of the requests that wrote an object.
fn writes(world: &World) -> Vec<String> {
    let requests = world.sandbox.requests();
    let object = requests.iter().filter(|request| request.path.starts_with("/io/") && request.method != "GET");
    let number = |query: &str| query.split('&').find(|part| part.starts_with("partNumber")).map(str::to_owned);
    object
        .map(|request| format!("{} {}", request.method, number(&request.query).unwrap_or_default()).trim().to_owned())
        .collect()
}

#[test]
fn standard_input_becomes_one_file_whatever_its_length() {
    for (size, expected) in [
        (0, vec!["PUT"]),
        (1, vec!["PUT"]),
        (10 * MEBIBYTE, vec!["PUT"]),
        (10 * MEBIBYTE + 1, vec!["POST", "PUT partNumber=1", "PUT partNumber=2", "POST"]),
        (30 * MEBIBYTE, vec!["POST", "PUT partNumber=1", "PUT partNumber=2", "PUT partNumber=3", "POST"]),
    ] {
        let world = World::new();
        let sent = content(size);
        let run = world.cec(["scp", "-", "cells://common-files/f"]).input_bytes(&sent).run();
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{size}: {}", run.stderr);
        assert!(run.stderr.starts_with("done: 1 file ("), "{}", run.stderr);
        assert!(world.tree().read("common-files/f") == Some(sent), "{size}");
        let mut writes = writes(&world);
        writes.sort();
        let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        expected.sort();
        assert_eq!(writes, expected, "{size}");
    }
}

#[test]
fn what_stands_on_the_server_is_heeded_before_anything_is_read() {
    let world = World::new();
    world.put("common-files/f", "old");
    world.put("common-files/folder/x", "x");
    for (arguments, code, text) in [
        (vec!["cells://common-files/f"], 8, "'common-files/f' already exists"),
        (vec!["cells://common-files/folder"], 2, "cells://common-files/folder/NAME"),
        (vec!["cells://common-files"], 2, "no name of its own"),
        (vec!["cells://common-files/new/"], 3, "cec mkdir"),
        (vec!["cells://common-files/no/f"], 3, "cec mkdir -p"),
        (vec!["cells://common-files/f/below"], 8, "is a file"),
        (vec!["cells://nowhere/f"], 3, "no workspace 'nowhere'"),
        (vec!["cells://common-files/back\\slash"], 1, "backslash"),
        (vec!["f", "cells://common-files/folder"], 2, "one of several sources"),
        (vec!["-"], 2, "neither"),
    ] {
        let arguments = ["scp", "-"].into_iter().chain(arguments);
        let run = world.cec(arguments.clone()).input("content").run();
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{}", run.stderr);
        assert!(run.stderr.contains(text), "{}", run.stderr);
    }
    assert_eq!(world.tree().read("common-files/f").as_deref(), Some(b"old".as_slice()));
    for (policy, content) in [("skip", "old"), ("update", "new"), ("overwrite", "new"), ("rename", "old")] {
        world.put("common-files/f", "old");
        let run = world.cec(["scp", "-q", "--if-exists", policy, "-", "cells://common-files/f"]).input("new").run();
        run.is(0, "", "");
        assert_eq!(world.tree().read("common-files/f").as_deref(), Some(content.as_bytes()), "{policy}");
    }
    assert_eq!(world.tree().read("common-files/f-1").as_deref(), Some(b"new".as_slice()));
}

#[test]
fn a_piped_upload_has_its_record() {
    let world = World::new();
    let run = world.cec(["scp", "--json", "-", "cells://common-files/f"]).input("new").run();
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((run.code, lines.len(), run.stderr.as_str()), (0, 2, ""), "{}", run.stdout);
    assert_eq!((&lines[0]["source"], &lines[0]["size"]), (&"-".into(), &3.into()));
    assert_eq!(lines[0]["etag"], "22af645d1859cb5ca6da0c484f1f37ea");
    let run = world.cec(["scp", "--dry-run", "-", "cells://common-files/g"]).input("new").run();
    assert_snapshot!(run, @"
    [stdout]
    new	-	cells://common-files/g	-
    [stderr]
    would do: 1 file (0 B) in DURATION
    [exit code 0]
    ");
    assert!(!world.tree().exists("common-files/g"));
}

#[test]
fn a_secret_and_a_content_cannot_both_come_by_standard_input() {
    let world = World::new();
    for flags in [["--token", "-"].as_slice(), &["--login", "admin", "--password", "-"]] {
        let arguments = ["scp", "-", "cells://common-files/f", "-u", world.url()];
        let run = world.signed_out(arguments.into_iter().chain(flags.iter().copied())).input("x").run();
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains("--token-file"), "{}", run.stderr);
    }
}

#[test]
fn passing_failures_of_a_piped_upload_are_mended() {
    type Trouble = fn(Fault) -> Fault;
    let troubles: [(&str, Trouble); 4] = [
        ("503", |fault| fault.status(503)),
        ("429", |fault| fault.status(429).header("Retry-After", "0")),
        ("closed after", Fault::close_after),
        ("cut", |fault| fault.cut_request_at(1000)),
    ];
    for (name, trouble) in troubles {
        let world = World::new();
        world.put("common-files/small", "old");
        let faults = world.sandbox.faults();
        faults.add(trouble(Fault::on("PUT", "/io/common-files/small")).times(2));
        faults.add(trouble(Fault::on("PUT", "/io/common-files/large").query("partNumber=2")).times(2));
        let (small, large) = (content(500_000), content(25 * MEBIBYTE));
        let run = world.cec(["scp", "-f", "-", "cells://common-files/small"]).input_bytes(&small).run();
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
        assert!(world.tree().read("common-files/small") == Some(small), "{name}");
        let run = world.cec(["scp", "-", "cells://common-files/large"]).input_bytes(&large).run();
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
        assert!(world.tree().read("common-files/large") == Some(large), "{name}");
    }
}

#[test]
fn the_begin_of_a_piped_upload_is_tried_again() {
    type Trouble = fn(Fault) -> Fault;
    let troubles: [Trouble; 4] = [
        |fault| fault.status(503),
        |fault| fault.status(429).header("Retry-After", "0"),
        Fault::close_after,
        Fault::close_before,
    ];
    for trouble in troubles {
        let world = World::new();
        world.sandbox.faults().add(trouble(Fault::on("POST", "/io/common-files/f").query("uploads")).times(2));
        let sent = content(21 * MEBIBYTE);
        let run = world.cec(["scp", "-", "cells://common-files/f"]).input_bytes(&sent).run();
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(world.tree().read("common-files/f") == Some(sent));
    }
}

#[test]
fn the_end_of_a_piped_upload_is_asked_for_again_where_its_answer_is_lost() {
    for carried_out in [true, false] {
        let world = World::new();
        let end = Fault::on("POST", "/io/common-files/f").query("uploadId");
        world.sandbox.faults().add(if carried_out { end.close_after() } else { end.close_before() });
        let sent = content(21 * MEBIBYTE);
        let run = world.cec(["scp", "-", "cells://common-files/f"]).input_bytes(&sent).run();
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(world.tree().read("common-files/f") == Some(sent));
        let parts = writes(&world).iter().filter(|write| write.starts_with("PUT")).count();
        assert_eq!(parts, 3, "no part is sent twice");
    }
}

#[test]
fn a_piped_upload_that_fails_leaves_nothing_and_says_why() {
    let world = World::new();
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/f").query("partNumber=2").status(403).always());
    // The refused part is small: of a large one the connection may be reset before the answer is read.
    let run = world.cec(["scp", "-", "cells://common-files/f"]).input_bytes(&content(10 * MEBIBYTE + 1024)).run();
    assert_eq!((run.code, run.stdout.as_str()), (5, ""), "{}", run.stderr);
    assert!(run.stderr.starts_with("error: permission denied\n  while: copying -\n"), "{}", run.stderr);
    assert!(world.sandbox.s3().pending_uploads().is_empty());
    assert!(!world.tree().exists("common-files/f"));
    let run = world
        .cec(["scp", "--max-parts-number", "1", "-", "cells://common-files/f"])
        .input_bytes(&content(11 * MEBIBYTE))
        .run();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("--max-parts-number"), "{}", run.stderr);
    assert!(world.sandbox.s3().pending_uploads().is_empty());
}

#[test]
fn a_larger_part_size_holds_for_standard_input_too() {
    let world = World::new();
    let sent = content(25 * MEBIBYTE);
    let run = world.cec(["scp", "--part-size", "20", "-", "cells://common-files/f"]).input_bytes(&sent).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(world.tree().etag("common-files/f").expect("an ETag").split('-').next_back(), Some("2"));
    assert!(world.tree().read("common-files/f") == Some(sent));
}

#[cfg(unix)]
#[test]
fn an_interrupt_while_standard_input_is_silent_gives_the_upload_up() {
    let world = World::new();
    let mut child = world.cec(["scp", "-", "cells://common-files/f"]).spawn();
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(&content(12 * MEBIBYTE)).expect("a reader");
    wait_for("the upload", || !world.sandbox.s3().pending_uploads().is_empty());
    let killed = std::process::Command::new("/bin/kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill").success());
    let output = child.wait_with_output().expect("an end");
    assert_eq!(exit_code(&output.status), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    drop(input);
    assert!(world.sandbox.s3().pending_uploads().is_empty());
    assert!(!world.tree().exists("common-files/f"));
}

#[test]
fn files_go_to_standard_output_verified() {
    let world = World::new();
    world.put("common-files/a", "one\n");
    world.put("common-files/b", "two\n");
    world.mkdir("common-files/folder");
    let run = world.cec(["scp", "cells://common-files/a", "cells://common-files/b", "-"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (0, "one\ntwo\n"), "{}", run.stderr);
    assert!(run.stderr.starts_with("done: 2 files (8 B) in "), "{}", run.stderr);
    world.cec(["scp", "-q", "cells://common-files/[ab]", "-"]).run().is(0, "one\ntwo\n", "");
    let run = world.cec(["scp", "cells://common-files/folder", "-"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/folder' is a folder
    [exit code 1]
    ");
    let run = world.cec(["scp", "cells://common-files/none", "-"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    // A content is no result that could be JSON; as with cat, errors are.
    world.cec(["scp", "--json", "cells://common-files/a", "-"]).run().is(0, "one\n", "");
    world.cec(["cat", "--json", "common-files/a"]).run().is(0, "one\n", "");
    for arguments in
        [&["scp", "--json", "cells://common-files/folder", "-"][..], &["cat", "--json", "common-files/folder"]]
    {
        let error = world.cec(arguments.iter().copied()).run().json_error(1);
        assert_eq!(error["message"], "'common-files/folder' is a folder");
    }
    world.sandbox.faults().add(Fault::on("GET", "/io/common-files/a").corrupt_response_at(1).always());
    let run = world.cec(["scp", "cells://common-files/a", "-"]).run();
    assert_eq!(run.code, 9, "{}", run.stderr);
    assert!(run.stderr.contains("common-files/a"), "{}", run.stderr);
}

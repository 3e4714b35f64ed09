//! `cec scp` to the server on bad days: the exit code, what is said, and what is on the server afterwards. Numbers in
//! comments are those of what the older client gets wrong.

use std::fs;
use std::io::Read as _;
use std::process::{Child, Command};
use std::time::Duration;

use cells_sandbox::{Config, Fault, Gate};
use insta::assert_snapshot;

use crate::support::{World, exit_code, wait_for};
use crate::trees::content;

const MEBIBYTE: u64 = 1024 * 1024;

/// Waits until a request of this kind has come.
fn wait_for_request(world: &World, method: &str, path: &str, query: &str) {
    wait_for("the request", || {
        let requests = world.sandbox.requests();
        requests
            .iter()
            .any(|request| request.method == method && request.path.starts_with(path) && request.query.contains(query))
    });
}

#[cfg(unix)]
pub(crate) fn signal(child: &Child, signal: &str) {
    let sent = Command::new("/bin/kill").args([signal, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
}

/// Reads what a command says until this text comes.
#[cfg(unix)]
#[track_caller]
pub(crate) fn read_errors_until(child: &mut Child, text: &str) {
    let mut said = Vec::new();
    let mut byte = [0];
    // Byte by byte, so that the rest is left to be read.
    while child.stderr.as_mut().expect("a pipe").read(&mut byte).expect("a byte") == 1 {
        said.push(byte[0]);
        if said.ends_with(text.as_bytes()) {
            return;
        }
    }
    panic!("no {text:?} in {:?}", String::from_utf8_lossy(&said));
}

pub(crate) fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().expect("an end");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (exit_code(&output.status), String::from_utf8(output.stderr).expect("text"))
}

// 3
#[test]
fn a_bad_token_and_a_dead_server_are_told_at_once_for_trees_too() {
    let world = World::new();
    world.write("tree/a", "1");
    let run = world.cec(["scp", "tree", "cells://common-files"]).env("CEC_TOKEN", "some-dead-token").run();
    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{}", run.stderr);
    assert!(run.stderr.starts_with("error: the token is not valid (mistyped, expired or revoked)\n"), "{}", run.stderr);
    let run = world.cec(["scp", "tree", "cells://common-files"]).env("CEC_URL", "http://127.0.0.1:9").run();
    assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{}", run.stderr);
    assert!(run.stderr.starts_with("error: cannot connect to 127.0.0.1:9: connection refused\n"), "{}", run.stderr);
}

// 4
#[test]
fn a_missing_source_or_argument_is_never_exit_0() {
    let world = World::new();
    for (arguments, code) in [
        (vec!["scp"], 2),
        (vec!["scp", "none"], 2),
        (vec!["scp", "none", "cells://common-files"], 3),
        (vec!["scp", "none", "nor-this", "cells://common-files"], 3),
    ] {
        let run = world.cec(arguments.clone()).run();
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{arguments:?} {}", run.stderr);
    }
}

// 5
#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_a_failed_item_and_the_rest_goes() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    for path in ["tree/a/x", "tree/closed/y", "tree/locked", "tree/z"] {
        world.write(path, path);
    }
    for path in ["tree/closed", "tree/locked"] {
        fs::set_permissions(world.home().join(path), fs::Permissions::from_mode(0o000)).expect("a mode");
    }
    let run = world.cec(["scp", "tree", "cells://common-files"]).by_nobody().run();
    fs::set_permissions(world.home().join("tree/closed"), fs::Permissions::from_mode(0o755)).expect("a mode");
    assert_eq!((run.code, run.stdout.as_str()), (7, ""), "{}", run.stderr);
    for path in ["tree/closed", "tree/locked"] {
        assert!(run.stderr.contains(&format!("warning: failed: {path}: Permission denied")), "{}", run.stderr);
    }
    assert!(run.stderr.contains("done: 2 files (") && run.stderr.contains("2 failed"), "{}", run.stderr);
    assert_eq!(world.tree().list("common-files/tree/a"), ["x"]);
    assert!(world.tree().exists("common-files/tree/z"));
}

// 6
#[cfg(unix)]
#[test]
fn links_and_what_is_no_file_never_stop_a_tree() {
    use std::os::unix::fs::symlink;
    let world = World::new();
    world.write("tree/a", "1");
    world.write("elsewhere/b", "2");
    symlink("nowhere", world.home().join("tree/dangling")).expect("a link");
    symlink("../elsewhere", world.home().join("tree/linked")).expect("a link");
    let made = Command::new("mkfifo").arg(world.home().join("tree/fifo")).status().expect("mkfifo");
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(world.home().join("tree/socket")).expect("a socket");
    let run = world.cec(["scp", "tree", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    for (name, reason) in [
        ("dangling", "a broken symbolic link"),
        ("fifo", "not a regular file (a pipe, socket or device)"),
        ("socket", "not a regular file (a pipe, socket or device)"),
    ] {
        assert!(run.stderr.contains(&format!("warning: tree/{name}: left out: {reason}\n")), "{}", run.stderr);
    }
    assert_eq!(world.tree().list("common-files/tree"), ["a", "linked"]);
    assert_eq!(world.tree().read("common-files/tree/linked/b").as_deref(), Some(b"2".as_slice()));
    let run = world.cec(["scp", "-f", "--links", "skip", "tree", "cells://common-files/second"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(world.tree().list("common-files/second"), ["a"]);
    let run = world.cec(["scp", "--links", "error", "tree", "cells://common-files/third"]).run();
    assert_eq!(run.code, 7, "{}", run.stderr);
    assert_eq!(run.stderr.matches("a symbolic link, and --links is 'error'").count(), 2, "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn named_links_and_special_files_follow_the_same_rules() {
    use std::os::unix::fs::symlink;
    let world = World::new();
    world.write("a", "1");
    symlink("a", world.home().join("link")).expect("a link");
    let made = Command::new("mkfifo").arg(world.home().join("fifo")).status().expect("mkfifo");
    assert!(made.success());
    let run = world.cec(["scp", "link", "fifo", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("warning: fifo: left out: not a regular file"), "{}", run.stderr);
    assert_eq!(world.tree().list("common-files"), ["link"]);
    let run = world.cec(["scp", "fifo", "cells://common-files"]).run();
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("hint: to upload piped data, use: cec scp - "), "{}", run.stderr);
    let run = world.cec(["scp", "--links", "skip", "link", "a", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("warning: link: left out: a link"), "{}", run.stderr);
    let run = world.cec(["scp", "-f", "--links", "error", "link", "cells://common-files"]).run();
    assert_eq!(run.code, 1, "{}", run.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_unicode_is_a_failed_item() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    world.write("tree/good", "1");
    let bad = world.home().join("tree").join(std::ffi::OsStr::from_bytes(b"bad\xff"));
    fs::write(&bad, "2").expect("a file");
    let run = world.cec(["scp", "tree", "cells://common-files"]).run();
    assert_eq!(run.code, 7, "{}", run.stderr);
    assert!(run.stderr.contains("the name is not valid UTF-8"), "{}", run.stderr);
    assert_eq!(world.tree().list("common-files/tree"), ["good"]);
}

#[test]
fn control_characters_in_names_never_reach_the_screen() {
    let world = World::new();
    world.write("tree/\u{1b}[31mred\nline", "1");
    let run = world.cec(["scp", "-v", "tree", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("new tree/\\u{1b}[31mred\\nline -> "), "{}", run.stderr);
    assert!(!run.stderr.contains('\u{1b}'));
    assert!(world.tree().exists("common-files/tree/\u{1b}[31mred\nline"));
}

#[test]
fn a_type_clash_goes_to_the_recycle_bin_under_force_only() {
    let world = World::new();
    world.put("common-files/tree/file/inside", "a folder is where a file goes");
    world.put("common-files/tree/folder", "a file is where a folder goes");
    world.put("common-files/one/inside", "a folder");
    world.write("tree/file", "1");
    world.write("tree/folder/x", "2");
    world.write("one", "3");
    let run = world.cec(["scp", "tree", "cells://common-files"]).run();
    assert_eq!(run.code, 8, "{}", run.stderr);
    assert!(run.stderr.contains("'common-files/tree/file' already exists and is a folder"), "{}", run.stderr);
    assert!(run.stderr.contains("'common-files/tree/folder' already exists and is a file"), "{}", run.stderr);
    let run = world.cec(["scp", "one", "cells://common-files"]).run();
    assert!(run.stderr.contains("  hint: choose another target, or use --force to move"), "{}", run.stderr);
    for policy in ["skip", "update", "rename"] {
        let run = world.cec(["scp", "--if-exists", policy, "one", "cells://common-files"]).run();
        assert_eq!(run.code, 8, "{policy}: {}", run.stderr);
    }
    let moved = ["one", "tree/file", "tree/folder"].map(|name| format!("cells://common-files/{name}"));
    let run = world.cec(["scp", "-f", "--dry-run", "tree", "one", "cells://common-files"]).run();
    for path in &moved {
        assert!(run.stdout.contains(&format!("recycled\t-\t{path}\t-\n")), "{}", run.stdout);
    }
    let run = world.cec(["scp", "-f", "--dry-run", "--json", "one", "cells://common-files"]).run();
    let object = r#"{"type":"recycled","path":"cells://common-files/one","kind":"folder","status":"planned"}"#;
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.contains(&serde_json::from_str(object).expect("JSON")), "{}", run.stdout);
    let recycled = world.tree().list("common-files");
    assert_eq!(recycled, ["one", "tree"], "a dry run does nothing");
    let run = world.cec(["scp", "-f", "--manifest", "manifest", "tree", "one", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    let manifest = fs::read_to_string(world.home().join("manifest")).expect("a manifest");
    assert_eq!(manifest.matches(r#""status":"recycled""#).count(), 3, "{manifest}");
    for path in &moved {
        assert!(run.stderr.contains(&format!("moved to the recycle bin: {path}\n")), "{}", run.stderr);
    }
    assert_eq!(world.tree().read("common-files/tree/file").as_deref(), Some(b"1".as_slice()));
    assert_eq!(world.tree().read("common-files/tree/folder/x").as_deref(), Some(b"2".as_slice()));
    assert_eq!(world.tree().read("common-files/one").as_deref(), Some(b"3".as_slice()));
    assert_eq!(world.tree().list("common-files/recycle_bin"), ["file", "folder", "one"]);
}

// 11
#[test]
fn no_variable_turns_overwriting_on_and_results_stand_alone() {
    let world = World::new();
    world.put("common-files/one", "old");
    world.write("one", "new");
    for name in ["CEC_FORCE", "CEC_IF_EXISTS", "CEC_UPDATE", "CEC_IGNORE_EXISTING"] {
        let run = world.cec(["scp", "one", "cells://common-files"]).env(name, "true").run();
        assert_eq!((run.code, run.stdout.as_str()), (8, ""), "{name}: {}", run.stderr);
    }
    assert_eq!(world.tree().read("common-files/one").as_deref(), Some(b"old".as_slice()));
    world.cec(["scp", "-q", "-f", "one", "cells://common-files"]).run().is(0, "", "");
}

// 12
#[test]
fn what_arrives_is_verified() {
    let world = World::new();
    world.write("one", "content");
    let wrong = Fault::on("PUT", "/io/").set_header("Etag", "\"0123456789abcdef0123456789abcdef\"");
    world.sandbox.faults().add(wrong.times(1));
    let run = world.cec(["scp", "-v", "one", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("attempt 1 failed") && run.stderr.contains("ETag"), "{}", run.stderr);
}

#[test]
fn a_body_that_a_proxy_refuses_comes_with_a_hint() {
    let world = World::new();
    world.write("large", content(25 * MEBIBYTE));
    world.sandbox.faults().add(Fault::on("PUT", "/io/").status(413).always());
    let run = world.cec(["scp", "--multipart-threshold", "10", "large", "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(run.stderr.contains("(HTTP 413)"), "{}", run.stderr);
    assert!(
        run.stderr.contains(
            "hint: raise the proxy's limit for a request (nginx: client_max_body_size), or lower --part-size"
        ),
        "{}",
        run.stderr
    );
    assert!(world.sandbox.s3().pending_uploads().is_empty());
}

#[test]
fn a_token_that_dies_in_the_middle_stops_the_run_with_exit_4() {
    let world = World::new();
    for number in 0..100 {
        world.write(&format!("tree/{number}"), "x");
    }
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/").skip(10).expire_token());
    let run = world.cec(["scp", "tree", "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{}", run.stderr);
    assert!(run.stderr.contains("stopped: "), "{}", run.stderr);
    assert!(run.stderr.contains("error: the token is not valid (mistyped, expired or revoked)"), "{}", run.stderr);
}

#[test]
fn a_lock_that_outlives_the_retries_is_exit_6() {
    let world = World::new();
    world.write("one", "1");
    world.sandbox.lock("common-files", Duration::from_secs(60)).expect("a lock");
    let run = world.cec(["scp", "--retry-max-attempts", "1", "one", "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{}", run.stderr);
    assert!(run.stderr.contains("a job on the server has locked"), "{}", run.stderr);
}

#[test]
fn an_overwrite_in_doubt_says_that_the_file_may_be_damaged() {
    let world = World::new();
    world.put("common-files/one", "old");
    world.write("one", "new");
    world.sandbox.faults().add(Fault::on("PUT", "/io/").status(503).always());
    let run = world.cec(["scp", "-f", "--retry-max-attempts", "2", "one", "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{}", run.stderr);
    assert!(run.stderr.contains("common-files/one may be damaged on the server"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: run the same command with --force until"), "{}", run.stderr);
}

#[test]
fn a_server_that_goes_silent_is_exit_6_within_the_idle_time() {
    let world = World::new();
    world.write("one", content(2 * MEBIBYTE));
    world.sandbox.faults().add(Fault::on("PUT", "/io/").hang().always());
    let arguments = ["scp", "--timeout", "300ms", "--retry-max-attempts", "2", "one", "cells://common-files"];
    let run = world.cec(arguments).run();
    assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{}", run.stderr);
    assert!(run.stderr.contains("--timeout"), "{}", run.stderr);
}

#[test]
fn fail_fast_stops_and_counts_what_was_done() {
    let world = World::new();
    for number in 0..20 {
        world.write(&format!("tree/{number}"), "x");
    }
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/").skip(2).status(403).always());
    let run = world.cec(["scp", "--fail-fast", "--transfers", "1", "tree", "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (7, ""), "{}", run.stderr);
    assert!(run.stderr.contains(": 2 files (2 B) in ") && run.stderr.contains("1 failed"), "{}", run.stderr);
}

#[test]
fn a_manifest_has_a_record_for_each_file_and_a_summary() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.write(&format!("tree/{name}"), name);
    }
    world.write("manifest", "what was there before");
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/b").status(403).always());
    let run = world.cec(["scp", "-q", "--manifest", "manifest", "tree", "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (7, ""), "{}", run.stderr);
    let text = fs::read_to_string(world.home().join("manifest")).expect("a manifest");
    let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(records.len(), 4, "{text}");
    let of = |name: &str| records.iter().find(|record| record["source"] == format!("tree/{name}")).expect(name);
    assert_eq!((&of("a")["status"], &of("b")["status"]), (&"transferred".into(), &"failed".into()));
    assert_eq!((&of("b")["error"]["code"], &of("a")["etag"]), (&5.into(), &"0cc175b9c0f1b6a831c399e269772661".into()));
    assert_eq!((&records[3]["type"], &records[3]["failed"]), (&"summary".into(), &1.into()));
    let checked = world.cec(["tools", "hash", "--check", "manifest"]).run();
    assert_eq!((checked.code, checked.stdout.matches(": OK\n").count()), (7, 2), "{checked:?}");
    let run = world.cec(["scp", "--manifest", "no/such/folder", "tree", "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{}", run.stderr);
    assert!(run.stderr.contains("cannot write the manifest"), "{}", run.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_manifest_on_a_full_disk_is_told_and_the_files_go_all_the_same() {
    let world = World::new();
    world.write("one", "1");
    let run = world.cec(["scp", "--manifest", "/dev/full", "one", "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(run.stderr.contains("error: the manifest /dev/full is incomplete"), "{}", run.stderr);
    assert!(world.tree().exists("common-files/one"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_waits_for_a_put_that_has_sent_its_last_byte() {
    let world = World::new();
    world.put("common-files/one", "old content");
    world.write("one", "new");
    let gate = Gate::closed();
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/one").hold_answer(&gate));
    let mut child = world.cec(["scp", "-f", "one", "cells://common-files"]).spawn();
    wait_for("the content", || world.sandbox.requests().iter().any(|request| request.body_bytes == 3));
    signal(&child, "-INT");
    read_errors_until(&mut child, "stopping: waiting for the server to confirm sent data");
    gate.open();
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains("stopped: 1 file (3 B)"), "{stderr}");
    assert!(stderr.contains("error: interrupted\n  hint: run the same command again"), "{stderr}");
    assert_eq!(world.tree().read("common-files/one").as_deref(), Some(b"new".as_slice()));
}

#[cfg(unix)]
#[test]
fn a_second_interrupt_quits_at_once() {
    let world = World::new();
    world.write("one", "new");
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/one").hang().always());
    let mut child = world.cec(["scp", "one", "cells://common-files"]).spawn();
    wait_for("the content", || world.sandbox.requests().iter().any(|request| request.body_bytes == 3));
    signal(&child, "-INT");
    read_errors_until(&mut child, "stopping:");
    signal(&child, "-INT");
    // The server never answers.
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(130), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_in_the_middle_is_made_good_by_the_next() {
    let world = World::with(Config { hash_delay: Duration::ZERO, ..Config::default() });
    for number in 0..20 {
        world.write(&format!("tree/{number}"), content(1000 + number));
    }
    world.write("tree/large", content(45 * MEBIBYTE));
    let flags = ["scp", "--multipart-threshold", "10", "--part-size", "10", "--manifest", "manifest"];
    let arguments = || flags.into_iter().chain(["tree", "cells://common-files"]);
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/tree/large").query("partNumber=4").hang());
    let mut child = world.cec(arguments()).spawn();
    wait_for_request(&world, "PUT", "/io/common-files/tree/large", "partNumber=4");
    child.kill().expect("an end");
    child.wait().expect("an end");
    let manifest = fs::read_to_string(world.home().join("manifest")).expect("a manifest");
    for line in manifest.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("every line is whole");
    }
    let run = world.cec(arguments()).run();
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    for number in 0..20 {
        assert!(world.tree().read(&format!("common-files/tree/{number}")) == Some(content(1000 + number)), "{number}");
    }
    assert!(world.tree().read("common-files/tree/large") == Some(content(45 * MEBIBYTE)));
}

#[test]
fn two_at_once_on_one_target_leave_one_whole_content() {
    let world = World::new();
    for (folder, byte) in [("one", b'1'), ("two", b'2')] {
        for number in 0..10 {
            world.write(&format!("{folder}/tree/{number}"), vec![byte; 50_000]);
        }
    }
    let start = |folder: &str| world.cec(["scp", "-f", &format!("{folder}/tree"), "cells://common-files"]).spawn();
    for child in [start("one"), start("two")] {
        let (code, stderr) = ended(child);
        assert_eq!(code, Some(0), "{stderr}");
    }
    for number in 0..10 {
        let found = world.tree().read(&format!("common-files/tree/{number}")).expect("a file");
        assert_eq!(found.len(), 50_000);
        assert!(found.iter().all(|byte| *byte == found[0]), "{number} is a mixture");
    }
}

#[test]
fn a_manifest_never_costs_a_file_nor_goes_along() {
    let world = World::new();
    world.write("tree/sub/a", "1");
    world.write("tree/sub/kept", "mine");
    let kept = || fs::read_to_string(world.home().join("tree/sub/kept")).expect("a file");
    let sources = ["tree/sub/../sub/kept", "tree/sub/a"];
    let run = world.cec(["scp", "--manifest", "tree/sub/kept", sources[0], sources[1], "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.starts_with("error: 'tree/sub/../sub/kept' is a source, and the manifest"), "{}", run.stderr);
    // Neither a plan that fails nor a dry run touches it.
    let run = world.cec(["scp", "--manifest", "tree/sub/kept", "tree", "cells://nowhere"]).run();
    assert_eq!((run.code, kept().as_str()), (3, "mine"), "{}", run.stderr);
    let run = world.cec(["scp", "--manifest", "tree/sub/kept", "--dry-run", "tree", "cells://common-files"]).run();
    assert_eq!((run.code, kept().as_str()), (0, "mine"), "{}", run.stderr);
    assert!(run.stdout.contains("tree/sub/a\t") && !run.stdout.contains("kept"), "{}", run.stdout);
    let run = world.cec(["scp", "--manifest", "tree/sub/kept", "tree", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(world.tree().list("common-files/tree/sub"), ["a"]);
    assert!(kept().ends_with("}\n"), "{}", kept());
    let run = world.cec(["scp", "--manifest", "tree/new", "tree", "cells://common-files/second"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(world.tree().list("common-files/second"), ["sub"]);
}

#[cfg(unix)]
#[test]
fn a_manifest_is_known_behind_links() {
    use std::os::unix::fs::symlink;
    let world = World::new();
    world.write("tree/manifest", "mine");
    world.write("tree/a", "1");
    symlink("manifest", world.home().join("tree/linked")).expect("a link");
    symlink("tree", world.home().join("other")).expect("a link");
    let run = world.cec(["scp", "--manifest", "other/manifest", "tree", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(world.tree().list("common-files/tree"), ["a"]);
}

#[test]
fn what_a_broken_download_left_is_never_uploaded() {
    let world = World::new();
    world.write(".cec-0123456789abcdef0123456789abcdef.part", "rest");
    world.write("one", "1");
    let run = world.cec(["scp", ".cec-0123456789abcdef0123456789abcdef.part", "cells://common-files/x"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(run.stderr.contains("its name is that of a temporary file"), "{}", run.stderr);
    let run = world.cec(["scp", ".cec-0123456789abcdef0123456789abcdef.part", "one", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains(
            "warning: .cec-0123456789abcdef0123456789abcdef.part: left out: its name is that of a temporary file"
        ),
        "{}",
        run.stderr
    );
    assert_eq!(world.tree().list("common-files"), ["one"]);
    // In a tree it is told as well, and what only looks like it goes.
    world.write("tree/.cec-0123456789abcdef0123456789abcdef.part", "rest");
    world.write("tree/.cec-mydata.part", "mine");
    let run = world.cec(["scp", "tree", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("tree/.cec-0123456789abcdef0123456789abcdef.part: left out: "), "{}", run.stderr);
    assert_eq!(world.tree().list("common-files/tree"), [".cec-mydata.part"]);
}

#[test]
fn folders_alone_are_a_success_too() {
    let world = World::new();
    fs::create_dir(world.home().join("empty")).expect("a folder");
    let run = world.cec(["scp", "empty", "none", "cells://common-files"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (7, ""), "{}", run.stderr);
    assert_eq!(world.tree().list("common-files"), ["empty"]);
}

#[test]
fn a_file_where_a_folder_was_written_is_told_as_that() {
    let world = World::new();
    world.put("common-files/f1", "old");
    world.write("one", "1");
    world.write("two", "2");
    let run = world.cec(["scp", "-f", "one", "cells://common-files/f1/"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: common-files/f1 is a file, not a folder
    [exit code 8]
    ");
    let run = world.cec(["scp", "-f", "-", "cells://common-files/f1/"]).input("1").run();
    assert_snapshot!(run, @"
    [stderr]
    error: common-files/f1 is a file, not a folder
    [exit code 8]
    ");
    let run = world.cec(["scp", "-f", "one", "two", "cells://common-files/f1/"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/f1' is not a folder, but several sources need a folder
    [exit code 8]
    ");
}

/// Reads JSON objects from standard error until one fits.
#[track_caller]
fn read_object_until(child: &mut Child, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let mut line = Vec::new();
    let mut byte = [0];
    while child.stderr.as_mut().expect("a pipe").read(&mut byte).expect("a byte") == 1 {
        line.push(byte[0]);
        if byte[0] == b'\n' {
            match serde_json::from_slice(&line) {
                Ok(object) if fits(&object) => return object,
                _ => line.clear(),
            }
        }
    }
    panic!("no such object");
}

#[test]
fn progress_says_what_is_waited_for() {
    let world = World::new();
    world.write("one", "1");
    let away = Fault::on("PUT", "/io/common-files/one").status(503).header("Retry-After", "2").always();
    world.sandbox.faults().add(away);
    let arguments = ["scp", "--progress", "json", "--retry-max-attempts", "1000", "one", "cells://common-files"];
    let mut child = world.cec(arguments).spawn();
    let waiting = read_object_until(&mut child, |object| !object["waiting_for"].is_null());
    assert!(waiting["waiting_for"].as_str().expect("a text").contains("503"), "{waiting}");
    world.sandbox.faults().clear();
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(0), "{stderr}");
}

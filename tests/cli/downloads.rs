//! Bad days of downloads as a user meets them: what is left, what is said, and the exit code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::{World, wait_for};

/// The files of a local folder with their contents, folders left out.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it").to_string_lossy().into_owned();
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

#[test]
fn a_damaged_copy_is_exit_9_for_scp_and_cat() {
    let world = World::new();
    let long = "x".repeat(200_000);
    for (old, new) in [("the old content", "new"), ("old", "a longer new content"), (long.as_str(), &long[..150_000])] {
        world.put("common-files/file", old);
        world.tree().damage("common-files/file", new).expect("damage");
        let run = world.cec(["scp", "cells://common-files/file", "."]).run();
        assert_eq!((run.code, run.stdout.as_str()), (9, ""), "{run:?}");
        assert!(run.stderr.starts_with("error: the server's copy of common-files/file is damaged: "), "{run:?}");
        assert!(run.stderr.contains("\n  hint: delete it with 'cec rm' first, then upload it again"), "{run:?}");
        assert!(files(world.home()).is_empty(), "{run:?}");
        let run = world.cec(["cat", "common-files/file"]).run();
        assert_eq!(run.code, 9, "{run:?}");
        assert!(run.stderr.contains("while: reading common-files/file"), "{run:?}");
    }
}

#[test]
fn a_token_that_dies_in_the_middle_is_exit_4() {
    let world = World::new();
    world.tree().generate("common-files/many", 60, 100).expect("files");
    world.sandbox.faults().add(Fault::on("GET", "/io/common-files/many/").skip(10).expire_token());
    let run = world.cec(["scp", "--transfers", "2", "cells://common-files/many", "many"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{run:?}");
    assert!(run.stderr.contains("\nerror: the token is not valid (mistyped, expired or revoked)\n"), "{run:?}");
    assert!(!run.stderr.contains("more failed"), "what ended the run is told once: {run:?}");
    assert!(files(&world.home().join("many")).values().all(|content| content.len() == 100));
}

#[test]
fn a_server_that_goes_away_in_the_middle_is_exit_6() {
    let world = World::new();
    world.tree().generate("common-files/many", 100, 100).expect("files");
    world.sandbox.faults().add(Fault::on("GET", "/io/").skip(20).close_before().always());
    let flags = ["scp", "--transfers", "2", "--retry-max-attempts", "2", "--retry-max-backoff", "10ms"];
    let run = world.cec(flags.into_iter().chain(["cells://common-files/many", "many"])).run();
    assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{run:?}");
    assert!(run.stderr.contains("error: gave up after 8 failures in a row: "), "{run:?}");
    let hint = "hint: to continue, with the same options: cec scp cells://common-files/many/. many\n";
    assert!(run.stderr.contains(hint), "{run:?}");
    let arrived = files(&world.home().join("many"));
    assert!(arrived.len() >= 20 && arrived.values().all(|content| content.len() == 100), "{}", arrived.len());
}

#[test]
fn each_answer_that_is_no_file_has_its_exit_code() {
    type Trouble = fn(Fault) -> Fault;
    let cases: [(&str, Trouble, u8); 8] = [
        ("permission denied", |fault| fault.status(403), 5),
        ("no such file", |fault| fault.status(404), 3),
        ("", |fault| fault.status(429), 6),
        ("503", |fault| fault.status(503), 6),
        ("a web page", Fault::html, 6),
        ("not from a Cells gateway", Fault::empty_ok, 6),
        ("redirects to http://elsewhere.example/", |fault| fault.redirect("http://elsewhere.example/io"), 6),
        ("closed the connection", Fault::close_before, 6),
    ];
    for (words, trouble, code) in cases {
        let world = World::new();
        world.put("common-files/file", "content");
        world.sandbox.faults().add(trouble(Fault::on("GET", "/io/common-files/file")).always());
        let flags = ["scp", "--retry-max-attempts", "2", "--retry-max-backoff", "10ms"];
        let run = world.cec(flags.into_iter().chain(["cells://common-files/file", "."])).run();
        assert_eq!((run.code, run.stdout.as_str()), (i32::from(code), ""), "{words}: {run:?}");
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(words), "{words}: {run:?}");
        assert!(files(world.home()).is_empty(), "{words}");
        let run = world.cec(["cat", "common-files/file"]).run();
        assert_eq!((run.code, run.stdout.as_str()), (i32::from(code), ""), "{words}: {run:?}");
    }
}

#[test]
fn one_failed_file_and_one_unreadable_folder_are_exit_7() {
    let world = World::new();
    for path in ["a/x", "b/y", "c/z", "top"] {
        world.put(&format!("common-files/tree/{path}"), path);
    }
    let refusal = "{\"Title\":\"this is not allowed\",\"Detail\":\"Forbidden: this is not allowed\"}";
    // The tree, then its folders: the third listing is that of one of them.
    let listing = Fault::on("POST", "/a/meta/bulk").skip(2).status(404).body("application/json", refusal);
    world.sandbox.faults().add(listing);
    world.sandbox.faults().add(Fault::on("GET", "/io/common-files/tree/top").status(403).always());
    let run = world.cec(["scp", "cells://common-files/tree", "back"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (7, ""), "{run:?}");
    let failed: Vec<&str> = run.stderr.lines().filter(|line| line.contains("failed: ")).collect();
    assert_eq!(failed.len(), 2, "{run:?}");
    assert!(failed.iter().any(|line| line.contains("cells://common-files/tree/top: ")), "{run:?}");
    assert!(run.stderr.lines().any(|line| line.starts_with("done: ") && line.ends_with(", 2 failed")), "{run:?}");
    assert!(run.stderr.ends_with("cec scp cells://common-files/tree/. back\n"), "{run:?}");
    assert_eq!(files(&world.home().join("back")).len(), 2);
}

#[cfg(unix)]
#[test]
fn hidden_files_come_back_and_a_dangling_link_stops_nothing() {
    let world = World::new();
    let tree = world.home().join("tree");
    fs::create_dir_all(tree.join(".config")).expect("folders");
    for name in [".hidden", ".config/.deep", "plain"] {
        fs::write(tree.join(name), name).expect("a file");
    }
    let before = files(&tree);
    std::os::unix::fs::symlink("nowhere", tree.join("dangling")).expect("a link");
    let run = world.cec(["scp", "tree", "cells://common-files"]).run();
    assert_snapshot!(run, @"
    [stderr]
    warning: tree/dangling: left out: a broken symbolic link
    done: 3 files (25 B) in DURATION, 2 folders made
    [exit code 0]
    ");
    assert_eq!(world.cec(["scp", "-q", "cells://common-files/tree", "back"]).run().code, 0);
    assert_eq!(files(&world.home().join("back")), before);
}

#[test]
fn two_programs_at_once_on_the_same_target_both_end_well() {
    let world = World::new();
    for number in 0..40 {
        world.put(&format!("common-files/tree/{}/{number}", number % 4), &format!("content {number}"));
    }
    fs::create_dir(world.home().join("back")).expect("a folder");
    let start = || world.cec(["scp", "-q", "cells://common-files/tree", "back"]).spawn();
    for child in [start(), start(), start()] {
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let arrived = files(&world.home().join("back/tree"));
    assert_eq!(arrived.len(), 40);
    for number in 0..40 {
        assert_eq!(arrived[&format!("{}/{number}", number % 4)], format!("content {number}").into_bytes());
    }
}

#[cfg(unix)]
#[test]
fn a_killed_run_leaves_no_file_under_its_name_that_is_not_whole() {
    let world = World::new();
    let content = "new ".repeat(100_000);
    world.put("common-files/file", &content);
    fs::write(world.home().join("file"), "old").expect("a file");
    let stall = Fault::on("GET", "/io/common-files/file").stall_response_at(100_000, Duration::from_secs(60));
    world.sandbox.faults().add(stall);
    let mut child = world.cec(["scp", "-f", "cells://common-files/file", "file"]).spawn();
    let has_begun = || files(world.home()).iter().any(|(name, bytes)| name.ends_with(".part") && !bytes.is_empty());
    wait_for("the first part", has_begun);
    child.kill().expect("SIGKILL");
    child.wait().expect("an end");
    let mut left = files(world.home());
    left.retain(|name, _| !name.starts_with(".config/"));
    assert_eq!(left.remove("file").as_deref(), Some(b"old".as_slice()));
    assert!(left.keys().all(|name| name.starts_with(".cec-") && name.ends_with(".part")), "{:?}", left.keys());
    assert_eq!(world.cec(["scp", "-fq", "cells://common-files/file", "file"]).run().code, 0);
    let files = files(world.home());
    assert!(files.len() == 1 && files["file"] == content.as_bytes(), "{:?}", files.keys());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_fails_what_does_not_fit_and_leaves_nothing_half() {
    let world = World::new();
    world.put("common-files/tree/big", &"x".repeat(6 << 20));
    for name in ["small", "sub/small"] {
        world.put(&format!("common-files/tree/{name}"), name);
    }
    let scp = world.cec(["scp", "cells://common-files/tree", "disk"]);
    let Some((run, left)) = scp.on_disk("disk", "size=4m") else { return };
    assert_snapshot!(run, @"
    [stderr]
    warning: failed: cells://common-files/tree/big: disk/tree/big: No space left on device
    done: 2 files (14 B) in DURATION, 2 folders made, 1 failed
    [exit code 7]
    ");
    assert_eq!(left, ["tree/small 5", "tree/sub/small 9"]);
    let scp = world.cec(["scp", "cells://common-files/tree/big", "disk"]);
    let (run, left) = scp.on_disk("disk", "size=4m").expect("a disk");
    assert_snapshot!(run, @"
    [stderr]
    error: disk/big: No space left on device
      while: copying cells://common-files/tree/big
      hint: free some disk space and run the command again
    [exit code 1]
    ");
    assert!(left.is_empty(), "{left:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_stays_full_ends_the_run() {
    let world = World::new();
    world.tree().generate("common-files/many", 100, 1 << 20).expect("files");
    let scp = world.cec(["scp", "--transfers", "1", "cells://common-files/many", "disk"]);
    let Some((run, left)) = scp.on_disk("disk", "size=4m") else { return };
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
    assert!(run.stderr.contains("error: gave up after 8 failures in a row: "), "{run:?}");
    assert!(run.stderr.contains("hint: free some disk space"), "{run:?}");
    assert!((1..=4).contains(&left.len()) && left.iter().all(|file| file.ends_with(" 1048576")), "{left:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let world = World::new();
    world.put("common-files/tree/file", "x");
    for (source, message) in
        [("tree/file", "disk/file: Read-only file system"), ("tree", "disk/tree: Read-only file system")]
    {
        let source = format!("cells://common-files/{source}");
        let scp = world.cec(["scp", &source, "disk"]);
        let Some((run, left)) = scp.on_disk("disk", "ro,size=4m") else { return };
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
        assert!(run.stderr.contains(message), "{run:?}");
        assert!(left.is_empty(), "{left:?}");
    }
}

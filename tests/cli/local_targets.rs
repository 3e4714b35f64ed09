//! Local places that are not what they seem: devices, open files, links, folders that cannot be written to; and what a
//! killed download leaves.

use std::fs;
use std::time::Duration;

use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::{World, wait_for};

#[cfg(unix)]
#[test]
fn devices_pipes_and_open_files_are_never_replaced() {
    let world = World::new();
    world.put("common-files/one.txt", "the download");
    let pipe = world.home().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let mut targets = vec!["pipe", "/dev/null"];
    if cfg!(target_os = "linux") {
        targets.extend(["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]);
    }
    for target in targets {
        for force in [&[][..], &["-f"]] {
            let path = world.home().join("out");
            fs::write(&path, "header\n").expect("a file");
            let arguments = [&["scp"], force, &["cells://common-files/one.txt", target]].concat();
            let child = world.cec(arguments).stdout_to(&path.display().to_string()).spawn();
            let output = child.wait_with_output().expect("an end");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(8), "{target}: {stderr}");
            assert!(stderr.contains("already exists and is a device, pipe or socket"), "{target}: {stderr}");
            assert!(stderr.contains("hint: to write to standard output, use - as the target"), "{target}: {stderr}");
            assert_eq!(fs::read_to_string(&path).expect("a file"), "header\n", "{target}");
        }
    }
    assert!(!fs::metadata("/dev/null").expect("a device").is_file());
}

#[cfg(unix)]
#[test]
fn the_next_run_removes_what_a_killed_one_has_left_wherever_it_goes() {
    let world = World::new();
    world.put("common-files/big", &"new ".repeat(100_000));
    world.put("common-files/other", "other");
    let stall = Fault::on("GET", "/io/common-files/big").stall_response_at(100_000, Duration::from_secs(60));
    world.sandbox.faults().add(stall);
    fs::create_dir(world.home().join("folder")).expect("a folder");
    let mut child = world.cec(["scp", "cells://common-files/big", "folder"]).spawn();
    let names = || -> Vec<String> {
        let entries = fs::read_dir(world.home().join("folder")).expect("a folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    wait_for("the temporary file", || !names().is_empty());
    assert_eq!(world.cec(["scp", "-q", "cells://common-files/other", "while-it-runs"]).run().code, 0);
    assert_eq!(names().len(), 1, "a run that lives keeps its own");
    child.kill().expect("SIGKILL");
    child.wait().expect("an end");
    let foreign = world.home().join("folder/.cec-0123456789abcdef0123456789abcdef.part");
    fs::write(&foreign, "not ours").expect("a file");
    assert_eq!(names().len(), 2);
    assert_eq!(world.cec(["scp", "-q", "cells://common-files/other", "."]).run().code, 0);
    assert_eq!(names(), [foreign.file_name().expect("a name").to_string_lossy()], "only what is recorded goes");
    let records = fs::read_dir(world.config_folder().join("downloads")).map_or(0, Iterator::count);
    assert_eq!(records, 0, "no record is left");
}

#[cfg(unix)]
#[test]
fn a_limit_on_the_size_of_files_is_told_and_leaves_nothing() {
    let world = World::new();
    world.put("common-files/big", &"x".repeat(3_000_000));
    fs::create_dir(world.home().join("folder")).expect("a folder");
    let run = world.cec(["scp", "cells://common-files/big", "folder"]).after("ulimit -f 1000");
    assert_snapshot!(run, @"
    [stderr]
    error: folder/big: File too large
      while: copying cells://common-files/big
    [exit code 1]
    ");
    assert_eq!(fs::read_dir(world.home().join("folder")).expect("a folder").count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_dry_run_tells_what_cannot_be_written() {
    let world = World::new();
    world.put("common-files/tree/file", "x");
    for source in ["cells://common-files/tree/file", "cells://common-files/tree"] {
        let scp = world.cec(["scp", "--dry-run", source, "disk"]);
        let Some((run, left)) = scp.on_disk("disk", "ro,size=4m") else { return };
        assert_eq!((run.code, left.len()), (1, 0), "{run:?}");
        assert!(run.stderr.contains("Read-only file system"), "{run:?}");
    }
    let run = world.cec(["scp", "--dry-run", "cells://common-files/tree", "new"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!world.home().join("new").exists());
}

#[cfg(unix)]
#[test]
fn a_dry_run_tells_what_cannot_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let secret = world.home().join("secret");
    fs::write(&secret, "x").expect("a file");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).expect("a mode");
    let run = world.cec(["scp", "--dry-run", "secret", "cells://common-files"]).by_nobody().run();
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("secret: Permission denied"), "{run:?}");
}

#[test]
fn a_dash_is_no_name_for_a_manifest_or_a_log() {
    let world = World::new();
    world.put("common-files/one.txt", "x");
    for flag in ["--manifest", "--log-file"] {
        let run = world.cec(["scp", flag, "-", "cells://common-files/one.txt", "."]).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
        assert!(run.stderr.starts_with(&format!("error: {flag} requires a file, not -")), "{run:?}");
        assert!(!world.home().join("-").exists() && !world.home().join("one.txt").exists(), "{run:?}");
    }
}

#[test]
fn a_link_does_not_choose_a_hidden_name_here() {
    let world = World::new();
    world.put("common-files/.ssh/authorized_keys", "a key");
    world.put("common-files/.bashrc", "a trap");
    for (path, inside) in [("common-files/.ssh", "named/authorized_keys"), ("common-files/.bashrc", "named")] {
        let run = world.cec(["share", path]).run();
        assert_eq!(run.code, 0, "{run:?}");
        let url = run.stdout.trim_end().replace("URL", world.url());
        let run = world.signed_out(["scp", &url, "."]).run();
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains("the name comes from the link and starts with a dot"), "{run:?}");
        assert!(run.stderr.contains("hint: to download it, give the target a name"), "{run:?}");
        assert!(!world.home().join(".ssh").exists() && !world.home().join(".bashrc").exists());
        let run = world.signed_out(["scp", "-q", &url, "./named"]).run();
        assert_eq!(run.code, 0, "{run:?}");
        assert!(world.home().join(inside).is_file());
        let named = world.home().join("named");
        if named.is_dir() { fs::remove_dir_all(named) } else { fs::remove_file(named) }.expect("removed");
    }
}

//! What fits on a screen, and what is shown there while something takes its time.

#![cfg(unix)]

use std::fs;
use std::time::Duration;

use cells_sandbox::{Fault, Gate};

use crate::support::World;

/// Runs a command on a terminal of that width.
fn on_screen(world: &World, width: usize, arguments: &[&str]) -> Option<(i32, String)> {
    let program = world.home().join("narrow.sh");
    let script = format!("#!/bin/sh\nstty rows 24 cols {width}\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_cec"));
    fs::write(&program, script).expect("a script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&program, mode).expect("a mode");
    let cec = world.cec(arguments.iter().copied().chain(["--color", "never"])).program(&program);
    cec.on_terminal(&[])
}

#[test]
fn tables_fit_and_names_and_ids_are_whole() {
    let world = World::new();
    let name = "a name that is long but not longer than it may be.txt";
    world.put(&format!("common-files/{name}"), "content");
    world.mkdir("common-files/folder");
    for width in [60, 80, 100, 200] {
        let Some((code, screen)) = on_screen(&world, width, &["ls", "-d", "common-files"]) else { return };
        assert_eq!(code, 0, "{screen}");
        assert!(screen.lines().all(|line| line.chars().count() <= width), "{width}: {screen}");
        assert!(screen.contains(name), "{width}: {screen}");
        assert_eq!(screen.contains("HASH"), width == 200, "{width}: {screen}");
    }
    let (_, screen) = on_screen(&world, 60, &["ls", "-d", "common-files", "--wide"]).expect("a terminal");
    assert!(screen.contains("HASH") && screen.contains("UUID"), "{screen}");
    for arguments in [&["ls", "-d"][..], &["about"], &["config", "ls"], &["share", "ls"], &["jobs", "get"]] {
        for width in [60, 80, 100, 200] {
            let (_, screen) = on_screen(&world, width, arguments).expect("a terminal");
            assert!(screen.lines().all(|line| line.chars().count() <= width), "{arguments:?} {width}: {screen}");
        }
    }
}

#[test]
fn what_takes_its_time_says_what_it_does() {
    let world = World::new();
    world.put("common-files/a.txt", "content");
    let held = |command: &[&str], shown: &str| {
        let gate = Gate::closed();
        world.sandbox.faults().add(Fault::on("POST", "/a/").hold_answer(&gate));
        let mut answer = |_: &str| {
            gate.open();
            String::new()
        };
        world.cec(command.iter().copied()).talk([shown], &mut answer)
    };
    let Some((code, screen)) = held(&["ls", "common-files"], "listing ") else { return };
    assert_eq!(code, 0, "{screen:?}");
    assert_eq!(screen, "a.txt\n", "it is gone");
    let (code, screen) = held(&["share", "ls"], "requesting public links ").expect("a terminal");
    assert_eq!(code, 0, "{screen:?}");
}

#[test]
fn nothing_moves_where_a_terminal_is_kept_as_a_log() {
    for (name, value) in [("CI", "true"), ("TERM", "dumb")] {
        let world = World::new();
        fs::write(world.home().join("one"), "1").expect("a file");
        // Long enough for a bar to be drawn many times.
        world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/one").delay(Duration::from_millis(800)));
        let scp = world.cec(["scp", "one", "cells://common-files", "--color", "never"]).env(name, value);
        let Some((code, screen)) = scp.on_terminal(&[]) else { return };
        assert_eq!(code, 0, "{screen:?}");
        assert!(!screen.contains('\u{1b}') && screen.starts_with("done: 1 file"), "{name} {screen:?}");
    }
}

#[test]
fn a_transfer_has_a_bar() {
    let world = World::new();
    fs::write(world.home().join("one"), "1").expect("a file");
    let gate = Gate::closed();
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/one").hold_answer(&gate));
    let mut answer = |_: &str| {
        gate.open();
        String::new()
    };
    let scp = world.cec(["scp", "one", "cells://common-files"]);
    let Some((code, screen)) = scp.talk(["finishing  one"], &mut answer) else { return };
    assert_eq!(code, 0, "{screen:?}");
    assert!(screen.contains("[====") && screen.contains("0/1 files"), "{screen:?}");
}

#[test]
fn credentials_of_the_environment_are_not_stored_unasked() {
    let world = World::new();
    let question = "Store it as an account anyway? [y/N] ";
    for (answer, expected) in [("\n", 1), ("y\n", 0)] {
        let Some((code, screen)) = world.cec(["configure", "--skip-keyring"]).on_terminal(&[(question, answer)]) else {
            return;
        };
        assert_eq!((code, world.config_file().exists()), (expected, expected == 0), "{answer:?} {screen}");
        assert!(screen.contains("CEC_TOKEN is set; every command uses it without a stored account."), "{screen}");
    }
}

#[test]
fn a_wrong_token_is_asked_for_again() {
    let world = World::new();
    let token = format!("{}\n", world.sandbox.token("alice"));
    let wrong = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_ABCDE\n";
    let arguments = ["configure", "token", world.url(), "--skip-keyring"];
    let dialogue = [("Token: ", "a/path\n"), ("Token: ", wrong), ("Token: ", token.as_str())];
    let Some((code, screen)) = world.signed_out(arguments).on_terminal(&dialogue) else { return };
    assert_eq!(code, 0, "{screen}");
    for told in ["is not a valid token", "does not accept this personal access token", "signed in as alice"] {
        assert!(screen.contains(told), "{told}: {screen}");
    }
    let (code, screen) = world.signed_out(arguments).on_terminal(&[("Token: ", wrong); 3]).expect("a terminal");
    assert_eq!(code, 4, "{screen}");
}

#[test]
fn what_differs_is_listed_in_short_with_one_hint() {
    let world = World::new();
    let folder = world.home().join("tree");
    fs::create_dir(&folder).expect("a folder");
    for number in 0..15 {
        fs::write(folder.join(format!("file-{number:02}")), "new content").expect("a file");
        world.put(&format!("common-files/tree/file-{number:02}"), "old");
    }
    fs::write(folder.join("added"), "x").expect("a file");
    let run = world.cec(["scp", "tree/.", "cells://common-files/tree"]).run();
    assert_eq!(run.code, 7, "{run:?}");
    assert_eq!(run.stderr.matches("warning: failed: ").count(), 10, "{run:?}");
    assert!(run.stderr.contains("warning: and 5 more failed\n"), "{run:?}");
    let hint = "hint: 15 files already exist and differ: --force replaces them, --update replaces only older files, \
                --ignore-existing keeps them\n";
    assert_eq!(run.stderr.matches(hint).count(), 1, "{run:?}");
}

#[test]
fn details_of_a_folder_have_the_size_that_the_server_knows() {
    let world = World::new();
    world.put("common-files/folder/a", "content");
    let run = world.cec(["ls", "-d", "common-files"]).run();
    let cells: Vec<&str> = run.stdout.trim_end().split('\t').collect();
    assert_eq!((cells[2], cells[3]), ("folder", "7"), "{run:?}");
}

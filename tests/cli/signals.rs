//! SIGINT, SIGTERM and SIGHUP.

#![cfg(unix)]

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cells_sandbox::{Config, Fault};

use crate::support::{World, exit_code, wait_for};

fn send(child: &Child, signal: &str) {
    let sent = Command::new("/bin/kill").args([signal, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
}

fn interrupted(signal: &str) -> (Option<i32>, String) {
    let world = World::new();
    world.sandbox.faults().add(Fault::on("*", "/a/meta/bulk").hang().always());
    let child = world.cec(["ls"]).spawn();
    wait_for("the request", || !world.sandbox.requests().is_empty());
    send(&child, signal);
    // The server never answers.
    let output = child.wait_with_output().expect("an end");
    assert!(output.stdout.is_empty());
    (exit_code(&output.status), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn an_interrupt_ends_any_command() {
    assert_eq!(interrupted("-INT"), (Some(130), "error: interrupted\n".to_owned()));
}

#[test]
fn a_termination_has_its_own_code() {
    assert_eq!(interrupted("-TERM"), (Some(143), "error: terminated\n".to_owned()));
}

#[test]
fn a_terminal_that_is_gone_has_its_own_code() {
    assert_eq!(interrupted("-HUP"), (Some(129), "error: the terminal was closed\n".to_owned()));
}

#[test]
fn a_loop_of_bash_ends_with_the_interrupt() {
    let world = World::new();
    world.sandbox.faults().add(Fault::on("*", "/a/meta/bulk").hang().always());
    let script = "for name in a b c; do \"$CEC\" ls; echo \"after $name\"; done; echo went on";
    let spawned = Command::new("bash")
        .args(["-c", script])
        .env_clear()
        .env("CEC", env!("CARGO_BIN_EXE_cec"))
        .env("HOME", world.home())
        .env("PATH", "/usr/bin:/bin")
        .env("CEC_URL", world.url())
        .env("CEC_TOKEN", world.sandbox.token("admin"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    let Ok(child) = spawned else { return };
    wait_for("the request", || !world.sandbox.requests().is_empty());
    // As Ctrl-C does: to all that runs in the foreground.
    let group = format!("-{}", child.id());
    assert!(Command::new("/bin/kill").args(["-INT", "--", &group]).status().expect("kill").success());
    let output = child.wait_with_output().expect("an end");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!((exit_code(&output.status), world.sandbox.requests().len()), (Some(130), 1));
}

fn await_second_removal(world: &World) {
    let removals = || world.sandbox.requests().iter().filter(|request| request.path.contains("delete")).count();
    wait_for("the second removal", || removals() == 2);
}

#[test]
fn an_interrupted_removal_says_how_far_it_came() {
    let world = World::with(Config { job_effect_delay: Duration::from_secs(2), ..Config::default() });
    world.tree().generate("common-files/many", 230, 1).expect("files");
    let mut child = world.cec(["rm", "-f", "common-files/many/*"]).spawn();
    let mut stderr = child.stderr.take().expect("a pipe");
    await_second_removal(&world);
    send(&child, "-INT");
    let mut text = String::new();
    stderr.read_to_string(&mut text).expect("text");
    assert_eq!(exit_code(&child.wait().expect("an end")), Some(130));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with("moved to the recycle bin: ")).count(), 100, "{text}");
    assert_eq!(
        lines[101..],
        [
            "error: interrupted: 100 of 230 moved to the recycle bin",
            "  hint: the server is still working on the last request"
        ]
    );
}

#[test]
fn an_interrupted_removal_still_writes_its_json() {
    let world = World::with(Config { job_effect_delay: Duration::from_secs(2), ..Config::default() });
    world.tree().generate("common-files/many", 230, 1).expect("files");
    let child = world.cec(["rm", "-f", "--json", "common-files/many/*"]).spawn();
    await_second_removal(&world);
    send(&child, "-TERM");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(exit_code(&output.status), Some(143));
    let records: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(records.as_array().expect("an array").len(), 100);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!(error["message"], "terminated: 100 of 230 moved to the recycle bin");
}

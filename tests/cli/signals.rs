//! SIGINT and SIGTERM.

#![cfg(unix)]

use std::io::Read;
use std::process::{Child, Command};
use std::time::Duration;

use cells_sandbox::{Config, Fault};

use crate::support::{World, wait_for};

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
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn an_interrupt_ends_any_command() {
    assert_eq!(interrupted("-INT"), (Some(130), "error: interrupted\n".to_owned()));
}

#[test]
fn a_termination_has_its_own_code() {
    assert_eq!(interrupted("-TERM"), (Some(143), "error: terminated\n".to_owned()));
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
    assert_eq!(child.wait().expect("an end").code(), Some(130));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with("moved to the recycle bin: ")).count(), 100, "{text}");
    assert_eq!(
        lines[101..],
        [
            "error: interrupted: 100 of 230 moved to the recycle bin",
            "  hint: the server goes on with what it was told last"
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
    assert_eq!(output.status.code(), Some(143));
    let records: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(records.as_array().expect("an array").len(), 100);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!(error["message"], "terminated: 100 of 230 moved to the recycle bin");
}

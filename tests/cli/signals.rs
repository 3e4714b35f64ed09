//! SIGINT and SIGTERM.

#![cfg(unix)]

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use cells_sandbox::Fault;

use crate::support::World;

fn send(child: &Child, signal: &str) {
    let sent = Command::new("/bin/kill").args([signal, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
}

fn interrupted(signal: &str) -> (Option<i32>, String) {
    let world = World::new();
    world.sandbox.faults().add(Fault::on("*", "/a/meta/bulk").hang().always());
    let child = world.cec(["ls"]).spawn();
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.sandbox.requests().is_empty() {
        assert!(Instant::now() < deadline, "the request never came");
        std::thread::sleep(Duration::from_millis(5));
    }
    send(&child, signal);
    let started = Instant::now();
    let output = child.wait_with_output().expect("an end");
    assert!(started.elapsed() < Duration::from_secs(2), "it took {:?}", started.elapsed());
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

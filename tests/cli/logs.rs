//! What a log holds at which level.

use std::fs;

use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::World;

/// Runs a command with a log of that level; gives its exit code and the log.
fn logged(world: &World, level: &str, arguments: &[&str]) -> (i32, String) {
    let name = format!("log-{level}");
    let _ = fs::remove_file(world.home().join(&name));
    let flags = ["--log", level, "--log-file", name.as_str()];
    let run = world.cec([&flags, arguments].concat()).run();
    (run.code, fs::read_to_string(world.home().join(&name)).expect("a log"))
}

#[test]
fn a_log_has_the_start_and_the_end_of_a_command_and_no_arguments() {
    let world = World::new();
    let (code, log) = logged(&world, "info", &["trash", "ls"]);
    assert_eq!((code, log.lines().count()), (0, 2), "{log}");
    assert!(
        log.contains(r#"INFO began command="trash ls""#) && log.contains(r#"INFO ended command="trash ls" code=0"#),
        "{log}"
    );
    let (_, log) = logged(&world, "warn", &["trash", "ls"]);
    assert_eq!(log, "");
    let (code, log) = logged(&world, "info", &["tools", "version", "isvalid", "4.4.1"]);
    assert!(code == 0 && log.contains("ended command=\"tools version isvalid\""), "{log}");
}

#[test]
fn what_fails_and_what_is_tried_again_is_in_the_log_at_its_level() {
    let world = World::new();
    world.put("common-files/file", "content");
    let (code, log) = logged(&world, "error", &["ls", "common-files/nope", "common-files/gone"]);
    assert_eq!((code, log.matches("ERROR").count()), (3, 2), "{log}");
    assert!(log.contains("'common-files/nope' does not exist"), "{log}");

    world.sandbox.faults().add(Fault::on("*", "/a/").status(503).times(2));
    let (code, log) = logged(&world, "warn", &["ls", "common-files"]);
    assert_eq!((code, log.matches("WARN").count(), log.matches("trying again").count()), (0, 2, 2), "{log}");

    fs::create_dir(world.home().join("tree")).expect("a folder");
    fs::write(world.home().join("tree/back\\slash"), "x").expect("a file");
    fs::write(world.home().join("tree/good"), "x").expect("a file");
    let (code, log) = logged(&world, "info", &["scp", "tree", "cells://common-files"]);
    assert_eq!(code, 7, "{log}");
    assert!(log.lines().any(|line| line.contains("WARN failed:") && line.contains("back\\slash")), "{log}");
    assert!(log.contains(r#"ended command="scp" code=7"#), "{log}");
}

/// A port of this machine that nothing listens on.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn the_causes_below_a_failure_are_in_the_log_for_debugging_only() {
    let world = World::new();
    let url = format!("http://127.0.0.1:{}", closed_port());
    let arguments = ["ls", "--url", url.as_str(), "--token", "abc"];
    let (code, log) = logged(&world, "debug", &arguments);
    let causes: Vec<&str> = log.lines().filter(|line| line.contains("caused by: ")).collect();
    assert_eq!(code, 6, "{log}");
    // The words of each layer, down to the system's.
    assert!(causes.len() > 1 && causes.iter().any(|line| line.contains("Connection refused")), "{log}");
    assert!(!causes.iter().any(|line| line.contains("abc")), "{log}");
    let (_, log) = logged(&world, "info", &arguments);
    assert!(log.contains("ERROR") && !log.contains("caused by"), "{log}");
}

#[test]
fn retries_of_all_calls_go_by_the_flag_and_its_variable() {
    let world = World::new();
    world.put("common-files/file", "content");
    let tried = |cec: crate::support::Cec<'_>| {
        let before = world.sandbox.requests().len();
        world.sandbox.faults().add(Fault::on("*", "/a/").status(503).always());
        let run = cec.run();
        assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{run:?}");
        world.sandbox.faults().clear();
        world.sandbox.requests().len() - before
    };
    let scp = ["scp", "--retry-max-attempts", "3", "cells://common-files/file", "here"];
    assert_eq!(tried(world.cec(scp)), 3);
    assert_eq!(tried(world.cec(["scp", "cells://common-files/file", "here"])), 8);
    assert_eq!(tried(world.cec(["stat", "common-files/file"])), 5);
    assert_eq!(tried(world.cec(["stat", "common-files/file"]).env("CEC_RETRY_MAX_ATTEMPTS", "2")), 2);
    let bad = world.cec(["stat", "common-files/file"]).env("CEC_RETRY_MAX_ATTEMPTS", "1001").run();
    assert_snapshot!(bad, @"
    [stderr]
    error: CEC_RETRY_MAX_ATTEMPTS is 1001, but must be at most 1000
    [exit code 2]
    ");
}

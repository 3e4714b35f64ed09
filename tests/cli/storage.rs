//! `cec storage`.

use std::time::Duration;

use cells_sandbox::{Config, Fault};
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{World, fields};

#[test]
fn data_sources_are_listed_without_their_keys() {
    let world = World::new();
    for arguments in [&["storage", "list-datasources"][..], &["storage", "list-datasources", "--json"]] {
        let run = world.cec(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
        assert!(run.stdout.contains("pydiods1") && !run.stdout.contains("sandbox-storage"), "{run:?}");
    }
    let log = world.cec(["storage", "list-datasources", "--log", "trace"]).run();
    assert!(!log.stderr.contains("sandbox-storage"), "{log:?}");
    let run = world.cec(["storage", "list-datasources"]).run();
    assert_snapshot!(run, @"
    [stdout]
    pydiods1	LOCAL	/var/cells/data/pydiods1	flat	-	-	in use
    personal	LOCAL	/var/cells/data/personal	flat	-	-	in use
    cellsdata	LOCAL	/var/cells/data/cellsdata	flat	-	-	in use
    versions	LOCAL	/var/cells/data/versions	flat	-	-	internal
    thumbnails	LOCAL	/var/cells/data/thumbs	flat	-	-	internal
    [exit code 0]
    ");
    let json = world.cec(["storage", "list-datasources", "--json"]).run().json();
    let names = ["name", "storage", "place", "format", "encryption", "versioning", "disabled", "internal"];
    assert_eq!(fields(&json[0]), names);
    assert_eq!((&json[3]["internal"], &json[3]["encryption"]), (&json!(true), &json!(null)));
}

#[test]
fn raw_is_a_name_a_line_as_with_the_older_client() {
    let world = World::new();
    assert_snapshot!(world.cec(["storage", "list-datasources", "-r"]).run(), @"
    [stdout]
    pydiods1
    personal
    cellsdata
    versions
    thumbnails
    [exit code 0]
    ");
}

#[test]
fn a_resync_is_started_or_waited_for() {
    let world = World::new();
    let run = world.cec(["storage", "resync-ds", "pydiods1"]).run();
    assert_snapshot!(run, @"
    [stdout]
    resync-ds-pydiods1
    [stderr]
    resyncing pydiods1; follow it with: cec jobs watch resync-ds-pydiods1
    [exit code 0]
    ");
    // A second one has the same id: the run before it is not taken for its own.
    for _ in 0..2 {
        let run = world.cec(["storage", "resync-ds", "pydiods1", "--wait"]).run();
        run.is(0, "resync-ds-pydiods1\n", "resynced pydiods1\n");
    }
    let json = world.cec(["storage", "resync-ds", "personal", "--wait", "--json"]).run().json();
    assert_eq!(json, json!({"name": "personal", "job_id": "resync-ds-personal", "status": "finished"}));
}

#[test]
fn the_end_of_a_resync_is_heard_by_whoever_started_it() {
    let never = Duration::from_secs(3600);
    let world = World::with(Config {
        job_effect_delay: Duration::from_millis(20),
        job_status_delay: never,
        ..Config::default()
    });
    let run = world.cec(["storage", "resync-ds", "pydiods1", "--wait"]).run();
    assert_snapshot!(run, @"
    [stdout]
    resync-ds-pydiods1
    [stderr]
    resynced pydiods1
    [exit code 0]
    ");
}

#[test]
fn without_a_websocket_a_resync_is_asked_for_and_an_earlier_run_not_taken_for_its_own() {
    let world = World::new();
    world.sandbox.faults().add(Fault::on("GET", "/ws/event").status(404).always());
    for _ in 0..2 {
        let run = world.cec(["storage", "resync-ds", "pydiods1", "--wait"]).run();
        run.is(0, "resync-ds-pydiods1\n", "resynced pydiods1\n");
    }
}

// Row 4 of what the older client gets wrong: an unknown data source is no success.
#[test]
fn row_4_an_unknown_data_source_is_not_found() {
    let world = World::new();
    let message = "error: there is no data source 'nope'\n  hint: 'cec storage list-datasources' lists them\n";
    for arguments in [&["storage", "resync-ds", "nope"][..], &["storage", "resync-ds", "nope", "--wait"]] {
        world.cec(arguments.iter().copied()).run().is(3, "", message);
    }
    assert!(!world.sandbox.requests().iter().any(|request| request.path.starts_with("/a/jobs")));
}

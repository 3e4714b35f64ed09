//! Requests that do not depend on each other are sent at once: over a line with a round trip of 200 ms, each request that
//! waits for another one costs a command as much as its start.

use cells_sandbox::{Fault, Gate};

use crate::support::{World, wait_for};

/// Each command is held at the answer to its first request. What arrives at the server meanwhile did not wait for it.
#[test]
fn what_does_not_depend_on_an_answer_is_requested_at_once() {
    let stat = "/a/tree/stat/common-files/docs";
    let missing = "/a/tree/stat/common-files/docs/new";
    let cases: [(&[&str], &str, &[&str]); 5] = [
        // The children of a folder, and whether it is a folder.
        (&["ls", "common-files/docs"], stat, &["/a/meta/bulk/get"]),
        // The new folder, the one above, and the workspace.
        (&["mkdir", "common-files/docs/new"], missing, &[stat, "/a/tree/stat/common-files"]),
        // The target, and the folder in which it would be.
        (&["scp", "file", "cells://common-files/docs/new"], missing, &[stat]),
        (
            &["compress", "common-files/docs/a", "common-files/docs/new.zip"],
            "/a/tree/stat/common-files/docs/new.zip",
            &[stat],
        ),
        (&["mv", "common-files/docs/a", "common-files/docs/new"], missing, &[stat]),
    ];
    for (arguments, first, others) in cases {
        let world = World::new();
        world.put("common-files/docs/a", "content");
        world.write("file", "content");
        let gate = Gate::closed();
        world.sandbox.faults().add(Fault::on("GET", first).hold_answer(&gate));
        world.sandbox.clear_requests();
        let child = world.cec(arguments.iter().copied()).spawn();
        let is_requested = |path: &str| world.sandbox.requests().iter().any(|request| request.path == path);
        for path in others {
            wait_for(path, || is_requested(path));
        }
        gate.open();
        let output = child.wait_with_output().expect("an end");
        assert!(output.status.success(), "{arguments:?} {output:?}");
    }
}

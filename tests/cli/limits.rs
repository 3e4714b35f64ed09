//! The limits of a transfer: bytes and requests a second, bytes and time in total.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::support::{Run, World};

fn timed(run: impl FnOnce() -> Run) -> Duration {
    let begun = Instant::now();
    let run = run();
    assert_eq!(run.code, 0, "{run}");
    begun.elapsed()
}

#[test]
fn rates_apply_to_both_directions_and_come_from_the_environment_too() {
    let world = World::new();
    for name in ["a", "b", "c", "d"] {
        world.write(&format!("tree/{name}"), "x".repeat(100_000));
    }
    let least = Duration::from_millis(900);
    let up = timed(|| world.cec(["scp", "--bwlimit", "400k:off", "tree/.", "cells://personal-files/up"]).run());
    assert!(up >= least, "{up:?}");
    let down = ["scp", "cells://personal-files/up/.", "down"];
    let limited = timed(|| world.cec(down).env("CEC_BWLIMIT", "off:400k").run());
    assert!(limited >= least, "{limited:?}");
    // Nothing is left to transfer, but each request waits for its turn.
    let few = timed(|| world.cec(down).env("CEC_TPSLIMIT", "1").run());
    assert!(few >= least, "{few:?}");
}

#[test]
fn a_run_ends_at_its_limit_and_the_next_one_continues() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.write(&format!("tree/{name}"), name.repeat(10));
    }
    let command = ["scp", "--transfers", "1", "--max-transfer", "25", "tree/.", "cells://personal-files/some"];
    assert_snapshot!(world.cec(command).run(), @"
    [stderr]
    stopped: 2 files (20 B) in DURATION, 1 folder made
    error: the limit of transferred bytes is reached
      hint: run the same command again: files already transferred are skipped
    [exit code 1]
    ");
    // What is there does not count.
    assert_snapshot!(world.cec(command).run(), @"
    [stderr]
    done: 1 file (10 B) in DURATION, 2 unchanged
    [exit code 0]
    ");
    let none = ["scp", "--transfers", "8", "--max-transfer", "5", "tree", "cells://personal-files/none"];
    let run = world.cec(none).run();
    assert!(run.code == 1 && run.stderr.contains("stopped: 0 files (0 B)"), "{run}");
    world.put("personal-files/large", &"x".repeat(1_000_000));
    let slow = ["scp", "--bwlimit", "100k", "--max-duration", "300ms", "cells://personal-files/large", "."];
    assert_snapshot!(world.cec(slow).run(), @"
    [stderr]
    stopped: 0 files (0 B) in DURATION
    error: the time limit is reached
      hint: run the same command again: files already transferred are skipped
    [exit code 1]
    ");
    assert!(!world.home().join("large").exists());
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let world = World::new();
    world.write("a", "1");
    assert_snapshot!(world.transcript([
        &["scp", "--bwlimit", "fast", "a", "cells://personal-files"][..],
        &["scp", "--bwlimit", "1M:10", "a", "cells://personal-files"],
        &["scp", "--tpslimit", "0", "a", "cells://personal-files"],
        &["scp", "--max-duration", "0", "a", "cells://personal-files"],
        &["scp", "--max-transfer", "1M", "-", "cells://personal-files/b"],
    ]), @"
    $ cec scp --bwlimit fast a cells://personal-files
    [stderr]
    error: invalid value 'fast' for '--bwlimit <RATE[:RATE]>': expected bytes a second such as 512k, 10M or off, or UP:DOWN
      hint: see 'cec scp --help'
    [exit code 2]
    $ cec scp --bwlimit 1M:10 a cells://personal-files
    [stderr]
    error: invalid value '1M:10' for '--bwlimit <RATE[:RATE]>': must be at least 1k, or off
      hint: see 'cec scp --help'
    [exit code 2]
    $ cec scp --tpslimit 0 a cells://personal-files
    [stderr]
    error: invalid value '0' for '--tpslimit <N>': expected a number of requests a second, at least 0.1
      hint: see 'cec scp --help'
    [exit code 2]
    $ cec scp --max-duration 0 a cells://personal-files
    [stderr]
    error: invalid value '0' for '--max-duration <DURATION>': expected a duration such as 90s, 2m or 500ms
      hint: see 'cec scp --help'
    [exit code 2]
    $ cec scp --max-transfer 1M - cells://personal-files/b
    [stderr]
    error: --max-transfer and --max-duration have no effect on standard input and output
    [exit code 2]
    ");
}

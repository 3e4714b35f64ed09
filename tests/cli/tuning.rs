//! The flags of `cec scp` for speed, retries and verification: each has an effect that the server can see.

use std::fs;
use std::time::{Duration, Instant};

use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::World;

const MEBIBYTE: u64 = 1024 * 1024;

fn local(world: &World, name: &str, size: u64) {
    let file = fs::File::create(world.home().join(name)).expect("a file");
    file.set_len(size).expect("a size");
}

/// How many requests of this kind there were.
fn count(world: &World, method: &str, path: &str, query: &str) -> usize {
    let matches = |request: &&cells_sandbox::RequestRecord| {
        request.method == method && request.path.starts_with(path) && request.query.contains(query)
    };
    world.sandbox.requests().iter().filter(matches).count()
}

/// How many parts a file of `size` bytes goes in: zero where it goes in one piece.
fn parts(size: u64, flags: &[&str], variables: &[(&str, &str)]) -> usize {
    let world = World::new();
    local(&world, "file", size);
    let arguments = ["scp", "-q", "file", "cells://common-files"];
    let cec = world.cec(arguments.into_iter().chain(flags.iter().copied()));
    let cec = variables.iter().fold(cec, |cec, (name, value)| cec.env(name, value));
    cec.run().is(0, "", "");
    assert!(world.tree().read("common-files/file") == Some(vec![0; size as usize]));
    let parts = count(&world, "PUT", "/io/", "partNumber");
    assert_eq!(count(&world, "PUT", "/io/", ""), parts.max(1), "each part once");
    parts
}

#[test]
fn part_size_threshold_and_number_decide_on_the_parts() {
    let size = 45 * MEBIBYTE;
    for (flags, expected) in [
        (&[][..], 0),
        (&["--multipart-threshold", "45"], 0),
        (&["--multipart-threshold", "44"], 1),
        (&["--multipart-threshold", "10", "--part-size", "10"], 5),
        (&["--multipart-threshold", "10", "--part-size", "20"], 3),
        (&["--multipart-threshold", "10", "--part-size", "10", "--max-parts-number", "2"], 2),
        (&["--multipart_threshold", "10", "--part_size", "20"], 3),
    ] {
        assert_eq!(parts(size, flags, &[]), expected, "{flags:?}");
    }
    let variables = [("CEC_MULTIPART_THRESHOLD", "10"), ("CEC_PART_SIZE", "10"), ("CEC_MAX_PARTS_NUMBER", "3")];
    assert_eq!(parts(size, &[], &variables), 3);
    assert_eq!(parts(size, &["--max-parts-number", "100"], &variables), 5, "a flag wins over its variable");
}

/// Asserts how many requests are in flight at once where none is answered.
#[track_caller]
fn in_flight(
    world: &World,
    source: &str,
    query: &str,
    flags: &[&str],
    variable: Option<(&str, &str)>,
    expected: usize,
) {
    world.sandbox.clear_requests();
    let arguments = ["scp", "-f", source, "cells://common-files"];
    let cec = world.cec(arguments.into_iter().chain(flags.iter().copied()));
    let cec = variable.into_iter().fold(cec, |cec, (name, value)| cec.env(name, value));
    let mut child = cec.spawn();
    let deadline = Instant::now() + Duration::from_secs(20);
    while count(world, "PUT", "/io/", query) < expected && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    // There is no sign of what does not come.
    std::thread::sleep(Duration::from_millis(300));
    let found = count(world, "PUT", "/io/", query);
    child.kill().expect("an end");
    child.wait().expect("an end");
    assert_eq!(found, expected, "{flags:?} {variable:?}");
}

#[test]
fn transfers_says_how_many_files_move_at_once() {
    let world = World::new();
    fs::create_dir(world.home().join("tree")).expect("a folder");
    for number in 0..12 {
        local(&world, &format!("tree/{number}"), 10);
    }
    world.sandbox.faults().add(Fault::on("PUT", "/io/").hang().always());
    in_flight(&world, "tree", "", &[], None, 8);
    in_flight(&world, "tree", "", &["--transfers", "auto"], None, 8);
    in_flight(&world, "tree", "", &["--transfers", "3"], None, 3);
    in_flight(&world, "tree", "", &[], Some(("CEC_TRANSFERS", "5")), 5);
    in_flight(&world, "tree", "", &["--transfers", "auto"], Some(("CEC_TRANSFERS", "5")), 8);
}

#[test]
fn parts_concurrency_says_how_many_parts_move_at_once() {
    let world = World::new();
    local(&world, "large", 61 * MEBIBYTE);
    world.sandbox.faults().add(Fault::on("PUT", "/io/").hang().always());
    let small = ["--multipart-threshold", "10", "--part-size", "10"];
    in_flight(&world, "large", "partNumber", &small, None, 2);
    in_flight(&world, "large", "partNumber", &[&small[..], &["--parts-concurrency", "4"]].concat(), None, 4);
    in_flight(&world, "large", "partNumber", &small, Some(("CEC_PARTS_CONCURRENCY", "1")), 1);
}

#[test]
fn retry_max_attempts_counts_the_requests() {
    for (flags, variable, expected) in [
        (&["--retry-max-attempts", "1"][..], None, 1),
        (&["--retry-max-attempts", "3"], None, 3),
        (&["--retry_max_attempts", "2"], None, 2),
        (&[], Some("4"), 4),
    ] {
        let world = World::new();
        local(&world, "file", 10);
        world.sandbox.faults().add(Fault::on("PUT", "/io/").status(503).always());
        let cec = world.cec(["scp", "file", "cells://common-files"].into_iter().chain(flags.iter().copied()));
        let run = variable.into_iter().fold(cec, |cec, value| cec.env("CEC_RETRY_MAX_ATTEMPTS", value)).run();
        assert_eq!((run.code, run.stdout.as_str()), (6, ""), "{}", run.stderr);
        assert!(run.stderr.contains("HTTP 503"), "{}", run.stderr);
        assert_eq!(count(&world, "PUT", "/io/", ""), expected, "{flags:?}");
    }
}

#[test]
fn no_attempts_at_all_set_no_limit() {
    for (flags, variable) in [(&["--retry-max-attempts", "0"][..], None), (&[], Some("0"))] {
        let world = World::new();
        local(&world, "file", 10);
        world.sandbox.faults().add(Fault::on("PUT", "/io/").status(503).times(12));
        let cec = world.cec(["scp", "-q", "file", "cells://common-files"].into_iter().chain(flags.iter().copied()));
        let run = variable.into_iter().fold(cec, |cec, value| cec.env("CEC_RETRY_MAX_ATTEMPTS", value));
        // No pause is none as well.
        run.env("CEC_RETRY_MAX_BACKOFF", "0s").run().is(0, "", "");
        assert_eq!(count(&world, "PUT", "/io/", ""), 13, "{flags:?}");
    }
    let world = World::new();
    world.put("common-files/file", "x");
    world.sandbox.faults().add(Fault::on("*", "/a/").status(503).times(7));
    let run = world.cec(["ls", "-r", "common-files"]).env("CEC_RETRY_MAX_ATTEMPTS", "0").run();
    run.is(0, "common-files/file\n", "");
}

#[test]
fn values_that_the_older_client_takes_are_taken() {
    let size = 45 * MEBIBYTE;
    for (flags, expected) in [
        (&["--multipart-threshold", "0", "--part-size", "20"][..], 3),
        (&["--multipart-threshold", "10", "--part-size", "10", "--parts-concurrency", "0"], 5),
        (&["--multipart-threshold", "10", "--part-size", "10", "--max-parts-number", "20000"], 5),
        (&["--multipart-threshold", "10", "--part-size", "10", "--retry-max-backoff", "0"], 5),
    ] {
        assert_eq!(parts(size, flags, &[]), expected, "{flags:?}");
    }
}

#[test]
fn variables_say_how_much_is_shown() {
    let world = World::new();
    local(&world, "file", 10);
    let scp = |name: &str, value: &str, flags: &[&str]| {
        let target = format!("cells://common-files/{name}{}/", flags.len());
        let run = world.cec([&["scp", "file", target.as_str()], flags].concat()).env(name, value).run();
        assert_eq!(run.code, 0, "{name}={value}: {run:?}");
        run.stderr
    };
    assert!(scp("CEC_VERBOSE", "t", &[]).contains("folder cells://common-files/CEC_VERBOSE0"));
    assert!(!scp("CEC_VERBOSE", "true", &["--verbose=false"]).contains("folder cells://"), "a flag wins");
    assert!(scp("CEC_VERY_VERBOSE", "1", &[]).contains("/io/common-files/CEC_VERY_VERBOSE0/file"));
    assert!(scp("CEC_MULTIPART_DEBUG_FLAGS", "signing | retries", &[]).contains("is deprecated"));
    let run = world.cec(["scp", "-f", "file", "cells://common-files"]).env("CEC_MULTIPART_DEBUG_FLAGS", "x").run();
    assert_snapshot!(run, @"
    [stderr]
    error: the environment variable CEC_MULTIPART_DEBUG_FLAGS has an invalid value: 'x' is not one of signing, retries, request, request_with_body, response, response_with_body, deprecated_usage, request_event_message, response_event_message
    [exit code 2]
    ");
}

#[test]
fn retry_max_backoff_bounds_the_pauses() {
    let world = World::new();
    local(&world, "file", 10);
    world.sandbox.faults().add(Fault::on("PUT", "/io/").status(503).always());
    for (flags, variable) in [(&["--retry-max-backoff", "1ms"][..], None), (&[], Some("1ms"))] {
        let arguments = ["scp", "-v", "--retry-max-attempts", "8", "file", "cells://common-files"];
        let cec = world.cec(arguments.into_iter().chain(flags.iter().copied()));
        let run = variable.into_iter().fold(cec, |cec, value| cec.env("CEC_RETRY_MAX_BACKOFF", value)).run();
        let pauses = run.stderr.lines().filter(|line| line.contains("retrying in 0.0 s: ")).count();
        assert_eq!((run.code, pauses), (6, 7), "{}", run.stderr);
    }
    for wrong in [("--retry-max-backoff", "soon"), ("--transfers", "many")] {
        assert_eq!(world.cec(["scp", wrong.0, wrong.1, "file", "cells://common-files"]).run().code, 2);
    }
}

#[test]
fn skip_md5_takes_an_answer_whose_hash_is_another() {
    for (flags, variable, expected) in [
        (&[][..], None, (9, 2)),
        (&["--skip-md5"], None, (0, 1)),
        (&[], Some("yes"), (0, 1)),
        (&[], Some("no"), (9, 2)),
    ] {
        let world = World::new();
        local(&world, "file", 10);
        let wrong = Fault::on("PUT", "/io/").set_header("Etag", "\"0123456789abcdef0123456789abcdef\"").always();
        world.sandbox.faults().add(wrong);
        let arguments = ["scp", "--retry-max-attempts", "2", "file", "cells://common-files"];
        let cec = world.cec(arguments.into_iter().chain(flags.iter().copied()));
        let run = variable.into_iter().fold(cec, |cec, value| cec.env("CEC_SKIP_MD5", value)).run();
        assert_eq!((run.code, count(&world, "PUT", "/io/", "")), expected, "{flags:?}: {}", run.stderr);
    }
}

#[test]
fn very_verbose_says_every_request_and_no_secret() {
    let world = World::new();
    local(&world, "file", 25 * MEBIBYTE);
    for flag in ["-w", "--very-verbose", "--very_verbose"] {
        let arguments = ["scp", "-f", flag, "--multipart-threshold", "10", "file", "cells://common-files"];
        let run = world.cec(arguments).run();
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
        for part in ["POST", "PUT", "/io/common-files/file", "partNumber=1", "status=200"] {
            assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        }
        fs::remove_file(world.home().join("file")).expect("a file");
        local(&world, "file", 25 * MEBIBYTE + flag.len() as u64);
    }
}

#[test]
fn the_older_clients_debug_flags_log_and_say_that_they_are_out_of_date() {
    let world = World::new();
    local(&world, "file", 10);
    let run = world.cec(["scp", "--multipart-debug-flags", "request | retries", "file", "cells://common-files"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("warning: --multipart-debug-flags is deprecated"), "{}", run.stderr);
    assert!(run.stderr.contains("/io/common-files/file"), "{}", run.stderr);
    let run = world.cec(["scp", "--multipart-debug-flags", "nonsense", "file", "cells://common-files"]).run();
    assert_eq!(run.code, 2, "{}", run.stderr);
}

use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::World;

fn world() -> World {
    let world = World::new();
    world.put("common-files/a.txt", "hello world");
    world.put("common-files/b.txt", "second\n");
    world.put("common-files/empty", "");
    world
}

#[test]
fn content_is_written_as_it_is() {
    let world = world();
    let binary: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    world.tree().put("common-files/binary", &binary).expect("a file");
    assert_eq!(world.cec(["cat", "cells://common-files/binary"]).run().bytes, binary);
    world.cec(["cat", "cells://common-files/a.txt"]).run().is(0, "hello world", "");
    world.cec(["cat", "common-files/a.txt", "common-files/b.txt"]).run().is(0, "hello worldsecond\n", "");
    world.cec(["cat", "cells://common-files/*.txt"]).run().is(0, "hello worldsecond\n", "");
    world.cec(["cat", "cells://common-files/empty"]).run().is(0, "", "");
}

#[test]
fn what_the_server_encrypts_is_compared_by_its_content_hash() {
    let world = World::new();
    assert!(world.tree().encrypt("common-files"));
    world.put("common-files/file", "a secret");
    world.put("common-files/empty", "");
    world.cec(["cat", "cells://common-files/file"]).run().is(0, "a secret", "");
    world.cec(["cat", "cells://common-files/empty"]).run().is(0, "", "");
    world.tree().set_hash("common-files/file", "00000000000000000000000000000000");
    assert_eq!(world.cec(["cat", "cells://common-files/file"]).run().code, 9);
}

#[test]
fn ranges_are_cut_out() {
    let world = world();
    let cat = |flags: &[&str]| world.cec([&["cat", "cells://common-files/a.txt"], flags].concat()).run();
    cat(&["--offset", "6"]).is(0, "world", "");
    cat(&["--offset", "6", "--count", "3"]).is(0, "wor", "");
    cat(&["--count", "5"]).is(0, "hello", "");
    cat(&["--count", "0"]).is(0, "", "");
    cat(&["--offset", "99"]).is(0, "", "");
    cat(&["--offset", "10", "--count", "99"]).is(0, "d", "");
    assert_eq!(cat(&["--offset", "-1"]).code, 2);
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_goes_on() {
    let world = world();
    world.mkdir("common-files/folder");
    assert_snapshot!(world.cec(["cat", "cells://common-files/folder"]).run(), @"
    [stderr]
    error: 'common-files/folder' is a folder
      while: reading common-files/folder
    [exit code 1]
    ");
    let run = world.cec(["cat", "cells://common-files/nope", "cells://common-files/b.txt"]).run();
    assert_snapshot!(run, @"
    [stdout]
    second
    [stderr]
    error: 'common-files/nope' does not exist
    [exit code 7]
    ");
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_was() {
    let world = world();
    let content: String = (0..50_000).map(|number| format!("{number}\n")).collect();
    world.put("common-files/long", &content);
    world.sandbox.faults().add(Fault::on("GET", "common-files/long").cut_response_at(100_000).times(2));
    world.cec(["cat", "cells://common-files/long"]).run().is(0, &content, "");
}

#[test]
fn damage_on_the_way_is_noticed() {
    let world = world();
    world.sandbox.faults().add(Fault::on("GET", "common-files/a.txt").corrupt_response_at(3).skip(1));
    let run = world.cec(["cat", "cells://common-files/a.txt"]).run();
    assert_eq!(run.code, 9, "{run:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_told_once() {
    let world = world();
    world.put("common-files/big", &"x".repeat(100_000));
    for arguments in [
        &["cat", "common-files/a.txt"][..],
        &["cat", "common-files/big", "common-files/a.txt"],
        &["ls", "common-files", "common-files/big"],
        &["stat", "common-files/big"],
    ] {
        let run = world.cec(arguments.iter().copied()).stdout_to("/dev/full").run();
        assert_eq!((run.code, run.stderr.matches("error: ").count()), (1, 1), "{run:?}");
        assert!(run.stderr.starts_with("error: cannot write to standard output: "), "{run:?}");
    }
    let arguments = ["ls", "common-files/big", "common-files/nope", "common-files/neither"];
    let run = world.cec(arguments).stdout_to("/dev/full").run();
    assert_eq!((run.code, run.stderr.matches("standard output").count()), (1, 1), "{run:?}");
}

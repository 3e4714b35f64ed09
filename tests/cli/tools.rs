//! `cec tools`.

use std::fs;

use insta::assert_snapshot;

use crate::support::World;

const ONE: &str = "7560ae5b45015d74f860794ed60ed6f0";

#[test]
fn hashes_are_those_of_the_server_and_raw_ones_stand_alone() {
    let world = World::new();
    fs::write(world.home().join("one.txt"), "one\n").expect("a file");
    fs::write(world.home().join("empty"), "").expect("a file");
    world.signed_out(["tools", "hash", "-f", "one.txt", "-r"]).run().is(0, "7560ae5b45015d74f860794ed60ed6f0\n", "");
    let run = world.signed_out(["tools", "hash", "one.txt", "empty"]).run();
    run.is(0, &format!("{ONE}  one.txt\n59adb24ef3cdbe0297f05b395827453f  empty\n"), "");
    world.signed_out(["tools", "hash", "-r", "-"]).input("one\n").run().is(0, &format!("{ONE}\n"), "");
    let sha = world.signed_out(["tools", "hash", "--algorithm", "sha256", "-r", "empty"]).run();
    sha.is(0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n", "");
    let md5 = world.signed_out(["tools", "hash", "--algorithm", "md5", "--json", "one.txt"]).run();
    md5.is(
        0,
        "[{\"path\":\"one.txt\",\"algorithm\":\"md5\",\"hash\":\"5bbf5a52328e7439ae6e719dfe712200\",\"size\":4}]\n",
        "",
    );
}

#[test]
fn a_file_that_cannot_be_hashed_is_no_success() {
    let world = World::new();
    fs::write(world.home().join("one.txt"), "one\n").expect("a file");
    let run = world.signed_out(["tools", "hash", "-f", "nope"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{run:?}");
    assert!(run.stderr.starts_with("error: cannot read nope: "), "{run:?}");
    assert_eq!(world.signed_out(["tools", "hash", "nope", "one.txt"]).run().code, 7);
    assert_eq!(world.signed_out(["tools", "hash"]).run().code, 2);
}

#[test]
fn a_list_of_hashes_is_compared_with_the_files() {
    let world = World::new();
    for (name, content) in [("a b.txt", "one\n"), ("c.txt", "two\n")] {
        fs::write(world.home().join(name), content).expect("a file");
    }
    let list = world.signed_out(["tools", "hash", "a b.txt", "c.txt"]).run().stdout;
    fs::write(world.home().join("list"), &list).expect("a file");
    world.signed_out(["tools", "hash", "--check", "list"]).run().is(0, "a b.txt: OK\nc.txt: OK\n", "");
    fs::write(world.home().join("c.txt"), "TWO\n").expect("a file");
    world.signed_out(["tools", "hash", "--check", "-"]).input(&list).run().is(7, "a b.txt: OK\nc.txt: FAILED\n", "");
    let only = list.lines().last().expect("a line").to_owned();
    let json = world.signed_out(["tools", "hash", "--check", "-", "--json"]).input(&only).run();
    json.is(9, "[{\"path\":\"c.txt\",\"matches\":false}]\n", "");
    fs::remove_file(world.home().join("c.txt")).expect("a file");
    assert_eq!(world.signed_out(["tools", "hash", "--check", "-"]).input(&only).run().code, 3);
    for text in ["", "no hash here", "0123  x"] {
        let run = world.signed_out(["tools", "hash", "--check", "-"]).input(text).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{text:?} {run:?}");
    }
}

#[test]
fn a_manifest_is_compared_with_the_files() {
    let world = World::new();
    let tree = world.home().join("tree");
    fs::create_dir(&tree).expect("a folder");
    for (name, content) in [("a b.txt", "one\n"), ("c.txt", "two\n"), ("empty", "")] {
        fs::write(tree.join(name), content).expect("a file");
    }
    let up = world.cec(["scp", "-q", "--manifest", "up", "tree", "cells://common-files"]).run();
    let down = world.cec(["scp", "-q", "--manifest", "down", "cells://common-files/tree", "back"]).run();
    assert_eq!((up.code, down.code), (0, 0), "{up:?} {down:?}");
    let check = |list: &str| {
        let run = world.signed_out(["tools", "hash", "--check", list]).run();
        let mut lines: Vec<String> = run.stdout.lines().map(str::to_owned).collect();
        lines.sort();
        (run.code, lines)
    };
    let (code, lines) = check("up");
    assert_eq!(
        (code, lines),
        (0, ["tree/a b.txt: OK", "tree/c.txt: OK", "tree/empty: OK"].map(str::to_owned).to_vec())
    );
    assert_eq!(check("down").0, 0);
    fs::write(world.home().join("back/c.txt"), "twO\n").expect("a file");
    let (code, lines) = check("down");
    assert_eq!((code, lines[1].as_str()), (7, "back/c.txt: FAILED"));
    fs::remove_file(world.home().join("back/c.txt")).expect("a file");
    assert_eq!(check("down").0, 7);
    let failed =
        r#"{"type":"file","direction":"download","source":"s","target":"t","size":1,"status":"failed","etag":null}"#;
    let run = world.signed_out(["tools", "hash", "--check", "-"]).input(failed).run();
    run.is(9, "t: FAILED\n", "");
}

#[cfg(unix)]
#[test]
fn names_with_line_breaks_are_written_as_md5sum_does() {
    let world = World::new();
    fs::write(world.home().join("a\nb"), "x").expect("a file");
    fs::write(world.home().join("c\\d"), "y").expect("a file");
    let run = world.signed_out(["tools", "hash", "--algorithm", "md5", "a\nb", "c\\d"]).run();
    let listed = "\\9dd4e461268c8034f5c8564e155c67a6  a\\nb\n\\415290769594460e2e485922904f345d  c\\\\d\n";
    run.is(0, listed, "");
    let run = world.signed_out(["tools", "hash", "--algorithm", "md5", "--check", "-"]).input(listed).run();
    run.is(0, "\\a\\nb: OK\n\\c\\\\d: OK\n", "");
}

#[test]
fn questions_about_versions_are_answered_as_by_the_older_client() {
    let world = World::new();
    for (arguments, code, stdout, stderr) in [
        (&["isvalid", "1.2.3"][..], 0, "", ""),
        (&["isvalid", "1.2.x"], 1, "", "[1.2.x] is *not* a valid version\n"),
        (&["isrelease", "1.2.3-dev"], 1, "", "[1.2.3-dev] is *not* a valid release version\n"),
        (&["isrelease", "v1.2.3"], 0, "", ""),
        (&["isgreater", "1.2.4", "1.2.3"], 0, "", ""),
        (&["isgreater", "1.2.2", "1.2.3"], 1, "", "[1.2.2] is *not* greater than [1.2.3]\n"),
        (&["isgreater", "1.2.2", "1.2.3", "-q"], 0, "0\n", ""),
        (&["isgreater", "1.10.0", "1.9.9", "-q"], 0, "1\n", ""),
        (&["isgreater", "foo", "4.4.0", "-q"], 0, "0\n", ""),
        (&["isgreater", "4.4.0", "", "-q"], 0, "0\n", ""),
        (&["isrelease", "1.2.3", "--json"], 0, "{\"answer\":true}\n", ""),
    ] {
        let arguments = ["tools", "version"].iter().chain(arguments).copied();
        world.signed_out(arguments).run().is(code, stdout, stderr);
    }
    let run = world.signed_out(["tools", "version", "isgreater", "new", "1.2.3"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'new' is not a valid version
    [exit code 2]
    ");
}

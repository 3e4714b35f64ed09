use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::{World, fields};

fn world() -> World {
    let world = World::new();
    world.put("common-files/a/report.PDF", "12345");
    world.put("common-files/a/b/old.txt", "123");
    world.put("common-files/a/b/.hidden.txt", "1");
    world.put("common-files/a/b/c/deep.txt", "12");
    world.put("common-files/recycle_bin/gone.txt", "1");
    assert!(world.tree().set_mtime("common-files/a/b/old.txt", 1_600_000_000));
    world
}

fn found(world: &World, flags: &[&str]) -> String {
    let run = world.cec([&["find", "common-files/a"], flags].concat()).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    run.stdout.replace("common-files/a", "A").replace('\n', " ")
}

#[test]
fn everything_below_is_found_in_order_hidden_names_too() {
    let world = world();
    assert_eq!(found(&world, &[]), "A/ A/b/ A/b/c/ A/b/c/deep.txt A/b/old.txt A/b/.hidden.txt A/report.PDF ");
}

#[test]
fn all_conditions_must_hold() {
    let world = world();
    for (flags, expected) in [
        (&["--name", "*.txt"][..], "A/b/c/deep.txt A/b/old.txt A/b/.hidden.txt "),
        (&["--name", "*.pdf"], ""),
        (&["--iname", "*.pdf"], "A/report.PDF "),
        (&["--name", "{b,c}"], "A/b/ A/b/c/ "),
        (&["--type", "d"], "A/ A/b/ A/b/c/ "),
        (&["--type", "f", "--min-size", "3"], "A/b/old.txt A/report.PDF "),
        (&["--max-size", "1b"], "A/b/.hidden.txt "),
        (&["--min-age", "1d"], "A/b/old.txt "),
        (&["--type", "f", "--max-age", "1h", "--name", "?*.txt"], "A/b/c/deep.txt A/b/.hidden.txt "),
        (&["--max-depth", "0"], "A/ "),
        (&["--max-depth", "1"], "A/ A/b/ A/report.PDF "),
        (&["--max-depth", "2", "--type", "f"], "A/b/old.txt A/b/.hidden.txt A/report.PDF "),
    ] {
        assert_eq!(found(&world, flags), expected, "{flags:?}");
    }
}

#[test]
fn paths_may_end_in_nul() {
    let world = world();
    let run = world.cec(["find", "-0", "common-files/a", "--name", "old*"]).run();
    assert_eq!((run.code, run.bytes.as_slice()), (0, &b"common-files/a/b/old.txt\0"[..]));
}

#[test]
fn the_recycle_bin_is_looked_into_only_where_it_is_named() {
    let world = world();
    world.cec(["find", "common-files", "--name", "gone*"]).run().is(0, "", "");
    let run = world.cec(["find", "common-files/recycle_bin", "--name", "gone*"]).run();
    run.is(0, "common-files/recycle_bin/gone.txt\n", "");
    let everywhere = world.cec(["find", "/", "--name", "old.txt"]).run();
    everywhere.is(0, "common-files/a/b/old.txt\n", "");
}

#[test]
fn a_folder_that_cannot_be_listed_does_not_end_it() {
    let world = world();
    world.put("common-files/a/z/last.txt", "");
    world.put("common-files/a/bad/x.txt", "");
    let bad = Fault::on("POST", "/a/meta/bulk/get")
        .status(403)
        .body("application/json", "{\"Title\":\"no\",\"Detail\":\"Forbidden: no\"}");
    // The second listing that is asked for is that of one of the folders.
    world.sandbox.faults().add(bad.skip(1).times(1));
    let run = world.cec(["find", "common-files/a", "--type", "f"]).run();
    assert_eq!(run.code, 7, "{run:?}");
    // The folders are listed at the same time, so any of them may be the one.
    let all = ["b/.hidden.txt", "b/c/deep.txt", "b/old.txt", "bad/x.txt", "report.PDF", "z/last.txt"];
    let folder = ["b", "bad", "z"]
        .into_iter()
        .find(|folder| run.stderr == format!("error: no\n  while: listing common-files/a/{folder}\n"));
    let lost = format!("{}/", folder.unwrap_or_else(|| panic!("{run:?}")));
    let expected = all.iter().filter(|path| !path.starts_with(&lost)).map(|path| format!("common-files/a/{path}"));
    let mut found: Vec<&str> = run.stdout.lines().collect();
    found.sort_unstable();
    assert_eq!(found, expected.collect::<Vec<_>>(), "{run:?}");
}

#[test]
fn json_has_a_node_a_line_and_a_summary() {
    let world = world();
    let run = world.cec(["find", "--json", "common-files/a", "--type", "f"]).run();
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((run.code, lines.len()), (0, 5), "{run:?}");
    assert_eq!(fields(&lines[0])[..3], ["path", "name", "type"]);
    let summary =
        serde_json::json!({"type": "summary", "schema": 1, "files": 4, "folders": 0, "bytes": 11, "failed": 0});
    assert_eq!(lines[4], summary);
}

#[test]
fn what_cannot_be_meant_is_refused_and_what_is_missing_not_found() {
    let world = world();
    for flags in [&["--name", "[]"][..], &["--min-size", "big"], &["--max-age", "soon"], &["--type", "x"]] {
        assert_eq!(world.cec([&["find", "common-files"], flags].concat()).run().code, 2, "{flags:?}");
    }
    assert_eq!(world.cec(["find"]).run().code, 2);
    assert_snapshot!(world.cec(["find", "common-files/none"]).run(), @"
    [stderr]
    error: 'common-files/none' does not exist
    [exit code 3]
    ");
}

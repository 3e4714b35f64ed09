use insta::assert_snapshot;

use crate::support::World;

fn world() -> World {
    let world = World::new();
    world.put("common-files/a/one", "12345");
    world.put("common-files/a/b/.hidden", "123");
    world.put("common-files/a/b/two", "1");
    world.put("common-files/top", "12");
    world.put("common-files/recycle_bin/gone", "1234567");
    world
}

#[test]
fn folders_are_summed_up_the_inner_ones_first() {
    let world = world();
    let run = world.cec(["du", "common-files"]).run();
    assert_snapshot!(run, @"
    [stdout]
    4	common-files/a/b
    9	common-files/a
    11	common-files
    [stderr]
    the recycle bin is not counted; to count it: cec du -s common-files/recycle_bin
    [exit code 0]
    ");
    world.cec(["du", "-s", "common-files/*"]).run().is(0, "9\tcommon-files/a\n2\tcommon-files/top\n", "");
    world.cec(["du", "-s", "common-files/recycle_bin"]).run().is(0, "7\tcommon-files/recycle_bin\n", "");
    let all = world.cec(["du", "-s"]).run();
    assert_snapshot!(all, @"
    [stdout]
    0	a1-priv
    0	a1-ro
    11	common-files
    0	personal-files
    [stderr]
    the recycle bin is not counted; to count it: cec du -s common-files/recycle_bin
    [exit code 0]
    ");
}

#[test]
fn json_tells_files_and_folders_as_well() {
    let world = world();
    let run = world.cec(["du", "--json", "common-files/a", "common-files/top"]).run();
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let expected = serde_json::json!([
        {"path": "common-files/a/b", "bytes": 4, "files": 2, "folders": 1},
        {"path": "common-files/a", "bytes": 9, "files": 3, "folders": 1},
        {"path": "common-files/top", "bytes": 2, "files": 1, "folders": 0},
        {"type": "summary", "schema": 1, "files": 4, "folders": 1, "bytes": 11, "failed": 0},
    ]);
    assert_eq!(serde_json::Value::from(lines), expected);
}

#[test]
fn what_is_missing_is_not_found() {
    let world = world();
    let partly = world.cec(["du", "-s", "common-files/none", "common-files/a"]).run();
    assert_snapshot!(partly, @"
    [stdout]
    9	common-files/a
    [stderr]
    error: 'common-files/none' does not exist
    [exit code 7]
    ");
}

use insta::assert_snapshot;

use crate::support::World;

fn world() -> World {
    let world = World::new();
    world.put("common-files/a/b/two", "1");
    world.put("common-files/a/one", "12345");
    world.put("common-files/a/.hidden", "");
    world.put("common-files/z", "12");
    world
}

#[test]
fn a_tree_is_drawn() {
    let world = world();
    assert_snapshot!(world.cec(["tree", "common-files"]).run(), @"
    [stdout]
    common-files
    ├── a/
    │   ├── b/
    │   │   └── two
    │   └── one
    └── z
    [stderr]
    2 folders, 3 files, 8 B
    [exit code 0]
    ");
    assert_snapshot!(world.cec(["tree", "-a", "common-files/a"]).run(), @"
    [stdout]
    common-files/a
    ├── b/
    │   └── two
    ├── one
    └── .hidden
    [stderr]
    1 folder, 3 files, 6 B
    [exit code 0]
    ");
}

#[test]
fn only_so_many_levels_are_shown() {
    let world = world();
    assert_snapshot!(world.cec(["tree", "-q", "-L", "1", "common-files"]).run(), @"
    [stdout]
    common-files
    ├── a/
    └── z
    [exit code 0]
    ");
    let all = world.cec(["tree", "-q", "-L1"]).run();
    assert_snapshot!(all, @"
    [stdout]
    /
    ├── a1-priv/
    ├── a1-ro/
    ├── common-files/
    └── personal-files/
    [exit code 0]
    ");
    assert_eq!(world.cec(["tree", "-L", "0"]).run().code, 2);
}

#[test]
fn a_folder_of_many_pages_has_one_last_name() {
    let world = World::new();
    world.tree().generate("common-files/many", 1000, 1).expect("files");
    let run = world.cec(["tree", "-q", "common-files/many"]).run();
    assert_eq!((run.code, run.stdout.matches("├──").count(), run.stdout.matches("└──").count()), (0, 999, 1));
}

#[test]
fn json_has_a_node_a_line() {
    let world = world();
    let run = world.cec(["tree", "--json", "common-files/a"]).run();
    let paths: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["path"].clone())
        .collect();
    assert_eq!(paths[..3], ["common-files/a/b", "common-files/a/b/two", "common-files/a/one"]);
    assert_eq!(world.cec(["tree", "common-files/none"]).run().code, 3);
}

#[test]
fn levels_start_at_one() {
    let run = World::new().cec(["tree", "-L", "0"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.starts_with("error: invalid value '0' for '--level <N>': at least 1"), "{}", run.stderr);
}

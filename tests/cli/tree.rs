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
    world.cec(["tree", "common-files"]).run().is(
        0,
        "common-files\n├── a/\n│   ├── b/\n│   │   └── two\n│   └── one\n└── z\n",
        "2 folders, 3 files, 8 B\n",
    );
    world.cec(["tree", "-a", "common-files/a"]).run().is(
        0,
        "common-files/a\n├── b/\n│   └── two\n├── one\n└── .hidden\n",
        "1 folder, 3 files, 6 B\n",
    );
}

#[test]
fn only_so_many_levels_are_shown() {
    let world = world();
    world.cec(["tree", "-q", "-L", "1", "common-files"]).run().is(0, "common-files\n├── a/\n└── z\n", "");
    let all = world.cec(["tree", "-q", "-L1"]).run();
    all.is(0, "/\n├── a1-priv/\n├── a1-ro/\n├── common-files/\n└── personal-files/\n", "");
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

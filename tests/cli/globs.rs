use insta::assert_snapshot;

use crate::support::World;

#[test]
fn patterns_see_all_children_not_the_first_hundred() {
    let world = World::new();
    world.tree().generate("common-files/many", 650, 1).expect("files");
    let run = world.cec(["ls", "common-files/many/*"]).run();
    assert_eq!((run.code, run.stdout.lines().count(), run.stderr.as_str()), (0, 650, ""));
    assert_snapshot!(world.cec(["ls", "common-files/many/*064[0-2]*"]).run(), @"
    [stdout]
    file-0000640.bin
    file-0000641.bin
    file-0000642.bin
    [exit code 0]
    ");
}

#[test]
fn patterns_reach_through_folders() {
    let world = World::new();
    for path in ["a/x.pdf", "a/b/y.pdf", "a/b/y.txt", "c/z.pdf", "c/.w.pdf"] {
        world.put(&format!("common-files/{path}"), "");
    }
    let list = |path: &str| world.cec(["ls", path]).run().stdout;
    assert_eq!(list("common-files/*/*.pdf"), "common-files/a/x.pdf\ncommon-files/c/z.pdf\n");
    let all = "common-files/a/b/y.pdf\ncommon-files/a/x.pdf\ncommon-files/c/z.pdf\n";
    assert_eq!(list("common-files/**/*.pdf"), all);
    assert_eq!(list("common-files/a/b/y.{txt,pdf}"), "y.pdf\ny.txt\n");
    assert_eq!(list("common-files/c/.*"), ".w.pdf\n");
    // A folder that a pattern matches is shown, not entered.
    assert_eq!(list("common-files/?"), "a/\nc/\n");
}

#[test]
fn a_pattern_that_matches_nothing_is_not_found() {
    let world = World::new();
    assert_snapshot!(world.cec(["ls", "common-files/*.nope"]).run(), @"
    [stderr]
    error: nothing matches 'common-files/*.nope'
    [exit code 3]
    ");
    let run = world.cec(["rm", "-f", "common-files/*.nope"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: nothing matches 'common-files/*.nope'
    [exit code 3]
    ");
}

#[test]
fn literal_names_win_and_no_glob_takes_them_as_they_are() {
    let world = World::new();
    world.put("common-files/a[1].txt", "");
    world.put("common-files/a1.txt", "");
    world.cec(["ls", "common-files/a[1].txt"]).run().is(0, "a[1].txt\n", "");
    assert_snapshot!(world.cec(["ls", "--no-glob", "common-files/a?.txt"]).run(), @"
    [stderr]
    error: 'common-files/a?.txt' does not exist
    [exit code 3]
    ");
}

#[test]
fn a_pattern_that_cannot_be_read_is_a_matter_of_usage() {
    let world = World::new();
    let run = world.cec(["ls", "common-files/z[]"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/z[]' is not a valid pattern: empty brackets
      while: looking for common-files/z[]
      hint: use --no-glob to take names literally
    [exit code 2]
    ");
}

#[test]
fn rm_takes_everything_that_a_pattern_matches() {
    let world = World::new();
    world.tree().generate("common-files/many", 230, 1).expect("files");
    world.put("common-files/many/keep.txt", "");
    let run = world.cec(["rm", "-f", "common-files/many/*.bin"]).run();
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.lines().count()), (0, "", 231));
    assert!(run.stderr.starts_with("'common-files/many/*.bin' matches 230 items\n"), "{run:?}");
    assert_eq!(world.tree().list("common-files/many"), ["keep.txt"]);
    assert_eq!(world.tree().list("common-files/recycle_bin").len(), 230);
}

#[test]
fn the_recycle_bin_is_matched_by_its_name_only() {
    let world = World::new();
    for path in ["reports/a", "reports/recycle_bin", "recycle_bin/old/b", "recycle_bin/c"] {
        world.put(&format!("common-files/{path}"), "");
    }
    let list = |path: &str| world.cec(["ls", "-r", path]).run().stdout;
    for path in ["common-files/*", "common-files/re*", "common-files/{recycle_bin,reports}"] {
        assert_eq!(list(path), "common-files/reports/\n", "{path}");
    }
    for path in ["common-files/**", "common-f*/**"] {
        assert_eq!(
            list(path),
            "common-files/reports/\ncommon-files/reports/a\ncommon-files/reports/recycle_bin\n",
            "{path}"
        );
    }
    assert_eq!(list("common-files/**/recycle_bin"), "common-files/reports/recycle_bin\n");
    assert_eq!(list("common-files/*/old/*"), "");
    for path in ["common-files/recycle_bin/*", "common-*/recycle_bin/*", "common-files/recycle_bin/{c,old}"] {
        assert_eq!(list(path), "common-files/recycle_bin/c\ncommon-files/recycle_bin/old/\n", "{path}");
    }
    assert_eq!(list("common-*/recycle_bin"), "common-files/recycle_bin/\n");
}

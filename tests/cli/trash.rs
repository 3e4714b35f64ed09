use insta::assert_snapshot;

use crate::support::{World, fields};

fn world() -> World {
    let world = World::new();
    for path in
        ["common-files/a.txt", "common-files/docs/b.txt", "common-files/folder/x", "personal-files/deep/er/p.txt"]
    {
        world.put(path, path);
    }
    world
}

/// Deletes as a user does, so that the server knows where things were.
fn delete(world: &World, paths: &[&str]) {
    let run = world.cec([&["rm", "-f", "-q"], paths].concat()).run();
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn what_is_in_recycle_bins_is_listed() {
    let world = world();
    delete(&world, &["common-files/a.txt", "common-files/folder", "personal-files/deep/er/p.txt"]);
    world.put("common-files/recycle_bin/.hidden", "");
    let run = world.cec(["trash", "ls"]).run();
    let paths: Vec<&str> = run.stdout.lines().filter_map(|line| line.split('\t').nth(3)).collect();
    let all = ["common-files/recycle_bin/a.txt", "common-files/recycle_bin/folder", "common-files/recycle_bin/.hidden"];
    assert_eq!(paths, [&all[..], &["personal-files/recycle_bin/p.txt"]].concat(), "{run:?}");
    assert_snapshot!(run, @"
    [stdout]
    File	18	TIME	common-files/recycle_bin/a.txt
    Folder	21	TIME	common-files/recycle_bin/folder
    File	0	TIME	common-files/recycle_bin/.hidden
    File	28	TIME	personal-files/recycle_bin/p.txt
    [exit code 0]
    ");
    let one = world.cec(["trash", "ls", "personal-files", "--json"]).run().json();
    assert_eq!(one[0]["path"], "personal-files/recycle_bin/p.txt");
    world.cec(["trash", "ls", "a1-ro"]).run().is(0, "", "");
    assert_eq!(world.cec(["trash", "ls", "nowhere"]).run().code, 3);
    assert_eq!(world.cec(["trash", "ls", "common-files/docs"]).run().code, 2);
}

#[test]
fn things_go_back_to_where_they_were() {
    let world = world();
    delete(&world, &["common-files/docs/b.txt", "common-files/folder", "personal-files/deep/er/p.txt"]);
    assert!(world.tree().remove("personal-files/deep"), "the folders above are gone");
    let bin = "common-files/recycle_bin";
    let run = world.cec(["restore", &format!("{bin}/b.txt"), "personal-files/recycle_bin/p.txt"]).run();
    assert_snapshot!(run, @"
    [stderr]
    restored common-files/docs/b.txt
    restored personal-files/deep/er/p.txt
    [exit code 0]
    ");
    assert!(world.tree().exists("personal-files/deep/er/p.txt"));
    let json = world.cec(["trash", "restore", "--json", &format!("{bin}/*")]).run().json();
    assert_eq!(fields(&json[0]), ["source", "target", "type", "renamed"]);
    assert_eq!((&json[0]["target"], &json[0]["renamed"]), (&"common-files/folder".into(), &false.into()));
    assert_eq!(world.tree().list("common-files/folder"), ["x"]);
}

#[test]
fn another_name_that_the_server_chose_is_told() {
    let world = world();
    delete(&world, &["common-files/docs/b.txt"]);
    world.put("common-files/docs/b.txt", "new");
    assert_snapshot!(world.cec(["restore", "common-files/recycle_bin/b.txt"]).run(), @"
    [stderr]
    warning: 'common-files/docs/b.txt' is taken, and the server restored it as 'common-files/docs/b-1.txt'
    [exit code 0]
    ");
    assert_eq!(world.tree().read("common-files/docs/b.txt").expect("a file"), b"new");
}

#[test]
fn what_cannot_be_restored_is_told() {
    let world = world();
    delete(&world, &["common-files/folder"]);
    world.put("common-files/recycle_bin/by-hand", "");
    for (path, code, told) in [
        ("common-files/a.txt", 2, "is not in a recycle bin"),
        ("common-files/recycle_bin", 2, "is the recycle bin itself"),
        ("common-files/recycle_bin/folder/x", 2, "restore 'common-files/recycle_bin/folder'"),
        ("common-files/recycle_bin/by-hand", 1, "the server does not know its original place"),
        ("common-files/recycle_bin/none", 3, "does not exist"),
    ] {
        let run = world.cec(["restore", path]).run();
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.matches("error:").count()), (code, "", 1), "{run:?}");
        assert!(run.stderr.contains(told), "{told}: {run:?}");
    }
    let partly = world.cec(["restore", "common-files/recycle_bin/none", "common-files/recycle_bin/folder"]).run();
    assert_eq!(partly.code, 7, "{partly:?}");
}

#[test]
fn emptying_asks_and_takes_nothing_else() {
    let world = world();
    delete(&world, &["common-files/a.txt", "personal-files/deep/er/p.txt"]);
    for input in ["", "yes\n"] {
        let run = world.cec(["trash", "empty", "common-files"]).input(input).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
    }
    assert!(world.tree().exists("common-files/recycle_bin/a.txt"));
    let run = world.cec(["trash", "empty", "-f", "common-files"]).run();
    assert_snapshot!(run, @"
    [stderr]
    deleted common-files/recycle_bin/a.txt
    [exit code 0]
    ");
    assert_eq!(world.tree().list("personal-files/recycle_bin"), ["p.txt"]);
    assert!(world.tree().exists("common-files/docs/b.txt"));
    assert_snapshot!(world.cec(["trash", "empty", "-f"]).run(), @"
    [stderr]
    deleted personal-files/recycle_bin/p.txt
    [exit code 0]
    ");
    assert_snapshot!(world.cec(["trash", "empty"]).run(), @"
    [stderr]
    the recycle bin is empty
    [exit code 0]
    ");
}

#[cfg(unix)]
#[test]
fn emptying_is_agreed_to_with_a_whole_word() {
    let world = world();
    delete(&world, &["common-files/a.txt"]);
    let cec = |answer| world.cec(["trash", "empty"]).on_terminal(&[("Permanently delete", answer)]);
    let Some((code, screen)) = cec("y\n") else { return };
    assert_eq!(code, 1, "{screen}");
    assert!(world.tree().exists("common-files/recycle_bin/a.txt"));
    let Some((code, screen)) = cec("yes\n") else { return };
    assert_eq!(code, 0, "{screen}");
    assert!(!world.tree().exists("common-files/recycle_bin/a.txt"));
}

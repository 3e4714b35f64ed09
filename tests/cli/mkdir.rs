use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::World;

#[test]
fn folders_are_made_and_existing_ones_kept() {
    let world = World::new();
    assert_snapshot!(world.cec(["mkdir", "common-files/a"]).run(), @"
    [stderr]
    created common-files/a
    [exit code 0]
    ");
    assert!(world.tree().is_folder("common-files/a"));
    assert_snapshot!(world.cec(["mkdir", "common-files/a"]).run(), @"
    [stderr]
    already exists: common-files/a
    [exit code 0]
    ");
    world.cec(["mkdir", "-q", "cells://common-files/b"]).run().is(0, "", "");
    assert!(world.tree().is_folder("common-files/b"));
    assert_snapshot!(world.cec(["mkdir", "common-files/sp ace+%?#[x]*"]).run(), @"
    [stderr]
    created common-files/sp ace+%?#[x]*
    [exit code 0]
    ");
    assert!(world.tree().is_folder("common-files/sp ace+%?#[x]*"));
}

#[test]
fn missing_folders_above_are_made_on_request_only() {
    let world = World::new();
    assert_snapshot!(world.cec(["mkdir", "common-files/x/y/z"]).run(), @"
    [stderr]
    error: 'common-files/x' does not exist
      hint: add -p to make missing parent folders
    [exit code 3]
    ");
    assert!(!world.tree().exists("common-files/x"));
    assert_snapshot!(world.cec(["mkdir", "-p", "common-files/x/y/z"]).run(), @"
    [stderr]
    created common-files/x/y/z
    [exit code 0]
    ");
    assert!(world.tree().is_folder("common-files/x/y/z"));
}

#[test]
fn names_are_written_in_nfc_and_found_in_any_form() {
    let world = World::new();
    assert_snapshot!(world.cec(["mkdir", "-p", "common-files/cafe\u{301}/e\u{301}"]).run(), @"
    [stderr]
    created common-files/café/é
    [exit code 0]
    ");
    assert!(world.tree().is_folder("common-files/caf\u{e9}/\u{e9}"));
    world.mkdir("common-files/nai\u{308}ve");
    let run = world.cec(["mkdir", "common-files/na\u{ef}ve"]).run();
    assert_snapshot!(run, @"
    [stderr]
    already exists: common-files/naïve
    [exit code 0]
    ");
    assert_eq!(world.tree().list("common-files").len(), 2);
}

#[test]
fn what_is_in_the_way_or_not_allowed_is_told() {
    let world = World::new();
    world.put("common-files/file", "x");
    let run = world.cec(["mkdir", "common-files/file"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/file' is a file
    [exit code 8]
    ");
    let run = world.cec(["mkdir", "-p", "common-files/file/sub"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/file' is a file
    [exit code 8]
    ");
    assert_eq!(world.tree().list("common-files"), ["file"]);
    let run = world.cec(["mkdir", "nope/x"]).run();
    assert_eq!(run.code, 3, "{run:?}");
    let run = world.cec(["mkdir", "a1-ro/x"]).user("alice").run();
    assert_snapshot!(run, @"
    [stderr]
    error: path is not writeable
      while: creating a1-ro/x
    [exit code 5]
    ");
    let long = format!("common-files/{}", "n".repeat(256));
    for path in ["/", "common-files/back\\slash", long.as_str(), "common-files/a/../b"] {
        assert_eq!(world.cec(["mkdir", path]).run().code, 2, "{path}");
    }
}

#[test]
fn several_are_made_as_far_as_possible() {
    let world = World::new();
    world.put("common-files/file", "x");
    let run = world.cec(["mkdir", "common-files/file", "common-files/ok"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/file' is a file
    created common-files/ok
    [exit code 7]
    ");
    let json = world.cec(["mkdir", "--json", "common-files/ok", "common-files/new"]).run().json();
    assert_eq!((&json[0]["created"], &json[1]["created"]), (&false.into(), &true.into()));
    assert_eq!(json[1]["path"], "common-files/new");
}

#[test]
fn a_lost_answer_is_asked_for_again() {
    let world = World::new();
    world.sandbox.faults().add(Fault::on("POST", "/a/tree/create").close_after());
    assert_snapshot!(world.cec(["mkdir", "common-files/a"]).run(), @"
    [stderr]
    created common-files/a
    [exit code 0]
    ");
}

#[test]
fn many_folders_are_made_by_few_calls_and_each_has_its_own_answer() {
    let world = World::new();
    world.put("common-files/file", "x");
    world.mkdir("common-files/there");
    let names: Vec<String> = (0..150).map(|number| format!("common-files/many-{number}")).collect();
    let odd = ["common-files/there", "common-files/file", "common-files/no/parent", "nope/x"];
    let line: Vec<&str> = ["mkdir"].into_iter().chain(names.iter().map(String::as_str)).chain(odd).collect();
    let run = world.cec(line).run();
    assert_eq!((run.code, run.stdout.as_str()), (7, ""), "{run:?}");
    let created: String = names.iter().map(|name| format!("created {name}\n")).collect();
    assert!(run.stderr.starts_with(&format!("{created}already exists: common-files/there\nerror: ")), "{run:?}");
    assert_eq!(run.stderr.matches("error: ").count(), 3, "{run:?}");
    let calls = world.sandbox.requests().iter().filter(|request| request.path.ends_with("/tree/create")).count();
    assert_eq!(calls, 2);
    assert!(names.iter().all(|name| world.tree().is_folder(name)));
    // What is below another operand waits for it.
    let run = world.cec(["mkdir", "common-files/up", "common-files/up/down", "common-files/up/down"]).run();
    assert_snapshot!(run, @"
    [stderr]
    created common-files/up
    created common-files/up/down
    already exists: common-files/up/down
    [exit code 0]
    ");
}

#[test]
fn no_folder_gets_the_name_of_an_archive() {
    let world = World::new();
    world.mkdir("common-files/old.zip");
    for (arguments, name) in [
        (&["mkdir", "common-files/x.zip"][..], "x.zip"),
        (&["mkdir", "-p", "common-files/x.tar.gz/sub"], "x.tar.gz"),
        (&["mkdir", "common-files/old.zip/sub"], "old.zip"),
    ] {
        let run = world.cec(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
        let message = format!("error: the name '{name}' ends like that of an archive");
        assert!(run.stderr.starts_with(&message), "{arguments:?}: {}", run.stderr);
    }
    assert_eq!(world.tree().list("common-files"), ["old.zip"]);
    assert_eq!(world.cec(["mkdir", "common-files/x.ZIP", "common-files/old.zip"]).run().code, 0);
}

#[test]
fn a_folder_with_the_name_of_an_archive_says_why_it_cannot_be_listed() {
    let world = World::new();
    world.put("common-files/tree/old.zip/lost", "1");
    world.put("common-files/tree/a", "2");
    let message = "common-files/tree/old.zip is a folder with the name of an archive: the server cannot list it";
    let remedy = "rename it: cec mv common-files/tree/old.zip common-files/tree/old";
    let run = world.cec(["ls", "common-files/tree/old.zip"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(run.stderr.contains(message) && run.stderr.contains(remedy), "{}", run.stderr);
    for command in [&["ls", "-R"][..], &["find"], &["du"], &["tree"]] {
        let run = world.cec(command.iter().copied().chain(["common-files/tree"])).run();
        assert_eq!(run.code, 7, "{command:?}: {}", run.stderr);
        assert!(run.stderr.contains(message) && run.stderr.contains(remedy), "{command:?}: {}", run.stderr);
    }
    let run = world.cec(["scp", "cells://common-files/tree", "."]).run();
    assert_eq!(run.code, 7, "{}", run.stderr);
    assert!(run.stderr.contains(message), "{}", run.stderr);
    assert_eq!(world.cec(["mv", "common-files/tree/old.zip", "common-files/tree/old"]).run().code, 0);
    world.cec(["cat", "common-files/tree/old/lost"]).run().is(0, "1", "");
}

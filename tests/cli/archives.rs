use crate::support::{World, fields};

fn world() -> World {
    let world = World::new();
    for path in ["site/index.html", "site/img/a.png", "notes.txt", "more.txt"] {
        world.put(&format!("common-files/{path}"), path);
    }
    world
}

#[test]
fn a_folder_is_packed_and_unpacked_in_each_format() {
    let world = world();
    for ending in ["zip", "tar", "tar.gz"] {
        let archive = format!("common-files/site-{ending}.{ending}");
        let run = world.cec(["compress", "common-files/site", &archive]).run();
        let size = world.tree().size(&archive).expect("an archive");
        assert!(size > 0 && run.stderr.starts_with(&format!("made {archive} (")), "{run:?}");
        assert_eq!((run.code, run.stdout.as_str()), (0, ""));
        let run = world.cec(["extract", &archive]).run();
        let folder = format!("common-files/site-{ending}");
        run.is(0, "", &format!("unpacked {archive} to {folder}\n"));
        assert_eq!(world.tree().read(&format!("{folder}/img/a.png")).expect("a file"), b"site/img/a.png");
    }
}

#[test]
fn several_sources_keep_their_names() {
    let world = world();
    let run = world.cec(["compress", "common-files/*.txt", "common-files/site", "personal-files/all.zip"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    world.cec(["extract", "personal-files/all.zip", "personal-files/new"]).run().is(
        0,
        "",
        "unpacked personal-files/all.zip to personal-files/new\n",
    );
    assert_eq!(world.tree().list("personal-files/new"), ["more.txt", "notes.txt", "site"]);
}

#[test]
fn nothing_is_overwritten() {
    let world = world();
    world.put("common-files/a.zip", "x");
    world.put("common-files/full/x", "x");
    world.mkdir("common-files/empty");
    let run = world.cec(["compress", "common-files/site", "common-files/a.zip"]).run();
    run.is(8, "", "error: 'common-files/a.zip' exists already\n");
    world.cec(["compress", "-q", "common-files/site", "common-files/site.zip"]).run().is(0, "", "");
    let run = world.cec(["extract", "common-files/site.zip"]).run();
    run.is(
        8,
        "",
        "error: 'common-files/site' exists already, and the server would overwrite what is in it\n  \
         hint: name a folder that does not exist\n",
    );
    for target in ["common-files/full", "common-files", "common-files/notes.txt"] {
        let run = world.cec(["extract", "common-files/site.zip", target]).run();
        assert_eq!(run.code, 8, "{run:?}");
    }
    world.cec(["extract", "-q", "common-files/site.zip", "common-files/empty"]).run().is(0, "", "");
    assert_eq!(world.tree().list("common-files/empty"), ["img", "index.html"]);
}

#[test]
fn what_cannot_be_meant_is_refused_and_what_is_missing_not_found() {
    let world = world();
    for (arguments, code) in [
        (&["compress", "common-files/site", "common-files/site.rar"][..], 2),
        (&["compress", "common-files", "personal-files/all.zip"], 2),
        (&["compress", "common-files/site", "common-files/site/in.zip"], 2),
        (&["compress", "common-files/site"], 2),
        (&["compress", "common-files/none", "common-files/notes.txt", "common-files/n.zip"], 3),
        (&["compress", "common-files/site", "common-files/no/way.zip"], 3),
        (&["extract", "common-files/none.zip"], 3),
        (&["extract", "common-files/site", "--format", "zip"], 2),
        (&["extract", "common-files/notes.txt"], 2),
        (&["extract", "common-files/notes.txt", "--format", "zip"], 2),
    ] {
        let run = world.cec(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{run:?}");
    }
    assert!(!world.sandbox.requests().iter().any(|request| request.path.starts_with("/a/jobs/user/")));
}

#[test]
fn what_is_no_archive_fails_on_the_server() {
    let world = world();
    let run = world.cec(["extract", "common-files/notes.txt", "common-files/new", "--format", "zip"]).run();
    run.is(
        10,
        "",
        "error: the server's job failed: zip: not a valid zip file\n  while: unpacking common-files/notes.txt\n",
    );
}

#[test]
fn json_tells_what_was_made() {
    let world = world();
    let json = world.cec(["compress", "--json", "common-files/site", "common-files/s.zip"]).run().json();
    assert_eq!(fields(&json), ["archive", "format", "items", "size", "status", "job"]);
    assert_eq!((&json["items"], &json["status"]), (&1.into(), &"made".into()));
    let json = world.cec(["extract", "--json", "common-files/s.zip"]).run().json();
    assert_eq!(fields(&json), ["archive", "target", "format", "status", "job"]);
    let run = world.cec(["extract", "--no-wait", "common-files/s.zip", "common-files/t"]).run();
    assert!(run.stdout.starts_with("extract-archive-"), "{run:?}");
}

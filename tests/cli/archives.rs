use std::time::Duration;

use cells_sandbox::Config;
use insta::assert_snapshot;

use crate::support::{World, fields, wait_for};

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
    assert_snapshot!(world.cec(["extract", "personal-files/all.zip", "personal-files/new"]).run(), @"
    [stderr]
    unpacked personal-files/all.zip to personal-files/new
    [exit code 0]
    ");
    assert_eq!(world.tree().list("personal-files/new"), ["more.txt", "notes.txt", "site"]);
}

#[test]
fn nothing_is_overwritten() {
    let world = world();
    world.put("common-files/a.zip", "x");
    world.put("common-files/full/x", "x");
    world.mkdir("common-files/empty");
    let run = world.cec(["compress", "common-files/site", "common-files/a.zip"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/a.zip' already exists
    [exit code 8]
    ");
    world.cec(["compress", "-q", "common-files/site", "common-files/site.zip"]).run().is(0, "", "");
    let run = world.cec(["extract", "common-files/site.zip"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/site' already exists, and the server would overwrite its content
      hint: name a folder that does not exist
    [exit code 8]
    ");
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
    assert_snapshot!(run, @"
    [stderr]
    error: the server's job failed: zip: not a valid zip file
      while: unpacking common-files/notes.txt
      hint: 'common-files/new' is incomplete now; remove it with: cec rm common-files/new
    [exit code 10]
    ");
}

#[test]
fn archives_get_the_ending_that_the_server_gives_them_or_are_refused() {
    let world = world();
    for (arguments, made) in [
        (&["common-files/x", "--format", "zip"][..], "common-files/x.zip"),
        (&["common-files/x.bin", "--format", "tar"], "common-files/x.bin.tar"),
        (&["common-files/y", "--format", "tgz"], "common-files/y.tar.gz"),
    ] {
        let run = world.cec(["compress", "common-files/site"].iter().chain(arguments).copied()).run();
        assert!(run.code == 0 && run.stderr.starts_with(&format!("made {made} (")), "{run:?}");
        assert!(world.tree().exists(made));
    }
    let run = world.cec(["compress", "common-files/site", "common-files/x", "--format", "zip"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/x.zip' already exists
    [exit code 8]
    ");
    let before = world.tree().list("common-files");
    for (name, format, called, better) in [
        ("a.tgz", None, "a.tgz.tar.gz", "a.tar.gz"),
        ("a.ZIP", None, "a.ZIP.zip", "a.zip"),
        ("a.TAR", Some("tar"), "a.TAR.tar", "a.tar"),
        ("a.tar", Some("zip"), "a.tar.zip", "a.zip"),
    ] {
        let archive = format!("common-files/{name}");
        let mut arguments = vec!["compress", "common-files/site", &archive];
        arguments.extend(format.iter().flat_map(|format| ["--format", *format]));
        world.cec(arguments).run().is(
            2,
            "",
            &format!(
                "error: the server would name this archive 'common-files/{called}'\n  \
                 hint: name it 'common-files/{better}'\n"
            ),
        );
    }
    assert_eq!(world.tree().list("common-files"), before);
}

#[test]
fn what_a_failed_job_leaves_behind_is_named() {
    let world = World::with(Config { job_effect_delay: Duration::from_secs(3600), ..Config::default() });
    world.put("common-files/notes.txt", "x");
    let child = world.cec(["compress", "common-files/notes.txt", "common-files/a.zip"]).spawn();
    wait_for("a job", || world.sandbox.has_open_jobs());
    world.put("common-files/a.zip", "half");
    assert_eq!(world.sandbox.stop_jobs(), 1);
    let output = child.wait_with_output().expect("an end");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(10), "{stderr}");
    let hint = "  hint: 'common-files/a.zip' is incomplete now; remove it with: cec rm common-files/a.zip\n";
    assert!(stderr.ends_with(hint), "{stderr}");
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
    assert_snapshot!(run, @"
    [stdout]
    extract-archive-UUID
    [exit code 0]
    ");
}

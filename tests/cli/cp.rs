use std::time::Duration;

use cells_sandbox::{Config, Fault, Gate};
use insta::assert_snapshot;

use crate::support::{World, fields, wait_for};

fn world() -> World {
    let world = World::new();
    for path in ["a.txt", "b.txt", "folder/x", "folder/sub/y", "to/taken.txt"] {
        world.put(&format!("common-files/{path}"), path);
    }
    world
}

fn starts(world: &World) -> usize {
    world.sandbox.requests().iter().filter(|request| request.path.starts_with("/a/jobs/user/")).count()
}

#[test]
fn one_file_gets_a_new_name_or_goes_into_a_folder() {
    let world = world();
    let run = world.cec(["cp", "common-files/a.txt", "common-files/c.txt"]).run();
    assert_snapshot!(run, @"
    [stderr]
    copied common-files/a.txt to common-files/c.txt
    [exit code 0]
    ");
    assert_eq!(world.tree().read("common-files/c.txt").expect("a copy"), b"a.txt");
    for (target, made) in [
        ("common-files/to", "common-files/to/a.txt"),
        ("cells://personal-files/", "personal-files/a.txt"),
        ("common-files/new/deep/", "common-files/new/deep/a.txt"),
    ] {
        let run = world.cec(["cp", "common-files/a.txt", target]).run();
        run.is(0, "", &format!("copied common-files/a.txt to {made}\n"));
        assert_eq!(world.tree().read(made).expect(made), b"a.txt");
    }
    assert!(world.tree().exists("common-files/a.txt"));
}

#[test]
fn several_sources_and_whole_folders_go_into_a_folder_by_one_job() {
    let world = world();
    let run = world.cec(["cp", "common-files/*.txt", "common-files/folder", "personal-files"]).run();
    assert_snapshot!(run, @"
    [stderr]
    copied common-files/a.txt to personal-files/a.txt
    copied common-files/b.txt to personal-files/b.txt
    copied common-files/folder to personal-files/folder
    [exit code 0]
    ");
    assert_eq!(world.tree().list("personal-files/folder"), ["sub", "x"]);
    assert_eq!(starts(&world), 1);
}

#[test]
fn a_pattern_matches_over_all_pages() {
    let world = World::new();
    world.tree().generate("common-files/many", 1003, 1).expect("files");
    world.mkdir("personal-files/all");
    let run = world.cec(["cp", "-q", "common-files/many/*", "personal-files/all"]).run();
    run.is(0, "", "");
    assert_eq!(world.tree().list("personal-files/all").len(), 1003);
    // The older client takes it for a pattern in `rm` alone.
    let run = world.cec(["cp", "-q", "common-files/many/%", "personal-files/all"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/many/%' does not exist
    [exit code 3]
    ");
}

#[test]
fn where_the_name_is_taken_nothing_starts() {
    let world = world();
    world.put("common-files/taken.txt", "x");
    for (sources, target) in [
        (&["common-files/a.txt"][..], "common-files/b.txt"),
        (&["common-files/taken.txt"], "common-files/to"),
        (&["common-files/taken.txt"], "common-files/to/"),
        (&["common-files/a.txt", "common-files/taken.txt"], "common-files/to"),
        (&["common-files/a.txt"], "common-files/a.txt"),
        (&["common-files/a.txt"], "common-files"),
        (&["common-files/a.txt"], "common-files/b.txt/c.txt"),
        (&["common-files/a.txt"], "common-files/b.txt/"),
        (&["common-files/a.txt", "common-files/folder"], "common-files/b.txt"),
    ] {
        for command in ["cp", "mv"] {
            let run = world.cec([&[command], sources, &[target]].concat()).run();
            assert_eq!((run.code, run.stdout.as_str(), run.stderr.matches("error:").count()), (8, "", 1), "{run:?}");
        }
    }
    assert_eq!(starts(&world), 0);
    let run = world.cec(["cp", "common-files/a.txt", "common-files/b.txt"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/b.txt' already exists
    [exit code 8]
    ");
}

#[test]
fn what_the_server_would_do_wrong_is_refused() {
    let world = world();
    world.put("common-files/other/a.txt", "");
    let paths = [
        &["common-files", "personal-files"][..],
        &["common-f*", "personal-files"],
        &["cells://common-files/", "personal-files/x/"],
        &["common-files/folder", "common-files/folder"],
        &["common-files/folder", "common-files/folder/sub"],
        &["common-files/folder", "common-files/folder/sub/new/"],
        &["common-files/folder", "common-files/folder/new"],
        &["common-files/a.txt", "common-files/other/a.txt", "personal-files"],
        &["common-files/a.txt", "common-files/recycle_bin/"],
        &["common-files/a.txt", "/"],
        &["/", "common-files/to"],
        &["common-files/a.txt"],
    ];
    let refused = paths.iter().flat_map(|paths| ["cp", "mv"].map(|command| [&[command], *paths].concat()));
    assert_snapshot!(world.transcript(refused), @r#"
    $ cec cp common-files personal-files
    [stderr]
    error: 'common-files' is a workspace, which cannot be copied
      hint: name its content instead: 'common-files/*'
    [exit code 2]
    $ cec mv common-files personal-files
    [stderr]
    error: 'common-files' is a workspace, which cannot be moved
      hint: name its content instead: 'common-files/*'
    [exit code 2]
    $ cec cp "common-f*" personal-files
    [stderr]
    error: 'common-files' is a workspace, which cannot be copied
      hint: name its content instead: 'common-files/*'
    [exit code 2]
    $ cec mv "common-f*" personal-files
    [stderr]
    'common-f*' matches 1 item
    error: 'common-files' is a workspace, which cannot be moved
      hint: name its content instead: 'common-files/*'
    [exit code 2]
    $ cec cp cells://common-files/ personal-files/x/
    [stderr]
    error: 'common-files' is a workspace, which cannot be copied
      hint: name its content instead: 'common-files/*'
    [exit code 2]
    $ cec mv cells://common-files/ personal-files/x/
    [stderr]
    error: 'common-files' is a workspace, which cannot be moved
      hint: name its content instead: 'common-files/*'
    [exit code 2]
    $ cec cp common-files/folder common-files/folder
    [stderr]
    error: 'common-files/folder' cannot be copied into itself
    [exit code 2]
    $ cec mv common-files/folder common-files/folder
    [stderr]
    error: 'common-files/folder' cannot be moved into itself
    [exit code 2]
    $ cec cp common-files/folder common-files/folder/sub
    [stderr]
    error: 'common-files/folder' cannot be copied into itself
    [exit code 2]
    $ cec mv common-files/folder common-files/folder/sub
    [stderr]
    error: 'common-files/folder' cannot be moved into itself
    [exit code 2]
    $ cec cp common-files/folder common-files/folder/sub/new/
    [stderr]
    error: 'common-files/folder' cannot be copied into itself
    [exit code 2]
    $ cec mv common-files/folder common-files/folder/sub/new/
    [stderr]
    error: 'common-files/folder' cannot be moved into itself
    [exit code 2]
    $ cec cp common-files/folder common-files/folder/new
    [stderr]
    error: 'common-files/folder' cannot be copied into itself
    [exit code 2]
    $ cec mv common-files/folder common-files/folder/new
    [stderr]
    error: 'common-files/folder' cannot be moved into itself
    [exit code 2]
    $ cec cp common-files/a.txt common-files/other/a.txt personal-files
    [stderr]
    error: 'common-files/a.txt' and 'common-files/other/a.txt' would both become 'personal-files/a.txt'
    [exit code 2]
    $ cec mv common-files/a.txt common-files/other/a.txt personal-files
    [stderr]
    error: 'common-files/a.txt' and 'common-files/other/a.txt' would both become 'personal-files/a.txt'
    [exit code 2]
    $ cec cp common-files/a.txt common-files/recycle_bin/
    [stderr]
    error: nothing can be copied to a recycle bin
      hint: use 'cec rm' to move items there, so that they can be restored
    [exit code 2]
    $ cec mv common-files/a.txt common-files/recycle_bin/
    [stderr]
    error: nothing can be moved to a recycle bin
      hint: use 'cec rm' to move items there, so that they can be restored
    [exit code 2]
    $ cec cp common-files/a.txt /
    [stderr]
    error: the target must be a workspace or a path in one
    [exit code 2]
    $ cec mv common-files/a.txt /
    [stderr]
    error: the target must be a workspace or a path in one
    [exit code 2]
    $ cec cp / common-files/to
    [stderr]
    error: the root contains only the workspaces
      hint: 'cec ls' lists the workspaces
    [exit code 2]
    $ cec mv / common-files/to
    [stderr]
    error: the root contains only the workspaces
      hint: 'cec ls' lists the workspaces
    [exit code 2]
    $ cec cp common-files/a.txt
    [stderr]
    error: a source and a target are required, but there is only one path
      hint: usage: cec cp [OPTIONS] <SRC>... <DST>
      hint: see 'cec cp --help'
    [exit code 2]
    $ cec mv common-files/a.txt
    [stderr]
    error: a source and a target are required, but there is only one path
      hint: usage: cec mv [OPTIONS] <SRC>... <DST>
      hint: see 'cec mv --help'
    [exit code 2]
    "#);
    assert_eq!(starts(&world), 0);
}

#[test]
fn what_is_missing_is_not_found() {
    let world = world();
    let run = world.cec(["cp", "common-files/none", "common-files/to"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/none' does not exist
    [exit code 3]
    ");
    let run = world.cec(["cp", "common-files/a.txt", "common-files/no/way"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/no' does not exist
      hint: make it with: cec mkdir -p common-files/no
    [exit code 3]
    ");
    let run = world.cec(["cp", "common-files/a.txt", "common-files/b.txt", "common-files/new"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/new' does not exist, but several sources need a folder
      hint: to make it, add a / at the end: 'common-files/new/'
    [exit code 3]
    ");
    assert_eq!(world.cec(["cp", "common-files/a.txt", "nowhere/x"]).run().code, 3);
    assert_eq!(world.cec(["cp", "common-files/*.pdf", "common-files/to"]).run().code, 3);
    assert_eq!(starts(&world), 0);
    let run = world.cec(["cp", "common-files/none", "common-files/a.txt", "common-files/to"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/none' does not exist
    copied common-files/a.txt to common-files/to/a.txt
    [exit code 7]
    ");
}

#[test]
fn a_name_that_the_server_chose_instead_is_told() {
    let world = world();
    world.put("common-files/to/A.TXT", "other");
    let run = world.cec(["cp", "common-files/a.txt", "common-files/to"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: 'common-files/to/a.txt' was taken, and the server chose 'common-files/to/a-1.txt' instead
      while: copying common-files/a.txt
      hint: it treats names that differ only in case as equal
    [exit code 8]
    ");
    assert!(world.tree().exists("common-files/to/a-1.txt"));
    let json = world.cec(["cp", "--json", "common-files/a.txt", "common-files/b.txt", "common-files/to"]).run();
    assert_eq!(json.code, 7, "{json:?}");
    let records: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((&records[0]["status"], &records[1]["status"]), (&"renamed".into(), &"copied".into()));
    assert_eq!(records[0]["target"], "common-files/to/a-2.txt");
}

#[test]
fn a_failed_job_has_its_own_exit_code() {
    let world = World::with(Config {
        job_effect_delay: Duration::from_secs(5),
        job_status_delay: Duration::ZERO,
        ..Config::default()
    });
    world.put("common-files/a.txt", "x");
    world.mkdir("common-files/to");
    let mut child = world.cec(["cp", "common-files/a.txt", "common-files/to"]).spawn();
    wait_for("a job", || world.sandbox.stop_jobs() > 0);
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("an end");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(10), "{stderr}");
    let told = "error: the server's job failed: Copying a.txt\n  while: copying common-files/a.txt\n";
    assert_eq!((stderr.as_ref(), output.stdout.as_slice()), (told, &b""[..]));
}

#[test]
fn a_folder_whose_copy_was_stopped_halfway_is_not_copied() {
    let world = World::with(Config { job_effect_delay: Duration::from_secs(3600), ..Config::default() });
    for path in ["folder/x", "a.txt", "to/y"] {
        world.put(&format!("common-files/{path}"), path);
    }
    for (sources, target, told) in [
        (
            &["common-files/folder"][..],
            "common-files/copy",
            "error: the server's job failed: Copying folder\n  while: copying common-files/folder\n  \
             hint: 'common-files/copy' may be incomplete\n",
        ),
        (
            &["common-files/folder", "common-files/a.txt"],
            "common-files/to",
            "error: the server's job failed: Copying folder\n  while: copying common-files/folder\n\
             error: the server's job failed: Copying folder\n  while: copying common-files/a.txt\n",
        ),
    ] {
        let child = world.cec([&["cp"], sources, &[target]].concat()).spawn();
        wait_for("a job", || world.sandbox.stop_jobs() > 0);
        let output = child.wait_with_output().expect("an end");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(10), told), "{stderr}");
        assert_eq!(output.stdout, b"");
    }
    assert!(world.tree().list("common-files/copy").is_empty(), "begun, and no more");
}

#[test]
fn a_name_that_was_taken_meanwhile_is_told_although_the_same_is_there() {
    for (command, source) in [("cp", "common-files/a.txt"), ("cp", "common-files/folder"), ("mv", "common-files/a.txt")]
    {
        let world = world();
        let gate = Gate::closed();
        world.sandbox.faults().add(Fault::on("PUT", "/a/jobs/user/").hold_request(&gate));
        let is_folder = source.ends_with("folder");
        let (target, instead) = match is_folder {
            true => ("common-files/race", "common-files/race-1"),
            false => ("common-files/race.txt", "common-files/race-1.txt"),
        };
        let child = world.cec([command, source, target]).spawn();
        wait_for("the request", || starts(&world) == 1);
        match is_folder {
            true => world.put("common-files/race/x", "folder/x"),
            false => world.put(target, "a.txt"),
        }
        gate.open();
        let output = child.wait_with_output().expect("an end");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let told = format!("error: '{target}' was taken, and the server chose '{instead}' instead\n");
        assert!(output.status.code() == Some(8) && stderr.starts_with(&told), "{command} {stderr}");
        assert!(world.tree().exists(instead));
    }
}

#[test]
fn an_older_file_of_a_name_that_the_server_might_choose_is_no_rename() {
    let world = world();
    world.put("common-files/c-1.txt", "a.txt");
    // Before anything else was written.
    assert!(world.tree().set_mtime("common-files/c-1.txt", 1_700_000_000));
    let run = world.cec(["cp", "common-files/a.txt", "common-files/c.txt"]).run();
    assert_snapshot!(run, @"
    [stderr]
    copied common-files/a.txt to common-files/c.txt
    [exit code 0]
    ");
    assert!(!world.sandbox.requests().iter().any(|request| request.path == "/a/jobs/tasks/logs"));
}

#[test]
fn it_is_told_at_once_and_seldom_asked_for() {
    let world = World::with(Config { job_effect_delay: Duration::from_millis(20), ..Config::default() });
    world.put("common-files/a.txt", "x");
    assert_snapshot!(world.cec(["cp", "common-files/a.txt", "common-files/b.txt"]).run(), @"
    [stderr]
    copied common-files/a.txt to common-files/b.txt
    [exit code 0]
    ");
    let asked = |path: &str| world.sandbox.requests().iter().filter(|request| request.path == path).count();
    assert_eq!((asked("/ws/event"), asked("/a/jobs/user")), (1, 0), "polling would have taken three seconds");
}

#[test]
fn without_a_websocket_the_job_is_asked_for() {
    let world = world();
    for fault in [
        Fault::on("GET", "/ws/event").status(404).always(),
        Fault::on("GET", "/ws/event").html().always(),
        Fault::on("GET", "/ws/event").close_before().always(),
    ] {
        world.sandbox.faults().clear();
        world.sandbox.faults().add(fault);
        world.sandbox.clear_requests();
        world.tree().remove("common-files/copy");
        world.put("common-files/folder/file", "x");
        let run = world.cec(["cp", "common-files/folder", "common-files/copy"]).run();
        run.is(0, "", "copied common-files/folder to common-files/copy\n");
        assert!(world.sandbox.requests().iter().any(|request| request.path == "/a/jobs/user"));
    }
}

#[test]
fn a_single_file_is_done_when_it_shows_whatever_is_told_of_its_job() {
    let never = Duration::from_secs(3600);
    let world = World::with(Config { job_status_delay: never, hash_delay: Duration::ZERO, ..Config::default() });
    world.sandbox.faults().add(Fault::on("GET", "/ws/event").status(404).always());
    world.put("common-files/a.txt", "x");
    let run = world.cec(["cp", "common-files/a.txt", "common-files/b.txt"]).run();
    assert_snapshot!(run, @"
    [stderr]
    copied common-files/a.txt to common-files/b.txt
    [exit code 0]
    ");
    let run = world.cec(["mv", "common-files/b.txt", "common-files/c.txt"]).run();
    assert_snapshot!(run, @"
    [stderr]
    moved common-files/b.txt to common-files/c.txt
    [exit code 0]
    ");
    assert_eq!(world.tree().list("common-files"), ["a.txt", "c.txt"]);
}

#[test]
fn a_lost_answer_is_settled_by_looking() {
    let world = world();
    world.sandbox.faults().add(Fault::on("PUT", "/a/jobs/user/copy").close_after());
    let run = world.cec(["cp", "common-files/a.txt", "common-files/c.txt"]).run();
    assert_snapshot!(run, @"
    [stderr]
    copied common-files/a.txt to common-files/c.txt
    [exit code 0]
    ");
    assert_eq!(starts(&world), 1, "never sent twice");
}

#[test]
fn without_waiting_the_ids_of_the_jobs_are_printed() {
    let world = world();
    let run = world.cec(["cp", "--no-wait", "common-files/a.txt", "common-files/c.txt"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(run.stdout.starts_with("copy-move-") && run.stdout.lines().count() == 1, "{run:?}");
}

#[test]
fn json_says_what_became_of_each_source() {
    let world = world();
    let json = world.cec(["cp", "--json", "common-files/a.txt", "common-files/folder", "personal-files"]).run().json();
    let records = json.as_array().expect("an array");
    assert_eq!(fields(&records[0]), ["source", "target", "type", "status", "job"]);
    assert_eq!(records[1]["target"], "personal-files/folder");
    assert_eq!((&records[0]["type"], &records[1]["type"]), (&"file".into(), &"folder".into()));
    let started = world.cec(["mv", "--no-wait", "--json", "common-files/b.txt", "personal-files"]).run().json();
    assert_eq!(started[0]["status"], "started");
}

#[test]
fn rights_are_the_servers_to_judge() {
    let world = world();
    world.put("a1-ro/r.txt", "x");
    let run = world.cec(["cp", "common-files/a.txt", "a1-ro"]).user("alice").run();
    assert_snapshot!(run, @"
    [stderr]
    error: path is not writeable
      while: copying common-files/a.txt
    [exit code 5]
    ");
    assert_eq!(world.cec(["mv", "a1-ro/r.txt", "common-files"]).user("alice").run().code, 5);
    let partly = world.cec(["mv", "a1-ro/r.txt", "common-files/b.txt", "personal-files"]).user("alice").run();
    assert_eq!(partly.code, 7, "{partly:?}");
    assert!(!world.tree().exists("common-files/b.txt"));
    assert_eq!(world.cec(["cp", "common-files/a.txt", "personal-files"]).env("CEC_TOKEN", "none").run().code, 4);
}

#[test]
fn no_folder_gets_the_name_of_an_archive() {
    let world = world();
    world.mkdir("common-files/folder/inner");
    world.mkdir("common-files/old.zip");
    world.put("common-files/plain", "1");
    let before = starts(&world);
    for arguments in [
        &["cp", "common-files/folder", "common-files/x.zip"][..],
        &["mv", "common-files/folder", "common-files/x.tar"],
        &["cp", "common-files/plain", "common-files/x.zip/"],
        &["mv", "common-files/plain", "common-files/old.zip"],
        &["cp", "common-files/plain", "common-files/old.zip/name"],
        &["cp", "common-files/old.zip", "common-files/folder"],
    ] {
        let run = world.cec(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains("ends like that of an archive"), "{arguments:?}: {}", run.stderr);
    }
    assert_eq!(starts(&world), before);
    // A file may be called so.
    assert_eq!(world.cec(["cp", "common-files/plain", "common-files/x.zip"]).run().code, 0);
}

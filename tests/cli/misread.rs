//! What was typed, and most likely not meant as it could be read.

use std::fs;

use crate::support::World;

#[track_caller]
fn refused(world: &World, arguments: &[&str], words: &[&str]) {
    let run = world.cec(arguments.iter().copied()).run();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?} {run:?}");
    for words in words {
        assert!(run.stderr.contains(words), "{arguments:?} lacks '{words}': {}", run.stderr);
    }
}

#[test]
fn a_password_behind_share_or_a_user_command_is_not_taken_for_signing_in() {
    let world = World::new();
    world.put("common-files/report.pdf", "content");
    for arguments in [
        &["share", "common-files/report.pdf", "--password", "open-sesame"][..],
        &["share", "common-files/report.pdf", "--password=open-sesame", "--login", "admin"],
        &["share", "edit", "0123456789ab", "--password", "open-sesame"],
        &["idm", "user", "create", "carol", "--password", "open-sesame"],
        &["idm", "user", "passwd", "alice", "--password", "open-sesame"],
    ] {
        refused(&world, arguments, &["--password is the sign-in password", "--password-stdin", "before the command"]);
    }
    refused(&world, &["idm", "user", "update", "alice", "--password", "open-sesame"], &["cec idm user passwd"]);
    assert!(world.sandbox.requests().is_empty(), "nothing was sent");
    let password = world.sandbox.password("admin").to_owned();
    let run = world
        .signed_out([
            "--url",
            world.url(),
            "--login",
            "admin",
            "--password",
            &password,
            "share",
            "common-files/report.pdf",
        ])
        .run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
}

#[test]
fn an_empty_path_is_refused_before_anything_is_done() {
    let world = World::new();
    world.put("common-files/report.pdf", "content");
    for command in [
        &["ls"][..],
        &["ls", "-f"],
        &["ls", "-R"],
        &["find"],
        &["du"],
        &["tree"],
        &["stat"],
        &["rm", "-f"],
        &["mkdir", "-p"],
        &["cat"],
        &["about"],
        &["share"],
        &["trash", "ls"],
        &["trash", "empty", "-f"],
        &["restore"],
        &["meta", "get"],
        &["cp", "common-files/report.pdf"],
        &["mv", "common-files/report.pdf"],
        &["scp", "cells://common-files/report.pdf"],
        &["search", "report", "--in"],
        &["compress", "common-files/report.pdf", "common-files/x.zip"],
        &["extract"],
    ] {
        refused(&world, &[command, &[""]].concat(), &["a path is empty", "is written"]);
    }
    refused(&world, &["find", "common-files", "", "--type", "f"], &["a path is empty"]);
    world.cec(["ls", "/"]).run().is(0, &world.cec(["ls"]).run().stdout, "");
}

#[test]
fn what_other_programs_call_it_leads_to_what_it_is_here() {
    let world = World::new();
    for (arguments, hint) in [
        (&["sync", "a", "b"][..], "sync is not supported yet"),
        (&["check", "a"], "check is not supported yet"),
        (&["copy", "a", "b"], "'cec cp'"),
        (&["put", "a"], "'cec scp"),
        (&["get", "a"], "'cec scp"),
        (&["upload", "a"], "'cec scp"),
        (&["download", "a"], "'cec scp"),
        (&["delete", "a"], "'cec rm'"),
        (&["login"], "'cec configure'"),
        (&["auth", "status"], "'cec info'"),
        (&["open", "a"], "'cec stat'"),
        (&["df"], "'cec about'"),
        (&["undelete", "a"], "'cec restore'"),
        (&["versions", "a"], "earlier versions"),
        (&["zip", "a"], "'cec compress'"),
        (&["mount"], "rclone"),
        (&["config", "show"], "'cec config status'"),
        (&["share", "delete", "common-files/x"], "'cec share rm'"),
        (&["share", "delete", "common-files/x"], "unrecognized subcommand 'delete'"),
        (&["cp", "a"], "a source and a target are required, but there is only one path"),
        (&["jobs", "delete"], "either --job-id or --filter is required"),
        (&["search"], "a part of a name, --ext or --meta is required"),
        (&["ls", "-t", "personal-files/x"], "-t is --token; --sort time"),
        (&["cp", "-u", "a", "b"], "-u is --url"),
        (&["scp", "-u", "report", "cells://personal-files/"], "--update"),
        (&["scp", "report.pdf", "personal-files/x/"], "mark the remote side: cells://personal-files/x/"),
        (&["scp", "report.pdf", "cells:/personal-files/x/"], "mark the remote side: cells://personal-files/x/"),
        (&["logout"], "'cec config rm'"),
        (&["whoami"], "'cec info'"),
        (&["jobs", "ls"], "'cec jobs get'"),
        (&["jobs", "list"], "'cec jobs get'"),
        (&["share", "create", "common-files/x"], "cec share [OPTIONS] <PATH>"),
        (&["ls", "--output", "json"], "--json"),
        (&["du", "-sh", "common-files"], "-h is --help"),
        (&["ls", "-dh"], "omit the h: -d"),
        (&["find", "common-files", "-type", "f"], "two dashes: --type"),
        (&["find", "common-files", "-name", "x"], "two dashes: --name"),
        (&["find", "common-files", "-iname", "x"], "two dashes: --iname"),
        (&["find", "common-files", "-maxdepth", "1"], "--max-depth"),
        (&["find", "common-files", "*.jpg"], "cec find PATH --name '*.jpg'"),
        (&["ls", "-url", "https://files.example.com"], "two dashes: --url"),
        (&["scp", "a", "cells://b", "--exclude", "x"], "selecting by name is not supported yet"),
        (&["scp", "a", "cells://b", "--bwlimit", "1M"], "a speed limit is not supported yet"),
    ] {
        refused(&world, arguments, &[hint]);
    }
    assert!(world.sandbox.requests().is_empty());
    world.put("common-files/a", "content");
    for (list, own) in
        [(&["list"][..], &["ls"][..]), (&["trash", "list"], &["trash", "ls"]), (&["meta", "list"], &["meta", "ls"])]
    {
        let run = world.cec(list.iter().copied()).run();
        run.is(0, &world.cec(own.iter().copied()).run().stdout, "");
    }
}

#[test]
fn a_flag_is_called_a_possible_value_only_where_a_file_has_that_name() {
    let world = World::new();
    let tip = "to pass '--thumbs' as a value, use '-- --thumbs'";
    let arguments = ["scp", "a", "cells://b", "--thumbs"];
    assert!(!world.cec(arguments).run().stderr.contains(tip));
    fs::write(world.home().join("--thumbs"), "x").expect("a file");
    refused(&world, &arguments, &[tip]);
}

#[test]
fn a_path_never_goes_out_as_a_token() {
    let world = World::new();
    let run = world.signed_out(["ls", "--url", world.url(), "--token", "personal-files/x"]).run();
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.starts_with("error: the given token is not a valid token"), "{run:?}");
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn habits_of_cp_and_ls_do_what_they_mean() {
    let world = World::new();
    world.put("common-files/folder/x", "content");
    for (flag, target) in [("-r", "one"), ("-R", "two"), ("--recursive", "three")] {
        let target = format!("common-files/{target}");
        assert_eq!(world.cec(["cp", flag, "common-files/folder", &target]).run().code, 0, "{flag}");
        assert_eq!(world.cec(["scp", flag, &format!("cells://{target}"), "."]).run().code, 0, "{flag}");
        assert_eq!(world.cec(["rm", flag, "-f", &target]).run().code, 0, "{flag}");
    }
    let details = world.cec(["ls", "-d", "common-files"]).run();
    world.cec(["ls", "-l", "common-files"]).run().is(0, &details.stdout, "");
    assert!(!world.cec(["scp", "--help"]).run().stdout.contains("--recursive"));
}

#[test]
fn a_file_whose_name_looks_like_flags_is_named() {
    let world = World::new();
    fs::write(world.home().join("-dash"), "x").expect("a file");
    refused(&world, &["scp", "-dash", "cells://common-files/"], &["'-dash' is a local file: write ./ before its name"]);
}

#[test]
fn a_name_that_was_nearly_right_is_suggested() {
    let world = World::new();
    world.put("common-files/photos/x", "content");
    for (typed, meant) in [
        ("common-file/photos", "common-files/photos"),
        ("Common-Files", "common-files"),
        ("Common Files", "common-files"),
    ] {
        let run = world.cec(["ls", typed]).run();
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.stderr.contains(&format!("hint: did you mean '{meant}'?")), "{typed} {run:?}");
    }
    // A listing only for who may be typing.
    world.sandbox.clear_requests();
    let run = world.cec(["ls", "common-files/phtos"]).run();
    assert!(run.code == 3 && !run.stderr.contains("did you mean"), "{run:?}");
    #[cfg(unix)]
    if let Some((code, screen)) = world.cec(["ls", "common-files/phtos"]).on_terminal(&[]) {
        assert_eq!(code, 3, "{screen}");
        assert!(screen.contains("did you mean 'common-files/photos'?"), "{screen}");
    }
}

#[test]
fn local_paths_lead_to_scp() {
    let world = World::new();
    world.put("common-files/report.pdf", "content");
    fs::write(world.home().join("report.pdf"), "content").expect("a file");
    let absolute = world.home().join("report.pdf").display().to_string();
    for arguments in [
        &["cp", "report.pdf", "cells://common-files/"][..],
        &["cp", "./report.pdf", "cells://common-files/"],
        &["cp", "cells://common-files/report.pdf", "."],
        &["cp", &absolute, "cells://common-files/"],
        &["rm", "report.pdf"],
        &["cat", "../report.pdf"],
    ] {
        let run = world.cec(arguments.iter().copied()).run();
        assert!(matches!(run.code, 2 | 3) && run.stdout.is_empty(), "{arguments:?} {run:?}");
        assert!(run.stderr.contains("'cec scp' copies between the server and this machine"), "{arguments:?} {run:?}");
    }
    let run = world.cec(["cp", "other.pdf", "cells://common-files/"]).run();
    assert!(run.code == 2 && !run.stderr.contains("cec scp"), "{run:?}");
    refused(
        &world,
        &["scp", "cells://common-files/report.pdf", "cells://common-files/b"],
        &["'cec cp' copies on the server"],
    );
    let run = world.cec(["ls", "--json", "name,size"]).run();
    assert!(run.code == 3 && run.stderr.contains("--json does not accept field names"), "{run:?}");
}

#[test]
fn headers_before_and_behind_the_command_all_reach_the_server() {
    let world = World::new();
    world.cec(["--header", "X-One: 1", "ls", "--header", "X-Two: 2", "common-files"]).run();
    let requests = world.sandbox.requests();
    assert!(!requests.is_empty());
    assert!(requests.iter().all(|request| request.header("x-one") == "1" && request.header("x-two") == "2"));
}

#[test]
fn what_concerns_all_operands_is_told_once() {
    let world = World::new();
    let dead = world.cec(["ls", "a", "b", "c"]).env("CEC_URL", "http://127.0.0.1:1").run();
    assert_eq!((dead.code, dead.stdout.as_str()), (6, ""), "{dead:?}");
    assert_eq!(dead.stderr.matches("error:").count(), 1, "{dead:?}");
    let half = world.signed_out(["stat", "a", "b", "c"]).env("CEC_TOKEN", "some-token-or-other").run();
    assert_eq!((half.code, half.stderr.matches("error:").count()), (2, 1), "{half:?}");
}

#[test]
fn certificate_files_that_are_missing_and_calls_that_are_not_there_are_not_found() {
    let world = World::new();
    for arguments in
        [&["ls", "--ca-cert", "nope.pem"][..], &["ls", "--client-cert", "nope.pem", "--client-key", "nope.key"]]
    {
        let run = world.cec(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{run:?}");
        assert!(run.stderr.contains("nope.pem"), "{run:?}");
    }
    let run = world.cec(["api", "GET", "nosuch"]).run();
    assert_eq!(run.code, 3, "{run:?}");
}

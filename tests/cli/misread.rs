//! What was typed, and most likely not meant as it could be read.

use std::fs;

use insta::assert_snapshot;

use crate::support::World;

#[test]
fn a_password_behind_share_or_a_user_command_is_not_taken_for_signing_in() {
    let world = World::new();
    world.put("common-files/report.pdf", "content");
    let refused = world.transcript([
        &["share", "common-files/report.pdf", "--password", "open-sesame"][..],
        &["share", "common-files/report.pdf", "--password=open-sesame", "--login", "admin"],
        &["share", "edit", "0123456789ab", "--password", "open-sesame"],
        &["idm", "user", "create", "carol", "--password", "open-sesame"],
        &["idm", "user", "passwd", "alice", "--password", "open-sesame"],
        &["idm", "user", "update", "alice", "--password", "open-sesame"],
    ]);
    assert_snapshot!(refused, @"
    $ cec share common-files/report.pdf --password open-sesame
    [stderr]
    error: --password is the sign-in password, not the link's password
      hint: use --password-stdin to set the link's password
      hint: to sign in with it, write it before the command or set CEC_PASSWORD
    [exit code 2]
    $ cec share common-files/report.pdf --password=open-sesame --login admin
    [stderr]
    error: --password is the sign-in password, not the link's password
      hint: use --password-stdin to set the link's password
      hint: to sign in with it, write it before the command or set CEC_PASSWORD
    [exit code 2]
    $ cec share edit 0123456789ab --password open-sesame
    [stderr]
    error: --password is the sign-in password, not the link's password
      hint: use --password-stdin to set the link's password
      hint: to sign in with it, write it before the command or set CEC_PASSWORD
    [exit code 2]
    $ cec idm user create carol --password open-sesame
    [stderr]
    error: --password is the sign-in password, not the user's password
      hint: add --password-stdin to read the user's password from standard input, or omit both to be asked
      hint: to sign in with it, write it before the command or set CEC_PASSWORD
    [exit code 2]
    $ cec idm user passwd alice --password open-sesame
    [stderr]
    error: --password is the sign-in password, not the user's password
      hint: add --password-stdin to read the user's password from standard input, or omit both to be asked
      hint: to sign in with it, write it before the command or set CEC_PASSWORD
    [exit code 2]
    $ cec idm user update alice --password open-sesame
    [stderr]
    error: --password is the sign-in password, not the user's password
      hint: 'cec idm user passwd' sets a new password
      hint: to sign in with it, write it before the command or set CEC_PASSWORD
    [exit code 2]
    ");
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
    let commands = [
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
    ];
    let refused = commands.map(|command| [command, &[""]].concat());
    assert_snapshot!(world.transcript(refused), @r#"
    $ cec ls ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec ls -f ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec ls -R ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec find ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec du ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec tree ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec stat ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec rm -f ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec mkdir -p ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec cat ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec about ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec share ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec trash ls ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec trash empty -f ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec restore ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec meta get ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec cp common-files/report.pdf ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec mv common-files/report.pdf ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec scp cells://common-files/report.pdf ""
    [stderr]
    error: a path is empty
      hint: is a variable not set? this folder is written .
    [exit code 2]
    $ cec search report --in ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec compress common-files/report.pdf common-files/x.zip ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    $ cec extract ""
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    "#);
    let run = world.cec(["find", "common-files", "", "--type", "f"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: a path is empty
      hint: check for an unset variable; the root of the server, which contains the workspaces, is written /
    [exit code 2]
    ");
    world.cec(["ls", "/"]).run().is(0, &world.cec(["ls"]).run().stdout, "");
}

#[test]
fn what_other_programs_call_it_leads_to_what_it_is_here() {
    let world = World::new();
    let refused = world.transcript([
        &["sync", "a", "b"][..],
        &["check", "a"],
        &["copy", "a", "b"],
        &["put", "a"],
        &["get", "a"],
        &["upload", "a"],
        &["download", "a"],
        &["delete", "a"],
        &["login"],
        &["auth", "status"],
        &["open", "a"],
        &["df"],
        &["undelete", "a"],
        &["versions", "a"],
        &["zip", "a"],
        &["mount"],
        &["config", "show"],
        &["share", "delete", "common-files/x"],
        &["cp", "a"],
        &["jobs", "delete"],
        &["search"],
        &["ls", "-t", "personal-files/x"],
        &["cp", "-u", "a", "b"],
        &["scp", "-u", "report", "cells://personal-files/"],
        &["scp", "report.pdf", "personal-files/x/"],
        &["scp", "report.pdf", "cells:/personal-files/x/"],
        &["logout"],
        &["whoami"],
        &["jobs", "ls"],
        &["jobs", "list"],
        &["share", "create", "common-files/x"],
        &["ls", "--output", "json"],
        &["du", "-sh", "common-files"],
        &["ls", "-dh"],
        &["find", "common-files", "-type", "f"],
        &["find", "common-files", "-name", "x"],
        &["find", "common-files", "-iname", "x"],
        &["find", "common-files", "-maxdepth", "1"],
        &["find", "common-files", "*.jpg"],
        &["ls", "-url", "https://files.example.com"],
        &["scp", "a", "cells://b", "--limit-rate", "1M"],
    ]);
    assert_snapshot!(refused, @r#"
    $ cec sync a b
    [stderr]
    error: unrecognized subcommand 'sync'
      hint: sync is not supported yet; 'cec scp SRC/. DST' copies what is missing
      hint: see 'cec --help'
    [exit code 2]
    $ cec check a
    [stderr]
    error: unrecognized subcommand 'check'
      hint: check is not supported yet; 'cec scp --dry-run SRC/. DST' shows what is missing
      hint: see 'cec --help'
    [exit code 2]
    $ cec copy a b
    [stderr]
    error: unrecognized subcommand 'copy'
      hint: 'cec scp' copies to the server or from it, 'cec cp' on the server
      hint: see 'cec --help'
    [exit code 2]
    $ cec put a
    [stderr]
    error: unrecognized subcommand 'put'
      hint: 'cec scp SRC... DST' copies to the server or from it
      hint: see 'cec --help'
    [exit code 2]
    $ cec get a
    [stderr]
    error: unrecognized subcommand 'get'
      hint: 'cec scp SRC... DST' copies to the server or from it
      hint: see 'cec --help'
    [exit code 2]
    $ cec upload a
    [stderr]
    error: unrecognized subcommand 'upload'
      hint: 'cec scp SRC... DST' copies to the server or from it
      hint: see 'cec --help'
    [exit code 2]
    $ cec download a
    [stderr]
    error: unrecognized subcommand 'download'
      hint: 'cec scp SRC... DST' copies to the server or from it
      hint: see 'cec --help'
    [exit code 2]
    $ cec delete a
    [stderr]
    error: unrecognized subcommand 'delete'
      hint: 'cec rm' moves to the recycle bin, 'cec rm -p' deletes
      hint: see 'cec --help'
    [exit code 2]
    $ cec login
    [stderr]
    error: unrecognized subcommand 'login'
      hint: 'cec configure' signs in, 'cec info' shows the account
      hint: see 'cec --help'
    [exit code 2]
    $ cec auth status
    [stderr]
    error: unrecognized subcommand 'auth'
      hint: 'cec configure' signs in, 'cec info' shows the account
      hint: see 'cec --help'
    [exit code 2]
    $ cec open a
    [stderr]
    error: unrecognized subcommand 'open'
      hint: not supported yet; 'cec stat' shows details, 'cec share' creates a public link to open
      hint: see 'cec --help'
    [exit code 2]
    $ cec df
    [stderr]
    error: unrecognized subcommand 'df'
      hint: 'cec about' shows size and quota of workspaces
      hint: see 'cec --help'
    [exit code 2]
    $ cec undelete a
    [stderr]
    error: unrecognized subcommand 'undelete'
      hint: 'cec trash ls' lists deleted items, 'cec restore' restores them
      hint: see 'cec --help'
    [exit code 2]
    $ cec versions a
    [stderr]
    error: unrecognized subcommand 'versions'
      hint: earlier versions of a file are not supported yet
      hint: see 'cec --help'
    [exit code 2]
    $ cec zip a
    [stderr]
    error: unrecognized subcommand 'zip'
      hint: 'cec compress' makes an archive on the server
      hint: see 'cec --help'
    [exit code 2]
    $ cec mount
    [stderr]
    error: unrecognized subcommand 'mount'
      hint: 'cec config export --rclone' prints a configuration for rclone, which can mount and serve
      hint: see 'cec --help'
    [exit code 2]
    $ cec config show
    [stderr]
    error: unrecognized subcommand 'show'
      hint: 'cec config status' shows who is signed in
      hint: see 'cec config --help'
    [exit code 2]
    $ cec share delete common-files/x
    [stderr]
    error: unrecognized subcommand 'delete'
      hint: 'cec share rm' removes links
      hint: see 'cec share --help'
    [exit code 2]
    $ cec cp a
    [stderr]
    error: a source and a target are required, but there is only one path
      hint: usage: cec cp [OPTIONS] <SRC>... <DST>
      hint: see 'cec cp --help'
    [exit code 2]
    $ cec jobs delete
    [stderr]
    error: either --job-id or --filter is required
      hint: usage: cec jobs delete --job-id <JOB-ID>
      hint: see 'cec jobs delete --help'
    [exit code 2]
    $ cec search
    [stderr]
    error: a part of a name, --ext or --meta is required
      hint: usage: cec search <TEXT>
      hint: see 'cec search --help'
    [exit code 2]
    $ cec ls -t personal-files/x
    [stderr]
    error: the value of -t is not a token
      hint: -t is --token; --sort time lists the newest first
    [exit code 2]
    $ cec cp -u a b
    [stderr]
    error: the value of -u is not the URL of a server
      hint: -u is --url; 'cec cp' and 'cec mv' never replace an existing file
    [exit code 2]
    $ cec scp -u report cells://personal-files/
    [stderr]
    error: the value of -u is not the URL of a server
      hint: -u is --url; --update replaces only what is older
    [exit code 2]
    $ cec scp report.pdf personal-files/x/
    [stderr]
    error: neither the sources nor the target are on the server
      hint: mark the remote side: cells://personal-files/x/
    [exit code 2]
    $ cec scp report.pdf cells:/personal-files/x/
    [stderr]
    error: neither the sources nor the target are on the server
      hint: mark the remote side: cells://personal-files/x/
    [exit code 2]
    $ cec logout
    [stderr]
    error: unrecognized subcommand 'logout'
      hint: 'cec config rm' removes an account, 'cec clear' all of them
      hint: see 'cec --help'
    [exit code 2]
    $ cec whoami
    [stderr]
    error: unrecognized subcommand 'whoami'
      hint: 'cec info' shows who is signed in to which server
      hint: see 'cec --help'
    [exit code 2]
    $ cec jobs ls
    [stderr]
    error: unrecognized subcommand 'ls'
      hint: 'cec jobs get' lists them
      hint: see 'cec jobs --help'
    [exit code 2]
    $ cec jobs list
    [stderr]
    error: unrecognized subcommand 'list'
      hint: 'cec jobs get' lists them
      hint: see 'cec jobs --help'
    [exit code 2]
    $ cec share create common-files/x
    [stderr]
    error: unrecognized subcommand 'create'
      hint: to make a link: cec share [OPTIONS] <PATH>
      hint: see 'cec share --help'
    [exit code 2]
    $ cec ls --output json
    [stderr]
    error: unexpected argument '--output' found
      hint: use --json for results as JSON, --jq EXPRESSION for a part of them
      hint: see 'cec ls --help'
    [exit code 2]
    $ cec du -sh common-files
    [stderr]
    error: -h is --help and cannot be part of '-sh'
      hint: sizes are human-readable on a terminal, and bytes in a pipe; omit the h: -s
      hint: see 'cec du --help'
    [exit code 2]
    $ cec ls -dh
    [stderr]
    error: -h is --help and cannot be part of '-dh'
      hint: sizes are human-readable on a terminal, and bytes in a pipe; omit the h: -d
      hint: see 'cec ls --help'
    [exit code 2]
    $ cec find common-files -type f
    [stderr]
    error: unexpected argument '-type' found
      hint: long options have two dashes: --type
    [exit code 2]
    $ cec find common-files -name x
    [stderr]
    error: unexpected argument '-n' found
      hint: long options have two dashes: --name
      hint: see 'cec find --help'
    [exit code 2]
    $ cec find common-files -iname x
    [stderr]
    error: unexpected argument '-i' found
      hint: long options have two dashes: --iname
      hint: see 'cec find --help'
    [exit code 2]
    $ cec find common-files -maxdepth 1
    [stderr]
    error: unexpected argument '-m' found
      hint: use --max-depth to limit the depth
      hint: see 'cec find --help'
    [exit code 2]
    $ cec find common-files "*.jpg"
    [stderr]
    error: '*.jpg' is a name pattern, but a path is required
      hint: to match names: cec find PATH --name '*.jpg'
    [exit code 2]
    $ cec ls -url https://files.example.com
    [stderr]
    error: unexpected argument '-url' found
      hint: long options have two dashes: --url
    [exit code 2]
    $ cec scp a cells://b --limit-rate 1M
    [stderr]
    error: unexpected argument '--limit-rate' found
      hint: --bwlimit RATE limits the speed
      hint: see 'cec scp --help'
    [exit code 2]
    "#);
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
    let run = world.cec(arguments).run();
    assert_snapshot!(run, @"
    [stderr]
    error: unexpected argument '--thumbs' found
      hint: to pass '--thumbs' as a value, use '-- --thumbs'
      hint: see 'cec scp --help'
    [exit code 2]
    ");
}

#[test]
fn a_path_never_goes_out_as_a_token() {
    let world = World::new();
    let run = world.signed_out(["ls", "--url", world.url(), "--token", "personal-files/x"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the given token is not a valid token: it contains a space, line break, slash or other invalid character
    [exit code 2]
    ");
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
    let run = world.cec(["scp", "-dash", "cells://common-files/"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: unexpected argument '-d' found
      hint: '-dash' is a local file: write ./ before its name, or -- before all paths
      hint: see 'cec scp --help'
    [exit code 2]
    ");
}

#[test]
fn a_name_that_was_nearly_right_is_suggested() {
    let world = World::new();
    world.put("common-files/photos/x", "content");
    let suggested = world.transcript([["ls", "common-file/photos"], ["ls", "Common-Files"], ["ls", "Common Files"]]);
    assert_snapshot!(suggested, @r#"
    $ cec ls common-file/photos
    [stderr]
    error: there is no workspace 'common-file', or you have no access to it
      hint: did you mean 'common-files/photos'?
    [exit code 3]
    $ cec ls Common-Files
    [stderr]
    error: there is no workspace 'Common-Files', or you have no access to it
      hint: did you mean 'common-files'?
    [exit code 3]
    $ cec ls "Common Files"
    [stderr]
    error: there is no workspace 'Common Files', or you have no access to it
      hint: did you mean 'common-files'?
    [exit code 3]
    "#);
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
    let led = world.transcript([
        &["cp", "report.pdf", "cells://common-files/"][..],
        &["cp", "./report.pdf", "cells://common-files/"],
        &["cp", "cells://common-files/report.pdf", "."],
        &["cp", &absolute, "cells://common-files/"],
        &["rm", "report.pdf"],
        &["cat", "../report.pdf"],
    ]);
    assert_snapshot!(led, @"
    $ cec cp report.pdf cells://common-files/
    [stderr]
    error: 'report.pdf' is a workspace, which cannot be copied
      hint: use a path on the server, WORKSPACE/FOLDER/FILE; 'cec scp' copies between the server and this machine
      hint: name its content instead: 'report.pdf/*'
    [exit code 2]
    $ cec cp ./report.pdf cells://common-files/
    [stderr]
    error: './report.pdf' contains a '.' segment; write the path without it
      hint: use a path on the server, WORKSPACE/FOLDER/FILE; 'cec scp' copies between the server and this machine
    [exit code 2]
    $ cec cp cells://common-files/report.pdf .
    [stderr]
    error: '.' contains a '.' segment; write the path without it
      hint: use a path on the server, WORKSPACE/FOLDER/FILE; 'cec scp' copies between the server and this machine
    [exit code 2]
    $ cec cp HOME/report.pdf cells://common-files/
    [stderr]
    error: there is no workspace 'tmp', or you have no access to it
      hint: use a path on the server, WORKSPACE/FOLDER/FILE; 'cec scp' copies between the server and this machine
      hint: 'cec ls' lists your workspaces
    [exit code 3]
    $ cec rm report.pdf
    [stderr]
    error: 'report.pdf' is a workspace; cec cannot delete workspaces
      hint: use a path on the server, WORKSPACE/FOLDER/FILE; 'cec scp' copies between the server and this machine
    [exit code 2]
    $ cec cat ../report.pdf
    [stderr]
    error: '../report.pdf' contains a '..' segment; write the path without it
      hint: use a path on the server, WORKSPACE/FOLDER/FILE; 'cec scp' copies between the server and this machine
    [exit code 2]
    ");
    let run = world.cec(["cp", "other.pdf", "cells://common-files/"]).run();
    assert!(run.code == 2 && !run.stderr.contains("cec scp"), "{run:?}");
    let run = world.cec(["scp", "cells://common-files/report.pdf", "cells://common-files/b"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: both the sources and the target are on the server
      hint: 'cec cp' copies on the server, 'cec mv' moves there
    [exit code 2]
    ");
    let run = world.cec(["ls", "--json", "name,size"]).run();
    assert_snapshot!(run, @r#"
    [stderr]
    {"type":"error","code":3,"kind":"not_found","message":"there is no workspace 'name,size', or you have no access to it","hint":"--json does not accept field names; select them with: --jq '.[] | {name, size}'","path":"name,size","http":null,"request_id":null}
    [exit code 3]
    "#);
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

//! Streams, usage errors, logs and colours.

use std::fs;
use std::io::Read;

use insta::assert_snapshot;

use crate::support::{World, transcript};

#[test]
fn a_closed_pipe_ends_quietly() {
    let world = World::new();
    world.tree().generate("common-files/many", 3000, 1).expect("files");
    world.put("common-files/long", &"a line\n".repeat(500_000));
    for arguments in [
        &["ls", "common-files/many"][..],
        &["ls", "-R", "common-files"],
        &["ls", "-d", "common-files/many"],
        &["cat", "common-files/long"],
        &["cat", "common-files/long", "common-files/long"],
    ] {
        let mut child = world.cec(arguments.iter().copied()).spawn();
        let mut start = [0; 5];
        child.stdout.take().expect("a pipe").read_exact(&mut start).expect("the first names");
        let output = child.wait_with_output().expect("an end");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{arguments:?}");
    }
}

#[test]
fn usage_errors_suggest_and_have_their_exit_code() {
    let world = World::new();
    let refused = [
        &["lss"][..],
        &["ls", "--jsn"],
        &["rm"],
        &["ls", "--sort", "colour"],
        &["config"],
        &["ls", "-f"],
        &["ls", "--timeout", "soon"],
    ];
    assert_snapshot!(transcript(refused.map(|line| world.signed_out(line.iter().copied()).run())), @"
    $ cec lss
    [stderr]
    error: unrecognized subcommand 'lss'
      hint: a similar subcommand exists: 'ls'
      hint: see 'cec --help'
    [exit code 2]
    $ cec ls --jsn
    [stderr]
    error: unexpected argument '--jsn' found
      hint: a similar argument exists: '--json'
      hint: see 'cec ls --help'
    [exit code 2]
    $ cec rm
    [stderr]
    error: the following required arguments were not provided: <PATH>...
      hint: usage: cec rm <PATH>...
      hint: see 'cec rm --help'
    [exit code 2]
    $ cec ls --sort colour
    [stderr]
    error: invalid value 'colour' for '--sort <BY>' [possible values: name, size, time]
      hint: see 'cec ls --help'
    [exit code 2]
    $ cec config
    [stderr]
    Manage stored accounts

    Examples:
      cec config add https://files.example.com
      cec config status

    Usage: cec config <COMMAND>

    Commands:
      add            Sign in to a server and store the account
      status         Show who is signed in to which server
      ls             List the stored accounts [alias: list]
      use            Make a stored account the active one
      rm             Remove a stored account and sign out on the server [alias: remove]
      relog          Sign in again to a stored account
      token          Print a valid token for other programs
      export         Print the account as a configuration for rclone, aws or s5cmd
      check-keyring  Check whether the system keyring works
      help           Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help

    Options of every command, such as --json, --profile and -q: cec help options
    [exit code 2]
    $ cec ls -f
    [stderr]
    error: the following required arguments were not provided: <PATH>...
      hint: usage: cec ls --exists <PATH>...
      hint: see 'cec ls --help'
    [exit code 2]
    $ cec ls --timeout soon
    [stderr]
    error: invalid value 'soon' for '--timeout <DURATION>': expected a duration such as 90s, 2m or 500ms
      hint: see 'cec ls --help'
    [exit code 2]
    ");
    let alone = world.signed_out([]).run();
    assert_snapshot!(alone, @"
    [stderr]
    The command-line client of Pydio Cells servers

    Examples:
      cec configure https://files.example.com
      cec ls common-files
      cec scp report.pdf cells://common-files/reports/

    Usage: cec [OPTIONS] <COMMAND>

    Commands:
      configure   Sign in to a server and store the account
      config      Manage stored accounts
      info        Show who is signed in to which server
      clear       Remove all stored accounts
      ls          List workspaces, folders and files
      stat        Show all details of files and folders
      find        Find files and folders by name, type, size and age
      search      Search names and metadata in the server's index
      about       Show size and quota of workspaces
      du          Add up the sizes of files
      tree        Show folders as a tree
      mkdir       Make folders
      cp          Copy files and folders on the server
      mv          Move or rename files and folders on the server
      rm          Move files and folders to the recycle bin, or delete them permanently
      trash       List, restore or permanently delete the content of recycle bins
      restore     Restore items from a recycle bin to their original place
      compress    Make an archive on the server
      extract     Unpack an archive on the server
      cat         Write the content of files to standard output
      scp         Upload or download files and folders
      transfers   List, resume or abort unfinished transfers on this machine
      meta        Show and set metadata of files and folders
      share       Make, list, change and remove public links
      idm         Manage users, groups, roles, workspaces and permissions
      storage     Manage data sources (for administrators)
      jobs        Manage jobs on the server
      api         Send any REST request and show the response
      doctor      Find out why something does not work
      update      Update this program to a newer version
      version     Show the version of this program
      tools       Hash local files, compare version numbers
      completion  Print the completion script for a shell
      help        Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Global options:
      -u, --url <URL>            URL of the server [env: CEC_URL]
      -t, --token <TOKEN>        Personal access token, or - to read it from standard input [env:
                                 CEC_TOKEN]
          --login <NAME>         Login name, used together with a password [env: CEC_LOGIN]
          --password <PASSWORD>  Password, or - to read it from standard input [env: CEC_PASSWORD]
          --profile <NAME>       Stored account to use: its id or label [env: CEC_PROFILE]
      -q, --quiet[=<BOOL>]       Print only results, warnings and errors, no status lines [env:
                                 CEC_QUIET]
          --json[=<BOOL>]        Print results as JSON on standard output, and errors as JSON on
                                 standard error [env: CEC_JSON]

    More: 'cec help options', or instead of options: exit-codes, environment, filters, paths.

    Start with 'cec configure', or set CEC_URL and CEC_TOKEN.
    [exit code 2]
    ");
    world.signed_out(["-q"]).run().is(2, "", &alone.stderr);
    let json = world.signed_out(["lss", "--json"]).run().json_error(2);
    assert_eq!(json["message"], "unrecognized subcommand 'lss'");
    assert_eq!(json["hint"], "a similar subcommand exists: 'ls'; see 'cec --help'");
    let json = world.signed_out(["--json", "stat"]).run().json_error(2);
    assert_eq!(json["message"], "the following required arguments were not provided: <PATH>...");
    assert_eq!(json["hint"], "usage: cec stat <PATH>...; see 'cec stat --help'");
    let number = world.signed_out(["scp", "--parts-concurrency", "99999999999999999999999", "a", "cells://b"]).run();
    assert_snapshot!(number, @"
    [stderr]
    error: invalid value '99999999999999999999999' for '--parts-concurrency <N>': the number is too large
      hint: see 'cec scp --help'
    [exit code 2]
    ");
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn what_is_mistyped_at_any_level_is_told_with_the_nearest() {
    let world = World::new();
    for (arguments, message, hint) in [
        (&["lss"][..], "unrecognized subcommand 'lss'", "a similar subcommand exists: 'ls'"),
        (&["docter"], "unrecognized subcommand 'docter'", "a similar subcommand exists: 'doctor'"),
        (&["idm", "lst-users"], "unrecognized subcommand 'lst-users'", "a similar subcommand exists: 'list-users'"),
        (&["idm", "user", "crate"], "unrecognized subcommand 'crate'", "a similar subcommand exists: 'create'"),
        (&["meta", "tag", "ad", "x"], "unrecognized subcommand 'ad'", "a similar subcommand exists: 'add'"),
        (&["tools", "version", "isvald"], "unrecognized subcommand 'isvald'", "a similar subcommand exists: 'isvalid'"),
        (&["help", "lss"], "unrecognized subcommand 'lss'", "a similar subcommand exists: 'ls'"),
        (&["help", "exit-code"], "unrecognized subcommand 'exit-code'", "a similar subcommand exists: 'exit-codes'"),
        (&["ls", "--detials"], "unexpected argument '--detials' found", "a similar argument exists: '--details'"),
        (&["--jso", "ls"], "unexpected argument '--jso' found", "a similar argument exists: '--json'"),
        (
            &["scp", "--paralel", "4", "a", "cells://b"],
            "unexpected argument '--paralel' found",
            "--transfers N moves N files at once",
        ),
        (
            &["rm", "-y", "x/y"],
            "unexpected argument '-y' found",
            "if the command asks a question, -f (--force) answers yes",
        ),
        (
            &["ls", "--sort", "nmae"],
            "invalid value 'nmae' for '--sort <BY>' [possible values: name, size, time]",
            "a similar value exists: 'name'",
        ),
    ] {
        let run = world.signed_out(arguments.iter().copied()).run();
        let mut lines = run.stderr.lines();
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?} {run:?}");
        let wanted = (Some(format!("error: {message}")), Some(format!("  hint: {hint}")));
        assert_eq!((lines.next().map(str::to_owned), lines.next().map(str::to_owned)), wanted, "{arguments:?} {run:?}");
        assert!(lines.next().is_some_and(|line| line.starts_with("  hint: see 'cec")), "{arguments:?} {run:?}");
        assert_eq!(lines.next(), None);
    }
}

#[test]
fn help_goes_to_standard_output() {
    let world = World::new();
    for arguments in [&["--help"][..], &["help", "ls"], &["ls", "-h"], &["configure", "token", "--help"]] {
        let run = world.signed_out(arguments.iter().copied()).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(run.stdout.contains("Usage: cec"), "{arguments:?}");
        assert!(!run.stdout.contains("skip_verify"), "old spellings stay hidden");
    }
}

#[test]
fn help_knows_topics() {
    let world = World::new();
    for (topic, words) in [
        ("exit-codes", "not signed in"),
        ("environment", "CEC_TOKEN_COMMAND"),
        ("filters", ".cellsignore"),
        ("paths", "cells://"),
    ] {
        let run = world.signed_out(["help", topic]).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{topic}");
        assert!(run.stdout.contains(words), "{topic}: {}", run.stdout);
    }
    assert_eq!(world.signed_out(["help", "nothing"]).run().code, 2);
}

#[test]
fn repeated_flags_are_no_error() {
    let world = World::new();
    world.put("common-files/a", "");
    let json = world.cec(["--json", "--json", "ls", "common-files", "--json"]).run().json();
    assert_eq!(json.as_array().map(Vec::len), Some(1));
    world.cec(["ls", "-a", "-a", "common-files"]).run().is(0, "a\n", "");
    world.cec(["ls", "--json=false", "common-files"]).env("CEC_JSON", "1").run().is(0, "a\n", "");
    let token = world.sandbox.token("admin");
    let flags = ["-u", "https://h.example", "-t", &token, "-u", world.url()];
    world.signed_out(["ls", "common-files", "--log", "ERROR"].into_iter().chain(flags)).run().is(0, "a\n", "");
    assert_eq!(world.cec(["ls", "--header", "X-One: 1", "--header", "X-Two: 2"]).run().code, 0);
    let requests = world.sandbox.requests();
    let last = requests.last().expect("a request");
    assert_eq!((last.header("x-one"), last.header("x-two")), ("1", "2"));
}

#[test]
fn usage_errors_heed_colour_and_cannot_act_on_the_terminal() {
    let world = World::new();
    for (arguments, variables, colored) in [
        (&["--color", "always", "lss"][..], &[][..], true),
        (&["lss", "--color=always"], &[], true),
        (&["lss", "--color", "never"], &[("CLICOLOR_FORCE", "1")], false),
        (&["lss"], &[("CEC_COLOR", "ALWAYS")], true),
        (&["lss"], &[], false),
    ] {
        let cec = world.signed_out(arguments.iter().copied());
        let run = variables.iter().fold(cec, |cec, (name, value)| cec.env(name, value)).run();
        assert_eq!((run.code, run.stderr.contains('\u{1b}')), (2, colored), "{arguments:?} {run:?}");
    }
    assert!(world.signed_out(["--color", "always", "ls", "-h"]).run().stdout.contains('\u{1b}'));
    let run = world.signed_out(["l\u{9b}s\u{202e}\n\u{7}\u{1b}[2J"]).run();
    assert_snapshot!(run, @r"
    [stderr]
    error: unrecognized subcommand 'l\u{9b}s\u{202e}\n\u{7}\u{1b}[2J'
      hint: see 'cec --help'
    [exit code 2]
    ");
}

#[test]
fn errors_are_json_lines_with_json() {
    let world = World::new();
    let record = world.cec(["stat", "--json", "nope"]).run().json_error(3);
    let fields: Vec<&String> = record.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["type", "code", "kind", "message", "hint", "path", "http", "request_id"]);
    assert_eq!(record["type"], "error");
    let by_variable = world.cec(["stat", "nope"]).env("CEC_JSON", "1").run().json_error(3);
    assert_eq!(by_variable, record);
}

#[test]
fn control_characters_in_errors_are_escaped() {
    let world = World::new();
    let run = world.cec(["ls", "common-files/\u{1b}31m\u{202e}x\ny"]).run();
    assert_snapshot!(run, @r"
    [stderr]
    error: 'common-files/\u{1b}31m\u{202e}x\ny' does not exist
    [exit code 3]
    ");
}

#[test]
fn logs_go_where_they_are_wanted_and_hold_no_secret() {
    let world = World::new();
    let password = world.sandbox.password("alice").to_owned();
    let quiet = world.cec(["ls", "-f", "common-files"]).run();
    assert_snapshot!(quiet, @"
    [stdout]
    true
    [exit code 0]
    ");
    let file = world.home().join("log").display().to_string();
    for cec in [
        world.cec(["ls", "--log", "trace", "--log-file", &file]),
        world
            .signed_out(["ls", "--log-file", &file, "--log", "trace", "-u", world.url(), "--login", "alice"])
            .env("CEC_PASSWORD", &password),
    ] {
        let run = cec.run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    }
    let log = fs::read_to_string(&file).expect("a log");
    assert!(!log.contains(&password) && !log.contains(&world.sandbox.token("admin")), "{log}");
    let to_stderr = world.cec(["ls", "--log", "trace"]).run();
    assert_eq!(to_stderr.code, 0);
    let bad = world.cec(["ls", "--log", "debug", "--log-file", "/no/such/folder/log"]).run();
    assert_eq!((bad.code, bad.stdout.as_str()), (1, ""), "{bad:?}");
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let world = World::new();
    world.mkdir("common-files/f");
    let list = |variables: &[(&str, &str)], flags: &[&str]| {
        let arguments = [&["ls", "common-files"], flags].concat();
        let mut cec = world.cec(arguments.iter().copied());
        for (name, value) in variables {
            cec = cec.env(name, value);
        }
        cec.run().stdout
    };
    let colored = "\u{1b}[1;34mf\u{1b}[0m/\n";
    assert_eq!(list(&[], &[]), "f/\n");
    assert_eq!(list(&[], &["--color", "always"]), colored);
    assert_eq!(list(&[("CLICOLOR_FORCE", "1")], &[]), colored);
    assert_eq!(list(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[]), "f/\n");
    assert_eq!(list(&[("CEC_COLOR", "always")], &["--color", "never"]), "f/\n");
}

#[test]
fn results_go_through_a_jq_expression() {
    let world = World::new();
    world.put("common-files/a b.txt", "twelve bytes");
    world.put("common-files/c.txt", "x");
    let ls = |expression| world.cec(["ls", "common-files", "--jq", expression]).run();
    ls(".[].name").is(0, "a b.txt\nc.txt\n", "");
    ls("map(.size) | add").is(0, "13\n", "");
    ls("empty").is(0, "", "");
    // Streams: each line by itself.
    let lines = world.cec(["ls", "-R", "common-files"]).env("CEC_JQ", "[.type, .size // .files] | @csv").run();
    assert_snapshot!(lines, @r#"
    [stdout]
    "file",12
    "file",1
    "summary",2
    [exit code 0]
    "#);
    world.cec(["version", "--jq", ".name"]).run().is(0, "Cells Client\n", "");
}

#[test]
fn a_jq_expression_that_cannot_be_used_is_told_before_anything_is_done() {
    let world = World::new();
    for (expression, words) in [(".[", "closing bracket"), ("nosuch(1)", "there is no filter"), ("", "--jq")] {
        let error = world.cec(["rm", "-f", "common-files/x", "--jq", expression]).run().json_error(2);
        assert!(error["message"].as_str().expect("words").contains(words), "{error}");
    }
    assert!(world.sandbox.requests().is_empty());
    let misfit = world.cec(["ls", "--jq", ".name"]).run().json_error(1);
    assert!(misfit["message"].as_str().expect("words").contains("cannot be applied to the result"), "{misfit}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_a_failure_for_help_and_offline_commands_too() {
    let world = World::new();
    fs::write(world.home().join("f"), "x").expect("a file");
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["help", "ls"],
        &["help", "exit-codes"],
        &["--version"],
        &["version"],
        &["version", "--json"],
        &["version", "-f", "{{.Version}}"],
        &["completion", "bash"],
        &["completion", "elvish"],
        &["tools", "hash", "f"],
        &["tools", "version", "isvalid", "1.2.3", "-q"],
        &["doctor", "--skip-keyring"],
        &["doctor", "--skip-keyring", "--json"],
    ] {
        let run = world.cec(arguments.iter().copied()).stdout_to("/dev/full").run();
        assert_eq!(run.code, 1, "{arguments:?} {run:?}");
        assert!(run.stderr.contains("cannot write to standard output: No space left"), "{arguments:?} {run:?}");
    }
}

/// Runs `cec` by a shell, which can close its streams.
#[cfg(unix)]
fn by_shell(world: &World, script: &str) -> crate::support::Run {
    let script = script.replace("cec ", &format!("'{}' ", env!("CARGO_BIN_EXE_cec")));
    world.cec(["-c", script.as_str()]).program(std::path::Path::new("/bin/sh")).run()
}

#[cfg(unix)]
#[test]
fn closed_streams_do_no_harm() {
    let world = World::new();
    world.put("common-files/a.txt", "x");
    for script in [
        "cec ls common-files >&-",
        "cec version >&-",
        "cec help ls >&-",
        "cec doctor --json >&-",
        "cec completion zsh >&-",
    ] {
        by_shell(&world, script).is(0, "", "");
    }
    // What a command says goes nowhere, and into no file or connection that was opened meanwhile.
    by_shell(&world, "cec ls common-files 2>&-").is(0, "a.txt\n", "");
    by_shell(&world, "cec lss 2>&-").is(2, "", "");
    by_shell(&world, "cec scp common-files/none cells://common-files/x 2>&-").is(3, "", "");
    by_shell(&world, "cec ls common-files <&-").is(0, "a.txt\n", "");
    let run = by_shell(&world, "cec scp - cells://common-files/empty </dev/null 2>&-");
    run.is(0, "", "");
    assert_eq!(world.tree().read("common-files/empty").as_deref(), Some(b"".as_slice()));
    if cfg!(target_os = "linux") {
        by_shell(&world, "cec scp - cells://common-files/none <&-").is(
            1,
            "",
            "error: standard input is closed\n  hint: to upload an empty file: cec scp - <TARGET> </dev/null\n",
        );
        assert!(!world.tree().exists("common-files/none"));
    }
    let run = by_shell(&world, "cec rm common-files <&-");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
    let run = by_shell(&world, "cec ls --token - <&-");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
}

#[test]
fn help_takes_no_offence_at_flags() {
    let world = World::new();
    let help = world.signed_out(["help", "ls"]).run().stdout;
    for arguments in [&["help", "--json", "ls"][..], &["help", "ls", "-h"], &["help", "ls", "--color=never", "-q"]] {
        world.signed_out(arguments.iter().copied()).run().is(0, &help, "");
    }
    let whole = world.signed_out(["help"]).run().stdout;
    assert!(whole.contains("--connect-timeout"), "{whole}");
    world.signed_out(["help", "-h"]).run().is(0, &whole, "");
    let topic = world.signed_out(["help", "paths"]).run().stdout;
    world.signed_out(["help", "--json", "paths"]).run().is(0, &topic, "");
}

#[test]
fn offline_commands_heed_the_log_and_bad_variables() {
    let world = World::new();
    let run = world.signed_out(["version", "--log-file", "/no/such/folder/log"]).run();
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
    let refused = [("CEC_LOG", "loud"), ("CEC_COLOR", "purple"), ("CEC_JSON", "maybe"), ("CEC_QUIET", "2")]
        .map(|(name, value)| world.signed_out(["version"]).env(name, value).run());
    assert_snapshot!(transcript(refused), @"
    $ cec version
    [stderr]
    error: the environment variable CEC_LOG has an invalid value: expected error, warn, info, debug or trace
    [exit code 2]
    $ cec version
    [stderr]
    error: the environment variable CEC_COLOR has an invalid value: expected auto, always or never
    [exit code 2]
    $ cec version
    [stderr]
    error: the environment variable CEC_JSON has an invalid value: expected true or false (or 1/0, yes/no, on/off)
    [exit code 2]
    $ cec version
    [stderr]
    error: the environment variable CEC_QUIET has an invalid value: expected true or false (or 1/0, yes/no, on/off)
    [exit code 2]
    ");
    let run = world.cec(["ls"]).env("CEC_HEADER", "no-colon").run();
    assert_snapshot!(run, @"
    [stderr]
    error: a header in CEC_HEADER does not have the form 'Name: value'
    [exit code 2]
    ");
}

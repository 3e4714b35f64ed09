//! Scripts that were written for the older client, run by a real shell; and what the older client printed, which a
//! script reads, beside what ours prints.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use insta::assert_snapshot;

use crate::support::{Run, World};

/// Runs a script with `cec` on its path, signed in nowhere; `U` is the server and `T` the administrator's token.
pub(crate) fn sh(world: &World, script: &str) -> Run {
    let bin = world.home().join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).expect("a folder");
        symlink(env!("CARGO_BIN_EXE_cec"), bin.join("cec")).expect("a link");
    }
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let run = world.signed_out(["-c", script]).program(Path::new("/bin/sh")).env("PATH", &path);
    run.env("U", world.url()).env("T", &world.sandbox.token("admin")).run()
}

/// A server with what the recordings were made of.
fn recorded_world() -> World {
    let world = World::new();
    world.put("personal-files/doc/one.txt", "one\n");
    world.put("personal-files/doc/tw o.txt", "two too");
    world.mkdir("personal-files/doc/sub");
    fs::write(world.home().join("one.txt"), "one\n").expect("a file");
    world
}

/// The command line of a recording, its exit code, standard output, standard error.
fn recording(name: &str) -> (String, i32, String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recordings/go-cec/{name}.txt"));
    let text = fs::read_to_string(path).expect(name);
    let (command, rest) = text.strip_prefix("$ ").and_then(|text| text.split_once('\n')).expect("a command");
    let (stdout, rest) = rest.split_once("[exit ").expect("an exit code");
    let (code, rest) = rest.split_once(']').expect("an exit code");
    let stderr = rest.trim_start().strip_prefix("[stderr]\n").unwrap_or_default();
    (command.to_owned(), code.parse().expect("a number"), stdout.to_owned(), stderr.trim_end().to_owned())
}

#[test]
fn what_scripts_read_is_printed_as_by_the_older_client() {
    let world = recorded_world();
    let signed_in = "export CEC_URL=$U CEC_TOKEN=$T; ";
    for name in [
        "ls-raw",
        "ls-file-raw",
        "hash-raw",
        "isgreater-q",
        "isgreater",
        "isvalid",
        "isvalid-no",
        "isrelease",
        "datasources-raw",
    ] {
        let (command, code, stdout, stderr) = recording(name);
        let run = sh(&world, &format!("{signed_in}{command}"));
        assert_eq!((run.code, run.stdout.as_str()), (code, stdout.as_str()), "{name}: {run:?}");
        assert_eq!(run.stderr.trim_end(), stderr, "{name}");
    }
    // The order of the root is another each time there; here it is that of the names.
    let (command, _, stdout, _) = recording("ls-root-raw");
    let run = sh(&world, &format!("{signed_in}{command}"));
    assert!(stdout.lines().all(|line| run.stdout.lines().any(|ours| ours == line)), "{run:?}");
}

#[test]
fn templates_give_what_the_older_client_gave() {
    let world = recorded_world();
    let (command, code, stdout, _) = recording("ls-format");
    // The recording shows its template without the quotes that the shell took.
    let command = command.replace("--format ", "--format '").replace(" personal-files/doc", "' personal-files/doc");
    let run = sh(&world, &format!("export CEC_URL=$U CEC_TOKEN=$T; {command}"));
    // What differs from run to run: the UUID, the hash where there is one, the time.
    let shape = |text: &str| -> Vec<String> {
        let row = |line: &str| {
            let cells: Vec<&str> = line.split('|').collect();
            let known = [0, 3, 4, 5, 6].map(|index| cells[index].to_owned()).join("|");
            let has_date = cells[8] == "now" || cells[8].ends_with(" ago");
            format!("{known}|{has_date}|{}|{}", cells[1].len(), cells[2].len())
        };
        text.lines().map(row).collect()
    };
    assert_eq!((run.code, run.stderr.as_str()), (code, ""), "{run:?}");
    assert_eq!(shape(&run.stdout), shape(&stdout));
    let (command, code, stdout, _) = recording("version-format");
    let command = command.replace("-f ", "-f '") + "'";
    let run = sh(&world, &command);
    assert_eq!((run.code, run.stderr.as_str()), (code, ""), "{run:?}");
    assert_eq!(run.stdout.split('|').count(), stdout.split('|').count());
    assert_eq!(run.stdout.split('|').next(), stdout.split('|').next());
    assert!(!run.stdout.ends_with('\n') && !stdout.ends_with('\n'));
}

#[test]
fn an_archive_pipeline_signs_in_fetches_and_puts_back() {
    let world = recorded_world();
    let script = "set -e
        cec configure token --url \"$U\" --login admin --token \"$T\"
        mkdir DIR
        cec scp cells:///personal-files/doc DIR
        cec scp -n one.txt cells://common-files/
        cec scp 'DIR/doc/tw o.txt' cells//common-files/
        cec ls -r common-files
        find DIR -type f | sort";
    let run = sh(&world, script);
    assert_eq!(run.code, 0, "{run:?}");
    let listed = "common-files/one.txt\ncommon-files/tw o.txt\nDIR/doc/one.txt\nDIR/doc/tw o.txt\n";
    assert_eq!(run.stdout, listed, "{run:?}");
    assert_snapshot!(run, @"
    [stdout]
    common-files/one.txt
    common-files/tw o.txt
    DIR/doc/one.txt
    DIR/doc/tw o.txt
    [stderr]
    signed in as admin on URL (Pydio Cells Home Edition 4.0.0)
    the token expires at the time that its creator set
    warning: the token is stored in clear text in HOME/.config/pydio/cells-client/config.json, which only you can read; there is no system keyring (disabled by CEC_KEYRING)
    hint: try: cec ls
    done: 2 files (11 B) in DURATION, 2 folders made
    done: 1 file (4 B) in DURATION
    done: 1 file (7 B) in DURATION
    [exit code 0]
    ");
    assert_eq!(run.stderr.matches("done: ").count(), 3, "{run:?}");
}

#[test]
fn the_exit_code_is_what_a_script_can_trust() {
    let world = recorded_world();
    let script = "export CEC_URL=$U CEC_TOKEN=$T
        for line in 'ls --exists personal-files/doc/one.txt' 'ls --exists personal-files/doc/nope' \
                    'ls personal-files/nope' 'rm -f personal-files/nope' 'scp -n one.txt cells://personal-files/doc' \
                    'scp -n -f one.txt cells://personal-files/doc' 'scp cells://personal-files/nope .' 'nosuch' 'rm' \
                    'storage resync-ds nope' 'tools hash -f nope' 'share personal-files/nope' \
                    'ls --token bad personal-files'; do
            cec $line >/dev/null 2>&1 && echo \"yes: $line\" || echo \"$?: $line\"
        done";
    assert_snapshot!(sh(&world, script), @"
    [stdout]
    yes: ls --exists personal-files/doc/one.txt
    3: ls --exists personal-files/doc/nope
    3: ls personal-files/nope
    3: rm -f personal-files/nope
    8: scp -n one.txt cells://personal-files/doc
    yes: scp -n -f one.txt cells://personal-files/doc
    3: scp cells://personal-files/nope .
    2: nosuch
    2: rm
    3: storage resync-ds nope
    3: tools hash -f nope
    3: share personal-files/nope
    4: ls --token bad personal-files
    [exit code 0]
    ");
}

#[test]
fn the_older_names_of_variables_and_flags_hold() {
    let world = recorded_world();
    let script = format!(
        "export CELLS_CLIENT_TARGET_URL=$U CELLS_CLIENT_TARGET_USER_LOGIN=alice CELLS_CLIENT_TARGET_USER_PWD='{}'
         export CELLS_CLIENT_TARGET_SKIP_VERIFY=true
         cec ls -r
         cec ls --no_cache --skip_keyring --skip_verify -r a1-ro",
        world.sandbox.password("alice")
    );
    assert_snapshot!(sh(&world, &script), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    let script = "cec --url $U --token $T ls -r personal-files/doc/one.txt
        cec ls -r personal-files/doc/one.txt -u $U -t $T
        CEC_URL=$U CEC_TOKEN=$T cec ls -r personal-files/doc/one.txt";
    sh(&world, script).is(0, &"personal-files/doc/one.txt\n".repeat(3), "");
}

#[test]
fn accounts_are_added_used_and_cleared_by_the_older_names() {
    let world = recorded_world();
    let script = format!(
        "set -e
         cec config add token -u $U -t $T 2>/dev/null
         cec configure client-auth --login alice --password '{}' --url $U 2>/dev/null
         cec info --jq .user
         cec config use admin@127.0.0.1:{} 2>/dev/null
         cec info --jq .user
         cec config rm -f admin@127.0.0.1:{} 2>/dev/null
         cec info --jq .user
         cec clear -f 2>/dev/null
         cec ls || echo code $?",
        world.sandbox.password("alice"),
        world.port(),
        world.port()
    );
    let run = sh(&world, &script);
    assert_snapshot!(run, @"
    [stdout]
    alice
    admin
    alice
    code 4
    [stderr]
    error: not signed in: no account is stored
      hint: run 'cec configure' to sign in, or set CEC_URL and CEC_TOKEN
    [exit code 0]
    ");
}

#[test]
fn listings_feed_loops() {
    let world = recorded_world();
    let script = "export CEC_URL=$U CEC_TOKEN=$T
        cec ls personal-files/doc | wc -l | tr -d ' '
        cec ls -r personal-files/doc | while read -r path; do echo \"<$path>\"; done
        cec ls --format '{{.Name}} {{.SizeBytes}}' personal-files/doc | grep txt
        cec idm list-users | grep -c admin
        test \"$(cec ls -f personal-files/doc/one.txt 2>&1)\" = true && echo there";
    assert_snapshot!(sh(&world, script), @"
    [stdout]
    3
    <personal-files/doc/one.txt>
    <personal-files/doc/sub/>
    <personal-files/doc/tw o.txt>
    one.txt 4
    tw o.txt 7
    1
    there
    [exit code 0]
    ");
}

#[test]
fn files_on_the_server_are_made_copied_moved_and_removed() {
    let world = recorded_world();
    let script = "set -e; export CEC_URL=$U CEC_TOKEN=$T CEC_QUIET=1
        cec mkdir personal-files/new
        cec mkdir personal-files/new
        cec cp 'personal-files/doc/*' personal-files/new
        cec mv personal-files/new/one.txt personal-files/new/first.txt
        cec rm -f 'personal-files/new/tw*'
        cec ls -r personal-files/new
        url=$(cec share personal-files/new/first.txt 2>&1 | grep -o 'http[^ ]*')
        case $url in $U/public/*) echo shared;; esac
        cec meta get -p personal-files/doc/one.txt -f json | grep -c x-cells-hash";
    assert_snapshot!(sh(&world, script), @"
    [stdout]
    personal-files/new/first.txt
    personal-files/new/sub/
    shared
    1
    [exit code 0]
    ");
}

#[test]
fn nothing_is_ever_deleted_for_want_of_an_answer() {
    let world = recorded_world();
    let script = "export CEC_URL=$U CEC_TOKEN=$T
        cec rm personal-files/doc </dev/null 2>/dev/null || echo $?
        echo n | cec rm -p personal-files/doc/one.txt 2>/dev/null || echo $?
        cec ls -r personal-files/doc/one.txt";
    assert_snapshot!(sh(&world, script), @"
    [stdout]
    2
    2
    personal-files/doc/one.txt
    [exit code 0]
    ");
}

/// Lines that the older client takes, each with what it ends with and prints there, tried on a real server. `$R` is a
/// folder of their own with `one.txt` and `empty`.
const TAKEN: &[(&str, i32, &str)] = &[
    // A switch takes a value, everywhere; of several the last one counts.
    ("ls --raw=true $R", 0, "personal-files/r/empty\npersonal-files/r/one.txt\n"),
    ("ls -r=true $R", 0, "personal-files/r/empty\npersonal-files/r/one.txt\n"),
    ("ls --raw=false --raw $R/one.txt", 0, "personal-files/r/one.txt\n"),
    ("ls --details=false $R/one.txt", 0, "one.txt\n"),
    ("ls --exists=true $R/one.txt", 0, "true\n"),
    ("mkdir --parents=true $R/a/b", 0, ""),
    ("rm --force=true --permanently=1 $R/a", 0, ""),
    ("scp -f=true --no-progress=true --skip-md5=false one.txt cells://$R", 0, ""),
    ("scp --force=t --no_progress=T --verbose=false --very_verbose=F one.txt cells://$R", 0, ""),
    ("storage list-datasources --raw=true | head -1", 0, "pydiods1\n"),
    ("tools hash --raw=true -f one.txt | grep -c one.txt", 1, "0\n"),
    ("jobs delete --dry-run=true --job-id nope", 3, ""),
    // An empty value is none.
    ("ls -r --config '' $R/one.txt", 0, "personal-files/r/one.txt\n"),
    ("ls -r --login '' --password '' $R/one.txt", 0, "personal-files/r/one.txt\n"),
    ("ls -r --url '' --token= $R/one.txt", 0, "personal-files/r/one.txt\n"),
    ("ls --format '' $R/one.txt", 0, "one.txt\n"),
    ("jobs get --filter '' --jq 'length > 0'", 0, "true\n"),
    ("version -f '' | head -1", 0, "Cells Client\n"),
    // Values for uploads in parts.
    ("scp -n -f --multipart-debug-flags '' one.txt cells://$R", 0, ""),
    ("scp -n -f --retry-max-attempts 0 --retry-max-backoff 0 one.txt cells://$R", 0, ""),
    ("scp -n -f --part-size 10 --parts-concurrency 0 --multipart-threshold 0 one.txt cells://$R", 0, ""),
    // Names of commands that are out of date.
    // CEC_QUIET is set: only -q makes it print 1 or 0, here as there.
    ("version isvalid 1.2.3 && echo valid", 0, "valid\n"),
    ("version isvalid 2.a || echo $?", 0, "1\n"),
    ("version isrelease -q 4.4.0-alpha3", 0, "0\n"),
    ("version isgreater 4.4.1 4.4.0 && echo greater", 0, "greater\n"),
    ("version show | head -1", 0, "Cells Client\n"),
    // What is named twice is listed once.
    ("ls $R --format '{{.Name}}' $R/", 0, "empty\none.txt\n"),
    ("meta get -p $R/one.txt -n usermeta-nothing -f json", 0, "{}\n"),
    ("update --dry_run --version 4.4.0", 1, ""),
];

#[test]
fn lines_that_the_older_client_takes_are_taken() {
    let world = World::new();
    world.put("personal-files/r/one.txt", "one\n");
    world.put("personal-files/r/empty", "");
    fs::write(world.home().join("one.txt"), "one\n").expect("a file");
    for (line, code, stdout) in TAKEN {
        let run = sh(&world, &format!("export CEC_URL=$U CEC_TOKEN=$T CEC_QUIET=1 R=personal-files/r; cec {line}"));
        assert_eq!((run.code, run.stdout.as_str()), (*code, *stdout), "{line}: {run:?}");
    }
}

#[test]
fn the_older_variables_are_read_as_they_are_called_there() {
    let world = recorded_world();
    let script = "export CEC_URL=$U CEC_TOKEN=$T
        CEC_LOG=warning CEC_SKIP_VERIFY=T CEC_SKIP_KEYRING=f CEC_NO_CACHE=t cec ls -r personal-files/doc/one.txt
        CEC_LOG=production cec ls -r personal-files/doc/one.txt 2>/dev/null
        CEC_RETRY_MAX_ATTEMPTS=0 CEC_RETRY_MAX_BACKOFF=0s cec ls -r personal-files/doc/one.txt
        cec --log WARN ls -r personal-files/doc/one.txt";
    sh(&world, script).is(0, &"personal-files/doc/one.txt\n".repeat(4), "");
}

#[test]
fn templates_name_what_the_older_client_named() {
    let world = recorded_world();
    world.put("personal-files/doc/empty", "");
    let script = "export CEC_URL=$U CEC_TOKEN=$T
        cec ls --format '{{.Name}}|{{.Type}}|{{.HumanSize}}|{{.SizeBytes}}|{{.Date}}|{{.Uuid}}'
        cec ls --format '{{.HumanSize}}|{{.SizeBytes}}' personal-files/doc/empty";
    let run = sh(&world, script);
    let (_, _, recorded, _) = recording("ls-root-format");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    for line in recorded.lines() {
        assert!(run.stdout.lines().any(|ours| ours == line), "{line}: {run:?}");
    }
    assert_snapshot!(run, @"
    [stdout]
    a1-priv|Workspace|-||-|UUID
    a1-ro|Workspace|-||-|UUID
    common-files|Workspace|-||-|DATASOURCE:pydiods1
    personal-files|Workspace|-||-|my-files
    -|0
    [exit code 0]
    ");
}

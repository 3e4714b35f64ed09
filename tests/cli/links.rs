//! Public links as paths and as the account: no account is stored, read or needed.

use std::fs;
use std::time::Duration;

use cells_sandbox::{Fault, Lifetimes};
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Cec, Run, World, fields};

const PASSWORD: &str = "link-Passw0rd!";

/// A server with a folder and links to it.
fn world() -> World {
    let world = World::new();
    world.put("common-files/reports/a.txt", "content of a");
    world.put("common-files/reports/sub/b.txt", "content of b");
    world.put("common-files/reports/sp ace é#%.txt", "odd");
    world
}

/// Makes a link, and gives its URL as a user has it and its hash.
fn share(world: &World, arguments: &[&str]) -> (String, String) {
    let run = world.cec([&["share"], arguments].concat()).input(&format!("{PASSWORD}\n")).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let url = run.stdout.trim_end().replace("URL", world.url());
    let hash = url.rsplit('/').next().expect("a hash").to_owned();
    (url, hash)
}

/// Runs cec for a visitor who has no account.
fn visit(world: &World, arguments: &[&str]) -> Run {
    visitor(world, arguments).run()
}

fn visitor<'a>(world: &'a World, arguments: &[&str]) -> Cec<'a> {
    world.signed_out(arguments.iter().copied())
}

#[test]
fn a_folder_is_listed_read_and_downloaded() {
    let world = world();
    let (url, hash) = share(&world, &["common-files/reports"]);
    assert_snapshot!(visit(&world, &["ls", &url]), @"
    [stdout]
    a.txt
    sp ace é#%.txt
    sub/
    [exit code 0]
    ");
    assert_snapshot!(visit(&world, &["ls", "-R", &format!("{url}/")]), @"
    [stdout]
    a.txt
    sp ace é#%.txt
    sub/
    sub/b.txt
    [exit code 0]
    ");
    visit(&world, &["cat", &format!("{url}/sub/b.txt"), &format!("{url}/a.txt")]).is(0, "content of bcontent of a", "");
    visit(&world, &["cat", &format!("{url}/sp%20ace%20%C3%A9%23%25.txt")]).is(0, "odd", "");
    visit(&world, &["find", &url, "--name", "*.txt"]).is(
        0,
        &format!("{hash}/a.txt\n{hash}/sp ace é#%.txt\n{hash}/sub/b.txt\n"),
        "",
    );
    visit(&world, &["du", "-s", &url]).is(0, &format!("27\t{hash}\n"), "");
    assert!(visit(&world, &["tree", &url]).stdout.contains("└── sub/\n    └── b.txt\n"));
    let stat = visit(&world, &["stat", &url]).stdout;
    assert!(stat.contains(&format!("Path\t{hash}\n")) && stat.contains("\nLabel\treports\n"), "{stat}");
    let run = visit(&world, &["scp", "-q", &url, "."]);
    run.is(0, "", "");
    let read = |path: &str| fs::read_to_string(world.home().join(path)).expect(path);
    assert_eq!((read("reports/a.txt").as_str(), read("reports/sub/b.txt").as_str()), ("content of a", "content of b"));
    visit(&world, &["scp", "-q", &format!("{url}/*.txt"), "reports/sub/"]).is(0, "", "");
    assert_eq!(read("reports/sub/a.txt"), "content of a");
    assert!(!world.config_folder().exists(), "nothing is stored");
}

#[test]
fn names_in_results_lead_back_to_where_they_came_from() {
    let world = world();
    let (url, hash) = share(&world, &["common-files/reports"]);
    let found = visit(&world, &["--link", &url, "find", "/", "--type", "f", "--json"]);
    let paths: Vec<String> = found
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .filter_map(|record| record["path"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(paths.len(), 3, "{found:?}");
    for path in &paths {
        assert!(path.starts_with(&format!("{hash}/")), "{path}");
        assert_eq!(visit(&world, &["--link", &url, "ls", "-f", path]).stdout, "true\n", "{path}");
    }
}

#[test]
fn with_a_link_as_the_account_plain_paths_are_in_it() {
    let world = world();
    world.put("common-files/reports/reports/inner.txt", "deep");
    let (url, hash) = share(&world, &["common-files/reports"]);
    for arguments in [&["ls"][..], &["ls", "/"], &["ls", "cells://"], &["ls", &hash], &["ls", &url]] {
        let run = visit(&world, &[&["--link", &url], arguments].concat());
        run.is(0, "a.txt\nreports/\nsp ace é#%.txt\nsub/\n", "");
    }
    for path in
        ["sub/b.txt", "/sub/b.txt", "cells://sub/b.txt", &format!("{hash}/sub/b.txt"), &format!("{url}/sub/b.txt")]
    {
        visitor(&world, &["cat", path]).env("CEC_LINK", &url).run().is(0, "content of b", "");
    }
    // A folder in it may be called like the folder itself.
    visit(&world, &["--link", &url, "ls", "reports"]).is(0, "inner.txt\n", "");
    visit(&world, &["--link", &url, "scp", "-q", "cells://sub/b.txt", "b.txt"]).is(0, "", "");
    assert_eq!(fs::read_to_string(world.home().join("b.txt")).expect("a file"), "content of b");
}

#[test]
fn a_link_to_a_single_file_stands_for_the_file() {
    let world = world();
    let (url, hash) = share(&world, &["common-files/reports/a.txt"]);
    visit(&world, &["ls", &url]).is(0, "a.txt\n", "");
    visit(&world, &["cat", &url]).is(0, "content of a", "");
    visit(&world, &["cat", &format!("{url}/a.txt")]).is(0, "content of a", "");
    visit(&world, &["find", &url]).is(0, &format!("{hash}/a.txt\n"), "");
    visit(&world, &["scp", "-q", &url, "."]).is(0, "", "");
    assert_eq!(fs::read_to_string(world.home().join("a.txt")).expect("a file"), "content of a");
    visit(&world, &["cat", &format!("{url}/other")]).is(3, "", &format!("error: '{hash}/other' does not exist\n"));
    fs::write(world.home().join("new.txt"), "new").expect("a file");
    assert_eq!(visit(&world, &["scp", "new.txt", &url]).code, 5);
}

#[test]
fn uploads_go_where_the_link_allows_them() {
    let world = world();
    fs::create_dir_all(world.home().join("tree/deep")).expect("a folder");
    fs::write(world.home().join("tree/deep/one.txt"), "one").expect("a file");
    fs::write(world.home().join("new.txt"), "new").expect("a file");
    let (open, hash) = share(&world, &["common-files/reports", "--upload"]);
    visit(&world, &["scp", "-q", "new.txt", "tree", &open]).is(0, "", "");
    assert_eq!(world.tree().read("common-files/reports/new.txt").expect("a file"), b"new");
    assert_eq!(world.tree().read("common-files/reports/tree/deep/one.txt").expect("a file"), b"one");
    visitor(&world, &["scp", "-q", "-", &format!("{open}/piped.txt")]).input("piped").run().is(0, "", "");
    assert_eq!(world.tree().read("common-files/reports/piped.txt").expect("a file"), b"piped");
    visit(&world, &["mkdir", &format!("{open}/made")]).is(0, "", &format!("created {hash}/made\n"));
    visit(&world, &["mv", &format!("{open}/new.txt"), &format!("{open}/made/")]).is(
        0,
        "",
        &format!("moved {hash}/new.txt to {hash}/made/new.txt\n"),
    );
    visit(&world, &["cp", "--link", &open, "a.txt", "made/copy.txt"]).is(
        0,
        "",
        &format!("copied {hash}/a.txt to {hash}/made/copy.txt\n"),
    );
    visit(&world, &["rm", &format!("{open}/a.txt")]).is(0, "", &format!("moved to the recycle bin: {hash}/a.txt\n"));
    assert!(!world.tree().exists("common-files/reports/a.txt"));
    assert_eq!(visit(&world, &["rm", "-f", &open]).code, 2, "a link as a whole stays");
}

#[test]
fn the_server_packs_and_unpacks_in_a_link() {
    let world = world();
    let (open, hash) = share(&world, &["common-files/reports", "--upload"]);
    let packed = visit(&world, &["compress", &format!("{open}/sub"), &format!("{open}/sub.zip")]);
    assert_eq!((packed.code, packed.stdout.as_str()), (0, ""), "{packed:?}");
    assert!(packed.stderr.starts_with(&format!("made {hash}/sub.zip (")), "{packed:?}");
    visit(&world, &["extract", "--link", &open, "sub.zip", "unpacked"]).is(
        0,
        "",
        &format!("unpacked {hash}/sub.zip to {hash}/unpacked\n"),
    );
    assert_eq!(world.tree().read("common-files/reports/unpacked/b.txt").expect("a file"), b"content of b");
}

#[test]
fn a_link_for_reading_takes_nothing() {
    let world = world();
    fs::write(world.home().join("new.txt"), "new").expect("a file");
    let (url, hash) = share(&world, &["common-files/reports"]);
    let hint = "  hint: a public link permits only what its creator allowed; see 'cec info --link URL'\n";
    visit(&world, &["scp", "new.txt", &format!("{url}/")]).is(
        5,
        "",
        &format!("error: '{hash}' is read-only for this user\n{hint}"),
    );
    for arguments in [&["mkdir", "made"][..], &["rm", "-f", "a.txt"], &["mv", "a.txt", "b.txt"]] {
        let run = visit(&world, &[arguments, &["--link", &url]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (5, ""), "{run:?}");
    }
    assert!(world.tree().exists("common-files/reports/a.txt"));
}

#[test]
fn a_drop_box_takes_files_and_shows_none() {
    let world = world();
    fs::create_dir_all(world.home().join("tree/sub")).expect("a folder");
    fs::write(world.home().join("tree/sub/b.txt"), "another b").expect("a file");
    fs::write(world.home().join("tree/c.txt"), "c").expect("a file");
    fs::write(world.home().join("new.txt"), "new").expect("a file");
    let (url, hash) = share(&world, &["common-files/reports", "--upload", "--no-download", "--no-preview"]);
    visit(&world, &["scp", "-q", "new.txt", &format!("{url}/")]).is(0, "", "");
    assert_eq!(world.tree().read("common-files/reports/new.txt").expect("a file"), b"new");
    // What is there is not overwritten unasked, although it cannot be listed.
    fs::write(world.home().join("a.txt"), "another a").expect("a file");
    assert_eq!(visit(&world, &["scp", "-q", "a.txt", &format!("{url}/")]).code, 8);
    world.put("common-files/reports/tree/sub/b.txt", "content of b");
    assert_eq!(visit(&world, &["scp", "-q", "tree", &format!("{url}/")]).code, 7);
    assert_eq!(world.tree().read("common-files/reports/tree/sub/b.txt").expect("a file"), b"content of b");
    visit(&world, &["scp", "-q", "-f", "tree", &format!("{url}/")]).is(0, "", "");
    assert_eq!(world.tree().read("common-files/reports/tree/sub/b.txt").expect("a file"), b"another b");
    assert_eq!(world.tree().read("common-files/reports/tree/c.txt").expect("a file"), b"c");
    visit(&world, &["mkdir", &format!("{url}/made/below"), "-p"]).is(0, "", &format!("created {hash}/made/below\n"));
    for (arguments, what) in [
        (&["ls", &url][..], "its content is hidden"),
        (&["find", &url], "its content is hidden"),
        (&["cat", &format!("{url}/a.txt")], "downloads are not possible"),
        (&["scp", &format!("{url}/a.txt"), "x"], "downloads are not possible"),
    ] {
        let run = visit(&world, arguments);
        assert_eq!(run.code, 5, "{run:?}");
        assert!(run.stderr.starts_with(&format!("error: this link only accepts uploads: {what}\n")), "{run:?}");
    }
}

#[test]
fn passwords_come_from_the_environment_or_a_terminal() {
    let world = world();
    let (url, hash) = share(&world, &["common-files/reports", "--password-stdin"]);
    assert_snapshot!(visitor(&world, &["ls", &url]).env("CEC_LINK_PASSWORD", PASSWORD).run(), @"
    [stdout]
    a.txt
    sp ace é#%.txt
    sub/
    [exit code 0]
    ");
    let opening = format!("  while: opening URL/public/{hash}\n");
    visit(&world, &["ls", &url]).is(
        4,
        "",
        &format!(
            "error: the public link requires a password\n{opening}  hint: set CEC_LINK_PASSWORD, or run the command \
             on a terminal to enter it\n"
        ),
    );
    let wrong = visitor(&world, &["cat", &format!("{url}/a.txt"), &format!("{url}/sub/b.txt")]);
    world.sandbox.clear_requests();
    wrong.env("CEC_LINK_PASSWORD", "not-the-password").run().is(
        4,
        "",
        &format!(
            "error: the password of the public link is wrong\n{opening}  hint: check it before you try again: ten \
             wrong passwords lock the link\n"
        ),
    );
    let logins = world.sandbox.requests().into_iter().filter(|request| request.path == "/a/frontend/session").count();
    assert_eq!(logins, 1, "a wrong password is tried once");
    // One of another link is kept to itself.
    let (other, _) = share(&world, &["common-files/reports"]);
    let run = visitor(&world, &["ls", &url]).env("CEC_LINK", &other).env("CEC_LINK_PASSWORD", PASSWORD).run();
    assert_eq!(run.code, 4, "{run:?}");
    // A link without a password takes no notice of one.
    let run = visitor(&world, &["ls", &format!("{other}/sub")]).env("CEC_LINK_PASSWORD", PASSWORD).run();
    run.is(0, "b.txt\n", "");
}

#[cfg(unix)]
#[test]
fn a_password_is_asked_for_on_a_terminal_and_not_shown() {
    let world = world();
    let (url, _) = share(&world, &["common-files/reports", "--password-stdin"]);
    let typed = format!("{PASSWORD}\n");
    let run = visitor(&world, &["cat", &format!("{url}/a.txt")]).env("CEC_LINK_PASSWORD", "");
    let Some((code, screen)) = run.on_terminal(&[("Password for", &typed)]) else { return };
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("content of a") && !screen.contains(PASSWORD), "{screen}");
}

#[test]
fn a_locked_link_says_so() {
    let world = world();
    let (url, _) = share(&world, &["common-files/reports", "--password-stdin"]);
    let attempt = |password: &str| visitor(&world, &["ls", &url]).env("CEC_LINK_PASSWORD", password).run();
    for _ in 0..10 {
        assert_eq!(attempt("not-the-password").code, 4);
    }
    let run = attempt(PASSWORD);
    assert_snapshot!(run, @"
    [stderr]
    error: the public link is locked after too many wrong passwords
      while: opening URL/public/LINK
      hint: ask an administrator of the server to unlock it, or the sender for a new link
    [exit code 4]
    ");
}

#[test]
fn links_that_are_gone_or_over_say_which() {
    let world = world();
    let (url, hash) = share(&world, &["common-files/reports"]);
    let (short, _) = share(&world, &["common-files/reports", "--expire", "1h"]);
    let opening = |hash: &str| format!("  while: opening URL/public/{hash}\n");
    let unknown = |hash: &str| {
        let hint = "  hint: check the URL; the link may have been removed\n";
        format!("error: the server does not know this public link\n{}{hint}", opening(hash))
    };
    visit(&world, &["ls", &format!("{}/public/nosuchlink00", world.url())]).is(3, "", &unknown("nosuchlink00"));
    assert_eq!(world.cec(["share", "rm", "-f", &hash]).run().code, 0);
    visit(&world, &["ls", &url]).is(3, "", &unknown(&hash));
    let error = visit(&world, &["ls", &url, "--json"]).json_error(3);
    assert_eq!((&error["kind"], &error["path"]), (&json!("not_found"), &json!(format!("URL/public/{hash}"))));
    assert_eq!(visit(&world, &["ls", &short]).code, 0);
    world.sandbox.set_clock_offset(2 * 3600);
    let run = visit(&world, &["ls", &short, &format!("{short}/sub")]);
    assert_snapshot!(run, @"
    [stderr]
    error: the public link has expired
      while: opening URL/public/LINK
      hint: ask the sender for a new link
    [exit code 5]
    ");
    assert_eq!(run.stderr.matches("error:").count(), 1, "told once, however many operands");
}

#[test]
fn a_link_that_allows_no_more_downloads_says_so_in_the_midst_of_them() {
    let world = world();
    let (url, _) = share(&world, &["common-files/reports", "--max-downloads", "2"]);
    let run = visit(&world, &["cat", &format!("{url}/a.txt"), &format!("{url}/sub/b.txt"), &format!("{url}/sp*")]);
    assert_snapshot!(run, @"
    [stdout]
    content of acontent of b[no newline]
    [stderr]
    error: the public link allows no more downloads
      while: reading LINK/sp ace é#%.txt
      hint: ask the sender for a new link
    [exit code 7]
    ");
    let run = visit(&world, &["cat", &format!("{url}/a.txt")]);
    assert_snapshot!(run, @"
    [stderr]
    error: the public link allows no more downloads
      while: opening URL/public/LINK
      hint: ask the sender for a new link
    [exit code 5]
    ");
}

#[test]
fn an_interrupted_download_counts_once() {
    let world = World::new();
    world.put("common-files/reports/big.bin", &"x".repeat(300_000));
    let (url, hash) = share(&world, &["common-files/reports", "--max-downloads", "1"]);
    world.sandbox.faults().add(Fault::on("GET", "/big.bin").cut_response_at(100_000));
    visit(&world, &["scp", "-q", &format!("{url}/big.bin"), "."]).is(0, "", "");
    assert_eq!(fs::metadata(world.home().join("big.bin")).expect("a file").len(), 300_000);
    assert_eq!(world.cec(["share", "show", &hash, "--json"]).run().json()[0]["downloads"], 1);
}

#[test]
fn one_command_is_about_one_place() {
    let world = world();
    let (url, hash) = share(&world, &["common-files/reports", "--upload"]);
    let (other, other_hash) = share(&world, &["common-files/reports/sub"]);
    let told = |link: &str, place: &str, hint: &str| {
        format!("error: one command cannot use both URL/public/{link} and {place}\n  hint: {hint}\n")
    };
    let both =
        |link: &str, place: &str| told(link, place, "copy to this machine first, then from here with a second command");
    let once = |link: &str, place: &str| told(link, place, "run the command once for each");
    world.cec(["ls", &url, "common-files"]).run().is(2, "", &once(&hash, "common-files"));
    world.cec(["rm", "-f", "common-files/reports/a.txt", &format!("{url}/a.txt")]).run().is(
        2,
        "",
        &once(&hash, "common-files/reports/a.txt"),
    );
    world.cec(["scp", &format!("{url}/a.txt"), "cells://common-files/"]).run().is(
        2,
        "",
        &both(&hash, "cells://common-files/"),
    );
    visit(&world, &["cp", &format!("{url}/a.txt"), &other]).is(
        2,
        "",
        &both(&other_hash, &format!("URL/public/{hash}")),
    );
    visit(&world, &["--link", &url, "ls", &other]).is(2, "", &once(&other_hash, &format!("URL/public/{hash}")));
    assert_snapshot!(visit(&world, &["scp", &format!("{url}/a.txt"), &format!("{url}/b.txt")]), @"
    [stderr]
    error: both the sources and the target are on the server
      hint: 'cec cp' copies on the server, 'cec mv' moves there
    [exit code 2]
    ");
    assert!(world.tree().exists("common-files/reports/a.txt"), "nothing was done");
}

#[test]
fn a_link_needs_no_account_and_takes_none() {
    let world = world();
    let (url, _) = share(&world, &["common-files/reports"]);
    // A damaged file of accounts does not matter, since it is not read.
    world.install_config("this is no JSON");
    visit(&world, &["ls", &format!("{url}/sub")]).is(0, "b.txt\n", "");
    visitor(&world, &["ls", "sub"]).env("CEC_LINK", &url).run().is(0, "b.txt\n", "");
    assert_eq!(fs::read_to_string(world.config_file()).expect("a file"), "this is no JSON");
    // The account of the environment gives way; that of a flag does not.
    world.cec(["ls", &format!("{url}/sub")]).run().is(0, "b.txt\n", "");
    world.cec(["ls", "sub"]).env("CEC_LINK", &url).run().is(0, "b.txt\n", "");
    for (flag, value) in [("--profile", "x"), ("--login", "x"), ("--url", world.url())] {
        visit(&world, &["ls", &url, flag, value]).is(
            2,
            "",
            &format!(
                "error: {flag} and the URL of a public link cannot be used together\n  hint: omit {flag}: a public \
                 link needs no account\n"
            ),
        );
    }
    let run = visit(&world, &["ls", "--link", &url, "--profile", "x"]);
    assert_snapshot!(run, @"
    [stderr]
    error: --profile and --link cannot be used together
      hint: omit --profile: a public link needs no account
    [exit code 2]
    ");
    let token = world.sandbox.token("alice");
    let run = visitor(&world, &["ls", "common-files/reports/sub", "-u", world.url(), "--token-file", "token"]);
    world.write_secret("token", &token);
    run.env("CEC_LINK", &url).run().is(0, "b.txt\n", "");
}

#[test]
fn what_is_no_link_is_refused_before_anything_is_sent() {
    let world = world();
    let (url, _) = share(&world, &["common-files/reports"]);
    world.sandbox.clear_requests();
    for (typed, message) in [
        (format!("{url}?x=1"), "has a query or a fragment, unlike a public link; write %3F for a '?' in a name"),
        (format!("{url}/a#b"), "has a query or a fragment, unlike a public link; write %23 for a '#' in a name"),
        (format!("{url}/../x"), "contains a '..' segment; write the path without it"),
        (format!("{url}/a%2Fb"), "contains a name that no file can have"),
        (format!("{}/ws-common-files", world.url()), "is not the URL of a public link"),
        ("https://files.example.com/cells/public/1f0c6a3b9d20".to_owned(), "is not the URL of a public link"),
    ] {
        for arguments in [&["ls", &typed][..], &["scp", &typed, "."]] {
            let run = visit(&world, arguments);
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
            assert!(run.stderr.lines().next().is_some_and(|line| line.ends_with(message)), "{run:?}");
        }
    }
    let run = visit(&world, &["ls", "https://alice:pw-that-is-secret@h/public/1f0c6a3b9d20"]);
    assert!(run.code == 2 && !run.stderr.contains("secret"), "{run:?}");
    let run = visit(&world, &["ls", "--link", &format!("{url}/sub")]);
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(world.cec(["share", &url]).run().code, 2);
    assert!(world.sandbox.requests().is_empty(), "{:?}", world.sandbox.requests());
}

#[test]
fn a_host_without_such_links_is_named() {
    let world = world();
    let (url, hash) = share(&world, &["common-files/reports"]);
    let run = visit(&world, &["ls", &url.replace("127.0.0.1", "localhost")]);
    assert_snapshot!(run, @"
    [stderr]
    error: the page of the link is empty: this host name is not configured on the Cells server
      while: opening http://localhost:PORT/public/LINK
      hint: check the URL and anything in front of the server (proxy, sign-in page)
    [exit code 6]
    ");
    world.sandbox.faults().add(Fault::on("GET", "/public/").status(404).html());
    let run = visit(&world, &["ls", &url]);
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.stderr.contains("not a Cells server") && run.stderr.contains(&hash), "{run:?}");
}

#[test]
fn sessions_are_renewed_and_ended() {
    let world = World::new();
    for number in 0..6 {
        world.put(&format!("common-files/reports/{number}.bin"), &"x".repeat(200_000));
    }
    let (url, _) = share(&world, &["common-files/reports"]);
    let access = Duration::from_secs(2);
    world.sandbox.set_lifetimes(Lifetimes { access, ..Lifetimes::default() });
    world.sandbox.faults().add(Fault::on("GET", "/io/").delay(Duration::from_millis(400)).always());
    world.sandbox.clear_requests();
    visit(&world, &["scp", "-q", "--transfers", "1", &url, "."]).is(0, "", "");
    let sessions = world.sandbox.requests().into_iter().filter(|request| request.path == "/a/frontend/session");
    let statuses: Vec<u16> = sessions.map(|request| request.status).collect();
    assert!(statuses.len() > 2 && statuses.iter().all(|status| *status == 200), "opened, renewed, ended: {statuses:?}");
}

#[test]
fn info_tells_what_a_link_is() {
    let world = world();
    let (url, hash) =
        share(&world, &["common-files/reports", "--upload", "--max-downloads", "3", "--expire", "2100-01-01"]);
    let run = visit(&world, &["info", "--link", &url]);
    assert!(
        run.stdout.starts_with(&format!(
            "Link\tURL/public/{hash}\nLabel\treports\nVisitors may\tpreview, download, upload\nPassword\tno\nEnds\t2100-"
        )),
        "{run:?}"
    );
    assert_snapshot!(run, @"
    [stdout]
    Link	URL/public/LINK
    Label	reports
    Visitors may	preview, download, upload
    Password	no
    Ends	TIME
    Downloads	0 of 3
    Product	Pydio Cells Home Edition
    Version	4.0.0
    [exit code 0]
    ");
    let record = visit(&world, &["info", "--link", &url, "--json"]).json();
    assert_eq!((&record["credentials"], &record["stored_in"]), (&json!("link"), &json!(null)));
    assert_eq!(
        fields(&record["link"]),
        ["url", "label", "permissions", "password", "expires_at", "max_downloads", "downloads"]
    );
    assert_eq!(visit(&world, &["info", "--link", &format!("{}/public/nosuchlink00", world.url())]).code, 3);
}

#[test]
fn commands_on_stored_accounts_do_not_mind_a_link() {
    let world = world();
    let (url, _) = share(&world, &["common-files/reports"]);
    visitor(&world, &["config", "ls", "--json"]).env("CEC_LINK", &url).run().is(0, "[]\n", "");
    let completed = visitor(&world, &["__complete", "zsh", "--", "cec", "ls", ""]);
    world.sandbox.clear_requests();
    completed.env("CEC_LINK", &url).run().is(0, "", "");
    visit(&world, &["__complete", "zsh", "--", "cec", "ls", &url]).is(0, "", "");
    assert!(world.sandbox.requests().is_empty(), "completion asks nobody");
}

#[test]
fn no_secret_of_a_link_is_logged() {
    let world = world();
    let (url, _) = share(&world, &["common-files/reports", "--password-stdin"]);
    let (open, _) = share(&world, &["common-files/reports"]);
    for link in [&url, &open] {
        let run =
            visitor(&world, &["scp", "-q", link, "out", "--log", "trace"]).env("CEC_LINK_PASSWORD", PASSWORD).run();
        assert_eq!(run.code, 0, "{run:?}");
        assert!(!run.stderr.contains("#$!Az1"), "{run:?}");
        fs::remove_dir_all(world.home().join("out")).expect("a folder");
    }
}

#[test]
fn a_link_that_opens_neither_a_folder_nor_files_is_not_taken_for_a_folder() {
    let world = world();
    let (url, _) = share(&world, &["common-files/reports/a.txt"]);
    let workspace = |meta: serde_json::Value| json!({"Node": {"Path": "a-txt/", "Type": "COLLECTION", "Size": "12", "MTime": "1", "MetaStore": meta}});
    let odd = [json!({"name": "\"a.txt\"", "virtual_root": 7}), json!({"name": "\"a.txt\""}), json!({})];
    for answer in odd.map(workspace).into_iter().chain([json!({}), json!({"Node": {"Path": "other", "Uuid": "x"}})]) {
        let fault = Fault::on("GET", "/a/tree/stat/a-txt").status(200).body("application/json", &answer.to_string());
        world.sandbox.faults().add(fault.always());
        let run = visitor(&world, &["scp", &url, "copy.txt"]).env("CEC_RETRY_MAX_ATTEMPTS", "1").run();
        assert_eq!((run.code, world.home().join("copy.txt").exists()), (6, false), "{answer} {run:?}");
        world.sandbox.faults().clear();
    }
    world.sandbox.tree().remove("common-files/reports/a.txt");
    let run = visit(&world, &["scp", &url, "copy.txt"]);
    assert_eq!((run.code, world.home().join("copy.txt").exists()), (3, false), "{run:?}");
    let run = {
        let (url, _) = share(&world, &["common-files/reports/sub/b.txt"]);
        visit(&world, &["scp", &url, "copy.txt"])
    };
    assert_eq!((run.code, world.home().join("copy.txt").is_file()), (0, true), "{run:?}");
}

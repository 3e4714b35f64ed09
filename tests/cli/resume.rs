//! Transfers that are killed or interrupted, and continued by a later run.

#![cfg(unix)]

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use cells_sandbox::Fault;
use insta::assert_snapshot;

use crate::support::{World, exit_code, wait_for};

const MEBIBYTE: usize = 1 << 20;

/// The size of a part.
const PART: usize = 10 * MEBIBYTE;

const TARGET: &str = "common-files/large";

/// The options for parts of 10 MiB, one at a time.
const PARTS: [&str; 3] = ["--part-size=10", "--multipart-threshold=10", "--parts-concurrency=1"];

fn content(size: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let block: Vec<u8> = (0..65_521).map(|_| next()).collect();
    block.iter().copied().cycle().take(size).collect()
}

/// The files that unfinished transfers have left: journals, and temporary files in the home.
fn leftovers(world: &World) -> Vec<PathBuf> {
    let folders = [world.home().join(".local/state/pydio/cells-client/transfers"), world.home().to_owned()];
    let entries = folders.into_iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "transfer" || end == "part")).collect()
}

/// How many requests have sent this part completely.
fn sent(world: &World, part: usize) -> usize {
    let text = format!("partNumber={part}&");
    let is_it = |query: &str| format!("{query}&").contains(&text);
    world.sandbox.requests().iter().filter(|request| is_it(&request.query) && request.status == 200).count()
}

fn up(more: &[&str]) -> Vec<String> {
    let words = ["scp", "large", "cells://common-files/large"].iter().chain(&PARTS).chain(more);
    words.map(|word| (*word).to_owned()).collect()
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Starts an upload and ends it with a signal while it sends the third part.
fn stopped_upload(world: &World, signal: &str, more: &[&str]) -> (Option<i32>, String) {
    world.sandbox.clear_requests();
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/large").query("partNumber=3").hang());
    let mut child = world.cec(borrowed(&up(more))).spawn();
    let asked = || world.sandbox.requests().iter().any(|request| request.query.contains("partNumber=3"));
    wait_for("the third part", asked);
    let sent = Command::new("/bin/kill").args([signal, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let mut text = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut text).expect("text");
    (exit_code(&child.wait().expect("an end")), text)
}

/// Starts a download and kills it in the middle.
fn killed_download(world: &World) {
    let fault = Fault::on("GET", "/io/common-files/large");
    world.sandbox.faults().add(fault.stall_response_at(12 * MEBIBYTE as u64, Duration::from_secs(600)));
    let mut child = world.cec(["scp", "cells://common-files/large", "large"]).spawn();
    let parts = || leftovers(world).into_iter().find(|path| path.extension().is_some_and(|end| end == "part"));
    let arrived = || parts().and_then(|path| fs::metadata(path).ok()).is_some_and(|file| file.len() >= 11 << 20);
    wait_for("some of the content", arrived);
    child.kill().expect("killed");
    child.wait().expect("an end");
}

#[test]
fn a_killed_upload_sends_only_the_rest() {
    let world = World::new();
    let bytes = content(3 * PART + 5 * MEBIBYTE, 1);
    world.write("large", &bytes);
    assert_eq!(stopped_upload(&world, "-KILL", &[]).0, Some(137));
    assert_eq!(world.tree().etag(TARGET).as_deref(), Some("temporary"));
    assert_snapshot!(world.cec(borrowed(&up(&[]))).run(), @"
    [stderr]
    resuming large: 20.0 MiB of 35.0 MiB are already there
    done: 1 file (35.0 MiB) in DURATION
    [exit code 0]
    ");
    assert_eq!([1, 2, 3, 4].map(|part| sent(&world, part)), [1, 1, 1, 1]);
    assert!(world.tree().read(TARGET).as_ref() == Some(&bytes));
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
}

#[test]
fn an_interrupted_upload_says_that_it_can_be_resumed() {
    let world = World::new();
    let bytes = content(4 * PART, 2);
    world.write("large", &bytes);
    let (code, text) = stopped_upload(&world, "-INT", &[]);
    assert_eq!(code, Some(130));
    assert_snapshot!(text.lines().filter(|line| !line.starts_with("stopped")).collect::<Vec<_>>().join("\n"), @"
    1 transfer is unfinished and can be resumed; to list or abort: cec transfers
    error: interrupted
      hint: run the same command again, with --force if it reports existing files: identical files are skipped
    ");
    assert_eq!(world.cec(borrowed(&up(&[]))).run().code, 0);
    assert_eq!([1, 2, 3, 4].map(|part| sent(&world, part)), [1, 1, 1, 1]);
    assert!(world.tree().read(TARGET).as_ref() == Some(&bytes));
}

#[test]
fn without_resume_an_interrupted_upload_leaves_nothing() {
    let world = World::new();
    world.write("large", content(4 * PART, 3));
    assert_eq!(stopped_upload(&world, "-INT", &["--no-resume"]).0, Some(130));
    assert!(!world.tree().exists(TARGET));
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
}

#[test]
fn a_part_that_differs_is_sent_again_and_a_changed_file_from_the_beginning() {
    let world = World::new();
    let mut bytes = content(3 * PART, 4);
    world.write("large", &bytes);
    stopped_upload(&world, "-KILL", &[]);
    // The file changes without a trace in its metadata.
    let before = fs::metadata(world.home().join("large")).and_then(|file| file.modified()).expect("a time");
    bytes[PART + 1] ^= 1;
    world.write("large", &bytes);
    File::options().write(true).open(world.home().join("large")).expect("a file").set_modified(before).expect("a time");
    assert_eq!(world.cec(borrowed(&up(&[]))).run().code, 0);
    assert_eq!([1, 2, 3].map(|part| sent(&world, part)), [1, 2, 1]);
    assert!(world.tree().read(TARGET).as_ref() == Some(&bytes));
    // A change that shows.
    bytes[0] ^= 1;
    world.write("large", &bytes);
    stopped_upload(&world, "-KILL", &["-f"]);
    bytes.push(1);
    world.write("large", &bytes);
    let run = world.cec(borrowed(&up(&["-f"]))).run();
    assert_snapshot!(run, @"
    [stderr]
    warning: large: the interrupted transfer cannot be resumed, because the file has changed since; starting again
    done: 1 file (30.0 MiB) in DURATION
    [exit code 0]
    ");
    assert_eq!([1, 2, 3, 4].map(|part| sent(&world, part)), [2, 2, 1, 1]);
    assert!(world.tree().read(TARGET).as_ref() == Some(&bytes));
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
}

#[test]
fn a_file_that_became_small_leaves_no_parts_of_the_large_one() {
    let world = World::new();
    world.write("large", content(3 * PART, 4));
    stopped_upload(&world, "-KILL", &[]);
    assert_eq!(leftovers(&world).len(), 1);
    world.write("large", "short");
    let run = world.cec(borrowed(&up(&[]))).run();
    assert_snapshot!(run, @"
    [stderr]
    warning: large: the interrupted transfer cannot be resumed, because the file has changed since; starting again
    done: 1 file (5 B) in DURATION
    [exit code 0]
    ");
    assert!(world.tree().read(TARGET).expect("a file") == b"short");
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
    assert!(world.sandbox.requests().iter().any(|request| request.method == "DELETE"), "the upload is aborted");
}

#[test]
fn what_cannot_be_resumed_starts_again_with_its_reason() {
    let world = World::new();
    let bytes = content(3 * PART, 5);
    world.write("large", &bytes);
    let again = |more: &[&str]| {
        let run = world.cec(borrowed(&up(more))).run();
        assert_eq!((run.code, leftovers(&world).len()), (0, 0), "{}", run.stderr);
        assert!(world.tree().read(TARGET).as_ref() == Some(&bytes));
        assert!(world.tree().remove(TARGET));
        run.stderr.lines().next().unwrap_or_default().to_owned()
    };
    stopped_upload(&world, "-KILL", &[]);
    assert!(world.tree().remove(TARGET));
    let gone = again(&[]);
    stopped_upload(&world, "-KILL", &[]);
    let other_parts = again(&["--part-size=20"]);
    stopped_upload(&world, "-KILL", &[]);
    let journal = File::options().append(true).open(&leftovers(&world)[0]).expect("a journal");
    journal.set_modified(SystemTime::now() - Duration::from_secs(25 * 3600)).expect("a time");
    let expired = again(&[]);
    assert_snapshot!([gone, other_parts, expired].join("\n"), @"
    warning: large: the interrupted transfer cannot be resumed, because the server no longer has the parts; starting again
    warning: large: the interrupted transfer cannot be resumed, because the part size is another one; starting again
    warning: large: the interrupted transfer cannot be resumed, because too much time has passed; starting again
    ");
}

#[test]
fn two_processes_do_not_work_on_one_transfer() {
    let world = World::new();
    world.write("large", content(3 * PART, 6));
    world.sandbox.faults().add(Fault::on("PUT", "/io/common-files/large").query("partNumber=3").hang());
    let mut first = world.cec(borrowed(&up(&[]))).spawn();
    let asked = || world.sandbox.requests().iter().any(|request| request.query.contains("partNumber=3"));
    wait_for("the third part", asked);
    assert_snapshot!(world.cec(borrowed(&up(&[]))).run(), @"
    [stderr]
    error: another process is transferring 'large' at this moment
      while: copying large
      hint: wait until it ends; 'cec transfers ls' shows it
    [exit code 1]
    ");
    assert_snapshot!(world.transcript([&["transfers", "abort", "--all"]]), @"
    $ cec transfers abort --all
    [stderr]
    error: another process is transferring 'HOME/large' at this moment
      hint: wait until it ends; 'cec transfers ls' shows it
    [exit code 1]
    ");
    first.kill().expect("killed");
    first.wait().expect("an end");
    assert_eq!(world.cec(borrowed(&up(&[]))).run().code, 0);
}

#[test]
fn a_killed_download_fetches_only_the_rest() {
    let world = World::new();
    let bytes = content(30 * MEBIBYTE, 7);
    world.tree().put(TARGET, &bytes).expect("a file");
    killed_download(&world);
    world.sandbox.clear_requests();
    let run = world.cec(["scp", "cells://common-files/large", "large"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.starts_with("resuming common-files/large: 1"), "{}", run.stderr);
    let requests = world.sandbox.requests();
    let gets: Vec<&str> = requests
        .iter()
        .filter(|request| request.path == "/io/common-files/large")
        .map(|request| request.header("range"))
        .collect();
    assert!(matches!(gets[..], [range] if range.starts_with("bytes=1")), "{gets:?}");
    assert!(fs::read(world.home().join("large")).expect("a file") == bytes);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(world.home().join("large")).expect("a file").permissions(),
    );
    world.write("other", "x");
    let usual = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(world.home().join("other")).expect("a file").permissions(),
    );
    assert_eq!(mode, usual);
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
}

#[test]
fn a_download_of_another_content_starts_again() {
    let world = World::new();
    world.tree().put(TARGET, content(30 * MEBIBYTE, 8)).expect("a file");
    killed_download(&world);
    let bytes = content(30 * MEBIBYTE, 9);
    world.tree().put(TARGET, &bytes).expect("a file");
    assert_snapshot!(world.cec(["scp", "cells://common-files/large", "large"]).run(), @"
    [stderr]
    warning: common-files/large: the interrupted transfer cannot be resumed, because the file has changed since; starting again
    done: 1 file (30.0 MiB) in DURATION
    note: 'large' did not exist, so it is now the file; to put the file into a folder, write large/
    [exit code 0]
    ");
    assert!(fs::read(world.home().join("large")).expect("a file") == bytes);
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
}

#[test]
fn damaged_bytes_of_a_partial_download_are_noticed() {
    let world = World::new();
    let bytes = content(30 * MEBIBYTE, 10);
    world.tree().put(TARGET, &bytes).expect("a file");
    killed_download(&world);
    let part = leftovers(&world).into_iter().find(|path| path.extension().is_some_and(|end| end == "part"));
    let part = part.expect("a temporary file");
    // As after a power failure: the size is there, the bytes are not.
    std::os::unix::fs::FileExt::write_all_at(
        &File::options().write(true).open(part).expect("a file"),
        &[0; 4096],
        70_000,
    )
    .expect("bytes");
    let run = world.cec(["scp", "cells://common-files/large", "large"]).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(fs::read(world.home().join("large")).expect("a file") == bytes);
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
}

#[test]
fn unfinished_transfers_are_listed_resumed_and_aborted() {
    let world = World::new();
    let bytes = content(3 * PART, 11);
    world.write("large", &bytes);
    assert_snapshot!(world.transcript([&["transfers", "ls"][..], &["transfers", "resume", "123"], &["transfers", "abort"]]), @"
    $ cec transfers ls
    [stderr]
    no transfer is unfinished
    [exit code 0]
    $ cec transfers resume 123
    [stderr]
    error: there is no unfinished transfer '123'
      hint: 'cec transfers ls' lists them
    [exit code 3]
    $ cec transfers abort
    [stderr]
    error: the following required arguments were not provided: <ID>...
      hint: usage: cec transfers abort <ID>...
      hint: see 'cec transfers abort --help'
    [exit code 2]
    ");
    stopped_upload(&world, "-KILL", &[]);
    let shown = ["stat", "common-files/large"];
    let details = world.cec(shown).run().stdout;
    assert!(details.contains("\nState\tunfinished: its upload is running, or was interrupted\n"), "{details}");
    assert!(world.cec(["ls", "-d", "common-files/large"]).run().stdout.ends_with("\tunfinished\n"));
    let found = world.cec(["doctor"]).run().stdout;
    assert!(found.contains("1 transfer on this machine is unfinished"), "{found}");
    assert_snapshot!(world.cec(["transfers", "ls"]).run(), @"
    [stdout]
    LINK	upload	unfinished	20971520	TIME	HOME/large	cells://common-files/large	admin on URL
    [exit code 0]
    ");
    assert_snapshot!(world.cec(["transfers", "ls", "--json"]).run(), @r#"
    [stdout]
    [{"id":"LINK","direction":"upload","state":"unfinished","local":"HOME/large","remote":"cells://common-files/large","server":"URL","user":"admin","bytes":20971520,"size":31457280,"active":"TIME"}]
    [exit code 0]
    "#);
    assert_snapshot!(world.cec(["transfers", "abort", "--all"]).user("bob").run(), @"
    [stderr]
    no transfer of this account is unfinished
    [exit code 0]
    ");
    assert_snapshot!(world.cec(["transfers", "resume", "--all"]).run(), @"
    [stderr]
    resuming HOME/large: 20.0 MiB of 30.0 MiB are already there
    done: 1 file (30.0 MiB) in DURATION
    [exit code 0]
    ");
    assert_eq!([1, 2, 3].map(|part| sent(&world, part)), [1, 1, 1]);
    assert!(world.tree().read(TARGET).as_ref() == Some(&bytes));
    assert!(world.tree().remove(TARGET));
    stopped_upload(&world, "-KILL", &[]);
    assert_snapshot!(world.cec(["transfers", "abort", "--all"]).run(), @"
    [stderr]
    aborted LINK: HOME/large (20.0 MiB of 30.0 MiB)
    [exit code 0]
    ");
    assert!(!world.tree().exists(TARGET));
    assert_eq!(leftovers(&world), Vec::<PathBuf>::new());
}

#[test]
fn an_aborted_upload_that_the_server_has_forgotten_leaves_no_node() {
    let world = World::new();
    world.write("large", content(3 * PART, 12));
    stopped_upload(&world, "-KILL", &[]);
    world.sandbox.faults().add(Fault::on("DELETE", "/io/common-files/large").status(502).empty_ok());
    assert_eq!(world.cec(["transfers", "abort", "--all"]).run().code, 0);
    wait_for("the deletion", || !world.tree().exists(TARGET));
}

/// Kills a command at random moments until it is complete, at most so many times.
fn kill_often(world: &World, words: &[&str], seed: &mut u64, kills: usize) -> usize {
    for killed in 0..kills {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut child = world.cec(words.iter().copied()).spawn();
        std::thread::sleep(Duration::from_millis((*seed >> 33) % 400));
        if child.try_wait().expect("a state").is_some_and(|status| status.success()) {
            return killed;
        }
        child.kill().expect("killed");
        child.wait().expect("an end");
    }
    let run = world.cec(words.iter().copied()).run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    kills
}

fn kills(rounds: usize) {
    let mut seed = 42;
    for round in 0..rounds {
        let world = World::new();
        let size = [2 * PART - 1, 2 * PART, 2 * PART + 1, 4 * PART + 12_345][round % 4];
        let bytes = content(size, u32::try_from(round).expect("a small number"));
        world.write("large", &bytes);
        // With -f, because a process may be killed after its file is complete.
        let words = up(&["-f"]);
        let killed = kill_often(&world, &borrowed(&words), &mut seed, 4);
        assert!(world.tree().read(TARGET).as_ref() == Some(&bytes), "round {round}");
        let parts = size.div_ceil(PART);
        let all: usize = (1..=parts).map(|part| sent(&world, part)).sum();
        assert!(all <= parts + killed, "round {round}: {all} parts of {parts} after {killed} kills");
        assert_eq!(leftovers(&world), Vec::<PathBuf>::new(), "round {round}");
        fs::remove_file(world.home().join("large")).expect("a file");
        kill_often(&world, &["scp", "-f", "cells://common-files/large", "large"], &mut seed, 4);
        assert!(fs::read(world.home().join("large")).expect("a file") == bytes, "round {round}");
        // A download that was killed between its rename and the end of its journal is forgotten by the next run.
        assert_eq!(world.cec(["scp", "-f", "cells://common-files/large", "large"]).run().code, 0);
        assert_eq!(leftovers(&world), Vec::<PathBuf>::new(), "round {round}");
    }
}

#[test]
fn transfers_killed_at_random_moments_end_complete() {
    kills(4);
}

#[test]
#[ignore = "minutes; see `just soak`"]
fn transfers_killed_hundreds_of_times_end_complete() {
    kills(60);
}

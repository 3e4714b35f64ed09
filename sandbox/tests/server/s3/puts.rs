//! Single PUTs: what is stored, what is refused, and what goes wrong.

use std::io::{BufReader, Write as _};
use std::time::Duration;

use crate::s3::client::{Answer, ask, get, pattern, put, sandbox, start, wait_for};

const KEY: &str = "common-files/a/b/file.txt";

#[test]
fn a_new_file_appears_temporary_at_once_and_whole_at_the_end() {
    let sandbox = sandbox();
    let request = put(KEY, "0123456789");
    let mut stream = request.open(&sandbox);
    stream.write_all(b"01234").unwrap();
    wait_for("the node", || sandbox.tree().exists(KEY));
    assert_eq!(sandbox.tree().etag(KEY).as_deref(), Some("temporary"));
    assert_eq!(sandbox.tree().size(KEY), Some(10));
    let head = ask("HEAD", KEY).send(&sandbox).expect(200);
    assert_eq!((head.header("content-length"), head.etag()), ("10", "temporary"));
    sandbox.s3().collide_next_put(KEY);
    let second = put(KEY, "x").send(&sandbox).refusal();
    assert!(second.starts_with("500") && second.contains("Node path already in use"), "{second}");
    stream.write_all(b"56789").unwrap();
    Answer::read(&mut BufReader::new(stream), "PUT").unwrap().expect(200);
    assert_eq!(get(KEY).send(&sandbox).text(), "0123456789");
}

/// A PUT that has made the node and sent a half, and one that waits behind it.
fn two_puts(sandbox: &cells_sandbox::Sandbox) -> (std::net::TcpStream, BufReader<std::net::TcpStream>) {
    let mut first = put(KEY, "0123456789").open(sandbox);
    first.write_all(b"01234").unwrap();
    wait_for("the node", || sandbox.tree().exists(KEY));
    let mut second = put(KEY, "second").open(sandbox);
    second.write_all(b"second").unwrap();
    wait_for("the second PUT", || sandbox.requests().len() == 2);
    (first, BufReader::new(second))
}

#[test]
fn a_put_behind_one_that_breaks_off_becomes_a_folder_that_nobody_can_read() {
    let sandbox = sandbox();
    let (first, mut second) = two_puts(&sandbox);
    drop(first);
    let answer = Answer::read(&mut second, "PUT").unwrap().expect(200);
    assert!(sandbox.tree().is_folder(KEY));
    assert_eq!(sandbox.tree().etag(KEY).as_deref(), Some(answer.etag()));
    assert_eq!(sandbox.tree().size(KEY), Some(6));
    let refusal = put(KEY, "third").send(&sandbox).refusal();
    assert!(refusal.contains("node.type.conflict"), "{refusal}");
}

#[test]
fn a_put_behind_one_that_ends_well_replaces_it() {
    let sandbox = sandbox();
    let (mut first, mut second) = two_puts(&sandbox);
    first.write_all(b"56789").unwrap();
    Answer::read(&mut BufReader::new(first), "PUT").unwrap().expect(200);
    Answer::read(&mut second, "PUT").unwrap().expect(200);
    assert_eq!(get(KEY).send(&sandbox).text(), "second");
}

#[test]
fn the_late_clean_up_of_a_broken_put_removes_what_is_there_by_then() {
    let sandbox = sandbox();
    let gate = cells_sandbox::Gate::closed();
    sandbox.s3().clean_up_late(KEY, &gate);
    let (first, mut second) = two_puts(&sandbox);
    drop(first);
    Answer::read(&mut second, "PUT").unwrap().expect(200);
    assert_eq!(get(KEY).send(&sandbox).text(), "second");
    gate.open();
    wait_for("the removal", || !sandbox.tree().exists(KEY));
}

#[test]
fn a_body_cut_off_leaves_everything_as_it_was() {
    let sandbox = sandbox();
    let content = pattern(300_000);
    put(KEY, content.clone()).send_cut(&sandbox, 299_999);
    wait_for("the removal", || !sandbox.tree().exists(KEY));
    put(KEY, "old").send(&sandbox);
    put(KEY, content).send_cut(&sandbox, 299_999);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(get(KEY).send(&sandbox).text(), "old");
    assert!(sandbox.tree().is_folder("common-files/a/b"));
}

#[test]
fn the_hash_comes_late_and_is_the_old_one_until_then() {
    let sandbox = start(|config| config.hash_delay = Duration::from_millis(150));
    put(KEY, "old").send(&sandbox);
    assert_eq!(sandbox.tree().hash(KEY), None);
    wait_for("the hash", || sandbox.tree().hash(KEY).is_some());
    let old = sandbox.tree().hash(KEY);
    put(KEY, "new").send(&sandbox);
    assert_eq!(sandbox.tree().hash(KEY), old);
    wait_for("the new hash", || sandbox.tree().hash(KEY) != old);
}

#[test]
fn parallel_puts_into_a_new_folder_all_succeed() {
    let sandbox = sandbox();
    std::thread::scope(|scope| {
        for number in 0..24 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let key = format!("common-files/new/a/b/c/{number}.txt");
                put(&key, number.to_string()).send(sandbox).expect(200);
            });
        }
    });
    assert_eq!(sandbox.tree().list("common-files/new/a/b/c").len(), 24);
    assert_eq!(sandbox.tree().list("common-files/new/a"), ["b"]);
}

#[test]
fn parallel_overwrites_all_succeed() {
    let sandbox = sandbox();
    put(KEY, "old").send(&sandbox);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || put(KEY, number.to_string()).send(sandbox).expect(200));
        }
    });
    let answer = get(KEY).send(&sandbox);
    assert_eq!(answer.text().len(), 1);
    assert_eq!(Some(answer.etag()), sandbox.tree().etag(KEY).as_deref());
}

#[test]
fn an_overwrite_keeps_the_uuid() {
    let sandbox = sandbox();
    put(KEY, "old").send(&sandbox);
    let uuid = sandbox.tree().uuid(KEY);
    put(KEY, "").send(&sandbox).expect(200);
    assert_eq!(sandbox.tree().uuid(KEY), uuid);
    assert_eq!(sandbox.tree().size(KEY), Some(0));
}

#[test]
fn a_wrong_checksum_is_answered_503_and_damages_the_file() {
    let sandbox = sandbox();
    let wrong_md5 = put(KEY, "new content").header("Content-MD5", "MDAwMDAwMDAwMDAwMDAwMA==");
    let wrong_sha256 = put(KEY, "new content").payload(&"0".repeat(64));
    for request in [wrong_md5, wrong_sha256] {
        request.send(&sandbox).expect(503);
        assert!(!sandbox.tree().exists(KEY));
        put(KEY, "old!").send(&sandbox);
        let etag = sandbox.tree().etag(KEY).unwrap();
        request.send(&sandbox).expect(503);
        let damaged = get(KEY).send(&sandbox).expect(200);
        assert_eq!((damaged.text().as_str(), damaged.etag()), ("new ", etag.as_str()));
        put(KEY, "healed").send(&sandbox).expect(200);
        assert_eq!(get(KEY).send(&sandbox).text(), "healed");
        ask("DELETE", KEY).send(&sandbox);
    }
}

#[test]
fn right_checksums_are_fine_and_malformed_ones_are_not() {
    let sandbox = sandbox();
    put(KEY, "abc").header("Content-MD5", "kAFQmDzST7DWlj99KOF/cg==").send(&sandbox).expect(200);
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    put(KEY, "abc").payload(sha256).send(&sandbox).expect(200);
    let code = put(KEY, "abc").payload("nonsense").send(&sandbox).expect(400).element("Code");
    assert_eq!(code, "XAmzContentSHA256Mismatch");
}

#[test]
fn bodies_that_are_too_large_are_refused_before_they_are_sent() {
    let sandbox = sandbox();
    let announce = |length: u64| {
        let request = put(KEY, "").header("Content-Length", &length.to_string());
        let stream = request.header("Expect", "100-continue").open(&sandbox);
        Answer::read_head(&mut BufReader::new(stream)).unwrap().status
    };
    assert_eq!(announce(5 << 40), 100);
    assert_eq!(announce((5 << 40) + 1), 400);
}

#[test]
fn a_refusal_comes_without_the_body() {
    let sandbox = sandbox();
    let request = put("a1-ro/x", pattern(100)).by("alice").header("Expect", "100-continue");
    let answer = Answer::read(&mut BufReader::new(request.open(&sandbox)), "PUT").unwrap();
    assert_eq!(answer.expect(403).element("Code"), "AccessDenied");
    let request = put("common-files/x", "").by("alice").header("Content-Length", "3");
    let mut stream = request.header("Expect", "100-continue").open(&sandbox);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    assert_eq!(Answer::read_head(&mut reader).unwrap().status, 100);
    stream.write_all(b"abc").unwrap();
    Answer::read(&mut reader, "PUT").unwrap().expect(200);
}

#[test]
fn a_quota_counts_what_is_there() {
    let sandbox = sandbox();
    put("common-files/one", pattern(600)).send(&sandbox);
    sandbox.s3().set_quota("common-files", Some(1_000));
    assert_eq!(put("common-files/two", pattern(401)).send(&sandbox).status, 422);
    put("common-files/two", pattern(400)).send(&sandbox).expect(200);
    put("common-files/one", pattern(500)).send(&sandbox).expect(200);
    sandbox.s3().set_quota("common-files", None);
    put("common-files/two", pattern(4_000)).send(&sandbox).expect(200);
}

#[test]
fn a_content_lock_keeps_others_out() {
    let sandbox = sandbox();
    put(KEY, "old").send(&sandbox);
    sandbox.s3().lock_content(KEY, "bob");
    assert_eq!(put(KEY, "new").by("alice").send(&sandbox).element("Code"), "AccessDenied");
    put(KEY, "new").by("bob").send(&sandbox).expect(200);
    sandbox.s3().unlock_content(KEY);
    put(KEY, "new").by("alice").send(&sandbox).expect(200);
}

#[test]
fn names_are_stored_composed_and_backslashes_get_lost() {
    let sandbox = sandbox();
    put("common-files/e\u{301}.txt", "x").send(&sandbox).expect(200);
    // A new file whose name was not composed is a folder of one byte: its content is lost.
    get("common-files/\u{e9}.txt").send(&sandbox).expect(500);
    get("common-files/e\u{301}.txt").send(&sandbox).expect(404);
    assert!(sandbox.tree().is_folder("common-files/\u{e9}.txt"));
    put("common-files/\u{fc}.txt", "x").send(&sandbox).expect(200);
    get("common-files/\u{fc}.txt").send(&sandbox).expect(200);
    put("common-files/back\\slash", "x").send(&sandbox).expect(200);
    get("common-files/back\\slash").send(&sandbox).expect(404);
    assert!(sandbox.tree().list("common-files").iter().any(|name| name == "back\\slash"));
    let odd = "common-files/+ %25 # ? & ; : \" ' < > | * {} [] ~ ^ $ !\u{1f600} ";
    put(odd, "odd").send(&sandbox).expect(200);
    assert_eq!(get(odd).send(&sandbox).text(), "odd");
}

#[test]
fn long_names_and_broken_text_are_refused() {
    let sandbox = sandbox();
    put(&format!("common-files/{}", "\u{e9}".repeat(255)), "x").send(&sandbox).expect(200);
    let long = put(&format!("common-files/{}", "x".repeat(256)), "x").send(&sandbox).refusal();
    assert!(
        long.starts_with("500") && long.contains("Data too long for column 'name'".replace('\'', "&#39;").as_str()),
        "{long}"
    );
}

#[test]
fn unclean_paths_are_redirected() {
    let sandbox = sandbox();
    let moved = put("common-files//x", "x").send(&sandbox).expect(301);
    assert_eq!(moved.header("location"), "/io/common-files/x");
    put("common-files/./x", "x").send(&sandbox).expect(301);
    put("common-files/y/../x", "x").send(&sandbox).expect(301);
    assert!(!sandbox.tree().exists("common-files/x"));
}

#[test]
fn a_claimed_size_breaks_the_file() {
    let sandbox = sandbox();
    put(KEY, "hello").header("x-amz-meta-pydio-clear-size", "3").send(&sandbox).expect(200);
    assert_eq!(get(KEY).send(&sandbox).text(), "hel");
    put(KEY, "hello").header("x-amz-meta-pydio-clear-size", "9").send(&sandbox).expect(200);
    assert!(get(KEY).try_send(&sandbox).is_err());
}

#[test]
fn the_content_type_is_the_given_one_or_sniffed() {
    let sandbox = sandbox();
    put(KEY, "x").header("Content-Type", "application/x-foo").send(&sandbox);
    assert_eq!(get(KEY).send(&sandbox).header("content-type"), "application/x-foo");
    put(KEY, "x").header("Content-Type", "binary/octet-stream").send(&sandbox);
    assert_eq!(get(KEY).send(&sandbox).header("content-type"), "text/plain; charset=utf-8");
}

#[test]
fn deleting_is_always_answered_alike() {
    let sandbox = sandbox();
    for key in ["common-files/a", "common-files/none", "nowhere/x"] {
        sandbox.tree().put(KEY, "x").unwrap();
        let answer = ask("DELETE", key).by("alice").send(&sandbox).expect(204);
        assert!(answer.body.is_empty());
    }
    ask("DELETE", "common-files/a").by("alice").send(&sandbox).expect(204);
    assert!(!sandbox.tree().exists("common-files/a"));
    sandbox.tree().put("a1-ro/kept", "x").unwrap();
    ask("DELETE", "a1-ro/kept").by("alice").send(&sandbox).expect(204);
    assert!(sandbox.tree().exists("a1-ro/kept"));
}

//! Readers and writers of one object wait for each other, up to a point.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cells_sandbox::Sandbox;

use crate::s3::client::{Answer, get, pattern, put, sandbox, start, wait_for};
use crate::s3::parts::{begin, complete, part};

const KEY: &str = "common-files/shared.bin";

/// More than the buffers of a connection hold.
const LARGE: usize = 24 << 20;

/// A reader that has read the start of a large file and no more.
fn slow_reader(sandbox: &Sandbox) -> TcpStream {
    put(KEY, pattern(LARGE)).send(sandbox).expect(200);
    let mut stream = get(KEY).open(sandbox);
    let mut first = [0; 1000];
    stream.read_exact(&mut first).unwrap();
    stream
}

#[test]
fn a_writer_waits_for_a_reader() {
    let sandbox = sandbox();
    let mut reader = slow_reader(&sandbox);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| put(KEY, "new").send(&sandbox).expect(200));
        std::thread::sleep(Duration::from_millis(80));
        assert!(!writer.is_finished());
        let mut rest = Vec::new();
        reader.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let _ = reader.read_to_end(&mut rest);
        assert!(rest.len() >= LARGE - 1000);
        drop(reader);
        writer.join().unwrap();
    });
    assert_eq!(get(KEY).send(&sandbox).text(), "new");
}

#[test]
fn a_writer_that_waits_too_long_fails_and_damages_the_file_later() {
    let sandbox = start(|config| config.lock_timeout = Duration::from_millis(50));
    let reader = slow_reader(&sandbox);
    let etag = sandbox.tree().etag(KEY);
    let refused = put(KEY, pattern(LARGE + 5)).send(&sandbox).expect(503);
    assert_eq!(refused.element("Code"), "XMinioBackendDown");
    drop(reader);
    let changed = |_: &()| {
        let now = get(KEY).header("Range", "bytes=0-9").send(&sandbox);
        now.status == 206
    };
    wait_for("the end of the lock", || changed(&()));
    assert_eq!(sandbox.tree().etag(KEY), etag);
    assert_eq!(sandbox.tree().size(KEY), Some(LARGE as u64));
}

#[test]
fn a_reader_waits_for_a_writer() {
    let sandbox = sandbox();
    put(KEY, "old").send(&sandbox);
    let mut writer = put(KEY, "12345").open(&sandbox);
    writer.write_all(b"123").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    std::thread::scope(|scope| {
        let started = Instant::now();
        let reader = scope.spawn(|| get(KEY).send(&sandbox).text());
        std::thread::sleep(Duration::from_millis(80));
        assert!(!reader.is_finished(), "after {:?}", started.elapsed());
        writer.write_all(b"45").unwrap();
        Answer::read(&mut BufReader::new(writer), "PUT").unwrap().expect(200);
        assert_eq!(reader.join().unwrap(), "12345");
    });
}

#[test]
fn a_reader_that_waits_too_long_fails() {
    let sandbox = sandbox();
    sandbox.s3().set_lock_timeout(Duration::from_millis(50));
    let mut writer = put(KEY, "12345").open(&sandbox);
    writer.write_all(b"123").unwrap();
    wait_for("the node", || sandbox.tree().exists(KEY));
    get(KEY).send(&sandbox).expect(503);
    drop(writer);
    wait_for("the removal", || !sandbox.tree().exists(KEY));
    get(KEY).send(&sandbox).expect(404);
}

#[test]
fn a_complete_waits_longer_and_deleting_not_at_all() {
    let sandbox = sandbox();
    sandbox.s3().set_lock_timeout(Duration::from_millis(20));
    sandbox.s3().set_heartbeat(Duration::from_millis(30));
    let reader = slow_reader(&sandbox);
    let id = begin(&sandbox, KEY);
    let etag = part(&sandbox, KEY, &id, 1, b"new");
    std::thread::scope(|scope| {
        let ending = scope.spawn(|| complete(&sandbox, KEY, &id, &[(1, etag)]));
        std::thread::sleep(Duration::from_millis(120));
        assert!(!ending.is_finished());
        drop(reader);
        let answer = ending.join().unwrap().expect(200);
        assert!(answer.text().contains("?>\n  "), "{}", answer.text());
    });
    assert_eq!(get(KEY).send(&sandbox).text(), "new");
    let reader = slow_reader(&sandbox);
    crate::s3::client::ask("DELETE", KEY).send(&sandbox).expect(204);
    assert!(!sandbox.tree().exists(KEY));
    drop(reader);
}

//! Damage: files whose object is new and whose index entry is old.

use std::io::Write as _;
use std::time::Duration;

use cells_sandbox::Sandbox;

use crate::s3::client::{Ask, ask, get, pattern, put, sandbox, wait_for};
use crate::s3::parts::{begin, complete_request, part};

const KEY: &str = "common-files/file.bin";

/// Sends a request whole and goes away after that time.
fn send_and_leave(sandbox: &Sandbox, request: &Ask, after: Duration) {
    let mut stream = request.open(sandbox);
    stream.write_all(request.content()).unwrap();
    std::thread::sleep(after);
}

#[test]
fn a_client_that_goes_after_the_body_damages_an_overwrite() {
    let sandbox = sandbox();
    sandbox.s3().set_commit_delay(Duration::from_millis(200));
    put(KEY, "old").send(&sandbox);
    let etag = sandbox.tree().etag(KEY);
    send_and_leave(&sandbox, &put(KEY, "brand new"), Duration::ZERO);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(sandbox.tree().etag(KEY), etag);
    assert_eq!(sandbox.tree().size(KEY), Some(3));
    assert_eq!(get(KEY).send(&sandbox).text(), "bra");
    sandbox.s3().set_commit_delay(Duration::ZERO);
    put(KEY, "brand new").send(&sandbox).expect(200);
    assert_eq!(get(KEY).send(&sandbox).text(), "brand new");
}

#[test]
fn a_client_that_goes_during_a_complete_damages_an_overwrite() {
    let sandbox = sandbox();
    sandbox.s3().set_commit_delay(Duration::from_millis(200));
    put(KEY, "old").send(&sandbox);
    let id = begin(&sandbox, KEY);
    let etag = part(&sandbox, KEY, &id, 1, b"brand new");
    let complete = complete_request(KEY, &id, &[(1, etag)]);
    send_and_leave(&sandbox, &complete, Duration::from_millis(50));
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(get(KEY).send(&sandbox).text(), "bra");
    assert!(sandbox.s3().pending_uploads().is_empty());
}

#[test]
fn damage_can_be_ordered() {
    let sandbox = sandbox();
    put(KEY, "old").send(&sandbox);
    sandbox.s3().damage_next_overwrite(KEY);
    assert!(put(KEY, "brand new").try_send(&sandbox).is_err());
    assert_eq!(get(KEY).send(&sandbox).text(), "bra");
    assert_eq!(get(KEY).header("Range", "bytes=0-1").send(&sandbox).expect(206).text(), "br");
    put(KEY, "brand new").send(&sandbox).expect(200);
    assert_eq!(get(KEY).send(&sandbox).text(), "brand new");
}

#[test]
fn an_object_shorter_than_its_entry_breaks_the_download() {
    let sandbox = sandbox();
    for size in [10, 3 << 20] {
        put(KEY, pattern(size)).send(&sandbox).expect(200);
        sandbox.s3().damage_next_overwrite(KEY);
        assert!(put(KEY, pattern(size / 2)).try_send(&sandbox).is_err());
        assert!(get(KEY).try_send(&sandbox).is_err());
        let start = get(KEY).header("Range", "bytes=0-4").send(&sandbox).expect(206);
        assert_eq!(start.body, pattern(5));
        put(KEY, pattern(size)).send(&sandbox).expect(200);
        assert!(get(KEY).send(&sandbox).body == pattern(size));
    }
}

#[test]
fn a_client_that_goes_after_a_new_body_leaves_nothing_or_all() {
    let sandbox = sandbox();
    for number in 0..20 {
        let key = format!("common-files/{number}");
        send_and_leave(&sandbox, &put(&key, "new"), Duration::ZERO);
        wait_for("an end", || sandbox.tree().etag(&key).as_deref() != Some("temporary"));
        if sandbox.tree().exists(&key) {
            assert_eq!(ask("GET", &key).send(&sandbox).text(), "new");
        }
    }
}

//! Uploads in parts.

use std::io::Write as _;
use std::time::Duration;

use cells_sandbox::Sandbox;

use crate::s3::client::{Answer, Ask, ask, get, pattern, put, sandbox};

const KEY: &str = "common-files/a/upload.bin";

const MEBIBYTE: usize = 1 << 20;

pub(crate) fn begin(sandbox: &Sandbox, key: &str) -> String {
    ask("POST", key).query("uploads", "").send(sandbox).expect(200).element("UploadId")
}

pub(crate) fn part_request(key: &str, id: &str, number: u32, content: &[u8]) -> Ask {
    put(key, content).query("partNumber", &number.to_string()).query("uploadId", id)
}

/// Sends a part and gives its ETag.
pub(crate) fn part(sandbox: &Sandbox, key: &str, id: &str, number: u32, content: &[u8]) -> String {
    part_request(key, id, number, content).send(sandbox).expect(200).etag().to_owned()
}

pub(crate) fn complete_request(key: &str, id: &str, parts: &[(u32, String)]) -> Ask {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag></Part>"))
        .collect();
    let list = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    ask("POST", key).query("uploadId", id).body(list)
}

pub(crate) fn complete(sandbox: &Sandbox, key: &str, id: &str, parts: &[(u32, String)]) -> Answer {
    complete_request(key, id, parts).send(sandbox)
}

#[test]
fn a_new_upload_shows_a_temporary_node_without_a_size() {
    let sandbox = sandbox();
    let id = begin(&sandbox, KEY);
    assert_eq!(sandbox.tree().etag(KEY).as_deref(), Some("temporary"));
    let head = ask("HEAD", KEY).send(&sandbox).expect(200);
    assert_eq!((head.header("content-length"), head.etag()), ("0", "temporary"));
    get(KEY).send(&sandbox).expect(404);
    get(KEY).header("Range", "bytes=0-1").send(&sandbox).expect(416);
    let pending = sandbox.s3().pending_uploads();
    assert_eq!(pending.len(), 1);
    assert_eq!((pending[0].id.as_str(), pending[0].path.as_str()), (id.as_str(), KEY));
}

#[test]
fn the_announced_size_shows_until_the_true_one_is_known() {
    let sandbox = sandbox();
    let create = ask("POST", KEY).query("uploads", "").header("x-amz-meta-pydio-clear-size", "99");
    let id = create.send(&sandbox).element("UploadId");
    assert_eq!(sandbox.tree().size(KEY), Some(99));
    let etag = part(&sandbox, KEY, &id, 1, b"hello");
    complete(&sandbox, KEY, &id, &[(1, etag)]).expect(200);
    assert_eq!(sandbox.tree().size(KEY), Some(5));
}

#[test]
fn the_old_content_is_served_until_the_upload_is_complete() {
    let sandbox = sandbox();
    put(KEY, "old").send(&sandbox);
    let uuid = sandbox.tree().uuid(KEY);
    let id = begin(&sandbox, KEY);
    let etag = part(&sandbox, KEY, &id, 1, b"new content");
    assert_eq!(get(KEY).send(&sandbox).text(), "old");
    complete(&sandbox, KEY, &id, &[(1, etag)]).expect(200);
    assert_eq!(get(KEY).send(&sandbox).text(), "new content");
    assert_eq!(sandbox.tree().uuid(KEY), uuid);
}

#[test]
fn parts_may_come_in_any_order_and_at_once() {
    let sandbox = sandbox();
    let content = pattern(22 * MEBIBYTE);
    let id = begin(&sandbox, KEY);
    let etags: Vec<(u32, String)> = std::thread::scope(|scope| {
        let (sandbox, id) = (&sandbox, id.as_str());
        let mut chunks: Vec<_> = content.chunks(5 * MEBIBYTE).zip(1..).collect();
        chunks.reverse();
        let sends: Vec<_> = chunks
            .into_iter()
            .map(|(chunk, number)| scope.spawn(move || (number, part(sandbox, KEY, id, number, chunk))))
            .collect();
        sends.into_iter().rev().map(|send| send.join().unwrap()).collect()
    });
    complete(&sandbox, KEY, &id, &etags).expect(200);
    assert!(get(KEY).send(&sandbox).body == content);
    assert!(sandbox.s3().pending_uploads().is_empty());
}

#[test]
fn an_older_etag_of_a_part_takes_its_bytes_and_the_newer_hash() {
    let sandbox = sandbox();
    let id = begin(&sandbox, KEY);
    let old = part(&sandbox, KEY, &id, 1, b"old");
    part(&sandbox, KEY, &id, 1, b"new");
    complete(&sandbox, KEY, &id, &[(1, old)]).expect(200);
    assert_eq!(get(KEY).send(&sandbox).text(), "old");
    put("common-files/other", "new").send(&sandbox);
    let newer = sandbox.tree().hash("common-files/other");
    assert!(newer.is_some());
    assert_eq!(sandbox.tree().hash(KEY), newer);
}

#[test]
fn a_failed_complete_loses_the_hash() {
    let sandbox = sandbox();
    put(KEY, "old content").send(&sandbox);
    let stale = sandbox.tree().hash(KEY);
    for key in [KEY, "common-files/new.bin"] {
        let id = begin(&sandbox, key);
        let etag = part(&sandbox, key, &id, 1, b"x");
        let unknown = "00000000000000000000000000000000".to_owned();
        let refused = complete(&sandbox, key, &id, &[(1, unknown)]).expect(400);
        assert_eq!(refused.element("Code"), "InvalidPart");
        complete(&sandbox, key, &id, &[(1, etag)]).expect(200);
    }
    assert_eq!(sandbox.tree().hash(KEY), stale);
    assert_eq!(sandbox.tree().hash("common-files/new.bin"), None);
    put(KEY, "x").send(&sandbox).expect(200);
    assert_ne!(sandbox.tree().hash(KEY), stale);
}

#[test]
fn gaps_fail_once() {
    let sandbox = sandbox();
    let id = begin(&sandbox, KEY);
    let block = pattern(5 * MEBIBYTE);
    let parts = [(1, part(&sandbox, KEY, &id, 1, &block)), (3, part(&sandbox, KEY, &id, 3, b"x"))];
    complete(&sandbox, KEY, &id, &parts).expect(500);
    complete(&sandbox, KEY, &id, &parts).expect(200);
    assert_eq!(sandbox.tree().hash(KEY), None);
    assert_eq!(sandbox.tree().size(KEY), Some(block.len() as u64 + 1));
}

#[test]
fn parts_are_refused_for_what_is_wrong_with_them() {
    let sandbox = sandbox();
    let id = begin(&sandbox, KEY);
    let ask = |number: &str| put(KEY, "abc").query("partNumber", number).query("uploadId", &id);
    assert_eq!(ask("0").send(&sandbox).element("Code"), "InvalidArgument");
    let empty = ask("1").body("").send(&sandbox).refusal();
    assert!(empty.starts_with("500 InternalError") && empty.contains("put.part.empty"), "{empty}");
    let right = ask("1").header("Content-MD5", "kAFQmDzST7DWlj99KOF/cg==").send(&sandbox);
    assert_eq!(right.element("Code"), "InvalidDigest");
    let wrong = "0".repeat(64);
    let bad = ask("1").payload(&wrong).send(&sandbox).refusal();
    assert!(bad.starts_with("500") && bad.contains("Bad sha256"), "{bad}");
    let good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    ask("1").payload(good).send(&sandbox).expect(200);
    let copy = ask("1").header("x-amz-copy-source", "/io/common-files/x").send(&sandbox);
    assert_eq!(copy.status, 501);
    assert_eq!(sandbox.s3().pending_uploads()[0].parts, [1]);
}

#[test]
fn a_part_number_that_is_none_makes_a_plain_put() {
    let sandbox = sandbox();
    let id = begin(&sandbox, KEY);
    for number in ["-1", "one"] {
        let request = put(KEY, number).query("partNumber", number).query("uploadId", &id);
        request.send(&sandbox).expect(200);
        assert_eq!(get(KEY).send(&sandbox).text(), number);
    }
}

#[test]
fn an_abort_removes_the_temporary_node_and_nothing_else() {
    let sandbox = sandbox();
    let id = begin(&sandbox, KEY);
    let abort = |id: &str| ask("DELETE", KEY).query("uploadId", id).send(&sandbox);
    abort(&id).expect(204);
    assert!(!sandbox.tree().exists(KEY));
    abort(&id).expect(500);
    put(KEY, "kept").send(&sandbox);
    abort("unknown").expect(502);
    abort(&begin(&sandbox, KEY)).expect(204);
    assert_eq!(get(KEY).send(&sandbox).text(), "kept");
}

#[test]
fn aborting_one_of_two_uploads_of_a_new_file_kills_the_other() {
    let sandbox = sandbox();
    let (first, second) = (begin(&sandbox, KEY), begin(&sandbox, KEY));
    let etag = part(&sandbox, KEY, &second, 1, b"x");
    ask("DELETE", KEY).query("uploadId", &first).send(&sandbox).expect(204);
    complete(&sandbox, KEY, &second, &[(1, etag)]).expect(500);
}

#[test]
fn a_single_put_during_an_upload_succeeds() {
    let sandbox = sandbox();
    let id = begin(&sandbox, KEY);
    put(KEY, "single").send(&sandbox).expect(200);
    ask("DELETE", KEY).query("uploadId", &id).send(&sandbox).expect(204);
    assert_eq!(get(KEY).send(&sandbox).text(), "single");
}

#[test]
fn completing_onto_a_folder_loses_the_content() {
    let sandbox = sandbox();
    for key in ["common-files/folder", "common-files"] {
        sandbox.tree().put("common-files/folder/inside", "x").unwrap();
        let id = begin(&sandbox, key);
        let etag = part(&sandbox, key, &id, 1, b"lost");
        let answer = complete(&sandbox, key, &id, &[(1, etag)]).expect(200);
        assert!(sandbox.tree().is_folder(key));
        assert_eq!(sandbox.tree().etag(key).as_deref(), Some(answer.etag()));
        assert!(sandbox.tree().exists("common-files/folder/inside"));
    }
}

#[test]
fn an_upload_outlives_its_connections_and_a_restart_loses_only_hashes() {
    let sandbox = sandbox();
    let id = begin(&sandbox, KEY);
    let content = pattern(5 * MEBIBYTE);
    part_request(KEY, &id, 1, &content).send_cut(&sandbox, 3 * MEBIBYTE);
    assert!(sandbox.s3().pending_uploads()[0].parts.is_empty());
    let etag = part(&sandbox, KEY, &id, 1, &content);
    sandbox.s3().forget_part_hashes();
    complete(&sandbox, KEY, &id, &[(1, etag)]).expect(200);
    assert_eq!(sandbox.tree().hash(KEY), None);
}

#[test]
fn expired_uploads_are_unknown() {
    let sandbox = sandbox();
    let id = begin(&sandbox, KEY);
    let list = || ask("GET", KEY).query("uploadId", &id).send(&sandbox);
    list().expect(200);
    sandbox.s3().expire_uploads();
    assert_eq!(list().expect(404).element("Code"), "NoSuchUpload");
    assert!(sandbox.tree().exists(KEY));
}

#[test]
fn a_slow_complete_beats_and_may_fail_after_its_200() {
    let sandbox = sandbox();
    sandbox.s3().set_heartbeat(Duration::from_millis(40));
    sandbox.s3().set_complete_delay(Duration::from_millis(150));
    let id = begin(&sandbox, KEY);
    let etag = part(&sandbox, KEY, &id, 1, b"x");
    let unknown = "00000000000000000000000000000000".to_owned();
    let failed = complete(&sandbox, KEY, &id, &[(1, unknown)]).expect(200);
    assert!(failed.text().contains("?>\n ") && failed.element("Code") == "InvalidPart");
    let done = complete(&sandbox, KEY, &id, &[(1, etag)]).expect(200);
    assert!(done.text().contains("?>\n "), "{}", done.text());
    assert!(done.element("ETag").ends_with("-1&#34;"));
}

#[test]
fn a_complete_whose_client_goes_at_once_is_not_done() {
    let sandbox = sandbox();
    sandbox.s3().set_complete_delay(Duration::from_millis(100));
    let id = begin(&sandbox, KEY);
    let etag = part(&sandbox, KEY, &id, 1, b"x");
    let request = complete_request(KEY, &id, &[(1, etag.clone())]);
    let mut stream = request.open(&sandbox);
    stream.write_all(request.content()).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    drop(stream);
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(sandbox.tree().etag(KEY).as_deref(), Some("temporary"));
    complete(&sandbox, KEY, &id, &[(1, etag)]).expect(200);
    assert_eq!(sandbox.tree().hash(KEY), None);
}

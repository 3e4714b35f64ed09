//! Reading: ranges, conditions and what folders answer.

use crate::s3::client::{Ask, ask, get, put, sandbox, start};

const KEY: &str = "common-files/file.txt";

#[test]
fn ranges_are_answered() {
    let sandbox = sandbox();
    put(KEY, "0123456789").send(&sandbox);
    let range = |range: &str| get(KEY).header("Range", range).send(&sandbox);
    let partial = [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=-99", "0123456789", "bytes 0-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ];
    for (asked, content, header) in partial {
        let answer = range(asked).expect(206);
        assert_eq!((answer.text().as_str(), answer.header("content-range")), (content, header));
    }
    for whole in ["bytes=0-1,3-4", "lines=1-2"] {
        assert_eq!(range(whole).expect(200).text(), "0123456789");
    }
    for refused in ["bytes=10-", "bytes=-0", "bytes=9-1"] {
        assert_eq!(range(refused).expect(416).element("Code"), "InvalidRange");
    }
    let head = ask("HEAD", KEY).header("Range", "bytes=0-1").send(&sandbox).expect(206);
    assert_eq!(head.header("content-length"), "2");
    get(KEY).query("partNumber", "1").send(&sandbox).expect(206);
}

#[test]
fn conditions_count_for_head_alone() {
    let sandbox = sandbox();
    put(KEY, "x").send(&sandbox);
    let etag = format!("\"{}\"", sandbox.tree().etag(KEY).unwrap());
    let (past, future) = ("Mon, 23 Nov 2020 16:00:00 GMT", "Mon, 23 Nov 2037 16:00:00 GMT");
    let cases = [
        ("If-Match", "\"0123\"", 412),
        ("If-Match", "*", 412),
        ("If-Match", etag.as_str(), 200),
        ("If-None-Match", etag.as_str(), 304),
        ("If-None-Match", "\"0123\"", 200),
        ("If-Modified-Since", future, 304),
        ("If-Modified-Since", past, 200),
        ("If-Unmodified-Since", past, 412),
        ("If-Unmodified-Since", future, 200),
    ];
    for (name, value, status) in cases {
        ask("HEAD", KEY).header(name, value).send(&sandbox).expect(status);
        get(KEY).header(name, value).send(&sandbox).expect(200);
    }
    put(KEY, "y").header("If-None-Match", "*").send(&sandbox).expect(200);
}

#[test]
fn a_slash_at_the_end_is_no_matter() {
    let sandbox = sandbox();
    put("common-files/x/", "file").send(&sandbox).expect(200);
    assert_eq!(get("common-files/x").send(&sandbox).text(), "file");
    assert_eq!(get("common-files/x/").send(&sandbox).text(), "file");
    get("common-files/").send(&sandbox).expect(500);
}

#[test]
fn the_other_bucket_is_the_same() {
    let sandbox = sandbox();
    put(KEY, "x").send(&sandbox);
    let answer = Ask::to_path("GET", &format!("/data/{KEY}")).send(&sandbox).expect(200);
    assert_eq!(answer.text(), "x");
}

#[test]
fn headers_can_be_overridden_and_unknown_parameters_are_refused() {
    let sandbox = sandbox();
    put(KEY, "x").send(&sandbox);
    let answer = get(KEY)
        .query("response-content-disposition", "attachment; filename=\"a b.txt\"")
        .query("response-content-type", "text/x-y")
        .query("response-cache-control", "no-store")
        .send(&sandbox)
        .expect(200);
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"a b.txt\"");
    assert_eq!(answer.header("content-type"), "text/x-y");
    assert_eq!(answer.header("cache-control"), "no-store");
    get(KEY).query("versionId", "abc").send(&sandbox).expect(400);
    get(KEY).query("tagging", "").send(&sandbox).expect(501);
    get(KEY).query("torrent", "").send(&sandbox).expect(501);
}

#[test]
fn a_token_in_the_address_makes_an_attachment() {
    let sandbox = start(|config| config.strict_signatures = false);
    put(KEY, "x").send(&sandbox);
    let token = sandbox.token("alice");
    let answer = get(KEY).unsigned().query("pydio_jwt", &token).send(&sandbox).expect(200);
    assert_eq!(answer.header("content-disposition"), "attachment");
}

#[test]
fn copies_are_refused_and_the_target_stays() {
    let sandbox = sandbox();
    put(KEY, "source").send(&sandbox);
    put("common-files/target", "old").send(&sandbox);
    let copy = |source: &str, target: &str| put(target, "").header("x-amz-copy-source", source).send(&sandbox);
    copy(&format!("io/{KEY}"), "common-files/target").expect(500);
    copy("io/common-files/none", "common-files/target").expect(404);
    copy(&format!("/io/{KEY}"), KEY).expect(400);
    assert_eq!(get("common-files/target").send(&sandbox).text(), "old");
}

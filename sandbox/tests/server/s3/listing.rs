//! Listings.

use crate::s3::client::{Answer, Ask, get, put, sandbox};
use cells_sandbox::Sandbox;

fn list(sandbox: &Sandbox, parameters: &[(&str, &str)]) -> Answer {
    let ask = parameters.iter().fold(Ask::to_path("GET", "/io/"), |ask, (name, value)| ask.query(name, value));
    ask.query("list-type", "2").by("alice").send(sandbox)
}

#[test]
fn the_root_lists_the_workspaces_one_may_see() {
    let sandbox = sandbox();
    let answer = list(&sandbox, &[("delimiter", "/")]).expect(200);
    let mut prefixes = answer.elements("Prefix");
    prefixes.sort();
    assert_eq!(prefixes, ["", "a1-ro/", "common-files/", "personal-files/"]);
    assert_eq!(answer.element("KeyCount"), "3");
}

#[test]
fn without_a_delimiter_everything_below_is_listed() {
    let sandbox = sandbox();
    for name in ["a.txt", ".hidden", "sub/deep/b & c.txt", "back\\slash"] {
        put(&format!("common-files/list/{name}"), "x").send(&sandbox).expect(200);
    }
    let answer = list(&sandbox, &[("prefix", "common-files/list/")]).expect(200);
    let mut keys = answer.elements("Key");
    keys.sort();
    let expected = [".hidden", "a.txt", "sub/deep/b &amp; c.txt"].map(|name| format!("common-files/list/{name}"));
    assert_eq!(keys, expected);
    let mut prefixes = answer.elements("Prefix");
    prefixes.sort();
    prefixes.dedup();
    let expected = ["", "sub/", "sub/deep/"].map(|name| format!("common-files/list/{name}"));
    assert_eq!(prefixes, expected);
    assert_eq!(answer.element("IsTruncated"), "false");
}

#[test]
fn long_listings_are_cut_without_a_sign() {
    let sandbox = sandbox();
    sandbox.tree().generate("common-files/many", 4_600, 3).unwrap();
    let count = |parameters: &[(&str, &str)]| {
        let mut all = vec![("prefix", "common-files/many/"), ("delimiter", "/")];
        all.extend(parameters);
        let answer = list(&sandbox, &all).expect(200);
        assert_eq!(answer.element("IsTruncated"), "false");
        assert!(answer.element("NextContinuationToken").is_empty());
        (answer.elements("Key").len(), answer.element("MaxKeys"))
    };
    assert_eq!(count(&[]), (4_500, "4500".to_owned()));
    assert_eq!(count(&[("max-keys", "0")]), (4_500, "4500".to_owned()));
    assert_eq!(count(&[("max-keys", "7")]), (7, "7".to_owned()));
    assert_eq!(count(&[("max-keys", "1000000")]), (4_600, "1000000".to_owned()));
    list(&sandbox, &[("continuation-token", "x")]).expect(400);
}

#[test]
fn only_whole_folders_are_prefixes() {
    let sandbox = sandbox();
    put("common-files/folder/file", "x").send(&sandbox);
    for prefix in ["common-files/fol", "common-files/folder/file", "common-files/none/", "nowhere/"] {
        let answer = list(&sandbox, &[("prefix", prefix), ("delimiter", "/")]).expect(200);
        assert_eq!(answer.element("KeyCount"), "0", "{prefix}");
    }
}

#[test]
fn keys_can_be_encoded() {
    let sandbox = sandbox();
    put("common-files/e/a b\u{1}+\u{e9}", "x").send(&sandbox).expect(200);
    let plain = list(&sandbox, &[("prefix", "common-files/e/")]);
    assert_eq!(plain.element("Key"), "common-files/e/a b\u{fffd}+\u{e9}");
    let form = list(&sandbox, &[("prefix", "common-files/e/"), ("encoding-type", "url")]);
    assert_eq!(form.element("Key"), "common-files/e/a+b%01%2B%C3%A9");
}

#[test]
fn the_bucket_answers_what_it_has_to() {
    let sandbox = sandbox();
    Ask::to_path("HEAD", "/io/").send(&sandbox).expect(400);
    Ask::to_path("GET", "/io").query("list-type", "2").send(&sandbox).expect(301);
    for unknown in ["versioning", "lifecycle", "encryption", "tagging", "object-lock"] {
        Ask::to_path("GET", "/io/").query(unknown, "").send(&sandbox).expect(501);
    }
    let delete = || Ask::to_path("POST", "/io/").query("delete", "").body("<Delete></Delete>");
    assert_eq!(delete().send(&sandbox).expect(400).element("Code"), "MissingContentMD5");
    delete().header("Content-MD5", "x").send(&sandbox).expect(502);
    get("common-files").send(&sandbox).expect(500);
}

#[test]
fn the_root_lists_the_buckets_for_those_who_sign() {
    let sandbox = sandbox();
    let signed = Ask::to_path("GET", "/").send(&sandbox).expect(200);
    assert_eq!(signed.elements("Name"), ["io", "data"]);
    let unsigned = Ask::to_path("GET", "/").unsigned().send(&sandbox);
    assert_eq!(unsigned.expect(200).header("content-type"), "text/html; charset=utf-8");
}

#[test]
fn archives_of_folders_are_known_and_not_made() {
    let sandbox = sandbox();
    put("common-files/folder/x", "x").send(&sandbox);
    get("common-files/folder.zip").send(&sandbox).expect(501);
    put("common-files/folder.zip", "real").send(&sandbox).expect(200);
    assert_eq!(get("common-files/folder.zip").send(&sandbox).text(), "real");
    get("common-files/none.zip").send(&sandbox).expect(404);
}

//! Single nodes: names, rights, late values, locks, and the direct access that tests have.

use std::time::Duration;

use cells_sandbox::{Config, Sandbox};
use serde_json::{Value, json};

use crate::rest::support::{Answer, Ask, quick, start, wait_for};

fn stat(sandbox: &Sandbox, login: &str, target: &str) -> Answer {
    Ask::get(&format!("/a/tree/stat/{target}")).by(sandbox, login).send(sandbox).unwrap()
}

fn create(sandbox: &Sandbox, login: &str, nodes: &Value) -> Answer {
    let body = json!({"Nodes": nodes});
    Ask::post("/a/tree/create", &body).by(sandbox, login).send(sandbox).unwrap()
}

#[test]
fn strange_names_are_stored_as_they_are() {
    let sandbox = quick();
    let names = [
        " lead",
        "trail ",
        "a+b",
        "q?x",
        "h#x",
        "50%",
        "%41",
        "é",
        "e\u{301}",
        "*",
        "...",
        "..x",
        "tab\there",
        "new\nline",
        "日本",
        "😀",
        "a&b=c;d",
    ];
    for name in names {
        let path = format!("common-files/n/{name}");
        assert_eq!(create(&sandbox, "admin", &json!([{"Path": path}])).status, 200, "{name:?}");
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = stat(&sandbox, "admin", &format!("common-files/n/{encoded}"));
        assert_eq!(answer.json()["Node"]["Path"], json!(path));
    }
    assert_eq!(sandbox.tree().list("common-files/n").len(), names.len());
    assert_eq!(stat(&sandbox, "admin", "common-files/n/a+b").status, 200);
    assert_eq!(stat(&sandbox, "admin", "common-files%2Fn%2F%C3%A9").status, 200);
}

/// The older client sends every field of a node, those without a value as `null`.
#[test]
fn all_fields_of_a_node_are_known_in_requests_and_no_others() {
    let sandbox = quick();
    let node = json!({
        "AppearsIn": null, "Commits": [], "Etag": "", "MTime": "12", "MetaStore": null, "Mode": 0, "Size": "1",
        "Path": "common-files/whole", "Type": "COLLECTION", "Uuid": "",
    });
    assert_eq!(create(&sandbox, "admin", &json!([node])).status, 200);
    let answer = create(&sandbox, "admin", &json!([{"Path": "common-files/other", "Name": "other"}]));
    assert_eq!(answer.status, 500);
    assert!(answer.json()["Detail"].as_str().unwrap().contains("unknown field \"Name\""), "{}", answer.text());
    assert!(!sandbox.tree().exists("common-files/other"));
}

#[test]
fn a_backslash_can_be_written_and_not_found_again() {
    let sandbox = quick();
    assert_eq!(create(&sandbox, "admin", &json!([{"Path": "common-files/b\\s"}])).status, 200);
    assert_eq!(sandbox.tree().list("common-files"), ["b\\s"]);
    assert_eq!(stat(&sandbox, "admin", "common-files/b%5Cs").status, 404);
}

#[test]
fn what_exists_for_whom() {
    let sandbox = quick();
    sandbox.tree().put("a1-priv/secret", "x").unwrap();
    sandbox.tree().put("a1-ro/shown", "x").unwrap();
    sandbox.tree().put("personal-files/mine", "x").unwrap();
    assert_eq!(stat(&sandbox, "admin", "a1-priv/secret").status, 200);
    let hidden = stat(&sandbox, "alice", "a1-priv/secret");
    assert_eq!(hidden.detail(), "Not Found: Workspace a1-priv is not found");
    let read_only = stat(&sandbox, "bob", "a1-ro/shown").json();
    assert_eq!(read_only["Node"]["MetaStore"]["node_readonly"], "\"true\"");
    let writeable = stat(&sandbox, "admin", "a1-ro/shown").json();
    assert!(writeable["Node"]["MetaStore"].get("node_readonly").is_none());
    assert_eq!(stat(&sandbox, "alice", "personal-files/mine").status, 404);
    let root = stat(&sandbox, "alice", "personal-files").json();
    assert_eq!(root["Node"]["MetaStore"]["name"], "\"alice\"");
    assert_eq!(root["Node"]["Path"], "personal-files/");
}

#[test]
fn a_file_that_is_created_again_is_overwritten() {
    let sandbox = quick();
    let tree = sandbox.tree();
    tree.put("common-files/f.txt", "important").unwrap();
    let uuid = tree.uuid("common-files/f.txt");
    let node = json!([{"Path": "common-files/f.txt", "Type": "LEAF"}]);
    assert_eq!(create(&sandbox, "admin", &node).status, 200);
    assert_eq!(tree.read("common-files/f.txt").unwrap(), b" ");
    assert_eq!(tree.uuid("common-files/f.txt"), uuid);
}

#[test]
fn creation_stops_at_the_first_failure() {
    let sandbox = quick();
    sandbox.tree().put("common-files/file", "x").unwrap();
    let nodes = json!([{"Path": "common-files/one"}, {"Path": "common-files/file"}, {"Path": "common-files/two"}]);
    assert_eq!(create(&sandbox, "admin", &nodes).status, 500);
    assert_eq!(sandbox.tree().list("common-files"), ["file", "one"]);
    let below_a_file = json!([{"Path": "common-files/file/sub"}]);
    assert_eq!(create(&sandbox, "admin", &below_a_file).status, 200);
    let twice = json!([{"Path": "common-files/t"}, {"Path": "common-files/t"}]);
    assert_eq!(create(&sandbox, "admin", &twice).json()["Children"].as_array().unwrap().len(), 1);
}

#[test]
fn hash_and_type_arrive_late_and_the_old_ones_show_before() {
    let sandbox = start(Config { hash_delay: Duration::from_millis(150), ..Config::default() });
    let write = |content: &str| {
        let contents = json!(content).to_string();
        let node = json!([{"Path": "common-files/f.txt", "Type": "LEAF", "MetaStore": {"Contents": contents}}]);
        assert_eq!(create(&sandbox, "admin", &node).status, 200);
    };
    let hash = || sandbox.tree().hash("common-files/f.txt");
    write("one");
    assert_eq!(hash(), None);
    let node = stat(&sandbox, "admin", "common-files/f.txt").json();
    assert!(node["Node"]["MetaStore"].get("mime").is_none());
    assert_eq!(node["Node"]["Size"], "3");
    wait_for("the hash", || hash().is_some());
    let first = hash();
    write("two");
    assert_eq!(hash(), first);
    wait_for("the new hash", || hash() != first);
}

#[test]
fn a_lock_holds_for_files_below_it_and_ends() {
    let sandbox = quick();
    sandbox.lock("common-files/busy", Duration::from_millis(300)).unwrap();
    let file = |path: &str| create(&sandbox, "admin", &json!([{"Path": path, "Type": "LEAF"}]));
    let refused = file("common-files/busy/a/b.txt");
    assert_eq!((refused.status, refused.detail().as_str()), (500, "Locked: Node is currently locked"));
    assert_eq!(file("common-files/busy2/b.txt").status, 200);
    let folder = json!([{"Path": "common-files/busy/folder"}]);
    assert_eq!(create(&sandbox, "admin", &folder).status, 200);
    wait_for("the end of the lock", || file("common-files/busy/b.txt").status == 200);
    assert!(sandbox.lock("nowhere/x", Duration::ZERO).is_err());
}

#[test]
fn the_direct_access_of_tests() {
    let sandbox = quick();
    let tree = sandbox.tree();
    tree.put("common-files/a/b.txt", "hello").unwrap();
    assert_eq!(tree.read("common-files/a/b.txt").unwrap(), b"hello");
    assert_eq!(tree.etag("common-files/a/b.txt").unwrap(), "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(tree.hash("common-files/a/b.txt").unwrap().len(), 32);
    assert!(tree.set_hash("common-files/a/b.txt", None) && tree.hash("common-files/a/b.txt").is_none());
    assert!(tree.set_hash("common-files/a/b.txt", "stale"));
    assert_eq!(tree.hash("common-files/a/b.txt").as_deref(), Some("stale"));
    assert!(tree.is_folder("common-files/a") && !tree.is_folder("common-files/a/b.txt"));
    assert!(tree.remove("common-files/a") && !tree.remove("common-files/a"));
    assert!(!tree.remove("common-files"));
    assert!(tree.put("nowhere/x", "x").is_err());
    assert_eq!(tree.read("common-files/nope"), None);
    tree.generate("common-files/many", 1000, 10).unwrap();
    assert_eq!(tree.size("common-files"), Some(10_000));
}

#[test]
fn meta_get_gives_the_bare_node() {
    let sandbox = quick();
    sandbox.tree().mkdir("common-files/a").unwrap();
    let node = Ask::post("/a/meta/get/common-files/a", &json!({})).ok(&sandbox);
    assert_eq!(node["Path"], "common-files/a");
    let missing = Ask::post("/a/meta/get/common-files/b", &json!({})).by(&sandbox, "admin");
    assert_eq!(missing.send(&sandbox).unwrap().status, 404);
}

#[test]
fn a_folder_seems_to_have_an_archive_of_its_name() {
    let sandbox = quick();
    sandbox.tree().put("common-files/a/b", "x").unwrap();
    let virtual_one = stat(&sandbox, "admin", "common-files/a.zip").json();
    let folder = stat(&sandbox, "admin", "common-files/a").json();
    assert_eq!(virtual_one["Node"]["Size"], "-1");
    assert_eq!(virtual_one["Node"]["Etag"], folder["Node"]["Etag"], "it is the folder under another name");
    assert_eq!(stat(&sandbox, "admin", "common-files/nope.zip").status, 404);
    assert_eq!(stat(&sandbox, "admin", "common-files/a/b.zip").status, 404);
    sandbox.tree().put("common-files/a.zip", "real").unwrap();
    assert_eq!(stat(&sandbox, "admin", "common-files/a.zip").json()["Node"]["Size"], "4");
}

#[test]
fn administrators_list_whole_subtrees() {
    let sandbox = quick();
    for path in ["a/.hidden", "a/b/c.txt", "a/b.txt"] {
        sandbox.tree().put(&format!("personal-files/{path}"), "x").unwrap();
    }
    let body = json!({"Node": {"Path": "personal/admin/a"}, "Recursive": true});
    let answer = Ask::post("/a/tree/admin/list", &body).ok(&sandbox);
    let paths: Vec<&str> =
        answer["Children"].as_array().unwrap().iter().map(|node| node["Path"].as_str().unwrap()).collect();
    let expected =
        ["personal/admin/a/.hidden", "personal/admin/a/b", "personal/admin/a/b/c.txt", "personal/admin/a/b.txt"];
    assert_eq!(paths, expected);
}

/// Seen on a real server on 2026-11-26, with lower-case names only.
#[test]
fn what_is_in_a_folder_called_like_an_archive_is_out_of_reach() {
    let sandbox = quick();
    for (folder, status, listed) in
        [("a.zip", 404, 500), ("b.tar", 404, 500), ("c.tar.gz", 404, 500), ("D.ZIP", 200, 200)]
    {
        sandbox.tree().put(&format!("common-files/{folder}/inside"), "x").unwrap();
        assert_eq!(stat(&sandbox, "admin", &format!("common-files/{folder}")).status, 200, "{folder}");
        assert_eq!(stat(&sandbox, "admin", &format!("common-files/{folder}/inside")).status, status, "{folder}");
        let body = json!({"NodePaths": [format!("common-files/{folder}/*")]});
        let answer = Ask::post("/a/meta/bulk/get", &body).by(&sandbox, "admin").send(&sandbox).unwrap();
        assert_eq!(answer.status, listed, "{folder}");
    }
}

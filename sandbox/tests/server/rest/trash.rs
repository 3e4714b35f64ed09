//! The recycle bin.

use cells_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::rest::support::{Answer, Ask, quick, wait_for};

fn delete(sandbox: &Sandbox, login: &str, paths: &[&str], for_good: bool) -> Answer {
    let nodes: Vec<Value> = paths.iter().map(|path| json!({"Path": path})).collect();
    let body = json!({"Nodes": nodes, "RemovePermanently": for_good});
    let ask = Ask::post("/a/tree/delete", &body).by(sandbox, login);
    let answer = ask.send(sandbox).unwrap();
    if answer.status == 200 {
        wait_for("the deletion", || !paths.iter().any(|path| sandbox.tree().exists(path)));
    }
    answer
}

fn restore(sandbox: &Sandbox, path: &str) -> Answer {
    let body = json!({"Nodes": [{"Path": path}]});
    let ask = Ask::post("/a/tree/restore", &body).by(sandbox, "admin");
    let answer = ask.send(sandbox).unwrap();
    if answer.status == 200 {
        wait_for("the restoration", || !sandbox.tree().exists(path));
    }
    answer
}

#[test]
fn a_deleted_file_comes_back_under_its_old_name() {
    let sandbox = quick();
    let tree = sandbox.tree();
    for folder in ["x", "y"] {
        tree.put(&format!("common-files/{folder}/same.txt"), folder).unwrap();
        delete(&sandbox, "admin", &[&format!("common-files/{folder}/same.txt")], false);
    }
    assert_eq!(tree.list("common-files/recycle_bin"), ["same-1.txt", "same.txt"]);
    tree.remove("common-files/y");
    assert_eq!(restore(&sandbox, "common-files/recycle_bin/same-1.txt").status, 200);
    assert_eq!(tree.read("common-files/y/same.txt").unwrap(), b"y");
    tree.put("common-files/x/same.txt", "new").unwrap();
    restore(&sandbox, "common-files/recycle_bin/same.txt");
    assert_eq!(tree.list("common-files/x"), ["same-1.txt", "same.txt"]);
    assert_eq!(tree.read("common-files/x/same.txt").unwrap(), b"new");
}

#[test]
fn what_is_in_the_bin_is_deleted_for_good() {
    let sandbox = quick();
    let tree = sandbox.tree();
    tree.put("common-files/a/b.txt", "x").unwrap();
    let answer = delete(&sandbox, "admin", &["common-files/a"], false).json();
    assert!(answer["DeleteJobs"][0]["Uuid"].as_str().unwrap().starts_with("copy-move-"));
    assert!(tree.exists("common-files/recycle_bin/a/b.txt"));
    let deep = restore(&sandbox, "common-files/recycle_bin/a/b.txt");
    assert_eq!((deep.status, deep.detail().as_str()), (500, "cannot find restore location for selected node"));
    let answer = delete(&sandbox, "admin", &["common-files/recycle_bin/a"], false).json();
    assert!(answer["DeleteJobs"][0]["Uuid"].as_str().unwrap().starts_with("delete-"));
    assert_eq!(tree.size("common-files"), Some(0));
    delete(&sandbox, "admin", &["common-files/recycle_bin"], false);
    assert!(tree.list("common-files").is_empty());
}

#[test]
fn one_job_for_each_bin_and_one_for_good() {
    let sandbox = quick();
    let tree = sandbox.tree();
    for path in ["common-files/a", "common-files/recycle_bin/b", "personal-files/c"] {
        tree.put(path, "x").unwrap();
    }
    let paths = ["common-files/a", "common-files/recycle_bin/b", "personal-files/c"];
    let answer = delete(&sandbox, "admin", &paths, false).json();
    assert_eq!(answer["DeleteJobs"].as_array().unwrap().len(), 3);
    assert!(tree.exists("personal-files/recycle_bin/c"));
}

#[test]
fn a_refusal_deletes_nothing() {
    let sandbox = quick();
    let tree = sandbox.tree();
    tree.put("common-files/a", "x").unwrap();
    tree.put("a1-ro/r", "x").unwrap();
    let both = ["common-files/a", "common-files/nope"];
    assert_eq!(delete(&sandbox, "admin", &both, true).status, 404);
    assert!(tree.exists("common-files/a"));
    assert_eq!(delete(&sandbox, "alice", &["a1-ro/r"], false).status, 403);
    assert_eq!(delete(&sandbox, "alice", &[], false).status, 500);
    assert_eq!(restore(&sandbox, "common-files/recycle_bin/nope").status, 500);
}

#[test]
fn thousands_of_deletions_take_moments() {
    let sandbox = quick();
    let tree = sandbox.tree();
    tree.generate("common-files/many", 5_000, 1).unwrap();
    let paths: Vec<String> = (0..5_000).map(|number| format!("common-files/many/file-{number:07}.bin")).collect();
    let nodes: Vec<Value> = paths.iter().map(|path| json!({"Path": path})).collect();
    Ask::post("/a/tree/delete", &json!({"Nodes": nodes})).ok(&sandbox);
    wait_for("the deletions", || tree.list("common-files/many").is_empty());
    assert_eq!(tree.list("common-files/recycle_bin").len(), 5_000);
}

//! Listings page by page, with and without names that start with a dot.

use std::collections::BTreeSet;
use std::time::Instant;

use cells_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::rest::support::{Ask, quick};

const FOLDER: &str = "common-files/many";

fn list(sandbox: &Sandbox, more: &Value) -> Value {
    let mut body = json!({"NodePaths": [format!("{FOLDER}/*")]});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    Ask::post("/a/meta/bulk/get", &body).ok(sandbox)
}

fn names(answer: &Value) -> Vec<String> {
    let nodes = answer["Nodes"].as_array().cloned().unwrap_or_default();
    let name = |node: &Value| node["Path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    nodes.iter().map(name).collect()
}

/// Reads all pages as a careful client does, and counts the answers.
fn walk(sandbox: &Sandbox, limit: usize) -> (BTreeSet<String>, usize) {
    let (mut found, mut answers, mut offset) = (BTreeSet::new(), 0, 0);
    loop {
        let page = list(sandbox, &json!({"Limit": limit, "Offset": offset}));
        let page_names = names(&page);
        answers += page_names.len();
        found.extend(page_names);
        offset += limit;
        let total = page["Pagination"]["Total"].as_u64().unwrap_or(0);
        if offset as u64 >= total {
            return (found, answers);
        }
    }
}

#[test]
fn pagination_appears_only_when_something_is_left() {
    for count in [99, 100, 101, 200, 1500] {
        let sandbox = quick();
        sandbox.tree().generate(FOLDER, count, 1).unwrap();
        let page = list(&sandbox, &json!({"Limit": 100}));
        assert_eq!(names(&page).len(), count.min(100));
        assert_eq!(page["Pagination"].is_object(), count > 100, "{count}");
        let (found, answers) = walk(&sandbox, 100);
        assert_eq!((found.len(), answers), (count, count));
        let everything = list(&sandbox, &json!({}));
        assert_eq!(names(&everything).len(), count);
        assert!(everything.get("Pagination").is_none());
    }
}

#[test]
fn the_last_page_has_no_next_and_the_first_no_previous() {
    let sandbox = quick();
    sandbox.tree().generate(FOLDER, 250, 1).unwrap();
    let place = |offset: i32| list(&sandbox, &json!({"Limit": 100, "Offset": offset}))["Pagination"].clone();
    assert_eq!(place(0), json!({"Limit": 100, "Total": 250, "CurrentPage": 1, "TotalPages": 3, "NextOffset": 100}));
    assert_eq!(
        place(100),
        json!({"Limit": 100, "CurrentOffset": 100, "Total": 250, "CurrentPage": 2,
               "TotalPages": 3, "NextOffset": 200})
    );
    assert_eq!(
        place(200),
        json!({"Limit": 100, "CurrentOffset": 200, "Total": 250, "CurrentPage": 3,
               "TotalPages": 3, "PrevOffset": 100})
    );
    let past = list(&sandbox, &json!({"Limit": 100, "Offset": 300}));
    assert!(past.get("Nodes").is_none());
    assert_eq!(past["Pagination"]["Total"], 250);
}

#[test]
fn an_offset_works_without_a_limit() {
    let sandbox = quick();
    sandbox.tree().generate(FOLDER, 150, 1).unwrap();
    let rest = list(&sandbox, &json!({"Offset": 149}));
    assert_eq!(names(&rest), ["file-0000149.bin"]);
    assert_eq!(names(&list(&sandbox, &json!({"Limit": -1}))), ["file-0000000.bin"], "below zero is not 'no limit'");
}

#[test]
fn hidden_names_count_and_make_pages_overlap() {
    for visible in [99, 100, 101, 200, 1500] {
        let sandbox = quick();
        let tree = sandbox.tree();
        tree.generate(FOLDER, visible, 1).unwrap();
        for number in 0..7 {
            tree.put(&format!("{FOLDER}/.hidden-{number}"), "x").unwrap();
        }
        let first = list(&sandbox, &json!({"Limit": 100}));
        assert_eq!(first["Pagination"]["Total"], visible + 7, "{visible}");
        // The page lost seven names, so the next whole page was drawn on.
        let expected = visible.min(193);
        assert_eq!(names(&first).len(), expected, "{visible}");
        let drew_on_next = visible + 7 > 100;
        assert_eq!(first["Pagination"]["TotalPages"] == json!(-1), drew_on_next, "{visible}");
        let (found, answers) = walk(&sandbox, 100);
        assert_eq!(found.len(), visible);
        assert_eq!(answers > visible, drew_on_next, "{visible}: {answers}");
        let counts = json!({"NodePaths": [FOLDER]});
        let stat = Ask::post("/a/tree/stats", &counts).ok(&sandbox);
        let count = &stat["Nodes"][0]["MetaStore"]["ChildrenCount"];
        assert_eq!(*count, json!((visible + 7).to_string()));
    }
}

#[test]
fn the_measured_overlap_of_small_pages() {
    let sandbox = quick();
    let tree = sandbox.tree();
    tree.generate(FOLDER, 45, 1).unwrap();
    for number in 0..4 {
        tree.put(&format!("{FOLDER}/.h{number}"), "x").unwrap();
    }
    assert_eq!(names(&list(&sandbox, &json!({"Limit": 10}))).len(), 16);
    assert_eq!(walk(&sandbox, 10), ((0..45).map(|n| format!("file-{n:07}.bin")).collect(), 55));
}

#[test]
fn sorting_and_filters() {
    let sandbox = quick();
    let tree = sandbox.tree();
    tree.put(&format!("{FOLDER}/b"), "1").unwrap();
    tree.put(&format!("{FOLDER}/a"), "22").unwrap();
    tree.mkdir(&format!("{FOLDER}/C")).unwrap();
    tree.set_mtime(&format!("{FOLDER}/a"), 1000);
    tree.set_mtime(&format!("{FOLDER}/b"), 2000);
    let sorted =
        |field: &str, reversed: bool| names(&list(&sandbox, &json!({"SortField": field, "SortDirDesc": reversed})));
    assert_eq!(sorted("", false), ["C", "a", "b"]);
    assert_eq!(sorted("name", true), ["b", "a", "C"]);
    assert_eq!(sorted("size", false), ["C", "b", "a"]);
    assert_eq!(sorted("mtime", true), ["C", "b", "a"]);
    assert_eq!(sorted("bogus", true), ["C", "a", "b"]);
    let folders = list(&sandbox, &json!({"Filters": {"type": "COLLECTION"}}));
    assert_eq!(names(&folders), ["C"]);
    let files = list(&sandbox, &json!({"Filters": {"type": "LEAF"}, "Limit": 1}));
    assert_eq!(files["Pagination"]["Total"], 2);
}

#[test]
fn several_paths_in_one_request() {
    let sandbox = quick();
    sandbox.tree().generate(FOLDER, 3, 1).unwrap();
    let ask = |paths: &[&str]| {
        let body = json!({"NodePaths": paths, "Limit": 2});
        Ask::post("/a/tree/stats", &body).by(&sandbox, "admin").send(&sandbox).unwrap()
    };
    let all = format!("{FOLDER}/*");
    assert_eq!(names(&ask(&[FOLDER, &all]).json()).len(), 3);
    assert_eq!(names(&ask(&[&all, &all]).json()).len(), 4);
    assert_eq!(ask(&[FOLDER, FOLDER]).json()["Nodes"].as_array().unwrap().len(), 2);
    assert_eq!(ask(&[""]).json(), json!({"Nodes": [{}]}));
    assert_eq!(ask(&["common-files/many/file-*"]).json(), json!({}));
    assert_eq!(ask(&[FOLDER, "common-files/nope/*"]).status, 404);
    assert_eq!(ask(&["nope/*"]).detail(), "Not Found: Workspace nope is not found");
    let slashes = format!("/{FOLDER}/");
    assert_eq!(names(&ask(&[&slashes]).json()), ["many"]);
}

#[test]
fn a_huge_folder_is_listed_quickly() {
    let sandbox = quick();
    let started = Instant::now();
    sandbox.tree().generate(FOLDER, 50_000, 1).unwrap();
    let mut found = 0;
    for offset in (0..50_000).step_by(5_000) {
        found += names(&list(&sandbox, &json!({"Limit": 5_000, "Offset": offset}))).len();
    }
    assert_eq!(found, 50_000);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

//! Copies and moves, and what polling says about them.

use std::time::{Duration, Instant};

use cells_sandbox::{Config, Sandbox};
use serde_json::{Value, json};

use crate::rest::support::{Answer, Ask, quick, start, wait_for};

fn put(sandbox: &Sandbox, login: &str, name: &str, parameters: &Value) -> std::io::Result<Answer> {
    let body = json!({"JsonParameters": parameters.to_string()});
    let ask = Ask::new("PUT", &format!("/a/jobs/user/{name}")).json(&body);
    ask.by(sandbox, login).send(sandbox)
}

/// Runs a job to its end and gives its task.
fn run(sandbox: &Sandbox, name: &str, nodes: &[&str], target: &str, into: bool) -> Value {
    let parameters = json!({"nodes": nodes, "target": target, "targetParent": into});
    let answer = put(sandbox, "admin", name, &parameters).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.json()["JobUuid"].as_str().unwrap().to_owned();
    let mut task = Value::Null;
    wait_for("the end of the job", || {
        task = poll(sandbox, &id)["Tasks"][0].clone();
        task["EndTime"].is_number()
    });
    task
}

fn poll(sandbox: &Sandbox, id: &str) -> Value {
    let body = json!({"JobIDs": [id], "LoadTasks": "Any"});
    Ask::post("/a/jobs/user", &body).ok(sandbox)["Jobs"][0].clone()
}

fn files(sandbox: &Sandbox, paths: &[&str]) {
    for path in paths {
        sandbox.tree().put(&format!("common-files/{path}"), *path).unwrap();
    }
}

#[test]
fn a_copy_keeps_the_source_and_a_move_keeps_the_uuid() {
    let sandbox = quick();
    let tree = sandbox.tree();
    files(&sandbox, &["a/x.txt", "a/deep/y.txt"]);
    run(&sandbox, "copy", &["common-files/a"], "common-files/b/c", true);
    assert_eq!(tree.read("common-files/b/c/a/deep/y.txt").unwrap(), b"a/deep/y.txt");
    assert!(tree.exists("common-files/a/x.txt"));
    assert_ne!(tree.uuid("common-files/a"), tree.uuid("common-files/b/c/a"));
    assert_eq!(tree.size("common-files/b"), Some(19));
    let uuid = tree.uuid("common-files/a/x.txt");
    run(&sandbox, "move", &["common-files/a/x.txt"], "personal-files/z.txt", false);
    assert!(!tree.exists("common-files/a/x.txt"));
    assert_eq!(tree.uuid("personal-files/z.txt"), uuid);
    assert_eq!(tree.size("common-files/a"), Some(12));
}

#[test]
fn nothing_is_overwritten() {
    let sandbox = quick();
    let tree = sandbox.tree();
    files(&sandbox, &["a.txt", "CASE.txt", "to/a.txt", "to/case.txt", "c1/x", "to/c1/x", ".rc", "to/.rc"]);
    for name in ["a.txt", "CASE.txt", "c1", ".rc"] {
        let source = format!("common-files/{name}");
        assert_eq!(run(&sandbox, "copy", &[&source], "common-files/to", true)["Status"], "Finished");
    }
    let expected = [".rc", ".rc-1", "CASE-1.txt", "a-1.txt", "a.txt", "c1", "c1-1", "case.txt"];
    assert_eq!(tree.list("common-files/to"), expected);
    assert_eq!(tree.read("common-files/to/a.txt").unwrap(), b"to/a.txt");
    run(&sandbox, "move", &["common-files/a.txt"], "common-files/to/a.txt", false);
    assert!(tree.exists("common-files/to/a-2.txt"));
}

#[test]
fn a_folder_into_itself() {
    let sandbox = quick();
    let tree = sandbox.tree();
    files(&sandbox, &["self/x.txt"]);
    let task = run(&sandbox, "copy", &["common-files/self"], "common-files/self", true);
    assert_eq!(task["Status"], "Finished");
    assert_eq!(tree.list("common-files/self/self"), ["self", "x.txt"]);
    let task = run(&sandbox, "move", &["common-files/self"], "common-files/self/self", true);
    assert_eq!(task["Status"], "Error");
    assert!(tree.exists("common-files/self/x.txt"));
}

#[test]
fn a_file_as_the_folder_swallows_what_goes_there() {
    let sandbox = quick();
    files(&sandbox, &["a.txt", "b.txt"]);
    let task = run(&sandbox, "copy", &["common-files/a.txt"], "common-files/b.txt", true);
    assert_eq!(task["Status"], "Finished");
    let list = json!({"NodePaths": ["common-files/b.txt/*"]});
    assert_eq!(Ask::post("/a/tree/stats", &list).ok(&sandbox), json!({}));
}

#[test]
fn a_whole_workspace_is_moved_without_a_word() {
    let sandbox = quick();
    let tree = sandbox.tree();
    files(&sandbox, &["a.txt"]);
    run(&sandbox, "move", &["common-files"], "personal-files", true);
    assert!(tree.list("common-files").is_empty());
    assert_eq!(tree.list("personal-files/common-files"), ["a.txt"]);
}

#[test]
fn refusals_start_nothing() {
    let sandbox = quick();
    files(&sandbox, &["a.txt"]);
    sandbox.tree().put("a1-ro/r.txt", "x").unwrap();
    let refusal = |login: &str, name: &str, node: &str, target: &str| {
        let parameters = json!({"nodes": ["common-files/a.txt", node], "target": target, "targetParent": true});
        let answer = put(&sandbox, login, name, &parameters).unwrap();
        (answer.status, answer.detail())
    };
    let (status, detail) = refusal("admin", "copy", "common-files/nope", "common-files/t");
    assert_eq!((status, detail.as_str()), (404, "Not Found: Could not retrieve node /nope"));
    let (status, detail) = refusal("admin", "copy", "nope/x", "common-files/t");
    assert_eq!((status, detail.as_str()), (404, "Not Found: Workspace nope is not found"));
    assert_eq!(refusal("alice", "copy", "common-files/a.txt", "a1-ro/t").0, 403);
    assert_eq!(refusal("alice", "move", "a1-ro/r.txt", "common-files/t").0, 403);
    assert_eq!(refusal("alice", "copy", "a1-ro/r.txt", "common-files/ok").0, 200);
    assert!(!sandbox.tree().exists("common-files/t"));
    for parameters in [json!({}), json!({"nodes": []}), json!({"target": "common-files"})] {
        assert!(put(&sandbox, "admin", "copy", &parameters).is_err());
    }
    let empty = json!({"nodes": [], "target": "common-files", "targetParent": true});
    assert_eq!(put(&sandbox, "admin", "copy", &empty).unwrap().status, 200);
}

#[test]
fn the_effect_comes_long_before_the_news() {
    let sandbox = start(Config {
        job_effect_delay: Duration::from_millis(100),
        job_status_delay: Duration::from_secs(3),
        ..Config::default()
    });
    files(&sandbox, &["a.txt"]);
    let started = Instant::now();
    let parameters = json!({"nodes": ["common-files/a.txt"], "target": "common-files/b.txt", "targetParent": false});
    let answer = put(&sandbox, "admin", "copy", &parameters).unwrap().json();
    let id = answer["JobUuid"].as_str().unwrap();
    assert!(!sandbox.tree().exists("common-files/b.txt"));
    assert!(poll(&sandbox, id).get("Tasks").is_none());
    wait_for("the effect", || sandbox.tree().exists("common-files/b.txt"));
    wait_for("a task", || poll(&sandbox, id).get("Tasks").is_some());
    assert_eq!(poll(&sandbox, id)["Tasks"][0]["Status"], "Running");
    wait_for("the news", || poll(&sandbox, id)["Tasks"][0]["Status"] == "Finished");
    assert!(started.elapsed() >= Duration::from_millis(3100));
}

#[test]
fn jobs_are_seen_by_their_owner_and_asked_for_with_a_filter() {
    let sandbox = quick();
    files(&sandbox, &["a.txt"]);
    run(&sandbox, "copy", &["common-files/a.txt"], "common-files/b.txt", false);
    let list = |login: &str, body: &Value| {
        let answer = Ask::post("/a/jobs/user", body).by(&sandbox, login).send(&sandbox).unwrap();
        answer.json()["Jobs"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(list("admin", &json!({})), 1);
    assert_eq!(list("alice", &json!({"Owner": "*"})), 0);
    assert_eq!(list("admin", &json!({"LoadTasks": "Finished"})), 1);
    assert_eq!(list("admin", &json!({"LoadTasks": 7})), 0);
    let bogus = Ask::post("/a/jobs/user", &json!({"LoadTasks": "Bogus"})).by(&sandbox, "admin");
    assert_eq!(bogus.send(&sandbox).unwrap().status, 500);
}

#[test]
fn a_job_is_stopped_before_its_effect() {
    let sandbox = start(Config {
        job_effect_delay: Duration::from_hours(1),
        job_status_delay: Duration::ZERO,
        ..Config::default()
    });
    files(&sandbox, &["a.txt"]);
    let parameters = json!({"nodes": ["common-files/a.txt"], "target": "common-files/b.txt", "targetParent": false});
    let answer = put(&sandbox, "admin", "move", &parameters).unwrap().json();
    let id = answer["JobUuid"].as_str().unwrap();
    let stop = json!({"Cmd": "Stop", "JobId": id, "TaskId": "11111111-2222"});
    assert_eq!(Ask::new("PUT", "/a/jobs/user").json(&stop).ok(&sandbox)["Msg"], "Published");
    wait_for("the error", || poll(&sandbox, id)["Tasks"][0]["Status"] == "Error");
    assert!(sandbox.tree().exists("common-files/a.txt"));
}

#[test]
fn the_jobs_service_never_recovers_from_a_short_task_id() {
    let sandbox = quick();
    let delete = json!({"JobId": "some-job", "TaskID": ["x"]});
    let ask = Ask::post("/a/jobs/tasks/delete", &delete).by(&sandbox, "alice");
    assert_eq!(ask.send(&sandbox).unwrap().status, 503);
    let mut stream = crate::rest::support::connect(&sandbox).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
    Ask::post("/a/jobs/user", &json!({})).by(&sandbox, "admin").write_to(&mut stream, &sandbox).unwrap();
    assert!(std::io::Read::read(&mut stream, &mut [0; 1]).is_err());
    assert_eq!(Ask::get("/a/tree/stat/common-files").ok(&sandbox)["Node"]["Type"], "COLLECTION");
}

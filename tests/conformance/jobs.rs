//! Background jobs: copy, move, and the news of them.

use std::time::Duration;

use cells_client::api::jobs::{JobId, JobStatus};
use cells_client::failure::ServerErrorKind;
use serde_json::{Value, json};

use crate::answers::Reply;
use crate::scenarios;
use crate::server::Server;

scenarios! {
    a_copy_shows_long_before_it_is_said_to_be_finished,
    a_job_is_described,
    a_copy_never_overwrites,
    a_clash_does_not_mind_case,
    a_folder_is_copied_whole_and_never_merged,
    a_move_keeps_the_node_and_a_rename_is_a_move,
    a_missing_target_folder_is_made,
    a_missing_source_starts_nothing,
    an_unknown_job_is_refused_with_two_documents,
    a_missing_parameter_closes_the_connection,
    jobs_of_others_and_unknown_ones_are_not_told,
    tasks_are_controlled_whatever_they_are,
    the_client_runs_and_polls_a_job,
    nobody_moves_what_he_may_only_read,
}

async fn start(server: &Server, name: &str, parameters: &Value) -> Reply {
    server.put(&format!("/a/jobs/user/{name}"), &json!({"JsonParameters": parameters.to_string()})).await
}

/// Starts a copy or move of things of the scenario's folder.
async fn transfer(server: &Server, name: &str, nodes: &[&str], target: &str, into: bool) -> String {
    let nodes: Vec<String> = nodes.iter().map(|node| server.path(node)).collect();
    let target = if target.is_empty() { server.folder.clone() } else { server.path(target) };
    let reply = start(server, name, &json!({"nodes": nodes, "target": target, "targetParent": into})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let job = reply.json()["JobUuid"].as_str().unwrap_or_default().to_owned();
    assert!(job.starts_with("copy-move-"), "{reply:?}");
    job
}

async fn appears(server: &Server, below: &str) {
    let size = |node: &Value| node["Type"] == "COLLECTION" || node["Etag"] != "temporary";
    server
        .until(&format!("{below} is there"), async || {
            let reply = server.stat(&server.path(below)).await;
            reply.status == 200 && size(&reply.json()["Node"])
        })
        .await;
}

async fn poll(server: &Server, id: &str) -> Value {
    let reply = server.post("/a/jobs/user", &json!({"JobIDs": [id], "LoadTasks": "Any"})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["Jobs"][0].clone()
}

async fn a_copy_shows_long_before_it_is_said_to_be_finished(server: &Server) {
    server.write("file", "hello").await;
    server.make(&server.path("to")).await;
    let job = transfer(server, "copy", &["file"], "to", true).await;
    appears(server, "to/file").await;
    assert_ne!(poll(server, &job).await["Tasks"][0]["Status"], "Finished", "not yet");
    server.until("it is finished", async || poll(server, &job).await["Tasks"][0]["Status"] == "Finished").await;
    assert_eq!(server.read("to/file").await, "hello");
    assert_eq!(server.read("file").await, "hello");
}

async fn a_job_is_described(server: &Server) {
    server.write("file", "hello").await;
    let id = transfer(server, "copy", &["file"], "copied", false).await;
    server.until("it is finished", async || poll(server, &id).await["Tasks"][0]["Status"] == "Finished").await;
    let job = poll(server, &id).await;
    assert_eq!(job["ID"], id.as_str());
    assert!(job["Label"].as_str().is_some_and(|label| !label.is_empty()), "{job}");
    for number in ["CreatedAt", "ModifiedAt"] {
        assert!(job[number].is_number(), "{number}: {job}");
    }
    let task = &job["Tasks"][0];
    assert_eq!((&task["JobID"], &task["StatusMessage"]), (&json!(id), &json!("Complete")), "{job}");
    assert!(task["StartTime"].is_number() && task["EndTime"].is_number(), "{job}");
    assert_eq!(job["Owner"], task["TriggerOwner"]);
    let without = server.post("/a/jobs/user", &json!({"JobIDs": [id]})).await.json();
    assert!(without["Jobs"][0]["Tasks"].is_null(), "{without}");
    let running = server.post("/a/jobs/user", &json!({"JobIDs": [id], "LoadTasks": "Running"})).await;
    assert_eq!(running.text(), "{}", "only jobs that have such tasks");
    let bogus = server.post("/a/jobs/user", &json!({"JobIDs": [id], "LoadTasks": "Bogus"})).await;
    assert_eq!(bogus.status, 500, "{bogus:?}");
}

async fn a_copy_never_overwrites(server: &Server) {
    server.write("a.txt", "new").await;
    server.write("to/a.txt", "old").await;
    transfer(server, "copy", &["a.txt"], "to", true).await;
    appears(server, "to/a-1.txt").await;
    transfer(server, "copy", &["a.txt"], "to/a.txt", false).await;
    appears(server, "to/a-2.txt").await;
    transfer(server, "move", &["a.txt"], "to/a.txt", false).await;
    appears(server, "to/a-3.txt").await;
    assert_eq!(server.read("to/a.txt").await, "old");
    assert_eq!(server.read("to/a-1.txt").await, "new");
}

async fn a_clash_does_not_mind_case(server: &Server) {
    server.write("case.txt", "lower").await;
    server.write("to/CASE.txt", "upper").await;
    transfer(server, "copy", &["case.txt"], "to", true).await;
    appears(server, "to/case-1.txt").await;
    assert_eq!(server.names(&server.path("to")).await, ["CASE.txt", "case-1.txt"]);
}

async fn a_folder_is_copied_whole_and_never_merged(server: &Server) {
    server.write("tree/sub/a", "1").await;
    server.write("tree/.hidden", "2").await;
    server.write("to/tree/b", "3").await;
    transfer(server, "copy", &["tree"], "to", true).await;
    appears(server, "to/tree-1/sub/a").await;
    appears(server, "to/tree-1/.hidden").await;
    assert_eq!(server.names(&server.path("to/tree")).await, ["b"]);
    assert_eq!(server.read("to/tree-1/sub/a").await, "1");
}

async fn a_move_keeps_the_node_and_a_rename_is_a_move(server: &Server) {
    server.write("file", "hello").await;
    let before = server.node(&server.path("file")).await;
    transfer(server, "move", &["file"], "renamed", false).await;
    appears(server, "renamed").await;
    let after = server.node(&server.path("renamed")).await;
    for same in ["Uuid", "Etag", "Size", "MTime"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert!(!server.exists(&server.path("file")).await);
    server.write("tree/sub/a", "1").await;
    server.make(&server.path("to")).await;
    transfer(server, "move", &["tree", "renamed"], "to", true).await;
    appears(server, "to/tree/sub/a").await;
    appears(server, "to/renamed").await;
    assert!(!server.exists(&server.path("tree")).await);
    assert_eq!(server.read("to/renamed").await, "hello");
}

async fn a_missing_target_folder_is_made(server: &Server) {
    server.write("file", "x").await;
    transfer(server, "copy", &["file"], "new/folder", true).await;
    appears(server, "new/folder/file").await;
}

async fn a_missing_source_starts_nothing(server: &Server) {
    server.write("file", "x").await;
    server.make(&server.path("to")).await;
    let parameters = |nodes: &[String], target: &str| json!({"nodes": nodes, "target": target, "targetParent": true});
    let (file, to) = (server.path("file"), server.path("to"));
    let reply = start(server, "copy", &parameters(&[file.clone(), server.path("none")], &to)).await;
    reply.says(404, "Not Found: ");
    start(server, "move", &parameters(&["no-such-workspace/x".to_owned()], &to)).await.says(404, "Not Found: ");
    let reply = start(server, "copy", &parameters(std::slice::from_ref(&file), "")).await;
    assert!(reply.status == 500 && reply.text().contains("no.workspace.in.path"), "{reply:?}");
    let none = start(server, "copy", &parameters(&[], &to)).await;
    assert_eq!(none.status, 200, "a job that does nothing: {none:?}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.names(&server.path("to")).await, [""; 0]);
}

async fn an_unknown_job_is_refused_with_two_documents(server: &Server) {
    let reply = start(server, "no-such-job", &json!({})).await;
    assert!(reply.status == 500 && reply.documents().len() == 2, "{reply:?}");
    assert_eq!(reply.documents()[1], json!({}));
}

async fn a_missing_parameter_closes_the_connection(server: &Server) {
    server.write("file", "x").await;
    for parameters in [
        json!({"nodes": [server.path("file")]}).to_string(),
        json!({"target": server.path("to"), "targetParent": true}).to_string(),
        "no JSON".to_owned(),
    ] {
        let body = json!({"JsonParameters": parameters});
        let reply = server.rest_as(&server.token, "PUT", "/a/jobs/user/copy", Some(&body)).await;
        assert!(reply.is_none(), "{parameters}: {reply:?}");
    }
}

async fn jobs_of_others_and_unknown_ones_are_not_told(server: &Server) {
    let reply = server.post("/a/jobs/user", &json!({"JobIDs": ["copy-move-none"], "LoadTasks": "Any"})).await;
    assert_eq!((reply.status, reply.text()), (200, "{}".to_owned()));
    let Some(other) = server.someone_else() else { return };
    server.write("file", "x").await;
    let job = transfer(server, "copy", &["file"], "copied", false).await;
    assert_eq!(poll(server, &job).await["ID"], job.as_str());
    appears(server, "copied").await;
    for owner in [Value::Null, json!("*")] {
        let request = json!({"JobIDs": [job], "LoadTasks": "Any", "Owner": owner});
        let reply = server.rest_as(&other.token, "POST", "/a/jobs/user", Some(&request)).await.expect("an answer");
        assert_eq!((reply.status, reply.text()), (200, "{}".to_owned()), "{owner}");
    }
}

async fn tasks_are_controlled_whatever_they_are(server: &Server) {
    server.write("file", "x").await;
    let job = transfer(server, "copy", &["file"], "copied", false).await;
    server.until("it is finished", async || poll(server, &job).await["Tasks"][0]["Status"] == "Finished").await;
    let task = poll(server, &job).await["Tasks"][0]["ID"].clone();
    let stop = server.put("/a/jobs/user", &json!({"Cmd": "Stop", "JobId": job, "TaskId": task})).await;
    assert_eq!((stop.status, stop.json()), (200, json!({"Msg": "Published"})));
    let deleted = server.put("/a/jobs/user", &json!({"Cmd": "Delete", "JobId": job, "TaskId": task})).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({"Msg": "Deleted 1 tasks"})));
    server.until("the task is gone", async || poll(server, &job).await["Tasks"].is_null()).await;
}

async fn the_client_runs_and_polls_a_job(server: &Server) {
    server.write("file", "hello").await;
    let api = server.api();
    let parameters = json!({"nodes": [server.path("file")], "target": server.path("copied"), "targetParent": false});
    let id = api.run_job("copy", &parameters).await.expect("a job");
    server
        .until("it is finished", async || {
            let job = api.job(&id, &[]).await.expect("an answer");
            job.is_some_and(|job| job.status() == JobStatus::Finished)
        })
        .await;
    assert_eq!(server.read("copied").await, "hello");
    let missing = json!({"nodes": [server.path("none")], "target": server.path("copied"), "targetParent": false});
    assert_eq!(api.run_job("copy", &missing).await.expect_err("missing").kind, ServerErrorKind::NotFound);
    assert!(api.job(&JobId("copy-move-none".to_owned()), &[]).await.expect("an answer").is_none());
}

async fn nobody_moves_what_he_may_only_read(server: &Server) {
    let Some((other, workspace)) = server.someone_else().and_then(|other| Some((other, other.read_only.as_ref()?)))
    else {
        return;
    };
    let source = format!("{workspace}/conformance-{:016x}", rand::random::<u64>());
    server.make(&source).await;
    let parameters = json!({"nodes": [source], "target": format!("{source}-moved"), "targetParent": false});
    let body = json!({"JsonParameters": parameters.to_string()});
    let reply = server.rest_as(&other.token, "PUT", "/a/jobs/user/move", Some(&body)).await.expect("an answer");
    assert!(reply.status == 403 && reply.detail().starts_with("Forbidden: "), "{reply:?}");
    server.erase(&source).await;
}

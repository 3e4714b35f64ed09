//! REST calls that change something, and what is made of odd answers.

use std::time::Duration;

use cells_client::api::jobs::{JobId, JobStatus};
use cells_client::failure::ServerErrorKind;
use cells_sandbox::Fault;

use crate::support::*;

#[tokio::test]
async fn folders_are_made_in_calls_of_a_hundred_and_again_without_harm() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    let paths: Vec<_> = (0..230).map(|number| path(&format!("common-files/new/cafe\u{301}{number}"))).collect();
    for _ in 0..2 {
        sandbox.clear_requests();
        let nodes = clients.api.create_folders(&paths).await.expect("made");
        assert_eq!(nodes.len(), 230);
        assert_eq!(sandbox.requests().len(), 3);
    }
    assert!(sandbox.tree().is_folder("common-files/new/caf\u{e9}0"), "names are sent in NFC");
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_made_smaller() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    let paths: Vec<_> = (0..100).map(|number| path(&format!("common-files/n{number}"))).collect();
    sandbox.faults().add(Fault::on("POST", "/a/tree/create").times(1).status(504).body("text/html", "<html></html>"));
    assert_eq!(clients.api.create_folders(&paths).await.expect("made").len(), 100);
    assert_eq!(sandbox.requests().len(), 5, "one that failed, four of 25");
}

#[tokio::test]
async fn a_folder_below_a_read_only_workspace_is_forbidden() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "alice");
    let workspaces = clients.api.workspaces().await.expect("workspaces");
    let Some(locked) = workspaces.iter().find(|node| node.read_only) else { panic!("{workspaces:?}") };
    let error = clients.api.create_folders(&[locked.path.join("x")]).await.expect_err("read only");
    assert_eq!(error.kind, ServerErrorKind::Forbidden, "{error}");
}

#[tokio::test]
async fn a_deletion_goes_through_its_job() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    sandbox.tree().put("common-files/d/a", "x").expect("a file");
    let jobs = clients.api.delete(&[path("common-files/d")], false).await.expect("started");
    let id = jobs[0].clone();
    let mut status = None;
    for _ in 0..100 {
        status = clients.api.job(&id, &[]).await.expect("asked").map(|job| job.status());
        if status == Some(JobStatus::Finished) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, Some(JobStatus::Finished));
    assert!(clients.api.find(&path("common-files/d")).await.expect("asked").is_none());
    assert!(clients.api.job(&JobId("nothing".to_owned()), &[]).await.expect("asked").is_none());
    let error = clients.api.delete(&[path("common-files/d")], false).await.expect_err("gone");
    assert_eq!(error.kind, ServerErrorKind::NotFound);
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_looked_after_not_repeated() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    sandbox.tree().put("common-files/a", "x").expect("a file");
    sandbox.faults().add(Fault::on("POST", "/a/tree/delete").close_before());
    let error = clients.api.delete(&[path("common-files/a")], true).await.expect_err("still there");
    assert_eq!(error.kind, ServerErrorKind::Transport);
    assert!(sandbox.tree().exists("common-files/a"));
    let sent = sandbox.requests().iter().filter(|request| request.path == "/a/tree/delete").count();
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn reads_are_tried_again_and_the_servers_pause_is_kept() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    sandbox.faults().add(Fault::on("GET", "/a/tree/stat").close_before());
    sandbox.faults().add(Fault::on("GET", "/a/tree/stat").status(503).header("Retry-After", "1"));
    let started = std::time::Instant::now();
    clients.api.stat(&path("common-files")).await.expect("the third try");
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(sandbox.requests().len(), 3);
    sandbox.faults().add(Fault::on("GET", "/a/tree/stat").status(429).always());
    let error = clients.api.stat(&path("common-files")).await.expect_err("too many");
    assert_eq!((error.kind, error.status), (ServerErrorKind::TooMany, Some(429)));
    assert_eq!(sandbox.requests().len(), 6);
}

#[tokio::test]
async fn pages_and_nothing_are_no_answers() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    sandbox.faults().add(Fault::on("*", "/a/").html().times(1));
    assert_eq!(clients.api.stat(&path("common-files")).await.expect_err("a page").kind, ServerErrorKind::NotCells);
    sandbox.faults().add(Fault::on("*", "/a/").empty_ok().times(1));
    let error = clients.api.stat(&path("common-files")).await.expect_err("nothing");
    assert!(error.kind == ServerErrorKind::NotCells && error.message.contains("host name"), "{error}");
}

#[tokio::test]
async fn a_job_without_its_parameters_is_not_sent_again() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    let error = clients.api.run_job("copy", &serde_json::json!({})).await.expect_err("no parameters");
    assert_eq!(error.kind, ServerErrorKind::Transport, "{error:?}");
    assert_eq!(sandbox.requests().len(), 1);
}

#[tokio::test]
async fn who_and_where_are_told() {
    let sandbox = sandbox();
    for (login, admin) in [("admin", true), ("alice", false)] {
        let clients = with_token(&sandbox, login);
        let user = clients.api.user().await.expect("asked").expect("a user");
        assert_eq!((user.login.as_str(), user.admin), (login, admin));
        clients.api.server_info().await.expect("what the server tells");
    }
    let clients = clients_of(sandbox.url(), token("garbage"), &options());
    assert_eq!(clients.api.user().await.expect("asked"), None);
}

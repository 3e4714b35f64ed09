//! Deleting, the recycle bin, and the way back.

use cells_client::failure::ServerErrorKind;
use serde_json::json;

use crate::scenarios;
use crate::server::Server;

scenarios! {
    what_is_deleted_for_good_is_gone,
    what_is_deleted_goes_to_the_recycle_bin_and_comes_back,
    what_meets_its_like_in_the_bin_is_renamed_and_comes_back_under_its_name,
    what_comes_back_to_a_taken_name_is_renamed,
    a_lost_parent_is_made_again,
    what_is_in_the_bin_is_deleted_for_good,
    nothing_is_deleted_where_one_is_missing,
    only_what_was_deleted_can_be_restored,
    nobody_deletes_where_he_may_only_read,
    the_client_deletes,
}

/// A name that nobody else has in the bin.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{:016x}", rand::random::<u64>())
}

fn in_bin(server: &Server, name: &str) -> String {
    format!("{}/recycle_bin/{name}", server.workspace())
}

/// Moves a node to the bin and waits until it is there.
async fn recycle(server: &Server, below: &str, bin_name: &str) {
    let reply = server.delete(&[&server.path(below)], false).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    server.until("it is in the bin", async || server.exists(&in_bin(server, bin_name)).await).await;
    assert!(!server.exists(&server.path(below)).await);
}

async fn restore(server: &Server, bin_name: &str) -> crate::answers::Reply {
    server.post("/a/tree/restore", &json!({"Nodes": [{"Path": in_bin(server, bin_name)}]})).await
}

async fn appears(server: &Server, below: &str) {
    server.until(&format!("{below} is there"), async || server.exists(&server.path(below)).await).await;
}

async fn what_is_deleted_for_good_is_gone(server: &Server) {
    server.write("folder/a", "1").await;
    server.write("b", "2").await;
    let reply = server.delete(&[&server.path("folder"), &server.path("b")], true).await;
    let jobs = reply.json()["DeleteJobs"].as_array().cloned().expect("jobs");
    assert_eq!(jobs.len(), 1, "{reply:?}");
    assert!(jobs[0]["Uuid"].as_str().is_some_and(|id| id.starts_with("delete-")), "{reply:?}");
    assert!(jobs[0]["Label"].as_str().is_some_and(|label| !label.is_empty()), "{reply:?}");
    for name in ["folder", "b", "folder/a"] {
        server.until("it is gone", async || !server.exists(&server.path(name)).await).await;
    }
    assert_eq!(server.names(&server.folder).await, [""; 0]);
}

async fn what_is_deleted_goes_to_the_recycle_bin_and_comes_back(server: &Server) {
    let name = unique("file");
    server.write(&name, "hello").await;
    let before = server.node(&server.path(&name)).await;
    let reply = server.delete(&[&server.path(&name)], false).await;
    let job = reply.json()["DeleteJobs"][0]["Uuid"].as_str().unwrap_or_default().to_owned();
    assert!(job.starts_with("copy-move-"), "{reply:?}");
    server.until("it is in the bin", async || server.exists(&in_bin(server, &name)).await).await;
    let after = server.node(&in_bin(server, &name)).await;
    for same in ["Uuid", "MTime", "Size", "Etag"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    let workspace = server.names(server.workspace()).await;
    assert!(workspace.contains(&"recycle_bin".to_owned()), "an ordinary folder: {workspace:?}");
    let reply = restore(server, &name).await;
    let jobs = reply.json()["RestoreJobs"].as_array().cloned().expect("jobs");
    assert_eq!((jobs.len(), &jobs[0]["NodeUuid"]), (1, &before["Uuid"]), "{reply:?}");
    appears(server, &name).await;
    assert_eq!(server.node(&server.path(&name)).await["Uuid"], before["Uuid"]);
    assert!(!server.exists(&in_bin(server, &name)).await);
    assert_eq!(server.read(&name).await, "hello");
}

async fn what_meets_its_like_in_the_bin_is_renamed_and_comes_back_under_its_name(server: &Server) {
    let name = unique("same");
    server.write(&format!("a/{name}.txt"), "a").await;
    server.write(&format!("b/{name}.txt"), "b").await;
    recycle(server, &format!("a/{name}.txt"), &format!("{name}.txt")).await;
    recycle(server, &format!("b/{name}.txt"), &format!("{name}-1.txt")).await;
    assert_eq!(restore(server, &format!("{name}-1.txt")).await.status, 200);
    appears(server, &format!("b/{name}.txt")).await;
    assert_eq!(restore(server, &format!("{name}.txt")).await.status, 200);
    appears(server, &format!("a/{name}.txt")).await;
    assert_eq!(server.read(&format!("b/{name}.txt")).await, "b");
}

async fn what_comes_back_to_a_taken_name_is_renamed(server: &Server) {
    let name = unique("taken");
    server.write(&format!("{name}.txt"), "old").await;
    recycle(server, &format!("{name}.txt"), &format!("{name}.txt")).await;
    server.write(&format!("{name}.txt"), "new").await;
    assert_eq!(restore(server, &format!("{name}.txt")).await.status, 200);
    appears(server, &format!("{name}-1.txt")).await;
    assert_eq!(server.read(&format!("{name}-1.txt")).await, "old");
    assert_eq!(server.read(&format!("{name}.txt")).await, "new");
}

async fn a_lost_parent_is_made_again(server: &Server) {
    let name = unique("orphan");
    server.write(&format!("parent/{name}"), "x").await;
    recycle(server, &format!("parent/{name}"), &name).await;
    server.erase(&server.path("parent")).await;
    assert_eq!(restore(server, &name).await.status, 200);
    appears(server, &format!("parent/{name}")).await;
}

async fn what_is_in_the_bin_is_deleted_for_good(server: &Server) {
    let name = unique("gone");
    server.write(&name, "x").await;
    recycle(server, &name, &name).await;
    let reply = server.delete(&[&in_bin(server, &name)], false).await;
    let job = reply.json()["DeleteJobs"][0]["Uuid"].as_str().unwrap_or_default().to_owned();
    assert!(job.starts_with("delete-"), "{reply:?}");
    server.until("it is gone", async || !server.exists(&in_bin(server, &name)).await).await;
}

async fn nothing_is_deleted_where_one_is_missing(server: &Server) {
    server.write("there", "x").await;
    let reply = server.delete(&[&server.path("there"), &server.path("missing")], true).await;
    reply.says(404, "Not Found: Could not retrieve node ");
    // As long as a deletion needs to show.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert!(server.exists(&server.path("there")).await);
    server.delete(&["no-such-workspace/x"], true).await.says(404, "Not Found: Workspace ");
    let reply = server.delete(&[], true).await;
    assert!(reply.status == 500 && reply.media() == "application/json", "{reply:?}");
}

async fn only_what_was_deleted_can_be_restored(server: &Server) {
    let name = unique("tree");
    server.write(&format!("{name}/inner"), "x").await;
    let reply = server.post("/a/tree/restore", &json!({"Nodes": [{"Path": server.path(&name)}]})).await;
    assert!(reply.status == 500 && reply.detail().contains("cannot find restore location"), "{reply:?}");
    recycle(server, &name, &name).await;
    let deeper = restore(server, &format!("{name}/inner")).await;
    assert!(deeper.status == 500 && deeper.detail().contains("cannot find restore location"), "{deeper:?}");
    restore(server, &unique("never")).await.says(500, "Not Found: ");
    server.erase(&in_bin(server, &name)).await;
}

async fn nobody_deletes_where_he_may_only_read(server: &Server) {
    let Some((other, workspace)) = server.someone_else().and_then(|other| Some((other, other.read_only.as_ref()?)))
    else {
        return;
    };
    let path = format!("{workspace}/{}", unique("conformance"));
    server.make(&path).await;
    for for_good in [true, false] {
        let request = json!({"Nodes": [{"Path": path}], "RemovePermanently": for_good});
        let reply = server.rest_as(&other.token, "POST", "/a/tree/delete", Some(&request)).await.expect("an answer");
        assert!(reply.status == 403 && reply.detail().starts_with("Forbidden: "), "{reply:?}");
    }
    assert!(server.exists(&path).await);
    server.erase(&path).await;
}

async fn the_client_deletes(server: &Server) {
    server.write("a", "x").await;
    server.write("b", "x").await;
    let api = server.api();
    let only_named = cells_client::path::RemotePath::parse("no-such-workspace").expect("a path");
    let error = api.delete(&[only_named], true).await.expect_err("a workspace");
    assert_eq!(error.kind, ServerErrorKind::BadRequest, "the client does not even ask");
    let error = api.delete(&[server.remote("none")], true).await.expect_err("missing");
    assert_eq!(error.kind, ServerErrorKind::NotFound);
    let jobs = api.delete(&[server.remote("a"), server.remote("b")], true).await.expect("jobs");
    assert_eq!(jobs.len(), 1);
    server.until("they are gone", async || server.names(&server.folder).await.is_empty()).await;
}

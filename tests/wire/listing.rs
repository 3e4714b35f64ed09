//! Listings: pages that overlap, hidden names, both Unicode forms, stars.

use cells_client::api::{Node, NodeKind};
use cells_client::failure::ServerErrorKind;
use cells_sandbox::{Fault, Sandbox};
use futures_util::{StreamExt, TryStreamExt};

use crate::support::*;

async fn names(clients: &Clients, folder: &str) -> Vec<String> {
    let nodes: Vec<Node> = clients.api.children(&path(folder)).try_collect().await.expect("a listing");
    nodes.iter().map(|node| node.name().to_owned()).collect()
}

fn fill(sandbox: &Sandbox, folder: &str, hidden: usize, visible: usize) {
    sandbox.tree().mkdir(folder).expect("a folder");
    for number in 0..hidden {
        sandbox.tree().put(&format!("{folder}/.h{number:04}"), "x").expect("a file");
    }
    for number in 0..visible {
        sandbox.tree().put(&format!("{folder}/f{number:04}"), "x").expect("a file");
    }
}

#[tokio::test]
async fn every_child_is_listed_once_whatever_the_count() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    for (hidden, visible) in [(0, 0), (0, 100), (0, 101), (0, 600), (0, 601), (3, 1100), (700, 900), (601, 0)] {
        let folder = format!("common-files/l{hidden}-{visible}");
        fill(&sandbox, &folder, hidden, visible);
        let wanted: Vec<String> = (0..visible).map(|number| format!("f{number:04}")).collect();
        assert_eq!(names(&clients, &folder).await, wanted, "{folder}");
    }
}

#[tokio::test]
async fn the_gateway_lists_hidden_names_as_well() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    fill(&sandbox, "common-files/d +é", 2, 2);
    sandbox.tree().mkdir("common-files/d +é/sub").expect("a folder");
    let entries: Vec<_> = clients.s3.list(&path("common-files/d +é")).try_collect().await.expect("a listing");
    let mut found: Vec<_> = entries.iter().map(|entry| (entry.path.as_str(), entry.folder)).collect();
    found.sort_unstable();
    let below = |name: &str| format!("common-files/d +é/{name}");
    let wanted = [".h0000", ".h0001", "f0000", "f0001", "sub"].map(below);
    assert_eq!(found.iter().map(|(path, _)| (*path).to_owned()).collect::<Vec<_>>(), wanted);
    assert!(found[4].1 && !found[0].1);
    let roots: Vec<_> = clients.s3.list(&path("")).try_collect().await.expect("a listing");
    assert!(roots.iter().all(|entry| entry.folder) && roots.iter().any(|entry| entry.path.as_str() == "common-files"));
    let none: Vec<_> = clients.s3.list(&path("common-files/nowhere")).try_collect().await.expect("a listing");
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_failing_page_ends_the_listing_with_its_error() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    fill(&sandbox, "common-files/d", 0, 1200);
    sandbox.faults().add(Fault::on("POST", "/a/").skip(1).times(1).status(500));
    assert_eq!(names(&clients, "common-files/d").await.len(), 1200, "a read is tried again");
    sandbox.faults().clear();
    sandbox.faults().add(Fault::on("POST", "/a/").skip(1).status(500).always());
    let items: Vec<_> = clients.api.children(&path("common-files/d")).collect().await;
    assert_eq!(items.len(), 101);
    assert!(items[100].is_err());
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_what_may_not_be_seen_is_forbidden() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    for folder in ["common-files/nowhere", "nowhere"] {
        let error = clients.api.children(&path(folder)).try_collect::<Vec<_>>().await.expect_err(folder);
        assert_eq!(error.kind, ServerErrorKind::NotFound, "{folder}");
        assert!(clients.api.find(&path(folder)).await.expect("asked").is_none());
    }
    assert_eq!(clients.api.stat(&path("")).await.expect_err("the root").kind, ServerErrorKind::BadRequest);
}

#[tokio::test]
async fn workspaces_are_sorted_and_the_root_lists_them() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    let workspaces = clients.api.workspaces().await.expect("workspaces");
    assert!(workspaces.iter().all(|node| node.kind == NodeKind::Workspace));
    assert!(workspaces.is_sorted_by(|one, other| one.path < other.path));
    let listed: Vec<Node> = clients.api.children(&path("")).try_collect().await.expect("a listing");
    assert_eq!(listed.len(), workspaces.len());
}

#[tokio::test]
async fn many_nodes_are_asked_for_in_few_calls_and_a_star_is_a_name() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    fill(&sandbox, "common-files/d", 1, 120);
    sandbox.tree().put("common-files/d/*", "star").expect("a file");
    let mut paths: Vec<_> = (0..120).map(|number| path(&format!("common-files/d/f{number:04}"))).collect();
    paths.insert(3, path("common-files/d/*"));
    paths.insert(7, path("common-files/d/nowhere"));
    paths.push(path("common-files/d/.h0000"));
    paths.push(path("common-files/d"));
    let nodes = clients.api.stat_many(&paths).await.expect("nodes");
    assert_eq!(nodes.len(), 123);
    assert_eq!(nodes[3].name(), "*");
    assert_eq!(nodes[122].children, Some(122));
}

#[tokio::test]
async fn names_are_found_in_whichever_form_they_were_stored() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    sandbox.tree().put("common-files/caf\u{e9}", "x").expect("a file");
    let found = clients.api.find(&path("common-files/cafe\u{301}")).await.expect("asked").expect("found");
    assert_eq!(found.name(), "caf\u{e9}");
}

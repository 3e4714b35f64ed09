//! Single nodes: stat, its errors, and what the index says of a file.

use cells_client::api::NodeKind;
use cells_client::failure::ServerErrorKind;
use serde_json::json;

use crate::answers::{meta, name_of};
use crate::scenarios;
use crate::server::{Server, encoded};

scenarios! {
    a_file_is_described_whole_as_soon_as_it_is_written,
    a_folder_is_described_with_and_without_a_slash,
    an_empty_file_has_no_size,
    the_root_of_a_workspace_ends_with_a_slash,
    what_is_missing_is_named_by_its_place_in_the_storage,
    an_unknown_workspace_and_a_denied_one_look_the_same,
    the_root_of_all_cannot_be_asked_for,
    unclean_paths_are_redirected,
    a_query_and_encoded_slashes_do_not_matter,
    upper_and_lower_case_are_two_names,
    the_hash_comes_late_and_replaces_the_old_one_late,
    a_folder_seems_to_have_an_archive_beside_it,
    meta_of_one_node_has_no_wrapper,
    nodes_of_a_read_only_workspace_say_so,
    the_client_reads_all_kinds_of_nodes,
}

async fn a_file_is_described_whole_as_soon_as_it_is_written(server: &Server) {
    let etag = server.write("sub/file.txt", "hello").await;
    assert_eq!(etag, "5d41402abc4b2a76b9719d911017c592");
    let node = server.node(&server.path("sub/file.txt")).await;
    assert_eq!(node["Path"], server.path("sub/file.txt"));
    assert_eq!(node["Type"], "LEAF");
    assert_eq!(node["Size"], "5", "a 64-bit number is text");
    assert_eq!(node["Etag"], etag.as_str());
    assert_eq!(meta(&node, "name"), Some(json!("file.txt")));
    assert_eq!(node["Uuid"].as_str().map(str::len), Some(36));
    let modified: i64 = node["MTime"].as_str().expect("text").parse().expect("a number");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs() as i64;
    assert!((now - modified).abs() < 120, "{modified}");
    for absent in ["ChildrenCount", "ws_root", "node_readonly"] {
        assert_eq!(meta(&node, absent), None, "{node}");
    }
}

async fn a_folder_is_described_with_and_without_a_slash(server: &Server) {
    server.write("sub/file.txt", "hello").await;
    for path in [server.path("sub"), server.path("sub/")] {
        let node = server.node(&path).await;
        assert_eq!((&node["Path"], &node["Type"]), (&json!(server.path("sub")), &json!("COLLECTION")));
        assert_eq!(meta(&node, "name"), Some(json!("sub")));
        assert_eq!(meta(&node, "ChildrenCount"), None, "{node}");
    }
}

async fn an_empty_file_has_no_size(server: &Server) {
    let etag = server.write("empty", "").await;
    assert_eq!(etag, "59adb24ef3cdbe0297f05b395827453f-1");
    let node = server.node(&server.path("empty")).await;
    assert!(node.get("Size").is_none(), "{node}");
    assert_eq!(node["Etag"], etag.as_str());
    assert_eq!(server.read("empty").await.len(), 0);
}

async fn the_root_of_a_workspace_ends_with_a_slash(server: &Server) {
    for path in [server.workspace().to_owned(), format!("{}/", server.workspace())] {
        let node = server.node(&path).await;
        assert_eq!(node["Path"], format!("{}/", server.workspace()));
        assert_eq!(node["Type"], "COLLECTION");
        assert_eq!(meta(&node, "ws_root"), Some(json!("true")));
    }
}

async fn what_is_missing_is_named_by_its_place_in_the_storage(server: &Server) {
    let reply = server.stat(&server.path("no/such")).await;
    reply.says(404, "Not Found: Could not retrieve node /");
    // Not by the slug of the workspace: a personal one is a folder that is named after its user.
    let below = server.path("no/such")[server.workspace().len()..].to_owned();
    assert!(reply.detail().ends_with(&below) && !reply.detail().contains(server.workspace()), "{reply:?}");
    assert_eq!(format!("Not Found: {}", reply.json()["Title"].as_str().unwrap_or_default()), reply.detail());
}

async fn an_unknown_workspace_and_a_denied_one_look_the_same(server: &Server) {
    server.stat("no-such-workspace/x").await.says(404, "Not Found: Workspace no-such-workspace is not found");
    if let Some((other, denied)) = server.someone_else().and_then(|other| Some((other, other.denied.as_ref()?))) {
        let path = format!("/a/tree/stat/{denied}/x");
        let reply = server.rest_as(&other.token, "GET", &path, None).await.expect("an answer");
        reply.says(404, &format!("Not Found: Workspace {denied} is not found"));
    }
}

async fn the_root_of_all_cannot_be_asked_for(server: &Server) {
    for path in ["/a/tree/stat/", "/a/tree/stat"] {
        server.get(path).await.is_bare(404, "404: Page Not Found");
    }
}

async fn unclean_paths_are_redirected(server: &Server) {
    let clean = format!("/a/tree/stat/{}", encoded(&server.folder));
    for path in [clean.replacen("stat/", "stat//", 1), clean.replacen("/conformance", "//conformance", 1)] {
        let reply = server.get(&path).await;
        assert_eq!((reply.status, reply.header("location")), (301, clean.as_str()), "{reply:?}");
        assert_eq!(reply.media(), "text/html");
    }
}

async fn a_query_and_encoded_slashes_do_not_matter(server: &Server) {
    server.write("a/b c+d.txt", "x").await;
    let plain = format!("/a/tree/stat/{}", encoded(&server.path("a/b c+d.txt")));
    let wanted = server.path("a/b c+d.txt");
    for path in [
        format!("{plain}?x=y"),
        plain.replace("/a/b", "/a%2Fb"),
        plain.replace("%2B", "+"),
        plain.replace("a/b", "%61/%62"),
    ] {
        let reply = server.get(&path).await;
        assert_eq!(reply.json()["Node"]["Path"], wanted, "{path}");
    }
}

async fn upper_and_lower_case_are_two_names(server: &Server) {
    server.write("Case.txt", "upper").await;
    assert!(!server.exists(&server.path("case.txt")).await);
    server.write("case.txt", "lower").await;
    assert_eq!(server.read("Case.txt").await, "upper");
    assert_eq!(server.read("case.txt").await, "lower");
}

async fn the_hash_comes_late_and_replaces_the_old_one_late(server: &Server) {
    let hash = async || {
        let reply = server.bulk(&json!({"NodePaths": [server.path("file")]})).await;
        let node = reply.nodes().into_iter().next().expect("a node");
        meta(&node, "x-cells-hash").map(|hash| hash.as_str().unwrap_or_default().to_owned())
    };
    // MD5 of the MD5 of the one block.
    for (content, wanted) in [("one", "f9b4018028d097c99d5827f9fd8a6557"), ("two", "c8288b8072be5f59c0c143fb416b2634")]
    {
        server.write("file", content).await;
        server.until("the hash is there", async || hash().await.as_deref() == Some(wanted)).await;
    }
    let reply = server.bulk(&json!({"NodePaths": [server.path("file")]})).await;
    let node = &reply.nodes()[0];
    assert_eq!(meta(node, "hashing_version"), Some(json!("v4")));
    assert!(meta(node, "mime").and_then(|mime| Some(mime.as_str()?.starts_with("text/plain"))) == Some(true), "{node}");
}

async fn a_folder_seems_to_have_an_archive_beside_it(server: &Server) {
    server.write("sub/file.txt", "hello").await;
    let folder = server.node(&server.path("sub")).await;
    for ending in ["zip", "tar", "tar.gz"] {
        let node = server.node(&server.path(&format!("sub.{ending}"))).await;
        assert_eq!((&node["Type"], &node["Size"]), (&json!("LEAF"), &json!("-1")), "{node}");
        assert_eq!((&node["Uuid"], &node["Etag"]), (&folder["Uuid"], &folder["Etag"]), "the folder under another name");
        assert_eq!(meta(&node, "name"), Some(json!(format!("sub.{ending}"))));
    }
    let api = server.api();
    assert!(api.find(&server.remote("sub.zip")).await.expect("an answer").is_none(), "the client does not believe it");
    server.stat(&server.path("sub.7z")).await.says(404, "Not Found: ");
}

async fn meta_of_one_node_has_no_wrapper(server: &Server) {
    server.write("file", "x").await;
    let reply = server.post(&format!("/a/meta/get/{}", server.path("file")), &json!({})).await;
    assert_eq!((reply.status, reply.json()["Path"].as_str()), (200, Some(server.path("file").as_str())));
    server.post(&format!("/a/meta/get/{}", server.path("none")), &json!({})).await.says(404, "Not Found: ");
}

async fn nodes_of_a_read_only_workspace_say_so(server: &Server) {
    let Some((other, workspace)) = server.someone_else().and_then(|other| Some((other, other.read_only.as_ref()?)))
    else {
        return;
    };
    let name = format!("conformance-{:016x}", rand::random::<u64>());
    let path = format!("{workspace}/{name}");
    server.make(&path).await;
    let listed = json!({"NodePaths": [format!("{workspace}/*")]});
    let theirs = server.rest_as(&other.token, "POST", "/a/tree/stats", Some(&listed)).await.expect("an answer");
    let ours = server.bulk(&listed).await;
    let own = |nodes: Vec<serde_json::Value>| nodes.into_iter().find(|node| name_of(node) == name).expect("the node");
    let (theirs, ours) = (own(theirs.nodes()), own(ours.nodes()));
    server.erase(&path).await;
    assert_eq!(meta(&theirs, "node_readonly"), Some(json!("true")));
    assert_eq!(meta(&ours, "node_readonly"), None);
}

async fn the_client_reads_all_kinds_of_nodes(server: &Server) {
    server.write("sub/file.txt", "hello").await;
    server.write("sub/empty", "").await;
    let api = server.api();
    let file = api.stat(&server.remote("sub/file.txt")).await.expect("a file");
    assert_eq!((file.kind, file.size, file.name()), (NodeKind::File, 5, "file.txt"));
    assert_eq!(file.etag.as_deref(), Some("5d41402abc4b2a76b9719d911017c592"));
    let empty = api.stat(&server.remote("sub/empty")).await.expect("a file");
    assert_eq!((empty.kind, empty.size), (NodeKind::File, 0));
    let folder = api.stat(&server.remote("sub")).await.expect("a folder");
    assert_eq!(folder.kind, NodeKind::Folder);
    let workspace = cells_client::path::RemotePath::parse(server.workspace()).expect("a path");
    assert_eq!(api.stat(&workspace).await.expect("a workspace").kind, NodeKind::Workspace);
    let missing = api.stat(&server.remote("sub/none")).await.expect_err("missing");
    assert_eq!(missing.kind, ServerErrorKind::NotFound);
    let many = api.stat_many(&[server.remote("sub"), server.remote("none"), server.remote("sub/file.txt")]).await;
    let many = many.expect("nodes");
    assert_eq!(many.iter().map(cells_client::api::Node::name).collect::<Vec<_>>(), ["sub", "file.txt"]);
    assert_eq!(many[0].children, Some(2));
}

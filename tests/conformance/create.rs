//! Making folders and files through REST.

use cells_client::path::RemotePath;
use serde_json::{Value, json};

use crate::answers::name_of;
use crate::scenarios;
use crate::server::Server;

scenarios! {
    folders_are_made_with_their_parents_and_again_without_harm,
    the_root_of_a_workspace_is_given_back,
    a_file_holds_one_space_or_the_text_that_comes_along,
    a_file_is_overwritten_without_a_word,
    files_and_folders_do_not_replace_each_other,
    a_folder_below_a_file_is_let_through,
    the_first_failure_stops_and_what_came_before_stays,
    duplicates_are_made_once,
    an_unknown_workspace_is_said_twice,
    no_nodes_are_an_error,
    names_end_at_255_characters,
    nobody_writes_where_he_may_only_read,
    the_client_makes_folders,
}

async fn create(server: &Server, nodes: Value) -> crate::answers::Reply {
    server.post("/a/tree/create", &json!({"Nodes": nodes, "Recursive": true})).await
}

async fn folders_are_made_with_their_parents_and_again_without_harm(server: &Server) {
    let nodes = json!([
        {"Path": server.path("z/y/x"), "Type": "COLLECTION"},
        {"Path": server.path("a"), "Type": "COLLECTION"},
        {"Path": format!("/{}/", server.path("slashes"))},
    ]);
    let first = create(server, nodes.clone()).await;
    let children = first.json()["Children"].as_array().cloned().expect("children");
    assert_eq!(children.iter().map(name_of).collect::<Vec<_>>(), ["x", "a", "slashes"], "in the order asked for");
    let again = create(server, nodes).await;
    let uuids = |reply: &Value| {
        reply["Children"].as_array().expect("children").iter().map(|node| node["Uuid"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(uuids(&first.json()), uuids(&again.json()));
    assert_eq!(server.node(&server.path("z/y")).await["Type"], "COLLECTION");
    let unasked =
        server.post("/a/tree/create", &json!({"Nodes": [{"Path": server.path("p/q"), "Type": "COLLECTION"}]})).await;
    assert_eq!(unasked.status, 200, "parents are made without being asked for");
}

async fn the_root_of_a_workspace_is_given_back(server: &Server) {
    let reply = create(server, json!([{"Path": server.workspace(), "Type": "COLLECTION"}])).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

async fn a_file_holds_one_space_or_the_text_that_comes_along(server: &Server) {
    let reply = create(server, json!([{"Path": server.path("a/space"), "Type": "LEAF"}])).await;
    assert_eq!(reply.json(), json!({"Children": [{"Path": server.path("a/space"), "Type": "LEAF"}]}));
    assert_eq!(server.read("a/space").await, " ");
    assert_eq!(server.node(&server.path("a/space")).await["Size"], "1");
    let node = json!({"Path": server.path("text"), "Type": "LEAF", "MetaStore": {"Contents": "\"hello\""}});
    assert_eq!(create(server, json!([node])).await.status, 200);
    assert_eq!(server.read("text").await, "hello");
}

async fn a_file_is_overwritten_without_a_word(server: &Server) {
    server.write("file", "what was here").await;
    let before = server.node(&server.path("file")).await;
    assert_eq!(create(server, json!([{"Path": server.path("file"), "Type": "LEAF"}])).await.status, 200);
    let after = server.node(&server.path("file")).await;
    assert_eq!((&after["Uuid"], &after["Size"]), (&before["Uuid"], &json!("1")));
    assert_eq!(server.read("file").await, " ");
}

async fn files_and_folders_do_not_replace_each_other(server: &Server) {
    server.write("file", "x").await;
    server.make(&server.path("folder")).await;
    let reply = create(server, json!([{"Path": server.path("file"), "Type": "COLLECTION"}])).await;
    reply.says(500, "Forbidden: trying to create a folder on top of an existing file");
    let reply = create(server, json!([{"Path": server.path("folder"), "Type": "LEAF"}])).await;
    reply.says(500, "Conflict: A folder already exists with the same name");
}

async fn a_folder_below_a_file_is_let_through(server: &Server) {
    server.write("file", "x").await;
    let reply = create(server, json!([{"Path": server.path("file/sub"), "Type": "COLLECTION"}])).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(server.read("file").await, "x");
}

async fn the_first_failure_stops_and_what_came_before_stays(server: &Server) {
    server.write("file", "x").await;
    let nodes = ["before", "file", "after"].map(|name| json!({"Path": server.path(name), "Type": "COLLECTION"}));
    create(server, json!(nodes)).await.says(500, "Forbidden: ");
    assert!(server.exists(&server.path("before")).await);
    assert!(!server.exists(&server.path("after")).await);
}

async fn duplicates_are_made_once(server: &Server) {
    let node = json!({"Path": server.path("twice"), "Type": "COLLECTION"});
    let reply = create(server, json!([node, node])).await;
    assert_eq!(reply.json()["Children"].as_array().map(Vec::len), Some(1), "{reply:?}");
}

async fn an_unknown_workspace_is_said_twice(server: &Server) {
    let reply = create(server, json!([{"Path": "no-such-workspace/x", "Type": "COLLECTION"}])).await;
    reply.says(500, "Not Found: Workspace no-such-workspace is not found");
    assert_eq!(reply.documents().len(), 2, "{reply:?}");
}

async fn no_nodes_are_an_error(server: &Server) {
    create(server, json!([])).await.says(500, "please provide at least one node to create");
}

async fn names_end_at_255_characters(server: &Server) {
    for name in ["n".repeat(255), "é".repeat(200), "é".repeat(255)] {
        let reply = create(server, json!([{"Path": server.path(&name), "Type": "COLLECTION"}])).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(server.exists(&server.path(&name)).await);
    }
    for kind in ["COLLECTION", "LEAF"] {
        let reply = create(server, json!([{"Path": server.path(&"n".repeat(256)), "Type": kind}])).await;
        assert!(reply.status == 500 && reply.text().contains("Data too long for column 'name'"), "{kind}: {reply:?}");
    }
}

async fn nobody_writes_where_he_may_only_read(server: &Server) {
    let Some((other, workspace)) = server.someone_else().and_then(|other| Some((other, other.read_only.as_ref()?)))
    else {
        return;
    };
    for kind in ["COLLECTION", "LEAF"] {
        let request = json!({"Nodes": [{"Path": format!("{workspace}/conformance"), "Type": kind}]});
        let reply = server.rest_as(&other.token, "POST", "/a/tree/create", Some(&request)).await.expect("an answer");
        reply.says(500, "Forbidden: path is not writeable");
    }
}

async fn the_client_makes_folders(server: &Server) {
    let paths: Vec<RemotePath> = (0..12).map(|number| server.remote(&format!("f{number}/sub"))).collect();
    let made = server.api().create_folders(&paths).await.expect("folders");
    assert_eq!(made.iter().map(|node| node.path.clone()).collect::<Vec<_>>(), paths);
    server.write("file", "x").await;
    let error = server.api().create_folders(&[server.remote("file")]).await.expect_err("a file");
    assert!(
        matches!(
            error.kind,
            cells_client::failure::ServerErrorKind::Conflict | cells_client::failure::ServerErrorKind::Forbidden
        ),
        "{error:?}"
    );
}

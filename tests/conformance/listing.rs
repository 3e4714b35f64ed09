//! Listings and bulk stats: pages, order, and the names that are left out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::answers::{meta, name_of};
use crate::scenarios;
use crate::server::Server;

scenarios! {
    a_bulk_stat_counts_children_and_leaves_out_what_is_missing,
    a_bulk_stat_of_nothing_is_an_empty_object,
    a_path_with_its_children_comes_first,
    children_of_a_file_are_none_and_of_nothing_an_error,
    the_workspaces_are_the_children_of_the_root,
    odd_paths_have_odd_answers,
    names_with_a_dot_are_counted_but_not_listed,
    a_listing_that_fits_says_nothing_of_pages,
    pages_say_where_they_stand,
    pages_overlap_where_names_are_hidden,
    the_order_is_that_of_bytes,
    a_listing_can_be_sorted_and_filtered,
    numbers_may_be_text_and_unknown_fields_are_refused,
    both_listing_calls_are_the_same,
    the_client_lists_each_child_once,
    a_walk_finds_the_hidden_names_too,
}

async fn folders(server: &Server, names: &[&str]) {
    let nodes: Vec<Value> = names.iter().map(|name| json!({"Path": server.path(name), "Type": "COLLECTION"})).collect();
    let reply = server.post("/a/tree/create", &json!({"Nodes": nodes, "Recursive": true})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

async fn page(server: &Server, folder: &str, limit: i32, offset: i32) -> Value {
    let request = json!({"NodePaths": [format!("{}/*", server.path(folder))], "Limit": limit, "Offset": offset});
    let reply = server.bulk(&request).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

fn names(answer: &Value) -> Vec<String> {
    answer["Nodes"].as_array().into_iter().flatten().map(|node| name_of(node).to_owned()).collect()
}

async fn a_bulk_stat_counts_children_and_leaves_out_what_is_missing(server: &Server) {
    folders(server, &["d/one", "d/.two", "empty"]).await;
    server.write("d/file", "hello").await;
    let paths = ["d", "none", "d/file", "d", "empty"].map(|name| server.path(name));
    let reply = server.bulk(&json!({"NodePaths": paths})).await;
    assert_eq!(reply.names(), ["d", "file", "d", "empty"]);
    let nodes = reply.nodes();
    let counts = |node: &Value| {
        ["ChildrenCount", "ChildrenFolders", "ChildrenFiles"].map(|key| meta(node, key).map(|count| count.to_string()))
    };
    assert_eq!(counts(&nodes[0]), [Some("3".into()), Some("2".into()), Some("1".into())], "{}", nodes[0]);
    assert_eq!(counts(&nodes[1]), [None, None, None]);
    assert!(reply.json().get("Pagination").is_none());
}

async fn a_bulk_stat_of_nothing_is_an_empty_object(server: &Server) {
    for paths in [json!([]), json!([server.path("none")]), json!(["no-such-workspace/x"])] {
        let reply = server.bulk(&json!({"NodePaths": paths})).await;
        assert_eq!((reply.status, reply.text()), (200, "{}".to_owned()), "{paths}");
    }
}

async fn a_path_with_its_children_comes_first(server: &Server) {
    folders(server, &["d/a", "d/b", "d/c"]).await;
    let paths = json!([server.path("d"), format!("{}/*", server.path("d"))]);
    let reply = server.bulk(&json!({"NodePaths": paths})).await;
    assert_eq!(reply.names(), ["d", "a", "b", "c"]);
    let reply = server.bulk(&json!({"NodePaths": paths, "Limit": 2})).await;
    assert_eq!(reply.names(), ["d", "a", "b"], "the folder is not counted");
}

async fn children_of_a_file_are_none_and_of_nothing_an_error(server: &Server) {
    server.write("file", "x").await;
    let reply = server.bulk(&json!({"NodePaths": [format!("{}/*", server.path("file"))]})).await;
    assert_eq!((reply.status, reply.text()), (200, "{}".to_owned()));
    let paths = json!([server.path("file"), format!("{}/*", server.path("none"))]);
    server.bulk(&json!({"NodePaths": paths})).await.says(404, "Not Found: ");
    server.bulk(&json!({"NodePaths": ["no-such-workspace/*"]})).await.says(404, "Not Found: Workspace ");
    folders(server, &["empty"]).await;
    let reply = server.bulk(&json!({"NodePaths": [format!("{}/*", server.path("empty"))]})).await;
    assert_eq!((reply.status, reply.text()), (200, "{}".to_owned()));
}

async fn the_workspaces_are_the_children_of_the_root(server: &Server) {
    let reply = server.bulk(&json!({"NodePaths": ["/*"]})).await;
    let nodes = reply.nodes();
    let own = nodes.iter().find(|node| name_of(node) == server.workspace()).expect("the workspace");
    assert_eq!(own["Type"], "COLLECTION");
    assert_eq!(meta(own, "ws_slug"), Some(json!(server.workspace())));
    assert_eq!(meta(own, "ws_scope"), Some(json!("ADMIN")));
    assert_eq!(meta(own, "ws_permissions"), Some(json!("read,write")));
    assert!(meta(own, "ws_label").is_some_and(|label| label.is_string()), "{own}");
    for absent in ["MTime", "Size", "Etag"] {
        assert!(own.get(absent).is_none(), "{absent}: {own}");
    }
    if let Some((other, workspace)) = server.someone_else().and_then(|other| Some((other, other.read_only.as_ref()?))) {
        let reply = server.rest_as(&other.token, "POST", "/a/tree/stats", Some(&json!({"NodePaths": ["/*"]}))).await;
        let nodes = reply.expect("an answer").nodes();
        let theirs = nodes.iter().find(|node| name_of(node) == workspace).expect("the workspace");
        assert_eq!(meta(theirs, "ws_permissions"), Some(json!("read")));
        let denied = other.denied.as_deref().unwrap_or("?");
        assert!(nodes.iter().all(|node| name_of(node) != denied), "{nodes:?}");
    }
}

async fn odd_paths_have_odd_answers(server: &Server) {
    folders(server, &["d/a"]).await;
    let of = async |path: String| server.bulk(&json!({"NodePaths": [path]})).await.text();
    assert_eq!(of("*".into()).await, "{}");
    assert_eq!(of(server.path("d/a*")).await, "{}", "no part of a name is matched");
    for path in ["", "/"] {
        assert_eq!(server.bulk(&json!({"NodePaths": [path]})).await.json(), json!({"Nodes": [{}]}));
    }
    for path in [format!("/{}", server.path("d/*")), format!("{}/", server.path("d/a"))] {
        let reply = server.bulk(&json!({"NodePaths": [path]})).await;
        assert_eq!(reply.names(), ["a"], "{path}");
    }
}

async fn names_with_a_dot_are_counted_but_not_listed(server: &Server) {
    folders(server, &["d/.dots", "d/..x", "d/shown"]).await;
    server.write("d/.hidden", "x").await;
    assert_eq!(server.names(&server.path("d")).await, ["shown"]);
    let paths = [".dots", "..x", ".hidden"].map(|name| server.path(&format!("d/{name}")));
    let reply = server.bulk(&json!({"NodePaths": paths})).await;
    assert_eq!(reply.names(), [".dots", "..x", ".hidden"], "by name they can be asked for");
    assert_eq!(server.node(&server.path("d/.hidden")).await["Size"], "1");
    let reply = server.bulk(&json!({"NodePaths": [server.path("d")]})).await;
    assert_eq!(meta(&reply.nodes()[0], "ChildrenCount").map(|count| count.to_string()), Some("4".to_owned()));
}

async fn a_listing_that_fits_says_nothing_of_pages(server: &Server) {
    folders(server, &["d/a", "d/b", "d/c"]).await;
    for limit in [0, 3, 10] {
        let answer = page(server, "d", limit, 0).await;
        assert_eq!(names(&answer), ["a", "b", "c"], "{limit}");
        assert!(answer.get("Pagination").is_none(), "{limit}: {answer}");
    }
    assert_eq!(names(&page(server, "d", 0, 1).await), ["b", "c"]);
    let negative = page(server, "d", -1, 0).await;
    assert_eq!(names(&negative), ["a"], "a limit below zero is not 'no limit'");
    assert!(negative.get("Pagination").is_none(), "{negative}");
}

async fn pages_say_where_they_stand(server: &Server) {
    let all: Vec<String> = (0..25).map(|number| format!("d/{number:02}")).collect();
    folders(server, &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (offset, count, wanted) in [
        (0, 10, json!({"Limit": 10, "Total": 25, "CurrentPage": 1, "TotalPages": 3, "NextOffset": 10})),
        (
            10,
            10,
            json!({"Limit": 10, "CurrentOffset": 10, "Total": 25, "CurrentPage": 2, "TotalPages": 3, "NextOffset": 20}),
        ),
        (
            20,
            5,
            json!({"Limit": 10, "CurrentOffset": 20, "Total": 25, "CurrentPage": 3, "TotalPages": 3, "PrevOffset": 10}),
        ),
        (
            5,
            10,
            json!({"Limit": 10, "CurrentOffset": 5, "Total": 25, "CurrentPage": 1, "TotalPages": 3, "NextOffset": 15}),
        ),
        (
            40,
            0,
            json!({"Limit": 10, "CurrentOffset": 40, "Total": 25, "CurrentPage": 5, "TotalPages": 3, "PrevOffset": 30}),
        ),
    ] {
        let answer = page(server, "d", 10, offset).await;
        assert_eq!(answer["Pagination"], wanted, "offset {offset}");
        assert_eq!(names(&answer).len(), count, "offset {offset}");
        let from = usize::try_from(offset).expect("a number");
        let expected: Vec<String> = (from..from + count).map(|number| format!("{number:02}")).collect();
        assert_eq!(names(&answer), expected);
    }
}

async fn pages_overlap_where_names_are_hidden(server: &Server) {
    let mut all: Vec<String> = (0..13).map(|number| format!("d/.h{number:02}")).collect();
    all.extend((0..17).map(|number| format!("d/v{number:02}")));
    folders(server, &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let visible: BTreeSet<String> = (0..17).map(|number| format!("v{number:02}")).collect();
    for limit in [5, 10, 13] {
        let (mut seen, mut offset, mut answers, mut marked) = (BTreeSet::new(), 0, 0, false);
        loop {
            let answer = page(server, "d", limit, offset).await;
            let pagination = &answer["Pagination"];
            assert_eq!(pagination["Total"], 30, "{answer}");
            marked |= pagination["TotalPages"] == -1;
            answers += names(&answer).len();
            seen.extend(names(&answer));
            offset += limit;
            if offset >= 30 {
                break;
            }
            assert_eq!(pagination["NextOffset"], offset, "{answer}");
        }
        assert_eq!(seen, visible, "{limit}");
        assert!(answers > visible.len(), "{limit}: some come twice");
        assert!(marked, "{limit}");
    }
    let first = page(server, "d", 10, 0).await;
    assert_eq!(names(&first), (0..17).map(|number| format!("v{number:02}")).collect::<Vec<_>>());
    assert_eq!(names(&page(server, "d", 5, 10).await), ["v00", "v01", "v02", "v03", "v04", "v05", "v06"]);
}

async fn the_order_is_that_of_bytes(server: &Server) {
    folders(server, &["d/b", "d/D10", "d/D2", "d/é", "d/a b", "d/_x", "d/~", "d/Ä"]).await;
    server.write("d/C.txt", "x").await;
    assert_eq!(server.names(&server.path("d")).await, ["C.txt", "D10", "D2", "_x", "a b", "b", "~", "Ä", "é"]);
}

async fn a_listing_can_be_sorted_and_filtered(server: &Server) {
    folders(server, &["d/folder"]).await;
    for (name, size) in [("a", 30), ("b", 10), ("c", 20)] {
        server.write(&format!("d/{name}"), vec![b'x'; size]).await;
    }
    let listed = async |extra: Value| {
        let mut request = json!({"NodePaths": [format!("{}/*", server.path("d"))]});
        request.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        server.bulk(&request).await.names()
    };
    assert_eq!(listed(json!({"SortField": "name", "SortDirDesc": true})).await, ["folder", "c", "b", "a"]);
    assert_eq!(listed(json!({"SortField": "bogus", "SortDirDesc": false})).await, ["a", "b", "c", "folder"]);
    assert_eq!(listed(json!({"Filters": {"type": "COLLECTION"}})).await, ["folder"]);
    assert_eq!(listed(json!({"Filters": {"type": "LEAF"}})).await, ["a", "b", "c"]);
    let by_size = listed(json!({"SortField": "size", "Filters": {"type": "LEAF"}})).await;
    assert_eq!(by_size, ["b", "c", "a"]);
    let counted = json!({"NodePaths": [format!("{}/*", server.path("d"))], "Filters": {"type": "LEAF"}, "Limit": 2});
    assert_eq!(server.bulk(&counted).await.json()["Pagination"]["Total"], 3);
}

async fn numbers_may_be_text_and_unknown_fields_are_refused(server: &Server) {
    folders(server, &["d/a", "d/b"]).await;
    let path = format!("{}/*", server.path("d"));
    let reply = server.bulk(&json!({"NodePaths": [path], "Limit": "1"})).await;
    assert_eq!(reply.names(), ["a"]);
    for wrong in [json!({"Foo": 1}), json!({"nodePaths": []}), json!({"NodePaths": "x"}), json!({"Limit": "x"})] {
        let reply = server.bulk(&wrong).await;
        assert!(reply.status == 500 && reply.media() == "application/json", "{wrong}: {reply:?}");
        assert_eq!(reply.json()["Title"], reply.json()["Detail"]);
        assert!(reply.detail().starts_with("proto:"), "{reply:?}");
    }
    assert!(server.bulk(&json!({"Foo": 1})).await.detail().contains("unknown field \"Foo\""));
}

async fn both_listing_calls_are_the_same(server: &Server) {
    folders(server, &["d/a", "d/b"]).await;
    let request = json!({"NodePaths": [server.path("d"), format!("{}/*", server.path("d"))], "Limit": 1});
    let (one, two) = (server.bulk(&request).await, server.post("/a/meta/bulk/get", &request).await);
    assert_eq!((one.status, one.json()), (two.status, two.json()));
}

async fn the_client_lists_each_child_once(server: &Server) {
    let mut all: Vec<String> = (0..30).map(|number| format!("d/.h{number}")).collect();
    all.extend((0..80).map(|number| format!("d/{number}")));
    folders(server, &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let total = Arc::new(AtomicU64::new(0));
    let children = server.api().counted_children(&server.remote("d"), total.clone());
    let nodes: Vec<_> = children.try_collect().await.expect("children");
    let names: BTreeSet<_> = nodes.iter().map(|node| node.name().to_owned()).collect();
    assert_eq!((names.len(), nodes.len()), (80, 80));
    assert_eq!(total.load(Ordering::Relaxed), 110);
}

async fn a_walk_finds_the_hidden_names_too(server: &Server) {
    folders(server, &["d/.dots/deep", "d/shown"]).await;
    server.write("d/.dots/.x", "1").await;
    server.write("d/y", "22").await;
    let children = cells_client::walk::remote::children(&server.api(), &server.gateway(), &server.remote("d"));
    let mut found: Vec<_> = children.map(|node| node.expect("a node").name().to_owned()).collect().await;
    found.sort();
    assert_eq!(found, [".dots", "shown", "y"]);
    let inside = cells_client::walk::remote::children(&server.api(), &server.gateway(), &server.remote("d/.dots"));
    let mut inside: Vec<_> = inside.map(|node| node.expect("a node").name().to_owned()).collect().await;
    inside.sort();
    assert_eq!(inside, [".x", "deep"]);
}

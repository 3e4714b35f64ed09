//! Names: what is kept as it is, what is changed, what cannot be reached.

use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::scenarios;
use crate::server::Server;

scenarios! {
    odd_names_are_kept_through_the_gateway,
    odd_names_are_kept_through_rest,
    a_decomposed_name_is_composed_by_the_gateway_and_its_content_lost,
    rest_keeps_both_forms_apart,
    accents_case_and_spaces_make_different_names,
    a_backslash_cannot_be_reached,
    a_star_as_a_name_means_the_children_in_bulk,
    control_characters_are_kept,
    parts_of_a_decomposed_name_find_no_upload,
    the_client_finds_either_form,
}

const COMPOSED: &str = "caf\u{e9}";
const DECOMPOSED: &str = "cafe\u{301}";

const ODD: [&str; 32] = [
    "a b",
    " lead",
    "trail ",
    "a+b",
    "a#b",
    "a%b",
    "a%41b",
    "a?b",
    "it's",
    "say \"x\"",
    "a|b",
    "a<b>c",
    "a:b",
    "a;b",
    "a&b",
    "a=b",
    "[x]",
    "{x}",
    "~x",
    "$x",
    "a,b",
    "a@b",
    "!x",
    "^x",
    "`x`",
    "dot.",
    "...",
    "..x",
    "con",
    "\u{1f680} rocket",
    "漢字",
    "שלום",
];

fn own(children: Vec<String>) -> Vec<String> {
    let mut names = children;
    names.sort();
    names
}

/// The odd names that a listing shows, sorted.
fn visible() -> Vec<String> {
    own(ODD.iter().filter(|name| !name.starts_with('.')).map(|name| (*name).to_owned()).collect())
}

async fn odd_names_are_kept_through_the_gateway(server: &Server) {
    for name in ODD {
        let below = format!("d/{name}");
        server.write(&below, name).await;
        assert_eq!(server.read(&below).await, name, "{name}");
        assert_eq!(server.node(&server.path(&below)).await["Path"], server.path(&below));
    }
    assert_eq!(own(server.names(&server.path("d")).await), visible());
    let entries: Vec<_> = server.gateway().list(&server.remote("d")).try_collect().await.expect("entries");
    assert_eq!(
        own(entries.iter().map(|entry| entry.path.name().to_owned()).collect()),
        own(ODD.iter().map(|&name| name.to_owned()).collect())
    );
}

async fn odd_names_are_kept_through_rest(server: &Server) {
    let nodes: Vec<Value> =
        ODD.iter().map(|name| json!({"Path": server.path(&format!("d/{name}")), "Type": "COLLECTION"})).collect();
    let reply = server.post("/a/tree/create", &json!({"Nodes": nodes})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(own(server.names(&server.path("d")).await), visible());
    let paths: Vec<String> = ODD.iter().map(|name| server.path(&format!("d/{name}"))).collect();
    let reply = server.bulk(&json!({"NodePaths": paths})).await;
    assert_eq!(reply.names(), ODD);
    for path in &paths {
        assert_eq!(server.node(path).await["Path"], path.as_str());
    }
}

async fn a_decomposed_name_is_composed_by_the_gateway_and_its_content_lost(server: &Server) {
    server.write(DECOMPOSED, "x").await;
    assert_eq!(server.names(&server.folder).await, [COMPOSED]);
    server.s3("GET", &server.path(DECOMPOSED), "", &[], None).await.refused(404, "NoSuchKey");
    assert!(!server.exists(&server.path(DECOMPOSED)).await);
    let node = server.node(&server.path(COMPOSED)).await;
    assert_eq!((&node["Type"], &node["Size"]), (&json!("COLLECTION"), &json!("1")), "a folder of one byte: {node}");
    server.s3("GET", &server.path(COMPOSED), "", &[], None).await.refused(500, "InternalError");
    server.write(&format!("d/{COMPOSED}"), "x").await;
    assert_eq!(server.read(&format!("d/{COMPOSED}")).await, "x", "sent composed, it is a file");
}

async fn rest_keeps_both_forms_apart(server: &Server) {
    server.make(&server.path(&format!("d/{COMPOSED}"))).await;
    server.make(&server.path(&format!("d/{DECOMPOSED}"))).await;
    assert_eq!(own(server.names(&server.path("d")).await), [DECOMPOSED, COMPOSED]);
    let uuid = async |name: &str| server.node(&server.path(&format!("d/{name}"))).await["Uuid"].clone();
    assert_ne!(uuid(COMPOSED).await, uuid(DECOMPOSED).await);
}

async fn accents_case_and_spaces_make_different_names(server: &Server) {
    let names = ["cafe", COMPOSED, "Cafe", "pad", "pad ", "strasse", "straße", "ANGSTROM", "ÅNGSTROM"];
    for name in names {
        server.write(&format!("d/{name}"), name).await;
    }
    for name in names {
        assert_eq!(server.read(&format!("d/{name}")).await, name);
    }
    assert_eq!(server.names(&server.path("d")).await.len(), names.len());
}

async fn a_backslash_cannot_be_reached(server: &Server) {
    let reply = server.s3("PUT", &server.path("d/back\\slash"), "", &[], Some(b"x")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(server.names(&server.path("d")).await, ["back\\slash"]);
    assert_eq!(server.stat(&server.path("d/back\\slash")).await.status, 404);
    server.s3("GET", &server.path("d/back\\slash"), "", &[], None).await.refused(404, "NoSuchKey");
    let reply = server.bulk(&json!({"NodePaths": [server.path("d/back\\slash")]})).await;
    assert_eq!(reply.text(), "{}");
    assert!(cells_client::path::check_name("back\\slash").is_err(), "the client refuses it");
}

async fn a_star_as_a_name_means_the_children_in_bulk(server: &Server) {
    server.write("d/*", "star").await;
    server.write("d/other", "x").await;
    assert_eq!(server.node(&server.path("d/*")).await["Size"], "4");
    assert_eq!(server.bulk(&json!({"NodePaths": [server.path("d/*")]})).await.names(), ["*", "other"]);
    assert_eq!(server.read("d/*").await, "star");
    let nodes = server.api().stat_many(&[server.remote("d/*"), server.remote("d/other")]).await.expect("nodes");
    assert_eq!(nodes.iter().map(cells_client::api::Node::name).collect::<Vec<_>>(), ["*", "other"]);
}

async fn control_characters_are_kept(server: &Server) {
    for name in ["tab\tbed", "new\nline", "one\u{1}"] {
        server.write(&format!("d/{name}"), "x").await;
        assert!(server.exists(&server.path(&format!("d/{name}"))).await, "{name:?}");
    }
    assert_eq!(own(server.names(&server.path("d")).await), ["new\nline", "one\u{1}", "tab\tbed"]);
}

async fn parts_of_a_decomposed_name_find_no_upload(server: &Server) {
    let reply = server.s3("POST", &server.path(DECOMPOSED), "?uploads=", &[], None).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let id = reply.element("UploadId").expect("an id");
    let query = format!("?partNumber=1&uploadId={id}");
    let part = server.s3("PUT", &server.path(DECOMPOSED), &query, &[], Some(b"x")).await;
    assert!(part.status == 500 && part.text().contains("cannot find initial multipart node"), "{part:?}");
    let abort = server.s3("DELETE", &server.path(COMPOSED), &format!("?uploadId={id}"), &[], None).await;
    assert_eq!(abort.status, 204, "{abort:?}");
}

async fn the_client_finds_either_form(server: &Server) {
    let api = server.api();
    server.make(&server.path(&format!("one/{DECOMPOSED}"))).await;
    server.make(&server.path(&format!("two/{COMPOSED}"))).await;
    for asked in [COMPOSED, DECOMPOSED] {
        let one = api.find(&server.remote(&format!("one/{asked}"))).await.expect("an answer").expect("a node");
        assert_eq!(one.path.as_str(), server.path(&format!("one/{DECOMPOSED}")));
        let two = api.find(&server.remote(&format!("two/{asked}"))).await.expect("an answer").expect("a node");
        assert_eq!(two.path.as_str(), server.path(&format!("two/{COMPOSED}")));
    }
    api.create_folders(&[server.remote(&format!("three/{DECOMPOSED}"))]).await.expect("folders");
    assert_eq!(server.names(&server.path("three")).await, [COMPOSED], "the client composes what it makes");
}

//! User metadata and public links: what the server takes, and what it does not do although it says yes.

use cells_client::api::share::{LinkWish, Permission};
use cells_client::failure::ServerErrorKind;
use serde_json::json;

use crate::scenarios;
use crate::server::{Kind, Server};

scenarios! {
    metadata_is_deleted_by_its_own_uuid_only,
    no_type_is_checked,
    the_client_deletes_metadata_for_real,
    a_link_is_changed_by_sending_all_of_it,
    a_chosen_hash_is_long,
    rights_and_data_sources_are_for_administrators,
}

const TAGS: &str = "usermeta-tags";

async fn uuid(server: &Server, below: &str) -> String {
    server.node(&server.path(below)).await["Uuid"].as_str().expect("a UUID").to_owned()
}

async fn tags(server: &Server, below: &str) -> serde_json::Value {
    server.node(&server.path(below)).await["MetaStore"][TAGS].clone()
}

async fn metadata_is_deleted_by_its_own_uuid_only(server: &Server) {
    server.write("file", "x").await;
    let node = uuid(server, "file").await;
    let meta = json!({"NodeUuid": node, "Namespace": TAGS, "JsonValue": "\"x,y\""});
    let put = server.put("/a/user-meta/update", &json!({"Operation": "PUT", "MetaDatas": [meta]})).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(tags(server, "file").await, "\"x,y\"");
    let without = json!({"Operation": "DELETE", "MetaDatas": [{"NodeUuid": node, "Namespace": TAGS}]});
    let reply = server.put("/a/user-meta/update", &without).await;
    assert_eq!((reply.status, reply.text()), (200, "{}".to_owned()), "it says yes");
    assert_eq!(tags(server, "file").await, "\"x,y\"", "and does nothing");
    let found = server.post("/a/user-meta/search", &json!({"NodeUuids": [node], "Namespace": TAGS})).await.json();
    let own = found["Metadatas"][0]["Uuid"].clone();
    let with = json!({"Operation": "DELETE", "MetaDatas": [{"Uuid": own, "NodeUuid": node, "Namespace": TAGS}]});
    assert_eq!(server.put("/a/user-meta/update", &with).await.status, 200);
    server.until("it is gone", async || tags(server, "file").await.is_null()).await;
}

async fn no_type_is_checked(server: &Server) {
    server.write("file", "x").await;
    let node = uuid(server, "file").await;
    let set = async |value: &str| {
        let meta = json!({"NodeUuid": node, "Namespace": TAGS, "JsonValue": value});
        server.put("/a/user-meta/update", &json!({"Operation": "PUT", "MetaDatas": [meta]})).await
    };
    assert_eq!(set("{\"no\":[\"tags\"]}").await.status, 200);
    let refused = set("no JSON").await;
    assert!(refused.status == 500 && refused.text().contains("make sure to use JSON"), "{refused:?}");
    let unknown = json!({"NodeUuid": node, "Namespace": "usermeta-no-such", "JsonValue": "1"});
    let reply = server.put("/a/user-meta/update", &json!({"Operation": "PUT", "MetaDatas": [unknown]})).await;
    reply.says(404, "Not Found: ");
}

async fn the_client_deletes_metadata_for_real(server: &Server) {
    server.write("file", "x").await;
    let api = server.api();
    let node = api.stat(&server.remote("file")).await.expect("a node");
    api.set_meta(&node, TAGS, &json!("a,b")).await.expect("an answer");
    assert_eq!(tags(server, "file").await, "\"a,b\"");
    assert!(api.delete_meta(&node, TAGS).await.expect("an answer"));
    server.until("it is gone", async || tags(server, "file").await.is_null()).await;
    assert!(!api.delete_meta(&node, TAGS).await.expect("an answer"));
}

fn wish() -> LinkWish {
    LinkWish {
        label: "conformance".to_owned(),
        permissions: [Permission::Preview, Permission::Download].into(),
        max_downloads: Some(3),
        password: true,
        new_password: Some("secret-word".to_owned().into()),
        ..LinkWish::default()
    }
}

async fn a_link_is_changed_by_sending_all_of_it(server: &Server) {
    server.write("file", "x").await;
    let api = server.api();
    let made = api.create_link(&uuid(server, "file").await, &wish()).await.expect("a link");
    assert!(made.url.ends_with(&format!("/public/{}", made.hash)) && made.password, "{made:?}");
    let link = api.link(&made.uuid).await.expect("the link");
    let changed = LinkWish { permissions: [Permission::Preview].into(), ..link.wish() };
    api.update_link(&link, &changed).await.expect("changed, its password kept");
    let link = api.link(&made.uuid).await.expect("the link");
    assert!(link.password && link.max_downloads == Some(3), "{link:?}");
    assert!(link.permissions.iter().eq(&[Permission::Preview]), "{link:?}");
    let open = LinkWish { password: false, max_downloads: None, ..link.wish() };
    api.update_link(&link, &open).await.expect("changed, without a password");
    let link = api.link(&made.uuid).await.expect("the link");
    assert!(!link.password && link.max_downloads.is_none(), "{link:?}");
    assert!(api.links().await.expect("links").iter().any(|one| one.uuid == made.uuid));
    api.delete_link(&made.uuid).await.expect("removed");
    assert_eq!(api.link(&made.uuid).await.expect_err("gone").kind, ServerErrorKind::NotFound);
}

async fn a_chosen_hash_is_long(server: &Server) {
    server.write("file", "x").await;
    let api = server.api();
    let made = api.create_link(&uuid(server, "file").await, &wish()).await.expect("a link");
    let link = api.link(&made.uuid).await.expect("the link");
    let short = LinkWish { hash: Some("short".to_owned()), ..link.wish() };
    let refused = api.update_link(&link, &short).await.expect_err("too short");
    assert!(refused.message.contains("at least 12"), "{refused:?}");
    api.delete_link(&made.uuid).await.expect("removed");
}

async fn rights_and_data_sources_are_for_administrators(server: &Server) {
    let Some(other) = server.someone_else() else { return };
    for (method, path) in [("POST", "/a/acl"), ("GET", "/a/config/datasource")] {
        let body = (method == "POST").then(|| json!({}));
        let reply = server.rest_as(&other.token, method, path, body.as_ref()).await.expect("an answer");
        assert_eq!((reply.status, reply.text().trim_end()), (401, "Unauthorized"), "without a full stop");
    }
    if server.kind == Kind::Sandbox {
        let sources = server.api().data_sources().await.expect("data sources");
        assert_eq!(sources.len(), 5);
    }
}

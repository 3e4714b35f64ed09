//! Listings of the gateway: unlike REST's they hold the hidden names, and have no pages.

use cells_client::path::RemotePath;
use futures_util::TryStreamExt;

use crate::answers::Reply;
use crate::scenarios;
use crate::server::{Server, encoded};

scenarios! {
    a_folder_is_listed_with_its_hidden_names,
    without_a_delimiter_everything_below_is_listed,
    a_prefix_is_a_folder_or_nothing,
    names_are_encoded_on_request,
    the_workspaces_are_the_prefixes_of_the_root,
    the_bucket_must_end_with_a_slash,
    uploads_are_never_listed,
    the_old_form_of_the_list_works_too,
    the_client_lists_a_folder,
}

async fn list(server: &Server, query: &str) -> Reply {
    let path = format!("/io/?list-type=2&{query}");
    let reply = server.s3_at(&server.token, std::time::SystemTime::now(), "GET", &path, &[], None).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply
}

fn prefix(server: &Server, below: &str) -> String {
    encoded(&server.path(below)).replace('/', "%2F")
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// The keys of the files, and the prefixes of the folders but for the one that was asked for.
fn found(server: &Server, reply: &Reply, asked: &str) -> (Vec<String>, Vec<String>) {
    let own = format!("{}/", server.folder);
    let below = |names: Vec<String>| {
        sorted(names.into_iter().map(|name| name.strip_prefix(&own).unwrap_or(&name).to_owned()).collect())
    };
    let folders = reply.elements("CommonPrefixes").into_iter().flat_map(|one| {
        let piece = Reply { status: 200, headers: http::HeaderMap::new(), body: one.into() };
        piece.elements("Prefix")
    });
    let folders = below(folders.collect());
    (below(reply.elements("Key")), folders.into_iter().filter(|name| name != asked).collect())
}

async fn tree(server: &Server) {
    server.write("d/b.txt", "hello").await;
    server.write("d/.hidden", "x").await;
    server.write("d/sub/deeper/c", "x").await;
    server.make(&server.path("d/.dots")).await;
}

async fn a_folder_is_listed_with_its_hidden_names(server: &Server) {
    tree(server).await;
    let reply = list(server, &format!("prefix={}&delimiter=%2F", prefix(server, "d/"))).await;
    let (files, folders) = found(server, &reply, "d/");
    assert_eq!(files, ["d/.hidden", "d/b.txt"]);
    assert_eq!(folders, ["d/.dots/", "d/sub/"]);
    assert_eq!(reply.element("IsTruncated").as_deref(), Some("false"));
    assert!(reply.elements("ETag").contains(&"\"5d41402abc4b2a76b9719d911017c592\"".to_owned()), "{reply:?}");
    assert!(reply.elements("Size").contains(&"5".to_owned()));
    assert_eq!(reply.elements("LastModified").len(), 2);
}

async fn without_a_delimiter_everything_below_is_listed(server: &Server) {
    tree(server).await;
    let reply = list(server, &format!("prefix={}", prefix(server, "d/"))).await;
    let (files, _) = found(server, &reply, "d/");
    assert_eq!(files, ["d/.hidden", "d/b.txt", "d/sub/deeper/c"]);
}

async fn a_prefix_is_a_folder_or_nothing(server: &Server) {
    tree(server).await;
    for below in ["d/b", "none/", "d/b.txt"] {
        let reply = list(server, &format!("prefix={}&delimiter=%2F", prefix(server, below))).await;
        assert_eq!(found(server, &reply, below), (Vec::new(), Vec::new()), "{below}");
    }
    let reply = list(server, "prefix=no-such-workspace%2F&delimiter=%2F").await;
    assert_eq!(reply.elements("Key"), [""; 0]);
}

async fn names_are_encoded_on_request(server: &Server) {
    server.write("d/a b+c&<é>.txt", "x").await;
    let query = format!("prefix={}&delimiter=%2F", prefix(server, "d/"));
    assert_eq!(found(server, &list(server, &query).await, "d/").0, ["d/a b+c&<é>.txt"]);
    let keys = list(server, &format!("{query}&encoding-type=url")).await.elements("Key");
    assert_eq!(keys.len(), 1);
    assert!(keys[0].ends_with("/d/a+b%2Bc%26%3C%C3%A9%3E.txt"), "{keys:?}");
}

async fn the_workspaces_are_the_prefixes_of_the_root(server: &Server) {
    let reply = list(server, "prefix=&delimiter=%2F").await;
    assert!(reply.elements("Prefix").contains(&format!("{}/", server.workspace())), "{reply:?}");
    assert_eq!(reply.elements("Key"), [""; 0]);
}

async fn the_bucket_must_end_with_a_slash(server: &Server) {
    let now = std::time::SystemTime::now();
    let reply = server.s3_at(&server.token, now, "GET", "/io?list-type=2", &[], None).await;
    assert_eq!(reply.status, 301, "{reply:?}");
}

async fn uploads_are_never_listed(server: &Server) {
    let reply = server.s3("POST", &server.path("file"), "?uploads=", &[], None).await;
    let id = reply.element("UploadId").expect("an id");
    let path = format!("/io/?uploads&prefix={}", prefix(server, ""));
    let listed = server.s3_at(&server.token, std::time::SystemTime::now(), "GET", &path, &[], None).await;
    assert_eq!((listed.status, listed.elements("UploadId").len()), (200, 0), "{listed:?}");
    let abort = server.s3("DELETE", &server.path("file"), &format!("?uploadId={id}"), &[], None).await;
    assert_eq!(abort.status, 204);
}

async fn the_old_form_of_the_list_works_too(server: &Server) {
    tree(server).await;
    let path = format!("/io/?prefix={}&delimiter=%2F", prefix(server, "d/"));
    let reply = server.s3_at(&server.token, std::time::SystemTime::now(), "GET", &path, &[], None).await;
    assert_eq!(found(server, &reply, "d/").0, ["d/.hidden", "d/b.txt"]);
}

async fn the_client_lists_a_folder(server: &Server) {
    tree(server).await;
    server.write("d/a b+c&<é>.txt", "x").await;
    let entries: Vec<_> = server.gateway().list(&server.remote("d")).try_collect().await.expect("entries");
    let named =
        |folder| sorted(entries.iter().filter(|it| it.folder == folder).map(|it| it.path.name().to_owned()).collect());
    assert_eq!(named(false), [".hidden", "a b+c&<é>.txt", "b.txt"]);
    assert_eq!(named(true), [".dots", "sub"]);
    let file = entries.iter().find(|entry| entry.path.name() == "b.txt").expect("the file");
    assert_eq!((file.size, file.etag.as_deref()), (5, Some("5d41402abc4b2a76b9719d911017c592")));
    let none: Vec<_> = server.gateway().list(&server.remote("none")).try_collect().await.expect("entries");
    assert!(none.is_empty());
    let roots: Vec<_> = server.gateway().list(&RemotePath::root()).try_collect().await.expect("entries");
    assert!(roots.iter().any(|entry| entry.folder && entry.path.as_str() == server.workspace()), "{roots:?}");
}

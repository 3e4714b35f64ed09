//! Uploads in parts.

use cells_client::failure::ServerErrorKind;
use md5::{Digest, Md5};
use serde_json::json;

use crate::answers::{Reply, meta};
use crate::scenarios;
use crate::server::Server;

scenarios! {
    parts_become_a_file,
    a_pending_upload_shows_as_a_temporary_node,
    a_pending_overwrite_leaves_the_old_content,
    parts_are_never_listed_but_the_upload_is_known,
    parts_may_come_in_any_order_and_again,
    an_aborted_upload_leaves_nothing,
    unknown_uploads_are_told_in_four_ways,
    a_finished_upload_is_gone,
    a_wrong_list_of_parts_is_refused_and_the_upload_lives_on,
    small_parts_are_refused_at_the_end,
    parts_have_their_limits,
    parts_take_no_digest,
    a_file_can_be_written_while_an_upload_is_pending,
    the_hash_of_parts_of_ten_mebibytes_is_the_etag,
    the_client_uploads_in_parts,
}

const MEBIBYTE: usize = 1 << 20;

async fn create(server: &Server, below: &str) -> String {
    let reply = server.s3("POST", &server.path(below), "?uploads=", &[], None).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.element("UploadId").expect("an id")
}

async fn part(server: &Server, below: &str, id: &str, number: &str, content: &[u8]) -> Reply {
    let query = format!("?partNumber={number}&uploadId={id}");
    server.s3("PUT", &server.path(below), &query, &[], Some(content)).await
}

async fn good_part(server: &Server, below: &str, id: &str, number: u32, content: &[u8]) -> String {
    let reply = part(server, below, id, &number.to_string(), content).await;
    assert_eq!((reply.status, reply.etag()), (200, hex(&Md5::digest(content))), "{reply:?}");
    reply.etag()
}

async fn complete(server: &Server, below: &str, id: &str, parts: &[(u32, &str)]) -> Reply {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag></Part>"))
        .collect();
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    complete_with(server, below, id, body.as_bytes()).await
}

async fn complete_with(server: &Server, below: &str, id: &str, body: &[u8]) -> Reply {
    server.s3("POST", &server.path(below), &format!("?uploadId={id}"), &[], Some(body)).await
}

async fn abort(server: &Server, below: &str, id: &str) -> Reply {
    server.s3("DELETE", &server.path(below), &format!("?uploadId={id}"), &[], None).await
}

async fn parts_of(server: &Server, below: &str, id: &str) -> Reply {
    server.s3("GET", &server.path(below), &format!("?uploadId={id}"), &[], None).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn etag_of(parts: &[&[u8]]) -> String {
    let digests: Vec<u8> = parts.iter().flat_map(|part| Md5::digest(part).to_vec()).collect();
    format!("{}-{}", hex(&Md5::digest(&digests)), parts.len())
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

async fn parts_become_a_file(server: &Server) {
    let (one, two) = (content(5 * MEBIBYTE), content(77));
    let id = create(server, "sub/file").await;
    let first = good_part(server, "sub/file", &id, 1, &one).await;
    let second = good_part(server, "sub/file", &id, 2, &two).await;
    let reply = complete(server, "sub/file", &id, &[(1, &first), (2, &second)]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let etag = etag_of(&[&one, &two]);
    assert_eq!(reply.element("ETag"), Some(format!("\"{etag}\"")));
    let node = server.node(&server.path("sub/file")).await;
    assert_eq!((&node["Size"], &node["Etag"]), (&json!((5 * MEBIBYTE + 77).to_string()), &json!(etag)));
    assert!(server.read("sub/file").await == [one, two].concat());
}

async fn a_pending_upload_shows_as_a_temporary_node(server: &Server) {
    let id = create(server, "a/b/file").await;
    let node = server.node(&server.path("a/b/file")).await;
    assert_eq!((&node["Type"], &node["Etag"]), (&json!("LEAF"), &json!("temporary")), "{node}");
    assert!(node.get("Size").is_none(), "{node}");
    assert_eq!(server.names(&server.path("a/b")).await, ["file"]);
    let head = server.s3("HEAD", &server.path("a/b/file"), "", &[], None).await;
    assert_eq!((head.status, head.header("content-length")), (200, "0"), "{head:?}");
    server.s3("GET", &server.path("a/b/file"), "", &[], None).await.refused(404, "NoSuchKey");
    assert_eq!(abort(server, "a/b/file", &id).await.status, 204);

    let headers = [("x-amz-meta-pydio-clear-size", "12345")];
    let reply = server.s3("POST", &server.path("sized"), "?uploads=", &headers, None).await;
    let id = reply.element("UploadId").expect("an id");
    assert_eq!(server.node(&server.path("sized")).await["Size"], "12345");
    let etag = good_part(server, "sized", &id, 1, b"hello").await;
    assert_eq!(complete(server, "sized", &id, &[(1, &etag)]).await.status, 200);
    assert_eq!(server.node(&server.path("sized")).await["Size"], "5", "the true size in the end");
}

async fn a_pending_overwrite_leaves_the_old_content(server: &Server) {
    let before = server.write("file", "old content").await;
    let uuid = server.node(&server.path("file")).await["Uuid"].clone();
    let id = create(server, "file").await;
    let etag = good_part(server, "file", &id, 1, b"new").await;
    assert_eq!(server.node(&server.path("file")).await["Etag"], before.as_str());
    assert_eq!(server.read("file").await, "old content");
    assert_eq!(complete(server, "file", &id, &[(1, &etag)]).await.status, 200);
    let node = server.node(&server.path("file")).await;
    assert_eq!((&node["Uuid"], &node["Size"]), (&uuid, &json!("3")));
    assert_eq!(server.read("file").await, "new");
    let id = create(server, "file").await;
    assert_eq!(abort(server, "file", &id).await.status, 204);
    assert_eq!(server.read("file").await, "new", "an abort takes nothing away");
}

async fn parts_are_never_listed_but_the_upload_is_known(server: &Server) {
    let id = create(server, "file").await;
    good_part(server, "file", &id, 1, b"x").await;
    let reply = parts_of(server, "file", &id).await;
    assert_eq!((reply.status, reply.elements("PartNumber").len()), (200, 0), "{reply:?}");
    assert!(reply.text().contains("<ListPartsResult"), "{reply:?}");
    assert_eq!(abort(server, "file", &id).await.status, 204);
}

async fn parts_may_come_in_any_order_and_again(server: &Server) {
    let (one, other, two) = (content(5 * MEBIBYTE), vec![7; 5 * MEBIBYTE], content(3));
    let id = create(server, "file").await;
    let second = good_part(server, "file", &id, 2, &two).await;
    good_part(server, "file", &id, 1, &other).await;
    let first = good_part(server, "file", &id, 1, &one).await;
    let reply = complete(server, "file", &id, &[(1, &first), (2, &second)]).await;
    assert_eq!(reply.element("ETag"), Some(format!("\"{}\"", etag_of(&[&one, &two]))), "{reply:?}");
    assert!(server.read("file").await == [one, two].concat());
}

async fn an_aborted_upload_leaves_nothing(server: &Server) {
    let id = create(server, "file").await;
    good_part(server, "file", &id, 1, b"x").await;
    let reply = abort(server, "file", &id).await;
    assert_eq!((reply.status, reply.body.len()), (204, 0), "{reply:?}");
    server.until("the node is gone", async || !server.exists(&server.path("file")).await).await;
    let again = abort(server, "file", &id).await;
    assert!(again.status == 500 && again.text().contains("404"), "{again:?}");
    let listed = parts_of(server, "file", &id).await;
    assert!(listed.status == 500 || listed.code() == "NoSuchUpload", "{listed:?}");
    let late = part(server, "file", &id, "2", b"x").await;
    assert!(late.status == 500 && late.text().contains("cannot find initial multipart node"), "{late:?}");
    let late = complete(server, "file", &id, &[(1, "9dd4e461268c8034f5c8564e155c67a6")]).await;
    assert!(late.status >= 400, "{late:?}");
}

async fn unknown_uploads_are_told_in_four_ways(server: &Server) {
    let id = "11111111-2222-3333-4444-555555555555";
    server.write("file", "x").await;
    part(server, "file", id, "1", b"x").await.refused(404, "NoSuchUpload");
    parts_of(server, "file", id).await.refused(404, "NoSuchUpload");
    complete(server, "file", id, &[(1, "9dd4e461268c8034f5c8564e155c67a6")]).await.refused(404, "NoSuchUpload");
    let reply = abort(server, "file", id).await;
    assert_eq!((reply.status, reply.body.len()), (502, 0), "{reply:?}");
    assert_eq!(server.read("file").await, "x");
}

async fn a_finished_upload_is_gone(server: &Server) {
    let id = create(server, "file").await;
    let etag = good_part(server, "file", &id, 1, b"hello").await;
    assert_eq!(complete(server, "file", &id, &[(1, &etag)]).await.status, 200);
    complete(server, "file", &id, &[(1, &etag)]).await.refused(404, "NoSuchUpload");
    parts_of(server, "file", &id).await.refused(404, "NoSuchUpload");
    assert_eq!(server.read("file").await, "hello");
}

async fn a_wrong_list_of_parts_is_refused_and_the_upload_lives_on(server: &Server) {
    let (one, two) = (content(5 * MEBIBYTE), content(3));
    let id = create(server, "file").await;
    let first = good_part(server, "file", &id, 1, &one).await;
    let second = good_part(server, "file", &id, 2, &two).await;
    complete(server, "file", &id, &[(2, &second), (1, &first)]).await.refused(400, "InvalidPartOrder");
    complete(server, "file", &id, &[(1, &first), (3, &second)]).await.refused(400, "InvalidPart");
    complete(server, "file", &id, &[(1, &second)]).await.refused(400, "InvalidPart");
    complete(server, "file", &id, &[]).await.refused(400, "MalformedXML");
    assert_eq!(parts_of(server, "file", &id).await.status, 200);
    assert_eq!(complete(server, "file", &id, &[(1, &first), (2, &second)]).await.status, 200);
    assert!(server.read("file").await == [one, two].concat());
}

async fn small_parts_are_refused_at_the_end(server: &Server) {
    let id = create(server, "file").await;
    let first = good_part(server, "file", &id, 1, b"small").await;
    let second = good_part(server, "file", &id, 2, b"last").await;
    complete(server, "file", &id, &[(1, &first), (2, &second)]).await.refused(400, "EntityTooSmall");
    assert_eq!(abort(server, "file", &id).await.status, 204);
}

async fn parts_have_their_limits(server: &Server) {
    let id = create(server, "file").await;
    for number in ["0", "10001"] {
        part(server, "file", &id, number, b"x").await.refused(400, "InvalidArgument");
    }
    assert_eq!(part(server, "file", &id, "10000", b"x").await.status, 200);
    let empty = part(server, "file", &id, "1", b"").await;
    assert!(empty.status == 500 && empty.text().contains("put.part.empty"), "{empty:?}");
    assert_eq!(abort(server, "file", &id).await.status, 204);
}

async fn parts_take_no_digest(server: &Server) {
    let id = create(server, "file").await;
    let query = format!("?partNumber=1&uploadId={id}");
    let right = [("content-md5", "nd/l0fHm6ZZIn78ng/a7Ow==")];
    let reply = server.s3("PUT", &server.path("file"), &query, &right, Some(b"x")).await;
    assert!(reply.status >= 400, "{reply:?}");
    assert_eq!(abort(server, "file", &id).await.status, 204);
}

async fn a_file_can_be_written_while_an_upload_is_pending(server: &Server) {
    let id = create(server, "file").await;
    server.write("file", "whole").await;
    assert_eq!(server.read("file").await, "whole");
    assert_eq!(abort(server, "file", &id).await.status, 204);
    assert_eq!(server.read("file").await, "whole");
}

async fn the_hash_of_parts_of_ten_mebibytes_is_the_etag(server: &Server) {
    let (one, two) = (content(10 * MEBIBYTE), content(1234));
    let id = create(server, "file").await;
    let first = good_part(server, "file", &id, 1, &one).await;
    let second = good_part(server, "file", &id, 2, &two).await;
    assert_eq!(complete(server, "file", &id, &[(1, &first), (2, &second)]).await.status, 200);
    let etag = etag_of(&[&one, &two]);
    server
        .until("the hash is there", async || {
            let reply = server.bulk(&json!({"NodePaths": [server.path("file")]})).await;
            meta(&reply.nodes()[0], "x-cells-hash") == Some(json!(etag.trim_end_matches("-2")))
        })
        .await;
}

async fn the_client_uploads_in_parts(server: &Server) {
    let gateway = server.gateway();
    let key = server.remote("sub/größe.bin");
    let (one, two) = (content(5 * MEBIBYTE), content(99));
    let id = gateway.create_multipart(&key, Some((one.len() + two.len()) as u64)).await.expect("an id");
    assert!(gateway.multipart_alive(&key, &id).await.expect("an answer"));
    let mut parts = Vec::new();
    for (number, bytes) in [(1, one.clone()), (2, two.clone())] {
        let body = || reqwest::Body::from(bytes.clone());
        parts.push((number, gateway.put_part(&key, &id, number, bytes.len() as u64, &body).await.expect("an ETag")));
    }
    let etag = gateway.complete_multipart(&key, &id, &parts).await.expect("an ETag");
    assert_eq!(etag, etag_of(&[&one, &two]));
    assert!(!gateway.multipart_alive(&key, &id).await.expect("an answer"));
    let error = gateway.complete_multipart(&key, &id, &parts).await.expect_err("gone");
    assert_eq!(error.kind, ServerErrorKind::UploadGone);
    gateway.abort_multipart(&key, &id).await.expect("counts as done");

    let key = server.remote("given up");
    let id = gateway.create_multipart(&key, None).await.expect("an id");
    gateway.abort_multipart(&key, &id).await.expect("aborted");
    gateway.abort_multipart(&key, &id).await.expect("counts as done");
    let body = || reqwest::Body::from("x");
    let error = gateway.put_part(&key, &id, 1, 1, &body).await.expect_err("gone");
    assert_eq!(error.kind, ServerErrorKind::UploadGone, "{error:?}");
    assert!(!gateway.multipart_alive(&key, &id).await.expect("an answer"));
}

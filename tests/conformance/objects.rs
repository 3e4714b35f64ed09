//! Objects of the gateway: written with one request, read whole and in ranges.

use cells_client::failure::ServerErrorKind;
use futures_util::TryStreamExt;
use md5::{Digest, Md5};
use serde_json::json;

use crate::answers::{Reply, meta};
use crate::scenarios;
use crate::server::{Kind, Server, encoded};

scenarios! {
    a_write_is_answered_with_the_digest_of_the_content,
    a_new_version_keeps_the_node,
    parents_are_made_even_when_many_ask_at_once,
    a_file_does_not_replace_a_folder,
    a_slash_at_the_end_is_dropped,
    a_child_of_a_file_is_let_through,
    what_does_not_exist_cannot_be_written_to,
    an_unknown_length_is_refused,
    promises_that_are_not_understood_are_refused_at_once,
    metadata_is_dropped_and_the_type_is_kept,
    unclean_keys_are_redirected,
    too_long_and_broken_names_are_failures_of_the_server,
    headers_say_what_the_content_is,
    ranges_are_cut_out,
    impossible_ranges_are_refused,
    conditions_hold_for_head_alone,
    a_folder_is_no_object,
    a_missing_object_is_not_found,
    an_archive_of_a_folder_is_made_on_the_way,
    a_download_can_ask_for_its_headers,
    a_deletion_always_says_yes,
    what_the_gateway_lacks_is_not_implemented,
    the_client_writes_and_reads,
}

fn md5(content: &[u8]) -> String {
    Md5::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn put(server: &Server, below: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    server.s3("PUT", &server.path(below), "", headers, Some(body)).await
}

async fn get(server: &Server, below: &str, headers: &[(&str, &str)]) -> Reply {
    server.s3("GET", &server.path(below), "", headers, None).await
}

async fn head(server: &Server, below: &str, headers: &[(&str, &str)]) -> Reply {
    server.s3("HEAD", &server.path(below), "", headers, None).await
}

async fn a_write_is_answered_with_the_digest_of_the_content(server: &Server) {
    for size in [1, 100, 70_000, 3_000_001] {
        let content: Vec<u8> = (0..size).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let reply = put(server, "file", &[], &content).await;
        assert_eq!((reply.status, reply.body.len()), (200, 0), "{reply:?}");
        assert_eq!(reply.header("etag"), format!("\"{}\"", md5(&content)));
        assert!(!reply.header("x-amz-request-id").is_empty(), "{reply:?}");
        let node = server.node(&server.path("file")).await;
        assert_eq!((&node["Size"], &node["Etag"]), (&json!(size.to_string()), &json!(md5(&content))));
        assert_eq!(server.read("file").await, content);
    }
}

async fn a_new_version_keeps_the_node(server: &Server) {
    server.write("file", "first").await;
    let before = server.node(&server.path("file")).await;
    server.write("file", "second!").await;
    let after = server.node(&server.path("file")).await;
    assert_eq!((&before["Uuid"], &after["Size"]), (&after["Uuid"], &json!("7")));
    server.write("file", "").await;
    assert!(server.node(&server.path("file")).await.get("Size").is_none());
    assert_eq!(server.read("file").await, "");
}

async fn parents_are_made_even_when_many_ask_at_once(server: &Server) {
    let names: Vec<String> = (0..8).map(|number| format!("a/b/c/{number}")).collect();
    futures_util::future::join_all(names.iter().map(|name| server.write(name, "x"))).await;
    assert_eq!(server.names(&server.path("a/b/c")).await.len(), 8);
    assert_eq!(server.names(&server.folder).await, ["a"], "each parent once");
}

async fn a_file_does_not_replace_a_folder(server: &Server) {
    server.make(&server.path("folder")).await;
    let reply = put(server, "folder", &[], b"x").await;
    reply.refused(500, "InternalError");
    assert!(reply.text().contains("409"), "the cause is inside: {reply:?}");
    assert_eq!(server.node(&server.path("folder")).await["Type"], "COLLECTION");
}

async fn a_slash_at_the_end_is_dropped(server: &Server) {
    let reply = put(server, "file/", &[], b"x").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(server.node(&server.path("file")).await["Type"], "LEAF");
    assert_eq!(get(server, "file/", &[]).await.text(), "x");
}

async fn a_child_of_a_file_is_let_through(server: &Server) {
    server.write("file", "x").await;
    assert_eq!(put(server, "file/child", &[], b"y").await.status, 200);
    assert_eq!(server.node(&server.path("file")).await["Type"], "LEAF");
}

async fn what_does_not_exist_cannot_be_written_to(server: &Server) {
    server.s3("PUT", "no-such-workspace/file", "", &[], Some(b"x")).await.refused(404, "NoSuchKey");
    let path = format!("/no-such-bucket/{}", encoded(&server.path("file")));
    let reply = server.s3_at(&server.token, std::time::SystemTime::now(), "PUT", &path, &[], Some(b"x")).await;
    assert_eq!((reply.status, reply.media(), reply.header("etag")), (200, "text/html", ""), "a page, not a success");
    assert!(put(server, ".pydio", &[], b"x").await.text().contains("Object name cannot be empty"));
}

async fn an_unknown_length_is_refused(server: &Server) {
    let key = server.path("file");
    let url = server.url.at(&format!("/io/{}", encoded(&key))).expect("a URL");
    let method = http::Method::PUT;
    let now = std::time::SystemTime::now();
    let headers =
        cells_client::s3::sign::headers(&method, &url, &http::HeaderMap::new(), &server.token, now).expect("signed");
    let http = &server.sender(crate::server::token("x")).http;
    let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>("hello")]);
    let request = http.request(method, url).headers(headers).body(reqwest::Body::wrap_stream(chunks));
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status().as_u16(), 411);
    assert!(response.text().await.expect("text").contains("MissingContentLength"));
    assert!(!server.exists(&key).await);
}

async fn promises_that_are_not_understood_are_refused_at_once(server: &Server) {
    let text = put(server, "file", &[("content-md5", "nonsense")], b"x").await;
    text.refused(400, "InvalidDigest");
    assert!(!server.exists(&server.path("file")).await);
    let right = put(server, "file", &[("content-md5", "nd/l0fHm6ZZIn78ng/a7Ow==")], b"x").await;
    assert!(right.status == 200 || right.status == 503, "{right:?}");
    put(server, "tagged", &[("x-amz-tagging", "a=b")], b"x").await.refused(501, "NotImplemented");
    let locked =
        [("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z")];
    assert_eq!(put(server, "locked", &locked, b"x").await.status, 400);
    let checksum = put(server, "checked", &[("x-amz-checksum-crc32", "AAAAAA==")], b"x").await;
    assert_eq!(checksum.status, 200, "other checksums are not looked at: {checksum:?}");
}

async fn metadata_is_dropped_and_the_type_is_kept(server: &Server) {
    let headers = [
        ("content-type", "application/x-own"),
        ("cache-control", "no-cache"),
        ("x-amz-meta-mtime", "1000000000"),
        ("x-amz-meta-own", "x"),
    ];
    assert_eq!(put(server, "file", &headers, b"hello").await.status, 200);
    let reply = head(server, "file", &[]).await;
    assert_eq!((reply.header("x-amz-meta-own"), reply.header("cache-control")), ("", ""));
    let node = server.node(&server.path("file")).await;
    assert!(node["MTime"].as_str().and_then(|time| time.parse::<i64>().ok()).is_some_and(|time| time > 1_600_000_000));
    server
        .until("the type is there", async || {
            head(server, "file", &[]).await.header("content-type") == "application/x-own"
        })
        .await;
    assert_eq!(put(server, "sniffed", &[], b"<html><body>x</body></html>").await.status, 200);
    server
        .until("the type is found", async || {
            let reply = server.bulk(&json!({"NodePaths": [server.path("sniffed")]})).await;
            meta(&reply.nodes()[0], "mime")
                .is_some_and(|mime| mime.as_str().is_some_and(|it| it.starts_with("text/html")))
        })
        .await;
}

async fn unclean_keys_are_redirected(server: &Server) {
    let clean = format!("/io/{}", encoded(&server.path("a/b")));
    for path in [clean.replace("/a/b", "//a/b"), clean.replacen("/io/", "/io//", 1)] {
        for method in ["GET", "PUT"] {
            let now = std::time::SystemTime::now();
            let reply = server.s3_at(&server.token, now, method, &path, &[], None).await;
            assert_eq!((reply.status, reply.header("location")), (301, clean.as_str()), "{method} {path}");
        }
    }
}

async fn too_long_and_broken_names_are_failures_of_the_server(server: &Server) {
    let long = put(server, &"n".repeat(256), &[], b"x").await;
    assert!(
        long.status == 500 && long.element("Message").is_some_and(|it| it.contains("Data too long for column 'name'")),
        "{long:?}"
    );
    assert_eq!(put(server, &"n".repeat(255), &[], b"x").await.status, 200);
    assert_eq!(put(server, &"é".repeat(255), &[], b"x").await.status, 200);
    let path = format!("/io/{}/%FF%FE", encoded(&server.folder));
    let broken = server.s3_at(&server.token, std::time::SystemTime::now(), "PUT", &path, &[], Some(b"x")).await;
    assert_eq!(broken.status, 500, "{broken:?}");
}

async fn headers_say_what_the_content_is(server: &Server) {
    let etag = server.write("file.txt", "hello world").await;
    for reply in [get(server, "file.txt", &[]).await, head(server, "file.txt", &[]).await] {
        assert_eq!(reply.status, 200);
        assert_eq!((reply.header("content-length"), reply.header("accept-ranges")), ("11", "bytes"), "{reply:?}");
        assert_eq!(reply.header("etag"), format!("\"{etag}\""));
        assert!(httpdate::parse_http_date(reply.header("last-modified")).is_ok(), "{reply:?}");
        assert!(!reply.header("x-amz-request-id").is_empty());
        for absent in ["x-cells-hash", "content-encoding", "content-disposition"] {
            assert_eq!(reply.header(absent), "", "{absent}");
        }
    }
}

async fn ranges_are_cut_out(server: &Server) {
    server.write("file", "0123456789").await;
    for (range, content, place) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
        ("bytes=-100", "0123456789", "bytes 0-9/10"),
        ("bytes=0-0", "0", "bytes 0-0/10"),
    ] {
        let reply = get(server, "file", &[("range", range)]).await;
        assert_eq!(
            (reply.status, reply.text().as_str(), reply.header("content-range")),
            (206, content, place),
            "{range}"
        );
        let reply = head(server, "file", &[("range", range)]).await;
        assert_eq!((reply.status, reply.header("content-range")), (206, place), "{range}");
    }
    for whole in ["bytes=0-1,4-5", "lines=1-2", "nonsense", "bytes=a-b"] {
        let reply = get(server, "file", &[("range", whole)]).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "0123456789"), "{whole}");
    }
}

async fn impossible_ranges_are_refused(server: &Server) {
    server.write("file", "0123456789").await;
    server.write("empty", "").await;
    for (name, range) in [
        ("file", "bytes=10-"),
        ("file", "bytes=10-12"),
        ("file", "bytes=-0"),
        ("empty", "bytes=0-0"),
        ("empty", "bytes=0-"),
    ] {
        let reply = get(server, name, &[("range", range)]).await;
        reply.refused(416, "InvalidRange");
        assert_eq!(reply.header("content-range"), "", "{range}");
    }
}

async fn conditions_hold_for_head_alone(server: &Server) {
    let etag = format!("\"{}\"", server.write("file", "hello").await);
    let past = ("if-unmodified-since", "Thu, 01 Jan 2015 00:00:00 GMT");
    for (name, value, of_head) in [
        ("if-match", "\"other\"", 412),
        ("if-none-match", etag.as_str(), 304),
        ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT", 304),
        (past.0, past.1, 412),
        ("if-match", etag.as_str(), 200),
    ] {
        let headers = [(name, value)];
        assert_eq!(get(server, "file", &headers).await.status, 200, "{name}");
        let status = head(server, "file", &headers).await.status;
        if name == "if-modified-since" {
            // A date in the future is taken by some and ignored by others.
            assert!(status == of_head || status == 200, "{status}");
        } else {
            assert_eq!(status, of_head, "{name}");
        }
    }
    let reply = put(server, "file", &[("if-none-match", "*")], b"again").await;
    assert_eq!(reply.status, 200, "writes ignore them: {reply:?}");
    let reply = put(server, "file", &[("if-match", "\"other\"")], b"again").await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

async fn a_folder_is_no_object(server: &Server) {
    server.make(&server.path("folder")).await;
    for key in [server.path("folder"), server.path("folder/"), server.workspace().to_owned()] {
        let reply = server.s3("GET", &key, "", &[], None).await;
        assert_eq!(reply.status, 500, "{reply:?}");
        assert!(reply.text().contains("older"), "{reply:?}");
        let reply = server.s3("HEAD", &key, "", &[], None).await;
        assert_eq!((reply.status, reply.body.len()), (500, 0), "{reply:?}");
    }
}

async fn a_missing_object_is_not_found(server: &Server) {
    get(server, "none", &[]).await.refused(404, "NoSuchKey");
    let reply = head(server, "none", &[]).await;
    assert_eq!((reply.status, reply.body.len()), (404, 0));
    server.s3("GET", "no-such-workspace/x", "", &[], None).await.refused(404, "NoSuchKey");
    get(server, "no/such/parent", &[("range", "bytes=0-1")]).await.refused(404, "NoSuchKey");
}

async fn an_archive_of_a_folder_is_made_on_the_way(server: &Server) {
    server.write("folder/file.txt", "hello").await;
    if server.kind == Kind::Sandbox {
        server.left_out("the sandbox knows of the archives and does not make them");
        return;
    }
    for (ending, magic) in [("zip", b"PK".as_slice()), ("tar.gz", &[0x1f, 0x8b])] {
        let reply = get(server, &format!("folder.{ending}"), &[]).await;
        assert_eq!((reply.status, reply.header("content-length")), (200, ""), "{ending}");
        assert!(reply.body.starts_with(magic), "{ending}");
    }
    assert!(get(server, "folder.tar", &[]).await.text().contains("file.txt"));
    assert_eq!(get(server, "folder.zip", &[("range", "bytes=0-1")]).await.status, 500);
    server.write("folder.zip", "a real file").await;
    assert_eq!(server.read("folder.zip").await, "a real file");
}

async fn a_download_can_ask_for_its_headers(server: &Server) {
    server.write("file", "x").await;
    let query = "?response-content-disposition=attachment%3Bfilename%3Dx.txt&response-content-type=text%2Fown";
    let reply = server.s3("GET", &server.path("file"), query, &[], None).await;
    assert_eq!(reply.header("content-disposition"), "attachment;filename=x.txt");
    assert_eq!(reply.header("content-type"), "text/own");
}

async fn a_deletion_always_says_yes(server: &Server) {
    server.write("folder/file", "x").await;
    for key in ["folder/file", "folder/file", "none/at/all"] {
        let reply = server.s3("DELETE", &server.path(key), "", &[], None).await;
        assert_eq!((reply.status, reply.body.len()), (204, 0), "{key}: {reply:?}");
    }
    server.until("it is gone", async || !server.exists(&server.path("folder/file")).await).await;
    assert!(server.exists(&server.path("folder")).await);
}

async fn what_the_gateway_lacks_is_not_implemented(server: &Server) {
    server.write("file", "x").await;
    for query in ["?tagging", "?torrent"] {
        let reply = server.s3("GET", &server.path("file"), query, &[], None).await;
        assert_eq!(reply.status, 501, "{query}: {reply:?}");
    }
    let copy = [("x-amz-copy-source", format!("/io/{}", encoded(&server.path("file"))))];
    let copy = copy.each_ref().map(|(name, value)| (*name, value.as_str()));
    let reply = put(server, "copied", &copy, b"").await;
    assert!(reply.status >= 400, "{reply:?}");
    assert!(!server.exists(&server.path("copied")).await);
}

async fn the_client_writes_and_reads(server: &Server) {
    let gateway = server.gateway();
    let key = server.remote("sub/a b+c%é#?.txt");
    let body = || reqwest::Body::from("0123456789");
    assert_eq!(gateway.put(&key, 10, &body).await.expect("an ETag"), md5(b"0123456789"));
    let info = gateway.head(&key).await.expect("headers");
    assert_eq!((info.length, info.etag), (10, md5(b"0123456789")));
    let read = async |range| {
        let download = gateway.get(&key, range).await.expect("a download");
        let pieces: Vec<bytes::Bytes> = download.body.try_collect().await.expect("content");
        (pieces.concat(), download.info.total)
    };
    assert_eq!(read(None).await.0, b"0123456789");
    assert_eq!(read(Some(3..6)).await, (b"345".to_vec(), Some(10)));
    let Err(error) = gateway.get(&key, Some(10..12)).await else { panic!("a range beyond the end") };
    assert_eq!(error.kind, ServerErrorKind::Range);
    let Err(error) = gateway.get(&server.remote("none"), None).await else { panic!("nothing there") };
    assert_eq!(error.kind, ServerErrorKind::NotFound);
    server.make(&server.path("folder")).await;
    let error = gateway.put(&server.remote("folder"), 10, &body).await.expect_err("a folder");
    assert_eq!(error.kind, ServerErrorKind::Conflict, "{error:?}");
    let error = gateway.put(&server.remote(&"n".repeat(256)), 10, &body).await.expect_err("too long");
    assert!(matches!(error.kind, ServerErrorKind::BadRequest | ServerErrorKind::Server), "{error:?}");
}

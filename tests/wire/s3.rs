//! The gateway: writes, reads, parts, clocks, and answers that never come.

use std::time::Duration;

use cec::error::CliError;
use cells_client::failure::ServerErrorKind;
use cells_client::http::retry::{Advice, Retryable};
use cells_sandbox::{Config, Fault};
use futures_util::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;

#[tokio::test]
async fn what_is_written_is_read_back() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    for name in ["plain", "a b+c%d#e?f&g;h'i\"j", "caf\u{e9} \u{1f600}", "tab\tline\n", " edge ", "~.-_*"] {
        let key = format!("common-files/deep/er/{name}");
        let etag = clients.s3.put(&path(&key), 5, &body(b"hello")).await.expect(name);
        assert_eq!(etag, "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(content(&clients, &key, None).await.expect(name), b"hello");
        assert_eq!(content(&clients, &key, Some(1..3)).await.expect(name), b"el");
        let info = clients.s3.head(&path(&key)).await.expect(name);
        assert_eq!((info.etag.as_str(), info.length, info.total), (etag.as_str(), 5, Some(5)));
    }
    let empty = clients.s3.put(&path("common-files/empty"), 0, &body(b"")).await.expect("an empty file");
    assert_eq!(empty, "59adb24ef3cdbe0297f05b395827453f-1");
    assert!(content(&clients, "common-files/empty", None).await.expect("read").is_empty());
    assert!(sandbox.requests().iter().all(|request| request.header("transfer-encoding").is_empty()));
}

#[tokio::test]
async fn parts_become_a_file() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    let key = path("common-files/big");
    let first = vec![7; 5 << 20];
    let id = clients.s3.create_multipart(&key, Some(first.len() as u64 + 3)).await.expect("created");
    assert!(clients.s3.multipart_alive(&key, &id).await.expect("asked"));
    let mut parts = Vec::new();
    for (number, bytes) in [(1, first.as_slice()), (2, b"end".as_slice())] {
        let etag = clients.s3.put_part(&key, &id, number, bytes.len() as u64, &body(bytes)).await.expect("a part");
        parts.push((number, etag));
    }
    let etag = clients.s3.complete_multipart(&key, &id, &parts).await.expect("completed");
    assert!(etag.ends_with("-2"), "{etag}");
    let size = first.len() as u64;
    assert_eq!(content(&clients, "common-files/big", Some(size..size + 3)).await.expect("read"), b"end");
    assert!(!clients.s3.multipart_alive(&key, &id).await.expect("asked"));
    let again = clients.s3.complete_multipart(&key, &id, &parts).await.expect_err("gone");
    assert_eq!(again.kind, ServerErrorKind::UploadGone);
    clients.s3.abort_multipart(&key, &id).await.expect("an unknown upload counts as given up");
}

#[tokio::test]
async fn a_completion_that_takes_long_is_waited_for_and_its_late_failure_heard() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    sandbox.s3().set_heartbeat(Duration::from_millis(50));
    sandbox.s3().set_complete_delay(Duration::from_millis(400));
    let key = path("common-files/slow");
    let id = clients.s3.create_multipart(&key, None).await.expect("created");
    let etag = clients.s3.put_part(&key, &id, 1, 3, &body(b"abc")).await.expect("a part");
    let parts = [(1, etag)];
    clients.s3.complete_multipart(&key, &id, &parts).await.expect("completed");

    let late = "<?xml version=\"1.0\"?>\n    <Error><Code>InternalError</Code><Message>too bad</Message></Error>";
    let fault = Fault::on("POST", "/io/").query("uploadId").body("text/event-stream", late);
    sandbox.faults().add(fault);
    let error = clients.s3.complete_multipart(&key, &id, &parts).await.expect_err("failed late");
    assert_eq!((error.kind, error.in_doubt), (ServerErrorKind::Server, true), "{error:?}");
    sandbox
        .faults()
        .add(Fault::on("POST", "/io/").query("uploadId").body("text/event-stream", "<?xml version=\"1.0\"?>\n   "));
    let error = clients.s3.complete_multipart(&key, &id, &parts).await.expect_err("unclear");
    assert!(error.in_doubt, "{error:?}");
    sandbox.faults().add(Fault::on("POST", "/io/").query("uploadId").html());
    let error = clients.s3.complete_multipart(&key, &id, &parts).await.expect_err("a page");
    assert_eq!(error.kind, ServerErrorKind::NotCells);
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_is_set_right_once() {
    for offset in [3600, -3600] {
        let sandbox = sandbox();
        sandbox.set_clock_offset(offset);
        let clients = with_token(&sandbox, "admin");
        clients.s3.put(&path("common-files/a"), 1, &body(b"a")).await.expect("put");
        assert_eq!(sandbox.requests().len(), 2);
        clients.s3.clone().put(&path("common-files/b"), 1, &body(b"b")).await.expect("put");
        assert_eq!(sandbox.requests().len(), 3, "what was learnt is kept");
    }
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    let answer = "<Error><Code>RequestTimeTooSkewed</Code><Message>m</Message></Error>";
    sandbox.faults().add(Fault::on("PUT", "/io/").status(403).body("application/xml", answer).always());
    let error = clients.s3.put(&path("common-files/a"), 1, &body(b"a")).await.expect_err("for good");
    assert_eq!(error.kind, ServerErrorKind::Signature);
    assert!(CliError::from(error).hints[0].to_string().contains("clock"), "what helps is shown");
}

#[tokio::test]
async fn pages_and_successes_without_an_etag_are_no_successes() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    let key = path("common-files/a");
    sandbox.faults().add(Fault::on("PUT", "/io/").html());
    sandbox.faults().add(Fault::on("PUT", "/io/").drop_header("Etag"));
    for _ in 0..2 {
        let error = clients.s3.put(&key, 1, &body(b"a")).await.expect_err("no ETag");
        assert_eq!(error.kind, ServerErrorKind::NotCells, "{error}");
    }
    sandbox.faults().add(Fault::on("GET", "/io/").html().times(2));
    assert_eq!(content(&clients, "common-files/a", None).await.expect_err("a page").kind, ServerErrorKind::NotCells);
    let listed = clients.s3.list(&path("common-files")).try_collect::<Vec<_>>().await;
    assert_eq!(listed.expect_err("a page").kind, ServerErrorKind::NotCells);
}

#[tokio::test]
async fn a_download_that_is_cut_fails_and_says_how_far_it_came() {
    let sandbox = sandbox();
    sandbox.tree().put("common-files/a", vec![1; 100_000]).expect("a file");
    let clients = with_token(&sandbox, "admin");
    sandbox.faults().add(Fault::on("GET", "/io/").cut_response_at(60_000));
    let error = content(&clients, "common-files/a", None).await.expect_err("cut");
    assert_eq!((error.kind, error.advice()), (ServerErrorKind::Transport, Advice::Retry), "{error}");
    sandbox.faults().add(Fault::on("GET", "/io/").stall_response_at(1000, Duration::from_secs(30)));
    let quick = cells_client::http::HttpOptions { idle_timeout: Duration::from_millis(300), ..options() };
    let hasty = clients_of(sandbox.url(), token(&sandbox.token("admin")), &quick);
    let error = content(&hasty, "common-files/a", None).await.expect_err("stalled");
    assert!(error.kind == ServerErrorKind::Transport && error.message.contains("stopped responding"), "{error}");
}

#[tokio::test]
async fn ranges_outside_are_told_and_ranges_ignored_are_noticed() {
    let sandbox = sandbox();
    sandbox.tree().put("common-files/a", "0123456789").expect("a file");
    let clients = with_token(&sandbox, "admin");
    assert_eq!(
        content(&clients, "common-files/a", Some(10..12)).await.expect_err("outside").kind,
        ServerErrorKind::Range
    );
    assert_eq!(content(&clients, "common-files/a", Some(8..99)).await.expect("to the end"), b"89");
    sandbox.faults().add(Fault::on("GET", "/io/").status(200).body("text/plain", "0123456789").header("Etag", "\"e\""));
    let error = content(&clients, "common-files/a", Some(3..5)).await.expect_err("ignored");
    assert!(error.message.contains("range"), "{error}");
    for (told, body) in
        [("bytes 3-4/10", "345678"), ("bytes 3-8/10", "345678"), ("bytes 3-4/10", "3"), ("bytes 4-3/10", "")]
    {
        let part = Fault::on("GET", "/io/").status(206).body("text/plain", body).header("Etag", "\"e\"");
        sandbox.faults().add(part.header("Content-Range", told));
        let error = content(&clients, "common-files/a", Some(3..5)).await.expect_err(told);
        assert!(error.message.contains("range"), "{told}: {error}");
    }
}

#[tokio::test]
async fn only_a_body_that_was_sent_whole_leaves_doubt() {
    let sandbox = sandbox();
    let clients = with_token(&sandbox, "admin");
    let key = path("common-files/a");
    sandbox.faults().add(Fault::on("PUT", "/io/").close_after());
    let error = clients.s3.put(&key, 5, &body(b"hello")).await.expect_err("no answer");
    assert!(error.in_doubt && error.kind == ServerErrorKind::Transport, "{error:?}");
    sandbox.faults().add(Fault::on("PUT", "/io/").status(503));
    let error = clients.s3.put(&key, 5, &body(b"hello")).await.expect_err("503");
    assert!(error.in_doubt && error.kind == ServerErrorKind::Server, "{error:?}");
    let large = vec![0; 64 << 20];
    sandbox.faults().add(Fault::on("PUT", "/io/").cut_request_at(100_000));
    let error = clients.s3.put(&key, large.len() as u64, &pieces(large.len() as u64)).await.expect_err("cut");
    assert!(!error.in_doubt, "{error:?}");
    let short = clients.s3.put(&key, 10, &body(b"abc")).await.expect_err("too short");
    assert_eq!((short.kind, short.in_doubt), (ServerErrorKind::Body, false), "{short:?}");
    let broken = || {
        reqwest::Body::wrap_stream(futures_util::stream::iter([Err::<&str, _>(std::io::Error::other("disk on fire"))]))
    };
    let error = clients.s3.put(&key, 10, &broken).await.expect_err("unreadable");
    assert!(error.kind == ServerErrorKind::Body && error.message.contains("disk on fire"), "{error:?}");
}

/// A body of zeros in pieces of 64 KiB.
fn pieces(length: u64) -> impl Fn() -> reqwest::Body + Send + Sync {
    move || {
        let count = length / 65_536;
        let piece = bytes::Bytes::from(vec![0; 65_536]);
        let all = (0..count).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
        reqwest::Body::wrap_stream(futures_util::stream::iter(all))
    }
}

#[tokio::test]
async fn a_large_body_that_is_refused_on_the_way_is_answered_with_its_reason() {
    // As the real server does it: the answer, the end of its own sending, a moment of patience, the end.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut buffer = vec![0; 100_000];
        let _ = stream.read(&mut buffer).await;
        let text = "<Error><Code>QuotaExceeded</Code><Message>full</Message></Error>";
        let head = "HTTP/1.1 422 Unprocessable Entity\r\nconnection: close\r\ncontent-type: application/xml\r\n";
        let answer = format!("{head}content-length: {}\r\n\r\n{text}", text.len());
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    });
    let clients = clients_of(&url, token("any"), &options());
    let error = clients.s3.put(&path("common-files/big"), 256 << 20, &pieces(256 << 20)).await.expect_err("refused");
    assert_eq!((error.kind, error.in_doubt), (ServerErrorKind::Quota, false), "{error:?}");
}

#[tokio::test]
async fn conflicts_and_locks_are_told_apart() {
    let sandbox = sandbox_with(&Config { lock_timeout: Duration::from_millis(100), ..Config::default() });
    let clients = with_token(&sandbox, "admin");
    sandbox.tree().mkdir("common-files/d").expect("a folder");
    let error = clients.s3.put(&path("common-files/d"), 1, &body(b"a")).await.expect_err("a folder");
    assert_eq!((error.kind, error.advice()), (ServerErrorKind::Conflict, Advice::Stop));
    sandbox.lock("common-files/d", Duration::from_secs(60)).expect("locked");
    let error = clients.s3.put(&path("common-files/d/a"), 1, &body(b"a")).await.expect_err("locked");
    assert!(error.kind == ServerErrorKind::Locked && matches!(error.advice(), Advice::After(_)), "{error:?}");
    assert!(!error.in_doubt);
    sandbox.s3().set_quota("personal-files", Some(1));
    let error = clients.s3.put(&path("personal-files/a"), 5, &body(b"hello")).await.expect_err("full");
    assert_eq!(error.kind, ServerErrorKind::Quota, "{error:?}");
}

#[tokio::test]
async fn what_comes_after_the_announced_length_is_not_taken() {
    let answer =
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"5d41402abc4b2a76b9719d911017c592\"\r\n\r\nhello and more";
    let server = Listener::answering(answer).await;
    let clients = clients_of(&format!("http://{}", server.address), token("a-token"), &options());
    assert_eq!(content(&clients, "common-files/a", None).await.expect("a content"), b"hello");
}

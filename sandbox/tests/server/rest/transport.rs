//! HTTP itself: hosts, redirects, kept connections, TLS, the clock, the log.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cells_sandbox::{Config, Sandbox};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use crate::rest::support::{Answer, Ask, connect, host, quick, start};

#[test]
fn an_unknown_host_gets_an_empty_200_everywhere() {
    let sandbox = quick();
    for target in ["/a/tree/stat/common-files", "/", "/io/common-files/x", "/a//b"] {
        let answer = Ask::get(target).header("Host", "localhost:1").send(&sandbox).unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{target}");
    }
    let bare = Ask::get("/a/config/discovery").header("Host", "127.0.0.1").send(&sandbox).unwrap();
    assert!(bare.json()["Endpoints"].is_object());
}

#[test]
fn every_unknown_path_is_the_web_page() {
    let sandbox = quick();
    for target in ["/", "/login", "/a", "/a/nosuch/x", "/.well-known/openid-configuration"] {
        let answer = Ask::new("PUT", target).send(&sandbox).unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
        assert!(answer.text().contains("<title>Cells</title>"));
    }
}

#[test]
fn unclean_paths_are_redirected() {
    let sandbox = quick();
    let location = |target: &str| {
        let answer = Ask::get(target).by(&sandbox, "admin").send(&sandbox).unwrap();
        assert_eq!(answer.status, 301, "{target}");
        answer.header("location").to_owned()
    };
    assert_eq!(location("/a/tree//stat/x"), "/a/tree/stat/x");
    assert_eq!(location("/a/tree/stat/x/../y?q=1"), "/a/tree/stat/y?q=1");
    assert_eq!(location("/a/tree/stat/%C3%A9/%2e%2e/a%20b"), "/a/tree/stat/a%20b");
    let head = Ask::new("HEAD", "/a/tree/stat/common-files").by(&sandbox, "admin");
    let mut stream = connect(&sandbox).unwrap();
    head.write_to(&mut stream, &sandbox).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 401");
}

#[test]
fn bodies_in_chunks_and_after_a_100_continue() {
    let sandbox = quick();
    let body = json!({"NodePaths": ["common-files"]}).to_string();
    let mut stream = connect(&sandbox).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let ask = || Ask::new("POST", "/a/tree/stats").header("Content-Type", "application/json").by(&sandbox, "admin");
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let first = ask().header("Transfer-Encoding", "chunked");
    first.write_to(&mut stream, &sandbox).unwrap();
    stream.write_all(chunked.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut reader, "GET").unwrap().status, 200);
    let second = ask().header("Expect", "100-continue").header("Content-Length", &body.len().to_string());
    second.write_to(&mut stream, &sandbox).unwrap();
    assert_eq!(Answer::read(&mut reader, "GET").unwrap().status, 100);
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut reader, "GET").unwrap().status, 200);
}

#[test]
fn content_types_and_large_answers() {
    let sandbox = quick();
    let without = Ask::new("POST", "/a/tree/stats").body("{}").by(&sandbox, "admin").send(&sandbox);
    assert_eq!(without.unwrap().text(), "415: Unsupported Media Type");
    let with_charset = Ask::new("POST", "/a/tree/stats")
        .header("Content-Type", "application/json; charset=utf-8")
        .body("{}")
        .by(&sandbox, "admin");
    assert_eq!(with_charset.send(&sandbox).unwrap().json(), json!({}));
    sandbox.tree().generate("common-files/many", 50, 1).unwrap();
    let list = Ask::post("/a/tree/stats", &json!({"NodePaths": ["common-files/many/*"]}));
    let answer = list.by(&sandbox, "admin").send(&sandbox).unwrap();
    assert_eq!((answer.status, answer.header("transfer-encoding")), (200, "chunked"));
}

#[test]
fn the_clock_can_be_shifted() {
    let sandbox = quick();
    sandbox.set_clock_offset(-10 * 365 * 24 * 3600);
    let answer = Ask::get("/a/config/discovery").send(&sandbox).unwrap();
    let date = httpdate::parse_http_date(answer.header("date")).unwrap();
    let behind = std::time::SystemTime::now().duration_since(date).unwrap();
    assert!(behind > Duration::from_secs(9 * 365 * 24 * 3600));
}

#[test]
fn requests_are_recorded_in_order() {
    let sandbox = quick();
    Ask::get("/a/tree/stat/common-files/a%20b?x=%20y").by(&sandbox, "admin").send(&sandbox).unwrap();
    Ask::post("/a/tree/stats", &json!({})).send(&sandbox).unwrap();
    let requests = sandbox.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].path, "/a/tree/stat/common-files/a b");
    assert_eq!((requests[0].query.as_str(), requests[0].status), ("x=%20y", 404));
    assert_eq!((requests[1].method.as_str(), requests[1].status), ("POST", 401));
    assert_eq!(requests[1].header("content-type"), "application/json");
    sandbox.clear_requests();
    assert!(sandbox.requests().is_empty());
}

#[test]
fn tls_with_a_private_authority() {
    let sandbox = start(Config { tls: true, ..Config::default() });
    assert!(sandbox.url().starts_with("https://127.0.0.1:"));
    let certificate = CertificateDer::from_pem_slice(sandbox.ca_pem().unwrap().as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "127.0.0.1".try_into().unwrap();
    let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(host(&sandbox)).unwrap();
    let mut stream = rustls::StreamOwned::new(client, socket);
    let request = format!("GET /a/config/discovery HTTP/1.1\r\nHost: {}\r\n\r\n", host(&sandbox));
    stream.write_all(request.as_bytes()).unwrap();
    let answer = Answer::read(&mut BufReader::new(stream), "GET").unwrap();
    let socket = answer.json()["Endpoints"]["websocket"].clone();
    assert!(socket.as_str().unwrap().starts_with("wss://"));
}

#[test]
fn many_at_once_start_and_stop_quickly_also_inside_a_runtime() {
    let started = Instant::now();
    let many: Vec<Sandbox> = (0..10).map(|_| quick()).collect();
    let urls: std::collections::BTreeSet<&str> = many.iter().map(Sandbox::url).collect();
    assert_eq!(urls.len(), 10);
    drop(many);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { drop(quick()) });
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn dropping_a_sandbox_does_not_wait_for_requests() {
    let sandbox = quick();
    sandbox.faults().add(cells_sandbox::Fault::on("GET", "/").hang());
    let mut stream = connect(&sandbox).unwrap();
    Ask::get("/a/config/discovery").write_to(&mut stream, &sandbox).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let started = Instant::now();
    drop(sandbox);
    assert!(started.elapsed() < Duration::from_secs(60));
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).unwrap_or(0), 0);
}

//! Faults strike the requests they are meant for, in the way they are meant to.

use std::io::{BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use cells_sandbox::{Config, Fault, Sandbox};
use serde_json::json;

use crate::rest::support::{Answer, Ask, connect, quick, start, wait_for};

const PATH: &str = "/a/tree/stat/common-files";

fn stat(sandbox: &Sandbox) -> std::io::Result<Answer> {
    Ask::get(PATH).by(sandbox, "admin").send(sandbox)
}

fn with(fault: Fault) -> Sandbox {
    let sandbox = quick();
    sandbox.faults().add(fault);
    sandbox
}

#[test]
fn a_status_with_headers_after_some_requests_and_so_many_times() {
    let busy = Fault::on("GET", "/a/tree/stat").skip(1).times(2).status(503);
    let sandbox = with(busy.body("text/html", "<p>busy</p>").header("Retry-After", "2"));
    let statuses: Vec<u16> = (0..5).map(|_| stat(&sandbox).unwrap().status).collect();
    assert_eq!(statuses, [200, 503, 503, 200, 200]);
    assert_eq!(sandbox.faults().hits(), 2);
    sandbox.faults().add(Fault::on("*", "stat/common").always().status(503).header("Retry-After", "2"));
    let answer = stat(&sandbox).unwrap();
    assert_eq!((answer.header("retry-after"), answer.text().as_str()), ("2", ""));
    sandbox.faults().clear();
    assert_eq!(stat(&sandbox).unwrap().status, 200);
    assert_eq!(sandbox.faults().hits(), 0);
}

#[test]
fn method_path_and_query_must_match() {
    let other = |method, path| Fault::on(method, path).status(500).may_stay_unmet("it is for other requests");
    let sandbox = with(other("PUT", "/a/tree/stat"));
    sandbox.faults().add(other("GET", "/elsewhere"));
    sandbox.faults().add(Fault::on("GET", "stat").query("uploadId").status(500));
    assert_eq!(stat(&sandbox).unwrap().status, 200);
    let query = Ask::get("/a/tree/stat/common-files?uploadId=7").by(&sandbox, "admin");
    assert_eq!(query.send(&sandbox).unwrap().status, 500);
}

#[test]
fn faults_strike_one_after_the_other() {
    let sandbox = with(Fault::on("GET", "stat").status(503));
    sandbox.faults().add(Fault::on("GET", "stat").status(429));
    let statuses: Vec<u16> = (0..3).map(|_| stat(&sandbox).unwrap().status).collect();
    assert_eq!(statuses, [503, 429, 200]);
}

#[test]
fn a_fault_that_no_request_has_met_is_a_failure() {
    let words = |panic: Box<dyn std::any::Any + Send>| panic.downcast_ref::<String>().cloned().unwrap_or_default();
    let sandbox = with(Fault::on("GET", "stat").query("flags").skip(1).status(503));
    let faults = sandbox.faults();
    let cleared = catch_unwind(|| faults.clear()).expect_err("it is not met");
    let description = "no request has met a fault: GET stat?…flags… after 1 more (added at ";
    assert!(words(cleared).starts_with(description));
    // That one is gone; the others are of the end of the sandbox.
    sandbox.faults().add(Fault::on("GET", "stat").status(503).times(2));
    sandbox.faults().add(Fault::on("GET", "stat").status(503).may_stay_unmet("this test wants it so"));
    assert_eq!(stat(&sandbox).unwrap().status, 503);
    sandbox.faults().add(Fault::on("PUT", "nowhere").close_before());
    let dropped = catch_unwind(AssertUnwindSafe(move || drop(sandbox))).expect_err("one is not met");
    let words = words(dropped);
    assert!(words.contains("PUT nowhere") && !words.contains("GET"), "{words}");
}

#[test]
fn the_path_is_matched_decoded() {
    let sandbox = with(Fault::on("GET", "common-files/a b").status(503));
    let ask = Ask::get("/a/tree/stat/common-files/a%20b").by(&sandbox, "admin");
    assert_eq!(ask.send(&sandbox).unwrap().status, 503);
}

#[test]
fn closing_before_does_nothing_and_closing_after_does_it_all() {
    let sandbox = with(Fault::on("POST", "/a/tree/create").close_before());
    let make = |name: &str| {
        let body = json!({"Nodes": [{"Path": format!("common-files/{name}")}]});
        Ask::post("/a/tree/create", &body).by(&sandbox, "admin").send(&sandbox)
    };
    assert!(make("before").is_err());
    assert!(!sandbox.tree().exists("common-files/before"));
    sandbox.faults().add(Fault::on("POST", "/a/tree/create").close_after());
    assert!(make("after").is_err());
    assert!(sandbox.tree().exists("common-files/after"));
    assert_eq!(make("later").unwrap().status, 200);
    let statuses: Vec<u16> = sandbox.requests().iter().map(|record| record.status).collect();
    assert_eq!(statuses, [0, 0, 200]);
}

#[test]
fn delay_and_hang() {
    let sandbox = with(Fault::on("GET", "stat").delay(Duration::from_millis(120)));
    let started = Instant::now();
    assert_eq!(stat(&sandbox).unwrap().status, 200);
    assert!(started.elapsed() >= Duration::from_millis(120));
    sandbox.faults().add(Fault::on("GET", "stat").hang());
    let mut stream = connect(&sandbox).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
    Ask::get(PATH).by(&sandbox, "admin").write_to(&mut stream, &sandbox).unwrap();
    let error = stream.read(&mut [0; 1]).unwrap_err();
    assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut));
    assert_eq!(stat(&sandbox).unwrap().status, 200);
}

#[test]
fn an_answer_is_cut_after_so_many_bytes() {
    let sandbox = with(Fault::on("GET", "stat").cut_response_at(20));
    let mut stream = connect(&sandbox).unwrap();
    Ask::get(PATH).by(&sandbox, "admin").write_to(&mut stream, &sandbox).unwrap();
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    let text = String::from_utf8(received).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), 20, "{text}");
    assert!(head.contains("Content-Length: "), "{head}");
}

#[test]
fn an_answer_stalls_and_goes_on() {
    let sandbox = with(Fault::on("GET", "stat").stall_response_at(10, Duration::from_millis(150)));
    let started = Instant::now();
    assert_eq!(stat(&sandbox).unwrap().json()["Node"]["Path"], "common-files/");
    assert!(started.elapsed() >= Duration::from_millis(150));
}

#[test]
fn one_bit_of_an_answer_is_flipped() {
    let sandbox = quick();
    let right = stat(&sandbox).unwrap().body;
    sandbox.faults().add(Fault::on("GET", "stat").corrupt_response_at(30));
    let wrong = stat(&sandbox).unwrap().body;
    let differing: Vec<usize> = (0..right.len()).filter(|index| right[*index] != wrong[*index]).collect();
    assert_eq!((right.len(), differing), (wrong.len(), vec![30]));
}

#[test]
fn a_request_is_cut_after_so_many_bytes() {
    let sandbox = with(Fault::on("POST", "create").cut_request_at(10));
    let body = json!({"Nodes": [{"Path": "common-files/new"}]});
    let ask = Ask::post("/a/tree/create", &body).by(&sandbox, "admin");
    assert!(ask.send(&sandbox).is_err());
    assert!(!sandbox.tree().exists("common-files/new"));
    assert_eq!(sandbox.requests()[0].body_bytes, 10);
}

#[test]
fn answers_that_are_not_the_real_one() {
    let sandbox = quick();
    let first = |fault: Fault| {
        sandbox.faults().add(fault);
        stat(&sandbox).unwrap()
    };
    let moved = first(Fault::on("GET", "stat").redirect("http://elsewhere.invalid/"));
    assert_eq!((moved.status, moved.header("location")), (302, "http://elsewhere.invalid/"));
    let html = first(Fault::on("GET", "stat").html());
    assert_eq!((html.status, html.header("content-type")), (200, "text/html; charset=utf-8"));
    let empty = first(Fault::on("GET", "stat").empty_ok());
    assert_eq!((empty.status, empty.body.len(), empty.header("content-type")), (200, 0, ""));
    let expired = first(Fault::on("GET", "stat").expire_token());
    assert_eq!((expired.status, expired.text().as_str()), (401, "Unauthorized.\n"));
}

#[test]
fn headers_of_the_real_answer_are_dropped_and_set() {
    let fault = Fault::on("GET", "stat").drop_header("Vary").set_header("Server", "nginx");
    let answer = stat(&with(fault)).unwrap();
    assert_eq!((answer.status, answer.header("vary"), answer.header("server")), (200, "", "nginx"));
}

#[test]
fn a_large_upload_is_cut_and_a_large_answer_spoiled() {
    let sandbox = start(Config { strict_signatures: false, ..Config::default() });
    let size = 3_000_000;
    let tree = sandbox.tree();
    tree.put("common-files/big.bin", vec![7; size]).unwrap();
    let token = sandbox.token("admin");
    let get = Ask::get("/io/common-files/big.bin").header("X-Pydio-Bearer", &token);
    sandbox.faults().add(Fault::on("GET", "/io/").corrupt_response_at(2_500_000));
    let body = get.send(&sandbox).unwrap().body;
    assert_eq!((body.len(), body[2_500_000], body[2_499_999]), (size, 6, 7));

    sandbox.faults().add(Fault::on("GET", "/io/").cut_response_at(1_234_567));
    let mut stream = connect(&sandbox).unwrap();
    get.write_to(&mut stream, &sandbox).unwrap();
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    let head = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(received.len() - head, 1_234_567);

    sandbox.faults().add(Fault::on("PUT", "/io/").cut_request_at(1_000_000));
    let put = Ask::new("PUT", "/io/common-files/new.bin").header("X-Pydio-Bearer", &token).body(vec![1; size]);
    assert!(put.send(&sandbox).is_err());
    wait_for("the node to disappear", || !tree.exists("common-files/new.bin"));
    assert_eq!(sandbox.requests().last().unwrap().body_bytes, 1_000_000);
}

#[test]
fn a_kept_connection_goes_on_after_a_fault() {
    let sandbox = with(Fault::on("GET", "stat").status(503));
    let mut stream = connect(&sandbox).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut statuses = Vec::new();
    for _ in 0..3 {
        Ask::get(PATH).by(&sandbox, "admin").write_to(&mut stream, &sandbox).unwrap();
        stream.flush().unwrap();
        statuses.push(Answer::read(&mut reader, "GET").unwrap().status);
    }
    assert_eq!(statuses, [503, 200, 200]);
}

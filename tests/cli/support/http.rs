//! Requests of somebody else than `cec`: a browser, another client.

use std::io::{BufReader, Write as _};

use serde_json::Value;

use crate::raw::{Answer, connect};

/// One request, with JSON if it has a body, and the answer to it.
pub(crate) fn ask(host: &str, method: &str, target: &str, body: Option<&Value>) -> Answer {
    let body = body.map(Value::to_string).unwrap_or_default();
    send(host, method, target, "application/json", &body)
}

/// One request, and the answer to it.
pub(crate) fn send(host: &str, method: &str, target: &str, kind: &str, body: &str) -> Answer {
    let mut stream = connect(&host.replace("localhost", "127.0.0.1")).expect("a connection");
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).expect("a request");
    Answer::read(&mut BufReader::new(stream), method).expect("an answer")
}

//! Requests of somebody else than `cec`: a browser, another client.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::PATIENCE;

/// One request, with JSON where it has a body, and the whole answer to it.
pub(crate) fn ask(host: &str, method: &str, target: &str, body: Option<&Value>) -> String {
    let body = body.map(Value::to_string).unwrap_or_default();
    send(host, method, target, "application/json", &body)
}

/// One request, and the whole answer to it.
pub(crate) fn send(host: &str, method: &str, target: &str, kind: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).expect("a request");
    let mut answer = String::new();
    let mut reader = BufReader::new(stream);
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).expect("an answer") == 0 {
            return answer;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse::<usize>().ok();
        }
        answer += &line;
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length.unwrap_or(0)];
    match length {
        Some(_) => reader.read_exact(&mut body).expect("a body"),
        None => drop(reader.read_to_end(&mut body).expect("a body")),
    }
    answer + &String::from_utf8_lossy(&body)
}

/// The body of a whole answer.
pub(crate) fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a body").1
}

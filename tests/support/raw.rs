//! HTTP/1.1 over a plain connection: no retries, no redirects, nothing clever, so that a test sees what the server sends.

#![allow(dead_code, reason = "no target uses all of it")]

use std::io::{self, BufRead};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take on a busy machine before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A connection to `host:port`.
pub(crate) fn connect(host: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Waits until something has happened.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < PATIENCE, "{what} never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads one answer to a request of that method; an error when the connection ends before it is complete.
    pub(crate) fn read(reader: &mut impl BufRead, method: &str) -> io::Result<Self> {
        let mut answer = Self::read_head(reader)?;
        if method == "HEAD" || matches!(answer.status, 100 | 204 | 304) {
            return Ok(answer);
        }
        if answer.header("transfer-encoding") == "chunked" {
            loop {
                let size = usize::from_str_radix(&line(reader)?, 16).map_err(|_| cut())?;
                let mut chunk = vec![0; size];
                reader.read_exact(&mut chunk)?;
                line(reader)?;
                answer.body.extend(chunk);
                if size == 0 {
                    return Ok(answer);
                }
            }
        }
        if answer.header("content-length").is_empty() && answer.header("connection") == "close" {
            reader.read_to_end(&mut answer.body)?;
            return Ok(answer);
        }
        answer.body = vec![0; answer.header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    pub(crate) fn read_head(reader: &mut impl BufRead) -> io::Result<Self> {
        let first = line(reader)?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut headers = Vec::new();
        while let Some((name, value)) = line(reader)?.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self { status: status.ok_or_else(cut)?, headers, body: Vec::new() })
    }

    /// A header; empty when it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(cut());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed")
}

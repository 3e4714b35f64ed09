//! A small HTTP client: no retries, no redirects, nothing clever, so that a test sees what the
//! server sends.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use cells_sandbox::{Config, Sandbox};
use serde_json::Value;

/// How long a test waits for the server before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sandbox whose jobs and hashes take no time.
pub(crate) fn quick() -> Sandbox {
    start(Config {
        job_status_delay: Duration::ZERO,
        job_effect_delay: Duration::ZERO,
        hash_delay: Duration::ZERO,
        ..Config::default()
    })
}

/// A sandbox.
pub(crate) fn start(config: Config) -> Sandbox {
    Sandbox::start(config).unwrap()
}

/// A request that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: None }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST of JSON.
    pub(crate) fn post(target: &str, body: &Value) -> Self {
        Self::new("POST", target).json(body)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// With the long-lived token of that user.
    pub(crate) fn by(self, sandbox: &Sandbox, login: &str) -> Self {
        let token = sandbox.token(login);
        self.bearer(&token)
    }

    /// Sends it on a connection of its own.
    pub(crate) fn send(&self, sandbox: &Sandbox) -> io::Result<Answer> {
        let mut stream = connect(sandbox)?;
        self.write_to(&mut stream, sandbox)?;
        Answer::read_from(&mut BufReader::new(stream))
    }

    /// Sends it as admin and gives the JSON of a successful answer.
    pub(crate) fn ok(self, sandbox: &Sandbox) -> Value {
        let answer = self.clone().by(sandbox, "admin").send(sandbox).unwrap();
        assert_eq!(answer.status, 200, "{self:?}: {answer:?}");
        answer.json()
    }

    pub(crate) fn write_to(&self, stream: &mut TcpStream, sandbox: &Sandbox) -> io::Result<()> {
        let has = |wanted: &str| self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !has("host") {
            head += &format!("Host: {}\r\n", host(sandbox));
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = self.body.as_ref().filter(|_| !has("content-length")) {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        stream.write_all(head.as_bytes())?;
        stream.write_all(self.body.as_deref().unwrap_or_default())
    }
}

impl Answer {
    /// Reads one answer; an error when the connection ends before it is complete.
    pub(crate) fn read_from(reader: &mut impl BufRead) -> io::Result<Self> {
        let status_line = line(reader)?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut answer = Self { status: status.ok_or_else(cut)?, headers: Vec::new(), body: Vec::new() };
        loop {
            let line = line(reader)?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            answer.headers.push((name.to_ascii_lowercase(), value.to_owned()));
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
        let length = answer.header("content-length").parse().unwrap_or(0);
        answer.body = vec![0; length];
        reader.read_exact(&mut answer.body)?;
        Ok(answer)
    }

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

    /// The `Detail` of an error.
    pub(crate) fn detail(&self) -> String {
        self.json()["Detail"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) fn connect(sandbox: &Sandbox) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(host(sandbox))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(crate) fn host(sandbox: &Sandbox) -> String {
    let url = sandbox.url();
    url.split("://").nth(1).unwrap_or(url).to_owned()
}

/// Waits until something holds.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
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

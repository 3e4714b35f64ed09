//! Requests to the REST side.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use cells_sandbox::{Config, Sandbox};
use serde_json::Value;

use crate::raw;
pub(crate) use crate::raw::{Answer, wait_for};

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
        Answer::read(&mut BufReader::new(stream), &self.method)
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
    /// The `Detail` of an error.
    pub(crate) fn detail(&self) -> String {
        self.json()["Detail"].as_str().unwrap_or_default().to_owned()
    }
}

/// A connection of its own.
pub(crate) fn connect(sandbox: &Sandbox) -> io::Result<TcpStream> {
    raw::connect(&host(sandbox))
}

pub(crate) fn host(sandbox: &Sandbox) -> String {
    let url = sandbox.url();
    url.split("://").nth(1).unwrap_or(url).to_owned()
}

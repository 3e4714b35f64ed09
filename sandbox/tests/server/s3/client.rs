//! A small S3 client: it signs with code of its own, sends what it is told to send, and shows
//! what the server answers.

use std::io::{self, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cells_sandbox::{Config, Sandbox};
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use crate::raw;
pub(crate) use crate::raw::{Answer, wait_for};

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// A strict server without delays.
pub(crate) fn sandbox() -> Sandbox {
    start(|_| {})
}

/// A server without delays, but for what `change` makes of it.
pub(crate) fn start(change: impl FnOnce(&mut Config)) -> Sandbox {
    let mut config = Config { hash_delay: Duration::ZERO, ..Config::default() };
    change(&mut config);
    let sandbox = Sandbox::start(config).unwrap();
    sandbox.s3().set_checksum_delay(Duration::ZERO);
    sandbox
}

/// A request that is being put together. Signed for admin unless told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    /// Decoded, from the root on.
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    login: &'static str,
    /// In place of the token of `login`.
    token: Option<String>,
    /// Headers that are sent but not signed.
    smuggled: Vec<(String, String)>,
    sign: bool,
    payload: Option<String>,
    shift: i64,
}

/// The key below the bucket.
pub(crate) fn ask(method: &str, key: &str) -> Ask {
    Ask::to_path(method, &format!("/io/{key}"))
}

/// A PUT of a key.
pub(crate) fn put(key: &str, body: impl Into<Vec<u8>>) -> Ask {
    ask("PUT", key).body(body)
}

/// A GET of a key.
pub(crate) fn get(key: &str) -> Ask {
    ask("GET", key)
}

impl Ask {
    pub(crate) fn to_path(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            login: "admin",
            token: None,
            smuggled: Vec::new(),
            sign: true,
            payload: Some("UNSIGNED-PAYLOAD".to_owned()),
            shift: 0,
        }
    }

    pub(crate) fn by(mut self, login: &'static str) -> Self {
        self.login = login;
        self
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The value of `x-amz-content-sha256`.
    pub(crate) fn payload(mut self, value: &str) -> Self {
        self.payload = Some(value.to_owned());
        self
    }

    /// Without a signature; the headers are sent as given.
    pub(crate) fn unsigned(mut self) -> Self {
        self.sign = false;
        self
    }

    /// With that token as the access key.
    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Adds a header after signing.
    pub(crate) fn smuggle(mut self, name: &str, value: &str) -> Self {
        self.smuggled.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Signed by a clock that is so many seconds off.
    pub(crate) fn at(mut self, seconds: i64) -> Self {
        self.shift = seconds;
        self
    }

    /// Sends it on a connection of its own and reads the answer.
    pub(crate) fn send(&self, sandbox: &Sandbox) -> Answer {
        self.try_send(sandbox).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// The same for an answer that may not come.
    pub(crate) fn try_send(&self, sandbox: &Sandbox) -> io::Result<Answer> {
        let mut stream = connect(sandbox);
        stream.write_all(&self.head(sandbox))?;
        // A server that refuses may stop reading: its answer is there all the same.
        let _ = stream.write_all(&self.body);
        Answer::read(&mut BufReader::new(stream), &self.method)
    }

    /// Sends only the first bytes of the body and goes away.
    pub(crate) fn send_cut(&self, sandbox: &Sandbox, length: usize) {
        let mut stream = connect(sandbox);
        stream.write_all(&self.head(sandbox)).unwrap();
        stream.write_all(&self.body[..length]).unwrap();
        stream.flush().unwrap();
        std::thread::sleep(Duration::from_millis(10));
        let _ = stream.shutdown(Shutdown::Both);
    }

    /// Opens a connection and sends the headers alone.
    pub(crate) fn open(&self, sandbox: &Sandbox) -> TcpStream {
        let mut stream = connect(sandbox);
        stream.write_all(&self.head(sandbox)).unwrap();
        stream
    }

    /// The body.
    pub(crate) fn content(&self) -> &[u8] {
        &self.body
    }

    /// The head of the request as it is sent.
    fn head(&self, sandbox: &Sandbox) -> Vec<u8> {
        let host = host(sandbox);
        let mut headers = vec![("host".to_owned(), host)];
        for (name, value) in &self.headers {
            headers.push((name.to_ascii_lowercase(), value.clone()));
        }
        let path = utf8_percent_encode(&self.path, RESERVED_IN_PATH).to_string();
        let mut query: Vec<String> = self.query.iter().map(encode_pair).collect();
        query.sort_unstable();
        let query = query.join("&");
        if self.sign {
            if let Some(payload) = &self.payload {
                headers.push(("x-amz-content-sha256".to_owned(), payload.clone()));
            }
            let token = self.token.clone().unwrap_or_else(|| sandbox.token(self.login));
            let stamp = timestamp(self.shift);
            headers.push(("x-amz-date".to_owned(), stamp.clone()));
            let authorization = authorize(&self.method, &path, &query, &headers, &token, &stamp);
            headers.push(("authorization".to_owned(), authorization));
        }
        headers.extend(self.smuggled.iter().cloned());
        let has = |wanted: &str| headers.iter().any(|(name, _)| name == wanted);
        let sends_body = matches!(self.method.as_str(), "PUT" | "POST");
        if sends_body && !has("content-length") && !has("transfer-encoding") {
            headers.push(("content-length".to_owned(), self.body.len().to_string()));
        }
        let separator = if query.is_empty() { "" } else { "?" };
        let mut head = format!("{} {path}{separator}{query} HTTP/1.1\r\n", self.method);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        head.into_bytes()
    }
}

fn encode_pair((name, value): &(String, String)) -> String {
    let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    format!("{}={}", encode(name), encode(value))
}

fn authorize(method: &str, path: &str, query: &str, headers: &[(String, String)], token: &str, stamp: &str) -> String {
    let mut signed: Vec<&(String, String)> =
        headers.iter().filter(|(name, _)| name == "host" || name.starts_with("x-amz-")).collect();
    signed.sort();
    let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let payload = headers.iter().find(|(name, _)| name == "x-amz-content-sha256");
    let payload = payload.map_or("UNSIGNED-PAYLOAD", |(_, value)| value.as_str());
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}");
    let (day, region) = (&stamp[..8], "us-east-1");
    let scope = format!("{day}/{region}/s3/aws4_request");
    let hash = hex(&Sha256::digest(&canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}");
    let mut key = b"AWS4gatewaysecret".to_vec();
    for part in [day, region, "s3", "aws4_request", &to_sign] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    let signature = hex(&key);
    format!("AWS4-HMAC-SHA256 Credential={token}/{scope}, SignedHeaders={names}, Signature={signature}")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `20261123T163107Z`, so many seconds from now.
pub(crate) fn timestamp(shift: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let time = UNIX_EPOCH + Duration::from_secs(now.checked_add_signed(shift).unwrap());
    let date = httpdate::fmt_http_date(time);
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(&date[8..11]).unwrap() / 3 + 1;
    let clock = date[17..25].replace(':', "");
    format!("{}{month:02}{}T{clock}Z", &date[12..16], &date[5..7])
}

pub(crate) fn host(sandbox: &Sandbox) -> String {
    sandbox.url().split("://").nth(1).unwrap().to_owned()
}

fn connect(sandbox: &Sandbox) -> TcpStream {
    raw::connect(&host(sandbox)).unwrap()
}

/// The bytes the hash vectors are made of.
pub(crate) fn pattern(size: usize) -> Vec<u8> {
    let period: Vec<u8> = (0..251_u32).map(|index| ((index * 31 + 7) % 251) as u8).collect();
    period.iter().copied().cycle().take(size).collect()
}

impl Answer {
    /// The ETag without quotes.
    pub(crate) fn etag(&self) -> &str {
        self.header("etag").trim_matches('"')
    }

    /// The text of the first element of that name.
    pub(crate) fn element(&self, name: &str) -> String {
        self.elements(name).into_iter().next().unwrap_or_default()
    }

    /// The texts of all elements of that name.
    pub(crate) fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let inner = text.split(&open).skip(1).filter_map(|rest| rest.split(&close).next());
        inner.map(str::to_owned).collect()
    }

    /// Status, error code and message in one line, to compare.
    pub(crate) fn refusal(&self) -> String {
        format!("{} {}: {}", self.status, self.element("Code"), self.element("Message"))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
        self
    }
}

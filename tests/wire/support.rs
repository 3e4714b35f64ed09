//! Clients of a sandbox, and small listeners to stand beside or before it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cells_client::account::{Credentials, ServerUrl, TokenPair};
use cells_client::auth::Sender;
use cells_client::http::retry::RetryPolicy;
use cells_client::http::{Http, HttpOptions};
use cells_client::path::RemotePath;
use cells_client::{api, s3};
use cells_sandbox::{Config, Pair, Sandbox};
use futures_util::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::clients::sender;
pub(crate) use crate::clients::token;

/// A sandbox that does not make tests wait.
pub(crate) fn sandbox() -> Sandbox {
    sandbox_with(&Config::default())
}

pub(crate) fn sandbox_with(config: &Config) -> Sandbox {
    let quick = Config {
        job_status_delay: Duration::from_millis(50),
        job_effect_delay: Duration::from_millis(10),
        hash_delay: Duration::ZERO,
        ..config.clone()
    };
    Sandbox::start(quick).expect("a sandbox")
}

/// Options without the environment's proxies getting in the way of a failing test's time.
pub(crate) fn options() -> HttpOptions {
    HttpOptions {
        idle_timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(2),
        ..HttpOptions::default()
    }
}

/// The clients of one account.
pub(crate) struct Clients {
    pub(crate) sender: Arc<Sender>,
    pub(crate) api: api::Client,
    pub(crate) s3: s3::Client,
}

pub(crate) fn clients_of(url: &str, credentials: Credentials, options: &HttpOptions) -> Clients {
    let url = ServerUrl::parse(url).expect("a URL");
    let http = Http::new(options).expect("a client");
    let sender = sender(http, &url, credentials);
    let policy =
        RetryPolicy { max_attempts: 3, max_backoff: Duration::from_millis(20), max_elapsed: Duration::from_secs(30) };
    Clients { api: api::Client::new(sender.clone()).with_retry(policy), s3: s3::Client::new(sender.clone()), sender }
}

/// A client with a personal access token.
pub(crate) fn with_token(sandbox: &Sandbox, login: &str) -> Clients {
    clients_of(sandbox.url(), token(&sandbox.token(login)), &options())
}

/// A client with a password.
pub(crate) fn with_password(sandbox: &Sandbox, login: &str) -> Clients {
    clients_of(sandbox.url(), password(login, sandbox.password(login)), &options())
}

/// OAuth tokens as config.json keeps them; when they end is not known here.
pub(crate) fn oauth(pair: &Pair) -> Credentials {
    let refresh = Some(pair.refresh.clone().into());
    Credentials::OAuth(TokenPair { refresh, ..TokenPair::of_access(pair.access.clone().into()) })
}

pub(crate) fn password(login: &str, password: &str) -> Credentials {
    Credentials::Password { login: login.to_owned(), password: password.to_owned().into() }
}

pub(crate) fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).expect("a path")
}

/// The content of a file on the server, or a range of it.
pub(crate) async fn content(
    clients: &Clients,
    key: &str,
    range: Option<std::ops::Range<u64>>,
) -> Result<Vec<u8>, cells_client::failure::ServerError> {
    let download = clients.s3.get(&path(key), range).await?;
    download
        .body
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
}

/// A body of these bytes.
pub(crate) fn body(bytes: &[u8]) -> impl Fn() -> reqwest::Body + Send + Sync + use<> {
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    move || reqwest::Body::from(bytes.clone())
}

/// A listener that notes what it was sent and gives the same answer to everyone, then closes.
pub(crate) struct Listener {
    pub(crate) address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    pub(crate) async fn answering(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = heard.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let head = read_head(&mut stream).await;
                log.lock().expect("a lock").push(head);
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { address, heard }
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("a lock").clone()
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A proxy for CONNECT and for plain requests, one request a connection; with `refuse`, it answers that instead.
pub(crate) async fn proxy(refuse: Option<&'static str>) -> Listener {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(relay(stream, refuse, log.clone()));
        }
    });
    Listener { address, heard }
}

async fn relay(mut client: TcpStream, refuse: Option<&'static str>, log: Arc<Mutex<Vec<String>>>) {
    let head = read_head(&mut client).await;
    log.lock().expect("a lock").push(head.clone());
    if let Some(answer) = refuse {
        let _ = client.write_all(answer.as_bytes()).await;
        return;
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let authority = target.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let Ok(mut server) = TcpStream::connect(authority).await else { return };
    if method == "CONNECT" {
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
    } else {
        let _ = server.write_all(head.as_bytes()).await;
    }
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

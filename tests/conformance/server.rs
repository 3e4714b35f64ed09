//! The server that a scenario talks to, and the folder that it works in.

use std::env::{var, var_os};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cells_client::account::{Credentials, LinkUrl, ServerUrl};
use cells_client::auth::public_link::LinkPage;
use cells_client::auth::{AuthError, Sender, TokenSource};
use cells_client::http::{Http, HttpOptions};
use cells_client::path::{RemotePath, encode_segment};
use cells_client::{api, s3};
use cells_sandbox::{Config, Sandbox};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::answers::Reply;
use crate::clients;
pub(crate) use crate::clients::token;
use crate::faces::Face;

/// How long anything that a server does in the background may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(60);

/// What kind of server it is, for the few facts that only one of them shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sandbox,
    Real,
}

/// Someone who is not the first user.
#[derive(Debug, Clone)]
pub(crate) struct Someone {
    pub(crate) token: String,
    /// A workspace that this user may only read and the first user may write.
    pub(crate) read_only: Option<String>,
    /// A workspace that this user has no right in and the first user has.
    pub(crate) denied: Option<String>,
}

/// A login with its password.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// A server with a user, and a folder for this scenario alone.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) url: ServerUrl,
    pub(crate) token: String,
    /// A standard user beside the first one, who is an administrator where the real server's facts need one.
    pub(crate) other: Option<Someone>,
    pub(crate) login: Option<Login>,
    /// The folder of this scenario, workspace first.
    pub(crate) folder: String,
    http: Http,
    _sandbox: Option<Sandbox>,
}

/// Runs a scenario on a sandbox of its own.
pub(crate) async fn on_sandbox(scenario: impl AsyncFnOnce(&Server)) {
    let sandbox = Sandbox::start(Config { strict_signatures: true, ..Config::default() }).expect("a sandbox");
    let other = Someone {
        token: sandbox.token("alice"),
        read_only: Some("a1-ro".to_owned()),
        denied: Some("a1-priv".to_owned()),
    };
    let login = Login { name: "alice".to_owned(), password: sandbox.password("alice").to_owned() };
    let url = ServerUrl::parse(sandbox.url()).expect("a URL");
    let server = Server {
        kind: Kind::Sandbox,
        url,
        token: sandbox.token("admin"),
        other: Some(other),
        login: Some(login),
        folder: own_folder("personal-files"),
        http: http(),
        _sandbox: Some(sandbox),
    };
    server.run(scenario).await;
}

/// Runs a scenario on the real server, if there is one. `name` is its path in this crate.
pub(crate) async fn on_real(name: &str, scenario: impl AsyncFnOnce(&Server)) {
    let (Ok(url), Ok(token)) = (var("CEC_TEST_URL"), var("CEC_TEST_TOKEN")) else {
        println!("left out: CEC_TEST_URL and CEC_TEST_TOKEN name no server");
        return;
    };
    let name = name.split_once("::").map_or(name, |(_, name)| name);
    if let Some(reason) = Face::from_environment().exception(name) {
        println!("left out on this face: {name}: {reason}");
        return;
    }
    let other = var("CEC_TEST_USER_TOKEN").ok().map(|token| Someone {
        token,
        read_only: var("CEC_TEST_READ_ONLY").ok(),
        denied: var("CEC_TEST_DENIED").ok(),
    });
    let login = match (var("CEC_TEST_LOGIN"), var("CEC_TEST_PASSWORD")) {
        (Ok(name), Ok(password)) => Some(Login { name, password }),
        _ => None,
    };
    let parent = var("CEC_TEST_FOLDER").unwrap_or_else(|_| "personal-files".to_owned());
    let server = Server {
        kind: Kind::Real,
        url: ServerUrl::parse(&url).expect("CEC_TEST_URL is a URL"),
        token: token.trim().to_owned(),
        other,
        login,
        folder: own_folder(parent.trim_matches('/')),
        http: http(),
        _sandbox: None,
    };
    server.run(scenario).await;
}

fn own_folder(parent: &str) -> String {
    format!("{parent}/conformance-{:016x}", rand::random::<u64>())
}

fn http() -> Http {
    let ca_cert = var_os("CEC_TEST_CA_CERT").map(PathBuf::from);
    Http::new(&HttpOptions { idle_timeout: PATIENCE, ca_cert, ..HttpOptions::default() }).expect("a client")
}

impl Server {
    /// Makes the folder, runs the scenario in it, and removes it for good, whatever happened.
    async fn run(&self, scenario: impl AsyncFnOnce(&Server)) {
        self.make(&self.folder).await;
        let outcome = AssertUnwindSafe(scenario(self)).catch_unwind().await;
        if self.kind == Kind::Real {
            self.erase(&self.folder).await;
        }
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    }

    /// Says why a scenario, or the rest of one, is left out here.
    pub(crate) fn left_out(&self, reason: &str) {
        println!("left out on {:?}: {reason}", self.kind);
    }

    /// The standard user, if there is one.
    pub(crate) fn someone_else(&self) -> Option<&Someone> {
        if self.other.is_none() {
            self.left_out("CEC_TEST_USER_TOKEN names no second user");
        }
        self.other.as_ref()
    }

    /// A path in the folder of the scenario.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("{}/{below}", self.folder)
    }

    /// The same, as the clients want it.
    pub(crate) fn remote(&self, below: &str) -> RemotePath {
        RemotePath::parse(&self.path(below)).expect("a path")
    }

    /// The workspace of the folder.
    pub(crate) fn workspace(&self) -> &str {
        self.folder.split('/').next().unwrap_or_default()
    }

    // Requests. A path is absolute and percent-encoded.

    /// Any request, as it is.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Reply {
        self.try_send(method, path, headers, body).await.expect("an answer")
    }

    /// Any request, as it is; `None` where the connection is closed without an answer.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Option<Reply> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let url = self.url.at(path).expect("a URL");
        let mut request = self.http.request(method, url).headers(header_map(headers));
        if let Some(body) = body {
            request = request.body(body.to_vec());
        }
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Reply { status, headers, body: response.bytes().await.ok()? })
    }

    /// A REST request with a token and a JSON body.
    pub(crate) async fn rest_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Option<Reply> {
        let bearer = format!("Bearer {token}");
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/json"), ("accept", "application/json")];
        let body = body.map(ToString::to_string);
        self.try_send(method, path, &headers, body.as_deref().map(str::as_bytes)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.rest_as(&self.token, "GET", path, None).await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.rest_as(&self.token, "POST", path, Some(body)).await.expect("an answer")
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.rest_as(&self.token, "PUT", path, Some(body)).await.expect("an answer")
    }

    /// A stat of a path, workspace first.
    pub(crate) async fn stat(&self, path: &str) -> Reply {
        self.get(&format!("/a/tree/stat/{}", encoded(path))).await
    }

    /// The node at a path.
    pub(crate) async fn node(&self, path: &str) -> Value {
        let reply = self.stat(path).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.json()["Node"].clone()
    }

    pub(crate) async fn exists(&self, path: &str) -> bool {
        self.stat(path).await.status == 200
    }

    /// A listing or bulk stat.
    pub(crate) async fn bulk(&self, body: &Value) -> Reply {
        self.post("/a/tree/stats", body).await
    }

    /// The visible children of a folder, by name.
    pub(crate) async fn names(&self, folder: &str) -> Vec<String> {
        let reply = self.bulk(&json!({"NodePaths": [format!("{folder}/*")]})).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.names()
    }

    /// Makes a folder, parents included.
    pub(crate) async fn make(&self, path: &str) {
        let reply = self
            .post("/a/tree/create", &json!({"Nodes": [{"Path": path, "Type": "COLLECTION"}], "Recursive": true}))
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Writes a file in the folder of the scenario and gives its ETag.
    pub(crate) async fn write(&self, below: &str, content: impl AsRef<[u8]>) -> String {
        let reply = self.s3("PUT", &self.path(below), "", &[], Some(content.as_ref())).await;
        assert_eq!(reply.status, 200, "{below}: {reply:?}");
        reply.etag()
    }

    /// Reads a file of the folder of the scenario.
    pub(crate) async fn read(&self, below: &str) -> Bytes {
        let reply = self.s3("GET", &self.path(below), "", &[], None).await;
        assert_eq!(reply.status, 200, "{below}: {reply:?}");
        reply.body
    }

    /// Starts a deletion. Never of a workspace: some servers carry that out, with all that is in it.
    pub(crate) async fn delete(&self, paths: &[&str], for_good: bool) -> Reply {
        for path in paths {
            let below = path.trim_matches('/').split_once('/').map_or("", |(_, below)| below);
            assert!(!below.is_empty() && below != "recycle_bin", "a scenario must not delete '{path}'");
        }
        let nodes: Vec<Value> = paths.iter().map(|path| json!({"Path": path})).collect();
        self.post("/a/tree/delete", &json!({"Nodes": nodes, "RemovePermanently": for_good})).await
    }

    /// Removes a node for good and waits until it is gone. A deletion may come to nothing where a job is at work in
    /// the folder: it is asked for again.
    pub(crate) async fn erase(&self, path: &str) {
        let mut asked: Option<Instant> = None;
        self.until(&format!("{path} is gone"), async || {
            if asked.is_none_or(|asked| asked.elapsed() > Duration::from_secs(3)) {
                let reply = self.delete(&[path], true).await;
                assert!(reply.status == 200 || reply.status == 404, "{reply:?}");
                asked = Some(Instant::now());
            }
            !self.exists(path).await
        })
        .await;
    }

    /// Waits until something has come true.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let begun = Instant::now();
        while !holds().await {
            assert!(begun.elapsed() < PATIENCE, "still not true: {what}");
            tokio::time::sleep(LOOK).await;
        }
    }

    // The gateway. A key is a path, workspace first, not encoded.

    /// A signed request to the gateway.
    pub(crate) async fn s3(
        &self,
        method: &str,
        key: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Reply {
        let reads = matches!(method, "GET" | "HEAD");
        let own = format!("{}/", self.folder);
        assert!(reads || key.starts_with(&own) || key.starts_with("no-such-"), "a scenario must not write '{key}'");
        let path = format!("/io/{}{query}", encoded(key));
        self.s3_at(&self.token, SystemTime::now(), method, &path, headers, body).await
    }

    /// A signed request to the gateway: by someone, at some time, to a path as it is.
    pub(crate) async fn s3_at(
        &self,
        token: &str,
        time: SystemTime,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Reply {
        let mut all = header_map(headers);
        let url = self.url.at(path).expect("a URL");
        let parsed = Method::from_bytes(method.as_bytes()).expect("a method");
        all.extend(s3::sign::headers(&parsed, &url, &all, token, time).expect("a signature"));
        let all: Vec<(&str, &str)> =
            all.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
        let empty = matches!(method, "PUT" | "POST").then_some([].as_slice());
        self.send(method, path, &all, body.or(empty)).await
    }

    // The clients of cec.

    pub(crate) fn sender(&self, credentials: Credentials) -> Arc<Sender> {
        clients::sender(self.http.clone(), &self.url, credentials)
    }

    pub(crate) fn api(&self) -> api::Client {
        api::Client::new(self.sender(token(&self.token)))
    }

    pub(crate) fn gateway(&self) -> s3::Client {
        s3::Client::new(self.sender(token(&self.token)))
    }

    pub(crate) fn http(&self) -> Http {
        self.http.clone()
    }

    /// Signs in as a visitor of a public link.
    pub(crate) async fn visit(&self, link: &LinkUrl, password: Option<&str>) -> Result<Visitor, AuthError> {
        let page = LinkPage::fetch(&self.http, link).await?;
        let password = page.password(password.map(|password| password.to_owned().into()))?;
        let tokens = TokenSource::of_link(self.http.clone(), link, &page, password);
        // A wrong password is told here.
        tokens.token(Duration::ZERO).await?;
        let sender = Arc::new(Sender::visiting(self.http.clone(), link.clone(), tokens));
        let client = api::Client::new(sender.clone());
        let view = Some(Arc::new(client.link_view(link.hash(), &page.uuid).await.expect("what the link opens")));
        let s3 = s3::Client::new(sender.clone()).seen_as(view.clone());
        Ok(Visitor { sender, api: client.seen_as(view), s3 })
    }
}

/// A visitor of a public link.
pub(crate) struct Visitor {
    pub(crate) sender: Arc<Sender>,
    pub(crate) api: api::Client,
    pub(crate) s3: s3::Client,
}

/// Percent-encodes each name of a path.
pub(crate) fn encoded(path: &str) -> String {
    path.split('/').map(encode_segment).collect::<Vec<_>>().join("/")
}

fn header_map(headers: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        (name, HeaderValue::from_str(value).expect("a header's value"))
    };
    headers.iter().map(pair).collect()
}

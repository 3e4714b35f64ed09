//! The one HTTP core: a client with the user's proxy, certificates, headers and time-outs; error kinds; retries.

mod body;
pub mod error;
pub mod limit;
pub mod limiter;
pub mod look;
#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;
pub mod proxy;
pub mod redact;
pub mod retry;
mod tls;

pub use body::Upload;
pub use error::{Detail, HttpError, HttpErrorKind};

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use hyper_util::client::proxy::matcher::Matcher;
use proxy::{ProxyVariables, Rules};
use redact::Secrets;
use reqwest::ResponseBuilderExt;
use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;

use crate::account::ServerUrl;
use body::{Gathered, IdleBody, WatchedBody};
use error::{Target, classify};

/// How long a first connection that is refused is tried again: a server that is just being started.
const REFUSED_PATIENCE: Duration = Duration::from_secs(3);

/// The pause between two tries of a refused first connection.
const REFUSED_PAUSE: Duration = Duration::from_millis(250);

/// Idle connections kept for reuse: as many as transfers may run at once, and the small requests beside them.
const POOL_SIZE: usize = limiter::MOST + 48;

/// How long an idle connection is kept: shorter than the server and common proxies keep theirs (60 s and more), so that
/// a request does not meet a connection that is just being closed.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// The longest plain-text answer that is looked into for a TLS port's complaint.
const COMPLAINT_LENGTH: usize = 8 * 1024;

/// Bodies from this size on may lie in buffers for long, in bytes.
const BUFFERED: u64 = 64 * 1024;

/// The most idle time-outs that the answer to a body may take.
const MOST_PATIENCE: u32 = 8;

/// What the user can say about connections.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Accept any certificate.
    pub skip_verify: bool,
    /// A PEM file of further certificate authorities.
    pub ca_cert: Option<PathBuf>,
    /// A PEM file that takes the place of the machine's trust store, as `SSL_CERT_FILE` names it.
    pub trust_file: Option<PathBuf>,
    /// PEM files of a client certificate and its key.
    pub client_identity: Option<(PathBuf, PathBuf)>,
    /// Headers added to every request to the server's own origin.
    pub headers: Vec<(String, String)>,
    /// A proxy for all requests, or nothing (an empty text) for none at all.
    pub proxy: Option<String>,
    /// Without that, the proxies of the environment; if they are not given, or name none, those of the system.
    pub proxy_variables: Option<ProxyVariables>,
    /// The program and its version, for the `User-Agent` header; the system and the processor are added.
    pub user_agent: String,
    /// How long a connection may stay silent.
    pub idle_timeout: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// Where secrets that come from a server are kept, so that nothing shows them.
    pub secrets: Secrets,
}

impl Default for HttpOptions {
    /// Certificates checked, the environment's proxies, 10 s to connect, 90 s of silence (the server itself waits up
    /// to 60 s for a lock).
    fn default() -> Self {
        Self {
            skip_verify: false,
            ca_cert: None,
            trust_file: None,
            client_identity: None,
            headers: Vec::new(),
            proxy: None,
            proxy_variables: None,
            user_agent: concat!("cells-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            idle_timeout: Duration::from_secs(90),
            connect_timeout: Duration::from_secs(10),
            secrets: Secrets::default(),
        }
    }
}

/// How one request is sent, where it differs from the usual.
#[derive(Debug, Clone, Default)]
pub struct SendOptions {
    /// The shortest idle time-out that makes sense here, for answers that the server takes long over.
    pub least_idle: Option<Duration>,
    /// Where the progress of the request's body is reported.
    pub upload: Option<Arc<Upload>>,
    /// Give a redirect as an answer instead of an error.
    pub redirect_is_answer: bool,
}

/// The HTTP core. Cheap to clone; all clones share one pool of connections.
///
/// Nothing is followed, nothing is retried but a first connection that is refused (for at most 3 s). A request or an
/// answer whose body has not moved for the idle time-out fails; there is no limit on a whole transfer.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    shared: Arc<Shared>,
}

struct Shared {
    headers: HeaderMap,
    idle: Duration,
    proxies: Proxies,
    reached: AtomicBool,
    /// Whether a server has given a right answer.
    worked: AtomicBool,
    secrets: Secrets,
    /// Makes a client that keeps no connections.
    careful: Box<dyn Fn() -> reqwest::Result<reqwest::Client> + Send + Sync>,
    /// That client, once it is needed.
    in_use: OnceLock<reqwest::Client>,
    /// How many idle time-outs an answer may take whose request's body was handed over: what is on the way between
    /// buffers of this machine does not move for us.
    patience: AtomicU32,
    long_answers: limit::LongAnswers,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("idle", &self.idle).field("in_use", &self.in_use).finish_non_exhaustive()
    }
}

impl Http {
    /// Builds the client. Nothing is connected, and the machine's certificates are not read before they are needed.
    ///
    /// # Errors
    /// [`HttpErrorKind::Request`] for a certificate file that cannot be used, a malformed header or proxy.
    pub fn new(options: &HttpOptions) -> Result<Self, HttpError> {
        let (tls, connect_timeout) = (tls::config(options)?, options.connect_timeout);
        let agent = format!("{} ({}; {})", options.user_agent, std::env::consts::OS, std::env::consts::ARCH);
        let agent = HeaderValue::from_str(&agent)
            .map_err(|_| HttpError::new(HttpErrorKind::Request, "the user agent contains invalid characters"))?;
        let (proxies, route) = Proxies::choose(options)?;
        let client_with = move |kept_connections| {
            let builder = builder(agent.clone(), connect_timeout).tls_backend_preconfigured(tls.clone());
            let builder = match &route {
                Route::OfSystem => builder,
                Route::Direct => builder.no_proxy(),
                Route::Through(proxy) => builder.proxy((**proxy).clone()),
            };
            builder.pool_max_idle_per_host(kept_connections).build()
        };
        let client = client_with(POOL_SIZE).map_err(|error| {
            let target = Target::nowhere();
            HttpError::new(HttpErrorKind::Request, classify(error, &target).message)
        })?;
        let shared = Shared {
            headers: extra_headers(&options.headers)?,
            idle: options.idle_timeout,
            proxies,
            reached: AtomicBool::new(false),
            worked: AtomicBool::new(false),
            careful: Box::new(move || client_with(0)),
            in_use: OnceLock::new(),
            secrets: options.secrets.clone(),
            patience: AtomicU32::new(1),
            long_answers: limit::LongAnswers::default(),
        };
        Ok(Self { client, shared: Arc::new(shared) })
    }

    /// Notes that a server has given a right answer.
    pub fn note_right_answer(&self) {
        self.shared.worked.store(true, Ordering::Relaxed);
    }

    /// Whether a server has given a right answer. What is no answer of a Cells server is final before, for the URL is
    /// wrong; after it, it is a balancer's page or an answer that went astray, which may pass.
    pub fn has_worked(&self) -> bool {
        self.shared.worked.load(Ordering::Relaxed)
    }

    fn client(&self) -> &reqwest::Client {
        self.shared.in_use.get().unwrap_or(&self.client)
    }

    /// Uses no connection for a second request any more. For a proxy that mixes up answers, so that one of them has come
    /// to another request: whatever else is on its way on a connection, nobody takes it for an answer of his.
    pub fn stop_reuse(&self) {
        if self.shared.in_use.get().is_some() {
            return;
        }
        tracing::warn!("an answer belongs to another request: each request now uses its own connection");
        // The same settings have made a client before.
        if let Ok(client) = (self.shared.careful)() {
            let _ = self.shared.in_use.set(client);
        }
    }

    /// Remembers a secret that a server gave, so that no message and no line of the log shows it.
    pub fn keep_secret(&self, secret: &SecretString) {
        self.shared.secrets.keep(secret);
    }

    /// Starts a request to any URL, without the user's extra headers; redirects are never followed.
    pub fn request(&self, method: Method, url: Url) -> reqwest::RequestBuilder {
        self.client().request(method, url)
    }

    /// Starts a request to the account's own server, with the user's extra headers. `path` is absolute,
    /// percent-encoded, and may carry a query.
    ///
    /// # Errors
    /// [`HttpErrorKind::Request`] if the path does not make a URL.
    pub fn server_request(
        &self,
        method: Method,
        server: &ServerUrl,
        path: &str,
    ) -> Result<reqwest::RequestBuilder, HttpError> {
        let url = server.at(path).map_err(|error| HttpError::new(HttpErrorKind::Request, error.to_string()))?;
        Ok(self.client().request(method, url).headers(self.shared.headers.clone()))
    }

    /// Sends one attempt. Any answer at all is Ok, whatever its status; a redirect is an error. The answer's body
    /// fails once it has been silent for the idle time-out.
    ///
    /// # Errors
    /// See [`HttpErrorKind`].
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, HttpError> {
        self.send_with(request, &SendOptions::default()).await
    }

    /// [`Http::send`] with its options.
    ///
    /// # Errors
    /// See [`HttpErrorKind`].
    pub async fn send_with(
        &self,
        request: reqwest::RequestBuilder,
        options: &SendOptions,
    ) -> Result<reqwest::Response, HttpError> {
        let started = Instant::now();
        let mut request = request;
        loop {
            let is_reached = self.shared.reached.load(Ordering::Relaxed);
            let again = if is_reached { None } else { request.try_clone() };
            let error = match self.attempt(request, options).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let may_start_up = error.kind == HttpErrorKind::Connect && !self.shared.reached.load(Ordering::Relaxed);
            match again {
                Some(next) if may_start_up && started.elapsed() + REFUSED_PAUSE < REFUSED_PATIENCE => request = next,
                _ => return Err(error),
            }
            tokio::time::sleep(REFUSED_PAUSE).await;
        }
    }

    async fn attempt(
        &self,
        request: reqwest::RequestBuilder,
        options: &SendOptions,
    ) -> Result<reqwest::Response, HttpError> {
        let mut request = request.build().map_err(|error| classify(error, &Target::nowhere()))?;
        let (method, url) = (request.method().clone(), request.url().clone());
        let upload = options.upload.clone().unwrap_or_default();
        watch_body(&mut request, &upload);
        let idle = options.least_idle.unwrap_or_default().max(self.shared.idle);
        let started = Instant::now();
        let result = tokio::select! {
            result = self.client().execute(request) => match result {
                Ok(response) => Ok(response),
                Err(error) => Err(self.explain(error, &url).await),
            },
            () = stalled(&upload, started, idle, &self.shared.patience) => Err(error::timeout(false, &self.target(&url))),
        };
        log(&method, &url, started, result.as_ref());
        let response = result?;
        self.shared.reached.store(true, Ordering::Relaxed);
        self.judge(with_idle_body(response, &url, idle), options).await
    }

    /// What a failed request means. At the first contact over plain HTTP, something that is no HTTP is most likely TLS:
    /// that is looked at.
    async fn explain(&self, error: reqwest::Error, url: &Url) -> HttpError {
        let target = self.target(url);
        let is_first = url.scheme() == "http" && !target.reached_before && target.proxy.is_none();
        if is_first && error::is_no_http(&error) && look::speaks_tls(url).await {
            return error::tls_port(&target);
        }
        classify(error, &target)
    }

    /// Sorts out the answers that no caller may take for the server's: redirects, a TLS port's complaint, a proxy
    /// that wants a password.
    async fn judge(&self, response: reqwest::Response, options: &SendOptions) -> Result<reqwest::Response, HttpError> {
        let status = response.status();
        if status.is_redirection()
            && !options.redirect_is_answer
            && let Some(location) = response.headers().get(LOCATION)
        {
            return Err(redirect(response.url(), location));
        }
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(HttpError::new(HttpErrorKind::Proxy, "the proxy requires a user name and a password")
                .detail(Detail::ProxyCredentials));
        }
        if status == StatusCode::BAD_REQUEST && response.url().scheme() == "http" && may_be_complaint(&response) {
            return self.without_complaint(response).await;
        }
        Ok(response)
    }

    /// A TLS port answers plain HTTP with a 400 and a sentence; any other 400 is given back whole.
    async fn without_complaint(&self, response: reqwest::Response) -> Result<reqwest::Response, HttpError> {
        let url = response.url().clone();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(response, COMPLAINT_LENGTH).await?;
        let text = String::from_utf8_lossy(&body);
        if text.contains("to an HTTPS server") || text.contains("to HTTPS port") {
            return Err(error::tls_port(&self.target(&url)));
        }
        let mut parts = http::Response::builder().status(status).url(url);
        if let Some(map) = parts.headers_mut() {
            *map = headers;
        }
        let whole = parts
            .body(reqwest::Body::from(body))
            .map_err(|error| HttpError::new(HttpErrorKind::Closed, error.to_string()))?;
        Ok(whole.into())
    }

    /// Reads an answer's body, at most `limit` bytes of it: the rest is left out without a word.
    ///
    /// # Errors
    /// The connection was closed early or stopped responding.
    pub async fn read(&self, response: reqwest::Response, limit: usize) -> Result<Bytes, HttpError> {
        let mut stream = std::pin::pin!(self.stream(response));
        let mut gathered = Gathered::default();
        while let Some(chunk) = stream.next().await {
            gathered.add(chunk?);
            if gathered.len() >= limit {
                break;
            }
        }
        let mut body = gathered.whole();
        body.truncate(limit);
        Ok(body)
    }

    /// Reads an answer's body that is needed as a whole, at most `limit` bytes of it. Of long ones there is only one in
    /// memory at a time: the next is read once nothing of the one before is left. So who asks for another answer must
    /// not keep this one.
    ///
    /// # Errors
    /// [`HttpErrorKind::TooLarge`] for a longer one, and for JSON that would take too much memory; as [`Http::read`].
    pub async fn read_whole(&self, response: reqwest::Response, limit: usize) -> Result<Bytes, HttpError> {
        let mut stream = std::pin::pin!(self.stream(response));
        let mut gathered = Gathered::default();
        let mut turn = None;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            let length = gathered.len() + chunk.len();
            if length > limit {
                let longest = limit / (1024 * 1024);
                return Err(limit::too_large(&format!("the answer is longer than {longest} MiB")));
            }
            if length > limit::SHORT_ANSWER && turn.is_none() {
                turn = Some(self.shared.long_answers.turn().await?);
            }
            gathered.add(chunk);
        }
        let body = gathered.whole();
        limit::check_weight(&body)?;
        Ok(match turn {
            Some(turn) => turn.with(body),
            None => body,
        })
    }

    /// An answer's body as it arrives.
    pub fn stream(&self, response: reqwest::Response) -> impl Stream<Item = Result<Bytes, HttpError>> + Send + use<> {
        let target = self.target(response.url());
        response.bytes_stream().map(move |chunk| chunk.map_err(|error| classify(error, &target)))
    }

    fn target(&self, url: &Url) -> Target {
        let mut target = Target::of(url, self.shared.reached.load(Ordering::Relaxed));
        target.proxy = self.shared.proxies.authority_for(url);
        target
    }
}

/// All that the clients of one [`Http`] have in common.
fn builder(agent: HeaderValue, connect_timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(agent)
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
}

fn watch_body(request: &mut reqwest::Request, upload: &Arc<Upload>) {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(inner) = request.body_mut().take() {
        let known = http_body::Body::size_hint(&inner).exact();
        let watched = WatchedBody { inner, expected: declared.or(known), upload: upload.clone() };
        *request.body_mut() = Some(reqwest::Body::wrap(watched));
    }
}

/// Ends once neither the request's body has moved nor an answer has come for `idle`: this covers uploads that stall
/// while writing as well as servers that never answer. After a body of some size it is `patience` times as long, and that
/// doubles each time that it was not enough.
async fn stalled(upload: &Upload, started: Instant, idle: Duration, patience: &AtomicU32) {
    loop {
        let is_sent = upload.is_whole() && upload.handed_over() >= BUFFERED;
        let times = if is_sent { patience.load(Ordering::Relaxed) } else { 1 };
        let until = upload.last_move().max(started) + idle * times;
        if Instant::now() >= until {
            if is_sent {
                patience.fetch_max((times * 2).min(MOST_PATIENCE), Ordering::Relaxed);
            }
            return;
        }
        tokio::time::sleep_until(until).await;
    }
}

fn with_idle_body(response: reqwest::Response, url: &Url, idle: Duration) -> reqwest::Response {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    let mut builder = http::Response::builder().status(parts.status).version(parts.version).url(url.clone());
    if let Some(headers) = builder.headers_mut() {
        *headers = parts.headers;
    }
    if let Some(extensions) = builder.extensions_mut() {
        extensions.extend(parts.extensions);
    }
    let body = reqwest::Body::wrap(IdleBody::new(body, idle));
    // Nothing in these parts can fail: they come from an answer that was parsed.
    builder.body(body).unwrap_or_else(|_| http::Response::new(reqwest::Body::default())).into()
}

fn may_be_complaint(response: &reqwest::Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("text/plain");
    kind.starts_with("text/")
}

fn redirect(from: &Url, location: &HeaderValue) -> HttpError {
    let text = String::from_utf8_lossy(location.as_bytes());
    let Ok(to) = from.join(&text) else {
        return HttpError::new(HttpErrorKind::Redirect, "the server redirects to something that is not a URL");
    };
    let error = HttpError::new(
        HttpErrorKind::Redirect,
        format!("the server redirects to {}; the redirect is not followed", redact::url(&to)),
    );
    if to.path() == from.path() && redact::origin(&to) != redact::origin(from) {
        return error.detail(Detail::RedirectToServer(redact::origin(&to)));
    }
    if redact::origin(&to) != redact::origin(from) {
        return error.detail(Detail::RedirectElsewhere);
    }
    error
}

fn log(method: &Method, url: &Url, started: Instant, result: Result<&reqwest::Response, &HttpError>) {
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (path, query) = (url.path(), redact::query(url));
    let query = query.as_deref();
    match result {
        Ok(response) => {
            tracing::debug!(%method, path, query, status = response.status().as_u16(), millis, "answer");
        }
        Err(error) => tracing::debug!(%method, path, query, error = %error, millis, "no answer"),
    }
}

/// The way of the client's requests.
#[derive(Debug)]
enum Route {
    /// As the system says.
    OfSystem,
    /// Without a proxy.
    Direct,
    /// As this proxy says, which may let some go directly.
    Through(Box<reqwest::Proxy>),
}

/// How proxies are chosen.
#[derive(Debug)]
enum Proxies {
    /// As the user says, or as the system does.
    Matched(Box<Matcher>),
    /// As the environment says.
    Rules(Arc<Rules>),
}

impl Proxies {
    /// What the options say, for messages and for the client.
    fn choose(options: &HttpOptions) -> Result<(Self, Route), HttpError> {
        let variables = options.proxy_variables.as_ref().filter(|variables| !variables.is_empty());
        match (options.proxy.as_deref().map(str::trim), variables) {
            (Some(""), _) => Ok((Self::Matched(Box::new(Matcher::builder().build())), Route::Direct)),
            (Some(text), _) => {
                let url = proxy::parse(text)?;
                let unusable = |_| HttpError::new(HttpErrorKind::Request, "the proxy cannot be used: not a proxy URL");
                let through = reqwest::Proxy::all(url.as_str()).map_err(unusable)?;
                Ok((
                    Self::Matched(Box::new(Matcher::builder().all(String::from(url)).build())),
                    Route::Through(Box::new(through)),
                ))
            }
            (None, Some(variables)) => {
                let rules = Arc::new(Rules::of(variables));
                let chosen = Arc::clone(&rules);
                let through = reqwest::Proxy::custom(move |url| chosen.proxy_for(url).cloned());
                Ok((Self::Rules(rules), Route::Through(Box::new(through))))
            }
            (None, None) => Ok((Self::Matched(Box::new(Matcher::from_system())), Route::OfSystem)),
        }
    }

    /// `host:port` of the proxy for a URL.
    fn authority_for(&self, url: &Url) -> Option<String> {
        match self {
            Self::Rules(rules) => rules.proxy_for(url).map(|proxy| {
                let host = proxy.host_str().unwrap_or_default();
                proxy.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
            }),
            Self::Matched(matcher) => {
                let intercept = matcher.intercept(&url.as_str().parse().ok()?)?;
                let text = intercept.uri().authority()?.as_str();
                Some(text.rsplit_once('@').map_or(text, |(_, host)| host).to_owned())
            }
        }
    }
}

/// Headers that this program sets itself, or that would break the framing of its requests.
const OWN_HEADERS: [&str; 9] = [
    "authorization",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "accept",
    "accept-encoding",
    "x-amz-date",
    "x-amz-content-sha256",
];

fn extra_headers(pairs: &[(String, String)]) -> Result<HeaderMap, HttpError> {
    let mut map = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let wrong = |why: &str| {
            HttpError::new(HttpErrorKind::Request, format!("the header '{}' cannot be sent: {why}", name.trim()))
        };
        let header = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong("not a header name"))?;
        if OWN_HEADERS.contains(&header.as_str()) {
            return Err(wrong("this program sets it itself"));
        }
        let mut value =
            HeaderValue::from_str(value.trim()).map_err(|_| wrong("its value contains invalid characters"))?;
        value.set_sensitive(true);
        map.append(header, value);
    }
    Ok(map)
}

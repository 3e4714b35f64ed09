//! The shared HTTP client, with the user's proxy, certificates, headers and time-outs; error kinds; retries.

mod body;
pub mod diagnosis;
pub mod error;
pub mod limit;
pub mod limiter;
pub mod pace;
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
use pace::Pace;
use proxy::{ProxyVariables, Rules};
use redact::Secrets;
use reqwest::ResponseBuilderExt;
use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;

use crate::account::ServerUrl;
use body::{Gathered, IdleBody, WatchedBody};
use error::{Target, classify};

/// How long a refused first connection is retried, because the server may be starting.
const REFUSED_PATIENCE: Duration = Duration::from_secs(3);

/// The pause between two attempts of a refused first connection.
const REFUSED_PAUSE: Duration = Duration::from_millis(250);

/// The number of idle connections to keep: as many as transfers may run at a time, and some for small requests.
const POOL_SIZE: usize = limiter::MOST + 48;

/// How long an idle connection is kept. The server and common proxies keep theirs longer (60 s and more), so a request
/// never meets a connection that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// The longest plain-text answer that is searched for the error of a TLS port, in bytes.
const COMPLAINT_LENGTH: usize = 8 * 1024;

/// Bodies of at least this size, in bytes, may stay in network buffers for a long time.
const BUFFERED: u64 = 64 * 1024;

/// The maximum factor for the idle time-out of the answer to a body.
const MOST_PATIENCE: u32 = 8;

/// The user's settings for connections.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Accept any certificate.
    pub skip_verify: bool,
    /// A PEM file with additional certificate authorities.
    pub ca_cert: Option<PathBuf>,
    /// A PEM file that replaces the machine's trust store, as in `SSL_CERT_FILE`.
    pub trust_file: Option<PathBuf>,
    /// PEM files of a client certificate and of its key.
    pub client_identity: Option<(PathBuf, PathBuf)>,
    /// Headers for all requests to the server's own origin.
    pub headers: Vec<(String, String)>,
    /// A proxy for all requests. An empty text means no proxy.
    pub proxy: Option<String>,
    /// The proxies of the environment, used if `proxy` is `None`. Without any, the system's settings apply.
    pub proxy_variables: Option<ProxyVariables>,
    /// The program and its version for the `User-Agent` header. The system and the processor are added.
    pub user_agent: String,
    /// How long a connection may be silent.
    pub idle_timeout: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// The secrets from the server, which no message may show.
    pub secrets: Secrets,
    /// The limits of the run.
    pub pace: Pace,
}

impl Default for HttpOptions {
    /// Certificates are checked, the environment's proxies are used, 10 s to connect, 90 s of silence (the server
    /// itself waits up to 60 s for a lock).
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
            pace: Pace::default(),
        }
    }
}

/// Options of one request.
#[derive(Debug, Clone, Default)]
pub struct SendOptions {
    /// The shortest idle time-out, for answers that take the server long.
    pub least_idle: Option<Duration>,
    /// Receives the progress of the request's body.
    pub upload: Option<Arc<Upload>>,
    /// Return a redirect as an answer instead of an error.
    pub redirect_is_answer: bool,
}

/// The HTTP client. Cheap to clone; all clones share one pool of connections.
///
/// Redirects are not followed, and only a refused first connection is retried, for at most 3 s. A request or an answer
/// fails if its body does not move for the idle time-out. A transfer as such has no time limit.
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
    /// Whether a server has sent a valid answer.
    worked: AtomicBool,
    secrets: Secrets,
    pace: Pace,
    /// Creates a client that keeps no connections.
    careful: Box<dyn Fn() -> reqwest::Result<reqwest::Client> + Send + Sync>,
    /// That client, once it is needed.
    in_use: OnceLock<reqwest::Client>,
    /// The factor for the idle time-out after a body was passed to the connection: data in the buffers of this machine
    /// may be moving without notice.
    patience: AtomicU32,
    long_answers: limit::LongAnswers,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("idle", &self.idle).field("in_use", &self.in_use).finish_non_exhaustive()
    }
}

impl Http {
    /// Creates the client. Nothing is connected, and the machine's certificates are not read until they are needed.
    ///
    /// # Errors
    /// [`HttpErrorKind::Request`] if a certificate file cannot be used, or a header or proxy is not valid.
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
            pace: options.pace.clone(),
            patience: AtomicU32::new(1),
            long_answers: limit::LongAnswers::default(),
        };
        Ok(Self { client, shared: Arc::new(shared) })
    }

    /// Records that a server has sent a valid answer.
    pub fn note_right_answer(&self) {
        self.shared.worked.store(true, Ordering::Relaxed);
    }

    /// Whether a server has sent a valid answer. Before that, an answer that is not from a Cells server is final,
    /// because the URL is wrong. After that, it may be temporary: a load balancer's page, or an answer to another
    /// request.
    pub fn has_worked(&self) -> bool {
        self.shared.worked.load(Ordering::Relaxed)
    }

    fn client(&self) -> &reqwest::Client {
        self.shared.in_use.get().unwrap_or(&self.client)
    }

    /// Stops reusing connections, for a proxy that has returned the answer to another request: more misplaced answers
    /// may be on their way, and on a fresh connection nobody receives them.
    pub fn stop_reuse(&self) {
        if self.shared.in_use.get().is_some() {
            return;
        }
        tracing::warn!("an answer belongs to another request: each request now uses its own connection");
        // The same settings have created a client before, so this does not fail.
        if let Ok(client) = (self.shared.careful)() {
            let _ = self.shared.in_use.set(client);
        }
    }

    /// Registers a secret from a server, so that no message and no log line shows it.
    pub fn keep_secret(&self, secret: &SecretString) {
        self.shared.secrets.keep(secret);
    }

    /// Starts a request to any URL, without the user's extra headers. Redirects are never followed.
    pub fn request(&self, method: Method, url: Url) -> reqwest::RequestBuilder {
        self.client().request(method, url)
    }

    /// Starts a request to the account's server, with the user's extra headers. `path` is absolute, percent-encoded,
    /// and may have a query.
    ///
    /// # Errors
    /// [`HttpErrorKind::Request`] if the path does not result in a URL.
    pub fn server_request(
        &self,
        method: Method,
        server: &ServerUrl,
        path: &str,
    ) -> Result<reqwest::RequestBuilder, HttpError> {
        let url = server.at(path).map_err(|error| HttpError::new(HttpErrorKind::Request, error.to_string()))?;
        Ok(self.client().request(method, url).headers(self.shared.headers.clone()))
    }

    /// Sends one attempt. Returns any answer, whatever its status, except for a redirect, which is an error. The body
    /// of the answer fails after the idle time-out.
    ///
    /// # Errors
    /// See [`HttpErrorKind`].
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, HttpError> {
        self.send_with(request, &SendOptions::default()).await
    }

    /// Like [`Http::send`], with options.
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
        watch_body(&mut request, &upload, &self.shared.pace);
        self.shared.pace.request().await;
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
        self.judge(with_watched_body(response, &url, idle, &self.shared.pace), options).await
    }

    /// Determines the meaning of a failed request. If the first answer over plain HTTP is not HTTP, checks whether the
    /// port speaks TLS.
    async fn explain(&self, error: reqwest::Error, url: &Url) -> HttpError {
        let target = self.target(url);
        let is_first = url.scheme() == "http" && !target.reached_before && target.proxy.is_none();
        if is_first && error::is_no_http(&error) && diagnosis::speaks_tls(url).await {
            return error::tls_port(&target);
        }
        classify(error, &target)
    }

    /// Turns answers that no caller must treat as the server's into errors: redirects, a TLS port's error message, a
    /// proxy that requires a password.
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

    /// Turns a TLS port's answer to plain HTTP, a 400 with a sentence, into an error. Returns any other answer
    /// unchanged.
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

    /// Reads at most `limit` bytes of an answer's body, and silently drops the rest.
    ///
    /// # Errors
    /// The connection was closed early or is silent.
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

    /// Reads the complete body of an answer, at most `limit` bytes. Only one long body is in memory at a time: the next
    /// one is read after the previous one was dropped. So a caller must not keep one answer while it requests another.
    ///
    /// # Errors
    /// [`HttpErrorKind::TooLarge`] if it is longer, or is JSON that would need too much memory; as [`Http::read`].
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

    /// Returns an answer's body as a stream.
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

/// Returns the settings that all clients of one [`Http`] share.
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

fn watch_body(request: &mut reqwest::Request, upload: &Arc<Upload>, pace: &Pace) {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(inner) = request.body_mut().take() {
        let known = http_body::Body::size_hint(&inner).exact();
        let inner = pace.outgoing(inner);
        let watched = WatchedBody { inner, expected: declared.or(known), upload: upload.clone() };
        *request.body_mut() = Some(reqwest::Body::wrap(watched));
    }
}

/// Completes once neither the request's body has moved nor an answer has arrived for `idle`. This covers uploads that
/// stall as well as servers that never answer. After a large body the time is multiplied by `patience`, which doubles
/// each time that it was not enough.
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

fn with_watched_body(response: reqwest::Response, url: &Url, idle: Duration, pace: &Pace) -> reqwest::Response {
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
    // The limit outside, so that its pauses do not count as silence.
    let body = pace.incoming(reqwest::Body::wrap(IdleBody::new(body, idle)));
    // This cannot fail: the parts come from an answer that was parsed.
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

/// The route of the client's requests.
#[derive(Debug)]
enum Route {
    /// According to the system.
    OfSystem,
    /// Without a proxy.
    Direct,
    /// Through this proxy, which may exempt some hosts.
    Through(Box<reqwest::Proxy>),
}

/// The source of proxies.
#[derive(Debug)]
enum Proxies {
    /// The user's proxy, or the system's.
    Matched(Box<Matcher>),
    /// The environment's rules.
    Rules(Arc<Rules>),
}

impl Proxies {
    /// Selects the proxies for messages and the route for the client.
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

    /// Returns `host:port` of the proxy for a URL.
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

/// Headers that this program sets itself, or that would break the framing of requests.
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

//! The listener that the browser is redirected to after a sign-in.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, REFERRER_POLICY};
use http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::{Attempt, CALLBACK_PATH, Code, OAuthError};

/// How long a connection may take. Browsers open some that they never use.
const CONNECTION_LIMIT: Duration = Duration::from_secs(330);

/// How long sending the last page to the browser may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// The pause after a connection that could not be accepted, for example because there are no free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on this machine for the redirected browser.
#[derive(Debug)]
pub struct Listener {
    v4: TcpListener,
    /// `None` if the machine has no IPv6.
    v6: Option<TcpListener>,
    port: u16,
}

/// A redirected browser: the code, and the connection that waits for a page.
#[derive(Debug)]
pub struct Return {
    /// The code, or why there is none.
    pub code: Result<Code, OAuthError>,
    page: oneshot::Sender<Page>,
}

/// The page that the browser shows at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Whether the sign-in succeeded.
    pub success: bool,
    /// The heading.
    pub title: String,
    /// The text below the heading.
    pub text: String,
}

impl Listener {
    /// Opens a port on both loopback addresses; 0 selects any free port. Browsers prefer the IPv6 address, so a program
    /// with the same port there would receive the code. Therefore both must be free.
    ///
    /// # Errors
    /// The port is in use on one of the addresses.
    pub async fn bind(port: u16) -> io::Result<Self> {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = v4.local_addr()?.port();
        let v6 = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(listener) => Some(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            // This machine has no IPv6, and systems report that in many ways. Then browsers have none either.
            Err(_) => None,
        };
        Ok(Self { v4, v6, port })
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the addresses of the listener.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        [Some(&self.v4), self.v6.as_ref()].into_iter().flatten().filter_map(|one| one.local_addr().ok()).collect()
    }

    /// Serves requests until the browser returns from this sign-in: only a GET of the callback for `localhost` and this
    /// port, with the right state, ends the wait. All other requests get a 404.
    pub async fn wait(&self, attempt: &Arc<Attempt>) -> Returned {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                Some(arrival) = receiver.recv() => return Returned { arrival, connections },
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok(stream) => {
                    let server =
                        CallbackServer { attempt: Arc::clone(attempt), port: self.port, sender: sender.clone() };
                    connections.spawn(serve(stream, server));
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        let v6 = async {
            match &self.v6 {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        let (stream, _) = tokio::select! {
            accepted = self.v4.accept() => accepted?,
            accepted = v6 => accepted?,
        };
        Ok(stream)
    }
}

/// A redirected browser that waits for its last page.
#[derive(Debug)]
pub struct Returned {
    arrival: Return,
    connections: JoinSet<()>,
}

impl Returned {
    /// Returns the code, and the means to answer the browser.
    pub fn into_parts(self) -> (Result<Code, OAuthError>, WaitingBrowser) {
        (self.arrival.code, WaitingBrowser { page: self.arrival.page, connections: self.connections })
    }
}

/// The page that the browser still waits for. If this is dropped, the connection closes.
#[derive(Debug)]
pub struct WaitingBrowser {
    page: oneshot::Sender<Page>,
    connections: JoinSet<()>,
}

impl WaitingBrowser {
    /// Sends the page, and waits briefly until it has arrived.
    pub async fn show(mut self, page: Page) {
        if self.page.send(page).is_err() {
            // The browser has closed the connection.
            return;
        }
        let all = async { while self.connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, all).await;
    }
}

/// The state that every connection needs.
struct CallbackServer {
    attempt: Arc<Attempt>,
    port: u16,
    sender: mpsc::Sender<Return>,
}

async fn serve(stream: TcpStream, server: CallbackServer) {
    let server = Arc::new(server);
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(server.answer(&request).await) }
    });
    let connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_LIMIT, connection).await {
        tracing::debug!(%error, "a connection of the browser ended early");
    }
}

impl CallbackServer {
    async fn answer(&self, request: &Request<Incoming>) -> Response<http_body_util::Full<Bytes>> {
        let host = request.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_callback = request.method() == Method::GET
            && request.uri().path() == CALLBACK_PATH
            && host == format!("localhost:{}", self.port);
        if !is_callback {
            return not_found();
        }
        let code = match self.attempt.read_query(request.uri().query().unwrap_or_default()) {
            Err(OAuthError::OtherState | OAuthError::NoCode(_)) => return not_found(),
            read => read,
        };
        let (page, shown) = oneshot::channel();
        // Another tab may have been first, and then the receiver is gone.
        if self.sender.try_send(Return { code, page }).is_err() {
            return not_found();
        }
        match shown.await {
            Ok(page) => response(StatusCode::OK, "text/html; charset=utf-8", page.html()),
            Err(_) => response(StatusCode::OK, "text/plain; charset=utf-8", "The sign-in was canceled.\n".to_owned()),
        }
    }
}

fn not_found() -> Response<http_body_util::Full<Bytes>> {
    response(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "Not found.\n".to_owned())
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<http_body_util::Full<Bytes>> {
    let mut response = Response::new(http_body_util::Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    // The URL of this page contains the code, so it must not be cached or sent to other sites.
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Page {
    fn html(&self) -> String {
        let (mark, colour) = if self.success { ("&#10003;", "#1b7f3b") } else { ("&#10007;", "#b3261e") };
        let (title, text) = (escape(&self.title), escape(&self.text));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>\n\
             body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 30rem; margin: 18vh auto; padding: 0 1rem; \
             text-align: center }}\n\
             .mark {{ font-size: 3rem; color: {colour} }}\n\
             h1 {{ font-size: 1.4rem; margin: .5rem 0 }}\n\
             p {{ overflow-wrap: anywhere }}\n</style>\n</head>\n<body>\n\
             <div class=\"mark\">{mark}</div>\n<h1>{title}</h1>\n<p>{text}</p>\n</body>\n</html>\n"
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

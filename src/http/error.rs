//! What can go wrong below an HTTP answer.

/// The kinds of failure without a usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpErrorKind {
    /// The name does not resolve.
    Dns,
    /// Nothing listens, or the connection could not be made.
    Connect,
    /// TLS was refused: certificate, name, protocol.
    Tls,
    /// Connecting or an idle connection took too long.
    Timeout,
    /// The connection was closed or reset before the answer was whole.
    Closed,
    /// The server redirects; nothing is followed.
    Redirect,
    /// The proxy refused or could not be reached.
    Proxy,
    /// A request that could not be built (bad header, unreadable certificate file).
    Request,
}

/// A failure without a usable answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    /// What kind of failure it is.
    pub kind: HttpErrorKind,
    /// The cause in words, without secrets.
    pub message: String,
    /// What the user can do, where there is something to say.
    pub hint: Option<String>,
}

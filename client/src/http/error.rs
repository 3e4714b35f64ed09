//! Failures without a usable HTTP answer.

use std::error::Error;
use std::io;
use std::sync::Arc;

use super::redact;
use super::retry::{Advice, Retryable};
use super::tls;

/// The kinds of failures without a usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpErrorKind {
    /// The name cannot be resolved.
    Dns,
    /// The connection was refused or could not be established.
    Connect,
    /// TLS failed: certificate, name, protocol.
    Tls,
    /// Connecting took too long, or the connection was silent for too long.
    Timeout,
    /// The connection was closed or reset before the answer was complete.
    Closed,
    /// The server redirects. Redirects are never followed.
    Redirect,
    /// The proxy refused, or is unreachable.
    Proxy,
    /// The request could not be created (bad header, unreadable certificate file).
    Request,
    /// A required local file does not exist.
    NoFile,
    /// The answer exceeds the memory limit.
    TooLarge,
}

/// A failure without a usable answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    /// What kind of failure it is.
    pub kind: HttpErrorKind,
    /// The cause in words, without secrets.
    pub message: String,
    /// Details beyond the kind.
    pub detail: Option<Detail>,
    /// Whether another attempt may succeed.
    pub transient: bool,
    /// Whether certainly no byte of the request was sent.
    pub unsent: bool,
    /// The underlying failure, for the log.
    #[source]
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

/// Details of a failure, from which a caller can derive what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// The token contains characters that tokens never have.
    MalformedToken,
    /// The answer is larger than any answer of a Cells server.
    AnswerTooLarge,
    /// The proxy requires a user name and a password.
    ProxyCredentials,
    /// The proxy is unreachable, or refuses.
    ProxySettings,
    /// The URL of a proxy is not valid.
    ProxyUrl,
    /// A redirect to the same page of another server, with this origin.
    RedirectToServer(String),
    /// A redirect to a page of another server, such as a sign-in page.
    RedirectElsewhere,
    /// The server's name cannot be resolved.
    NameUnresolved,
    /// The server's name cannot be resolved, according to a separate look-up.
    NoAddress,
    /// Connecting took too long.
    ConnectTimeout,
    /// The server was silent for too long.
    Silence,
    /// The connection was closed during the handshake.
    ClosedInHandshake,
    /// No connection can be established.
    NoConnection,
    /// The server may expect TLS; the URL with https.
    MayBeTls(String),
    /// The answer is not HTTP.
    NotHttp,
    /// The server expects TLS; the URL with https.
    TlsPort(String),
    /// The server does not use TLS; the URL with http.
    NoTls(String),
    /// The certificate was not signed by a trusted authority.
    UnknownIssuer,
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate is not valid yet.
    CertificateNotYetValid,
    /// The certificate is for another name.
    CertificateName,
    /// The certificate is that of an authority.
    CertificateOfAuthority,
    /// The certificate's signature does not match the trusted authority.
    CertificateSignature,
    /// The certificate is not valid for anybody.
    CertificateUnusable,
    /// A client certificate is missing or was refused.
    ClientCertificate,
    /// The private key is encrypted.
    EncryptedKey,
}

impl HttpError {
    /// Creates a failure. Connection faults count as transient.
    pub fn new(kind: HttpErrorKind, message: impl Into<String>) -> Self {
        let transient = matches!(
            kind,
            HttpErrorKind::Dns | HttpErrorKind::Connect | HttpErrorKind::Timeout | HttpErrorKind::Closed
        );
        let unsent = !matches!(
            kind,
            HttpErrorKind::Timeout
                | HttpErrorKind::Closed
                | HttpErrorKind::Redirect
                | HttpErrorKind::Proxy
                | HttpErrorKind::TooLarge
        );
        Self { kind, message: message.into(), detail: None, transient, unsent, source: None }
    }

    /// Adds details.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = Some(detail);
        self
    }
}

impl Retryable for HttpError {
    fn advice(&self) -> Advice {
        if self.transient { Advice::Retry } else { Advice::Stop }
    }
}

/// The target of a failed request, for messages.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// `host:port` of the server.
    pub(super) authority: String,
    /// `scheme://host[:port]`.
    pub(super) origin: String,
    /// Whether the URL says https.
    pub(super) https: bool,
    /// Whether a connection of this client has succeeded before.
    pub(super) reached_before: bool,
    /// `host:port` of the proxy on the way, if any.
    pub(super) proxy: Option<String>,
}

impl Target {
    /// A target for failures before any URL is known.
    pub(super) fn nowhere() -> Self {
        Self {
            authority: "the server".to_owned(),
            origin: String::new(),
            https: true,
            reached_before: false,
            proxy: None,
        }
    }

    pub(super) fn of(url: &url::Url, reached_before: bool) -> Self {
        let host = url.host_str().unwrap_or_default();
        let authority = match url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Self { authority, origin: redact::origin(url), https: url.scheme() == "https", reached_before, proxy: None }
    }
}

/// The error that the idle timer puts into a body stream.
#[derive(Debug, thiserror::Error)]
#[error("no data for {0:?}")]
pub(super) struct Idle(pub(super) std::time::Duration);

/// Finds the cause of a reqwest failure in its chain of sources.
pub(super) fn classify(error: reqwest::Error, target: &Target) -> HttpError {
    let failure = named(&error, target);
    // The URL may contain a secret.
    HttpError { source: Some(Arc::new(error.without_url())), ..failure }
}

fn named(error: &reqwest::Error, target: &Target) -> HttpError {
    let chain = Chain::of(error);
    if error.is_builder() {
        let cause = chain.texts.last().cloned().unwrap_or_default();
        return HttpError::new(HttpErrorKind::Request, format!("the request could not be built: {cause}"));
    }
    if let Some(tls) = chain.tls.as_ref() {
        return tls_failure(tls, target);
    }
    if chain.idle || error.is_timeout() || chain.io == Some(io::ErrorKind::TimedOut) {
        return timeout(error.is_connect(), target);
    }
    if let (true, Some(proxy)) = (error.is_connect() && !chain.is_tunnel_refused(), target.proxy.as_deref()) {
        let cause = if chain.has("dns error") { "its name cannot be resolved" } else { "no connection" };
        return HttpError::new(HttpErrorKind::Proxy, format!("the proxy {proxy} cannot be reached: {cause}"))
            .detail(Detail::ProxySettings);
    }
    if let Some(proxy) = chain.proxy_failure() {
        return proxy;
    }
    if chain.has("dns error") {
        let mut failure =
            HttpError::new(HttpErrorKind::Dns, format!("the name '{}' cannot be resolved", host_of(&target.authority)))
                .detail(Detail::NameUnresolved);
        failure.transient = target.reached_before;
        return failure;
    }
    if error.is_connect() {
        return connect_failure(&chain, target);
    }
    exchange_failure(&chain, target)
}

fn host_of(authority: &str) -> &str {
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

pub(super) fn timeout(connecting: bool, target: &Target) -> HttpError {
    if connecting {
        let mut failure =
            HttpError::new(HttpErrorKind::Timeout, format!("connecting to {} timed out", target.authority))
                .detail(Detail::ConnectTimeout);
        failure.unsent = true;
        return failure;
    }
    let mut failure = HttpError::new(HttpErrorKind::Timeout, format!("{} stopped responding", target.authority))
        .detail(Detail::Silence);
    // A server that has never answered would be silent again.
    failure.transient = target.reached_before;
    failure
}

fn connect_failure(chain: &Chain, target: &Target) -> HttpError {
    let cause = match chain.io {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::NetworkUnreachable) => "network unreachable".to_owned(),
        Some(io::ErrorKind::HostUnreachable) => "host unreachable".to_owned(),
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted) => {
            let failure = HttpError::new(
                HttpErrorKind::Connect,
                format!("{} closed the connection before it was set up", target.authority),
            );
            return if target.https { failure.detail(Detail::ClosedInHandshake) } else { failure };
        }
        _ => chain.texts.last().cloned().unwrap_or_else(|| "no connection".to_owned()),
    };
    let mut failure =
        HttpError::new(HttpErrorKind::Connect, format!("cannot connect to {}: {cause}", target.authority))
            .detail(Detail::NoConnection);
    // A server that has never answered does not exist; one that has will probably return.
    failure.transient = target.reached_before;
    failure
}

fn exchange_failure(chain: &Chain, target: &Target) -> HttpError {
    if chain.parse {
        return no_http(chain, target);
    }
    let what = match chain.io {
        Some(io::ErrorKind::ConnectionReset) => "reset the connection",
        Some(io::ErrorKind::BrokenPipe) => "closed the connection while the request was being sent",
        _ => "closed the connection early",
    };
    let failure = HttpError::new(HttpErrorKind::Closed, format!("{} {what}", target.authority));
    if target.https || target.reached_before {
        return failure;
    }
    // Some TLS ports do not answer plain HTTP at all.
    failure.detail(Detail::MayBeTls(secure(target)))
}

/// Creates the failure for an answer that is not HTTP. It counts as temporary if the server has answered properly
/// before: then something on the way is at fault.
fn no_http(chain: &Chain, target: &Target) -> HttpError {
    let authority = &target.authority;
    let mut failure = if chain.too_long {
        HttpError::new(HttpErrorKind::Closed, format!("{authority} sent too many headers, or too long ones"))
    } else {
        HttpError::new(HttpErrorKind::Closed, format!("{authority} sent something that is not HTTP"))
    };
    failure.transient = target.reached_before;
    failure.detail(Detail::NotHttp)
}

/// Whether the start of an answer is not HTTP.
pub(super) fn is_no_http(error: &reqwest::Error) -> bool {
    Chain::of(error).no_version
}

/// Creates the failure for plain HTTP on a TLS port.
pub(super) fn tls_port(target: &Target) -> HttpError {
    HttpError::new(HttpErrorKind::Tls, format!("{} speaks TLS, not plain HTTP", target.authority))
        .detail(Detail::TlsPort(secure(target)))
}

fn secure(target: &Target) -> String {
    target.origin.replacen("http://", "https://", 1)
}

fn tls_failure(error: &rustls::Error, target: &Target) -> HttpError {
    use rustls::{CertificateError as Certificate, Error as Tls};
    let authority = &target.authority;
    let failure = |cause: String| {
        HttpError::new(HttpErrorKind::Tls, format!("the TLS connection to {authority} failed: {cause}"))
    };
    match error {
        Tls::InvalidCertificate(Certificate::UnknownIssuer) => {
            failure("the certificate is not signed by an authority that this machine trusts".to_owned())
                .detail(Detail::UnknownIssuer)
        }
        Tls::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            failure("the certificate has expired".to_owned()).detail(Detail::CertificateExpired)
        }
        Tls::InvalidCertificate(Certificate::NotValidYet | Certificate::NotValidYetContext { .. }) => {
            failure("the certificate is not valid yet".to_owned()).detail(Detail::CertificateNotYetValid)
        }
        Tls::InvalidCertificate(Certificate::NotValidForName | Certificate::NotValidForNameContext { .. }) => {
            failure(format!("the certificate is not valid for the name '{}'", host_of(authority)))
                .detail(Detail::CertificateName)
        }
        Tls::InvalidCertificate(Certificate::Revoked) => failure("the certificate was revoked".to_owned()),
        // By default `openssl req -x509` creates such certificates.
        error if tls::is_ca_as_server(error) => {
            failure("the server uses the certificate of an authority (CA:TRUE) as its own".to_owned())
                .detail(Detail::CertificateOfAuthority)
        }
        Tls::InvalidCertificate(Certificate::BadSignature) => {
            failure("the certificate's signature does not match the trusted authority of that name".to_owned())
                .detail(Detail::CertificateSignature)
        }
        Tls::InvalidCertificate(other) => failure(certificate_fault(other)).detail(Detail::CertificateUnusable),
        Tls::InvalidMessage(_) => {
            let plain = target.origin.replacen("https://", "http://", 1);
            failure("the port does not speak TLS".to_owned()).detail(Detail::NoTls(plain))
        }
        Tls::AlertReceived(alert) => alert_failure(*alert, failure),
        other => failure(other.to_string()),
    }
}

/// Returns in words what is wrong with a certificate that no client can trust.
fn certificate_fault(error: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Certificate;
    match error {
        Certificate::BadEncoding => "the certificate is damaged".to_owned(),
        Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
            "the certificate is not for a server".to_owned()
        }
        Certificate::UnhandledCriticalExtension => {
            "the certificate requires a check that this program does not support".to_owned()
        }
        Certificate::Other(cause) => match format!("{cause:?}") {
            text if text.contains("UnsupportedCertVersion") => {
                "the certificate has an old format (X.509 version 1) without a name to check".to_owned()
            }
            text if text.contains("Eku") => "the certificate is not for a server".to_owned(),
            text => format!("the certificate cannot be used ({text})"),
        },
        other => format!("the certificate cannot be used ({other})"),
    }
}

fn alert_failure(alert: rustls::AlertDescription, failure: impl Fn(String) -> HttpError) -> HttpError {
    use rustls::AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired
        | Alert::BadCertificate
        | Alert::UnknownCA
        | Alert::CertificateUnknown
        | Alert::AccessDenied => {
            failure("the server did not accept the client certificate, or requires one".to_owned())
                .detail(Detail::ClientCertificate)
        }
        Alert::UnrecognisedName => failure("the server does not know this host name".to_owned()),
        Alert::ProtocolVersion | Alert::HandshakeFailure => failure(
            "the server and this program have no TLS version or cipher in common (TLS 1.2 or 1.3 is needed)".to_owned(),
        ),
        other => failure(format!("the server sent the alert {other:?}")),
    }
}

/// The findings from one walk through a failure's chain of sources.
#[derive(Default)]
struct Chain {
    texts: Vec<String>,
    io: Option<io::ErrorKind>,
    tls: Option<rustls::Error>,
    idle: bool,
    parse: bool,
    /// The headers of an answer are too many or too long.
    too_long: bool,
    /// The start of an answer is not HTTP.
    no_version: bool,
}

impl Chain {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut chain = Self::default();
        let mut next = Some(error);
        while let Some(current) = next {
            chain.note(current);
            next = current.source();
        }
        chain
    }

    fn note(&mut self, error: &(dyn Error + 'static)) {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            self.tls = Some(tls.clone());
        }
        if error.is::<Idle>() {
            self.idle = true;
        }
        if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
            self.parse |= hyper.is_parse();
            self.too_long |= hyper.is_parse_too_large();
            self.no_version |= hyper.is_parse() && hyper.to_string().contains("HTTP version");
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            self.io = Some(io.kind());
            // The `source` of an io::Error is that of the error inside it, so that error itself must be fetched.
            if let Some(inner) = io.get_ref() {
                self.note(inner);
            }
        }
        if error.downcast_ref::<reqwest::Error>().is_none() {
            self.texts.push(error.to_string());
        }
    }

    fn has(&self, text: &str) -> bool {
        self.texts.iter().any(|one| one.starts_with(text))
    }

    /// Returns the words of a proxy that refuses; they are only in the text of the connector's error.
    fn tunnel_refusal(&self) -> Option<&str> {
        let mut texts = self.texts.iter().map(String::as_str);
        texts.find(|text| {
            let named = text.starts_with("tunnel error") || text.starts_with("SOCKS error");
            named && !text.ends_with("failed to create underlying connection")
        })
    }

    fn is_tunnel_refused(&self) -> bool {
        self.tunnel_refusal().is_some()
    }

    fn proxy_failure(&self) -> Option<HttpError> {
        let text = self.tunnel_refusal()?;
        let failure = if text.contains("authorization required") || text.contains("authentication") {
            HttpError::new(HttpErrorKind::Proxy, "the proxy requires a user name and a password")
                .detail(Detail::ProxyCredentials)
        } else {
            let cause = text.rsplit(": ").next().unwrap_or_default();
            HttpError::new(HttpErrorKind::Proxy, format!("the proxy refused the connection: {cause}"))
                .detail(Detail::ProxySettings)
        };
        Some(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("odd")]
    struct UnsupportedCertVersion;

    #[test]
    fn faults_of_certificates_are_described_in_words() {
        use rustls::CertificateError as Certificate;
        for (fault, words) in [
            (Certificate::BadEncoding, "is damaged"),
            (Certificate::InvalidPurpose, "is not for a server"),
            (Certificate::UnhandledCriticalExtension, "a check that this program does not support"),
            (Certificate::Other(rustls::OtherError(std::sync::Arc::new(UnsupportedCertVersion))), "X.509 version 1"),
        ] {
            let text = certificate_fault(&fault);
            assert!(text.contains(words) && !text.contains("Unsupported"), "{text}");
        }
    }
}

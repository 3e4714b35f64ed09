//! Diagnosis of the network between this machine and a server.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use super::{Detail, Http, HttpError, HttpErrorKind};
use crate::account::ServerUrl;

impl Http {
    /// Returns the proxy for requests to a server as `host:port`; `None` if there is none.
    pub fn proxy_of(&self, server: &ServerUrl) -> Option<String> {
        self.target(&server.at("/").ok()?).proxy
    }
}

/// Returns the addresses of a server's name, each once.
///
/// # Errors
/// [`HttpErrorKind::Dns`] if there are none, or if the look-up exceeds `limit`.
pub async fn addresses(server: &ServerUrl, limit: Duration) -> Result<Vec<IpAddr>, HttpError> {
    let failed = |cause: &str| {
        HttpError::new(HttpErrorKind::Dns, format!("the name '{}' cannot be resolved{cause}", server.host()))
            .detail(Detail::NoAddress)
    };
    let asked = tokio::net::lookup_host((server.host(), server.port()));
    let found = match tokio::time::timeout(limit, asked).await {
        Ok(Ok(found)) => found,
        // The system's message adds nothing to ours.
        Ok(Err(_)) => return Err(failed("")),
        Err(_) => return Err(failed(" in time")),
    };
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.dedup();
    if addresses.is_empty() { Err(failed("")) } else { Ok(addresses) }
}

/// How long a port may take to answer with TLS.
const TLS_PATIENCE: Duration = Duration::from_secs(3);

/// Whether the port of a URL answers plain text with a TLS alert, as TLS ports do.
pub(super) async fn speaks_tls(url: &Url) -> bool {
    let looking = async {
        let host = url.host_str()?.trim_matches(['[', ']']);
        let mut connection = TcpStream::connect((host, url.port_or_known_default()?)).await.ok()?;
        connection.write_all(b"GET / HTTP/1.0\r\n\r\n").await.ok()?;
        let mut start = [0; 2];
        connection.read_exact(&mut start).await.ok()?;
        // The type of a record, and the first byte of its version (RFC 8446, section 5.1).
        Some(matches!(start, [21 | 22, 3]))
    };
    tokio::time::timeout(TLS_PATIENCE, looking).await.ok().flatten().unwrap_or(false)
}

//! What stands between this machine and a server, for those who look for a fault.

use std::net::IpAddr;
use std::time::Duration;

use super::{Http, HttpError, HttpErrorKind};
use crate::account::ServerUrl;

impl Http {
    /// The proxy that requests to a server go through, as `host:port`; `None` where they go straight there.
    pub fn proxy_of(&self, server: &ServerUrl) -> Option<String> {
        self.target(&server.at("/").ok()?).proxy
    }
}

/// The addresses that the name of a server stands for, each once.
///
/// # Errors
/// [`HttpErrorKind::Dns`] where it stands for none, or none was told within `limit`.
pub async fn addresses(server: &ServerUrl, limit: Duration) -> Result<Vec<IpAddr>, HttpError> {
    let failed = |cause: &str| {
        HttpError::new(HttpErrorKind::Dns, format!("the name '{}' cannot be resolved{cause}", server.host()))
            .hint("check the URL, the network connection and the name servers")
    };
    let asked = tokio::net::lookup_host((server.host(), server.port()));
    let found = match tokio::time::timeout(limit, asked).await {
        Ok(Ok(found)) => found,
        // The system's words for it say no more than ours.
        Ok(Err(_)) => return Err(failed("")),
        Err(_) => return Err(failed(" in time")),
    };
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.dedup();
    if addresses.is_empty() { Err(failed("")) } else { Ok(addresses) }
}

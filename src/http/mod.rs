//! The one HTTP core: a client with the user's proxy, certificates, headers and time-outs; error kinds; retries.

pub mod error;
pub mod retry;

pub use error::{HttpError, HttpErrorKind};

use std::path::PathBuf;
use std::time::Duration;

/// What the user can say about connections.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Accept any certificate.
    pub skip_verify: bool,
    /// A PEM file of further certificate authorities.
    pub ca_cert: Option<PathBuf>,
    /// PEM files of a client certificate and its key.
    pub client_identity: Option<(PathBuf, PathBuf)>,
    /// Headers added to every request to the server's own origin.
    pub headers: Vec<(String, String)>,
    /// A proxy for all requests; without it the environment's proxies hold.
    pub proxy: Option<String>,
    /// How long a connection may stay silent.
    pub idle_timeout: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
}

/// The HTTP core.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
}

impl Http {
    /// Builds the client.
    pub fn new(_options: &HttpOptions) -> Result<Self, HttpError> {
        todo!()
    }

    /// Starts a request; redirects are never followed.
    pub fn request(&self, method: http::Method, url: url::Url) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends one attempt. Any answer at all is Ok, whatever its status; a redirect is an error.
    pub async fn send(&self, _request: reqwest::RequestBuilder) -> Result<reqwest::Response, HttpError> {
        todo!()
    }
}

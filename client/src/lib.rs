//! Client library for Pydio Cells servers: sign-in, the REST API, the S3 gateway, and transfers that are verified.
//!
//! Start with a [`Connection`], which has a client for each of the two protocols. [`transfer::Engine`] moves files and
//! complete trees with them. The example `transfer` shows how. The modules, from the ground up:
//!
//! - [`account`], [`path`]: servers, credentials and remote paths, parsed.
//! - [`http`]: one HTTP client with TLS, proxies, time-outs, retries and redacted secrets.
//! - [`store`]: accounts in config.json and the system keyring, in the format of the older Go client.
//! - [`auth`]: tokens that renew themselves, and the flows that obtain them.
//! - [`failure`]: the one error type of all calls to a server.
//! - [`api`], [`s3`]: the calls.
//! - [`walk`]: local and remote trees as bounded streams.
//! - [`transfer`]: the engine behind `cec scp`.
//!
//! The library prints nothing, reads no environment variable, and never ends the process. It runs on tokio, and logs
//! through `tracing`. Dates are [`jiff`](https://docs.rs/jiff) timestamps.

pub mod account;
pub mod api;
pub mod auth;
pub mod failure;
pub mod hash;
pub mod http;
pub mod path;
pub mod s3;
pub mod store;
pub mod sys;
pub mod transfer;
pub mod walk;

use std::sync::Arc;

/// The clients of an account. They share connections and tokens. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The REST API.
    pub api: api::Client,
    /// The S3 gateway.
    pub s3: s3::Client,
}

impl Connection {
    /// Creates the clients for an account. Nothing is sent.
    ///
    /// # Errors
    /// [`http::HttpErrorKind::Request`] if a certificate file, a header or a proxy cannot be used.
    pub fn open(account: &account::Account, options: &http::HttpOptions) -> Result<Self, http::HttpError> {
        let http = http::Http::new(options)?;
        let tokens = auth::TokenSource::new(http.clone(), account);
        let sender = Arc::new(auth::Sender::new(http, account.url.clone(), tokens));
        Ok(Self { api: api::Client::new(Arc::clone(&sender)), s3: s3::Client::new(sender) })
    }
}

//! Warnings about the connection to a server. Some are printed only once, whatever the number of clients.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Ctx;
use cells_client::account::ServerUrl;

/// A warning that is printed only once.
#[derive(Debug, Default)]
pub(super) struct Once(AtomicBool);

impl Once {
    /// Whether the warning must be printed now. Returns true only once.
    pub(super) fn is_due(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// The warnings that are printed only once.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// Certificates are not checked.
    skip_verify: Once,
    /// A proxy of the environment is not usable.
    pub(super) proxies: Once,
    /// Something from the environment is not sent.
    pub(super) kept: Once,
}

impl Ctx {
    /// Warns if the connection to a server is not encrypted.
    pub fn warn_of_plain_http(&self, url: &ServerUrl) {
        if !url.is_https() && !url.is_loopback() {
            self.ui.warn(&format!("the connection to {url} is not encrypted: others can read secrets and files"));
        }
    }

    /// Warns, once, if the certificate of a server is not checked; `stored` is the setting in the account's entry.
    pub fn warn_of_skip_verify(&self, url: &ServerUrl, stored: bool) {
        let flag = self.settings.connection.skip_verify;
        if !flag.unwrap_or(stored) || !url.is_https() {
            return;
        }
        if self.warnings.skip_verify.is_due() {
            let why = if flag.is_none() { " (stored with the account)" } else { "" };
            self.ui.warn(&format!(
                "the certificate of {url} is not checked{why}, so others may read all data; --ca-cert is safer"
            ));
        }
    }
}

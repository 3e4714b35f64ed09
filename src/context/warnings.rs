//! Warnings about the connection to a server. Some are printed once, however many clients are made.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Ctx;
use cells_client::account::ServerUrl;

/// A warning that is printed once.
#[derive(Debug, Default)]
pub(super) struct Once(AtomicBool);

impl Once {
    /// Whether the warning is still to be printed; from now on it is not.
    pub(super) fn is_due(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// The warnings that are printed once.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// Certificates are not checked.
    skip_verify: Once,
    /// A proxy of the environment cannot be used.
    pub(super) proxies: Once,
    /// Something of the environment is not sent.
    pub(super) kept: Once,
}

impl Ctx {
    /// Warns where what goes to a server can be read on the way.
    pub fn warn_of_plain_http(&self, url: &ServerUrl) {
        if !url.is_https() && !url.is_loopback() {
            self.ui.warn(&format!("the connection to {url} is not encrypted: others can read secrets and files"));
        }
    }

    /// Warns, once, where the certificate of a server is not checked; `stored` is what the account's entry says.
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

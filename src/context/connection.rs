//! HTTP clients with the user's settings, each for one destination.

use secrecy::{ExposeSecret as _, SecretString};

use super::Ctx;
use crate::env;
use crate::error::CliError;
use cells_client::account::{LinkUrl, ServerUrl};
use cells_client::http::proxy::{self, ProxyVariables};
use cells_client::http::{Http, HttpOptions};

/// The destination of an HTTP client, which determines what from the environment may be sent.
#[derive(Debug, Clone, Copy)]
pub enum Destination<'a> {
    /// The server of an account.
    Account(&'a ServerUrl),
    /// The server of a public link.
    Link(&'a LinkUrl),
    /// A server without an account: the update server.
    Elsewhere,
}

impl Ctx {
    /// Creates an HTTP client for a destination. `stored_skip_verify` and `stored_headers` come from the account's
    /// entry.
    ///
    /// # Errors
    /// A certificate, a proxy or a header cannot be used.
    pub fn http(
        &self,
        to: Destination<'_>,
        stored_skip_verify: bool,
        stored_headers: &[(String, String)],
    ) -> Result<Http, CliError> {
        let connection = &self.settings.connection;
        let may_go = self.environment_goes(to)?;
        let identity = connection.client_identity.clone();
        // Servers that use the last of several headers with the same name see the user's own.
        let own = if may_go { &connection.environment_headers[..] } else { &[] };
        let own: Vec<_> = own.iter().chain(&connection.headers).collect();
        for (_, value) in &own {
            self.ui.secrets().keep(value);
        }
        let own = own.into_iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
        Ok(Http::new(&HttpOptions {
            skip_verify: connection.skip_verify.unwrap_or(stored_skip_verify),
            ca_cert: connection.ca_cert.clone(),
            trust_file: self.settings.environment.path(env::SSL_CERT_FILE),
            client_identity: identity.filter(|_| may_go || connection.identity_variable.is_none()),
            headers: stored_headers.iter().cloned().chain(own).collect(),
            proxy: connection.proxy.as_ref().map(|proxy| proxy.expose_secret().to_owned()),
            proxy_variables: Some(self.proxy_variables()),
            user_agent: concat!("cec/", env!("CARGO_PKG_VERSION")).to_owned(),
            idle_timeout: connection.idle_timeout,
            connect_timeout: connection.connect_timeout,
            secrets: self.ui.secrets().clone(),
            pace: self.pace.clone(),
        })?)
    }

    /// Returns the proxies of the environment, without unusable ones, about which it warns.
    fn proxy_variables(&self) -> ProxyVariables {
        let connection = &self.settings.connection;
        let is_due = connection.proxy.is_none() && self.warnings.proxies.is_due();
        let usable = |given: &Option<(&'static str, SecretString)>| {
            let (name, text) = given.as_ref()?;
            match proxy::parse(text.expose_secret()) {
                Ok(_) => return Some(text.clone()),
                Err(error) if is_due => self.ui.warn(&format!("ignoring {name}: {}", error.message)),
                Err(_) => {}
            }
            None
        };
        let texts = &connection.proxy_variables;
        ProxyVariables {
            http: usable(&texts.http),
            https: usable(&texts.https),
            all: usable(&texts.all),
            none: texts.none.clone(),
        }
    }

    /// Whether the headers and the client certificate of the environment may be sent to a destination. They belong to
    /// the server that the environment names; if it names none, to that of the account. Prints a warning if something
    /// is not sent.
    fn environment_goes(&self, to: Destination<'_>) -> Result<bool, CliError> {
        let parts = &self.settings.account;
        let (server, goes) = match to {
            Destination::Account(url) => (url, parts.is_of_environment(url)?.unwrap_or(true)),
            Destination::Link(link) => (link.server(), parts.is_of_environment(link.server())?.unwrap_or(false)),
            Destination::Elsewhere => return Ok(false),
        };
        let connection = &self.settings.connection;
        let headers = (!connection.environment_headers.is_empty()).then_some(env::HEADER);
        let kept: Vec<&str> = headers.into_iter().chain(connection.identity_variable).collect();
        if !goes && !kept.is_empty() && self.warnings.kept.is_due() {
            let kept = kept.join(" and ");
            self.ui.warn(&format!(
                "{kept} in the environment are not for {server} and not sent there; to send them, use --header and \
                 --client-cert"
            ));
        }
        Ok(goes)
    }
}

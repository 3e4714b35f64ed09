//! An account: a server and the credentials of a user.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

mod link;

pub use link::{LinkUrl, LinkUrlError};

/// The text is not the URL of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The text is not a URL.
    #[error("'{0}' is not a URL")]
    Invalid(String),
    /// The scheme is neither http nor https.
    #[error("'{0}' has the scheme '{1}'; only http and https are supported")]
    Scheme(String, String),
    /// The URL contains a user name or a password.
    #[error("a URL must not contain a user name or password")]
    Credentials,
    /// The URL has a path, but a server is always at the root of its host.
    #[error("'{0}' has the path '{1}', but a Cells server answers only at the root of its host; omit the path")]
    Path(String, String),
    /// The URL has a query or a fragment at the root, where no page of the server has one.
    #[error("'{0}' has a query or fragment, unlike the URL of a server; omit it")]
    Query(String),
}

/// The origin of a server, `http(s)://host[:port]`, without a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl(Url);

impl ServerUrl {
    /// Parses what a user types. Adds `https://` if there is no scheme, removes `/login` and what a browser's address
    /// bar adds (`/ws-…`, query and fragment), and refuses other paths, other queries and credentials.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let typed = text.trim();
        let full = if typed.contains("://") { typed.to_owned() } else { format!("https://{typed}") };
        let mut url = Url::parse(&full).map_err(|_| UrlError::Invalid(typed.to_owned()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlError::Scheme(typed.to_owned(), url.scheme().to_owned()));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(UrlError::Invalid(typed.to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let known = path.is_empty() || path == "/login" || path.starts_with("/ws-") || path == "/welcome";
        if !known {
            return Err(UrlError::Path(typed.to_owned(), path));
        }
        if path.is_empty() && (url.query().is_some() || url.fragment().is_some()) {
            return Err(UrlError::Query(typed.to_owned()));
        }
        url.set_path("");
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// Returns the origin without a trailing slash, as config.json stores it.
    pub fn origin(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Returns the URL of an absolute, percent-encoded path on this server.
    ///
    /// # Errors
    /// [`UrlError::Invalid`] if the result is not a URL.
    pub fn at(&self, absolute_path: &str) -> Result<Url, UrlError> {
        let text = format!("{}{absolute_path}", self.origin());
        Url::parse(&text).map_err(|_| UrlError::Invalid(text))
    }

    /// Returns the host as written in the URL.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Returns the IP address, if the URL contains one in place of a name.
    pub fn address(&self) -> Option<std::net::IpAddr> {
        match self.0.host()? {
            url::Host::Domain(_) => None,
            url::Host::Ipv4(address) => Some(address.into()),
            url::Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// Returns the port, or that of the scheme if the URL has none.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether the host is this machine's loopback interface.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Returns the key of an account in config.json: `user@host:port`.
    pub fn account_id(&self, user: &str) -> String {
        format!("{user}@{}:{}", self.host(), self.port())
    }

    /// Returns the older client's label for an account: `user@host`.
    pub fn account_label(&self, user: &str) -> String {
        format!("{user}@{}", self.host())
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.origin())
    }
}

/// The credentials of a user. Secrets never appear in Debug output.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A personal access token, or any other token from the user. It cannot be refreshed.
    Token(SecretString),
    /// A login and a password, which open a session when needed.
    Password {
        /// The login name.
        login: String,
        /// The password.
        password: SecretString,
    },
    /// A pair of OAuth tokens.
    OAuth(TokenPair),
}

/// A pair of OAuth tokens, from a sign-in, a refresh or the store. Secrets never appear in Debug output.
#[derive(Debug, Clone)]
pub struct TokenPair {
    /// The access token (`idToken` in config.json).
    pub access: SecretString,
    /// The refresh token. It is valid for one use; `None` if there is none, or if it is spent.
    pub refresh: Option<SecretString>,
    /// When the access token expires, in seconds since the epoch, if known.
    pub expires_at: Option<i64>,
    /// How long a new access token is valid, if known.
    pub life: Option<Duration>,
}

impl TokenPair {
    /// Creates a pair with only an access token.
    pub fn of_access(access: SecretString) -> Self {
        Self { access, refresh: None, expires_at: None, life: None }
    }
}

impl From<TokenPair> for Credentials {
    fn from(pair: TokenPair) -> Self {
        Self::OAuth(pair)
    }
}

impl Credentials {
    /// Returns the type of the credentials for messages: `personal access token`, `password`, `OAuth token`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "personal access token",
            Self::Password { .. } => "password",
            Self::OAuth { .. } => "OAuth token",
        }
    }
}

/// A server and a user's credentials for it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The server.
    pub url: ServerUrl,
    /// The login name, if it is known without asking the server.
    pub login: Option<String>,
    /// The credentials.
    pub credentials: Credentials,
    /// The key in config.json; `None` if the credentials come from options or the environment.
    pub stored_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_urls_become_origins() {
        for (typed, origin) in [
            ("files.example.com", "https://files.example.com"),
            ("https://files.example.com/login", "https://files.example.com"),
            ("https://files.example.com/login/", "https://files.example.com"),
            ("HTTP://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            (" https://files.example.com/ws-common-files/?x#y ", "https://files.example.com"),
            ("localhost:8080", "https://localhost:8080"),
            ("https://h:443", "https://h"),
        ] {
            assert_eq!(ServerUrl::parse(typed).expect(typed).origin(), origin);
        }
    }

    #[test]
    fn texts_that_are_not_server_urls_are_refused_with_a_reason() {
        assert!(matches!(ServerUrl::parse("ftp://h"), Err(UrlError::Scheme(..))));
        assert!(matches!(ServerUrl::parse("https://u:p@h"), Err(UrlError::Credentials)));
        assert!(matches!(ServerUrl::parse("https://h/cells"), Err(UrlError::Path(..))));
        assert!(matches!(ServerUrl::parse(""), Err(UrlError::Invalid(_))));
        for typed in ["https://h?x=1", "https://h/?x=1", "h/#x"] {
            assert!(matches!(ServerUrl::parse(typed), Err(UrlError::Query(_))), "{typed}");
        }
    }

    #[test]
    fn ids_and_labels_are_those_of_the_older_client() {
        let url = ServerUrl::parse("https://files.example.com").expect("a URL");
        assert_eq!(url.account_id("alice"), "alice@files.example.com:443");
        assert_eq!(url.account_label("alice"), "alice@files.example.com");
    }
}

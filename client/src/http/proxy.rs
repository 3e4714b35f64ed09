//! The proxies of the environment: the proxy for a request, and the hosts that need none.

use std::net::IpAddr;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{Detail, HttpError, HttpErrorKind};

/// The proxy variables of the environment. Their URLs may contain passwords.
#[derive(Debug, Clone, Default)]
pub struct ProxyVariables {
    /// For http:// (`http_proxy`, `HTTP_PROXY`).
    pub http: Option<SecretString>,
    /// For https:// (`https_proxy`, `HTTPS_PROXY`).
    pub https: Option<SecretString>,
    /// For both, unless the specific one is set (`all_proxy`, `ALL_PROXY`).
    pub all: Option<SecretString>,
    /// Hosts without a proxy (`no_proxy`, `NO_PROXY`).
    pub none: String,
}

impl ProxyVariables {
    /// Whether no proxy is set.
    pub fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none() && self.all.is_none()
    }
}

/// The parsed variables.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    http: Option<Url>,
    https: Option<Url>,
    exceptions: Vec<Exception>,
}

impl Rules {
    /// Parses the variables. A variable that is not the URL of a proxy counts as not set; see [`parse`].
    pub(super) fn of(variables: &ProxyVariables) -> Self {
        let read = |text: &Option<SecretString>| parse(text.as_ref()?.expose_secret()).ok();
        let all = read(&variables.all);
        Self {
            http: read(&variables.http).or_else(|| all.clone()),
            https: read(&variables.https).or(all),
            exceptions: variables.none.split([',', ' ']).filter_map(Exception::parse).collect(),
        }
    }

    /// Returns the proxy for a URL; `None` if there is none.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<&Url> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default();
        proxy.as_ref().filter(|_| !self.exceptions.iter().any(|exception| exception.holds_for(host, port)))
    }
}

/// Parses the URL of a proxy. The default scheme is http.
///
/// # Errors
/// [`HttpErrorKind::Request`], without the text, because it may contain a password.
pub fn parse(text: &str) -> Result<Url, HttpError> {
    let wrong = |why: &str| HttpError::new(HttpErrorKind::Request, format!("the proxy cannot be used: {why}"));
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&full).map_err(|_| wrong("not a URL").detail(Detail::ProxyUrl))?;
    if !matches!(url.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h") {
        return Err(wrong("only http, https, socks4 and socks5 proxies are supported"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("it has no host"));
    }
    Ok(url)
}

/// Hosts that need no proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    /// `*`
    All,
    /// `10.0.0.0/8`: addresses with this prefix.
    Network(IpAddr, u32),
    /// `example.com`, `.example.com`, `10.0.0.1`, `example.com:8080`: a host and its subdomains, with this port or any.
    Host(String, Option<u16>),
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(Self::All);
        }
        if let Some((address, bits)) = text.split_once('/') {
            return Some(Self::Network(address.parse().ok()?, bits.parse().ok()?));
        }
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an IPv6 address without brackets do not separate a port.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (text.as_str(), None),
        };
        let host = host.trim_matches(['[', ']']).trim_start_matches("*.").trim_matches('.');
        (!host.is_empty()).then(|| Self::Host(host.to_owned(), port))
    }

    fn holds_for(&self, host: &str, port: Option<u16>) -> bool {
        match self {
            Self::All => true,
            Self::Network(network, bits) => host.parse().is_ok_and(|address| is_inside(address, *network, *bits)),
            Self::Host(_, Some(own)) if Some(*own) != port => false,
            Self::Host(own, _) => match (own.parse::<IpAddr>(), host.parse::<IpAddr>()) {
                (Ok(own), Ok(address)) => own == address,
                (Err(_), Err(_)) => {
                    let host = host.trim_end_matches('.').to_ascii_lowercase();
                    host.strip_suffix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                }
                _ => false,
            },
        }
    }
}

fn is_inside(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same =
        |one: u128, other: u128, length: u32| bits <= length && (bits == 0 || (one ^ other) >> (length - bits) == 0);
    match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => same(one.to_bits().into(), other.to_bits().into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_directly(none: &str, url: &str) -> bool {
        let all = Some(SecretString::from("proxy.example:3128"));
        let rules = Rules::of(&ProxyVariables { all, none: none.to_owned(), ..ProxyVariables::default() });
        rules.proxy_for(&Url::parse(url).expect("a URL")).is_none()
    }

    #[test]
    fn exceptions_are_those_of_curl_and_go() {
        for (none, url, expected) in [
            ("", "http://127.0.0.1:8080/", false),
            ("*", "http://127.0.0.1:8080/", true),
            ("*", "https://files.example.com/", true),
            ("other, *", "https://[::1]/", true),
            ("127.0.0.1", "http://127.0.0.1:8080/", true),
            ("127.0.0.1:8080", "http://127.0.0.1:8080/", true),
            ("127.0.0.1:8081", "http://127.0.0.1:8080/", false),
            ("127.0.0.0/8", "http://127.9.9.9/", true),
            ("10.0.0.0/8", "http://11.0.0.1/", false),
            ("0.0.0.0/0", "http://11.0.0.1/", true),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("fd00::/8", "http://[fe80::1]/", false),
            ("::1", "http://[::1]:8080/", true),
            ("[::1]:8080", "http://[::1]:8080/", true),
            ("[::1]:8081", "http://[::1]:8080/", false),
            ("Example.COM", "https://files.example.com/", true),
            (".example.com", "https://files.example.com/", true),
            ("*.example.com", "https://files.example.com/", true),
            ("example.com:443", "https://files.example.com/", true),
            ("example.com:80", "https://files.example.com/", false),
            ("example.com", "https://badexample.com/", false),
            ("a b,c.example", "http://c.example/", true),
            ("10.0.0.1/99", "http://10.0.0.1/", false),
            (", ,", "http://h/", false),
        ] {
            assert_eq!(goes_directly(none, url), expected, "{none:?} {url}");
        }
    }

    #[test]
    fn a_scheme_has_its_own_proxy_or_that_for_all() {
        let proxy = |text: &str| Some(SecretString::from(text));
        let variables = ProxyVariables { http: proxy("h:1"), all: proxy("socks5h://a:3"), ..ProxyVariables::default() };
        let rules = Rules::of(&variables);
        let of = |url: &str| rules.proxy_for(&Url::parse(url).expect("a URL")).map(Url::to_string);
        assert_eq!(of("http://x/").as_deref(), Some("http://h:1/"));
        assert_eq!(of("https://x/").as_deref(), Some("socks5h://a:3"));
        let garbage = Rules::of(&ProxyVariables { http: proxy("garbage://x"), ..ProxyVariables::default() });
        assert!(garbage.proxy_for(&Url::parse("http://x/").expect("a URL")).is_none());
    }
}

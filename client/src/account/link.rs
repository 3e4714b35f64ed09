//! Public links as a user types them: `https://HOST/public/HASH[/path]`.

use std::fmt;

use percent_encoding::percent_decode_str;

use super::{ServerUrl, UrlError};

/// The path under which a server publishes its links.
const FOLDER: &str = "/public/";

/// The text is not the URL of a public link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkUrlError {
    /// The part before the path is not the URL of a server.
    #[error(transparent)]
    Server(#[from] UrlError),
    /// The page is not that of a link.
    #[error("'{0}' is not the URL of a public link")]
    NoLink(String),
    /// The URL has a query or a fragment, which links never have.
    #[error("'{0}' has a query or a fragment, unlike a public link; write {1} for a '{2}' in a name")]
    Query(String, &'static str, char),
    /// A name contains an encoded slash, or is not UTF-8.
    #[error("'{0}' contains a name that no file can have")]
    Name(String),
}

/// A public link: the server and the hash, which is the last part of the URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LinkUrl {
    server: ServerUrl,
    hash: String,
}

impl LinkUrl {
    /// Whether a text is meant as a URL, and so as a link rather than a path.
    pub fn is_meant(text: &str) -> bool {
        ["http://", "https://"]
            .iter()
            .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
    }

    /// Parses a link. Returns it with the path below it, percent-decoded and without a trailing slash. Names that are
    /// not encoded are accepted.
    ///
    /// # Errors
    /// See [`LinkUrlError`].
    pub fn parse(text: &str) -> Result<(Self, String), LinkUrlError> {
        let typed = text.trim();
        let no_link = || LinkUrlError::NoLink(typed.to_owned());
        let start = typed.find("://").map(|at| at + 3).ok_or_else(no_link)?;
        let (origin, path) = typed.split_at(typed[start..].find('/').map_or(typed.len(), |at| start + at));
        // The error must not repeat the text before an @, because it may be a password.
        let server = ServerUrl::parse(origin)?;
        for (mark, encoded) in [('?', "%3F"), ('#', "%23")] {
            if typed.contains(mark) {
                return Err(LinkUrlError::Query(typed.to_owned(), encoded, mark));
            }
        }
        let below = path.strip_prefix(FOLDER).ok_or_else(no_link)?.trim_end_matches('/');
        let (hash, below) = below.split_once('/').unwrap_or((below, ""));
        let is_hash = |hash: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
            hash.bytes().all(known) && hash.bytes().any(|byte| byte != b'.')
        };
        if !is_hash(hash) {
            return Err(no_link());
        }
        let names = below.split('/').map(|name| match percent_decode_str(name).decode_utf8() {
            Ok(name) if !name.contains('/') => Ok(name),
            _ => Err(LinkUrlError::Name(typed.to_owned())),
        });
        let names: Vec<_> = names.collect::<Result<_, _>>()?;
        Ok((Self { server, hash: hash.to_owned() }, names.join("/")))
    }

    /// Returns the server of the link.
    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Returns the last part of the URL.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Returns the absolute path of the link's page.
    pub fn page(&self) -> String {
        format!("{FOLDER}{}", self.hash)
    }
}

impl fmt::Display for LinkUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.server, self.page())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_with_the_path_below_them() {
        for (typed, link, below) in [
            ("https://h/public/1f0c6a3b9d20", "https://h/public/1f0c6a3b9d20", ""),
            ("https://h/public/1f0c6a3b9d20/", "https://h/public/1f0c6a3b9d20", ""),
            (
                "HTTP://127.0.0.1:8080/public/my-link_2031/a/b.txt",
                "http://127.0.0.1:8080/public/my-link_2031",
                "a/b.txt",
            ),
            (
                "https://h/public/1f0c6a3b9d20/sp%20ace%20%C3%A9%23%25.txt/",
                "https://h/public/1f0c6a3b9d20",
                "sp ace é#%.txt",
            ),
            ("https://h/public/1f0c6a3b9d20/as typed é/*.txt", "https://h/public/1f0c6a3b9d20", "as typed é/*.txt"),
            ("https://[::1]:8080/public/1f0c6a3b9d20//a", "https://[::1]:8080/public/1f0c6a3b9d20", "/a"),
        ] {
            let (read, rest) = LinkUrl::parse(typed).expect(typed);
            assert_eq!((read.to_string().as_str(), rest.as_str()), (link, below), "{typed}");
        }
    }

    #[test]
    fn texts_that_are_not_links_are_refused_with_a_reason() {
        let refused = |typed: &str| LinkUrl::parse(typed).expect_err(typed);
        for typed in
            ["https://h", "https://h/", "https://h/public", "https://h/public/", "https://h/ws-x", "h/public/x"]
        {
            assert!(matches!(refused(typed), LinkUrlError::NoLink(_)), "{typed}");
        }
        for typed in ["https://h/public/..", "https://h/public/a b", "https://h/public/a%20b/c", "https://h/public//a"]
        {
            assert!(matches!(refused(typed), LinkUrlError::NoLink(_)), "{typed}");
        }
        // A server never runs below a path, so a link below a path is not one.
        assert!(matches!(refused("https://h/cells/public/1f0c6a3b9d20"), LinkUrlError::NoLink(_)));
        assert!(matches!(refused("https://h/public/1f0c6a3b9d20?x=1"), LinkUrlError::Query(_, "%3F", '?')));
        assert!(matches!(refused("https://h/public/1f0c6a3b9d20/a#b"), LinkUrlError::Query(_, "%23", '#')));
        assert!(matches!(refused("https://h/public/1f0c6a3b9d20/a%2Fb"), LinkUrlError::Name(_)));
        assert!(matches!(refused("https://h/public/1f0c6a3b9d20/%ff"), LinkUrlError::Name(_)));
        assert_eq!(refused("https://u:p@h/public/1f0c6a3b9d20"), LinkUrlError::Server(UrlError::Credentials));
    }

    #[test]
    fn only_urls_count_as_links() {
        for text in ["https://h/public/x", "HTTP://h", "http://"] {
            assert!(LinkUrl::is_meant(text), "{text}");
        }
        for text in ["cells://public/x", "public/x", "./https://h", "http:/h", "", "é"] {
            assert!(!LinkUrl::is_meant(text), "{text}");
        }
    }
}

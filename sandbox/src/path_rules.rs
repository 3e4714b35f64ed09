//! Which request paths the server takes as they are, and what it makes of the others.

use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a path that the server writes itself.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// The decoded path without `//`, `.` and `..`, if the one requested has any of them. The server
/// then redirects there. A slash at the end is kept.
pub(crate) fn cleaned(uri: &Uri) -> Option<String> {
    let decoded = crate::transport::decode(uri.path());
    let mut clean = String::with_capacity(decoded.len());
    for name in crate::tree::forest::segments(&decoded) {
        clean.push('/');
        clean.push_str(name);
    }
    if clean.is_empty() || decoded.ends_with('/') {
        clean.push('/');
    }
    (clean != decoded).then_some(clean)
}

/// Percent-encodes a path.
pub(crate) fn encode(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unclean_paths_are_cleaned() {
        let clean = |path: &'static str| cleaned(&Uri::from_static(path));
        assert_eq!(clean("/a/tree/stat/x"), None);
        assert_eq!(clean("/a/tree/stat/x/"), None);
        assert_eq!(clean("/"), None);
        assert_eq!(clean("/a//b/").as_deref(), Some("/a/b/"));
        assert_eq!(clean("/a/./b").as_deref(), Some("/a/b"));
        assert_eq!(clean("/a/%2e%2e/b").as_deref(), Some("/b"));
        assert_eq!(clean("/a/b%2F%2Fc").as_deref(), Some("/a/b/c"));
        assert_eq!(clean("/a/%20..x/...").as_deref(), None);
    }
}

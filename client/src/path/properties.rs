//! Properties of all texts as paths, for property tests and the fuzz target.

use percent_encoding::percent_decode_str;

use super::{MAXIMUM_NAME_CHARACTERS, RemotePath, check_name};
use unicode_normalization::UnicodeNormalization;

/// Parses any text as a path, and checks the properties of every path.
pub fn path(text: &str) {
    whatever(&RemotePath::from_server(text));
    if check_name(text).is_ok() {
        assert!(text.nfc().count() <= MAXIMUM_NAME_CHARACTERS, "{text:?} is too long");
    }
    let Ok(path) = RemotePath::parse(text) else { return };
    assert!(path.segments().all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0')), "{path:?}");
    assert_eq!(RemotePath::parse(path.as_str()), Ok(path.clone()), "it reads as itself");
    assert!(RemotePath::is_marked(&path.marked()));
    assert_eq!(RemotePath::parse(&path.marked()), Ok(path.clone()), "as `scp` takes it");
    assert_eq!(percent_decode_str(&path.encoded()).decode_utf8_lossy(), path.as_str(), "in a URL and back");
    assert_eq!(path.nfc(), path.nfd().nfc(), "one composed form");
    assert_eq!(path.nfc(), path.nfc().nfc());
    assert_eq!(path.nfc().segments().count(), path.segments().count(), "composing makes no segments");
    match path.parent() {
        Some(parent) => {
            assert_eq!(parent.join(path.name()), path);
            assert_eq!(path.relative_to(&parent), Some(path.name()));
            assert!(parent.relative_to(&path).is_none());
        }
        None => assert!(path.is_root()),
    }
    whatever(&path);
}

/// Checks the properties of paths from a server.
fn whatever(path: &RemotePath) {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte);
    assert!(path.encoded().bytes().all(unreserved), "{path:?}");
    assert_eq!(path.relative_to(path), Some(if path.is_root() { path.as_str() } else { "" }));
    let forms = path.read_forms();
    assert!((1..=3).contains(&forms.len()) && forms[0] == *path, "{path:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_a_path_or_refused(text in any::<String>()) {
            super::path(&text);
        }

        #[test]
        fn so_is_what_looks_like_one(text in r"(cells:)?/{0,3}([a.é\u{301}\\%{}*\x00 ~-]{0,4}/{0,2}){0,5}") {
            super::path(&text);
        }
    }
}

//! Properties of all texts as values of settings, for property tests and the fuzz target.

use super::{parse_duration, parse_link, parse_url};
use crate::env::parse_switch;
use cells_client::account::{LinkUrl, ServerUrl};

/// Parses any text as a duration, a switch, a URL and a public link.
pub fn values(text: &str) {
    if let Ok(duration) = parse_duration(text) {
        assert!(!duration.is_zero(), "{text:?}");
    }
    let _ = parse_switch(text);
    if let Ok(url) = parse_url(text) {
        assert!(!url.origin().ends_with('/') && !url.host().is_empty(), "{text:?}");
        assert_eq!(ServerUrl::parse(url.origin()).as_ref(), Ok(&url), "{text:?}");
        assert!(url.account_id("user").starts_with("user@"));
    }
    if let Ok((link, below)) = parse_link(text) {
        assert!(LinkUrl::is_meant(&link.to_string()) && !link.hash().is_empty(), "{text:?}");
        assert_eq!(LinkUrl::parse(&link.to_string()), Ok((link.clone(), String::new())), "it reads as itself");
        let encoded: Vec<String> = below.split('/').map(cells_client::path::encode_segment).collect();
        let whole = format!("{link}/{}", encoded.join("/"));
        assert_eq!(LinkUrl::parse(&whole), Ok((link, below.trim_end_matches('/').to_owned())), "{whole}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_a_value_or_refused(text in any::<String>()) {
            super::values(&text);
        }

        #[test]
        fn so_is_what_looks_like_one(text in r"-?[0-9]{0,22}(\.[0-9]{0,3})?(e-?[0-9]{1,3})?( ?(ms|s|m|h|d|w|y)){0,2}|(http|https|HTTP|cells)://[a-zé%.:@\[\]0-9]{0,9}(:[0-9]{1,6})?[/?#a-z]{0,4}") {
            super::values(&text);
        }

        #[test]
        fn so_is_what_looks_like_a_link(text in r"https?://[a-z@:]{1,5}(/cells)?/public/[a-zA-Z0-9._~ %-]{0,5}(/[a-zé%25FC*?# ]{0,5}){0,3}") {
            super::values(&text);
        }
    }
}

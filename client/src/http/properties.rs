//! Properties of all texts from a server, for property tests and the fuzz target.

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};

use super::{redact, retry};

/// Redacts a text: a second pass changes nothing, and a token never remains.
pub fn redacted(text: &str) {
    let clean = redact::text(text);
    assert_eq!(redact::text(&clean), clean, "{text:?}");
    let token = format!("{}.{}", "a".repeat(43), "B".repeat(43));
    let redacted = redact::text(&format!("{text} {token} {text}")).into_owned();
    assert!(!redacted.contains(&token), "{redacted:?}");
}

/// Reads any text as a Retry-After, with a Date.
pub fn pause(text: &str, date: &str) {
    let (Ok(text), Ok(date)) = (HeaderValue::from_str(text), HeaderValue::from_str(date)) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, text);
    let _ = retry::retry_after(&headers);
    headers.insert(DATE, date);
    let _ = (retry::retry_after(&headers), retry::server_time(&headers));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_shows_a_token(text in r"(Bearer |Credential=|eyJ|[a-zA-Z0-9._<é -]){0,60}") {
            super::redacted(&text);
        }

        #[test]
        fn any_pause_is_read_or_ignored(text in any::<String>(), date in "[0-9]{0,25}|(Sun, 06 Nov (1994|9999|0000) 08:49:37 GMT)") {
            super::pause(&text, &date);
            super::pause(&date, &date);
        }
    }
}

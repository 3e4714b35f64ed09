//! Properties of all texts on a terminal, for property tests and the fuzz target.

use super::{escape, is_unsafe, json_safe};

/// Checks that no text moves the cursor, changes colors or the text direction, and that JSON remains the same JSON.
pub fn escaped(text: &str) {
    let shown = escape(text);
    assert!(!shown.chars().any(is_unsafe), "{shown:?}");
    assert_eq!(escape(&shown), shown);
    let json = serde_json::Value::from(text).to_string();
    let safe = json_safe(&json);
    assert!(!safe.chars().any(is_unsafe), "{safe:?}");
    assert_eq!(serde_json::from_str::<String>(&safe).ok().as_deref(), Some(text));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_acts_on_the_terminal(text in any::<String>()) {
            super::escaped(&text);
        }

        #[test]
        fn nor_do_those_that_try(text in r"[\x00-\x1f\x7f-\x9f\u{61c}\u{200e}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{feff}a\\]{0,12}") {
            super::escaped(&text);
        }
    }
}

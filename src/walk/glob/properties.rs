//! What holds for any text as a pattern: for the property tests here and for the fuzz target.

use super::{MOST_ALTERNATIVES, Segment, compile, has_pattern, is_pattern, matches};
use crate::path::RemotePath;

/// Reads any text as a pattern, tries a name on it, and makes a pattern of the name that matches just that.
pub fn glob(pattern: &str, name: &str) {
    if let Ok(path) = RemotePath::parse(pattern) {
        let segments = compile(&path).unwrap_or_default();
        let patterned = segments.iter().any(|segment| !matches!(segment, Segment::Literal(_)));
        assert!(!patterned || has_pattern(&path), "{pattern:?}");
        for segment in &segments {
            if let Segment::Pattern { alternatives, hidden } = segment {
                assert!(!alternatives.is_empty() && alternatives.len() <= MOST_ALTERNATIVES, "{pattern:?}");
                let dots = *hidden || pattern.contains('{') || !name.starts_with('.');
                assert!(dots || !matches(alternatives, name), "{pattern:?} on {name:?}");
            }
        }
    }
    // Braces have no form that is taken literally.
    let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0', '{', '}']);
    if is_name {
        // A percent sign stands for a star only where it is alone.
        let special = if name == "%" { "%" } else { "*?[" };
        let quoted: String = name
            .chars()
            .map(|character| if special.contains(character) { format!("[{character}]") } else { character.to_string() })
            .collect();
        let path = RemotePath::root().join("ws").join(&quoted);
        let segments = compile(&path).expect("a quoted name is a pattern");
        match segments.last() {
            Some(Segment::Pattern { alternatives, .. }) => {
                assert!(matches(alternatives, name), "{quoted:?} on {name:?}");
                assert!(!matches(alternatives, &format!("{name}x")), "{quoted:?} matches more than {name:?}");
            }
            Some(Segment::Literal(literal)) => assert!(literal == name && !is_pattern(&quoted)),
            _ => panic!("{quoted:?} reaches over several folders"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_a_pattern_or_refused(pattern in any::<String>(), name in any::<String>()) {
            super::glob(&pattern, &name);
        }

        #[test]
        fn so_is_what_looks_like_one(pattern in r"[]a.é!,/%{}*?\[-]{0,20}", name in r"[]a.é!,{}*?\[-]{0,8}") {
            super::glob(&pattern, &name);
        }
    }
}

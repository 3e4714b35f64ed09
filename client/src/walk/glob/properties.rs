//! Properties of all texts as patterns, for property tests and the fuzz target.

use super::{MOST_ALTERNATIVES, Reading, Segment, compile, is_special, matches};
use crate::path::RemotePath;

/// Parses any text as a pattern and matches a name; a quoted name must match only itself.
pub fn glob(pattern: &str, name: &str) {
    if let Ok(path) = RemotePath::parse(pattern) {
        let segments = compile(&path, true).unwrap_or_default();
        let patterned = segments.iter().any(|segment| !matches!(segment, Segment::Literal(_)));
        assert!(!patterned || Reading { percent: true, ..Reading::default() }.is_pattern(&path), "{pattern:?}");
        for segment in &segments {
            if let Segment::Pattern { alternatives, hidden, .. } = segment {
                assert!(!alternatives.is_empty() && alternatives.len() <= MOST_ALTERNATIVES, "{pattern:?}");
                let dots = *hidden || pattern.contains('{') || !name.starts_with('.');
                assert!(dots || !matches(alternatives, name), "{pattern:?} on {name:?}");
            }
        }
    }
    let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    if is_name {
        let escaped = |character: char| if is_special(character) { format!("\\{character}") } else { character.into() };
        let quoted: String = name.chars().map(escaped).collect();
        let segments = compile(&RemotePath::root().join("ws").join(&quoted), true).expect("a name is a pattern");
        assert!(
            matches!(segments.last(), Some(Segment::Literal(literal)) if literal == name),
            "{quoted:?} is {name:?}"
        );
        // The quoted name must match only itself as a part of a pattern, too.
        let segments = compile(&RemotePath::root().join("ws").join(&format!("{quoted}?")), true);
        let Some(Segment::Pattern { alternatives, .. }) = segments.expect("a pattern").pop() else {
            panic!("{quoted:?} with a question mark is not a pattern")
        };
        assert!(matches(&alternatives, &format!("{name}x")), "{quoted:?} on {name:?}");
        assert!(!matches(&alternatives, name) && !matches(&alternatives, &format!("{name}xx")), "{quoted:?}");
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

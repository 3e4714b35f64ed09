//! A pattern within one name: `*`, `?`, `[a-z]` and `[!a-z]`. The time for matching is proportional to the lengths of
//! pattern and name, whatever the pattern is. Trying every way to divide a name between many stars would take forever.

/// One element of a pattern.
#[derive(Debug, PartialEq, Eq)]
enum Element {
    /// Exactly this character.
    Literal(char),
    /// Any single character.
    Any,
    /// Any number of characters.
    Star,
    /// A single character inside one of the ranges, or outside all of them.
    OneOf { outside: bool, ranges: Vec<(char, char)> },
}

impl Element {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Literal(literal) => *literal == character,
            Self::Any => true,
            Self::Star => false,
            Self::OneOf { outside, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&character)) != *outside
            }
        }
    }
}

/// A pattern that names are compared with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Element>);

impl Pattern {
    /// Parses a pattern as shells do: a `[` without its partner, a `]` directly after `[`, and a special character
    /// after a backslash are literal.
    ///
    /// # Errors
    /// What is not valid: empty brackets.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let characters: Vec<char> = text.chars().collect();
        let mut elements = Vec::with_capacity(characters.len());
        let mut at = 0;
        while let Some(character) = characters.get(at) {
            at += 1;
            match character {
                '\\' if characters.get(at).copied().is_some_and(super::is_special) => {
                    elements.push(Element::Literal(characters[at]));
                    at += 1;
                }
                // Several stars in a row match the same as one, and would only cost time.
                '*' if elements.last() == Some(&Element::Star) => {}
                '*' => elements.push(Element::Star),
                '?' => elements.push(Element::Any),
                '[' if characters[at..].contains(&']') => {
                    let (element, end) = brackets(&characters, at)?;
                    elements.push(element);
                    at = end;
                }
                other => elements.push(Element::Literal(*other)),
            }
        }
        Ok(Self(elements))
    }

    /// Whether the complete name matches. A dot at its start matches only a literal dot.
    pub(super) fn matches(&self, name: &[char]) -> bool {
        let Self(elements) = self;
        if name.first() == Some(&'.') && elements.first() != Some(&Element::Literal('.')) {
            return false;
        }
        self.takes_all(name)
    }

    /// Whether the complete name matches. A dot at its start is a character like any other.
    pub(super) fn takes_all(&self, name: &[char]) -> bool {
        let Self(elements) = self;
        let (mut element, mut at) = (0, 0);
        // The element after the last star, and the position up to which the star matches. Earlier stars never need
        // another attempt.
        let mut star = None;
        while let Some(character) = name.get(at) {
            match (elements.get(element), star) {
                (Some(Element::Star), _) => {
                    element += 1;
                    star = Some((element, at));
                }
                (Some(one), _) if one.takes(*character) => (element, at) = (element + 1, at + 1),
                // A mismatch: let the last star match one more character, and continue after it.
                (_, Some((behind, taken))) => {
                    (element, at) = (behind, taken + 1);
                    star = Some((behind, at));
                }
                (_, None) => return false,
            }
        }
        elements[element..].iter().all(|rest| *rest == Element::Star)
    }
}

/// Parses brackets, from the position after `[` to the position after `]`.
fn brackets(characters: &[char], start: usize) -> Result<(Element, usize), &'static str> {
    let outside = characters.get(start) == Some(&'!');
    let first = start + usize::from(outside);
    let inside = characters.get(first + 1..).unwrap_or_default();
    let close = inside.iter().position(|character| *character == ']').ok_or("empty brackets")?;
    let end = first + 1 + close;
    let mut ranges = Vec::new();
    let mut rest = &characters[first..end];
    loop {
        rest = match rest {
            [from, '-', to, rest @ ..] => {
                ranges.push((*from, *to));
                rest
            }
            [one, rest @ ..] => {
                ranges.push((*one, *one));
                rest
            }
            [] => return Ok((Element::OneOf { outside, ranges }, end + 1)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).expect("a pattern").matches(&name.chars().collect::<Vec<_>>())
    }

    #[test]
    fn patterns_match_complete_names_by_characters() {
        for (pattern, name) in [
            ("", ""),
            ("*", "anything"),
            ("a*c", "abbc"),
            ("a*c", "ac"),
            ("*.t?t", "a.b.tät"),
            ("[a-c]x[!0-9]", "bxé"),
            ("[]x]", "]"),
            ("[!]]", "x"),
            ("[a-]", "-"),
            ("a[b**", "a[bc"),
            ("]", "]"),
            (".*", ".hidden"),
            ("***a", "ba"),
        ] {
            assert!(matches(pattern, name), "{pattern} on {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("a", ""),
            ("a*c", "abcd"),
            ("?", ""),
            ("?", "ab"),
            ("[a-c]", "d"),
            ("[!a-c]", "b"),
            ("[z-a]", "m"),
            ("A", "a"),
            ("*", ".hidden"),
            ("*.*", ".hidden"),
            ("?x", ".x"),
            ("[.]x", ".x"),
        ] {
            assert!(!matches(pattern, name), "{pattern} on {name}");
        }
    }

    #[test]
    fn brackets_with_nothing_in_them_are_refused() {
        for pattern in ["[]", "a[!]"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    /// Found by fuzzing: the time doubled with every star.
    #[test]
    fn many_stars_take_no_time() {
        let pattern = "*?a".repeat(200);
        assert!(!matches(&format!("{pattern}b"), &"a".repeat(5000)));
        assert!(matches(&pattern, &"ba".repeat(2500)));
    }
}

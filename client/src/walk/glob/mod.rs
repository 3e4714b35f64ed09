//! Remote globs: `*`, `?`, `[a-z]`, `{a,b}`, `**`, and in some commands `%` for `*` as the complete last segment. The
//! client matches them against all pages of every listing. A backslash escapes the next character, which is safe
//! because the server cannot return a name with a backslash. The recycle bin of a workspace matches only its own name.

mod pattern;
#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;

use futures_util::TryStreamExt;

use pattern::Pattern;

use super::{WalkError, remote};
use crate::api::{Client, Node};
use crate::failure::{ServerError, ServerErrorKind};
use crate::path::{RemotePath, composed};
use crate::s3;

/// How to interpret a path from the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Whether nothing in it is a pattern.
    pub literal: bool,
    /// Whether `%` as the complete last segment means `*`, as in the older client's `rm`.
    pub percent: bool,
    /// Whether another Unicode form is another name, so that only exactly the named node is changed or removed.
    pub exact: bool,
}

impl Reading {
    /// Whether a path contains a pattern or an escaped character.
    pub fn is_pattern(self, path: &RemotePath) -> bool {
        let is_percent = self.percent && path.name() == "%";
        !self.literal && (is_percent || path.segments().any(|segment| is_pattern(segment) || is_escaped(segment)))
    }

    async fn find(self, api: &Client, path: &RemotePath) -> Result<Option<Node>, ServerError> {
        if !self.exact {
            return api.find(path).await;
        }
        match api.stat(path).await {
            Ok(node) => Ok(Some(node)),
            Err(error) if error.kind == ServerErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is_name(self, typed: &str, name: &str) -> bool {
        let composed = |text: &str| RemotePath::root().join(text).nfc();
        typed == name || (!self.exact && composed(typed) == composed(name))
    }
}

/// The nodes that a path from the user names.
#[derive(Debug, Default)]
pub struct Expansion {
    /// The nodes, sorted by path.
    pub nodes: Vec<Node>,
    /// Whether a pattern found them.
    pub by_pattern: bool,
    /// Nodes whose literal name could also be read as a pattern with `*` or `?`. Only they were selected.
    pub very_names: Vec<RemotePath>,
}

/// Whether a backslash escapes this character.
fn is_special(character: char) -> bool {
    "*?[]{},%\\".contains(character)
}

/// Returns the characters of a text, and whether each of them is escaped.
fn characters(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut rest = text.chars().peekable();
    std::iter::from_fn(move || match rest.next()? {
        '\\' => match rest.next_if(|next| is_special(*next)) {
            Some(escaped) => Some((escaped, true)),
            None => Some(('\\', false)),
        },
        plain => Some((plain, false)),
    })
}

fn is_escaped(segment: &str) -> bool {
    segment.contains('\\') && characters(segment).any(|(_, escaped)| escaped)
}

/// Whether a name contains anything that globs treat as a pattern.
fn is_pattern(segment: &str) -> bool {
    let bare: String = characters(segment).filter(|(_, escaped)| !escaped).map(|(character, _)| character).collect();
    bare.contains(['*', '?', '{']) || bare.find('[').is_some_and(|open| bare[open..].contains(']'))
}

/// One segment of a pattern.
enum Segment {
    /// A literal name.
    Literal(String),
    /// Any number of folders.
    AnyDepth,
    /// A pattern within one name; `hidden` if it explicitly matches names that start with a dot.
    Pattern { text: String, alternatives: Vec<Pattern>, hidden: bool },
}

fn matches(alternatives: &[Pattern], name: &str) -> bool {
    let name: Vec<char> = composed(name).chars().collect();
    alternatives.iter().any(|pattern| pattern.matches(&name))
}

/// A pattern for single names: `*`, `?`, `[a-z]`, `{a,b}`. It also matches names that start with a dot.
#[derive(Debug)]
pub struct NamePattern {
    alternatives: Vec<Pattern>,
    any_case: bool,
}

impl NamePattern {
    /// Parses a pattern. With `any_case` it ignores case.
    ///
    /// # Errors
    /// [`WalkError::Pattern`].
    pub fn parse(text: &str, any_case: bool) -> Result<Self, WalkError> {
        let refused = |reason: &str| WalkError::Pattern { pattern: text.to_owned(), reason: reason.to_owned() };
        let text = &*composed(text);
        let folded = if any_case { text.to_lowercase() } else { text.to_owned() };
        let expanded = expand_braces(&folded).ok_or_else(|| refused("its braces expand to too many patterns"))?;
        let alternatives =
            expanded.iter().map(|text| Pattern::parse(text).map_err(refused)).collect::<Result<_, _>>()?;
        Ok(Self { alternatives, any_case })
    }

    /// Whether a name matches.
    pub fn is_match(&self, name: &str) -> bool {
        let name = composed(name);
        let name: Vec<char> =
            if self.any_case { name.to_lowercase().chars().collect() } else { name.chars().collect() };
        self.alternatives.iter().any(|pattern| pattern.takes_all(&name))
    }
}

/// The maximum number of patterns that a segment with braces may expand to.
const MOST_ALTERNATIVES: usize = 10_000;

/// Returns the patterns that `{a,b}` expands to, including nested ones, in order. A brace without its partner is
/// literal. `None` if there are more than [`MOST_ALTERNATIVES`].
fn expand_braces(pattern: &str) -> Option<Vec<String>> {
    let mut pending = vec![pattern.to_owned()];
    let mut expanded = Vec::new();
    while let Some(pattern) = pending.pop() {
        let Some((open, close, commas)) = first_braces(&pattern) else {
            expanded.push(pattern);
            continue;
        };
        let (before, after) = (&pattern[..open], &pattern[close + 1..]);
        let mut bounds = vec![open];
        bounds.extend(commas);
        bounds.push(close);
        // Checked before expanding: a few nested braces can result in millions of patterns.
        if pending.len() + expanded.len() + bounds.len() > MOST_ALTERNATIVES {
            return None;
        }
        // A stack: in reverse order, the first alternative is expanded first.
        let alternatives = bounds.windows(2).rev();
        pending.extend(alternatives.map(|bound| format!("{before}{}{after}", &pattern[bound[0] + 1..bound[1]])));
    }
    Some(expanded)
}

/// Returns the position of the first matching pair of braces, and of the commas directly inside it.
fn first_braces(pattern: &str) -> Option<(usize, usize, Vec<usize>)> {
    let (mut open, mut depth, mut commas) = (None, 0_usize, Vec::new());
    let mut next = 0;
    for (character, escaped) in characters(pattern) {
        let index = next + usize::from(escaped);
        next = index + character.len_utf8();
        match character {
            _ if escaped => {}
            '{' => {
                open = open.or(Some(index));
                depth += 1;
            }
            ',' if depth == 1 => commas.push(index),
            '}' if depth == 1 => return Some((open?, index, commas)),
            '}' if depth > 0 => depth -= 1,
            _ => {}
        }
    }
    None
}

fn compile(path: &RemotePath, percent: bool) -> Result<Vec<Segment>, WalkError> {
    let count = path.segments().count();
    let mut segments = Vec::with_capacity(count);
    for (index, text) in path.segments().enumerate() {
        let text = if percent && text == "%" && index + 1 == count { "*" } else { text };
        segments.push(if text == "**" {
            Segment::AnyDepth
        } else if is_pattern(text) {
            let refused = |reason: &str| WalkError::Pattern { pattern: path.to_string(), reason: reason.to_owned() };
            let expanded =
                expand_braces(&composed(text)).ok_or_else(|| refused("its braces expand to too many patterns"))?;
            let mut alternatives = Vec::with_capacity(expanded.len());
            for alternative in expanded {
                alternatives.push(Pattern::parse(&alternative).map_err(refused)?);
            }
            Segment::Pattern { text: text.to_owned(), alternatives, hidden: text.starts_with('.') }
        } else {
            Segment::Literal(characters(text).map(|(character, _)| character).collect())
        });
    }
    Ok(segments)
}

/// Returns the nodes that a path from the user names: the node with exactly this path, otherwise all that match the
/// pattern. In each segment, an existing literal name has priority over the pattern. Names that start with a dot match
/// only a segment that starts with a dot. The recycle bin of a workspace, with its content, matches only a pattern
/// whose second segment is its literal name.
///
/// # Errors
/// A listing fails, or the pattern is not valid.
pub async fn expand(
    api: &Client,
    s3: &s3::Client,
    path: &RemotePath,
    reading: Reading,
) -> Result<Expansion, WalkError> {
    // Before any interpretation: a file whose real name contains `*` or `[` must remain reachable, above all for `rm`.
    if let Some(node) = reading.find(api, path).await? {
        let is_any = !reading.literal && path.segments().any(reads_as_any);
        let very_names = is_any.then(|| node.path.clone()).into_iter().collect();
        return Ok(Expansion { nodes: vec![node], by_pattern: false, very_names });
    }
    if !reading.is_pattern(path) {
        return Ok(Expansion::default());
    }
    let segments = compile(path, reading.percent)?;
    let by_pattern = segments.iter().any(|segment| !matches!(segment, Segment::Literal(_)));
    let mut search = Search { api, s3, reading, segments, found: Expansion::default() };
    search.run().await?;
    let mut found = search.found;
    found.by_pattern = by_pattern;
    found.nodes.sort_by(|left, right| left.path.cmp(&right.path));
    // With `**`, a node may be reached on several ways.
    found.nodes.dedup_by(|left, right| left.path == right.path);
    found.very_names.dedup();
    Ok(found)
}

/// Whether a name could be read as a pattern that matches any text.
fn reads_as_any(name: &str) -> bool {
    characters(name).any(|(character, escaped)| !escaped && matches!(character, '*' | '?'))
}

/// A position of the search.
struct Step {
    /// The present node; `None` for the root.
    folder: Option<Node>,
    /// The index of the segment to match below it.
    index: usize,
    /// Whether the node is one of the folders that `**` matches.
    within: bool,
}

/// The search for all matches of a pattern.
struct Search<'a> {
    api: &'a Client,
    s3: &'a s3::Client,
    reading: Reading,
    segments: Vec<Segment>,
    found: Expansion,
}

impl Search<'_> {
    async fn run(&mut self) -> Result<(), WalkError> {
        let mut pending = vec![Step { folder: None, index: 0, within: false }];
        while let Some(step) = pending.pop() {
            let folder = step.folder.as_ref();
            if folder.is_some_and(|node| self.is_unnamed_bin(&node.path)) {
                continue;
            }
            if step.index == self.segments.len() {
                self.found.nodes.extend(step.folder);
                continue;
            }
            if folder.is_some_and(|node| !node.is_folder()) {
                continue;
            }
            pending.extend(self.step(step).await?);
        }
        Ok(())
    }

    /// Returns the next positions.
    async fn step(&mut self, step: Step) -> Result<Vec<Step>, WalkError> {
        let Step { folder, index, within } = step;
        let below = |node: Node| Step { folder: Some(node), index: index + 1, within: false };
        let (api, s3) = (self.api, self.s3);
        match &self.segments[index] {
            Segment::Literal(name) => {
                let parent = folder.as_ref().map_or_else(RemotePath::root, |node| node.path.clone());
                Ok(self.reading.find(api, &parent.join(name)).await?.map(below).into_iter().collect())
            }
            Segment::AnyDepth => {
                // `**` matches no folder, or one folder followed by any depth. As the last segment it matches
                // everything below.
                let last = index + 1 == self.segments.len();
                let children = children(api, s3, folder.as_ref(), false).await?;
                // Only where `**` begins: inside it, a folder called `**` is just one of the folders on the way.
                if !within && let Some(named) = self.of_that_name("**", &children) {
                    return Ok(vec![below(named)]);
                }
                let mut steps = Vec::new();
                if !last {
                    steps.push(Step { folder, index: index + 1, within: false });
                }
                for child in children {
                    if last && !self.is_unnamed_bin(&child.path) {
                        self.found.nodes.push(child.clone());
                    }
                    if child.is_folder() {
                        steps.push(Step { folder: Some(child), index, within: true });
                    }
                }
                Ok(steps)
            }
            Segment::Pattern { text, alternatives, hidden } => {
                let children = children(api, s3, folder.as_ref(), *hidden).await?;
                let text = text.clone();
                let matching = children.iter().filter(|child| matches(alternatives, child.name())).cloned();
                let matching: Vec<Step> = matching.map(below).collect();
                match self.of_that_name(&text, &children) {
                    Some(named) => Ok(vec![below(named)]),
                    None => Ok(matching),
                }
            }
        }
    }

    /// Whether this is a recycle bin that the pattern does not name literally.
    fn is_unnamed_bin(&self, path: &RemotePath) -> bool {
        let is_named = |depth: usize| matches!(self.segments.get(depth - 1), Some(Segment::Literal(name)) if name == remote::RECYCLE_BIN);
        remote::is_recycle_bin(path) && !remote::depth_of_recycle_bin(path).is_some_and(is_named)
    }

    /// Returns the node whose name is exactly the text of the pattern, which has priority.
    fn of_that_name(&mut self, text: &str, children: &[Node]) -> Option<Node> {
        let named = children.iter().find(|child| self.reading.is_name(text, child.name()))?;
        if reads_as_any(text) {
            self.found.very_names.push(named.path.clone());
        }
        Some(named.clone())
    }
}

async fn children(api: &Client, s3: &s3::Client, folder: Option<&Node>, hidden: bool) -> Result<Vec<Node>, WalkError> {
    let Some(folder) = folder else {
        return Ok(api.workspaces().await?);
    };
    let all: Vec<Node> = if hidden {
        remote::children(api, s3, &folder.path).try_collect().await?
    } else {
        api.children(&folder.path).try_collect().await?
    };
    Ok(all.into_iter().filter(|node| hidden || !node.is_hidden()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RemotePath {
        RemotePath::parse(text).expect("a path")
    }

    #[test]
    fn accents_match_in_both_unicode_forms() {
        for (typed, name) in [("caf\u{e9}*", "cafe\u{301}.txt"), ("cafe\u{301}*", "caf\u{e9}.txt")] {
            assert!(NamePattern::parse(typed, false).expect("a pattern").is_match(name), "{typed:?} {name:?}");
            let segments = compile(&RemotePath::root().join("ws").join(typed), false).expect("a path");
            let Segment::Pattern { alternatives, .. } = &segments[1] else { panic!("a pattern") };
            assert!(matches(alternatives, name), "{typed:?} {name:?}");
        }
    }

    #[test]
    fn patterns_and_names_are_distinguished() {
        let is_pattern = |text: &str, percent| Reading { percent, ..Reading::default() }.is_pattern(&parse(text));
        for text in ["ws/*", "ws/a?", "ws/[ab]/c", "ws/{a,b}", "ws/**/x", r"ws/\*", r"ws/a\{/b"] {
            assert!(is_pattern(text, false), "{text}");
            assert!(!Reading { literal: true, ..Reading::default() }.is_pattern(&parse(text)), "{text}");
        }
        for text in ["ws/a", "ws/100%", "ws/%/a", "ws/(a)", "ws/[a", "ws/a]", r"ws\folder", r"ws/a\b"] {
            assert!(!is_pattern(text, true), "{text}");
        }
        assert!(is_pattern("ws/%", true) && !is_pattern("ws/%", false));
    }

    #[test]
    fn a_backslash_takes_the_meaning_away() {
        for (typed, name) in [
            (r"ws/\[2024\] album", "[2024] album"),
            (r"ws/\*", "*"),
            (r"ws/a\\b", r"a\b"),
            (r"ws/\{a,b}", "{a,b}"),
            (r"ws/\%", "%"),
        ] {
            let segments = compile(&parse(typed), true).expect("segments");
            assert!(matches!(&segments[1], Segment::Literal(literal) if literal == name), "{typed}");
        }
        let segments = compile(&parse(r"ws/\[a\]*{\,,\}}"), false).expect("segments");
        let Segment::Pattern { alternatives, .. } = &segments[1] else { panic!("a pattern") };
        assert!(matches(alternatives, "[a]x,") && matches(alternatives, "[a]}"));
        assert!(!matches(alternatives, "ax,") && !matches(alternatives, r"\[a\],"));
    }

    #[test]
    fn the_same_name_in_another_form_is_another_name_where_that_matters() {
        let exact = Reading { exact: true, ..Reading::default() };
        assert!(Reading::default().is_name("*\u{e9}", "*e\u{301}") && !exact.is_name("*\u{e9}", "*e\u{301}"));
        assert!(exact.is_name("*\u{e9}", "*\u{e9}"));
    }

    #[test]
    fn a_bracket_that_nothing_closes_is_itself_and_stars_in_a_row_are_one() {
        let segments = compile(&parse("ws/a[b**"), false).expect("segments");
        let Segment::Pattern { alternatives, .. } = &segments[1] else { panic!("a pattern") };
        assert!(matches(alternatives, "a[bc") && !matches(alternatives, "abc"));
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = compile(&parse("ws/a[]"), false).err().expect("an error");
        assert!(error.to_string().contains("ws/a[]"), "{error}");
    }

    #[test]
    fn segments_match_within_one_name() {
        let segments = compile(&parse("ws/**/f{1,2}*.t?t/%"), true).expect("segments");
        assert!(matches!(segments[0], Segment::Literal(_)));
        assert!(matches!(segments[1], Segment::AnyDepth));
        let Segment::Pattern { alternatives, hidden, .. } = &segments[2] else { panic!("a pattern") };
        assert!(!hidden);
        assert!(matches(alternatives, "f1 long.txt") && matches(alternatives, "f2.tät"));
        assert!(!matches(alternatives, "f3.txt"));
        let Segment::Pattern { alternatives, .. } = &segments[3] else { panic!("a pattern") };
        assert!(matches(alternatives, "anything") && !matches(alternatives, ".hidden"));
    }

    #[test]
    fn patterns_for_names_take_dots_and_may_not_mind_case() {
        let pattern = NamePattern::parse("*.{txt,md}", false).expect("a pattern");
        assert!(pattern.is_match(".hidden.txt") && pattern.is_match("a.md") && !pattern.is_match("A.TXT"));
        let pattern = NamePattern::parse("\u{c9}t*.TXT", true).expect("a pattern");
        assert!(pattern.is_match("\u{e9}T\u{c9}.txt") && !pattern.is_match("ete.txt"));
    }

    #[test]
    fn braces_are_alternatives_nested_or_alone() {
        let expanded = |pattern| expand_braces(pattern).expect("not too many");
        assert_eq!(expanded("a{b,c{d,e},}f"), ["abf", "acdf", "acef", "af"]);
        assert_eq!(expanded("{x}y{1,2}"), ["xy1", "xy2"]);
        assert_eq!(expanded("a}b{c"), ["a}b{c"]);
    }

    #[test]
    fn braces_that_multiply_beyond_reason_are_refused() {
        let pattern = format!("ws/{}", "{a,b}".repeat(64));
        assert!(matches!(compile(&parse(&pattern), false), Err(WalkError::Pattern { .. })));
        let nested = format!("ws/{}x{}", "{".repeat(500), "}".repeat(500));
        assert_eq!(compile(&parse(&nested), false).expect("one pattern").len(), 2);
    }
}

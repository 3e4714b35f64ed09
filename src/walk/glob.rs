//! Remote globs: `*`, `?`, `[a-z]`, `{a,b}`, `**`, and `%` for `*` as a whole last segment, matched by us over all
//! pages of every listing. The recycle bin of a workspace is matched by its name only.

mod pattern;
#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;

use futures_util::TryStreamExt;

use pattern::Pattern;

use super::{WalkError, remote};
use crate::api::{Client, Node};
use crate::path::RemotePath;
use crate::s3;

/// Whether a name holds anything that a glob would read as a pattern.
fn is_pattern(segment: &str) -> bool {
    segment.contains(['*', '?', '{']) || segment.find('[').is_some_and(|open| segment[open..].contains(']'))
}

/// Whether a path holds a pattern at all; `%` counts as its last segment only.
pub fn has_pattern(path: &RemotePath) -> bool {
    path.name() == "%" || path.segments().any(is_pattern)
}

/// One segment of a pattern.
enum Segment {
    /// A name as it is.
    Literal(String),
    /// Any number of folders.
    AnyDepth,
    /// A pattern within one name; `hidden` where it asks for dot names itself.
    Pattern { alternatives: Vec<Pattern>, hidden: bool },
}

fn matches(alternatives: &[Pattern], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    alternatives.iter().any(|pattern| pattern.matches(&name))
}

/// A pattern for single names: `*`, `?`, `[a-z]`, `{a,b}`. Names that start with a dot are matched like others.
#[derive(Debug)]
pub struct NamePattern {
    alternatives: Vec<Pattern>,
    any_case: bool,
}

impl NamePattern {
    /// Reads a pattern; with `any_case` it does not mind case.
    ///
    /// # Errors
    /// [`WalkError::Pattern`].
    pub fn parse(text: &str, any_case: bool) -> Result<Self, WalkError> {
        let refused = |reason: &str| WalkError::Pattern { pattern: text.to_owned(), reason: reason.to_owned() };
        let folded = if any_case { text.to_lowercase() } else { text.to_owned() };
        let expanded = expand_braces(&folded).ok_or_else(|| refused("its braces stand for too many patterns"))?;
        let alternatives =
            expanded.iter().map(|text| Pattern::parse(text).map_err(refused)).collect::<Result<_, _>>()?;
        Ok(Self { alternatives, any_case })
    }

    /// Whether a name is one of those meant.
    pub fn is_match(&self, name: &str) -> bool {
        let name: Vec<char> =
            if self.any_case { name.to_lowercase().chars().collect() } else { name.chars().collect() };
        self.alternatives.iter().any(|pattern| pattern.takes_all(&name))
    }
}

/// How many patterns one segment with braces may stand for.
const MOST_ALTERNATIVES: usize = 10_000;

/// The patterns that `{a,b}` stands for, nested ones included, in order; a brace without its partner is itself. `None`
/// where there are more than [`MOST_ALTERNATIVES`].
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
        if pending.len() + expanded.len() + bounds.len() > MOST_ALTERNATIVES {
            return None;
        }
        // The last one in is the first one out.
        let alternatives = bounds.windows(2).rev();
        pending.extend(alternatives.map(|bound| format!("{before}{}{after}", &pattern[bound[0] + 1..bound[1]])));
    }
    Some(expanded)
}

/// Where the first matched pair of braces stands, and the commas directly inside it.
fn first_braces(pattern: &str) -> Option<(usize, usize, Vec<usize>)> {
    let (mut open, mut depth, mut commas) = (None, 0_usize, Vec::new());
    for (index, character) in pattern.char_indices() {
        match character {
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

fn compile(path: &RemotePath) -> Result<Vec<Segment>, WalkError> {
    let count = path.segments().count();
    let mut segments = Vec::with_capacity(count);
    for (index, text) in path.segments().enumerate() {
        let text = if text == "%" && index + 1 == count { "*" } else { text };
        segments.push(if text == "**" {
            Segment::AnyDepth
        } else if is_pattern(text) {
            let refused = |reason: &str| WalkError::Pattern { pattern: path.to_string(), reason: reason.to_owned() };
            let expanded = expand_braces(text).ok_or_else(|| refused("its braces stand for too many patterns"))?;
            let mut alternatives = Vec::with_capacity(expanded.len());
            for alternative in expanded {
                alternatives.push(Pattern::parse(&alternative).map_err(refused)?);
            }
            Segment::Pattern { alternatives, hidden: text.starts_with('.') }
        } else {
            Segment::Literal(text.to_owned())
        });
    }
    Ok(segments)
}

/// The nodes that a typed path names, sorted by path: the node itself where it exists literally (that wins) or
/// `literal` is asked for, else all that the pattern matches. Empty where nothing does. Dot names match only a
/// segment that starts with a dot, and the recycle bin of a workspace, with all that is in it, only a pattern whose
/// second segment is its very name.
///
/// # Errors
/// A listing that fails, or a pattern that cannot be read.
pub async fn expand(api: &Client, s3: &s3::Client, path: &RemotePath, literal: bool) -> Result<Vec<Node>, WalkError> {
    if let Some(node) = api.find(path).await? {
        return Ok(vec![node]);
    }
    if literal || !has_pattern(path) {
        return Ok(Vec::new());
    }
    let segments = compile(path)?;
    let names_bin = matches!(segments.get(1), Some(Segment::Literal(name)) if name == remote::RECYCLE_BIN);
    let mut found = Vec::new();
    // What is left to look at: a folder (None for the root) and the index of the segment to match below it.
    let mut pending: Vec<(Option<Node>, usize)> = vec![(None, 0)];
    while let Some((folder, index)) = pending.pop() {
        if !names_bin && folder.as_ref().is_some_and(|node| remote::is_recycle_bin(&node.path)) {
            continue;
        }
        let Some(segment) = segments.get(index) else {
            found.extend(folder);
            continue;
        };
        if folder.as_ref().is_some_and(|node| !node.is_folder()) {
            continue;
        }
        match segment {
            Segment::Literal(name) => {
                let parent = folder.as_ref().map_or_else(RemotePath::root, |node| node.path.clone());
                if let Some(node) = api.find(&parent.join(name)).await? {
                    pending.push((Some(node), index + 1));
                }
            }
            Segment::AnyDepth => {
                // Nothing at all, or one folder and then again any depth. As the last segment it takes all below.
                let last = index + 1 == segments.len();
                if !last {
                    pending.push((folder.clone(), index + 1));
                }
                for child in children(api, s3, folder.as_ref(), false).await? {
                    if child.is_folder() {
                        pending.push((Some(child.clone()), index));
                    }
                    if last && (names_bin || !remote::is_recycle_bin(&child.path)) {
                        found.push(child);
                    }
                }
            }
            Segment::Pattern { alternatives, hidden } => {
                for child in children(api, s3, folder.as_ref(), *hidden).await? {
                    if matches(alternatives, child.name()) {
                        pending.push((Some(child), index + 1));
                    }
                }
            }
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found.dedup_by(|left, right| left.path == right.path);
    Ok(found)
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
    fn patterns_are_told_from_names() {
        for text in ["ws/*", "ws/a?", "ws/[ab]/c", "ws/{a,b}", "ws/**/x", "ws/%"] {
            assert!(has_pattern(&parse(text)), "{text}");
        }
        for text in ["ws/a", "ws/100%", "ws/%/a", "ws/(a)", "ws/[a", "ws/a]"] {
            assert!(!has_pattern(&parse(text)), "{text}");
        }
    }

    #[test]
    fn a_bracket_that_nothing_closes_is_itself_and_stars_in_a_row_are_one() {
        let segments = compile(&parse("ws/a[b**")).expect("segments");
        let Segment::Pattern { alternatives, .. } = &segments[1] else { panic!("a pattern") };
        assert!(matches(alternatives, "a[bc") && !matches(alternatives, "abc"));
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = compile(&parse("ws/a[]")).err().expect("an error");
        assert!(error.to_string().contains("ws/a[]"), "{error}");
    }

    #[test]
    fn segments_match_within_one_name() {
        let segments = compile(&parse("ws/**/f{1,2}*.t?t/%")).expect("segments");
        assert!(matches!(segments[0], Segment::Literal(_)));
        assert!(matches!(segments[1], Segment::AnyDepth));
        let Segment::Pattern { alternatives, hidden } = &segments[2] else { panic!("a pattern") };
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
        assert!(matches!(compile(&parse(&pattern)), Err(WalkError::Pattern { .. })));
        let nested = format!("ws/{}x{}", "{".repeat(500), "}".repeat(500));
        assert_eq!(compile(&parse(&nested)).expect("one pattern").len(), 2);
    }
}

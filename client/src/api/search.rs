//! Search in the server's index of names.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::page::EmptyPages;
use super::wire::{WireNode, list, number};
use super::{Client, Node};
use crate::failure::ServerError;
use crate::path::RemotePath;

const PATH: &str = "/a/search/nodes";

/// The number of hits per call.
const PAGE: u64 = 100;

/// The English words that the index omits (docs/protocol.md §2.5).
const LEFT_OUT: [&str; 123] = [
    "a",
    "about",
    "above",
    "after",
    "again",
    "against",
    "all",
    "am",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "because",
    "been",
    "before",
    "being",
    "below",
    "between",
    "both",
    "but",
    "by",
    "could",
    "did",
    "do",
    "does",
    "doing",
    "down",
    "during",
    "each",
    "few",
    "for",
    "from",
    "further",
    "had",
    "has",
    "have",
    "having",
    "he",
    "her",
    "here",
    "hers",
    "herself",
    "him",
    "himself",
    "his",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "itself",
    "me",
    "more",
    "most",
    "my",
    "myself",
    "no",
    "nor",
    "not",
    "of",
    "off",
    "on",
    "once",
    "only",
    "or",
    "other",
    "ought",
    "our",
    "ours",
    "ourselves",
    "out",
    "over",
    "own",
    "same",
    "she",
    "should",
    "so",
    "some",
    "such",
    "than",
    "that",
    "the",
    "their",
    "theirs",
    "them",
    "themselves",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "through",
    "to",
    "too",
    "under",
    "until",
    "up",
    "very",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "whom",
    "why",
    "with",
    "would",
    "you",
    "your",
    "yours",
    "yourself",
    "yourselves",
];

/// A search. All conditions must match.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// A part of the name, in any case; `*` matches any text.
    pub name: Option<String>,
    /// The extension, such as `pdf` or `tar.gz`.
    pub extension: Option<String>,
    /// The folder to search in.
    pub below: Option<RemotePath>,
    /// Metadata conditions: namespace and value.
    pub meta: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SearchRequest {
    query: Query,
    size: u64,
    #[serde(skip_serializing_if = "super::wire::is_zero")]
    from: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    #[serde(skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path_prefix: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_string: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct SearchAnswer {
    #[serde(deserialize_with = "list")]
    results: Vec<WireNode>,
    #[serde(deserialize_with = "list")]
    facets: Vec<Facet>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Facet {
    field_name: String,
    #[serde(deserialize_with = "number")]
    count: i64,
}

impl SearchAnswer {
    /// Returns the number of hits in the index, including those that the user may not see. The total in the answer only
    /// counts the results in it.
    fn hits(&self) -> u64 {
        let kinds = self.facets.iter().filter(|facet| facet.field_name == "NodeType");
        kinds.map(|facet| u64::try_from(facet.count).unwrap_or(0)).fold(0, u64::saturating_add)
    }
}

/// A search in progress, read page by page.
#[derive(Debug)]
pub struct SearchResults {
    client: Client,
    search: Search,
    from: u64,
    /// The number of hits, if known.
    hits: Option<u64>,
    seen: HashSet<RemotePath>,
    empty_pages: EmptyPages,
}

impl Client {
    /// Searches the index, which learns of changes some seconds late.
    pub fn search(&self, search: Search) -> SearchResults {
        SearchResults {
            client: self.clone(),
            search,
            from: 0,
            hits: None,
            seen: HashSet::new(),
            empty_pages: EmptyPages::default(),
        }
    }
}

impl SearchResults {
    /// Returns the nodes of the next page, each once; `None` after the last page. A page may be empty without being the
    /// last one, because the server removes nodes that the user may not see.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn page(&mut self) -> Result<Option<Vec<Node>>, ServerError> {
        if self.hits.is_some_and(|hits| self.from >= hits) {
            return Ok(None);
        }
        let below = self.search.below.iter().map(|path| self.client.server_path(path).to_string()).collect();
        let request = SearchRequest { query: self.search.query(below), size: PAGE, from: self.from };
        let answer: SearchAnswer = self.client.read(PATH, &request).await?;
        // Later pages may have no facets.
        let hits = answer.hits().max(self.hits.unwrap_or(0)).max(self.from.saturating_add(answer.results.len() as u64));
        self.empty_pages.note(answer.results.is_empty())?;
        self.hits = Some(hits);
        self.from = self.from.saturating_add(PAGE);
        let real: Vec<WireNode> = answer.results.into_iter().filter(|node| !node.is_virtual()).collect();
        real.iter().try_for_each(WireNode::check)?;
        let nodes = real.into_iter().map(|node| self.client.shown_node(node));
        let fitting = nodes.filter(|node| self.search.fits(&node.path));
        Ok(Some(fitting.filter(|node| self.seen.insert(node.path.clone())).collect()))
    }
}

impl Search {
    /// Whether a node matches: its name contains all pieces of the text in order, and it has the complete extension.
    /// The index counts a folder as being below itself.
    fn fits(&self, path: &RemotePath) -> bool {
        if self.below.as_ref() == Some(path) {
            return false;
        }
        let name = folded(path.name());
        let has_extension =
            self.extension.as_ref().is_none_or(|extension| name.ends_with(&format!(".{}", folded(extension))));
        let mut rest = name.as_str();
        let text = folded(self.name.as_deref().unwrap_or_default());
        has_extension
            && text.split('*').all(|piece| match rest.find(piece) {
                Some(at) => {
                    rest = &rest[at + piece.len()..];
                    true
                }
                None => false,
            })
    }

    /// Whether the index cannot narrow the search, so that all names must be compared.
    pub fn is_slow(&self) -> bool {
        self.name.is_some() && self.word().is_none() && self.extension.is_none() && self.meta.is_empty()
    }

    /// Returns the longest word of the text that the index knows, if any. The index contains the words of names except
    /// for the most common ones, so it finds nothing for those, nor for a text with a hyphen. The client compares the
    /// complete text with the names that the index finds for one word.
    fn word(&self) -> Option<String> {
        let text: String = self.name.as_ref()?.nfc().collect();
        let mut words = vec![String::new()];
        for character in text.chars() {
            if is_word_alone(character) {
                words.extend([character.to_string(), String::new()]);
            } else if character.is_alphanumeric() {
                words.last_mut()?.push(character);
            } else {
                words.push(String::new());
            }
        }
        // A part of an omitted word may stand for that word in a name.
        let is_left_out = |word: &str| LEFT_OUT.iter().any(|left_out| left_out.contains(&word.to_lowercase()));
        words.into_iter().filter(|word| !word.is_empty() && !is_left_out(word)).max_by_key(|word| word.chars().count())
    }

    fn query(&self, path_prefix: Vec<String>) -> Query {
        let words: Vec<String> =
            self.meta.iter().map(|(name, value)| format!("+Meta.{name}:{}", term(value))).collect();
        Query {
            file_name: self.word(),
            // The index only knows the last part of an extension.
            extension: self.extension.as_ref().and_then(|all| all.rsplit('.').next()).map(str::to_owned),
            path_prefix,
            free_string: (!words.is_empty()).then(|| words.join(" ")),
        }
    }
}

/// Returns a text in one case and one Unicode form.
fn folded(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase()
}

/// Whether the index treats a character as a word of its own: hiragana and Chinese characters.
fn is_word_alone(character: char) -> bool {
    let all = ['\u{3041}'..='\u{309f}', '\u{3400}'..='\u{9fff}', '\u{f900}'..='\u{faff}', '\u{20000}'..='\u{3ffff}'];
    all.iter().any(|range| range.contains(&character))
}

/// Formats a value for the index's query language: a single word unchanged, anything else in quotes.
fn term(value: &str) -> String {
    let is_word =
        !value.is_empty() && value.chars().all(|character| character.is_alphanumeric() || "_*".contains(character));
    if is_word { value.to_owned() } else { format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::answer;

    fn fits(search: &Search, name: &str) -> bool {
        search.fits(&RemotePath::root().join("ws").join(name))
    }

    #[test]
    fn the_facets_of_a_recorded_answer_add_up_to_its_hits() {
        let answer: SearchAnswer = serde_json::from_slice(&answer("121-search-hit").body).expect("an answer");
        assert_eq!((answer.hits(), answer.results.len()), (1, 1));
        assert_eq!(answer.results[0].path, "common-files/A1/sh/pic.jpg");
    }

    #[test]
    fn a_text_of_several_words_is_searched_by_one_and_compared_completely() {
        for (text, word, fitting, other) in [
            ("years-2031", "years", "My-YEARS-2031.pdf", "2031-years.pdf"),
            ("rep*.PDF", "PDF", "a report.pdf", "pdf.rep"),
            ("cafe\u{301}", "caf\u{e9}", "CAF\u{c9}", "cafe"),
            ("\u{6771}\u{4eac}", "\u{4eac}", "\u{6771}\u{4eac}.txt", "\u{4eac}\u{6771}"),
        ] {
            let search = Search { name: Some(text.to_owned()), ..Search::default() };
            assert_eq!(search.word().as_deref(), Some(word), "{text}");
            assert!(fits(&search, fitting) && !fits(&search, other), "{text}");
        }
        for (text, word) in
            [("before-after", None), ("about us", None), ("to be", None), ("And", None), ("the plan", Some("plan"))]
        {
            let search = Search { name: Some(text.to_owned()), ..Search::default() };
            assert_eq!((search.word().as_deref(), search.is_slow()), (word, word.is_none()), "{text}");
        }
        let marks = Search { name: Some("-&".to_owned()), ..Search::default() };
        assert!(marks.word().is_none() && fits(&marks, "a-&b") && !fits(&marks, "a-b"));
    }

    #[test]
    fn an_extension_of_two_parts_is_asked_for_by_the_last() {
        let search = Search { extension: Some("Tar.gz".to_owned()), ..Search::default() };
        assert_eq!(search.query(Vec::new()).extension.as_deref(), Some("gz"));
        assert!(fits(&search, "a.TAR.GZ") && !fits(&search, "a.gz") && !fits(&search, "tar.gz"));
    }

    #[test]
    fn queries_hold_no_more_than_is_asked() {
        let meta = vec![("usermeta-tags".to_owned(), "x".to_owned()), ("ns".to_owned(), "two \"words\"".to_owned())];
        let search = Search { name: Some("x*".to_owned()), meta, ..Search::default() };
        let text = serde_json::to_string(&search.query(Vec::new())).expect("JSON");
        assert_eq!(text, r#"{"FileName":"x","FreeString":"+Meta.usermeta-tags:x +Meta.ns:\"two \\\"words\\\"\""}"#);
    }
}

//! `POST /a/search/nodes`: the index of names. It contains the nodes of all users, and returns to each user only what
//! they may see.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::error::{RestError, RestResult};
use super::json::message;
use super::node::{Rendering, WireNode, quoted, render_id};
use super::{Call, reply};
use crate::tree::forest::Forest;
use crate::tree::node::{Kind, Node, NodeId};
use crate::tree::{Access, Place, find};
use crate::world::{RootKind, USERS, WORKSPACES, Workspace};

/// Words that are in no index.
const STOP_WORDS: [&str; 123] = [
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

/// How many hits an answer has where no number is asked for.
const DEFAULT_SIZE: usize = 10;

message! {
    struct SearchRequest {
        query: Option<QueryInput> = "Query",
        size: i32 = "Size",
        from: i32 = "From",
        sort_field: String = "SortField",
        sort_dir_desc: bool = "SortDirDesc",
        details: bool = "Details",
    }
}

message! {
    struct QueryInput {
        file_name: String = "FileName",
        extension: String = "Extension",
        path_prefix: Vec<String> = "PathPrefix",
        free_string: String = "FreeString",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SearchAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    results: Vec<WireNode>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facets: Vec<Facet>,
    #[serde(skip_serializing_if = "super::is_default")]
    total: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Facet {
    field_name: &'static str,
    label: String,
    count: usize,
}

/// A node that fits, in the tree of whom it may be.
struct Hit {
    id: NodeId,
    workspace: &'static Workspace,
    owner: &'static str,
}

/// Names that match, page by page. Nodes that the user may not see count and take a place on a page, but are omitted
/// there.
pub(super) async fn nodes(call: &mut Call) -> RestResult {
    let request: SearchRequest = call.message().await?;
    let Some(query) = request.query else { return reply(&BTreeMap::<&str, &str>::new()) };
    let caller = call.caller()?.clone();
    let (nodes, index_delay) = (&call.shared.nodes, call.shared.index_delay);
    let mut below = Vec::new();
    for prefix in &query.path_prefix {
        match nodes.resolve(&caller, prefix) {
            Access::Allowed(place) | Access::ReadOnly(place) => below.push(place),
            Access::WriteOnly(_) | Access::FileFolder(_) | Access::NotReadable => return Err(RestError::not_readable()),
            // An unknown workspace has no results.
            Access::UnknownWorkspace(_) => return reply(&BTreeMap::<&str, &str>::new()),
        }
    }
    let (is_visitor, link) = (call.shared.links.is_visitor(&caller.login), call.shared.links.by_user(&caller.login));
    let visited = link.as_ref().and_then(|link| nodes.opened(link)).map(|(root, _)| root);
    let size = usize::try_from(request.size).ok().filter(|size| *size > 0).unwrap_or(DEFAULT_SIZE);
    let from = usize::try_from(request.from).unwrap_or(0);
    let answer = nodes.read(|forest| {
        let roots: Vec<NodeId> = below.iter().filter_map(|place| find(forest, place)).collect();
        // A folder counts as being below itself.
        let inside = |id| query.path_prefix.is_empty() || roots.iter().any(|root| forest.is_inside(id, *root));
        let mut hits = Vec::new();
        for (root, workspace, owner) in all_roots(forest) {
            let found = forest.walk(root).into_iter().filter(|id| *id != root && inside(*id));
            let fits = |id: &NodeId| forest.get(*id).is_some_and(|node| fits(node, &query, index_delay));
            let fitting = found.filter(fits);
            hits.extend(fitting.map(|id| Hit { id, workspace, owner }));
        }
        let top = visited.as_ref().and_then(|root| find(forest, root));
        let visible = |hit: &&Hit| {
            if is_visitor {
                return top.is_some_and(|top| forest.is_inside(hit.id, top));
            }
            hit.workspace.right_of(&caller.login).is_some() && (hit.owner.is_empty() || hit.owner == caller.login)
        };
        let page = hits.iter().skip(from).take(size).filter(visible);
        let results: Vec<WireNode> = page.filter_map(|hit| shown(forest, hit, visited.as_ref())).collect();
        SearchAnswer { total: results.len(), results, facets: facets(forest, &hits) }
    });
    reply(&answer)
}

fn all_roots(forest: &Forest) -> Vec<(NodeId, &'static Workspace, &'static str)> {
    let mut roots = Vec::new();
    for workspace in &WORKSPACES {
        if workspace.root_kind == RootKind::Personal {
            let owned =
                USERS.iter().filter_map(|user| Some((forest.root(workspace, user.login)?, workspace, user.login)));
            roots.extend(owned);
        } else {
            roots.extend(forest.root(workspace, "").map(|root| (root, workspace, "")));
        }
    }
    roots
}

fn fits(node: &Node, query: &QueryInput, index_delay: Duration) -> bool {
    let name = node.name.to_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    node.born.elapsed() >= index_delay
        && (query.file_name.is_empty() || has_word(&name, &query.file_name.to_lowercase()))
        && (query.extension.is_empty() || extension == query.extension.to_lowercase())
        && has_metadata(&node.extra, &query.free_string)
}

/// Whether a word of the name contains the pattern. A pattern with a character that separates words is interpreted
/// differently there, and finds nothing.
fn has_word(name: &str, pattern: &str) -> bool {
    let is_plain = |one: char| one.is_alphanumeric() || "_.*".contains(one);
    pattern.chars().all(is_plain) && words(name).iter().any(|word| matches_anywhere(word, pattern))
}

/// The words of a name as the index has them: a dot between two letters, or two digits, is inside a word; each Chinese
/// character and each hiragana is a word.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let characters: Vec<char> = name.chars().collect();
    for (index, one) in characters.iter().copied().enumerate() {
        let beside = |step: isize| index.checked_add_signed(step).and_then(|at| characters.get(at)).copied();
        let both = |is: fn(char) -> bool| beside(-1).is_some_and(is) && beside(1).is_some_and(is);
        let joins = one == '.' && (both(char::is_alphabetic) || both(char::is_numeric));
        let alone = matches!(one, '\u{3041}'..='\u{309f}' | '\u{3400}'..='\u{9fff}');
        if alone {
            words.extend([one.to_string(), String::new()]);
        } else if one.is_alphanumeric() || one == '_' || joins {
            words.last_mut().expect("there is one").push(one);
        } else {
            words.push(String::new());
        }
    }
    words.retain(|word| !word.is_empty() && !STOP_WORDS.contains(&word.as_str()));
    words
}

/// Whether metadata match all conditions `+Meta.<namespace>:<value> …`: a word of the value, in any case, or several in
/// quotes. Booleans are never found.
fn has_metadata(metadata: &BTreeMap<String, String>, wanted: &str) -> bool {
    wanted.to_lowercase().split("+meta.").skip(1).all(|word| {
        let (namespace, value) = word.split_once(':').unwrap_or((word, ""));
        let json =
            metadata.get(namespace).map(|json| json.to_lowercase()).filter(|json| json != "true" && json != "false");
        let value = value.trim();
        json.is_some_and(|json| match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
            Some(phrase) => json.contains(phrase),
            None => json.split(|one: char| !one.is_alphanumeric()).any(|word| is_like(word, value)),
        })
    })
}

/// Whether a word matches this pattern, in which a `*` at the end matches anything.
fn is_like(word: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(word == pattern, |start| word.starts_with(start))
}

/// Whether the name contains the pieces between the stars in this order.
fn matches_anywhere(name: &str, pattern: &str) -> bool {
    let mut rest = name;
    pattern.split('*').all(|piece| match rest.find(piece) {
        Some(at) => {
            rest = &rest[at + piece.len()..];
            true
        }
        None => false,
    })
}

fn shown(forest: &Forest, hit: &Hit, visited: Option<&Place>) -> Option<WireNode> {
    let own = || Place { workspace: hit.workspace, login: hit.owner.to_owned(), relative: String::new(), visit: None };
    let mut node = render_id(forest, hit.id, &visited.cloned().unwrap_or_else(own), Rendering::PLAIN)?;
    node.meta_store.insert("repository_id".to_owned(), quoted(hit.workspace.uuid));
    node.meta_store.insert("repository_display".to_owned(), quoted(hit.workspace.label));
    Some(node)
}

fn facets(forest: &Forest, hits: &[Hit]) -> Vec<Facet> {
    [(Kind::File, "file"), (Kind::Folder, "folder")]
        .into_iter()
        .filter_map(|(kind, label)| {
            let count = hits.iter().filter(|hit| forest.get(hit.id).is_some_and(|node| node.kind == kind)).count();
            (count > 0).then(|| Facet { field_name: "NodeType", label: label.to_owned(), count })
        })
        .collect()
}

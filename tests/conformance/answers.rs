//! What an answer says.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

/// A whole answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON documents of the body: some answers hold two in a row.
    pub(crate) fn documents(&self) -> Vec<Value> {
        let documents = serde_json::Deserializer::from_slice(&self.body).into_iter();
        documents.map(|document| document.unwrap_or_else(|error| panic!("{error}: {self:?}"))).collect()
    }

    /// The first JSON document.
    pub(crate) fn json(&self) -> Value {
        let first = self.documents().into_iter().next();
        first.unwrap_or_else(|| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The media type without its parameters.
    pub(crate) fn media(&self) -> &str {
        self.header("content-type").split(';').next().unwrap_or_default().trim()
    }

    pub(crate) fn etag(&self) -> String {
        self.header("etag").trim_matches('"').to_owned()
    }

    /// What went wrong, with the prefix that tells its kind.
    pub(crate) fn detail(&self) -> String {
        self.json()["Detail"].as_str().unwrap_or_default().to_owned()
    }

    /// The nodes of a listing.
    pub(crate) fn nodes(&self) -> Vec<Value> {
        self.json()["Nodes"].as_array().cloned().unwrap_or_default()
    }

    /// The names of the nodes of a listing.
    pub(crate) fn names(&self) -> Vec<String> {
        self.nodes().iter().map(|node| name_of(node).to_owned()).collect()
    }

    /// The content of the first XML element of that name.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        self.elements(name).into_iter().next()
    }

    /// The contents of all XML elements of that name.
    pub(crate) fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let pieces = text.split(&open).skip(1);
        pieces.filter_map(|piece| Some(unescaped(piece.split_once(&close)?.0))).collect()
    }

    /// The code of a gateway error.
    pub(crate) fn code(&self) -> String {
        self.element("Code").unwrap_or_else(|| panic!("no error: {self:?}"))
    }

    /// Asserts an answer of the gateway that is an error.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert!(self.status == status && self.code() == code, "not {status} {code}: {self:?}");
    }

    /// Asserts a JSON error with these words at the start of its detail.
    #[track_caller]
    pub(crate) fn says(&self, status: u16, words: &str) {
        assert!(self.status == status && self.media() == "application/json", "not {status}: {self:?}");
        assert!(self.detail().starts_with(words), "not '{words}': {self:?}");
    }

    /// Asserts words whose type is text, or that lost their type when they were compressed.
    #[track_caller]
    pub(crate) fn is_bare(&self, status: u16, words: &str) {
        let typed = matches!(self.media(), "" | "text/plain");
        assert!(self.status == status && typed && self.text() == words, "not {status}: {self:?}");
    }

    /// Asserts a text.
    #[track_caller]
    pub(crate) fn is_text(&self, status: u16, words: &str) {
        let same = self.status == status && self.media() == "text/plain" && self.text().trim_end() == words;
        assert!(same, "not {status} '{words}': {self:?}");
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.text().chars().take(2000).collect();
        write!(formatter, "{} {:?} {text:?}", self.status, self.headers)
    }
}

/// The last name of a node's path.
pub(crate) fn name_of(node: &Value) -> &str {
    node["Path"].as_str().unwrap_or_default().trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// A metadata value of a node, decoded from its JSON text.
pub(crate) fn meta(node: &Value, key: &str) -> Option<Value> {
    serde_json::from_str(node["MetaStore"][key].as_str()?).ok()
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&#34;", "\"").replace("&quot;", "\"").replace("&#39;", "'");
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

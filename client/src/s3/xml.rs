//! Reads and writes the gateway's XML.

use std::fmt::Write;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};
use tokio::io::AsyncBufRead;

use super::ListEntry;
use crate::http::limit::Pieces;
use crate::path::RemotePath;

/// A small document: its root, and the texts of the root's children.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) root: String,
    fields: Vec<(String, String)>,
}

impl Document {
    /// Reads a complete document, after optional spaces and line ends. `None` if it is not XML or ends early.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::from_reader(body);
        let mut buffer = Vec::new();
        let mut document = Self::default();
        let mut depth = 0_u32;
        loop {
            buffer.clear();
            match reader.read_event_into(&mut buffer).ok()? {
                Event::Start(element) => {
                    let name = element.name().as_ref().to_owned();
                    match depth {
                        0 => document.root = name,
                        1 => document.fields.push((name, String::new())),
                        _ => {}
                    }
                    depth += 1;
                }
                Event::Empty(element) if depth == 0 => {
                    document.root = element.name().as_ref().to_owned();
                    return Some(document);
                }
                Event::End(_) => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(document);
                    }
                }
                Event::Text(text) if depth == 2 => document.append(&text),
                Event::CData(text) if depth == 2 => document.append(&text),
                Event::GeneralRef(reference) if depth == 2 => document.append(&resolved(&reference)),
                Event::Eof => return None,
                _ => {}
            }
        }
    }

    fn append(&mut self, text: &str) {
        if let Some((_, value)) = self.fields.last_mut() {
            value.push_str(text);
        }
    }

    /// Returns the text of a child of the root.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Returns the characters of a reference such as `&amp;` or `&#34;`.
fn resolved(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    let name: &str = reference;
    quick_xml::escape::resolve_predefined_entity(name).map_or_else(|| format!("&{name};"), ToOwned::to_owned)
}

/// Returns the request body that assembles the parts.
pub(super) fn complete_body(parts: &[(u32, String)]) -> String {
    let mut body = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (number, etag) in parts {
        let etag = quick_xml::escape::escape(etag.as_str());
        let _ = write!(body, "<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag></Part>");
    }
    body.push_str("</CompleteMultipartUpload>");
    body
}

/// Errors of reading a listing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The document is not a listing.
    #[error("the answer is not a listing: {0}")]
    NotAListing(String),
    /// The document is the listing of another folder.
    #[error("the server listed '{0}' when it was asked for '{1}'")]
    OtherFolder(String, RemotePath),
    /// The document ended early.
    #[error("the listing is incomplete")]
    Cut,
    /// The server omitted entries.
    #[error("the server cut the listing short")]
    Truncated,
}

/// The longest element of a listing that is read, in bytes. A key has at most 1024 bytes, each encoded as three.
const LONGEST_ELEMENT: usize = 64 * 1024;

/// The maximum depth of elements. The server's listings have a depth of three.
const DEEPEST_ELEMENT: usize = 16;

/// Reads a listing as it arrives, with one entry in memory at a time.
pub(super) struct ListReader<R> {
    reader: Reader<Pieces<R>>,
    buffer: Vec<u8>,
    folder: RemotePath,
    /// The names of the open elements.
    open: Vec<String>,
    text: String,
    key: String,
    size: u64,
    etag: String,
    modified: Option<Timestamp>,
    truncated: bool,
    /// The folder in the listing, if it is not the requested one.
    other_folder: Option<String>,
    done: bool,
}

impl<R: AsyncBufRead + Unpin> ListReader<R> {
    pub(super) fn new(body: R, folder: RemotePath) -> Self {
        Self {
            reader: Reader::from_reader(Pieces::new(body)),
            buffer: Vec::new(),
            folder,
            open: Vec::new(),
            text: String::new(),
            key: String::new(),
            size: 0,
            etag: String::new(),
            modified: None,
            truncated: false,
            other_folder: None,
            done: false,
        }
    }

    /// Returns the next direct child of the folder; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<ListEntry>, ListError> {
        while !self.done {
            self.buffer.clear();
            let mut buffer = std::mem::take(&mut self.buffer);
            self.reader.get_mut().begin(LONGEST_ELEMENT);
            let event = self.reader.read_event_into_async(&mut buffer).await.map_err(|error| match error {
                quick_xml::Error::Io(io) => ListError::Io(std::io::Error::new(io.kind(), io)),
                other => ListError::NotAListing(other.to_string()),
            })?;
            if let Some(folder) = self.other_folder.take() {
                return Err(ListError::OtherFolder(folder, self.folder.clone()));
            }
            let entry = match event {
                Event::Start(element) => {
                    let name = element.name().as_ref().to_owned();
                    if self.open.is_empty() && name != "ListBucketResult" {
                        return Err(ListError::NotAListing(format!("its root is '{name}'")));
                    }
                    if self.open.len() == DEEPEST_ELEMENT {
                        return Err(ListError::NotAListing("its elements are nested too deeply".to_owned()));
                    }
                    self.open.push(name);
                    self.text.clear();
                    None
                }
                Event::Text(text) => self.append(&text)?,
                Event::GeneralRef(reference) => self.append(&resolved(&reference))?,
                Event::End(_) => self.close(),
                Event::Eof => return Err(ListError::Cut),
                _ => None,
            };
            self.buffer = buffer;
            if entry.is_some() {
                return Ok(entry);
            }
        }
        if self.truncated { Err(ListError::Truncated) } else { Ok(None) }
    }

    /// Appends to the text of the open element. This never completes an entry.
    fn append(&mut self, text: &str) -> Result<Option<ListEntry>, ListError> {
        if self.text.len() + text.len() > LONGEST_ELEMENT {
            return Err(ListError::NotAListing("one of its elements is too long".to_owned()));
        }
        self.text.push_str(text);
        Ok(None)
    }

    fn close(&mut self) -> Option<ListEntry> {
        let name = self.open.pop()?;
        let text = std::mem::take(&mut self.text);
        let parent = self.open.last().map_or("", String::as_str);
        match (parent, name.as_str()) {
            ("", _) => self.done = true,
            ("ListBucketResult", "Prefix") => {
                let prefix = form_decoded(&text);
                let listed = RemotePath::from_server(&prefix);
                self.other_folder = (listed.nfc() != self.folder.nfc()).then_some(prefix);
            }
            ("ListBucketResult", "IsTruncated") => self.truncated = text == "true",
            ("Contents", "Key") | ("CommonPrefixes", "Prefix") => self.key = form_decoded(&text),
            ("Contents", "Size") => self.size = text.parse().unwrap_or(0),
            ("Contents", "ETag") => text.trim_matches('"').clone_into(&mut self.etag),
            ("Contents", "LastModified") => self.modified = text.parse().ok(),
            ("ListBucketResult", "Contents") => return self.entry(false),
            ("ListBucketResult", "CommonPrefixes") => return self.entry(true),
            _ => {}
        }
        None
    }

    /// Returns the entry that was just read; `None` for the folder itself, which the server lists too.
    fn entry(&mut self, folder: bool) -> Option<ListEntry> {
        let key = std::mem::take(&mut self.key);
        let (size, modified) = (std::mem::take(&mut self.size), self.modified.take());
        let etag = std::mem::take(&mut self.etag);
        let full = key.trim_matches('/');
        if full.is_empty() || full == self.folder.as_str() {
            return None;
        }
        let (above, name) = full.rsplit_once('/').unwrap_or(("", full));
        // If the server has the folder in another Unicode form, it lists it below itself.
        if above.split('/').count() != self.folder.segments().count().max(1) && !self.folder.is_root() {
            return None;
        }
        Some(ListEntry {
            path: self.folder.join(name),
            folder,
            size: if folder { 0 } else { size },
            etag: (!folder && !etag.is_empty()).then_some(etag),
            modified: if folder { None } else { modified },
        })
    }
}

/// Decodes a key, which is form-encoded: a plus is a space.
fn form_decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_results_are_read_with_their_references_resolved() {
        let body = b"<?xml version=\"1.0\"?>\n    <Error><Code>InternalError</Code><Message>it&#39;s {&#34;Code&#34;:423} &amp; so</Message><X/></Error>";
        let document = Document::parse(body).expect("a document");
        assert_eq!(document.root, "Error");
        assert_eq!(document.field("Message"), Some("it's {\"Code\":423} & so"));
        assert_eq!(document.field("Nothing"), None);
        assert_eq!(Document::parse(b"<Error><Code>x</Code>"), None);
        assert_eq!(Document::parse(b"plain"), None);
    }

    #[test]
    fn the_parts_of_a_completion_are_quoted() {
        let body = complete_body(&[(1, "abc".to_owned())]);
        assert!(body.contains("<Part><PartNumber>1</PartNumber><ETag>&quot;abc&quot;</ETag></Part>"), "{body}");
    }

    async fn listed(body: &str, folder: &str) -> Result<Vec<ListEntry>, ListError> {
        let mut reader = ListReader::new(body.as_bytes(), RemotePath::from_server(folder));
        let mut entries = Vec::new();
        while let Some(entry) = reader.next().await? {
            entries.push(entry);
        }
        Ok(entries)
    }

    #[tokio::test]
    async fn a_listing_gives_children_without_the_folder_itself() {
        let body = "<?xml version=\"1.0\"?><ListBucketResult><Prefix>ws/d/</Prefix><IsTruncated>false</IsTruncated>\
            <Contents><Key>ws/d/a+b%2B%0A</Key><LastModified>2026-11-23T17:21:35.000Z</LastModified><ETag>&#34;e1&#34;</ETag><Size>5</Size><Owner><ID>x</ID></Owner></Contents>\
            <Contents><Key>ws/d/.hidden</Key><Size>1</Size></Contents>\
            <CommonPrefixes><Prefix>ws/d/sub/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>ws/d/</Prefix></CommonPrefixes></ListBucketResult>";
        let entries = listed(body, "ws/d").await.expect("a listing");
        let names: Vec<_> = entries.iter().map(|entry| (entry.path.as_str(), entry.folder, entry.size)).collect();
        assert_eq!(names, [("ws/d/a b+\n", false, 5), ("ws/d/.hidden", false, 1), ("ws/d/sub", true, 0)]);
        assert_eq!(entries[0].etag.as_deref(), Some("e1"));
        assert!(entries[0].modified.is_some());
        assert_eq!(entries[1].etag, None);
    }

    #[tokio::test]
    async fn a_listing_of_another_folder_is_an_error() {
        let body = |prefix: &str| {
            format!(
                "<ListBucketResult><Prefix>{prefix}</Prefix><Contents><Key>ws/d/x</Key></Contents></ListBucketResult>"
            )
        };
        for (prefix, folder) in [("ws/e/", "ws/d"), ("ws/", "ws/d"), ("", "ws/d"), ("ws/d/sub/", "ws/d")] {
            let refused = listed(&body(prefix), folder).await;
            assert!(matches!(refused, Err(ListError::OtherFolder(..))), "{prefix}: {refused:?}");
        }
        for (prefix, folder) in [("ws/d/", "ws/d"), ("ws/a+%2B%C3%A9/", "ws/a +\u{e9}"), ("ws/%C3%A9/", "ws/e\u{301}")]
        {
            assert!(listed(&body(prefix), folder).await.is_ok(), "{prefix}");
        }
    }

    #[tokio::test]
    async fn the_root_lists_the_workspaces() {
        let body =
            "<ListBucketResult><CommonPrefixes><Prefix>personal-files/</Prefix></CommonPrefixes></ListBucketResult>";
        let entries = listed(body, "").await.expect("a listing");
        assert_eq!(entries[0].path.as_str(), "personal-files");
    }

    #[tokio::test]
    async fn no_element_is_longer_or_deeper_than_those_of_a_server() {
        let long = format!("<ListBucketResult><Contents><Key>{}", "x".repeat(200_000));
        assert!(matches!(listed(&long, "ws").await, Err(ListError::Io(_))));
        let pieces = format!("<ListBucketResult><Contents><Key>{}", "x&amp;".repeat(50_000));
        assert!(matches!(listed(&pieces, "ws").await, Err(ListError::NotAListing(_))));
        let comment = format!("<ListBucketResult><!-- {}", "x".repeat(200_000));
        assert!(matches!(listed(&comment, "ws").await, Err(ListError::Io(_))));
        let deep = format!("<ListBucketResult>{}", "<a>".repeat(200_000));
        assert!(matches!(listed(&deep, "ws").await, Err(ListError::NotAListing(_))));
    }

    #[tokio::test]
    async fn a_cut_listing_or_another_document_is_an_error() {
        assert!(matches!(
            listed("<ListBucketResult><Contents>", "ws").await,
            Err(ListError::Cut | ListError::NotAListing(_))
        ));
        assert!(matches!(listed("<Error></Error>", "ws").await, Err(ListError::NotAListing(_))));
        let cut = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
        assert!(matches!(listed(cut, "ws").await, Err(ListError::Truncated)));
    }
}

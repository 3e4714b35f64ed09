//! The XML of the gateway, both ways.

use std::fmt::Write as _;

use serde::Deserialize;

/// Namespace of every answer but errors.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Writes a document on one line, escaped like Go's encoder: quotes as numbers, and characters that XML does not allow
/// as U+FFFD.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    text: String,
}

impl Writer {
    /// Starts a document with its declaration.
    pub(crate) fn document() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() }
    }

    /// Starts inside a document.
    pub(crate) fn fragment() -> Self {
        Self::default()
    }

    /// Opens a root element in the S3 namespace.
    pub(crate) fn root(&mut self, name: &str) {
        self.push(format_args!("<{name} xmlns=\"{NAMESPACE}\">"));
    }

    /// Opens an element.
    pub(crate) fn open(&mut self, name: &str) {
        self.push(format_args!("<{name}>"));
    }

    /// Closes an element.
    pub(crate) fn close(&mut self, name: &str) {
        self.push(format_args!("</{name}>"));
    }

    /// Writes a complete element with text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.open(name);
        for character in value.chars() {
            match character {
                '"' => self.text.push_str("&#34;"),
                '\'' => self.text.push_str("&#39;"),
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '\t' => self.text.push_str("&#x9;"),
                '\n' => self.text.push_str("&#xA;"),
                '\r' => self.text.push_str("&#xD;"),
                control if u32::from(control) < 0x20 => self.text.push('\u{fffd}'),
                other => self.text.push(other),
            }
        }
        self.close(name);
    }

    /// Writes a complete element with a number or another value that needs no escaping.
    pub(crate) fn value(&mut self, name: &str, value: impl std::fmt::Display) {
        self.push(format_args!("<{name}>{value}</{name}>"));
    }

    /// The document.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(arguments);
    }
}

/// A part as a Complete request lists it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct ListedPart {
    #[serde(rename = "PartNumber")]
    pub(crate) number: u32,
    /// Without quotes.
    #[serde(rename = "ETag")]
    pub(crate) etag: String,
}

#[derive(Debug, Deserialize)]
struct CompleteMultipartUpload {
    #[serde(rename = "Part", default)]
    parts: Vec<ListedPart>,
}

/// Why a Complete request is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadList {
    /// There is no document.
    NoDocument,
    /// It is another document, or it lists nothing.
    Malformed,
}

/// Reads a `CompleteMultipartUpload`. A namespace, a declaration and unknown elements are fine.
pub(crate) fn read_parts(body: &[u8]) -> Result<Vec<ListedPart>, BadList> {
    let text = std::str::from_utf8(body).map_err(|_| BadList::Malformed)?;
    if !text.contains('<') {
        return Err(BadList::NoDocument);
    }
    let list: CompleteMultipartUpload = quick_xml::de::from_str(text).map_err(|_| BadList::Malformed)?;
    if list.parts.is_empty() {
        return Err(BadList::Malformed);
    }
    let unquoted = |part: ListedPart| {
        let etag = part.etag.trim().trim_matches('"').to_owned();
        ListedPart { etag, ..part }
    };
    Ok(list.parts.into_iter().map(unquoted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_in_every_accepted_spelling() {
        let document = "<?xml version=\"1.0\"?>\n<CompleteMultipartUpload xmlns=\"urn:x\">\
            <Part><PartNumber>1</PartNumber><ETag>\"aa\"</ETag></Part>\
            <Part><ETag>&quot;bb&#34;</ETag><ChecksumCRC32>x</ChecksumCRC32>\
            <PartNumber>2</PartNumber></Part>\
            <Part><PartNumber>3</PartNumber><ETag>cc</ETag></Part></CompleteMultipartUpload>";
        let parts = read_parts(document.as_bytes()).unwrap();
        let expected = [(1, "aa"), (2, "bb"), (3, "cc")];
        assert_eq!(parts.len(), expected.len());
        for (part, (number, etag)) in parts.iter().zip(expected) {
            assert_eq!((part.number, part.etag.as_str()), (number, etag));
        }
    }

    #[test]
    fn what_is_no_list_of_parts_is_told_apart() {
        let refused = |body: &str| read_parts(body.as_bytes()).unwrap_err();
        assert_eq!(refused(""), BadList::NoDocument);
        assert_eq!(refused("not xml"), BadList::NoDocument);
        assert_eq!(refused("<Other></Other>"), BadList::Malformed);
        assert_eq!(refused("<CompleteMultipartUpload></CompleteMultipartUpload>"), BadList::Malformed);
    }

    #[test]
    fn text_is_escaped_as_the_server_does() {
        let mut xml = Writer::fragment();
        xml.text("Key", "a\"b'c&d<e>f\u{1}g\nh");
        assert_eq!(xml.finish(), "<Key>a&#34;b&#39;c&amp;d&lt;e&gt;f\u{fffd}g&#xA;h</Key>");
    }
}

//! Properties of all answers of a gateway, for property tests and fuzz targets.

use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, StatusCode};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::error::{RequestKind, classify};
use super::xml::{Document, ListReader, complete_body};
use crate::path::RemotePath;

/// Reads any body as the gateway's answer with this status, and as a small result.
pub fn answer(status: u16, html: bool, body: &[u8]) {
    let result = Document::parse(body);
    if let Some(result) = &result {
        assert!(result.field("UploadId").is_none_or(|id| id.len() <= body.len()));
        let mut spaced = b"\n    ".to_vec();
        spaced.extend_from_slice(body);
        assert!(body.starts_with(b"\xef\xbb\xbf") || Document::parse(&spaced).as_ref() == Some(result));
    }
    let Ok(status) = StatusCode::from_u16(status) else { return };
    let mut headers = HeaderMap::new();
    if html {
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    for asked in [RequestKind::Read, RequestKind::Write, RequestKind::Multipart, RequestKind::MultipartRead] {
        let error = classify(status, &headers, body, asked);
        assert!(!error.message.is_empty());
        assert!(!error.in_doubt || asked.writes(), "a read is never in doubt");
    }
}

/// Reads any body as a listing of `folder`, to its end.
pub fn listing(folder: &str, body: &[u8]) {
    let folder = RemotePath::from_server(folder);
    let mut reader = ListReader::new(body, folder.clone());
    let mut count = 0;
    // Reading from a slice never waits.
    while let Some(Ok(Some(entry))) = reader.next().now_or_never() {
        let name = entry.path.relative_to(&folder).expect("below the folder");
        assert!(!name.is_empty(), "{:?} is the folder itself", entry.path);
        assert!(!entry.folder || entry.size == 0 && entry.etag.is_none());
        count += 1;
        assert!(count <= body.len(), "more entries than bytes");
    }
}

/// Creates the body that assembles parts: it must contain every part in order, whatever the ETags are.
pub fn completion(etags: &[String]) {
    let parts: Vec<(u32, String)> = (1..).zip(etags.iter().cloned()).collect();
    let body = complete_body(&parts);
    assert_eq!(
        Document::parse(body.as_bytes()).map(|document| document.root).as_deref(),
        Some("CompleteMultipartUpload")
    );
    let mut reader = Reader::from_str(&body);
    let (mut numbers, mut inside) = (Vec::new(), false);
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(element) => inside = element.name().as_ref() == "PartNumber",
            Event::Text(text) if inside => numbers.push(text.parse::<u32>().expect("a number")),
            Event::End(_) => inside = false,
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(numbers.iter().copied().eq(parts.iter().map(|(number, _)| *number)));
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Generates pieces of the gateway's documents in any order.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just("<Error>".to_owned()),
            Just("</Error>".to_owned()),
            Just("<Message>cause({\"Code\":423,\"Id\":\"parent.locked\"})</Message>".to_owned()),
            Just("<Code>InternalError</Code>".to_owned()),
            Just("<ListBucketResult>".to_owned()),
            Just("</ListBucketResult>".to_owned()),
            Just("<Contents><Key>ws/a+b%2F</Key><Size>1</Size></Contents>".to_owned()),
            Just("<CommonPrefixes><Prefix>ws/</Prefix></CommonPrefixes>".to_owned()),
            Just("&#34;&amp;&nothing;&#x110000;".to_owned()),
            Just("<![CDATA[x]]><!-- y --><?z?>".to_owned()),
            any::<String>(),
        ];
        vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn any_answer_has_a_meaning(status in 100_u16..600, html in any::<bool>(), body in vec(any::<u8>(), 0..64)) {
            super::answer(status, html, &body);
        }

        #[test]
        fn so_have_pieces_of_documents(status in 100_u16..600, body in pieces()) {
            super::answer(status, false, &body);
        }

        #[test]
        fn a_listing_gives_what_is_below_the_folder(folder in "(ws(/[a-zé ]{1,3}){0,2})?", body in pieces()) {
            super::listing(&folder, &body);
        }

        #[test]
        fn a_completion_names_all_its_parts(etags in vec(any::<String>(), 0..5)) {
            super::completion(&etags);
        }
    }
}

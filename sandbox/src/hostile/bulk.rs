//! Answers that exceed any memory, generated while they are sent.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use super::Document;
use super::random::Random;
use crate::transport::{BodyError, Response};

/// The number of bytes after which the answer ends.
const MOST: usize = 192 << 20;

/// The number of bytes to send at once.
const PIECE: usize = 64 << 10;

/// Returns an answer that is far too large: compressed or not; with many items, one long text, or only white space.
pub(super) fn answer(mut response: Response, document: &Document, random: &mut Random) -> Response {
    let text = String::from_utf8_lossy(&document.body).into_owned();
    let is_json = document.is_json();
    let (before, unit, after) = if is_json { of_json(&text, random) } else { of_xml(&text, random) };
    let packed = random.one_of(2);
    response.headers_mut().remove(CONTENT_LENGTH);
    if packed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let unit = unit.repeat((PIECE / unit.len().max(1)).max(1));
    let pieces = MOST / unit.len();
    let mut encoder = packed.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
    let texts = std::iter::once(before).chain(std::iter::repeat_n(unit, pieces)).chain([after]);
    let count = pieces + 2;
    let frames = texts.enumerate().map(move |(index, text)| {
        let data = match &mut encoder {
            None => text.into_bytes(),
            Some(encoder) => {
                encoder.write_all(text.as_bytes())?;
                if index + 1 == count {
                    encoder.try_finish()?;
                } else {
                    encoder.flush()?;
                }
                std::mem::take(encoder.get_mut())
            }
        };
        Ok::<_, BodyError>(Frame::data(Bytes::from(data)))
    });
    response.map(|_| StreamBody::new(stream::iter(frames)).boxed_unsync())
}

/// What comes once, what is repeated, and what ends it.
fn of_json(text: &str, random: &mut Random) -> (String, String, String) {
    let list = text.find('[').map(|at| at + 1);
    match (random.below(4), list) {
        (0, Some(at)) => (text[..at].to_owned(), "{},".to_owned(), format!("{{}}{}", rest(text, at))),
        (1, Some(at)) => {
            let item = r#"{"Path":"common-files/folder/x","Type":"LEAF","Uuid":"x","Size":"1","Etag":"x"},"#;
            (text[..at].to_owned(), item.to_owned(), format!("{{}}{}", rest(text, at)))
        }
        (2, _) => ("[".to_owned(), "{},".to_owned(), "{}]".to_owned()),
        (3, _) if text.starts_with('{') => {
            ("{\"Title\":\"".to_owned(), "long ".to_owned(), format!("\",{}", &text[1..]))
        }
        _ => (" ".to_owned(), " \n".to_owned(), text.to_owned()),
    }
}

/// Returns the end of a list that begins at `at`, as if it were empty.
fn rest(text: &str, at: usize) -> &str {
    text[at..].rfind(']').map_or("", |end| &text[at + end..])
}

fn of_xml(text: &str, random: &mut Random) -> (String, String, String) {
    let at = text.rfind("</").unwrap_or(text.len());
    let end = text[at..].to_owned();
    let start = text[..at].to_owned();
    match random.below(6) {
        0 => (format!("{start}<Contents><Key>"), "x".to_owned(), format!("</Key></Contents>{end}")),
        1 => (format!("{start}<!--"), "x".to_owned(), format!("-->{end}")),
        2 => (start, "<Contents><Key>x</Key><Size>1</Size></Contents>".to_owned(), end),
        3 => (start, "<a>".to_owned(), end),
        4 => (format!("{start}<a b=\""), "x".to_owned(), format!("\"/>{end}")),
        _ => (start, " \n".to_owned(), end),
    }
}

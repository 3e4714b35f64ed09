//! The HTTP types all parts of the server speak, and small helpers to make answers.

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;

/// Any error of a body.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A request or answer body, streamed.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A request with its streamed body.
pub(crate) type Request = http::Request<Body>;

/// An answer with its streamed body.
pub(crate) type Response = http::Response<Body>;

/// The connection ends without an answer, as when a handler of the real server panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is dropped without an answer")
    }
}

impl std::error::Error for Dropped {}

/// What a handler gives: an answer, or none at all.
pub(crate) type Answer = Result<Response, Dropped>;

/// The web page that the real server shows at every path it does not know.
const WEB_PAGE: &str = "<!DOCTYPE html>\n<html xmlns:ajxp>\n\t<head>\n\t\t<title>Cells</title>\n\n\
    \t\t<base href=\"/\"/>\n\
    \t\t<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\n\
    \t</head>\n\t<body>\n\t\t<div id=\"ajxp_desktop\"></div>\n\t</body>\n</html>\n";

/// A body of these bytes, of known length.
pub(crate) fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body of these bytes whose length is not announced: sent in chunks.
pub(crate) fn chunked(content: impl Into<Bytes>) -> Body {
    let frame = Ok::<_, BodyError>(Frame::data(content.into()));
    StreamBody::new(stream::iter([frame])).boxed_unsync()
}

/// An answer of that status, type and content.
pub(crate) fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if !content_type.is_empty() {
        let value = HeaderValue::from_static(content_type);
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

/// A plain text answer.
pub(crate) fn text(status: StatusCode, content: &str) -> Response {
    respond(status, "text/plain; charset=utf-8", full(content.to_owned()))
}

/// The web page, status 200.
pub(crate) fn web_page() -> Response {
    let mut page = respond(StatusCode::OK, "text/html; charset=utf-8", chunked(WEB_PAGE));
    let protection = HeaderValue::from_static("1; mode=block");
    page.headers_mut().insert("x-xss-protection", protection);
    page
}

/// A header as text, or nothing when it is absent or not text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Percent-decodes a path once.
pub(crate) fn decode(path: &str) -> String {
    percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// The pairs of a form or of a query, decoded, in their order.
pub(crate) fn form(text: &str) -> Vec<(String, String)> {
    let plain = |part: &str| decode(&part.replace('+', " "));
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

/// Encodes a text as the value of a query: a space is a plus sign.
pub(crate) fn encode_query(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A text with the characters that mean something in HTML replaced.
pub(crate) fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

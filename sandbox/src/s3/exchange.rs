//! One request to the gateway, parsed, and the headers of every answer to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, SERVER, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::Stop;
use super::error::Failure;
use super::sigv4::parameters;
use super::xml::Writer;
use crate::transport::{self, Response, full, respond};

/// The identifier of the request, in answers and error documents.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const XSS_PROTECTION: HeaderName = HeaderName::from_static("x-xss-protection");

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) parts: Parts,
    /// Sixteen hexadecimal digits: the time in nanoseconds.
    pub(crate) id: String,
    pub(crate) bucket: String,
    /// The object's key, decoded, without a slash at the end; empty for the bucket.
    pub(crate) key: String,
    /// The complete path, decoded.
    pub(crate) path: String,
    /// The scheme the request came by.
    scheme: &'static str,
    parameters: Vec<(String, String)>,
    /// Alive as long as the connection's side of the request.
    client: Weak<()>,
}

impl Exchange {
    /// Takes a request apart. The path starts with a bucket.
    pub(crate) fn new(mut parts: Parts, now: SystemTime, scheme: &'static str) -> Self {
        let client = parts.extensions.remove::<Weak<()>>().unwrap_or_default();
        let path = transport::decode(parts.uri.path());
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        let parameters = parameters(parts.uri.query().unwrap_or_default()).collect();
        Self {
            id: request_id(now),
            bucket: bucket.to_owned(),
            key: key.trim_end_matches('/').to_owned(),
            scheme,
            parameters,
            client,
            path,
            parts,
        }
    }

    /// Fails if the client has disconnected, so that the following steps are skipped.
    pub(crate) fn client_is_there(&self) -> Result<(), Stop> {
        if self.client.strong_count() > 0 { Ok(()) } else { Err(Stop::Dropped) }
    }

    /// Prevents the detection of a disconnected client as long as the result exists.
    pub(crate) fn client(&self) -> Option<Arc<()>> {
        self.client.upgrade()
    }

    /// The value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        transport::header(&self.parts.headers, name)
    }

    /// Whether the key is not valid UTF-8.
    pub(crate) fn has_invalid_key(&self) -> bool {
        percent_encoding::percent_decode_str(self.parts.uri.path()).decode_utf8().is_err()
    }

    /// The redirection to the bucket's path with its slash.
    pub(crate) fn moved_to_bucket(&self) -> Response {
        let query = self.parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
        let mut response = respond(StatusCode::MOVED_PERMANENTLY, "text/html; charset=utf-8", full(""));
        if let Ok(location) = HeaderValue::from_str(&format!("{}/{query}", self.path)) {
            response.headers_mut().insert(http::header::LOCATION, location);
        }
        response
    }

    /// The method.
    pub(crate) fn method(&self) -> &Method {
        &self.parts.method
    }

    /// Whether only the headers of the answer are requested.
    pub(crate) fn is_head(&self) -> bool {
        self.parts.method == Method::HEAD
    }

    /// Returns the complete URL of the request without its query.
    pub(crate) fn location(&self) -> String {
        let host = self.header("host").unwrap_or_default();
        format!("{}://{host}{}", self.scheme, self.path)
    }

    /// Returns the announced length of the body. A body in chunks has none; without any length there is no body.
    pub(crate) fn content_length(&self) -> Result<u64, Failure> {
        match self.header("content-length") {
            Some(value) => value.parse().map_err(|_| Failure::missing_content_length()),
            None if self.header("transfer-encoding").is_none() => Ok(0),
            None => Err(Failure::missing_content_length()),
        }
    }

    /// The headers of every answer of the gateway.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        let fixed = [
            (ACCEPT_RANGES, "bytes"),
            (CONTENT_SECURITY_POLICY, "block-all-mixed-content"),
            (SERVER, "MinIO"),
            (VARY, "Origin"),
            (XSS_PROTECTION, "1; mode=block"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(id) = HeaderValue::from_str(&self.id) {
            headers.insert(REQUEST_ID, id);
        }
    }

    /// Removes what an answer lacks that was given before the request was looked at closely.
    pub(crate) fn remove_late_headers(headers: &mut HeaderMap) {
        for name in [CONTENT_SECURITY_POLICY, XSS_PROTECTION, REQUEST_ID] {
            headers.remove(name);
        }
    }

    /// An answer without content.
    pub(crate) fn empty(&self, status: StatusCode) -> Response {
        let mut response = respond(status, "", full(""));
        self.add_headers(response.headers_mut());
        if !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            response.headers_mut().insert(CONTENT_LENGTH, 0.into());
        }
        response
    }

    /// An answer that consists of an ETag: an object or a part has been stored.
    pub(crate) fn stored(&self, etag: &str) -> Response {
        let mut response = self.empty(StatusCode::OK);
        add_etag(response.headers_mut(), etag);
        response
    }

    /// A document.
    pub(crate) fn document(&self, xml: Writer) -> Response {
        let document = xml.finish();
        let length = document.len();
        let mut response = respond(StatusCode::OK, "application/xml", full(document));
        self.add_headers(response.headers_mut());
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        response
    }
}

/// Sets the ETag, which is given without quotes.
pub(crate) fn add_etag(headers: &mut HeaderMap, etag: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{etag}\"")) {
        headers.insert(http::header::ETAG, value);
    }
}

/// The time of a request as an identifier that no other request has.
fn request_id(now: SystemTime) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    let sequence = LAST.fetch_add(1, Ordering::Relaxed) % 1024;
    format!("{:016X}", (nanoseconds & !1023) | sequence)
}

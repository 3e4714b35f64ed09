//! Reading objects and asking about them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use super::auth::Identity;
use super::error::Failure;
use super::exchange::{Exchange, add_etag};
use super::locks::Reading;
use super::{Outcome, Stop, archive, readable};
use crate::Shared;
use crate::content::Body as Content;
use crate::tokens::Caller;
use crate::transport::{Body, Response, full, respond};
use crate::tree::node::Kind;
use crate::tree::{Access, Place, find};

/// If an object is shorter than the index says, the connection breaks before the headers for answers up to this size,
/// and in the middle of larger ones.
const SMALL_ANSWER: u64 = 64 * 1024;

/// What the index says about a file, and its object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    uuid: Arc<str>,
    size: u64,
    etag: String,
    mtime: i64,
    mime: String,
    /// `None` while the first upload is running.
    content: Option<Content>,
    is_encrypted: bool,
}

/// Finds the object of a key.
fn find_object(shared: &Shared, place: &Place) -> Result<Object, Failure> {
    shared.nodes.read(|forest| {
        let node = find(forest, place)
            .filter(|id| !place.is_inside_archive() && !forest.is_unseen(*id))
            .and_then(|id| forest.get(id));
        let node = node.ok_or_else(Failure::no_such_key)?;
        if node.kind == Kind::Folder {
            return Err(Failure::internal("S3 API Cannot send object info for folder"));
        }
        Ok(Object {
            uuid: Arc::clone(&node.uuid),
            size: node.size,
            etag: node.etag.clone(),
            mtime: node.mtime,
            mime: node.mime.current().unwrap_or("application/octet-stream").to_owned(),
            content: node.body.clone(),
            is_encrypted: node.is_encrypted(),
        })
    })
}

impl Object {
    /// Returns its content, if it is readable: an empty file in encrypted storage is never found.
    fn readable(&self) -> Option<&Content> {
        self.content.as_ref().filter(|content| !self.is_encrypted || content.size() > 0)
    }

    fn modified(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.mtime).unwrap_or(0))
    }

    /// What an answer says about the object even when it is a refusal.
    fn add_identity(&self, headers: &mut HeaderMap) {
        add_etag(headers, &self.etag);
        let modified = httpdate::fmt_http_date(self.modified());
        insert(headers, LAST_MODIFIED, &modified);
    }

    fn refuse(&self, mut failure: Failure) -> Failure {
        let mut headers = HeaderMap::new();
        self.add_identity(&mut headers);
        failure.headers = headers.into_iter().filter_map(|(name, value)| Some((name?, value))).collect();
        failure
    }
}

/// The part of an object that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    start: u64,
    end: u64,
    /// Whether it was asked for as a range.
    partial: bool,
}

impl Stretch {
    /// Parses a `Range` header. Several ranges, and units other than bytes, mean the complete object.
    fn of(range: Option<&str>, size: u64) -> Result<Self, Failure> {
        let whole = Self { start: 0, end: size, partial: false };
        let Some(range) = range.and_then(|range| range.strip_prefix("bytes=")) else {
            return Ok(whole);
        };
        let Some((first, last)) = range.trim().split_once('-').filter(|_| !range.contains(',')) else {
            return Ok(whole);
        };
        let number = |text: &str| text.parse::<u64>().ok();
        // If a part is not a number, it is not a range at all.
        if [first, last].iter().any(|text| !text.bytes().all(|byte| byte.is_ascii_digit())) {
            return Ok(whole);
        }
        let (start, end) = match (first, last) {
            ("", length) => (size.saturating_sub(number(length).unwrap_or(0)), size),
            (start, "") => (number(start).unwrap_or(u64::MAX), size),
            (start, last) => {
                let end = number(last).map_or(0, |last| last.saturating_add(1));
                (number(start).unwrap_or(u64::MAX), end.min(size))
            }
        };
        if start >= end {
            return Err(Failure::invalid_range());
        }
        Ok(Self { start, end, partial: true })
    }
}

/// Refuses the parameters that the gateway does not take.
fn check_parameters(exchange: &Exchange) -> Result<(), Failure> {
    if exchange.parameter("versionId").is_some_and(|id| !matches!(id, "" | "null")) {
        return Err(Failure::invalid_version());
    }
    let unknown = ["tagging", "torrent", "retention", "legal-hold"];
    if unknown.iter().any(|name| exchange.parameter(name).is_some()) {
        return Err(Failure::not_implemented());
    }
    Ok(())
}

/// `GET /io/key`. All conditions in the request are ignored.
pub(super) async fn get(shared: &Arc<Shared>, exchange: &Exchange, identity: &Identity) -> Outcome {
    check_parameters(exchange)?;
    let place = readable(shared, &identity.caller, &exchange.key)?;
    if archive::is_at(shared, &place) {
        return Err(Failure::not_implemented().into());
    }
    let found = find_object(shared, &place)?;
    let patience = shared.s3.settings().lock_timeout;
    let lock = shared.s3.locks.read(&found.uuid, patience).await;
    let lock = lock.ok_or_else(Failure::backend_down)?;
    let object = find_object(shared, &place)?;
    let stretch = Stretch::of(exchange.header("range"), object.size)?;
    let Some(content) = object.readable().cloned() else {
        return Err(object.refuse(Failure::no_such_key()).into());
    };
    let stretch = Stretch { partial: stretch.partial || has_part_number(exchange), ..stretch };
    let available = content.size().saturating_sub(stretch.start);
    if available < stretch.end - stretch.start && stretch.end - stretch.start <= SMALL_ANSWER {
        return Err(Stop::Dropped);
    }
    // Only a download from the first byte counts, so that downloads can be resumed.
    if stretch.start == 0 && !shared.links.count_download(&identity.caller.login) {
        return Err(Failure::access_denied().into());
    }
    let mut response = described(exchange, &object, stretch);
    if identity.attachment {
        insert(response.headers_mut(), CONTENT_DISPOSITION, "attachment");
    }
    *response.body_mut() = stream(&content, stretch, lock);
    Ok(response)
}

/// Returns the content as a body that holds the lock until it was sent or dropped.
fn stream(content: &Content, stretch: Stretch, lock: Reading) -> Body {
    if stretch.start == stretch.end {
        return full("");
    }
    let frames = content.reader(stretch.start, stretch.end).map(move |chunk| {
        let _held = &lock;
        chunk.map(Frame::data).map_err(Into::into)
    });
    StreamBody::new(frames).boxed_unsync()
}

/// `HEAD /io/key`. Conditions count here.
pub(super) fn head(shared: &Shared, exchange: &Exchange, caller: &Caller) -> Outcome {
    check_parameters(exchange)?;
    let place = match shared.nodes.resolve(caller, &exchange.key) {
        // With only the permission to write, the existence of an object is visible anyway.
        Access::WriteOnly(place) => {
            find_object(shared, &place).map_err(|_| Failure::access_denied())?;
            place
        }
        _ => readable(shared, caller, &exchange.key)?,
    };
    if archive::is_at(shared, &place) {
        return Err(Failure::bad_gateway().into());
    }
    let object = find_object(shared, &place)?;
    if let Some(response) = condition(exchange, &object)? {
        return Ok(response);
    }
    let stretch = Stretch::of(exchange.header("range"), object.size)?;
    Ok(described(exchange, &object, stretch))
}

/// Returns the answer to a condition that is not met.
fn condition(exchange: &Exchange, object: &Object) -> Result<Option<Response>, Failure> {
    let date = |name| httpdate::parse_http_date(exchange.header(name)?).ok();
    let etag = |name| Some(exchange.header(name)?.trim_matches('"'));
    let failed = || Err(object.refuse(Failure::precondition_failed()));
    if etag("if-match").is_some_and(|wanted| wanted != object.etag)
        || date("if-unmodified-since").is_some_and(|date| object.modified() > date)
    {
        return failed();
    }
    if etag("if-none-match").is_some_and(|known| known == object.etag)
        || date("if-modified-since").is_some_and(|date| object.modified() <= date)
    {
        let mut response = exchange.empty(StatusCode::NOT_MODIFIED);
        object.add_identity(response.headers_mut());
        return Ok(Some(response));
    }
    Ok(None)
}

/// An answer with the object's headers and no content yet.
fn described(exchange: &Exchange, object: &Object, stretch: Stretch) -> Response {
    let status = match stretch.partial {
        true => StatusCode::PARTIAL_CONTENT,
        false => StatusCode::OK,
    };
    let mut response = respond(status, "", full(""));
    let headers = response.headers_mut();
    exchange.add_headers(headers);
    object.add_identity(headers);
    headers.insert(CONTENT_LENGTH, (stretch.end - stretch.start).into());
    if stretch.partial {
        let (start, last, size) = (stretch.start, stretch.end.saturating_sub(1), object.size);
        insert(headers, CONTENT_RANGE, &format!("bytes {start}-{last}/{size}"));
    }
    let charset = match object.mime.as_str() {
        mime if mime.starts_with("text/") && !mime.contains(';') => "; charset=utf-8",
        _ => "",
    };
    insert(headers, CONTENT_TYPE, &format!("{}{charset}", object.mime));
    let overrides = [
        ("response-content-type", CONTENT_TYPE),
        ("response-content-disposition", CONTENT_DISPOSITION),
        ("response-cache-control", CACHE_CONTROL),
    ];
    for (parameter, name) in overrides {
        if let Some(value) = exchange.parameter(parameter) {
            insert(headers, name, value);
        }
    }
    response
}

fn has_part_number(exchange: &Exchange) -> bool {
    exchange.parameter("partNumber") == Some("1")
}

/// Sets a header, unless the value is not valid.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_server_does() {
        let of = |range| Stretch::of(Some(range), 100).ok().map(|it| (it.start, it.end, it.partial));
        assert_eq!(of("bytes=0-9"), Some((0, 10, true)));
        assert_eq!(of("bytes=90-"), Some((90, 100, true)));
        assert_eq!(of("bytes=-10"), Some((90, 100, true)));
        assert_eq!(of("bytes=-1000"), Some((0, 100, true)));
        assert_eq!(of("bytes=50-1000"), Some((50, 100, true)));
        assert_eq!(of("bytes=0-1,5-6"), Some((0, 100, false)));
        assert_eq!(of("lines=0-1"), Some((0, 100, false)));
        for refused in ["bytes=100-", "bytes=-0", "bytes=9-1", "bytes=100-200"] {
            assert_eq!(of(refused), None, "{refused}");
        }
        assert!(Stretch::of(Some("bytes=0-"), 0).is_err());
    }
}

//! False data in the headers of an answer, and false lengths.

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{CONTENT_LENGTH, ETAG, HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use super::random::Random;
use super::{Lie, Malice, unannounced, words};
use crate::transport::{Body, Response, full};

/// Headers that clients read, with unexpected values.
const HEADERS: [(&str, &str); 24] = [
    ("etag", "\"\""),
    ("etag", "../../x"),
    ("etag", "\"00000000000000000000000000000000-18446744073709551616\""),
    ("content-type", "text/html"),
    ("content-type", "application/json; charset=\u{9b}31m"),
    ("content-type", ""),
    ("retry-after", "99999999999999999999"),
    ("retry-after", "-1"),
    ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ("date", "yesterday"),
    ("date", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("last-modified", "\u{202e}"),
    ("content-range", "bytes 9-5/1"),
    ("content-range", "bytes 0-18446744073709551615/*"),
    ("content-encoding", "br"),
    ("set-cookie", "a=b\u{9b}31m; Domain=example.com; Path=/; Max-Age=99999999999999999999"),
    ("location", "http://\u{202e}/"),
    ("connection", "close"),
    ("x-cells-hash", "\u{9b}31m"),
    ("x-amz-request-id", "\u{202e}x"),
    ("x-amz-meta-pydio-clear-size", "-1"),
    ("www-authenticate", "Basic realm=\"\u{9b}31m\""),
    ("accept-ranges", "none"),
];

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Changes the headers. Sometimes adds hundreds of them, or very long ones.
pub(super) fn lie(headers: &mut HeaderMap, random: &mut Random, malice: &Malice) {
    for _ in 0..=random.below(4) {
        let (name, value) = *random.choose(&HEADERS);
        set(headers, name, value);
    }
    match random.below(8) {
        0 => {
            for number in 0..300 {
                if let Ok(name) = format!("x-more-{number}").parse::<HeaderName>() {
                    headers.insert(name, HeaderValue::from_static("more"));
                }
            }
        }
        1 => set(headers, "x-long", &"long".repeat(50_000)),
        2 => {
            let name = words::name(random, malice);
            set(headers, "content-disposition", &format!("attachment; filename=\"{name}\""));
        }
        _ => {}
    }
}

/// Sends the client somewhere else.
pub(super) fn redirect(mut response: Response, random: &mut Random, malice: &Malice) -> Response {
    *response.status_mut() = *random.choose(&[
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ]);
    let to = match random.below(7) {
        0 => "/".to_owned(),
        1 => "file:///etc/passwd".to_owned(),
        2 => "javascript:alert(1)".to_owned(),
        3 => format!("//{}", "x".repeat(20_000)),
        4 => "\u{9b}31m\u{202e}".to_owned(),
        _ => format!("{}/elsewhere", malice.elsewhere),
    };
    if let Ok(value) = HeaderValue::from_bytes(to.as_bytes()) {
        response.headers_mut().insert(LOCATION, value);
    }
    response.headers_mut().remove(CONTENT_LENGTH);
    response.map(|_| full(""))
}

/// Returns a body whose length differs from the announced one, or is not announced.
pub(super) fn lengths(mut response: Response, body: Bytes, random: &mut Random) -> Response {
    let length = body.len();
    let announced = match random.below(5) {
        0 => return unannounced(response, body),
        1 => length.saturating_sub(1),
        2 => length / 2,
        3 => length + 1,
        _ => length + (1 << 20),
    };
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(announced));
    // Of unknown length, so that the announced one goes out as it is.
    unannounced(response, body)
}

/// Returns false data about the content of a file. The content itself does not change.
pub(super) fn of_object(lie_of: Lie, mut response: Response, random: &mut Random, malice: &Malice) -> Response {
    match lie_of {
        Lie::Redirects => return redirect(response, random, malice),
        Lie::Statuses => {
            let status = *random.choose(&words::STATUSES);
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
        }
        Lie::Gaps => {
            response.headers_mut().remove(ETAG);
        }
        Lie::Whole | Lie::Places => {
            // The content of something else, under the entity tag of this.
            response.headers_mut().remove(CONTENT_LENGTH);
            return response.map(|_| full(*random.choose(&words::OTHER_DOCUMENTS)));
        }
        Lie::Lengths | Lie::Numbers => {
            let announced = *random.choose(&["0", "1", "3", "9223372036854775807"]);
            if let Ok(value) = announced.parse() {
                response.headers_mut().insert(CONTENT_LENGTH, value);
            }
            let frames = |body: Body| body.into_data_stream().map(|data| data.map(Frame::data));
            return response.map(|body| StreamBody::new(frames(body)).boxed_unsync());
        }
        _ => lie(response.headers_mut(), random, malice),
    }
    response
}

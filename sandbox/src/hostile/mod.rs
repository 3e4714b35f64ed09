//! A malicious or badly broken server: each of its answers may be changed before it is sent.
//!
//! The changes depend only on a seed and on the request, so that a run can be repeated.

mod bulk;
mod document;
mod headers;
mod json;
mod random;
mod words;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue, UPGRADE};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use tokio_tungstenite::tungstenite::protocol::Message;

use crate::transport::{Response, chunked, full, header};
use random::Random;

/// The largest body that is read to be changed; larger ones keep theirs.
const LARGEST: usize = 4 << 20;

/// A type of false data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Names that lead out of a folder, are not names, or look like those of somebody else.
    Names,
    /// Texts that act on a terminal: ESC, C1, bidi overrides, newlines; and very long ones.
    Escapes,
    /// Values of another type than expected.
    Types,
    /// Unexpected numbers: negative, beyond 64 bits, fractions.
    Numbers,
    /// Missing fields and items.
    Gaps,
    /// The answer to an earlier request, or parts of an answer that have changed places.
    Places,
    /// Something else in place of the document.
    Whole,
    /// Another status with the same body.
    Statuses,
    /// A redirect to somewhere else.
    Redirects,
    /// Wrong headers, and hundreds of them.
    Headers,
    /// Bodies that are shorter or longer than announced, or of no announced length.
    Lengths,
    /// Values within values, a hundred thousand deep.
    Nesting,
    /// Much: millions of items, texts without end, small bodies that unpack to large ones.
    Bulk,
}

impl Lie {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Names,
        Self::Escapes,
        Self::Types,
        Self::Numbers,
        Self::Gaps,
        Self::Places,
        Self::Whole,
        Self::Statuses,
        Self::Redirects,
        Self::Headers,
        Self::Lengths,
        Self::Nesting,
        Self::Bulk,
    ];
}

/// The configuration of a malicious server.
#[derive(Clone, Debug)]
pub struct Malice {
    /// The seed of all random choices.
    pub seed: u64,
    /// The types of false data; one is chosen for each changed answer.
    pub lies: Vec<Lie>,
    /// One in this number of answers is changed; 1 means every answer.
    pub one_in: u64,
    /// An absolute path that nothing may ever be written to. Names lead there.
    pub outside: String,
    /// The URL of another server, which nothing may ever be sent to. Redirects lead there.
    pub elsewhere: String,
}

/// The memory of a malicious server.
#[derive(Debug, Default)]
pub(crate) struct Hostility(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    malice: Option<Malice>,
    /// The number of answers to each request.
    counts: HashMap<String, u64>,
    /// The last documents, to be sent as answers to other requests.
    earlier: Vec<(String, Bytes)>,
    told: Vec<String>,
}

impl Hostility {
    pub(crate) fn set(&self, malice: Option<Malice>) {
        *self.lock() = State { malice, ..State::default() };
    }

    /// Returns descriptions of the changes so far.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.lock().told.clone()
    }

    /// Changes an answer, or returns it unchanged.
    pub(crate) async fn spoil(&self, method: &Method, path: &str, response: Response) -> Response {
        let Some((malice, mut random)) = self.draw(&format!("{method} {}", shape(path))) else { return response };
        let lies = random.one_of(malice.one_in) && !malice.lies.is_empty();
        let (head, body) = response.into_parts();
        let response = Response::from_parts(head, body);
        if response.headers().contains_key(UPGRADE) {
            return response;
        }
        let is_object = path.starts_with("/io/") && method == Method::GET && response.headers().contains_key(ETAG);
        let declared = header(response.headers(), CONTENT_LENGTH.as_str()).and_then(|text| text.parse::<usize>().ok());
        if is_object || declared.is_some_and(|length| length > LARGEST) {
            if !lies {
                return response;
            }
            let lie = *random.choose(&malice.lies);
            self.tell(method, path, lie);
            return headers::of_object(lie, response, &mut random, &malice);
        }
        let (head, body) = response.into_parts();
        let Ok(body) = body.collect().await else { return Response::from_parts(head, full("")) };
        let body = body.to_bytes();
        let kind = header(&head.headers, CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
        let earlier = self.remember(&kind, &body);
        if !lies {
            return Response::from_parts(head, full(body));
        }
        let lie = *random.choose(&malice.lies);
        self.tell(method, path, lie);
        let document = Document { kind, body, earlier };
        change(lie, Response::from_parts(head, full("")), &document, &mut random, &malice)
    }

    /// Changes a frame of the websocket.
    pub(crate) fn frames(&self, frame: String) -> Vec<Message> {
        let Some((malice, mut random)) = self.draw("frame") else { return vec![Message::text(frame)] };
        if !random.one_of(malice.one_in) || malice.lies.is_empty() {
            return vec![Message::text(frame)];
        }
        let lie = *random.choose(&malice.lies);
        self.tell(&Method::GET, crate::events::PATH, lie);
        match lie {
            Lie::Redirects | Lie::Statuses => vec![Message::Close(None)],
            Lie::Headers | Lie::Lengths => vec![Message::binary(frame.into_bytes()), Message::Ping("x".into())],
            Lie::Bulk => vec![Message::text(" ".repeat(20 << 20))],
            Lie::Places => vec![],
            Lie::Whole => vec![Message::text((*random.choose(&words::OTHER_DOCUMENTS)).to_owned())],
            _ => match json::changed(lie, frame.as_bytes(), &mut random, &malice) {
                Some(text) => vec![Message::text(text)],
                None => vec![Message::text(frame)],
            },
        }
    }

    /// Returns the configuration, and the random numbers for this answer.
    fn draw(&self, request: &str) -> Option<(Malice, Random)> {
        let mut state = self.lock();
        let malice = state.malice.clone()?;
        let count = state.counts.entry(request.to_owned()).or_default();
        *count += 1;
        let random = Random::new(malice.seed, request, *count);
        Some((malice, random))
    }

    /// Stores a document. Returns an earlier one of the same type.
    fn remember(&self, kind: &str, body: &Bytes) -> Option<Bytes> {
        let mut state = self.lock();
        let earlier = state.earlier.iter().rev().find(|(of, other)| of == kind && other != body);
        let earlier = earlier.map(|(_, body)| body.clone());
        if body.len() < LARGEST / 16 && state.earlier.len() < 64 {
            state.earlier.push((kind.to_owned(), body.clone()));
        }
        earlier
    }

    fn tell(&self, method: &Method, path: &str, lie: Lie) {
        let mut state = self.lock();
        if state.told.len() < 200 {
            state.told.push(format!("{lie:?} to {method} {path}"));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a path without the parts that are random in each run: identifiers and tokens.
fn shape(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let is_random = segment.len() >= 20 && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_random { "*" } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// A body that was read, and what came before it.
struct Document {
    kind: String,
    body: Bytes,
    earlier: Option<Bytes>,
}

impl Document {
    fn is_json(&self) -> bool {
        self.kind.contains("json") && !self.body.is_empty()
    }
}

/// Returns an answer with the same headers and false data in its body, or with other headers.
fn change(lie: Lie, mut response: Response, document: &Document, random: &mut Random, malice: &Malice) -> Response {
    let is_text = |lie| matches!(lie, Lie::Names | Lie::Escapes | Lie::Types | Lie::Numbers | Lie::Gaps);
    let changed = match lie {
        Lie::Places => document.earlier.clone().map(Into::into),
        Lie::Whole => Some((*random.choose(&words::OTHER_DOCUMENTS)).to_owned().into_bytes()),
        lie if is_text(lie) || lie == Lie::Nesting => {
            if document.is_json() {
                json::changed(lie, &document.body, random, malice).map(String::into_bytes)
            } else {
                Some(document::changed(lie, &document.body, random, malice))
            }
        }
        Lie::Bulk => return bulk::answer(response, document, random),
        Lie::Statuses => {
            let status = *random.choose(&words::STATUSES);
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
            None
        }
        Lie::Redirects => return headers::redirect(response, random, malice),
        Lie::Headers => {
            headers::lie(response.headers_mut(), random, malice);
            None
        }
        _ => None,
    };
    let body: Bytes = changed.map_or_else(|| document.body.clone(), Into::into);
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().remove(CONTENT_ENCODING);
    if lie == Lie::Headers && random.one_of(4) {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if lie != Lie::Lengths {
        return response.map(|_| full(body));
    }
    headers::lengths(response, body, random)
}

/// A body of no announced length.
fn unannounced(response: Response, body: Bytes) -> Response {
    response.map(|_| chunked(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::respond;

    fn malice(lies: &[Lie], seed: u64) -> Malice {
        Malice {
            seed,
            lies: lies.to_vec(),
            one_in: 1,
            outside: "/outside".to_owned(),
            elsewhere: "http://x".to_owned(),
        }
    }

    async fn answer(hostility: &Hostility, body: &'static str) -> (u16, Vec<u8>) {
        let response = respond(StatusCode::OK, "application/json", full(body));
        let response = hostility.spoil(&Method::GET, "/a/tree/stat/x", response).await;
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.map_or_else(|_| vec![], |body| body.to_bytes().to_vec()))
    }

    #[tokio::test]
    async fn the_same_seed_tells_the_same_lies_and_another_one_others() {
        const BODY: &str = r#"{"Node":{"Path":"a/b","Size":"5","Type":"LEAF"},"List":[1,2,3]}"#;
        let mut seen = Vec::new();
        for seed in [1, 2, 1] {
            let hostility = Hostility::default();
            hostility.set(Some(malice(&[Lie::Names, Lie::Types, Lie::Numbers, Lie::Gaps], seed)));
            let answers = [answer(&hostility, BODY).await, answer(&hostility, BODY).await];
            assert_ne!(answers[0], answers[1]);
            seen.push(answers);
        }
        assert!(seen[0] == seen[2] && seen[0] != seen[1]);
    }

    #[tokio::test]
    async fn every_lie_changes_something() {
        const BODY: &str = r#"{"Node":{"Path":"a/b","Size":"5"},"List":[1,2,3]}"#;
        for lie in Lie::ALL {
            let hostility = Hostility::default();
            hostility.set(Some(malice(&[lie], 7)));
            let response = respond(StatusCode::OK, "application/json", full("[]"));
            hostility.spoil(&Method::GET, "/a/first", response).await;
            let response = respond(StatusCode::OK, "application/json", full(BODY));
            let headers = response.headers().clone();
            let response = hostility.spoil(&Method::GET, "/a/second", response).await;
            let same_head = response.status() == StatusCode::OK && *response.headers() == headers;
            let same_length = hyper::body::Body::size_hint(response.body()).exact() == Some(BODY.len() as u64);
            let is_small = hyper::body::Body::size_hint(response.body()).upper().is_some_and(|length| length < 1 << 24);
            let same_body =
                !is_small || response.into_body().collect().await.is_ok_and(|body| body.to_bytes() == BODY.as_bytes());
            assert!(!(same_head && same_length && same_body), "{lie:?}");
            assert_eq!(hostility.changes().len(), 2, "{lie:?}");
        }
    }

    #[tokio::test]
    async fn without_malice_nothing_is_changed() {
        let hostility = Hostility::default();
        assert_eq!(answer(&hostility, "{}").await, (200, b"{}".to_vec()));
    }
}

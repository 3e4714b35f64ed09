//! Writes in steps: each one stops where another client could act in between, until a test lets it continue. So every
//! order of a few steps is possible.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::oneshot;

use crate::transport::{Body, header};

/// The header by which a client says who it is. Writes of others do not stop.
const CLIENT: &str = "x-steps-client";

/// Where a write stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has arrived, and nothing has been done.
    Arrived,
    /// It has begun, and half of its body has arrived.
    Half,
    /// It is complete, but not answered.
    Done,
}

/// A write that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The client, from the header `x-steps-client`.
    pub client: String,
    /// Its method and path.
    pub request: String,
    /// How far it is.
    pub stage: Stage,
}

/// The waiting writes. Copies are the same.
#[derive(Clone, Debug, Default)]
pub struct Steps(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    is_on: bool,
    next: u64,
    stops: BTreeMap<u64, (Stop, oneshot::Sender<()>)>,
}

impl Steps {
    /// Makes writes stop from now on.
    pub fn begin(&self) {
        self.lock().is_on = true;
    }

    /// Lets all writes continue, without further stops.
    pub fn end(&self) {
        let mut waiting = self.lock();
        waiting.is_on = false;
        // Writes continue when their gate is dropped.
        waiting.stops.clear();
    }

    /// Returns the waiting writes, in the order of their arrival.
    pub fn waiting(&self) -> Vec<Stop> {
        self.lock().stops.values().map(|(stop, _)| stop.clone()).collect()
    }

    /// Lets the first write of a client continue. Returns whether there was one.
    pub fn go(&self, client: &str) -> bool {
        let mut waiting = self.lock();
        let first = waiting.stops.iter().find(|(_, (stop, _))| stop.client == client).map(|(number, _)| *number);
        first.and_then(|number| waiting.stops.remove(&number)).is_some()
    }

    /// Returns the steps of a request, if it is a write of a client that identifies itself.
    pub(crate) fn of(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Walker> {
        let client = header(headers, CLIENT).filter(|_| self.lock().is_on && is_write(method, path))?;
        let (client, request) = (client.to_owned(), format!("{method} {path}"));
        let length = header(headers, CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok()).unwrap_or(0);
        Some(Walker { steps: self.clone(), client, request, length })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request changes something on the server.
fn is_write(method: &Method, path: &str) -> bool {
    const CALLS: [&str; 3] = ["/a/tree/create", "/a/tree/delete", "/a/tree/restore"];
    match *method {
        Method::PUT | Method::DELETE | Method::PATCH => true,
        Method::POST => path.starts_with("/io/") || CALLS.contains(&path),
        _ => false,
    }
}

/// A write on its way.
#[derive(Clone, Debug)]
pub(crate) struct Walker {
    steps: Steps,
    client: String,
    request: String,
    length: u64,
}

impl Walker {
    /// Waits until a test lets the write continue.
    pub(crate) async fn stop(&self, stage: Stage) {
        let (give, take) = oneshot::channel();
        let number = {
            let mut waiting = self.steps.lock();
            if !waiting.is_on {
                return;
            }
            waiting.next += 1;
            let number = waiting.next;
            let stop = Stop { client: self.client.clone(), request: self.request.clone(), stage };
            waiting.stops.insert(number, (stop, give));
            number
        };
        let _gone = Gone { steps: self.steps.clone(), number };
        // A dropped receiver is the signal to continue.
        let _ = take.await;
    }

    /// A body that stops before the byte in its middle.
    pub(crate) fn halved(&self, body: Body) -> Body {
        if self.length < 2 || !self.request.contains(" /io/") {
            return body;
        }
        let (walker, passed) = (self.clone(), AtomicU64::new(0));
        let frames = body.into_data_stream().then(move |data| {
            let length = data.as_ref().map_or(0, bytes::Bytes::len) as u64;
            let before = passed.fetch_add(length, Ordering::Relaxed);
            let half = walker.length / 2;
            let stops = (before..before + length).contains(&half);
            let walker = walker.clone();
            async move {
                if stops {
                    walker.stop(Stage::Half).await;
                }
                data.map(Frame::data)
            }
        });
        StreamBody::new(frames).boxed_unsync()
    }
}

/// Removes a stop when its request is given up.
struct Gone {
    steps: Steps,
    number: u64,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.steps.lock().stops.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_stops_and_goes_on() {
        let steps = Steps::default();
        let mut headers = HeaderMap::new();
        headers.insert(CLIENT, "a".parse().unwrap());
        assert!(steps.of(&Method::PUT, "/io/x", &headers).is_none(), "off");
        steps.begin();
        assert!(
            steps.of(&Method::GET, "/io/x", &headers).is_none()
                && steps.of(&Method::PUT, "/io/x", &HeaderMap::new()).is_none()
        );
        let walker = steps.of(&Method::PUT, "/io/x", &headers).unwrap();
        let going = tokio::spawn(async move { walker.stop(Stage::Arrived).await });
        while steps.waiting().is_empty() {
            tokio::task::yield_now().await;
        }
        let stop = Stop { client: "a".to_owned(), request: "PUT /io/x".to_owned(), stage: Stage::Arrived };
        assert_eq!(steps.waiting(), [stop]);
        assert!(!steps.go("b") && steps.go("a"));
        going.await.unwrap();
        assert!(steps.waiting().is_empty() && !steps.go("a"));
    }
}

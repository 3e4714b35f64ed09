//! Faults on demand: what goes wrong, with which request, and how often.

mod body;

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use tokio::sync::watch;

pub(crate) use body::{alter_request, alter_response};

use crate::transport::{Response, full};

/// A fault, and the requests that it affects.
///
/// Each request is affected by at most one fault: the first one added that matches and has times left. One fault may do
/// several things, for example wait and then answer 503.
///
/// A fault that no request has met makes [`Faults::clear`] and the end of the sandbox panic: the test proves nothing. See
/// [`Fault::may_stay_unmet`].
///
/// ```no_run
/// # use cells_sandbox::{Config, Fault, Sandbox};
/// # fn main() -> anyhow::Result<()> {
/// let sandbox = Sandbox::start(Config::default())?;
/// let busy = Fault::on("PUT", "/io/common-files/x").skip(1).times(3).status(503);
/// sandbox.faults().add(busy.header("Retry-After", "2"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    method: String,
    path: String,
    query: Option<String>,
    skip: usize,
    /// How often it still strikes; `None` means always.
    left: Option<usize>,
    plan: Plan,
    /// Whether a request has met it.
    met: bool,
    /// Why it may be that none does.
    optional: Option<&'static str>,
    /// Where it was added.
    added: Option<&'static Location<'static>>,
}

/// Delays requests or answers until it is opened, so that the order of events is the same on a slow machine. Copies are
/// the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// Creates a gate that lets nothing pass.
    pub fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn pass(&self) {
        // Its sender is this gate itself, so that waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// An answer that is stored, to be sent to another request later, like a proxy that mixes answers up. Copies are the
/// same.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<Option<http::Response<Bytes>>>>);

impl Kept {
    /// Stores an answer and returns it.
    pub(crate) async fn keep(&self, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        // A body that breaks off is stored up to that point.
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let response = http::Response::from_parts(parts, body);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(response.clone());
        response.map(full)
    }

    /// The kept answer, if there is one.
    pub(crate) fn again(&self) -> Option<Response> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone().map(|response| response.map(full))
    }
}

/// What a fault does to one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) delay: Option<Duration>,
    pub(crate) hold_request: Option<Gate>,
    pub(crate) hold_answer: Option<Gate>,
    pub(crate) hang: bool,
    pub(crate) close_before: bool,
    pub(crate) close_after: bool,
    pub(crate) expire_token: bool,
    pub(crate) keep: Option<Kept>,
    pub(crate) replay: Option<Kept>,
    pub(crate) canned: Option<Canned>,
    pub(crate) cut_request_at: Option<u64>,
    pub(crate) hold_cut: Option<Gate>,
    pub(crate) request_rate: Option<u64>,
    pub(crate) cut_response_at: Option<u64>,
    pub(crate) stall_response_at: Option<(u64, Duration)>,
    pub(crate) corrupt_response_at: Option<u64>,
    pub(crate) drop_headers: Vec<HeaderName>,
    pub(crate) set_headers: Vec<(HeaderName, HeaderValue)>,
}

/// An answer in place of the real one. The request is not carried out.
#[derive(Clone, Debug)]
pub(crate) struct Canned {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Fault {
    /// Creates a fault for requests with this method (`*`: any) whose decoded path contains `path`. It occurs once by
    /// default.
    pub fn on(method: &str, path: &str) -> Self {
        Self {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            query: None,
            skip: 0,
            left: Some(1),
            plan: Plan::default(),
            met: false,
            optional: None,
            added: None,
        }
    }

    /// Allows that no request meets it, for this reason, for example because the order of requests is random.
    #[must_use]
    pub fn may_stay_unmet(mut self, reason: &'static str) -> Self {
        self.optional = Some(reason);
        self
    }

    /// Only requests whose query contains this text, for example `uploadId`.
    #[must_use]
    pub fn query(mut self, part: &str) -> Self {
        self.query = Some(part.to_owned());
        self
    }

    /// Lets the first `count` matching requests pass.
    #[must_use]
    pub fn skip(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// Occurs `count` times.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.left = Some(count);
        self
    }

    /// Occurs for every matching request.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.left = None;
        self
    }

    /// Answers with this status, with an empty body unless [`Fault::body`] sets one. The request is not carried out.
    #[must_use]
    pub fn status(mut self, code: u16) -> Self {
        self.canned().status = code;
        self
    }

    /// The body of the answer in place of the real one; status 200 unless [`Fault::status`] says
    /// otherwise.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: &str) -> Self {
        let canned = self.canned();
        canned.content_type = content_type.to_owned();
        canned.body = body.to_owned();
        self
    }

    /// Adds a header to the answer, in place of any of that name. Invalid ones are ignored.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (name.parse(), value.parse()) {
            self.plan.set_headers.push((name, value));
        }
        self
    }

    /// The same as [`Fault::header`]; reads better when the rest of the answer is the real one.
    #[must_use]
    pub fn set_header(self, name: &str, value: &str) -> Self {
        self.header(name, value)
    }

    /// Removes a header from the answer, for example `Etag`.
    #[must_use]
    pub fn drop_header(mut self, name: &str) -> Self {
        if let Ok(name) = name.parse() {
            self.plan.drop_headers.push(name);
        }
        self
    }

    /// Waits before continuing.
    #[must_use]
    pub fn delay(mut self, duration: Duration) -> Self {
        self.plan.delay = Some(duration);
        self
    }

    /// Waits until the gate is open before continuing.
    #[must_use]
    pub fn hold_request(mut self, gate: &Gate) -> Self {
        self.plan.hold_request = Some(gate.clone());
        self
    }

    /// Carries the request out, and answers once the gate is open.
    #[must_use]
    pub fn hold_answer(mut self, gate: &Gate) -> Self {
        self.plan.hold_answer = Some(gate.clone());
        self
    }

    /// Reads the request and never answers. The connection stays open until the client closes it.
    #[must_use]
    pub fn hang(mut self) -> Self {
        self.plan.hang = true;
        self
    }

    /// Closes the connection without an answer; nothing is done.
    #[must_use]
    pub fn close_before(mut self) -> Self {
        self.plan.close_before = true;
        self
    }

    /// Carries the request out in full, then closes the connection without an answer.
    #[must_use]
    pub fn close_after(mut self) -> Self {
        self.plan.close_after = true;
        self
    }

    /// Closes the connection after so many bytes of the request body have been read.
    #[must_use]
    pub fn cut_request_at(mut self, bytes: u64) -> Self {
        self.plan.cut_request_at = Some(bytes);
        self
    }

    /// With [`Fault::cut_request_at`]: the client's connection is closed at once, but the server notices it only when
    /// the gate is open, as behind a proxy or a connection that has failed silently.
    #[must_use]
    pub fn hold_cut(mut self, gate: &Gate) -> Self {
        self.plan.hold_cut = Some(gate.clone());
        self
    }

    /// Reads the request body with at most this number of bytes per second, once the headers were examined.
    #[must_use]
    pub fn slow_request(mut self, bytes_per_second: u64) -> Self {
        self.plan.request_rate = Some(bytes_per_second);
        self
    }

    /// Closes the connection after this number of bytes of the answer's body. The announced length is that of the
    /// complete body.
    #[must_use]
    pub fn cut_response_at(mut self, bytes: u64) -> Self {
        self.plan.cut_response_at = Some(bytes);
        self
    }

    /// Pauses after this number of bytes of the answer's body, then continues.
    #[must_use]
    pub fn stall_response_at(mut self, bytes: u64, duration: Duration) -> Self {
        self.plan.stall_response_at = Some((bytes, duration));
        self
    }

    /// Flips one bit of the byte at this index of the answer's body.
    #[must_use]
    pub fn corrupt_response_at(mut self, index: u64) -> Self {
        self.plan.corrupt_response_at = Some(index);
        self
    }

    /// Answers 302 to that location and does nothing.
    #[must_use]
    pub fn redirect(self, location: &str) -> Self {
        self.status(302).header("Location", location)
    }

    /// Answers 200 with a web page, as the real server does for unknown paths.
    #[must_use]
    pub fn html(self) -> Self {
        self.body("text/html; charset=utf-8", "<!DOCTYPE html>\n<html></html>\n")
    }

    /// Answers 200 with an empty body, as the real server does for an unknown Host.
    #[must_use]
    pub fn empty_ok(self) -> Self {
        self.status(200)
    }

    /// Answers as usual and keeps a copy of the answer.
    #[must_use]
    pub fn keep(mut self, kept: &Kept) -> Self {
        self.plan.keep = Some(kept.clone());
        self
    }

    /// Sends the answer that was stored for another request, once there is one. This request is not carried out.
    #[must_use]
    pub fn replay(mut self, kept: &Kept) -> Self {
        self.plan.replay = Some(kept.clone());
        self
    }

    /// Revokes the token in the request, then continues.
    #[must_use]
    pub fn expire_token(mut self) -> Self {
        self.plan.expire_token = true;
        self
    }

    fn canned(&mut self) -> &mut Canned {
        self.plan.canned.get_or_insert_with(|| Canned { status: 200, content_type: String::new(), body: String::new() })
    }

    fn matches(&self, method: &str, path: &str, query: &str) -> bool {
        (self.method == "*" || self.method == method)
            && path.contains(&self.path)
            && self.query.as_ref().is_none_or(|part| query.contains(part))
    }

    /// Whether the fault occurs for this matching request. Counts the request in any case.
    fn strikes(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// Whether it should have met a request and has not.
    fn is_unmet(&self) -> bool {
        !self.met && self.optional.is_none()
    }
}

/// The requests that it waits for, and where it was added.
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)?;
        if let Some(query) = &self.query {
            write!(formatter, "?…{query}…")?;
        }
        if self.skip > 0 {
            write!(formatter, " after {} more", self.skip)?;
        }
        self.added.map_or(Ok(()), |place| write!(formatter, " (added at {place})"))
    }
}

#[derive(Debug, Default)]
struct Armed {
    faults: Vec<Fault>,
    hits: usize,
}

impl Armed {
    /// Panics if a fault has met no request.
    #[track_caller]
    fn expect_met(&self) {
        let unmet: Vec<String> = self.faults.iter().filter(|fault| fault.is_unmet()).map(Fault::to_string).collect();
        assert!(unmet.is_empty(), "no request has met a fault: {}", unmet.join(", "));
    }
}

/// The faults of one sandbox. Copies share the same list.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    armed: Arc<Mutex<Armed>>,
}

impl Faults {
    /// Adds a fault after the existing ones.
    #[track_caller]
    pub fn add(&self, fault: Fault) {
        let added = Some(Location::caller());
        self.lock().faults.push(Fault { added, ..fault });
    }

    /// Removes all faults and forgets the hits.
    ///
    /// # Panics
    /// No request has met one of them.
    #[track_caller]
    pub fn clear(&self) {
        let armed = std::mem::take(&mut *self.lock());
        armed.expect_met();
    }

    /// Returns the number of affected requests.
    pub fn hits(&self) -> usize {
        self.lock().hits
    }

    /// Returns the plan for this request.
    pub(crate) fn strike(&self, method: &str, path: &str, query: &str) -> Plan {
        let mut armed = self.lock();
        let mut matching = armed.faults.iter_mut().filter(|fault| fault.matches(method, path, query));
        let struck = matching.find_map(|fault| {
            let strikes = fault.strikes();
            fault.met |= strikes;
            strikes.then(|| fault.plan.clone())
        });
        armed.hits += usize::from(struck.is_some());
        struck.unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Armed> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

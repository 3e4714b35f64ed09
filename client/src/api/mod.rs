//! The authenticated REST client, with its wire types, typed errors, and listings as streams.

pub mod datasource;
pub mod error;
pub mod events;
pub mod frontend;
pub mod idm;
pub mod jobs;
mod link_view;
pub mod meta;
mod meta_store;
pub mod page;
#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;
pub mod room;
pub mod scheduler;
pub mod search;
pub mod share;
pub mod tree;
pub mod update;
pub mod watch;
mod wire;

pub use tree::{Node, NodeKind};

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::auth::{Answer, Sender};
use crate::failure::{ServerError, ServerErrorKind};
use crate::http::limit::{LONGEST_ANSWER, LONGEST_PAGE};
use crate::http::retry::{self, RetryPolicy};
use crate::path::{RemotePath, View};

/// The REST client of one account. Cheap to clone.
///
/// Calls that read are retried according to the policy. Calls that change something are retried only if they certainly
/// did not reach the server.
#[derive(Debug, Clone)]
pub struct Client {
    sender: Arc<Sender>,
    retry: RetryPolicy,
    view: Option<Arc<View>>,
    listed: Arc<AtomicU64>,
    room: room::Room,
}

impl Client {
    /// Creates a client that sends through `sender` and uses the default retry policy.
    pub fn new(sender: Arc<Sender>) -> Self {
        Self { sender, retry: RetryPolicy::default(), view: None, listed: Arc::default(), room: room::Room::default() }
    }

    /// Returns the number of nodes that listings of this client and its clones have received so far.
    pub fn listed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.listed)
    }

    /// Returns the client with the path view of a public link.
    #[must_use]
    pub fn seen_as(mut self, view: Option<Arc<View>>) -> Self {
        self.view = view;
        self
    }

    /// Translates a path to the server's form.
    fn server_path(&self, path: &RemotePath) -> RemotePath {
        self.view.as_ref().map_or_else(|| path.clone(), |view| view.to_server(path))
    }

    /// Translates a path of the server to the displayed form.
    fn shown_path(&self, path: RemotePath) -> RemotePath {
        match &self.view {
            Some(view) => view.shown(path),
            None => path,
        }
    }

    /// Whether the client is a visitor of a public link that permits uploads but no listings.
    pub fn is_upload_only(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.is_upload_only())
    }

    /// Stops reusing connections, after an answer that belongs to another request.
    pub fn stop_reuse(&self) {
        self.sender.http.stop_reuse();
    }

    /// Returns the retry policy of reads.
    pub fn retry_policy(&self) -> &RetryPolicy {
        &self.retry
    }

    /// Returns the client with another retry policy.
    #[must_use]
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sends any REST call once. `path` is absolute and percent-encoded (`/a/tree/stat/ws`), `body` is JSON. Returns
    /// the unchanged answer if it is a success.
    ///
    /// # Errors
    /// The meaning of an answer that is not a success, or that is a web page.
    pub async fn raw(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Answer, ServerError> {
        let answer = self.sender.call(&method, path, body.as_ref()).await?;
        if answer.status.is_success() && answer.body.is_empty() {
            return Ok(answer);
        }
        error::json_of(&answer)?;
        Ok(answer)
    }

    /// Sends any REST call once, as [`Client::raw`] does, but returns every answer, together with its error if it is
    /// not a success.
    ///
    /// # Errors
    /// There is no answer or no token.
    pub async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<(Answer, Option<ServerError>), ServerError> {
        let answer = self.sender.call(&method, path, body.as_ref()).await?;
        let is_empty = answer.status.is_success() && answer.body.is_empty();
        let error = if is_empty { None } else { error::json_of(&answer).err() };
        Ok((answer, error))
    }

    /// Sends a GET, with retries.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ServerError> {
        self.with_retries(&Method::GET, path, None, LONGEST_ANSWER, |_| Ok(())).await
    }

    /// Sends a POST that only reads, with retries.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
    ) -> Result<T, ServerError> {
        self.with_retries(&Method::POST, path, Some(encode(request)?), LONGEST_ANSWER, |_| Ok(())).await
    }

    /// Like [`Client::get`], for an answer that says what it is about; `fits` checks that it belongs to the request.
    async fn get_about<T: DeserializeOwned>(&self, path: &str, fits: impl Fn(&T) -> Fits) -> Result<T, ServerError> {
        self.with_retries(&Method::GET, path, None, LONGEST_PAGE, fits).await
    }

    /// Like [`Client::read`], for an answer that says what it is about; `fits` checks that it belongs to the request.
    async fn read_about<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
        fits: impl Fn(&T) -> Fits,
    ) -> Result<T, ServerError> {
        self.with_retries(&Method::POST, path, Some(encode(request)?), LONGEST_PAGE, fits).await
    }

    /// Sends a call that changes something. It is sent again only if the server certainly received nothing.
    pub(crate) async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        request: &impl Serialize,
    ) -> Result<T, ServerError> {
        let body = encode(request)?;
        let attempt = |_| async {
            let answer =
                self.sender.call(&method, path, Some(&body)).await.map_err(|error| Once(ServerError::from(error)))?;
            match error::json_of(&answer) {
                Err(error) if error.may_pass() && self.is_upload_only() => Ok(Err(error)),
                json => json.map_err(Once).map(parse),
            }
        };
        retry::run(&self.retry, attempt, |_, _, _| {}).await.map_err(|Once(error)| error)?
    }

    /// Sends a DELETE once.
    pub(crate) async fn delete_call<T: DeserializeOwned>(&self, path: &str) -> Result<T, ServerError> {
        parse(&self.raw(Method::DELETE, path, None).await?.body)
    }

    /// Sends a POST that changes something but can be repeated without harm. With `fail_slow_at_once`, a call that
    /// takes too long is not repeated.
    async fn repeatable_write<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
        fail_slow_at_once: bool,
    ) -> Result<T, ServerError> {
        let body = encode(request)?;
        let attempt = |_| async {
            let answer = match self.sender.call(&Method::POST, path, Some(&body)).await.map_err(ServerError::from) {
                Err(error) if fail_slow_at_once && error.is_too_slow() => return Ok(Err(error)),
                other => other?,
            };
            match error::json_of(&answer) {
                Err(error) if fail_slow_at_once && error.is_too_slow() => Ok(Err(error)),
                other => parse(other?).map(Ok),
            }
        };
        retry::run(&self.retry, attempt, |_, _, _| {}).await?
    }

    /// Creates the error for an answer to another request. Connections are no longer reused after it, because more
    /// answers may be assigned to the wrong requests.
    fn unasked(&self, why: String) -> ServerError {
        self.stop_reuse();
        ServerError::new(ServerErrorKind::Unasked, why)
    }

    async fn with_retries<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        body: Option<Bytes>,
        longest: usize,
        fits: impl Fn(&T) -> Fits,
    ) -> Result<T, ServerError> {
        let attempt = |_| async {
            let answer = self.sender.call_within(longest, method, path, body.as_ref()).await?;
            let http = &self.sender.http;
            let value = match error::json_of(&answer).and_then(parse) {
                Err(error) if error.may_pass() && self.is_upload_only() => return Ok(Err(error)),
                read => read.map_err(|error| ServerError { passing: http.has_worked(), ..error })?,
            };
            fits(&value).map_err(|why| self.unasked(why))?;
            http.note_right_answer();
            Ok::<_, ServerError>(Ok(value))
        };
        retry::run(&self.retry, attempt, |_, _, _| {}).await?
    }
}

/// Whether an answer belongs to the request; otherwise, how it differs.
type Fits = Result<(), String>;

/// The failure of a call that must not be carried out twice. It is retried only if nothing was sent, or if the refusal
/// is temporary.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Once(ServerError);

impl retry::Retryable for Once {
    fn advice(&self) -> retry::Advice {
        if self.0.is_unsent() || self.0.may_pass() { self.0.advice() } else { retry::Advice::Stop }
    }
}

fn encode(request: &impl Serialize) -> Result<Bytes, ServerError> {
    serde_json::to_vec(request).map(Bytes::from).map_err(|error| {
        ServerError::new(ServerErrorKind::BadRequest, format!("the request cannot be written as JSON: {error}"))
    })
}

/// Reads the first JSON document of an answer, which must be an object. Ignores unknown fields and further documents
/// (docs/protocol.md §4.1). Anything but an object would be read as one without fields, which means "none".
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ServerError> {
    if body.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        let message = "unexpected answer from the server: not a JSON object";
        return Err(ServerError::new(ServerErrorKind::NotCells, message));
    }
    let mut documents = serde_json::Deserializer::from_slice(body).into_iter::<T>();
    let first = documents.next();
    let after = body.get(documents.byte_offset()..).unwrap_or_default().trim_ascii_start();
    match first {
        Some(Ok(value)) if after.is_empty() || after.starts_with(b"{") => Ok(value),
        Some(Ok(_)) => {
            let message = "unexpected answer from the server: other text follows the JSON";
            Err(ServerError::new(ServerErrorKind::NotCells, message))
        }
        Some(Err(error)) if error.is_eof() => {
            Err(ServerError::new(ServerErrorKind::Server, "the answer ends in the middle of the JSON"))
        }
        Some(Err(error)) => {
            Err(ServerError::new(ServerErrorKind::NotCells, format!("unexpected answer from the server: {error}")))
        }
        None => Err(ServerError::new(ServerErrorKind::NotCells, "the server sent an empty answer")),
    }
}

/// Checks a list that is never empty on a Cells server: an empty one was sent by something else.
///
/// # Errors
/// [`ServerErrorKind::NotCells`].
fn never_empty<T>(items: Vec<T>, what: &str) -> Result<Vec<T>, ServerError> {
    if items.is_empty() {
        let message = format!("unexpected answer from the server: it lists no {what}, but some exist");
        return Err(ServerError::new(ServerErrorKind::NotCells, message));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_an_object_is_refused() {
        for body in ["[]", "null", "\"x\"", " [{}]", "0", "true"] {
            let error = parse::<wire::BulkAnswer>(body.as_bytes()).expect_err(body);
            assert_eq!(error.kind, ServerErrorKind::NotCells, "{body}");
        }
        for body in ["{},{}", "{}]", "{} <html>", "{}\"x\""] {
            let error = parse::<wire::BulkAnswer>(body.as_bytes()).expect_err(body);
            assert_eq!(error.kind, ServerErrorKind::NotCells, "{body}");
        }
        for body in [" {}", "{}\n", "{}{\"Title\":\"x\"}"] {
            assert!(parse::<wire::BulkAnswer>(body.as_bytes()).expect(body).nodes.is_empty());
        }
        assert_eq!(parse::<wire::BulkAnswer>(b"").expect_err("nothing").kind, ServerErrorKind::NotCells);
    }
}

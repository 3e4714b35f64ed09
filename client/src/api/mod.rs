//! The authenticated REST client: wire structs, typed errors, pages as streams.

pub mod datasource;
pub mod error;
pub mod events;
pub mod frontend;
pub mod idm;
pub mod jobs;
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
mod visit;
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
/// Reads are tried again by themselves as the policy says; calls that change something are not, beyond what is known
/// never to have reached the server.
#[derive(Debug, Clone)]
pub struct Client {
    sender: Arc<Sender>,
    retry: RetryPolicy,
    view: Option<Arc<View>>,
    listed: Arc<AtomicU64>,
    room: room::Room,
}

impl Client {
    /// A client that sends through `sender`, and tries again as is usual for small requests.
    pub fn new(sender: Arc<Sender>) -> Self {
        Self { sender, retry: RetryPolicy::default(), view: None, listed: Arc::default(), room: room::Room::default() }
    }

    /// How many nodes the listings of this client and its clones have brought, counted as they come.
    pub fn listed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.listed)
    }

    /// The client with the paths of a public link as they are shown.
    #[must_use]
    pub fn seen_as(mut self, view: Option<Arc<View>>) -> Self {
        self.view = view;
        self
    }

    /// A path as the server wants it.
    fn server_path(&self, path: &RemotePath) -> RemotePath {
        self.view.as_ref().map_or_else(|| path.clone(), |view| view.to_server(path))
    }

    /// A path of the server as it is shown.
    fn shown_path(&self, path: RemotePath) -> RemotePath {
        match &self.view {
            Some(view) => view.shown(path),
            None => path,
        }
    }

    /// Whether this is a visitor who may put things somewhere without seeing what is there.
    pub fn is_upload_only(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.is_upload_only())
    }

    /// Uses no connection for a second request any more, after an answer that belongs to another request.
    pub fn stop_reuse(&self) {
        self.sender.http.stop_reuse();
    }

    /// How often and how long reads are tried again.
    pub fn retry_policy(&self) -> &RetryPolicy {
        &self.retry
    }

    /// The client with another policy for what it tries again.
    #[must_use]
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Any REST call, sent once: `path` is absolute and percent-encoded (`/a/tree/stat/ws`), `body` is JSON. The
    /// answer is given whole, as it came, once it is known to be a success.
    ///
    /// # Errors
    /// What the answer means where it is no success, or is a web page.
    pub async fn raw(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Answer, ServerError> {
        let answer = self.sender.call(&method, path, body.as_ref()).await?;
        if answer.status.is_success() && answer.body.is_empty() {
            return Ok(answer);
        }
        error::json_of(&answer)?;
        Ok(answer)
    }

    /// Any REST call, sent once as with [`Client::raw`]; the answer is given whatever it means, beside what it means where
    /// that is no success.
    ///
    /// # Errors
    /// No answer, or no token.
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

    /// A GET, tried again where that may help.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ServerError> {
        self.again(&Method::GET, path, None, LONGEST_ANSWER, |_| Ok(())).await
    }

    /// A POST that only reads, tried again where that may help.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
    ) -> Result<T, ServerError> {
        self.again(&Method::POST, path, Some(encode(request)?), LONGEST_ANSWER, |_| Ok(())).await
    }

    /// [`Client::get`] for an answer that tells what it is about; `fits` says what is wrong with one to another request.
    async fn get_about<T: DeserializeOwned>(&self, path: &str, fits: impl Fn(&T) -> Fits) -> Result<T, ServerError> {
        self.again(&Method::GET, path, None, LONGEST_PAGE, fits).await
    }

    /// [`Client::read`] for an answer that tells what it is about; `fits` says what is wrong with one to another request.
    async fn read_about<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
        fits: impl Fn(&T) -> Fits,
    ) -> Result<T, ServerError> {
        self.again(&Method::POST, path, Some(encode(request)?), LONGEST_PAGE, fits).await
    }

    /// A call that changes something: sent once, and again only where nothing of it was sent.
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

    /// A DELETE, sent once.
    pub(crate) async fn delete_call<T: DeserializeOwned>(&self, path: &str) -> Result<T, ServerError> {
        parse(&self.raw(Method::DELETE, path, None).await?.body)
    }

    /// A POST that changes something and may be repeated without harm. With `fail_slow_at_once` a call that takes too
    /// long is not repeated as it is.
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

    /// The failure that an answer to another request is. No further connection is used for two requests: more answers
    /// may be on their way to the wrong ones.
    fn unasked(&self, why: String) -> ServerError {
        self.stop_reuse();
        ServerError::new(ServerErrorKind::Unasked, why)
    }

    async fn again<T: DeserializeOwned>(
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

/// Whether an answer belongs to the request, or how it shows that it does not.
type Fits = Result<(), String>;

/// The failure of a call that must not be carried out twice: it is tried again only where nothing of it was sent, or where
/// it was refused for a moment.
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

/// Reads the first JSON document of an answer, which is an object always; unknown fields are ignored, and so are further
/// documents (docs/protocol.md §4.1). Anything else would be read as an object without any fields, which means "none".
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

/// A list that no server has nothing for: its emptiness means that something else has answered.
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
    fn an_answer_that_is_no_object_does_not_mean_none() {
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

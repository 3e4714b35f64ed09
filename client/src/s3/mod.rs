//! The S3 gateway: one attempt a call, signed late, the token renewed and the clock offset learnt on the way.

pub mod error;
mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;
pub mod sign;
mod xml;

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use futures_util::{Stream, future};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use tokio_util::io::StreamReader;

use crate::auth::Sender;
use crate::failure::{Reason, ServerError, ServerErrorKind};
use crate::http::{HttpError, HttpErrorKind};
use crate::path::{RemotePath, View, encode_segment};
use error::{Asked, classify, is_html};
use exchange::{Call, Clock, Payload, web_page};
use xml::{Document, ListError, ListReader};

/// How long a completion may stay silent at least: it waits for readers of the old content, with a sign of life every
/// ten seconds once it has begun to answer.
const COMPLETE_IDLE: Duration = Duration::from_secs(300);

/// How long a listing may stay silent at least: it is made as a whole before its first byte, some 2 ms an entry.
const LIST_IDLE: Duration = Duration::from_secs(900);

/// The longest answer of a create or complete that is read.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// Makes the body of an upload, anew for each time that it is sent.
pub type BodyFactory<'a> = &'a (dyn Fn() -> reqwest::Body + Send + Sync);

/// The S3 client of one account. Cheap to clone; clones share what was learnt of the server's clock.
///
/// Each call is one attempt; only a dead token (told from a missing right by asking REST) and a wrong clock lead to a
/// second one. Whether a further attempt makes sense, the error says.
#[derive(Debug, Clone)]
pub struct Client {
    sender: Arc<Sender>,
    clock: Arc<Clock>,
    view: Option<Arc<View>>,
}

/// What a GET or HEAD tells besides the content.
#[derive(Debug, Clone)]
pub struct ObjectInfo {
    /// The entity tag without quotes.
    pub etag: String,
    /// Bytes of this answer's body (of the range, if one was asked for).
    pub length: u64,
    /// Bytes of the whole object, where the answer tells.
    pub total: Option<u64>,
}

impl ObjectInfo {
    /// Bytes of the whole object: where no range was asked for, those of the answer.
    pub fn whole(&self) -> u64 {
        self.total.unwrap_or(self.length)
    }
}

/// A running download.
pub struct Download {
    /// What the headers tell.
    pub info: ObjectInfo,
    /// The content; it fails if the connection ends before `info.length` bytes.
    pub body: BoxStream<'static, Result<Bytes, ServerError>>,
}

/// One entry of a LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// Its path.
    pub path: RemotePath,
    /// What it is.
    pub folder: bool,
    /// Bytes of a file.
    pub size: u64,
    /// The entity tag of a file, without quotes.
    pub etag: Option<String>,
    /// When a file was last written.
    pub modified: Option<Timestamp>,
}

/// The id of a multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadId(pub String);

impl Client {
    /// A client that sends through `sender`.
    pub fn new(sender: Arc<Sender>) -> Self {
        Self::with_clock(sender, SystemTime::now)
    }

    /// [`Client::new`] with the time given by the caller.
    pub fn with_clock(sender: Arc<Sender>, now: fn() -> SystemTime) -> Self {
        Self { sender, clock: Arc::new(Clock::new(now)), view: None }
    }

    /// The client with the paths of a public link as they are shown.
    #[must_use]
    pub fn seen_as(mut self, view: Option<Arc<View>>) -> Self {
        self.view = view;
        self
    }

    fn server_path(&self, path: &RemotePath) -> RemotePath {
        self.view.as_ref().map_or_else(|| path.clone(), |view| view.to_server(path))
    }

    /// Sends a whole object and gives the ETag of the answer, without quotes: the MD5 of the content, but for an empty
    /// one. `key` must be in NFC. An existing file is replaced; missing parents are made.
    ///
    /// # Errors
    /// See [`ServerErrorKind`]; with `in_doubt` the object may be replaced, or damaged: send it again until it is certain.
    pub async fn put(&self, key: &RemotePath, length: u64, body: BodyFactory<'_>) -> Result<String, ServerError> {
        let key = self.server_path(key);
        let call = Call {
            payload: Payload::Streamed { length, make: body },
            asked: Asked::Write,
            ..Call::about(&key, Method::PUT, "")
        };
        let response = self.exchange(&call).await?;
        self.judged(etag_of_write(response.status(), response.headers()))
    }

    /// Opens an object, or a range of it (the end is not included).
    ///
    /// # Errors
    /// [`ServerErrorKind::Range`] where the range starts beyond the end, for any range of an empty object, and for an answer
    /// that is another range. One that does not say how long it is, is [`ServerErrorKind::Server`].
    pub async fn get(&self, key: &RemotePath, range: Option<Range<u64>>) -> Result<Download, ServerError> {
        self.get_known(key, range, None).await
    }

    /// [`Client::get`] of an object whose ETag and size are known. They take the place of those that a proxy leaves out of
    /// the answer because it compresses or chunks what it passes on: whoever calls this must verify the content.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_known(
        &self,
        key: &RemotePath,
        range: Option<Range<u64>>,
        known: Option<(&str, u64)>,
    ) -> Result<Download, ServerError> {
        if self.view.as_ref().is_some_and(|view| view.is_upload_only()) {
            return Err(ServerError::new(
                ServerErrorKind::Forbidden,
                "this link only accepts uploads: downloads are not possible",
            ));
        }
        let key = self.server_path(key);
        let mut call = Call::about(&key, Method::GET, "");
        if let Some(range) = &range {
            let text = format!("bytes={}-{}", range.start, range.end.saturating_sub(1).max(range.start));
            if let Ok(value) = HeaderValue::from_str(&text) {
                call.headers.insert(RANGE, value);
            }
        }
        let response = self.exchange(&call).await?;
        let known = known.filter(|_| response.status() == StatusCode::OK);
        let info = self.judged(object_info(response.status(), response.headers(), known))?;
        if let Some(range) = range {
            check_range(&info, response.status(), response.headers(), &range)?;
        }
        let body = self.sender.http.stream(response);
        let body = counted(body, info.length);
        Ok(Download { info, body: body.boxed() })
    }

    /// The headers of an object. A folder answers with a failure of the server.
    ///
    /// # Errors
    /// See [`ServerErrorKind`]; answers to this call have no body, so that only their status tells.
    pub async fn head(&self, key: &RemotePath) -> Result<ObjectInfo, ServerError> {
        let key = self.server_path(key);
        let response = self.exchange(&Call::about(&key, Method::HEAD, "")).await?;
        self.judged(object_info(response.status(), response.headers(), None))
    }

    /// Starts a multipart upload; `size` is told to the server, which shows it while the upload runs and needs it where
    /// the storage is encrypted. Check the target first: the server starts one onto a folder, too.
    ///
    /// # Errors
    /// See [`ServerErrorKind`]; with `in_doubt` an upload may have been started whose id nobody knows.
    pub async fn create_multipart(&self, key: &RemotePath, size: Option<u64>) -> Result<UploadId, ServerError> {
        let key = self.server_path(key);
        let mut call = Call {
            payload: Payload::Whole(Bytes::new()),
            asked: Asked::Write,
            ..Call::about(&key, Method::POST, "uploads=")
        };
        if let Some(size) = size {
            call.headers.insert("x-amz-meta-pydio-clear-size", HeaderValue::from(size));
        }
        let response = self.exchange(&call).await?;
        let (status, body) = self.small_answer(response).await?;
        let document = Document::parse(&body).filter(|document| document.root == "InitiateMultipartUploadResult");
        match document.as_ref().and_then(|document| document.field("UploadId")) {
            Some(id) if !id.is_empty() => self.judged(Ok(UploadId(id.to_owned()))),
            _ => self.judged(Err(not_the_gateway(status))),
        }
    }

    /// Sends one part, numbered from 1 without gaps, and gives its ETag without quotes: the MD5 of its bytes. It may be
    /// sent again with the same bytes, and with another token of the same user.
    ///
    /// # Errors
    /// [`ServerErrorKind::UploadGone`] where the upload is finished, aborted or expired.
    pub async fn put_part(
        &self,
        key: &RemotePath,
        upload: &UploadId,
        number: u32,
        length: u64,
        body: BodyFactory<'_>,
    ) -> Result<String, ServerError> {
        let key = self.server_path(key);
        let query = format!("partNumber={number}&uploadId={}", encode_segment(&upload.0));
        let call = Call {
            payload: Payload::Streamed { length, make: body },
            asked: Asked::Multipart,
            ..Call::about(&key, Method::PUT, &query)
        };
        let response = self.exchange(&call).await?;
        self.judged(etag_of_write(response.status(), response.headers()))
    }

    /// Puts the parts together and gives the object's ETag without quotes: `…-N`. Never to be tried again blindly: a
    /// second try finds no upload where the first one was carried out.
    ///
    /// # Errors
    /// See [`ServerErrorKind`]; with `in_doubt` stat first.
    pub async fn complete_multipart(
        &self,
        key: &RemotePath,
        upload: &UploadId,
        parts: &[(u32, String)],
    ) -> Result<String, ServerError> {
        let key = self.server_path(key);
        let mut call = Call {
            payload: Payload::Whole(Bytes::from(xml::complete_body(parts))),
            asked: Asked::Multipart,
            least_idle: Some(COMPLETE_IDLE),
            ..Call::about(&key, Method::POST, &upload_query(upload))
        };
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        let response = self.exchange(&call).await?;
        let headers = response.headers().clone();
        let (status, body) =
            self.small_answer(response).await.map_err(|error| ServerError { in_doubt: true, ..error })?;
        let unclear = ServerError {
            in_doubt: true,
            status: Some(status.as_u16()),
            ..ServerError::new(ServerErrorKind::Server, "the answer to the end of the upload is ambiguous")
        };
        let Some(document) = Document::parse(&body) else {
            return self.judged(Err(if is_html(&headers, &body) { web_page(status.as_u16()) } else { unclear }));
        };
        match document.root.as_str() {
            "CompleteMultipartUploadResult" => document.field("ETag").and_then(unquoted).ok_or(unclear),
            // A completion that takes long says 200 first and may then fail all the same.
            "Error" => Err(ServerError {
                status: Some(status.as_u16()),
                ..classify(StatusCode::INTERNAL_SERVER_ERROR, &headers, &body, Asked::Multipart)
            }),
            _ => self.judged(Err(not_the_gateway(status))),
        }
    }

    /// Gives a multipart upload up; an unknown id counts as done.
    ///
    /// # Errors
    /// See [`ServerErrorKind`].
    pub async fn abort_multipart(&self, key: &RemotePath, upload: &UploadId) -> Result<(), ServerError> {
        let key = self.server_path(key);
        let call = Call { asked: Asked::Multipart, ..Call::about(&key, Method::DELETE, &upload_query(upload)) };
        match self.exchange(&call).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ServerErrorKind::UploadGone => Ok(()),
            // The gateway's answer to an unknown id; a proxy's own 502 carries a page.
            Err(error) if error.status == Some(502) && error.is(Reason::Wordless) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a multipart upload is still known. Which parts it has, the server does not tell.
    ///
    /// # Errors
    /// See [`ServerErrorKind`].
    pub async fn multipart_alive(&self, key: &RemotePath, upload: &UploadId) -> Result<bool, ServerError> {
        let key = self.server_path(key);
        let call = Call { asked: Asked::MultipartRead, ..Call::about(&key, Method::GET, &upload_query(upload)) };
        match self.exchange(&call).await {
            Ok(response) => {
                let (status, body) = self.small_answer(response).await?;
                match Document::parse(&body) {
                    Some(document) if document.root == "ListPartsResult" => Ok(true),
                    _ => self.judged(Err(not_the_gateway(status))),
                }
            }
            Err(error) if error.kind == ServerErrorKind::UploadGone => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The direct children of a folder, hidden names included, files first; of the root, the workspaces. A folder that
    /// does not exist has none. The server makes the whole listing before it sends its first byte.
    ///
    /// # Errors
    /// The stream ends with the first failure.
    pub fn list(&self, folder: &RemotePath) -> impl Stream<Item = Result<ListEntry, ServerError>> + Send + 'static {
        let (client, folder, view) = (self.clone(), folder.clone(), self.view.clone());
        let opened = async move { client.open_list(&folder).await };
        let http = self.sender.http.clone();
        let entries = stream::once(opened).map_ok(move |reader| {
            stream::try_unfold((reader, http.clone()), |(mut reader, http)| async move {
                let entry = reader.next().await.map_err(|error| {
                    if matches!(error, ListError::OtherFolder(..)) {
                        http.stop_reuse();
                    }
                    ServerError { passing: http.has_worked(), ..list_failure(error) }
                })?;
                Ok(entry.map(|entry| (entry, (reader, http))))
            })
        });
        let shown = move |entry: ListEntry| match &view {
            Some(view) => ListEntry { path: view.shown(entry.path), ..entry },
            None => entry,
        };
        entries.try_flatten().map_ok(shown)
    }

    async fn open_list(&self, folder: &RemotePath) -> Result<ListReader<ListBody>, ServerError> {
        let folder = &self.server_path(folder);
        let prefix = if folder.is_root() { String::new() } else { format!("{folder}/") };
        let path =
            format!("?list-type=2&prefix={}&delimiter=%2F&max-keys=1000000&encoding-type=url", encode_segment(&prefix));
        let call = Call { path, least_idle: Some(LIST_IDLE), ..Call::about(folder, Method::GET, "") };
        let response = self.exchange(&call).await?;
        if is_html(response.headers(), b"") {
            return self.judged(Err(web_page(response.status().as_u16())));
        }
        let body: ListStream = Box::pin(self.sender.http.stream(response).map_err(std::io::Error::other));
        Ok(ListReader::new(StreamReader::new(body), folder.clone()))
    }

    /// Takes note of a right answer; of what is none, whether there were right ones before.
    fn judged<T>(&self, answer: Result<T, ServerError>) -> Result<T, ServerError> {
        let http = &self.sender.http;
        match answer {
            Ok(answer) => {
                http.note_right_answer();
                Ok(answer)
            }
            Err(error) => Err(ServerError { passing: http.has_worked(), ..error }),
        }
    }

    async fn small_answer(&self, response: reqwest::Response) -> Result<(StatusCode, Bytes), ServerError> {
        let status = response.status();
        Ok((status, self.sender.http.read(response, ANSWER_LIMIT).await?))
    }
}

type ListStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;
type ListBody = StreamReader<ListStream, Bytes>;

impl<'a> Call<'a> {
    /// A read of an object, to be changed into what is wanted.
    fn about(key: &'a RemotePath, method: Method, query: &str) -> Self {
        let mut path = key.encoded();
        if !query.is_empty() {
            path.push('?');
            path.push_str(query);
        }
        Self {
            method,
            path,
            headers: HeaderMap::new(),
            payload: Payload::Nothing,
            asked: Asked::Read,
            workspace: key.workspace(),
            least_idle: None,
        }
    }
}

fn upload_query(upload: &UploadId) -> String {
    format!("uploadId={}", encode_segment(&upload.0))
}

fn unquoted(text: &str) -> Option<String> {
    let bare = text.trim().trim_start_matches("W/").trim_matches('"');
    (!bare.is_empty()).then(|| bare.to_owned())
}

fn etag(headers: &HeaderMap) -> Option<String> {
    unquoted(headers.get(ETAG)?.to_str().ok()?)
}

/// A success without an ETag is not the gateway's: the web application answers 200 to any method.
fn etag_of_write(status: StatusCode, headers: &HeaderMap) -> Result<String, ServerError> {
    etag(headers).ok_or_else(|| not_the_gateway(status))
}

fn not_the_gateway(status: StatusCode) -> ServerError {
    ServerError {
        status: Some(status.as_u16()),
        ..ServerError::new(ServerErrorKind::NotCells, "the answer is not from a Cells gateway")
    }
}

fn object_info(status: StatusCode, headers: &HeaderMap, known: Option<(&str, u64)>) -> Result<ObjectInfo, ServerError> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let told: Option<u64> = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
    // A page is none of the object, whatever is known of it.
    let known = known.filter(|(_, size)| !is_html(headers, b"") && told.is_none_or(|told| told == *size));
    let Some(etag) = etag(headers).or_else(|| known.map(|(etag, _)| etag.to_owned())) else {
        return Err(if is_html(headers, b"") { web_page(status.as_u16()) } else { not_the_gateway(status) });
    };
    let Some(length) = told.or(known.map(|(_, size)| size)) else {
        // Archives that the server makes on the fly have none either; for us they do not exist.
        return Err(ServerError {
            status: Some(status.as_u16()),
            ..ServerError::new(
                ServerErrorKind::Server,
                "the answer does not state the size of the file: it is an archive created on request, or a proxy is \
                 in between",
            )
        });
    };
    let total = match text(CONTENT_RANGE) {
        Some(range) => range.rsplit_once('/').and_then(|(_, total)| total.parse().ok()),
        None => (status == StatusCode::OK).then_some(length),
    };
    Ok(ObjectInfo { etag, length, total })
}

/// Whether the answer holds the range that was asked for, from its start, and nothing beyond its end.
fn check_range(
    info: &ObjectInfo,
    status: StatusCode,
    headers: &HeaderMap,
    range: &Range<u64>,
) -> Result<(), ServerError> {
    let told = headers.get(CONTENT_RANGE).and_then(|value| {
        let (told, _) = value.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
        let (start, last) = told.split_once('-')?;
        Some((start.parse::<u64>().ok()?, last.parse::<u64>().ok()?))
    });
    let is_it = |(start, last): (u64, u64)| {
        start == range.start && last < range.end && last.checked_sub(start).map(|more| more + 1) == Some(info.length)
    };
    let whole = status == StatusCode::OK && range.start == 0 && info.length <= range.end;
    if told.is_some_and(is_it) || whole {
        return Ok(());
    }
    Err(ServerError {
        status: Some(status.as_u16()),
        ..ServerError::new(ServerErrorKind::Range, "the answer is not the requested range")
    })
}

/// A body that fails where it ends before its declared length, or goes on after it.
fn counted(
    body: impl Stream<Item = Result<Bytes, HttpError>> + Send + 'static,
    length: u64,
) -> impl Stream<Item = Result<Bytes, ServerError>> + Send + 'static {
    let mut received = 0_u64;
    let mut failed = false;
    let end = stream::once(future::ready(None));
    body.map(Some).chain(end).filter_map(move |item| {
        let given = match item {
            Some(_) if failed => None,
            Some(Ok(chunk)) => {
                received += chunk.len() as u64;
                failed = received > length;
                let longer =
                    || ServerError::new(ServerErrorKind::Unasked, format!("the answer is longer than {length} bytes"));
                Some(if failed { Err(longer()) } else { Ok(chunk) })
            }
            Some(Err(error)) => {
                failed = true;
                Some(Err(error.into()))
            }
            None if received < length && !failed => Some(Err(ServerError::from(HttpError::new(
                HttpErrorKind::Closed,
                format!("the connection ended after {received} of {length} bytes"),
            )))),
            None => None,
        };
        future::ready(given)
    })
}

fn list_failure(error: ListError) -> ServerError {
    match error {
        ListError::Io(io) => match innermost_http(&io) {
            Some(http) => http.into(),
            None => HttpError::new(HttpErrorKind::Closed, format!("the listing could not be read: {io}")).into(),
        },
        ListError::Cut => HttpError::new(HttpErrorKind::Closed, error.to_string()).into(),
        ListError::OtherFolder(..) => ServerError::new(ServerErrorKind::Unasked, error.to_string()),
        ListError::NotAListing(_) => ServerError::new(ServerErrorKind::NotCells, error.to_string()),
        ListError::Truncated => ServerError::new(ServerErrorKind::Server, error.to_string()),
    }
}

fn innermost_http(io: &std::io::Error) -> Option<HttpError> {
    let inner = io.get_ref()?;
    if let Some(http) = inner.downcast_ref::<HttpError>() {
        return Some(http.clone());
    }
    if let Some(shared) = inner.downcast_ref::<Arc<std::io::Error>>() {
        return innermost_http(shared);
    }
    innermost_http(inner.downcast_ref::<std::io::Error>()?)
}

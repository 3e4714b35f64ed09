//! The S3 gateway. Each call is one attempt: it is signed immediately before it is sent, and renews a dead token or
//! corrects the clock if necessary.

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
use error::{RequestKind, classify, is_html};
use exchange::{Call, Clock, Payload, web_page};
use xml::{Document, ListError, ListReader};

/// The shortest idle time-out of a completion: it waits for readers of the old content, and sends a space every ten
/// seconds once it has begun to answer.
const COMPLETE_IDLE: Duration = Duration::from_secs(300);

/// The shortest idle time-out of a listing: the server builds it completely before it sends the first byte, in about 2
/// ms per entry.
const LIST_IDLE: Duration = Duration::from_secs(900);

/// The longest answer to a create or complete that is read, in bytes.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// Creates the body of an upload, once for each time that it is sent.
pub type BodyFactory<'a> = &'a (dyn Fn() -> reqwest::Body + Send + Sync);

/// The S3 client of one account. Cheap to clone; clones share the measured clock difference.
///
/// Each call is one attempt. It is repeated once if the token is dead (a request to REST distinguishes that from a
/// missing permission) or the clock is wrong. The error says whether another attempt makes sense.
#[derive(Debug, Clone)]
pub struct Client {
    sender: Arc<Sender>,
    clock: Arc<Clock>,
    view: Option<Arc<View>>,
}

/// The metadata in an answer to GET or HEAD.
#[derive(Debug, Clone)]
pub struct ObjectInfo {
    /// The ETag without quotes.
    pub etag: String,
    /// The length of this answer's body in bytes; for a range, the length of the range.
    pub length: u64,
    /// The size of the complete object in bytes, if the answer contains it.
    pub total: Option<u64>,
}

impl ObjectInfo {
    /// Returns the size of the complete object in bytes. Without a range, it is the length of the body.
    pub fn whole(&self) -> u64 {
        self.total.unwrap_or(self.length)
    }
}

/// A running download.
pub struct Download {
    /// The metadata from the headers.
    pub info: ObjectInfo,
    /// The content. It fails if the connection ends before `info.length` bytes.
    pub body: BoxStream<'static, Result<Bytes, ServerError>>,
}

/// One entry of a LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// The path.
    pub path: RemotePath,
    /// Whether it is a folder.
    pub folder: bool,
    /// The size of a file in bytes.
    pub size: u64,
    /// The ETag of a file, without quotes.
    pub etag: Option<String>,
    /// The modification time of a file.
    pub modified: Option<Timestamp>,
}

/// The id of a multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadId(pub String);

impl Client {
    /// Creates a client that sends through `sender`.
    pub fn new(sender: Arc<Sender>) -> Self {
        Self::with_clock(sender, SystemTime::now)
    }

    /// Like [`Client::new`], with another source of the time.
    pub fn with_clock(sender: Arc<Sender>, now: fn() -> SystemTime) -> Self {
        Self { sender, clock: Arc::new(Clock::new(now)), view: None }
    }

    /// Returns the client with the path view of a public link.
    #[must_use]
    pub fn seen_as(mut self, view: Option<Arc<View>>) -> Self {
        self.view = view;
        self
    }

    fn server_path(&self, path: &RemotePath) -> RemotePath {
        self.view.as_ref().map_or_else(|| path.clone(), |view| view.to_server(path))
    }

    /// Sends a complete object. Returns the ETag of the answer without quotes: the MD5 of the content, except for an
    /// empty one. `key` must be in NFC. Replaces an existing file and creates missing parents.
    ///
    /// # Errors
    /// See [`ServerErrorKind`]. If `in_doubt`, the object may have been replaced or damaged: send it again until the
    /// result is certain.
    pub async fn put(&self, key: &RemotePath, length: u64, body: BodyFactory<'_>) -> Result<String, ServerError> {
        let key = self.server_path(key);
        let call = Call {
            payload: Payload::Streamed { length, make: body },
            asked: RequestKind::Write,
            ..Call::about(&key, Method::PUT, "")
        };
        let response = self.exchange(&call).await?;
        self.judged(etag_of_write(response.status(), response.headers()))
    }

    /// Opens an object, or a range of it (the end is exclusive).
    ///
    /// # Errors
    /// [`ServerErrorKind::Range`] if the range starts beyond the end, for any range of an empty object, or if the
    /// answer is another range. [`ServerErrorKind::Server`] if the answer has no length.
    pub async fn get(&self, key: &RemotePath, range: Option<Range<u64>>) -> Result<Download, ServerError> {
        self.get_known(key, range, None).await
    }

    /// Like [`Client::get`], for an object whose ETag and size are known. They replace those that a proxy removes when
    /// it compresses or chunks answers, so the caller must verify the content.
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

    /// Returns the metadata of an object. For a folder the server answers with an error.
    ///
    /// # Errors
    /// See [`ServerErrorKind`]. Answers to this call have no body, so the error is based on the status alone.
    pub async fn head(&self, key: &RemotePath) -> Result<ObjectInfo, ServerError> {
        let key = self.server_path(key);
        let response = self.exchange(&Call::about(&key, Method::HEAD, "")).await?;
        self.judged(object_info(response.status(), response.headers(), None))
    }

    /// Starts a multipart upload. The server shows `size` during the upload, and requires it for encrypted storage.
    /// Check the target first, because the server accepts a folder too.
    ///
    /// # Errors
    /// See [`ServerErrorKind`]. If `in_doubt`, an upload may have been started whose id is unknown.
    pub async fn create_multipart(&self, key: &RemotePath, size: Option<u64>) -> Result<UploadId, ServerError> {
        let key = self.server_path(key);
        let mut call = Call {
            payload: Payload::Whole(Bytes::new()),
            asked: RequestKind::Write,
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

    /// Sends one part; numbers start at 1 and have no gaps. Returns its ETag without quotes: the MD5 of its bytes. The
    /// same bytes may be sent again, also with another token of the same user.
    ///
    /// # Errors
    /// [`ServerErrorKind::UploadGone`] if the upload was completed, aborted or has expired.
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
            asked: RequestKind::Multipart,
            ..Call::about(&key, Method::PUT, &query)
        };
        let response = self.exchange(&call).await?;
        self.judged(etag_of_write(response.status(), response.headers()))
    }

    /// Assembles the parts. Returns the object's ETag without quotes: `…-N`. Must not be repeated blindly: if the first
    /// call was carried out, a second one finds no upload.
    ///
    /// # Errors
    /// See [`ServerErrorKind`]. If `in_doubt`, check the object first.
    pub async fn complete_multipart(
        &self,
        key: &RemotePath,
        upload: &UploadId,
        parts: &[(u32, String)],
    ) -> Result<String, ServerError> {
        let key = self.server_path(key);
        let mut call = Call {
            payload: Payload::Whole(Bytes::from(xml::complete_body(parts))),
            asked: RequestKind::Multipart,
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
            // A slow completion starts with status 200 and may still end with an error.
            "Error" => Err(ServerError {
                status: Some(status.as_u16()),
                ..classify(StatusCode::INTERNAL_SERVER_ERROR, &headers, &body, RequestKind::Multipart)
            }),
            _ => self.judged(Err(not_the_gateway(status))),
        }
    }

    /// Aborts a multipart upload. An unknown id counts as aborted.
    ///
    /// # Errors
    /// See [`ServerErrorKind`].
    pub async fn abort_multipart(&self, key: &RemotePath, upload: &UploadId) -> Result<(), ServerError> {
        let key = self.server_path(key);
        let call = Call { asked: RequestKind::Multipart, ..Call::about(&key, Method::DELETE, &upload_query(upload)) };
        match self.exchange(&call).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ServerErrorKind::UploadGone => Ok(()),
            // The gateway's answer for an unknown id has no body. A proxy's own 502 has a page.
            Err(error) if error.status == Some(502) && error.is(Reason::Wordless) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the server still knows a multipart upload. It never lists the parts.
    ///
    /// # Errors
    /// See [`ServerErrorKind`].
    pub async fn multipart_alive(&self, key: &RemotePath, upload: &UploadId) -> Result<bool, ServerError> {
        let key = self.server_path(key);
        let call = Call { asked: RequestKind::MultipartRead, ..Call::about(&key, Method::GET, &upload_query(upload)) };
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

    /// Lists the direct children of a folder, including hidden names, files first. The children of the root are the
    /// workspaces. A folder that does not exist has none. The server builds the complete listing before it sends the
    /// first byte.
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

    /// Records that a valid answer has arrived. For an answer that is not a gateway's, adds whether there were valid
    /// ones before.
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
    /// Creates a read of an object. Callers change the fields that they need.
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
            asked: RequestKind::Read,
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

/// Returns the ETag in the answer to a write. Without one, the answer is not from the gateway: the web application
/// answers 200 to any method.
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
    let announced: Option<u64> = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
    // A web page is never the object, even if its size and ETag are known.
    let known =
        known.filter(|(_, size)| !is_html(headers, b"") && announced.is_none_or(|announced| announced == *size));
    let Some(etag) = etag(headers).or_else(|| known.map(|(etag, _)| etag.to_owned())) else {
        return Err(if is_html(headers, b"") { web_page(status.as_u16()) } else { not_the_gateway(status) });
    };
    let Some(length) = announced.or(known.map(|(_, size)| size)) else {
        // Archives that the server creates on request have no ETag either. They count as missing.
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

/// Checks that the answer starts where the requested range starts, and does not exceed it.
fn check_range(
    info: &ObjectInfo,
    status: StatusCode,
    headers: &HeaderMap,
    range: &Range<u64>,
) -> Result<(), ServerError> {
    let sent_range = headers.get(CONTENT_RANGE).and_then(|value| {
        let (sent_range, _) = value.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
        let (start, last) = sent_range.split_once('-')?;
        Some((start.parse::<u64>().ok()?, last.parse::<u64>().ok()?))
    });
    let is_it = |(start, last): (u64, u64)| {
        start == range.start && last < range.end && last.checked_sub(start).map(|more| more + 1) == Some(info.length)
    };
    let whole = status == StatusCode::OK && range.start == 0 && info.length <= range.end;
    if sent_range.is_some_and(is_it) || whole {
        return Ok(());
    }
    Err(ServerError {
        status: Some(status.as_u16()),
        ..ServerError::new(ServerErrorKind::Range, "the answer is not the requested range")
    })
}

/// Returns a body that fails if it ends before its declared length or continues after it.
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

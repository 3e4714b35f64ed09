//! One call to the gateway. It is signed immediately before it is sent, and sent again only if the token was dead or
//! the clock wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::Instant;

use super::error::{RequestKind, classify, is_html, may_be_token};
use super::{BodyFactory, Client, sign};
use crate::auth::{ANY_WORKSPACE, AuthError, Token};
use crate::failure::{Reason, ServerError, ServerErrorKind};
use crate::http::{HttpError, HttpErrorKind, SendOptions, Upload, retry};

/// The longest error answer that is read, in bytes.
const ERROR_LIMIT: usize = 64 * 1024;

/// The minimum remaining life of a token when a request is signed.
const TOKEN_LIFE: Duration = Duration::from_secs(120);

/// This machine's clock, corrected by the difference to the server's clock.
#[derive(Debug)]
pub(super) struct Clock {
    now: fn() -> SystemTime,
    offset_seconds: AtomicI64,
}

impl Clock {
    pub(super) fn new(now: fn() -> SystemTime) -> Self {
        Self { now, offset_seconds: AtomicI64::new(0) }
    }

    /// Returns the server's time.
    pub(super) fn now(&self) -> SystemTime {
        let offset = self.offset_seconds.load(Ordering::Relaxed);
        let apart = Duration::from_secs(offset.unsigned_abs());
        let here = (self.now)();
        let there = if offset >= 0 { here.checked_add(apart) } else { here.checked_sub(apart) };
        there.unwrap_or(here)
    }

    /// Learns the difference from the Date of an answer. Returns false if there is no Date.
    pub(super) fn learn(&self, headers: &HeaderMap) -> bool {
        let Some(there) = retry::server_time(headers) else {
            return false;
        };
        let here = (self.now)();
        let offset = match there.duration_since(here) {
            Ok(ahead) => i64::try_from(ahead.as_secs()).unwrap_or(0),
            Err(behind) => -i64::try_from(behind.duration().as_secs()).unwrap_or(0),
        };
        tracing::debug!(offset, "the server's clock differs from ours");
        self.offset_seconds.store(offset, Ordering::Relaxed);
        true
    }
}

/// The body of a call.
pub(super) enum Payload<'a> {
    Nothing,
    Whole(Bytes),
    Streamed { length: u64, make: BodyFactory<'a> },
}

/// A call to the gateway.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// The absolute, percent-encoded path with its query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload<'a>,
    pub(super) asked: RequestKind,
    pub(super) workspace: &'a str,
    /// The shortest idle time-out for the call.
    pub(super) least_idle: Option<Duration>,
}

impl Client {
    /// Sends a call and returns a successful answer. Renews a dead token once and corrects a wrong clock once;
    /// `Payload` creates the body for each send. Nothing else is retried.
    pub(super) async fn exchange(&self, call: &Call<'_>) -> Result<reqwest::Response, ServerError> {
        let mut token = self.sender.tokens.token(TOKEN_LIFE).await?;
        let (mut renewed, mut clock_set) = (false, false);
        loop {
            let started = Instant::now();
            let response = self.attempt(call, &token).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            if status.is_success() {
                if is_html(&headers, b"") && !matches!(call.asked, RequestKind::Read) {
                    return self.judged(Err(web_page(status.as_u16())));
                }
                return Ok(response);
            }
            // An answer that arrives while the body is still being sent may lose its own body.
            let body = self.sender.http.read(response, ERROR_LIMIT).await.unwrap_or_default();
            let error = classify(status, &headers, &body, call.asked);
            if error.is(Reason::Clock) && !clock_set && self.clock.learn(&headers) {
                clock_set = true;
                continue;
            }
            if !may_be_token(&error) || renewed || !self.is_dead(call, &token, started).await? {
                // A public link without remaining downloads refuses in the same words as a missing permission
                // (docs/protocol.md §6.9).
                let may_be_used_up =
                    error.kind == ServerErrorKind::Forbidden && matches!(call.asked, RequestKind::Read);
                let refusal = if may_be_used_up { self.sender.link_refusal().await } else { None };
                return Err(refusal.map_or(error, |refusal| AuthError::from(refusal).into()));
            }
            token = self.sender.tokens.renew(&token).await?;
            renewed = true;
        }
    }

    async fn is_dead(&self, call: &Call<'_>, token: &Token, started: Instant) -> Result<bool, ServerError> {
        let workspace = if call.workspace.is_empty() { ANY_WORKSPACE } else { call.workspace };
        self.sender.is_dead(token, workspace, started).await.map_err(|error| match error {
            // Neither the token nor the permission is known to be at fault, and the server may recover.
            AuthError::Server { status, .. } => {
                let kind = if status == 429 { ServerErrorKind::TooMany } else { ServerErrorKind::Server };
                ServerError { status: Some(status), ..ServerError::new(kind, error.to_string()) }
            }
            error => error.into(),
        })
    }

    async fn attempt(&self, call: &Call<'_>, token: &Token) -> Result<reqwest::Response, ServerError> {
        let upload = Arc::new(Upload::default());
        let options =
            SendOptions { least_idle: call.least_idle, upload: Some(upload.clone()), redirect_is_answer: false };
        let request = self.signed(call, token)?;
        let error = match self.sender.http.send_with(request, &options).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        if let Some(cause) = upload.failure() {
            return Err(ServerError::new(ServerErrorKind::Body, format!("the content could not be read: {cause}")));
        }
        let sent_whole = match call.payload {
            Payload::Nothing => !error.unsent,
            Payload::Whole(_) | Payload::Streamed { .. } => upload.is_whole(),
        };
        let unanswered = matches!(error.kind, HttpErrorKind::Closed | HttpErrorKind::Timeout);
        Err(ServerError { in_doubt: call.asked.writes() && sent_whole && unanswered && !error.unsent, ..error.into() })
    }

    fn signed(&self, call: &Call<'_>, token: &Token) -> Result<reqwest::RequestBuilder, ServerError> {
        let (body, length) = match &call.payload {
            Payload::Nothing => (None, None),
            Payload::Whole(bytes) => (Some(reqwest::Body::from(bytes.clone())), Some(bytes.len() as u64)),
            Payload::Streamed { length: 0, .. } => (Some(reqwest::Body::from(Bytes::new())), Some(0)),
            Payload::Streamed { length, make } => (Some(make()), Some(*length)),
        };
        let http = &self.sender.http;
        let mut builder = http
            .server_request(call.method.clone(), &self.sender.url, &format!("/io/{}", call.path))?
            .headers(call.headers.clone())
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(length) = length {
            builder = builder.header(CONTENT_LENGTH, length);
        }
        // The signature must cover the final headers, including the user's own x-amz-* headers.
        let (client, built) = builder.build_split();
        let Ok(mut request) = built else {
            return Err(HttpError::new(HttpErrorKind::Request, "the request could not be built").into());
        };
        let signature =
            sign::headers(request.method(), request.url(), request.headers(), token.expose(), self.clock.now())
                .map_err(|error| HttpError::new(HttpErrorKind::Request, error.to_string()))?;
        request.headers_mut().extend(signature);
        *request.body_mut() = body;
        Ok(reqwest::RequestBuilder::from_parts(client, request))
    }
}

/// Creates the error for a web page in place of the gateway's answer.
pub(super) fn web_page(status: u16) -> ServerError {
    ServerError {
        status: Some(status),
        ..ServerError::new(
            ServerErrorKind::NotCells,
            "the answer is a web page: this is not a Cells server, or its gateway is not reachable there",
        )
    }
}

//! One content on its way to its target: the requests that both ways of sending make, and what their failures mean.

use std::path::Path;
use std::sync::Arc;

use futures_util::TryFutureExt;

use crate::failure::ServerErrorKind;
use crate::hash::etag_of_put;
use crate::http::retry::{self, Advice, Progress, Retryable};
use crate::path::RemotePath;
use crate::transfer::event::ItemNumber;
use crate::transfer::send::body::Outgoing;
use crate::transfer::{Engine, TransferError};

/// One content on its way to its target, in one piece or in parts.
#[derive(Clone, Copy)]
pub(in crate::transfer) struct Sending<'a> {
    pub(in crate::transfer) engine: &'a Engine,
    /// The item.
    pub(in crate::transfer) item: ItemNumber,
    /// What it is called in messages.
    pub(in crate::transfer) label: &'a str,
    /// Where it goes.
    pub(in crate::transfer) target: &'a RemotePath,
    /// The local file, if there is one.
    pub(in crate::transfer) source: Option<&'a Path>,
    /// Whether it replaces a file.
    pub(in crate::transfer) replaces: bool,
    /// Hears of its bytes.
    pub(in crate::transfer) progress: &'a Arc<Progress>,
}

/// A failed attempt at a whole file, and whether another one makes sense.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(in crate::transfer) struct Attempt {
    pub(in crate::transfer) error: TransferError,
    advice: Advice,
}

impl Attempt {
    /// That of a request of its own: another one may go better.
    pub(in crate::transfer) fn of_request(error: TransferError, number: u32) -> Self {
        let forbidden = matches!(&error, TransferError::Server(error) if error.kind == ServerErrorKind::Forbidden);
        // The server also refuses for a moment while it cleans up after the attempt before (docs/protocol.md §4.2).
        let advice = if forbidden && number > 1 { Advice::Briefly } else { error.advice() };
        Self { error, advice }
    }

    /// That of a request of an upload in parts: of no use where the rest of the upload is gone.
    pub(in crate::transfer) fn of_part(error: TransferError, number: u32) -> Self {
        match error {
            TransferError::Changed(_) | TransferError::UploadLost(_) => Self { error, advice: Advice::Stop },
            error => Self::of_request(error, number),
        }
    }

    /// That of an upload in parts, whose requests were tried often enough: all is sent again only where there is no
    /// other way.
    pub(in crate::transfer) fn of_parts(error: TransferError) -> Self {
        let again =
            matches!(error, TransferError::Changed(_) | TransferError::UploadLost(_) | TransferError::Integrity { .. });
        let advice = if again { error.advice() } else { Advice::Stop };
        Self { error, advice }
    }
}

impl Retryable for Attempt {
    fn advice(&self) -> Advice {
        self.advice
    }
}

impl Sending<'_> {
    /// One attempt to send a content in one piece.
    pub(in crate::transfer) async fn send_whole(self, outgoing: &Outgoing) -> Result<String, TransferError> {
        let size = outgoing.length();
        let make_body = || outgoing.body();
        let timer = self.engine.options.transfers.time();
        let answer = self
            .engine
            .unless_cancelled(self.engine.s3.put(self.target, size, &make_body), || outgoing.all_read())
            .await;
        let etag = match answer {
            Ok(etag) => {
                timer.finished(size);
                etag
            }
            Err(error) => {
                drop(timer);
                if let Some(fault) = outgoing.fault() {
                    outgoing.uncount();
                    return Err(fault);
                }
                let expected = outgoing.md5().map(|md5| etag_of_put(size, &md5));
                if let Some(etag) = self.etag_arrived(&error, (size, expected.as_deref())).await {
                    return Ok(etag);
                }
                outgoing.uncount();
                return Err(error);
            }
        };
        let expected = outgoing.md5().map(|md5| etag_of_put(size, &md5));
        self.engine.compare_etag(self.target, expected, etag).inspect_err(|_| outgoing.uncount())
    }

    /// The ETag of an upload whose answer was lost, where it has been carried out after all.
    async fn etag_arrived(self, error: &TransferError, (size, expected): (u64, Option<&str>)) -> Option<String> {
        let lost = matches!(error, TransferError::Server(error)
            if error.in_doubt || matches!(error.kind, ServerErrorKind::UploadGone | ServerErrorKind::NameInUse));
        let expected = expected.filter(|_| lost)?;
        let node = self.engine.at_rest(self.target).await?;
        if self.engine.is_arrival(&node, size, expected, self.source).await { node.etag } else { None }
    }

    /// Makes one request until it succeeds, or another attempt at it makes no sense.
    pub(in crate::transfer) async fn again<T, F, Fut>(self, attempt: F) -> Result<T, TransferError>
    where
        F: Fn(u32) -> Fut,
        Fut: Future<Output = Result<T, TransferError>>,
    {
        let done = retry::run_moving(
            &self.engine.options.retry,
            &self.engine.cancel,
            self.progress,
            |number| attempt(number).map_err(move |error| Attempt::of_part(error, number)),
            |number, failed, pause| {
                self.engine.retried(self.item, self.label, number, &failed.error, pause);
            },
        );
        done.await.map_err(|failed| failed.error)
    }
}

impl Engine {
    pub(in crate::transfer) fn compare_etag(
        &self,
        target: &RemotePath,
        expected: Option<String>,
        found: String,
    ) -> Result<String, TransferError> {
        match expected {
            Some(expected) if expected == found => Ok(found),
            _ if !self.options.verify || self.storage.is_encrypted() => Ok(found),
            expected => Err(TransferError::Integrity {
                path: target.to_string(),
                what: "ETag",
                expected: expected.unwrap_or_else(|| "known".to_owned()),
                found,
            }),
        }
    }

    /// Runs a request until it ends or the run is cancelled; one that `must_end` is waited for all the same.
    pub(in crate::transfer) async fn unless_cancelled<T, E: Into<TransferError>>(
        &self,
        request: impl Future<Output = Result<T, E>>,
        must_end: impl Fn() -> bool,
    ) -> Result<T, TransferError> {
        tokio::pin!(request);
        tokio::select! {
            answer = &mut request => answer.map_err(Into::into),
            () = self.cancel.cancelled() => {
                if must_end() { request.await.map_err(Into::into) } else { Err(TransferError::Cancelled) }
            }
        }
    }
}

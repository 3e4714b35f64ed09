//! One content on its way to its target: the requests that both ways of sending use, and the meaning of their failures.

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
    /// The number of the item.
    pub(in crate::transfer) item: ItemNumber,
    /// The name for messages.
    pub(in crate::transfer) label: &'a str,
    /// The target.
    pub(in crate::transfer) target: &'a RemotePath,
    /// The local file, if there is one.
    pub(in crate::transfer) source: Option<&'a Path>,
    /// Whether it replaces an existing file.
    pub(in crate::transfer) replaces: bool,
    /// Receives the progress.
    pub(in crate::transfer) progress: &'a Arc<Progress>,
}

/// A failed attempt at a file, and whether another one makes sense.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(in crate::transfer) struct Attempt {
    pub(in crate::transfer) error: TransferError,
    advice: Advice,
}

impl Attempt {
    /// The failure of a single request. Another attempt may succeed.
    pub(in crate::transfer) fn of_request(error: TransferError, number: u32) -> Self {
        let forbidden = matches!(&error, TransferError::Server(error) if error.kind == ServerErrorKind::Forbidden);
        // The server also refuses temporarily while it cleans up after the previous attempt (docs/protocol.md §4.2).
        let advice = if forbidden && number > 1 { Advice::Briefly } else { error.advice() };
        Self { error, advice }
    }

    /// The failure of a request of a multipart upload. Another attempt makes no sense if the rest of the upload is
    /// lost.
    pub(in crate::transfer) fn of_part(error: TransferError, number: u32) -> Self {
        match error {
            // Other parts of the same upload would not match, or no longer exist: all of it must be sent again.
            TransferError::Changed(_) | TransferError::UploadLost(_) => Self { error, advice: Advice::Stop },
            error => Self::of_request(error, number),
        }
    }

    /// The failure of a multipart upload, whose requests were retried already. Everything is sent again only if nothing
    /// else helps.
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
    /// Makes one attempt to send a content in one piece.
    pub(in crate::transfer) async fn send_whole(self, outgoing: &Outgoing) -> Result<String, TransferError> {
        let size = outgoing.length();
        let make_body = || outgoing.body();
        let timer = self.engine.options.transfers.time();
        let answer = self
            .engine
            // Once the last byte is sent the server may replace the file, and giving up before the answer could damage
            // it.
            .unless_cancelled(self.engine.s3.put(self.target, size, &make_body), || outgoing.all_read())
            .await;
        let etag = match answer {
            Ok(etag) => {
                timer.finished(size);
                etag
            }
            Err(error) => {
                drop(timer);
                // The connection only reports that the body failed; the cause is the error of the local file.
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

    /// Returns the ETag of an upload whose answer was lost, if it was carried out after all.
    async fn etag_arrived(self, error: &TransferError, (size, expected): (u64, Option<&str>)) -> Option<String> {
        // The other two answers also appear if an earlier attempt of this very upload has arrived or is still in
        // progress.
        let lost = matches!(error, TransferError::Server(error)
            if error.in_doubt || matches!(error.kind, ServerErrorKind::UploadGone | ServerErrorKind::NameInUse));
        let expected = expected.filter(|_| lost)?;
        let node = self.engine.at_rest(self.target).await?;
        if self.engine.is_arrival(&node, size, expected, self.source).await { node.etag } else { None }
    }

    /// Repeats one request until it succeeds, or another attempt makes no sense.
    pub(in crate::transfer) async fn retried<T, F, Fut>(self, attempt: F) -> Result<T, TransferError>
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
            // Encrypted storage reports the ETag of the encrypted data; the content hash is compared later instead.
            _ if !self.options.verify || self.storage.is_encrypted() => Ok(found),
            expected => Err(TransferError::Integrity {
                path: target.to_string(),
                what: "ETag",
                expected: expected.unwrap_or_else(|| "known".to_owned()),
                found,
            }),
        }
    }

    /// Runs a request until it completes or the run is canceled. A request that `must_end` is completed even then.
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

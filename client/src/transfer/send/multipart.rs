//! Sending one file in parts: a few in flight, in order, each verified, and the whole as well.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::api::Node;
use crate::failure::{ServerError, ServerErrorKind};
use crate::hash::etag_of_parts;
use crate::s3::UploadId;
use crate::transfer::send::body::Outgoing;
use crate::transfer::send::sending::Sending;
use crate::transfer::send::sums::Sums;
use crate::transfer::source::Snapshot;
use crate::transfer::storage::has_other_form;
use crate::transfer::{IfExists, TransferError};

/// How long giving up an upload may take.
const ABORT_LIMIT: Duration = Duration::from_secs(10);

/// One part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// Where it begins.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// The parts of a file of `size` bytes.
pub fn parts(size: u64, part_size: u64) -> impl Iterator<Item = Part> {
    (1_u32..).scan(0_u64, move |offset, number| {
        let length = part_size.min(size - *offset);
        let part = Part { number, offset: *offset, length };
        *offset += length;
        (length > 0).then_some(part)
    })
}

impl Sending<'_> {
    /// Sends a file in parts. What was begun is given up again when it fails.
    pub(in crate::transfer) async fn send_in_parts(self, snapshot: Snapshot) -> Result<String, TransferError> {
        let size = snapshot.size;
        let part_size = self.engine.options.part_size_for(size);
        let is_compared = self.engine.options.verify && !self.engine.storage.is_encrypted();
        let sums = is_compared.then(|| Arc::new(Sums::start(snapshot.clone(), part_size)));
        let upload = self.begin_parts(Some(size)).await?;
        let sent: Result<Vec<(u32, String)>, TransferError> = stream::iter(parts(size, part_size))
            .map(|part| {
                let (snapshot, observer) = (snapshot.clone(), self.engine.observer.clone());
                let (sums, upload) = (sums.clone(), &upload);
                async move {
                    let outgoing = Outgoing::new(snapshot, part.offset, part.length, self.item, observer).await?;
                    let outgoing = outgoing.summed_by(sums, part.number).reporting_to(self.progress.clone());
                    self.send_part(&outgoing, upload, part.number).await
                }
            })
            .buffered(self.engine.options.parts_in_flight.max(1))
            .try_collect()
            .await;
        let outcome = match sent {
            Ok(parts) => self.complete(size, &upload, &parts).await,
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            self.give_up(&upload).await;
        }
        outcome
    }

    /// Begins an upload in parts; of no size where it is not known. One whose answer is lost is begun for nothing, and
    /// the server removes it after a day. Where the run is cancelled meanwhile, what was begun is given up.
    pub(in crate::transfer) async fn begin_parts(self, size: Option<u64>) -> Result<UploadId, TransferError> {
        let begun = self.again(|_| async move {
            let mut create = std::pin::pin!(self.engine.s3.create_multipart(self.target, size));
            tokio::select! {
                answer = &mut create => answer.map_err(|error| ServerError { in_doubt: false, ..error }.into()),
                () = self.engine.cancel.cancelled() => {
                    if let Ok(Ok(upload)) = tokio::time::timeout(ABORT_LIMIT, create).await {
                        self.give_up(&upload).await;
                    }
                    Err(TransferError::Cancelled)
                }
            }
        });
        begun.await
    }

    /// Gives an upload up, so that the server removes the node that it left. A failure here changes nothing: the server
    /// sweeps unfinished uploads up after a day.
    pub(in crate::transfer) async fn give_up(self, upload: &UploadId) {
        self.engine.observer.item_restarted(self.item);
        let abort = self.engine.s3.abort_multipart(self.target, upload);
        let _ = tokio::time::timeout(ABORT_LIMIT, abort).await;
    }

    /// Sends one part until it has arrived; gives its number and its ETag.
    pub(in crate::transfer) async fn send_part(
        self,
        outgoing: &Outgoing,
        upload: &UploadId,
        number: u32,
    ) -> Result<(u32, String), TransferError> {
        let make_body = &|| outgoing.body();
        let etag = self.again(|_| async move {
            let put = self.engine.s3.put_part(self.target, upload, number, outgoing.length(), make_body);
            match self.engine.unless_cancelled(put, || false).await {
                Ok(etag) => {
                    let sum = self.engine.unless_cancelled(outgoing.sum(), || false).await?;
                    self.engine.compare_etag(self.target, sum, etag)
                }
                Err(TransferError::Server(error)) if error.kind == ServerErrorKind::UploadGone => {
                    Err(TransferError::UploadLost(self.target.to_string()))
                }
                Err(error) => Err(match (outgoing.fault(), error) {
                    (Some(fault), _) => fault,
                    // A part in doubt leaves no doubt of the file.
                    (None, TransferError::Server(error)) => ServerError { in_doubt: false, ..error }.into(),
                    (None, error) => error,
                }),
            }
        });
        Ok((number, etag.await?))
    }

    /// Puts the parts together, again if need be while the server still has them. It is never broken off in the middle,
    /// and a lost answer is cleared up by a look: each failed Complete makes the server forget the hashes of the parts.
    pub(in crate::transfer) async fn complete(
        self,
        size: u64,
        upload: &UploadId,
        parts: &[(u32, String)],
    ) -> Result<String, TransferError> {
        if !self.replaces && self.engine.options.if_exists != IfExists::Overwrite {
            // The server would take the last of two uploads of one new name. Where it cannot be looked at, it may.
            let there = self.engine.at_once(self.target).await;
            if there.is_some_and(|node| !node.is_temporary()) {
                return Err(TransferError::Exists(self.target.to_string()));
            }
        }
        let expected = etag_of_parts(parts.iter().map(|(_, etag)| etag.as_str()));
        let expected = expected.as_deref();
        let done = self.again(|number| async move {
            // A second one is sent only where the first was not carried out.
            if number > 1 && matches!(self.engine.s3.multipart_alive(self.target, upload).await, Ok(false)) {
                return self.gone(size, expected).await;
            }
            if self.engine.cancel.is_cancelled() {
                return Err(TransferError::Cancelled);
            }
            let error = match self.engine.s3.complete_multipart(self.target, upload, parts).await {
                Ok(etag) => return self.engine.compare_etag(self.target, expected.map(str::to_owned), etag),
                Err(error) => error,
            };
            if error.kind == ServerErrorKind::UploadGone {
                return self.gone(size, expected).await;
            }
            let patience = if error.is_too_slow() { self.engine.options.retry.max_backoff * 4 } else { Duration::ZERO };
            let seen = if error.in_doubt { self.etag_seen(size, expected, patience).await } else { None };
            seen.ok_or_else(|| error.into())
        });
        done.await.map_err(|error| match error {
            TransferError::Server(ref inner) if inner.in_doubt && inner.is_too_slow() => {
                TransferError::NotAssembled { path: self.target.to_string(), source: Box::new(error) }
            }
            error => error,
        })
    }

    /// What became of an upload that the server does not know any more: it was completed, or it is lost.
    async fn gone(self, size: u64, expected: Option<&str>) -> Result<String, TransferError> {
        let seen = self.etag_seen(size, expected, self.engine.options.retry.max_backoff).await;
        seen.ok_or_else(|| TransferError::UploadLost(self.target.to_string()))
    }

    /// The ETag of the target, where the content is seen there before `patience` is over.
    async fn etag_seen(self, size: u64, expected: Option<&str>, patience: Duration) -> Option<String> {
        let expected = expected?;
        let settled = |node: &Node| node.is_content(size, expected) || has_other_form(node, expected);
        let node = self.engine.seen_until(self.target, patience, settled).await?;
        if self.engine.is_arrival(&node, size, expected, self.source).await { node.etag } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_file_without_gap_or_overlap() {
        for (size, part_size) in [(1, 10), (10, 10), (11, 10), (95, 10), (100, 10)] {
            let parts: Vec<Part> = parts(size, part_size).collect();
            assert_eq!(parts.len() as u64, size.div_ceil(part_size));
            let mut offset = 0;
            for (index, part) in parts.iter().enumerate() {
                assert_eq!((part.number as usize, part.offset), (index + 1, offset));
                assert!(part.length > 0 && part.length <= part_size);
                offset += part.length;
            }
            assert_eq!(offset, size);
        }
    }
}

//! Sending one file in parts: a few in flight, in order, each verified, and the whole as well.

use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::body::{Outgoing, Snapshot};
use super::event::ItemNumber;
use super::{Engine, TransferError};
use crate::hash::etag_of_parts;
use crate::http::retry::{self, Advice, Retryable};
use crate::path::RemotePath;
use crate::s3::{S3ErrorKind, UploadId};

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

/// Why a part did not arrive.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct PartError(TransferError);

impl Retryable for PartError {
    /// Another attempt at the part alone is of use only where the rest of the upload still stands.
    fn advice(&self) -> Advice {
        match &self.0 {
            TransferError::Changed(_) | TransferError::UploadLost(_) => Advice::Stop,
            error => error.advice(),
        }
    }
}

impl Engine {
    /// One attempt to send a file in parts. What was begun is given up again when it fails.
    pub(super) async fn send_in_parts(
        &self,
        item: ItemNumber,
        label: &str,
        snapshot: Snapshot,
        target: &RemotePath,
    ) -> Result<String, TransferError> {
        let size = snapshot.size;
        let create = self.s3.create_multipart(target, Some(size));
        let upload = self.unless_cancelled(create, || false).await?;
        let part_size = self.options.part_size_for(size);
        let sent: Result<Vec<(u32, String)>, TransferError> = stream::iter(parts(size, part_size))
            .map(|part| {
                let (snapshot, observer, upload) = (snapshot.clone(), self.observer.clone(), &upload);
                async move {
                    let outgoing = Outgoing::new(snapshot, part.offset, part.length, item, observer).await?;
                    self.send_part(item, label, &outgoing, target, upload, part.number).await
                }
            })
            .buffered(self.options.parts_in_flight.max(1))
            .try_collect()
            .await;
        let outcome = match sent {
            Ok(parts) => self.complete(target, size, &upload, &parts).await,
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            self.give_up(item, target, &upload).await;
        }
        outcome
    }

    /// Gives an upload up, so that the server removes the node that it left. A failure here changes nothing: the server
    /// sweeps unfinished uploads up after a day.
    pub(super) async fn give_up(&self, item: ItemNumber, target: &RemotePath, upload: &UploadId) {
        self.observer.item_restarted(item);
        let abort = self.s3.abort_multipart(target, upload);
        let _ = tokio::time::timeout(ABORT_LIMIT, abort).await;
    }

    /// Sends one part until it has arrived; gives its number and its ETag.
    pub(super) async fn send_part(
        &self,
        item: ItemNumber,
        label: &str,
        outgoing: &Outgoing,
        target: &RemotePath,
        upload: &UploadId,
        number: u32,
    ) -> Result<(u32, String), TransferError> {
        let make_body = || outgoing.body();
        let attempt = async || {
            let put = self.s3.put_part(target, upload, number, outgoing.length(), &make_body);
            let sent = match self.unless_cancelled(put, || false).await {
                Ok(etag) => self.compare_etag(target, outgoing.md5(), etag),
                Err(TransferError::S3(error)) if error.kind == S3ErrorKind::UploadGone => {
                    Err(TransferError::UploadLost(target.to_string()))
                }
                Err(error) => Err(outgoing.fault().unwrap_or(error)),
            };
            sent.map_err(PartError)
        };
        let etag = retry::run_until(
            &self.options.retry,
            &self.cancel,
            |_attempt| attempt(),
            |count, error, pause| self.observer.item_retried(item, label, count, &error.0, pause),
        );
        Ok((number, etag.await.map_err(|error| error.0)?))
    }

    /// Puts the parts together. It is never broken off in the middle, and a lost answer is cleared up by a stat:
    /// each failed Complete makes the server forget the hashes of the parts.
    pub(super) async fn complete(
        &self,
        target: &RemotePath,
        size: u64,
        upload: &UploadId,
        parts: &[(u32, String)],
    ) -> Result<String, TransferError> {
        if self.cancel.is_cancelled() {
            return Err(TransferError::Cancelled);
        }
        let expected = etag_of_parts(parts.iter().map(|(_, etag)| etag.as_str()));
        let answer = self.s3.complete_multipart(target, upload, parts).await;
        match answer {
            Ok(etag) => self.compare_etag(target, expected, etag),
            Err(error) => {
                let gone = error.kind == S3ErrorKind::UploadGone;
                let error = TransferError::from(error);
                if self.has_arrived(&error, target, size, expected.as_deref()).await {
                    return expected.ok_or(error);
                }
                if gone {
                    return Err(TransferError::UploadLost(target.to_string()));
                }
                Err(error)
            }
        }
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

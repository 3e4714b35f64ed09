//! Sends one file in parts: a few in flight, in order, each verified, and the assembled file too.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::api::Node;
use crate::failure::{ServerError, ServerErrorKind};
use crate::hash::etag_of_parts;
use crate::s3::UploadId;
use crate::transfer::event::{Direction, NotResumed, Notice};
use crate::transfer::journal::{Ends, Journal, State, Unfinished};
use crate::transfer::send::body::Outgoing;
use crate::transfer::send::sending::Sending;
use crate::transfer::send::sums::Sums;
use crate::transfer::source::Snapshot;
use crate::transfer::storage::has_other_form;
use crate::transfer::{IfExists, TransferError};

/// How long aborting an upload may take.
const ABORT_LIMIT: Duration = Duration::from_secs(10);

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The number, from 1.
    pub number: u32,
    /// The offset of the first byte.
    pub offset: u64,
    /// The length in bytes.
    pub length: u64,
}

/// Returns the parts of a file of `size` bytes.
pub fn parts(size: u64, part_size: u64) -> impl Iterator<Item = Part> {
    (1_u32..).scan(0_u64, move |offset, number| {
        let length = part_size.min(size - *offset);
        let part = Part { number, offset: *offset, length };
        *offset += length;
        (length > 0).then_some(part)
    })
}

/// A multipart upload on the server.
struct Begun {
    upload: UploadId,
    /// The ETags of the parts that an earlier run has sent.
    parts: BTreeMap<u32, String>,
    /// What a later run needs to continue it.
    journal: Mutex<Option<Journal>>,
}

impl Begun {
    /// Records a part that has arrived.
    async fn record(&self, number: u32, etag: &str) {
        let mut journal = self.journal.lock().await;
        let Some(mut open) = journal.take() else { return };
        let etag = etag.to_owned();
        let recorded = spawn_blocking(move || {
            // A part that is not recorded is sent again by a later run.
            if let Err(error) = open.add_part(number, &etag) {
                tracing::debug!("part {number} cannot be recorded: {error}");
            }
            open
        });
        *journal = recorded.await.ok();
    }
}

impl Sending<'_> {
    /// Sends a file in parts, or the rest of them if an earlier run was interrupted. If it fails, the upload is aborted on
    /// the server, unless a later run can continue it.
    pub(in crate::transfer) async fn send_in_parts(self, snapshot: Snapshot) -> Result<String, TransferError> {
        let size = snapshot.size;
        let part_size = self.engine.options.part_size_for(size);
        let begun = self.begin_or_resume(&snapshot, part_size).await?;
        let is_compared = self.engine.options.verify && !self.engine.storage.is_encrypted();
        let is_needed = is_compared || !begun.parts.is_empty();
        let sums = is_needed.then(|| Arc::new(Sums::start(snapshot.clone(), part_size)));
        let own_slot = Mutex::new(());
        let sent: Result<Vec<(u32, String)>, TransferError> = stream::iter(parts(size, part_size))
            .map(|part| {
                let (snapshot, observer) = (snapshot.clone(), self.engine.observer.clone());
                let (sums, begun, own_slot) = (sums.clone(), &begun, &own_slot);
                async move {
                    // The server has the part only if it is that of the file as it is now.
                    if let (Some(etag), Some(sums)) = (begun.parts.get(&part.number), &sums) {
                        sums.begin(part.number);
                        let sum = self.engine.unless_cancelled(sums.of(part.number), || false).await?;
                        if sum == *etag {
                            observer.bytes(self.item, part.length);
                            return Ok((part.number, sum));
                        }
                    }
                    let sums = sums.filter(|_| is_compared);
                    // One part at a time uses the slot of the file. If large files have all slots, each still proceeds.
                    let _slot = tokio::select! {
                        biased;
                        own = own_slot.lock() => (Some(own), None),
                        another = self.engine.options.transfers.start_another() => (None, another),
                    };
                    let outgoing = Outgoing::new(snapshot, part.offset, part.length, self.item, observer).await?;
                    let outgoing = outgoing.summed_by(sums, part.number).reporting_to(self.progress.clone());
                    let (number, etag) = self.send_part(&outgoing, &begun.upload, part.number).await?;
                    begun.record(number, &etag).await;
                    Ok((number, etag))
                }
            })
            // `buffered` keeps the order of the parts, which the completion needs.
            .buffered(self.engine.options.parts_in_flight.max(1))
            .try_collect()
            .await;
        let outcome = match sent {
            Ok(parts) => self.complete(size, &begun.upload, &parts).await,
            Err(error) => Err(error),
        };
        match (&outcome, begun.journal.into_inner()) {
            (Err(error), Some(journal)) if error.is_resumable() => journal.keep(),
            (Err(_), _) => self.give_up(&begun.upload).await,
            (Ok(_), _) => {}
        }
        outcome
    }

    /// Starts a multipart upload of a file, or continues the one that an earlier run has left.
    async fn begin_or_resume(self, snapshot: &Snapshot, part_size: u64) -> Result<Begun, TransferError> {
        let ends = Ends { direction: Direction::Upload, local: &snapshot.path, remote: self.target };
        let journal = self.engine.options.journals.open(&self.engine.api, ends).await?;
        let Some(mut journal) = journal else {
            let upload = self.begin_parts(Some(snapshot.size)).await?;
            return Ok(Begun { upload, parts: BTreeMap::new(), journal: Mutex::new(None) });
        };
        if let Some((found, parts)) = journal.found()
            && let State::Upload { upload, .. } = &found.header.state
        {
            let (upload, parts, there) = (UploadId(upload.clone()), parts.clone(), found.bytes);
            match self.why_not(found, &upload, snapshot, part_size).await {
                Ok(None) => {
                    self.engine.observer.item_resumed(self.item, self.label, there, snapshot.size);
                    return Ok(Begun { upload, parts, journal: Mutex::new(Some(journal)) });
                }
                Ok(Some(reason)) => {
                    self.engine.observer.notice(self.label, Notice::NotResumed(reason));
                    self.give_up(&upload).await;
                }
                Err(error) => {
                    journal.keep();
                    return Err(error);
                }
            }
        }
        let upload = self.begin_parts(Some(snapshot.size)).await?;
        let state = State::upload(&upload.0, part_size, snapshot, self.replaces);
        let size = snapshot.size;
        let recorded = spawn_blocking(move || journal.begin(size, state).map(|()| journal)).await;
        let journal = match recorded.map_err(std::io::Error::other).and_then(|recorded| recorded) {
            Ok(journal) => Some(journal),
            Err(error) => {
                tracing::debug!("the upload cannot be recorded, and could not be resumed: {error}");
                None
            }
        };
        Ok(Begun { upload, parts: BTreeMap::new(), journal: Mutex::new(journal) })
    }

    /// Gives up the upload in parts that an earlier run has left, if any, because the file is now sent in one request.
    pub(in crate::transfer) async fn give_up_parts(self, path: &Path) {
        let ends = Ends { direction: Direction::Upload, local: path, remote: self.target };
        let journals = &self.engine.options.journals;
        if !journals.has(&self.engine.api, ends).await {
            return;
        }
        if let Ok(Some(journal)) = journals.open(&self.engine.api, ends).await
            && let Some((found, _)) = journal.found()
            && let State::Upload { upload, .. } = &found.header.state
        {
            self.engine.observer.notice(self.label, Notice::NotResumed(NotResumed::Changed));
            self.give_up(&UploadId(upload.clone())).await;
        }
    }

    /// Returns why an upload that an earlier run has left cannot be continued, if so.
    async fn why_not(
        self,
        found: &Unfinished,
        upload: &UploadId,
        snapshot: &Snapshot,
        part_size: u64,
    ) -> Result<Option<NotResumed>, TransferError> {
        let now = State::upload(&upload.0, part_size, snapshot, self.replaces);
        let reason = match (&found.header.state, &now) {
            _ if found.is_expired() => Some(NotResumed::Expired),
            _ if found.header.size != snapshot.size => Some(NotResumed::Changed),
            (
                State::Upload { part_size: then, modified, identity, .. },
                State::Upload { part_size, modified: modified_now, identity: identity_now, .. },
            ) => {
                if (modified, identity) != (modified_now, identity_now) {
                    Some(NotResumed::Changed)
                } else {
                    (then != part_size).then_some(NotResumed::PartSize)
                }
            }
            _ => Some(NotResumed::Changed),
        };
        if reason.is_some() {
            return Ok(reason);
        }
        let alive = self.retried(|_| async move {
            let alive = self.engine.s3.multipart_alive(self.target, upload);
            self.engine.unless_cancelled(alive, || false).await
        });
        Ok((!alive.await?).then_some(NotResumed::Gone))
    }

    /// Starts a multipart upload; `size` is `None` if unknown. If the answer is lost, the upload remains unused, and
    /// the server removes it after a day. If the run is canceled during the request, the upload is aborted.
    pub(in crate::transfer) async fn begin_parts(self, size: Option<u64>) -> Result<UploadId, TransferError> {
        let begun = self.retried(|_| async move {
            // Pinned outside of the select: if the run is canceled, the request continues, because its answer contains
            // the id that the abort needs.
            let mut create = std::pin::pin!(self.engine.s3.create_multipart(self.target, size));
            tokio::select! {
                // An upload that was started in vain does no harm, so the request may be repeated after a lost answer.
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

    /// Aborts an upload, so that the server removes its temporary node. A failure is ignored: the server removes
    /// unfinished uploads after a day.
    pub(in crate::transfer) async fn give_up(self, upload: &UploadId) {
        self.engine.observer.item_restarted(self.item);
        let abort = self.engine.s3.abort_multipart(self.target, upload);
        let _ = tokio::time::timeout(ABORT_LIMIT, abort).await;
    }

    /// Sends one part until it has arrived. Returns its number and its ETag.
    pub(in crate::transfer) async fn send_part(
        self,
        outgoing: &Outgoing,
        upload: &UploadId,
        number: u32,
    ) -> Result<(u32, String), TransferError> {
        let make_body = &|| outgoing.body();
        let etag = self.retried(|_| async move {
            let timer = self.engine.options.transfers.time();
            let put = self.engine.s3.put_part(self.target, upload, number, outgoing.length(), make_body);
            match self.engine.unless_cancelled(put, || false).await {
                Ok(etag) => {
                    timer.finished(outgoing.length());
                    let sum = self.engine.unless_cancelled(outgoing.sum(), || false).await?;
                    self.engine.compare_etag(self.target, sum, etag)
                }
                Err(TransferError::Server(error)) if error.kind == ServerErrorKind::UploadGone => {
                    Err(TransferError::UploadLost(self.target.to_string()))
                }
                Err(error) => Err(match (outgoing.fault(), error) {
                    (Some(fault), _) => fault,
                    // A part in doubt can be sent again, and leaves no doubt about the file.
                    (None, TransferError::Server(error)) => ServerError { in_doubt: false, ..error }.into(),
                    (None, error) => error,
                }),
            }
        });
        Ok((number, etag.await?))
    }

    /// Assembles the parts, and repeats that if necessary while the server still has them. The request is never
    /// canceled, and after a lost answer the target is checked first: each failed Complete makes the server forget the
    /// hashes of the parts.
    pub(in crate::transfer) async fn complete(
        self,
        size: u64,
        upload: &UploadId,
        parts: &[(u32, String)],
    ) -> Result<String, TransferError> {
        if !self.replaces && self.engine.options.if_exists != IfExists::Overwrite {
            // Of two uploads of one new name, the server would keep the one that completes last. If the target cannot
            // be checked, this upload proceeds.
            let there = self.engine.at_once(self.target).await;
            if there.is_some_and(|node| !node.is_temporary()) {
                return Err(TransferError::Exists(self.target.to_string()));
            }
        }
        let expected = etag_of_parts(parts.iter().map(|(_, etag)| etag.as_str()));
        let expected = expected.as_deref();
        let done = self.retried(|number| async move {
            // A second request is sent only if the first one was not carried out.
            if number > 1 && matches!(self.engine.s3.multipart_alive(self.target, upload).await, Ok(false)) {
                return self.after_upload_gone(size, expected).await;
            }
            if self.engine.cancel.is_cancelled() {
                return Err(TransferError::Cancelled);
            }
            let error = match self.engine.s3.complete_multipart(self.target, upload, parts).await {
                Ok(etag) => return self.engine.compare_etag(self.target, expected.map(str::to_owned), etag),
                Err(error) => error,
            };
            if error.kind == ServerErrorKind::UploadGone {
                return self.after_upload_gone(size, expected).await;
            }
            // A proxy that stopped waiting says nothing about the server, which may assemble a large file for minutes.
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

    /// Returns the result of an upload that the server no longer knows: the ETag if it was completed, otherwise an
    /// error.
    async fn after_upload_gone(self, size: u64, expected: Option<&str>) -> Result<String, TransferError> {
        let seen = self.etag_seen(size, expected, self.engine.options.retry.max_backoff).await;
        seen.ok_or_else(|| TransferError::UploadLost(self.target.to_string()))
    }

    /// Returns the ETag of the target if its content becomes visible within `patience`.
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

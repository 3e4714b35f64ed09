//! Uploads one file: decides whether to send it, chooses how, and verifies the result.

pub mod body;
pub mod multipart;
pub(in crate::transfer) mod proof;
mod sending;
pub mod stream;
mod sums;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;
use unicode_normalization::UnicodeNormalization;

use crate::api::Node;
use crate::failure::{ServerError, ServerErrorKind};
use crate::hash::etag_of_put;
use crate::http::retry::{self, Progress};
use crate::path::RemotePath;
use crate::transfer::event::{Direction, ItemNumber, ItemOutcome, Reason};
use crate::transfer::journal::Ends;
use crate::transfer::plan::decision::{Comparison, Decision, decide, free_names, is_newer};
use crate::transfer::plan::folders::{FolderState, TargetFolder};
use crate::transfer::plan::step::UploadCandidate;
use crate::transfer::send::body::Outgoing;
use crate::transfer::send::proof::{Replaced, Sent};
use crate::transfer::send::sending::{Attempt, Sending};
use crate::transfer::source::Snapshot;
use crate::transfer::verify::same_content;
use crate::transfer::{Engine, IfExists, TransferError};

/// The result of an upload.
pub struct Uploaded {
    /// The outcome.
    pub outcome: ItemOutcome,
    /// The remote path of the file, which a rename may have changed.
    pub target: RemotePath,
    /// The ETag of the file on the server, if known.
    pub etag: Option<String>,
    /// The size in bytes, which may differ from the size that the walk saw.
    pub size: u64,
    /// The file that was replaced, if any.
    pub(in crate::transfer) replaced: Option<Replaced>,
    /// Whether another upload to the same name may have overlapped with this one.
    pub overlapped: bool,
}

impl Uploaded {
    /// Returns what the engine must check after the upload.
    pub(in crate::transfer) fn to_prove(&self, folder: &Arc<TargetFolder>) -> Option<Sent> {
        let is_sent = matches!(self.outcome, ItemOutcome::Transferred(_));
        let etag = self.etag.clone().filter(|_| is_sent)?;
        Some(Sent {
            target: self.target.clone(),
            size: self.size,
            etag,
            replaced: self.replaced.clone(),
            overlapped: self.overlapped && self.replaced.is_none(),
            folder: Some(folder.clone()),
        })
    }
}

/// A content that has arrived on the server.
pub(in crate::transfer) struct Arrival {
    /// The ETag on the server.
    pub(in crate::transfer) etag: String,
    /// The size in bytes.
    pub(in crate::transfer) size: u64,
    /// Whether another upload to the same name may have overlapped with this one.
    pub(in crate::transfer) overlapped: bool,
}

/// How many times the upload of a file starts again because the file changes while it is read.
const CHANGES: u32 = 3;

impl Engine {
    /// Uploads a file if the policy requires it.
    ///
    /// # Errors
    /// Any [`TransferError`] that remains after all retries.
    pub async fn upload(&self, item: ItemNumber, candidate: &UploadCandidate) -> Result<Uploaded, TransferError> {
        let mut target = candidate.target();
        let uploaded = |outcome, target, etag| {
            let size = candidate.size;
            Uploaded { outcome, target, etag, size, replaced: None, overlapped: false }
        };
        let (existing, overlapped) = self.what_is_there(candidate, &target).await?;
        let mut replaced = None;
        // The remains of a broken upload do not count as a file: they have a name but no content.
        let reason = match existing.as_ref().filter(|node| !node.is_temporary()) {
            None => Reason::New,
            Some(node) if node.is_misfiled() => {
                self.recycle(node).await?;
                Reason::New
            }
            Some(node) if node.is_folder() => {
                if self.options.if_exists != IfExists::Overwrite {
                    return Err(TransferError::replaceable(&target, "folder"));
                }
                self.recycle(node).await?;
                Reason::Replaces
            }
            Some(node) => match self.decide_upload(candidate, node).await? {
                Decision::Unchanged => {
                    let ends = Ends { direction: Direction::Upload, local: &candidate.source, remote: &target };
                    self.options.journals.settle(&self.api, ends).await;
                    return Ok(uploaded(ItemOutcome::Unchanged, target, node.etag.clone()));
                }
                Decision::Skip => {
                    return Ok(uploaded(ItemOutcome::Skipped, target, node.etag.clone()));
                }
                Decision::Exists => return Err(TransferError::Exists(target.to_string())),
                Decision::Transfer(Reason::Renamed) => {
                    target = self.free_target(&candidate.folder, &candidate.name, Some(&candidate.source)).await?;
                    Reason::Renamed
                }
                Decision::Transfer(reason) => {
                    replaced = Some(Replaced::of(node));
                    reason
                }
            },
        };
        if self.options.dry_run {
            return Ok(uploaded(ItemOutcome::Transferred(reason), target, None));
        }
        candidate.folder.ready().await?;
        let Some(sent) = self.send_or_give_way(item, candidate, &mut target, replaced.is_some()).await? else {
            return Ok(uploaded(ItemOutcome::Skipped, target, None));
        };
        self.check_encrypted(&candidate.source, &target).await?;
        let overlapped = overlapped || sent.overlapped;
        let done = uploaded(ItemOutcome::Transferred(reason), target, Some(sent.etag));
        Ok(Uploaded { size: sent.size, replaced, overlapped, ..done })
    }

    /// Returns the existing node at the target, and whether another upload to the name was in progress.
    async fn what_is_there(
        &self,
        candidate: &UploadCandidate,
        target: &RemotePath,
    ) -> Result<(Option<Node>, bool), TransferError> {
        let existing = match candidate.folder.state().await {
            FolderState::New => None,
            FolderState::Existing(children) => children.get(&candidate.name).cloned(),
            FolderState::Unlisted => self.api.find(target).await?,
            FolderState::Blocked(_) => {
                candidate.folder.ready().await?;
                None
            }
        };
        match existing {
            // An upload that starts while the server still knows the other one could be affected by the other one's
            // end.
            Some(node) if node.is_temporary() && !self.options.dry_run => {
                // The one that this run continues has no end to wait for.
                let ends = Ends { direction: Direction::Upload, local: &candidate.source, remote: target };
                let is_resumed = self.options.journals.has(&self.api, ends).await;
                Ok((if is_resumed { Some(node) } else { self.at_rest(target).await }, true))
            }
            // The listing may be outdated, and only a node that is still a folder may be moved to the recycle bin.
            Some(node) if node.is_folder() => {
                Ok((self.api.stat_many(std::slice::from_ref(target)).await?.into_iter().next(), false))
            }
            existing => Ok((existing, false)),
        }
    }

    /// Sends a file, unless somebody else has created it in the meantime and the policy keeps it.
    async fn send_or_give_way(
        &self,
        item: ItemNumber,
        candidate: &UploadCandidate,
        target: &mut RemotePath,
        replaces: bool,
    ) -> Result<Option<Arrival>, TransferError> {
        loop {
            match self.send(item, candidate, target, replaces).await {
                Err(TransferError::Exists(_)) if self.options.if_exists == IfExists::Skip => return Ok(None),
                Err(TransferError::Exists(_)) if self.options.if_exists == IfExists::Rename => {
                    *target = self.free_target(&candidate.folder, &candidate.name, Some(&candidate.source)).await?;
                }
                Err(TransferError::Server(error)) if replaces && error.kind == ServerErrorKind::Forbidden => {
                    return Err(self.refusal(target, error).await);
                }
                sent => return sent.map(Some),
            }
        }
    }

    async fn decide_upload(&self, candidate: &UploadCandidate, node: &Node) -> Result<Decision, TransferError> {
        if candidate.must_replace {
            return Ok(Decision::Transfer(Reason::Replaces));
        }
        let source_is_newer = is_newer(candidate.modified, node.modified);
        let may_be_same = self.options.if_exists != IfExists::Skip && candidate.size == node.size;
        let same_content = may_be_same && {
            let (path, size, node) = (candidate.source.clone(), candidate.size, node.clone());
            let compared = spawn_blocking(move || same_content(&path, size, &node)).await;
            compared
                .map_err(std::io::Error::other)
                .and_then(|result| result)
                .map_err(|error| TransferError::local(&candidate.source, error))?
        };
        Ok(decide(self.options.if_exists, Some(Comparison { same_content, source_is_newer })))
    }

    /// Returns a name beside one that is in use: free on the server, and not used by another file of this run.
    pub(in crate::transfer) async fn free_target(
        &self,
        folder: &TargetFolder,
        name: &str,
        local: Option<&Path>,
    ) -> Result<RemotePath, TransferError> {
        for name in free_names(name) {
            let path = folder.path.join(&name);
            let is_wanted = local.is_some_and(|source| has_sibling(source, &name));
            let taken = match folder.state().await {
                _ if is_wanted => true,
                FolderState::Existing(children) if children.contains_key(&name) => true,
                _ => self.api.find(&path).await?.is_some(),
            };
            if !taken && folder.claim(&name) {
                return Ok(path);
            }
        }
        Err(TransferError::Exists(folder.path.join(name).to_string()))
    }

    /// Sends the content of a file to its target. The ETag of the result is the expected one.
    async fn send(
        &self,
        item: ItemNumber,
        candidate: &UploadCandidate,
        target: &RemotePath,
        replaces: bool,
    ) -> Result<Arrival, TransferError> {
        let label = candidate.source.display().to_string();
        let (in_doubt, progress) = (AtomicBool::new(false), Arc::<Progress>::default());
        // The expected ETag of the previous attempt, which may have arrived although it seemed to fail.
        let before = Mutex::new(None);
        // A content that was found to be wrong comes from this upload, so it may be replaced under any policy.
        let is_ours = AtomicBool::new(false);
        let (label, in_doubt, before, is_ours, reports) = (label.as_str(), &in_doubt, &before, &is_ours, &progress);
        let attempt = |number| async move {
            let replaces = replaces || is_ours.load(Ordering::Relaxed);
            if number > 1 && !replaces {
                let expected: Option<Arrival> = before.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(arrival) = self.after_failure(target, expected, &candidate.source).await? {
                    return Ok(arrival);
                }
            }
            let source = Some(candidate.source.as_path());
            let sending = Sending { engine: self, item, label, target, source, replaces, progress: reports };
            let (in_parts, sent) = sending.try_once(&candidate.source, before).await;
            in_doubt.fetch_or(sent.as_ref().is_err_and(TransferError::leaves_doubt), Ordering::Relaxed);
            is_ours.fetch_or(matches!(sent, Err(TransferError::Integrity { .. })), Ordering::Relaxed);
            let error = match sent {
                Ok(arrival) => return Ok(Arrival { overlapped: number > 1, ..arrival }),
                Err(TransferError::Server(error)) if error.kind == ServerErrorKind::NameInUse && !replaces => {
                    self.lost_race(target, error).await
                }
                Err(TransferError::Changed(path)) if number >= CHANGES => TransferError::KeepsChanging(path),
                Err(error) => error,
            };
            Err(if in_parts { Attempt::of_parts(error) } else { Attempt::of_request(error, number) })
        };
        let sent = retry::run_moving(&self.options.retry, &self.cancel, &progress, attempt, |number, failed, pause| {
            self.retried(item, label, number, &failed.error, pause);
        });
        let sent = sent.await.map_err(|failed| failed.error);
        if replaces && in_doubt.load(Ordering::Relaxed) {
            // Until another PUT succeeds, the server may have new bytes with the size of the old content.
            return sent.map_err(|error| TransferError::InDoubt { path: target.to_string(), source: Box::new(error) });
        }
        sent
    }

    /// Waits until the server has finished the previous attempt, and returns what it has left of a new file: the file
    /// itself, or an error if another client has created one and the policy keeps it.
    async fn after_failure(
        &self,
        target: &RemotePath,
        expected: Option<Arrival>,
        source: &Path,
    ) -> Result<Option<Arrival>, Attempt> {
        let found = self.at_rest(target).await.filter(|node| !node.is_folder() && !node.is_temporary());
        let Some(node) = found else { return Ok(None) };
        if let Some(arrival) = expected
            && self.is_arrival(&node, arrival.size, &arrival.etag, Some(source)).await
        {
            return Ok(Some(Arrival { etag: node.etag.unwrap_or(arrival.etag), ..arrival }));
        }
        if self.options.if_exists == IfExists::Overwrite {
            return Ok(None);
        }
        Err(Attempt::of_parts(TransferError::Exists(target.to_string())))
    }

    /// Returns the error of a refused overwrite, with the user who has locked the file.
    async fn refusal(&self, target: &RemotePath, error: ServerError) -> TransferError {
        let node = self.api.stat(target).await.ok();
        match node.as_ref().and_then(|node| node.text("content_lock")) {
            Some(user) => TransferError::LockedBy { path: target.to_string(), user: user.to_owned() },
            None => error.into(),
        }
    }

    /// Handles another client that is creating the same new file: waits for its end, then keeps its file unless the
    /// policy is to replace it.
    async fn lost_race(&self, target: &RemotePath, error: ServerError) -> TransferError {
        if self.options.if_exists == IfExists::Overwrite {
            return error.into();
        }
        match self.api.find(target).await {
            Ok(Some(node)) if !node.is_temporary() => TransferError::Exists(target.to_string()),
            _ => error.into(),
        }
    }
}

impl Sending<'_> {
    /// Makes one attempt to send the file, and returns whether it was sent in parts. For a file in one piece, `before`
    /// contains the expected result.
    async fn try_once(self, path: &Path, before: &Mutex<Option<Arrival>>) -> (bool, Result<Arrival, TransferError>) {
        let source = path.to_owned();
        let taken = spawn_blocking(move || Snapshot::take(&source)).await.map_err(std::io::Error::other);
        let taken = taken.map_err(|error| TransferError::local(path, error));
        let snapshot = match taken.and_then(|snapshot| snapshot) {
            Ok(snapshot) => snapshot,
            Err(error) => return (false, Err(error)),
        };
        let size = snapshot.size;
        let arrival = |etag| Arrival { etag, size, overlapped: true };
        if size > self.engine.options.multipart_threshold {
            return (true, self.send_in_parts(snapshot).await.map(arrival));
        }
        self.give_up_parts(path).await;
        let outgoing = match Outgoing::new(snapshot, 0, size, self.item, self.engine.observer.clone()).await {
            Ok(outgoing) => outgoing.reporting_to(self.progress.clone()),
            Err(error) => return (false, Err(error)),
        };
        let sent = self.send_whole(&outgoing).await;
        let expected = outgoing.md5().map(|md5| arrival(etag_of_put(size, &md5)));
        *before.lock().unwrap_or_else(PoisonError::into_inner) = expected;
        (false, sent.map(arrival))
    }
}

/// Whether the folder of a local file contains another file that is uploaded as `name`, which is in NFC.
fn has_sibling(source: &Path, name: &str) -> bool {
    let decomposed: String = name.nfd().collect();
    [name, &decomposed].iter().any(|name| source.with_file_name(name).symlink_metadata().is_ok())
}

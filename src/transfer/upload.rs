//! Sending one file: the decision, the right way to send it, and the proof that it arrived.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::spawn_blocking;
use unicode_normalization::UnicodeNormalization;

use super::body::{Outgoing, Snapshot};
use super::event::{ItemNumber, ItemOutcome};
use super::folders::{FolderState, TargetFolder};
use super::plan::{Comparison, Decision, Reason, UploadCandidate, decide, free_names, is_newer};
use super::verify::same_content;
use super::{Engine, IfExists, TransferError};
use crate::api::Node;
use crate::hash::etag_of_put;
use crate::http::retry;
use crate::path::RemotePath;
use crate::s3::{S3Error, S3ErrorKind};

/// How an upload ended: the outcome, the target (which a rename changes) and the server's ETag.
pub struct Uploaded {
    /// How it ended.
    pub outcome: ItemOutcome,
    /// Where it went.
    pub target: RemotePath,
    /// The ETag of what is there, where known.
    pub etag: Option<String>,
    /// Bytes, which may be others than the walk saw.
    pub size: u64,
}

/// How often a file that changes under the reader's eyes is begun anew.
const CHANGES: u32 = 3;

impl Engine {
    /// Decides on a file and sends it if need be.
    ///
    /// # Errors
    /// Any [`TransferError`] that retrying did not mend.
    pub async fn upload(&self, item: ItemNumber, candidate: &UploadCandidate) -> Result<Uploaded, TransferError> {
        let mut target = candidate.target();
        let uploaded = |outcome, target, etag| Uploaded { outcome, target, etag, size: candidate.size };
        let asked;
        let existing = match candidate.folder.state().await {
            FolderState::New => None,
            FolderState::Existing(children) => children.get(&candidate.name),
            FolderState::Unlisted => {
                asked = self.api.find(&target).await?;
                asked.as_ref()
            }
            FolderState::Blocked(_) => {
                candidate.folder.ready().await?;
                None
            }
        };
        let mut replaces = false;
        // What a broken upload left behind is nothing: it has a name and no content.
        let reason = match existing.filter(|node| !node.is_temporary()) {
            None => Reason::New,
            Some(node) if node.is_folder() => {
                if self.options.if_exists != IfExists::Overwrite {
                    return Err(TransferError::replaceable(&target, "folder"));
                }
                self.recycle(node).await?;
                Reason::Replaces
            }
            Some(node) => match self.decide_upload(candidate, node).await? {
                Decision::Unchanged => {
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
                    replaces = true;
                    reason
                }
            },
        };
        if self.options.dry_run {
            return Ok(uploaded(ItemOutcome::Transferred(reason), target, None));
        }
        candidate.folder.ready().await?;
        let (etag, size) = self.send(item, candidate, &target, replaces).await?;
        self.check_encrypted(&candidate.source, &target).await?;
        Ok(Uploaded { size, ..uploaded(ItemOutcome::Transferred(reason), target, Some(etag)) })
    }

    async fn decide_upload(&self, candidate: &UploadCandidate, node: &Node) -> Result<Decision, TransferError> {
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

    /// A name beside one that is taken: free on the server, and wanted by no other file of this run.
    pub(super) async fn free_target(
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

    /// Sends a file's content to its target and gives the ETag, which is the one that was expected.
    async fn send(
        &self,
        item: ItemNumber,
        candidate: &UploadCandidate,
        target: &RemotePath,
        replaces: bool,
    ) -> Result<(String, u64), TransferError> {
        let label = candidate.source.display().to_string();
        let in_doubt = AtomicBool::new(false);
        let (label, in_doubt) = (label.as_str(), &in_doubt);
        let sent = retry::run_until(
            &self.options.retry,
            &self.cancel,
            |attempt| async move {
                let path = candidate.source.clone();
                let snapshot = spawn_blocking(move || Snapshot::take(&path))
                    .await
                    .map_err(|error| TransferError::local(&candidate.source, std::io::Error::other(error)))??;
                let size = snapshot.size;
                let sent = if size > self.options.multipart_threshold {
                    self.send_in_parts(item, label, snapshot, target).await
                } else {
                    match Outgoing::new(snapshot, 0, size, item, self.observer.clone()).await {
                        Ok(outgoing) => self.send_whole(&outgoing, target).await,
                        Err(error) => Err(error),
                    }
                };
                let doubt = matches!(&sent, Err(TransferError::S3(error)) if error.in_doubt);
                in_doubt.fetch_or(doubt, Ordering::Relaxed);
                match sent {
                    Err(TransferError::S3(error)) if error.kind == S3ErrorKind::NameInUse && !replaces => {
                        Err(self.lost_race(target, error).await)
                    }
                    Err(TransferError::Changed(path)) if attempt >= CHANGES => Err(TransferError::KeepsChanging(path)),
                    sent => sent.map(|etag| (etag, size)),
                }
            },
            |attempt, error, pause| self.observer.item_retried(item, label, attempt, error, pause),
        );
        let sent = sent.await;
        if replaces && in_doubt.load(Ordering::Relaxed) {
            // The server may hold new bytes under the old size until a further PUT succeeds.
            return sent.map_err(|error| TransferError::InDoubt { path: target.to_string(), source: Box::new(error) });
        }
        sent
    }

    /// What to do where another client is making the same new file: wait for its end, and then leave what it made alone
    /// unless the policy is to replace it.
    async fn lost_race(&self, target: &RemotePath, error: S3Error) -> TransferError {
        if self.options.if_exists == IfExists::Overwrite {
            return error.into();
        }
        match self.api.find(target).await {
            Ok(Some(node)) if !node.is_temporary() => TransferError::Exists(target.to_string()),
            _ => error.into(),
        }
    }

    /// One attempt to send a content in one piece.
    pub(super) async fn send_whole(&self, outgoing: &Outgoing, target: &RemotePath) -> Result<String, TransferError> {
        let size = outgoing.length();
        let make_body = || outgoing.body();
        let answer = self.unless_cancelled(self.s3.put(target, size, &make_body), || outgoing.all_read()).await;
        let etag = match answer {
            Ok(etag) => etag,
            Err(error) => {
                if let Some(fault) = outgoing.fault() {
                    outgoing.uncount();
                    return Err(fault);
                }
                let expected = outgoing.md5().map(|md5| etag_of_put(size, &md5));
                if self.has_arrived(&error, target, size, expected.as_deref()).await {
                    return expected.ok_or(error);
                }
                outgoing.uncount();
                return Err(error);
            }
        };
        let expected = outgoing.md5().map(|md5| etag_of_put(size, &md5));
        self.compare_etag(target, expected, etag).inspect_err(|_| outgoing.uncount())
    }

    /// Whether an upload whose answer was lost has been carried out after all.
    pub(super) async fn has_arrived(
        &self,
        error: &TransferError,
        target: &RemotePath,
        size: u64,
        expected: Option<&str>,
    ) -> bool {
        let lost = matches!(error, TransferError::S3(error)
            if error.in_doubt || matches!(error.kind, S3ErrorKind::UploadGone | S3ErrorKind::NameInUse));
        let Some(expected) = expected.filter(|_| lost) else {
            return false;
        };
        // Never from the size alone: a node that is still being uploaded shows the size that was announced.
        matches!(self.api.stat(target).await, Ok(node) if node.size == size && node.etag.as_deref() == Some(expected))
    }

    pub(super) fn compare_etag(
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
    pub(super) async fn unless_cancelled<T, E: Into<TransferError>>(
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

/// Whether beside a local file there is one that goes to the server as `name`, which is in NFC.
fn has_sibling(source: &Path, name: &str) -> bool {
    let decomposed: String = name.nfd().collect();
    [name, &decomposed].iter().any(|name| source.with_file_name(name).symlink_metadata().is_ok())
}

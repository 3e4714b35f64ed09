//! Checks that an upload has left a file under its name. The answer to an upload proves only its content. If another
//! upload of the same new name broke off in the meantime, the server may have made a folder of it; if another client
//! replaces the file at the same moment, its content and its ETag may belong to different uploads (docs/protocol.md
//! §5.3).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::time::Instant;

use crate::api::Node;
use crate::failure::{ServerError, ServerErrorKind};
use crate::http::retry::RetryPolicy;
use crate::path::RemotePath;
use crate::transfer::event::{Notice, Silent};
use crate::transfer::plan::folders::TargetFolder;
use crate::transfer::{Engine, TransferError};

/// The number of uploads that are checked together: at first, and at most.
pub(in crate::transfer) const BATCH: (usize, usize) = (64, 1024);

/// From this many files on, their folder is listed. Individual requests cost the server much more.
const LIST_FROM: u64 = 4;

/// The maximum number of listed children per file in question.
const LISTED_FOR_ONE: u64 = 5;

/// How long the server may take to remove the entry of a broken upload. It may remove that of a later upload instead.
const CLEAN_UP: Duration = Duration::from_secs(1);

/// How long to wait for another upload of the same name: about as long as a server needs to notice that a connection is
/// gone. If the other client is gone for good, its node may remain forever.
const OVERLAP: Duration = Duration::from_secs(10);

/// The message for an upload that the server turned into a folder.
const MISFILED: &str = "the server turned it into a folder, which cannot be read";

/// The message for a file whose content and ETag come from different uploads.
const MIXED_UP: &str = "another client replaced it at the same time, and its content and its ETag do not match";

/// The first pause between two checks.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The number of attempts of a check that can be repeated later.
const LOOKS: u32 = 2;

/// A file that was sent, according to the answer.
#[derive(Debug, Clone)]
pub(in crate::transfer) struct Sent {
    /// The target.
    pub(in crate::transfer) target: RemotePath,
    /// The size in bytes.
    pub(in crate::transfer) size: u64,
    /// The ETag in the answer.
    pub(in crate::transfer) etag: String,
    /// The file that it replaced, if any.
    pub(in crate::transfer) replaced: Option<Replaced>,
    /// Whether another upload to the same name may have overlapped.
    pub(in crate::transfer) overlapped: bool,
    /// The target folder, if other files go there too.
    pub(in crate::transfer) folder: Option<Arc<TargetFolder>>,
}

/// A file that is replaced by an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transfer) struct Replaced {
    /// The ETag, which a late index still shows for some seconds after the upload (docs/protocol.md §5.8).
    pub(in crate::transfer) etag: Option<String>,
}

impl Replaced {
    /// Records a file before it is replaced.
    pub(in crate::transfer) fn of(node: &Node) -> Self {
        Self { etag: node.etag.clone() }
    }
}

impl Engine {
    /// Checks files that were sent, in few calls. Returns, in the order of `sent`, the errors of those that do not
    /// exist as files. Moves folders that the server has made of them to the recycle bin, so that the files can be sent
    /// again.
    pub(in crate::transfer) async fn prove(&self, sent: &[Sent]) -> Vec<Option<TransferError>> {
        // A visitor who may only upload sees no listings.
        if self.api.is_upload_only() {
            let mut proven = Vec::with_capacity(sent.len());
            for sent in sent {
                proven.push(self.prove_by_head(sent).await.err());
            }
            return proven;
        }
        // The removal after a broken upload goes by path and may be late, so a check before it would prove nothing.
        if sent.iter().any(|sent| sent.overlapped) {
            tokio::time::sleep(CLEAN_UP.min(self.options.retry.max_backoff)).await;
        }
        let mut proven: Vec<Option<TransferError>> = sent.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..sent.len()).collect();
        let begun = Instant::now();
        loop {
            let asked: Vec<Sent> = open.iter().map(|index| sent[*index].clone()).collect();
            let nodes = match self.look_at(&asked).await {
                Ok(nodes) => nodes,
                Err(error) => {
                    let source = Arc::new(TransferError::from(error));
                    open.iter().for_each(|index| proven[*index] = Some(sent[*index].unseen(source.clone())));
                    return proven;
                }
            };
            // A missing file may appear a moment later, and a wrong one may be corrected, so every fault is checked
            // again.
            let is_over = begun.elapsed() > OVERLAP.min(self.options.retry.max_backoff);
            for index in std::mem::take(&mut open) {
                let (sent, node) = (&sent[index], nodes.get(&sent[index].target));
                match (self.fault(sent, node).await, node) {
                    (Ok(None), _) => {}
                    (Ok(Some(_)), Some(node)) if sent.is_misfiled_as(node) => {
                        proven[index] = Some(self.misfiled(sent, node).await);
                    }
                    _ if !is_over => open.push(index),
                    (Ok(Some(fault)), _) => proven[index] = Some(sent.unproven(fault)),
                    (Err(error), _) => proven[index] = Some(sent.unseen(Arc::new(error))),
                }
            }
            if open.is_empty() {
                return proven;
            }
            tokio::time::sleep(CLEAN_UP.min(self.options.retry.max_backoff)).await;
        }
    }

    /// Returns why a node is not the file that was sent. If another client has replaced the file in the meantime, that
    /// is not a fault, provided that the content is the one that the server lists.
    async fn fault(&self, sent: &Sent, node: Option<&Node>) -> Result<Option<&'static str>, TransferError> {
        // A replaced file that is gone was deleted or moved afterwards: it existed before, so the cleanup after a
        // broken upload never removes it.
        match (&sent.replaced, node) {
            (None, node) => Ok(sent.fault(node)),
            (Some(replaced), Some(node)) if sent.is_contested(replaced, node) => {
                Ok((!self.reads_as_listed(node).await?).then_some(MIXED_UP))
            }
            (Some(_), _) => Ok(None),
        }
    }

    /// Whether the content of a file matches its ETag or its content hash. Reads the complete file.
    async fn reads_as_listed(&self, node: &Node) -> Result<bool, TransferError> {
        // This download is not part of the run, so it must not be reported.
        let unheard = Self { observer: Arc::new(Silent), ..self.clone() };
        match unheard.read(0, node, 0..node.size, &mut |_| Ok(())).await {
            Ok(()) => Ok(true),
            Err(
                TransferError::NotAsListed(_)
                | TransferError::ChangedOnServer(_)
                | TransferError::OtherContent { .. }
                | TransferError::Damaged { .. },
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Moves the folder that the server has made of an upload to the recycle bin, so that the file can be sent again.
    async fn misfiled(&self, sent: &Sent, node: &Node) -> TransferError {
        tracing::warn!(path = %sent.target, "the server turned an upload into a folder: moving it to the recycle bin");
        match self.recycle(node).await {
            Ok(()) => sent.unproven(MISFILED),
            Err(error) => sent.unseen(Arc::new(error)),
        }
    }

    /// Returns the nodes at the targets.
    async fn look_at(&self, sent: &[Sent]) -> Result<HashMap<RemotePath, Node>, ServerError> {
        let mut wanted: HashMap<RemotePath, u64> = HashMap::new();
        for sent in sent {
            *wanted.entry(sent.target.parent().unwrap_or_default()).or_default() += 1;
        }
        wanted.retain(|_, count| *count >= LIST_FROM);
        let folders: Vec<RemotePath> = wanted.keys().cloned().collect();
        let folders = if folders.is_empty() { Vec::new() } else { self.api.stat_many(&folders).await? };
        let mut nodes = HashMap::with_capacity(sent.len());
        for folder in folders {
            let sent_to = sent.iter().filter_map(|sent| sent.folder.as_ref()).find(|to| to.path == folder.path);
            // Somebody moved or replaced the folder during the run, so the files may not be where the user expects
            // them.
            if sent_to.is_some_and(|to| !to.is_still(&folder.uuid)) {
                self.observer.notice(&folder.path.marked(), Notice::FolderMoved);
            }
            let most = wanted.get(&folder.path).map_or(0, |count| count * LISTED_FOR_ONE);
            // A listing of a large folder would cost more than individual requests.
            if folder.children.is_some_and(|children| children <= most) {
                let listed: Vec<Node> = self.api.children(&folder.path).try_collect().await?;
                nodes.extend(listed.into_iter().map(|node| (node.path.clone(), node)));
            }
        }
        // Files in folders that were not listed, and hidden files, which listings omit.
        let targets = sent.iter().map(|sent| &sent.target);
        let rest: Vec<RemotePath> = targets.filter(|target| !nodes.contains_key(*target)).cloned().collect();
        nodes.extend(self.api.stat_many(&rest).await?.into_iter().map(|node| (node.path.clone(), node)));
        Ok(nodes)
    }

    /// Checks a file with a HEAD, for visitors who may not list.
    async fn prove_by_head(&self, sent: &Sent) -> Result<(), TransferError> {
        match self.s3.head(&sent.target).await {
            Ok(_) => Ok(()),
            // A public link for uploads may refuse even that.
            Err(error) if error.kind == ServerErrorKind::Forbidden => Ok(()),
            Err(error) => Err(sent.unseen(Arc::new(error.into()))),
        }
    }

    /// Returns the node at a path once no upload to it is visible any longer. Waits for at most [`OVERLAP`]. `None` if
    /// there is no node or the check fails.
    pub(in crate::transfer) async fn at_rest(&self, target: &RemotePath) -> Option<Node> {
        self.seen_until(target, OVERLAP.min(self.options.retry.max_backoff), |node| !node.is_temporary()).await
    }

    /// Returns the present node at a path. `None` if there is none or the check fails.
    pub(in crate::transfer) async fn at_once(&self, target: &RemotePath) -> Option<Node> {
        self.seen_until(target, Duration::ZERO, |_| true).await
    }

    /// Checks a path until `is_settled` is true, there is no node, the run is canceled, or the time is over.
    pub(in crate::transfer) async fn seen_until(
        &self,
        target: &RemotePath,
        patience: Duration,
        is_settled: impl Fn(&Node) -> bool,
    ) -> Option<Node> {
        let retry = &self.options.retry;
        // Few attempts: the caller repeats the check, and a long series of retries would delay its own.
        let policy = RetryPolicy { max_attempts: retry.max_attempts.min(LOOKS), ..retry.clone() };
        let api = self.api.clone().with_retry(policy);
        let until = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        loop {
            let node = api.find(target).await.ok().flatten()?;
            if is_settled(&node) || Instant::now() + pause > until {
                return Some(node);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(2)),
                () = self.cancel.cancelled() => return Some(node),
            }
        }
    }
}

impl Sent {
    /// Returns why a node is not the file that was sent, if the node itself shows it.
    fn fault(&self, node: Option<&Node>) -> Option<&'static str> {
        match node {
            None => Some("it does not exist on the server"),
            Some(node) if node.is_folder() => Some(MISFILED),
            Some(node) if node.is_temporary() => Some("the server has not registered its content"),
            Some(node) if node.etag.as_ref() == Some(&self.etag) && node.size != self.size => {
                Some("its size is different")
            }
            Some(_) => None,
        }
    }

    /// Whether a node shows that another client has overwritten the replaced file. Two uploads in parts never get mixed
    /// up, and the ETags of encrypted storage prove nothing.
    fn is_contested(&self, replaced: &Replaced, node: &Node) -> bool {
        let is_other = node.etag.as_ref() != Some(&self.etag) && node.etag != replaced.etag;
        let is_one_piece = self.etag.split_once('-').is_none_or(|(_, parts)| parts == "1");
        is_other && is_one_piece && !node.is_folder() && !node.is_temporary() && !node.is_encrypted()
    }

    /// Whether a node is the folder that the server has made of this upload. Its content hash may appear later.
    fn is_misfiled_as(&self, node: &Node) -> bool {
        node.is_folder() && node.children == Some(0) && node.etag.as_ref() == Some(&self.etag)
    }

    fn unproven(&self, fault: &str) -> TransferError {
        TransferError::Unproven { path: self.target.to_string(), fault: fault.to_owned(), source: None }
    }

    fn unseen(&self, source: Arc<TransferError>) -> TransferError {
        let fault = format!("it could not be checked: {source}");
        TransferError::Unproven { path: self.target.to_string(), fault, source: Some(source) }
    }
}

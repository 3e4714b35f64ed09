//! The proof that an upload has left a file under its name. The answer to an upload proves its content; if another
//! upload of the same new name broke off meanwhile, the server makes a folder of it all the same, and if another client
//! replaces the file at the same moment, its content and its ETag may be of different uploads (docs/protocol.md §5.3).

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

/// How many uploads are proven together at first, and at most.
pub(in crate::transfer) const BATCH: (usize, usize) = (64, 1024);

/// A folder is listed where at least so many of its files are looked for; each by itself costs the server much more.
const LIST_FROM: u64 = 4;

/// The most children that are listed for one that is looked for.
const LISTED_FOR_ONE: u64 = 5;

/// How long the server may take to remove what a broken upload has entered, which may be what came after it.
const CLEAN_UP: Duration = Duration::from_secs(1);

/// How long another upload of the same name is waited for: about as long as a server takes to learn that a connection is
/// gone. One whose client is gone for good may leave its node for ever.
const OVERLAP: Duration = Duration::from_secs(10);

/// What becomes of an upload whose node was removed before its end.
const MISFILED: &str = "the server turned it into a folder, which cannot be read";

/// What is said of a file whose content and ETag come from different uploads.
const MIXED_UP: &str = "another client replaced it at the same time, and its content and its ETag do not match";

/// The first pause between two looks.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How often a look is tried that the next attempt makes up for.
const LOOKS: u32 = 2;

/// What was sent, as the answer to it says.
#[derive(Debug, Clone)]
pub(in crate::transfer) struct Sent {
    /// Where.
    pub(in crate::transfer) target: RemotePath,
    /// Bytes.
    pub(in crate::transfer) size: u64,
    /// The ETag of the answer.
    pub(in crate::transfer) etag: String,
    /// What it replaces, if anything.
    pub(in crate::transfer) replaced: Option<Replaced>,
    /// Whether another upload of the name may have overlapped with it.
    pub(in crate::transfer) overlapped: bool,
    /// The folder that it was sent to, where others go there as well.
    pub(in crate::transfer) folder: Option<Arc<TargetFolder>>,
}

/// A file that an upload replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transfer) struct Replaced {
    /// Its ETag, which a late index still shows for some seconds after the upload (docs/protocol.md §5.8).
    pub(in crate::transfer) etag: Option<String>,
}

impl Replaced {
    /// What is known of a file before it is replaced.
    pub(in crate::transfer) fn of(node: &Node) -> Self {
        Self { etag: node.etag.clone() }
    }
}

impl Engine {
    /// Looks at what was sent, in few calls, and gives, in the order of `sent`, why it is not there as a file. A
    /// folder that the server has made of it goes to the recycle bin, so that it can be sent again.
    pub(in crate::transfer) async fn prove(&self, sent: &[Sent]) -> Vec<Option<TransferError>> {
        if self.api.is_upload_only() {
            let mut proven = Vec::with_capacity(sent.len());
            for sent in sent {
                proven.push(self.prove_by_head(sent).await.err());
            }
            return proven;
        }
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
            // What is not there yet may be entered a moment later, and what is wrong is looked at twice.
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

    /// Why a node is not what was sent. If another client has replaced the file meanwhile, that is no fault as long as
    /// the content is the one that the server lists.
    async fn fault(&self, sent: &Sent, node: Option<&Node>) -> Result<Option<&'static str>, TransferError> {
        // A replaced file that is gone was deleted or moved since: it was there before, and no broken upload takes it away.
        match (&sent.replaced, node) {
            (None, node) => Ok(sent.fault(node)),
            (Some(replaced), Some(node)) if sent.is_contested(replaced, node) => {
                Ok((!self.reads_as_listed(node).await?).then_some(MIXED_UP))
            }
            (Some(_), _) => Ok(None),
        }
    }

    /// Whether the content of a file is the one that its ETag or its content hash belongs to. Reads all of it.
    async fn reads_as_listed(&self, node: &Node) -> Result<bool, TransferError> {
        // What is read here is no part of the run.
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

    /// Takes away what the server has made of an upload, so that it can be sent again.
    async fn misfiled(&self, sent: &Sent, node: &Node) -> TransferError {
        tracing::warn!(path = %sent.target, "the server turned an upload into a folder: moving it to the recycle bin");
        match self.recycle(node).await {
            Ok(()) => sent.unproven(MISFILED),
            Err(error) => sent.unseen(Arc::new(error)),
        }
    }

    /// What is at the targets.
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
            if sent_to.is_some_and(|to| !to.is_still(&folder.uuid)) {
                self.observer.notice(&folder.path.marked(), Notice::FolderMoved);
            }
            let most = wanted.get(&folder.path).map_or(0, |count| count * LISTED_FOR_ONE);
            if folder.children.is_some_and(|children| children <= most) {
                let listed: Vec<Node> = self.api.children(&folder.path).try_collect().await?;
                nodes.extend(listed.into_iter().map(|node| (node.path.clone(), node)));
            }
        }
        // Those of small or large folders, and hidden ones.
        let targets = sent.iter().map(|sent| &sent.target);
        let rest: Vec<RemotePath> = targets.filter(|target| !nodes.contains_key(*target)).cloned().collect();
        nodes.extend(self.api.stat_many(&rest).await?.into_iter().map(|node| (node.path.clone(), node)));
        Ok(nodes)
    }

    /// Where nothing may be listed, the gateway still tells of files.
    async fn prove_by_head(&self, sent: &Sent) -> Result<(), TransferError> {
        match self.s3.head(&sent.target).await {
            Ok(_) => Ok(()),
            // A public link that takes uploads only may refuse to tell even that.
            Err(error) if error.kind == ServerErrorKind::Forbidden => Ok(()),
            Err(error) => Err(sent.unseen(Arc::new(error.into()))),
        }
    }

    /// What is at a path once no upload of it is running, as far as that can be seen; an upload that goes on is not waited
    /// for longer than [`OVERLAP`]. Nothing where it cannot be looked at.
    pub(in crate::transfer) async fn at_rest(&self, target: &RemotePath) -> Option<Node> {
        self.seen_until(target, OVERLAP.min(self.options.retry.max_backoff), |node| !node.is_temporary()).await
    }

    /// What is at a path now. Nothing where it cannot be looked at.
    pub(in crate::transfer) async fn at_once(&self, target: &RemotePath) -> Option<Node> {
        self.seen_until(target, Duration::ZERO, |_| true).await
    }

    /// Looks at a path until `is_settled` holds, nothing is there, the run is cancelled, or the time is over.
    pub(in crate::transfer) async fn seen_until(
        &self,
        target: &RemotePath,
        patience: Duration,
        is_settled: impl Fn(&Node) -> bool,
    ) -> Option<Node> {
        let retry = &self.options.retry;
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
    /// Why a node is not what was sent, as far as the node itself shows it.
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

    /// Whether a node shows that another client has written the file that this upload replaced. Two uploads in parts
    /// do not get mixed up, and the ETags of encrypted storage show nothing.
    fn is_contested(&self, replaced: &Replaced, node: &Node) -> bool {
        let is_other = node.etag.as_ref() != Some(&self.etag) && node.etag != replaced.etag;
        let is_one_piece = self.etag.split_once('-').is_none_or(|(_, parts)| parts == "1");
        is_other && is_one_piece && !node.is_folder() && !node.is_temporary() && !node.is_encrypted()
    }

    /// Whether a node is what the server has made of it. Its content hash may come later.
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

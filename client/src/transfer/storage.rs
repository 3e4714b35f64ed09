//! Storages that change the ETag of an uploaded file (docs/protocol.md §5.8). With encryption, the ETag is that of the
//! stored data and differs for each write, so only the content hash shows whether the content has arrived. Structured
//! storage replaces a multipart ETag with the MD5 of the content.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::api::Node;
use crate::hash::{CELLS_BLOCK, Scheme};
use crate::path::RemotePath;
use crate::transfer::event::Notice;
use crate::transfer::verify::{hash_file, same_content};
use crate::transfer::{Engine, TransferError};

/// How long the server may report the content hash of the previous content.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait for the content hash of a new file. After that, the file is sent again.
const HASH_WITHIN: Duration = Duration::from_secs(5);

/// The first pause between two requests for the hash. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What this run knows about the storage of its upload target.
#[derive(Debug, Clone, Default)]
pub struct Storage(Arc<AtomicBool>);

impl Storage {
    /// Learns from the target of the run, or from the folder of the target.
    pub(in crate::transfer) fn learn(&self, node: Option<&Node>) {
        if node.is_some_and(Node::is_encrypted) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the storage encrypts its content.
    pub fn is_encrypted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether a file's ETag has another form than the expected one, so that it says nothing about the content.
pub(in crate::transfer) fn has_other_form(node: &Node, expected: &str) -> bool {
    let is_joined = expected.contains('-') && node.etag.as_ref().is_some_and(|etag| !etag.contains('-'));
    !node.is_temporary() && (node.is_encrypted() || is_joined)
}

impl Engine {
    /// Whether a node is a file with this content. If the ETag has another form than expected, compares other metadata
    /// with the local file, if there is one.
    pub(in crate::transfer) async fn is_arrival(
        &self,
        node: &Node,
        size: u64,
        expected: &str,
        source: Option<&Path>,
    ) -> bool {
        if node.is_content(size, expected) {
            return true;
        }
        let may_be = !node.is_folder() && node.size == size && has_other_form(node, expected);
        let Some(source) = source.filter(|_| may_be) else { return false };
        let begun = Instant::now();
        loop {
            let nodes = self.api.stat_many(std::slice::from_ref(&node.path)).await;
            let Some(node) = nodes.ok().and_then(|mut nodes| nodes.pop()) else { return false };
            let is_over =
                begun.elapsed() > HASH_WITHIN.min(self.options.retry.max_elapsed) || self.cancel.is_cancelled();
            if node.hash.is_some() || !node.is_encrypted() || is_over {
                let source = source.to_owned();
                let compared = spawn_blocking(move || same_content(&source, size, &node)).await;
                return matches!(compared, Ok(Ok(true)));
            }
            tokio::time::sleep(FIRST_PAUSE).await;
        }
    }

    /// Compares a local file with the server's content hash, for storages whose ETag is not a checksum. Waits if the
    /// hash is late.
    ///
    /// # Errors
    /// The hash does not match; the file cannot be read; the request failed.
    pub(in crate::transfer) async fn check_encrypted(
        &self,
        source: &Path,
        target: &RemotePath,
    ) -> Result<(), TransferError> {
        if !self.options.verify || !self.storage.is_encrypted() {
            return Ok(());
        }
        let path = source.to_owned();
        let hashed = spawn_blocking(move || hash_file(&path, Scheme::Parts(CELLS_BLOCK))).await;
        let hashed = hashed.map_err(std::io::Error::other).and_then(|hashed| hashed);
        let expected = hashed.map_err(|error| TransferError::local(source, error))?.cells_hash().unwrap_or_default();
        let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let found = self.api.stat_many(std::slice::from_ref(target)).await?.pop().and_then(|node| node.hash);
            if found.as_ref() == Some(&expected) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE.min(self.options.retry.max_elapsed) {
                let (path, found) = (target.to_string(), found.unwrap_or_else(|| "unknown".to_owned()));
                return Err(TransferError::Integrity { path, what: "x-cells-hash", expected, found });
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(2)),
                () = self.cancel.cancelled() => return Err(TransferError::Cancelled),
            }
        }
    }

    /// Reports that a stream was not verified because the ETag is not a checksum. A stream cannot be read again.
    pub(in crate::transfer) fn say_unverified(&self, target: &RemotePath) {
        if self.options.verify && self.storage.is_encrypted() {
            self.observer.notice(&target.to_string(), Notice::EncryptedStream);
        }
    }
}

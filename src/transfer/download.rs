//! Fetching one file: into a temporary file beside the target, verified, flushed, and only then under its name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::StreamExt;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::event::{ItemNumber, ItemOutcome};
use super::plan::{Comparison, Decision, DownloadCandidate, Reason, decide, free_names};
use super::verify::{hash_file, same_content};
use super::{Engine, IfExists, TransferError};
use crate::api::Node;
use crate::hash::{CELLS_BLOCK, Hasher, Scheme};
use crate::http::retry;
use crate::s3::Download;

/// How many chunks wait between the connection and the disk.
const QUEUE: usize = 16;

/// How a download ended: the outcome, the target (which a rename changes) and the server's ETag.
pub struct Downloaded {
    /// How it ended.
    pub outcome: ItemOutcome,
    /// Where it went.
    pub target: PathBuf,
    /// The ETag of what was fetched, where known.
    pub etag: Option<String>,
}

/// What has arrived of a file so far.
struct Arrived {
    file: NamedTempFile,
    hasher: Option<Hasher>,
    bytes: u64,
    etag: String,
}

impl Engine {
    /// Decides on a file and fetches it if need be.
    ///
    /// # Errors
    /// Any [`TransferError`] that retrying did not mend.
    pub async fn download(&self, item: ItemNumber, candidate: &DownloadCandidate) -> Result<Downloaded, TransferError> {
        if candidate.source.is_temporary() {
            return Err(TransferError::Unfinished(candidate.source.path.to_string()));
        }
        let mut target = candidate.target.clone();
        let etag = candidate.source.etag.clone();
        let reason = match self.decide_download(candidate).await? {
            Decision::Unchanged => return Ok(Downloaded { outcome: ItemOutcome::Unchanged, target, etag }),
            Decision::Skip => return Ok(Downloaded { outcome: ItemOutcome::Skipped, target, etag }),
            Decision::Exists => return Err(TransferError::Exists(target.display().to_string())),
            Decision::Transfer(reason) => reason,
        };
        if reason == Reason::Renamed {
            target = free_target(&target)?;
        }
        if self.options.dry_run {
            return Ok(Downloaded { outcome: ItemOutcome::Transferred(reason), target, etag: None });
        }
        let label = candidate.source.path.to_string();
        let mut arrived = None;
        let mut hash_mismatch = None;
        let slot = tokio::sync::Mutex::new((&mut arrived, &mut hash_mismatch));
        let fetched = retry::run_until(
            &self.options.retry,
            &self.cancel,
            |_attempt| async {
                let mut slot = slot.lock().await;
                let (arrived, mismatch) = &mut *slot;
                self.fetch(item, &candidate.source, &target, arrived, mismatch).await
            },
            |attempt, error, pause| self.observer.item_retried(item, &label, attempt, error, pause),
        );
        let complete = fetched.await?;
        let etag = Some(complete.etag.clone());
        let modified = candidate
            .source
            .modified
            .filter(|_| self.options.preserve)
            .and_then(|time| SystemTime::try_from(time).ok());
        let (place, replace) = (target.clone(), reason != Reason::New && reason != Reason::Renamed);
        spawn_blocking(move || publish(complete.file, &place, modified, replace))
            .await
            .map_err(|error| TransferError::local(&target, io::Error::other(error)))??;
        Ok(Downloaded { outcome: ItemOutcome::Transferred(reason), target, etag })
    }

    async fn decide_download(&self, candidate: &DownloadCandidate) -> Result<Decision, TransferError> {
        let (target, node, policy) = (candidate.target.clone(), candidate.source.clone(), self.options.if_exists);
        spawn_blocking(move || decide_locally(&target, &node, policy))
            .await
            .map_err(|error| TransferError::local(&candidate.target, io::Error::other(error)))?
    }

    /// One attempt to fetch a file: from where the last one stopped, if the server still has the same content.
    async fn fetch(
        &self,
        item: ItemNumber,
        source: &Node,
        target: &Path,
        kept: &mut Option<Arrived>,
        hash_mismatch: &mut Option<String>,
    ) -> Result<Arrived, TransferError> {
        let download = self.open(item, source, kept).await?;
        let total = download.info.total.unwrap_or(download.info.length);
        let begun = match kept.take() {
            Some(arrived) => arrived,
            None => begin(target, &download.info.etag, total, self.options.verify)?,
        };
        let (outcome, arrived) = self.receive(item, begun, download).await?;
        if let Err(error) = outcome {
            *kept = Some(arrived);
            return Err(error);
        }
        if arrived.bytes != total {
            // The server's own record of the size is wrong: its copy is damaged.
            self.observer.item_restarted(item);
            return Err(TransferError::Integrity {
                path: source.path.to_string(),
                what: "size",
                expected: total.to_string(),
                found: arrived.bytes.to_string(),
            });
        }
        self.check(item, source, arrived, hash_mismatch).await
    }

    /// Asks for what is still missing. An ETag other than the one begun with starts all over.
    async fn open(
        &self,
        item: ItemNumber,
        source: &Node,
        kept: &mut Option<Arrived>,
    ) -> Result<Download, TransferError> {
        if let Some(arrived) = kept {
            let range = arrived.bytes..source.size.max(arrived.bytes + 1);
            if arrived.bytes > 0
                && let Ok(download) = self.unless_cancelled(self.s3.get(&source.path, Some(range)), || false).await
                && download.info.etag == arrived.etag
                && download.info.total.is_some_and(|total| arrived.bytes + download.info.length == total)
            {
                return Ok(download);
            }
            *kept = None;
            self.observer.item_restarted(item);
        }
        self.unless_cancelled(self.s3.get(&source.path, None), || false).await
    }

    /// Writes a body to the temporary file, hashing on the way. The outer error is that of the local disk.
    async fn receive(
        &self,
        item: ItemNumber,
        arrived: Arrived,
        mut download: Download,
    ) -> Result<(Result<(), TransferError>, Arrived), TransferError> {
        let path = arrived.file.path().to_owned();
        let (sender, receiver) = mpsc::channel(QUEUE);
        let writer = spawn_blocking(move || write_all(arrived, receiver));
        let mut outcome = Ok(());
        loop {
            let next = tokio::select! {
                next = download.body.next() => next,
                () = self.cancel.cancelled() => {
                    outcome = Err(TransferError::Cancelled);
                    break;
                }
            };
            match next {
                None => break,
                Some(Err(error)) => {
                    outcome = Err(error.into());
                    break;
                }
                Some(Ok(chunk)) => {
                    let length = chunk.len() as u64;
                    // A writer that has ended says why below.
                    if sender.send(chunk).await.is_err() {
                        break;
                    }
                    self.observer.bytes(item, length);
                }
            }
        }
        drop(sender);
        let written = writer.await.map_err(|error| TransferError::local(&path, io::Error::other(error)))?;
        let arrived = written.map_err(|error| TransferError::local(&path, error))?;
        Ok((outcome, arrived))
    }

    /// Compares what has arrived with the ETag, or with x-cells-hash where the ETag does not tell.
    async fn check(
        &self,
        item: ItemNumber,
        source: &Node,
        arrived: Arrived,
        hash_mismatch: &mut Option<String>,
    ) -> Result<Arrived, TransferError> {
        let Some(hasher) = &arrived.hasher else {
            return Ok(arrived);
        };
        let by_etag = Scheme::of_etag(&arrived.etag, arrived.bytes);
        if by_etag.is_some() {
            let found = hasher.clone().etag();
            if found == arrived.etag {
                return Ok(arrived);
            }
            if by_etag == Some(Scheme::Whole) {
                return Err(self.mismatch(item, source, "ETag", arrived.etag.clone(), found));
            }
        }
        // Parts of an unknown size: the server's own hash decides, if it is the one of this very content.
        let listed = source.hash.clone().filter(|_| source.etag.as_ref() == Some(&arrived.etag));
        let known = match listed {
            Some(hash) => Some(hash),
            None => self.api.stat_many(std::slice::from_ref(&source.path)).await?.pop().and_then(|node| node.hash),
        };
        let Some(expected) = known else {
            self.observer.notice(&source.path.to_string(), "could not be verified: the server tells no hash of it");
            return Ok(arrived);
        };
        let (path, hasher) = (arrived.file.path().to_owned(), hasher.clone());
        let found = spawn_blocking(move || match hasher.clone().cells_hash() {
            Some(hash) => Ok(Some(hash)),
            None => hash_file(&path, Scheme::Parts(CELLS_BLOCK)).map(Hasher::cells_hash),
        })
        .await
        .map_err(io::Error::other)
        .and_then(|result| result)
        .map_err(|error| TransferError::local(arrived.file.path(), error))?
        .unwrap_or_default();
        if found == expected {
            return Ok(arrived);
        }
        if hash_mismatch.as_deref() == Some(found.as_str()) {
            // Twice the same bytes: it is the server's hash that is stale, which happens for good.
            self.observer.notice(
                &source.path.to_string(),
                "arrived twice with the same content, but the server's hash of it is another; kept",
            );
            return Ok(arrived);
        }
        *hash_mismatch = Some(found.clone());
        Err(self.mismatch(item, source, "x-cells-hash", expected, found))
    }

    fn mismatch(
        &self,
        item: ItemNumber,
        source: &Node,
        what: &'static str,
        expected: String,
        found: String,
    ) -> TransferError {
        self.observer.item_restarted(item);
        TransferError::Integrity { path: source.path.to_string(), what, expected, found }
    }
}

/// Decides from what is at the target now. Blocking.
fn decide_locally(target: &Path, node: &Node, policy: IfExists) -> Result<Decision, TransferError> {
    let metadata = match fs::metadata(target) {
        Ok(metadata) => metadata,
        // Also a dangling link: the download replaces the link, not what it points at.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Decision::Transfer(Reason::New)),
        Err(error) => return Err(TransferError::local(target, error)),
    };
    if metadata.is_dir() {
        return Err(TransferError::Clash { path: target.display().to_string(), kind: "folder" });
    }
    let same_content = policy != IfExists::Skip
        && metadata.is_file()
        && same_content(target, metadata.len(), node).map_err(|error| TransferError::local(target, error))?;
    let local = metadata.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
    let source_is_newer = match (node.modified, local) {
        (Some(remote), Some(local)) => remote.as_second() > local.as_second(),
        _ => false,
    };
    Ok(decide(policy, Some(Comparison { same_content, source_is_newer })))
}

fn free_target(target: &Path) -> Result<PathBuf, TransferError> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    free_names(&name)
        .map(|name| target.with_file_name(name))
        .find(|path| fs::symlink_metadata(path).is_err())
        .ok_or_else(|| TransferError::Exists(target.display().to_string()))
}

fn begin(target: &Path, etag: &str, size: u64, verify: bool) -> Result<Arrived, TransferError> {
    let folder = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".cec-").suffix(".part");
    #[cfg(unix)]
    let permissions = {
        use std::os::unix::fs::PermissionsExt;
        // What the umask leaves of this is what any new file of the user has.
        fs::Permissions::from_mode(0o666)
    };
    #[cfg(unix)]
    builder.permissions(permissions);
    // The error would name the temporary file, which tells the user nothing.
    let file =
        builder.tempfile_in(folder).map_err(|error| TransferError::local(target, io::Error::from(error.kind())))?;
    let scheme = Scheme::of_etag(etag, size).unwrap_or(Scheme::Parts(CELLS_BLOCK));
    Ok(Arrived { file, hasher: verify.then(|| Hasher::new(scheme)), bytes: 0, etag: etag.to_owned() })
}

fn write_all(mut arrived: Arrived, mut receiver: mpsc::Receiver<Bytes>) -> io::Result<Arrived> {
    while let Some(chunk) = receiver.blocking_recv() {
        arrived.file.as_file_mut().write_all(&chunk)?;
        if let Some(hasher) = &mut arrived.hasher {
            hasher.update(&chunk);
        }
        arrived.bytes += chunk.len() as u64;
    }
    Ok(arrived)
}

/// Flushes a verified file and gives it its name. Blocking.
fn publish(
    file: NamedTempFile,
    target: &Path,
    modified: Option<SystemTime>,
    replace: bool,
) -> Result<(), TransferError> {
    let fail = |error| TransferError::local(target, error);
    if let Some(modified) = modified {
        file.as_file().set_modified(modified).map_err(fail)?;
    }
    keep_mode(target, file.as_file()).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    let persisted = if replace { file.persist(target) } else { file.persist_noclobber(target) };
    match persisted {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(TransferError::Exists(target.display().to_string()))
        }
        Err(error) => Err(fail(error.error)),
    }
}

/// A file that replaces another keeps the other's permissions.
fn keep_mode(target: &Path, file: &File) -> io::Result<()> {
    match fs::metadata(target) {
        Ok(metadata) if metadata.is_file() => file.set_permissions(metadata.permissions()),
        _ => Ok(()),
    }
}

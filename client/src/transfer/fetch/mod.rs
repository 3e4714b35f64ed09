//! Downloads one file. The state of the target decides, and a content gets the target's name only if it is complete and
//! verified.

mod attempts;
pub mod listed;
pub(in crate::transfer) mod partial;

pub use attempts::Reader;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio::task::spawn_blocking;

use crate::api::Node;
use crate::sys::open;
use crate::transfer::error::NO_FILE;
use crate::transfer::event::{Direction, ItemNumber, ItemOutcome, Reason};
use crate::transfer::fetch::partial::Partial;
use crate::transfer::journal::Ends;
use crate::transfer::plan::decision::{Comparison, Decision, decide, free_names};
use crate::transfer::plan::download::can_write;
use crate::transfer::plan::step::DownloadCandidate;
use crate::transfer::verify::same_content;
use crate::transfer::{Engine, IfExists, TransferError};

/// How many times the target may unexpectedly exist before that is the outcome.
const MOST_SURPRISES: usize = 10;

/// The result of a download.
pub struct Downloaded {
    /// The outcome.
    pub outcome: ItemOutcome,
    /// The path of the file, which a rename may have changed.
    pub target: PathBuf,
    /// The ETag of the downloaded content, if known.
    pub etag: Option<String>,
    /// The size in bytes of the downloaded content, which may differ from the listed size.
    pub size: u64,
}

impl Engine {
    /// Downloads a file if the policy requires it. If something appears at the target during the download, the policy
    /// decides again.
    ///
    /// # Errors
    /// Any [`TransferError`] that remains after all retries.
    pub async fn download(&self, item: ItemNumber, candidate: &DownloadCandidate) -> Result<Downloaded, TransferError> {
        if candidate.source.is_temporary() {
            return Err(TransferError::Unfinished(candidate.source.path.to_string()));
        }
        let mut fetched = None;
        for surprises in 0..MOST_SURPRISES {
            let mut target = candidate.target.clone();
            let (etag, size) = (candidate.source.etag.clone(), candidate.source.size);
            let decision = if candidate.in_new_folder && surprises == 0 {
                decide(self.options.if_exists, None)
            } else {
                self.decide_download(candidate).await?
            };
            let reason = match decision {
                Decision::Unchanged => {
                    let ends = Ends { direction: Direction::Download, local: &target, remote: &candidate.source.path };
                    self.options.journals.settle(&self.api, ends).await;
                    self.keep_time(candidate)?;
                    return Ok(Downloaded { outcome: ItemOutcome::Unchanged, target, etag, size });
                }
                Decision::Skip => return Ok(Downloaded { outcome: ItemOutcome::Skipped, target, etag, size }),
                Decision::Exists => break,
                Decision::Transfer(reason) => reason,
            };
            if reason == Reason::Renamed {
                target = free_target(&target)?;
            }
            if self.options.dry_run {
                let place = target.clone();
                let writable = spawn_blocking(move || can_write(&place)).await;
                writable.map_err(|error| TransferError::local(&target, io::Error::other(error)))??;
                return Ok(Downloaded { outcome: ItemOutcome::Transferred(reason), target, etag: None, size });
            }
            let replace = reason != Reason::New && reason != Reason::Renamed;
            let place = if replace { behind_link(&target) } else { target.clone() };
            let partial = match fetched.take() {
                Some(partial) => partial,
                None => self.fetch(item, &candidate.source, &place, replace).await?,
            };
            let (etag, size) = (Some(partial.etag.clone()), partial.bytes);
            match self.publish(partial, place, candidate, replace).await? {
                None => return Ok(Downloaded { outcome: ItemOutcome::Transferred(reason), target, etag, size }),
                surprised => fetched = surprised,
            }
        }
        Err(TransferError::Exists(candidate.target.display().to_string()))
    }

    async fn decide_download(&self, candidate: &DownloadCandidate) -> Result<Decision, TransferError> {
        let (target, node, policy) = (candidate.target.clone(), candidate.source.clone(), self.options.if_exists);
        spawn_blocking(move || decide_locally(&target, &node, policy))
            .await
            .map_err(|error| TransferError::local(&candidate.target, io::Error::other(error)))?
    }

    /// Gives the downloaded content its name. Returns the content if the name is in use.
    async fn publish(
        &self,
        partial: Partial,
        place: PathBuf,
        candidate: &DownloadCandidate,
        replace: bool,
    ) -> Result<Option<Partial>, TransferError> {
        let modified = self.time_to_keep(&candidate.source);
        let fail = |error| TransferError::local(&candidate.target, error);
        let temporaries = self.options.temporaries.clone();
        let published = spawn_blocking(move || partial.publish(&temporaries, &place, modified, replace)).await;
        published.map_err(|error| fail(io::Error::other(error)))?.map_err(fail)
    }

    /// Returns the modification time for the local file, if it must match the server's.
    fn time_to_keep(&self, source: &Node) -> Option<SystemTime> {
        source.modified.filter(|_| self.options.preserve).and_then(|time| SystemTime::try_from(time).ok())
    }

    /// Sets only the modification time of a file that already has the content.
    fn keep_time(&self, candidate: &DownloadCandidate) -> Result<(), TransferError> {
        let fail = |error| TransferError::local(&candidate.target, error);
        let Some(wanted) = self.time_to_keep(&candidate.source).filter(|_| !self.options.dry_run) else {
            return Ok(());
        };
        let file = open::regular_file(&candidate.target).map_err(fail)?;
        let has = file.metadata().and_then(|metadata| metadata.modified()).map_err(fail)?;
        if has == wanted { Ok(()) } else { file.set_modified(wanted).map_err(fail) }
    }
}

/// Applies the policy to the current state of the target. Blocking.
fn decide_locally(target: &Path, node: &Node, policy: IfExists) -> Result<Decision, TransferError> {
    let fail = |error| TransferError::local(target, error);
    let metadata = match fs::metadata(target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A dangling link also occupies the name. Nothing may be written to the path that it points to.
            let dangling = fs::symlink_metadata(target).is_ok();
            let existing = dangling.then_some(Comparison { same_content: false, source_is_newer: false });
            return Ok(decide(policy, existing));
        }
        Err(error) => return Err(fail(error)),
    };
    if !metadata.is_file() {
        let kind = if metadata.is_dir() { "folder" } else { NO_FILE };
        return Err(TransferError::clash(target.display(), kind));
    }
    let same_content = match policy {
        IfExists::Skip => false,
        _ => match same_content(target, metadata.len(), node) {
            // The contents cannot be compared, but the policy may still replace the file.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => false,
            compared => compared.map_err(fail)?,
        },
    };
    let local = metadata.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
    let source_is_newer = match (node.modified, local) {
        (Some(remote), Some(local)) => remote.as_second() > local.as_second(),
        _ => false,
    };
    Ok(decide(policy, Some(Comparison { same_content, source_is_newer })))
}

/// Returns the path of the content at a target: the end of a link that leads to a file, as in cp, otherwise the target.
fn behind_link(target: &Path) -> PathBuf {
    let is_link = fs::symlink_metadata(target).is_ok_and(|metadata| metadata.is_symlink());
    let behind = if is_link { fs::canonicalize(target).ok() } else { None };
    behind.unwrap_or_else(|| target.to_owned())
}

fn free_target(target: &Path) -> Result<PathBuf, TransferError> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    free_names(&name)
        .map(|name| target.with_file_name(name))
        .find(|path| fs::symlink_metadata(path).is_err())
        .ok_or_else(|| TransferError::Exists(target.display().to_string()))
}

//! Fetching one file: what is at its place decides, and only a content that is whole and verified gets the name.

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
use crate::transfer::event::{ItemNumber, ItemOutcome, Reason};
use crate::transfer::fetch::partial::Partial;
use crate::transfer::plan::decision::{Comparison, Decision, decide, free_names};
use crate::transfer::plan::download::can_write;
use crate::transfer::plan::step::DownloadCandidate;
use crate::transfer::verify::same_content;
use crate::transfer::{Engine, IfExists, TransferError};

/// How often a place may turn out to be taken after all, before that is the result.
const MOST_SURPRISES: usize = 10;

/// How a download ended: the outcome, the target (which a rename changes) and the server's ETag.
pub struct Downloaded {
    /// How it ended.
    pub outcome: ItemOutcome,
    /// Where it went.
    pub target: PathBuf,
    /// The ETag of what was fetched, where known.
    pub etag: Option<String>,
    /// Its bytes: those that came, which may differ from those that were listed.
    pub size: u64,
}

impl Engine {
    /// Decides on a file and fetches it if need be. Where something appears at its place meanwhile, the decision is
    /// made anew.
    ///
    /// # Errors
    /// Any [`TransferError`] that retrying did not mend.
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
                None => self.fetch(item, &candidate.source, &place).await?,
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

    /// Gives what has arrived its name; gives it back where the name turns out to be taken.
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

    /// The modification time that a file is to have here, if it is to have the server's.
    fn time_to_keep(&self, source: &Node) -> Option<SystemTime> {
        source.modified.filter(|_| self.options.preserve).and_then(|time| SystemTime::try_from(time).ok())
    }

    /// A file that has the content already gets the time alone.
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

/// Decides from what is at the target now. Blocking.
fn decide_locally(target: &Path, node: &Node, policy: IfExists) -> Result<Decision, TransferError> {
    let fail = |error| TransferError::local(target, error);
    let metadata = match fs::metadata(target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A link to nothing is in the way all the same, and nothing is written where it points.
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
            // Nobody knows whether it is the same, but it may be replaced all the same.
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

/// Where the content of a target is: behind a link that leads to a file, as with cp, or at the target itself.
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

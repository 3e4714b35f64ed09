//! Gives up transfers that an earlier run has left unfinished.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use crate::api::Node;
use crate::path::RemotePath;
use crate::s3::UploadId;
use crate::transfer::journal::{State, Unfinished};
use crate::transfer::{Engine, TransferError};

/// How much later than the last part of an upload its temporary node may seem to have changed: the clocks differ. A
/// later node is that of another upload.
const CLOCKS: Duration = Duration::from_secs(300);

impl Engine {
    /// Gives up an unfinished transfer of this account: aborts an upload on the server, removes its temporary node if
    /// it has one, or removes the temporary file of a download; then removes the journal.
    ///
    /// # Errors
    /// [`TransferError::InProgress`] if a process works on it; failures of the server and of the file system.
    pub async fn abandon(&self, unfinished: &Unfinished) -> Result<(), TransferError> {
        let local = &unfinished.header.local;
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock => TransferError::InProgress(local.display().to_string()),
            _ => TransferError::local(local, error),
        };
        let (journals, wanted) = (self.options.journals.clone(), unfinished.clone());
        let claim = spawn_blocking(move || journals.claim(&wanted)).await;
        let claim = claim.map_err(io::Error::other).and_then(|claim| claim).map_err(failed)?;
        if let State::Upload { upload, replaces, .. } = &unfinished.header.state {
            let target =
                RemotePath::parse(&unfinished.header.remote).map_err(|error| failed(io::Error::other(error)))?;
            // First the upload: without its node the server could no longer abort it.
            self.s3.abort_multipart(&target, &UploadId(upload.clone())).await?;
            if !replaces {
                self.remove_temporary_node(&target, unfinished).await?;
            }
        }
        let wanted = unfinished.clone();
        let removed = spawn_blocking(move || claim.remove(&wanted)).await;
        removed.map_err(io::Error::other).and_then(|removed| removed).map_err(failed)
    }

    /// Removes the node of a dead upload. The server does it when it aborts an upload that it still knows.
    async fn remove_temporary_node(&self, target: &RemotePath, unfinished: &Unfinished) -> Result<(), TransferError> {
        let Some(node) = self.at_rest(target).await.filter(Node::is_temporary) else { return Ok(()) };
        let active = Timestamp::try_from(unfinished.active + CLOCKS).ok();
        if node.modified.zip(active).is_none_or(|(modified, active)| modified <= active) {
            self.api.delete(std::slice::from_ref(target), true).await?;
        }
        Ok(())
    }
}

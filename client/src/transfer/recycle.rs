//! Moves existing nodes that are in the way to the recycle bin.

use std::time::Duration;

use tokio::time::Instant;

use crate::api::Node;
use crate::failure::ServerErrorKind;
use crate::path::RemotePath;
use crate::transfer::{Engine, TransferError};

/// How long to wait until a deletion is visible. After that, the upload that needs the name fails.
const RECYCLE_LIMIT: Duration = Duration::from_secs(60);

impl Engine {
    /// Moves a node to the recycle bin and waits until it is gone. In a dry run, only reports it.
    pub(in crate::transfer) async fn recycle(&self, node: &Node) -> Result<(), TransferError> {
        if !self.options.dry_run {
            self.move_to_recycle_bin(&node.path).await?;
        }
        self.observer.recycled(&node.path.marked(), node.is_folder());
        Ok(())
    }

    async fn move_to_recycle_bin(&self, path: &RemotePath) -> Result<(), TransferError> {
        self.api.delete(std::slice::from_ref(path), false).await?;
        let begun = Instant::now();
        loop {
            match self.api.stat(path).await {
                Err(error) if error.kind == ServerErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error.into()),
                Ok(node) if begun.elapsed() > RECYCLE_LIMIT => {
                    let kind = if node.is_folder() { "folder" } else { "file" };
                    return Err(TransferError::clash(path, kind));
                }
                Ok(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }
}

//! Planning a download: a remote tree becomes steps while it is walked; local folders are made on the way.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::event::Direction;
use super::plan::{Candidate, DownloadCandidate, Step};
use super::{Engine, TransferError};
use crate::api::Node;
use crate::path::RemotePath;
use crate::sys::local_name;
use crate::walk::remote::{self, RemoteItem, RemoteOptions};

/// A tree that is to come from the server.
#[derive(Debug)]
pub struct TreeDownload {
    /// The folder on the server.
    pub source: RemotePath,
    /// Where its contents go.
    pub target: PathBuf,
}

impl Engine {
    /// Walks a remote tree and sends its steps. Ends early when nobody takes them any more.
    pub(super) async fn plan_tree_download(&self, tree: TreeDownload, steps: &mpsc::Sender<Step>) {
        let mut places = Places { blocked: HashMap::new(), tree: &tree, engine: self };
        if let Err(error) = places.make(&tree.source, &tree.target) {
            let (source, target) = (tree.source.marked(), tree.target.display().to_string());
            let _ = steps.send(Step::Refused { direction: Direction::Download, source, target, error }).await;
            return;
        }
        let mut walk = remote::walk(&self.api, &self.s3, &tree.source, RemoteOptions::default());
        while let Some(item) = walk.recv().await {
            let step = match item {
                RemoteItem::Folder(node) => places.folder(&node),
                RemoteItem::File(node) => Some(places.file(node)),
                RemoteItem::RecycleBin(node) => Some(Step::Notice {
                    path: node.path.to_string(),
                    text: "the recycle bin is left out; name it as a source to fetch it".to_owned(),
                }),
                RemoteItem::Failed { folder, error } => Some(Step::Refused {
                    direction: Direction::Download,
                    source: folder.marked(),
                    target: String::new(),
                    error: error.into(),
                }),
            };
            if let Some(step) = step
                && self.add_step(steps, step).await.is_err()
            {
                return;
            }
        }
    }
}

/// Where the nodes of a tree go, and which folders cannot be used.
struct Places<'a> {
    blocked: HashMap<RemotePath, Arc<TransferError>>,
    tree: &'a TreeDownload,
    engine: &'a Engine,
}

impl Places<'_> {
    /// The local path of a node, if its folder can be used and its name can be a local one.
    fn place(&self, node: &Node) -> Result<PathBuf, TransferError> {
        let parent = node.path.parent().unwrap_or_default();
        if let Some(cause) = self.blocked.get(&parent) {
            return Err(TransferError::Folder { folder: parent.to_string(), source: cause.clone() });
        }
        local_name::check(node.name())
            .map_err(|reason| TransferError::LocalName { path: node.path.to_string(), reason })?;
        let relative = node.path.relative_to(&self.tree.source).unwrap_or_default();
        Ok(relative.split('/').fold(self.tree.target.clone(), |path, name| path.join(name)))
    }

    fn folder(&mut self, node: &Node) -> Option<Step> {
        let made = self.place(node).and_then(|place| self.make(&node.path, &place));
        match made {
            Ok(()) => None,
            Err(error) => {
                let error = Arc::new(error);
                self.blocked.insert(node.path.clone(), error.clone());
                Some(Step::Refused {
                    direction: Direction::Download,
                    source: node.path.marked(),
                    target: String::new(),
                    error: TransferError::Folder { folder: node.path.to_string(), source: error },
                })
            }
        }
    }

    fn file(&self, node: Node) -> Step {
        match self.place(&node) {
            Ok(target) => Step::File(Candidate::Download(DownloadCandidate { source: node, target })),
            Err(error) => Step::Refused {
                direction: Direction::Download,
                source: node.path.marked(),
                target: String::new(),
                error,
            },
        }
    }

    fn make(&self, source: &RemotePath, place: &Path) -> Result<(), TransferError> {
        match fs::metadata(place) {
            Ok(metadata) if metadata.is_dir() => return Ok(()),
            Ok(_) => return Err(TransferError::Clash { path: place.display().to_string(), kind: "file" }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(TransferError::local(place, error)),
        }
        if !self.engine.options.dry_run {
            fs::create_dir(place).map_err(|error| TransferError::local(place, error))?;
        }
        self.engine.observer.folder_made(&source.to_string());
        Ok(())
    }
}

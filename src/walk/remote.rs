//! Remote trees: listings with hidden names completed, several in flight, parents always before their children.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::WalkError;
use crate::api::{Client, Node};
use crate::path::{RemotePath, check_folder_name};
use crate::s3;

/// How many listings a walk keeps in flight: the server serves no more at once.
pub const LISTINGS_IN_FLIGHT: usize = 4;

/// How many found nodes wait to be taken before the walk pauses.
const QUEUE: usize = 1024;

/// The name of the folder at a workspace's root that holds what was deleted.
pub const RECYCLE_BIN: &str = "recycle_bin";

/// Whether this is the recycle bin of a workspace itself.
pub fn is_recycle_bin(path: &RemotePath) -> bool {
    let mut below = path.segments().skip(1);
    below.next() == Some(RECYCLE_BIN) && below.next().is_none()
}

/// Whether this is the recycle bin of a workspace, or lies in one.
pub fn is_in_recycle_bin(path: &RemotePath) -> bool {
    path.segments().nth(1) == Some(RECYCLE_BIN)
}

/// All children of a folder, dot names included.
///
/// The REST listing leaves out names that start with a dot but counts them. Where the count says that some are
/// missing, an S3 LIST of the folder names them and a stat describes them; they come last.
pub fn children(
    api: &Client,
    s3: &s3::Client,
    folder: &RemotePath,
) -> impl Stream<Item = Result<Node, WalkError>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (api, s3, folder) = (api.clone(), s3.clone(), folder.clone());
    tokio::spawn(async move {
        if let Err(error) = send_children(&api, &s3, &folder, &sender).await {
            // A receiver that is gone wants no more.
            let _ = sender.send(Err(explained(error, &folder))).await;
        }
    });
    stream::unfold(receiver, |mut receiver| async move {
        let item = receiver.recv().await?;
        Some((item, receiver))
    })
}

/// The children of a folder as they come, dot names included where `hidden` is set; those of the root are the
/// workspaces.
pub fn listing(
    api: &Client,
    s3: &s3::Client,
    folder: &RemotePath,
    hidden: bool,
) -> BoxStream<'static, Result<Node, WalkError>> {
    if hidden && !folder.is_root() {
        return children(api, s3, folder).boxed();
    }
    let path = folder.clone();
    api.children(folder).map_err(move |error| explained(error.into(), &path)).boxed()
}

/// The true cause of a listing that failed (docs/protocol.md §2.1).
fn explained(error: WalkError, folder: &RemotePath) -> WalkError {
    let is_servers = matches!(&error, WalkError::Api(error) if error.status == Some(500));
    if is_servers && !folder.is_workspace() && check_folder_name(folder.name()).is_err() {
        return WalkError::ArchiveFolder(folder.clone());
    }
    error
}

async fn send_children(
    api: &Client,
    s3: &s3::Client,
    folder: &RemotePath,
    sender: &mpsc::Sender<Result<Node, WalkError>>,
) -> Result<(), WalkError> {
    let total = Arc::new(AtomicU64::new(0));
    let mut seen = 0_u64;
    let mut visible = std::pin::pin!(api.counted_children(folder, total.clone()));
    while let Some(node) = visible.try_next().await? {
        seen += 1;
        if sender.send(Ok(node)).await.is_err() {
            return Ok(());
        }
    }
    if total.load(Ordering::Relaxed) > seen {
        for node in hidden_children(api, s3, folder).await? {
            if sender.send(Ok(node)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The children of a folder whose names start with a dot.
async fn hidden_children(api: &Client, s3: &s3::Client, folder: &RemotePath) -> Result<Vec<Node>, WalkError> {
    let hidden: Vec<RemotePath> = s3
        .list(folder)
        .try_filter_map(async |entry| Ok(entry.path.name().starts_with('.').then_some(entry.path)))
        .try_collect()
        .await?;
    Ok(api.stat_many(&hidden).await?)
}

/// One step of a walk.
#[derive(Debug)]
pub enum RemoteItem {
    /// A folder; what it holds comes later.
    Folder(Node),
    /// A file.
    File(Node),
    /// The recycle bin at a workspace's root, which is left out.
    RecycleBin(Node),
    /// A folder that could not be listed, or not to its end.
    Failed {
        /// The folder.
        folder: RemotePath,
        /// Why.
        error: WalkError,
    },
}

/// How a tree is walked.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemoteOptions {
    /// Go into the recycle bin of a workspace that is walked from its root.
    pub recycle_bin: bool,
    /// How deep to go: 1 is the root's own children; `None` all the way.
    pub depth: Option<usize>,
}

/// Everything below `root` (itself not included). An unreadable folder is one [`RemoteItem::Failed`]; the rest goes on.
pub fn walk(api: &Client, s3: &s3::Client, root: &RemotePath, options: RemoteOptions) -> mpsc::Receiver<RemoteItem> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (api, s3, root) = (api.clone(), s3.clone(), root.clone());
    tokio::spawn(async move {
        // Last in, first out: the folders that wait are then those beside the path being walked, not a whole level.
        let mut waiting = vec![(root.clone(), 1_usize)];
        let mut running = JoinSet::new();
        loop {
            while running.len() < LISTINGS_IN_FLIGHT {
                let Some((folder, depth)) = waiting.pop() else { break };
                let (api, s3, sender) = (api.clone(), s3.clone(), sender.clone());
                let bin = (!options.recycle_bin && folder.is_workspace()).then(|| folder.join(RECYCLE_BIN));
                running.spawn(async move { (list_folder(&api, &s3, &folder, bin, &sender).await, depth) });
            }
            match running.join_next().await {
                None => return,
                Some(Ok((folders, depth))) => {
                    if options.depth.is_none_or(|limit| depth < limit) {
                        waiting.extend(folders.into_iter().rev().map(|folder| (folder, depth + 1)));
                    }
                }
                // A listing that panicked or was cancelled ends the walk; the channel closes.
                Some(Err(_)) => return,
            }
            if sender.is_closed() {
                return;
            }
        }
    });
    receiver
}

/// Sends a folder's children and gives back the folders among them.
async fn list_folder(
    api: &Client,
    s3: &s3::Client,
    folder: &RemotePath,
    recycle_bin: Option<RemotePath>,
    sender: &mpsc::Sender<RemoteItem>,
) -> Vec<RemotePath> {
    let mut folders = Vec::new();
    let mut names = HashSet::new();
    let mut stream = std::pin::pin!(children(api, s3, folder));
    while let Some(next) = stream.next().await {
        let item = match next {
            Ok(node) if recycle_bin.as_ref() == Some(&node.path) => RemoteItem::RecycleBin(node),
            // A change between two pages can show a node under its old and its new place.
            Ok(node) if !names.insert(node.name().to_owned()) => continue,
            Ok(node) if node.is_folder() => {
                // A server that lists a folder in another one must not send the walk round in circles.
                if node.path.parent().as_ref() == Some(folder) {
                    folders.push(node.path.clone());
                }
                RemoteItem::Folder(node)
            }
            Ok(node) => RemoteItem::File(node),
            Err(error) => RemoteItem::Failed { folder: folder.clone(), error },
        };
        if sender.send(item).await.is_err() {
            return Vec::new();
        }
    }
    folders
}

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
use crate::http::retry::{self, RetryPolicy};
use crate::path::{FOLDER_MARKER, RemotePath, check_folder_name};
use crate::s3;

/// How many listings a walk keeps in flight: the server serves no more at once.
pub const LISTINGS_IN_FLIGHT: usize = 4;

/// How many found nodes wait to be taken before the walk pauses.
const QUEUE: usize = 1024;

/// The name of the folder at a workspace's root that holds what was deleted.
pub const RECYCLE_BIN: &str = "recycle_bin";

/// Whether a name is that of one of the several roots of a shared workspace: eight hexadecimal digits, a dash, and what it is
/// called elsewhere (docs/protocol.md §2.4).
fn is_root_name(name: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    name.as_bytes().get(8) == Some(&b'-') && name.bytes().take(8).all(is_hex)
}

/// How many names lead to the recycle bin that a path is or lies in: it is in the workspace, or in one of its several roots.
/// What only looks like such a root is treated as one: what is deleted in a recycle bin is gone for good.
pub fn depth_of_recycle_bin(path: &RemotePath) -> Option<usize> {
    let mut below = path.segments().skip(1);
    let (first, second) = (below.next()?, below.next());
    match () {
        () if first == RECYCLE_BIN => Some(2),
        () if is_root_name(first) && second == Some(RECYCLE_BIN) => Some(3),
        () => None,
    }
}

/// Whether this is the recycle bin of a workspace itself.
pub fn is_recycle_bin(path: &RemotePath) -> bool {
    depth_of_recycle_bin(path).is_some_and(|depth| path.segments().count() == depth)
}

/// Whether this is the recycle bin of a workspace, or lies in one.
pub fn is_in_recycle_bin(path: &RemotePath) -> bool {
    depth_of_recycle_bin(path).is_some()
}

/// Where the recycle bin is that something is moved to when it is deleted.
pub fn recycle_bin_of(path: &RemotePath) -> RemotePath {
    let names = path.segments().nth(1).map_or(1, |first| if is_root_name(first) { 2 } else { 1 });
    let root: Vec<&str> = path.segments().take(names).collect();
    RemotePath::root().join(&root.join("/")).join(RECYCLE_BIN)
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
    children_of(api, s3, folder, None)
}

/// [`children`] of a folder that has so many, where that is known.
fn children_of(
    api: &Client,
    s3: &s3::Client,
    folder: &RemotePath,
    count: Option<u64>,
) -> impl Stream<Item = Result<Node, WalkError>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (api, s3, folder) = (api.clone(), s3.clone(), folder.clone());
    tokio::spawn(async move {
        if let Err(error) = send_children(&api, &s3, &folder, count, &sender).await {
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
    let is_servers = matches!(&error, WalkError::Server(error) if error.status == Some(500));
    if is_servers && !folder.is_workspace() && check_folder_name(folder.name()).is_err() {
        return WalkError::ArchiveFolder(folder.clone());
    }
    error
}

async fn send_children(
    api: &Client,
    s3: &s3::Client,
    folder: &RemotePath,
    count: Option<u64>,
    sender: &mpsc::Sender<Result<Node, WalkError>>,
) -> Result<(), WalkError> {
    let api = &patient_with(api, folder);
    let (total, seen) = send_visible(api, folder, sender).await?;
    let is_empty = total == 0 && seen == 0;
    let (total, seen) = if is_empty && count != Some(0) && counts_children(api, folder).await? {
        // The answer may have been that of another, empty folder.
        api.stop_reuse();
        send_visible(api, folder, sender).await?
    } else {
        (total, seen)
    };
    if total > seen {
        for node in hidden_children(api, s3, folder).await? {
            if sender.send(Ok(node)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The client for the listing of a folder. The server fails on each folder that is called like an archive, however often
/// it is asked.
fn patient_with(api: &Client, folder: &RemotePath) -> Client {
    let is_hopeless = !folder.is_workspace() && check_folder_name(folder.name()).is_err();
    if is_hopeless { api.clone().with_retry(RetryPolicy::never()) } else { api.clone() }
}

/// Sends the children that the listing shows; how many the server counts, and how many came.
async fn send_visible(
    api: &Client,
    folder: &RemotePath,
    sender: &mpsc::Sender<Result<Node, WalkError>>,
) -> Result<(u64, u64), WalkError> {
    let total = Arc::new(AtomicU64::new(0));
    let mut seen = 0_u64;
    let mut visible = std::pin::pin!(api.counted_children(folder, total.clone()));
    while let Some(node) = visible.try_next().await? {
        seen += 1;
        if sender.send(Ok(node)).await.is_err() {
            return Ok((0, seen));
        }
    }
    Ok((total.load(Ordering::Relaxed), seen))
}

/// Whether the server counts children of a folder whose listing was empty.
async fn counts_children(api: &Client, folder: &RemotePath) -> Result<bool, WalkError> {
    let described = api.stat_many(std::slice::from_ref(folder)).await?;
    Ok(described.iter().any(|node| node.children.is_some_and(|count| count > 0)))
}

/// The children of a folder whose names start with a dot.
async fn hidden_children(api: &Client, s3: &s3::Client, folder: &RemotePath) -> Result<Vec<Node>, WalkError> {
    let is_hidden = |path: &RemotePath| path.name().starts_with('.') && path.name() != FOLDER_MARKER;
    let listed = |_| {
        let names = s3.list(folder).try_filter_map(async |entry| Ok(Some(entry.path).filter(is_hidden)));
        names.try_collect::<Vec<RemotePath>>()
    };
    let hidden = retry::run(api.retry_policy(), listed, |_, _, _| {}).await?;
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

/// Everything below `root` (itself not included). A folder whose listing fails for a passing reason is listed once more
/// when all else is done; one that cannot be read is one [`RemoteItem::Failed`], and the rest goes on.
pub fn walk(api: &Client, s3: &s3::Client, root: &RemotePath, options: RemoteOptions) -> mpsc::Receiver<RemoteItem> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (api, s3, root) = (api.clone(), s3.clone(), root.clone());
    tokio::spawn(async move {
        // Last in, first out: the folders that wait are then those beside the path being walked, not a whole level.
        let mut waiting = vec![Folder::new(root, None, 1)];
        let mut set_aside = Vec::new();
        let mut running = JoinSet::new();
        loop {
            while running.len() < LISTINGS_IN_FLIGHT {
                let Some(folder) = waiting.pop() else { break };
                let (api, s3, sender) = (api.clone(), s3.clone(), sender.clone());
                running.spawn(async move { list_folder(&api, &s3, folder, options.recycle_bin, &sender).await });
            }
            match running.join_next().await {
                None if set_aside.is_empty() => return,
                None => waiting.append(&mut set_aside),
                Some(Ok(Listed { folder, folders, again })) => {
                    if options.depth.is_none_or(|limit| folder.depth < limit) {
                        let below =
                            folders.into_iter().rev().map(|(path, count)| Folder::new(path, count, folder.depth + 1));
                        waiting.extend(below);
                    }
                    if again {
                        set_aside.push(Folder { last_pass: true, ..folder });
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

/// A folder that is to be listed.
struct Folder {
    path: RemotePath,
    /// How many children the server counts in it, where that is known.
    count: Option<u64>,
    /// That of the root is 1.
    depth: usize,
    /// The names that were sent already.
    names: HashSet<String>,
    /// A failure is final.
    last_pass: bool,
}

impl Folder {
    fn new(path: RemotePath, count: Option<u64>, depth: usize) -> Self {
        Self { path, count, depth, names: HashSet::new(), last_pass: false }
    }
}

/// What came of a listing.
struct Listed {
    folder: Folder,
    /// The folders that are in it, with the number of their children where that is known.
    folders: Vec<(RemotePath, Option<u64>)>,
    /// It failed for a passing reason.
    again: bool,
}

/// Sends a folder's children and gives back the folders among them.
async fn list_folder(
    api: &Client,
    s3: &s3::Client,
    mut folder: Folder,
    recycle_bin: bool,
    sender: &mpsc::Sender<RemoteItem>,
) -> Listed {
    let bin = Some(folder.path.join(RECYCLE_BIN)).filter(|bin| !recycle_bin && is_recycle_bin(bin));
    let mut folders = Vec::new();
    let mut stream = std::pin::pin!(children_of(api, s3, &folder.path, folder.count));
    while let Some(next) = stream.next().await {
        let item = match next {
            // A change between two pages can show a node under its old and its new place.
            Ok(node) if !folder.names.insert(node.name().to_owned()) => continue,
            Ok(node) if bin.as_ref() == Some(&node.path) => RemoteItem::RecycleBin(node),
            Ok(node) if node.is_folder() => {
                // A server that lists a folder in another one must not send the walk round in circles.
                if node.path.parent().as_ref() == Some(&folder.path) && !matches!(node.name(), "." | "..") {
                    folders.push((node.path.clone(), node.children));
                }
                RemoteItem::Folder(node)
            }
            Ok(node) => RemoteItem::File(node),
            Err(error) if !folder.last_pass && error.is_transient() => return Listed { folder, folders, again: true },
            Err(error) => RemoteItem::Failed { folder: folder.path.clone(), error },
        };
        if sender.send(item).await.is_err() {
            return Listed { folder, folders: Vec::new(), again: false };
        }
    }
    Listed { folder, folders, again: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recycle_bins_are_in_workspaces_and_in_each_of_several_roots() {
        let path = |text: &str| RemotePath::parse(text).expect("a path");
        for text in ["ws/recycle_bin", "cell/1f3d199f-new/recycle_bin"] {
            assert!(is_recycle_bin(&path(text)) && is_in_recycle_bin(&path(text).join("a/b")), "{text}");
            assert!(!is_recycle_bin(&path(text).join("a")), "{text}");
        }
        for text in
            ["ws", "ws/a/recycle_bin", "ws/1f3d199g-new/recycle_bin", "ws/1f3d199f/recycle_bin", "recycle_bin/a"]
        {
            assert!(!is_in_recycle_bin(&path(text)), "{text}");
        }
        assert_eq!(recycle_bin_of(&path("ws/a/b")), path("ws/recycle_bin"));
        assert_eq!(recycle_bin_of(&path("cell/1f3d199f-new/b")), path("cell/1f3d199f-new/recycle_bin"));
    }
}

//! Remote trees: listings completed with hidden names, several in flight, parents always before their children.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::WalkError;
use super::filter::Filter;
use crate::api::{Client, Node};
use crate::http::retry::{self, RetryPolicy};
use crate::path::{FOLDER_MARKER, RemotePath, check_folder_name};
use crate::s3;

/// The number of listings in flight. The server handles no more at the same time.
pub const LISTINGS_IN_FLIGHT: usize = 4;

/// The number of nodes that wait for the receiver before the walk pauses.
const QUEUE: usize = 1024;

/// The name of the recycle bin in a workspace's root.
pub const RECYCLE_BIN: &str = "recycle_bin";

/// Whether a name is that of one of several roots of a shared workspace: eight hexadecimal digits, a dash, and its
/// original name (docs/protocol.md §2.4).
fn is_root_name(name: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    name.as_bytes().get(8) == Some(&b'-') && name.bytes().take(8).all(is_hex)
}

/// Returns the number of names in the path of the recycle bin that `path` is or is in: the bin is in the workspace, or
/// in one of its several roots. Anything that looks like such a root is treated as one, because a deletion inside a
/// recycle bin is final.
pub fn depth_of_recycle_bin(path: &RemotePath) -> Option<usize> {
    let mut below = path.segments().skip(1);
    let (first, second) = (below.next()?, below.next());
    match () {
        () if first == RECYCLE_BIN => Some(2),
        () if is_root_name(first) && second == Some(RECYCLE_BIN) => Some(3),
        () => None,
    }
}

/// Whether this is the recycle bin of a workspace.
pub fn is_recycle_bin(path: &RemotePath) -> bool {
    depth_of_recycle_bin(path).is_some_and(|depth| path.segments().count() == depth)
}

/// Whether this is the recycle bin of a workspace, or is inside one.
pub fn is_in_recycle_bin(path: &RemotePath) -> bool {
    depth_of_recycle_bin(path).is_some()
}

/// Returns the path of the recycle bin for the deletion of a node.
pub fn recycle_bin_of(path: &RemotePath) -> RemotePath {
    let names = path.segments().nth(1).map_or(1, |first| if is_root_name(first) { 2 } else { 1 });
    let root: Vec<&str> = path.segments().take(names).collect();
    RemotePath::root().join(&root.join("/")).join(RECYCLE_BIN)
}

/// Returns all children of a folder, including those whose name starts with a dot.
///
/// The REST listing omits those but counts them. If the count shows that some are missing, an S3 listing of the folder
/// names them, and a stat describes them; they come last.
pub fn children(
    api: &Client,
    s3: &s3::Client,
    folder: &RemotePath,
) -> impl Stream<Item = Result<Node, WalkError>> + Send + 'static {
    children_of(api, s3, folder, None)
}

/// Like [`children`], for a folder whose number of children is known.
fn children_of(
    api: &Client,
    s3: &s3::Client,
    folder: &RemotePath,
    count: Option<u64>,
) -> impl Stream<Item = Result<Node, WalkError>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (api, s3, folder) = (api.clone(), s3.clone(), folder.clone());
    // On its own task, so that the next pages are requested while the caller handles the first one.
    tokio::spawn(async move {
        if let Err(error) = send_children(&api, &s3, &folder, count, &sender).await {
            // The receiver is gone if the caller needs no more.
            let _ = sender.send(Err(explained(error, &folder))).await;
        }
    });
    stream::unfold(receiver, |mut receiver| async move {
        let item = receiver.recv().await?;
        Some((item, receiver))
    })
}

/// Returns the children of a folder as they arrive, including hidden ones if `hidden`. The children of the root are the
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

/// Returns the true cause of a failed listing (docs/protocol.md §2.1).
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
    // A folder that is really empty is answered in the same way as one that a proxy has mixed up, so the count decides.
    let (total, seen) = if is_empty && count != Some(0) && counts_children(api, folder).await? {
        // The answer may have been that of another, empty folder.
        api.stop_reuse();
        send_visible(api, folder, sender).await?
    } else {
        (total, seen)
    };
    // The server counts hidden names but does not list them, so the difference shows whether the S3 listing is worth
    // its cost.
    if total > seen {
        for node in hidden_children(api, s3, folder).await? {
            if sender.send(Ok(node)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Returns the client for the listing of a folder. Without retries for a folder with the name of an archive, because
/// the server always fails on it.
fn patient_with(api: &Client, folder: &RemotePath) -> Client {
    let is_hopeless = !folder.is_workspace() && check_folder_name(folder.name()).is_err();
    if is_hopeless { api.clone().with_retry(RetryPolicy::never()) } else { api.clone() }
}

/// Sends the visible children. Returns how many the server counts, and how many arrived.
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
            // A total of 0 keeps the caller from looking for hidden names that nobody will receive.
            return Ok((0, seen));
        }
    }
    Ok((total.load(Ordering::Relaxed), seen))
}

/// Whether the server counts children in a folder whose listing was empty.
async fn counts_children(api: &Client, folder: &RemotePath) -> Result<bool, WalkError> {
    let described = api.stat_many(std::slice::from_ref(folder)).await?;
    Ok(described.iter().any(|node| node.children.is_some_and(|count| count > 0)))
}

/// Returns the hidden children of a folder.
async fn hidden_children(api: &Client, s3: &s3::Client, folder: &RemotePath) -> Result<Vec<Node>, WalkError> {
    let is_hidden = |path: &RemotePath| path.name().starts_with('.') && path.name() != FOLDER_MARKER;
    let listed = |_| {
        let names = s3.list(folder).try_filter_map(async |entry| Ok(Some(entry.path).filter(is_hidden)));
        names.try_collect::<Vec<RemotePath>>()
    };
    let hidden = retry::run(api.retry_policy(), listed, |_, _, _| {}).await?;
    Ok(api.stat_many(&hidden).await?)
}

/// One item of a walk.
#[derive(Debug)]
pub enum RemoteItem {
    /// A folder. Its content comes later.
    Folder(Node),
    /// A file.
    File(Node),
    /// The recycle bin of a workspace, which is skipped.
    RecycleBin(Node),
    /// A file or folder that the filter leaves out.
    Excluded(Node),
    /// A folder that could not be listed, or not completely.
    Failed {
        /// The folder.
        folder: RemotePath,
        /// Why it failed.
        error: WalkError,
    },
}

/// Options of a walk.
#[derive(Debug, Clone, Default)]
pub struct RemoteOptions {
    /// What to leave out.
    pub filter: Arc<Filter>,
    /// Enter the recycle bin of a workspace that is walked from its root.
    pub recycle_bin: bool,
    /// The maximum depth: 1 means the children of the root; `None` means no limit.
    pub depth: Option<usize>,
}

/// Walks everything below `root`, without `root` itself. A folder whose listing fails temporarily is listed again at
/// the end. One that cannot be read results in one [`RemoteItem::Failed`], and the walk continues.
pub fn walk(api: &Client, s3: &s3::Client, root: &RemotePath, options: RemoteOptions) -> mpsc::Receiver<RemoteItem> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (api, s3) = (api.clone(), s3.clone());
    let scope = Arc::new(Scope { root: root.clone(), options });
    tokio::spawn(async move {
        // Last in, first out: then the waiting folders are those beside the present path, and not a complete level of
        // the tree.
        let mut waiting = vec![Folder::new(scope.root.clone(), None, 1)];
        let mut set_aside = Vec::new();
        let mut running = JoinSet::new();
        loop {
            while running.len() < LISTINGS_IN_FLIGHT {
                let Some(folder) = waiting.pop() else { break };
                let (api, s3, sender, scope) = (api.clone(), s3.clone(), sender.clone(), scope.clone());
                running.spawn(async move { list_folder(&api, &s3, folder, &scope, &sender).await });
            }
            match running.join_next().await {
                None if set_aside.is_empty() => return,
                None => waiting.append(&mut set_aside),
                Some(Ok(Listed { folder, folders, again })) => {
                    if scope.options.depth.is_none_or(|limit| folder.depth < limit) {
                        let below =
                            folders.into_iter().rev().map(|(path, count)| Folder::new(path, count, folder.depth + 1));
                        waiting.extend(below);
                    }
                    if again {
                        set_aside.push(Folder { last_pass: true, ..folder });
                    }
                }
                // A listing that panicked or was canceled ends the walk: the channel closes.
                Some(Err(_)) => return,
            }
            if sender.is_closed() {
                return;
            }
        }
    });
    receiver
}

/// What a walk is about.
struct Scope {
    root: RemotePath,
    options: RemoteOptions,
}

/// A folder to be listed.
struct Folder {
    path: RemotePath,
    /// The server's count of its children, if known.
    count: Option<u64>,
    /// The depth; the root has 1.
    depth: usize,
    /// The names that were already sent.
    names: HashSet<String>,
    /// Whether a failure is final.
    last_pass: bool,
}

impl Folder {
    fn new(path: RemotePath, count: Option<u64>, depth: usize) -> Self {
        Self { path, count, depth, names: HashSet::new(), last_pass: false }
    }
}

/// The result of a listing.
struct Listed {
    folder: Folder,
    /// The folders in it, with the number of their children, if known.
    folders: Vec<(RemotePath, Option<u64>)>,
    /// Whether it failed temporarily.
    again: bool,
}

/// Sends a folder's children, and returns the folders among them.
async fn list_folder(
    api: &Client,
    s3: &s3::Client,
    mut folder: Folder,
    scope: &Scope,
    sender: &mpsc::Sender<RemoteItem>,
) -> Listed {
    let bin = Some(folder.path.join(RECYCLE_BIN)).filter(|bin| !scope.options.recycle_bin && is_recycle_bin(bin));
    let mut folders = Vec::new();
    let mut stream = std::pin::pin!(children_of(api, s3, &folder.path, folder.count));
    while let Some(next) = stream.next().await {
        let item = match next {
            // If the folder changes between two pages, a node may appear under its old and its new position.
            Ok(node) if !folder.names.insert(node.name().to_owned()) => continue,
            Ok(node) if bin.as_ref() == Some(&node.path) => RemoteItem::RecycleBin(node),
            Ok(node) if !scope.options.filter.node(&scope.root, &node) => RemoteItem::Excluded(node),
            Ok(node) if node.is_folder() => {
                // A server that lists a folder inside another one must not make the walk endless.
                if node.path.parent().as_ref() == Some(&folder.path) && !matches!(node.name(), "." | "..") {
                    folders.push((node.path.clone(), node.children));
                }
                RemoteItem::Folder(node)
            }
            Ok(node) => RemoteItem::File(node),
            // What was sent stays sent; the names keep the second listing from sending it again.
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

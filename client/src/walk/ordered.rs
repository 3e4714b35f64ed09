//! A remote tree in order: each folder before its content, siblings as the server lists them. The next folders are
//! listed in advance, and only the present pages are in memory, whatever the size of a folder.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{self, Receiver};
use tokio_util::task::AbortOnDropHandle;

use super::WalkError;
use super::filter::Filter;
use super::remote::{self, LISTINGS_IN_FLIGHT};
use crate::api::{Client, Node};
use crate::path::RemotePath;
use crate::s3;

/// The number of nodes of one folder that wait for the caller before its listing pauses.
const QUEUE: usize = 256;

/// Options of a walk.
#[derive(Debug, Clone, Default)]
pub struct OrderedOptions {
    /// What to leave out.
    pub filter: Arc<Filter>,
    /// Whether to include names that start with a dot; they come last in their folder.
    pub hidden: bool,
    /// The maximum depth: 1 means the children of the root; `None` means no limit.
    pub depth: Option<usize>,
}

/// One step of a walk.
#[derive(Debug)]
pub enum Step {
    /// A node. The content of a folder follows immediately. The recycle bin of a workspace is reported but not entered.
    Node {
        /// The node.
        node: Node,
        /// Whether it is the last node in its folder.
        last: bool,
    },
    /// A folder, or the root, is complete. Folders that were not entered do not have this step.
    Left(RemotePath),
    /// A folder could not be listed, or not completely.
    Failed {
        /// The folder.
        folder: RemotePath,
        /// Why it failed.
        error: WalkError,
    },
}

/// A walk that advances when the caller requests a step.
pub struct OrderedWalk {
    api: Client,
    s3: s3::Client,
    root: RemotePath,
    options: OrderedOptions,
    /// The folders from the root to the present position.
    stack: Vec<Frame>,
}

/// A folder that the walk is in.
struct Frame {
    folder: RemotePath,
    listing: Listing,
    /// Nodes that have arrived, with the listings of the next folders among them.
    queue: VecDeque<(Node, Option<Listing>)>,
    failure: Option<WalkError>,
    ended: bool,
}

/// A listing that is fetched in the background.
struct Listing {
    nodes: Receiver<Result<Node, WalkError>>,
    _task: AbortOnDropHandle<()>,
}

/// Walks everything below `root`, without `root` itself. The children of the server's root are the workspaces.
pub fn walk(api: &Client, s3: &s3::Client, root: &RemotePath, options: OrderedOptions) -> OrderedWalk {
    let mut walk = OrderedWalk { api: api.clone(), s3: s3.clone(), root: root.clone(), options, stack: Vec::new() };
    let listing = walk.list(root);
    walk.enter(root.clone(), listing);
    walk
}

impl OrderedWalk {
    /// Returns the next step; `None` at the end. A failure is a step of its own, and the walk continues.
    pub async fn next(&mut self) -> Option<Step> {
        loop {
            self.take_what_came();
            self.list_ahead();
            let frame = self.stack.last_mut()?;
            // Whether a node is the last one is known only when the next one has not arrived.
            if frame.queue.len() < 2 && !frame.ended {
                let came = frame.listing.nodes.recv().await;
                frame.keep(came);
                continue;
            }
            if let Some((node, listing)) = frame.queue.pop_front() {
                let last = frame.queue.is_empty();
                if let Some(listing) = listing {
                    self.enter(node.path.clone(), listing);
                }
                return Some(Step::Node { node, last });
            }
            if let Some(error) = frame.failure.take() {
                return Some(Step::Failed { folder: frame.folder.clone(), error });
            }
            return self.stack.pop().map(|frame| Step::Left(frame.folder));
        }
    }

    fn enter(&mut self, folder: RemotePath, listing: Listing) {
        self.stack.push(Frame { folder, listing, queue: VecDeque::new(), failure: None, ended: false });
    }

    /// Takes the nodes that the listing of the present folder has ready.
    fn take_what_came(&mut self) {
        let Some(frame) = self.stack.last_mut() else { return };
        while frame.queue.len() < QUEUE && !frame.ended {
            match frame.listing.nodes.try_recv() {
                Ok(item) => frame.keep(Some(item)),
                Err(TryRecvError::Disconnected) => frame.keep(None),
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    /// Starts the listings of the next folders.
    fn list_ahead(&mut self) {
        let deep_enough = self.options.depth.is_some_and(|limit| self.stack.len() >= limit);
        let Some(frame) = self.stack.last().filter(|_| !deep_enough) else { return };
        let is_entered = |node: &Node| node.is_folder() && !remote::is_recycle_bin(&node.path);
        // Only a few in advance: each listing keeps pages in memory, and the server handles no more at the same time.
        let next = frame.queue.iter().enumerate().filter(|(_, (node, _))| is_entered(node)).take(LISTINGS_IN_FLIGHT);
        let missing: Vec<_> = next
            .filter(|(_, (_, listing))| listing.is_none())
            .map(|(index, (node, _))| (index, node.path.clone()))
            .collect();
        for (index, folder) in missing {
            let listing = self.list(&folder);
            if let Some((_, slot)) = self.stack.last_mut().and_then(|frame| frame.queue.get_mut(index)) {
                *slot = Some(listing);
            }
        }
    }

    fn list(&self, folder: &RemotePath) -> Listing {
        let (sender, nodes) = mpsc::channel(QUEUE);
        let mut children = remote::listing(&self.api, &self.s3, folder, self.options.hidden);
        let (root, filter) = (self.root.clone(), self.options.filter.clone());
        let task = tokio::spawn(async move {
            while let Some(item) = children.next().await {
                if matches!(&item, Ok(node) if !filter.node(&root, node)) {
                    continue;
                }
                if sender.send(item).await.is_err() {
                    return;
                }
            }
        });
        Listing { nodes, _task: AbortOnDropHandle::new(task) }
    }
}

impl Frame {
    fn keep(&mut self, came: Option<Result<Node, WalkError>>) {
        match came {
            Some(Ok(node)) => self.queue.push_back((node, None)),
            Some(Err(error)) => (self.failure, self.ended) = (Some(error), true),
            None => self.ended = true,
        }
    }
}

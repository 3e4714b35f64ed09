//! The folders on the server that an upload writes to: what is known of each, and their making in batches that
//! overlaps with the transfers.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{SetOnce, mpsc};

use crate::api::{Client, Node};
use crate::http::retry::{Advice, RetryPolicy, Retryable};
use crate::path::RemotePath;
use crate::transfer::TransferError;
use crate::transfer::error::Reach;
use crate::transfer::event::{Direction, Observer};

/// The most folders made by one call: more of them gain nothing and run into proxies' time limits.
pub const BATCH: usize = 100;

/// How many folders wait to be made before the planner pauses.
const QUEUE: usize = 4 * BATCH;

/// What is known of a folder on the server.
#[derive(Debug)]
pub enum FolderState {
    /// This run makes it: nothing can be in it.
    New,
    /// It was there: its children by name.
    Existing(HashMap<String, Node>),
    /// It was there, and what is in it may not be listed: each name is asked for by itself.
    Unlisted,
    /// Nothing can go there.
    Blocked(Arc<TransferError>),
}

/// A folder on the server that files go to.
#[derive(Debug)]
pub struct TargetFolder {
    /// Where it is, in NFC.
    pub path: RemotePath,
    state: SetOnce<FolderState>,
    made: SetOnce<Result<(), Arc<TransferError>>>,
    claimed: Mutex<HashSet<String>>,
    /// The UUID that it had first.
    uuid: OnceLock<String>,
    is_moved: AtomicBool,
}

impl TargetFolder {
    /// A folder of which nothing is known yet.
    pub fn unknown(path: RemotePath) -> Arc<Self> {
        Arc::new(Self {
            path,
            state: SetOnce::new(),
            made: SetOnce::new(),
            claimed: Mutex::default(),
            uuid: OnceLock::new(),
            is_moved: AtomicBool::new(false),
        })
    }

    /// A folder that exists, with those of its children that matter.
    pub fn existing(path: RemotePath, children: HashMap<String, Node>) -> Arc<Self> {
        let folder = Self::unknown(path);
        folder.learn(FolderState::Existing(children));
        folder
    }

    /// Says which folder it is; false, once, where it was another one before.
    pub(in crate::transfer) fn is_still(&self, uuid: &str) -> bool {
        uuid.is_empty()
            || self.uuid.get_or_init(|| uuid.to_owned()) == uuid
            || self.is_moved.swap(true, Ordering::Relaxed)
    }

    /// Takes a name for a file of this run; false where another has it.
    pub fn claim(&self, name: &str) -> bool {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned())
    }

    /// Says what is known; the first word counts.
    pub fn learn(&self, state: FolderState) {
        if !matches!(state, FolderState::New) {
            let _ = self.made.set(Ok(()));
        }
        let _ = self.state.set(state);
    }

    /// What is known, once it is known.
    pub async fn state(&self) -> &FolderState {
        self.state.wait().await
    }

    /// What is known so far.
    pub fn state_now(&self) -> Option<&FolderState> {
        self.state.get()
    }

    /// Waits until files can go there.
    ///
    /// # Errors
    /// The folder could not be made, or is blocked.
    pub async fn ready(&self) -> Result<(), TransferError> {
        let failed = |source: &Arc<TransferError>| TransferError::Folder {
            folder: self.path.to_string(),
            source: source.clone(),
        };
        if let FolderState::Blocked(error) = self.state().await {
            return Err(failed(error));
        }
        self.made.wait().await.as_ref().map_err(failed).copied()
    }
}

/// Makes folders, as many in one call as have gathered while the last call ran.
#[derive(Clone)]
pub struct FolderMaker {
    sender: mpsc::Sender<Arc<TargetFolder>>,
    observer: Arc<dyn Observer>,
}

impl FolderMaker {
    /// Starts the maker; it ends with the last clone.
    pub fn start(api: Client, dry_run: bool, observer: Arc<dyn Observer>) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Arc<TargetFolder>>(QUEUE);
        let told = observer.clone();
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            // One call at a time: two that made the same parents at once could make them twice.
            while receiver.recv_many(&mut batch, BATCH).await > 0 {
                let outcomes = if dry_run { batch.iter().map(|_| Ok(())).collect() } else { make(&api, &batch).await };
                for (folder, outcome) in batch.drain(..).zip(outcomes) {
                    if outcome.is_ok() {
                        told.folder_made(Direction::Upload, &folder.path.marked());
                    }
                    let _ = folder.made.set(outcome);
                }
            }
        });
        Self { sender, observer }
    }

    /// Has a folder made that is known to be new.
    pub async fn make(&self, folder: Arc<TargetFolder>) {
        self.observer.folder_found();
        if let Err(unsent) = self.sender.send(folder).await {
            let _ = unsent.0.made.set(Err(Arc::new(TransferError::Cancelled)));
        }
    }
}

async fn make(api: &Client, batch: &[Arc<TargetFolder>]) -> Vec<Result<(), Arc<TransferError>>> {
    let paths: Vec<RemotePath> = batch.iter().map(|folder| folder.path.clone()).collect();
    let error = match api.create_folders(&paths).await {
        Ok(nodes) => {
            let made: HashMap<&RemotePath, &Node> = nodes.iter().map(|node| (&node.path, node)).collect();
            for folder in batch {
                if let Some(node) = made.get(&folder.path) {
                    folder.is_still(&node.uuid);
                }
            }
            return batch.iter().map(|_| Ok(())).collect();
        }
        Err(error) => TransferError::from(error),
    };
    // What concerns the server concerns all of them.
    if error.reach() != Reach::Item {
        let error = Arc::new(error);
        return batch.iter().map(|_| Err(error.clone())).collect();
    }
    // All of them together were tried often enough.
    let api = if error.is_transient() || error.advice() == Advice::Briefly {
        api.clone().with_retry(RetryPolicy::never())
    } else {
        api.clone()
    };
    // The call stops at its first failure and does not say which: asked one by one, each folder has its own answer.
    let mut outcomes = Vec::with_capacity(batch.len());
    for path in paths {
        let outcome = api.create_folders(&[path]).await;
        outcomes.push(outcome.map(|_| ()).map_err(|error| Arc::new(error.into())));
    }
    outcomes
}

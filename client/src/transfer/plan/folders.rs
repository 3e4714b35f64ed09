//! The remote folders of an upload: their state, and their creation in batches at the same time as transfers.

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

/// The maximum number of folders per call. Larger calls gain nothing and exceed the time limits of proxies.
pub const BATCH: usize = 100;

/// The number of folders that wait for their creation before the planner pauses.
const QUEUE: usize = 4 * BATCH;

/// The state of a folder on the server.
#[derive(Debug)]
pub enum FolderState {
    /// This run creates it, so it is empty.
    New,
    /// It already existed; its children by name.
    Existing(HashMap<String, Node>),
    /// It already existed, but may not be listed: each name must be requested by itself.
    Unlisted,
    /// Nothing can be sent to it.
    Blocked(Arc<TransferError>),
}

/// A folder on the server that files are sent to.
#[derive(Debug)]
pub struct TargetFolder {
    /// The path, in NFC.
    pub path: RemotePath,
    state: SetOnce<FolderState>,
    made: SetOnce<Result<(), Arc<TransferError>>>,
    claimed: Mutex<HashSet<String>>,
    /// The first known UUID.
    uuid: OnceLock<String>,
    is_moved: AtomicBool,
}

impl TargetFolder {
    /// Creates a folder whose state is unknown.
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

    /// Creates an existing folder, with those of its children that matter.
    pub fn existing(path: RemotePath, children: HashMap<String, Node>) -> Arc<Self> {
        let folder = Self::unknown(path);
        folder.learn(FolderState::Existing(children));
        folder
    }

    /// Records the UUID of the folder. Returns false once, when it is not the first one.
    pub(in crate::transfer) fn is_still(&self, uuid: &str) -> bool {
        uuid.is_empty()
            || self.uuid.get_or_init(|| uuid.to_owned()) == uuid
            || self.is_moved.swap(true, Ordering::Relaxed)
    }

    /// Reserves a name for a file of this run. Returns false if another file has it.
    pub fn claim(&self, name: &str) -> bool {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned())
    }

    /// Sets the state. Only the first call has an effect.
    pub fn learn(&self, state: FolderState) {
        // Only a new folder has to wait for its creation; for all others the second gate opens with the first.
        if !matches!(state, FolderState::New) {
            let _ = self.made.set(Ok(()));
        }
        let _ = self.state.set(state);
    }

    /// Waits for the state.
    pub async fn state(&self) -> &FolderState {
        self.state.wait().await
    }

    /// Returns the state, if it is known.
    pub fn state_now(&self) -> Option<&FolderState> {
        self.state.get()
    }

    /// Waits until files can be sent to the folder.
    ///
    /// # Errors
    /// The folder could not be created, or is blocked.
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

/// Creates folders. Each call contains all that were added during the previous one.
#[derive(Clone)]
pub struct FolderMaker {
    sender: mpsc::Sender<Arc<TargetFolder>>,
    observer: Arc<dyn Observer>,
    dry_run: bool,
}

impl FolderMaker {
    /// Starts the maker, which ends with its last clone.
    pub fn start(api: Client, dry_run: bool, observer: Arc<dyn Observer>) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Arc<TargetFolder>>(QUEUE);
        let reporter = observer.clone();
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            // One call at a time: two calls that create the same parents could create them twice.
            while receiver.recv_many(&mut batch, BATCH).await > 0 {
                let outcomes = make(&api, &batch).await;
                for (folder, outcome) in batch.drain(..).zip(outcomes) {
                    if outcome.is_ok() {
                        reporter.folder_made(Direction::Upload, &folder.path.marked());
                    }
                    let _ = folder.made.set(outcome);
                }
            }
        });
        Self { sender, observer, dry_run }
    }

    /// Adds a folder that does not exist yet.
    pub async fn make(&self, folder: Arc<TargetFolder>) {
        self.observer.folder_found();
        if self.dry_run {
            // At once, so that the plan names a folder before its files.
            self.observer.folder_made(Direction::Upload, &folder.path.marked());
            let _ = folder.made.set(Ok(()));
            return;
        }
        if let Err(unsent) = self.sender.send(folder).await {
            // Its files wait for the second gate, so it must open even if the maker is gone.
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
    // An error of the server, rather than of one folder, applies to all of them.
    if error.reach() != Reach::Item {
        let error = Arc::new(error);
        return batch.iter().map(|_| Err(error.clone())).collect();
    }
    // The batch was already retried, so each folder gets only one more attempt.
    let api = if error.is_transient() || error.advice() == Advice::Briefly {
        api.clone().with_retry(RetryPolicy::never())
    } else {
        api.clone()
    };
    // The call stops at its first failure and does not say which folder it was: individual calls return an answer for
    // each.
    let mut outcomes = Vec::with_capacity(batch.len());
    for path in paths {
        let outcome = api.create_folders(&[path]).await;
        outcomes.push(outcome.map(|_| ()).map_err(|error| Arc::new(error.into())));
    }
    outcomes
}

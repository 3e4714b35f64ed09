//! Plans an upload: turns a local tree into steps while it is walked. One listing of each folder that already existed
//! shows what is on the server.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::TryStreamExt;
use tokio::sync::{Semaphore, mpsc};

use crate::api::Node;
use crate::path::{RemotePath, check_folder_name, check_name, composed};
use crate::transfer::error::TransferError;
use crate::transfer::event::{Direction, Notice};
use crate::transfer::plan::claims::Merged;
use crate::transfer::plan::folders::{FolderMaker, FolderState, TargetFolder};
use crate::transfer::plan::job::TreeUpload;
use crate::transfer::plan::step::{Candidate, Step, UploadCandidate};
use crate::transfer::{Engine, IfExists};
use crate::walk::local::{self, FolderNumber, LocalItem};
use crate::walk::remote::{self, LISTINGS_IN_FLIGHT};

/// The number of folders whose state is unknown before the walk pauses.
const UNKNOWN_FOLDERS: usize = 64;

/// A folder of the walk, and the names in it that could be equal to another one in NFC.
struct Open {
    folder: Arc<TargetFolder>,
    /// The local path.
    source: PathBuf,
    /// Whether it contains a file, which would report that the folder cannot be used.
    has_files: bool,
    composed: HashSet<String>,
}

/// A file of the walk.
struct FoundFile {
    folder: FolderNumber,
    name: String,
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
}

struct Planner<'a> {
    engine: &'a Engine,
    maker: &'a FolderMaker,
    listings: Arc<Semaphore>,
    unknown: Arc<Semaphore>,
    merged: Option<Arc<Merged>>,
    open: HashMap<FolderNumber, Open>,
}

impl Engine {
    /// Walks a local tree and sends its steps. Ends early if the receiver is gone.
    pub(in crate::transfer) async fn plan_tree_upload(
        &self,
        tree: TreeUpload,
        maker: &FolderMaker,
        steps: &mpsc::Sender<Step>,
    ) {
        let root = match self.root_folder(&tree, maker).await {
            Ok(root) => root,
            Err(error) => {
                let (source, target) = (tree.source.display().to_string(), tree.target.to_string());
                let _ = steps.send(Step::Refused { direction: Direction::Upload, source, target, error }).await;
                return;
            }
        };
        let mut planner = Planner {
            engine: self,
            maker,
            listings: Arc::new(Semaphore::new(LISTINGS_IN_FLIGHT)),
            unknown: Arc::new(Semaphore::new(UNKNOWN_FOLDERS)),
            merged: tree.merged,
            open: HashMap::new(),
        };
        let mut walk = local::walk(tree.source, self.options.local.clone());
        while let Some(item) = walk.recv().await {
            let step = match item {
                LocalItem::Folder { number, parent: None, path, .. } => {
                    planner.open.insert(number, Open::new(root.clone(), path));
                    None
                }
                LocalItem::Folder { number, parent: Some(parent), name, path } => {
                    planner.enter(number, parent, &name, &path).await
                }
                LocalItem::File { folder, name, path, size, modified } => {
                    planner.file(FoundFile { folder, name, path, size, modified })
                }
                LocalItem::FolderDone(number) => {
                    if let Some(open) = planner.open.remove(&number) {
                        open.close(steps.clone());
                    }
                    None
                }
                LocalItem::Excluded { path } => {
                    self.observer.excluded(&path.display().to_string());
                    None
                }
                LocalItem::LeftOut { path, reason } => Some(Step::left_out(path.display().to_string(), reason)),
                LocalItem::LeadsOut { path } => {
                    Some(Step::Notice { path: path.display().to_string(), notice: Notice::LeadsOut })
                }
                LocalItem::Failed { path, error } => Some(Step::Refused {
                    direction: Direction::Upload,
                    source: path.display().to_string(),
                    target: String::new(),
                    error: TransferError::LocalEntry { path, source: error },
                }),
            };
            if let Some(step) = step
                && self.add_step(steps, step).await.is_err()
            {
                return;
            }
        }
    }

    async fn root_folder(&self, tree: &TreeUpload, maker: &FolderMaker) -> Result<Arc<TargetFolder>, TransferError> {
        if let Some(folder) = tree.merged.as_ref().and_then(|merged| merged.folder(&tree.target)) {
            return Ok(folder);
        }
        let folder = TargetFolder::unknown(tree.target.clone());
        if tree.merged.as_ref().is_some_and(|merged| !merged.enter(&folder)) {
            return Err(taken_by_another(&tree.source, &tree.target));
        }
        match &tree.existing {
            Some(node) if node.is_folder() => {
                folder.is_still(&node.uuid);
                let state = list(self, &tree.target).await;
                folder.learn(state);
                return Ok(folder);
            }
            Some(_) if self.options.if_exists != IfExists::Overwrite => {
                return Err(TransferError::replaceable(&tree.target, "file"));
            }
            Some(node) => self.recycle(node).await?,
            None => {}
        }
        // Known at once, so that the engine asks nothing about the content of a folder that this run creates.
        folder.learn(FolderState::New);
        maker.make(folder.clone()).await;
        Ok(folder)
    }
}

/// Creates the error for an entry whose target is in use by another source.
fn taken_by_another(source: &Path, target: &RemotePath) -> TransferError {
    TransferError::TargetTaken {
        source_path: source.display().to_string(),
        target: target.to_string(),
        by: "another source",
    }
}

impl Open {
    fn new(folder: Arc<TargetFolder>, source: PathBuf) -> Self {
        Self { folder, source, has_files: false, composed: HashSet::new() }
    }

    /// Ends a folder. If it contains no file, nothing else waits for its creation, so this reports whether it failed.
    fn close(self, steps: mpsc::Sender<Step>) {
        if self.has_files || matches!(self.folder.state_now(), Some(FolderState::Existing(_) | FolderState::Unlisted)) {
            return;
        }
        tokio::spawn(async move {
            if let Err(error) = self.folder.ready().await {
                let (source, target) = (self.source.display().to_string(), self.folder.path.marked());
                // The receiver is gone if the run has stopped.
                let _ = steps.send(Step::Refused { direction: Direction::Upload, source, target, error }).await;
            }
        });
    }
}

impl Planner<'_> {
    /// Returns the name of an entry on the server, or why it cannot have one.
    fn name_of(&mut self, parent: FolderNumber, name: &str, path: &Path) -> Result<String, TransferError> {
        check_name(name)?;
        let Some(open) = self.open.get_mut(&parent) else {
            return Err(TransferError::Cancelled);
        };
        let composed = composed(name).into_owned();
        // Two different local names can be equal in NFC only if one of them is not ASCII.
        if !name.is_ascii() && !open.composed.insert(composed.clone()) {
            return Err(TransferError::TargetTaken {
                source_path: path.display().to_string(),
                target: open.folder.path.join(&composed).to_string(),
                by: "another entry whose name differs only in how its accents are written",
            });
        }
        Ok(composed)
    }

    fn file(&mut self, found: FoundFile) -> Option<Step> {
        let open = self.open.get_mut(&found.folder)?;
        open.has_files = true;
        let folder = open.folder.clone();
        let named = self.name_of(found.folder, &found.name, &found.path).and_then(|name| {
            let target = folder.path.join(&name);
            // Another source of the same run may have sent a file to this place; cp(1) refuses to overwrite it too.
            match &self.merged {
                Some(merged) if !merged.claim(target.clone()) => Err(taken_by_another(&found.path, &target)),
                _ => Ok(name),
            }
        });
        Some(match named {
            Ok(name) => Step::File(Candidate::Upload(UploadCandidate {
                source: found.path,
                size: found.size,
                modified: found.modified,
                folder,
                name,
                must_replace: false,
            })),
            Err(error) => Step::Refused {
                direction: Direction::Upload,
                source: found.path.display().to_string(),
                target: folder.path.marked(),
                error,
            },
        })
    }

    /// Adds a sub-folder. Returns a step if it cannot be transferred.
    async fn enter(&mut self, number: FolderNumber, parent: FolderNumber, name: &str, path: &Path) -> Option<Step> {
        let above = self.open.get(&parent)?.folder.clone();
        let named =
            check_folder_name(name).map_err(TransferError::from).and_then(|()| self.name_of(parent, name, path));
        // Even a refused folder is entered, because its entries still arrive and must be reported with its error.
        let (name, refused) = match named {
            Ok(name) => (name, None),
            Err(error) => (name.to_owned(), Some(error)),
        };
        let place = above.path.join(&name);
        if let Some(folder) = self.merged.as_ref().and_then(|merged| merged.folder(&place)) {
            self.open.insert(number, Open::new(folder, path.to_owned()));
            return None;
        }
        let folder = TargetFolder::unknown(place);
        self.open.insert(number, Open::new(folder.clone(), path.to_owned()));
        let is_taken = self.merged.as_ref().is_some_and(|merged| !merged.enter(&folder));
        if let Some(error) = refused.or_else(|| is_taken.then(|| taken_by_another(path, &folder.path))) {
            folder.learn(FolderState::Blocked(Arc::new(error)));
            return None;
        }
        // The state of the parent is often known already. Then no task is necessary, and the walk stays ahead.
        match above.state_now() {
            Some(FolderState::New) => {
                folder.learn(FolderState::New);
                self.maker.make(folder).await;
            }
            Some(FolderState::Blocked(error)) => folder.learn(FolderState::Blocked(error.clone())),
            _ => self.find_out(above, folder, name).await,
        }
        None
    }

    /// Determines the state of a folder in the background, if its parent existed before.
    async fn find_out(&self, above: Arc<TargetFolder>, folder: Arc<TargetFolder>, name: String) {
        // Bounds the number of tasks: a wide tree must not create one for each of its folders at the same time.
        let Ok(waiting) = self.unknown.clone().acquire_owned().await else { return };
        let (engine, maker, listings) = (self.engine.clone(), self.maker.clone(), self.listings.clone());
        tokio::spawn(async move {
            let _waiting = waiting;
            let state = match above.state().await {
                FolderState::New => FolderState::New,
                FolderState::Blocked(error) => FolderState::Blocked(error.clone()),
                FolderState::Existing(children) => {
                    state_of(&engine, &listings, &folder.path, children.get(&name)).await
                }
                FolderState::Unlisted => match engine.api.find(&folder.path).await {
                    Ok(node) => state_of(&engine, &listings, &folder.path, node.as_ref()).await,
                    Err(error) => FolderState::Blocked(Arc::new(error.into())),
                },
            };
            let new = matches!(state, FolderState::New);
            folder.learn(state);
            if new {
                maker.make(folder).await;
            }
        });
    }
}

/// Returns the state of a folder; `node` is the existing node at its path, if any.
async fn state_of(engine: &Engine, listings: &Semaphore, path: &RemotePath, node: Option<&Node>) -> FolderState {
    match node {
        None => FolderState::New,
        Some(node) if node.is_folder() => {
            let _listing = listings.acquire().await;
            list(engine, path).await
        }
        Some(node) => replace_by_folder(engine, node).await,
    }
}

async fn list(engine: &Engine, folder: &RemotePath) -> FolderState {
    // The listing would be empty, and every name in it would wrongly look free.
    if engine.api.is_upload_only() {
        return FolderState::Unlisted;
    }
    let children: Result<HashMap<String, Node>, _> = remote::children(&engine.api, &engine.s3, folder)
        .map_ok(|node| (node.name().to_owned(), node))
        .try_collect()
        .await;
    match children {
        Ok(children) => FolderState::Existing(children),
        Err(error) => FolderState::Blocked(Arc::new(error.into())),
    }
}

/// Returns the state if there is a file in place of the folder: it goes to the recycle bin if the policy is to
/// overwrite.
async fn replace_by_folder(engine: &Engine, node: &Node) -> FolderState {
    if engine.options.if_exists != IfExists::Overwrite {
        return FolderState::Blocked(Arc::new(TransferError::replaceable(&node.path, "file")));
    }
    match engine.recycle(node).await {
        Ok(()) => FolderState::New,
        Err(error) => FolderState::Blocked(Arc::new(error)),
    }
}

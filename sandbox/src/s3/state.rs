//! The state of the gateway between requests, and how a test sets it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::locks::ObjectLocks;
use super::multipart::Uploads;
use crate::faults::Gate;

/// Times and limits that a test may change while the server runs.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) lock_timeout: Duration,
    pub(super) checksum_delay: Duration,
    pub(super) commit_delay: Duration,
    pub(super) complete_delay: Duration,
    pub(super) heartbeat: Duration,
    /// By workspace slug.
    quotas: HashMap<String, u64>,
    /// Paths whose next overwrite goes wrong.
    damages: HashSet<String>,
    /// Paths whose next PUT comes while another one is making the node.
    collisions: HashSet<String>,
    /// Until when the node of a broken PUT stays, by path.
    late_clean_ups: HashMap<String, Gate>,
    /// What the index entry of the next overwrite waits for, by path.
    late_entries: HashMap<String, Gate>,
    /// Who holds the content lock of a path.
    content_locks: HashMap<String, String>,
}

/// The state of one gateway.
#[derive(Debug)]
pub(crate) struct State {
    strict: bool,
    settings: Mutex<Settings>,
    pub(super) locks: ObjectLocks,
    pub(super) uploads: Uploads,
}

impl State {
    /// A gateway that checks signatures or not, and waits that long for locks.
    pub(crate) fn new(strict: bool, lock_timeout: Duration) -> Arc<Self> {
        let settings = Settings {
            lock_timeout,
            checksum_delay: Duration::from_millis(50),
            commit_delay: Duration::from_millis(5),
            complete_delay: Duration::ZERO,
            heartbeat: Duration::from_secs(10),
            quotas: HashMap::new(),
            damages: HashSet::new(),
            collisions: HashSet::new(),
            late_clean_ups: HashMap::new(),
            late_entries: HashMap::new(),
            content_locks: HashMap::new(),
        };
        Arc::new(Self {
            strict,
            settings: Mutex::new(settings),
            locks: ObjectLocks::default(),
            uploads: Uploads::default(),
        })
    }

    /// Whether signatures are checked.
    pub(super) fn is_strict(&self) -> bool {
        self.strict
    }

    /// The settings as they are now.
    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the maximum size of a workspace in bytes.
    pub(super) fn quota(&self, slug: &str) -> Option<u64> {
        self.settings().quotas.get(slug).copied()
    }

    /// Whether this overwrite must go wrong. Returns true once.
    pub(super) fn damages(&self, path: &str) -> bool {
        self.settings().damages.remove(path)
    }

    /// Whether another user has the content lock of a path.
    pub(super) fn is_content_locked(&self, path: &str, login: &str) -> bool {
        self.settings().content_locks.get(path).is_some_and(|holder| holder != login)
    }

    /// Whether this PUT must collide with another one that is creating the node. Returns true once.
    pub(super) fn collides(&self, path: &str) -> bool {
        self.settings().collisions.remove(path)
    }

    /// Returns the gate for the index entry of an overwrite, once.
    pub(super) fn late_entry(&self, path: &str) -> Option<Gate> {
        self.settings().late_entries.remove(path)
    }

    /// Returns the gate for the removal of a broken PUT's node, once.
    pub(super) fn late_clean_up(&self, path: &str) -> Option<Gate> {
        self.settings().late_clean_ups.remove(path)
    }
}

/// An upload in parts that has been neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingUpload {
    /// Its id.
    pub id: String,
    /// The path it was made for, as its maker writes it.
    pub path: String,
    /// Numbers of the parts that are stored, in ascending order.
    pub parts: Vec<u32>,
}

/// The S3 gateway of a sandbox: its limits, its delays and the damage it does on demand.
///
/// Paths start with a workspace slug, for example `common-files/folder/file.txt`, and mean what
/// the sender of the request means by them.
#[derive(Clone, Debug)]
pub struct S3 {
    state: Arc<State>,
}

impl S3 {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// Limits the size of a workspace in bytes; `None` removes the limit. A PUT that would exceed it is answered 422.
    /// Multipart uploads are never refused, as on the real server.
    pub fn set_quota(&self, workspace: &str, bytes: Option<u64>) {
        let mut settings = self.state.settings();
        match bytes {
            Some(bytes) => settings.quotas.insert(workspace.to_owned(), bytes),
            None => settings.quotas.remove(workspace),
        };
    }

    /// Damages the file when it is next overwritten, by a PUT or a Complete: the new content is
    /// stored, the size, the etag and the hash stay those of the old content, and the connection
    /// is closed without an answer.
    pub fn damage_next_overwrite(&self, path: &str) {
        self.state.settings().damages.insert(path.to_owned());
    }

    /// Makes the next PUT to a path collide with one in progress, as if both were creating its node at the same moment.
    /// A later PUT waits for the first one.
    pub fn collide_next_put(&self, path: &str) {
        self.state.settings().collisions.insert(path.to_owned());
    }

    /// Delays the removal of a node whose PUT has broken off until the gate is open.
    pub fn clean_up_late(&self, path: &str, gate: &Gate) {
        self.state.settings().late_clean_ups.insert(path.to_owned(), gate.clone());
    }

    /// Delays the index entry of the next overwrite of a path, by a PUT, until the gate is open. Its object is stored
    /// before, so that another overwrite may come in between: then the content is from one and the entry from the
    /// other.
    pub fn enter_late(&self, path: &str, gate: &Gate) {
        self.state.settings().late_entries.insert(path.to_owned(), gate.clone());
    }

    /// Gives a user the content lock of a file, so that the PUTs of others are answered 403.
    pub fn lock_content(&self, path: &str, login: &str) {
        self.state.settings().content_locks.insert(path.to_owned(), login.to_owned());
    }

    /// Removes a content lock.
    pub fn unlock_content(&self, path: &str) {
        self.state.settings().content_locks.remove(path);
    }

    /// How long a request waits for the readers or the writer of the same file before it is
    /// answered 503. A Complete waits without limit.
    pub fn set_lock_timeout(&self, duration: Duration) {
        self.state.settings().lock_timeout = duration;
    }

    /// How long after the body the 503 to a wrong checksum comes. 50 milliseconds by default; the
    /// real server takes four to six seconds.
    pub fn set_checksum_delay(&self, duration: Duration) {
        self.state.settings().checksum_delay = duration;
    }

    /// Sets how long after the object the index entry of an overwritten file is written. A client that disconnects in
    /// between leaves the file damaged. Five milliseconds by default.
    pub fn set_commit_delay(&self, duration: Duration) {
        self.state.settings().commit_delay = duration;
    }

    /// How long a Complete takes. Nothing by default.
    pub fn set_complete_delay(&self, duration: Duration) {
        self.state.settings().complete_delay = duration;
    }

    /// Sets after how long a Complete in progress begins its answer, and the interval of the spaces that follow. Ten
    /// seconds by default, as on the real server.
    pub fn set_heartbeat(&self, interval: Duration) {
        self.state.settings().heartbeat = interval;
    }

    /// The uploads in parts that are under way, in no particular order.
    pub fn pending_uploads(&self) -> Vec<PendingUpload> {
        self.state.uploads.pending()
    }

    /// Forgets the hashes of all parts, as a restart of the server does: uploads can be completed,
    /// but their files get no content hash.
    pub fn forget_part_hashes(&self) {
        self.state.uploads.forget_hashes();
    }

    /// Removes all uploads in parts, as the server does with those a day old. Temporary nodes stay.
    pub fn expire_uploads(&self) {
        self.state.uploads.expire();
    }
}

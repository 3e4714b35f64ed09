//! Storing an object with a single request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::BodyExt as _;
use tokio::time::sleep;
use unicode_normalization::UnicodeNormalization as _;

use super::auth::Promised;
use super::error::Failure;
use super::exchange::Exchange;
use super::locks::Writing;
use super::{Outcome, State, Stop, writable};
use crate::Shared;
use crate::content::{Body as Content, Received, Sink};
use crate::random::hex;
use crate::tokens::Caller;
use crate::transport::Body;
use crate::tree::forest::TreeError;
use crate::tree::node::Kind;
use crate::tree::{Finished, Nodes, Place, Upload, find, root, sniff};

/// The largest body, announced or not: 5 TiB.
const LARGEST: u64 = 5 << 40;

/// Sets the size that the index shows.
pub(super) const CLEAR_SIZE: &str = "x-amz-meta-pydio-clear-size";

/// `PUT /io/key`
pub(super) async fn put(shared: &Arc<Shared>, exchange: &Exchange, caller: &Caller, body: Body) -> Outcome {
    let promised = Promised::read(exchange)?;
    let length = exchange.content_length()?;
    if length > LARGEST {
        return Err(Failure::entity_too_large().into());
    }
    check_headers(exchange)?;
    let place = target(shared, exchange, caller)?;
    check_quota(shared, &place, length)?;
    let pending = PendingPut::begin(shared, &place, length)?;
    let sink = sink(shared, &promised);
    let Some(lock) = lock(shared, &pending.upload.uuid).await else {
        blocked(shared, pending, receive(body, length, sink).await?);
        return Err(Failure::backend_down().into());
    };
    // The node of a PUT that breaks off is removed before the next one gets the lock.
    let (mut lock, pending) = (Some(lock), pending);
    let mut received = receive(body, length, sink).await?;
    if promised.signed_chunks || promised.mismatch(&received).is_some() {
        if !promised.signed_chunks {
            pending.store_object(&received);
        }
        let delay = shared.s3.settings().checksum_delay;
        sleep(delay).await;
        return Err(Failure::backend_down().into());
    }
    received.digests = shared.nodes.stored(&pending.upload.uuid, received.digests);
    let etag = received.digests.etag();
    if pending.store_object(&received) {
        if shared.s3.damages(&place.path()) {
            return Err(Stop::Dropped);
        }
        if let Some(gate) = shared.s3.late_entry(&place.path()) {
            // The lock belongs to the object. Its index entry is written without one.
            lock.take();
            gate.pass().await;
        }
        let delay = shared.s3.settings().commit_delay;
        sleep(delay).await;
    }
    exchange.client_is_there()?;
    let content_type = exchange.header("content-type");
    pending.commit(&received, content_type, claimed_size(exchange))?;
    if !unicode_normalization::is_nfc(&exchange.key) {
        pending.becomes_folder();
    }
    Ok(exchange.stored(&etag))
}

/// Refuses the headers that the gateway does not take.
fn check_headers(exchange: &Exchange) -> Result<(), Failure> {
    let unknown = ["tagging", "acl", "retention", "legal-hold"];
    if exchange.header("x-amz-tagging").is_some() || unknown.iter().any(|name| exchange.parameter(name).is_some()) {
        return Err(Failure::not_implemented());
    }
    let mut names = exchange.parts.headers.keys();
    if names.any(|name| name.as_str().starts_with("x-amz-object-lock-")) {
        return Err(Failure::invalid_request());
    }
    Ok(())
}

/// The place a new object goes to. Names are stored in composed form (NFC).
pub(super) fn target(shared: &Shared, exchange: &Exchange, caller: &Caller) -> Result<Place, Failure> {
    let key: String = exchange.key.nfc().collect();
    let place = writable(shared, caller, &key)?;
    if shared.s3.is_content_locked(&place.path(), &caller.login) {
        return Err(Failure::access_denied());
    }
    if shared.nodes.is_locked(&place) {
        return Err(Failure::parent_locked());
    }
    if place.name() == ".pydio" {
        return Err(Failure::internal("Object name cannot be empty"));
    }
    Ok(place)
}

/// Refuses a body that would not fit into the workspace.
fn check_quota(shared: &Shared, place: &Place, length: u64) -> Result<(), Failure> {
    let Some(quota) = shared.s3.quota(place.workspace.slug) else {
        return Ok(());
    };
    let used = shared.nodes.read(|forest| {
        let size = |id| forest.get(id).map_or(0, |node| node.size);
        let replaced = find(forest, place).map_or(0, size);
        root(forest, place).map_or(0, size).saturating_sub(replaced)
    });
    if used.saturating_add(length) > quota { Err(Failure::quota_exceeded()) } else { Ok(()) }
}

/// The size that a header claims for the index.
pub(super) fn claimed_size(exchange: &Exchange) -> Option<u64> {
    exchange.header(CLEAR_SIZE)?.parse().ok()
}

/// A sink that computes what was promised.
pub(super) fn sink(shared: &Shared, promised: &Promised) -> Sink {
    let sink = shared.nodes.store().sink();
    if promised.sha256.is_some() { sink.with_sha256() } else { sink }
}

/// Reads a body to its announced end. A body that breaks off ends the request.
pub(super) async fn receive(mut body: Body, length: u64, mut sink: Sink) -> Result<Received, Stop> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Stop::Dropped)?;
        if let Ok(data) = frame.into_data() {
            sink.push(&data).await.map_err(|error| Stop::from(storage_failed(&error)))?;
        }
    }
    if sink.received() != length {
        return Err(Stop::Dropped);
    }
    sink.finish().await.map_err(|error| storage_failed(&error).into())
}

fn storage_failed(error: &std::io::Error) -> Failure {
    Failure::internal(&format!("cannot store the body: {error}"))
}

impl Promised {
    /// How the body differs from what the headers said.
    pub(super) fn mismatch(&self, received: &Received) -> Option<String> {
        let differs = |name: &str, expected: &[u8], computed: &[u8]| {
            let (expected, computed) = (hex(expected), hex(computed));
            format!("{name}: Expected {expected} does not match calculated {computed}")
        };
        if let Some(md5) = self.md5
            && md5 != received.digests.md5()
        {
            return Some(differs("Bad digest", &md5, &received.digests.md5()));
        }
        let (Some(expected), Some(computed)) = (self.sha256, received.sha256) else {
            return None;
        };
        (expected != computed).then(|| differs("Bad sha256", &expected, &computed))
    }
}

async fn lock(shared: &Shared, uuid: &Arc<str>) -> Option<Writing> {
    let patience = shared.s3.settings().lock_timeout;
    shared.s3.locks.write(uuid, patience).await
}

/// Handles a body whose file was locked for too long: the client has received an error, and yet the object is replaced
/// once the lock is free. The index is not updated.
fn blocked(shared: &Arc<Shared>, pending: PendingPut, received: Received) {
    if pending.upload.created {
        return;
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let _lock = shared.s3.locks.write_patiently(&pending.upload.uuid).await;
        pending.store_object(&received);
    });
}

/// Why the tree refuses an upload, in the gateway's words.
pub(super) fn tree_refuses(error: TreeError, place: &Place) -> Failure {
    match error {
        TreeError::NameTooLong => Failure::internal("Error 1406 (22001): Data too long for column 'name' at row 1"),
        TreeError::FileInTheWay | TreeError::FolderInTheWay | TreeError::WorkspaceRoot => Failure::folder_in_the_way(),
        TreeError::Missing => Failure::node_gone(&place.shown()),
    }
}

/// A PUT in progress. If it is dropped before its end, a node that it has created disappears, and an object that it has
/// replaced stays replaced while the index is not updated: the file is damaged.
struct PendingPut {
    nodes: Nodes,
    state: Arc<State>,
    place: Place,
    upload: Upload,
    is_stored: AtomicBool,
    is_committed: AtomicBool,
}

impl PendingPut {
    fn begin(shared: &Shared, place: &Place, length: u64) -> Result<Self, Failure> {
        let upload = shared.nodes.begin_put(place, length).map_err(|error| tree_refuses(error, place))?;
        if !upload.created && shared.s3.collides(&place.path()) {
            return Err(Failure::path_in_use());
        }
        Ok(Self {
            nodes: shared.nodes.clone(),
            state: Arc::clone(&shared.s3),
            place: place.clone(),
            upload,
            is_stored: AtomicBool::new(false),
            is_committed: AtomicBool::new(false),
        })
    }

    /// Replaces the object of a file that exists; its index entry stays. Says whether it exists.
    fn store_object(&self, received: &Received) -> bool {
        let is_stored = store_object(&self.nodes, &self.upload, &received.body);
        self.is_stored.fetch_or(is_stored, Ordering::Relaxed);
        is_stored
    }

    /// A new file under a name that is not composed is entered as a folder, which nobody can read.
    fn becomes_folder(&self) {
        self.nodes.write(|forest, _| {
            let id = forest.by_uuid(&self.upload.uuid).filter(|_| self.upload.created);
            if let Some(node) = id.and_then(|id| forest.get_mut(id)) {
                node.kind = Kind::Folder;
            }
        });
    }

    /// Writes the index entry.
    fn commit(
        &self,
        received: &Received,
        content_type: Option<&str>,
        claimed_size: Option<u64>,
    ) -> Result<(), Failure> {
        let place = &self.place;
        let generic = ["", "application/octet-stream", "binary/octet-stream"];
        let mime = match content_type.filter(|given| !generic.contains(given)) {
            Some(given) => given.to_owned(),
            None => {
                let start = received.body.read_at(0, 512).unwrap_or_default();
                sniff(place.name(), &start).to_owned()
            }
        };
        let finished = Finished {
            body: received.body.clone(),
            etag: received.digests.etag(),
            hash: Some(received.digests.cells_hash()),
            mime: Some(mime),
            is_stored: self.is_stored.load(Ordering::Relaxed),
        };
        self.nodes.commit_put(place, &self.upload, finished).map_err(|error| tree_refuses(error, place))?;
        self.is_committed.store(true, Ordering::Relaxed);
        if let Some(size) = claimed_size {
            self.nodes.write(|forest, _| {
                if let Some(id) = forest.by_uuid(&self.upload.uuid) {
                    forest.resize(id, size);
                }
            });
        }
        Ok(())
    }
}

/// Replaces the object of an existing file, and nothing else. Returns whether there was one.
pub(super) fn store_object(nodes: &Nodes, upload: &Upload, body: &Content) -> bool {
    nodes.write(|forest, _| {
        let id = forest.by_uuid(&upload.uuid);
        let object = id.and_then(|id| forest.get_mut(id)?.body.as_mut());
        object.map(|object| *object = body.clone()).is_some()
    })
}

impl Drop for PendingPut {
    fn drop(&mut self) {
        if !self.upload.created || self.is_committed.load(Ordering::Relaxed) {
            return;
        }
        let (nodes, place) = (self.nodes.clone(), self.place.clone());
        match self.state.late_clean_up(&place.path()) {
            None => nodes.clean_up_put(&place),
            Some(gate) => {
                tokio::spawn(async move {
                    gate.pass().await;
                    nodes.clean_up_put(&place);
                });
            }
        }
    }
}

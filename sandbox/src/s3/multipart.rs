//! Multipart uploads: their store, and beginning, completing and aborting them.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, SERVER};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::time::{sleep, timeout};

use super::error::Failure;
use super::exchange::{Exchange, add_etag};
use super::list::OWNER;
use super::put::{claimed_size, store_object, target, tree_refuses};
use super::state::PendingUpload;
use super::xml::{BadList, ListedPart, Writer, read_parts};
use super::{Outcome, Stop, readable, writable};
use crate::Shared;
use crate::content::{Body as Content, cells_hash, multipart_etag};
use crate::tokens::Caller;
use crate::transport::{Body, BodyError, Dropped, Response};
use crate::tree::forest::TreeError;
use crate::tree::node::Kind;
use crate::tree::{Finished, Place, Upload, find, root, sniff};

/// Parts but the last have at least this size.
const SMALLEST_PART: u64 = 5 << 20;

/// Longest list of parts that is read.
const LONGEST_LIST: usize = 16 << 20;

/// A part as it was stored once. A part sent again does not replace it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) md5: [u8; 16],
    /// The MD5 in hexadecimal.
    pub(super) etag: String,
    pub(super) content: Content,
}

/// An upload under way.
#[derive(Debug)]
struct Pending {
    place: Place,
    node: Upload,
    /// By number, in the order they came.
    parts: BTreeMap<u32, Vec<Part>>,
    /// Sums of the blocks of the newest part of each number; taken by the first Complete.
    hashes: Option<BTreeMap<u32, Vec<[u8; 16]>>>,
}

/// All uploads that are under way, by id.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    uploads: Mutex<HashMap<String, Pending>>,
}

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an upload to this node is under way.
    pub(super) fn is_alive(&self, id: &str, node: &str) -> bool {
        self.lock().get(id).is_some_and(|pending| *pending.node.uuid == *node)
    }

    /// Stores a part; false when the upload has ended meanwhile.
    pub(super) fn store(&self, id: &str, number: u32, part: Part, blocks: &[[u8; 16]]) -> bool {
        let mut uploads = self.lock();
        let Some(pending) = uploads.get_mut(id) else {
            return false;
        };
        pending.parts.entry(number).or_default().push(part);
        let hashes = pending.hashes.get_or_insert_with(BTreeMap::new);
        hashes.insert(number, blocks.to_vec());
        true
    }

    pub(super) fn pending(&self) -> Vec<PendingUpload> {
        let uploads = self.lock();
        let pending = uploads.iter().map(|(id, pending)| PendingUpload {
            id: id.clone(),
            path: pending.place.path(),
            parts: pending.parts.keys().copied().collect(),
        });
        pending.collect()
    }

    pub(super) fn forget_hashes(&self) {
        for pending in self.lock().values_mut() {
            pending.hashes = None;
        }
    }

    pub(super) fn expire(&self) {
        self.lock().clear();
    }
}

/// `POST /io/key?uploads`
pub(super) fn create(shared: &Shared, exchange: &Exchange, caller: &Caller) -> Outcome {
    let place = target(shared, exchange, caller)?;
    let announced = claimed_size(exchange).unwrap_or(0);
    let node = match shared.nodes.begin_put(&place, announced) {
        Ok(node) => node,
        // Not refused: the loss comes with the Complete.
        Err(TreeError::FolderInTheWay | TreeError::WorkspaceRoot) => existing(shared, &place)?,
        Err(error) => return Err(tree_refuses(error, &place).into()),
    };
    let id = crate::random::uuid();
    let pending = Pending { place, node, parts: BTreeMap::new(), hashes: Some(BTreeMap::new()) };
    shared.s3.uploads.lock().insert(id.clone(), pending);
    let mut xml = Writer::document();
    xml.root("InitiateMultipartUploadResult");
    xml.text("Bucket", &exchange.bucket);
    xml.text("Key", &exchange.key);
    xml.text("UploadId", &id);
    xml.close("InitiateMultipartUploadResult");
    Ok(exchange.document(xml))
}

/// The node at a place as the target of an upload.
fn existing(shared: &Shared, place: &Place) -> Result<Upload, Failure> {
    shared.nodes.read(|forest| {
        let id = if place.relative.is_empty() { root(forest, place) } else { find(forest, place) };
        let node = id.and_then(|id| forest.get(id));
        let node = node.ok_or_else(|| Failure::node_gone(&storage_path(place)))?;
        Ok(Upload { uuid: Arc::clone(&node.uuid), created: false })
    })
}

/// How the index of the storage calls a node.
fn storage_path(place: &Place) -> String {
    match place.workspace.slug {
        "personal-files" => format!("/{}/{}", place.login, place.relative),
        _ => place.shown(),
    }
}

/// `GET /io/key?uploadId=…`: shows only whether the upload is alive.
pub(super) fn list_parts(shared: &Shared, exchange: &Exchange, caller: &Caller, id: &str) -> Outcome {
    let place = readable(shared, caller, &exchange.key)?;
    let node = existing(shared, &place)?;
    if !shared.s3.uploads.is_alive(id, &node.uuid) {
        return Err(Failure::no_such_upload().into());
    }
    let mut xml = Writer::document();
    xml.root("ListPartsResult");
    xml.text("Bucket", "pydiods1");
    xml.text("Key", &node.uuid);
    xml.text("UploadId", id);
    for role in ["Initiator", "Owner"] {
        xml.open(role);
        xml.value("ID", OWNER);
        xml.value("DisplayName", OWNER);
        xml.close(role);
    }
    xml.value("StorageClass", "STANDARD");
    xml.value("PartNumberMarker", 0);
    xml.value("NextPartNumberMarker", 0);
    xml.value("MaxParts", 10_000);
    xml.value("IsTruncated", false);
    xml.close("ListPartsResult");
    Ok(exchange.document(xml))
}

/// `DELETE /io/key?uploadId=…`
pub(super) fn abort(shared: &Shared, exchange: &Exchange, caller: &Caller, id: &str) -> Outcome {
    let place = writable(shared, caller, &exchange.key)?;
    let node = existing(shared, &place)?;
    if !shared.s3.uploads.is_alive(id, &node.uuid) {
        return Err(Failure::bad_gateway().into());
    }
    shared.s3.uploads.lock().remove(id);
    shared.nodes.abort_put(&node);
    Ok(exchange.empty(StatusCode::NO_CONTENT))
}

/// `POST /io/key?uploadId=…`
pub(super) async fn complete(
    shared: &Arc<Shared>,
    exchange: &Arc<Exchange>,
    caller: &Caller,
    body: Body,
    id: &str,
) -> Outcome {
    let list = read_list(body).await?;
    let parts = read_parts(&list).map_err(|bad| match bad {
        BadList::NoDocument => Failure::internal("EOF"),
        BadList::Malformed => Failure::malformed_xml(),
    })?;
    if !parts.is_sorted_by(|one, next| one.number < next.number) {
        return Err(Failure::invalid_part_order().into());
    }
    let place = writable(shared, caller, &exchange.key)?;
    let heartbeat = shared.s3.settings().heartbeat;
    let (shared, asked) = (Arc::clone(shared), Arc::clone(exchange));
    let work = assemble(shared, asked, place, id.to_owned(), parts);
    let mut work: Work = Box::pin(work);
    match timeout(heartbeat, &mut work).await {
        Ok(Err(Stop::Dropped)) => Err(Stop::Dropped),
        Ok(Err(Stop::Refused(failure))) => Ok(unbuffered(failure.response(exchange))),
        Ok(Ok(etag)) => {
            let mut response = exchange.document(completed(Writer::document(), exchange, &etag));
            add_etag(response.headers_mut(), &etag);
            Ok(unbuffered(response))
        }
        Err(_) => Ok(slow(exchange, work, heartbeat)),
    }
}

/// Reads the body of a Complete. One that is too long is cut, so that it is no longer a valid document.
async fn read_list(mut body: Body) -> Result<Vec<u8>, Stop> {
    let mut list = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Stop::Dropped)?;
        if let Some(data) = frame.data_ref()
            && list.len() < LONGEST_LIST
        {
            list.extend_from_slice(data);
        }
    }
    Ok(list)
}

/// The rest of a Complete: the ETag without quotes.
type Work = Pin<Box<dyn Future<Output = Result<String, Stop>> + Send>>;

/// Makes proxies pass the answer on without buffering.
fn unbuffered(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn completed(mut xml: Writer, exchange: &Exchange, etag: &str) -> Writer {
    xml.root("CompleteMultipartUploadResult");
    xml.text("Location", &exchange.location());
    xml.text("Bucket", &exchange.bucket);
    xml.text("Key", &exchange.key);
    xml.text("ETag", &format!("\"{etag}\""));
    xml.close("CompleteMultipartUploadResult");
    xml
}

/// The progress of a slow answer.
enum Slow {
    Beginning(Work),
    Working(Work),
    Done,
}

/// Returns an answer that begins before the work is done, and keeps the connection alive with spaces. A failure is sent
/// as a document too, after the 200.
fn slow(exchange: &Arc<Exchange>, work: Work, heartbeat: Duration) -> Response {
    let asked = Arc::clone(exchange);
    let client = exchange.client();
    let frames = stream::unfold(Slow::Beginning(work), move |state| {
        // From now on the client counts as connected while somebody reads.
        let _there = &client;
        let exchange = Arc::clone(&asked);
        async move {
            let (text, next) = match state {
                Slow::Beginning(work) => (Ok(Writer::document().finish()), Slow::Working(work)),
                Slow::Working(mut work) => match timeout(heartbeat, &mut work).await {
                    Err(_) => (Ok(" ".to_owned()), Slow::Working(work)),
                    Ok(result) => (ending(&exchange, result), Slow::Done),
                },
                Slow::Done => return None,
            };
            Some((text.map(|text| Frame::data(text.into())), next))
        }
    });
    let mut response = unbuffered(exchange.empty(StatusCode::OK));
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.remove(ACCEPT_RANGES);
    headers.insert(SERVER, HeaderValue::from_static("Caddy"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    *response.body_mut() = StreamBody::new(frames).boxed_unsync();
    response
}

/// The end of a slow answer.
fn ending(exchange: &Exchange, result: Result<String, Stop>) -> Result<String, BodyError> {
    let mut xml = Writer::fragment();
    match result {
        Ok(etag) => xml = completed(xml, exchange, &etag),
        Err(Stop::Refused(failure)) => failure.write_into(&mut xml, exchange),
        Err(Stop::Dropped) => return Err(Box::new(Dropped)),
    }
    Ok(xml.finish())
}

/// Assembles the listed parts to one object. The moment at which the client disconnects determines what is left: early,
/// an upload whose hashes are lost; late, a damaged file.
async fn assemble(
    shared: Arc<Shared>,
    exchange: Arc<Exchange>,
    place: Place,
    id: String,
    listed: Vec<ListedPart>,
) -> Result<String, Stop> {
    let node = existing(&shared, &place)?;
    let uploads = &shared.s3.uploads;
    let hash = uploads.take_hash(&id, &node.uuid)?;
    let delay = shared.s3.settings().complete_delay;
    sleep(delay).await;
    exchange.client_is_there()?;
    let parts = uploads.select(&id, &listed)?;
    let etag = multipart_etag(parts.iter().map(|part| &part.md5));
    let content = Content::concat(parts.iter().map(|part| &part.content));
    if swallow(&shared, &node, &etag) {
        uploads.lock().remove(&id);
        return Ok(etag);
    }
    let _lock = shared.s3.locks.write_patiently(&node.uuid).await;
    if store_object(&shared.nodes, &node, &content) {
        uploads.lock().remove(&id);
        if shared.s3.damages(&place.path()) {
            return Err(Stop::Dropped);
        }
        let delay = shared.s3.settings().commit_delay;
        sleep(delay).await;
    }
    exchange.client_is_there()?;
    let start = content.read_at(0, 512).unwrap_or_default();
    let mime = sniff(place.name(), &start).to_owned();
    let finished = Finished { body: content, etag: etag.clone(), hash, mime: Some(mime), is_stored: false };
    shared.nodes.commit_put(&place, &node, finished).map_err(|error| tree_refuses(error, &place))?;
    uploads.lock().remove(&id);
    Ok(etag)
}

/// Completes an upload onto a folder: it gets the etag, and the content is lost.
fn swallow(shared: &Shared, node: &Upload, etag: &str) -> bool {
    shared.nodes.write(|forest, _| {
        let id = forest.by_uuid(&node.uuid);
        let folder = id.and_then(|id| forest.get_mut(id)).filter(|node| node.kind == Kind::Folder);
        folder.map(|folder| folder.etag = etag.to_owned()).is_some()
    })
}

impl Uploads {
    /// Takes the sums of the parts out of the upload and makes the content hash of them. Every
    /// later Complete finds none.
    fn take_hash(&self, id: &str, node: &str) -> Result<Option<String>, Failure> {
        let mut uploads = self.lock();
        let pending = uploads.get_mut(id).filter(|pending| *pending.node.uuid == *node);
        let pending = pending.ok_or_else(Failure::no_such_upload)?;
        let Some(hashes) = pending.hashes.take() else {
            return Ok(None);
        };
        let gap = hashes.keys().zip(1..).position(|(number, expected)| *number != expected);
        if let Some(gap) = gap {
            let cause = format!("cannot initialize cache: missing hash for part {gap}");
            return Err(Failure::internal(&cause));
        }
        Ok(Some(cells_hash(hashes.values().flatten())))
    }

    /// The stored parts that a list names.
    fn select(&self, id: &str, listed: &[ListedPart]) -> Result<Vec<Part>, Failure> {
        let uploads = self.lock();
        let pending = uploads.get(id).ok_or_else(Failure::no_such_upload)?;
        let stored = |wanted: &ListedPart| {
            let versions = pending.parts.get(&wanted.number)?;
            versions.iter().rev().find(|part| part.etag == wanted.etag).cloned()
        };
        let parts: Option<Vec<Part>> = listed.iter().map(stored).collect();
        let parts = parts.ok_or_else(Failure::invalid_part)?;
        let (_, all_but_last) = parts.split_last().ok_or_else(Failure::malformed_xml)?;
        if all_but_last.iter().any(|part| part.content.size() < SMALLEST_PART) {
            return Err(Failure::entity_too_small());
        }
        Ok(parts)
    }
}

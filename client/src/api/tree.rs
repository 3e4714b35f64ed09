//! The tree service: stat, listing, folders, deletion.

use std::collections::{BTreeMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use futures_util::{Stream, future};
use http::Method;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::jobs::JobId;
use super::page::{self, Cut, EmptyPages, Page};
use super::room::{Held, When};
use super::wire::{
    BulkAnswer, BulkRequest, CreateAnswer, CreateRequest, DeleteAnswer, DeleteRequest, RestoreAnswer, RestoreRequest,
    StatAnswer, WireNode, WirePath,
};
use super::{Client, Fits};
use crate::failure::{ServerError, ServerErrorKind};
use crate::http::{HttpError, HttpErrorKind};
use crate::path::RemotePath;

/// The service behind listings and bulk stats.
pub(super) const BULK: &str = "/a/meta/bulk/get";

/// The page sizes of listings. The server needs about a second for 500 children and a fifth of that for 100. A small
/// first page is all of most folders, and soon shows how many more pages there are.
const CUT: Cut = Cut { first: 100, others: 500, at_once: AT_ONCE };

/// The number of pages or bulk calls in flight, close to the server's optimum.
const AT_ONCE: usize = 4;

/// The number of candidates that [`Client::find_first`] requests at the same time: a path, its folder and the one above.
const CANDIDATES_AT_ONCE: usize = 3;

/// The number of paths per bulk stat. The server handles them one by one, in about 10 ms each.
const STATS_A_CALL: usize = 50;

/// The number of folders per call. Larger calls gain nothing and may exceed the time limits of proxies.
const FOLDERS_A_CALL: usize = 100;

/// How long a new node may take to become visible: structured storage updates its index late (docs/protocol.md §5.8).
pub const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// The first pause between two checks for a node that is not visible yet, and the longest one.
const LOOK_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// The type of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// The root of a workspace.
    Workspace,
    /// A folder.
    Folder,
    /// A file.
    File,
}

/// A node as the server describes it.
#[derive(Debug, Clone)]
pub struct Node {
    /// The path, beginning with the workspace's slug.
    pub path: RemotePath,
    /// The UUID; empty for nodes inside an archive.
    pub uuid: String,
    /// The type.
    pub kind: NodeKind,
    /// The size in bytes; for folders, that of all files below, which may be outdated.
    pub size: u64,
    /// The time of the last write to the content, in whole seconds.
    pub modified: Option<Timestamp>,
    /// The ETag: the MD5 of a small file, `…-N` for a file in parts, `temporary` during an upload.
    pub etag: Option<String>,
    /// The content hash (x-cells-hash), if `hashing_version` is v4 and the answer contains it: bulk answers do, a
    /// single stat may not (docs/protocol.md §2.4).
    pub hash: Option<String>,
    /// The MIME type, if known.
    pub mime: Option<String>,
    /// The number of children of a folder, including hidden ones; only in bulk answers.
    pub children: Option<u64>,
    /// Whether the user has no write permission.
    pub read_only: bool,
    /// All other metadata, decoded if they are JSON.
    pub meta: BTreeMap<String, serde_json::Value>,
}

impl Node {
    /// Returns the last segment of the path.
    pub fn name(&self) -> &str {
        self.path.name()
    }

    /// Returns the UUID to display. For a workspace it is the workspace's own, if known, not that of its root folder.
    pub fn public_uuid(&self) -> Option<&str> {
        self.text("ws_uuid").or(Some(self.uuid.as_str())).filter(|uuid| !uuid.is_empty())
    }

    /// Returns a metadata value that is a text; `None` if it is missing or empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.meta.get(name).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty())
    }

    /// Whether the node can have children.
    pub fn is_folder(&self) -> bool {
        self.kind != NodeKind::File
    }

    /// Whether the name starts with a dot, so that listings omit the node (docs/protocol.md §2.3).
    pub fn is_hidden(&self) -> bool {
        self.name().starts_with('.')
    }

    /// Whether the node is the root of a workspace, or one of several roots. To move or remove it would take it away
    /// from everybody who shares the workspace.
    pub fn is_root(&self) -> bool {
        self.path.is_workspace() || self.says("ws_root")
    }

    /// Whether the node is the top of a workspace of several folders. Nothing can be created directly in it.
    pub fn is_only_shown(&self) -> bool {
        self.says("virtual_root") || self.says("level_readonly")
    }

    /// Returns the login of the user who has locked the file against changes.
    pub fn locked_by(&self) -> Option<&str> {
        self.text("content_lock")
    }

    fn says(&self, name: &str) -> bool {
        self.meta.get(name).is_some_and(|value| value.as_bool().unwrap_or_else(|| value.as_str() == Some("true")))
    }

    /// Whether the node is a file with this content. The size alone is never proof: during an upload, a node already
    /// shows its final size.
    pub fn is_content(&self, size: u64, etag: &str) -> bool {
        !self.is_folder() && self.size == size && self.etag.as_deref() == Some(etag)
    }

    /// Whether the node is a file that the server has recorded as a folder (docs/protocol.md §5.3): it has a content
    /// hash and no children. Only valid for nodes from bulk answers.
    pub fn is_misfiled(&self) -> bool {
        self.kind == NodeKind::Folder && self.children == Some(0) && self.hash.is_some()
    }

    /// Whether the server stores the content encrypted, so that the ETag is not a checksum (docs/protocol.md §5.8).
    pub fn is_encrypted(&self) -> bool {
        self.says("datasource_encrypted")
    }

    /// Whether the answer to the creation of the folder says that the index contains it. The index of structured
    /// storage learns of it later (docs/protocol.md §5.8).
    fn is_indexed(&self) -> bool {
        self.says("datasource_node_indexed")
    }

    /// Whether an upload of the file is in progress or was abandoned.
    pub fn is_temporary(&self) -> bool {
        self.etag.as_deref() == Some("temporary")
    }
}

impl Node {
    /// Creates a node of which only the path, as the server writes it, and the type are known.
    pub fn of_path(path: &str, kind: NodeKind) -> Self {
        Self {
            path: RemotePath::from_server(path),
            uuid: String::new(),
            kind,
            size: 0,
            modified: None,
            etag: None,
            hash: None,
            mime: None,
            children: None,
            read_only: false,
            meta: BTreeMap::new(),
        }
    }
}

/// Whether the path in an answer is the requested one, in any Unicode form.
pub(super) fn is_at(answered: &str, asked: &RemotePath) -> bool {
    let answered = RemotePath::from_server(answered);
    answered == *asked || answered.nfc() == asked.nfc()
}

pub(super) fn about(answered: &str, asked: &RemotePath) -> String {
    format!("the server answered about '{answered}' when it was asked for '{asked}'")
}

fn of_this_call(answer: &BulkAnswer) -> Fits {
    if answer.is_of_another_call() { Err("the server sent the answer to another request".to_owned()) } else { Ok(()) }
}

/// Creates the error for an answer about more nodes than fit into memory.
fn too_much() -> ServerError {
    let message = "the answer about a few nodes is larger than any Cells server sends";
    HttpError::new(HttpErrorKind::TooLarge, message).into()
}

impl Client {
    /// Returns one node, only in this Unicode form. [`Client::find`] also tries the others.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotFound`], also for an archive that the server would create on request (its size is -1);
    /// [`ServerErrorKind::BadRequest`] for the root, which has no stat.
    pub async fn stat(&self, path: &RemotePath) -> Result<Node, ServerError> {
        if path.is_root() {
            return Err(ServerError::new(
                ServerErrorKind::BadRequest,
                "the root is not a folder; it only lists the workspaces",
            ));
        }
        let asked = self.server_path(path);
        let fits = |answer: &StatAnswer| match &answer.node {
            // The caller may use this name for local files, so the server must not be able to choose another one.
            Some(node) if node.path.is_empty() || is_at(&node.path, &asked) => Ok(()),
            Some(node) => Err(about(&node.path, path)),
            None => Err(format!("the server's answer does not contain {path}")),
        };
        let answer: Result<StatAnswer, ServerError> =
            self.get_about(&format!("/a/tree/stat/{}", asked.encoded()), fits).await;
        let answer = answer.map_err(|error| match error.kind {
            // Without the permission to read, this answer still means that the node exists (docs/protocol.md §6.9).
            ServerErrorKind::Forbidden if self.is_upload_only() => {
                ServerError::new(ServerErrorKind::NotFound, format!("'{path}' does not exist"))
            }
            _ => error,
        });
        match answer?.node {
            Some(node) if !node.is_virtual() || node.path.is_empty() => {
                node.check()?;
                Ok(self.shown_node(node))
            }
            _ => Err(ServerError::new(ServerErrorKind::NotFound, format!("'{path}' does not exist"))),
        }
    }

    /// Returns a node in the Unicode form that exists on the server; `None` if there is none.
    ///
    /// # Errors
    /// Any failure, except for a missing node.
    pub async fn find(&self, path: &RemotePath) -> Result<Option<Node>, ServerError> {
        for form in path.read_forms() {
            match self.stat(&form).await {
                Ok(node) => return Ok(Some(node)),
                Err(error) if error.kind == ServerErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Returns the first of several nodes that exists, and its index in `paths`. The requests do not wait for each other:
    /// over a slow line, a missing node would cost one round trip for each folder above it.
    ///
    /// # Errors
    /// As [`Client::find`], for a node before the first one that exists.
    pub async fn find_first(&self, paths: &[RemotePath]) -> Result<Option<(usize, Node)>, ServerError> {
        let find = |path: RemotePath| {
            let client = self.clone();
            async move { client.find(&path).await }
        };
        let nodes = stream::iter(paths.to_vec()).map(find).buffered(CANDIDATES_AT_ONCE);
        let mut nodes = pin!(nodes.enumerate());
        while let Some((index, found)) = nodes.next().await {
            if let Some(node) = found? {
                return Ok(Some((index, node)));
            }
        }
        Ok(None)
    }

    /// Like [`Client::find`], for the result of a server job: waits until the node is visible, a file with its final
    /// content, for at most [`SHOWN_WITHIN`].
    ///
    /// # Errors
    /// As [`Client::find`].
    pub async fn find_made(&self, path: &RemotePath) -> Result<Option<Node>, ServerError> {
        let deadline = Instant::now() + SHOWN_WITHIN;
        let mut pause = LOOK_PAUSE.0;
        loop {
            let found = self.find(path).await?;
            let is_shown = found.as_ref().is_some_and(|node| !node.is_temporary());
            if is_shown || Instant::now() + pause > deadline {
                return Ok(found);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_PAUSE.1);
        }
    }

    /// Returns several nodes in the order of `paths`, with the child counts of folders. Missing and forbidden nodes are
    /// omitted.
    ///
    /// # Errors
    /// Any failure, except for a missing or forbidden node.
    pub async fn stat_many(&self, paths: &[RemotePath]) -> Result<Vec<Node>, ServerError> {
        // In a bulk call `folder/*` means the children of the folder, so a node whose name is `*` is requested alone.
        let calls = paths.chunk_by(|one, other| one.name() != "*" && other.name() != "*");
        let calls: Vec<Vec<RemotePath>> = calls.flat_map(|run| run.chunks(STATS_A_CALL)).map(<[_]>::to_vec).collect();
        let client = self.clone();
        let answers = stream::iter(calls).map(move |call| client.clone().stat_call(call)).buffered(AT_ONCE);
        let nodes: Vec<(Vec<Node>, Held)> = answers.try_collect().await?;
        Ok(nodes.into_iter().flat_map(|(nodes, _)| nodes).collect())
    }

    async fn stat_call(self, paths: Vec<RemotePath>) -> Result<(Vec<Node>, Held), ServerError> {
        if let [only] = paths.as_slice()
            && only.name() == "*"
        {
            return match self.stat(only).await {
                Ok(node) => Ok((vec![node], Held::default())),
                Err(error) if matches!(error.kind, ServerErrorKind::NotFound | ServerErrorKind::Forbidden) => {
                    Ok((Vec::new(), Held::default()))
                }
                Err(error) => Err(error),
            };
        }
        let request = BulkRequest {
            node_paths: paths.iter().filter(|path| !path.is_root()).map(|path| self.server_text(path)).collect(),
            limit: 0,
            offset: 0,
        };
        if request.node_paths.is_empty() {
            return Ok((Vec::new(), Held::default()));
        }
        let asked: HashSet<RemotePath> = paths.iter().map(|path| self.server_path(path).nfc()).collect();
        let fits = |answer: &BulkAnswer| {
            let is_asked = |node: &&WireNode| !asked.contains(&RemotePath::from_server(&node.path).nfc());
            match answer.nodes.iter().filter(|node| !node.path.is_empty()).find(is_asked) {
                Some(node) => Err(about(&node.path, &paths[0])),
                None => of_this_call(answer),
            }
        };
        let answer: BulkAnswer = self.read_about(BULK, &request, fits).await?;
        // An omitted node counts as missing, so the answer must really be about these nodes.
        answer.nodes.iter().try_for_each(WireNode::check)?;
        let present = answer.nodes.into_iter().filter(|node| !node.is_virtual());
        let nodes: Vec<Node> = present.map(|node| self.shown_node(node)).collect();
        let held = self.room.take(&nodes, When::Now).ok_or_else(too_much)?;
        Ok((nodes, held))
    }

    /// Converts a node of an answer, with the path that is displayed.
    pub(super) fn shown_node(&self, node: WireNode) -> Node {
        let mut node = node.into_node();
        node.path = self.shown_path(node.path);
        // Public links have a placeholder for the name of the shared node as their label.
        if let (Some(view), Some(label)) = (&self.view, node.meta.get_mut("ws_label")) {
            *label = view.label().unwrap_or_else(|| node.path.name()).into();
        }
        node
    }

    /// Returns the local name for a downloaded node: for a public link, the name of the shared folder, otherwise the
    /// last segment of the path.
    pub fn own_name<'a>(&'a self, node: &'a Node) -> &'a str {
        self.view.as_ref().and_then(|view| view.label_of(&node.path)).unwrap_or_else(|| node.name())
    }

    /// Whether the name of a downloaded node was chosen by the creator of a public link and not by the user.
    pub fn is_named_by_link(&self, node: &Node) -> bool {
        self.view.as_ref().is_some_and(|view| view.names(&node.path))
    }

    fn server_text(&self, path: &RemotePath) -> String {
        self.server_path(path).to_string()
    }

    /// Returns the workspaces that the user may see, sorted by slug.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn workspaces(&self) -> Result<Vec<Node>, ServerError> {
        let request = BulkRequest { node_paths: vec!["/*".to_owned()], limit: 0, offset: 0 };
        let answer: BulkAnswer = self.read(BULK, &request).await?;
        let named = answer.nodes.into_iter().filter(|node| RemotePath::from_server(&node.path).is_workspace());
        let mut workspaces: Vec<Node> = named.map(|node| self.shown_node(node)).collect();
        workspaces.sort_by(|one, other| one.path.cmp(&other.path));
        workspaces.dedup_by(|one, other| one.path == other.path);
        self.room.take(&workspaces, When::Now).ok_or_else(too_much)?;
        Ok(workspaces)
    }

    /// Returns the visible children of a folder as pages arrive, each once, in the server's order (bytes of the names).
    /// The children of the root are the workspaces. The first page has 100 entries, all others have 500, and four are
    /// requested at a time. The content of archives is omitted.
    ///
    /// # Errors
    /// The stream ends with the first failure; [`ServerErrorKind::NotFound`] if the folder does not exist.
    pub fn children(&self, folder: &RemotePath) -> impl Stream<Item = Result<Node, ServerError>> + Send + 'static {
        self.counted_children(folder, Arc::default())
    }

    /// Like [`Client::children`]. Once the stream has ended, `total` is the server's count of the children, including
    /// hidden ones, or zero if the first page was the complete list.
    pub fn counted_children(
        &self,
        folder: &RemotePath,
        total: Arc<AtomicU64>,
    ) -> impl Stream<Item = Result<Node, ServerError>> + Send + 'static {
        let client = self.clone();
        if folder.is_root() {
            let all = async move { client.workspaces().await.map(|nodes| stream::iter(nodes.into_iter().map(Ok))) };
            return stream::once(all).try_flatten().left_stream().left_stream();
        }
        if self.is_upload_only() {
            let refused =
                ServerError::new(ServerErrorKind::Forbidden, "this link only accepts uploads: its content is hidden");
            return stream::once(future::err(refused)).right_stream().left_stream();
        }
        let listed = self.server_path(folder);
        let empty_pages = Arc::<EmptyPages>::default();
        let fetch = move |offset, limit, when| {
            let (client, path, empty_pages) = (client.clone(), listed.clone(), empty_pages.clone());
            async move {
                // Each page has its own task, so that an answer is read while others are still in flight.
                let page = AbortOnDropHandle::new(tokio::spawn(async move {
                    let page = client.page(path, offset, limit, when).await?;
                    empty_pages.note(page.as_ref().is_some_and(|page| page.items.is_empty()))?;
                    Ok(page)
                }));
                page.await.unwrap_or_else(|error| Err(ServerError::new(ServerErrorKind::Server, error.to_string())))
            }
        };
        let mut failed = false;
        page::items(CUT, fetch, |node: &Node| page::identity_of(&node.uuid), total)
            .take_while(move |item| future::ready(!std::mem::replace(&mut failed, item.is_err())))
            .right_stream()
    }

    /// Returns a page of a listing; `None` if there is no memory for it and a smaller page, or the same one later, may
    /// fit.
    async fn page(
        &self,
        folder: RemotePath,
        offset: u64,
        limit: u64,
        when: When,
    ) -> Result<Option<Page<Node>>, ServerError> {
        let may_fit = when == When::Ahead || limit > 1;
        let request = BulkRequest { node_paths: vec![format!("{folder}/*")], limit, offset };
        let fits = |answer: &BulkAnswer| {
            let is_outside = |node: &&WireNode| {
                let parent = RemotePath::from_server(&node.path).parent().unwrap_or_default();
                parent != folder && parent.nfc() != folder.nfc()
            };
            if let Some(node) = answer.nodes.iter().filter(|node| !node.uuid.is_empty()).find(is_outside) {
                return Err(about(&node.path, &folder));
            }
            match &answer.pagination {
                Some(page) if u64::try_from(page.current_offset).is_ok_and(|begins| begins != offset) => {
                    Err(format!("the server answered with another page of {folder} than the requested one"))
                }
                _ => of_this_call(answer),
            }
        };
        let answer: BulkAnswer = match self.read_about(BULK, &request, fits).await {
            Err(error) if may_fit && error.is_too_large() => return Ok(None),
            answer => answer?,
        };
        let count = answer.nodes.len() as u64;
        let real: Vec<WireNode> =
            answer.nodes.into_iter().filter(|node| !node.uuid.is_empty() && !node.is_virtual()).collect();
        real.iter().try_for_each(WireNode::check)?;
        let items: Vec<Node> = real.into_iter().map(|node| self.shown_node(node)).collect();
        let Some(held) = self.room.take(&items, when) else {
            return if may_fit { Ok(None) } else { Err(too_much()) };
        };
        self.listed.fetch_add(count, Ordering::Relaxed);
        let total = answer.pagination.map(|pagination| u64::try_from(pagination.total).unwrap_or(0));
        Ok(Some(Page { items, total, held }))
    }

    /// Creates folders and their missing parents, in NFC. Existing ones are kept, so the call can be repeated. Each
    /// call contains at most 100 folders, and fewer once calls take too long. The server accepts a folder below a file,
    /// so check first. If the index is late, waits until the folders are visible, since their names would look free
    /// otherwise; folders that are not visible within [`SHOWN_WITHIN`] are missing in the result.
    ///
    /// # Errors
    /// The first failure; all earlier folders, and some of the same call, have been created.
    pub async fn create_folders(&self, paths: &[RemotePath]) -> Result<Vec<Node>, ServerError> {
        let mut made = Vec::with_capacity(paths.len());
        let mut rest = paths;
        let mut most = FOLDERS_A_CALL;
        while !rest.is_empty() {
            let call = &rest[..most.min(rest.len())];
            match self.create_call(call).await {
                Ok(nodes) => {
                    made.extend(self.shown(nodes).await?);
                    rest = &rest[call.len()..];
                }
                Err(error) if call.len() > 1 && error.is_too_slow() => {
                    most = (call.len() / 4).max(1);
                    tracing::debug!(%error, most, "creating fewer folders per call");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }

    /// Waits until new folders are visible, and returns those that are. No request is sent if the answer says that the
    /// index contains them.
    async fn shown(&self, mut made: Vec<Node>) -> Result<Vec<Node>, ServerError> {
        let late = made.iter().filter(|node| !node.is_indexed());
        let mut late: Vec<RemotePath> = late.map(|node| node.path.clone()).collect();
        let deadline = Instant::now() + SHOWN_WITHIN;
        let mut pause = LOOK_PAUSE.0;
        // Without the permission to list, new folders are never visible.
        while !late.is_empty() && !self.is_upload_only() {
            let shown: HashSet<RemotePath> = self.stat_many(&late).await?.into_iter().map(|node| node.path).collect();
            late.retain(|path| !shown.contains(path));
            if let Some(path) = late.first() {
                if Instant::now() + pause > deadline {
                    tracing::warn!(%path, count = late.len(), "the server does not list folders that it has created");
                    made.retain(|node| !late.contains(&node.path));
                    break;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LOOK_PAUSE.1);
            }
        }
        Ok(made)
    }

    async fn create_call(&self, paths: &[RemotePath]) -> Result<Vec<Node>, ServerError> {
        let nodes = paths.iter().map(|path| WirePath { path: self.server_text(&path.nfc()), kind: Some("COLLECTION") });
        let request = CreateRequest { nodes: nodes.collect(), recursive: true };
        let answer: CreateAnswer = self.repeatable_write("/a/tree/create", &request, paths.len() > 1).await?;
        Ok(answer.children.into_iter().map(|node| self.shown_node(node)).collect())
    }

    /// Starts to restore a node from a recycle bin to its original place. Sent once.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotFound`]; any other failure, for example if the server does not know the original place.
    pub async fn restore(&self, path: &RemotePath) -> Result<JobId, ServerError> {
        let request = RestoreRequest { nodes: vec![WirePath { path: self.server_text(path), kind: None }] };
        let answer: RestoreAnswer = self.write(Method::POST, "/a/tree/restore", &request).await?;
        let job = answer.restore_jobs.into_iter().next().map(|job| JobId(job.uuid));
        job.ok_or_else(|| {
            ServerError::new(ServerErrorKind::Server, "the server started to restore it but did not return a job id")
        })
    }

    /// Starts the deletion of nodes, to the recycle bin or permanently. A deletion inside the recycle bin is always
    /// permanent. If the answer is lost, the nodes are checked: if all are gone, the deletion counts as done, and no
    /// jobs are returned.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotFound`] if one of the nodes does not exist; then nothing is deleted.
    /// [`ServerErrorKind::BadRequest`] for a workspace; then nothing is sent, because the server might delete it.
    pub async fn delete(&self, paths: &[RemotePath], permanently: bool) -> Result<Vec<JobId>, ServerError> {
        if let Some(whole) = paths.iter().find(|path| path.is_root() || path.is_workspace()) {
            let message = format!("'{whole}' is a workspace, which cannot be deleted like this");
            return Err(ServerError::new(ServerErrorKind::BadRequest, message));
        }
        let nodes = paths.iter().map(|path| WirePath { path: self.server_text(path), kind: None });
        let request = DeleteRequest { nodes: nodes.collect(), remove_permanently: permanently };
        match self.write::<DeleteAnswer>(Method::POST, "/a/tree/delete", &request).await {
            Ok(answer) => Ok(answer.delete_jobs.into_iter().map(|job| JobId(job.uuid)).collect()),
            Err(error) if error.is_answer_lost() && self.stat_many(paths).await.is_ok_and(|left| left.is_empty()) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }
}

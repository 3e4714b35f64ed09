//! The tree service: stat, listing, folders, deletion.

use std::collections::{BTreeMap, HashSet};
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

/// The one service behind listings and bulk stats.
pub(super) const BULK: &str = "/a/meta/bulk/get";

/// How children are asked for. A page of 500 takes the server about a second, one of 100 a fifth of that: it is all of
/// most folders, and of the others it soon tells how many pages there are.
const CUT: Cut = Cut { first: 100, others: 500, at_once: AT_ONCE };

/// How many pages or bulk calls are asked for at once: about the server's best.
const AT_ONCE: usize = 4;

/// How many paths one bulk stat names: they are served one by one, some 10 ms each.
const STATS_A_CALL: usize = 50;

/// How many folders one call makes: more gain nothing and come near the time limits of proxies.
const FOLDERS_A_CALL: usize = 100;

/// How long what was made may take to be shown: structured storage tells its index later (docs/protocol.md §5.8).
pub const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// The first pause between two looks at what is not shown yet, and the longest.
const LOOK_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// What a node is.
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
    /// Where it is: workspace and path.
    pub path: RemotePath,
    /// Its UUID (empty for what lies inside an archive).
    pub uuid: String,
    /// What it is.
    pub kind: NodeKind,
    /// Bytes; for folders the recursive sum, which may lag behind.
    pub size: u64,
    /// When its content was last written, to the second.
    pub modified: Option<Timestamp>,
    /// The entity tag: MD5 of a small file, `…-N` of a multipart one; `temporary` while it is being uploaded.
    pub etag: Option<String>,
    /// The content hash (x-cells-hash), only where hashing_version is v4 and the answer carries it: bulk answers do, a
    /// single stat may not (docs/protocol.md §2.4).
    pub hash: Option<String>,
    /// MIME type, where known.
    pub mime: Option<String>,
    /// How many children a folder has, hidden ones included; only from bulk answers.
    pub children: Option<u64>,
    /// Whether the user may only read it.
    pub read_only: bool,
    /// The remaining metadata, values decoded from their JSON text where they are JSON.
    pub meta: BTreeMap<String, serde_json::Value>,
}

impl Node {
    /// The last name of its path.
    pub fn name(&self) -> &str {
        self.path.name()
    }

    /// The UUID that it goes by: of a workspace its own, where the answer carries it, not that of its root folder.
    pub fn public_uuid(&self) -> Option<&str> {
        self.text("ws_uuid").or(Some(self.uuid.as_str())).filter(|uuid| !uuid.is_empty())
    }

    /// A text of its metadata; `None` where it is empty as well.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.meta.get(name).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty())
    }

    /// Whether it can hold others.
    pub fn is_folder(&self) -> bool {
        self.kind != NodeKind::File
    }

    /// Whether its name starts with a dot, so that listings leave it out (docs/protocol.md §2.3).
    pub fn is_hidden(&self) -> bool {
        self.name().starts_with('.')
    }

    /// Whether it is what somebody shares or administers, as others find it: the root of a workspace, or one of the
    /// several roots of one. Whoever moves or removes it takes it away from everybody.
    pub fn is_root(&self) -> bool {
        self.path.is_workspace() || self.says("ws_root")
    }

    /// Whether it only shows the several roots of a workspace, and takes nothing beside them.
    pub fn is_only_shown(&self) -> bool {
        self.says("virtual_root") || self.says("level_readonly")
    }

    /// The login of whoever has locked it against changes by others.
    pub fn locked_by(&self) -> Option<&str> {
        self.text("content_lock")
    }

    fn says(&self, name: &str) -> bool {
        self.meta.get(name).is_some_and(|value| value.as_bool().unwrap_or_else(|| value.as_str() == Some("true")))
    }

    /// Whether it is a file of that content. Never from the size alone: a node that is still being uploaded shows the size
    /// that was announced.
    pub fn is_content(&self, size: u64, etag: &str) -> bool {
        !self.is_folder() && self.size == size && self.etag.as_deref() == Some(etag)
    }

    /// Whether it is a file that the server has entered as a folder (docs/protocol.md §5.3): it has a content hash, and
    /// nothing is in it. Only for nodes of bulk answers.
    pub fn is_misfiled(&self) -> bool {
        self.kind == NodeKind::Folder && self.children == Some(0) && self.hash.is_some()
    }

    /// Whether the server encrypts its content where it is stored: its ETag tells nothing of the content then
    /// (docs/protocol.md §5.8).
    pub fn is_encrypted(&self) -> bool {
        self.says("datasource_encrypted")
    }

    /// Whether the answer to its making says that the index knows it: a structured storage learns of it later
    /// (docs/protocol.md §5.8).
    fn is_indexed(&self) -> bool {
        self.says("datasource_node_indexed")
    }

    /// Whether an upload of it is still running or was never finished.
    pub fn is_temporary(&self) -> bool {
        self.etag.as_deref() == Some("temporary")
    }
}

impl Node {
    /// A node of which only the path, as the server writes it, and the kind are known.
    pub fn bare(path: &str, kind: NodeKind) -> Self {
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

/// Whether an answer is about a path: the bytes are the same, but for the Unicode form.
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

/// The failure of a call that tells more of nodes than is kept in memory.
fn too_much() -> ServerError {
    let message = "the answer about a few nodes is larger than any Cells server sends";
    HttpError::new(HttpErrorKind::TooLarge, message).into()
}

impl Client {
    /// One node, in the Unicode form given; [`Client::find`] tries the others too.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotFound`], also for an archive that the server would make on the fly (its size is -1);
    /// [`ServerErrorKind::BadRequest`] for the root, which cannot be asked.
    pub async fn stat(&self, path: &RemotePath) -> Result<Node, ServerError> {
        if path.is_root() {
            return Err(ServerError::new(
                ServerErrorKind::BadRequest,
                "the root is not a folder; it only lists the workspaces",
            ));
        }
        let asked = self.server_path(path);
        let fits = |answer: &StatAnswer| match &answer.node {
            // What is named here is written here under that name: the server has no say in it.
            Some(node) if node.path.is_empty() || is_at(&node.path, &asked) => Ok(()),
            Some(node) => Err(about(&node.path, path)),
            None => Err(format!("the server's answer does not contain {path}")),
        };
        let answer: Result<StatAnswer, ServerError> =
            self.get_about(&format!("/a/tree/stat/{}", asked.encoded()), fits).await;
        let answer = answer.map_err(|error| match error.kind {
            // Where nothing may be read, what exists is told of all the same (docs/protocol.md §6.9).
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

    /// One node in whichever Unicode form the server has it, or `None` where it does not exist.
    ///
    /// # Errors
    /// Everything but a node that does not exist.
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

    /// As [`Client::find`], for what a job of the server has made: it is looked for until it shows, a file
    /// with its content, at most for [`SHOWN_WITHIN`].
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

    /// Several nodes in few calls, folders with their child counts; missing and forbidden ones are left out. The
    /// order is that of the paths.
    ///
    /// # Errors
    /// Any failure but a missing or forbidden node.
    pub async fn stat_many(&self, paths: &[RemotePath]) -> Result<Vec<Node>, ServerError> {
        // In a bulk call `folder/*` means the children, whatever may be called so.
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
        // What is left out counts as missing: an answer that tells of something else must not.
        answer.nodes.iter().try_for_each(WireNode::check)?;
        let present = answer.nodes.into_iter().filter(|node| !node.is_virtual());
        let nodes: Vec<Node> = present.map(|node| self.shown_node(node)).collect();
        let held = self.room.take(&nodes, When::Now).ok_or_else(too_much)?;
        Ok((nodes, held))
    }

    /// A node of an answer, named as it is shown.
    pub(super) fn shown_node(&self, node: WireNode) -> Node {
        let mut node = node.into_node();
        node.path = self.shown_path(node.path);
        // Links are labelled by a word that stands for the name of what they open.
        if let (Some(view), Some(label)) = (&self.view, node.meta.get_mut("ws_label")) {
            *label = view.label().unwrap_or_else(|| node.path.name()).into();
        }
        node
    }

    /// What is downloaded is called: of a public link the folder that it opens, of anything else the last name of its
    /// path.
    pub fn own_name<'a>(&'a self, node: &'a Node) -> &'a str {
        self.view.as_ref().and_then(|view| view.label_of(&node.path)).unwrap_or_else(|| node.name())
    }

    /// Whether whoever made a public link chose the name of what is downloaded, and not the user.
    pub fn is_named_by_link(&self, node: &Node) -> bool {
        self.view.as_ref().is_some_and(|view| view.names(&node.path))
    }

    fn server_text(&self, path: &RemotePath) -> String {
        self.server_path(path).to_string()
    }

    /// The workspaces that the user sees, sorted by slug.
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

    /// The visible children of a folder, each once, as pages arrive, in the server's order (bytes of the names); those
    /// of the root are the workspaces. The first page is of 100, the others of 500 come four at a time. What an archive holds
    /// is left out.
    ///
    /// # Errors
    /// The stream ends with the first failure; [`ServerErrorKind::NotFound`] where the folder does not exist.
    pub fn children(&self, folder: &RemotePath) -> impl Stream<Item = Result<Node, ServerError>> + Send + 'static {
        self.counted_children(folder, Arc::default())
    }

    /// As [`Client::children`]; once the stream has ended, `total` is the number of children that the server counts,
    /// hidden ones included, or zero where it told none because all came.
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
                // On a task of its own, so that an answer is read while others are still on their way.
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

    /// A page of a listing; `None` where there is no memory for it, and where a smaller one, or the same one later, may fit.
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

    /// Makes folders in NFC, parents included; existing ones are kept, so that it can be repeated. Never more than 100
    /// a call, and fewer once calls take too long. The server does not mind a folder below a file: check first. Where the
    /// index is late, they are waited for, so that who comes next does not take their names for free ones. What does not
    /// show within [`SHOWN_WITHIN`] is left out.
    ///
    /// # Errors
    /// The first failure; the folders before it, and some of its call, have been made.
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

    /// Waits until folders that were made are shown, and gives those that are. Costs nothing where the answer says that the
    /// index knows them.
    async fn shown(&self, mut made: Vec<Node>) -> Result<Vec<Node>, ServerError> {
        let late = made.iter().filter(|node| !node.is_indexed());
        let mut late: Vec<RemotePath> = late.map(|node| node.path.clone()).collect();
        let deadline = Instant::now() + SHOWN_WITHIN;
        let mut pause = LOOK_PAUSE.0;
        // Where nothing may be listed, what was made is not shown at all.
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

    /// Starts to put something of a recycle bin back to where it was. Sent once.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotFound`]; any other failure, also where the server does not know where it was.
    pub async fn restore(&self, path: &RemotePath) -> Result<JobId, ServerError> {
        let request = RestoreRequest { nodes: vec![WirePath { path: self.server_text(path), kind: None }] };
        let answer: RestoreAnswer = self.write(Method::POST, "/a/tree/restore", &request).await?;
        let job = answer.restore_jobs.into_iter().next().map(|job| JobId(job.uuid));
        job.ok_or_else(|| {
            ServerError::new(ServerErrorKind::Server, "the server started to restore it but did not return a job id")
        })
    }

    /// Starts a deletion: to the recycle bin, or for good. What lies in the recycle bin is always deleted for good.
    /// After a lost answer the nodes are looked for: where all are gone, the deletion counts as done, without jobs.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotFound`] if one of the nodes does not exist: then nothing is deleted.
    /// [`ServerErrorKind::BadRequest`] for a workspace, which is not sent: the server may carry it out.
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

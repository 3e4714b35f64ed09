//! The tree of nodes with everything that depends on the clock and on rights: resolving a
//! caller's path, writing files, and locks.

pub(crate) mod changes;
pub(crate) mod forest;
mod handle;
pub(crate) mod node;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

pub use handle::Tree;

use crate::clock::Clock;
use crate::content::{Body, Digests, Store};
use crate::links::{Link, Links};
use crate::tokens::{Caller, Scope};
use crate::world::{self, Right, RootKind, Workspace};
use forest::{Forest, TreeError, segments};
use node::{Kind, Late, Node, NodeId};

/// A path of one workspace, as one user sees it. Nothing need exist there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) workspace: &'static Workspace,
    pub(crate) login: String,
    /// Path below the workspace root, cleaned: no slash at either end, empty for the root.
    pub(crate) relative: String,
    /// How visitors of a public link see it.
    pub(crate) visit: Option<Arc<Visit>>,
}

/// A public link as the workspace that it is for its visitors.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) slug: String,
    pub(crate) label: String,
    /// The path of the shared node below the root of the workspace that contains it.
    base: String,
    /// The name of a file that is shared by itself, in a folder that exists nowhere else.
    file: Option<String>,
}

impl Place {
    /// What error texts call the node: its path in the data source with a leading slash.
    pub(crate) fn shown(&self) -> String {
        match self.workspace.root_kind {
            RootKind::Datasource => format!("/{}", self.relative),
            RootKind::Personal => format!("/{}/{}", self.login, self.relative),
            RootKind::Folder => format!("/{}-root/{}", self.workspace.slug, self.relative),
        }
    }

    /// The path in the server's own tree: the data source comes first.
    pub(crate) fn internal(&self) -> String {
        let source = if self.workspace.root_kind == RootKind::Personal { "personal" } else { "pydiods1" };
        format!("{source}{}", self.shown())
    }

    /// The path as the user writes it. That of a root ends with a slash.
    pub(crate) fn path(&self) -> String {
        let Some(visit) = &self.visit else { return format!("{}/{}", self.workspace.slug, self.relative) };
        let below = self.relative.strip_prefix(&visit.base).unwrap_or_default().trim_start_matches('/');
        match &visit.file {
            Some(file) => format!("{}/{file}", visit.slug),
            None => format!("{}/{below}", visit.slug),
        }
    }

    /// Whether the caller sees it as a workspace, which can never be changed as such.
    pub(crate) fn is_root(&self) -> bool {
        self.relative.is_empty() || self.visit.as_ref().is_some_and(|visit| visit.base == self.relative)
    }

    /// Whether it is, or is inside, something with the name of an archive. Files in a folder of such a name can be
    /// written but never read: the server looks for them inside an archive.
    pub(crate) fn is_archive_or_inside(&self) -> bool {
        let is_archive = |name: &str| [".zip", ".tar", ".tar.gz"].iter().any(|ending| name.ends_with(ending));
        self.relative.split('/').any(is_archive)
    }

    /// Whether it is inside something with the name of an archive.
    pub(crate) fn is_inside_archive(&self) -> bool {
        self.relative.rsplit_once('/').is_some_and(|(above, _)| self.at(above).is_archive_or_inside())
    }

    /// The last name; empty for a workspace root.
    pub(crate) fn name(&self) -> &str {
        self.relative.rsplit('/').next().unwrap_or_default()
    }

    /// The same workspace, another path.
    pub(crate) fn at(&self, relative: &str) -> Self {
        let visit = self.visit.clone();
        Self { workspace: self.workspace, login: self.login.clone(), relative: segments(relative).join("/"), visit }
    }

    /// Returns a key that is unique across all workspaces and users, and starts with the keys of all parent places.
    fn key(&self) -> String {
        let owner = match self.workspace.root_kind {
            RootKind::Personal => self.login.as_str(),
            RootKind::Datasource | RootKind::Folder => "",
        };
        format!("{}/{owner}/{}", self.workspace.slug, self.relative)
    }
}

/// What a caller may do at a path.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// Read and write.
    Allowed(Place),
    /// Read only.
    ReadOnly(Place),
    /// Write only: an existing node can be requested by name, but nothing else is visible.
    WriteOnly(Place),
    /// The folder that a link to a single file seems to open.
    FileFolder(Place),
    /// The workspace is known to the user, but the token does not reach this path.
    NotReadable,
    /// No such workspace, or none that this user may see.
    UnknownWorkspace(String),
}

/// An upload that has begun.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) uuid: Arc<str>,
    /// Whether this upload made the temporary node; otherwise the file was there before, or
    /// another upload of the same path made the node.
    pub(crate) created: bool,
}

/// What a finished upload makes of its node.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) body: Body,
    /// Without quotes.
    pub(crate) etag: String,
    /// `x-cells-hash`, shown after the configured delay. `None` leaves the previous value, as a
    /// server does that has lost the hashes of the parts.
    pub(crate) hash: Option<String>,
    /// Content type, shown after the same delay.
    pub(crate) mime: Option<String>,
    /// Whether the object of the file has been replaced before, so that only the index entry is written.
    pub(crate) is_stored: bool,
}

#[derive(Debug)]
struct JobLock {
    key: String,
    until: Instant,
}

/// The tree of one sandbox. Copies share the same nodes.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    forest: Arc<RwLock<Forest>>,
    locks: Arc<Mutex<Vec<JobLock>>>,
    clock: Clock,
    hash_delay: Duration,
    store: Store,
    links: Arc<Links>,
}

impl Nodes {
    pub(crate) fn new(clock: Clock, hash_delay: Duration, store: Store, links: Arc<Links>) -> Self {
        let forest = Forest::new(clock.now());
        Self { forest: Arc::new(RwLock::new(forest)), locks: Arc::default(), clock, hash_delay, store, links }
    }

    /// Where the bodies of files go.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Reads the nodes. The closure must be quick, because writers wait.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Forest) -> T) -> T {
        look(&self.forest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the nodes. The closure gets the time for new nodes.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut Forest, i64) -> T) -> T {
        let now = self.clock.now();
        change(&mut self.forest.write().unwrap_or_else(PoisonError::into_inner), now)
    }

    /// What `caller` may do at `path`, which starts with a workspace slug.
    pub(crate) fn resolve(&self, caller: &Caller, path: &str) -> Access {
        let parts = segments(path);
        let (slug, rest) = parts.split_first().map_or(("", &[][..]), |(slug, rest)| (*slug, rest));
        let unknown = || Access::UnknownWorkspace(slug.to_owned());
        if self.links.is_visitor(&caller.login) {
            let link = self.links.by_user(&caller.login);
            return link.and_then(|link| self.resolve_visit(&link, slug, rest)).unwrap_or_else(unknown);
        }
        let Some(workspace) = world::workspace(slug) else {
            return unknown();
        };
        let Some(right) = workspace.right_of(&caller.login) else {
            return unknown();
        };
        let place = Place { workspace, login: caller.login.clone(), relative: rest.join("/"), visit: None };
        let may_write = right == Right::ReadWrite;
        match &caller.scope {
            Some(scope) if !self.is_scope(&place, scope) => Access::NotReadable,
            Some(scope) if !(scope.write && may_write) => Access::ReadOnly(place),
            None if !may_write => Access::ReadOnly(place),
            _ => Access::Allowed(place),
        }
    }

    /// What a visitor of a public link may do below its workspace.
    fn resolve_visit(&self, link: &Link, slug: &str, names: &[&str]) -> Option<Access> {
        let (root, kind) = self.opened(link).filter(|_| slug == link.slug)?;
        if kind == Kind::File {
            return match names {
                [] => Some(Access::FileFolder(root)),
                [name] if root.path().ends_with(&format!("/{name}")) => Some(Access::ReadOnly(root)),
                _ => None,
            };
        }
        let place = root.at(&format!("{}/{}", root.relative, names.join("/")));
        Some(match link.right()? {
            Right::Read => Access::ReadOnly(place),
            Right::ReadWrite => Access::Allowed(place),
            Right::Write => Access::WriteOnly(place),
        })
    }

    /// What a public link opens, as its visitors see it.
    pub(crate) fn opened(&self, link: &Link) -> Option<(Place, Kind)> {
        let uuid = link.node_uuids.first()?;
        let (place, id, _) = self.reach(&Caller::full(&link.owner), uuid)?;
        let kind = self.read(|forest| forest.get(id).map(|node| node.kind))?;
        let prefix: String = uuid.chars().rev().filter(char::is_ascii_hexdigit).take(8).collect();
        let file = (kind == Kind::File).then(|| format!("{prefix}-{}", place.name()));
        let visit = Visit { slug: link.slug.clone(), label: link.label.clone(), base: place.relative.clone(), file };
        Some((Place { visit: Some(Arc::new(visit)), ..place }, kind))
    }

    /// Where `caller` finds the node of that Uuid, and whether it may only be read there.
    pub(crate) fn reach(&self, caller: &Caller, uuid: &str) -> Option<(Place, NodeId, bool)> {
        if self.links.is_visitor(&caller.login) {
            let link = self.links.by_user(&caller.login)?;
            let (root, _) = self.opened(&link)?;
            return self.read(|forest| {
                let (id, top) = (forest.by_uuid(uuid)?, find(forest, &root)?);
                let read_only = link.right() == Some(Right::Read);
                forest.is_inside(id, top).then(|| (root.at(&forest.path(id)), id, read_only))
            });
        }
        self.read(|forest| {
            let id = forest.by_uuid(uuid)?;
            world::WORKSPACES.iter().find_map(|workspace| {
                let right = workspace.right_of(&caller.login)?;
                let top = forest.root(workspace, &caller.login)?;
                let place = Place { workspace, login: caller.login.clone(), relative: forest.path(id), visit: None };
                forest.is_inside(id, top).then_some((place, id, right == Right::Read))
            })
        })
    }

    fn is_scope(&self, place: &Place, scope: &Scope) -> bool {
        self.read(|forest| {
            let id = find(forest, place);
            id.and_then(|id| forest.get(id)).is_some_and(|node| *node.uuid == *scope.node_uuid)
        })
    }

    /// Begins an upload: the node appears at once, with missing folders above it, and is
    /// "temporary" until [`Nodes::commit_put`]. A file that exists stays as it is until then.
    pub(crate) fn begin_put(&self, place: &Place, announced: u64) -> Result<Upload, TreeError> {
        self.write(|forest, now| {
            let root = root(forest, place).ok_or(TreeError::Missing)?;
            let (parent, name) = forest.make_parent_of(root, &place.relative, now)?;
            let (id, created) = match forest.child(parent, name) {
                Some(id) => (id, false),
                None => (forest.attach(parent, Node::temporary(name, announced, now)), true),
            };
            let node = forest.get(id).ok_or(TreeError::Missing)?;
            if node.kind == Kind::Folder {
                return Err(TreeError::FolderInTheWay);
            }
            let uuid = Arc::clone(&node.uuid);
            Ok(Upload { uuid, created })
        })
    }

    /// Sets the content of an upload's node. If the node was removed in the meantime, the index gets a new one that it
    /// treats as a folder: it has the size, the ETag and the hash of the file, and nobody can read its content.
    pub(crate) fn commit_put(&self, place: &Place, upload: &Upload, finished: Finished) -> Result<(), TreeError> {
        let due = Instant::now() + self.hash_delay;
        let is_structured = self.read(|forest| {
            let id = forest.by_uuid(&upload.uuid);
            id.and_then(|id| forest.get(id)).is_some_and(|node| node.is_structured)
        });
        let whole = is_structured.then(|| finished.body.read_all().ok()).flatten();
        let whole = whole.and_then(|content| Some(self.store.put(&content).ok()?.1.etag()));
        self.write(|forest, now| {
            let (id, is_removed) = match forest.by_uuid(&upload.uuid) {
                Some(id) => (id, false),
                None => (misfiled(forest, place, &upload.uuid, now)?, true),
            };
            forest.keep_before(id);
            forest.resize(id, finished.body.size());
            let node = forest.get_mut(id).ok_or(TreeError::Missing)?;
            node.mtime = now;
            node.etag = finished.etag;
            // What is stored as it is has no parts.
            if node.is_structured && node.etag.contains('-') && finished.body.size() > 0 {
                node.etag = whole.unwrap_or_default();
            }
            if is_removed {
                node.body = None;
            } else if !finished.is_stored {
                node.body = Some(finished.body);
            }
            if let Some(hash) = &finished.hash {
                node.hash.set_at(due, Some(hash));
            }
            if let Some(mime) = &finished.mime {
                node.mime.set_at(due, Some(mime));
            }
            Ok(())
        })
    }

    /// The digests of a content as it is stored in the data source of an upload.
    pub(crate) fn stored(&self, upload: &str, digests: Digests) -> Digests {
        let is_encrypted = self.read(|forest| {
            let id = forest.by_uuid(upload);
            id.and_then(|id| forest.get(id)).is_some_and(Node::is_encrypted)
        });
        if is_encrypted { digests.encrypted() } else { digests }
    }

    /// Gives up an upload in parts: a node that is still temporary disappears.
    pub(crate) fn abort_put(&self, upload: &Upload) {
        self.write(|forest, _| {
            if let Some(id) = forest.by_uuid(&upload.uuid)
                && forest.get(id).is_some_and(Node::is_temporary)
            {
                forest.remove(id);
            }
        });
    }

    /// Removes the node of a single PUT. The real server removes by path, so this may be any node that is there now.
    pub(crate) fn clean_up_put(&self, place: &Place) {
        self.write(|forest, _| {
            if let Some(id) = find(forest, place) {
                forest.remove(id);
            }
        });
    }

    /// Writes a complete file, with missing folders above it. An existing file keeps its UUID.
    pub(crate) fn put_bytes(&self, place: &Place, content: &[u8]) -> anyhow::Result<()> {
        let (body, digests) = self.store.put(content)?;
        let upload =
            self.begin_put(place, body.size()).map_err(|refusal| anyhow::anyhow!("{}: {refusal:?}", place.path()))?;
        let digests = self.stored(&upload.uuid, digests);
        let finished = Finished {
            body,
            etag: digests.etag(),
            hash: Some(digests.cells_hash()),
            mime: Some(sniff(place.name(), content).to_owned()),
            is_stored: false,
        };
        self.commit_put(place, &upload, finished).map_err(|refusal| anyhow::anyhow!("{}: {refusal:?}", place.path()))
    }

    /// Makes a folder with all missing ones above it.
    pub(crate) fn make_folder(&self, place: &Place) -> Result<(), TreeError> {
        self.write(|forest, now| {
            let root = root(forest, place).ok_or(TreeError::Missing)?;
            forest.make_folder(root, &place.relative, now).map(|_| ())
        })
    }

    /// Whether a place is in no root of a workspace that has several. Nothing can be created there.
    pub(crate) fn is_rootless(&self, place: &Place) -> bool {
        self.read(|forest| {
            let has = |id: NodeId, name: &str| forest.get(id).is_some_and(|node| node.extra.contains_key(name));
            let Some(top) = root(forest, place).filter(|top| has(*top, "virtual_root")) else { return false };
            let first = place.relative.split('/').next().unwrap_or_default();
            !forest.child(top, first).is_some_and(|child| has(child, "ws_root"))
        })
    }

    /// Whether a place is a root, one of several too.
    pub(crate) fn is_one_root(&self, place: &Place) -> bool {
        let is_marked = |forest: &Forest| Some(forest.get(find(forest, place)?)?.extra.contains_key("ws_root"));
        place.is_root() || self.read(is_marked).unwrap_or(false)
    }

    /// Refuses writes at and below a place for that long, as a running job does.
    pub(crate) fn lock(&self, place: &Place, duration: Duration) {
        let lock = JobLock { key: place.key(), until: Instant::now() + duration };
        self.locks.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
    }

    /// Whether a job has locked this place or a folder above it.
    pub(crate) fn is_locked(&self, place: &Place) -> bool {
        let now = Instant::now();
        let key = place.key();
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|lock| lock.until > now);
        locks.iter().any(|lock| {
            let held = lock.key.trim_end_matches('/');
            key.strip_prefix(held).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// A new node of that Uuid, which is a folder.
fn misfiled(forest: &mut Forest, place: &Place, uuid: &Arc<str>, now: i64) -> Result<NodeId, TreeError> {
    let root = root(forest, place).ok_or(TreeError::Missing)?;
    let (parent, name) = forest.make_parent_of(root, &place.relative, now)?;
    if forest.child(parent, name).is_some() {
        return Err(TreeError::Missing);
    }
    let folder = Node { uuid: Arc::clone(uuid), kind: Kind::Folder, ..Node::temporary(name, 0, now) };
    Ok(forest.attach(parent, folder))
}

/// The root node of the place's workspace.
pub(crate) fn root(forest: &Forest, place: &Place) -> Option<NodeId> {
    forest.root(place.workspace, &place.login)
}

/// Returns the node at a place. A name with a backslash is never found, although it can be written and is listed, as on
/// the real server.
pub(crate) fn find(forest: &Forest, place: &Place) -> Option<NodeId> {
    if place.relative.contains('\\') {
        return None;
    }
    forest.find(root(forest, place)?, &place.relative)
}

/// A content type from the name, or else from the look of the content.
pub(crate) fn sniff(name: &str, content: &[u8]) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("pdf") => "application/pdf",
        Some("zip") => "application/zip",
        _ if is_page(content) => "text/html; charset=utf-8",
        _ if content.iter().take(512).all(|byte| *byte >= 9) => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether content starts as a web page does.
fn is_page(content: &[u8]) -> bool {
    let start = content.trim_ascii_start();
    ["<html", "<!doctype html"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|it| it.eq_ignore_ascii_case(tag.as_bytes())))
}

/// A value shown from now on, or nothing: for tests that set what the server computes.
fn forced(value: Option<&str>) -> Late {
    value.map_or_else(Late::default, Late::now)
}

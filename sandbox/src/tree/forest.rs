//! All nodes of a sandbox: a tree for each workspace root. Pure data: permissions and the clock are one level up.

use std::collections::HashMap;
use std::sync::Arc;

use super::node::{Behind, Children, Kind, Node, NodeId};
use crate::world::{RootKind, USERS, WORKSPACES, Workspace};

/// Longest name, in characters, that the server's database takes.
pub(crate) const LONGEST_NAME: usize = 255;

/// Why a change of the tree is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TreeError {
    /// A name has more than 255 characters.
    NameTooLong,
    /// There is a file in place of a folder.
    FileInTheWay,
    /// There is a folder in place of a file.
    FolderInTheWay,
    /// The node is gone.
    Missing,
    /// The path is that of a workspace root.
    WorkspaceRoot,
}

/// The nodes, in one arena.
#[derive(Debug)]
pub(crate) struct Forest {
    nodes: Vec<Option<Node>>,
    free: Vec<usize>,
    by_uuid: HashMap<Arc<str>, NodeId>,
    roots: HashMap<(&'static str, &'static str), NodeId>,
    /// Whether the index of structured data sources is stopped, so that it misses all changes.
    is_index_held: bool,
}

/// The parts of a path that name something: no empty ones, `.` and `..` resolved.
pub(crate) fn segments(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts
}

impl Forest {
    /// Empty workspaces: one root for each, and one for each user in the personal one.
    pub(super) fn new(now: i64) -> Self {
        let mut forest = Self {
            nodes: Vec::new(),
            free: Vec::new(),
            by_uuid: HashMap::new(),
            roots: HashMap::new(),
            is_index_held: false,
        };
        for workspace in &WORKSPACES {
            match workspace.root_kind {
                RootKind::Personal => {
                    for user in &USERS {
                        let id = forest.insert(Node::folder(user.login, now));
                        forest.roots.insert((workspace.slug, user.login), id);
                    }
                }
                RootKind::Datasource | RootKind::Folder => {
                    let mut root = Node::folder(workspace.slug, now);
                    root.uuid = workspace.root_uuid.into();
                    if workspace.root_kind == RootKind::Datasource {
                        root.name = "".into();
                        root.etag = String::new();
                    }
                    let id = forest.insert(root);
                    forest.roots.insert((workspace.slug, ""), id);
                }
            }
        }
        forest
    }

    /// The root node that `login` sees as this workspace.
    pub(crate) fn root(&self, workspace: &Workspace, login: &str) -> Option<NodeId> {
        let owner = match workspace.root_kind {
            RootKind::Personal => login,
            RootKind::Datasource | RootKind::Folder => "",
        };
        self.roots.get(&(workspace.slug, owner)).copied()
    }

    /// The node of that id.
    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0)?.as_ref()
    }

    /// The node of that id, to change it. Sizes go through [`Forest::resize`].
    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0)?.as_mut()
    }

    /// The node of that Uuid.
    pub(crate) fn by_uuid(&self, uuid: &str) -> Option<NodeId> {
        self.by_uuid.get(uuid).copied()
    }

    /// Returns the nodes with metadata of this name, beside what the server itself stores.
    pub(crate) fn with_extra(&self, name: &str) -> Vec<NodeId> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| node.as_ref().is_some_and(|node| node.extra.contains_key(name)))
            .map(|(index, _)| NodeId(index))
            .collect()
    }

    /// The node at `path` below `root`.
    pub(crate) fn find(&self, root: NodeId, path: &str) -> Option<NodeId> {
        segments(path).into_iter().try_fold(root, |id, name| self.child(id, name))
    }

    /// The child of that exact name.
    pub(crate) fn child(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        let children = self.get(parent)?.children.as_ref()?;
        children.by_name.get(name).copied()
    }

    /// The folder above; `None` for a root.
    pub(crate) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.get(id)?.parent
    }

    /// All children in byte order of their names, hidden ones included.
    pub(crate) fn children(&self, id: NodeId) -> &[NodeId] {
        let Some(children) = self.get(id).and_then(|node| node.children.as_ref()) else {
            return &[];
        };
        children.order.get_or_init(|| children.by_name.values().copied().collect())
    }

    /// The path of a node below its root: no leading slash, empty for the root itself.
    pub(crate) fn path(&self, id: NodeId) -> String {
        let mut names = Vec::new();
        let mut current = id;
        while let Some(node) = self.get(current) {
            let Some(parent) = node.parent else { break };
            names.push(node.name.as_ref());
            current = parent;
        }
        names.reverse();
        names.join("/")
    }

    /// Whether `inner` is `outer` or somewhere below it.
    pub(crate) fn is_inside(&self, inner: NodeId, outer: NodeId) -> bool {
        let mut current = Some(inner);
        while let Some(id) = current {
            if id == outer {
                return true;
            }
            current = self.parent(id);
        }
        false
    }

    /// The folder at `path`, made with all missing folders above it.
    pub(crate) fn make_folder(&mut self, root: NodeId, path: &str, now: i64) -> Result<NodeId, TreeError> {
        let names = segments(path);
        let (last, parents) = match names.split_last() {
            None => return Ok(root),
            Some((last, parents)) => (last, parents),
        };
        check_names(&names)?;
        let parent = self.make_parents(root, parents, now)?;
        match self.child(parent, last) {
            Some(id) => match self.get(id).map(|node| node.kind) {
                Some(Kind::Folder) => Ok(id),
                _ => Err(TreeError::FileInTheWay),
            },
            None => Ok(self.attach(parent, Node::folder(last, now))),
        }
    }

    /// The node above `path`, made with everything above it, and the last name of `path`.
    ///
    /// A file is accepted as a parent: the real server does so, and the result is a node that no
    /// listing reaches.
    pub(crate) fn make_parent_of<'path>(
        &mut self,
        root: NodeId,
        path: &'path str,
        now: i64,
    ) -> Result<(NodeId, &'path str), TreeError> {
        let names = segments(path);
        check_names(&names)?;
        let (last, parents) = names.split_last().ok_or(TreeError::WorkspaceRoot)?;
        Ok((self.make_parents(root, parents, now)?, last))
    }

    fn make_parents(&mut self, root: NodeId, names: &[&str], now: i64) -> Result<NodeId, TreeError> {
        let mut current = root;
        for name in names {
            current = match self.child(current, name) {
                Some(id) => id,
                None => {
                    let mut folder = Node::folder(name, now);
                    folder.implied = true;
                    self.attach(current, folder)
                }
            };
        }
        Ok(current)
    }

    /// Puts a new node below `parent`, into its data source. The name must be free.
    pub(crate) fn attach(&mut self, parent: NodeId, mut node: Node) -> NodeId {
        if self.get(parent).is_some_and(Node::is_encrypted) {
            node.encrypt();
        }
        node.is_structured = self.get(parent).is_some_and(|parent| parent.is_structured);
        let id = self.insert(node);
        self.link(parent, id);
        self.fall_behind(id);
        id
    }

    /// Makes the index of a structured data source miss a new node, or one that is about to be written.
    pub(crate) fn fall_behind(&mut self, id: NodeId) {
        let is_held = self.is_index_held;
        let Some(node) = self.get_mut(id).filter(|node| is_held && node.is_structured) else { return };
        if node.behind.is_none() {
            let is_temporary = node.is_temporary();
            node.behind = Some(if is_temporary { Behind::Temporary } else { Behind::Missing });
        }
    }

    /// As [`Forest::fall_behind`], for a file that is overwritten.
    pub(crate) fn keep_before(&mut self, id: NodeId) {
        let is_held = self.is_index_held;
        let Some(node) = self.get_mut(id).filter(|node| is_held && node.is_structured) else { return };
        if node.behind.is_none() {
            node.behind = Some(Behind::Before { size: node.size, etag: node.etag.clone() });
        }
    }

    /// Stops the index of structured data sources, or makes it learn all changes.
    pub(crate) fn hold_index(&mut self, hold: bool) {
        self.is_index_held = hold;
        if !hold {
            self.nodes.iter_mut().flatten().for_each(|node| node.behind = None);
        }
    }

    /// Whether the index of structured data sources is stopped.
    pub(crate) fn is_index_held(&self) -> bool {
        self.is_index_held
    }

    /// Whether the index does not know of a node yet, or of a folder above it.
    pub(crate) fn is_unseen(&self, id: NodeId) -> bool {
        let mut current = Some(id);
        while let Some(node) = current.and_then(|id| self.get(id)) {
            if matches!(node.behind, Some(Behind::Missing)) {
                return true;
            }
            current = node.parent;
        }
        false
    }

    /// Sets the size of a file and corrects the sizes of all folders above it.
    pub(crate) fn resize(&mut self, id: NodeId, size: u64) {
        let Some(node) = self.get_mut(id) else { return };
        let before = node.size;
        node.size = size;
        let parent = node.parent;
        self.add_size(parent, before, size);
    }

    /// Takes a node and everything below it out of the tree for good.
    pub(crate) fn remove(&mut self, id: NodeId) {
        self.unlink(id);
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let Some(node) = self.nodes.get_mut(id.0).and_then(Option::take) else {
                continue;
            };
            if let Some(children) = node.children {
                pending.extend(children.by_name.into_values());
            }
            self.by_uuid.remove(&node.uuid);
            self.free.push(id.0);
        }
    }

    /// Moves a node with everything below it; Uuids and times stay. The name must be free.
    pub(crate) fn relocate(&mut self, id: NodeId, parent: NodeId, name: &str) {
        self.unlink(id);
        if let Some(node) = self.get_mut(id) {
            node.name = name.into();
        }
        self.link(parent, id);
        self.fall_behind(id);
    }

    /// Copies a node with everything below it: new Uuids, new times. The name must be free.
    pub(crate) fn duplicate(&mut self, id: NodeId, parent: NodeId, name: &str, now: i64) -> Option<NodeId> {
        let sources = self.walk(id);
        let mut copies = HashMap::new();
        for source in sources {
            let original = self.get(source)?;
            let (target, name) = if source == id {
                (parent, Arc::from(name))
            } else {
                let above = copies.get(&original.parent?).copied()?;
                (above, Arc::clone(&original.name))
            };
            let copy = Node {
                kind: original.kind,
                size: match original.kind {
                    Kind::File => original.size,
                    Kind::Folder => 0,
                },
                etag: match original.kind {
                    Kind::File => original.etag.clone(),
                    Kind::Folder => crate::random::folder_etag(),
                },
                mime: original.mime.clone(),
                hash: original.hash.clone(),
                body: original.body.clone(),
                ..Node::folder(&name, now)
            };
            copies.insert(source, self.attach(target, copy));
        }
        copies.get(&id).copied()
    }

    /// A node and everything below it, parents before their children.
    pub(crate) fn walk(&self, id: NodeId) -> Vec<NodeId> {
        let mut found = vec![id];
        let mut next = 0;
        while let Some(&current) = found.get(next) {
            found.extend_from_slice(self.children(current));
            next += 1;
        }
        found
    }

    /// `name`, or the first of `name-1`, `name-2`… that nothing in the folder has. The comparison
    /// ignores case, and a file keeps its extension: this is how the server avoids overwriting.
    pub(crate) fn free_name(&mut self, parent: NodeId, name: &str, kind: Kind) -> String {
        let Some(children) = self.get_mut(parent).and_then(|node| node.children.as_mut()) else {
            return name.to_owned();
        };
        let taken = children.folded();
        let (stem, extension) = match name.rfind('.') {
            Some(dot) if kind == Kind::File && dot > 0 => name.split_at(dot),
            _ => (name, ""),
        };
        let mut candidate = name.to_owned();
        let mut number = 0_u64;
        while taken.contains_key(candidate.to_lowercase().as_str()) {
            number += 1;
            candidate = format!("{stem}-{number}{extension}");
        }
        candidate
    }

    fn insert(&mut self, node: Node) -> NodeId {
        let uuid = Arc::clone(&node.uuid);
        let id = if let Some(index) = self.free.pop() {
            self.nodes[index] = Some(node);
            NodeId(index)
        } else {
            self.nodes.push(Some(node));
            NodeId(self.nodes.len() - 1)
        };
        self.by_uuid.insert(uuid, id);
        id
    }

    fn link(&mut self, parent: NodeId, id: NodeId) {
        let Some(node) = self.get_mut(id) else { return };
        node.parent = Some(parent);
        let (name, kind, size) = (Arc::clone(&node.name), node.kind, node.size);
        if let Some(above) = self.get_mut(parent) {
            let children = above.children.get_or_insert_with(Box::default);
            children.recount(&name, kind, 1);
            children.by_name.insert(name, id);
        }
        self.add_size(Some(parent), 0, size);
    }

    fn unlink(&mut self, id: NodeId) {
        let Some(node) = self.get_mut(id) else { return };
        let (name, kind, size) = (Arc::clone(&node.name), node.kind, node.size);
        let Some(parent) = node.parent.take() else {
            return;
        };
        if let Some(children) = self.get_mut(parent).and_then(|above| above.children.as_mut()) {
            children.by_name.remove(&name);
            children.recount(&name, kind, -1);
        }
        self.add_size(Some(parent), size, 0);
    }

    fn add_size(&mut self, from: Option<NodeId>, before: u64, after: u64) {
        let mut current = from;
        while let Some(node) = current.and_then(|id| self.get_mut(id)) {
            if node.kind == Kind::Folder {
                node.size = (node.size + after).saturating_sub(before);
            }
            current = node.parent;
        }
    }
}

impl Children {
    /// Keeps the counts right when a name comes (1) or goes (-1).
    fn recount(&mut self, name: &str, kind: Kind, change: isize) {
        let count = match kind {
            Kind::File => &mut self.files,
            Kind::Folder => &mut self.folders,
        };
        *count = count.saturating_add_signed(change);
        self.order.take();
        if let Some(folded) = &mut self.folded {
            let name = name.to_lowercase();
            let count = folded.entry(name.clone().into()).or_default();
            *count = count.saturating_add_signed(change);
            if *count == 0 {
                folded.remove(name.as_str());
            }
        }
    }

    /// How many children have each name, ignoring case.
    fn folded(&mut self) -> &HashMap<Box<str>, usize> {
        let by_name = &self.by_name;
        self.folded.get_or_insert_with(|| {
            let mut folded = HashMap::new();
            for name in by_name.keys() {
                *folded.entry(name.to_lowercase().into()).or_default() += 1;
            }
            folded
        })
    }
}

fn check_names(names: &[&str]) -> Result<(), TreeError> {
    if names.iter().any(|name| name.chars().count() > LONGEST_NAME) { Err(TreeError::NameTooLong) } else { Ok(()) }
}

//! The tree as a test sees it: plain blocking calls, no rights, paths as the user admin writes
//! them.

use crate::content::{Digests, Store};
use crate::tokens::Caller;
use crate::tree::forest::Forest;
use crate::tree::node::{Kind, Late, Node, NodeId};
use crate::tree::{Access, Nodes, Place, find, forced, root, sniff};

/// The text "true" as a value of the meta store.
const TRUE: &str = "\"true\"";

/// Direct access to the nodes of a sandbox, past the protocol.
///
/// Paths are those of the user `admin`, for example `common-files/folder/file.txt`. Calls may come
/// from any thread and see each other's effects, and those of requests, at once.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Nodes,
}

impl Tree {
    pub(crate) fn new(nodes: Nodes) -> Self {
        Self { nodes }
    }

    /// Writes a file with its missing folders; an existing one is overwritten and keeps its Uuid.
    /// The content hash is visible at once.
    pub fn put(&self, path: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let place = self.place(path)?;
        self.nodes.put_bytes(&place, content.as_ref())?;
        self.change(&place, |node| {
            let (hash, mime) = (node.hash.settled(), node.mime.settled());
            (node.hash, node.mime) = (hash, mime);
        });
        Ok(())
    }

    /// Replaces the stored content of a file, while the index keeps the size, the ETag and the hash of the old one: the
    /// result of an overwrite that broke off at the wrong moment.
    pub fn damage(&self, path: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let place = self.place(path)?;
        let (body, _) = Store::put(self.nodes.store(), content.as_ref())?;
        anyhow::ensure!(self.change(&place, |node| node.body = Some(body)), "there is no {path}");
        Ok(())
    }

    /// Leaves the result of an upload whose node was removed before its end: the index has a folder with the file's
    /// size, ETag and hash, and nobody can read the content.
    pub fn misfile(&self, path: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        self.put(path, content)?;
        let is_there = self.change(&self.place(path)?, |node| (node.kind, node.body) = (Kind::Folder, None));
        anyhow::ensure!(is_there, "there is no {path}");
        Ok(())
    }

    /// Attaches a text to a node, as users and services do.
    pub fn set_meta(&self, path: &str, name: &str, text: &str) -> bool {
        let value = serde_json::Value::from(text).to_string();
        let place = self.place(path);
        place.is_ok_and(|place| self.change(&place, |node| drop(node.extra.insert(name.to_owned(), value))))
    }

    /// The content of a file, or `None` when there is no complete file at that path.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let body = self.look(path, |node| node.body.clone())??;
        body.read_all().ok()
    }

    /// Makes a folder with all missing ones above it.
    pub fn mkdir(&self, path: &str) -> anyhow::Result<()> {
        let place = self.place(path)?;
        let made = self.nodes.write(|forest, now| {
            let root = root(forest, &place)?;
            Some(forest.make_folder(root, &place.relative, now))
        });
        match made {
            Some(Ok(_)) => Ok(()),
            refusal => anyhow::bail!("cannot make the folder {path}: {refusal:?}"),
        }
    }

    /// Whether there is a node, temporary ones included.
    pub fn exists(&self, path: &str) -> bool {
        self.look(path, |_| ()).is_some()
    }

    /// Whether there is a folder.
    pub fn is_folder(&self, path: &str) -> bool {
        self.look(path, |node| node.kind == Kind::Folder) == Some(true)
    }

    /// Names directly below a folder in byte order, hidden ones included; empty when it is missing.
    pub fn list(&self, path: &str) -> Vec<String> {
        let names = |forest: &Forest, id: NodeId| {
            let children = forest.children(id).iter();
            children.filter_map(|id| forest.get(*id)).map(|node| node.name.to_string()).collect()
        };
        self.with(path, names).unwrap_or_default()
    }

    /// The etag, without quotes.
    pub fn etag(&self, path: &str) -> Option<String> {
        self.look(path, |node| node.etag.clone())
    }

    /// The Uuid.
    pub fn uuid(&self, path: &str) -> Option<String> {
        self.look(path, |node| node.uuid.to_string())
    }

    /// Bytes of a file; of a folder, of all files below it.
    pub fn size(&self, path: &str) -> Option<u64> {
        self.look(path, |node| node.size)
    }

    /// The content hash that the server shows now.
    pub fn hash(&self, path: &str) -> Option<String> {
        self.look(path, |node| node.hash.current().map(str::to_owned))?
    }

    /// Removes a node and everything below it; false when there was none or it is a workspace.
    pub fn remove(&self, path: &str) -> bool {
        let Ok(place) = self.place(path) else {
            return false;
        };
        self.nodes.write(|forest, _| {
            let found = find(forest, &place).filter(|_| !place.relative.is_empty());
            found.inspect(|id| forest.remove(*id)).is_some()
        })
    }

    /// Makes the server show this content hash, right or wrong; `None` shows none. False when there is no such node.
    pub fn set_hash<'a>(&self, path: &str, value: impl Into<Option<&'a str>>) -> bool {
        let (place, value) = (self.place(path), value.into());
        place.is_ok_and(|place| self.change(&place, |node| node.hash = forced(value)))
    }

    /// Makes a workspace one that is shared as several folders, as a cell of more than one: what is directly in it are its
    /// roots, and its top only shows them.
    pub fn split_into_roots(&self, workspace: &str) -> anyhow::Result<()> {
        let place = self.place(workspace)?;
        let is_split = self.nodes.write(|forest, _| {
            let top = root(forest, &place)?;
            for child in forest.children(top).to_vec() {
                forest.get_mut(child)?.extra.insert("ws_root".to_owned(), TRUE.to_owned());
            }
            let extra = &mut forest.get_mut(top)?.extra;
            extra.insert("virtual_root".to_owned(), TRUE.to_owned());
            extra.insert("level_readonly".to_owned(), TRUE.to_owned());
            Some(())
        });
        anyhow::ensure!(is_split.is_some(), "there is no {workspace}");
        Ok(())
    }

    /// Sets the modification time, in seconds since the Unix epoch.
    pub fn set_mtime(&self, path: &str, seconds: i64) -> bool {
        let place = self.place(path);
        place.is_ok_and(|place| self.change(&place, |node| node.mtime = seconds))
    }

    /// Makes a workspace report this quota. Nothing is refused because of it.
    pub fn set_quota(&self, workspace: &str, bytes: u64) -> bool {
        let place = self.place(workspace);
        place.is_ok_and(|place| self.change(&place, |node| node.quota = Some(bytes)))
    }

    /// Moves a workspace to a data source that encrypts its content, from now on.
    pub fn encrypt(&self, workspace: &str) -> bool {
        let place = self.place(workspace);
        place.is_ok_and(|place| self.change(&place, Node::encrypt))
    }

    /// Moves a workspace to a structured data source, from now on.
    pub fn structure(&self, workspace: &str) -> bool {
        let place = self.place(workspace);
        place.is_ok_and(|place| self.change(&place, |node| node.is_structured = true))
    }

    /// Stops the index of structured data sources until it is released. Nodes that are created or moved are not found
    /// until then; an uploaded file is temporary, and an overwritten one has its old size and ETag.
    pub fn hold_index(&self, hold: bool) {
        self.nodes.write(|forest, _| forest.hold_index(hold));
    }

    /// Fills a folder with `count` files of `size` bytes each, named `file-0000000.bin` and so on.
    /// All have the same content and share its storage, so that hundreds of thousands take moments.
    pub fn generate(&self, folder: &str, count: usize, size: usize) -> anyhow::Result<()> {
        let place = self.place(folder)?;
        self.mkdir(folder)?;
        let content: Vec<u8> = (0..size).map(|index| b'a' + (index % 23) as u8).collect();
        let (body, digests) = Store::put(self.nodes.store(), &content)?;
        let mime = sniff("", &content);
        self.nodes.write(|forest, now| {
            let Some(parent) = find(forest, &place) else {
                return;
            };
            for number in 0..count {
                let name = format!("file-{number:07}.bin");
                if forest.child(parent, &name).is_none() {
                    let mut file = Node::temporary(&name, body.size(), now);
                    complete(&mut file, &body, &digests, mime);
                    forest.attach(parent, file);
                }
            }
        });
        Ok(())
    }

    fn place(&self, path: &str) -> anyhow::Result<Place> {
        match self.nodes.resolve(&Caller::full("admin"), path) {
            Access::Allowed(place) | Access::ReadOnly(place) => Ok(place),
            Access::WriteOnly(_) | Access::FileFolder(_) | Access::NotReadable | Access::UnknownWorkspace(_) => {
                anyhow::bail!("{path} is in no workspace")
            }
        }
    }

    fn with<T>(&self, path: &str, look: impl FnOnce(&Forest, NodeId) -> T) -> Option<T> {
        let place = self.place(path).ok()?;
        self.nodes.read(|forest| find(forest, &place).map(|id| look(forest, id)))
    }

    fn look<T>(&self, path: &str, look: impl FnOnce(&Node) -> T) -> Option<T> {
        self.with(path, |forest, id| forest.get(id).map(look))?
    }

    fn change(&self, place: &Place, change: impl FnOnce(&mut Node)) -> bool {
        self.nodes.write(|forest, _| {
            let node = find(forest, place).and_then(|id| forest.get_mut(id));
            node.map(change).is_some()
        })
    }
}

fn complete(file: &mut Node, body: &crate::content::Body, digests: &Digests, mime: &str) {
    file.etag = digests.etag();
    file.hash = Late::now(&digests.cells_hash());
    file.mime = Late::now(mime);
    file.body = Some(body.clone());
}

//! One node of the tree, and the data about the children of a folder.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::content::Body;

/// Index of a node in its forest. It stays valid as long as the node exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(pub(super) usize);

/// File or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
}

/// A value that becomes visible some time after it was set; until then the previous one shows.
///
/// The real server computes `x-cells-hash` and `mime` in the background, so that readers see the
/// hash of the previous content for a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late {
    shown: Option<Arc<str>>,
    next: Option<(Instant, Option<Arc<str>>)>,
}

impl Late {
    /// A value that is visible at once.
    pub(crate) fn now(value: &str) -> Self {
        Self { shown: Some(value.into()), next: None }
    }

    /// Replaces the value from `due` on. The present value remains visible until then.
    pub(crate) fn set_at(&mut self, due: Instant, value: Option<&str>) {
        self.shown = self.current().map(Arc::from);
        self.next = Some((due, value.map(Arc::from)));
    }

    /// The newest value, visible at once.
    pub(super) fn settled(&self) -> Self {
        let value = match &self.next {
            Some((_, value)) => value.clone(),
            None => self.shown.clone(),
        };
        Self { shown: value, next: None }
    }

    /// What a reader sees now.
    pub(crate) fn current(&self) -> Option<&str> {
        match &self.next {
            Some((due, value)) if Instant::now() >= *due => value.as_deref(),
            _ => self.shown.as_deref(),
        }
    }
}

/// The children of a node, by name in byte order.
#[derive(Debug, Default)]
pub(crate) struct Children {
    pub(super) by_name: BTreeMap<Arc<str>, NodeId>,
    pub(super) files: usize,
    pub(super) folders: usize,
    /// The same ids as a slice, created at the first listing after a change: a page at a high offset must not iterate
    /// over everything before it.
    pub(super) order: OnceLock<Vec<NodeId>>,
    /// How many children have each name in lower case. Made at the first search for a free name,
    /// and kept up to date from then on.
    pub(super) folded: Option<HashMap<Box<str>, usize>>,
}

/// What a late index still reports about a node.
#[derive(Clone, Debug)]
pub(crate) enum Behind {
    /// Nothing.
    Missing,
    /// An upload that is running.
    Temporary,
    /// The file before its overwrite.
    Before {
        /// Bytes.
        size: u64,
        /// Without quotes.
        etag: String,
    },
}

/// A file or a folder.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) uuid: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    /// Bytes; of a folder, the sum of everything below it.
    pub(crate) size: u64,
    /// Seconds since the Unix epoch.
    pub(crate) mtime: i64,
    pub(crate) etag: String,
    pub(crate) mime: Late,
    pub(crate) hash: Late,
    /// The content of a file; `None` for folders and while the first upload is running.
    pub(crate) body: Option<Body>,
    /// Whether a folder was made only because something below it was written.
    pub(crate) implied: bool,
    /// Where a node in the recycle bin came from: its path below the workspace root.
    pub(crate) origin: Option<String>,
    /// What users have attached to it, and its shares: JSON texts by namespace.
    pub(crate) extra: BTreeMap<String, String>,
    /// When it was created or moved here. The index learns of it later.
    pub(crate) born: Instant,
    /// The maximum size of a workspace in bytes, if this is its root.
    pub(crate) quota: Option<u64>,
    /// Whether its data source is structured: the index learns of changes from the storage, later.
    pub(crate) is_structured: bool,
    /// What the index still reports, if it is late.
    pub(crate) behind: Option<Behind>,
    pub(super) parent: Option<NodeId>,
    pub(super) children: Option<Box<Children>>,
}

/// The metadata that marks a node in encrypted storage.
const ENCRYPTED: &str = "datasource_encrypted";

/// Etag of a node whose first upload has not been completed.
pub(crate) const TEMPORARY_ETAG: &str = "temporary";

impl Node {
    /// A folder without a parent yet.
    pub(super) fn folder(name: &str, mtime: i64) -> Self {
        Self {
            uuid: crate::random::uuid().into(),
            name: name.into(),
            kind: Kind::Folder,
            size: 0,
            mtime,
            etag: crate::random::folder_etag(),
            mime: Late::default(),
            hash: Late::default(),
            body: None,
            implied: false,
            origin: None,
            extra: BTreeMap::new(),
            born: Instant::now(),
            quota: None,
            is_structured: false,
            behind: None,
            parent: None,
            children: None,
        }
    }

    /// A file without content and without a parent yet: what an upload starts with.
    pub(super) fn temporary(name: &str, size: u64, mtime: i64) -> Self {
        Self { kind: Kind::File, size, etag: TEMPORARY_ETAG.to_owned(), ..Self::folder(name, mtime) }
    }

    /// Moves it to a data source that encrypts its content.
    pub(crate) fn encrypt(&mut self) {
        self.extra.insert(ENCRYPTED.to_owned(), r#""true""#.to_owned());
    }

    /// Whether its content is encrypted where it is stored.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.extra.contains_key(ENCRYPTED)
    }

    /// Whether the first upload of this file is still running.
    pub(crate) fn is_temporary(&self) -> bool {
        self.kind == Kind::File && self.body.is_none() && self.etag == TEMPORARY_ETAG
    }

    /// Returns the size and the ETag that the index reports.
    pub(crate) fn indexed(&self) -> (u64, &str) {
        match &self.behind {
            Some(Behind::Before { size, etag }) => (*size, etag),
            Some(Behind::Temporary) => (self.size, TEMPORARY_ETAG),
            Some(Behind::Missing) | None => (self.size, &self.etag),
        }
    }

    /// How many files and how many folders are directly below.
    pub(crate) fn child_counts(&self) -> (usize, usize) {
        self.children.as_ref().map_or((0, 0), |children| (children.files, children.folders))
    }
}

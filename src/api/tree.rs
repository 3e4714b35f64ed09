//! The tree service: stat, listing, folders, deletion (rest.md §1, §2).

use std::collections::BTreeMap;

use futures_util::Stream;
use jiff::Timestamp;

use super::{ApiError, Client};
use crate::path::RemotePath;

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
    /// x-cells-hash, only where hashing_version is v4 and the listing carries it (rest.md §1.4, versions.md §8.12).
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

    /// Whether it can hold others.
    pub fn is_folder(&self) -> bool {
        self.kind != NodeKind::File
    }

    /// Whether its name starts with a dot, so that listings leave it out (rest.md §1.3).
    pub fn is_hidden(&self) -> bool {
        self.name().starts_with('.')
    }

    /// Whether an upload of it is still running or was never finished.
    pub fn is_temporary(&self) -> bool {
        self.etag.as_deref() == Some("temporary")
    }
}

/// What became of a deletion request.
#[derive(Debug, Clone)]
pub struct DeleteJob {
    /// The job's id.
    pub id: String,
    /// The server's words for it.
    pub label: String,
}

impl Client {
    /// One node. The root cannot be asked (rest.md §1.1); a size of -1 (a virtual archive) counts as not found.
    /// Tries only the form given; [`Client::find`] tries NFC and NFD too.
    pub async fn stat(&self, _path: &RemotePath) -> Result<Node, ApiError> {
        todo!()
    }

    /// One node in whichever Unicode form the server has it, or `None` where it does not exist.
    pub async fn find(&self, _path: &RemotePath) -> Result<Option<Node>, ApiError> {
        todo!()
    }

    /// Several nodes in one call, folders with their child counts; missing and forbidden ones are left out.
    pub async fn stat_many(&self, _paths: &[RemotePath]) -> Result<Vec<Node>, ApiError> {
        todo!()
    }

    /// The workspaces that the user sees, sorted by slug.
    pub async fn workspaces(&self) -> Result<Vec<Node>, ApiError> {
        todo!()
    }

    /// The visible children of a folder, each once, as pages arrive; the first of 500, the rest four at a time
    /// (rest.md §1.3). A child that is a file's content in an archive is left out.
    pub fn children(&self, _folder: &RemotePath) -> impl Stream<Item = Result<Node, ApiError>> + Send + 'static {
        futures_util::stream::empty()
    }

    /// Makes folders, parents included; existing ones are kept (rest.md §2.1). Never more than 100 a call.
    pub async fn create_folders(&self, _paths: &[RemotePath]) -> Result<Vec<Node>, ApiError> {
        todo!()
    }

    /// Starts a deletion: to the recycle bin, or for good.
    pub async fn delete(&self, _paths: &[RemotePath], _permanently: bool) -> Result<Vec<DeleteJob>, ApiError> {
        todo!()
    }
}

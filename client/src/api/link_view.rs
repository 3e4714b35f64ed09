//! The content of a public link, as its visitors see it.

use super::Client;
use super::tree::{about, is_at};
use super::wire::{BulkAnswer, BulkRequest, StatAnswer, WireNode, is_true};
use crate::failure::{ServerError, ServerErrorKind};
use crate::path::{RemotePath, View};

impl WireNode {
    fn text(&self, name: &str) -> Option<String> {
        self.meta_store.text(name).map(ToOwned::to_owned)
    }

    /// Whether the node is a folder that exists only to present single files (docs/protocol.md §6.9).
    fn is_only_shown(&self) -> bool {
        self.meta_store.rest.get("virtual_root").is_some_and(is_true)
    }

    fn last_name(&self) -> &str {
        self.path.trim_matches('/').rsplit('/').next().unwrap_or_default()
    }
}

impl Client {
    /// Returns the view of a public link. `name` is the last part of its URL, `uuid` that of its workspace. Two or
    /// three calls.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotFound`] if the shared node does not (or no longer) exist; any failure of a call.
    pub async fn link_view(&self, name: &str, uuid: &str) -> Result<View, ServerError> {
        let request = BulkRequest { node_paths: vec!["/*".to_owned()], limit: 0, offset: 0 };
        let answer: BulkAnswer = self.read(super::tree::BULK, &request).await?;
        let mut workspaces = answer.nodes.into_iter().filter(|node| !node.last_name().is_empty());
        let own = workspaces.find(|node| uuid.is_empty() || node.text("ws_uuid").is_some_and(|own| own == uuid));
        let gone = || ServerError::new(ServerErrorKind::NotFound, "the content of this link no longer exists");
        let workspace = own.ok_or_else(gone)?;
        let slug = workspace.last_name().to_owned();
        let upload_only = workspace.text("ws_permissions").is_some_and(|rights| !rights.contains("read"));
        let root = self.top_of(&slug).await?;
        if !root.is_only_shown() {
            // A folder that is shared as such has a UUID. Anything else must not be treated like one, because the view
            // would present a file as a folder.
            if root.uuid.is_empty() && !upload_only {
                let message = "unexpected answer from the server: the link opens neither a folder nor files";
                return Err(ServerError::new(ServerErrorKind::NotCells, message));
            }
            return Ok(View::new(name, &slug, root.text("name"), upload_only));
        }
        let request = BulkRequest { node_paths: vec![format!("{slug}/*")], limit: 0, offset: 0 };
        let answer: BulkAnswer = self.read(super::tree::BULK, &request).await?;
        let real: Vec<&WireNode> = answer.nodes.iter().filter(|node| !node.uuid.is_empty()).collect();
        if real.is_empty() && !upload_only {
            return Err(gone());
        }
        let entries = real.iter().map(|node| (node.text("name").unwrap_or_default(), node.last_name().to_owned()));
        Ok(View::new(name, &slug, None, upload_only).with_entries(entries))
    }

    /// Returns the folder that the link opens, or seems to open.
    async fn top_of(&self, slug: &str) -> Result<WireNode, ServerError> {
        let asked = RemotePath::from_server(slug);
        let fits = |answer: &StatAnswer| match &answer.node {
            Some(node) if is_at(&node.path, &asked) => Ok(()),
            Some(node) => Err(about(&node.path, &asked)),
            None => Err(format!("the server's answer does not contain {asked}")),
        };
        let answer: StatAnswer = self.get_about(&format!("/a/tree/stat/{}", asked.encoded()), fits).await?;
        let root = answer.node.unwrap_or_default();
        root.check()?;
        Ok(root)
    }
}

//! What a public link opens, as its visitor finds it.

use super::Client;
use super::wire::{BulkAnswer, BulkRequest, StatAnswer, WireNode};
use crate::failure::{ServerError, ServerErrorKind};
use crate::path::{View, encode_segment};

impl WireNode {
    fn text(&self, name: &str) -> Option<String> {
        self.meta_store.text(name).map(ToOwned::to_owned)
    }

    fn last_name(&self) -> &str {
        self.path.trim_matches('/').rsplit('/').next().unwrap_or_default()
    }
}

impl Client {
    /// How what the link opens is to be named, `name` being the last part of its URL and `uuid` that of its workspace.
    /// Two or three calls.
    ///
    /// # Errors
    /// [`ServerErrorKind::NotFound`] where it opens nothing (any more); any failure of a call.
    pub async fn visit(&self, name: &str, uuid: &str) -> Result<View, ServerError> {
        let request = BulkRequest { node_paths: vec!["/*".to_owned()], limit: 0, offset: 0 };
        let answer: BulkAnswer = self.read(super::tree::BULK, &request).await?;
        let mut workspaces = answer.nodes.into_iter().filter(|node| !node.last_name().is_empty());
        let own = workspaces.find(|node| uuid.is_empty() || node.text("ws_uuid").is_some_and(|own| own == uuid));
        let Some(workspace) = own else {
            return Err(ServerError::new(ServerErrorKind::NotFound, "what this link opens is not there any more"));
        };
        let slug = workspace.last_name().to_owned();
        let upload_only = workspace.text("ws_permissions").is_some_and(|rights| !rights.contains("read"));
        let answer: StatAnswer = self.get(&format!("/a/tree/stat/{}", encode_segment(&slug))).await?;
        let root = answer.node.unwrap_or_default();
        if root.text("virtual_root").is_none_or(|told| told != "true") {
            return Ok(View::new(name, &slug, root.text("name"), upload_only));
        }
        let request = BulkRequest { node_paths: vec![format!("{slug}/*")], limit: 0, offset: 0 };
        let answer: BulkAnswer = self.read(super::tree::BULK, &request).await?;
        let real = answer.nodes.iter().filter(|node| !node.uuid.is_empty());
        let entries = real.map(|node| (node.text("name").unwrap_or_default(), node.last_name().to_owned()));
        Ok(View::new(name, &slug, None, upload_only).with_entries(entries))
    }
}

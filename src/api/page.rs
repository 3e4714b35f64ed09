//! Paginated listings as streams (rest.md §1.3).

use futures_util::Stream;

use super::{ApiError, Client, Node};
use crate::path::RemotePath;

/// One page of a folder's listing. CONTRACT added by the lead: walk builds on it; `Client::children` flattens it.
#[derive(Debug, Clone)]
pub struct Page {
    /// The nodes that no earlier page of this listing has given.
    pub nodes: Vec<Node>,
    /// How many children the folder has by the server's count, hidden names included (Pagination.Total); where the
    /// answer has no Pagination, all of them came, and this is `None`.
    pub total: Option<u64>,
}

impl Client {
    /// The visible children of a folder page by page, each node once.
    pub fn pages(&self, _folder: &RemotePath) -> impl Stream<Item = Result<Page, ApiError>> + Send + 'static {
        futures_util::stream::empty()
    }
}

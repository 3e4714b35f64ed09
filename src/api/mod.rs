//! The authenticated REST client (rest.md): wire structs, typed errors, pages as streams.

pub mod error;
pub mod frontend;
pub mod jobs;
pub mod page;
pub mod tree;

pub use error::{ApiError, ApiErrorKind};
pub use page::Page;
pub use tree::{Node, NodeKind};

use std::sync::Arc;

use crate::auth::Sender;

/// The REST client of one account.
#[derive(Debug, Clone)]
pub struct Client {
    #[expect(dead_code)]
    sender: Arc<Sender>,
}

impl Client {
    /// A client that sends through `sender`.
    pub fn new(sender: Arc<Sender>) -> Self {
        Self { sender }
    }
}

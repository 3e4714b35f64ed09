//! Limits the memory of listings, however large a server makes its pages.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::tree::Node;

/// Memory for pages that wait for their turn, and for oversized ones, in KiB.
const ROOM: usize = 8 * 1024;

/// Memory that the page whose turn it is may always use, in KiB. A page of 500 nodes needs about as much.
const USUAL: usize = 1024;

/// The memory of a value in addition to its text, in bytes.
const VALUE: usize = 64;

/// Whether a page is needed now or only after others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It is the next one.
    Now,
    /// It is requested ahead.
    Ahead,
}

/// The memory budget that all listings of a client share.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// A part of the budget, released when it is dropped.
#[derive(Debug, Default)]
pub struct Held {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM)))
    }
}

impl Room {
    /// Reserves memory for a page; `None` if there is not enough. It never waits, because those who have the memory may
    /// be waiting for this page.
    pub(super) fn take(&self, nodes: &[Node], when: When) -> Option<Held> {
        let size = nodes.iter().map(size_of_node).sum::<usize>() / 1024;
        if when == When::Now && size <= USUAL {
            return Some(Held::default());
        }
        let size = u32::try_from(size).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(size).ok().map(|permit| Held { _permit: Some(permit) })
    }
}

/// Returns the approximate memory of a node.
fn size_of_node(node: &Node) -> usize {
    let texts = [Some(&node.uuid), node.etag.as_ref(), node.hash.as_ref(), node.mime.as_ref()];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    let meta = node.meta.iter().map(|(name, value)| VALUE + name.len() + size_of_value(value)).sum::<usize>();
    std::mem::size_of::<Node>() + node.path.as_str().len() + texts + meta
}

fn size_of_value(value: &Value) -> usize {
    let inner = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size_of_value).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| VALUE + name.len() + size_of_value(value)).sum(),
        _ => 0,
    };
    VALUE + inner
}

//! How much of listings is in memory at a time, however large a server makes them.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::tree::Node;

/// What pages may take that wait for their turn, and those that are larger than usual, in KiB.
const ROOM: usize = 8 * 1024;

/// What a page may always take whose turn it is, in KiB: one of 500 nodes takes about as much.
const USUAL: usize = 1024;

/// What a value takes beside its text, in bytes.
const VALUE: usize = 64;

/// Whether a page is wanted at once, or only after others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It is the next one.
    Now,
    /// It is asked for ahead.
    Ahead,
}

/// The room that all listings of a client share.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// A part of the room, given back when it is dropped.
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
    /// Room for a page; `None` where there is none. Nobody waits for it: those who have some may be waiting for this page.
    pub(super) fn take(&self, nodes: &[Node], when: When) -> Option<Held> {
        let size = nodes.iter().map(size_of_node).sum::<usize>() / 1024;
        if when == When::Now && size <= USUAL {
            return Some(Held::default());
        }
        let size = u32::try_from(size).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(size).ok().map(|permit| Held { _permit: Some(permit) })
    }
}

/// What a node takes in memory, roughly.
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

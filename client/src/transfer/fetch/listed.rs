//! Compares the gateway's answers with the server's listing of the file, by ETag and size. A proxy that mixes up
//! answers, or a cache with an older version, sends a content that matches its own ETag, so the answer alone proves
//! nothing.

use crate::api::{Client, Node};
use crate::failure::ServerError;
use crate::hash::{CELLS_BLOCK, Scheme};
use crate::path::RemotePath;
use crate::s3::ObjectInfo;
use crate::transfer::TransferError;
use crate::transfer::verify::ways_to_hash;

/// The number of answers about something else after which the engine gives up. Some storages list a new content only
/// after seconds.
const MOST_OTHERS: u32 = 6;

/// The server's description of a file, as of the last request for it.
#[derive(Debug)]
pub struct Listed {
    etag: Option<String>,
    size: u64,
    /// The number of answers about something else.
    others: u32,
}

/// The result of comparing an answer with the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The answer matches the listing.
    Same,
    /// The size matches but the ETag does not, and not for the first time. A proxy may rewrite that header.
    OtherEtag,
    /// The answer is about another file or another version.
    Other,
}

impl Listed {
    /// Takes the description from a node.
    pub fn of(node: &Node) -> Self {
        Self { etag: node.etag.clone(), size: node.size, others: 0 }
    }

    /// Returns the ETag, if the server sent one.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Returns the ETag and the size, if the content can be verified with them.
    pub fn known(&self) -> Option<(&str, u64)> {
        let etag = self.etag.as_deref()?;
        (!ways_to_hash(etag, self.size).is_empty()).then_some((etag, self.size))
    }

    /// Returns the hash scheme for a content of `size` bytes; `etag` counts if none was listed.
    pub fn scheme(&self, etag: &str, size: u64) -> Scheme {
        let ways = ways_to_hash(self.etag.as_deref().unwrap_or(etag), size);
        ways.first().copied().unwrap_or(Scheme::Parts(CELLS_BLOCK))
    }

    fn is(&self, info: &ObjectInfo) -> bool {
        self.etag.as_ref().is_none_or(|etag| *etag == info.etag) && self.size == info.whole()
    }

    /// Compares an answer with the listing. If they differ, asks the server for the file again, because it may have
    /// been replaced in the meantime. After an answer about something else, no connection is used for a second request.
    ///
    /// # Errors
    /// The server no longer knows the file, or the request failed.
    pub async fn compare(
        &mut self,
        api: &Client,
        path: &RemotePath,
        info: &ObjectInfo,
    ) -> Result<Verdict, ServerError> {
        if self.is(info) {
            return Ok(Verdict::Same);
        }
        let now = api.stat(path).await?;
        if self.etag != now.etag || self.size != now.size {
            *self = Self { others: self.others, ..Self::of(&now) };
            if self.is(info) {
                return Ok(Verdict::Same);
            }
        }
        api.stop_reuse();
        self.others += 1;
        let by_etag_alone = self.size == info.whole() && self.others > 1;
        Ok(if by_etag_alone { Verdict::OtherEtag } else { Verdict::Other })
    }

    /// Creates the error for an answer about something else.
    pub fn other(&self, path: &RemotePath, info: &ObjectInfo) -> TransferError {
        let path = path.to_string();
        let size = self.size != info.whole();
        let (what, expected, found) = if size {
            ("size in the answer", self.size.to_string(), info.whole().to_string())
        } else {
            ("ETag in the answer", self.etag.clone().unwrap_or_default(), info.etag.clone())
        };
        self.failure(path, what, expected, found)
    }

    /// Creates the error for a content that matches the ETag of its answer, `found`, but not the file.
    pub fn other_content(&mut self, path: &RemotePath, found: String) -> TransferError {
        self.others += 1;
        self.failure(path.to_string(), "ETag in the answer", self.etag.clone().unwrap_or_default(), found)
    }

    fn failure(&self, path: String, what: &'static str, expected: String, found: String) -> TransferError {
        if self.others < MOST_OTHERS {
            return TransferError::Integrity { path, what, expected, found };
        }
        TransferError::OtherContent { path, why: format!("the {what} is {found}, but the server lists {expected}") }
    }
}

//! Whether an answer of the gateway is about the file that was asked for: its ETag and size are compared with what the
//! server says of that file. A proxy that mixes up the answers of several requests, or a cache that keeps an older
//! version, sends a content that fits its own ETag.

use crate::api::{Client, Node};
use crate::failure::ServerError;
use crate::hash::{CELLS_BLOCK, Scheme};
use crate::path::RemotePath;
use crate::s3::ObjectInfo;
use crate::transfer::TransferError;
use crate::transfer::verify::ways_to_hash;

/// How many answers that are not about the file are one too many. Some storage takes seconds until it lists what it has
/// already.
const MOST_OTHERS: u32 = 6;

/// What the server says of a file, when it was last asked.
#[derive(Debug)]
pub struct Listed {
    etag: Option<String>,
    size: u64,
    /// How many answers were about something else.
    others: u32,
}

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The file as the server describes it.
    Same,
    /// It has the size of the file but another ETag, not for the first time: a proxy may change that header.
    OtherEtag,
    /// Another file or another version.
    Other,
}

impl Listed {
    /// What a node says.
    pub fn of(node: &Node) -> Self {
        Self { etag: node.etag.clone(), size: node.size, others: 0 }
    }

    /// The ETag, where the server tells one.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The ETag and the size, where the content can be verified by them.
    pub fn known(&self) -> Option<(&str, u64)> {
        let etag = self.etag.as_deref()?;
        (!ways_to_hash(etag, self.size).is_empty()).then_some((etag, self.size))
    }

    /// How to hash the content of an answer.
    pub fn scheme(&self, info: &ObjectInfo) -> Scheme {
        let ways = ways_to_hash(self.etag.as_deref().unwrap_or(&info.etag), info.whole());
        ways.first().copied().unwrap_or(Scheme::Parts(CELLS_BLOCK))
    }

    fn is(&self, info: &ObjectInfo) -> bool {
        self.etag.as_ref().is_none_or(|etag| *etag == info.etag) && self.size == info.whole()
    }

    /// Compares an answer with what is known of the file. Where they differ the server is asked again, for the file may
    /// have been replaced meanwhile. An answer about something else shows that connections cannot be trusted: none is
    /// used for a second request after it.
    ///
    /// # Errors
    /// The server does not tell of the file any more.
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

    /// The failure that such an answer is.
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

    /// The failure of a content that fits the ETag of its answer, `found`, but not the file.
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

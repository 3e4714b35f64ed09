//! The requests that the server has received, for tests.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;

/// One request, in the order of arrival.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// The method, in upper case.
    pub method: String,
    /// The path, percent-decoded once, without the query.
    pub path: String,
    /// The query as sent, without the question mark; empty when there is none.
    pub query: String,
    /// The headers as sent.
    pub headers: HeaderMap,
    /// The status answered; 0 when there was no answer, or none yet.
    pub status: u16,
    /// How many bytes of the body the server has read.
    pub body_bytes: u64,
}

impl RequestRecord {
    /// A header as text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        crate::transport::header(&self.headers, name).unwrap_or_default()
    }
}

/// The part of a record that changes while the request is being served.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    status: AtomicU16,
    body_bytes: AtomicU64,
}

impl Progress {
    /// Notes what was answered.
    pub(crate) fn answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Counts bytes of the request body.
    pub(crate) fn received(&self, bytes: usize) {
        self.body_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// All requests since the start, or since the last [`RequestLog::clear`].
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    entries: Mutex<Vec<(RequestRecord, Arc<Progress>)>>,
}

impl RequestLog {
    /// Notes a request that arrives.
    pub(crate) fn begin(&self, record: RequestRecord) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push((record, Arc::clone(&progress)));
        progress
    }

    /// Returns the present records.
    pub(crate) fn snapshot(&self) -> Vec<RequestRecord> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .iter()
            .map(|(record, progress)| RequestRecord {
                status: progress.status.load(Ordering::Relaxed),
                body_bytes: progress.body_bytes.load(Ordering::Relaxed),
                ..record.clone()
            })
            .collect()
    }

    /// Removes all records.
    pub(crate) fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

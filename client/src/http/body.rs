//! Request and response bodies with supervision: the progress of uploads, and the silence of downloads.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::error::Idle;

/// The progress of a request's body.
#[derive(Debug)]
pub struct Upload {
    started: Instant,
    last_millis: AtomicU64,
    handed_over: AtomicU64,
    whole: AtomicBool,
    failure: OnceLock<String>,
}

impl Default for Upload {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            last_millis: AtomicU64::new(0),
            handed_over: AtomicU64::new(0),
            whole: AtomicBool::new(false),
            failure: OnceLock::new(),
        }
    }
}

impl Upload {
    /// Returns the number of bytes that were passed to the connection. The last of them may still be on this machine.
    pub fn handed_over(&self) -> u64 {
        self.handed_over.load(Ordering::Relaxed)
    }

    /// Whether the complete body was passed to the connection, so that the server may have it.
    pub fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed)
    }

    /// Returns the local error of the body, if there was one.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Returns when the body last moved, or the start time before the first byte.
    pub(super) fn last_move(&self) -> Instant {
        self.started + Duration::from_millis(self.last_millis.load(Ordering::Relaxed))
    }

    fn moved(&self, bytes: u64) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis, Ordering::Relaxed);
        self.handed_over.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A request body that reports its progress to an [`Upload`].
pub(super) struct WatchedBody {
    pub(super) inner: reqwest::Body,
    /// The declared Content-Length. The connection requests nothing beyond it, not even the end.
    pub(super) expected: Option<u64>,
    pub(super) upload: Arc<Upload>,
}

impl WatchedBody {
    /// Returns how much of the declared length is missing.
    fn missing(&self) -> u64 {
        self.expected.unwrap_or(0).saturating_sub(self.upload.handed_over())
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                self.upload.moved(frame.data_ref().map_or(0, Bytes::len) as u64);
                if self.missing() == 0 && (self.expected.is_some() || self.inner.is_end_stream()) {
                    self.upload.whole.store(true, Ordering::Relaxed);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let _ = self.upload.failure.set(innermost(&error));
                Some(Err(error.into()))
            }
            None if self.missing() > 0 => {
                let sent = self.upload.handed_over();
                let whole = sent + self.missing();
                let cause = format!("it ended after {sent} of {whole} bytes; it may have changed");
                let _ = self.upload.failure.set(cause.clone());
                Some(Err(cause.into()))
            }
            None => {
                self.upload.whole.store(true, Ordering::Relaxed);
                None
            }
        })
    }

    /// A body that ended too early must not report its end, or the connection would wait for the rest forever.
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream() && self.missing() == 0
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// A response body that fails after a period of silence.
pub(super) struct IdleBody {
    inner: reqwest::Body,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl IdleBody {
    pub(super) fn new(inner: reqwest::Body, idle: Duration) -> Self {
        Self { inner, idle, timer: None, armed: false }
    }
}

impl Body for IdleBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) {
            this.armed = false;
            return Poll::Ready(frame.map(|result| result.map_err(Into::into)));
        }
        let idle = this.idle;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        if !this.armed {
            this.armed = true;
            timer.as_mut().reset(Instant::now() + idle);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Some(Err(Box::new(Idle(idle)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A body that is collected in memory. A body in a single chunk is not copied.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    first: Bytes,
    whole: BytesMut,
}

impl Gathered {
    pub(super) fn len(&self) -> usize {
        self.whole.len().max(self.first.len())
    }

    pub(super) fn add(&mut self, chunk: Bytes) {
        if self.len() == 0 {
            self.first = chunk;
            return;
        }
        if self.whole.is_empty() {
            self.whole.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.whole.extend_from_slice(&chunk);
    }

    pub(super) fn whole(self) -> Bytes {
        if self.whole.is_empty() { self.first } else { self.whole.freeze() }
    }
}

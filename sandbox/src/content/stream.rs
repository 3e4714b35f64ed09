//! Reading a body as a stream, one chunk ahead of its consumer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use tokio::task::{JoinHandle, spawn_blocking};

use super::Body;

/// Bytes per read: large enough that the hop to a blocking thread does not count.
pub(super) const CHUNK: usize = 512 * 1024;

/// A stretch of a body, read on blocking threads.
#[derive(Debug)]
pub(crate) struct Reader {
    body: Body,
    /// The next byte to ask for.
    position: u64,
    end: u64,
    ahead: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Reader {
    pub(super) fn new(body: Body, start: u64, end: u64) -> Self {
        Self { body, position: start, end, ahead: None }
    }

    /// Starts the next read, unless one is under way or all is read.
    fn read_ahead(&mut self) {
        let left = self.end.saturating_sub(self.position);
        if self.ahead.is_none() && left > 0 {
            let length = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            let (body, position) = (self.body.clone(), self.position);
            self.ahead = Some(spawn_blocking(move || body.read_at(position, length)));
        }
    }
}

impl Stream for Reader {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.read_ahead();
        let Some(ahead) = &mut self.ahead else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(ahead).poll(context)).map_err(io::Error::other);
        self.ahead = None;
        let chunk = match read.and_then(|chunk| chunk) {
            Ok(chunk) if chunk.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            other => other,
        };
        match &chunk {
            Ok(bytes) => {
                self.position += bytes.len() as u64;
                self.read_ahead();
            }
            Err(_) => self.position = self.end,
        }
        Poll::Ready(Some(chunk))
    }
}

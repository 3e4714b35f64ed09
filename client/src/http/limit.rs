//! Limits the memory for answers, whatever a server sends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::{Detail, HttpError, HttpErrorKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The longest answer that is kept in memory, in bytes after decompression.
pub const LONGEST_ANSWER: usize = 12 * 1024 * 1024;

/// The longest answer about nodes, in bytes. If it is exceeded, fewer nodes can be requested.
pub const LONGEST_PAGE: usize = 4 * 1024 * 1024;

/// The length in bytes up to which answers count as short: there is no limit on their number in memory.
pub(super) const SHORT_ANSWER: usize = 512 * 1024;

/// The maximum memory of an answer after parsing, in bytes; see [`weight`].
const HEAVIEST_ANSWER: usize = 28 * 1024 * 1024;

/// How long a long answer may wait for its turn.
const TURN_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// The approximate memory of an object or a list, in bytes. A node in a listing is an object.
const CONTAINER: usize = 400;

/// The memory of any other value, in bytes.
const VALUE: usize = 64;

/// Refuses JSON that would need too much memory after parsing: a few bytes of text can represent hundreds.
///
/// # Errors
/// [`HttpErrorKind::TooLarge`].
pub fn check_weight(body: &[u8]) -> Result<(), HttpError> {
    let is_json = body.trim_ascii_start().first().is_some_and(|first| matches!(first, b'{' | b'['));
    if is_json && weight(body) > HEAVIEST_ANSWER {
        return Err(too_large("the answer contains more values than any Cells server sends at once"));
    }
    Ok(())
}

/// Returns the approximate memory of JSON after parsing, in bytes.
fn weight(body: &[u8]) -> usize {
    let mut weight = body.len();
    let (mut in_string, mut escaped) = (false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => weight += CONTAINER,
            b',' if !in_string => weight += VALUE,
            _ => {}
        }
    }
    weight
}

/// Creates the failure for an answer that is too large.
pub(super) fn too_large(message: &str) -> HttpError {
    HttpError::new(HttpErrorKind::TooLarge, message).detail(Detail::AnswerTooLarge)
}

/// Permits only one long answer in memory at a time.
#[derive(Debug)]
pub(super) struct LongAnswers(Arc<Semaphore>);

impl Default for LongAnswers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl LongAnswers {
    /// Waits until the previous long answer was dropped.
    ///
    /// # Errors
    /// [`HttpErrorKind::TooLarge`] if that takes minutes.
    pub(super) async fn turn(&self) -> Result<Turn, HttpError> {
        match tokio::time::timeout(TURN_PATIENCE, Arc::clone(&self.0).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn(permit)),
            _ => Err(too_large("not enough memory for the answer, because other answers are as long")),
        }
    }
}

/// The permission to have a long answer in memory.
#[derive(Debug)]
pub(super) struct Turn(OwnedSemaphorePermit);

impl Turn {
    /// Returns the answer, which keeps the permission until its last part is dropped.
    pub(super) fn with(self, body: Bytes) -> Bytes {
        Bytes::from_owner(Kept { body, _turn: self.0 })
    }
}

struct Kept {
    body: Bytes,
    _turn: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// A body that is read in pieces, such as the elements of a document. Each piece has a maximum length.
#[derive(Debug)]
pub struct Pieces<R> {
    body: R,
    left: usize,
}

impl<R> Pieces<R> {
    /// Creates a reader. Nothing can be read before [`Pieces::begin`].
    pub fn new(body: R) -> Self {
        Self { body, left: 0 }
    }

    /// Begins a piece of at most `longest` bytes. Reading more fails with [`HttpErrorKind::TooLarge`] as the cause.
    pub fn begin(&mut self, longest: usize) {
        self.left = longest;
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Pieces<R> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let given = ready!(Pin::new(&mut *this).poll_fill_buf(context))?;
        let length = given.len().min(into.remaining());
        into.put_slice(&given[..length]);
        Pin::new(this).consume(length);
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Pieces<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        let given = ready!(Pin::new(&mut this.body).poll_fill_buf(context))?;
        if this.left == 0 && !given.is_empty() {
            let message = "one element of the answer is longer than any that a Cells server sends";
            return Poll::Ready(Err(io::Error::other(too_large(message))));
        }
        Poll::Ready(Ok(&given[..given.len().min(this.left)]))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.left = this.left.saturating_sub(amount);
        Pin::new(&mut this.body).consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[test]
    fn values_need_more_memory_than_their_text() {
        assert_eq!(weight(b"{}"), 2 + CONTAINER);
        assert_eq!(weight(br#"["a,\"[{","b"]"#), 14 + CONTAINER + VALUE);
        let bomb = format!("[{}]", "{},".repeat(200_000));
        assert_eq!(check_weight(bomb.as_bytes()).expect_err("too many").kind, HttpErrorKind::TooLarge);
        let listing = format!("[{}]", r#"{"Path":"ws/f","MetaStore":{"name":"\"f\""}},"#.repeat(20_000));
        assert!(check_weight(listing.as_bytes()).is_ok(), "a listing of 20,000 nodes");
        assert!(check_weight(",".repeat(1_000_000).as_bytes()).is_ok(), "no JSON");
    }

    #[tokio::test]
    async fn a_piece_ends_at_its_limit_and_the_next_continues() {
        let mut pieces = Pieces::new(&b"abcdefgh"[..]);
        let mut three = [0; 3];
        pieces.begin(4);
        pieces.read_exact(&mut three).await.expect("three");
        assert!(pieces.read_exact(&mut three).await.is_err(), "only one was left");
        pieces.begin(10);
        let mut rest = String::new();
        pieces.read_to_string(&mut rest).await.expect("the rest");
        assert_eq!((&three, rest.as_str()), (b"dbc", "efgh"));
    }
}

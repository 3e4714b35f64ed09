//! Limits that the user sets for a run: bytes a second in each direction, and requests a second. All requests and bodies
//! of a client share them.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// The longest time that one piece of a body takes. Short pieces keep all streams moving.
const PIECE: Duration = Duration::from_millis(20);

/// How much unused time a stream may make up for, so that short delays of the connection do not lower the rate.
const BURST: Duration = Duration::from_millis(100);

/// The limits of a run. Clones share them. Without limits, nothing waits.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    limits: Arc<Limits>,
}

#[derive(Debug, Default)]
struct Limits {
    sent: OnceLock<Arc<Bucket>>,
    received: OnceLock<Arc<Bucket>>,
    requests: OnceLock<Bucket>,
}

impl Pace {
    /// Limits the bytes a second that are sent and received. The first limit of a direction is final.
    pub fn limit_bytes(&self, sent: Option<u64>, received: Option<u64>) {
        for (direction, rate) in [(&self.limits.sent, sent), (&self.limits.received, received)] {
            if let Some(rate) = rate {
                let _ = direction.set(Arc::new(Bucket::new(rate as f64)));
            }
        }
    }

    /// Limits the requests a second. The first limit is final.
    pub fn limit_requests(&self, rate: f64) {
        let _ = self.limits.requests.set(Bucket::new(rate));
    }

    /// Waits until another request may be sent.
    pub(super) async fn request(&self) {
        if let Some(bucket) = self.limits.requests.get() {
            tokio::time::sleep_until(bucket.reserve(1)).await;
        }
    }

    /// Returns a request's body that keeps to the limit.
    pub(super) fn outgoing(&self, body: reqwest::Body) -> reqwest::Body {
        Self::paced(self.limits.sent.get(), body)
    }

    /// Returns an answer's body that keeps to the limit.
    pub(super) fn incoming(&self, body: reqwest::Body) -> reqwest::Body {
        Self::paced(self.limits.received.get(), body)
    }

    fn paced(bucket: Option<&Arc<Bucket>>, inner: reqwest::Body) -> reqwest::Body {
        match bucket {
            Some(bucket) => reqwest::Body::wrap(PacedBody {
                inner,
                bucket: bucket.clone(),
                rest: Bytes::new(),
                next: Bytes::new(),
                timer: None,
            }),
            None => inner,
        }
    }
}

/// A rate, and the time up to which it is used.
#[derive(Debug)]
struct Bucket {
    /// Units a second.
    rate: f64,
    used_until: Mutex<Option<Instant>>,
}

impl Bucket {
    fn new(rate: f64) -> Self {
        Self { rate, used_until: Mutex::new(None) }
    }

    /// Uses `count` units, and returns when they may go.
    fn reserve(&self, count: usize) -> Instant {
        let now = Instant::now();
        let mut used_until = self.used_until.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let due = used_until.map_or(now, |until| until.max(earliest));
        *used_until = Some(due + Duration::from_secs_f64(count as f64 / self.rate));
        due
    }

    /// Returns the number of bytes that go at once.
    fn piece(&self) -> usize {
        ((self.rate * PIECE.as_secs_f64()) as usize).max(1)
    }
}

/// A body that moves piece by piece, at the rate that is left for it.
struct PacedBody {
    inner: reqwest::Body,
    bucket: Arc<Bucket>,
    /// What has arrived and has yet to be divided.
    rest: Bytes,
    /// The next piece, which waits for the timer.
    next: Bytes,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if this.next.is_empty() {
            if this.rest.is_empty() {
                let frame = match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
                    Some(Ok(frame)) => frame,
                    other => return Poll::Ready(other.map(|result| result.map_err(Into::into))),
                };
                match frame.into_data() {
                    Ok(data) if !data.is_empty() => this.rest = data,
                    Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                }
            }
            this.next = this.rest.split_to(this.bucket.piece().min(this.rest.len()));
            let due = this.bucket.reserve(this.next.len());
            let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            timer.as_mut().reset(due);
        }
        if let Some(timer) = &mut this.timer {
            ready!(timer.as_mut().poll(context));
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.next)))))
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_empty() && self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = (self.next.len() + self.rest.len()) as u64;
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + held);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    /// Reads `streams` bodies of 1 MiB chunks without end for ten seconds. Returns the number of bytes.
    async fn bytes_in_ten_seconds(pace: &Pace, streams: usize) -> u64 {
        let end = Instant::now() + Duration::from_secs(10);
        let mut readers = tokio::task::JoinSet::new();
        for _ in 0..streams {
            let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0; 1 << 20])));
            let mut body = pace.incoming(reqwest::Body::wrap_stream(chunks));
            readers.spawn(async move {
                let mut count = 0_u64;
                while let Ok(Some(frame)) = tokio::time::timeout_at(end, body.frame()).await {
                    count += frame.expect("a frame").into_data().map_or(0, |data| data.len() as u64);
                }
                count
            });
        }
        readers.join_all().await.into_iter().sum()
    }

    #[tokio::test(start_paused = true)]
    async fn all_streams_together_keep_to_the_rate() {
        for (rate, streams) in [(10 << 20, 1), (10 << 20, 64), (512 << 10, 1), (512 << 10, 8), (2048, 3), (1 << 30, 16)]
        {
            let pace = Pace::default();
            pace.limit_bytes(None, Some(rate));
            let count = bytes_in_ten_seconds(&pace, streams).await as f64;
            let expected = (rate * 10) as f64;
            assert!((count - expected).abs() <= expected * 0.05, "{rate} with {streams}: {count}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn directions_are_independent_and_content_stays_the_same() {
        let pace = Pace::default();
        pace.limit_bytes(Some(1000), None);
        let content: Vec<u8> = (0..3000_u32).map(|number| number as u8).collect();
        let started = Instant::now();
        let received = pace.incoming(content.clone().into()).collect().await.expect("a body").to_bytes();
        assert_eq!((received, started.elapsed()), (content.clone().into(), Duration::ZERO));
        let body = pace.outgoing(content.clone().into());
        assert_eq!(body.size_hint().exact(), Some(3000));
        let sent = body.collect().await.expect("a body").to_bytes();
        assert_eq!(sent, Bytes::from(content));
        assert!((Duration::from_millis(2900)..Duration::from_millis(3100)).contains(&started.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_keep_to_their_rate() {
        let pace = Pace::default();
        pace.limit_requests(5.0);
        let started = Instant::now();
        for _ in 0..50 {
            pace.request().await;
        }
        let elapsed = started.elapsed().as_secs_f64();
        assert!((9.5..10.1).contains(&elapsed), "{elapsed}");
        // Time without requests is not made up for by a burst.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let started = Instant::now();
        for _ in 0..10 {
            pace.request().await;
        }
        assert!(started.elapsed() >= Duration::from_millis(1600), "{:?}", started.elapsed());
    }
}

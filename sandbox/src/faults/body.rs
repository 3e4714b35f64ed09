//! Bodies that break: they pass a streamed body on and spoil it at a given byte. Nothing is
//! collected, so that bodies of any size can be spoiled.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Sleep;

use super::Plan;
use crate::request_log::Progress;
use crate::transport::{Body, BodyError, Dropped};

/// How long a cut waits after its last byte, so that all before it reaches the wire.
const FLUSH_TIME: Duration = Duration::from_millis(20);

/// Counts the bytes of a request body, limits its speed, and cuts it as planned. The flag is set when it was cut: the
/// connection then ends without an answer.
pub(crate) fn alter_request(
    body: Body,
    plan: &Plan,
    progress: Arc<Progress>,
    hang_up: Arc<Notify>,
) -> (Body, Arc<AtomicBool>) {
    let was_cut = Arc::new(AtomicBool::new(false));
    let held = plan.hold_cut.clone().map(|gate| -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            hang_up.notify_one();
            gate.pass().await;
        })
    });
    let watched = RequestBody {
        inner: body,
        progress,
        left: plan.cut_request_at,
        was_cut: Arc::clone(&was_cut),
        rate: plan.request_rate,
        pause: None,
        held,
    };
    (watched.boxed_unsync(), was_cut)
}

/// Changes the body of an answer as planned. Returns it unchanged if there is nothing to do.
pub(crate) fn alter_response(body: Body, plan: &Plan) -> Body {
    if plan.cut_response_at.is_none() && plan.stall_response_at.is_none() && plan.corrupt_response_at.is_none() {
        return body;
    }
    let spoiled = ResponseBody {
        inner: body,
        held: Bytes::new(),
        passed: 0,
        corrupt_at: plan.corrupt_response_at,
        stall_at: plan.stall_response_at,
        cut_at: plan.cut_response_at,
        pause: None,
    };
    spoiled.boxed_unsync()
}

struct RequestBody {
    inner: Body,
    progress: Arc<Progress>,
    /// Bytes until the cut.
    left: Option<u64>,
    was_cut: Arc<AtomicBool>,
    /// Bytes a second.
    rate: Option<u64>,
    pause: Option<Pin<Box<Sleep>>>,
    /// Closes the connection. Completes when the handler may notice it.
    held: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(context));
            this.pause = None;
        }
        if this.left == Some(0) {
            if let Some(held) = &mut this.held {
                ready!(held.as_mut().poll(context));
            }
            this.was_cut.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err(Box::new(Dropped))));
        }
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(context));
        let Some(Ok(frame)) = frame else {
            return Poll::Ready(frame);
        };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(mut data) => {
                if let Some(left) = &mut this.left {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    data.truncate(most);
                    *left -= data.len() as u64;
                }
                this.progress.received(data.len());
                this.pause = this.rate.map(|rate| {
                    let seconds = data.len() as f64 / rate.max(1) as f64;
                    Box::pin(tokio::time::sleep(Duration::from_secs_f64(seconds)))
                });
                Frame::data(data)
            }
            Err(other) => other,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.left != Some(0) && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

struct ResponseBody {
    inner: Body,
    /// The rest of a frame that had to be split.
    held: Bytes,
    passed: u64,
    corrupt_at: Option<u64>,
    stall_at: Option<(u64, Duration)>,
    cut_at: Option<u64>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    /// The next byte position where something happens.
    fn next_stop(&self) -> Option<u64> {
        let stall = self.stall_at.map(|(at, _)| at);
        [stall, self.cut_at].into_iter().flatten().min()
    }

    /// Passes on as much of the held bytes as may go before the next stop.
    fn pass(&mut self) -> Bytes {
        let room = self.next_stop().map_or(u64::MAX, |stop| stop.saturating_sub(self.passed));
        let most = usize::try_from(room).unwrap_or(usize::MAX).min(self.held.len());
        let mut data = self.held.split_to(most);
        if let Some(at) = self.corrupt_at
            && let Some(index) = at.checked_sub(self.passed)
            && index < data.len() as u64
            && let Ok(index) = usize::try_from(index)
        {
            let mut changed = BytesMut::from(&data[..]);
            changed[index] ^= 1;
            data = changed.freeze();
            self.corrupt_at = None;
        }
        self.passed += data.len() as u64;
        data
    }
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(context));
                this.pause = None;
                if this.cut_at.is_some_and(|at| this.passed >= at) {
                    return Poll::Ready(Some(Err(Box::new(Dropped))));
                }
            }
            if this.cut_at.is_some_and(|at| this.passed >= at) {
                this.pause = Some(Box::pin(tokio::time::sleep(FLUSH_TIME)));
                continue;
            }
            if let Some((_, time)) = this.stall_at.take_if(|(at, _)| this.passed >= *at) {
                this.pause = Some(Box::pin(tokio::time::sleep(time)));
                continue;
            }
            if !this.held.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(this.pass()))));
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.held = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        if let Some(rest) = hint.exact() {
            hint.set_exact(rest + self.held.len() as u64);
        }
        hint
    }
}

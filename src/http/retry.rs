//! Retrying: exponential with jitter, Retry-After honoured, bounded in count and time.

use std::future::Future;
use std::time::Duration;

/// How often and how long to try again.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// The most attempts, the first included.
    pub max_attempts: u32,
    /// The longest pause between two attempts.
    pub max_backoff: Duration,
    /// How long all attempts together may go on before no further one is started.
    pub max_elapsed: Duration,
}

/// What an error says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// It would fail again.
    Stop,
    /// Try again after the policy's pause.
    Retry,
    /// Try again, not before this pause (Retry-After, or a lock known to be long).
    After(Duration),
}

/// An error that knows whether trying again can help.
pub trait Retryable {
    /// Whether and when to try again.
    fn advice(&self) -> Advice;
}

/// Runs `attempt` until it succeeds, its error says stop, or the policy is used up. `attempt` gets the number of the
/// attempt from 1; `on_retry` hears of each failure that will be tried again, with the pause before it.
pub async fn run<T, E, F, Fut>(
    _policy: &RetryPolicy,
    _attempt: F,
    _on_retry: impl FnMut(u32, &E, Duration),
) -> Result<T, E>
where
    E: Retryable,
    F: FnMut(u32) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    todo!()
}

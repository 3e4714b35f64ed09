//! Retries with exponential backoff and jitter, within limits for count and time. Retry-After is honored.

use std::fmt::Display;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// The longest first pause. It doubles with each attempt.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// The longest pause that a Retry-After may ask for if the policy has no time limit.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// How long to retry a refusal that may be temporary (docs/protocol.md §4.2).
pub const BRIEFLY: Duration = Duration::from_millis(1500);

/// The number of attempts, and the time for them.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// The maximum number of attempts in a row that make no lasting progress, including the first one.
    pub max_attempts: u32,
    /// The longest pause between two attempts.
    pub max_backoff: Duration,
    /// The maximum time without a moved byte before the last attempt starts. If nothing reports bytes, this is the time
    /// for all attempts.
    pub max_elapsed: Duration,
}

impl RetryPolicy {
    /// Sets the number of attempts to the user's value; 0 means no limit.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        Self { max_attempts: if attempts == 0 { u32::MAX } else { attempts }, ..self }
    }

    /// Returns a policy of one attempt.
    pub fn never() -> Self {
        Self { max_attempts: 1, max_backoff: Duration::ZERO, max_elapsed: Duration::ZERO }
    }
}

impl Default for RetryPolicy {
    /// Five attempts within three minutes, with pauses of at most ten seconds, for small requests: enough for a server
    /// that restarts, and short enough to report a broken one soon.
    fn default() -> Self {
        Self { max_attempts: 5, max_backoff: Duration::from_secs(10), max_elapsed: Duration::from_secs(180) }
    }
}

/// What an error says about another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Another attempt would fail too.
    Stop,
    /// Retry after the policy's pause.
    Retry,
    /// Most likely final, but the server also sends this answer temporarily: retry for [`BRIEFLY`].
    Briefly,
    /// Retry after at least this pause (Retry-After, or a lock that takes long).
    After(Duration),
}

/// An error that says whether another attempt can succeed.
pub trait Retryable {
    /// Returns whether and when to retry.
    fn advice(&self) -> Advice;
}

/// The progress that attempts report while they run. Without it, a transfer that takes longer than
/// [`RetryPolicy::max_elapsed`] would have no further attempt after its first failure.
#[derive(Debug)]
pub struct Progress(Mutex<Made>);

#[derive(Debug, Clone, Copy)]
struct Made {
    last_move: Instant,
    kept: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Made { last_move: Instant::now(), kept: false }))
    }
}

impl Progress {
    /// Reports that bytes have moved, even if another attempt must move them again.
    pub fn moved(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last_move = Instant::now();
    }

    /// Reports that bytes have arrived which no other attempt needs to move again. This restores the number of
    /// attempts.
    pub fn kept(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Made { last_move: Instant::now(), kept: true };
    }

    /// Returns the progress since the last call.
    fn take(&self) -> Made {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = *made;
        made.kept = false;
        taken
    }
}

/// Runs `attempt` until it succeeds, its error says stop, or the policy is exhausted. `attempt` receives its number,
/// from 1. `on_retry` receives each failure that will be retried, with the pause before the next attempt.
pub async fn run<T, E, F, Fut>(
    policy: &RetryPolicy,
    attempt: F,
    on_retry: impl FnMut(u32, &E, Duration),
) -> Result<T, E>
where
    E: Retryable + Display,
    F: FnMut(u32) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    run_until(policy, &CancellationToken::new(), attempt, on_retry).await
}

/// Like [`run`], but starts no further attempt once `stop` is canceled. A pause then ends at once, with the last error.
pub async fn run_until<T, E, F, Fut>(
    policy: &RetryPolicy,
    stop: &CancellationToken,
    attempt: F,
    on_retry: impl FnMut(u32, &E, Duration),
) -> Result<T, E>
where
    E: Retryable + Display,
    F: FnMut(u32) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    run_moving(policy, stop, &Progress::default(), attempt, on_retry).await
}

/// Like [`run_until`], for attempts that report to `progress`: only time without progress counts, and lasting progress
/// restores the number of attempts.
pub async fn run_moving<T, E, F, Fut>(
    policy: &RetryPolicy,
    stop: &CancellationToken,
    progress: &Progress,
    attempt: F,
    on_retry: impl FnMut(u32, &E, Duration),
) -> Result<T, E>
where
    E: Retryable + Display,
    F: FnMut(u32) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    run_with(policy, stop, progress, rand::random::<f64>, attempt, on_retry).await
}

/// Like [`run_moving`], with a source of random numbers from 0 to 1.
pub async fn run_with<T, E, F, Fut>(
    policy: &RetryPolicy,
    stop: &CancellationToken,
    progress: &Progress,
    mut random: impl FnMut() -> f64,
    mut attempt: F,
    mut on_retry: impl FnMut(u32, &E, Duration),
) -> Result<T, E>
where
    E: Retryable + Display,
    F: FnMut(u32) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut number = 1;
    let mut in_a_row = 1;
    let (started, mut passing_since) = (Instant::now(), None);
    loop {
        let span = tracing::debug_span!("attempt", n = number);
        let error = match attempt(number).instrument(span).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let made = progress.take();
        if made.kept {
            in_a_row = 1;
        }
        let advice = error.advice();
        let passing = (advice == Advice::Briefly).then(|| *passing_since.get_or_insert_with(Instant::now));
        if in_a_row >= policy.max_attempts || passing.is_some_and(|since| since.elapsed() > BRIEFLY) {
            return Err(error);
        }
        let Some(pause) = pause(policy, advice, in_a_row, random()) else {
            return Err(error);
        };
        // If the server asks for a longer pause, an earlier attempt would be refused too.
        if made.last_move.max(started).elapsed().saturating_add(pause) > policy.max_elapsed {
            return Err(error);
        }
        tracing::warn!(attempt = number, %error, ?pause, "trying again");
        on_retry(number, &error, pause);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return Err(error),
        }
        number = number.saturating_add(1);
        in_a_row = in_a_row.saturating_add(1);
    }
}

/// Returns the pause after the failed attempt `number`: between half of a bound and the bound, which doubles. So
/// clients that failed at the same moment do not return at the same moment. It is never shorter than the server asks
/// for.
fn pause(policy: &RetryPolicy, advice: Advice, number: u32, chance: f64) -> Option<Duration> {
    let doubled = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(number - 1));
    let jittered = doubled.min(policy.max_backoff).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
    match advice {
        Advice::Stop => None,
        Advice::Retry => Some(jittered),
        Advice::Briefly => Some(jittered.min(BRIEFLY / 2)),
        Advice::After(least) => Some(least.min(LONGEST_RETRY_AFTER).max(jittered)),
    }
}

/// Returns the pause in the Retry-After of an answer: seconds, or an HTTP date, which is compared with the answer's own
/// Date.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = server_time(headers).unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or_default())
}

/// Returns the server's time from the Date of an answer, in whole seconds.
pub fn server_time(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("a failure")]
    struct Failure(Advice);

    impl Retryable for Failure {
        fn advice(&self) -> Advice {
            self.0
        }
    }

    fn policy(attempts: u32, backoff: u64, elapsed: u64) -> RetryPolicy {
        RetryPolicy {
            max_attempts: attempts,
            max_backoff: Duration::from_secs(backoff),
            max_elapsed: Duration::from_secs(elapsed),
        }
    }

    async fn pauses(policy: &RetryPolicy, chance: f64, advice: Advice) -> (u32, Vec<Duration>) {
        let mut heard = Vec::new();
        let mut attempts = 0;
        let result: Result<(), Failure> = run_with(
            policy,
            &CancellationToken::new(),
            &Progress::default(),
            || chance,
            |number| {
                attempts = number;
                async move { Err(Failure(advice)) }
            },
            |_, _, pause| heard.push(pause),
        )
        .await;
        assert_eq!(result, Err(Failure(advice)));
        (attempts, heard)
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_the_longest_and_are_jittered() {
        let (attempts, heard) = pauses(&policy(5, 3, 100), 1.0, Advice::Retry).await;
        assert_eq!(attempts, 5);
        assert_eq!(heard, [500, 1000, 2000, 3000].map(Duration::from_millis));
        let (_, heard) = pauses(&policy(3, 3, 100), 0.0, Advice::Retry).await;
        assert_eq!(heard, [250, 500].map(Duration::from_millis), "no pause is none at all");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_at_once() {
        let (attempts, heard) = pauses(&policy(5, 1, 100), 1.0, Advice::Stop).await;
        assert_eq!((attempts, heard.len()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_requested_pause_is_honored_up_to_the_limit() {
        let (_, heard) = pauses(&policy(2, 1, 1000), 0.0, Advice::After(Duration::from_secs(7))).await;
        assert_eq!(heard, [Duration::from_secs(7)]);
        let long = Advice::After(Duration::from_secs(9999));
        let (attempts, heard) = pauses(&policy(2, 1, 1000), 0.0, long).await;
        assert_eq!((attempts, heard.len()), (1, 0), "there is no time for that");
        let (_, heard) = pauses(&policy(2, 1, u64::MAX), 0.0, long).await;
        assert_eq!(heard, [LONGEST_RETRY_AFTER]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_starts_once_the_time_is_used_up() {
        let (attempts, heard) = pauses(&policy(100, 60, 10), 1.0, Advice::After(Duration::from_secs(4))).await;
        assert_eq!((attempts, heard.len()), (3, 2));
    }

    /// Runs attempts of ten minutes, each of which reports bytes until its end.
    async fn long_attempts(report: fn(&Progress)) -> u32 {
        let (progress, mut attempts) = (Progress::default(), 0);
        let result: Result<(), Failure> = run_with(
            &policy(4, 1, 900),
            &CancellationToken::new(),
            &progress,
            || 1.0,
            |number| {
                attempts = number;
                let progress = &progress;
                async move {
                    tokio::time::sleep(Duration::from_secs(600)).await;
                    if number == 40 {
                        return Ok(());
                    }
                    report(progress);
                    Err(Failure(Advice::Retry))
                }
            },
            |_, _, _| {},
        )
        .await;
        assert_eq!(result.is_ok(), attempts == 40);
        attempts
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_bytes_move_does_not_count() {
        assert_eq!(long_attempts(|_| ()).await, 2);
        assert_eq!(long_attempts(Progress::moved).await, 4, "all attempts, however long they take");
    }

    #[tokio::test(start_paused = true)]
    async fn lasting_progress_restores_the_attempts() {
        assert_eq!(long_attempts(Progress::kept).await, 40);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_may_pass_is_tried_again_for_a_moment_only() {
        let begun = Instant::now();
        let (attempts, _) = pauses(&policy(100, 30, 1000), 1.0, Advice::Briefly).await;
        assert!((3..=6).contains(&attempts), "{attempts}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn success_ends_it() {
        let result: Result<u32, Failure> = run(
            &policy(5, 1, 100),
            |number| async move { if number < 3 { Err(Failure(Advice::Retry)) } else { Ok(number) } },
            |_, _, _| {},
        )
        .await;
        assert_eq!(result, Ok(3));
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("12"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(12)));
        headers.insert(DATE, HeaderValue::from_static("Mon, 23 Nov 2026 17:00:00 GMT"));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Mon, 23 Nov 2026 17:00:30 GMT"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(30)));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Mon, 23 Nov 2026 16:00:00 GMT"));
        assert_eq!(retry_after(&headers), Some(Duration::ZERO));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
        assert_eq!(retry_after(&headers), None);
    }
}

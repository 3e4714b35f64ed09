//! Retrying: exponential with jitter, Retry-After honoured, bounded in count and time.

use std::fmt::Display;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// The longest first pause; it doubles with each attempt.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// The longest pause that a Retry-After can ask for where the policy has no end in time.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// How long a refusal may stay before it is final (docs/protocol.md §4.2).
pub const BRIEFLY: Duration = Duration::from_millis(1500);

/// How often and how long to try again.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// The most attempts in a row that keep nothing, the first included.
    pub max_attempts: u32,
    /// The longest pause between two attempts.
    pub max_backoff: Duration,
    /// How long no byte may move before no further attempt is started. Where nothing reports bytes, this is the time of
    /// all attempts together.
    pub max_elapsed: Duration,
}

impl RetryPolicy {
    /// As many attempts as a user has set: 0 stands for any number.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        Self { max_attempts: if attempts == 0 { u32::MAX } else { attempts }, ..self }
    }

    /// One attempt, no more.
    pub fn never() -> Self {
        Self { max_attempts: 1, max_backoff: Duration::ZERO, max_elapsed: Duration::ZERO }
    }
}

impl Default for RetryPolicy {
    /// Five attempts within three minutes, ten seconds apart at most: what suits a small request. A server that is being
    /// restarted has some seconds, and one that is broken is told of before anybody wonders.
    fn default() -> Self {
        Self { max_attempts: 5, max_backoff: Duration::from_secs(10), max_elapsed: Duration::from_secs(180) }
    }
}

/// What an error says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// It would fail again.
    Stop,
    /// Try again after the policy's pause.
    Retry,
    /// Most likely final, but a server gives this answer for a moment, too: try again for [`BRIEFLY`].
    Briefly,
    /// Try again, not before this pause (Retry-After, or a lock known to be long).
    After(Duration),
}

/// An error that knows whether trying again can help.
pub trait Retryable {
    /// Whether and when to try again.
    fn advice(&self) -> Advice;
}

/// What attempts report while they run: without it, a transfer that takes longer than [`RetryPolicy::max_elapsed`] would
/// have no further attempt after its first failure.
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
    /// Bytes have moved, even if the next attempt must move them again.
    pub fn moved(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last_move = Instant::now();
    }

    /// Bytes have arrived that no further attempt needs to move again. This gives the attempts back.
    pub fn kept(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Made { last_move: Instant::now(), kept: true };
    }

    /// What there was since the last call.
    fn take(&self) -> Made {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = *made;
        made.kept = false;
        taken
    }
}

/// Runs `attempt` until it succeeds, its error says stop, or the policy is used up. `attempt` gets the number of the
/// attempt from 1; `on_retry` hears of each failure that will be tried again, with the pause before it.
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

/// [`run`] that starts no further attempt once `stop` is cancelled; a pause ends at once then, with the last error.
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

/// [`run_until`] for attempts that report to `progress`: only time without progress counts, and an attempt that keeps
/// something gives the attempts back.
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

/// [`run_moving`] with its chance given by the caller: `random` gives numbers from 0 to 1.
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
        // A server that asks for a longer pause than this is not asked sooner either: that would help nobody.
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

/// The pause after the failed attempt `number`: between a half and the whole of a bound that doubles, so that many that
/// failed at once do not come back at once, and never less than asked for.
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

/// What the Retry-After of an answer asks for: seconds, or an HTTP date, which is compared with the answer's own Date.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = server_time(headers).unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or_default())
}

/// The server's clock, as the Date of an answer tells it, to the second.
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
    async fn what_the_server_asks_for_is_waited_but_not_for_ever() {
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

    /// Attempts of ten minutes each, of which each reports bytes to its end.
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
    async fn what_is_kept_gives_the_attempts_back() {
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

//! Single flight: if many callers need something new at the same time, one of them fetches it, and all others wait and
//! share the result.

use std::fmt::Display;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::clock::Clock;

/// How long to wait after a failed fetch before the next one, if there is something to continue with.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// What a flight fetches, and how.
pub(super) trait Supply {
    /// The state between two fetches.
    type State;
    /// What a caller requires.
    type Need;
    /// The result for a caller.
    type Item;
    /// The failure of a fetch.
    type Error: Clone + Display;

    /// Returns the answer if no fetch is needed or none can help. `last_failure` is the failure of the last fetch, if
    /// it failed.
    fn at_hand(
        &self,
        state: &Self::State,
        need: &Self::Need,
        last_failure: Option<&Self::Error>,
    ) -> Option<Result<Self::Item, Self::Error>>;

    /// Fetches what is needed and stores it in the state.
    fn fetch(
        &self,
        state: &mut Self::State,
        need: &Self::Need,
    ) -> impl Future<Output = Result<Self::Item, Self::Error>> + Send;

    /// Returns what a caller can continue with after this failure.
    fn fallback(&self, state: &Self::State, need: &Self::Need, failure: &Self::Error) -> Option<Self::Item>;

    /// Returns when the content of the state expires.
    fn expires_at(&self, state: &Self::State) -> Option<Timestamp>;
}

/// Fetches from a [`Supply`], one fetch at a time.
#[derive(Debug)]
pub(super) struct Flight<S: Supply> {
    supply: S,
    clock: Clock,
    slot: Mutex<Slot<S::State, S::Error>>,
    /// The number of completed fetches, including failed ones. A caller compares it before and after waiting.
    rounds: AtomicU64,
    /// Not a part of the slot, which is locked during a fetch.
    expires_at: std::sync::Mutex<Option<Timestamp>>,
}

#[derive(Debug)]
struct Slot<T, E> {
    state: T,
    last_failure: Option<E>,
    /// After a failure: the earliest time for another fetch that is only a precaution.
    not_before: Option<Instant>,
}

impl<S: Supply> Flight<S> {
    pub(super) fn new(supply: S, state: S::State, clock: Clock) -> Self {
        let expires_at = std::sync::Mutex::new(supply.expires_at(&state));
        let slot = Mutex::new(Slot { state, last_failure: None, not_before: None });
        Self { supply, clock, slot, rounds: AtomicU64::new(0), expires_at }
    }

    /// Returns what is at hand if it meets the need, otherwise fetches something new.
    ///
    /// # Errors
    /// The failure of this caller's fetch, or of the one that it waited for.
    pub(super) async fn get(&self, need: &S::Need) -> Result<S::Item, S::Error> {
        // Read before the lock: a fetch that ends while this caller waits must show in the comparison below.
        let before = self.rounds.load(Ordering::SeqCst);
        let mut slot = self.slot.lock().await;
        if let Some(answer) = self.supply.at_hand(&slot.state, need, slot.last_failure.as_ref()) {
            return answer;
        }
        // A fetch ended while this caller waited for the lock. To repeat one that failed would fail in the same way, once
        // for each waiting caller, and a wrong password counts each time.
        let waited = self.rounds.load(Ordering::SeqCst) != before;
        let is_too_soon = slot.not_before.is_some_and(|until| self.clock.instant() < until);
        let shared = slot
            .last_failure
            .clone()
            .filter(|failure| waited || (is_too_soon && self.supply.fallback(&slot.state, need, failure).is_some()));
        let failure = match shared {
            Some(failure) => failure,
            None => match self.fetch(&mut slot, need).await {
                Ok(item) => return Ok(item),
                Err(failure) => failure,
            },
        };
        // The fetch was only a precaution, because there is something to continue with.
        let item = self.supply.fallback(&slot.state, need, &failure).ok_or(failure.clone())?;
        tracing::debug!(error = %failure, "the token could not be renewed early");
        Ok(item)
    }

    async fn fetch(&self, slot: &mut Slot<S::State, S::Error>, need: &S::Need) -> Result<S::Item, S::Error> {
        // Boxed because it is large and rare. Otherwise the future of every request would contain it.
        let result = Box::pin(self.supply.fetch(&mut slot.state, need)).await;
        // Also after a failure, or each waiting caller would repeat the fetch that has just failed.
        self.rounds.fetch_add(1, Ordering::SeqCst);
        slot.last_failure = result.as_ref().err().cloned();
        slot.not_before = result.is_err().then(|| self.clock.instant() + AFTER_FAILURE);
        self.note_end(&slot.state);
        result
    }

    fn note_end(&self, state: &S::State) {
        *self.expires_at.lock().unwrap_or_else(PoisonError::into_inner) = self.supply.expires_at(state);
    }

    /// Returns when the present content expires, if known. Never waits.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        *self.expires_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the supply.
    pub(super) fn supply(&self) -> &S {
        &self.supply
    }

    /// Waits for a fetch in progress, then reads or changes the state.
    pub(super) async fn with_state<T>(&self, change: impl FnOnce(&mut S::State) -> T) -> T {
        let mut slot = self.slot.lock().await;
        let result = change(&mut slot.state);
        self.note_end(&slot.state);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// Numbers, each fetched in five seconds. The state is the last one.
    #[derive(Debug, Default)]
    struct Numbers {
        fetches: AtomicU32,
        fails: bool,
    }

    /// The least number that will do, and whether a smaller one can be continued with.
    type Need = (u32, bool);

    impl Supply for Numbers {
        type State = u32;
        type Need = Need;
        type Item = u32;
        type Error = String;

        fn at_hand(&self, state: &u32, need: &Need, _: Option<&String>) -> Option<Result<u32, String>> {
            (*state >= need.0).then_some(Ok(*state))
        }

        async fn fetch(&self, state: &mut u32, _: &Need) -> Result<u32, String> {
            let fetch = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_secs(5)).await;
            if self.fails {
                return Err(format!("failure {fetch}"));
            }
            *state += 1;
            Ok(*state)
        }

        fn fallback(&self, state: &u32, need: &Need, _: &String) -> Option<u32> {
            need.1.then_some(*state)
        }

        fn expires_at(&self, state: &u32) -> Option<Timestamp> {
            Timestamp::from_second((*state).into()).ok()
        }
    }

    fn flight(fails: bool) -> Arc<Flight<Numbers>> {
        Arc::new(Flight::new(Numbers { fails, ..Numbers::default() }, 0, Clock::default()))
    }

    /// Many callers at the same time: what each of them gets.
    async fn many(flight: &Arc<Flight<Numbers>>, need: Need) -> Vec<Result<u32, String>> {
        let callers = (0..20).map(|_| {
            let flight = Arc::clone(flight);
            tokio::spawn(async move { flight.get(&need).await })
        });
        let callers: Vec<_> = callers.collect();
        let mut results = Vec::new();
        for caller in callers {
            results.push(caller.await.expect("a caller"));
        }
        results
    }

    fn fetches(flight: &Flight<Numbers>) -> u32 {
        flight.supply().fetches.load(Ordering::SeqCst)
    }

    #[tokio::test(start_paused = true)]
    async fn many_callers_share_one_fetch_and_one_failure() {
        let works = flight(false);
        assert_eq!(many(&works, (1, false)).await, vec![Ok(1); 20]);
        assert_eq!((fetches(&works), works.expires_at()), (1, Timestamp::from_second(1).ok()));
        assert_eq!(works.get(&(1, false)).await, Ok(1));
        assert_eq!(fetches(&works), 1, "what is at hand is not fetched");
        let fails = flight(true);
        assert_eq!(many(&fails, (1, false)).await, vec![Err("failure 1".to_owned()); 20]);
        assert_eq!(fetches(&fails), 1);
        assert_eq!(fails.get(&(1, false)).await, Err("failure 2".to_owned()), "a later caller tries it again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_precaution_is_repeated_after_a_while_only() {
        let flight = flight(true);
        assert_eq!(many(&flight, (1, true)).await, vec![Ok(0); 20], "callers continue with what is at hand");
        tokio::time::sleep(AFTER_FAILURE / 2).await;
        assert_eq!((flight.get(&(1, true)).await, fetches(&flight)), (Ok(0), 1));
        tokio::time::sleep(AFTER_FAILURE / 2).await;
        assert_eq!((flight.get(&(1, true)).await, fetches(&flight)), (Ok(0), 2));
        // Whoever cannot continue with it does not wait.
        assert_eq!(flight.get(&(1, false)).await, Err("failure 3".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_is_dropped_leaves_the_next_one_free() {
        let flight = flight(false);
        let dropped = tokio::time::timeout(Duration::from_secs(1), flight.get(&(1, false)));
        assert!(dropped.await.is_err());
        assert_eq!(flight.get(&(1, false)).await, Ok(1));
        assert_eq!(fetches(&flight), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_known_while_a_fetch_is_on_its_way() {
        let flight = flight(false);
        let fetching = tokio::spawn({
            let flight = Arc::clone(&flight);
            async move { flight.get(&(1, false)).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((fetches(&flight), flight.expires_at()), (1, Timestamp::from_second(0).ok()));
        assert_eq!(flight.with_state(|state| *state).await, 1, "the state is there after the fetch");
        assert_eq!(fetching.await.expect("a caller"), Ok(1));
    }
}

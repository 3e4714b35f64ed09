//! Limits the number of transfers in flight: to a number that the user has chosen, or to one that adapts to the
//! connection.
//!
//! An adaptive limit compares the present speed with earlier ones. By Little's law, throughput is the number of
//! transfers in flight divided by the time that one takes. So if twice as many in flight take the same time each,
//! throughput doubles; if each takes twice the time, the additional ones only wait. Times are compared between
//! transfers of similar size, so that a tree of mixed files does not confuse the comparison.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The initial adaptive limit.
const FIRST: usize = 8;

/// The maximum adaptive limit. s5cmd's default is the same.
pub const MOST: usize = 256;

/// The shortest round: shorter measurements are mostly noise.
const SHORTEST_ROUND: Duration = Duration::from_millis(50);

/// The memory for all transfers of more than [`SMALL`] bytes together under an adaptive limit, in KiB, and the most
/// that one of them is assumed to need: buffers of the connection, and chunks between disk and connection.
const MEMORY: usize = 32 * 1024;
const MEMORY_OF_ONE: u32 = 1024;

/// Up to this size in bytes, memory is not limited.
const SMALL: u64 = 64 * 1024;

/// The minimum number of transfers to compare.
const FEWEST_SAMPLES: usize = 6;

/// While the limit doubles, a doubling must bring at least this much throughput, as a factor.
const WORTH_DOUBLING: f64 = 1.3;

/// If a doubling costs transfers less than this, as a factor, the line alone takes the time, and the next step is twice
/// as large. On a long line each step costs two round trips, because it opens connections.
const LINE_ALONE: f64 = 1.25;

/// A small step up must bring this much, as a factor; noise alone rarely does.
const WORTH_A_STEP: f64 = 1.06;

/// The factors of steps down. The first ones, after the limit has stopped doubling, are large: the first round is slow,
/// because it opens connections and the server's caches are empty, so the doubling may have gone too far.
const STEP_DOWN: f64 = 0.8;
const FIRST_STEP_DOWN: f64 = 0.5;

/// Each step down must keep this share of the throughput. A large step may cost a little, because it shortens the queue
/// for all users of the server.
const KEPT: f64 = 0.97;
const KEPT_BY_FIRST_STEP: f64 = 0.9;

/// If transfers take this many times as long as before, with the same number in flight, the server is overloaded.
const RUNAWAY: f64 = 4.0;

/// The longest pause between two trials, in rounds.
const LONGEST_HOLD: u32 = 16;

/// About this many of the last transfers determine the usual share of refusals.
const REMEMBERED_REFUSALS: f64 = 50.0;

/// Limits the number of transfers in flight. Clones share the limit.
#[derive(Clone)]
pub struct Limiter(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Wakes tasks that wait for a slot.
    freed: Notify,
    /// The memory that transfers share, in KiB.
    memory: Arc<Semaphore>,
}

struct State {
    /// The number of slots in use.
    slots: usize,
    /// The number of transfers that are being timed.
    in_flight: usize,
    /// `None` if the user has chosen the limit.
    controller: Option<Controller>,
    limit: usize,
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        formatter
            .debug_struct("Limiter")
            .field("limit", &state.limit)
            .field("in_flight", &state.in_flight)
            .field("adaptive", &state.controller.is_some())
            .finish()
    }
}

impl Limiter {
    /// Creates a fixed limit of at least one.
    pub fn exactly(limit: usize) -> Self {
        Self::of(limit.max(1), None)
    }

    /// Creates an adaptive limit of at most `maximum` and [`MOST`].
    pub fn adaptive(maximum: usize) -> Self {
        Self::from(FIRST, maximum)
    }

    fn from(first: usize, maximum: usize) -> Self {
        let maximum = maximum.clamp(1, MOST);
        let first = first.min(maximum);
        Self::of(first, Some(Controller::new(first, maximum)))
    }

    fn of(limit: usize, controller: Option<Controller>) -> Self {
        let state = Mutex::new(State { slots: 0, in_flight: 0, controller, limit });
        Self(Arc::new(Shared { state, freed: Notify::new(), memory: Arc::new(Semaphore::new(MEMORY)) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the present limit.
    pub fn limit(&self) -> usize {
        self.state().limit
    }

    /// Returns the largest possible limit.
    pub fn maximum(&self) -> usize {
        let state = self.state();
        state.controller.as_ref().map_or(state.limit, |controller| controller.maximum)
    }

    /// Returns a slot for a transfer, if one is free.
    pub fn try_start(&self) -> Option<Slot> {
        let mut state = self.state();
        if state.slots >= state.limit {
            return None;
        }
        state.slots += 1;
        Some(Slot { limiter: self.clone() })
    }

    /// Waits for a slot for a transfer.
    pub async fn start(&self) -> Slot {
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            // Registered before the check, so that a slot that becomes free in between is not missed.
            freed.as_mut().enable();
            if let Some(slot) = self.try_start() {
                return slot;
            }
            freed.await;
        }
    }

    /// Waits for a slot for another request of a transfer that already has one. A limit that the user has chosen counts
    /// transfers and not their requests.
    pub async fn start_another(&self) -> Option<Slot> {
        if self.is_adaptive() { Some(self.start().await) } else { None }
    }

    /// Waits until a slot may have become free, or the limit may have grown. Changes count from the call on, not only
    /// from the first poll.
    pub fn changed(&self) -> impl Future<Output = ()> {
        self.0.freed.notified()
    }

    fn is_adaptive(&self) -> bool {
        self.state().controller.is_some()
    }

    /// Waits for the memory that a transfer of this size needs. Small ones need almost none.
    pub async fn memory_for(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        if bytes <= SMALL || !self.is_adaptive() {
            return None;
        }
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(MEMORY_OF_ONE);
        // The semaphore is never closed.
        Arc::clone(&self.0.memory).acquire_many_owned(kibibytes).await.ok()
    }

    /// Starts to time a transfer.
    pub fn time(&self) -> Timer {
        let mut state = self.state();
        state.in_flight += 1;
        Timer { limiter: self.clone(), started: Instant::now(), in_flight: state.in_flight }
    }

    /// Records that a transfer was refused because of overload: 429, 503, a time-out.
    pub fn overloaded(&self) {
        let mut state = self.state();
        if let Some(controller) = &mut state.controller {
            controller.overloaded(Instant::now());
            state.limit = controller.limit();
        }
    }
}

/// The slot of one transfer. It becomes free when this is dropped.
#[derive(Debug)]
pub struct Slot {
    limiter: Limiter,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.limiter.state().slots -= 1;
        // The limit may have grown too, so all waiting tasks must check.
        self.limiter.0.freed.notify_waiters();
    }
}

/// Times one transfer. A failed one is dropped and not counted.
#[derive(Debug)]
pub struct Timer {
    limiter: Limiter,
    started: Instant,
    /// The number in flight at its start, including itself: the length of the queue.
    in_flight: usize,
}

impl Timer {
    /// Records that the transfer has moved this number of bytes.
    pub fn finished(self, bytes: u64) {
        let mut state = self.limiter.state();
        let limit = state.limit;
        if let Some(controller) = &mut state.controller {
            controller.finished(&Sample {
                started: self.started,
                ended: Instant::now(),
                bytes,
                in_flight: self.in_flight,
            });
            state.limit = controller.limit();
        }
        if state.limit > limit {
            self.limiter.0.freed.notify_waiters();
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.limiter.state().in_flight -= 1;
    }
}

/// A finished transfer.
struct Sample {
    started: Instant,
    ended: Instant,
    bytes: u64,
    /// The number in flight at its start.
    in_flight: usize,
}

/// The times of transfers at some limit, by size: a class for each power of four bytes.
#[derive(Debug, Clone, Default)]
struct Times {
    /// Seconds and count for each class.
    classes: [(f64, f64); 32],
    /// The average number in flight.
    in_flight: f64,
}

impl Times {
    fn class(bytes: u64) -> usize {
        // Up to 16 KiB the size makes no difference.
        bytes.max(16 * 1024).ilog2() as usize / 2
    }

    fn mean(&self, class: usize) -> Option<f64> {
        let (seconds, count) = self.classes[class];
        (count > 0.0).then(|| seconds / count)
    }

    /// Adds newer times, which count for a third from then on.
    fn learn(&mut self, newer: &Self) {
        for (class, (seconds, count)) in newer.classes.iter().enumerate().filter(|(_, (_, count))| *count > 0.0) {
            let mean = seconds / count;
            let known = self.mean(class).map_or(mean, |known| known + (mean - known) / 3.0);
            self.classes[class] = (known, 1.0);
        }
        self.in_flight += (newer.in_flight - self.in_flight) / 3.0;
    }

    /// Returns how long these took compared with `reference`, as a factor; `None` if no sizes are comparable.
    fn slowdown(&self, reference: &Self) -> Option<f64> {
        let (mut here, mut there) = (0.0, 0.0);
        for (class, (seconds, count)) in self.classes.iter().enumerate() {
            if let Some(mean) = reference.mean(class) {
                here += seconds;
                there += mean * count;
            }
        }
        (here > 0.0 && there > 0.0).then(|| here / there)
    }
}

/// The purpose of the present round.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// The first round. It is not compared with any other: it opens connections, and the server's caches are empty.
    Cold,
    /// The round that the next ones are compared with.
    First,
    /// Each round at least doubles the limit, as long as that is worth it.
    Doubling,
    /// This many more rounds at this limit before the next trial.
    Holding(u32),
    /// A step up from the limit of the reference.
    Up,
    /// A step down from the limit of the reference.
    Down,
}

/// Adapts the limit from one round of transfers to the next.
struct Controller {
    limit: usize,
    maximum: usize,
    phase: Phase,
    /// The limit that is known to be worth it.
    settled: usize,
    /// The times of transfers at that limit.
    reference: Times,
    /// The next step up, as a factor. It grows while steps are worth it.
    step: f64,
    /// The next step down, as a factor.
    step_down: f64,
    /// The number of rounds of the next pause.
    hold: u32,
    round: Round,
    /// The usual share of refused transfers. A server that refuses some whatever the load is not overloaded.
    refused_share: f64,
}

/// The events since the last decision.
#[derive(Debug, Clone)]
struct Round {
    begun: Instant,
    times: Times,
    /// The number of transfers that began in this round and are finished.
    samples: usize,
    /// The maximum number in flight when one of them began.
    peak: usize,
    refused: usize,
    /// Whether the limit was already lowered because of overload.
    gave_way: bool,
}

impl Round {
    fn new(begun: Instant) -> Self {
        Self { begun, times: Times::default(), samples: 0, peak: 0, refused: 0, gave_way: false }
    }

    /// Returns the average number of transfers in flight.
    fn in_flight(&self) -> f64 {
        self.times.in_flight / self.samples.max(1) as f64
    }
}

impl Controller {
    fn new(limit: usize, maximum: usize) -> Self {
        Self {
            limit,
            maximum,
            phase: Phase::Cold,
            settled: limit,
            reference: Times::default(),
            step: 1.25,
            step_down: STEP_DOWN,
            hold: 1,
            round: Round::new(Instant::now()),
            refused_share: 0.0,
        }
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn finished(&mut self, sample: &Sample) {
        // A transfer that began under another limit says nothing about this one.
        if sample.started < self.round.begun {
            return;
        }
        let (seconds, count) = &mut self.round.times.classes[Times::class(sample.bytes)];
        *seconds += (sample.ended - sample.started).as_secs_f64();
        *count += 1.0;
        self.round.times.in_flight += sample.in_flight as f64;
        self.round.samples += 1;
        self.round.peak = self.round.peak.max(sample.in_flight);
        // While the limit doubles, speed is more important than precision.
        let enough = match self.phase {
            Phase::Cold | Phase::First | Phase::Doubling => self.limit / 2,
            _ => self.limit,
        };
        let long_enough = sample.ended - self.round.begun >= SHORTEST_ROUND;
        if long_enough && self.round.samples >= enough.max(FEWEST_SAMPLES) {
            self.end_round(sample.ended);
        }
    }

    fn overloaded(&mut self, now: Instant) {
        self.round.refused += 1;
        let usual = self.refused_share * (self.round.samples + self.round.refused).max(self.limit) as f64;
        // More than chance explains.
        if !self.round.gave_way && self.round.refused as f64 > usual + 3.0 * usual.sqrt() {
            self.give_way(now);
        }
    }

    /// Lowers the limit at once.
    fn give_way(&mut self, now: Instant) {
        let refused = std::mem::replace(&mut self.round, Round::new(now)).refused;
        self.limit = (self.limit / 2).max(1);
        self.settled = self.limit;
        self.round.gave_way = true;
        self.round.refused = refused;
        self.rest();
    }

    /// Stays at the limit for longer than the last time.
    fn rest(&mut self) {
        self.phase = Phase::Holding(self.hold);
        self.hold = (self.hold * 2).min(LONGEST_HOLD);
        self.step = 1.25;
    }

    fn end_round(&mut self, now: Instant) {
        let mut round = std::mem::replace(&mut self.round, Round::new(now));
        let count = (round.samples + round.refused) as f64;
        let share = round.refused as f64 / count;
        self.refused_share += (share - self.refused_share) * count / (count + REMEMBERED_REFUSALS);
        if self.phase == Phase::Cold {
            self.phase = Phase::First;
            return;
        }
        let in_flight = round.in_flight();
        round.times.in_flight = in_flight;
        let Some(slowdown) = round.times.slowdown(&self.reference) else {
            // The first round, or one with files of other sizes than all before.
            self.reference.in_flight =
                if self.reference.in_flight > 0.0 { self.reference.in_flight } else { in_flight };
            self.reference.learn(&round.times);
            if self.phase == Phase::First {
                self.phase = Phase::Doubling;
                self.grow(round.peak, 2);
            }
            return;
        };
        let more = in_flight / self.reference.in_flight.max(1.0);
        let throughput = more / slowdown;
        match self.phase {
            Phase::Cold | Phase::First | Phase::Doubling if throughput >= WORTH_DOUBLING => {
                self.settle(round.times);
                self.grow(round.peak, if slowdown < LINE_ALONE { 4 } else { 2 });
            }
            Phase::Cold | Phase::First | Phase::Doubling => {
                self.limit = self.settled;
                self.step_down = FIRST_STEP_DOWN;
                self.phase = Phase::Holding(1);
            }
            Phase::Holding(_) if slowdown > RUNAWAY * more.max(1.0) => {
                self.give_way(now);
                // Whatever has happened to the connection, this is its present state.
                self.reference = round.times;
            }
            Phase::Holding(rounds) => {
                self.reference.learn(&round.times);
                self.phase = Phase::Holding(rounds.saturating_sub(1));
                if rounds <= 1 && self.step_down < STEP_DOWN {
                    self.try_down();
                } else if rounds <= 1 {
                    self.try_up(round.peak);
                }
            }
            Phase::Up if throughput >= WORTH_A_STEP => {
                self.settle(round.times);
                (self.step, self.hold) = ((self.step * 1.2).min(2.0), 1);
                self.try_up(round.peak);
            }
            Phase::Up => {
                self.limit = self.settled;
                self.try_down();
            }
            Phase::Down if throughput >= self.to_keep() => {
                self.settle(round.times);
                self.hold = 1;
                self.try_down();
            }
            Phase::Down => {
                self.limit = self.settled;
                self.step_down = STEP_DOWN;
                self.rest();
            }
        }
    }

    /// Makes the limit of the round that has ended the one to compare with.
    fn settle(&mut self, times: Times) {
        self.settled = self.limit;
        self.reference = times;
    }

    /// Multiplies the limit if there is enough to do that the present one is used.
    fn grow(&mut self, peak: usize, factor: usize) {
        if self.is_used(peak) && self.limit < self.maximum {
            self.limit = (self.limit * factor).min(self.maximum);
        } else {
            self.rest();
        }
    }

    fn try_up(&mut self, peak: usize) {
        if !self.is_used(peak) || self.limit >= self.maximum {
            return self.try_down();
        }
        self.limit = ((self.limit as f64 * self.step) as usize).max(self.limit + 1).min(self.maximum);
        self.phase = Phase::Up;
    }

    fn try_down(&mut self) {
        if self.limit <= 1 {
            self.step_down = STEP_DOWN;
            return self.rest();
        }
        self.limit = ((self.limit as f64 * self.step_down) as usize).clamp(1, self.limit - 1);
        self.phase = Phase::Down;
    }

    fn to_keep(&self) -> f64 {
        if self.step_down < STEP_DOWN { KEPT_BY_FIRST_STEP } else { KEPT }
    }

    fn is_used(&self, peak: usize) -> bool {
        peak >= self.limit * 9 / 10
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;
    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    const SERVICE: Duration = Duration::from_millis(5);

    /// A simulated server: each transfer takes a round trip, and one of the server's workers for some time.
    #[derive(Clone)]
    struct Server {
        workers: usize,
        free: Arc<Semaphore>,
        round_trip: Duration,
        /// One in this many transfers is refused.
        refuses: Option<usize>,
        /// The first transfers take three times as long: so many of them.
        cold: usize,
    }

    impl Server {
        fn new(workers: usize, round_trip: u64) -> Self {
            let free = Arc::new(Semaphore::new(workers));
            Self { workers, free, round_trip: Duration::from_millis(round_trip), refuses: None, cold: 0 }
        }

        async fn transfer(&self, number: usize) -> bool {
            sleep(self.round_trip / 2).await;
            let worker = self.free.acquire().await.expect("it stays open");
            // The times differ by up to a third, in a fixed order.
            let times = if number < self.cold { 3 } else { 1 };
            sleep(SERVICE * times * (12 + (number * 7 % 5) as u32) / 14).await;
            drop(worker);
            sleep(self.round_trip / 2).await;
            self.refuses.is_none_or(|every| !number.is_multiple_of(every))
        }

        /// Returns the smallest number in flight that uses all of the server.
        fn knee(&self) -> f64 {
            self.workers as f64 * (1.0 + self.round_trip.as_secs_f64() / SERVICE.as_secs_f64())
        }

        /// Returns the maximum number of transfers per second with this limit.
        fn best(&self, limit: usize) -> f64 {
            let most = (limit as f64).min(self.knee());
            most / (self.round_trip + SERVICE).as_secs_f64()
        }
    }

    /// Runs transfers for some time. Returns how many of them per second succeeded in the last fifth of it.
    async fn run(limiter: &Limiter, server: &Server, length: Duration) -> f64 {
        let (begun, mut running, mut late) = (Instant::now(), JoinSet::new(), 0);
        for number in 0.. {
            let slot = limiter.start().await;
            while let Some(ended) = running.try_join_next() {
                let succeeded: bool = ended.expect("no panic");
                late += usize::from(succeeded && begun.elapsed() > length * 4 / 5);
            }
            if begun.elapsed() > length {
                break;
            }
            let (server, limiter) = (server.clone(), limiter.clone());
            running.spawn(async move {
                let timer = limiter.time();
                let succeeded = server.transfer(number).await;
                if succeeded {
                    timer.finished(4096);
                } else {
                    limiter.overloaded();
                }
                drop(slot);
                succeeded
            });
        }
        running.shutdown().await;
        late as f64 / (length / 5).as_secs_f64()
    }

    /// Returns a time that is enough for some dozens of rounds.
    fn long(server: &Server) -> Duration {
        // A short queue at a slow server takes many times as long as its work.
        let queue = if server.workers < 10 { SERVICE * 2000 } else { SERVICE * 600 };
        queue.max(server.round_trip * 100)
    }

    /// Checks that the throughput is near the maximum, with not many more in flight than that requires.
    fn check(limiter: &Limiter, server: &Server, throughput: f64, what: &str) {
        let (limit, best) = (limiter.limit(), server.best(MOST));
        let enough = server.knee().min(MOST as f64);
        let facts = format!("{what}: limit {limit} (enough: {enough:.0}), {throughput:.0} of {best:.0} a second");
        assert!(throughput >= 0.8 * best, "{facts}");
        assert!((limit as f64) <= 1.6 * enough + 4.0, "{facts}");
    }

    async fn finds_what_the_line_carries(workers: usize) {
        for round_trip in [0, 5, 50, 200, 600] {
            for first in [1, FIRST, 200] {
                let (limiter, server) = (Limiter::from(first, MOST), Server::new(workers, round_trip));
                let length = long(&server);
                let throughput = run(&limiter, &server, length).await;
                check(&limiter, &server, throughput, &format!("{workers} workers, {round_trip} ms, from {first}"));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn finds_what_a_small_server_carries_from_both_sides() {
        finds_what_the_line_carries(2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn finds_what_a_server_of_32_workers_carries_from_both_sides() {
        finds_what_the_line_carries(32).await;
    }

    #[tokio::test(start_paused = true)]
    async fn finds_what_the_line_carries_from_both_sides() {
        finds_what_the_line_carries(10_000).await;
    }

    #[tokio::test(start_paused = true)]
    async fn follows_a_line_that_changes() {
        let limiter = Limiter::adaptive(MOST);
        for (workers, round_trip) in [(4, 5), (4, 200), (4, 0), (32, 0), (2, 50), (10_000, 600)] {
            let server = Server::new(workers, round_trip);
            run(&limiter, &server, 2 * long(&server)).await;
            let throughput = run(&limiter, &server, long(&server)).await;
            check(&limiter, &server, throughput, &format!("now {workers} workers, {round_trip} ms"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn some_refusals_that_no_load_explains_do_not_hold_it_down() {
        for (workers, round_trip) in [(32, 5), (32, 50), (10_000, 200)] {
            let server = Server { refuses: Some(20), ..Server::new(workers, round_trip) };
            let limiter = Limiter::adaptive(MOST);
            run(&limiter, &server, 2 * long(&server)).await;
            let throughput = run(&limiter, &server, long(&server)).await;
            check(&limiter, &server, throughput / 0.95, &format!("{workers} workers, {round_trip} ms, 5 % refused"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_line_is_filled_within_some_round_trips() {
        let (limiter, server) = (Limiter::adaptive(MOST), Server::new(10_000, 200));
        run(&limiter, &server, 12 * server.round_trip).await;
        assert!(limiter.limit() >= 128, "{limiter:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cold_start_does_not_lead_to_a_long_queue() {
        for cold in [0, 8, 16, 40] {
            let (limiter, server) = (Limiter::adaptive(MOST), Server { cold, ..Server::new(2, 0) });
            run(&limiter, &server, SERVICE * 60).await;
            // A run of 200 files.
            let mut limits = Vec::new();
            for _ in 0..14 {
                run(&limiter, &Server { cold: 0, ..server.clone() }, SERVICE * 5).await;
                limits.push(limiter.limit());
            }
            let mean = limits.iter().sum::<usize>() as f64 / limits.len() as f64;
            let longest = limits.iter().max().copied().unwrap_or(0);
            assert!(mean <= 14.0 && longest <= 16, "{cold} cold transfers: {limits:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn files_of_all_sizes_are_compared_with_their_like() {
        // Each size takes its time on the line, and the order of sizes is a long wave.
        let limiter = Limiter::adaptive(MOST);
        let (begun, mut running) = (Instant::now(), JoinSet::new());
        for number in 0_u64.. {
            let slot = limiter.start().await;
            while running.try_join_next().is_some() {}
            if begun.elapsed() > Duration::from_secs(60) {
                break;
            }
            let (bytes, limiter) = (4096 << (number / 300 % 10), limiter.clone());
            running.spawn(async move {
                let timer = limiter.time();
                sleep(Duration::from_millis(100) + Duration::from_micros(bytes / 10)).await;
                timer.finished(bytes);
                drop(slot);
            });
        }
        assert!(limiter.limit() >= 200, "nothing but time is shared: {limiter:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn gives_way_at_once_and_once_for_each_round() {
        let limiter = Limiter::from(64, MOST);
        limiter.overloaded();
        assert_eq!(limiter.limit(), 32);
        limiter.overloaded();
        assert_eq!(limiter.limit(), 32, "that one began before");
    }

    #[tokio::test(start_paused = true)]
    async fn a_chosen_limit_is_exact() {
        let (limiter, server) = (Limiter::exactly(3), Server::new(10_000, 50));
        run(&limiter, &server, Duration::from_secs(2)).await;
        limiter.overloaded();
        assert_eq!((limiter.limit(), limiter.maximum()), (3, 3));
        let slots: Vec<Slot> = (0..3).map(|_| limiter.try_start().expect("a slot")).collect();
        assert!(limiter.try_start().is_none());
        drop(slots);
        assert!(limiter.try_start().is_some());
        assert_eq!(Limiter::exactly(0).limit(), 1);
        assert_eq!(Limiter::adaptive(2).limit(), 2, "not above what the process may open");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_slot_gets_it() {
        let limiter = Limiter::exactly(1);
        let slot = limiter.start().await;
        let waiting = tokio::spawn({
            let limiter = limiter.clone();
            async move { limiter.start().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(slot);
        waiting.await.expect("a slot");
    }
}

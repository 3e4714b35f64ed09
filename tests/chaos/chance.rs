//! Chances that a seed gives back, and what `just chaos` says of long runs.

use std::time::{Duration, Instant};

/// A number in the environment, if it is there.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seed that a long run begins with: the one that was given, or a random one.
pub(crate) fn first_seed() -> u64 {
    let seed = number("CEC_CHAOS_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("CEC_CHAOS_SEED={seed}");
    seed
}

/// When a long run that begins now ends.
pub(crate) fn end() -> Instant {
    Instant::now() + Duration::from_secs(number("CEC_CHAOS_SECONDS").unwrap_or(600))
}

/// Draws by splitmix64.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True once in so many times.
    pub(crate) fn one_of(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these; they may not be empty.
    pub(crate) fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }
}

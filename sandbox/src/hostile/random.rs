//! Random numbers that are the same on every machine and in every version.

/// Draws by splitmix64.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Creates the random numbers for one answer from the seed, the request, and the number of such requests before.
    pub(super) fn new(seed: u64, request: &str, count: u64) -> Self {
        // FNV-1a.
        let hash = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let start = seed.to_be_bytes().into_iter().fold(0xcbf2_9ce4_8422_2325, hash);
        Self(request.bytes().chain(count.to_be_bytes()).fold(start, hash))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    /// True once in so many times.
    pub(super) fn one_of(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times.max(1))
    }

    /// Returns one of these values, of which there must be at least one.
    pub(super) fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

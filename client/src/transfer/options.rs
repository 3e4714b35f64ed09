//! How to transfer.

use std::sync::Arc;

use crate::hash::MEBIBYTE;
use crate::http::limiter::{Limiter, MOST};
use crate::http::retry::RetryPolicy;
use crate::transfer::temporary::Temporaries;
use crate::walk::local::{LinkPolicy, LocalOptions};

/// What to do with a target file that exists and differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// It is an error.
    Fail,
    /// It is left alone.
    Skip,
    /// It is replaced.
    Overwrite,
    /// It is replaced where the source is newer.
    Update,
    /// The source goes beside it, under a free name.
    Rename,
}

/// The part sizes that the server hashes as it should are multiples of this, in bytes.
pub const PART_STEP: u64 = 10 * MEBIBYTE;

/// The most parts that the gateway takes.
pub const MAXIMUM_PARTS: u32 = 10_000;

/// How to transfer.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to do with a target file that exists and differs.
    pub if_exists: IfExists,
    /// How many files move at once.
    pub transfers: Limiter,
    /// The size of a part in bytes, a multiple of [`PART_STEP`].
    pub part_size: u64,
    /// The size of the first parts of what is read to an unknown end, in bytes, a multiple of [`PART_STEP`].
    pub stream_part_size: u64,
    /// How many parts of one file move at once.
    pub parts_in_flight: usize,
    /// Files of more bytes than this are sent in parts.
    pub multipart_threshold: u64,
    /// The most parts that one file is cut into; parts grow beyond `part_size` to keep to it.
    pub maximum_parts: u32,
    /// How often and how long to try again.
    pub retry: RetryPolicy,
    /// Set the modification times of downloads to the server's.
    pub preserve: bool,
    /// Compare the hashes of what was sent or received with the server's.
    pub verify: bool,
    /// Stop at the first failure.
    pub fail_fast: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Take the target for a folder, and make it and the folders above it if they are missing.
    pub mkpath: bool,
    /// How local trees are walked.
    pub local: LocalOptions,
    /// The temporary files of downloads.
    pub temporaries: Arc<Temporaries>,
}

impl Default for Options {
    /// What suits a fast line: nothing is replaced, everything is verified.
    fn default() -> Self {
        Self {
            if_exists: IfExists::Fail,
            transfers: Limiter::adaptive(MOST),
            part_size: 50 * MEBIBYTE,
            stream_part_size: PART_STEP,
            parts_in_flight: 2,
            multipart_threshold: 100 * MEBIBYTE,
            maximum_parts: 5000,
            retry: RetryPolicy::default(),
            preserve: false,
            verify: true,
            fail_fast: false,
            dry_run: false,
            mkpath: false,
            local: LocalOptions { links: LinkPolicy::Follow, hidden: true, except: None },
            temporaries: Arc::default(),
        }
    }
}

impl Options {
    /// The size of the parts for a file of `size` bytes: `part_size`, or more in steps of [`PART_STEP`] where that
    /// would make too many parts.
    pub fn part_size_for(&self, size: u64) -> u64 {
        let most = u64::from(self.maximum_parts.clamp(1, MAXIMUM_PARTS));
        let least = size.div_ceil(most).div_ceil(PART_STEP) * PART_STEP;
        self.part_size.max(least).max(PART_STEP)
    }

    /// The size of a part, numbered from 1, of what is read to an unknown end: it grows by [`PART_STEP`] with each
    /// tenth of the parts that there may be, so that much fits in and the first parts stay small.
    pub fn stream_part_size_of(&self, number: u32) -> u64 {
        let tenth = (self.maximum_parts.clamp(1, MAXIMUM_PARTS) / 10).max(1);
        self.stream_part_size.max(PART_STEP) + u64::from(number.saturating_sub(1) / tenth) * PART_STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_in_steps_once_there_would_be_too_many() {
        let options = Options::default();
        assert_eq!(options.part_size_for(200 * MEBIBYTE), 50 * MEBIBYTE);
        assert_eq!(options.part_size_for(5000 * 50 * MEBIBYTE), 50 * MEBIBYTE);
        assert_eq!(options.part_size_for(5000 * 50 * MEBIBYTE + 1), 60 * MEBIBYTE);
        let few = Options { maximum_parts: 3, ..options.clone() };
        assert_eq!(few.part_size_for(301 * MEBIBYTE), 110 * MEBIBYTE);
    }

    #[test]
    fn parts_of_unknown_length_grow_with_each_tenth_of_their_number() {
        let options = Options::default();
        let sizes = [1, 500, 501, 1000, 1001, 5000].map(|number| options.stream_part_size_of(number) / MEBIBYTE);
        assert_eq!(sizes, [10, 10, 20, 20, 30, 100]);
        let few = Options { maximum_parts: 1, stream_part_size: 30 * MEBIBYTE, ..options };
        assert_eq!([1, 2].map(|number| few.stream_part_size_of(number) / MEBIBYTE), [30, 40]);
    }
}

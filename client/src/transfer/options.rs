//! Options of a transfer.

use std::sync::Arc;
use std::time::Duration;

use crate::hash::MEBIBYTE;
use crate::http::limiter::{Limiter, MOST};
use crate::http::retry::RetryPolicy;
use crate::transfer::journal::Journals;
use crate::transfer::temporary::Temporaries;
use crate::walk::local::{LinkPolicy, LocalOptions};

/// What to do with a target file that exists with another content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// Report an error.
    Fail,
    /// Keep the target.
    Skip,
    /// Replace the target.
    Overwrite,
    /// Replace the target if the source is newer.
    Update,
    /// Keep the target and store the source under another, free name.
    Rename,
}

/// The step between part sizes in bytes. The server computes content hashes correctly only for multiples of it.
pub const PART_STEP: u64 = 10 * MEBIBYTE;

/// The largest number of parts that the gateway accepts.
pub const MAXIMUM_PARTS: u32 = 10_000;

/// Options of a transfer.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to do with a target file that exists with another content.
    pub if_exists: IfExists,
    /// Limits the number of files that are transferred at the same time.
    pub transfers: Limiter,
    /// The size of a part in bytes, a multiple of [`PART_STEP`].
    pub part_size: u64,
    /// The size in bytes of the first parts of a stream of unknown length, a multiple of [`PART_STEP`].
    pub stream_part_size: u64,
    /// The number of parts of one file that are transferred at the same time.
    pub parts_in_flight: usize,
    /// Files larger than this number of bytes are sent in parts.
    pub multipart_threshold: u64,
    /// The largest number of parts of one file. Parts become larger than `part_size` if necessary.
    pub maximum_parts: u32,
    /// The number of attempts and the pauses between them.
    pub retry: RetryPolicy,
    /// Set the modification times of downloaded files to those on the server.
    pub preserve: bool,
    /// Compare hashes of the transferred content with those of the server.
    pub verify: bool,
    /// Stop at the first failure.
    pub fail_fast: bool,
    /// Report what would be done, without doing it.
    pub dry_run: bool,
    /// Treat the target as a folder, and create it and its missing parents.
    pub mkpath: bool,
    /// Options of the walk through local trees. Its filter also applies to remote trees and named files.
    pub local: LocalOptions,
    /// Start no file that would bring the transferred bytes above this number.
    pub max_transfer: Option<u64>,
    /// End the run after this time.
    pub max_duration: Option<Duration>,
    /// The registry of temporary files that downloads create.
    pub temporaries: Arc<Temporaries>,
    /// The journals of transfers that a later run can continue. Without them nothing is left behind.
    pub journals: Journals,
}

impl Default for Options {
    /// Defaults for a fast connection: existing files are never replaced, and everything is verified.
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
            local: LocalOptions { links: LinkPolicy::Follow, filter: Arc::default(), except: None },
            max_transfer: None,
            max_duration: None,
            temporaries: Arc::default(),
            journals: Journals::default(),
        }
    }
}

impl Options {
    /// Returns the part size in bytes for a file of `size` bytes: `part_size`, or a larger multiple of [`PART_STEP`] if
    /// there would be too many parts.
    pub fn part_size_for(&self, size: u64) -> u64 {
        let most = u64::from(self.maximum_parts.clamp(1, MAXIMUM_PARTS));
        let least = size.div_ceil(most).div_ceil(PART_STEP) * PART_STEP;
        self.part_size.max(least).max(PART_STEP)
    }

    /// Returns the size in bytes of part `number`, from 1, of a stream of unknown length. It grows by [`PART_STEP`]
    /// after each tenth of the allowed number of parts: the first parts stay small, and long streams still fit.
    pub fn stream_part_size_of(&self, number: u32) -> u64 {
        let tenth = (self.maximum_parts.clamp(1, MAXIMUM_PARTS) / 10).max(1);
        self.stream_part_size.max(PART_STEP) + u64::from(number.saturating_sub(1) / tenth) * PART_STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_in_steps_if_there_would_be_too_many() {
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

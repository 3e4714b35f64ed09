//! The MD5 sums of several contents at the same time, and of the parts of a file.

use std::fs::File;
use std::io;

use md5_lanes::{Digest, LANES, Message};

use super::{Hasher, MEBIBYTE, Scheme};

/// How many bytes of each content are read at once: a buffer for all of them fits the processor's cache.
const STEP: usize = 64 * 1024;

/// Parts that are hashed at the same time span at most this many bytes, so that all of them are still in the page cache
/// after they were written, or before they are sent.
const REACH: u64 = 1024 * MEBIBYTE;

/// Hashes contents of these lengths, in bytes, all at the same time. Up to [`LANES`] of them take little longer than one.
/// `read` fills the buffer with bytes of the content of that index, from that offset.
///
/// # Errors
/// That of `read`, which ends all.
pub fn side_by_side<E>(
    lengths: &[u64],
    mut read: impl FnMut(usize, u64, &mut [u8]) -> Result<(), E>,
) -> Result<Vec<Digest>, E> {
    let mut messages = vec![Message::default(); lengths.len()];
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let step = usize::try_from(longest).unwrap_or(STEP).clamp(1, STEP);
    let mut buffer = vec![0; step * lengths.len()];
    for offset in (0..longest).step_by(step) {
        let mut inputs = Vec::with_capacity(lengths.len());
        for ((index, length), buffer) in lengths.iter().enumerate().zip(buffer.chunks_exact_mut(step)) {
            let left = usize::try_from(length.saturating_sub(offset)).unwrap_or(step).min(step);
            let buffer = &mut buffer[..left];
            if left > 0 {
                read(index, offset, buffer)?;
            }
            inputs.push(&*buffer);
        }
        md5_lanes::update(&mut messages, &inputs);
    }
    Ok(md5_lanes::finish(messages))
}

/// The sums of the parts of a content that can be read at any offset, in order and several at the same time.
#[derive(Debug)]
pub struct Parts {
    total: u64,
    part_size: u64,
    digests: Vec<Digest>,
}

impl Parts {
    /// No sums yet of a content of `total` bytes, in parts of `part_size` bytes.
    pub fn new(total: u64, part_size: u64) -> Self {
        Self { total, part_size: part_size.max(1), digests: Vec::new() }
    }

    /// The sums so far, of the first parts.
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// Up to which byte the sums are known.
    fn hashed(&self) -> u64 {
        self.part_size.saturating_mul(self.digests.len() as u64).min(self.total)
    }

    /// The number of parts that [`Parts::hash_next`] takes.
    fn next_count(&self, most: usize) -> u64 {
        let most = (most.clamp(1, LANES) as u64).min((REACH / self.part_size).max(1));
        (self.total - self.hashed()).div_ceil(self.part_size).min(most)
    }

    /// Which bytes [`Parts::hash_next`] reads: all up to this one. `None` once all sums are known.
    pub fn next_end(&self, most: usize) -> Option<u64> {
        let parts = self.next_count(most);
        (parts > 0).then(|| self.hashed().saturating_add(parts.saturating_mul(self.part_size)).min(self.total))
    }

    /// Hashes the next parts: `most` of them, or fewer if they are large or the last ones. `read` fills the buffer with the
    /// bytes from an offset of the content.
    ///
    /// # Errors
    /// That of `read`. Nothing has changed then.
    pub fn hash_next<E>(
        &mut self,
        most: usize,
        mut read: impl FnMut(u64, &mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (begin, parts) = (self.hashed(), self.next_count(most));
        let start = |part: u64| begin + part * self.part_size;
        let lengths: Vec<u64> = (0..parts).map(|part| self.part_size.min(self.total - start(part))).collect();
        let digests = side_by_side(&lengths, |part, offset, buffer| read(start(part as u64) + offset, buffer))?;
        self.digests.extend(digests);
        Ok(())
    }

    /// What a hasher of the content would be, for the parts so far.
    pub fn hasher(&self) -> Hasher {
        let mut hasher = Hasher::new(Scheme::Parts(self.part_size));
        self.digests.iter().for_each(|digest| hasher.add_part(digest));
        hasher
    }
}

/// Hashes a file of `total` bytes in parts. The position of the file afterwards is unspecified.
///
/// # Errors
/// The file system's; [`io::ErrorKind::UnexpectedEof`] for a shorter file.
pub fn hash_parts(file: &File, total: u64, part_size: u64) -> io::Result<Hasher> {
    let mut parts = Parts::new(total, part_size);
    while parts.next_end(LANES).is_some() {
        parts.hash_next(LANES, |offset, buffer| read_at(file, offset, buffer))?;
    }
    Ok(parts.hasher())
}

/// Fills the buffer with the bytes of a file from an offset. On Windows this moves the position of the file.
///
/// # Errors
/// The file system's; [`io::ErrorKind::UnexpectedEof`] for a shorter file.
pub fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset);
    #[cfg(not(unix))]
    {
        use std::io::{Read as _, Seek as _};
        let mut file = file;
        file.seek(io::SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn content(size: usize) -> Vec<u8> {
        (0..size).map(|index| (index * 7 % 253) as u8).collect()
    }

    fn in_order(content: &[u8], part_size: u64) -> String {
        let mut hasher = Hasher::new(Scheme::Parts(part_size));
        hasher.update(content);
        hasher.etag()
    }

    #[test]
    fn a_file_hashed_in_lanes_has_the_etag_of_one_hashed_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        for (size, part_size) in
            [(0, 10), (1, 10), (10, 10), (11, 10), (170, 10), (171, 10), (1_000_000, 30_001), (1_310_720, 65_536)]
        {
            let content = content(size);
            std::fs::write(&path, &content).expect("a file");
            let hasher = hash_parts(&File::open(&path).expect("a file"), size as u64, part_size).expect("sums");
            assert_eq!(hasher.etag(), in_order(&content, part_size), "{size} bytes in parts of {part_size}");
        }
    }

    #[test]
    fn a_file_that_became_shorter_has_no_sums() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, content(95)).expect("a file");
        let error = hash_parts(&File::open(&path).expect("a file"), 96, 10).expect_err("too short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn parts_that_are_hashed_together_are_not_far_apart() {
        assert_eq!(Parts::new(5000 * MEBIBYTE, 50 * MEBIBYTE).next_end(LANES), Some(800 * MEBIBYTE));
        assert_eq!(Parts::new(5000 * MEBIBYTE, 300 * MEBIBYTE).next_end(LANES), Some(900 * MEBIBYTE));
        assert_eq!(Parts::new(9000 * MEBIBYTE, 2000 * MEBIBYTE).next_end(LANES), Some(2000 * MEBIBYTE));
        assert_eq!(Parts::new(5 * MEBIBYTE, 2 * MEBIBYTE).next_end(4), Some(5 * MEBIBYTE));
        assert_eq!(Parts::new(0, 2).next_end(4), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn parts_in_turns_of_any_number_have_the_sums_of_the_content(
            size in 0_usize..3000,
            part_size in 1_u64..400,
            turns in vec(1_usize..20, 1..8),
        ) {
            let content = content(size);
            let mut parts = Parts::new(size as u64, part_size);
            for most in turns.iter().copied().cycle() {
                let Some(end) = parts.next_end(most) else { break };
                parts.hash_next(most, |offset, buffer| {
                    let from = usize::try_from(offset).expect("an offset");
                    assert!(offset + buffer.len() as u64 <= end);
                    buffer.copy_from_slice(&content[from..from + buffer.len()]);
                    Ok::<(), io::Error>(())
                }).expect("sums");
            }
            prop_assert_eq!(parts.digests().len() as u64, (size as u64).div_ceil(part_size));
            prop_assert_eq!(parts.hasher().etag(), in_order(&content, part_size));
        }

        #[test]
        fn contents_of_any_lengths_have_their_sums(lengths in vec(0_usize..200_000, 0..20)) {
            let contents: Vec<Vec<u8>> = lengths.iter().map(|length| content(*length)).collect();
            let lengths: Vec<u64> = lengths.iter().map(|length| *length as u64).collect();
            let found = side_by_side(&lengths, |index, offset, buffer| {
                let from = usize::try_from(offset).expect("an offset");
                buffer.copy_from_slice(&contents[index][from..from + buffer.len()]);
                Ok::<(), io::Error>(())
            });
            let expected: Vec<Digest> = contents.iter().map(|content| super::super::md5(content)).collect();
            prop_assert_eq!(found.expect("sums"), expected);
        }
    }
}

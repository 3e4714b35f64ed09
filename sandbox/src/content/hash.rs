//! The hashes that the server reports: ETags and content hashes.

use md5::block_api::compress;
use md5::{Digest, Md5};

use super::lanes::{Chunk, START, State, compress_both};
use crate::random::hex;

/// The content hash is made of the MD5 sums of blocks of this size.
const BLOCK_SIZE: u64 = 10 * 1024 * 1024;

/// Sums of a body or of one part of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    size: u64,
    md5: [u8; 16],
    blocks: Vec<[u8; 16]>,
}

impl Digests {
    /// The plain MD5.
    pub(crate) fn md5(&self) -> [u8; 16] {
        self.md5
    }

    /// MD5 sums of the 10 MiB blocks; none for an empty body.
    pub(crate) fn blocks(&self) -> &[[u8; 16]] {
        &self.blocks
    }

    /// The ETag of a body sent in one piece, without quotes: its MD5 in hexadecimal. An empty
    /// body has that of an upload with one empty part.
    pub(crate) fn etag(&self) -> String {
        if self.size == 0 {
            return multipart_etag([&self.md5]);
        }
        hex(&self.md5)
    }

    /// The hashes of the same content in encrypted storage: the ETag is that of the stored data, which is different
    /// each time, and the content hash is that of the sent content. For an empty content, nothing is stored.
    pub(crate) fn encrypted(mut self) -> Self {
        if self.size > 0 {
            self.md5 = rand::random();
        }
        self
    }

    /// The value of `x-cells-hash`: the MD5 of the binary MD5 sums of the blocks.
    pub(crate) fn cells_hash(&self) -> String {
        if self.size == 0 {
            return cells_hash([&self.md5]);
        }
        cells_hash(&self.blocks)
    }
}

/// The ETag of an upload in parts, without quotes: MD5 of the MD5 sums of the parts, and how many.
pub(crate) fn multipart_etag<'a>(parts: impl IntoIterator<Item = &'a [u8; 16]>) -> String {
    let mut count = 0;
    let sum = cells_hash(parts.into_iter().inspect(|_| count += 1));
    format!("{sum}-{count}")
}

/// The content hash of these block sums.
pub(crate) fn cells_hash<'a>(blocks: impl IntoIterator<Item = &'a [u8; 16]>) -> String {
    let mut hasher = Md5::new();
    for block in blocks {
        hasher.update(block);
    }
    hex(&hasher.finalize())
}

/// Computes the plain MD5 and those of the blocks in one pass.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    size: u64,
    whole: State,
    /// The hash of the current block, equal to that of the complete content in the first one.
    block: State,
    blocks: Vec<[u8; 16]>,
    /// Bytes that do not fill a chunk yet: the last `size % 64`.
    rest: Chunk,
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// Nothing summed yet.
    pub(crate) fn new() -> Self {
        Self { size: 0, whole: START, block: START, blocks: Vec::new(), rest: [0; 64] }
    }

    /// Adds bytes.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = BLOCK_SIZE - self.size % BLOCK_SIZE;
            let length = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (now, later) = bytes.split_at(length);
            self.update_within_block(now);
            if self.size.is_multiple_of(BLOCK_SIZE) {
                let sum = finish(self.block, &[], BLOCK_SIZE);
                self.blocks.push(sum);
                self.block = START;
            }
            bytes = later;
        }
    }

    /// Adds bytes that all belong to the current block.
    fn update_within_block(&mut self, mut bytes: &[u8]) {
        let held = self.held();
        self.size += bytes.len() as u64;
        if held > 0 {
            let taken = bytes.len().min(64 - held);
            self.rest[held..held + taken].copy_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if held + taken < 64 {
                return;
            }
            let chunk = self.rest;
            self.compress(&[chunk]);
        }
        let (chunks, rest) = bytes.as_chunks::<64>();
        self.compress(chunks);
        self.rest[..rest.len()].copy_from_slice(rest);
    }

    fn compress(&mut self, chunks: &[Chunk]) {
        if self.blocks.is_empty() {
            compress(&mut self.whole, chunks);
            self.block = self.whole;
        } else {
            compress_both(&mut self.whole, &mut self.block, chunks);
        }
    }

    /// Bytes waiting in `rest`.
    fn held(&self) -> usize {
        usize::try_from(self.size % 64).unwrap_or(0)
    }

    /// The sums of all that was added.
    pub(crate) fn finish(mut self) -> Digests {
        let rest = &self.rest[..self.held()];
        let md5 = finish(self.whole, rest, self.size);
        let in_block = self.size % BLOCK_SIZE;
        if in_block > 0 {
            self.blocks.push(finish(self.block, rest, in_block));
        }
        Digests { size: self.size, md5, blocks: self.blocks }
    }
}

/// Ends a sum: the last bytes, the padding and the length in bits (RFC 1321, 3.1 to 3.5).
fn finish(mut state: State, rest: &[u8], size: u64) -> [u8; 16] {
    let mut tail = [0_u8; 128];
    tail[..rest.len()].copy_from_slice(rest);
    tail[rest.len()] = 0x80;
    let length = if rest.len() < 56 { 64 } else { 128 };
    tail[length - 8..length].copy_from_slice(&size.wrapping_mul(8).to_le_bytes());
    compress(&mut state, tail[..length].as_chunks().0);
    let mut sum = [0; 16];
    for (bytes, word) in sum.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_how_the_bytes_arrive() {
        let content: Vec<u8> = (0..2 * BLOCK_SIZE + 4_321).map(|at| (at % 251) as u8).collect();
        let mut at_once = Hasher::new();
        at_once.update(&content);
        let mut pieces = Hasher::new();
        for (index, piece) in content.chunks(65_537).enumerate() {
            let (front, back) = piece.split_at((index * 37 % 130).min(piece.len()));
            pieces.update(front);
            pieces.update(back);
        }
        let digests = at_once.finish();
        assert_eq!(digests, pieces.finish());
        assert_eq!(digests.md5()[..], Md5::digest(&content)[..]);
        let blocks: Vec<[u8; 16]> =
            content.chunks(BLOCK_SIZE as usize).map(|block| Md5::digest(block).into()).collect();
        assert_eq!(digests.blocks(), blocks);
    }

    #[test]
    fn padding_is_right_at_every_length() {
        let content = [0xa5; 300];
        for length in 0..content.len() {
            let mut hasher = Hasher::new();
            hasher.update(&content[..length]);
            assert_eq!(hasher.finish().md5()[..], Md5::digest(&content[..length])[..]);
        }
    }
}

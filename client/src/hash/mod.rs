//! The hashes of a Cells server: ETags, which are MD5 sums, and x-cells-hash, an MD5 over 10 MiB blocks.
//!
//! Both can be computed from the content alone, so a transfer can be verified without reading the content back.

pub mod parts;

use md5::{Digest as _, Md5};

pub use md5_lanes::{Digest, LANES};

/// One mebibyte in bytes.
pub const MEBIBYTE: u64 = 1024 * 1024;

/// The block size of x-cells-hash, in bytes.
pub const CELLS_BLOCK: u64 = 10 * MEBIBYTE;

/// Part sizes of known clients in MiB, most likely first. With them, a multipart ETag can be verified without knowing
/// which client uploaded the file.
const KNOWN_PART_SIZES: [u64; 13] = [50, 10, 100, 20, 30, 40, 60, 5, 8, 16, 64, 15, 25];

/// The maximum number of unlikely part sizes to try, and the maximum number of bytes to hash for all of them.
const MOST_GUESSES: u64 = 64;
const MOST_HASHED: u64 = 16 * 1024 * MEBIBYTE;

/// Returns bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the MD5 of some bytes.
pub fn md5(bytes: &[u8]) -> Digest {
    Md5::digest(bytes).into()
}

/// A scheme for hashing a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// The MD5 of the complete content: the ETag of an object sent in one piece.
    Whole,
    /// The MD5 of the MD5s of parts of this many bytes: a multipart ETag, and x-cells-hash with [`CELLS_BLOCK`].
    Parts(u64),
}

impl Scheme {
    /// Returns the scheme whose result can be compared with `etag` for a content of `size` bytes; `None` if the ETag is
    /// not sufficient (an unknown part size, or not an MD5).
    pub fn of_etag(etag: &str, size: u64) -> Option<Self> {
        let (digest, count) = match etag.split_once('-') {
            Some((digest, count)) => (digest, Some(count)),
            None => (etag, None),
        };
        if digest.len() != 32 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let Some(count) = count else {
            return Some(Self::Whole);
        };
        let count: u64 = count.parse().ok()?;
        if count == 0 {
            return None;
        }
        if count == 1 {
            // A single part contains everything, so its intended size does not matter. The empty object has this form
            // too.
            return Some(Self::Parts(size.max(CELLS_BLOCK)));
        }
        known_part_sizes(size, count).next().map(Self::Parts)
    }

    /// Returns the schemes of known clients that fit `size` and the number of parts in a multipart `etag`, most likely
    /// first. Empty for other ETags.
    pub fn likely(etag: &str, size: u64) -> Vec<Self> {
        match parts_of(etag) {
            Some(count) => known_part_sizes(size, count).map(Self::Parts).collect(),
            None => Vec::new(),
        }
    }

    /// Returns further schemes beyond [`Scheme::likely`]: parts of any whole number of MiB, limited to a reasonable
    /// amount of work.
    pub fn unlikely(etag: &str, size: u64) -> Vec<Self> {
        let Some(count) = parts_of(etag) else { return Vec::new() };
        let least = size.div_ceil(count).div_ceil(MEBIBYTE).max(1);
        let most = if count > 1 { size / (count - 1) / MEBIBYTE } else { least };
        let worth = (MOST_HASHED / size.max(1)).clamp(1, MOST_GUESSES);
        (least..=most)
            .filter(|mebibytes| !KNOWN_PART_SIZES.contains(mebibytes))
            .map(|mebibytes| mebibytes * MEBIBYTE)
            .filter(|part| size.div_ceil(*part) == count)
            .take(usize::try_from(worth).unwrap_or(usize::MAX))
            .map(Self::Parts)
            .collect()
    }
}

/// Returns the number of parts in a multipart ETag, if there is more than one.
fn parts_of(etag: &str) -> Option<u64> {
    let (digest, count) = etag.split_once('-')?;
    let count = count.parse().ok().filter(|count| *count > 1)?;
    (digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(count)
}

fn known_part_sizes(size: u64, count: u64) -> impl Iterator<Item = u64> {
    let sizes = KNOWN_PART_SIZES.iter().map(|mebibytes| mebibytes * MEBIBYTE);
    sizes.filter(move |part| size.div_ceil(*part) == count)
}

/// Hashes a content in one pass.
#[derive(Debug, Clone)]
pub struct Hasher {
    scheme: Scheme,
    current: Md5,
    filled: u64,
    digests: Md5,
    parts: u64,
}

impl Hasher {
    /// Creates a hasher for a scheme.
    pub fn new(scheme: Scheme) -> Self {
        Self { scheme, current: Md5::new(), filled: 0, digests: Md5::new(), parts: 0 }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let Scheme::Parts(size) = self.scheme else {
            self.current.update(bytes);
            return;
        };
        while !bytes.is_empty() {
            if self.filled == size {
                self.close_part();
            }
            let room = usize::try_from(size - self.filled).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.current.update(now);
            self.filled += now.len() as u64;
            bytes = later;
        }
    }

    fn close_part(&mut self) {
        let digest = self.current.finalize_reset();
        self.add_part(&digest.into());
        self.filled = 0;
    }

    /// Takes the sum of the next part.
    fn add_part(&mut self, digest: &Digest) {
        self.digests.update(digest);
        self.parts += 1;
    }

    /// Returns the digest in hexadecimal digits and, for [`Scheme::Parts`], the number of parts (one for an empty
    /// content).
    fn finish(mut self) -> (String, Option<u64>) {
        match self.scheme {
            Scheme::Whole => (hex(&self.current.finalize()), None),
            Scheme::Parts(_) => {
                if self.filled > 0 || self.parts == 0 {
                    self.close_part();
                }
                (hex(&self.digests.finalize()), Some(self.parts))
            }
        }
    }

    /// Returns the ETag of the content.
    pub fn etag(self) -> String {
        match self.finish() {
            (digest, None) => digest,
            (digest, Some(parts)) => format!("{digest}-{parts}"),
        }
    }

    /// Returns the x-cells-hash of the content, if the scheme is that of x-cells-hash.
    pub fn cells_hash(self) -> Option<String> {
        (self.scheme == Scheme::Parts(CELLS_BLOCK)).then(|| self.finish().0)
    }
}

/// Returns the ETag of an object sent in one PUT whose MD5 is `whole`. It differs from the MD5 for an empty object.
pub fn etag_of_put(size: u64, whole: &str) -> String {
    if size == 0 { Hasher::new(Scheme::Parts(CELLS_BLOCK)).etag() } else { whole.to_owned() }
}

/// Returns the ETag of a multipart object from the ETags of its parts, in order; `None` if one of them is not an MD5.
pub fn etag_of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut digests = Md5::new();
    let mut count = 0_u64;
    for part in parts {
        digests.update(decode_md5(part)?);
        count += 1;
    }
    Some(format!("{}-{count}", hex(&digests.finalize())))
}

fn decode_md5(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0_u8; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates the content of the recorded vectors: byte i is (i*31+7) mod 251.
    fn content(size: usize) -> Vec<u8> {
        (0..size).map(|index| ((index * 31 + 7) % 251) as u8).collect()
    }

    fn hashed(scheme: Scheme, content: &[u8], step: usize) -> Hasher {
        let mut hasher = Hasher::new(scheme);
        content.chunks(step.max(1)).for_each(|chunk| hasher.update(chunk));
        hasher
    }

    #[test]
    fn the_servers_own_figures_are_reproduced() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/recordings/hash-vectors.json")).expect("vectors");
        let vectors = vectors["vectors"].as_array().expect("a list");
        assert!(vectors.len() > 5);
        for vector in vectors {
            let size = vector["size"].as_u64().expect("a size");
            let content = content(usize::try_from(size).expect("a size"));
            let whole = hashed(Scheme::Whole, &content, 65_536).etag();
            assert_eq!(whole, vector["md5"], "md5 of {size}");
            assert_eq!(etag_of_put(size, &whole), vector["single_put"]["etag"], "ETag of a PUT of {size}");
            let cells = hashed(Scheme::Parts(CELLS_BLOCK), &content, 999_983).cells_hash();
            assert_eq!(cells.as_deref(), vector["x_cells_hash"].as_str(), "x-cells-hash of {size}");
            for (part, multipart) in vector["multipart"].as_object().expect("parts") {
                let mebibytes: u64 = part.trim_end_matches("MiB").parse().expect("a part size");
                let etag = hashed(Scheme::Parts(mebibytes * MEBIBYTE), &content, 1 << 20).etag();
                assert_eq!(etag, multipart["etag"], "ETag of {size} in {part}");
                let recorded = multipart["etag"].as_str().expect("an ETag");
                let scheme = Scheme::of_etag(recorded, size).expect("a scheme");
                assert_eq!(hashed(scheme, &content, 1 << 20).etag(), recorded, "guessed scheme of {size} in {part}");
            }
        }
    }

    #[test]
    fn an_etag_determines_its_scheme_or_nothing() {
        let digest = "0123456789abcdef0123456789abcdef";
        assert_eq!(Scheme::of_etag(digest, 5), Some(Scheme::Whole));
        assert_eq!(Scheme::of_etag(&format!("{digest}-1"), 0), Some(Scheme::Parts(CELLS_BLOCK)));
        assert_eq!(Scheme::of_etag(&format!("{digest}-3"), 120 * MEBIBYTE), Some(Scheme::Parts(50 * MEBIBYTE)));
        for etag in ["temporary", "-1", "", &format!("{digest}-x"), &format!("{digest}-0"), &format!("{digest}-7777")] {
            assert_eq!(Scheme::of_etag(etag, 120 * MEBIBYTE), None, "{etag}");
        }
    }

    #[test]
    fn the_etag_of_parts_is_the_hash_of_their_hashes() {
        let content = content(25 * 1024);
        let parts: Vec<String> = content.chunks(10 * 1024).map(|part| hex(&md5(part))).collect();
        let expected = hashed(Scheme::Parts(10 * 1024), &content, 777).etag();
        assert_eq!(etag_of_parts(parts.iter().map(String::as_str)), Some(expected));
        assert_eq!(etag_of_parts(["zz"]), None);
    }
}

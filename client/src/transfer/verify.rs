//! Compares local contents with the server's metadata.

use std::io::{self, Read};
use std::path::Path;

use futures_util::{TryStreamExt, future};

use crate::api::Node;
use crate::failure::ServerError;
use crate::hash::parts::hash_parts;
use crate::hash::{CELLS_BLOCK, Hasher, Scheme};
use crate::path::RemotePath;
use crate::s3;
use crate::sys::open;
use crate::transfer::source::CHUNK;

/// Hashes a complete file. Blocking, but never waits for a pipe.
///
/// # Errors
/// The file cannot be read, or is not a regular file.
pub fn hash_file(path: &Path, scheme: Scheme) -> io::Result<Hasher> {
    let file = open::regular_file(path)?;
    let size = file.metadata()?.len();
    match scheme {
        Scheme::Parts(part_size) if part_size < size => hash_parts(&file, size, part_size),
        _ => hash_in_order(file, scheme),
    }
}

/// Hashes a content with a scheme. Blocking.
///
/// # Errors
/// The content cannot be read.
pub(in crate::transfer) fn hash_in_order(mut content: impl Read, scheme: Scheme) -> io::Result<Hasher> {
    let mut hasher = Hasher::new(scheme);
    let mut buffer = vec![0_u8; CHUNK];
    loop {
        let got = content.read(&mut buffer)?;
        if got == 0 {
            return Ok(hasher);
        }
        hasher.update(&buffer[..got]);
    }
}

/// Whether a local file has the content that the server describes; false if the metadata are not sufficient. Blocking.
///
/// # Errors
/// The file cannot be read.
pub fn same_content(path: &Path, local_size: u64, node: &Node) -> io::Result<bool> {
    if local_size != node.size || node.is_temporary() {
        return Ok(false);
    }
    let etag = node.etag.as_deref().filter(|_| !node.is_encrypted());
    let mut schemes = etag.map_or_else(Vec::new, |etag| ways_to_hash(etag, node.size));
    // The ETag of parts with an unknown size, or of encrypted data, cannot be computed; then the content hash decides.
    let by_blocks = Scheme::Parts(CELLS_BLOCK);
    if node.hash.is_some() && schemes != [Scheme::Whole] && !schemes.contains(&by_blocks) {
        schemes.push(by_blocks);
    }
    let is_it = |hasher: Hasher| {
        let hash = hasher.clone().cells_hash();
        (hash.is_some() && hash == node.hash) || node.etag.as_ref() == Some(&hasher.etag())
    };
    for scheme in schemes {
        if is_it(hash_file(path, scheme)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the hash schemes that may have produced `etag` for a content of `size` bytes, most likely first.
pub fn ways_to_hash(etag: &str, size: u64) -> Vec<Scheme> {
    let likely = Scheme::likely(etag, size);
    if likely.is_empty() { Scheme::of_etag(etag, size).into_iter().collect() } else { likely }
}

/// Returns [`ways_to_hash`], and the scheme of `x-cells-hash` if the ETag may not be sufficient.
pub fn ways_to_tell(etag: &str, size: u64) -> Vec<Scheme> {
    let (mut schemes, by_blocks) = (ways_to_hash(etag, size), Scheme::Parts(CELLS_BLOCK));
    if schemes != [Scheme::Whole] && !schemes.contains(&by_blocks) {
        schemes.push(by_blocks);
    }
    schemes
}

/// Whether the stored copy of a file is shorter than its index entry says (docs/protocol.md §5.3): the server sends the
/// first byte but never the last. A failing server sends neither; a bad connection sends both now and then.
pub async fn is_cut_short(s3: &s3::Client, path: &RemotePath) -> bool {
    let Ok(info) = s3.head(path).await else { return false };
    let Some(last) = info.length.checked_sub(1) else { return false };
    let byte = async |at: u64| -> Result<(), ServerError> {
        let body = s3.get(path, Some(at..at + 1)).await?.body;
        body.try_for_each(|_| future::ready(Ok(()))).await
    };
    let never = |result: Result<(), ServerError>| result.is_err_and(|error| error.is_broken_off());
    never(byte(last).await) && byte(0).await.is_ok() && never(byte(last).await)
}

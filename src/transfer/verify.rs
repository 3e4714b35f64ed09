//! Comparing local contents with what the server says of its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use futures_util::{TryStreamExt, future};

use super::body::CHUNK;
use crate::api::Node;
use crate::hash::{CELLS_BLOCK, Hasher, Scheme};
use crate::path::RemotePath;
use crate::s3::{self, S3Error};

/// Hashes a whole file. Blocking.
///
/// # Errors
/// The file cannot be read.
pub fn hash_file(path: &Path, scheme: Scheme) -> io::Result<Hasher> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new(scheme);
    let mut buffer = vec![0_u8; CHUNK];
    loop {
        let got = file.read(&mut buffer)?;
        if got == 0 {
            return Ok(hasher);
        }
        hasher.update(&buffer[..got]);
    }
}

/// Whether a local file has the content that the server describes. False where the server says too little to tell.
/// Blocking.
///
/// # Errors
/// The file cannot be read.
pub fn same_content(path: &Path, local_size: u64, node: &Node) -> io::Result<bool> {
    if local_size != node.size || node.is_temporary() {
        return Ok(false);
    }
    let by_etag = node.etag.as_deref().and_then(|etag| Some((etag, Scheme::of_etag(etag, node.size)?)));
    if let Some((etag, scheme)) = by_etag {
        if hash_file(path, scheme)?.etag() == etag {
            return Ok(true);
        }
        if scheme == Scheme::Whole {
            return Ok(false);
        }
    }
    // The ETag is that of parts of a size that nobody told: only the server's own hash can decide.
    let Some(hash) = &node.hash else {
        return Ok(false);
    };
    Ok(hash_file(path, Scheme::Parts(CELLS_BLOCK))?.cells_hash().as_ref() == Some(hash))
}

/// Whether the server's copy of a file is shorter than its index says (docs/protocol.md §5.3): it gives the first byte
/// but never the last. A server that is in trouble gives neither, a bad connection now and then both.
pub async fn is_cut_short(s3: &s3::Client, path: &RemotePath) -> bool {
    let Ok(info) = s3.head(path).await else { return false };
    let Some(last) = info.length.checked_sub(1) else { return false };
    let byte = async |at: u64| -> Result<(), S3Error> {
        let body = s3.get(path, Some(at..at + 1)).await?.body;
        body.try_for_each(|_| future::ready(Ok(()))).await
    };
    let never = |result: Result<(), S3Error>| result.is_err_and(|error| error.is_broken_off());
    never(byte(last).await) && byte(0).await.is_ok() && never(byte(last).await)
}

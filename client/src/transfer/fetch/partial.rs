//! The part of a file that has arrived: kept in a temporary file beside its place, or in memory if it is small, hashed as
//! it comes, and given its name only at the end.

use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::hash::{CELLS_BLOCK, Hasher, Scheme};
use crate::transfer::TransferError;
use crate::transfer::temporary::{Temporaries, Temporary};
use crate::transfer::verify::hash_all;

/// Contents up to this many bytes are kept in memory until they are whole and verified: then one visit to the disk does
/// it all, which for many small files is most of the work.
const IN_MEMORY: u64 = 256 * 1024;

/// Where the content is kept.
enum Store {
    Memory(Vec<u8>),
    File(Temporary),
    /// A reader has it.
    Passed,
}

/// The part of a file that has arrived so far. Its temporary file, if it has one, goes with it.
pub(in crate::transfer) struct Partial {
    store: Store,
    /// The ETag of the content that it is a part of.
    pub(in crate::transfer) etag: String,
    /// The sums of it, if it is to be verified; the likeliest way of hashing comes first.
    hashers: Vec<Hasher>,
    /// How many bytes have partial.
    pub(in crate::transfer) bytes: u64,
    /// How many bytes make it whole.
    pub(in crate::transfer) total: u64,
}

impl Partial {
    /// Nothing of the content with that ETag, which will have `total` bytes; `schemes` says how it is hashed, if it is to be
    /// verified. `place` says which folder it is kept in.
    ///
    /// # Errors
    /// No temporary file can be made.
    pub(in crate::transfer) async fn begin(
        temporaries: &Arc<Temporaries>,
        place: &Path,
        (etag, total): (&str, u64),
        schemes: Vec<Scheme>,
    ) -> Result<Self, TransferError> {
        let store = if total <= IN_MEMORY {
            Store::Memory(Vec::with_capacity(usize::try_from(total).unwrap_or(0)))
        } else {
            let (temporaries, beside) = (temporaries.clone(), place.to_owned());
            let made = spawn_blocking(move || temporaries.create(&beside)).await;
            let made = made.map_err(io::Error::other).and_then(|made| made);
            Store::File(made.map_err(|error| TransferError::local(place, error))?)
        };
        Ok(Self { store, ..Self::passing((etag, total), schemes) })
    }

    /// Nothing of a content that a reader takes as it comes. It is hashed in all ways that may be needed, since it cannot
    /// be read again.
    pub(in crate::transfer) fn passing((etag, total): (&str, u64), schemes: Vec<Scheme>) -> Self {
        let hashers = schemes.into_iter().map(Hasher::new).collect();
        Self { store: Store::Passed, etag: etag.to_owned(), hashers, bytes: 0, total }
    }

    /// Whether it is kept in memory: taking bytes then blocks nobody.
    pub(in crate::transfer) fn is_in_memory(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Whether all of it is there.
    pub(in crate::transfer) fn is_complete(&self) -> bool {
        self.bytes == self.total
    }

    /// Takes further bytes. Blocking, but for what is kept in memory.
    pub(in crate::transfer) fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        match &mut self.store {
            Store::Memory(content) => content.extend_from_slice(chunk),
            Store::File(file) => file.as_file_mut().write_all(chunk)?,
            Store::Passed => {}
        }
        self.hashers.iter_mut().for_each(|hasher| hasher.update(chunk));
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    /// Takes further bytes until no more come. Blocking.
    pub(in crate::transfer) fn take_all(mut self, mut receiver: mpsc::Receiver<Bytes>) -> io::Result<Self> {
        while let Some(chunk) = receiver.blocking_recv() {
            self.take(&chunk)?;
        }
        Ok(self)
    }

    /// The ETag that its bytes have by the likeliest way of hashing; none if it is not to be verified.
    pub(in crate::transfer) fn etag_found(&self) -> Option<String> {
        self.hashers.first().map(|hasher| hasher.clone().etag())
    }

    /// The x-cells-hash of it; read again where it was hashed in another way as it came. Blocking.
    pub(in crate::transfer) fn cells_hash(&self) -> io::Result<String> {
        if let Some(hash) = self.hashers.iter().cloned().find_map(Hasher::cells_hash) {
            return Ok(hash);
        }
        let hashed = self.hashed(&[Scheme::Parts(CELLS_BLOCK)])?;
        Ok(hashed.into_iter().find_map(Hasher::cells_hash).unwrap_or_default())
    }

    /// Whether it has an ETag by one of these ways of hashing; it is read again for those that did not hash it as it
    /// came. Blocking.
    pub(in crate::transfer) fn has_etag(&self, etag: &str, schemes: &[Scheme]) -> io::Result<bool> {
        if self.hashers.iter().any(|hasher| hasher.clone().etag() == etag) {
            return Ok(true);
        }
        Ok(!schemes.is_empty() && self.hashed(schemes)?.into_iter().any(|hasher| hasher.etag() == etag))
    }

    /// Reads it again from its start, and leaves the file at its end.
    fn hashed(&self, schemes: &[Scheme]) -> io::Result<Vec<Hasher>> {
        match &self.store {
            Store::Memory(content) => hash_all(content.as_slice(), schemes),
            Store::File(file) => {
                let mut file = file.as_file();
                file.rewind()?;
                hash_all(file.take(self.bytes), schemes)
            }
            Store::Passed => Ok(Vec::new()),
        }
    }

    /// Flushes it and gives it its name; gives it back where that is taken and not to be replaced. Blocking.
    ///
    /// # Errors
    /// The file system's.
    pub(in crate::transfer) fn publish(
        self,
        temporaries: &Arc<Temporaries>,
        place: &Path,
        modified: Option<SystemTime>,
        replace: bool,
    ) -> io::Result<Option<Self>> {
        let Self { store, etag, hashers, bytes, total } = self;
        let file = match store {
            Store::File(file) => file,
            Store::Memory(content) => {
                let mut file = temporaries.create(place)?;
                file.as_file_mut().write_all(&content)?;
                file
            }
            Store::Passed => return Ok(None),
        };
        let refused = file.publish(place, modified, replace)?;
        Ok(refused.map(|file| Self { store: Store::File(file), etag, hashers, bytes, total }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_name_of_a_temporary_file_stays_out_of_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let (place, temporaries) = (folder.path().join("gone/file"), Arc::<Temporaries>::default());
        let begun = Partial::begin(&temporaries, &place, ("etag", IN_MEMORY + 1), Vec::new()).await;
        let error = begun.err().expect("no folder, no file");
        let text = error.to_string();
        assert!(text.contains("gone/file") && !text.contains(".part"), "{text}");
        let TransferError::Local { source, .. } = error else { panic!("{text}") };
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
        let small =
            Partial::begin(&temporaries, &place, ("etag", 1), Vec::new()).await.expect("nothing is written yet");
        let error = small.publish(&temporaries, &place, None, false).err().expect("no folder, no file");
        assert!(error.kind() == io::ErrorKind::NotFound && !error.to_string().contains(".part"), "{error}");
    }

    #[tokio::test]
    async fn what_has_arrived_is_read_again_for_other_sums() {
        let folder = tempfile::tempdir().expect("a folder");
        let temporaries = Arc::<Temporaries>::default();
        for size in [1000, 300_000] {
            let content: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
            let sum = |scheme| {
                let mut hasher = Hasher::new(scheme);
                hasher.update(&content);
                hasher
            };
            let (begun, schemes) = (("etag", size), vec![Scheme::Whole]);
            let mut partial =
                Partial::begin(&temporaries, &folder.path().join("file"), begun, schemes).await.expect("begun");
            let (first, rest) = content.split_at(700);
            partial.take(first).expect("bytes");
            partial.take(rest).expect("bytes");
            let odd = Scheme::Parts(333);
            assert!(partial.has_etag(&sum(odd).etag(), &[Scheme::Parts(7), odd]).expect("sums"));
            assert!(!partial.has_etag(&sum(odd).etag(), &[Scheme::Parts(7)]).expect("sums"));
            assert_eq!(Some(partial.cells_hash().expect("a sum")), sum(Scheme::Parts(CELLS_BLOCK)).cells_hash());
            assert!(partial.is_complete() && partial.has_etag(&sum(odd).etag(), &[odd]).expect("sums"));
        }
    }
}

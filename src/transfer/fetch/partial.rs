//! What has arrived of a file: kept in a temporary file beside its place, or in memory where it is small, hashed as it
//! comes, and given its name only at the end.

use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::hash::{CELLS_BLOCK, Hasher, Scheme};
use crate::transfer::TransferError;
use crate::transfer::fetch::temporary::{Temporaries, Temporary};
use crate::transfer::verify::hash_all;

/// Contents up to this many bytes are kept in memory until they are whole and verified: then one visit to the disk does
/// it all, which for many small files is most of the work.
const IN_MEMORY: u64 = 256 * 1024;

/// Where what has arrived is kept.
enum Store {
    Memory(Vec<u8>),
    File(Temporary),
}

/// What has arrived of a file so far. Its temporary file, if it has one, goes with it.
pub(in crate::transfer) struct Arrived {
    store: Store,
    /// The ETag of the content that it is a part of.
    pub(in crate::transfer) etag: String,
    /// The sum of it, where it is to be verified.
    pub(in crate::transfer) hasher: Option<Hasher>,
    /// How many bytes have arrived.
    pub(in crate::transfer) bytes: u64,
    /// How many bytes make it whole.
    pub(in crate::transfer) total: u64,
}

impl Arrived {
    /// Nothing of the content with that ETag, which will have `total` bytes; `scheme` says how it is hashed, if it is to be
    /// verified. `place` says which folder it is kept in.
    ///
    /// # Errors
    /// No temporary file can be made.
    pub(in crate::transfer) async fn begin(
        temporaries: &Arc<Temporaries>,
        place: &Path,
        (etag, total): (&str, u64),
        scheme: Option<Scheme>,
    ) -> Result<Self, TransferError> {
        let store = if total <= IN_MEMORY {
            Store::Memory(Vec::with_capacity(usize::try_from(total).unwrap_or(0)))
        } else {
            let (temporaries, beside) = (temporaries.clone(), place.to_owned());
            let made = spawn_blocking(move || temporaries.create(&beside)).await;
            let made = made.map_err(io::Error::other).and_then(|made| made);
            Store::File(made.map_err(|error| TransferError::local(place, error))?)
        };
        Ok(Self { store, etag: etag.to_owned(), hasher: scheme.map(Hasher::new), bytes: 0, total })
    }

    /// Whether it is kept in memory: taking bytes then blocks nobody.
    pub(in crate::transfer) fn is_in_memory(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Whether all of it is there.
    pub(in crate::transfer) fn is_whole(&self) -> bool {
        self.bytes == self.total
    }

    /// Takes further bytes. Blocking, but for what is kept in memory.
    pub(in crate::transfer) fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        match &mut self.store {
            Store::Memory(content) => content.extend_from_slice(chunk),
            Store::File(file) => file.as_file_mut().write_all(chunk)?,
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
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

    /// The x-cells-hash of it; read again where it was hashed in another way as it came. Blocking.
    pub(in crate::transfer) fn cells_hash(&self) -> io::Result<String> {
        if let Some(hash) = self.hasher.clone().and_then(Hasher::cells_hash) {
            return Ok(hash);
        }
        let hashed = self.hashed(&[Scheme::Parts(CELLS_BLOCK)])?;
        Ok(hashed.into_iter().find_map(Hasher::cells_hash).unwrap_or_default())
    }

    /// Whether it has an ETag by one of these ways of hashing; it is read again for those that did not hash it as it
    /// came. Blocking.
    pub(in crate::transfer) fn has_etag(&self, etag: &str, schemes: &[Scheme]) -> io::Result<bool> {
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
        let Self { store, etag, hasher, bytes, total } = self;
        let file = match store {
            Store::File(file) => file,
            Store::Memory(content) => {
                let mut file = temporaries.create(place)?;
                file.as_file_mut().write_all(&content)?;
                file
            }
        };
        let refused = file.publish(place, modified, replace)?;
        Ok(refused.map(|file| Self { store: Store::File(file), etag, hasher, bytes, total }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_name_of_a_temporary_file_stays_out_of_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let (place, temporaries) = (folder.path().join("gone/file"), Arc::<Temporaries>::default());
        let begun = Arrived::begin(&temporaries, &place, ("etag", IN_MEMORY + 1), None).await;
        let error = begun.err().expect("no folder, no file");
        let text = error.to_string();
        assert!(text.contains("gone/file") && !text.contains(".part"), "{text}");
        let TransferError::Local { source, .. } = error else { panic!("{text}") };
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
        let small = Arrived::begin(&temporaries, &place, ("etag", 1), None).await.expect("nothing is written yet");
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
            let (begun, scheme) = (("etag", size), Some(Scheme::Whole));
            let mut arrived =
                Arrived::begin(&temporaries, &folder.path().join("file"), begun, scheme).await.expect("begun");
            let (first, rest) = content.split_at(700);
            arrived.take(first).expect("bytes");
            arrived.take(rest).expect("bytes");
            let odd = Scheme::Parts(333);
            assert!(arrived.has_etag(&sum(odd).etag(), &[Scheme::Parts(7), odd]).expect("sums"));
            assert!(!arrived.has_etag(&sum(odd).etag(), &[Scheme::Parts(7)]).expect("sums"));
            assert_eq!(Some(arrived.cells_hash().expect("a sum")), sum(Scheme::Parts(CELLS_BLOCK)).cells_hash());
            assert!(arrived.is_whole() && arrived.has_etag(&sum(odd).etag(), &[odd]).expect("sums"));
        }
    }
}

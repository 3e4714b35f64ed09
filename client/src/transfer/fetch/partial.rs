//! The part of a file that has arrived: stored in a temporary file beside its place, or in memory if it is small. It is
//! hashed while it arrives, and gets its name only at the end.

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

/// Contents of up to this many bytes stay in memory until they are complete and verified. Then the disk is used only
/// once, which is most of the work for many small files.
const IN_MEMORY: u64 = 256 * 1024;

/// Where the content is stored.
enum Store {
    Memory(Vec<u8>),
    File(Temporary),
    /// Not stored: a reader has it.
    Passed,
}

/// The part of a file that has arrived so far. Its temporary file, if there is one, is removed when this is dropped.
pub(in crate::transfer) struct Partial {
    store: Store,
    /// The ETag of the complete content.
    pub(in crate::transfer) etag: String,
    /// The hashers, if the content will be verified, the most likely scheme first.
    hashers: Vec<Hasher>,
    /// The number of bytes that have arrived.
    pub(in crate::transfer) bytes: u64,
    /// The number of bytes of the complete content.
    pub(in crate::transfer) total: u64,
}

impl Partial {
    /// Creates an empty part of the content with this ETag and `total` bytes. `schemes` are the hash schemes, if the
    /// content will be verified. It is stored in the folder of `place`.
    ///
    /// # Errors
    /// No temporary file can be created.
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

    /// Creates an empty part of a content that a reader receives. It is hashed in all ways that may be needed, since it
    /// cannot be read again.
    pub(in crate::transfer) fn passing((etag, total): (&str, u64), schemes: Vec<Scheme>) -> Self {
        let hashers = schemes.into_iter().map(Hasher::new).collect();
        Self { store: Store::Passed, etag: etag.to_owned(), hashers, bytes: 0, total }
    }

    /// Whether the content is in memory, so that adding bytes never blocks.
    pub(in crate::transfer) fn is_in_memory(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Whether the content is complete.
    pub(in crate::transfer) fn is_complete(&self) -> bool {
        self.bytes == self.total
    }

    /// Adds bytes. Blocking, unless the content is in memory.
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

    /// Adds bytes until the sender is gone. Blocking.
    pub(in crate::transfer) fn take_all(mut self, mut receiver: mpsc::Receiver<Bytes>) -> io::Result<Self> {
        while let Some(chunk) = receiver.blocking_recv() {
            self.take(&chunk)?;
        }
        Ok(self)
    }

    /// Returns the ETag of the content by the most likely scheme; `None` if it is not verified.
    pub(in crate::transfer) fn etag_found(&self) -> Option<String> {
        self.hashers.first().map(|hasher| hasher.clone().etag())
    }

    /// Returns the x-cells-hash of the content. Reads it again if it was hashed with other schemes. Blocking.
    pub(in crate::transfer) fn cells_hash(&self) -> io::Result<String> {
        if let Some(hash) = self.hashers.iter().cloned().find_map(Hasher::cells_hash) {
            return Ok(hash);
        }
        let hashed = self.hashed(&[Scheme::Parts(CELLS_BLOCK)])?;
        Ok(hashed.into_iter().find_map(Hasher::cells_hash).unwrap_or_default())
    }

    /// Whether the content has this ETag by one of the schemes. Reads it again for schemes that were not computed while
    /// it arrived. Blocking.
    pub(in crate::transfer) fn has_etag(&self, etag: &str, schemes: &[Scheme]) -> io::Result<bool> {
        // The content is not read again if a hasher has already seen it.
        if self.hashers.iter().any(|hasher| hasher.clone().etag() == etag) {
            return Ok(true);
        }
        Ok(!schemes.is_empty() && self.hashed(schemes)?.into_iter().any(|hasher| hasher.etag() == etag))
    }

    /// Reads the content again. The file's position is at its end afterwards, ready for more bytes.
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

    /// Flushes the content and gives it its name. Returns the content if the name is in use and must not be replaced.
    /// Blocking.
    ///
    /// # Errors
    /// Errors of the file system.
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
        // If the content was in memory, it is in a file now. The caller may publish it again under another name.
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

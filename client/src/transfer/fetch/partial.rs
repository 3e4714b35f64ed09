//! The part of a file that has arrived: stored in a temporary file beside its place, or in memory if it is small. It is
//! hashed while it arrives, and gets its name only at the end.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::{Arc, mpsc as channel};
use std::thread;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::hash::parts::{Parts, hash_parts, read_at};
use crate::hash::{CELLS_BLOCK, Hasher, LANES, MEBIBYTE, Scheme};
use crate::transfer::TransferError;
use crate::transfer::journal::{Journal, State, Unfinished};
use crate::transfer::temporary::{Temporaries, Temporary};
use crate::transfer::verify::hash_in_order;

/// Contents of up to this many bytes stay in memory until they are complete and verified. Then the disk is used only
/// once, which is most of the work for many small files.
const IN_MEMORY: u64 = 256 * 1024;

/// How many bytes are written between two notices to the thread that reads them back.
const ANNOUNCED: u64 = 4 * MEBIBYTE;

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
    /// The sums of its parts instead, if it is a file of several: they are read back from the page cache, several at a time.
    parts: Option<Parts>,
    /// The number of bytes that have arrived.
    pub(in crate::transfer) bytes: u64,
    /// The number of bytes of the complete content.
    pub(in crate::transfer) total: u64,
    /// What a later run needs to continue it, if it is recorded.
    journal: Option<Journal>,
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
        let (parts, schemes) = in_lanes(total, schemes);
        let store = if total <= IN_MEMORY {
            Store::Memory(Vec::with_capacity(usize::try_from(total).unwrap_or(0)))
        } else {
            let (temporaries, beside) = (temporaries.clone(), place.to_owned());
            let made = spawn_blocking(move || temporaries.create(&beside)).await;
            let made = made.map_err(io::Error::other).and_then(|made| made);
            Store::File(made.map_err(|error| TransferError::local(place, error))?)
        };
        Ok(Self { store, parts, ..Self::passing((etag, total), schemes) })
    }

    /// Creates an empty part of a content that a reader receives. It is hashed in all ways that may be needed, since it
    /// cannot be read again.
    pub(in crate::transfer) fn passing((etag, total): (&str, u64), schemes: Vec<Scheme>) -> Self {
        let hashers = schemes.into_iter().map(Hasher::new).collect();
        Self { store: Store::Passed, etag: etag.to_owned(), hashers, parts: None, bytes: 0, total, journal: None }
    }

    /// Continues what an earlier run has left in the temporary file that the journal names. Its content is hashed again.
    /// Blocking.
    ///
    /// # Errors
    /// The file is missing, was replaced, has too many bytes, or cannot be read.
    pub(in crate::transfer) fn resume(
        temporaries: &Arc<Temporaries>,
        place: &Path,
        journal: Journal,
        schemes: Vec<Scheme>,
    ) -> io::Result<Self> {
        let Some((Unfinished { header, .. }, _)) = journal.found() else { return Err(io::ErrorKind::NotFound.into()) };
        let State::Download { temporary, etag, .. } = &header.state else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let (etag, total) = (etag.clone(), header.size);
        let mut file = temporaries.adopt(temporary, place)?;
        let bytes = file.as_file_mut().seek(io::SeekFrom::End(0))?;
        if bytes > total {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (parts, schemes) = in_lanes(total, schemes);
        let resumed = Self { bytes, parts, store: Store::File(file), ..Self::passing((&etag, total), Vec::new()) };
        let hashers = schemes.into_iter().map(|scheme| resumed.hashed(scheme)).collect::<io::Result<Vec<_>>>()?;
        let mut resumed = Self { hashers: hashers.into_iter().flatten().collect(), journal: Some(journal), ..resumed };
        if let (true, Store::File(file), Some(parts)) = (resumed.is_complete(), &resumed.store, &mut resumed.parts) {
            let file = file.second_handle()?;
            while parts.next_end(LANES).is_some() {
                parts.hash_next(LANES, |offset, buffer| read_at(&file, offset, buffer))?;
            }
        }
        Ok(resumed)
    }

    /// Records what a later run needs to continue. Blocking.
    pub(in crate::transfer) fn record(&mut self, mut journal: Journal, replaces: bool) {
        let Store::File(file) = &self.store else { return };
        let Ok(temporary) = std::path::absolute(file.path()) else { return };
        match journal.begin(self.total, State::Download { temporary, etag: self.etag.clone(), replaces }) {
            Ok(()) => self.journal = Some(journal),
            Err(error) => tracing::debug!("the download cannot be recorded, and could not be resumed: {error}"),
        }
    }

    /// Leaves what has arrived for a later run, if it is recorded; otherwise removes it.
    pub(in crate::transfer) fn keep(self) {
        if let (Store::File(file), Some(journal)) = (self.store, self.journal) {
            file.keep();
            journal.keep();
        }
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
        let Some(mut parts) = self.parts.take() else {
            while let Some(chunk) = receiver.blocking_recv() {
                self.take(&chunk)?;
            }
            return Ok(self);
        };
        let file = match &self.store {
            Store::File(file) => file.second_handle()?,
            Store::Memory(_) | Store::Passed => return Err(io::Error::other("only a file is read back")),
        };
        let (sender, written) = channel::channel();
        let parts = thread::scope(|scope| {
            let hash = move || hash_behind(&mut parts, &file, &written).map(|()| parts);
            let hashing = thread::Builder::new().spawn_scoped(scope, hash)?;
            let taken = self.take_and_flush(&mut receiver, &sender);
            drop(sender);
            let hashed = hashing.join().unwrap_or_else(|_| Err(io::Error::other("the thread that hashes has failed")));
            taken.and(hashed)
        })?;
        self.parts = Some(parts);
        Ok(self)
    }

    /// Takes further bytes until no more come, says how many there are, and flushes them if they are complete: what was
    /// written last is hashed in the meantime.
    fn take_and_flush(
        &mut self,
        receiver: &mut mpsc::Receiver<Bytes>,
        written: &channel::Sender<u64>,
    ) -> io::Result<()> {
        let mut announced = 0;
        while let Some(chunk) = receiver.blocking_recv() {
            self.take(&chunk)?;
            if self.bytes - announced >= ANNOUNCED || self.is_complete() {
                announced = self.bytes;
                // If the other thread has failed, its error is the result.
                let _ = written.send(self.bytes);
            }
        }
        match &self.store {
            Store::File(file) if self.is_complete() => file.as_file().sync_data(),
            _ => Ok(()),
        }
    }

    /// The sums that are known.
    fn sums(&self) -> impl Iterator<Item = Hasher> {
        // Sums of parts alone would not show that there are more bytes.
        let parts =
            self.parts.iter().map(|parts| if self.is_complete() { parts.hasher() } else { Hasher::new(Scheme::Whole) });
        parts.chain(self.hashers.iter().cloned())
    }

    /// Returns the ETag of the content by the most likely scheme; `None` if it is not verified.
    pub(in crate::transfer) fn etag_found(&self) -> Option<String> {
        self.sums().next().map(Hasher::etag)
    }

    /// Returns the x-cells-hash of the content. Reads it again if it was hashed with other schemes. Blocking.
    pub(in crate::transfer) fn cells_hash(&self) -> io::Result<String> {
        if let Some(hash) = self.sums().find_map(Hasher::cells_hash) {
            return Ok(hash);
        }
        let hashed = self.hashed(Scheme::Parts(CELLS_BLOCK))?;
        Ok(hashed.and_then(Hasher::cells_hash).unwrap_or_default())
    }

    /// Whether the content has this ETag by one of the schemes. Reads it again for schemes that were not computed while
    /// it arrived. Blocking.
    pub(in crate::transfer) fn has_etag(&self, etag: &str, schemes: &[Scheme]) -> io::Result<bool> {
        // The content is not read again if a hasher has already seen it.
        if self.sums().any(|hasher| hasher.etag() == etag) {
            return Ok(true);
        }
        for scheme in schemes {
            if self.hashed(*scheme)?.is_some_and(|hasher| hasher.etag() == etag) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the content again. The file's position is at its end afterwards, ready for more bytes. Returns `None` if the
    /// content was passed to a reader.
    fn hashed(&self, scheme: Scheme) -> io::Result<Option<Hasher>> {
        let file = match &self.store {
            Store::Memory(content) => return hash_in_order(content.as_slice(), scheme).map(Some),
            Store::File(file) => file,
            Store::Passed => return Ok(None),
        };
        let mut file = file.as_file();
        file.rewind()?;
        let hasher = match scheme {
            Scheme::Parts(size) if size < self.bytes => hash_parts(file, self.bytes, size)?,
            _ => hash_in_order(file.take(self.bytes), scheme)?,
        };
        file.seek(io::SeekFrom::Start(self.bytes))?;
        Ok(Some(hasher))
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
        let Self { store, etag, hashers, parts, bytes, total, journal } = self;
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
        Ok(refused.map(|file| Self { store: Store::File(file), etag, hashers, parts, bytes, total, journal }))
    }
}

/// Returns the sums of parts that are computed side by side, and the schemes that are computed in order instead.
fn in_lanes(total: u64, schemes: Vec<Scheme>) -> (Option<Parts>, Vec<Scheme>) {
    match schemes[..] {
        [Scheme::Parts(size)] if total > IN_MEMORY.max(size) => (Some(Parts::new(total, size)), Vec::new()),
        _ => (None, schemes),
    }
}

/// Hashes the parts of a file that is being written, as soon as there are enough of them; `written` says how many bytes there
/// are.
fn hash_behind(parts: &mut Parts, file: &File, written: &channel::Receiver<u64>) -> io::Result<()> {
    let mut available = 0;
    while let Some(end) = parts.next_end(LANES) {
        while available < end {
            let Ok(bytes) = written.recv() else { return Ok(()) };
            available = bytes;
        }
        parts.hash_next(LANES, |offset, buffer| read_at(file, offset, buffer))?;
    }
    Ok(())
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

    /// Writes chunks as the thread for the disk does.
    async fn written(partial: Partial, chunks: &[&[u8]]) -> Partial {
        let (sender, receiver) = mpsc::channel(chunks.len().max(1));
        for chunk in chunks {
            sender.try_send(Bytes::copy_from_slice(chunk)).expect("room");
        }
        drop(sender);
        spawn_blocking(move || partial.take_all(receiver)).await.expect("a thread").expect("written")
    }

    #[tokio::test]
    async fn the_parts_of_a_file_have_their_sums_however_they_come() {
        let folder = tempfile::tempdir().expect("a folder");
        let temporaries = Arc::<Temporaries>::default();
        let content: Vec<u8> = (0..IN_MEMORY as usize + 12_345).map(|index| (index * 3 % 251) as u8).collect();
        let scheme = Scheme::Parts(10_000);
        let mut hasher = Hasher::new(scheme);
        hasher.update(&content);
        let etag = hasher.etag();
        for cuts in [vec![], vec![1], vec![10_000], vec![9_999, 250_001], vec![160_000, 160_001, 268_000]] {
            let (begun, place) = (("etag", content.len() as u64), folder.path().join("file"));
            let mut partial = Partial::begin(&temporaries, &place, begun, vec![scheme]).await.expect("begun");
            assert!(partial.parts.is_some() && partial.hashers.is_empty());
            let mut rest = content.as_slice();
            for cut in cuts.iter().copied().chain([content.len()]) {
                let (now, later) = rest.split_at(cut - (content.len() - rest.len()));
                rest = later;
                assert_ne!(partial.etag_found().as_ref(), Some(&etag), "it is not complete");
                let middle = now.len() / 2;
                partial = written(partial, &[&now[..middle], &now[middle..]]).await;
            }
            assert_eq!(partial.etag_found().as_ref(), Some(&etag), "cut at {cuts:?}");
            assert!(partial.has_etag(&etag, &[]).expect("sums"));
            partial = written(partial, &[b"more"]).await;
            assert_ne!(partial.etag_found().as_ref(), Some(&etag), "there is more than announced");
        }
    }

    #[tokio::test]
    async fn what_is_on_the_disk_is_compared_and_not_what_came() {
        let folder = tempfile::tempdir().expect("a folder");
        let temporaries = Arc::<Temporaries>::default();
        let content = vec![1; IN_MEMORY as usize + 1];
        let scheme = Scheme::Parts(100_000);
        let mut hasher = Hasher::new(scheme);
        hasher.update(&content);
        let begun = ("etag", content.len() as u64);
        let mut partial =
            Partial::begin(&temporaries, &folder.path().join("file"), begun, vec![scheme]).await.expect("begun");
        partial = written(partial, &[&content[..5]]).await;
        let Store::File(file) = &mut partial.store else { panic!("a file") };
        let mut file = file.as_file();
        file.rewind().expect("the start");
        file.write_all(&[2]).expect("another byte");
        file.seek(io::SeekFrom::End(0)).expect("the end");
        partial = written(partial, &[&content[5..]]).await;
        assert!(partial.is_complete());
        assert_ne!(partial.etag_found(), Some(hasher.etag()));
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

//! Bodies of files and their sums.
//!
//! A [`Body`] is a value: cheap to copy, never changed, gone with its last reference. Small ones
//! stay in memory, others are files of a temporary folder in which stretches of zeros are holes.
//! A body put together from parts refers to the parts, so completing an upload copies nothing.

mod hash;
mod lanes;
mod position;
mod sink;
mod stream;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

pub(crate) use hash::{Digests, Hasher, cells_hash, multipart_etag};
pub(crate) use sink::{Received, Sink};
pub(crate) use stream::Reader;

/// Bodies up to this size stay in memory.
const SMALL: u64 = 16 * 1024;

/// The content of one file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pieces: Arc<[Piece]>,
    size: u64,
}

/// A stretch of a body.
#[derive(Clone, Debug)]
enum Piece {
    Memory(Bytes),
    Disk(Arc<Stored>),
}

impl Piece {
    fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Disk(stored) => stored.size,
        }
    }
}

/// A file in the store's folder, removed when nothing refers to it.
#[derive(Debug)]
struct Stored {
    path: PathBuf,
    file: File,
    size: u64,
    /// Keeps the folder: it is removed after its last file.
    _folder: Arc<tempfile::TempDir>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        // If this fails, the file is removed with its folder.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Body {
    /// Bytes in the body.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// A body of these bytes, kept in memory.
    pub(crate) fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self::from_pieces([Piece::Memory(bytes.into())])
    }

    /// The bodies one after the other. Nothing is copied.
    pub(crate) fn concat<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::from_pieces(parts.into_iter().flat_map(|part| part.pieces.iter().cloned()))
    }

    fn from_pieces(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let pieces: Arc<[Piece]> = pieces.into_iter().filter(|piece| piece.size() > 0).collect();
        let size = pieces.iter().map(Piece::size).sum();
        Self { pieces, size }
    }

    /// Reads at most `length` bytes from `offset` on; fewer at the end or where a piece ends,
    /// none past the end. Blocks on the disk.
    pub(crate) fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut start = 0;
        for piece in self.pieces.iter() {
            let within = offset - start;
            if within < piece.size() {
                let available = usize::try_from(piece.size() - within).unwrap_or(usize::MAX);
                return piece.read_at(within, length.min(available));
            }
            start += piece.size();
        }
        Ok(Bytes::new())
    }

    /// Returns the complete content. For small bodies only, because it blocks on the disk and uses as much memory.
    pub(crate) fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let bytes = self.read_at(content.len() as u64, stream::CHUNK)?;
            if bytes.is_empty() {
                return Ok(content);
            }
            content.extend_from_slice(&bytes);
        }
    }

    /// Bytes `start..end` as a stream of large chunks, read ahead on blocking threads. An `end`
    /// past the body's is an error at that point of the stream.
    pub(crate) fn reader(&self, start: u64, end: u64) -> Reader {
        Reader::new(self.clone(), start, end)
    }
}

impl Piece {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                Ok(bytes.slice(start..start + length))
            }
            Self::Disk(stored) => {
                let mut buffer = vec![0; length];
                position::read_exact(&stored.file, &mut buffer, offset)?;
                Ok(buffer.into())
            }
        }
    }
}

/// The temporary folder bodies live in. Copies refer to the same folder, which is removed with
/// the last of them and of the bodies.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    folder: Arc<tempfile::TempDir>,
    names: Arc<AtomicU64>,
}

impl Store {
    /// Makes the folder.
    pub(crate) fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("cells-sandbox-").tempdir()?;
        Ok(Self { folder: Arc::new(folder), names: Arc::default() })
    }

    /// Takes a body that arrives in pieces.
    pub(crate) fn sink(&self) -> Sink {
        Sink::new(self.clone())
    }

    /// Stores a body that is at hand, with its sums.
    pub(crate) fn put(&self, content: &[u8]) -> io::Result<(Body, Digests)> {
        let mut hasher = Hasher::new();
        hasher.update(content);
        let size = content.len() as u64;
        let body = if size <= SMALL {
            Body::from_bytes(content.to_vec())
        } else {
            let mut file = self.create()?;
            file.write(content)?;
            Body::from_pieces([file.finish()?])
        };
        Ok((body, hasher.finish()))
    }

    fn create(&self) -> io::Result<Unfinished> {
        let name = self.names.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(name.to_string());
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        let stored = Stored { path, file, size: 0, _folder: Arc::clone(&self.folder) };
        Ok(Unfinished { stored })
    }
}

/// A file that is being written, front to back.
#[derive(Debug)]
struct Unfinished {
    stored: Stored,
}

/// The unit in which zeros become holes: the page of common file systems.
const PAGE: usize = 4096;

impl Unfinished {
    /// Appends; pages of zeros are skipped.
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let to_page = PAGE - usize::try_from(self.stored.size % PAGE as u64).unwrap_or(0);
            let zeros = zero_run(bytes, to_page);
            let data = data_run(&bytes[zeros..], if zeros == 0 { to_page } else { PAGE });
            let start = self.stored.size + zeros as u64;
            position::write_all(&self.stored.file, &bytes[zeros..zeros + data], start)?;
            self.stored.size = start + data as u64;
            bytes = &bytes[zeros + data..];
        }
        Ok(())
    }

    fn finish(self) -> io::Result<Piece> {
        self.stored.file.set_len(self.stored.size)?;
        Ok(Piece::Disk(Arc::new(self.stored)))
    }
}

/// How many bytes at the front are pages of zeros; the first page ends after `first` bytes.
fn zero_run(bytes: &[u8], first: usize) -> usize {
    run(bytes, first, |page| page == &ZEROS[..page.len()])
}

/// How many bytes at the front are pages with any other byte than zero.
fn data_run(bytes: &[u8], first: usize) -> usize {
    run(bytes, first, |page| page != &ZEROS[..page.len()])
}

fn run(bytes: &[u8], first: usize, belongs: impl Fn(&[u8]) -> bool) -> usize {
    let (mut length, mut next) = (0, first);
    while length < bytes.len() {
        let end = bytes.len().min(length + next);
        if !belongs(&bytes[length..end]) {
            break;
        }
        (length, next) = (end, PAGE);
    }
    length
}

static ZEROS: [u8; PAGE] = [0; PAGE];

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(size: usize) -> Vec<u8> {
        (0..size).map(|index| ((index * 31 + 7) % 251) as u8).collect()
    }

    #[test]
    fn a_stored_body_reads_back_with_zeros_between() {
        let store = Store::new().unwrap();
        let mut content = pattern(100_000);
        content[5_000..70_001].fill(0);
        let (body, digests) = store.put(&content).unwrap();
        assert_eq!(body.read_all().unwrap(), content);
        assert_eq!(body.size(), 100_000);
        let (_, again) = store.put(&content).unwrap();
        assert_eq!(digests, again);
        assert_eq!(&body.read_at(69_999, 4).unwrap()[..], &content[69_999..70_003]);
    }

    #[cfg(unix)]
    #[test]
    fn zeros_take_no_room_on_the_disk() {
        let store = Store::new().unwrap();
        let (body, _) = store.put(&vec![0; 8 << 20]).unwrap();
        let Piece::Disk(stored) = &body.pieces[0] else { panic!("kept in memory") };
        let metadata = stored.file.metadata().unwrap();
        assert_eq!(metadata.len(), 8 << 20);
        let blocks = std::os::unix::fs::MetadataExt::blocks(&metadata);
        assert!(blocks < 64, "{blocks} blocks");
    }

    #[test]
    fn the_file_goes_with_the_last_reference() {
        let store = Store::new().unwrap();
        let (body, _) = store.put(&pattern(50_000)).unwrap();
        let copy = Body::concat([&body, &Body::from_bytes("tail")]);
        let folder = store.folder.path().to_owned();
        let files = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
        drop(body);
        assert_eq!(files(), 1);
        assert!(copy.read_all().unwrap().ends_with(b"tail"));
        drop(copy);
        assert_eq!(files(), 0);
        drop(store);
        assert!(!folder.exists());
    }
}

//! Bodies of uploads: a range of a file, read and hashed on its own thread while it is sent.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::hash::{Hasher, Scheme};
use crate::http::retry::Progress;
use crate::sys::open;
use crate::transfer::TransferError;
use crate::transfer::event::{ItemNumber, Observer};
use crate::transfer::send::sums::Sums;
use crate::transfer::source::{CHUNK, Snapshot};

/// The number of chunks between the reader and the connection.
const QUEUE: usize = 4;

/// Ranges of at most this many bytes are read into memory at once, so that another attempt need not read them again.
const IN_MEMORY: u64 = CHUNK as u64;

/// The local result of sending a body once.
enum End {
    /// Not complete: still being read, or dropped by the connection.
    Open,
    /// All bytes were read; this is their MD5, if they were hashed.
    Whole(Option<String>),
    /// Reading the file failed.
    Failed(TransferError),
}

/// A range of a file as a request body, which can be created again for each attempt.
pub struct Outgoing {
    snapshot: Snapshot,
    offset: u64,
    length: u64,
    memory: Option<(Vec<Bytes>, String)>,
    /// Whether it is hashed while it is read; otherwise its MD5 is the one of a part, if that is known.
    is_hashed: bool,
    sums: Option<(Arc<Sums>, u32)>,
    end: Mutex<Arc<Mutex<End>>>,
    all_read: Arc<AtomicBool>,
    counted: Arc<Mutex<u64>>,
    item: ItemNumber,
    observer: Arc<dyn Observer>,
    progress: Arc<Progress>,
}

impl Outgoing {
    /// Reports to `progress` each time that the connection accepts bytes.
    #[must_use]
    pub fn reporting_to(mut self, progress: Arc<Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Leaves the hashing to `sums`, where the body is the part of that number; without them it has no MD5.
    #[must_use]
    pub fn summed_by(mut self, sums: Option<Arc<Sums>>, number: u32) -> Self {
        self.is_hashed = false;
        self.sums = sums.map(|sums| (sums, number));
        self
    }

    /// Creates the body for `length` bytes of a file from `offset`. A small range is read now, on a blocking thread.
    ///
    /// # Errors
    /// A small range cannot be read.
    pub async fn new(
        snapshot: Snapshot,
        offset: u64,
        length: u64,
        item: ItemNumber,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, TransferError> {
        let memory = if length <= IN_MEMORY {
            let file = snapshot.clone();
            let read = tokio::task::spawn_blocking(move || read_small(&file, offset, length));
            let (bytes, md5) =
                read.await.map_err(|error| TransferError::local(&snapshot.path, io::Error::other(error)))??;
            Some((vec![bytes], md5))
        } else {
            None
        };
        Ok(Self { memory, ..Self::empty(snapshot, offset, length, item, observer) })
    }

    /// Creates the body of chunks that are in memory; `md5` is their MD5.
    pub fn of_memory(chunks: Vec<Bytes>, md5: String, item: ItemNumber, observer: Arc<dyn Observer>) -> Self {
        let length = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let nowhere = Snapshot { path: PathBuf::new(), size: length, modified: None, identity: None };
        Self { memory: Some((chunks, md5)), ..Self::empty(nowhere, 0, length, item, observer) }
    }

    fn empty(snapshot: Snapshot, offset: u64, length: u64, item: ItemNumber, observer: Arc<dyn Observer>) -> Self {
        Self {
            snapshot,
            offset,
            length,
            memory: None,
            is_hashed: true,
            sums: None,
            end: Mutex::new(Arc::new(Mutex::new(End::Open))),
            all_read: Arc::new(AtomicBool::new(false)),
            counted: Arc::new(Mutex::new(0)),
            item,
            observer,
            progress: Arc::default(),
        }
    }

    /// Returns the length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Creates the request body, from its first byte. [`Outgoing::md5`] and [`Outgoing::fault`] always refer to the
    /// newest one.
    pub fn body(&self) -> reqwest::Body {
        self.uncount();
        if let Some((sums, number)) = &self.sums {
            sums.begin(*number);
        }
        self.all_read.store(false, Ordering::Release);
        match &self.memory {
            Some((chunks, _)) if chunks.len() > 1 => return self.chunks(chunks.clone()),
            Some((chunks, _)) => {
                self.count(self.length);
                self.all_read.store(true, Ordering::Release);
                return reqwest::Body::from(chunks.first().cloned().unwrap_or_default());
            }
            None => {}
        }
        let end = Arc::new(Mutex::new(End::Open));
        *lock(&self.end) = end.clone();
        let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(QUEUE);
        let reader = Reader {
            snapshot: self.snapshot.clone(),
            offset: self.offset,
            length: self.length,
            is_hashed: self.is_hashed,
            sender,
            item: self.item,
            observer: self.observer.clone(),
            progress: self.progress.clone(),
            counted: self.counted.clone(),
            end,
            all_read: self.all_read.clone(),
        };
        tokio::task::spawn_blocking(move || reader.run());
        reqwest::Body::wrap_stream(stream::unfold(receiver, |mut receiver| async move {
            let chunk = receiver.recv().await?;
            Some((chunk, receiver))
        }))
    }

    /// Creates a body of chunks in memory, and counts them when the connection accepts them.
    fn chunks(&self, chunks: Vec<Bytes>) -> reqwest::Body {
        let (counted, all_read) = (self.counted.clone(), self.all_read.clone());
        let (observer, progress) = (self.observer.clone(), self.progress.clone());
        let (item, last) = (self.item, chunks.len());
        let chunks = (1..).zip(chunks).map(move |(number, chunk)| {
            *lock(&counted) += chunk.len() as u64;
            observer.bytes(item, chunk.len() as u64);
            progress.moved();
            all_read.fetch_or(number == last, Ordering::AcqRel);
            Ok::<_, io::Error>(chunk)
        });
        reqwest::Body::wrap_stream(stream::iter(chunks))
    }

    /// Returns the MD5 of the newest body, once all of it was read.
    pub fn md5(&self) -> Option<String> {
        if let Some((_, md5)) = &self.memory {
            return Some(md5.clone());
        }
        match &*lock(&lock(&self.end).clone()) {
            End::Whole(md5) => md5.clone(),
            End::Open | End::Failed(_) => None,
        }
    }

    /// The MD5 that its content has, as soon as that is known.
    ///
    /// # Errors
    /// The file cannot be read, or has changed.
    pub async fn sum(&self) -> Result<Option<String>, TransferError> {
        match &self.sums {
            Some((sums, number)) if self.memory.is_none() => sums.of(*number).await.map(Some),
            _ => Ok(self.md5()),
        }
    }

    /// Returns the error of reading the file for the newest body, if there was one.
    pub fn fault(&self) -> Option<TransferError> {
        let end = lock(&self.end).clone();
        let mut end = lock(&end);
        match std::mem::replace(&mut *end, End::Open) {
            End::Failed(error) => Some(error),
            other => {
                *end = other;
                None
            }
        }
    }

    /// Whether the newest body has returned its last byte. From then on the server may carry out the request, and
    /// giving up before the answer could damage the file that is being replaced.
    pub fn all_read(&self) -> bool {
        self.all_read.load(Ordering::Acquire)
    }

    fn count(&self, bytes: u64) {
        *lock(&self.counted) += bytes;
        self.observer.bytes(self.item, bytes);
    }

    /// Subtracts the bytes that earlier bodies have reported.
    pub fn uncount(&self) {
        let counted = std::mem::take(&mut *lock(&self.counted));
        if counted > 0 {
            self.observer.bytes_lost(self.item, counted);
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(in crate::transfer) fn open_at(snapshot: &Snapshot, offset: u64) -> Result<File, TransferError> {
    let fail = |error| TransferError::local(&snapshot.path, error);
    // The path may have become a pipe since it was examined.
    let mut file = open::regular_file(&snapshot.path).map_err(fail)?;
    snapshot.check(&file)?;
    if offset > 0 {
        file.seek(SeekFrom::Start(offset)).map_err(fail)?;
    }
    Ok(file)
}

fn read_small(snapshot: &Snapshot, offset: u64, length: u64) -> Result<(Bytes, String), TransferError> {
    let mut file = open_at(snapshot, offset)?;
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    // Read one byte more if the range reaches the end of the file: some files have more content than their size says
    // (/proc).
    let more = u64::from(offset + length == snapshot.size);
    let read = file.by_ref().take(length + more).read_to_end(&mut content);
    read.map_err(|error| TransferError::local(&snapshot.path, error))?;
    if content.len() as u64 != length {
        return Err(TransferError::Changed(snapshot.path.clone()));
    }
    snapshot.check(&file)?;
    let md5 = crate::hash::hex(&crate::hash::md5(&content));
    Ok((content.into(), md5))
}

struct Reader {
    snapshot: Snapshot,
    offset: u64,
    length: u64,
    is_hashed: bool,
    sender: mpsc::Sender<io::Result<Bytes>>,
    item: ItemNumber,
    observer: Arc<dyn Observer>,
    progress: Arc<Progress>,
    counted: Arc<Mutex<u64>>,
    end: Arc<Mutex<End>>,
    all_read: Arc<AtomicBool>,
}

impl Reader {
    fn run(self) {
        if let Err(error) = self.read() {
            let words = error.to_string();
            // Store the error before the connection fails, otherwise the request could end without its cause.
            *lock(&self.end) = End::Failed(error);
            // An error ends the body early, so that the server never treats a short body as complete.
            let _ = self.sender.blocking_send(Err(io::Error::other(words)));
        }
    }

    /// Sends the range, or as much of it as the connection accepts.
    fn read(&self) -> Result<(), TransferError> {
        let mut file = open_at(&self.snapshot, self.offset)?;
        let mut hasher = self.is_hashed.then(|| Hasher::new(Scheme::Whole));
        let mut left = self.length;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            // Zeroing the buffer first would take as long as reading into it.
            let mut chunk = Vec::with_capacity(want);
            let read = file.by_ref().take(want as u64).read_to_end(&mut chunk);
            let got = read.map_err(|error| TransferError::local(&self.snapshot.path, error))?;
            if got == 0 {
                return Err(TransferError::Changed(self.snapshot.path.clone()));
            }
            if let Some(hasher) = &mut hasher {
                hasher.update(&chunk);
            }
            left -= got as u64;
            if left == 0 {
                // Hold the last chunk back until the file is known to be unchanged and the hash is known: the server
                // can answer as soon as it has the last byte.
                self.snapshot.check(&file)?;
                *lock(&self.end) = End::Whole(hasher.take().map(Hasher::etag));
                self.all_read.store(true, Ordering::Release);
            }
            if self.sender.blocking_send(Ok(chunk.into())).is_err() {
                return Ok(());
            }
            *lock(&self.counted) += got as u64;
            self.observer.bytes(self.item, got as u64);
            self.progress.moved();
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_place_of_the_file_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "content").expect("a file");
        let snapshot = Snapshot::take(&path).expect("a file");
        std::fs::remove_file(&path).expect("removed");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        assert!(open_at(&snapshot, 0).is_err());
    }
}

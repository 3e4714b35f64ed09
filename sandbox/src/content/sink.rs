//! Taking a body that arrives in pieces: hashing and writing in step with the arrival.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Body, Digests, Hasher, SMALL, Store, Unfinished};

/// Bytes handed to the workers at once: enough that the hand-over does not count.
const BATCH: usize = 1024 * 1024;

/// The number of batches that may wait for a worker. A worker that is delayed for a moment delays neither the other one
/// nor the connection.
const QUEUE: usize = 4;

/// A body that is being received.
///
/// Two workers, one that hashes and one that writes, take batches on threads of their own while
/// more arrives. A handful of buffers serves a body of any size: the pieces are copied into them
/// so that the connection can use its own buffer again, which is cheaper than new memory for every
/// piece. A body of less than a batch has no workers until its end, and a small one neither
/// workers nor a file. Dropping the sink drops what was received.
#[derive(Debug)]
pub(crate) struct Sink {
    store: Store,
    batch: Vec<u8>,
    received: u64,
    hashers: Hashers,
    workers: Option<Workers>,
}

/// The sums of a body in progress.
#[derive(Debug, Default)]
struct Hashers {
    digests: Hasher,
    /// Only when it is asked for: few clients send it and it costs as much as the others.
    sha256: Option<Sha256>,
}

impl Hashers {
    fn update(&mut self, bytes: &[u8]) {
        self.digests.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }
}

/// A body that has arrived.
#[derive(Debug)]
pub(crate) struct Received {
    /// The content.
    pub(crate) body: Body,
    /// Its MD5 sums.
    pub(crate) digests: Digests,
    /// Its SHA-256, when [`Sink::with_sha256`] asked for it.
    pub(crate) sha256: Option<[u8; 32]>,
}

/// A full buffer on its way to both workers.
type Batch = Arc<Vec<u8>>;

#[derive(Debug)]
struct Workers {
    to_hash: mpsc::Sender<Batch>,
    to_write: mpsc::Sender<Batch>,
    hashing: JoinHandle<Hashers>,
    writing: JoinHandle<io::Result<Unfinished>>,
    /// The batches that a worker may still be busy with, oldest first.
    busy: VecDeque<Batch>,
}

impl Workers {
    fn start(mut hashers: Hashers, mut file: Unfinished) -> Self {
        let (to_hash, mut for_hash) = mpsc::channel::<Batch>(QUEUE);
        let (to_write, mut for_write) = mpsc::channel::<Batch>(QUEUE);
        let hashing = spawn_blocking(move || {
            while let Some(batch) = for_hash.blocking_recv() {
                hashers.update(&batch);
            }
            hashers
        });
        let writing = spawn_blocking(move || {
            while let Some(batch) = for_write.blocking_recv() {
                file.write(&batch)?;
            }
            Ok(file)
        });
        let busy = VecDeque::new();
        Self { to_hash, to_write, hashing, writing, busy }
    }

    /// Hands a batch over and gives a buffer for the next one.
    async fn take(&mut self, batch: Vec<u8>) -> io::Result<Vec<u8>> {
        let batch = Arc::new(batch);
        let ended = |_| io::Error::other("an earlier piece could not be stored");
        self.to_hash.send(Arc::clone(&batch)).await.map_err(ended)?;
        self.to_write.send(Arc::clone(&batch)).await.map_err(ended)?;
        self.busy.push_back(batch);
        let is_free = |batch: &mut Batch| Arc::get_mut(batch).is_some();
        let free = self.busy.pop_front_if(is_free).and_then(Arc::into_inner);
        let mut next = free.unwrap_or_default();
        next.clear();
        Ok(next)
    }

    /// Waits until all is done.
    async fn join(self) -> io::Result<(Hashers, Unfinished)> {
        drop((self.to_hash, self.to_write));
        let file = self.writing.await.map_err(io::Error::other)??;
        let hashers = self.hashing.await.map_err(io::Error::other)?;
        Ok((hashers, file))
    }
}

impl Sink {
    pub(super) fn new(store: Store) -> Self {
        Self { store, batch: Vec::new(), received: 0, hashers: Hashers::default(), workers: None }
    }

    /// Computes the SHA-256 too. To be called before the first piece.
    pub(crate) fn with_sha256(mut self) -> Self {
        self.hashers.sha256 = Some(Sha256::new());
        self
    }

    /// Bytes taken so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Takes the next piece. Waits while a worker is far behind. Fails when the disk does.
    pub(crate) async fn push(&mut self, mut piece: &[u8]) -> io::Result<()> {
        self.received += piece.len() as u64;
        while !piece.is_empty() {
            let (now, later) = piece.split_at(piece.len().min(BATCH - self.batch.len()));
            self.batch.extend_from_slice(now);
            piece = later;
            if self.batch.len() == BATCH {
                self.dispatch().await?;
            }
        }
        Ok(())
    }

    /// Hands the batch to the workers, which start with the first one.
    async fn dispatch(&mut self) -> io::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if self.workers.is_none() {
            let hashers = std::mem::take(&mut self.hashers);
            self.workers = Some(Workers::start(hashers, self.store.create()?));
        }
        if let Some(workers) = &mut self.workers {
            self.batch = workers.take(batch).await?;
        }
        Ok(())
    }

    /// The body and its sums, when all has arrived.
    pub(crate) async fn finish(mut self) -> io::Result<Received> {
        let (hashers, body) = if self.received <= SMALL {
            self.hashers.update(&self.batch);
            (self.hashers, Body::from_bytes(self.batch))
        } else {
            self.dispatch().await?;
            let workers = self.workers.take();
            let workers = workers.ok_or_else(|| io::Error::other("no workers"))?;
            let (hashers, file) = workers.join().await?;
            (hashers, Body::from_pieces([file.finish()?]))
        };
        Ok(Received {
            body,
            digests: hashers.digests.finish(),
            sha256: hashers.sha256.map(|sha256| sha256.finalize().into()),
        })
    }
}

//! Taking a body that arrives in pieces: hashing and writing in step with the arrival.

use std::io;

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Body, Digests, Hasher, SMALL, Store, Unfinished};

/// Bytes handed to the workers at once: enough that the hop to their threads does not count.
const BATCH: usize = 2 * 1024 * 1024;

/// A body that is being received.
///
/// Two workers, one that hashes and one that writes, take batches on blocking threads while the
/// next batch arrives; they hold no thread while nothing does. A body that ends early takes
/// neither thread nor file. Dropping the sink drops what was received.
#[derive(Debug)]
pub struct Sink {
    store: Store,
    batch: Vec<Bytes>,
    batched: usize,
    received: u64,
    workers: Option<Workers>,
}

#[derive(Debug)]
struct Workers {
    hashing: JoinHandle<Hasher>,
    writing: JoinHandle<io::Result<Unfinished>>,
}

impl Sink {
    pub(super) fn new(store: Store) -> Self {
        Self { store, batch: Vec::new(), batched: 0, received: 0, workers: None }
    }

    /// Bytes taken so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Takes the next piece. Waits while the workers are a batch behind. Fails when the disk does.
    pub async fn push(&mut self, piece: Bytes) -> io::Result<()> {
        self.received += piece.len() as u64;
        self.batched += piece.len();
        self.batch.push(piece);
        if self.batched >= BATCH { self.dispatch().await } else { Ok(()) }
    }

    /// Hands the batch to the workers, once they are done with the one before.
    async fn dispatch(&mut self) -> io::Result<()> {
        let (mut hasher, mut file) = match self.workers.take() {
            Some(workers) => workers.join().await?,
            None => (Hasher::new(), self.store.create()?),
        };
        self.batched = 0;
        let batch = std::mem::take(&mut self.batch);
        let same_batch = batch.clone();
        let hashing = spawn_blocking(move || {
            for piece in &batch {
                hasher.update(piece);
            }
            hasher
        });
        let writing = spawn_blocking(move || {
            for piece in &same_batch {
                file.write(piece)?;
            }
            Ok(file)
        });
        self.workers = Some(Workers { hashing, writing });
        Ok(())
    }

    /// The body and its sums, when all has arrived.
    pub async fn finish(mut self) -> io::Result<(Body, Digests)> {
        if self.received <= SMALL {
            let content: Vec<u8> = self.batch.concat();
            return self.store.put(&content);
        }
        self.dispatch().await?;
        let Some(workers) = self.workers.take() else { return Err(io::ErrorKind::Other.into()) };
        let (hasher, file) = workers.join().await?;
        Ok((Body::from_pieces([file.finish()?]), hasher.finish()))
    }
}

impl Workers {
    async fn join(self) -> io::Result<(Hasher, Unfinished)> {
        let file = self.writing.await.map_err(io::Error::other)??;
        let hasher = self.hashing.await.map_err(io::Error::other)?;
        Ok((hasher, file))
    }
}

//! Taking a body that arrives in pieces: hashing and writing in step with the arrival.

use std::io;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Body, Digests, Hasher, SMALL, Store, Unfinished};

/// Bytes handed to the workers at once: enough that the hop to their threads does not count.
const BATCH: usize = 2 * 1024 * 1024;

/// A body that is being received.
///
/// Two workers, one that hashes and one that writes, take batches on blocking threads while the
/// next batch arrives; they hold no thread while nothing does. Two buffers serve a body of any
/// size in turn: the pieces are copied into them so that the connection can use its own buffer
/// again, which is cheaper than new memory for every piece. A small body takes neither thread nor
/// file. Dropping the sink drops what was received.
#[derive(Debug)]
pub(crate) struct Sink {
    store: Store,
    batch: Vec<u8>,
    /// The buffer that is not being filled.
    spare: Vec<u8>,
    received: u64,
    hashers: Option<Hashers>,
    file: Option<Unfinished>,
    workers: Option<Workers>,
}

/// The sums of a body in progress.
#[derive(Debug)]
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

#[derive(Debug)]
struct Workers {
    batch: Arc<Vec<u8>>,
    hashing: JoinHandle<Hashers>,
    writing: JoinHandle<io::Result<Unfinished>>,
}

impl Sink {
    pub(super) fn new(store: Store) -> Self {
        let hashers = Hashers {
            digests: Hasher::new(),
            sha256: None,
        };
        Self {
            store,
            batch: Vec::new(),
            spare: Vec::new(),
            received: 0,
            hashers: Some(hashers),
            file: None,
            workers: None,
        }
    }

    /// Computes the SHA-256 too. To be called before the first piece.
    pub(crate) fn with_sha256(mut self) -> Self {
        if let Some(hashers) = &mut self.hashers {
            hashers.sha256 = Some(Sha256::new());
        }
        self
    }

    /// Bytes taken so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Takes the next piece. Waits while the workers are a batch behind. Fails when the disk does.
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

    /// Hands the batch to the workers, once they are done with the one before.
    async fn dispatch(&mut self) -> io::Result<()> {
        self.join().await?;
        let (Some(mut hashers), file) = (self.hashers.take(), self.file.take()) else {
            return Err(io::Error::other("an earlier piece could not be stored"));
        };
        let mut file = file.map_or_else(|| self.store.create(), Ok)?;
        let next = std::mem::take(&mut self.spare);
        let batch = Arc::new(std::mem::replace(&mut self.batch, next));
        let (to_hash, to_write) = (Arc::clone(&batch), Arc::clone(&batch));
        let hashing = spawn_blocking(move || {
            hashers.update(&to_hash);
            hashers
        });
        let writing = spawn_blocking(move || file.write(&to_write).map(|()| file));
        self.workers = Some(Workers {
            batch,
            hashing,
            writing,
        });
        Ok(())
    }

    /// Waits for the workers, if they are at work.
    async fn join(&mut self) -> io::Result<()> {
        if let Some(workers) = self.workers.take() {
            self.file = Some(workers.writing.await.map_err(io::Error::other)??);
            self.hashers = Some(workers.hashing.await.map_err(io::Error::other)?);
            self.spare = Arc::into_inner(workers.batch).unwrap_or_default();
            self.spare.clear();
        }
        Ok(())
    }

    /// The body and its sums, when all has arrived.
    pub(crate) async fn finish(mut self) -> io::Result<Received> {
        let mut content = Vec::new();
        if self.received <= SMALL {
            content = std::mem::take(&mut self.batch);
        } else {
            self.dispatch().await?;
            self.join().await?;
        }
        let Some(mut hashers) = self.hashers.take() else {
            return Err(io::Error::other("the body could not be summed"));
        };
        hashers.update(&content);
        let body = match self.file.take() {
            Some(file) => Body::from_pieces([file.finish()?]),
            None => Body::from_bytes(content),
        };
        let sha256 = hashers.sha256.map(|sha256| sha256.finalize().into());
        Ok(Received {
            body,
            digests: hashers.digests.finish(),
            sha256,
        })
    }
}

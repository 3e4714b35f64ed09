//! Uploads a stream, which can be read only once and whose length is unknown. A short stream is one PUT. A longer one
//! is sent in parts that stay in memory until they have arrived; their number is limited, so memory is bounded.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::{self, TryStreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::api::Node;
use crate::hash::{Hasher, Scheme};
use crate::path::{RemotePath, check_name};
use crate::transfer::event::{Direction, ItemNumber, ItemOutcome, Reason, Record};
use crate::transfer::options::PART_STEP;
use crate::transfer::plan::decision::{Comparison, Decision, decide};
use crate::transfer::plan::folders::TargetFolder;
use crate::transfer::plan::target::Place;
use crate::transfer::send::body::Outgoing;
use crate::transfer::send::proof::{Replaced, Sent};
use crate::transfer::send::sending::Sending;
use crate::transfer::source::CHUNK;
use crate::transfer::{Engine, Summary, TransferError};

/// The number of chunks between the reader and the parts.
const QUEUE: usize = 2;

/// The memory for parts, in units of [`PART_STEP`], unless the options require more.
const LEAST_STEPS: usize = 4;

/// The item number: a stream is the only item of its run.
const ITEM: ItemNumber = 1;

/// The name of the stream in messages.
const LABEL: &str = "standard input";

/// The target of a stream, determined before anything is read.
#[derive(Debug)]
pub struct StreamTarget {
    path: RemotePath,
    decision: Decision,
    /// The file that will be replaced, if any.
    replaced: Option<Replaced>,
}

/// A piece of the stream: one part, or all of it.
struct Block {
    chunks: Vec<Bytes>,
    length: u64,
    _room: OwnedSemaphorePermit,
}

/// The stream, cut into blocks.
struct Source {
    chunks: mpsc::Receiver<std::io::Result<Bytes>>,
    /// A chunk that was already received but belongs to the next block.
    next: Option<Bytes>,
    room: Arc<Semaphore>,
    all_room: u32,
}

impl Engine {
    /// Determines the target of a stream for `destination`. If `is_folder`, the destination was written as a folder.
    ///
    /// # Errors
    /// The destination is a folder, and a stream has no name of its own; a file exists, and the policy is to fail; the
    /// parent folder is missing.
    pub async fn stream_target(
        &self,
        destination: &RemotePath,
        is_folder: bool,
    ) -> Result<StreamTarget, TransferError> {
        if destination.is_root() {
            return Err(TransferError::Usage("name a file to write to, for example cells://common-files/name".into()));
        }
        let nameless = |folder: &RemotePath| {
            TransferError::Usage(format!(
                "standard input has no name of its own; name the file: {}",
                folder.join("NAME").marked()
            ))
        };
        let place =
            self.remote_place(destination, is_folder, self.options.mkpath).await.map_err(|error| match error {
                TransferError::NotAFolder(path) => TransferError::IsAFile(path),
                error => error,
            })?;
        let (path, existing) = match place {
            Place::Into(folder) => return Err(nameless(&folder)),
            Place::As(path) => (path, None),
            Place::Onto(path, Some(node)) if node.is_temporary() && !self.options.dry_run => {
                // An upload that starts while the server still knows the other one could be affected by the other one's
                // end.
                let rested = self.at_rest(&path).await;
                (path, rested.filter(|node| !node.is_temporary()))
            }
            Place::Onto(path, Some(node)) if node.is_folder() => {
                self.recycle(&node).await?;
                (path, None)
            }
            // With `mkpath`, the parent folder of the file may have to be created.
            Place::New(path) if is_folder => return Err(nameless(&path)),
            Place::New(path) => {
                let folder = path.parent().unwrap_or_default();
                if !self.options.dry_run && self.api.find(&folder).await?.is_none() {
                    self.api.create_folders(std::slice::from_ref(&folder)).await?;
                    self.observer.folder_made(Direction::Upload, &folder.marked());
                }
                (path, None)
            }
            Place::Onto(path, node) => (path, node.filter(|node| !node.is_temporary())),
        };
        check_name(path.name())?;
        // The stream is read now, so it is newer than any existing file, and its content is not known yet.
        let comparison = existing.as_ref().map(|_| Comparison { same_content: false, source_is_newer: true });
        let decision = decide(self.options.if_exists, comparison);
        let (path, replaced) = match (&decision, existing) {
            (Decision::Exists, _) => return Err(TransferError::Exists(path.to_string())),
            (Decision::Transfer(Reason::Renamed), Some(node)) => {
                (self.free_target(&folder_of(&path, node), path.name(), None).await?, None)
            }
            (_, existing) => (path, existing.as_ref().map(Replaced::of)),
        };
        Ok(StreamTarget { path, decision, replaced })
    }

    /// Reads a stream to its end and uploads it. An error is reported in the returned summary.
    pub async fn upload_stream(self, reader: Box<dyn Read + Send>, target: StreamTarget) -> Summary {
        let begun = Instant::now();
        self.observer.found(0);
        self.observer.item_started(ITEM, LABEL, 0);
        let sent = match target.decision {
            Decision::Transfer(reason) if self.options.dry_run => Ok((ItemOutcome::Transferred(reason), None, None)),
            Decision::Transfer(reason) => self
                .send_stream(reader, &target.path, target.replaced)
                .await
                .map(|(etag, size)| (ItemOutcome::Transferred(reason), Some(etag), Some(size))),
            _ => Ok((ItemOutcome::Skipped, None, None)),
        };
        let (outcome, etag, size) = sent.unwrap_or_else(|error| (ItemOutcome::Failed(error), None, None));
        let interrupted = matches!(outcome, ItemOutcome::Failed(TransferError::Cancelled));
        let names = ("-".to_owned(), target.path.marked());
        let record = Record::new(Direction::Upload, names, outcome, begun).with_content(size, etag);
        self.observer.item_done(ITEM, &record);
        let mut summary = Summary { elapsed: begun.elapsed(), ..Summary::default() };
        summary.count(record);
        if interrupted {
            summary.stopped = Some(TransferError::Cancelled);
        }
        summary
    }

    async fn send_stream(
        &self,
        reader: Box<dyn Read + Send>,
        target: &RemotePath,
        replaced: Option<Replaced>,
    ) -> Result<(String, u64), TransferError> {
        let mut source = self.open_stream(reader);
        let first = self.block(&mut source, 1).await?;
        let progress = Arc::default();
        let replaces = replaced.is_some();
        let (item, label, progress) = (ITEM, LABEL, &progress);
        let to = Sending { engine: self, item, label, target, source: None, replaces, progress };
        let sent = if self.is_at_end(&mut source).await? {
            self.observer.walk_finished();
            self.send_only_block(first, to, replaced).await
        } else {
            self.send_blocks(first, source, to).await
        };
        if sent.is_ok() {
            self.say_unverified(target);
        }
        sent
    }

    /// Checks that a stream has arrived as a file. Returns its ETag.
    async fn prove_stream(&self, sent: Sent) -> Result<String, TransferError> {
        match self.prove(std::slice::from_ref(&sent)).await.pop().flatten() {
            Some(error) => Err(error),
            None => Ok(sent.etag),
        }
    }

    /// Sends a stream that fits into one block.
    async fn send_only_block(
        &self,
        block: Block,
        to: Sending<'_>,
        replaced: Option<Replaced>,
    ) -> Result<(String, u64), TransferError> {
        let (size, outgoing) = (block.length, self.outgoing(block.chunks).await?.reporting_to(to.progress.clone()));
        let in_doubt = AtomicBool::new(false);
        let (outgoing, doubt, replaced) = (&outgoing, &in_doubt, &replaced);
        let sent = to.retried(|number| async move {
            if number > 1 && !to.replaces {
                self.at_rest(to.target).await;
            }
            let sent = to.send_whole(outgoing).await;
            doubt.fetch_or(sent.as_ref().is_err_and(TransferError::leaves_doubt), Ordering::Relaxed);
            let (target, overlapped) = (to.target.clone(), number > 1 && !to.replaces);
            let sent = Sent { target, size, etag: sent?, replaced: replaced.clone(), overlapped, folder: None };
            self.prove_stream(sent).await
        });
        let sent = sent.await.map(|etag| (etag, size));
        if to.replaces && in_doubt.load(Ordering::Relaxed) {
            let path = to.target.to_string();
            return sent.map_err(|error| TransferError::InDoubt { path, source: Box::new(error) });
        }
        sent
    }

    async fn send_blocks(&self, first: Block, source: Source, to: Sending<'_>) -> Result<(String, u64), TransferError> {
        let upload = to.begin_parts(None).await?;
        let blocks = stream::try_unfold((Some(first), source, 1), |(kept, mut source, number)| async move {
            let block = match kept {
                Some(first) => first,
                None => self.block(&mut source, number).await?,
            };
            if block.length == 0 {
                self.observer.walk_finished();
                return Ok(None);
            }
            if number > self.options.maximum_parts {
                return Err(TransferError::TooManyParts(self.options.maximum_parts));
            }
            Ok(Some(((number, block), (None, source, number + 1))))
        });
        let upload_id = &upload;
        let sent: Result<Vec<(u32, String, u64)>, TransferError> = blocks
            .map_ok(|(number, block)| async move {
                let Block { chunks, length, _room } = block;
                let outgoing = self.outgoing(chunks).await?.reporting_to(to.progress.clone());
                let (number, etag) = to.send_part(&outgoing, upload_id, number).await?;
                Ok((number, etag, length))
            })
            .try_buffered(self.options.parts_in_flight.max(1))
            .try_collect()
            .await;
        let outcome = match sent {
            Ok(sent) => {
                let size = sent.iter().map(|(_, _, length)| length).sum();
                let parts: Vec<(u32, String)> = sent.into_iter().map(|(number, etag, _)| (number, etag)).collect();
                to.complete(size, &upload, &parts).await.map(|etag| (etag, size))
            }
            Err(error) => Err(error),
        };
        let outcome = outcome.map_err(|error| match error {
            // Nobody knows whether the old content was replaced.
            TransferError::UploadLost(path) => TransferError::StreamLost(path),
            error => error,
        });
        match outcome {
            // The server never mixes parts of two uploads, so no check is needed.
            Ok(sent) if to.replaces => Ok(sent),
            Ok((etag, size)) => {
                let target = to.target.clone();
                let sent = Sent { target, size, etag, replaced: None, overlapped: false, folder: None };
                Ok((self.prove_stream(sent).await?, size))
            }
            Err(error) => {
                to.give_up(&upload).await;
                if to.replaces && error.leaves_doubt() {
                    return Err(TransferError::InDoubt { path: to.target.to_string(), source: Box::new(error) });
                }
                Err(error)
            }
        }
    }

    /// Starts to read the stream on its own thread.
    fn open_stream(&self, reader: Box<dyn Read + Send>) -> Source {
        let (sender, chunks) = mpsc::channel(QUEUE);
        tokio::task::spawn_blocking(move || read_chunks(reader, &sender));
        let first_part = usize::try_from(self.options.stream_part_size_of(1) / PART_STEP).unwrap_or(usize::MAX);
        let steps = first_part.saturating_mul(self.options.parts_in_flight + 1).clamp(LEAST_STEPS, 1 << 20);
        let all_room = u32::try_from(steps).unwrap_or(u32::MAX);
        Source { chunks, next: None, room: Arc::new(Semaphore::new(steps)), all_room }
    }

    /// Returns the next block of a stream, as large as the part with this number. The last block is shorter or empty.
    async fn block(&self, source: &mut Source, number: u32) -> Result<Block, TransferError> {
        let size = self.options.stream_part_size_of(number);
        let steps = u32::try_from(size / PART_STEP).unwrap_or(u32::MAX).min(source.all_room);
        let room = self.or_cancelled(source.room.clone().acquire_many_owned(steps)).await?;
        let room = room.map_err(|_| TransferError::Cancelled)?;
        let mut block = Block { chunks: Vec::new(), length: 0, _room: room };
        while block.length < size {
            let Some(chunk) = self.chunk(source).await? else { break };
            block.length += chunk.len() as u64;
            block.chunks.push(chunk);
        }
        Ok(block)
    }

    async fn is_at_end(&self, source: &mut Source) -> Result<bool, TransferError> {
        source.next = self.chunk(source).await?;
        Ok(source.next.is_none())
    }

    async fn chunk(&self, source: &mut Source) -> Result<Option<Bytes>, TransferError> {
        if let Some(chunk) = source.next.take() {
            return Ok(Some(chunk));
        }
        match self.or_cancelled(source.chunks.recv()).await? {
            None => Ok(None),
            Some(Ok(chunk)) => {
                self.observer.grew(ITEM, chunk.len() as u64);
                Ok(Some(chunk))
            }
            Some(Err(error)) => Err(TransferError::local(LABEL, error)),
        }
    }

    async fn or_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, TransferError> {
        tokio::select! {
            done = work => Ok(done),
            () = self.cancel.cancelled() => Err(TransferError::Cancelled),
        }
    }

    /// Creates the body of a block.
    async fn outgoing(&self, chunks: Vec<Bytes>) -> Result<Outgoing, TransferError> {
        let hashed = tokio::task::spawn_blocking(move || {
            let mut hasher = Hasher::new(Scheme::Whole);
            chunks.iter().for_each(|chunk| hasher.update(chunk));
            (hasher.etag(), chunks)
        });
        let (md5, chunks) = hashed.await.map_err(|error| TransferError::local(LABEL, std::io::Error::other(error)))?;
        Ok(Outgoing::of_memory(chunks, md5, ITEM, self.observer.clone()))
    }
}

/// Returns the folder of an existing file.
fn folder_of(path: &RemotePath, node: Node) -> Arc<TargetFolder> {
    let children = [(path.name().to_owned(), node)].into_iter().collect();
    TargetFolder::existing(path.parent().unwrap_or_default(), children)
}

/// Reads to the end in chunks. All but the last one are full.
fn read_chunks(mut reader: Box<dyn Read + Send>, sender: &mpsc::Sender<std::io::Result<Bytes>>) {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = reader.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
        let ended = chunk.len() < CHUNK;
        if !chunk.is_empty() && sender.blocking_send(Ok(chunk.into())).is_err() {
            return;
        }
        if let Err(error) = read {
            // The receiver may be gone.
            let _ = sender.blocking_send(Err(error));
            return;
        }
        if ended {
            return;
        }
    }
}

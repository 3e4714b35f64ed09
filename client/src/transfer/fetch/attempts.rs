//! Fetches the content of one file in several attempts. It is stored beside its target or in memory, or passed to a
//! reader; it is hashed on the way and compared with the server's metadata.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{Mutex, mpsc};
use tokio::task::spawn_blocking;

use crate::api::Node;
use crate::failure::ServerErrorKind;
use crate::hash::{CELLS_BLOCK, MEBIBYTE, Scheme};
use crate::http::retry::{self, Progress};
use crate::s3::{Download, ObjectInfo};
use crate::transfer::event::{Direction, ItemNumber, NotResumed, Notice};
use crate::transfer::fetch::listed::{Listed, Verdict};
use crate::transfer::fetch::partial::Partial;
use crate::transfer::journal::{Ends, Journal, LEAST_DOWNLOAD, State, Unfinished};
use crate::transfer::verify::{is_cut_short, ways_to_hash, ways_to_tell};
use crate::transfer::{Engine, TransferError};

/// The number of chunks between the connection and the disk.
const QUEUE: usize = 16;

/// The number of bytes that must arrive to restore the number of attempts. A connection that always breaks after a few
/// bytes must fail in the end.
const PROGRESS: u64 = MEBIBYTE;

/// The pauses before each request for the content hash of a file that went to a reader. It may appear a moment after
/// the content.
const HASH_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(1500)];

/// Receives the bytes of a file in order.
pub type Reader<'a> = dyn FnMut(&[u8]) -> io::Result<()> + Send + Sync + 'a;

/// The destination of a file's content.
enum Destination<'a> {
    /// Memory or a temporary file in the folder of this path, until the content is complete. Whether it replaces an
    /// existing file.
    Place(&'a Path, bool),
    /// A reader. It cannot return bytes, so a content that turns out to be wrong cannot be fetched again.
    Reader(&'a mut Reader<'a>),
}

/// The receiver of a body's chunks.
enum Sink<'s, 'r> {
    Memory(&'s mut Partial),
    /// The thread that writes to the disk. If it has ended, its own result contains the error.
    Writer(mpsc::Sender<Bytes>),
    /// A reader. Its bytes are only hashed here.
    Reader(&'s mut Reader<'r>, &'s mut Partial),
}

impl Sink<'_, '_> {
    /// Accepts a chunk. Returns false if no more are accepted.
    async fn take(&mut self, chunk: Bytes) -> io::Result<bool> {
        match self {
            Self::Memory(partial) => partial.take(&chunk).map(|()| true),
            Self::Writer(sender) => Ok(sender.send(chunk).await.is_ok()),
            Self::Reader(reader, partial) => {
                reader(&chunk)?;
                partial.take(&chunk).map(|()| true)
            }
        }
    }
}

/// The download of a file, or of a range of it, with the state that is passed from one attempt to the next.
struct Attempts<'a> {
    engine: &'a Engine,
    item: ItemNumber,
    source: &'a Node,
    destination: Destination<'a>,
    /// The requested bytes.
    range: Range<u64>,
    /// The server's latest description of the file.
    listed: Listed,
    /// The ETag in that description when the content was begun.
    version: Option<String>,
    /// What has arrived so far, to be continued.
    kept: Option<Partial>,
    /// The number of bytes that had arrived when the number of attempts was last restored.
    counted: u64,
    /// The byte at which the connection broke the last time.
    broke_at: Option<u64>,
    /// The hash of the last complete content, if it was not the listed one.
    wrong: Option<String>,
}

impl Engine {
    /// Fetches a file until it is complete and verified, as often as the policy allows. The content is stored in the
    /// folder of `target` in the meantime.
    ///
    /// # Errors
    /// Any [`TransferError`] that remains after all retries.
    pub(in crate::transfer) async fn fetch(
        &self,
        item: ItemNumber,
        source: &Node,
        target: &Path,
        replaces: bool,
    ) -> Result<Partial, TransferError> {
        if source.is_encrypted() && source.size == 0 {
            // The server has no object for it and would answer 404 (docs/protocol.md §5.8).
            let content = (source.etag.as_deref().unwrap_or_default(), 0);
            let schemes = if self.options.verify { vec![Scheme::Parts(CELLS_BLOCK)] } else { Vec::new() };
            return Partial::begin(&self.options.temporaries, target, content, schemes).await;
        }
        Attempts::new(self, item, source, Destination::Place(target, replaces), 0..source.size).run().await
    }

    /// Passes a file, or a range of it, to a reader, and continues after a broken connection. A complete file is
    /// compared with its ETag and its content hash.
    ///
    /// # Errors
    /// Any [`TransferError`] that remains after all retries; [`TransferError::NotAsListed`] if the content turns out to
    /// be wrong once the reader has it; the reader's own error as [`TransferError::Local`].
    pub async fn read(
        &self,
        item: ItemNumber,
        source: &Node,
        range: Range<u64>,
        reader: &mut Reader<'_>,
    ) -> Result<(), TransferError> {
        let is_all = range == (0..source.size);
        // Any range of an empty object is an error to the gateway, and an empty encrypted file does not even exist
        // there.
        if range.is_empty() && (!is_all || source.is_encrypted()) {
            return Ok(());
        }
        let mut reader = |chunk: &[u8]| reader(chunk);
        Attempts::new(self, item, source, Destination::Reader(&mut reader), range).run().await.map(|_| ())
    }
}

impl<'a> Attempts<'a> {
    fn new(
        engine: &'a Engine,
        item: ItemNumber,
        source: &'a Node,
        destination: Destination<'a>,
        range: Range<u64>,
    ) -> Self {
        let (listed, version, kept) = (Listed::of(source), None, None);
        Self {
            engine,
            item,
            source,
            destination,
            range,
            listed,
            version,
            kept,
            counted: 0,
            broke_at: None,
            wrong: None,
        }
    }

    async fn run(mut self) -> Result<Partial, TransferError> {
        self.resume().await?;
        let (engine, item, label, progress) =
            (self.engine, self.item, self.source.path.to_string(), Progress::default());
        // The attempts run one after the other, but each future must borrow the same state.
        let attempts = Mutex::new(self);
        let attempt = |_| async {
            let mut attempts = attempts.lock().await;
            match attempts.once().await {
                Ok(partial) => Ok(partial),
                Err(error) => {
                    if attempts.has_moved() {
                        progress.kept();
                    }
                    Err(attempts.judge(error).await)
                }
            }
        };
        let retried = |attempt, error: &TransferError, pause| {
            engine.retried(item, &label, attempt, error, pause);
        };
        let fetched = retry::run_moving(&engine.options.retry, &engine.cancel, &progress, attempt, retried).await;
        if let (Err(error), Some(kept)) = (&fetched, attempts.into_inner().kept)
            && error.is_resumable()
        {
            kept.keep();
        }
        fetched
    }

    /// Opens the journal of the download; `None` if it is not worth one.
    async fn journal(&self) -> Result<Option<Journal>, TransferError> {
        match self.destination {
            Destination::Place(local, _) if self.source.size >= LEAST_DOWNLOAD && self.is_all() => {
                let ends = Ends { direction: Direction::Download, local, remote: &self.source.path };
                self.engine.options.journals.open(&self.engine.api, ends).await
            }
            _ => Ok(None),
        }
    }

    /// Takes what an earlier run has left.
    async fn resume(&mut self) -> Result<(), TransferError> {
        let (Destination::Place(place, _), Some(journal)) = (&self.destination, self.journal().await?) else {
            return Ok(());
        };
        let Some((Unfinished { header, .. }, _)) = journal.found() else { return Ok(()) };
        let label = self.source.path.to_string();
        let is_same = header.size == self.source.size
            && matches!(&header.state, State::Download { etag, .. } if Some(etag) == self.source.etag.as_ref());
        let schemes = self.schemes(self.source.etag.as_deref().unwrap_or_default(), self.source.size);
        let (temporaries, place) = (self.engine.options.temporaries.clone(), place.to_path_buf());
        let resumed = spawn_blocking(move || {
            if is_same {
                return Partial::resume(&temporaries, &place, journal, schemes).map(Some);
            }
            journal.discard();
            Ok(None)
        });
        let reason = match resumed.await.map_err(io::Error::other).and_then(|resumed| resumed) {
            Ok(Some(partial)) => {
                self.version = self.source.etag.clone();
                self.counted = partial.bytes;
                self.engine.observer.item_resumed(self.item, &label, partial.bytes, partial.total);
                self.engine.observer.bytes(self.item, partial.bytes);
                self.kept = Some(partial);
                return Ok(());
            }
            Ok(None) => NotResumed::Changed,
            Err(_) => NotResumed::NoFile,
        };
        self.engine.observer.notice(&label, Notice::NotResumed(reason));
        Ok(())
    }

    /// Returns the schemes to verify a content of this ETag and size with.
    fn schemes(&self, etag: &str, size: u64) -> Vec<Scheme> {
        if self.engine.options.verify && self.is_all() { vec![self.listed.scheme(etag, size)] } else { Vec::new() }
    }

    /// Whether the complete file is requested.
    fn is_all(&self) -> bool {
        self.range == (0..self.source.size)
    }

    fn is_for_reader(&self) -> bool {
        matches!(self.destination, Destination::Reader(_))
    }

    /// Whether enough has arrived since the last time to restore the number of attempts.
    fn has_moved(&mut self) -> bool {
        let arrived = self.kept.as_ref().map_or(0, |kept| kept.bytes);
        let has_moved = arrived >= self.counted.saturating_add(PROGRESS);
        // A restarted download has fewer bytes than before. Its progress counts from there.
        if has_moved || arrived < self.counted {
            self.counted = arrived;
        }
        has_moved
    }

    /// Makes one attempt, which continues where the last one stopped if the server still has the same content.
    async fn once(&mut self) -> Result<Partial, TransferError> {
        // A complete content is here again if only its content hash could not be requested.
        let partial = match self.kept.take_if(|kept| kept.is_complete()) {
            Some(complete) => complete,
            None => {
                let timer = self.engine.options.transfers.time();
                let download = self.open().await?;
                let length = download.info.length;
                let begun = match self.kept.take() {
                    Some(kept) => kept,
                    None => self.begin(&download.info).await?,
                };
                let (outcome, partial) = self.receive(begun, download).await?;
                if let Err(error) = outcome {
                    self.kept = Some(partial);
                    return Err(error);
                }
                timer.finished(length);
                partial
            }
        };
        match self.check(partial).await {
            // The reader already has these bytes, so another attempt could not replace them.
            Err(TransferError::Integrity { path, .. }) if self.is_for_reader() => Err(TransferError::NotAsListed(path)),
            checked => checked,
        }
    }

    /// Interprets a failed attempt. If a connection breaks twice at the same byte, checks whether the stored copy is
    /// shorter than the server says (docs/protocol.md §5.3).
    async fn judge(&mut self, error: TransferError) -> TransferError {
        if !matches!(&error, TransferError::Server(cause) if cause.is_broken_off()) {
            return error;
        }
        let at = self.kept.as_ref().map_or(0, |kept| kept.bytes);
        if self.broke_at.replace(at) == Some(at) && is_cut_short(&self.engine.s3, &self.source.path).await {
            let why = format!("the connection closes after {at} of {} bytes every time", self.source.size);
            return TransferError::Damaged { path: self.source.path.to_string(), why };
        }
        error
    }

    /// Requests what is missing. If the content has changed, starts again from the beginning.
    async fn open(&mut self) -> Result<Download, TransferError> {
        let (engine, path) = (self.engine, &self.source.path);
        if let Some(kept) = self.kept.as_ref().filter(|kept| kept.bytes > 0) {
            let (bytes, total, etag) = (kept.bytes, kept.total, kept.etag.clone());
            let rest = self.range.start + bytes..self.range.start + total;
            let is_all = self.is_all();
            // The total must match as well: a proxy may answer with the right range of another file.
            let is_rest = |info: &ObjectInfo| bytes + info.length == total && (!is_all || info.total == Some(total));
            match engine.unless_cancelled(engine.s3.get(path, Some(rest)), || false).await {
                Ok(download) if download.info.etag == etag && is_rest(&download.info) => return Ok(download),
                Ok(download) => {
                    // An error here keeps what has arrived, because the answer is not about this file.
                    self.compare_with_listed(&download.info).await?;
                    // A proxy may change ETags. A reader cannot start again, so continue; the hash decides in the end.
                    if self.is_for_reader() && self.listed.etag() == self.version.as_deref() && is_rest(&download.info)
                    {
                        return Ok(download);
                    }
                }
                Err(TransferError::Server(error)) if error.kind == ServerErrorKind::Range => {}
                // What has arrived is kept for the next attempt.
                Err(error) => return Err(error),
            }
            if self.is_for_reader() {
                return Err(TransferError::ChangedOnServer(path.to_string()));
            }
        }
        if self.kept.take().is_some() {
            engine.observer.item_restarted(self.item);
        }
        let range = (!self.is_all()).then(|| self.range.clone());
        // With a known ETag and size, answers without these headers are accepted. That is only safe if the content is
        // verified.
        let known = self.listed.known().filter(|_| engine.options.verify && range.is_none());
        let download = engine.unless_cancelled(engine.s3.get_known(path, range, known), || false).await?;
        self.compare_with_listed(&download.info).await?;
        Ok(download)
    }

    /// Prepares for a content that an answer announces.
    async fn begin(&mut self, info: &ObjectInfo) -> Result<Partial, TransferError> {
        self.version = self.listed.etag().map(str::to_owned);
        let total = if self.is_all() { info.whole() } else { info.length };
        let is_verified = self.engine.options.verify && self.is_all();
        match &self.destination {
            Destination::Place(place, replaces) => {
                let schemes = self.schemes(&info.etag, total);
                let begun = Partial::begin(&self.engine.options.temporaries, place, (&info.etag, total), schemes);
                let (mut begun, replaces) = (begun.await?, *replaces);
                let Some(journal) = self.journal().await? else { return Ok(begun) };
                let recorded = spawn_blocking(move || {
                    begun.record(journal, replaces);
                    begun
                });
                recorded.await.map_err(|error| TransferError::local(place, io::Error::other(error)))
            }
            Destination::Reader(_) => {
                let schemes = match is_verified {
                    false => Vec::new(),
                    true if self.source.is_encrypted() => vec![Scheme::Parts(CELLS_BLOCK)],
                    true => ways_to_tell(self.listed.etag().unwrap_or(&info.etag), total),
                };
                Ok(Partial::passing((&info.etag, total), schemes))
            }
        }
    }

    /// Compares an answer with the server's description of the file.
    async fn compare_with_listed(&mut self, info: &ObjectInfo) -> Result<(), TransferError> {
        match self.listed.compare(&self.engine.api, &self.source.path, info).await? {
            Verdict::Same => Ok(()),
            // The content decides, if it is verified.
            Verdict::OtherEtag if self.engine.options.verify => Ok(()),
            Verdict::OtherEtag | Verdict::Other => Err(self.listed.other(&self.source.path, info)),
        }
    }

    /// Receives a body and hashes it. The outer error is that of the local disk or of the reader.
    async fn receive(
        &mut self,
        mut partial: Partial,
        download: Download,
    ) -> Result<(Result<(), TransferError>, Partial), TransferError> {
        let (engine, item) = (self.engine, self.item);
        let place = match &mut self.destination {
            Destination::Place(place, _) => *place,
            Destination::Reader(reader) => {
                let outcome = pass_on(engine, item, download, Sink::Reader(reader, &mut partial)).await;
                let outcome = outcome.map_err(|error| TransferError::local("standard output", error))?;
                return Ok((outcome, partial));
            }
        };
        let fail = |error| TransferError::local(place, error);
        if partial.is_in_memory() {
            let outcome = pass_on(engine, item, download, Sink::Memory(&mut partial)).await;
            return Ok((outcome.map_err(fail)?, partial));
        }
        // A bounded channel and a blocking thread: a slow disk slows the connection down and never blocks the runtime.
        let (sender, receiver) = mpsc::channel(QUEUE);
        let writer = spawn_blocking(move || partial.take_all(receiver));
        let outcome = pass_on(engine, item, download, Sink::Writer(sender)).await;
        let written = writer.await.map_err(io::Error::other).and_then(|written| written).map_err(fail)?;
        Ok((outcome.map_err(fail)?, written))
    }

    /// Compares the content with the ETag, or with x-cells-hash if the ETag is not sufficient.
    async fn check(&mut self, partial: Partial) -> Result<Partial, TransferError> {
        let Some(found) = partial.etag_found() else {
            return Ok(partial);
        };
        let etag = self.listed.etag().unwrap_or(&partial.etag).to_owned();
        // The ETag is that of the encrypted data, so only the content hash can be compared.
        if self.source.is_encrypted() {
            let hashed = move || partial.cells_hash().map(|hash| (partial, hash));
            let (partial, hash) = self.blocking(hashed).await?;
            return self.check_hash(partial, (etag, hash)).await;
        }
        if found == etag {
            return Ok(partial);
        }
        // The content matches the ETag of its answer, so it is intact but belongs to another file or version.
        if found == partial.etag {
            self.engine.observer.item_restarted(self.item);
            return Err(self.listed.other_content(&self.source.path, found));
        }
        let ways = ways_to_hash(&etag, partial.bytes);
        // The ETag is a plain MD5, so there is no other way to interpret it.
        if ways == [Scheme::Whole] {
            return Err(self.wrong_sum("ETag", &etag, found));
        }
        let looked_at = move || {
            // The first way was already computed while the content arrived.
            let others: Vec<Scheme> = ways.into_iter().skip(1).collect();
            let agrees = partial.has_etag(&etag, &others)?;
            let hash = partial.cells_hash()?;
            Ok((partial, etag, agrees, hash))
        };
        let (partial, etag, agrees, hash) = self.blocking(looked_at).await?;
        if agrees {
            return Ok(partial);
        }
        self.check_hash(partial, (etag, hash)).await
    }

    /// Compares a content, whose hash is `found`, with the server's content hash. That hash is late after a write, so
    /// an earlier listing does not disprove the content; the file may also have been replaced, and the hash may be
    /// wrong permanently (docs/protocol.md §5.1).
    async fn check_hash(
        &mut self,
        partial: Partial,
        (etag, found): (String, String),
    ) -> Result<Partial, TransferError> {
        let listed = self.source.hash.as_ref().filter(|_| self.source.etag.as_ref() == Some(&etag));
        if listed == Some(&found) {
            return Ok(partial);
        }
        let latest = match self.hash_now(&found).await {
            Ok(latest) => latest,
            Err(error) => {
                // Only the request for the hash failed, so the next attempt must not fetch the content again.
                self.kept = Some(partial);
                return Err(error);
            }
        };
        if latest.as_ref() == Some(&found) {
            return Ok(partial);
        }
        // Hashing again with unusual part sizes takes time, so it is the last resort.
        let guesses = Scheme::unlikely(&etag, partial.bytes);
        let is_sure = !ways_to_hash(&etag, partial.bytes).is_empty() && !self.source.is_encrypted();
        let guessed = move || partial.has_etag(&etag, &guesses).map(|agrees| (partial, agrees));
        let (partial, agrees) = self.blocking(guessed).await?;
        let path = self.source.path.to_string();
        match latest {
            None if !agrees && self.is_for_reader() && is_sure => Err(TransferError::NotAsListed(path)),
            None => {
                if !agrees {
                    self.engine.observer.notice(&path, Notice::NoHash);
                }
                Ok(partial)
            }
            Some(_) if agrees => {
                self.engine.observer.notice(&path, Notice::WrongHash);
                Ok(partial)
            }
            Some(expected) => Err(self.wrong_sum("x-cells-hash", &expected, found)),
        }
    }

    /// Returns the server's present content hash. For a reader, repeats the request for a moment if it is not `found`.
    async fn hash_now(&self, found: &str) -> Result<Option<String>, TransferError> {
        let looks = if self.is_for_reader() && self.source.is_encrypted() { HASH_PAUSES.len() } else { 1 };
        let mut latest = None;
        for pause in HASH_PAUSES.iter().take(looks) {
            tokio::time::sleep(*pause).await;
            let mut nodes = self.engine.api.stat_many(std::slice::from_ref(&self.source.path)).await?;
            latest = nodes.pop().and_then(|node| node.hash);
            if latest.as_deref() == Some(found) {
                break;
            }
        }
        Ok(latest)
    }

    /// Returns the error for a content whose hash is not the listed one. The same wrong hash twice is not a
    /// transmission error.
    fn wrong_sum(&mut self, what: &'static str, expected: &str, found: String) -> TransferError {
        self.engine.observer.item_restarted(self.item);
        let (path, expected) = (self.source.path.to_string(), expected.to_owned());
        if self.wrong.as_ref() == Some(&found) {
            // An ETag that is compared directly is the MD5 of the content.
            let (sum, other) = if what == "ETag" { ("MD5", "") } else { (what, "; its ETag does not match either") };
            let why = format!("two downloads had the {sum} {found} instead of {expected}{other}");
            return TransferError::Damaged { path, why };
        }
        self.wrong = Some(found.clone());
        TransferError::Integrity { path, what, expected, found }
    }

    /// Runs a function that reads and hashes on its own thread. Errors name the target, because the user does not know
    /// the temporary file.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, TransferError> {
        let done = spawn_blocking(work).await.map_err(io::Error::other).and_then(|done| done);
        let place = match &self.destination {
            Destination::Place(place, _) => place,
            Destination::Reader(_) => Path::new("standard output"),
        };
        done.map_err(|error| TransferError::local(place, error))
    }
}

/// Passes each chunk of a body to the sink, until it ends or the sink accepts no more. The outer error is that of the
/// sink.
async fn pass_on(
    engine: &Engine,
    item: ItemNumber,
    mut download: Download,
    mut sink: Sink<'_, '_>,
) -> io::Result<Result<(), TransferError>> {
    loop {
        let next = tokio::select! {
            next = download.body.next() => next,
            () = engine.cancel.cancelled() => return Ok(Err(TransferError::Cancelled)),
        };
        let chunk = match next.transpose() {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error.into())),
        };
        let length = chunk.len() as u64;
        if !sink.take(chunk).await? {
            return Ok(Ok(()));
        }
        engine.observer.bytes(item, length);
    }
}

//! Fetching the bytes of one file, attempt by attempt: kept beside its target or in memory, or handed to a reader, hashed
//! on the way, and compared with what the server says of them.

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
use crate::transfer::event::{ItemNumber, Notice};
use crate::transfer::fetch::listed::{Listed, Verdict};
use crate::transfer::fetch::partial::Partial;
use crate::transfer::verify::{is_cut_short, ways_to_hash, ways_to_tell};
use crate::transfer::{Engine, TransferError};

/// How many chunks wait between the connection and the disk.
const QUEUE: usize = 16;

/// How many bytes must arrive for the attempts to be counted anew: a line that breaks off after some bytes, every time,
/// is an error in the end.
const PROGRESS: u64 = MEBIBYTE;

/// The pauses before each look at the content hash of what a reader got: it may come a moment after the content.
const HASH_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(1500)];

/// Takes the bytes of a file as they come.
pub type Reader<'a> = dyn FnMut(&[u8]) -> io::Result<()> + Send + Sync + 'a;

/// Where the bytes of a file go.
enum Destination<'a> {
    /// Into memory or a temporary file in the folder of this path, until they have all arrived.
    Place(&'a Path),
    /// To a reader. It gives nothing back, so that a content that turns out to be wrong cannot be fetched again.
    Reader(&'a mut Reader<'a>),
}

/// Where the chunks of a body go.
enum Sink<'s, 'r> {
    Memory(&'s mut Partial),
    /// The thread that writes them to the disk. If it has ended, it says itself why.
    Writer(mpsc::Sender<Bytes>),
    /// What the reader has taken is only hashed.
    Reader(&'s mut Reader<'r>, &'s mut Partial),
}

impl Sink<'_, '_> {
    /// False if it wants no more.
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

/// One file, or a range of it, on its way from the server, with what its attempts hand on to each other.
struct Attempts<'a> {
    engine: &'a Engine,
    item: ItemNumber,
    source: &'a Node,
    destination: Destination<'a>,
    /// The bytes that are asked for.
    range: Range<u64>,
    /// What the server says of the file, when it was last asked.
    listed: Listed,
    /// The ETag that it listed when the content was begun.
    version: Option<String>,
    /// What has arrived, to be continued.
    kept: Option<Partial>,
    /// How many bytes had arrived when the attempts were last counted anew.
    counted: u64,
    /// At which byte the connection ended the last time.
    broke_at: Option<u64>,
    /// The sum of the last complete content, which was not the one that the server lists.
    wrong: Option<String>,
}

impl Engine {
    /// Fetches a file until it is complete and compared, as often as the policy allows. `target` says which folder it is
    /// kept in meanwhile.
    ///
    /// # Errors
    /// Any [`TransferError`] that retrying did not fix.
    pub(in crate::transfer) async fn fetch(
        &self,
        item: ItemNumber,
        source: &Node,
        target: &Path,
    ) -> Result<Partial, TransferError> {
        if source.is_encrypted() && source.size == 0 {
            // The server finds no content of it (docs/protocol.md §5.8).
            let content = (source.etag.as_deref().unwrap_or_default(), 0);
            let schemes = if self.options.verify { vec![Scheme::Parts(CELLS_BLOCK)] } else { Vec::new() };
            return Partial::begin(&self.options.temporaries, target, content, schemes).await;
        }
        Attempts::new(self, item, source, Destination::Place(target), 0..source.size).run().await
    }

    /// Hands a file, or a range of it, to a reader; continues after a broken connection. All of a file is compared with
    /// its ETag and its content hash.
    ///
    /// # Errors
    /// Any [`TransferError`] that retrying did not fix; [`TransferError::NotAsListed`] for a content that turns out to be
    /// wrong once the reader has it; the reader's own as [`TransferError::Local`].
    pub async fn read(
        &self,
        item: ItemNumber,
        source: &Node,
        range: Range<u64>,
        reader: &mut Reader<'_>,
    ) -> Result<(), TransferError> {
        let is_all = range == (0..source.size);
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

    async fn run(self) -> Result<Partial, TransferError> {
        let (engine, item, label, progress) =
            (self.engine, self.item, self.source.path.to_string(), Progress::default());
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
        retry::run_moving(&engine.options.retry, &engine.cancel, &progress, attempt, retried).await
    }

    /// Whether all of the file is asked for.
    fn is_all(&self) -> bool {
        self.range == (0..self.source.size)
    }

    fn is_for_reader(&self) -> bool {
        matches!(self.destination, Destination::Reader(_))
    }

    /// Whether so much has arrived since the last time that the attempts count anew.
    fn has_moved(&mut self) -> bool {
        let arrived = self.kept.as_ref().map_or(0, |kept| kept.bytes);
        let has_moved = arrived >= self.counted.saturating_add(PROGRESS);
        if has_moved || arrived < self.counted {
            self.counted = arrived;
        }
        has_moved
    }

    /// One attempt: from where the last one stopped, if the server still has the same content.
    async fn once(&mut self) -> Result<Partial, TransferError> {
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
            // What the reader has got cannot be fetched again.
            Err(TransferError::Integrity { path, .. }) if self.is_for_reader() => Err(TransferError::NotAsListed(path)),
            checked => checked,
        }
    }

    /// What a failed attempt means. A connection that ends twice at the same byte is looked into: so it does if the
    /// server's copy is shorter than the server says (docs/protocol.md §5.3).
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

    /// Asks for what is still missing. A content other than the one begun with starts all over.
    async fn open(&mut self) -> Result<Download, TransferError> {
        let (engine, path) = (self.engine, &self.source.path);
        if let Some(kept) = self.kept.as_ref().filter(|kept| kept.bytes > 0) {
            let (bytes, total, etag) = (kept.bytes, kept.total, kept.etag.clone());
            let rest = self.range.start + bytes..self.range.start + total;
            let is_all = self.is_all();
            let is_rest = |info: &ObjectInfo| bytes + info.length == total && (!is_all || info.total == Some(total));
            match engine.unless_cancelled(engine.s3.get(path, Some(rest)), || false).await {
                Ok(download) if download.info.etag == etag && is_rest(&download.info) => return Ok(download),
                Ok(download) => {
                    // What has arrived stays if this is not about the same file.
                    self.compare_with_listed(&download.info).await?;
                    // A proxy may change ETags. The sum decides in the end, since the reader gives nothing back.
                    if self.is_for_reader() && self.listed.etag() == self.version.as_deref() && is_rest(&download.info)
                    {
                        return Ok(download);
                    }
                }
                Err(TransferError::Server(error)) if error.kind == ServerErrorKind::Range => {}
                // What has arrived waits for the next attempt.
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
        let known = self.listed.known().filter(|_| engine.options.verify && range.is_none());
        let download = engine.unless_cancelled(engine.s3.get_known(path, range, known), || false).await?;
        self.compare_with_listed(&download.info).await?;
        Ok(download)
    }

    /// Makes room for a content that an answer announces.
    async fn begin(&mut self, info: &ObjectInfo) -> Result<Partial, TransferError> {
        self.version = self.listed.etag().map(str::to_owned);
        let total = if self.is_all() { info.whole() } else { info.length };
        let is_verified = self.engine.options.verify && self.is_all();
        match &self.destination {
            Destination::Place(place) => {
                let schemes = if is_verified { vec![self.listed.scheme(info)] } else { Vec::new() };
                Partial::begin(&self.engine.options.temporaries, place, (&info.etag, total), schemes).await
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

    /// Compares an answer with what the server says of the file.
    async fn compare_with_listed(&mut self, info: &ObjectInfo) -> Result<(), TransferError> {
        match self.listed.compare(&self.engine.api, &self.source.path, info).await? {
            Verdict::Same => Ok(()),
            // Its content decides, if it is looked at.
            Verdict::OtherEtag if self.engine.options.verify => Ok(()),
            Verdict::OtherEtag | Verdict::Other => Err(self.listed.other(&self.source.path, info)),
        }
    }

    /// Takes a body in, hashing on the way. The outer error is that of the local disk, or of the reader.
    async fn receive(
        &mut self,
        mut partial: Partial,
        download: Download,
    ) -> Result<(Result<(), TransferError>, Partial), TransferError> {
        let (engine, item) = (self.engine, self.item);
        let place = match &mut self.destination {
            Destination::Place(place) => *place,
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
        let (sender, receiver) = mpsc::channel(QUEUE);
        let writer = spawn_blocking(move || partial.take_all(receiver));
        let outcome = pass_on(engine, item, download, Sink::Writer(sender)).await;
        let written = writer.await.map_err(io::Error::other).and_then(|written| written).map_err(fail)?;
        Ok((outcome.map_err(fail)?, written))
    }

    /// Compares what has arrived with the ETag, or with x-cells-hash if the ETag does not decide.
    async fn check(&mut self, partial: Partial) -> Result<Partial, TransferError> {
        let Some(found) = partial.etag_found() else {
            return Ok(partial);
        };
        let etag = self.listed.etag().unwrap_or(&partial.etag).to_owned();
        if self.source.is_encrypted() {
            let hashed = move || partial.cells_hash().map(|hash| (partial, hash));
            let (partial, hash) = self.blocking(hashed).await?;
            return self.check_hash(partial, (etag, hash)).await;
        }
        if found == etag {
            return Ok(partial);
        }
        if found == partial.etag {
            self.engine.observer.item_restarted(self.item);
            return Err(self.listed.other_content(&self.source.path, found));
        }
        let ways = ways_to_hash(&etag, partial.bytes);
        if ways == [Scheme::Whole] {
            return Err(self.wrong_sum("ETag", &etag, found));
        }
        let looked_at = move || {
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

    /// Compares a content of parts of an unknown size, whose hash is `found`, with the server's own hash of it. It lags
    /// behind a write, so what was listed earlier proves nothing against the content, nor does it if the content is
    /// another by now; and it may be stale for good (docs/protocol.md §5.1).
    async fn check_hash(
        &mut self,
        partial: Partial,
        (etag, found): (String, String),
    ) -> Result<Partial, TransferError> {
        let listed = self.source.hash.as_ref().filter(|_| self.source.etag.as_ref() == Some(&etag));
        if listed == Some(&found) {
            return Ok(partial);
        }
        let told = match self.hash_now(&found).await {
            Ok(told) => told,
            Err(error) => {
                self.kept = Some(partial);
                return Err(error);
            }
        };
        if told.as_ref() == Some(&found) {
            return Ok(partial);
        }
        let guesses = Scheme::unlikely(&etag, partial.bytes);
        let is_sure = !ways_to_hash(&etag, partial.bytes).is_empty() && !self.source.is_encrypted();
        let guessed = move || partial.has_etag(&etag, &guesses).map(|agrees| (partial, agrees));
        let (partial, agrees) = self.blocking(guessed).await?;
        let path = self.source.path.to_string();
        match told {
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

    /// The server's content hash now. For a reader, one that is not `found` is asked for again for a moment.
    async fn hash_now(&self, found: &str) -> Result<Option<String>, TransferError> {
        let looks = if self.is_for_reader() && self.source.is_encrypted() { HASH_PAUSES.len() } else { 1 };
        let mut told = None;
        for pause in HASH_PAUSES.iter().take(looks) {
            tokio::time::sleep(*pause).await;
            let mut nodes = self.engine.api.stat_many(std::slice::from_ref(&self.source.path)).await?;
            told = nodes.pop().and_then(|node| node.hash);
            if told.as_deref() == Some(found) {
                break;
            }
        }
        Ok(told)
    }

    /// A content whose sum is not the listed one. The same one twice is no accident on the way.
    fn wrong_sum(&mut self, what: &'static str, expected: &str, found: String) -> TransferError {
        self.engine.observer.item_restarted(self.item);
        let (path, expected) = (self.source.path.to_string(), expected.to_owned());
        if self.wrong.as_ref() == Some(&found) {
            // An ETag that is compared by itself is the MD5 of the content.
            let (sum, other) = if what == "ETag" { ("MD5", "") } else { (what, "; its ETag does not match either") };
            let why = format!("two downloads had the {sum} {found} instead of {expected}{other}");
            return TransferError::Damaged { path, why };
        }
        self.wrong = Some(found.clone());
        TransferError::Integrity { path, what, expected, found }
    }

    /// Runs what reads and hashes on a thread of its own. The user knows the target, not the temporary file.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, TransferError> {
        let done = spawn_blocking(work).await.map_err(io::Error::other).and_then(|done| done);
        let place = match &self.destination {
            Destination::Place(place) => place,
            Destination::Reader(_) => Path::new("standard output"),
        };
        done.map_err(|error| TransferError::local(place, error))
    }
}

/// Hands each chunk of a body on, until it ends or the sink wants no more. The outer error is that of the sink.
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

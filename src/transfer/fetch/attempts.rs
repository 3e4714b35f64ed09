//! Fetching the bytes of one file, attempt by attempt: kept beside its target or in memory, hashed on the way, and
//! compared with what the server says of them.

use std::io;
use std::path::Path;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::api::Node;
use crate::failure::ServerErrorKind;
use crate::hash::{CELLS_BLOCK, MEBIBYTE, Scheme};
use crate::http::retry::{self, Advice, Retryable as _};
use crate::s3::{Download, ObjectInfo};
use crate::transfer::event::ItemNumber;
use crate::transfer::fetch::listed::{Listed, Verdict};
use crate::transfer::fetch::partial::Arrived;
use crate::transfer::verify::{is_cut_short, ways_to_hash};
use crate::transfer::{Engine, TransferError};

/// How many chunks wait between the connection and the disk.
const QUEUE: usize = 16;

/// How many bytes the attempts of a series must keep to be given back: a line that breaks off after some bytes, every
/// time, is to be told.
const PROGRESS: u64 = MEBIBYTE;

/// What the attempts at one file hand on to each other.
struct Attempts {
    /// What the server says of the file, when it was last asked.
    listed: Listed,
    /// What has arrived, to be continued.
    kept: Option<Arrived>,
    /// At which byte the connection ended the last time.
    broke_at: Option<u64>,
    /// The sum of the last whole content, which was not the one that the server tells.
    wrong: Option<String>,
}

impl Attempts {
    /// How many bytes have arrived that no further attempt has to fetch.
    fn arrived(&self) -> u64 {
        self.kept.as_ref().map_or(0, |kept| kept.bytes)
    }
}

/// Where the chunks of a body go.
enum Sink<'a> {
    Memory(&'a mut Arrived),
    /// The thread that writes them to the disk. Where it has ended, it says why itself.
    Writer(mpsc::Sender<Bytes>),
}

impl Sink<'_> {
    /// False where it wants no more.
    async fn take(&mut self, chunk: Bytes) -> bool {
        match self {
            Self::Memory(arrived) => arrived.take(&chunk).is_ok(),
            Self::Writer(sender) => sender.send(chunk).await.is_ok(),
        }
    }
}

impl Engine {
    /// Fetches a file until it is whole and compared, as often as the policy allows. `target` says which folder it is
    /// kept in meanwhile.
    ///
    /// # Errors
    /// Any [`TransferError`] that retrying did not mend.
    pub(in crate::transfer) async fn fetch(
        &self,
        item: ItemNumber,
        source: &Node,
        target: &Path,
    ) -> Result<Arrived, TransferError> {
        if source.is_encrypted() && source.size == 0 {
            // The server finds no content of it (docs/protocol.md §5.8).
            let content = (source.etag.as_deref().unwrap_or_default(), 0);
            let scheme = self.options.verify.then_some(Scheme::Parts(CELLS_BLOCK));
            return Arrived::begin(&self.options.temporaries, target, content, scheme).await;
        }
        let label = source.path.to_string();
        let attempts =
            tokio::sync::Mutex::new(Attempts { listed: Listed::of(source), kept: None, broke_at: None, wrong: None });
        loop {
            let before = attempts.lock().await.arrived();
            let series = retry::run_until(
                &self.options.retry,
                &self.cancel,
                |_attempt| async {
                    let mut attempts = attempts.lock().await;
                    match self.attempt(item, source, target, &mut attempts).await {
                        Ok(arrived) => Ok(arrived),
                        Err(error) => Err(self.judge(source, &mut attempts, error).await),
                    }
                },
                |attempt, error, pause| self.observer.item_retried(item, &label, attempt, error, pause),
            );
            match series.await {
                // What moves is not given up: neither the attempts nor the time count from its start.
                Err(error)
                    if error.advice() != Advice::Stop
                        && !self.cancel.is_cancelled()
                        && attempts.lock().await.arrived() >= before + PROGRESS => {}
                ended => return ended,
            }
        }
    }

    /// One attempt: from where the last one stopped, if the server still has the same content.
    async fn attempt(
        &self,
        item: ItemNumber,
        source: &Node,
        target: &Path,
        attempts: &mut Attempts,
    ) -> Result<Arrived, TransferError> {
        let arrived = match attempts.kept.take_if(|kept| kept.is_whole()) {
            Some(whole) => whole,
            None => {
                let download = self.open(item, source, attempts).await?;
                let begun = match attempts.kept.take() {
                    Some(kept) => kept,
                    None => {
                        let content = (download.info.etag.as_str(), download.info.whole());
                        let scheme = self.options.verify.then(|| attempts.listed.scheme(&download.info));
                        Arrived::begin(&self.options.temporaries, target, content, scheme).await?
                    }
                };
                let (outcome, arrived) = self.receive(item, begun, download, target).await?;
                if let Err(error) = outcome {
                    attempts.kept = Some(arrived);
                    return Err(error);
                }
                arrived
            }
        };
        self.check(item, source, arrived, target, attempts).await
    }

    /// What a failed attempt means. A connection that ends twice at the same byte is looked into: so it does where the
    /// server's copy is shorter than the server says (docs/protocol.md §5.3).
    async fn judge(&self, source: &Node, attempts: &mut Attempts, error: TransferError) -> TransferError {
        if !matches!(&error, TransferError::Server(cause) if cause.is_broken_off()) {
            return error;
        }
        let at = attempts.kept.as_ref().map_or(0, |kept| kept.bytes);
        if attempts.broke_at.replace(at) == Some(at) && is_cut_short(&self.s3, &source.path).await {
            let why = format!("the connection ends after {at} of {} bytes, every time", source.size);
            return TransferError::Damaged { path: source.path.to_string(), why };
        }
        error
    }

    /// Asks for what is still missing. A content other than the one begun with starts all over.
    async fn open(&self, item: ItemNumber, source: &Node, attempts: &mut Attempts) -> Result<Download, TransferError> {
        if let Some(kept) = attempts.kept.as_ref().filter(|kept| kept.bytes > 0) {
            let rest = kept.bytes..kept.total;
            match self.unless_cancelled(self.s3.get(&source.path, Some(rest)), || false).await {
                Ok(download)
                    if download.info.etag == kept.etag
                        && download.info.total == Some(kept.total)
                        && kept.bytes + download.info.length == kept.total =>
                {
                    return Ok(download);
                }
                // What has arrived stays where this is not about the same file.
                Ok(download) => self.compare_with_listed(source, attempts, &download.info).await?,
                Err(TransferError::Server(error)) if error.kind == ServerErrorKind::Range => {}
                // What has arrived waits for the next attempt.
                Err(error) => return Err(error),
            }
        }
        if attempts.kept.take().is_some() {
            self.observer.item_restarted(item);
        }
        let known = attempts.listed.known().filter(|_| self.options.verify);
        let download = self.unless_cancelled(self.s3.get_known(&source.path, None, known), || false).await?;
        self.compare_with_listed(source, attempts, &download.info).await?;
        Ok(download)
    }

    /// Compares an answer with what the server says of the file.
    async fn compare_with_listed(
        &self,
        source: &Node,
        attempts: &mut Attempts,
        info: &ObjectInfo,
    ) -> Result<(), TransferError> {
        match attempts.listed.compare(&self.api, &source.path, info).await? {
            Verdict::Same => Ok(()),
            // Its content decides, where it is looked at.
            Verdict::OtherEtag if self.options.verify => Ok(()),
            Verdict::OtherEtag | Verdict::Other => Err(attempts.listed.other(&source.path, info)),
        }
    }

    /// Takes a body in, hashing on the way. The outer error is that of the local disk.
    async fn receive(
        &self,
        item: ItemNumber,
        mut arrived: Arrived,
        download: Download,
        target: &Path,
    ) -> Result<(Result<(), TransferError>, Arrived), TransferError> {
        if arrived.is_in_memory() {
            let outcome = self.pass_on(item, download, Sink::Memory(&mut arrived)).await;
            return Ok((outcome, arrived));
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        let writer = spawn_blocking(move || arrived.take_all(receiver));
        let outcome = self.pass_on(item, download, Sink::Writer(sender)).await;
        let written = writer.await.map_err(io::Error::other).and_then(|written| written);
        Ok((outcome, written.map_err(|error| TransferError::local(target, error))?))
    }

    /// Hands each chunk of a body on, until it ends or is wanted no more.
    async fn pass_on(&self, item: ItemNumber, mut download: Download, mut sink: Sink<'_>) -> Result<(), TransferError> {
        loop {
            let next = tokio::select! {
                next = download.body.next() => next,
                () = self.cancel.cancelled() => return Err(TransferError::Cancelled),
            };
            let Some(chunk) = next.transpose()? else { return Ok(()) };
            let length = chunk.len() as u64;
            if !sink.take(chunk).await {
                return Ok(());
            }
            self.observer.bytes(item, length);
        }
    }

    /// Compares what has arrived with the ETag, or with x-cells-hash where the ETag does not tell.
    async fn check(
        &self,
        item: ItemNumber,
        source: &Node,
        arrived: Arrived,
        target: &Path,
        attempts: &mut Attempts,
    ) -> Result<Arrived, TransferError> {
        let Some(hasher) = &arrived.hasher else {
            return Ok(arrived);
        };
        let etag = attempts.listed.etag().unwrap_or(&arrived.etag).to_owned();
        if source.is_encrypted() {
            let hashed = move || arrived.cells_hash().map(|hash| (arrived, hash));
            let (arrived, hash) = blocking(target, hashed).await?;
            return self.check_hash(item, source, arrived, (etag, hash), target, attempts).await;
        }
        let found = hasher.clone().etag();
        if found == etag {
            return Ok(arrived);
        }
        if found == arrived.etag {
            self.observer.item_restarted(item);
            return Err(attempts.listed.other_content(&source.path, found));
        }
        let ways = ways_to_hash(&etag, arrived.bytes);
        if ways == [Scheme::Whole] {
            return Err(self.wrong_sum(item, source, attempts, &etag, found));
        }
        let looked_at = move |arrived: Arrived| {
            let others: Vec<Scheme> = ways.into_iter().skip(1).collect();
            let agrees = arrived.has_etag(&etag, &others)?;
            let hash = arrived.cells_hash()?;
            Ok((arrived, etag, agrees, hash))
        };
        let (arrived, etag, agrees, hash) = blocking(target, move || looked_at(arrived)).await?;
        if agrees {
            return Ok(arrived);
        }
        self.check_hash(item, source, arrived, (etag, hash), target, attempts).await
    }

    /// Compares a content of parts of an unknown size, whose hash is `found`, with the server's own hash of it. It lags
    /// behind a write, so what was listed earlier proves nothing against the content, nor does it where the content is
    /// another by now; and it may be stale for good (docs/protocol.md §5.1).
    async fn check_hash(
        &self,
        item: ItemNumber,
        source: &Node,
        arrived: Arrived,
        (etag, found): (String, String),
        target: &Path,
        attempts: &mut Attempts,
    ) -> Result<Arrived, TransferError> {
        let listed = source.hash.as_ref().filter(|_| source.etag.as_ref() == Some(&etag));
        if listed == Some(&found) {
            return Ok(arrived);
        }
        let told = match self.api.stat_many(std::slice::from_ref(&source.path)).await {
            Ok(mut nodes) => nodes.pop().and_then(|node| node.hash),
            Err(error) => {
                attempts.kept = Some(arrived);
                return Err(error.into());
            }
        };
        if told.as_ref() == Some(&found) {
            return Ok(arrived);
        }
        let guesses = Scheme::unlikely(&etag, arrived.bytes);
        let (arrived, agrees) = blocking(target, move || {
            let agrees = arrived.has_etag(&etag, &guesses)?;
            Ok((arrived, agrees))
        })
        .await?;
        let path = source.path.to_string();
        let Some(expected) = told else {
            if !agrees {
                self.observer.notice(&path, "could not be verified: the server tells no hash of it");
            }
            return Ok(arrived);
        };
        if agrees {
            self.observer.notice(&path, "verified by its ETag; the server's other hash of it, x-cells-hash, is wrong");
            return Ok(arrived);
        }
        self.observer.item_restarted(item);
        if attempts.wrong.as_ref() == Some(&found) {
            let why = format!(
                "it has twice come with the x-cells-hash {found}, and should have {expected}; its ETag does not agree either"
            );
            return Err(TransferError::Damaged { path, why });
        }
        attempts.wrong = Some(found.clone());
        Err(TransferError::Integrity { path, what: "x-cells-hash", expected, found })
    }

    /// A content whose MD5 is not its ETag. The same one twice is no accident on the way.
    fn wrong_sum(
        &self,
        item: ItemNumber,
        source: &Node,
        attempts: &mut Attempts,
        expected: &str,
        found: String,
    ) -> TransferError {
        self.observer.item_restarted(item);
        let (path, expected) = (source.path.to_string(), expected.to_owned());
        if attempts.wrong.as_ref() == Some(&found) {
            let why = format!("it has twice come with the MD5 {found}, and should have {expected}");
            return TransferError::Damaged { path, why };
        }
        attempts.wrong = Some(found.clone());
        TransferError::Integrity { path, what: "ETag", expected, found }
    }
}

/// Runs what reads and hashes on a thread of its own. The user knows the target; the temporary file tells nothing.
async fn blocking<T: Send + 'static>(
    target: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, TransferError> {
    let done = spawn_blocking(work).await.map_err(io::Error::other).and_then(|done| done);
    done.map_err(|error| TransferError::local(target, error))
}

//! Running a plan: several files at once, one report for each, a last pass over what failed for a passing reason.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

use crate::http::limiter::Slot;
use crate::sys::open;
use crate::transfer::error::Reach;
use crate::transfer::event::{Direction, ItemNumber, ItemOutcome, Record};
use crate::transfer::plan::Job;
use crate::transfer::plan::step::{Candidate, Step};
use crate::transfer::send::proof::{BATCH, Sent};
use crate::transfer::{Engine, TransferError};

/// How many steps wait between the planner and the transfers: enough to know the total of most trees early, few enough
/// to take some megabytes only.
const STEP_QUEUE: usize = 8192;

/// How many failures are kept in full.
const KEPT_FAILURES: usize = 1000;

/// How many files the last pass takes at most.
const LAST_PASS: usize = 10_000;

/// How often a file is sent once more that was answered as done and is not there.
const UNPROVEN_PASSES: u32 = 3;

/// After how long uploads are proven, however few they are.
const PROOF_AFTER: Duration = Duration::from_secs(5);

/// How long the proof of what was sent may take once the run is cancelled.
const PROOF_LIMIT: Duration = Duration::from_secs(10);

/// How long a run waits for the leftovers of others to be removed.
const LEFTOVERS_LIMIT: Duration = Duration::from_secs(2);

/// A file that could not be transferred.
#[derive(Debug)]
pub struct Failure {
    /// The source as a user would write it.
    pub source: String,
    /// Why.
    pub error: TransferError,
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Summary {
    /// Files transferred.
    pub transferred: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files whose target had the same content already.
    pub unchanged: u64,
    /// Files left alone by the policy.
    pub skipped: u64,
    /// Items that failed.
    pub failed: u64,
    /// The failures, the first thousand of them.
    pub failures: Vec<Failure>,
    /// Why the run ended before everything was tried, if it did.
    pub stopped: Option<TransferError>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Summary {
    /// Takes in what became of an item. One that was interrupted is none.
    pub fn count(&mut self, record: Record) {
        match record.outcome {
            ItemOutcome::Transferred(_) => {
                self.transferred += 1;
                self.bytes = self.bytes.saturating_add(record.size.unwrap_or(0));
            }
            ItemOutcome::Unchanged => self.unchanged += 1,
            ItemOutcome::Skipped => self.skipped += 1,
            ItemOutcome::Failed(TransferError::Cancelled) => {}
            ItemOutcome::Failed(error) => {
                self.failed += 1;
                if self.failures.len() < KEPT_FAILURES {
                    self.failures.push(Failure { source: record.source, error });
                }
            }
        }
    }
}

/// What a finished task gives back.
struct Finished {
    number: ItemNumber,
    candidate: Candidate,
    record: Record,
    /// What is to be proven before it counts as transferred.
    sent: Option<Sent>,
}

impl Finished {
    /// Whether it was answered as done, and is not there.
    fn is_unproven(&self) -> bool {
        matches!(self.record.outcome, ItemOutcome::Failed(TransferError::Unproven { .. }))
    }
}

struct Run<'a> {
    engine: &'a Engine,
    summary: Summary,
    /// A transfer keeps its slot until the run has seen how it ended: that may be the end of the run.
    running: JoinSet<(Finished, Slot)>,
    /// Uploads that were answered as done, until they are proven together.
    unproven: Vec<Finished>,
    /// How many of them are proven together.
    batch: usize,
    /// When the first of them was done.
    unproven_since: Instant,
    proving: JoinSet<Vec<Finished>>,
    next_number: ItemNumber,
    again: Vec<Finished>,
    /// How often what has failed was begun once more.
    pass: u32,
    failures_in_a_row: usize,
    /// The size of the smallest file among them. A smaller one that succeeds proves nothing: a line may break off after
    /// some bytes, every time.
    smallest_failed: u64,
}

impl Engine {
    /// Plans and runs the jobs. Failures of items are in the summary; it never fails as a whole.
    pub async fn execute(mut self, jobs: Vec<Job>) -> Summary {
        let begun = Instant::now();
        // What stops this run for its own reasons must not look like the user's Ctrl-C.
        let by_user = self.cancel.clone();
        self.cancel = by_user.child_token();
        self.remove_leftovers().await;
        let (sender, receiver) = mpsc::channel(STEP_QUEUE);
        let planner = tokio::spawn(self.clone().plan(jobs, sender));
        let run = Run {
            engine: &self,
            summary: Summary::default(),
            running: JoinSet::new(),
            next_number: 0,
            unproven: Vec::new(),
            batch: BATCH.0,
            unproven_since: Instant::now(),
            proving: JoinSet::new(),
            again: Vec::new(),
            pass: 0,
            failures_in_a_row: 0,
            smallest_failed: u64::MAX,
        };
        let mut summary = run.all(receiver).await;
        planner.abort();
        if by_user.is_cancelled() {
            summary.stopped.get_or_insert(TransferError::Cancelled);
        }
        summary.elapsed = begun.elapsed();
        summary
    }

    /// Removes what killed runs have left. A disk that does not answer holds nothing up.
    async fn remove_leftovers(&self) {
        let temporaries = self.options.temporaries.clone();
        if !self.options.dry_run {
            let removed = spawn_blocking(move || temporaries.remove_leftovers());
            let _ = tokio::time::timeout(LEFTOVERS_LIMIT, removed).await;
        }
    }

    async fn transfer(self, number: ItemNumber, candidate: Candidate) -> Finished {
        let begun = Instant::now();
        self.observer.item_started(number, &candidate.label(), candidate.size());
        let (direction, source) = match &candidate {
            Candidate::Upload(upload) => (Direction::Upload, upload.source.display().to_string()),
            Candidate::Download(download) => (Direction::Download, download.source.path.marked()),
        };
        let mut sent = None;
        let ended = match &candidate {
            Candidate::Upload(upload)
                if self.options.dry_run
                    && let Err(error) = can_read(&upload.source).await =>
            {
                Err(error)
            }
            Candidate::Upload(upload) => self.upload(number, upload).await.map(|done| {
                sent = done.to_prove(&upload.folder);
                (done.outcome, done.target.marked(), done.etag, done.size)
            }),
            Candidate::Download(download) => self
                .download(number, download)
                .await
                .map(|done| (done.outcome, done.target.display().to_string(), done.etag, done.size)),
        };
        let (outcome, target, etag, size) = ended.unwrap_or_else(|error| {
            // What another attempt might have mended was not to be tried again.
            let given_up = self.cancel.is_cancelled() && error.is_transient();
            let in_doubt = matches!(error, TransferError::InDoubt { .. });
            let error = if given_up && !in_doubt { TransferError::Cancelled } else { error };
            let target = match &candidate {
                Candidate::Upload(upload) => upload.target().marked(),
                Candidate::Download(download) => download.target.display().to_string(),
            };
            (ItemOutcome::Failed(error), target, None, candidate.size())
        });
        let record = Record::new(direction, (source, target), outcome, begun).with_content(Some(size), etag);
        Finished { number, candidate, record, sent }
    }

    /// Proves several uploads at once. Where the run is cancelled and the server does not answer, they stay as they are.
    async fn prove_all(self, mut finished: Vec<Finished>) -> Vec<Finished> {
        let sent: Vec<Sent> = finished.iter().filter_map(|finished| finished.sent.clone()).collect();
        let faults = tokio::select! {
            faults = self.prove(&sent) => faults,
            () = async { self.cancel.cancelled().await; tokio::time::sleep(PROOF_LIMIT).await } => return finished,
        };
        for (finished, fault) in finished.iter_mut().zip(faults) {
            if let Some(error) = fault {
                finished.record.etag = None;
                finished.record.outcome = ItemOutcome::Failed(error);
            }
        }
        finished
    }
}

/// Whether a file can be read, which a dry run would not notice otherwise.
async fn can_read(path: &Path) -> Result<(), TransferError> {
    let opened = path.to_owned();
    let opened = spawn_blocking(move || open::regular_file(&opened)).await;
    opened
        .map_err(std::io::Error::other)
        .and_then(|file| file)
        .map(|_| ())
        .map_err(|error| TransferError::local(path, error))
}

impl Run<'_> {
    async fn all(mut self, mut steps: mpsc::Receiver<Step>) -> Summary {
        self.first_pass(&mut steps).await;
        drop(steps);
        // Where there was nothing else to do meanwhile, it would only be more of the same attempts in a row.
        let alone = self.next_number == 1;
        while !self.again.is_empty() {
            self.pass += 1;
            for finished in std::mem::take(&mut self.again) {
                // A run that was stopped still tells what it left behind: a replaced file may be damaged.
                if (alone && !finished.is_unproven()) || self.engine.cancel.is_cancelled() {
                    self.report(finished.number, finished.record);
                    continue;
                }
                let slot = loop {
                    match self.engine.options.transfers.try_start() {
                        Some(slot) => break slot,
                        None => self.wait_for_one().await,
                    }
                };
                self.start(finished.candidate, slot);
            }
            while self.is_busy() {
                self.wait_for_one().await;
            }
        }
        self.summary
    }

    async fn first_pass(&mut self, steps: &mut mpsc::Receiver<Step>) {
        let limiter = self.engine.options.transfers.clone();
        let (mut open, mut slot) = (true, None);
        while open || self.is_busy() {
            let changed = limiter.changed();
            slot = slot.filter(|_| open).or_else(|| limiter.try_start().filter(|_| open));
            let stopping = self.engine.cancel.is_cancelled();
            if stopping || (!open && self.running.is_empty()) {
                open = false;
                self.wait_for_one().await;
                continue;
            }
            tokio::select! {
                biased;
                Some(finished) = self.running.join_next() => self.finished(finished),
                Some(proven) = self.proving.join_next() => self.proven(proven),
                step = steps.recv(), if open && slot.is_some() => match step {
                    Some(step) => self.step(step, &mut slot),
                    None => open = false,
                },
                () = changed, if open && slot.is_none() => {}
                () = tokio::time::sleep_until((self.unproven_since + PROOF_AFTER).into()), if !self.unproven.is_empty() => {
                    self.prove();
                }
                () = self.engine.cancel.cancelled() => {}
            }
        }
    }

    fn is_busy(&self) -> bool {
        !(self.running.is_empty() && self.proving.is_empty() && self.unproven.is_empty())
    }

    /// Waits for one thing that is on its way, where nothing new is begun meanwhile.
    async fn wait_for_one(&mut self) {
        if self.running.is_empty() {
            self.prove();
        }
        tokio::select! {
            biased;
            Some(finished) = self.running.join_next() => self.finished(finished),
            Some(proven) = self.proving.join_next() => self.proven(proven),
            else => {}
        }
    }

    /// Starts to prove what has been sent.
    fn prove(&mut self) {
        let unproven = std::mem::take(&mut self.unproven);
        if !unproven.is_empty() {
            self.proving.spawn(self.engine.clone().prove_all(unproven));
        }
    }

    fn proven(&mut self, proven: Result<Vec<Finished>, tokio::task::JoinError>) {
        match proven {
            Ok(proven) => proven.into_iter().for_each(|finished| self.conclude(finished)),
            Err(error) => self.broke_down(error),
        }
    }

    fn broke_down(&mut self, error: tokio::task::JoinError) {
        self.summary.failed += 1;
        self.stop(TransferError::local("", std::io::Error::other(error)));
    }

    /// Takes a step; a file takes the slot.
    fn step(&mut self, step: Step, slot: &mut Option<Slot>) {
        match step {
            Step::File(candidate) => {
                if let Some(slot) = slot.take() {
                    self.start(candidate, slot);
                }
            }
            Step::Notice { path, notice } => self.engine.observer.notice(&path, notice),
            Step::Refused { direction, source, target, error } => {
                let number = self.number();
                let record = Record::new(direction, (source, target), ItemOutcome::Failed(error), Instant::now());
                self.report(number, record);
            }
        }
    }

    fn number(&mut self) -> ItemNumber {
        self.next_number += 1;
        self.next_number
    }

    fn start(&mut self, candidate: Candidate, slot: Slot) {
        if self.engine.cancel.is_cancelled() {
            return;
        }
        let number = self.number();
        let engine = self.engine.clone();
        self.running.spawn(async move {
            let _memory = engine.options.transfers.memory_for(candidate.size()).await;
            (engine.transfer(number, candidate).await, slot)
        });
    }

    fn finished(&mut self, finished: Result<(Finished, Slot), tokio::task::JoinError>) {
        match finished {
            Err(error) => self.broke_down(error),
            Ok((finished, _slot)) if finished.sent.is_none() => self.conclude(finished),
            Ok((finished, _slot)) => {
                if self.unproven.is_empty() {
                    self.unproven_since = Instant::now();
                }
                self.engine.observer.item_sent(finished.number);
                self.unproven.push(finished);
                if self.unproven.len() >= self.batch {
                    self.batch = (self.batch * 2).min(BATCH.1);
                    self.prove();
                }
            }
        }
    }

    fn conclude(&mut self, mut finished: Finished) {
        match &finished.record.outcome {
            ItemOutcome::Failed(error) => {
                let transient = error.is_transient() && !self.engine.options.fail_fast;
                let shared = matches!(error.reach(), Reach::Server | Reach::Disk);
                if shared {
                    self.failures_in_a_row += 1;
                    self.smallest_failed = self.smallest_failed.min(finished.candidate.size());
                } else {
                    self.end_row();
                }
                let passes = if finished.is_unproven() { UNPROVEN_PASSES } else { 1 };
                let may_wait = self.again.len() < LAST_PASS && !self.engine.cancel.is_cancelled();
                if transient && self.pass < passes && may_wait {
                    match &finished.sent {
                        Some(sent) => self.engine.observer.bytes_lost(finished.number, sent.size),
                        None => self.engine.observer.item_restarted(finished.number),
                    }
                    self.engine.observer.item_postponed(finished.number);
                    self.give_up_where_all_fails(error);
                    if let (Candidate::Upload(upload), Some(sent)) = (&mut finished.candidate, &finished.sent) {
                        upload.must_replace = sent.replaced.is_some();
                    }
                    self.again.push(finished);
                    return;
                }
                self.give_up_where_all_fails(error);
            }
            ItemOutcome::Transferred(_) if finished.candidate.size() >= self.smallest_failed => self.end_row(),
            // What is small, unchanged or skipped does not show that the server is well.
            ItemOutcome::Transferred(_) | ItemOutcome::Unchanged | ItemOutcome::Skipped => {}
        }
        self.report(finished.number, finished.record);
    }

    fn end_row(&mut self) {
        self.failures_in_a_row = 0;
        self.smallest_failed = u64::MAX;
    }

    /// A server that has failed so often in a row is away, and a disk that was full so often stays so: going on would
    /// only take long.
    fn give_up_where_all_fails(&mut self, error: &TransferError) {
        let limit = (2 * self.engine.options.transfers.limit()).max(8);
        // The last pass is short enough to be gone through.
        if self.failures_in_a_row >= limit && self.pass == 0 {
            self.stop(TransferError::GaveUp { failures: limit, cause: error.to_string(), reach: error.reach() });
        }
    }

    fn report(&mut self, number: ItemNumber, record: Record) {
        self.engine.observer.item_done(number, &record);
        match record.outcome {
            ItemOutcome::Failed(error) if error.reach() == Reach::Everything => {
                self.summary.failed += 1;
                self.stop(error);
            }
            ItemOutcome::Failed(_) => {
                self.summary.count(record);
                if self.engine.options.fail_fast {
                    self.engine.cancel.cancel();
                }
            }
            _ => self.summary.count(record),
        }
    }

    fn stop(&mut self, error: TransferError) {
        self.summary.stopped.get_or_insert(error);
        self.engine.cancel.cancel();
    }
}

//! Runs a plan: transfers several files at a time, reports each one, and repeats those that failed temporarily in a
//! last pass.

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

/// The number of steps between the planner and the transfers: enough to know the total of most trees early, and few
/// enough to need only some megabytes.
const STEP_QUEUE: usize = 8192;

/// The maximum number of failures in a summary.
const KEPT_FAILURES: usize = 1000;

/// The maximum number of files in the last pass.
const LAST_PASS: usize = 10_000;

/// How many times a file is sent again if the server confirmed it but it does not exist.
const UNPROVEN_PASSES: u32 = 3;

/// After this time uploads are checked, however few they are.
const PROOF_AFTER: Duration = Duration::from_secs(5);

/// How long the check of uploads may take once the run is canceled.
const PROOF_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait for the removal of temporary files from killed runs.
const LEFTOVERS_LIMIT: Duration = Duration::from_secs(2);

/// A file that could not be transferred.
#[derive(Debug)]
pub struct Failure {
    /// The source as a user would write it.
    pub source: String,
    /// Why it could not be transferred.
    pub error: TransferError,
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Summary {
    /// The number of transferred files.
    pub transferred: u64,
    /// The number of transferred bytes.
    pub bytes: u64,
    /// The number of files whose target already had the same content.
    pub unchanged: u64,
    /// The number of files that the policy skipped.
    pub skipped: u64,
    /// The number of failed items.
    pub failed: u64,
    /// The failures, at most the first thousand.
    pub failures: Vec<Failure>,
    /// Why the run ended early, if it did.
    pub stopped: Option<TransferError>,
    /// The duration of the run.
    pub elapsed: Duration,
}

impl Summary {
    /// Adds the outcome of an item. An item that was canceled does not count.
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

/// The result of a task.
struct Finished {
    number: ItemNumber,
    candidate: Candidate,
    record: Record,
    /// What must be checked before the file counts as transferred.
    sent: Option<Sent>,
}

impl Finished {
    /// Whether the server confirmed the upload, but the file does not exist.
    fn is_unproven(&self) -> bool {
        matches!(self.record.outcome, ItemOutcome::Failed(TransferError::Unproven { .. }))
    }
}

struct Run<'a> {
    engine: &'a Engine,
    summary: Summary,
    /// A transfer keeps its slot until the run has handled its result, which may end the run.
    running: JoinSet<(Finished, Slot)>,
    /// Confirmed uploads that have yet to be checked, together.
    unproven: Vec<Finished>,
    /// The number of uploads that are checked together.
    batch: usize,
    /// When the first of them was confirmed.
    unproven_since: Instant,
    proving: JoinSet<Vec<Finished>>,
    next_number: ItemNumber,
    /// The number of bytes of the files that have begun, without those that were not transferred.
    begun_bytes: u64,
    /// A file that exceeds the limit of bytes unless a file in flight turns out not to need its bytes.
    held: Option<(Candidate, Slot)>,
    /// When the run must end.
    deadline: Option<tokio::time::Instant>,
    again: Vec<Finished>,
    /// The number of passes over failed files so far.
    pass: u32,
    failures_in_a_row: usize,
    /// The size of the smallest file among these failures. A smaller file that succeeds proves nothing, because a
    /// connection may break after a certain number of bytes every time.
    smallest_failed: u64,
}

impl Engine {
    /// Plans and runs the jobs. Failures of items are in the summary; the method itself never fails.
    pub async fn execute(mut self, jobs: Vec<Job>) -> Summary {
        let begun = Instant::now();
        // If the run stops for its own reasons, that must not look like the user's Ctrl-C.
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
            begun_bytes: 0,
            held: None,
            deadline: self.options.max_duration.map(|limit| tokio::time::Instant::now() + limit),
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

    /// Removes temporary files of killed runs. A disk that does not answer must not block the run.
    async fn remove_leftovers(&self) {
        let (temporaries, journals) = (self.options.temporaries.clone(), self.options.journals.clone());
        if !self.options.dry_run {
            let removed = spawn_blocking(move || temporaries.remove_leftovers(&journals.tidy()));
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
            // The run was canceled before another attempt could succeed. That is not a failure of this file, except if
            // it may be damaged.
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

    /// Checks several uploads together. If the run is canceled and the server does not answer, they stay unchecked.
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

/// Completes at the deadline; never without one.
async fn time_is_up(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Checks that a file can be read. A dry run would not notice the problem otherwise.
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
        // If this was the only item, nothing else has happened since its last attempt, so another one makes no sense.
        let alone = self.next_number == 1;
        while !self.again.is_empty() {
            self.pass += 1;
            for finished in std::mem::take(&mut self.again) {
                // Even a canceled run must report what it leaves behind: an overwritten file may be damaged.
                let is_over = self.engine.cancel.is_cancelled() || !self.fits(&finished.candidate);
                if (alone && !finished.is_unproven()) || is_over {
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
        while open || self.is_busy() || self.held.is_some() {
            self.start_held();
            let changed = limiter.changed();
            slot = slot.filter(|_| open).or_else(|| limiter.try_start().filter(|_| open));
            let stopping = self.engine.cancel.is_cancelled();
            // A canceled run starts nothing new, but waits for what cannot be broken off, such as a PUT whose last byte
            // was sent.
            if stopping || (!open && self.running.is_empty()) {
                open = false;
                self.wait_for_one().await;
                continue;
            }
            tokio::select! {
                // Finished tasks first: they free slots and memory, and a failure among them may end the run.
                biased;
                Some(finished) = self.running.join_next() => self.finished(finished),
                Some(proven) = self.proving.join_next() => self.proven(proven),
                step = steps.recv(), if open && slot.is_some() && self.held.is_none() => match step {
                    Some(step) => self.step(step, &mut slot),
                    None => open = false,
                },
                () = changed, if open && slot.is_none() => {}
                // A few files must not wait for a full batch, because the walk or a large transfer may take hours.
                () = tokio::time::sleep_until((self.unproven_since + PROOF_AFTER).into()), if !self.unproven.is_empty() => {
                    self.prove();
                }
                () = self.engine.cancel.cancelled() => {}
                () = time_is_up(self.deadline) => self.end_in_time(),
            }
        }
    }

    fn is_busy(&self) -> bool {
        !(self.running.is_empty() && self.proving.is_empty() && self.unproven.is_empty())
    }

    /// Waits for one thing in progress while nothing new is started.
    async fn wait_for_one(&mut self) {
        if self.running.is_empty() {
            self.prove();
        }
        let is_working = !self.running.is_empty() || !self.proving.is_empty();
        tokio::select! {
            biased;
            Some(finished) = self.running.join_next() => self.finished(finished),
            Some(proven) = self.proving.join_next() => self.proven(proven),
            () = time_is_up(self.deadline), if is_working && !self.engine.cancel.is_cancelled() => self.end_in_time(),
            else => {}
        }
    }

    fn end_in_time(&mut self) {
        self.stop(TransferError::LimitReached("time limit"));
    }

    /// Whether a file keeps to the limit of bytes.
    fn fits(&self, candidate: &Candidate) -> bool {
        let total = self.begun_bytes.saturating_add(candidate.size());
        self.engine.options.max_transfer.is_none_or(|most| total <= most)
    }

    /// Starts the file that waits for others, if it now fits. Ends the run if no other file can make room for it.
    fn start_held(&mut self) {
        let Some((candidate, slot)) = self.held.take() else { return };
        if self.engine.cancel.is_cancelled() {
            return;
        }
        if self.fits(&candidate) {
            self.start(candidate, slot);
        } else if self.running.is_empty() {
            self.stop(TransferError::LimitReached("limit of transferred bytes"));
        } else {
            self.held = Some((candidate, slot));
        }
    }

    /// Starts to check the confirmed uploads.
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

    /// Handles a step. A file uses the slot.
    fn step(&mut self, step: Step, slot: &mut Option<Slot>) {
        match step {
            Step::File(candidate) => {
                // The next turn starts it.
                self.held = slot.take().map(|slot| (candidate, slot));
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
        self.begun_bytes = self.begun_bytes.saturating_add(candidate.size());
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
                    // A check may list the complete folder each time, so batches must grow with it. The first ones are
                    // small, to notice problems early.
                    self.batch = (self.batch * 2).min(BATCH.1);
                    self.prove();
                }
            }
        }
    }

    fn conclude(&mut self, mut finished: Finished) {
        if !matches!(finished.record.outcome, ItemOutcome::Transferred(_)) {
            self.begun_bytes = self.begun_bytes.saturating_sub(finished.candidate.size());
        }
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
                // A file that the server has misplaced is likely to succeed the next time, unlike one that has failed
                // in all attempts.
                let passes = if finished.is_unproven() { UNPROVEN_PASSES } else { 1 };
                let may_wait = self.again.len() < LAST_PASS && !self.engine.cancel.is_cancelled();
                if transient && self.pass < passes && may_wait {
                    // Its bytes were reported as transferred, and will be reported again.
                    match &finished.sent {
                        Some(sent) => self.engine.observer.bytes_lost(finished.number, sent.size),
                        None => self.engine.observer.item_restarted(finished.number),
                    }
                    self.engine.observer.item_postponed(finished.number);
                    self.give_up_where_all_fails(error);
                    if let (Candidate::Upload(upload), Some(sent)) = (&mut finished.candidate, &finished.sent) {
                        // The file under this name is the broken result of this upload. The policy may not protect it.
                        upload.must_replace = sent.replaced.is_some();
                    }
                    self.again.push(finished);
                    return;
                }
                self.give_up_where_all_fails(error);
            }
            ItemOutcome::Transferred(_) if finished.candidate.size() >= self.smallest_failed => self.end_row(),
            // A small, unchanged or skipped file does not prove that the server is well.
            ItemOutcome::Transferred(_) | ItemOutcome::Unchanged | ItemOutcome::Skipped => {}
        }
        self.report(finished.number, finished.record);
    }

    fn end_row(&mut self) {
        self.failures_in_a_row = 0;
        self.smallest_failed = u64::MAX;
    }

    /// Ends the run after too many failures in a row: a server that has failed that often is down, and a full disk
    /// remains full, so to continue would only take time.
    fn give_up_where_all_fails(&mut self, error: &TransferError) {
        let limit = (2 * self.engine.options.transfers.limit()).max(8);
        // The last pass is short enough to be completed.
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

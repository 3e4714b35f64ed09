//! The MD5s of the parts of a file that is being sent: several are computed at the same time, from the file itself, shortly
//! before they are needed.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use md5_lanes::LANES;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use crate::hash::parts::{Parts, read_at};
use crate::hash::{Digest, hex};
use crate::transfer::TransferError;
use crate::transfer::send::body::open_at;
use crate::transfer::source::Snapshot;

/// How many parts are hashed first. More would make the answers to the first ones wait for their sums.
const FIRST: usize = 4;

/// The sums of the parts of a file, as long as somebody needs them.
#[derive(Debug)]
pub struct Sums {
    path: PathBuf,
    begun: mpsc::UnboundedSender<usize>,
    digests: watch::Receiver<Vec<Digest>>,
    fault: Arc<Mutex<Option<TransferError>>>,
}

impl Sums {
    /// Starts to compute the sums of a file in parts of `part_size` bytes.
    pub fn start(snapshot: Snapshot, part_size: u64) -> Self {
        let (begun, numbers) = mpsc::unbounded_channel();
        let (sender, digests) = watch::channel(Vec::new());
        let (path, fault) = (snapshot.path.clone(), Arc::<Mutex<Option<TransferError>>>::default());
        let failure = fault.clone();
        spawn_blocking(move || {
            if let Err(error) = compute(&snapshot, part_size, numbers, &sender) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        });
        Self { path, begun, digests, fault }
    }

    /// Says that the part of that number, from 1, is now read to be sent: the sums of the following parts are needed soon.
    pub fn begin(&self, number: u32) {
        // If the task has ended, all sums are known, or none follows.
        let _ = self.begun.send(number as usize);
    }

    /// The sum of the part of that number, from 1, once it is known.
    ///
    /// # Errors
    /// The file cannot be read, or has changed.
    pub async fn of(&self, number: u32) -> Result<String, TransferError> {
        let mut digests = self.digests.clone();
        let index = (number as usize).saturating_sub(1);
        match digests.wait_for(|digests| digests.len() > index).await {
            Ok(digests) => Ok(hex(&digests[index])),
            Err(_) => {
                let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(fault.unwrap_or_else(|| TransferError::Changed(self.path.clone())))
            }
        }
    }
}

/// Hashes the parts, not far ahead of those that are being sent: what is read here is still in the page cache then.
fn compute(
    snapshot: &Snapshot,
    part_size: u64,
    mut begun: mpsc::UnboundedReceiver<usize>,
    sender: &watch::Sender<Vec<Digest>>,
) -> Result<(), TransferError> {
    let file = open_at(snapshot, 0)?;
    let mut parts = Parts::new(snapshot.size, part_size);
    let (mut latest, mut most) = (0, FIRST);
    while parts.next_end(most).is_some() {
        while latest + 1 < parts.digests().len() {
            let Some(number) = begun.blocking_recv() else { return Ok(()) };
            latest = latest.max(number);
        }
        let hashed = parts.hash_next(most, |offset, buffer| {
            if begun.is_closed() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            read_at(&file, offset, buffer)
        });
        hashed.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => TransferError::Changed(snapshot.path.clone()),
            _ => TransferError::local(&snapshot.path, error),
        })?;
        snapshot.check(&file)?;
        sender.send_replace(parts.digests().to_vec());
        most = (most * 2).min(LANES);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::md5;

    fn file(size: usize) -> (tempfile::TempDir, Snapshot, Vec<u8>) {
        let folder = tempfile::tempdir().expect("a folder");
        let content: Vec<u8> = (0..size).map(|index| (index % 241) as u8).collect();
        let path = folder.path().join("file");
        std::fs::write(&path, &content).expect("a file");
        let snapshot = Snapshot::take(&path).expect("a file");
        (folder, snapshot, content)
    }

    #[tokio::test]
    async fn each_part_has_its_sum_once_the_parts_before_are_on_their_way() {
        let (_folder, snapshot, content) = file(3005);
        let sums = Sums::start(snapshot, 100);
        for (number, part) in (1..).zip(content.chunks(100)) {
            sums.begin(number);
            assert_eq!(sums.of(number).await.expect("a sum"), hex(&md5(part)), "part {number}");
        }
    }

    #[tokio::test]
    async fn a_file_that_has_changed_has_no_further_sums() {
        let (_folder, snapshot, content) = file(3005);
        let sums = Sums::start(snapshot.clone(), 100);
        assert_eq!(sums.of(1).await.expect("a sum"), hex(&md5(&content[..100])));
        std::fs::write(&snapshot.path, &content[1..]).expect("another content");
        sums.begin(30);
        let error = sums.of(31).await.expect_err("the file has changed");
        assert!(matches!(error, TransferError::Changed(_)), "{error}");
    }
}

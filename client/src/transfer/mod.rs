//! The transfer engine: plans a run, transfers several files at a time, verifies them, and reports events to an
//! [`event::Observer`]. It prints nothing and reads no environment variables.

mod abandon;
pub mod error;
pub mod event;
pub mod fetch;
pub mod journal;
pub mod options;
pub mod plan;
mod recycle;
pub mod run;
pub mod send;
mod source;
pub mod storage;
pub mod temporary;
pub mod verify;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{api, s3};

pub use error::TransferError;
pub use event::Observer;
pub use options::{IfExists, Options};
pub use run::Summary;

/// The state that all parts of a run share.
#[derive(Clone)]
pub struct Engine {
    /// The REST client.
    pub api: api::Client,
    /// The S3 client.
    pub s3: s3::Client,
    /// The options of the run.
    pub options: Arc<Options>,
    /// The receiver of all events.
    pub observer: Arc<dyn Observer>,
    /// What this run knows about the storage of its upload target.
    pub storage: storage::Storage,
    /// Cancels the run.
    pub cancel: CancellationToken,
}

impl Engine {
    /// Reports an attempt that failed and is repeated after `pause`. An overloaded server gets fewer transfers.
    fn retried(&self, item: event::ItemNumber, label: &str, attempt: u32, error: &TransferError, pause: Duration) {
        if error.is_overload() {
            self.options.transfers.overloaded();
        }
        self.observer.item_retried(item, label, attempt, error, pause);
    }

    /// Creates an engine with default options and without an observer. Its fields can be replaced.
    pub fn new(api: api::Client, s3: s3::Client) -> Self {
        Self {
            api,
            s3,
            options: Arc::default(),
            observer: Arc::new(event::Silent),
            storage: storage::Storage::default(),
            cancel: CancellationToken::new(),
        }
    }
}

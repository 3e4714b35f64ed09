//! The transfer engine: plans what is to move, moves it several files at once, verifies it, and reports through an
//! [`event::Observer`]. It prints nothing and reads no environment.

pub mod error;
pub mod event;
pub mod fetch;
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

/// What every part of a run shares.
#[derive(Clone)]
pub struct Engine {
    /// The REST client.
    pub api: api::Client,
    /// The S3 client.
    pub s3: s3::Client,
    /// How to transfer.
    pub options: Arc<Options>,
    /// Who hears of it.
    pub observer: Arc<dyn Observer>,
    /// What the run has learned of where its uploads go.
    pub storage: storage::Storage,
    /// Cancelled when the run is to stop.
    pub cancel: CancellationToken,
}

impl Engine {
    /// Reports an attempt that failed and is repeated after `pause`. A server that has too much to do gets less.
    fn retried(&self, item: event::ItemNumber, label: &str, attempt: u32, error: &TransferError, pause: Duration) {
        if error.is_overload() {
            self.options.transfers.overloaded();
        }
        self.observer.item_retried(item, label, attempt, error, pause);
    }

    /// An engine with the usual options and without an observer; its fields can be replaced.
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

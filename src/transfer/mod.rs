//! The transfer engine: plans what is to move, moves it several files at once, verifies it, and reports through an
//! [`event::Observer`]. It prints nothing and reads no environment.

mod arrived;
pub mod body;
pub mod download;
pub mod encrypted;
pub mod error;
pub mod event;
mod fetch;
pub mod folders;
pub mod listed;
pub mod multipart;
pub mod options;
pub mod plan;
pub mod plan_download;
pub mod plan_upload;
mod proof;
pub mod run;
pub mod stream;
pub mod target;
pub mod temporary;
pub mod upload;
pub mod verify;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use error::TransferError;
pub use event::Observer;
pub use options::{IfExists, Options};
pub use run::Summary;

/// What every part of a run shares.
#[derive(Clone)]
pub struct Engine {
    /// The REST client.
    pub api: crate::api::Client,
    /// The S3 client.
    pub s3: crate::s3::Client,
    /// How to transfer.
    pub options: Arc<Options>,
    /// Who hears of it.
    pub observer: Arc<dyn Observer>,
    /// What the run has learned of where its uploads go.
    pub storage: encrypted::Storage,
    /// Cancelled when the run is to stop.
    pub cancel: CancellationToken,
}

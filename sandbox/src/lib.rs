//! An in-process Pydio Cells server for tests and demonstrations.
//!
//! It speaks the REST interface and the S3 gateway of a real server with their quirks, keeps
//! everything in a temporary folder, and can be made to fail on demand.
//!
//! ```no_run
//! use cells_sandbox::{Config, Sandbox};
//!
//! # fn main() -> anyhow::Result<()> {
//! let sandbox = Sandbox::start(Config::default())?;
//! sandbox.tree().put("common-files/hello.txt", "hello")?;
//! let (url, token) = (sandbox.url(), sandbox.token("admin"));
//! // … let a client work with them …
//! # let _ = (url, token);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clock;
mod content;
pub mod demo;
mod directory;
mod events;
mod faults;
mod hostile;
mod jobs;
mod links;
mod oauth;
mod path_rules;
mod public;
mod random;
mod request_log;
mod rest;
mod s3;
mod sandbox;
mod server;
mod sessions;
mod steps;
mod tls;
mod tokens;
mod transport;
mod tree;
mod updates;
mod user_meta;
mod world;

pub use faults::{Fault, Faults, Gate, Kept};
pub use hostile::{Lie, Malice};
pub use oauth::control::Pair;
pub use request_log::RequestRecord;
pub use s3::{PendingUpload, S3};
pub use sandbox::{Config, Sandbox};
pub use sessions::{Lifetimes, Race};
pub use steps::{Stage, Steps, Stop};
pub use tokens::TokenKind;
pub use tree::Tree;
pub use updates::Release;

pub(crate) use sandbox::Shared;

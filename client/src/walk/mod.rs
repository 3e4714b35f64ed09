//! Local and remote trees as bounded streams, and remote globs.

pub mod filter;
pub mod glob;
pub mod local;
pub mod ordered;
pub mod remote;

use crate::failure::ServerError;
use crate::http::retry::{Advice, Retryable as _};
use crate::path::RemotePath;

/// A part of a remote tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// A listing or a stat failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A folder with the name of an archive, which the server cannot list.
    #[error("{0} is a folder with the name of an archive: the server cannot list it")]
    ArchiveFolder(RemotePath),
    /// A rule of a filter that is not valid.
    #[error("the rule '{rule}' is not valid: {reason}")]
    Rule {
        /// The rule or the pattern as typed.
        rule: String,
        /// What is not valid.
        reason: String,
    },
    /// A pattern that is not valid.
    #[error("'{pattern}' is not a valid pattern: {reason}")]
    Pattern {
        /// The pattern as typed.
        pattern: String,
        /// What is not valid.
        reason: String,
    },
}

impl WalkError {
    /// Whether another attempt later may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Server(error) => error.advice() != Advice::Stop,
            Self::ArchiveFolder(_) | Self::Rule { .. } | Self::Pattern { .. } => false,
        }
    }
}

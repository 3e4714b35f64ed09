//! What is kept between runs: accounts in config.json, their secrets in the system keyring.

pub mod accounts;
pub mod keyring;
mod migrate;
#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;
pub mod vault;

use std::io;
use std::path::PathBuf;

use crate::account::UrlError;

pub use accounts::{Accounts, ConfigFile, Entry};
pub use keyring::{Keyring, KeyringError};
pub use vault::{Place, Room, Saved, Vault};

/// Why accounts cannot be read, used or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was tried: `read`, `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what either client writes.
    #[error("{path} is not valid: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another process holds the lock.
    #[error("another cec is changing {path}")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The thread that reads and writes broke down.
    #[error("accessing the accounts failed: {0}")]
    BrokenDown(String),
    /// The environment names no place for it.
    #[error("there is no folder to store accounts in")]
    NoFolder,
    /// The account's secret is in the system keyring, which does not give it.
    #[error("the secret of {id} is in the system keyring: {source}")]
    Keyring {
        /// The account.
        id: String,
        /// Why.
        source: KeyringError,
    },
    /// A secret was to be kept in the system keyring, which does not take it.
    #[error("the secret cannot be stored: {0}")]
    NotKept(KeyringError),
    /// The account has no secret at all.
    #[error("no secret is stored for {id}")]
    NoSecret {
        /// The account.
        id: String,
    },
    /// The account is of a type that is not known.
    #[error("{id} is of the unknown type '{name}'")]
    Type {
        /// The account.
        id: String,
        /// Its type.
        name: String,
    },
    /// The account's URL cannot be used.
    #[error("the URL stored for {id} cannot be used: {reason}")]
    Url {
        /// The account.
        id: String,
        /// Why.
        reason: UrlError,
    },
}

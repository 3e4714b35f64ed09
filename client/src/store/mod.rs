//! Storage between runs: accounts in config.json, their secrets in the system keyring.

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

/// Accounts cannot be read, used or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An operation of the file system failed.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// The operation: `read`, `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file does not have the format of either client.
    #[error("{path} is not valid: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why it cannot be parsed.
        reason: String,
    },
    /// Another process holds the lock.
    #[error("another cec is changing {path}")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The thread that reads and writes has panicked.
    #[error("accessing the accounts failed: {0}")]
    BrokenDown(String),
    /// The environment does not define a folder for the file.
    #[error("there is no folder to store accounts in")]
    NoFolder,
    /// The account's secret is in the system keyring, which does not return it.
    #[error("the secret of {id} is in the system keyring: {source}")]
    Keyring {
        /// The account.
        id: String,
        /// The error of the keyring.
        source: KeyringError,
    },
    /// The system keyring does not accept a secret that should be stored in it.
    #[error("the secret cannot be stored: {0}")]
    NotKept(KeyringError),
    /// The account has no secret at all.
    #[error("no secret is stored for {id}")]
    NoSecret {
        /// The account.
        id: String,
    },
    /// The type of the account is unknown.
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
        /// Why it cannot be used.
        reason: UrlError,
    },
}

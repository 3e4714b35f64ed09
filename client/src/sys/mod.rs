//! What differs between operating systems, and what touches them directly.

pub mod atomic_file;
pub mod local_name;
pub mod lock;
pub mod open;

/// Which file of which disk it is, where the system tells.
#[cfg(unix)]
pub fn file_identity(metadata: &std::fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

/// Which file of which disk it is, where the system tells.
#[cfg(not(unix))]
pub fn file_identity(_metadata: &std::fs::Metadata) -> Option<(u64, u64)> {
    None
}

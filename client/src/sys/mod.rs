//! Operating system interfaces, and the differences between systems.

pub mod atomic_file;
pub mod local_name;
pub mod lock;
pub mod open;

/// Returns the device and inode numbers, if the system has them.
#[cfg(unix)]
pub fn file_identity(metadata: &std::fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

/// Returns the device and inode numbers, if the system has them.
#[cfg(not(unix))]
pub fn file_identity(_metadata: &std::fs::Metadata) -> Option<(u64, u64)> {
    None
}

//! Reading and writing a file at a position of one's own, so that many can do it at once.

use std::fs::File;
use std::io;

/// Fills the buffer from `offset` on.
#[cfg(unix)]
pub(super) fn read_exact(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// Writes all bytes from `offset` on.
#[cfg(unix)]
pub(super) fn write_all(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Fills the buffer from `offset` on.
#[cfg(windows)]
pub(super) fn read_exact(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let length = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[length..];
        offset += length as u64;
    }
    Ok(())
}

/// Writes all bytes from `offset` on.
#[cfg(windows)]
pub(super) fn write_all(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let length = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if length == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[length..];
        offset += length as u64;
    }
    Ok(())
}

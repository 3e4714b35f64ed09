//! Opens local files without ever blocking on a pipe.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Opens a regular file for reading, following links. Refuses a pipe, a socket or a device without opening it for real,
/// even if it has just replaced a file: opening one could block forever.
///
/// # Errors
/// Errors of the file system; [`io::ErrorKind::InvalidInput`] if the file is not a regular file.
pub fn regular_file(path: &Path) -> io::Result<File> {
    // Some devices act as soon as they are opened.
    check(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    set_flags(&mut options, rustix::fs::OFlags::empty());
    let file = options.open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a text file that [`regular_file`] can open.
///
/// # Errors
/// As [`regular_file`]; [`io::ErrorKind::InvalidData`] if the content is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    io::read_to_string(regular_file(path)?)
}

/// Opens one of this program's own files for appending, and creates it with access for its owner only. Others who may
/// write to the folder could have put something else there, so no link is followed, and opening never blocks.
///
/// # Errors
/// Errors of the file system; [`io::ErrorKind::InvalidInput`] if the file is not a regular file.
pub fn own_file(path: &Path) -> io::Result<File> {
    own(path, File::options().append(true))
}

/// Like [`own_file`], for reading as well.
///
/// # Errors
/// As [`own_file`].
pub fn own_record(path: &Path) -> io::Result<File> {
    own(path, File::options().read(true).append(true))
}

fn own(path: &Path, options: &mut fs::OpenOptions) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => check(&found?)?,
    }
    options.create(true);
    #[cfg(unix)]
    {
        std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
        set_flags(options, rustix::fs::OFlags::NOFOLLOW);
    }
    let file = options.open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Whether an open file is the one at a path.
///
/// # Errors
/// Errors of the file system, for example that nothing is there.
pub fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (own, named) = (file.metadata()?, fs::symlink_metadata(path)?);
    #[cfg(unix)]
    let same = {
        use std::os::unix::fs::MetadataExt as _;
        (own.dev(), own.ino()) == (named.dev(), named.ino())
    };
    #[cfg(not(unix))]
    let same = own.len() == named.len();
    Ok(named.is_file() && same)
}

/// Sets flags so that opening never blocks, and a terminal never becomes the controlling terminal. They have no effect
/// on regular files.
#[cfg(unix)]
fn set_flags(options: &mut fs::OpenOptions, more: rustix::fs::OFlags) {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY | more;
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, i32::try_from(flags.bits()).unwrap_or_default());
}

fn check(metadata: &fs::Metadata) -> io::Result<()> {
    let kind = if metadata.is_file() {
        return Ok(());
    } else if metadata.is_dir() {
        "a folder"
    } else if metadata.is_symlink() {
        "a link"
    } else {
        "a pipe, socket or device"
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("not a regular file, but {kind}")))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn only_regular_files_are_opened_and_nothing_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "content").expect("a file");
        std::os::unix::fs::symlink("file", path("link")).expect("a link");
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo");
        assert!(made.success());
        for name in ["file", "link"] {
            let mut text = String::new();
            regular_file(&path(name)).expect("a file").read_to_string(&mut text).expect("its content");
            assert_eq!(text, "content");
        }
        for special in [path("pipe"), path("."), "/dev/null".into()] {
            let error = regular_file(&special).expect_err("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{}: {error}", special.display());
        }
        assert_eq!(regular_file(&path("nothing")).expect_err("nothing").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_of_ones_own_is_no_link_and_no_pipe() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for _ in 0..2 {
            own_file(&path("file")).expect("made or opened");
        }
        fs::write(path("other"), "content").expect("a file");
        std::os::unix::fs::symlink("other", path("link")).expect("a link");
        std::os::unix::fs::symlink("nothing", path("dangling")).expect("a link");
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo");
        assert!(made.success());
        for special in ["link", "dangling", "pipe", "."] {
            let error = own_file(&path(special)).expect_err("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{special}: {error}");
        }
        assert!(!path("nothing").exists());
    }
}

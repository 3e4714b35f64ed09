//! Opening local files without ever waiting for somebody at the other end of a pipe.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Opens a regular file for reading, through links. A pipe, a socket or a device is refused without a touch, even if it
/// took the place of a file a moment ago: opening one could wait for ever.
///
/// # Errors
/// The file system's; [`io::ErrorKind::InvalidInput`] for what is no regular file.
pub fn regular_file(path: &Path) -> io::Result<File> {
    // Some devices do something as soon as they are opened.
    check(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // No effect on regular files.
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn check(metadata: &fs::Metadata) -> io::Result<()> {
    let kind = if metadata.is_file() {
        return Ok(());
    } else if metadata.is_dir() {
        "a folder"
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
}

//! Private files that are replaced atomically: a reader sees the old or the new content, never a part.

use std::fs;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::open;

/// The maximum number of links to follow. More than that count as a loop.
const MOST_LINKS: usize = 32;

/// The start and the end of temporary file names.
const TEMPORARY: (&str, &str) = (".config-", ".tmp");

/// Writes a file that only its owner can read: a temporary file beside it, flushed to the disk, then renamed. If `path`
/// is a symbolic link, its target is written and the link remains.
///
/// # Errors
/// Errors of the file system. The old content is then unchanged.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    Reserved::beside(path)?.fill(content)
}

/// Reserved disk space for the next content of a private file: a temporary file beside it, removed when this is
/// dropped.
#[derive(Debug)]
pub struct Reserved {
    file: tempfile::NamedTempFile,
    target: PathBuf,
}

impl Reserved {
    /// Makes sure that `length` bytes can be written and can replace `path`. Links are followed.
    ///
    /// # Errors
    /// Errors of the file system: the disk is full, or the folder is not writable.
    pub fn of_length(path: &Path, length: u64) -> io::Result<Self> {
        let mut reserved = Self::beside(path)?;
        // Blocks that were written and flushed can be written again. A file of this length alone could be sparse,
        // without any blocks.
        io::copy(&mut io::repeat(b' ').take(length), reserved.file.as_file_mut())?;
        reserved.file.as_file().sync_all()?;
        Ok(reserved)
    }

    fn beside(path: &Path) -> io::Result<Self> {
        // Beside the real target: a rename works only within one file system, and must not replace a link.
        let target = follow_links(path)?;
        // On Unix the temporary file has mode 0600.
        let builder = tempfile::Builder::new().prefix(TEMPORARY.0).suffix(TEMPORARY.1).tempfile_in(folder_of(&target));
        let file = builder?;
        // The lock marks the file as in use for `remove_leftovers` of other processes.
        file.as_file().lock()?;
        Ok(Self { file, target })
    }

    /// Writes the content, flushes it to the disk and renames the file.
    ///
    /// # Errors
    /// Errors of the file system. The old content is then unchanged.
    pub fn fill(mut self, content: &[u8]) -> io::Result<()> {
        self.file.as_file_mut().rewind()?;
        self.file.as_file_mut().write_all(content)?;
        // The reserved space is usually longer than the content.
        let length = u64::try_from(content.len()).map_err(io::Error::other)?;
        self.file.as_file().set_len(length)?;
        // Before the rename: after a power failure, the name must not refer to an empty file.
        self.file.as_file().sync_all()?;
        // The lock is for temporary files only, and must not remain on the file under its final name.
        self.file.as_file().unlock()?;
        self.file.persist(&self.target).map_err(|error| error.error)?;
        sync_folder(folder_of(&self.target))
    }
}

/// Removes temporary files that killed processes left beside `path`, if possible. Files in use are kept. Call it only
/// while no other process starts to write there.
pub fn remove_leftovers(path: &Path) {
    let Ok(target) = follow_links(path) else { return };
    for entry in fs::read_dir(folder_of(&target)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_temporary = name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1);
        // The lock of a killed process is gone. One that can be acquired means that nobody uses the file.
        if is_temporary && open::regular_file(&entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes a file. If `path` is a symbolic link, removes its target and then the link. Returns whether there was a
/// file.
///
/// # Errors
/// Errors of the file system.
pub fn remove(path: &Path) -> io::Result<bool> {
    let target = follow_links(path)?;
    let existed = match fs::remove_file(&target) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if target != path {
        fs::remove_file(path)?;
    }
    sync_folder(folder_of(&target))?;
    Ok(existed)
}

/// Creates a folder and its missing parents, accessible only by their owner. Returns whether it was missing.
///
/// # Errors
/// Errors of the file system.
pub fn create_private_folder(path: &Path) -> io::Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    Ok(true)
}

/// Whether a path is a folder of this user that nobody else may write to. A link to such a folder does not count.
pub fn is_own_private_folder(path: &Path) -> bool {
    // Without following links: whoever owns a link can redirect it at any time.
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0
    }
    #[cfg(not(unix))]
    found.is_dir()
}

/// Removes all permissions on a path for everybody but its owner.
///
/// # Errors
/// Errors of the file system.
pub fn make_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7700))?;
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Whether users other than the owner can read a file.
pub fn is_readable_by_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o044 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Follows symbolic links. The last one may be dangling.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut current = path.to_owned();
    for _ in 0..MOST_LINKS {
        // By hand, because `canonicalize` fails for a target that does not exist yet.
        match fs::read_link(&current) {
            Ok(next) => current = folder_of(&current).join(next),
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(current);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{} is a loop of symbolic links", path.display())))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a rename survive a power failure.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[test]
    fn a_replaced_file_is_private_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        fs::write(&path, "old and longer").expect("a file");
        fs::write(folder.path().join(".config-abc.tmp"), "of one that was killed").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
        assert!(is_readable_by_others(&path));
        remove_leftovers(&path);
        write_private(&path, b"new").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("content"), "new");
        assert_eq!(mode(&path), 0o600);
        assert!(!is_readable_by_others(&path));
        assert_eq!(fs::read_dir(folder.path()).expect("entries").count(), 1);
    }

    #[test]
    fn room_is_kept_until_it_is_filled_or_given_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        fs::write(&path, "old").expect("a file");
        let names = || fs::read_dir(folder.path()).expect("entries").count();
        let room = Reserved::of_length(&path, 5000).expect("room");
        // Others may change the file meanwhile, and clean up.
        remove_leftovers(&path);
        write_private(&path, b"newer").expect("written");
        room.fill(b"newest").expect("filled");
        assert_eq!((fs::read_to_string(&path).expect("content").as_str(), mode(&path), names()), ("newest", 0o600, 1));
        drop(Reserved::of_length(&path, 1).expect("room"));
        assert_eq!((fs::read_to_string(&path).expect("content").as_str(), names()), ("newest", 1));
    }

    #[test]
    fn links_are_written_through_even_to_what_does_not_exist_yet() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("link");
        fs::create_dir(folder.path().join("elsewhere")).expect("a folder");
        symlink("elsewhere/real", folder.path().join("middle")).expect("a link");
        symlink("middle", &path).expect("a link");
        for content in ["one", "two"] {
            write_private(&path, content.as_bytes()).expect("written");
            assert_eq!(fs::read_to_string(folder.path().join("elsewhere/real")).expect("content"), content);
        }
        assert!(fs::symlink_metadata(&path).expect("a link").file_type().is_symlink());
        assert!(remove(&path).expect("removed"));
        assert!(!folder.path().join("elsewhere/real").exists());
        symlink("ring", folder.path().join("ring")).expect("a link");
        assert!(write_private(&folder.path().join("ring"), b"x").is_err());
    }

    #[test]
    fn folders_are_created_and_made_private() {
        let base = tempfile::tempdir().expect("a folder");
        let path = base.path().join("a/b");
        assert!(create_private_folder(&path).expect("made"));
        assert!(!create_private_folder(&path).expect("kept"));
        assert_eq!(mode(&path), 0o700);
        assert!(is_own_private_folder(&path));
        let link = path.with_extension("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        assert!(!is_own_private_folder(&link), "somebody may turn it elsewhere");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("a mode");
        assert!(!is_own_private_folder(&path), "others may write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        make_private(&path).expect("mended");
        assert_eq!(mode(&path), 0o700);
    }
}

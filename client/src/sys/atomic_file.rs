//! Private files that are replaced as a whole: a reader sees the old content or the new, never a part.

use std::fs;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::open;

/// How many links are followed before they count as a ring.
const MOST_LINKS: usize = 32;

/// What the names of temporary files begin and end with.
const TEMPORARY: (&str, &str) = (".config-", ".tmp");

/// Writes a file that only its owner can read: a temporary file beside it, flushed to the disk, then renamed. Where
/// `path` is a symbolic link, what it points at is written and the link stays.
///
/// # Errors
/// The file system's; the old content is then untouched.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    Reserved::beside(path)?.fill(content)
}

/// Room on the disk for the next content of a private file: a temporary file beside it, gone when this is dropped.
#[derive(Debug)]
pub struct Reserved {
    file: tempfile::NamedTempFile,
    target: PathBuf,
}

impl Reserved {
    /// Makes sure that as many bytes can be written and take the place of `path`, where links to it lead.
    ///
    /// # Errors
    /// The file system's: it is full, or the folder cannot be written to.
    pub fn of_length(path: &Path, length: u64) -> io::Result<Self> {
        let mut reserved = Self::beside(path)?;
        // Blocks that were written and flushed are there to be written again; a mere length may be a hole.
        io::copy(&mut io::repeat(b' ').take(length), reserved.file.as_file_mut())?;
        reserved.file.as_file().sync_all()?;
        Ok(reserved)
    }

    fn beside(path: &Path) -> io::Result<Self> {
        let target = follow_links(path)?;
        // The temporary file is made with mode 0600 on Unix.
        let builder = tempfile::Builder::new().prefix(TEMPORARY.0).suffix(TEMPORARY.1).tempfile_in(folder_of(&target));
        let file = builder?;
        // It says that somebody is still going to use it.
        file.as_file().lock()?;
        Ok(Self { file, target })
    }

    /// Puts the content in, flushes it to the disk and gives it the name.
    ///
    /// # Errors
    /// The file system's; the old content is then untouched.
    pub fn fill(mut self, content: &[u8]) -> io::Result<()> {
        self.file.as_file_mut().rewind()?;
        self.file.as_file_mut().write_all(content)?;
        let length = u64::try_from(content.len()).map_err(io::Error::other)?;
        self.file.as_file().set_len(length)?;
        self.file.as_file().sync_all()?;
        self.file.as_file().unlock()?;
        self.file.persist(&self.target).map_err(|error| error.error)?;
        sync_folder(folder_of(&self.target))
    }
}

/// Removes the temporary files that a killed process left beside `path`, as far as that is possible; those that are
/// still in use stay. To be called while nobody else begins to write there.
pub fn remove_leftovers(path: &Path) {
    let Ok(target) = follow_links(path) else { return };
    for entry in fs::read_dir(folder_of(&target)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_temporary = name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1);
        if is_temporary && open::regular_file(&entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes a file; where `path` is a symbolic link, what it points at, and then the link. Gives whether there was one.
///
/// # Errors
/// The file system's.
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

/// Makes a folder, and those above it, for its owner only. Gives whether it was missing.
///
/// # Errors
/// The file system's.
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

/// Whether a path is a folder of this user that nobody else may write to, and no link to one.
pub fn is_own_private_folder(path: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0
    }
    #[cfg(not(unix))]
    found.is_dir()
}

/// Takes all rights on a path from everybody but its owner.
///
/// # Errors
/// The file system's.
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

/// Whether others than the owner can read a file.
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

/// Where a path leads through symbolic links, the last of which may point at nothing yet.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut current = path.to_owned();
    for _ in 0..MOST_LINKS {
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

/// Makes a rename last through a power failure.
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
    fn folders_are_made_and_mended_private() {
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

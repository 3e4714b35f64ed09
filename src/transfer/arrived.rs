//! What has arrived of a file: kept in a temporary file beside its place, or in memory where it is small, hashed as it
//! comes, and given its name only at the end.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::TransferError;
use super::verify::hash_file;
use crate::hash::{CELLS_BLOCK, Hasher, Scheme, hex, md5};

/// Contents up to this many bytes are kept in memory until they are whole and verified: then one visit to the disk does
/// it all, which for many small files is most of the work.
const IN_MEMORY: u64 = 256 * 1024;

/// Where what has arrived is kept.
enum Store {
    Memory(Vec<u8>),
    File(NamedTempFile),
}

/// What has arrived of a file so far. Its temporary file, if it has one, goes with it.
pub(super) struct Arrived {
    store: Store,
    /// The ETag of the content that it is a part of.
    pub(super) etag: String,
    /// The sum of it, where it is to be verified.
    pub(super) hasher: Option<Hasher>,
    /// How many bytes have arrived.
    pub(super) bytes: u64,
    /// How many bytes make it whole.
    pub(super) total: u64,
}

impl Arrived {
    /// Nothing of the content with that ETag, which will have `total` bytes. `place` says which folder it is kept in.
    pub(super) fn begin(place: &Path, etag: &str, total: u64, verify: bool) -> Result<Self, TransferError> {
        let store = if total <= IN_MEMORY {
            Store::Memory(Vec::with_capacity(usize::try_from(total).unwrap_or(0)))
        } else {
            Store::File(temporary(place).map_err(|error| TransferError::local(place, error))?)
        };
        let scheme = Scheme::of_etag(etag, total).unwrap_or(Scheme::Parts(CELLS_BLOCK));
        Ok(Self { store, etag: etag.to_owned(), hasher: verify.then(|| Hasher::new(scheme)), bytes: 0, total })
    }

    /// Whether it is kept in memory: taking bytes then blocks nobody.
    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Whether all of it is there.
    pub(super) fn is_whole(&self) -> bool {
        self.bytes == self.total
    }

    /// Takes further bytes. Blocking, but for what is kept in memory.
    pub(super) fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        match &mut self.store {
            Store::Memory(content) => content.extend_from_slice(chunk),
            // The file itself: its wrapper would put the temporary name into an error.
            Store::File(file) => file.as_file_mut().write_all(chunk)?,
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    /// Takes further bytes until no more come. Blocking.
    pub(super) fn take_all(mut self, mut receiver: mpsc::Receiver<Bytes>) -> io::Result<Self> {
        while let Some(chunk) = receiver.blocking_recv() {
            self.take(&chunk)?;
        }
        Ok(self)
    }

    /// The x-cells-hash of it; read again where it was hashed in another way as it came.
    pub(super) async fn cells_hash(&self) -> io::Result<String> {
        if let Some(hash) = self.hasher.clone().and_then(Hasher::cells_hash) {
            return Ok(hash);
        }
        let scheme = Scheme::Parts(CELLS_BLOCK);
        let hasher = match &self.store {
            Store::Memory(content) => {
                let mut hasher = Hasher::new(scheme);
                hasher.update(content);
                hasher
            }
            Store::File(file) => {
                let path = file.path().to_owned();
                let hashed = spawn_blocking(move || hash_file(&path, scheme)).await;
                hashed.map_err(io::Error::other).and_then(|hasher| hasher)?
            }
        };
        Ok(hasher.cells_hash().unwrap_or_default())
    }

    /// Flushes it and gives it its name; gives it back where that is taken and not to be replaced. Blocking.
    pub(super) fn publish(self, place: &Path, modified: Option<SystemTime>, replace: bool) -> io::Result<Option<Self>> {
        let Self { store, etag, hasher, bytes, total } = self;
        let file = match store {
            Store::File(file) => file,
            Store::Memory(content) => {
                let mut file = temporary(place)?;
                file.as_file_mut().write_all(&content)?;
                file
            }
        };
        prepare(file.as_file(), place, modified, replace)?;
        let persisted = if replace { file.persist(place) } else { file.persist_noclobber(place) };
        match persisted {
            Ok(_) => Ok(None),
            Err(error) if !replace && error.error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(Some(Self { store: Store::File(error.file), etag, hasher, bytes, total }))
            }
            Err(error) => Err(error.error),
        }
    }
}

/// A temporary file in the folder of a place. Its name tells which file it is for, so that what an earlier run has left of
/// that file goes away with the next one; where that name cannot be had, it is any other.
fn temporary(place: &Path) -> io::Result<NamedTempFile> {
    let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    #[cfg(unix)]
    if let Some(file) = own_temporary(folder, place) {
        return Ok(file);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".cec-").suffix(".part");
    #[cfg(unix)]
    let permissions = {
        use std::os::unix::fs::PermissionsExt;
        // What the umask leaves of this is what any new file of the user has.
        fs::Permissions::from_mode(0o666)
    };
    #[cfg(unix)]
    builder.permissions(permissions);
    builder.tempfile_in(folder).map_err(without_path)
}

/// The temporary file of a place under its own name. Whoever writes to it holds a lock on it: what nobody holds is a
/// leftover, and is removed. `None` where another run is at it, or anything is not as it should be.
#[cfg(unix)]
fn own_temporary(folder: &Path, place: &Path) -> Option<NamedTempFile> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    // A link under that name, or a file that was put there meanwhile, is not what was opened.
    let is_at = |file: &File, path: &Path| {
        let identity = |metadata: fs::Metadata| (metadata.is_file(), metadata.dev(), metadata.ino());
        let (own, named) = (file.metadata().map(identity), fs::symlink_metadata(path).map(identity));
        matches!((own, named), (Ok(own), Ok(named)) if own.0 && own == named)
    };
    let path = folder.join(format!(".cec-{}.part", &hex(&md5(place.file_name()?.as_encoded_bytes()))[..16]));
    let create = || File::options().read(true).write(true).create_new(true).mode(0o666).open(&path);
    let file = match create() {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let left = File::options().read(true).open(&path).ok()?;
            left.try_lock().ok()?;
            if !is_at(&left, &path) {
                return None;
            }
            fs::remove_file(&path).ok()?;
            create().ok()?
        }
        Err(_) => return None,
    };
    // Another run may have taken it for a leftover before it was locked.
    if file.try_lock().is_err() || !is_at(&file, &path) {
        return None;
    }
    Some(NamedTempFile::from_parts(file, tempfile::TempPath::try_from_path(path).ok()?))
}

fn prepare(file: &File, place: &Path, modified: Option<SystemTime>, replace: bool) -> io::Result<()> {
    if let Some(modified) = modified {
        file.set_modified(modified)?;
    }
    // A file that replaces another keeps the other's permissions.
    if replace
        && let Ok(metadata) = fs::metadata(place)
        && metadata.is_file()
    {
        file.set_permissions(metadata.permissions())?;
    }
    file.sync_all()
}

/// The system's own words, without the name of the temporary file behind them, which tells the user nothing.
fn without_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((words, _)) => io::Error::new(error.kind(), words.to_owned()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_an_earlier_run_left_of_a_file_goes_away_with_the_next_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let count = || fs::read_dir(folder.path()).expect("a folder").count();
        let (place, other) = (folder.path().join("file"), folder.path().join("other"));
        let left = temporary(&place).expect("a file");
        fs::write(left.path(), "left over").expect("a leftover");
        let path = left.into_temp_path().keep().expect("a leftover");
        let next = temporary(&place).expect("a file");
        assert_eq!((next.path(), count()), (&*path, 1), "it takes the place of the leftover");
        assert_eq!(next.as_file().metadata().expect("a file").len(), 0);
        let beside = temporary(&place).expect("another file");
        assert!(beside.path() != next.path() && next.path().exists(), "what is being written to is no leftover");
        assert_ne!(temporary(&other).expect("a file").path(), next.path());
        next.persist(&place).expect("a name");
        drop(beside);
        assert_eq!(count(), 1);
        std::os::unix::fs::symlink(&place, &path).expect("a link");
        drop(temporary(&place).expect("a file"));
        assert_eq!((fs::read_to_string(&place).expect("a file").as_str(), count()), ("", 2), "no link is followed");
    }

    #[test]
    fn the_name_of_a_temporary_file_stays_out_of_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("gone/file");
        let error = Arrived::begin(&place, "etag", IN_MEMORY + 1, true).err().expect("no folder, no file");
        let text = error.to_string();
        assert!(text.contains("gone/file") && !text.contains(".part"), "{text}");
        let TransferError::Local { source, .. } = error else { panic!("{text}") };
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
        let small = Arrived::begin(&place, "etag", 1, true).expect("nothing is written yet");
        let error = small.publish(&place, None, false).err().expect("no folder, no file");
        assert!(error.kind() == io::ErrorKind::NotFound && !error.to_string().contains(".part"), "{error}");
    }
}

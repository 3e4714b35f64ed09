//! Temporary files of downloads. Each is created exclusively beside its target, under an unpredictable name, readable
//! only by the user. Each is recorded until it is removed, so that a later run can remove those of a killed run, and
//! only those.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tempfile::{NamedTempFile, TempPath};

use crate::sys::{atomic_file, local_name, open};

/// The end of a record's file name.
const RECORD: &str = ".temporary-files";

/// The number of obsolete entries that a record may have, beyond twice the number of existing files, before it is
/// rewritten.
const STALE_ENTRIES: usize = 1000;

/// The temporary files of a run, with their record.
#[derive(Debug, Default)]
pub struct Temporaries {
    folder: Option<PathBuf>,
    record: Mutex<Recording>,
}

/// The record of a run: the absolute paths of its temporary files, each followed by a NUL. The file stays locked during
/// the run.
#[derive(Debug, Default)]
enum Recording {
    /// No temporary file has been created yet.
    #[default]
    Before,
    Open(Record),
    /// The record cannot be written, so the temporary files of a killed run would remain.
    Impossible,
}

#[derive(Debug)]
struct Record {
    file: File,
    path: PathBuf,
    /// The folders that were created for the record, deepest first.
    made: Vec<PathBuf>,
    existing: HashSet<PathBuf>,
    entries: usize,
}

impl Temporaries {
    /// Records temporary files in `folder`, which is created when it is needed.
    pub fn recorded_in(folder: PathBuf) -> Self {
        Self { folder: Some(folder), record: Mutex::default() }
    }

    /// Creates an empty temporary file in the folder of `place`, readable only by the user. Blocking.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(in crate::transfer) fn create(self: &Arc<Self>, place: &Path) -> io::Result<Temporary> {
        let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let path = folder.join(local_name::temporary());
        let entry = Entry::new(self, &path);
        let replaced = Permissions::of_file(place);
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        // The umask turns this into the mode of any new file of the user.
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, if replaced.is_some() { 0o600 } else { 0o666 });
        let file = options.open(&path)?;
        let permissions = match replaced {
            Some(replaced) => replaced,
            None => Permissions::of(&file.metadata()?),
        };
        // A file system without permissions may reject this.
        let _ = Permissions::private().give_to(&file);
        let path = TempPath::try_from_path(path)?;
        Ok(Temporary { file: NamedTempFile::from_parts(file, path), permissions, _entry: entry })
    }

    /// Opens the temporary file that an earlier run has left for `place`, to continue it. Blocking.
    ///
    /// # Errors
    /// Errors of the file system; [`io::ErrorKind::NotFound`] if the file is not one of this user's temporary files in
    /// the folder of `place`.
    pub(in crate::transfer) fn adopt(self: &Arc<Self>, path: &Path, place: &Path) -> io::Result<Temporary> {
        let beside = std::path::absolute(place)?.parent() == path.parent();
        let is_ours = beside && path.file_name().and_then(|name| name.to_str()).is_some_and(local_name::is_temporary);
        let metadata = fs::symlink_metadata(path)?;
        if !is_ours || !metadata.is_file() || !is_own(&metadata) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = File::options().read(true).write(true).open(path)?;
        if !open::is_at(&file, path)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entry = Entry::new(self, path);
        // The file itself is private. A new one shows which permissions the umask leaves.
        let permissions = self.create(place)?.permissions.clone();
        let path = TempPath::try_from_path(path)?;
        Ok(Temporary { file: NamedTempFile::from_parts(file, path), permissions, _entry: entry })
    }

    /// Removes the recorded temporary files of killed runs, except those in `kept`, if possible. Blocking.
    pub fn remove_leftovers(&self, kept: &HashSet<PathBuf>) {
        let Some(folder) = &self.folder else { return };
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().ends_with(RECORD) {
                // Another run may have removed it in the meantime.
                let _ = remove_recorded(&entry.path(), kept);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, path: &Path) {
        let mut recording = self.lock();
        if let (Recording::Before, Some(folder)) = (&*recording, &self.folder) {
            // Another run may be removing the folder at this moment.
            let record = Record::create(folder).or_else(|_| Record::create(folder));
            *recording = record.map_or(Recording::Impossible, Recording::Open);
        }
        if let Recording::Open(record) = &mut *recording
            && record.add(path).is_err()
        {
            *recording = Recording::Impossible;
        }
    }

    fn forget(&self, path: &Path) {
        if let Recording::Open(record) = &mut *self.lock() {
            record.existing.remove(path);
        }
    }
}

/// Removes the files that one record names, and the record. The record of a running process is kept.
fn remove_recorded(path: &Path, kept: &HashSet<PathBuf>) -> io::Result<()> {
    let mut file = open::regular_file(path)?;
    if file.try_lock().is_err() {
        return Ok(());
    }
    let mut entries = Vec::new();
    file.read_to_end(&mut entries)?;
    for entry in entries.split(|byte| *byte == 0) {
        let Some(left) = from_bytes(entry) else { continue };
        if !kept.contains(&left) {
            // A file that cannot be removed now will never be: its record is deleted next.
            remove_leftover(&left);
        }
    }
    fs::remove_file(path)
}

/// Removes a temporary file of this program, if possible, and nothing else.
pub(in crate::transfer) fn remove_leftover(path: &Path) {
    let is_ours = path.is_absolute()
        && path.file_name().and_then(|name| name.to_str()).is_some_and(local_name::is_temporary)
        && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    if is_ours {
        let _ = fs::remove_file(path);
    }
}

impl Record {
    fn create(folder: &Path) -> io::Result<Self> {
        // The folders that do not exist yet are removed together with the record.
        let made = folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        Self::create_in(folder, made)
    }

    fn create_in(folder: &Path, made: Vec<PathBuf>) -> io::Result<Self> {
        atomic_file::create_private_folder(folder)?;
        let path = folder.join(format!("{:032x}{RECORD}", rand::random::<u128>()));
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        file.try_lock()?;
        // Before the file was locked, another run may have removed it as the record of a killed one.
        fs::symlink_metadata(&path)?;
        Ok(Self { file, path, made, existing: HashSet::new(), entries: 0 })
    }

    fn add(&mut self, path: &Path) -> io::Result<()> {
        self.existing.insert(path.to_owned());
        let mut text = Vec::new();
        if self.entries > 2 * self.existing.len() + STALE_ENTRIES {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.entries = self.existing.len();
            self.existing.iter().for_each(|path| write_to(&mut text, path));
        } else {
            self.entries += 1;
            write_to(&mut text, path);
        }
        self.file.write_all(&text)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.existing.is_empty() {
            // If this fails, the next run removes it.
            let _ = fs::remove_file(&self.path);
            // Other files may have been added to the folders.
            let _ = self.made.iter().try_for_each(fs::remove_dir);
        }
    }
}

fn write_to(text: &mut Vec<u8>, path: &Path) {
    text.extend_from_slice(path.as_os_str().as_encoded_bytes());
    text.push(0);
}

fn from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    #[cfg(unix)]
    let text = Some(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes.to_vec()));
    #[cfg(not(unix))]
    let text = std::str::from_utf8(bytes).ok().map(OsString::from);
    text.filter(|text| !text.is_empty()).map(PathBuf::from)
}

/// A path in the record, for as long as the file may exist.
#[derive(Debug)]
struct Entry {
    temporaries: Arc<Temporaries>,
    path: PathBuf,
}

impl Entry {
    fn new(temporaries: &Arc<Temporaries>, path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        temporaries.add(&path);
        Self { temporaries: temporaries.clone(), path }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.temporaries.forget(&self.path);
    }
}

/// A temporary file. Dropping it removes the file, unless it was published.
#[derive(Debug)]
pub(in crate::transfer) struct Temporary {
    /// The file without its wrapper, which would put the temporary name into error messages.
    file: NamedTempFile,
    /// The permissions that the file gets when it is published.
    permissions: Permissions,
    /// Dropped after the file, so that the file is recorded until it is gone.
    _entry: Entry,
}

impl Temporary {
    pub(in crate::transfer) fn as_file(&self) -> &File {
        self.file.as_file()
    }

    /// The file for another thread, which reads at offsets while this one writes.
    pub(in crate::transfer) fn second_handle(&self) -> io::Result<File> {
        // On Windows a read at an offset would move the position of a cloned handle. The error would name the file.
        #[cfg(unix)]
        return self.file.as_file().try_clone();
        #[cfg(not(unix))]
        self.file.reopen().map_err(|error| error.kind().into())
    }

    pub(in crate::transfer) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Leaves the file for a later run.
    pub(in crate::transfer) fn keep(self) {
        // If this fails, the file is removed, and the later run starts again.
        let _ = self.file.keep();
    }

    pub(in crate::transfer) fn as_file_mut(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Flushes the file and gives it its name. Returns it if the name is in use and must not be replaced. Blocking.
    ///
    /// # Errors
    /// Errors of the file system; another file has the temporary name.
    pub(in crate::transfer) fn publish(
        self,
        place: &Path,
        modified: Option<SystemTime>,
        replace: bool,
    ) -> io::Result<Option<Self>> {
        let Self { file, permissions, _entry } = self;
        if let Some(modified) = modified {
            file.as_file().set_modified(modified)?;
        }
        let replaced = if replace { Permissions::of_file(place) } else { None };
        replaced.as_ref().unwrap_or(&permissions).give_to(file.as_file())?;
        file.as_file().sync_all()?;
        // The rename works by path, so make sure that the path still names the verified file.
        if !open::is_at(file.as_file(), file.path())? {
            return Err(io::Error::other("another process replaced its temporary file"));
        }
        let persisted = if replace { file.persist(place) } else { file.persist_noclobber(place) };
        match persisted {
            Ok(_) => Ok(None),
            Err(error) if !replace && error.error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(Some(Self { file: error.file, permissions, _entry }))
            }
            Err(error) => Err(error.error),
        }
    }
}

/// Whether a file belongs to this user, under one name only.
fn is_own(metadata: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        metadata.uid() == rustix::process::geteuid().as_raw() && metadata.nlink() == 1
    }
    #[cfg(not(unix))]
    metadata.is_file()
}

/// The permissions of a file.
#[derive(Debug, Clone)]
struct Permissions {
    #[cfg(unix)]
    mode: u32,
    /// The owner and group of the file that is replaced.
    #[cfg(unix)]
    owner: Option<(u32, u32)>,
    #[cfg(not(unix))]
    permissions: Option<fs::Permissions>,
}

#[cfg(unix)]
impl Permissions {
    fn private() -> Self {
        Self { mode: 0o600, owner: None }
    }

    /// The permissions of a new file.
    fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        // Setuid and setgid apply to the old content only.
        Self { mode: metadata.permissions().mode() & 0o777, owner: None }
    }

    /// The permissions of an existing file at `place`, if there is one.
    fn of_file(place: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::symlink_metadata(place).ok().filter(fs::Metadata::is_file)?;
        Some(Self { owner: Some((metadata.uid(), metadata.gid())), ..Self::of(&metadata) })
    }

    fn give_to(&self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let mut mode = self.mode;
        if let Some((user, group)) = self.owner {
            let has = |metadata: fs::Metadata| (metadata.uid(), metadata.gid());
            if has(file.metadata()?) != (user, group) {
                // Fails unless the user is the superuser or a member of the group.
                let _ = std::os::unix::fs::fchown(file, Some(user), Some(group))
                    .or_else(|_| std::os::unix::fs::fchown(file, None, Some(group)));
            }
            if file.metadata()?.gid() != group {
                // If the group differs, it gets only the permissions that everybody has.
                mode &= !0o070 | (mode & 0o007) << 3;
            }
        }
        if file.metadata()?.permissions().mode() & 0o7777 == mode {
            return Ok(());
        }
        file.set_permissions(fs::Permissions::from_mode(mode))
    }
}

#[cfg(not(unix))]
impl Permissions {
    fn private() -> Self {
        Self { permissions: None }
    }

    fn of(_metadata: &fs::Metadata) -> Self {
        Self { permissions: None }
    }

    fn of_file(place: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(place).ok().filter(fs::Metadata::is_file)?;
        Some(Self { permissions: Some(metadata.permissions()) })
    }

    fn give_to(&self, file: &File) -> io::Result<()> {
        match &self.permissions {
            Some(permissions) => file.set_permissions(permissions.clone()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Creates a temporary file and then behaves like a killed run: removes nothing, but releases the lock.
    fn killed(records: &Path, place: &Path) -> PathBuf {
        let temporaries = Arc::new(Temporaries::recorded_in(records.to_owned()));
        let mut temporary = temporaries.create(place).expect("a file");
        temporary.as_file_mut().write_all(b"half").expect("bytes");
        let Temporary { file, _entry, .. } = temporary;
        let path = file.into_temp_path().keep().expect("a leftover");
        if let Recording::Open(record) = &*temporaries.lock() {
            record.file.unlock().expect("unlocked");
        }
        std::mem::forget((_entry, temporaries));
        path
    }

    #[test]
    fn the_next_run_removes_the_files_of_a_killed_run_and_nothing_else() {
        let (folder, kept) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let records = kept.path().to_owned();
        let left = killed(&records, &folder.path().join("file"));
        let foreign = folder.path().join(local_name::temporary());
        fs::write(&foreign, "not ours").expect("a file");
        let alive = Arc::new(Temporaries::recorded_in(records.clone()));
        let being_written = alive.create(&folder.path().join("other")).expect("a file");
        assert!(left.exists() && names(folder.path()).len() == 3);
        Temporaries::recorded_in(records.clone()).remove_leftovers(&HashSet::new());
        assert!(!left.exists(), "the leftover is gone");
        assert_eq!(fs::read_to_string(&foreign).expect("a file"), "not ours");
        let stays = open::is_at(being_written.as_file(), being_written.file.path()).expect("a file");
        assert!(stays, "what is being written to stays");
        drop((being_written, alive));
        assert_eq!(names(folder.path()).len(), 1);
        assert!(names(&records).is_empty(), "no record is left");
        let fresh = records.join("fresh/records");
        drop(Arc::new(Temporaries::recorded_in(fresh.clone())).create(&folder.path().join("other")).expect("a file"));
        assert!(!fresh.parent().expect("a folder").exists(), "nor a folder that was made for it");
    }

    #[cfg(unix)]
    #[test]
    fn a_record_cannot_make_a_run_remove_other_files() {
        let (folder, records) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let victim = folder.path().join("victim");
        fs::write(&victim, "mine").expect("a file");
        let link = folder.path().join(local_name::temporary());
        std::os::unix::fs::symlink(&victim, &link).expect("a link");
        let mut entries = Vec::new();
        for path in [&victim, &link, Path::new("relative")] {
            write_to(&mut entries, path);
        }
        fs::write(records.path().join(format!("x{RECORD}")), entries).expect("a record");
        let pipe = records.path().join(format!("pipe{RECORD}"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
        Temporaries::recorded_in(records.path().to_owned()).remove_leftovers(&HashSet::new());
        assert!(victim.exists() && link.is_symlink());
        assert_eq!(names(records.path()).len(), 1, "the pipe is left alone, and nobody waits for it");
    }

    #[test]
    fn a_record_does_not_grow_with_the_number_of_files() {
        let (folder, records) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let temporaries = Arc::new(Temporaries::recorded_in(records.path().to_owned()));
        let kept = temporaries.create(&folder.path().join("kept")).expect("a file");
        for _ in 0..3 * STALE_ENTRIES {
            temporaries.create(&folder.path().join("file")).expect("a file");
        }
        let record = records.path().join(&names(records.path())[0]);
        let text = fs::read(&record).expect("a record");
        let entries = text.split(|byte| *byte == 0).count();
        assert!(entries < STALE_ENTRIES + 10, "{entries}");
        assert!(text.windows(5).any(|window| window == b".cec-"));
        drop((kept, temporaries));
        assert!(!record.exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_written_file_gets_the_name_and_it_is_private_before() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o7777;
        let temporaries = Arc::new(Temporaries::default());
        let (old, new, usual) = (folder.path().join("old"), folder.path().join("new"), folder.path().join("usual"));
        fs::write(&usual, "").expect("a file");
        for (has, gets) in [(0o600, 0o600), (0o6755, 0o755), (0o4711, 0o711), (0o444, 0o444)] {
            fs::write(&old, "old").expect("a file");
            fs::set_permissions(&old, fs::Permissions::from_mode(has)).expect("a mode");
            let temporary = temporaries.create(&old).expect("a file");
            assert_eq!(mode(temporary.file.path()), 0o600);
            assert!(temporary.publish(&old, None, true).expect("published").is_none());
            assert_eq!(mode(&old), gets, "{has:o}");
            fs::remove_file(&old).expect("removed");
        }
        let temporary = temporaries.create(&new).expect("a file");
        assert_eq!(mode(temporary.file.path()), 0o600);
        assert!(temporary.publish(&new, None, false).expect("published").is_none());
        assert_eq!(mode(&new), mode(&usual));
        let temporary = temporaries.create(&old).expect("a file");
        let hidden = temporary.file.path().to_owned();
        fs::remove_file(&hidden).expect("removed");
        fs::write(&hidden, "another's").expect("a file");
        temporary.publish(&old, None, false).expect_err("it is not what was written");
        assert!(!old.exists());
    }
}

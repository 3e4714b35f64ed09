//! The journal of unfinished transfers: what a later run needs to continue them. Each transfer has a file of its own,
//! which is locked while a process works on it. The first line describes the transfer, each further one a part that the
//! server has.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::api;
use crate::hash::{MEBIBYTE, hex, md5};
use crate::path::RemotePath;
use crate::sys::{atomic_file, open};
use crate::transfer::TransferError;
use crate::transfer::event::Direction;
use crate::transfer::source::Snapshot;
use crate::transfer::temporary::remove_leftover;

/// Smaller downloads have no journal: to fetch them again costs little.
pub(in crate::transfer) const LEAST_DOWNLOAD: u64 = 8 * MEBIBYTE;

/// The server removes the parts of an upload that it has not received a part of for a day (docs/protocol.md §5.5).
pub const UPLOAD_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long an unfinished download is kept.
pub const DOWNLOAD_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long the journal of an upload is kept after the server has removed its parts, so that the user can see it and
/// remove its temporary node.
const EXPIRED_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The maximum number of journals. Further transfers start from the beginning if they are interrupted.
const MOST: usize = 1000;

/// The end of a journal's file name.
const SUFFIX: &str = ".transfer";

/// The number of characters of an id.
const ID: usize = 12;

/// How long others may have the lock of a journal only to list it, and the pause between two attempts to lock it.
const LISTING: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(10);

/// How often a journal is opened again because another process has removed it at that moment.
const OPENINGS: usize = 5;

/// The journals of one account on this machine.
#[derive(Debug, Clone, Default)]
pub struct Journals(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    server: String,
    user: OnceCell<String>,
    /// The ids of transfers that this run has left unfinished.
    kept: Mutex<HashSet<String>>,
}

/// The local and the remote end of a transfer.
#[derive(Debug, Clone, Copy)]
pub(in crate::transfer) struct Ends<'a> {
    pub(in crate::transfer) direction: Direction,
    pub(in crate::transfer) local: &'a Path,
    pub(in crate::transfer) remote: &'a RemotePath,
}

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    version: u32,
    /// The origin of the server.
    pub server: String,
    /// The login of the user.
    pub user: String,
    /// The absolute path of the local file.
    pub local: PathBuf,
    /// The remote path.
    pub remote: String,
    /// The size of the complete content in bytes.
    pub size: u64,
    /// What depends on the direction.
    pub state: State,
}

/// What is needed to continue a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// An upload in parts.
    Upload {
        /// The id of the upload on the server.
        upload: String,
        /// The size of a part in bytes.
        part_size: u64,
        /// The modification time of the source, in nanoseconds since 1970.
        modified: Option<i64>,
        /// The device and inode numbers of the source, if the system has them.
        identity: Option<(u64, u64)>,
        /// Whether it replaces an existing file.
        replaces: bool,
    },
    /// A download into a temporary file.
    Download {
        /// The temporary file, beside the local file.
        temporary: PathBuf,
        /// The ETag of the content on the server.
        etag: String,
        /// Whether it replaces an existing file.
        replaces: bool,
    },
}

impl State {
    /// The state of an upload of the file that was examined.
    pub(in crate::transfer) fn upload(upload: &str, part_size: u64, snapshot: &Snapshot, replaces: bool) -> Self {
        let (modified, identity) = (nanoseconds(snapshot.modified), snapshot.identity);
        Self::Upload { upload: upload.to_owned(), part_size, modified, identity, replaces }
    }
}

/// A line about a part.
#[derive(Debug, Serialize, Deserialize)]
struct PartLine {
    part: u32,
    etag: String,
}

/// An unfinished transfer.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// The id: 12 hexadecimal digits.
    pub id: String,
    /// The description of the transfer.
    pub header: Header,
    /// The number of bytes that are already there.
    pub bytes: u64,
    /// When the last of them arrived.
    pub active: SystemTime,
    /// Whether a process is working on it.
    pub is_running: bool,
}

impl Unfinished {
    /// Whether it can no longer be continued because it is too old.
    pub fn is_expired(&self) -> bool {
        is_older(self.active, self.header.life())
    }

    /// The direction.
    pub fn direction(&self) -> Direction {
        match self.header.state {
            State::Upload { .. } => Direction::Upload,
            State::Download { .. } => Direction::Download,
        }
    }
}

impl Header {
    fn life(&self) -> Duration {
        match self.state {
            State::Upload { .. } => UPLOAD_LIFE,
            State::Download { .. } => DOWNLOAD_LIFE,
        }
    }
}

impl Journals {
    /// Keeps the journals of transfers with `server` in `folder`, which is created when it is needed. The server is
    /// asked for the `user` if it is not known.
    pub fn in_folder(folder: PathBuf, server: String, user: Option<String>) -> Self {
        let user = user.map_or_else(OnceCell::new, |user| OnceCell::new_with(Some(user)));
        Self(Some(Arc::new(Shared { folder, server, user, kept: Mutex::default() })))
    }

    /// The number of transfers that this run has left unfinished so far.
    pub fn unfinished(&self) -> usize {
        self.0.as_ref().map_or(0, |shared| shared.kept().len())
    }

    /// Opens the journal of a transfer and locks it. `None` if it cannot be recorded.
    ///
    /// # Errors
    /// [`TransferError::InProgress`] if another process works on the same transfer.
    pub(in crate::transfer) async fn open(
        &self,
        api: &api::Client,
        ends: Ends<'_>,
    ) -> Result<Option<Journal>, TransferError> {
        let Some(key) = self.key(api, ends).await else { return Ok(None) };
        let opened = tokio::task::spawn_blocking(move || Journal::open(key)).await;
        match opened.map_err(io::Error::other).and_then(|opened| opened) {
            Ok(journal) => Ok(Some(journal)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(TransferError::InProgress(ends.local.display().to_string()))
            }
            Err(error) => {
                tracing::debug!("the transfer cannot be recorded, and could not be resumed: {error}");
                Ok(None)
            }
        }
    }

    /// Whether there is a journal of a transfer that no process works on.
    pub(in crate::transfer) async fn has(&self, api: &api::Client, ends: Ends<'_>) -> bool {
        if self.0.as_ref().is_none_or(|shared| journals(&shared.folder).next().is_none()) {
            return false;
        }
        let Some(key) = self.key(api, ends).await else { return false };
        let found = tokio::task::spawn_blocking(move || read(&key.path).is_ok_and(|found| !found.is_running));
        found.await.unwrap_or(false)
    }

    /// Removes the journal of a transfer that turned out to be complete: its process was killed just before its end.
    pub(in crate::transfer) async fn settle(&self, api: &api::Client, ends: Ends<'_>) {
        if self.has(api, ends).await
            && let Ok(Some(journal)) = self.open(api, ends).await
        {
            let _ = tokio::task::spawn_blocking(|| journal.discard()).await;
        }
    }

    async fn key(&self, api: &api::Client, ends: Ends<'_>) -> Option<Key> {
        let shared = self.0.clone()?;
        let user = shared
            .user
            .get_or_try_init(|| async { api.user().await.ok().flatten().map(|user| user.login).ok_or(()) })
            .await;
        let user = user.ok()?.clone();
        let local = std::path::absolute(ends.local).ok().filter(|path| path.to_str().is_some())?;
        let direction = match ends.direction {
            Direction::Upload => "upload",
            Direction::Download => "download",
        };
        let remote = ends.remote.to_string();
        let text = [direction, &shared.server, &user, local.to_str()?, &remote].join("\0");
        let id = hex(&md5(text.as_bytes()))[..ID].to_owned();
        let path = shared.folder.join(format!("{id}{SUFFIX}"));
        Some(Key { shared, id, path, user, local, remote })
    }

    /// All unfinished transfers on this machine, of all accounts, in the order of their ids. Blocking.
    pub fn list(&self) -> Vec<Unfinished> {
        self.0.as_ref().map_or_else(Vec::new, |shared| list(&shared.folder))
    }

    /// Removes what is too old. Returns the temporary files of unfinished downloads. Blocking.
    pub(in crate::transfer) fn tidy(&self) -> HashSet<PathBuf> {
        let Some(shared) = &self.0 else { return HashSet::new() };
        let mut temporaries = HashSet::new();
        for unfinished in list(&shared.folder) {
            let life = unfinished.header.life();
            match &unfinished.header.state {
                State::Download { temporary, .. } if is_older(unfinished.active, life) => {
                    remove_leftover(temporary);
                    let _ = fs::remove_file(shared.path(&unfinished.id));
                }
                State::Upload { .. } if is_older(unfinished.active, EXPIRED_LIFE) => {
                    let _ = fs::remove_file(shared.path(&unfinished.id));
                }
                // The download was completed just before its process was killed.
                State::Download { temporary, .. } if !unfinished.is_running && !temporary.exists() => {
                    let _ = fs::remove_file(shared.path(&unfinished.id));
                }
                State::Download { temporary, .. } => drop(temporaries.insert(temporary.clone())),
                State::Upload { .. } => {}
            }
        }
        temporaries
    }

    /// Locks the journal of an unfinished transfer, to give it up. Blocking.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if a process works on it; errors of the file system.
    pub(in crate::transfer) fn claim(&self, unfinished: &Unfinished) -> io::Result<Claim> {
        let shared = self.0.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let path = shared.path(&unfinished.id);
        let file = open::regular_file(&path)?;
        lock(&file)?;
        Ok(Claim { path, _file: file })
    }
}

/// The locked journal of a transfer that is given up.
#[derive(Debug)]
pub(in crate::transfer) struct Claim {
    path: PathBuf,
    _file: File,
}

impl Claim {
    /// Removes the journal, and before it the temporary file of a download. Blocking.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(in crate::transfer) fn remove(self, unfinished: &Unfinished) -> io::Result<()> {
        if let State::Download { temporary, .. } = &unfinished.header.state {
            remove_leftover(temporary);
        }
        fs::remove_file(&self.path)
    }
}

impl Shared {
    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}{SUFFIX}"))
    }

    fn kept(&self) -> MutexGuard<'_, HashSet<String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one journal.
#[derive(Debug)]
struct Key {
    shared: Arc<Shared>,
    id: String,
    path: PathBuf,
    user: String,
    local: PathBuf,
    remote: String,
}

/// The journal of one transfer, locked for this process. Dropping it removes the file, unless [`Journal::keep`] was
/// called.
#[derive(Debug)]
pub(in crate::transfer) struct Journal {
    key: Key,
    file: File,
    /// What an earlier run has left.
    found: Option<Unfinished>,
    parts: BTreeMap<u32, String>,
    is_kept: bool,
}

impl Journal {
    /// Blocking.
    fn open(key: Key) -> io::Result<Self> {
        atomic_file::create_private_folder(&key.shared.folder)?;
        if !key.path.exists() && journals(&key.shared.folder).count() >= MOST {
            return Err(io::Error::other("too many unfinished transfers are recorded"));
        }
        for _ in 0..OPENINGS {
            let mut file = open::own_record(&key.path)?;
            lock(&file)?;
            // Before it was locked, another process may have removed it.
            if !open::is_at(&file, &key.path).unwrap_or(false) {
                continue;
            }
            let text = read_text(&mut file)?;
            let active = file.metadata()?.modified()?;
            let found = parse(&key.id, &text, active).ok();
            let parts = parts_in(&text);
            key.shared.kept().remove(&key.id);
            return Ok(Self { key, file, found, parts, is_kept: false });
        }
        Err(io::Error::other("another process removes it again and again"))
    }

    /// What an earlier run has left, with the parts that the server has.
    pub(in crate::transfer) fn found(&self) -> Option<(&Unfinished, &BTreeMap<u32, String>)> {
        self.found.as_ref().map(|found| (found, &self.parts))
    }

    /// Removes what an earlier run has left of a download. Blocking.
    pub(in crate::transfer) fn discard(self) {
        if let Some(State::Download { temporary, .. }) = self.found.as_ref().map(|found| &found.header.state) {
            remove_leftover(temporary);
        }
    }

    /// Records a transfer that begins. Blocking.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(in crate::transfer) fn begin(&mut self, size: u64, state: State) -> io::Result<()> {
        let key = &self.key;
        let (server, user) = (key.shared.server.clone(), key.user.clone());
        let (local, remote) = (key.local.clone(), key.remote.clone());
        let header = Header { version: 1, server, user, local, remote, size, state };
        self.found = None;
        self.parts.clear();
        self.file.set_len(0)?;
        self.write(&header)
    }

    /// Records a part that the server has. Blocking.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(in crate::transfer) fn add_part(&mut self, part: u32, etag: &str) -> io::Result<()> {
        self.write(&PartLine { part, etag: etag.to_owned() })
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        self.file.sync_data()
    }

    /// Leaves the journal for a later run.
    pub(in crate::transfer) fn keep(mut self) {
        self.is_kept = true;
        self.key.shared.kept().insert(self.key.id.clone());
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !self.is_kept {
            // If this fails, a later run removes it.
            let _ = fs::remove_file(&self.key.path);
        }
    }
}

/// The journals in a folder.
fn journals(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(SUFFIX)))
}

fn list(folder: &Path) -> Vec<Unfinished> {
    let mut all: Vec<Unfinished> = journals(folder).filter_map(|path| read(&path).ok()).collect();
    all.sort_by(|one, other| one.id.cmp(&other.id));
    all
}

/// Locks a journal. Somebody who lists the journals has the lock for a moment.
fn lock(file: &File) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LISTING => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Reads a journal without waiting for its lock.
fn read(path: &Path) -> io::Result<Unfinished> {
    let mut file = open::regular_file(path)?;
    let is_running = file.try_lock().is_err();
    let active = file.metadata()?.modified()?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let found = parse(name.trim_end_matches(SUFFIX), &read_text(&mut file)?, active)?;
    Ok(Unfinished { is_running, ..found })
}

fn read_text(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Understands a journal that was last written at `active`.
fn parse(id: &str, text: &str, active: SystemTime) -> io::Result<Unfinished> {
    let header: Header = serde_json::from_slice(text.lines().next().unwrap_or_default().as_bytes())?;
    if header.version != 1 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let (bytes, active) = match &header.state {
        State::Upload { part_size, .. } => {
            let parts = parts_in(text);
            let length = |number: u32| {
                let offset = u64::from(number.saturating_sub(1)).saturating_mul(*part_size);
                header.size.saturating_sub(offset).min(*part_size)
            };
            (parts.keys().map(|number| length(*number)).sum(), active)
        }
        State::Download { temporary, .. } => match fs::symlink_metadata(temporary) {
            Ok(metadata) => (metadata.len().min(header.size), metadata.modified().unwrap_or(active).max(active)),
            Err(_) => (0, active),
        },
    };
    Ok(Unfinished { id: id.to_owned(), header, bytes, active, is_running: false })
}

/// The parts in a journal. A line that was not written completely ends it.
fn parts_in(text: &str) -> BTreeMap<u32, String> {
    let lines = text.lines().skip(1).map_while(|line| serde_json::from_slice::<PartLine>(line.as_bytes()).ok());
    lines.map(|line| (line.part, line.etag)).collect()
}

/// A time in the future counts as now: the clock was set back.
fn is_older(time: SystemTime, life: Duration) -> bool {
    time.elapsed().is_ok_and(|age| age > life)
}

/// The nanoseconds since 1970, if 64 bits are enough for them.
pub(in crate::transfer) fn nanoseconds(time: Option<SystemTime>) -> Option<i64> {
    let since = time?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::local_name;

    fn header(state: State) -> String {
        let header = Header {
            version: 1,
            server: "https://files.example.com".to_owned(),
            user: "admin".to_owned(),
            local: "/data/large".into(),
            remote: "ws/large".to_owned(),
            size: 25,
            state,
        };
        serde_json::to_string(&header).expect("JSON")
    }

    fn upload() -> State {
        State::Upload {
            upload: "id".to_owned(),
            part_size: 10,
            modified: Some(1),
            identity: Some((2, 3)),
            replaces: false,
        }
    }

    #[test]
    fn parts_count_up_to_the_first_line_that_was_not_written_completely() {
        let text = format!(
            "{}\n{{\"part\":1,\"etag\":\"a\"}}\n{{\"part\":3,\"etag\":\"c\"}}\n{{\"part\":2,\"et",
            header(upload())
        );
        let found = parse("id", &text, SystemTime::now()).expect("a journal");
        assert_eq!((found.bytes, found.is_expired(), found.header.state), (15, false, upload()));
        assert_eq!(parts_in(&text).into_iter().collect::<Vec<_>>(), [(1, "a".to_owned()), (3, "c".to_owned())]);
    }

    #[test]
    fn what_is_no_journal_of_this_version_is_refused() {
        let other = header(upload()).replace("\"version\":1", "\"version\":2");
        for text in ["", "\n", "{}", other.as_str(), "{\"version\":1"] {
            assert!(parse("id", text, SystemTime::now()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_upload_expires_after_a_day_and_a_download_after_a_week() {
        let download = State::Download { temporary: "/nowhere/.part".into(), etag: "e".to_owned(), replaces: false };
        let hours = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
        let is_expired = |state, active| parse("id", &header(state), active).expect("a journal").is_expired();
        assert_eq!([23, 25].map(|age| is_expired(upload(), hours(age))), [false, true]);
        assert_eq!([167, 169].map(|age| is_expired(download.clone(), hours(age))), [false, true]);
        let future = SystemTime::now() + Duration::from_secs(3600);
        assert!(!is_expired(upload(), future), "the clock was set back");
    }

    #[test]
    fn only_temporary_files_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ours, other) = (folder.path().join(local_name::temporary()), folder.path().join("report.pdf"));
        for path in [&ours, &other] {
            fs::write(path, "x").expect("a file");
            remove_leftover(path);
        }
        assert!(!ours.exists() && other.exists());
    }
}

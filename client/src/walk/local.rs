//! Local trees: read on their own thread, folders before their content, links followed without loops.

use std::cell::Cell;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::filter::{Filter, IGNORE_FILE, IgnoreFile, Verdict};
use crate::sys::local_name;

/// The number of entries that wait for the receiver before the walk pauses.
const QUEUE: usize = 1024;

/// The maximum size of an ignore file in bytes.
const LARGEST_IGNORE_FILE: u64 = 1 << 20;

/// What to do with symbolic links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkPolicy {
    /// Follow them, also to folders.
    #[default]
    Follow,
    /// Skip them, with a notice.
    Skip,
    /// Report each as a failure.
    Error,
}

/// Options of a walk.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// What to do with symbolic links.
    pub links: LinkPolicy,
    /// What to leave out.
    pub filter: Arc<Filter>,
    /// A file to exclude, by its [`real_path`].
    pub except: Option<PathBuf>,
}

/// Returns the path of a file without links, which is the same however the path is written. For a file that does not
/// exist, returns its future path; `None` if its folder does not exist either.
pub fn real_path(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok().or_else(|| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
    })
}

/// Why an entry is skipped without a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// A FIFO, socket or device.
    Special,
    /// A broken link.
    Dangling,
    /// A link to a folder that contains the link.
    Loop,
    /// A link, and the policy is to skip links.
    Link,
    /// The temporary file of an interrupted download.
    Temporary,
}

impl LeftOut {
    /// Returns the reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Special => "not a regular file (a pipe, socket or device)",
            Self::Dangling => "a broken symbolic link",
            Self::Loop => "a symbolic link to a folder that contains it",
            Self::Link => "a link",
            Self::Temporary => "its name is that of a temporary file of a running or interrupted download",
        }
    }
}

/// Why an entry cannot be transferred.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// An operation of the file system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The name is not UTF-8, and the server stores only Unicode names.
    #[error("the name is not valid UTF-8")]
    NotUnicode,
    /// A link, and the policy is to refuse links.
    #[error("a symbolic link, and links are refused")]
    Link,
    /// A FIFO, socket or device in place of a file or folder.
    #[error("not a regular file or folder, but a pipe, socket or device")]
    Special,
    /// The temporary file of an interrupted download.
    #[error("its name is that of a temporary file of a download, which is never uploaded")]
    Temporary,
}

/// The number of a folder in a walk; the root has 0.
pub type FolderNumber = u64;

/// One item of a walk.
#[derive(Debug)]
pub enum LocalItem {
    /// A folder. It comes before its content. If the filter selects single files, a folder below the root is reported
    /// only if it contains one.
    Folder {
        /// The number.
        number: FolderNumber,
        /// The number of the folder that contains it; `None` for the root.
        parent: Option<FolderNumber>,
        /// The name; empty for the root.
        name: String,
        /// The path.
        path: PathBuf,
    },
    /// A regular file.
    File {
        /// The number of the folder that contains it.
        folder: FolderNumber,
        /// The name.
        name: String,
        /// The path.
        path: PathBuf,
        /// The present size in bytes.
        size: u64,
        /// The modification time, if the file system has it.
        modified: Option<SystemTime>,
    },
    /// A file or folder that the filter leaves out.
    Excluded {
        /// The path.
        path: PathBuf,
    },
    /// The folder, and everything below it, is complete.
    FolderDone(FolderNumber),
    /// An entry that is skipped, with a notice.
    LeftOut {
        /// The path.
        path: PathBuf,
        /// Why it is skipped.
        reason: LeftOut,
    },
    /// The first link that leads out of the root.
    LeadsOut {
        /// The path.
        path: PathBuf,
    },
    /// An entry, or the rest of a folder, that cannot be read.
    Failed {
        /// The path.
        path: PathBuf,
        /// Why.
        error: LocalError,
    },
}

/// Walks the folder `root` on its own thread. Ends early once the receiver is dropped.
pub fn walk(root: PathBuf, options: LocalOptions) -> mpsc::Receiver<LocalItem> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::task::spawn_blocking(move || {
        let canonical = fs::canonicalize(&root).unwrap_or_else(|_| root.clone());
        let mut walker =
            Walker { options, sender, next_number: 1, root: canonical.clone(), left_root: Cell::new(false) };
        // This fails only if the receiver is gone.
        let _ = walker.run(root, canonical);
    });
    receiver
}

/// The receiver is gone.
struct Gone;

struct Walker {
    options: LocalOptions,
    sender: mpsc::Sender<LocalItem>,
    next_number: FolderNumber,
    /// The real path of the root.
    root: PathBuf,
    /// Whether a link that leads out of the root was reported.
    left_root: Cell<bool>,
}

/// A folder in progress, and the sub-folders in it that are still to be entered.
struct Frame {
    number: FolderNumber,
    parent: Option<FolderNumber>,
    name: String,
    path: PathBuf,
    canonical: PathBuf,
    /// The path from the root, with `/` as separator; empty for the root.
    relative: String,
    ignore: IgnoreFile,
    /// Whether it was reported.
    reported: Cell<bool>,
    folders: Vec<(String, PathBuf)>,
}

impl Frame {
    /// Returns the path of a child from the root.
    fn relative_to_root(&self, name: &str) -> String {
        if self.relative.is_empty() { name.to_owned() } else { format!("{}/{name}", self.relative) }
    }
}

impl Walker {
    fn send(&self, item: LocalItem) -> Result<(), Gone> {
        self.sender.blocking_send(item).map_err(|_| Gone)
    }

    fn run(&mut self, root: PathBuf, canonical: PathBuf) -> Result<(), Gone> {
        let mut stack: Vec<Frame> = Vec::new();
        let root = Frame {
            number: 0,
            parent: None,
            name: String::new(),
            path: root,
            canonical,
            relative: String::new(),
            ignore: IgnoreFile::default(),
            reported: Cell::new(false),
            folders: Vec::new(),
        };
        self.report(&root)?;
        stack.push(self.read_folder(root, &[])?);
        while let Some(above) = stack.last_mut() {
            let Some((name, canonical)) = above.folders.pop() else {
                if above.reported.get() {
                    self.send(LocalItem::FolderDone(above.number))?;
                }
                stack.pop();
                continue;
            };
            let frame = Frame {
                number: self.next_number,
                parent: Some(above.number),
                path: above.path.join(&name),
                canonical,
                relative: above.relative_to_root(&name),
                ignore: IgnoreFile::default(),
                reported: Cell::new(false),
                folders: Vec::new(),
                name,
            };
            self.next_number += 1;
            if !self.options.filter.selects_files() {
                self.report(&frame)?;
            }
            let frame = self.read_folder(frame, &stack)?;
            stack.push(frame);
        }
        Ok(())
    }

    /// Reports a folder, unless it was reported before.
    fn report(&self, folder: &Frame) -> Result<(), Gone> {
        if folder.reported.replace(true) {
            return Ok(());
        }
        let Frame { number, parent, name, path, .. } = folder;
        self.send(LocalItem::Folder { number: *number, parent: *parent, name: name.clone(), path: path.clone() })
    }

    /// Sends the files of a folder, and keeps its sub-folders for later.
    fn read_folder(&self, mut frame: Frame, above: &[Frame]) -> Result<Frame, Gone> {
        let opened = fs::read_dir(&frame.path).and_then(|entries| Ok((self.ignore_file(&frame.path)?, entries)));
        let entries = match opened {
            Ok((ignore, entries)) => {
                frame.ignore = ignore;
                entries
            }
            Err(error) => {
                self.send(LocalItem::Failed { path: frame.path.clone(), error: error.into() })?;
                return Ok(frame);
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.send(LocalItem::Failed { path: frame.path.clone(), error: error.into() })?;
                    break;
                }
            };
            let path = entry.path();
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                // The server stores only Unicode. A lossy conversion would upload the file under a name that the user
                // cannot find.
                let shown = frame.relative_to_root(&name.to_string_lossy());
                self.send(match self.options.filter.path(&shown) {
                    true => LocalItem::Failed { path, error: LocalError::NotUnicode },
                    false => LocalItem::Excluded { path },
                })?;
                continue;
            };
            let found = self.examine(&entry.file_type(), &path, &frame, above);
            if self.is_excluded(name, &found, &frame, above) {
                self.send(LocalItem::Excluded { path })?;
                continue;
            }
            // A skipped link leads nowhere, so it is not reported as leading out.
            let is_link = entry.file_type().is_ok_and(|file_type| file_type.is_symlink());
            if is_link && matches!(found, Ok(Examined::File(_) | Examined::Folder(_))) && self.is_first_out(&path) {
                self.send(LocalItem::LeadsOut { path: path.clone() })?;
            }
            match found {
                Ok(Examined::Folder(canonical)) => {
                    let canonical = canonical.unwrap_or_else(|| frame.canonical.join(name));
                    frame.folders.push((name.to_owned(), canonical));
                }
                // The name does not prove that this is a temporary file, so it is never skipped silently.
                Ok(Examined::File(_)) if local_name::is_temporary(name) => {
                    self.send(LocalItem::LeftOut { path, reason: LeftOut::Temporary })?;
                }
                Ok(Examined::File(_)) if self.is_except(&frame, name, &path, &entry.file_type()) => {}
                Ok(Examined::File(metadata)) => {
                    above.iter().chain([&frame]).try_for_each(|folder| self.report(folder))?;
                    self.send(LocalItem::File {
                        folder: frame.number,
                        name: name.to_owned(),
                        path,
                        size: metadata.len(),
                        modified: metadata.modified().ok(),
                    })?;
                }
                Ok(Examined::LeftOut(reason)) => self.send(LocalItem::LeftOut { path, reason })?,
                Err(error) => self.send(LocalItem::Failed { path, error })?,
            }
        }
        Ok(frame)
    }

    /// Reads the ignore file of a folder, if there is one. A folder whose ignore file cannot be read is not entered,
    /// because what it protects would be uploaded.
    fn ignore_file(&self, folder: &Path) -> io::Result<IgnoreFile> {
        if !self.options.filter.ignore_files {
            return Ok(IgnoreFile::default());
        }
        let place = folder.join(IGNORE_FILE);
        match fs::metadata(&place) {
            Ok(metadata) if !metadata.is_file() => return Ok(IgnoreFile::default()),
            Ok(metadata) if metadata.len() > LARGEST_IGNORE_FILE => {
                return Err(io::Error::other(format!("its {IGNORE_FILE} is larger than 1 MiB")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(IgnoreFile::default()),
            Err(error) => return Err(unreadable(&error)),
        }
        match fs::read(place) {
            Ok(bytes) => Ok(IgnoreFile::parse(&String::from_utf8_lossy(&bytes))),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Whether an entry is left out by the filter, or by an ignore file of its folder or one above.
    fn is_excluded(&self, name: &str, found: &Result<Examined, LocalError>, folder: &Frame, above: &[Frame]) -> bool {
        let filter = &self.options.filter;
        let path = folder.relative_to_root(name);
        let is_folder = matches!(found, Ok(Examined::Folder(_)));
        let is_selected = match found {
            Ok(Examined::Folder(_)) => filter.folder(&path),
            Ok(Examined::File(metadata)) => filter.file(&path, metadata.len(), metadata.modified().ok()),
            Ok(Examined::LeftOut(_)) | Err(_) => filter.path(&path),
        };
        let mut ignoring = [folder].into_iter().chain(above.iter().rev());
        let verdict = ignoring.find_map(|frame| {
            let below = path.get(frame.relative.len()..)?.trim_start_matches('/');
            frame.ignore.verdict(below, is_folder)
        });
        !is_selected || verdict == Some(Verdict::Exclude)
    }

    /// Whether a link leads out of the root, for the first time.
    fn is_first_out(&self, path: &Path) -> bool {
        !self.left_root.get()
            && fs::canonicalize(path).is_ok_and(|real| !real.starts_with(&self.root))
            && !self.left_root.replace(true)
    }

    /// Whether a file is the excluded one.
    fn is_except(&self, folder: &Frame, name: &str, path: &Path, file_type: &io::Result<FileType>) -> bool {
        let Some(except) = &self.options.except else { return false };
        // A cheap comparison for regular files, since resolving each path would cost a system call for each file.
        if file_type.as_ref().is_ok_and(FileType::is_file) {
            return except.file_name().is_some_and(|file| file == name) && except.parent() == Some(&folder.canonical);
        }
        // A link may lead to the excluded file.
        fs::canonicalize(path).is_ok_and(|real| real == *except)
    }

    fn examine(
        &self,
        file_type: &io::Result<FileType>,
        path: &Path,
        folder: &Frame,
        above: &[Frame],
    ) -> Result<Examined, LocalError> {
        let file_type = match file_type {
            // Requested again for the error, since an `io::Error` cannot be cloned.
            Ok(file_type) => *file_type,
            Err(_) => fs::symlink_metadata(path)?.file_type(),
        };
        if !file_type.is_symlink() {
            return Ok(if file_type.is_dir() {
                Examined::Folder(None)
            } else if file_type.is_file() {
                Examined::File(fs::symlink_metadata(path)?)
            } else {
                Examined::LeftOut(LeftOut::Special)
            });
        }
        match self.options.links {
            LinkPolicy::Skip => return Ok(Examined::LeftOut(LeftOut::Link)),
            LinkPolicy::Error => return Err(LocalError::Link),
            LinkPolicy::Follow => {}
        }
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Examined::LeftOut(LeftOut::Dangling)),
            // A link to itself, or a loop of links.
            Err(error) if is_link_ring(&error) => return Ok(Examined::LeftOut(LeftOut::Loop)),
            Err(error) => return Err(error.into()),
        };
        if metadata.is_file() {
            return Ok(Examined::File(metadata));
        }
        if !metadata.is_dir() {
            return Ok(Examined::LeftOut(LeftOut::Special));
        }
        let canonical = fs::canonicalize(path)?;
        // Only folders above the link can form a loop. A link to a folder beside it is followed as often as it appears,
        // as in cp.
        let loops = above.iter().chain([folder]).any(|ancestor| ancestor.canonical.starts_with(&canonical));
        Ok(if loops { Examined::LeftOut(LeftOut::Loop) } else { Examined::Folder(Some(canonical)) })
    }
}

/// Adds the name of the ignore file to the error for one that cannot be read.
fn unreadable(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("its {IGNORE_FILE} cannot be read: {error}"))
}

/// Whether the error is ELOOP, for which the standard library has no stable name yet.
fn is_link_ring(error: &io::Error) -> bool {
    let number = if cfg!(any(target_os = "linux", target_os = "android")) { 40 } else { 62 };
    cfg!(unix) && error.raw_os_error() == Some(number)
}

enum Examined {
    /// A folder, with its canonical path if a link leads to it.
    Folder(Option<PathBuf>),
    File(Metadata),
    LeftOut(LeftOut),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> LocalOptions {
        LocalOptions { links: LinkPolicy::Follow, filter: Arc::default(), except: None }
    }

    async fn collect(root: &Path, options: LocalOptions) -> Vec<String> {
        let mut receiver = walk(root.to_owned(), options);
        let mut lines = Vec::new();
        while let Some(item) = receiver.recv().await {
            let shown = |path: &Path| path.strip_prefix(root).expect("below the root").display().to_string();
            lines.push(match item {
                LocalItem::Folder { path, .. } => format!("folder {}", shown(&path)),
                LocalItem::File { path, size, .. } => format!("file {} {size}", shown(&path)),
                LocalItem::FolderDone(number) => format!("done {number}"),
                LocalItem::LeftOut { path, reason } => format!("left {} {reason:?}", shown(&path)),
                LocalItem::LeadsOut { path } => format!("leads out {}", shown(&path)),
                LocalItem::Excluded { path } => format!("excluded {}", shown(&path)),
                LocalItem::Failed { path, error } => format!("failed {} {error}", shown(&path)),
            });
        }
        lines
    }

    #[tokio::test]
    async fn folders_come_before_their_content_and_skipped_entries_are_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("a/b")).expect("folders");
        fs::write(folder.path().join("a/b/x"), "123").expect("a file");
        let leftover = local_name::temporary();
        fs::write(folder.path().join("a").join(&leftover), "rest").expect("a file");
        fs::write(folder.path().join("a/.cec-mydata.part"), "somebody's own").expect("a file");
        fs::write(folder.path().join(".hidden"), "").expect("a file");
        let mut lines = collect(folder.path(), options()).await;
        let (own, left) = ("file a/.cec-mydata.part 14", format!("left a/{leftover} Temporary"));
        for told in [own, &left] {
            lines.remove(lines.iter().position(|line| line == told).expect("told"));
        }
        assert_eq!(
            lines,
            ["folder ", "file .hidden 0", "folder a", "folder a/b", "file a/b/x 3", "done 2", "done 1", "done 0"]
        );
    }

    #[tokio::test]
    async fn excluded_folders_are_not_entered_and_empty_ones_not_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in ["a/b", "empty/deep", "node_modules/x"] {
            fs::create_dir_all(folder.path().join(path)).expect("folders");
        }
        for path in ["a/b/x.jpg", "a/b/x.txt", "node_modules/x/y.jpg", "a/.z.jpg"] {
            fs::write(folder.path().join(path), "123").expect("a file");
        }
        let mut filter = Filter { hidden: false, ..Filter::default() };
        filter.rules.add(Verdict::Exclude, "node_modules/**").expect("a rule");
        filter.rules.add(Verdict::Exclude, "*.txt").expect("a rule");
        let mut lines = collect(folder.path(), LocalOptions { filter: Arc::new(filter), ..options() }).await;
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "done 0",
                "done 1",
                "done 2",
                "excluded a/.z.jpg",
                "excluded a/b/x.txt",
                "excluded node_modules",
                "file a/b/x.jpg 3",
                "folder ",
                "folder a",
                "folder a/b",
            ]
            .map(str::to_owned)
        );
    }

    #[tokio::test]
    async fn ignore_files_rule_their_folder_and_all_below() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("a/b")).expect("folders");
        for path in ["x.o", "a/x.o", "a/b/x.o", "a/b/y", "b"] {
            fs::write(folder.path().join(path), "").expect("a file");
        }
        fs::write(folder.path().join(IGNORE_FILE), "*.o\n/b\n").expect("a file");
        fs::write(folder.path().join("a").join(IGNORE_FILE), "!x.o\ny\n").expect("a file");
        fs::write(folder.path().join("a/b").join(IGNORE_FILE), "/x.o\n").expect("a file");
        let filter = Arc::new(Filter { ignore_files: true, hidden: false, ..Filter::default() });
        let excluded = |lines: Vec<String>| {
            let mut excluded: Vec<_> =
                lines.into_iter().filter(|line| line.starts_with("excluded") && !line.contains("cells")).collect();
            excluded.sort_unstable();
            excluded
        };
        let lines = collect(folder.path(), LocalOptions { filter, ..options() }).await;
        assert_eq!(excluded(lines), ["excluded a/b/x.o", "excluded a/b/y", "excluded b", "excluded x.o"]);
        assert_eq!(excluded(collect(folder.path(), options()).await), [""; 0]);
    }

    #[tokio::test]
    async fn a_folder_whose_ignore_file_cannot_be_read_is_not_entered() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("secret"), "").expect("a file");
        let large = fs::File::create(folder.path().join(IGNORE_FILE)).expect("a file");
        large.set_len(LARGEST_IGNORE_FILE + 1).expect("a size");
        let filter = Arc::new(Filter { ignore_files: true, ..Filter::default() });
        let lines = collect(folder.path(), LocalOptions { filter, ..options() }).await;
        assert_eq!(lines, ["folder ", "failed  its .cellsignore is larger than 1 MiB", "done 0"]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_are_followed_but_never_in_a_ring() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir_all(root.join("real")).expect("folders");
        fs::write(root.join("real/x"), "1").expect("a file");
        symlink("real", root.join("linked")).expect("a link");
        symlink("..", root.join("real/up")).expect("a link");
        symlink("nowhere", root.join("dangling")).expect("a link");
        symlink("self", root.join("self")).expect("a link");
        let mut lines = collect(root, options()).await;
        lines.retain(|line| !line.starts_with("done"));
        lines.sort();
        assert_eq!(
            lines,
            [
                "file linked/x 1",
                "file real/x 1",
                "folder ",
                "folder linked",
                "folder real",
                "left dangling Dangling",
                "left linked/up Loop",
                "left real/up Loop",
                "left self Loop",
            ]
        );
        let lines = collect(root, LocalOptions { links: LinkPolicy::Error, ..options() }).await;
        assert_eq!(lines.iter().filter(|line| line.starts_with("failed")).count(), 4, "{lines:?}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_first_link_that_leads_out_is_reported() {
        use std::os::unix::fs::symlink;
        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let root = folder.path();
        fs::create_dir(root.join("real")).expect("a folder");
        fs::write(elsewhere.path().join("secret"), "1").expect("a file");
        symlink("real", root.join("within")).expect("a link");
        assert!(!collect(root, options()).await.iter().any(|line| line.starts_with("leads out")));
        for name in ["one", "real/two"] {
            symlink(elsewhere.path().join("secret"), root.join(name)).expect("a link");
        }
        let lines = collect(root, options()).await;
        assert_eq!(lines.iter().filter(|line| line.starts_with("leads out")).count(), 1, "{lines:?}");
        let lines = collect(root, LocalOptions { links: LinkPolicy::Skip, ..options() }).await;
        assert!(!lines.iter().any(|line| line.starts_with("leads out")), "{lines:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn names_that_are_not_unicode_fail_and_the_rest_continues() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"bad\xff")), "1").expect("a file");
        fs::write(folder.path().join("good"), "1").expect("a file");
        let lines = collect(folder.path(), options()).await;
        assert!(lines.contains(&"file good 1".to_owned()), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("failed")).count(), 1, "{lines:?}");
    }
}

//! Local trees: read on their own thread, folders before their content, links followed without loops.

use std::cell::Cell;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio::sync::mpsc;

use crate::sys::local_name;

/// The number of entries that wait for the receiver before the walk pauses.
const QUEUE: usize = 1024;

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
    /// Whether to include names that start with a dot.
    pub hidden: bool,
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
    /// A folder. It comes before its content.
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
    path: PathBuf,
    canonical: PathBuf,
    folders: Vec<(String, PathBuf)>,
}

impl Walker {
    fn send(&self, item: LocalItem) -> Result<(), Gone> {
        self.sender.blocking_send(item).map_err(|_| Gone)
    }

    fn run(&mut self, root: PathBuf, canonical: PathBuf) -> Result<(), Gone> {
        self.send(LocalItem::Folder { number: 0, parent: None, name: String::new(), path: root.clone() })?;
        let mut stack = Vec::new();
        let frame = self.read_folder(0, root, canonical, &stack)?;
        stack.push(frame);
        while let Some(frame) = stack.last_mut() {
            let Some((name, canonical)) = frame.folders.pop() else {
                self.send(LocalItem::FolderDone(frame.number))?;
                stack.pop();
                continue;
            };
            let path = frame.path.join(&name);
            let number = self.next_number;
            self.next_number += 1;
            self.send(LocalItem::Folder { number, parent: Some(frame.number), name, path: path.clone() })?;
            let frame = self.read_folder(number, path, canonical, &stack)?;
            stack.push(frame);
        }
        Ok(())
    }

    /// Sends the files of a folder, and keeps its sub-folders for later.
    fn read_folder(
        &self,
        number: FolderNumber,
        path: PathBuf,
        canonical: PathBuf,
        above: &[Frame],
    ) -> Result<Frame, Gone> {
        let mut frame = Frame { number, path, canonical, folders: Vec::new() };
        let entries = match fs::read_dir(&frame.path) {
            Ok(entries) => entries,
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
            let Ok(name) = entry.file_name().into_string() else {
                // The server stores only Unicode. A lossy conversion would upload the file under a name that the user
                // cannot find.
                self.send(LocalItem::Failed { path, error: LocalError::NotUnicode })?;
                continue;
            };
            if !self.options.hidden && name.starts_with('.') {
                continue;
            }
            let found = self.examine(&entry.file_type(), &path, &frame, above);
            // A skipped link leads nowhere, so it is not reported as leading out.
            let is_link = entry.file_type().is_ok_and(|file_type| file_type.is_symlink());
            if is_link && matches!(found, Ok(Examined::File(_) | Examined::Folder(_))) && self.is_first_out(&path) {
                self.send(LocalItem::LeadsOut { path: path.clone() })?;
            }
            match found {
                Ok(Examined::Folder(canonical)) => {
                    let canonical = canonical.unwrap_or_else(|| frame.canonical.join(&name));
                    frame.folders.push((name, canonical));
                }
                // The name does not prove that this is a temporary file, so it is never skipped silently.
                Ok(Examined::File(_)) if local_name::is_temporary(&name) => {
                    self.send(LocalItem::LeftOut { path, reason: LeftOut::Temporary })?;
                }
                Ok(Examined::File(_)) if self.is_except(&frame, &name, &path, &entry.file_type()) => {}
                Ok(Examined::File(metadata)) => self.send(LocalItem::File {
                    folder: number,
                    name,
                    path,
                    size: metadata.len(),
                    modified: metadata.modified().ok(),
                })?,
                Ok(Examined::LeftOut(reason)) => self.send(LocalItem::LeftOut { path, reason })?,
                Err(error) => self.send(LocalItem::Failed { path, error })?,
            }
        }
        Ok(frame)
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

    const OPTIONS: LocalOptions = LocalOptions { links: LinkPolicy::Follow, hidden: true, except: None };

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
        let mut lines = collect(folder.path(), OPTIONS).await;
        let (own, left) = ("file a/.cec-mydata.part 14", format!("left a/{leftover} Temporary"));
        for told in [own, &left] {
            lines.remove(lines.iter().position(|line| line == told).expect("told"));
        }
        assert_eq!(
            lines,
            ["folder ", "file .hidden 0", "folder a", "folder a/b", "file a/b/x 3", "done 2", "done 1", "done 0"]
        );
        let lines = collect(folder.path(), LocalOptions { hidden: false, ..OPTIONS }).await;
        assert!(!lines.iter().any(|line| line.contains(".hidden")), "{lines:?}");
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
        let mut lines = collect(root, OPTIONS).await;
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
        let lines = collect(root, LocalOptions { links: LinkPolicy::Error, ..OPTIONS }).await;
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
        assert!(!collect(root, OPTIONS).await.iter().any(|line| line.starts_with("leads out")));
        for name in ["one", "real/two"] {
            symlink(elsewhere.path().join("secret"), root.join(name)).expect("a link");
        }
        let lines = collect(root, OPTIONS).await;
        assert_eq!(lines.iter().filter(|line| line.starts_with("leads out")).count(), 1, "{lines:?}");
        let lines = collect(root, LocalOptions { links: LinkPolicy::Skip, ..OPTIONS }).await;
        assert!(!lines.iter().any(|line| line.starts_with("leads out")), "{lines:?}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn names_that_are_not_unicode_fail_and_the_rest_continues() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"bad\xff")), "1").expect("a file");
        fs::write(folder.path().join("good"), "1").expect("a file");
        let lines = collect(folder.path(), OPTIONS).await;
        assert!(lines.contains(&"file good 1".to_owned()), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("failed")).count(), 1, "{lines:?}");
    }
}

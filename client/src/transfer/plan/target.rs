//! Determines the targets: applies the rules of cp(1) and checks all named paths before any transfer starts.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt;
use unicode_normalization::UnicodeNormalization;

use crate::api::Node;
use crate::path::{RemotePath, check_folder_name, check_name};
use crate::sys::local_name;
use crate::transfer::error::{HIDDEN_BY_LINK, MissingFolder, NO_FILE};
use crate::transfer::event::Direction;
use crate::transfer::journal::Ends;
use crate::transfer::plan::Job;
use crate::transfer::plan::claims::{Claims, Merged};
use crate::transfer::plan::folders::{FolderState, TargetFolder};
use crate::transfer::plan::job::{TreeDownload, TreeUpload};
use crate::transfer::plan::step::{DownloadCandidate, UploadCandidate};
use crate::transfer::source::Snapshot;
use crate::transfer::{Engine, IfExists, TransferError};
use crate::walk::local::{LeftOut, LinkPolicy, LocalError};

/// If there are at least this many sources, one listing of the folder replaces individual requests for their targets.
const LIST_FROM: usize = 20;

/// The state of the destination.
pub(in crate::transfer) enum Place<P> {
    /// An existing folder: the sources go into it.
    Into(P),
    /// A missing folder that will be created: the sources go into it.
    New(P),
    /// A free name in an existing folder: the only source gets this name.
    As(P),
    /// An existing file: the only source replaces it if it is a file too.
    Onto(P, Option<Node>),
}

/// A remote source of a download.
#[derive(Debug, Clone)]
pub struct DownloadSource {
    /// The file or folder.
    pub node: Node,
    /// Whether only the contents of the folder are downloaded, without a folder of its name.
    pub contents: bool,
}

impl From<Node> for DownloadSource {
    fn from(node: Node) -> Self {
        Self { node, contents: false }
    }
}

impl Engine {
    /// Returns the jobs that upload local `sources` to `destination`. If `is_folder`, the destination was written as a
    /// folder and is created if it is missing. Of a source that ends in `/.`, only the contents are uploaded; if all
    /// sources do, the destination need not exist.
    ///
    /// # Errors
    /// A source or the destination is missing or has the wrong type; under [`IfExists::Fail`], a target file exists.
    pub async fn upload_jobs(
        &self,
        sources: &[PathBuf],
        destination: &RemotePath,
        is_folder: bool,
    ) -> Result<Vec<Job>, TransferError> {
        if destination.is_root() {
            return Err(TransferError::Usage("name a workspace to upload to, for example cells://common-files".into()));
        }
        let several = sources.len() > 1;
        let only_contents = sources.iter().all(|source| gives_contents(source));
        let is_folder = is_folder || self.options.mkpath;
        let needs_folder = is_folder || (several && !only_contents);
        let any_contents = sources.iter().any(|source| gives_contents(source));
        let merged = (several && any_contents).then(Arc::<Merged>::default);
        let place = self.remote_place(destination, needs_folder, is_folder).await.map_err(|error| match error {
            TransferError::NotAFolder(path) if !several => TransferError::IsAFile(path),
            error => error,
        })?;
        let mut wanted: Vec<(&PathBuf, fs::Metadata, RemotePath)> = Vec::with_capacity(sources.len());
        let mut taken: HashMap<RemotePath, &PathBuf> = HashMap::new();
        let mut jobs = Vec::with_capacity(sources.len());
        for source in sources {
            let (metadata, target) = match named_upload(source, &place, self.options.local.links, sources.len() > 1) {
                Ok(Named::Taken(metadata, target)) => (metadata, target),
                Ok(Named::LeftOut(reason)) => {
                    jobs.push(Job::LeftOut { source: source.display().to_string(), reason });
                    continue;
                }
                // As in cp, the other sources are still transferred.
                Err(error) if sources.len() > 1 => {
                    let source = source.display().to_string();
                    jobs.push(Job::Refused { direction: Direction::Upload, source, error });
                    continue;
                }
                Err(error) => return Err(error),
            };
            if metadata.is_file() && !self.selects_named(source, &metadata) {
                jobs.push(Job::Excluded(source.display().to_string()));
                continue;
            }
            if !gives_contents(source)
                && let Some(first) = taken.insert(target.clone(), source)
            {
                return Err(TransferError::SameTarget {
                    first: first.display().to_string(),
                    second: source.display().to_string(),
                    target: target.to_string(),
                });
            }
            wanted.push((source, metadata, target));
        }
        self.planned_uploads(wanted, &place, merged, &mut jobs).await?;
        Ok(jobs)
    }

    /// Whether the filter selects a named file. The only part of its path that counts is its name.
    fn selects_named(&self, source: &Path, metadata: &fs::Metadata) -> bool {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        self.options.local.filter.file(&name, metadata.len(), metadata.modified().ok())
    }

    /// Returns the jobs of sources whose targets are known.
    async fn planned_uploads(
        &self,
        wanted: Vec<(&PathBuf, fs::Metadata, RemotePath)>,
        place: &Place<RemotePath>,
        merged: Option<Arc<Merged>>,
        jobs: &mut Vec<Job>,
    ) -> Result<(), TransferError> {
        let existing = self.existing(place, wanted.iter().map(|(.., target)| target)).await?;
        let parent = match place {
            Place::Into(folder) | Place::New(folder) => folder.clone(),
            Place::As(path) | Place::Onto(path, _) => path.parent().unwrap_or_default(),
        };
        // The result contains the folder itself if contents go directly into it.
        let children = existing.values().filter(|node| node.path != parent);
        let children = children.map(|node| (node.name().to_owned(), node.clone())).collect();
        let folder = match place {
            Place::New(_) => new_folder(parent, &wanted, merged.as_ref(), jobs),
            _ => TargetFolder::existing(parent, children),
        };
        for (source, metadata, target) in wanted {
            let there = existing.get(&target).filter(|node| !node.is_temporary() && !node.is_misfiled()).cloned();
            jobs.push(if metadata.is_dir() {
                self.check_tree(&target, there.as_ref())?;
                // This removes the `.` at the end.
                let source = source.components().collect();
                Job::UploadTree(TreeUpload { source, target, existing: there, merged: merged.clone() })
            } else {
                if let Some(merged) = &merged {
                    merged.claim(target.clone());
                }
                // A file that is renamed must not get the name of another source.
                folder.claim(target.name());
                let ends = Ends { direction: Direction::Upload, local: source, remote: &target };
                let is_resumed = there.is_some() && self.options.journals.has(&self.api, ends).await;
                self.upload_file(source, &target, there.as_ref(), (folder.clone(), is_resumed))?
            });
        }
        Ok(())
    }

    fn upload_file(
        &self,
        source: &Path,
        target: &RemotePath,
        there: Option<&Node>,
        (folder, is_resumed): (Arc<TargetFolder>, bool),
    ) -> Result<Job, TransferError> {
        let snapshot = Snapshot::take(source)?;
        match there {
            Some(node) if node.is_folder() && self.options.if_exists != IfExists::Overwrite => {
                return Err(TransferError::replaceable(target, "folder"));
            }
            // An interrupted run may have completed the file, so compare its content.
            Some(_) if self.options.if_exists == IfExists::Fail && !is_resumed => {
                return Err(TransferError::Exists(target.to_string()));
            }
            _ => {}
        }
        Ok(Job::UploadFile(UploadCandidate {
            source: source.to_owned(),
            size: snapshot.size,
            modified: snapshot.modified,
            folder,
            name: target.name().to_owned(),
            must_replace: false,
        }))
    }

    fn check_tree(&self, target: &RemotePath, there: Option<&Node>) -> Result<(), TransferError> {
        match there {
            Some(node) if !node.is_folder() && self.options.if_exists != IfExists::Overwrite => {
                Err(TransferError::replaceable(target, "file"))
            }
            Some(node) if node.read_only => Err(TransferError::ReadOnly(target.to_string())),
            _ => Ok(()),
        }
    }

    pub(in crate::transfer) async fn remote_place(
        &self,
        typed: &RemotePath,
        several: bool,
        is_folder: bool,
    ) -> Result<Place<RemotePath>, TransferError> {
        let destination = typed.nfc();
        for folder in destination.parent().iter().flat_map(RemotePath::segments).skip(1) {
            check_folder_name(folder)?;
        }
        // The target, and the folders above it that may exist instead.
        let above = destination.ancestors().skip(1).take(if self.options.mkpath { usize::MAX } else { 1 });
        let places: Vec<RemotePath> = std::iter::once(typed.clone()).chain(above).collect();
        let (there, found) = match self.api.find_first(&places).await? {
            Some((0, node)) => (Some(node), None),
            found => (None, found),
        };
        self.storage.learn(there.as_ref());
        match there {
            Some(node) if node.is_only_shown() => Err(TransferError::ReadOnlyTop(node.path.to_string())),
            Some(node) if node.read_only => Err(TransferError::ReadOnly(node.path.to_string())),
            Some(node) if node.is_folder() && node.mime.is_some() && self.is_misfiled(&node.path).await? => {
                Ok(Place::Onto(node.path.clone(), Some(node)))
            }
            Some(node) if node.is_folder() => {
                check_folder_name(node.name())?;
                Ok(Place::Into(node.path))
            }
            Some(node) if several => Err(TransferError::NotAFolder(node.path.to_string())),
            Some(node) => Ok(Place::Onto(node.path.clone(), Some(node))),
            None if typed.is_workspace() => {
                Err(TransferError::NotFound(format!("there is no workspace '{typed}', or you have no access to it")))
            }
            None => {
                let (index, found) = found.map_or((places.len() - 1, None), |(index, node)| (index, Some(node)));
                let parent = places[index].clone();
                self.storage.learn(found.as_ref());
                match found {
                    None if parent.is_workspace() => Err(TransferError::NotFound(format!(
                        "there is no workspace '{parent}', or you have no access to it"
                    ))),
                    None => Err(TransferError::NoFolder {
                        message: format!("'{parent}' does not exist on the server"),
                        folder: MissingFolder::RemoteWithParents(parent),
                    }),
                    Some(node) if !node.is_folder() => Err(TransferError::clash(parent, "file")),
                    Some(node) if node.is_only_shown() => Err(TransferError::ReadOnlyTop(parent.to_string())),
                    Some(node) if node.read_only => Err(TransferError::ReadOnly(parent.to_string())),
                    Some(_) if is_folder => {
                        if !destination.is_workspace() {
                            check_folder_name(destination.name())?;
                        }
                        Ok(Place::New(destination))
                    }
                    Some(_) if several => Err(TransferError::NoFolder {
                        message: format!("'{destination}' does not exist, but several sources need a folder"),
                        folder: MissingFolder::Remote(destination),
                    }),
                    Some(_) => Ok(Place::As(destination)),
                }
            }
        }
    }

    /// Whether a folder is really a file that the server has recorded as a folder.
    async fn is_misfiled(&self, path: &RemotePath) -> Result<bool, TransferError> {
        Ok(self.api.stat_many(std::slice::from_ref(path)).await?.iter().any(Node::is_misfiled))
    }

    /// Returns the targets that exist.
    async fn existing(
        &self,
        place: &Place<RemotePath>,
        targets: impl ExactSizeIterator<Item = &RemotePath>,
    ) -> Result<HashMap<RemotePath, Node>, TransferError> {
        let targets: Vec<RemotePath> = targets.cloned().collect();
        let nodes: Vec<Node> = match place {
            Place::As(_) | Place::New(_) => Vec::new(),
            // A bulk request, because only its answer contains the number of children.
            Place::Onto(path, Some(node)) if node.is_folder() => self.api.stat_many(std::slice::from_ref(path)).await?,
            Place::Onto(_, node) => node.iter().cloned().collect(),
            Place::Into(folder) if targets.len() >= LIST_FROM && !self.api.is_upload_only() => {
                let mut nodes: Vec<Node> =
                    crate::walk::remote::children(&self.api, &self.s3, folder).try_collect().await?;
                // If contents go directly into the folder, the folder itself is a target.
                if targets.contains(folder) {
                    nodes.extend(self.api.find(folder).await?);
                }
                nodes
            }
            Place::Into(_) => self.api.stat_many(&targets).await?,
        };
        Ok(nodes.into_iter().map(|node| (node.path.clone(), node)).collect())
    }

    /// Returns the jobs that download existing `sources` to the local `destination`.
    ///
    /// # Errors
    /// As [`Engine::upload_jobs`].
    pub async fn download_jobs<S: Into<DownloadSource>>(
        &self,
        sources: Vec<S>,
        destination: &Path,
    ) -> Result<Vec<Job>, TransferError> {
        let sources: Vec<DownloadSource> = sources.into_iter().map(Into::into).collect();
        let several = sources.len() > 1;
        let only_contents = sources.iter().all(|source| source.contents);
        let is_folder = is_written_as_folder(destination);
        let place = local_place(destination, several && !only_contents, is_folder, self.options.mkpath)?;
        let merged = (several && sources.iter().any(|source| source.contents)).then(Arc::<Claims>::default);
        let is_folding = several && !self.options.dry_run && local_name::is_folding(destination);
        let mut jobs: Vec<Job> = Vec::with_capacity(sources.len());
        let mut taken: HashMap<PathBuf, RemotePath> = HashMap::new();
        if let Place::New(folder) = &place {
            // A tree creates the folder for its contents itself, but not the parents of that folder.
            let made = if only_contents { folder.parent() } else { Some(folder.as_path()) };
            let made = made.filter(|path| !path.as_os_str().is_empty() && !path.is_dir());
            jobs.extend(made.map(|path| Job::MakeLocalFolder(path.to_owned())));
        }
        for source in sources {
            let target = match self.local_target(&source, &place) {
                Ok(target) => target,
                // As in cp, the other sources are still transferred.
                Err(error) if several => {
                    let source = source.node.path.marked();
                    jobs.push(Job::Refused { direction: Direction::Download, source, error });
                    continue;
                }
                Err(error) => return Err(error),
            };
            let DownloadSource { node, contents } = source;
            if !node.is_folder() && !self.options.local.filter.named_node(self.api.own_name(&node), &node) {
                jobs.push(Job::Excluded(node.path.marked()));
                continue;
            }
            let key = if is_folding {
                target.with_file_name(local_name::folded(self.api.own_name(&node)))
            } else {
                target.clone()
            };
            if !contents && let Some(first) = taken.insert(key, node.path.clone()) {
                return Err(TransferError::SameTarget {
                    first: first.to_string(),
                    second: node.path.to_string(),
                    target: target.display().to_string(),
                });
            }
            if let Some(claims) = merged.as_ref().filter(|_| !node.is_folder()) {
                claims.claim(&target, is_folding);
            }
            let ends = Ends { direction: Direction::Download, local: &target, remote: &node.path };
            let is_resumed = target.is_file() && self.options.journals.has(&self.api, ends).await;
            jobs.push(self.download_job(node, (target, is_resumed), merged.clone())?);
        }
        Ok(jobs)
    }

    /// Returns the local target of a source.
    fn local_target(&self, source: &DownloadSource, place: &Place<PathBuf>) -> Result<PathBuf, TransferError> {
        let node = &source.node;
        match place {
            _ if source.contents && !node.is_folder() => {
                Err(TransferError::NotFound(format!("'{}' is not a folder", node.path)))
            }
            Place::Into(folder) | Place::New(folder) if source.contents => Ok(folder.clone()),
            Place::Into(folder) | Place::New(folder) => {
                let name = self.api.own_name(node);
                let refused = |reason| TransferError::LocalName { path: node.path.to_string(), reason };
                local_name::check(name).map_err(refused)?;
                if name.starts_with('.') && self.api.is_named_by_link(node) {
                    return Err(refused(HIDDEN_BY_LINK));
                }
                let target = folder.join(name);
                // As in cp, a folder is not written through a link that the user did not name.
                if node.is_folder() && target.is_symlink() {
                    return Err(TransferError::clash(target.display(), "link"));
                }
                Ok(target)
            }
            Place::As(path) | Place::Onto(path, _) => Ok(path.clone()),
        }
    }

    fn download_job(
        &self,
        node: Node,
        (target, is_resumed): (PathBuf, bool),
        merged: Option<Arc<Claims>>,
    ) -> Result<Job, TransferError> {
        let there = match fs::metadata(&target) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(TransferError::local(&target, error)),
        };
        let shown = target.display().to_string();
        match there {
            Some(metadata) if !metadata.is_dir() && (!metadata.is_file() || local_name::is_descriptor(&target)) => {
                Err(TransferError::clash(shown, NO_FILE))
            }
            Some(metadata) if metadata.is_dir() != node.is_folder() => {
                let kind = if metadata.is_dir() { "folder" } else { "file" };
                Err(TransferError::clash(shown, kind))
            }
            Some(_) if !node.is_folder() && self.options.if_exists == IfExists::Fail && !is_resumed => {
                Err(TransferError::Exists(shown))
            }
            _ if node.is_folder() => Ok(Job::DownloadTree(TreeDownload { source: node.path, target, merged })),
            _ => Ok(Job::DownloadFile(DownloadCandidate { source: node, target, in_new_folder: false })),
        }
    }
}

/// How to treat a local source that the user named.
enum Named {
    /// Transfer it to this path.
    Taken(fs::Metadata, RemotePath),
    /// Skip it.
    LeftOut(LeftOut),
}

/// Examines a named local source and determines its target. If it is one of several and not a regular file, it is
/// skipped, as it would be inside a tree.
fn named_upload(
    source: &Path,
    place: &Place<RemotePath>,
    links: LinkPolicy,
    several: bool,
) -> Result<Named, TransferError> {
    let refused = |source_error| TransferError::LocalEntry { path: source.to_owned(), source: source_error };
    if links != LinkPolicy::Follow && source.is_symlink() {
        return if links == LinkPolicy::Error {
            Err(refused(LocalError::Link))
        } else {
            Ok(Named::LeftOut(LeftOut::Link))
        };
    }
    let is_temporary = source.file_name().and_then(|name| name.to_str()).is_some_and(local_name::is_temporary);
    if is_temporary && source.is_file() {
        return if several { Ok(Named::LeftOut(LeftOut::Temporary)) } else { Err(refused(LocalError::Temporary)) };
    }
    let metadata = fs::metadata(source).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => TransferError::NotFound(format!("'{}' does not exist", source.display())),
        io::ErrorKind::NotADirectory => TransferError::NotFound(format!("'{}' is not a folder", source.display())),
        _ => TransferError::local(source, error),
    })?;
    if !metadata.is_dir() && !metadata.is_file() {
        return if several { Ok(Named::LeftOut(LeftOut::Special)) } else { Err(refused(LocalError::Special)) };
    }
    let target = match place {
        Place::Into(folder) | Place::New(folder) => match source_name(source)? {
            Some(name) => {
                check_name(&name)?;
                folder.join(&name.nfc().collect::<String>())
            }
            None => folder.clone(),
        },
        Place::As(path) | Place::Onto(path, _) => {
            check_name(path.name())?;
            path.clone()
        }
    };
    if metadata.is_dir() && !target.is_workspace() {
        check_folder_name(target.name())?;
    }
    Ok(Named::Taken(metadata, target))
}

fn local_place(
    destination: &Path,
    several: bool,
    is_folder: bool,
    mkpath: bool,
) -> Result<Place<PathBuf>, TransferError> {
    match fs::metadata(destination) {
        Ok(metadata) if metadata.is_dir() => Ok(Place::Into(destination.to_owned())),
        Ok(_) if several || mkpath => Err(TransferError::NotAFolder(destination.display().to_string())),
        Ok(_) => Ok(Place::Onto(destination.to_owned(), None)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && mkpath => Ok(Place::New(destination.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = destination.parent().filter(|parent| !parent.as_os_str().is_empty());
            if !parent.unwrap_or(Path::new(".")).is_dir() {
                let parent = parent.unwrap_or(Path::new("."));
                return Err(TransferError::NoFolder {
                    message: format!("the local folder '{}' does not exist", parent.display()),
                    folder: MissingFolder::LocalWithParents(parent.to_owned()),
                });
            }
            if is_folder {
                return Ok(Place::New(destination.to_owned()));
            }
            if several {
                let shown = destination.display();
                return Err(TransferError::NoFolder {
                    message: format!("'{shown}' does not exist, but several sources need a folder"),
                    folder: MissingFolder::Local(destination.to_owned()),
                });
            }
            Ok(Place::As(destination.to_owned()))
        }
        Err(error) => Err(TransferError::local(destination, error)),
    }
}

/// Creates the folder for the sources, and the job that creates it on the server. There is no job if trees put their
/// contents directly into the folder, because they create it.
fn new_folder(
    path: RemotePath,
    wanted: &[(&PathBuf, fs::Metadata, RemotePath)],
    merged: Option<&Arc<Merged>>,
    jobs: &mut Vec<Job>,
) -> Arc<TargetFolder> {
    let makes_itself = wanted.iter().all(|(.., target)| *target == path);
    let folder = TargetFolder::unknown(path);
    folder.learn(FolderState::New);
    if !makes_itself {
        if let Some(merged) = merged {
            merged.enter(&folder);
        }
        jobs.insert(0, Job::MakeFolder(folder.clone()));
    }
    folder
}

/// Whether a local path ends with a slash.
fn is_written_as_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last().is_some_and(|last| std::path::is_separator(char::from(*last)))
}

/// Whether a local source means only its contents: it ends in `/.`, or has no name of its own, such as `..`.
pub fn gives_contents(source: &Path) -> bool {
    let bytes = source.as_os_str().as_encoded_bytes();
    let ends_in_dot =
        bytes.strip_suffix(b".").and_then(<[u8]>::last).is_some_and(|last| std::path::is_separator(char::from(*last)));
    ends_in_dot || !matches!(source.components().next_back(), Some(Component::Normal(_)))
}

/// Returns the name of a source at its target; `None` for `.` and the like, whose contents go directly into the target.
fn source_name(source: &Path) -> Result<Option<String>, TransferError> {
    if gives_contents(source) {
        return Ok(None);
    }
    let last = source.components().next_back();
    match last {
        Some(Component::Normal(name)) => name
            .to_str()
            .map(|name| Some(name.to_owned()))
            .ok_or_else(|| TransferError::LocalEntry { path: source.to_owned(), source: LocalError::NotUnicode }),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_goes_under_its_own_name_and_a_dot_goes_straight_in() {
        let name = |text: &str| source_name(Path::new(text)).expect("a name");
        assert_eq!(name("a/b"), Some("b".to_owned()));
        assert_eq!(name("a/b/"), Some("b".to_owned()));
        assert_eq!(name("."), None);
        assert_eq!(name("a/."), None);
        assert_eq!(name("./."), None);
        assert_eq!(name("a/.b."), Some(".b.".to_owned()));
        assert_eq!(name("a/.."), None);
        assert_eq!(name("/"), None);
    }

    #[test]
    fn local_destinations_follow_cp() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "x").expect("a file");
        let place = |path: &Path, several| local_place(path, several, false, false);
        let (new, deep) = (folder.path().join("new"), folder.path().join("no/new"));
        assert!(matches!(place(folder.path(), true), Ok(Place::Into(_))));
        assert!(matches!(place(&file, false), Ok(Place::Onto(..))));
        assert!(matches!(place(&file, true), Err(TransferError::NotAFolder(_))));
        assert!(matches!(place(&new, false), Ok(Place::As(_))));
        assert!(matches!(place(&new, true), Err(TransferError::NoFolder { .. })));
        assert!(matches!(place(&deep, false), Err(TransferError::NoFolder { .. })));
        assert!(matches!(local_place(&new, false, true, false), Ok(Place::New(_))));
        assert!(matches!(local_place(&deep, false, true, false), Err(TransferError::NoFolder { .. })));
        assert!(matches!(local_place(&deep, false, true, true), Ok(Place::New(_))));
        assert!(matches!(local_place(&file, false, true, true), Err(TransferError::NotAFolder(_))));
    }
}

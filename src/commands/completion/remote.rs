//! Completion of paths on the server and of local paths.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use crate::context::Ctx;
use crate::env::{self, Environment};
use crate::settings::Selection;
use cells_client::account::{Account, Credentials, LinkUrl};
use cells_client::hash::{hex, md5};
use cells_client::path::RemotePath;
use cells_client::sys::atomic_file;

/// The time limit of a completion.
pub const LIMIT: Duration = Duration::from_millis(900);

/// How long a cached listing is used.
const CACHE_LIFE: Duration = Duration::from_secs(10);

/// The maximum number of candidates from one folder. Nobody reads more, and shells become slow.
const MOST: usize = 2000;

/// A child of a folder: its name, and whether it can have children.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Child(String, bool);

/// Returns the paths on the server that begin with `typed`, which may include a marker such as `cells://`. Folders end
/// in a slash. Empty if the server is too slow or returns an error.
pub async fn candidates(ctx: &Ctx, typed: &str) -> Vec<String> {
    if LinkUrl::is_meant(typed) {
        return Vec::new();
    }
    let marker = marker(typed);
    let (folder, leaf) = match typed[marker.len()..].rsplit_once('/') {
        Some((folder, leaf)) => (Some(folder), leaf),
        None => (None, &typed[marker.len()..]),
    };
    let Ok(path) = RemotePath::parse(folder.unwrap_or_default()) else { return Vec::new() };
    let Ok(Some(children)) = tokio::time::timeout(LIMIT, children(ctx, &path)).await else { return Vec::new() };
    let before = folder.map_or_else(|| marker.to_owned(), |folder| format!("{marker}{folder}/"));
    children
        .into_iter()
        .filter(|Child(name, _)| name.starts_with(leaf) && !name.chars().any(char::is_control))
        .map(|Child(name, is_folder)| format!("{before}{name}{}", if is_folder { "/" } else { "" }))
        // The shell would pass it as an option.
        .filter(|candidate| !candidate.starts_with('-'))
        .take(MOST)
        .collect()
}

/// Returns the marker at the start of a remote path, as typed; empty if there is none.
fn marker(typed: &str) -> &str {
    ["cells:///", "cells://", "cells//"].into_iter().find(|marker| typed.starts_with(marker)).unwrap_or_default()
}

async fn children(ctx: &Ctx, folder: &RemotePath) -> Option<Vec<Child>> {
    // Opening a public link takes longer than a completion may.
    if matches!(ctx.settings.selection(), Ok(Selection::Link { .. })) {
        return None;
    }
    let account = ctx.account().await.ok()?;
    let who = format!("{} {} {folder}", account.url, account.login.as_deref().unwrap_or_default());
    let cache = Cache::new(ctx, &who, account.stored_id.is_some());
    if let Some(children) = cache.as_ref().and_then(Cache::load) {
        return Some(children);
    }
    if must_be_renewed(account) {
        return None;
    }
    let api = ctx.api().await.ok()?;
    let nodes =
        if folder.is_root() { api.workspaces().await.ok()? } else { api.children(folder).try_collect().await.ok()? };
    let mut children: Vec<Child> = nodes.iter().map(|node| Child(node.name().to_owned(), node.is_folder())).collect();
    children.sort_by(|one, other| one.0.cmp(&other.0));
    if let Some(cache) = cache {
        cache.store(&children);
    }
    Some(children)
}

/// Whether the token would have to be renewed first. If the completion is stopped during a renewal, the session could
/// be lost.
fn must_be_renewed(account: &Account) -> bool {
    let soon = jiff::Timestamp::now().as_second() + 60;
    matches!(&account.credentials, Credentials::OAuth(pair) if pair.expires_at.is_some_and(|end| end <= soon))
}

/// The cache file of a listing. Only listings of stored accounts are cached, because credentials for a single call must
/// leave nothing behind.
struct Cache(PathBuf);

impl Cache {
    fn new(ctx: &Ctx, who: &str, is_stored: bool) -> Option<Self> {
        if ctx.settings.no_cache || !is_stored {
            return None;
        }
        Some(Self(folder(&ctx.settings.environment)?.join(format!("listing-{}.json", hex(&md5(who.as_bytes()))))))
    }

    fn load(&self) -> Option<Vec<Child>> {
        if !atomic_file::is_own_private_folder(self.0.parent()?) {
            return None;
        }
        let age = SystemTime::now().duration_since(std::fs::metadata(&self.0).ok()?.modified().ok()?).ok()?;
        if age > CACHE_LIFE {
            return None;
        }
        serde_json::from_slice(&std::fs::read(&self.0).ok()?).ok()
    }

    /// Stores a listing and removes outdated ones. A failure is ignored, since completion works without a cache.
    fn store(&self, children: &[Child]) {
        let Some(folder) = self.0.parent() else { return };
        if atomic_file::create_private_folder(folder).is_err() || !atomic_file::is_own_private_folder(folder) {
            return;
        }
        let old = std::fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| {
            let age = entry.metadata().ok().and_then(|found| found.modified().ok()?.elapsed().ok());
            entry.file_name().to_string_lossy().starts_with("listing-") && age.is_some_and(|age| age > CACHE_LIFE)
        });
        for entry in old {
            let _ = std::fs::remove_file(entry.path());
        }
        if let Ok(text) = serde_json::to_vec(children) {
            let _ = atomic_file::write_private(&self.0, &text);
        }
    }
}

/// Returns the cache folder. Relative paths are ignored, because they would depend on the working directory.
fn folder(environment: &Environment) -> Option<PathBuf> {
    let base = [env::XDG_CACHE_HOME, env::LOCALAPPDATA].into_iter().filter_map(|name| environment.path(name));
    let home = environment.path(env::HOME).map(|home| home.join(".cache"));
    Some(base.chain(home).find(|path| path.is_absolute())?.join("cec"))
}

/// Removes all cached listings. Failures are ignored.
pub fn forget(environment: &Environment) {
    let Some(folder) = folder(environment) else { return };
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("listing-") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    // The folder may contain other files.
    let _ = std::fs::remove_dir(folder);
}

/// Returns the local paths that begin with `typed`. Folders end in a slash. `~/` means the home folder.
pub fn local_candidates(typed: &str, home: Option<&Path>, only_folders: bool) -> Vec<String> {
    let (before, leaf) = typed.rsplit_once('/').map_or(("", typed), |(folder, leaf)| (&typed[..=folder.len()], leaf));
    let folder = match (before.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ if before.is_empty() => PathBuf::from("."),
        _ => PathBuf::from(before),
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let fits = name.starts_with(leaf) && (leaf.starts_with('.') || !name.starts_with('.'));
            let is_folder = entry.path().is_dir();
            let wanted = fits && (is_folder || !only_folders) && !name.chars().any(char::is_control);
            wanted.then(|| format!("{before}{name}{}", if is_folder { "/" } else { "" }))
        })
        .collect();
    found.sort();
    found.truncate(MOST);
    found
}

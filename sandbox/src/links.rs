//! Public links: who made them, what they open, and for how long.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::random;
use crate::world::Right;

/// A public link, which is a workspace of its own to the server.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// The Uuid of the link and of its workspace.
    pub(crate) uuid: String,
    /// The last part of its URL.
    pub(crate) hash: String,
    pub(crate) label: String,
    pub(crate) description: String,
    /// The slug of its workspace.
    pub(crate) slug: String,
    /// What it opens; the server accepts an empty list.
    pub(crate) node_uuids: Vec<String>,
    /// `Preview`, `Download`, `Upload`.
    pub(crate) permissions: Vec<&'static str>,
    pub(crate) password: Option<String>,
    /// Seconds since the Unix epoch; 0 for no end.
    pub(crate) access_end: i64,
    /// 0 for any number.
    pub(crate) max_downloads: i64,
    pub(crate) downloads: i64,
    /// The login of who made it.
    pub(crate) owner: String,
    /// The hidden user that visitors are signed in as.
    pub(crate) user_uuid: String,
    pub(crate) user_login: String,
    pub(crate) updated: i64,
}

impl Link {
    /// A link of that user, with all that the server makes up.
    pub(crate) fn new(owner: &str, now: i64) -> Self {
        let user_uuid = random::uuid();
        Self {
            uuid: random::uuid(),
            hash: random::uuid().replace('-', "").chars().take(12).collect(),
            label: String::new(),
            description: String::new(),
            slug: String::new(),
            node_uuids: Vec::new(),
            permissions: Vec::new(),
            password: None,
            access_end: 0,
            max_downloads: 0,
            downloads: 0,
            owner: owner.to_owned(),
            user_login: user_uuid.replace('-', "").chars().take(16).collect(),
            user_uuid,
            updated: now,
        }
    }

    /// Whether visitors are still admitted. Open sessions continue.
    pub(crate) fn is_open(&self, now: i64) -> bool {
        self.access_end == 0 || now < self.access_end
    }

    /// Whether the allowed number of downloads is used up.
    pub(crate) fn is_used_up(&self) -> bool {
        self.max_downloads > 0 && self.downloads >= self.max_downloads
    }

    /// What visitors may do, as permissions of the workspace. A link for previews can be read like any other.
    pub(crate) fn right(&self) -> Option<Right> {
        let reads = self.permissions.contains(&"Preview") || self.permissions.contains(&"Download");
        match (reads, self.permissions.contains(&"Upload")) {
            (true, true) => Some(Right::ReadWrite),
            (true, false) => Some(Right::Read),
            (false, true) => Some(Right::Write),
            (false, false) => None,
        }
    }

    /// Returns the password of the hidden user: the link's own, or the one that follows from the login.
    pub(crate) fn visitors_password(&self) -> String {
        self.password.clone().unwrap_or_else(|| format!("{}#$!Az1", self.user_login))
    }
}

/// A workspace of a link that was never completed.
#[derive(Clone, Debug)]
pub(crate) struct Orphan {
    pub(crate) uuid: String,
    pub(crate) label: String,
    pub(crate) slug: String,
    pub(crate) node_uuids: Vec<String>,
    pub(crate) owner: String,
    pub(crate) updated: i64,
}

#[derive(Debug, Default)]
struct State {
    links: Vec<Link>,
    orphans: Vec<Orphan>,
    /// The hidden users of removed links. Their tokens stay alive, but reach nothing.
    former_users: HashSet<String>,
}

/// All public links of a sandbox.
#[derive(Debug, Default)]
pub(crate) struct Links {
    state: Mutex<State>,
}

impl Links {
    /// The link of that Uuid.
    pub(crate) fn get(&self, uuid: &str) -> Option<Link> {
        self.lock().links.iter().find(|link| link.uuid == uuid).cloned()
    }

    /// The link of that hash.
    pub(crate) fn by_hash(&self, hash: &str) -> Option<Link> {
        self.lock().links.iter().find(|link| link.hash == hash).cloned()
    }

    /// The link whose hidden user has that login.
    pub(crate) fn by_user(&self, login: &str) -> Option<Link> {
        self.lock().links.iter().find(|link| link.user_login == login).cloned()
    }

    /// Whether that is the hidden user of a link, also of one that is gone.
    pub(crate) fn is_visitor(&self, login: &str) -> bool {
        let state = self.lock();
        state.former_users.contains(login) || state.links.iter().any(|link| link.user_login == login)
    }

    /// Counts a download by this user. Returns false if the link allows no more. Users without a link have no limit.
    pub(crate) fn count_download(&self, login: &str) -> bool {
        let mut state = self.lock();
        let Some(link) = state.links.iter_mut().find(|link| link.user_login == login) else { return true };
        if link.is_used_up() {
            return false;
        }
        link.downloads += 1;
        true
    }

    /// All links, oldest first.
    pub(crate) fn all(&self) -> Vec<Link> {
        self.lock().links.clone()
    }

    /// The workspaces without a link, oldest first.
    pub(crate) fn orphans(&self) -> Vec<Orphan> {
        self.lock().orphans.clone()
    }

    /// The workspace without a link of that Uuid.
    pub(crate) fn orphan(&self, uuid: &str) -> Option<Orphan> {
        self.lock().orphans.iter().find(|orphan| orphan.uuid == uuid).cloned()
    }

    /// A slug that no other link has.
    pub(crate) fn free_slug(&self, label: &str) -> String {
        let base: String = label
            .chars()
            .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' })
            .collect();
        let state = self.lock();
        let taken = |slug: &str| {
            state.links.iter().any(|link| link.slug == slug) || state.orphans.iter().any(|orphan| orphan.slug == slug)
        };
        let numbered = (1..).map(|number| format!("{base}-{number}"));
        std::iter::once(base.clone()).chain(numbered).find(|slug| !taken(slug)).unwrap_or_default()
    }

    /// Adds a link, or replaces the one of the same Uuid.
    pub(crate) fn put(&self, link: Link) {
        let mut state = self.lock();
        match state.links.iter_mut().find(|known| known.uuid == link.uuid) {
            Some(known) => *known = link,
            None => state.links.push(link),
        }
    }

    /// Leaves a workspace without a link behind.
    pub(crate) fn abandon(&self, link: &Link) {
        self.lock().orphans.push(Orphan {
            uuid: link.uuid.clone(),
            label: link.label.clone(),
            slug: link.slug.clone(),
            node_uuids: link.node_uuids.clone(),
            owner: link.owner.clone(),
            updated: link.updated,
        });
    }

    /// Removes the link of that Uuid, or the workspace without one.
    pub(crate) fn remove(&self, uuid: &str) {
        let mut state = self.lock();
        let gone = state.links.iter().filter(|link| link.uuid == uuid).map(|link| link.user_login.clone());
        let gone: Vec<String> = gone.collect();
        state.former_users.extend(gone);
        state.links.retain(|link| link.uuid != uuid);
        state.orphans.retain(|orphan| orphan.uuid != uuid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

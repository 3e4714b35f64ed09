//! Who exists: the users, the workspaces, and which user may do what where.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many wrong passwords in a row lock a user.
const FAILURES_UNTIL_LOCKED: u32 = 10;

/// A user of the sandbox.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) login: &'static str,
    pub(crate) uuid: &'static str,
    pub(crate) password: &'static str,
    pub(crate) display_name: &'static str,
    pub(crate) admin: bool,
}

/// What a user may do in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Read,
    ReadWrite,
    /// To upload without seeing the existing content. Only links have it.
    Write,
}

impl Right {
    /// Returns the permissions in the form of workspaces.
    pub(crate) fn permissions(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadWrite => "read,write",
            Self::Write => "write",
        }
    }

    /// Returns the permissions in the form of the web page's state.
    pub(crate) fn letters(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::ReadWrite => "rw",
            Self::Write => "w",
        }
    }
}

/// Where the nodes of a workspace live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RootKind {
    /// The root of a data source: its node has no name.
    Datasource,
    /// A folder for each user, named after the login.
    Personal,
    /// A folder of a data source.
    Folder,
}

/// A workspace, as the root listing shows it.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) slug: &'static str,
    pub(crate) label: &'static str,
    pub(crate) description: &'static str,
    pub(crate) uuid: &'static str,
    /// Uuid of the root node; the root listing shows `my-files` for the personal one.
    pub(crate) root_uuid: &'static str,
    pub(crate) root_kind: RootKind,
    admin: Option<Right>,
    others: Option<Right>,
}

/// The users of every sandbox.
pub(crate) const USERS: [User; 3] = [
    User {
        login: "admin",
        uuid: "2c2ad6be-53c5-4e0f-a0c3-3d6c8c1f2b01",
        password: "admin-Passw0rd!",
        display_name: "Administrator",
        admin: true,
    },
    User {
        login: "alice",
        uuid: "7e1f9a55-8f0b-4a3c-9a51-1b9fd7c2ee02",
        password: "alice-Passw0rd!",
        display_name: "Alice",
        admin: false,
    },
    User {
        login: "bob",
        uuid: "b40c7d18-2f61-4c2e-8d0a-64a8f1d9aa03",
        password: "bob-Passw0rd!",
        display_name: "Bob",
        admin: false,
    },
];

/// The workspaces of every sandbox.
pub(crate) const WORKSPACES: [Workspace; 4] = [
    Workspace {
        slug: "common-files",
        label: "Common Files",
        description: "Data shared by all users",
        uuid: "eb94815d-6bb6-41df-8224-7f151480ef2b",
        root_uuid: "DATASOURCE:pydiods1",
        root_kind: RootKind::Datasource,
        admin: Some(Right::ReadWrite),
        others: Some(Right::ReadWrite),
    },
    Workspace {
        slug: "personal-files",
        label: "Personal Files",
        description: "User personal data",
        uuid: "32b4233c-5dd8-4615-b1e8-16a7dfd35932",
        root_uuid: "my-files",
        root_kind: RootKind::Personal,
        admin: Some(Right::ReadWrite),
        others: Some(Right::ReadWrite),
    },
    Workspace {
        slug: "a1-ro",
        label: "A1 ro",
        description: "",
        uuid: "c180e285-f7ec-4607-950e-1f7e039a131d",
        root_uuid: "10f5adc7-9d45-4de9-9db7-b4241c7e5821",
        root_kind: RootKind::Folder,
        admin: Some(Right::ReadWrite),
        others: Some(Right::Read),
    },
    Workspace {
        slug: "a1-priv",
        label: "A1 priv",
        description: "",
        uuid: "00fc0138-4aee-4e8d-ae50-5401c85d2b71",
        root_uuid: "7cbf8f25-e15c-48ea-9d8c-6bd3e7ac639c",
        root_kind: RootKind::Folder,
        admin: Some(Right::ReadWrite),
        others: None,
    },
];

impl Workspace {
    /// What `login` may do here; `None` when the workspace does not exist for this user.
    pub(crate) fn right_of(&self, login: &str) -> Option<Right> {
        if user(login).is_some_and(|user| user.admin) { self.admin } else { self.others }
    }
}

/// The user of that login. Logins are compared exactly.
pub(crate) fn user(login: &str) -> Option<&'static User> {
    USERS.iter().find(|user| user.login == login)
}

/// The workspace of that slug, whoever may see it.
pub(crate) fn workspace(slug: &str) -> Option<&'static Workspace> {
    WORKSPACES.iter().find(|workspace| workspace.slug == slug)
}

/// What a password check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordCheck {
    Accepted,
    Refused,
    /// The tenth refusal, and every later attempt, right password or not.
    Locked,
}

/// The state of a user's sign-ins.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    failures: u32,
    locked: bool,
    must_change_password: bool,
}

/// Counts wrong passwords for each user, and knows who may not sign in.
#[derive(Debug, Default)]
pub(crate) struct LoginGuard {
    standings: Mutex<HashMap<String, Standing>>,
    second_factors: Mutex<HashMap<String, String>>,
    /// Passwords that were set while the server runs.
    changed: Mutex<HashMap<String, String>>,
}

impl LoginGuard {
    /// Checks a password and keeps the count that leads to a lock.
    pub(crate) fn check(&self, login: &str, password: &str) -> PasswordCheck {
        if self.password(login).is_none() {
            return PasswordCheck::Refused;
        }
        self.change(login, |standing| {
            if standing.locked {
                return PasswordCheck::Locked;
            }
            if self.is_password(login, password) {
                standing.failures = 0;
                return PasswordCheck::Accepted;
            }
            standing.fail()
        })
    }

    /// Counts a login that failed although the password may have been right.
    pub(crate) fn fail(&self, login: &str) -> PasswordCheck {
        if self.password(login).is_none() {
            return PasswordCheck::Refused;
        }
        self.change(login, Standing::fail)
    }

    /// Whether this is the password of that user.
    pub(crate) fn is_password(&self, login: &str, password: &str) -> bool {
        self.password(login).is_some_and(|known| known == password)
    }

    /// Gives a user a password, known or not.
    pub(crate) fn set_password(&self, login: &str, password: &str) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(login.to_owned(), password.to_owned());
    }

    fn password(&self, login: &str) -> Option<String> {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner).get(login).cloned();
        changed.or_else(|| user(login).map(|user| user.password.to_owned()))
    }

    /// Whether the user may do nothing at all.
    pub(crate) fn is_locked(&self, login: &str) -> bool {
        self.change(login, |standing| standing.locked)
    }

    /// Locks a user, or unlocks one and resets the count.
    pub(crate) fn set_locked(&self, login: &str, locked: bool) {
        self.change(login, |standing| {
            standing.locked = locked;
            standing.failures = if locked { FAILURES_UNTIL_LOCKED } else { 0 };
        });
    }

    /// Whether the user should change the password in the browser first. Only the state shows it.
    pub(crate) fn must_change_password(&self, login: &str) -> bool {
        self.change(login, |standing| standing.must_change_password)
    }

    pub(crate) fn set_must_change_password(&self, login: &str, must: bool) {
        self.change(login, |standing| standing.must_change_password = must);
    }

    /// The name of the further step that this user has to take after the password.
    pub(crate) fn second_factor(&self, login: &str) -> Option<String> {
        self.second_factors.lock().unwrap_or_else(PoisonError::into_inner).get(login).cloned()
    }

    pub(crate) fn set_second_factor(&self, login: &str, name: Option<&str>) {
        let mut factors = self.second_factors.lock().unwrap_or_else(PoisonError::into_inner);
        match name {
            Some(name) => factors.insert(login.to_owned(), name.to_owned()),
            None => factors.remove(login),
        };
    }

    fn change<T>(&self, login: &str, change: impl FnOnce(&mut Standing) -> T) -> T {
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        change(standings.entry(login.to_owned()).or_default())
    }
}

impl Standing {
    fn fail(&mut self) -> PasswordCheck {
        self.failures += 1;
        self.locked |= self.failures >= FAILURES_UNTIL_LOCKED;
        if self.locked { PasswordCheck::Locked } else { PasswordCheck::Refused }
    }
}

//! Who and what the server knows beside the fixed users: further users, groups, roles, rights.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::random;
use crate::world::{RootKind, USERS, WORKSPACES};

/// A user as the identity service keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserRecord {
    pub(crate) uuid: String,
    pub(crate) login: String,
    /// The path of the user's group, with a slash at both ends.
    pub(crate) group_path: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Roles beside those of the user and of the groups.
    pub(crate) roles: Vec<String>,
    pub(crate) last_connected: i64,
}

/// A group of users.
#[derive(Clone, Debug)]
pub(crate) struct GroupRecord {
    pub(crate) uuid: String,
    pub(crate) label: String,
    /// The group above, with a slash at both ends.
    pub(crate) parent: String,
}

impl GroupRecord {
    /// The path that its members have.
    pub(crate) fn path(&self) -> String {
        format!("{}{}/", self.parent, self.label)
    }
}

/// A role.
#[derive(Clone, Debug)]
pub(crate) struct RoleRecord {
    pub(crate) uuid: String,
    pub(crate) label: String,
    pub(crate) is_user: bool,
    pub(crate) is_group: bool,
    pub(crate) auto_applies: &'static str,
}

/// A right of a role on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acl {
    pub(crate) id: u64,
    pub(crate) action: String,
    pub(crate) value: String,
    pub(crate) role: String,
    pub(crate) workspace: String,
    pub(crate) node: String,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) users: Vec<UserRecord>,
    pub(crate) groups: Vec<GroupRecord>,
    pub(crate) roles: Vec<RoleRecord>,
    pub(crate) acls: Vec<Acl>,
    last_acl: u64,
}

/// All that the identity services keep.
#[derive(Debug)]
pub(crate) struct Directory {
    state: Mutex<State>,
}

impl Default for Directory {
    fn default() -> Self {
        Self { state: Mutex::new(State::new()) }
    }
}

/// The roles that every server has.
const ROLES: [(&str, &str, &str); 4] = [
    ("ADMINS", "Administrators", "admin"),
    ("EXTERNAL_USERS", "External Users", "shared"),
    ("MINISITE", "Minisite Permissions", ""),
    ("MINISITE_NODOWNLOAD", "Minisite (Download Disabled)", ""),
];

impl State {
    fn new() -> Self {
        let mut state =
            Self { users: Vec::new(), groups: Vec::new(), roles: Vec::new(), acls: Vec::new(), last_acl: 0 };
        for user in &USERS {
            let profile = if user.admin { "admin" } else { "standard" };
            let attributes = [("displayName", user.display_name), ("profile", profile)];
            state.add_user(UserRecord {
                uuid: user.uuid.to_owned(),
                login: user.login.to_owned(),
                group_path: "/".to_owned(),
                attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
                ..UserRecord::default()
            });
        }
        let role = |(uuid, label, auto_applies): (&str, &str, &'static str)| RoleRecord {
            uuid: uuid.to_owned(),
            label: label.to_owned(),
            is_user: false,
            is_group: uuid == "ROOT_GROUP",
            auto_applies,
        };
        state.roles.extend(ROLES.map(role));
        state.roles.push(role(("ROOT_GROUP", "Root Group", "")));
        for workspace in &WORKSPACES {
            let role = if workspace.root_kind == RootKind::Folder { "ADMINS" } else { "ROOT_GROUP" };
            for action in ["read", "write"] {
                state.add_acl(Acl {
                    action: action.to_owned(),
                    value: "1".to_owned(),
                    role: role.to_owned(),
                    workspace: workspace.uuid.to_owned(),
                    node: workspace.root_uuid.to_owned(),
                    ..Acl::default()
                });
            }
        }
        state
    }

    /// Adds a user and the role that goes with it.
    pub(crate) fn add_user(&mut self, user: UserRecord) {
        self.roles.push(RoleRecord {
            uuid: user.uuid.clone(),
            label: format!("User {}", user.login),
            is_user: true,
            is_group: false,
            auto_applies: "",
        });
        self.users.push(user);
    }

    /// Adds a group and the role that goes with it.
    pub(crate) fn add_group(&mut self, label: &str, parent: &str) -> GroupRecord {
        let group = GroupRecord { uuid: random::uuid(), label: label.to_owned(), parent: parent.to_owned() };
        self.roles.push(RoleRecord {
            uuid: group.uuid.clone(),
            label: format!("Group {label}"),
            is_user: false,
            is_group: true,
            auto_applies: "",
        });
        self.groups.push(group.clone());
        group
    }

    /// Adds a permission. Returns `None` if it already exists.
    pub(crate) fn add_acl(&mut self, mut acl: Acl) -> Option<u64> {
        let is_same = |known: &Acl| Acl { id: 0, ..known.clone() } == Acl { id: 0, ..acl.clone() };
        if self.acls.iter().any(is_same) {
            return None;
        }
        self.last_acl += 1;
        acl.id = self.last_acl;
        self.acls.push(acl);
        Some(self.last_acl)
    }

    /// Removes a group, with the groups and users below it; its path has a slash at both ends.
    pub(crate) fn remove_group(&mut self, path: &str) {
        self.groups.retain(|group| !group.path().starts_with(path));
        self.users.retain(|user| path == "/" || !user.group_path.starts_with(path));
    }

    /// Removes a user, with its role and permissions. Returns false if there is none.
    pub(crate) fn remove_user(&mut self, login: &str) -> bool {
        let Some(index) = self.users.iter().position(|user| user.login == login) else { return false };
        let user = self.users.remove(index);
        self.roles.retain(|role| role.uuid != user.uuid);
        self.acls.retain(|acl| acl.role != user.uuid);
        true
    }
}

impl Directory {
    /// Looks at everything, or changes it.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

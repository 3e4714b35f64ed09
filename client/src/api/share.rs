//! Public links. To the server, each is a workspace of its own.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Client;
use super::wire::{list, number};
use crate::failure::{ServerError, ServerErrorKind};
use crate::path::{RemotePath, encode_segment};

/// The number of links to read at the same time.
const AT_ONCE: usize = 4;

/// The maximum number of paths that may belong to shared nodes and are checked.
const MOST_CANDIDATES: usize = 20_000;

/// A permission of the visitors of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// View in the browser.
    Preview,
    /// Download.
    Download,
    /// Upload.
    Upload,
}

impl Permission {
    /// All permissions, in display order.
    pub const ALL: [Self; 3] = [Self::Preview, Self::Download, Self::Upload];

    /// Returns the server's name for the permission.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preview => "Preview",
            Self::Download => "Download",
            Self::Upload => "Upload",
        }
    }
}

/// A public link.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its UUID.
    pub uuid: String,
    /// The last part of its URL.
    pub hash: String,
    /// The URL, as the server reports it: absolute only if a public address is configured on the server.
    pub url: String,
    /// The display name.
    pub label: String,
    /// The description.
    pub description: String,
    /// The permissions of visitors.
    pub permissions: BTreeSet<Permission>,
    /// Whether visitors need a password.
    pub password: bool,
    /// The expiry time, if any.
    pub expires: Option<Timestamp>,
    /// The maximum number of downloads, if limited.
    pub max_downloads: Option<u64>,
    /// The number of downloads so far.
    pub downloads: u64,
    /// The login of the creator, if the policies contain it.
    pub owner: Option<String>,
    /// Whether the user may change the link.
    pub editable: bool,
    /// All fields of the answer. An update must send unchanged fields back.
    fields: Map<String, Value>,
}

/// The desired properties of a new or existing link.
#[derive(Debug, Clone, Default)]
pub struct LinkWish {
    /// The display name; never empty.
    pub label: String,
    /// The description.
    pub description: String,
    /// The permissions of visitors; never empty.
    pub permissions: BTreeSet<Permission>,
    /// The expiry time.
    pub expires: Option<Timestamp>,
    /// The maximum number of downloads.
    pub max_downloads: Option<u64>,
    /// Whether visitors need a password.
    pub password: bool,
    /// A new password.
    pub new_password: Option<secrecy::SecretString>,
    /// The last part of the URL; the server chooses one if this is `None`.
    pub hash: Option<String>,
}

/// The placeholder that the server stores for a label that is the name of the node. It is visible if the node no longer
/// exists.
pub const NODE_NAME: &str = "{{RefLabel}}";

/// The workspace of a link, as the list of workspaces shows it.
#[derive(Debug)]
pub struct LinkWorkspace {
    /// The UUID, equal to that of the link.
    pub uuid: String,
    /// The display name.
    pub label: String,
    /// The slug: the first segment of the workspace's paths.
    pub slug: String,
    /// UUID and path (beginning with the data source) of each shared node.
    pub roots: Vec<(String, String)>,
    /// The link, or why it cannot be read. [`ServerErrorKind::NotFound`] if its creation was never completed.
    pub link: Result<Link, ServerError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WireLink {
    uuid: String,
    link_hash: String,
    link_url: String,
    label: String,
    description: String,
    password_required: bool,
    #[serde(deserialize_with = "number")]
    access_end: i64,
    #[serde(deserialize_with = "number")]
    max_downloads: i64,
    #[serde(deserialize_with = "number")]
    current_downloads: i64,
    #[serde(deserialize_with = "list")]
    permissions: Vec<String>,
    #[serde(deserialize_with = "list")]
    policies: Vec<WirePolicy>,
    policies_context_editable: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WorkspacesAnswer {
    #[serde(deserialize_with = "list")]
    workspaces: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct WirePolicy {
    action: String,
    subject: String,
}

impl Link {
    fn of(fields: Map<String, Value>) -> Result<Self, ServerError> {
        let wire: WireLink = serde_json::from_value(Value::Object(fields.clone())).map_err(|error| {
            ServerError::new(ServerErrorKind::NotCells, format!("the answer is not a public link: {error}"))
        })?;
        let owner = wire.policies.iter().filter(|policy| policy.action == "WRITE");
        let owner = owner.filter_map(|policy| policy.subject.strip_prefix("user:")).next();
        let granted = |permission: &Permission| wire.permissions.iter().any(|name| name == permission.name());
        Ok(Self {
            owner: owner.map(str::to_owned),
            permissions: Permission::ALL.into_iter().filter(granted).collect(),
            uuid: wire.uuid,
            hash: wire.link_hash,
            url: wire.link_url,
            label: wire.label,
            description: wire.description,
            password: wire.password_required,
            expires: Some(wire.access_end)
                .filter(|seconds| *seconds > 0)
                .and_then(|seconds| Timestamp::from_second(seconds).ok()),
            max_downloads: u64::try_from(wire.max_downloads).ok().filter(|count| *count > 0),
            downloads: u64::try_from(wire.current_downloads).unwrap_or(0),
            editable: wire.policies_context_editable,
            fields,
        })
    }

    /// Returns the present properties of the link, for a change.
    pub fn wish(&self) -> LinkWish {
        LinkWish {
            label: self.label.clone(),
            description: self.description.clone(),
            permissions: self.permissions.clone(),
            expires: self.expires,
            max_downloads: self.max_downloads,
            password: self.password,
            new_password: None,
            hash: None,
        }
    }
}

impl LinkWish {
    /// Whether a link already has these properties.
    pub fn changes_nothing(&self, link: &Link) -> bool {
        self.label == link.label
            && self.description == link.description
            && self.permissions == link.permissions
            && self.expires == link.expires
            && self.max_downloads == link.max_downloads
            && self.password == link.password
            && self.new_password.is_none()
            && self.hash.as_ref().is_none_or(|hash| *hash == link.hash)
    }

    /// Writes the properties into the fields of a link. Zero and absent values are removed.
    fn fill(&self, fields: &mut Map<String, Value>) {
        fields.insert("Label".to_owned(), self.label.as_str().into());
        let permissions: Vec<&str> = self.permissions.iter().map(|permission| permission.name()).collect();
        fields.insert("Permissions".to_owned(), permissions.into());
        let texts = [
            ("Description", Some(self.description.clone()).filter(|text| !text.is_empty())),
            ("AccessEnd", self.expires.map(|time| time.as_second().to_string())),
            ("MaxDownloads", self.max_downloads.map(|count| count.to_string())),
        ];
        for (name, text) in texts {
            match text {
                Some(text) => fields.insert(name.to_owned(), text.into()),
                None => fields.remove(name),
            };
        }
    }

    fn request(&self, link: &Map<String, Value>, had_password: bool) -> Value {
        use secrecy::ExposeSecret as _;
        let mut request = json!({"ShareLink": link, "PasswordEnabled": self.password});
        if let Some(password) = &self.new_password {
            let name = if had_password { "UpdatePassword" } else { "CreatePassword" };
            request[name] = password.expose_secret().into();
        }
        if let Some(hash) = &self.hash {
            request["UpdateCustomHash"] = hash.as_str().into();
        }
        request
    }
}

impl Client {
    /// Creates a public link to the node with this UUID.
    ///
    /// # Errors
    /// Any failure of the call; [`ServerErrorKind::BadRequest`] without a label or without permissions; then nothing is
    /// sent.
    pub async fn create_link(&self, node: &str, wish: &LinkWish) -> Result<Link, ServerError> {
        let mut fields = Map::new();
        fields.insert("RootNodes".to_owned(), json!([{"Uuid": node}]));
        self.put_link(fields, wish, false).await
    }

    /// Changes a link.
    ///
    /// # Errors
    /// As [`Client::create_link`].
    pub async fn update_link(&self, link: &Link, wish: &LinkWish) -> Result<Link, ServerError> {
        self.put_link(link.fields.clone(), wish, link.password).await
    }

    async fn put_link(
        &self,
        mut fields: Map<String, Value>,
        wish: &LinkWish,
        had_password: bool,
    ) -> Result<Link, ServerError> {
        // The server would create a link that nobody can use, or leave an incomplete one.
        if wish.label.is_empty() || wish.permissions.is_empty() {
            return Err(ServerError::new(
                ServerErrorKind::BadRequest,
                "a link needs a label and at least one permission",
            ));
        }
        if wish.password && !had_password && wish.new_password.is_none() {
            return Err(ServerError::new(ServerErrorKind::BadRequest, "the link needs a password"));
        }
        wish.fill(&mut fields);
        let answer = self.write(Method::PUT, "/a/share/link", &wish.request(&fields, had_password)).await?;
        Link::of(answer)
    }

    /// Returns the link with this UUID.
    ///
    /// # Errors
    /// Any failure of the call; [`ServerErrorKind::NotFound`] if there is none.
    pub async fn link(&self, uuid: &str) -> Result<Link, ServerError> {
        let link = Link::of(self.get(&format!("/a/share/link/{}", encode_segment(uuid))).await?)?;
        // The caller is going to change or remove the link, so it must be exactly the requested one.
        if link.uuid != uuid {
            let message = format!("the server was asked for the link {uuid} and answered with '{}'", link.uuid);
            return Err(ServerError::new(ServerErrorKind::NotCells, message));
        }
        Ok(link)
    }

    /// Removes the link with this UUID.
    ///
    /// # Errors
    /// As [`Client::link`].
    pub async fn delete_link(&self, uuid: &str) -> Result<(), ServerError> {
        let path = format!("/a/share/link/{}", encode_segment(uuid));
        self.raw(Method::DELETE, &path, None).await.map(|_| ())
    }

    /// Changes the last part of a new link's URL. In the same call as the creation, a part that is in use would leave a
    /// link that nobody can use or remove. If the change fails, this method removes the link.
    ///
    /// # Errors
    /// As [`Client::create_link`]; [`ServerErrorKind::Conflict`] if the part is in use.
    pub async fn rename_new_link(&self, link: &Link, hash: String) -> Result<Link, ServerError> {
        let wish = LinkWish { hash: Some(hash), ..link.wish() };
        let renamed = self.update_link(link, &wish).await;
        if renamed.is_err()
            && let Err(error) = self.delete_link(&link.uuid).await
        {
            tracing::warn!(%error, link = link.hash, "a new link could be neither renamed nor removed");
        }
        renamed
    }

    /// Removes the workspace of a link whose creation was never completed. It cannot be removed as a link. Requires an
    /// administrator.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn delete_remains(&self, workspace: &LinkWorkspace) -> Result<(), ServerError> {
        let slug = &workspace.slug;
        super::idm::check_exact(slug)?;
        let path = format!("/a/workspace/{}", encode_segment(slug));
        let what = format!("the workspace '{slug}'");
        super::idm::deleted_one(&self.delete_call(&path).await?, &what)
    }

    /// Returns all links that the user may see, with their workspaces.
    ///
    /// # Errors
    /// Any failure of a call, except for that of a single link.
    pub async fn links(&self) -> Result<Vec<LinkWorkspace>, ServerError> {
        // The order of the workspaces is random, so pages could skip some.
        let request = json!({"Queries": [{"scope": "LINK"}]});
        let answer: WorkspacesAnswer = self.read("/a/workspace", &request).await?;
        let links = stream::iter(answer.workspaces).map(|workspace| self.with_link(workspace)).buffered(AT_ONCE);
        let mut all: Vec<LinkWorkspace> = links.try_collect().await?;
        all.sort_by(|one, other| (&one.label, &one.uuid).cmp(&(&other.label, &other.uuid)));
        all.dedup_by(|one, other| one.uuid == other.uuid);
        Ok(all)
    }

    async fn with_link(&self, workspace: Value) -> Result<LinkWorkspace, ServerError> {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let uuid = text(&workspace, "UUID");
        let roots = workspace.get("RootNodes").and_then(Value::as_object).into_iter().flatten();
        let roots = roots.map(|(uuid, node)| (uuid.clone(), text(node, "Path"))).collect();
        let link = match self.link(&uuid).await {
            Ok(link) => Ok(link),
            Err(error) if matches!(error.kind, ServerErrorKind::Transport | ServerErrorKind::Unauthenticated) => {
                return Err(error);
            }
            Err(error) => Err(error),
        };
        let label = match &link {
            // If the link is named after its node, this is a placeholder.
            Ok(link) => link.label.clone(),
            Err(_) => text(&workspace, "Label"),
        };
        Ok(LinkWorkspace { uuid, label, slug: text(&workspace, "Slug"), roots, link })
    }

    /// Returns the paths of the nodes with these UUIDs in the user's workspaces, if they can be found. `roots` contains
    /// UUIDs and paths that begin with the data source. No call returns the path of a UUID, so this method checks the
    /// likely paths.
    ///
    /// # Errors
    /// Any failure of a call.
    pub async fn locate(&self, roots: &[(String, String)]) -> Result<Vec<(String, RemotePath)>, ServerError> {
        let workspaces = self.workspaces().await?;
        let mut candidates = Vec::new();
        for (_, path) in roots {
            let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
            // The path may continue below the data source, below the user's folder in it, or below the root folder of a
            // workspace.
            for skipped in 1..names.len().min(4) {
                let below = names[skipped..].join("/");
                let left = MOST_CANDIDATES.saturating_sub(candidates.len());
                candidates.extend(workspaces.iter().take(left).map(|workspace| workspace.path.join(&below)));
            }
        }
        let found = self.stat_many(&candidates).await?;
        let places = roots.iter().filter_map(|(uuid, _)| {
            let node = found.iter().find(|node| node.uuid == *uuid)?;
            Some((uuid.clone(), node.path.clone()))
        });
        Ok(places.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::recording::answer;

    fn recorded(name: &str) -> Link {
        Link::of(serde_json::from_slice(&answer(name).body).expect(name)).expect(name)
    }

    #[test]
    fn recorded_links_are_read() {
        let plain = recorded("59-link-get");
        assert_eq!((plain.hash.as_str(), plain.url.as_str()), ("cfebe05080bc", "/public/cfebe05080bc"));
        assert_eq!(plain.owner.as_deref(), Some("admin"));
        assert!(plain.editable && !plain.password && plain.expires.is_none() && plain.max_downloads.is_none());
        let full = recorded("61-link-put-full");
        assert_eq!(full.expires.map(Timestamp::as_second), Some(1_795_457_706));
        assert_eq!((full.max_downloads, full.password), (Some(3), true));
        assert!(full.permissions.iter().eq(&[Permission::Preview, Permission::Download]));
    }

    #[test]
    fn a_change_sends_back_what_it_does_not_change() {
        let link = recorded("61-link-put-full");
        let mut fields = link.fields.clone();
        LinkWish { max_downloads: None, ..link.wish() }.fill(&mut fields);
        assert_eq!(fields["UserLogin"], "f06544404361412e");
        assert_eq!(fields["AccessEnd"], "1795457706");
        assert!(!fields.contains_key("MaxDownloads"));
    }
}

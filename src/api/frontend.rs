//! Who am I, discovery, version (rest.md §9, auth.md §5).

use super::{ApiError, Client};

/// The user that a token belongs to.
#[derive(Debug, Clone)]
pub struct User {
    /// The login name.
    pub login: String,
    /// The display name, where set.
    pub display_name: Option<String>,
    /// The e-mail address, where set.
    pub email: Option<String>,
    /// Whether the user administers the server.
    pub admin: bool,
    /// Whether the server wants a new password (auth.md §3.3).
    pub must_change_password: bool,
}

/// What the server says of itself.
#[derive(Debug, Clone, Default)]
pub struct ServerInfo {
    /// The version, where the server tells a real one (versions.md §1: never a gate).
    pub version: Option<String>,
    /// The product's name, where told.
    pub product: Option<String>,
}

impl Client {
    /// The user that the token belongs to; `None` where the token is not valid (the state is 200 all the same).
    pub async fn user(&self) -> Result<Option<User>, ApiError> {
        todo!()
    }

    /// What the server says of itself with this token; what it does not tell is `None`.
    pub async fn server_info(&self) -> Result<ServerInfo, ApiError> {
        todo!()
    }
}

/// Checks without credentials that a Cells server answers at `url` (anonymous discovery, versions.md §8.2a): not
/// reachable, TLS not trusted, not a Cells server, host not configured on it are told apart.
pub async fn probe(_http: &crate::http::Http, _url: &crate::account::ServerUrl) -> Result<(), ApiError> {
    todo!()
}

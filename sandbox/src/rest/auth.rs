//! `/a/auth/token/…`: tokens for one node, and the revocation that does not work.

use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use super::error::{Prefix, RestError, RestResult};
use super::json::message;
use super::{Call, reply};
use crate::tokens::Scope;
use crate::tree::{Access, find};

/// How long a token for a node lives without use.
const WINDOW: Duration = Duration::from_mins(30);

message! {
    struct DocumentRequest {
        path: String = "Path",
        client_id: String = "ClientID",
    }
}

message! {
    struct RevokeRequest {
        token_id: String = "TokenId",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DocumentAnswer {
    access_token: String,
}

/// `POST /a/auth/token/document`: a token that reaches one node. Without a path, one that reaches
/// none.
pub(super) async fn document(call: &mut Call) -> RestResult {
    let request: DocumentRequest = call.message().await?;
    let mut caller = call.caller()?.clone();
    let mut scope = Scope { node_uuid: String::new(), write: false };
    if !request.path.is_empty() {
        let nodes = &call.shared.nodes;
        let (place, write) = match nodes.resolve(&caller, &request.path) {
            Access::Allowed(place) => (place, true),
            Access::ReadOnly(place) => (place, false),
            Access::WriteOnly(_) | Access::FileFolder(_) | Access::NotReadable => {
                let message = "path is not readable";
                let status = StatusCode::FORBIDDEN;
                return Err(RestError::typed(status, Prefix::Forbidden, message));
            }
            Access::UnknownWorkspace(slug) => return Err(RestError::no_workspace(&slug)),
        };
        let uuid = nodes.read(|forest| {
            let id = find(forest, &place)?;
            forest.get(id).map(|node| node.uuid.to_string())
        });
        scope.node_uuid = uuid.ok_or_else(|| RestError::no_node(&place.shown()))?;
        scope.write = write;
    }
    caller.scope = Some(scope);
    let access_token = call.shared.tokens.issue_sliding(caller, WINDOW);
    reply(&DocumentAnswer { access_token })
}

/// `POST /a/auth/token/revoke`: administrators only, and then it never finds the token.
pub(super) async fn revoke(call: &mut Call) -> RestResult {
    call.require_admin()?;
    let _: RevokeRequest = call.message().await?;
    Err(RestError::nested(StatusCode::INTERNAL_SERVER_ERROR, "not_found"))
}

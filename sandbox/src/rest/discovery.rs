//! `GET /a/config/discovery`: what the server offers and where.

use serde::Serialize;
use serde_json::{Value, json};

use super::error::{RestError, RestResult};
use super::frontend::VERSION;
use super::{Call, reply};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Discovery {
    #[serde(flatten)]
    package: Option<Package>,
    endpoints: Value,
}

/// Details that only administrators receive.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Package {
    package_type: &'static str,
    package_label: &'static str,
    version: &'static str,
    build_stamp: i64,
}

/// Anonymous callers get the endpoints, administrators the version too, and standard users are
/// refused: so it is on the real server.
pub(super) fn discovery(call: &Call) -> RestResult {
    let package = match &call.caller {
        None => None,
        Some(caller) if caller.admin => Some(Package {
            package_type: "PydioHome",
            package_label: "Pydio Cells Home Edition",
            version: VERSION,
            build_stamp: call.shared.clock.now(),
        }),
        Some(_) => return Err(RestError::not_permitted()),
    };
    let url = &call.shared.url;
    let socket = url.replacen("http", "ws", 1);
    let endpoints = json!({
        "chats": format!("{socket}/ws/chat"),
        "forms": format!("{url}/a/config/discovery/forms/{{serviceName}}"),
        "frontend": url,
        "grpc": call.shared.address.port().to_string(),
        // Stale on the real server too: the service is at /oidc.
        "oidc": format!("{url}/auth"),
        "openapi": format!("{url}/a/config/discovery/openapi"),
        "rest": format!("{url}/a"),
        "s3": format!("{url}/io"),
        "websocket": format!("{socket}/ws/event"),
    });
    reply(&Discovery { package, endpoints })
}

/// `GET /a/config/discovery/openapi`: the part of the interface's description that shows what a listing request may
/// contain.
pub(super) fn openapi() -> RestResult {
    let text = json!({"type": "string"});
    let number = json!({"type": "integer", "format": "int32"});
    let flag = json!({"type": "boolean"});
    reply(&json!({
        "swagger": "2.0",
        "info": {"title": "Pydio Cells Rest API", "version": VERSION},
        "basePath": "/a",
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "paths": {},
        "definitions": {
            "restGetBulkMetaRequest": {
                "type": "object",
                "properties": {
                    "NodePaths": {"type": "array", "items": text},
                    "AllMetaProviders": flag,
                    "Versions": flag,
                    "Offset": number,
                    "Limit": number,
                    "Filters": {"type": "object", "additionalProperties": text},
                    "SortField": text,
                    "SortDirDesc": flag,
                },
            },
        },
    }))
}

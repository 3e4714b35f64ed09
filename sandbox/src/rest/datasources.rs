//! `/a/config/datasource`: where the nodes are stored, secrets included.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::error::{RestError, RestResult};
use super::{Call, reply};

/// Name, folder of the storage, and whether the server keeps it for itself.
const ALL: [(&str, &str, bool); 5] = [
    ("pydiods1", "pydiods1", false),
    ("personal", "personal", false),
    ("cellsdata", "cellsdata", false),
    ("versions", "versions", true),
    ("thumbnails", "thumbs", true),
];

/// Whether there is a data source of that name.
pub(super) fn is_known(name: &str) -> bool {
    ALL.iter().any(|(known, ..)| *known == name)
}

fn shown((name, folder, is_internal): &(&str, &str, bool)) -> Json {
    let mut storage = json!({"folder": format!("/var/cells/data/{folder}"), "hashingVersion": "v4"});
    match is_internal {
        true => storage["cellsInternal"] = "true".into(),
        false => storage["normalize"] = "false".into(),
    }
    json!({
        "Name": name,
        "StorageConfiguration": storage,
        "ObjectsServiceName": "local1",
        "ObjectsPort": 41841,
        "ObjectsBucket": folder,
        "ApiKey": "sandbox-storage-key",
        "ApiSecret": "sandbox-storage-secret",
        "FlatStorage": true,
    })
}

/// `GET /a/config/datasource`
pub(super) fn list(call: &Call) -> RestResult {
    call.require_admin()?;
    let all: Vec<Json> = ALL.iter().map(shown).collect();
    reply(&json!({"DataSources": all, "Total": all.len()}))
}

/// `GET /a/config/datasource/{name}`
pub(super) fn get(call: &Call, name: &str) -> RestResult {
    call.require_admin()?;
    match ALL.iter().find(|(known, ..)| *known == name) {
        Some(one) => reply(&shown(one)),
        None => Err(RestError::untyped(StatusCode::NOT_FOUND, &format!("unknown datasource [{name}]"))),
    }
}

//! What the web page asks for first: boot configuration and the state of the session.

use std::fmt::Write as _;

use http::StatusCode;

use super::error::RestResult;
use super::{Call, reply};
use crate::links::Link;
use crate::transport::{chunked, respond};
use crate::world::{self, RootKind, WORKSPACES};

/// How the real server names its version to strangers: not a version at all.
const HIDDEN_VERSION: &str = "0b0b7a809730b45b7a887dc685a04139";

/// The version this server claims to have.
pub(super) const VERSION: &str = "4.0.0";

/// How many actions the state lists before the user: with the real ones, the user comes after
/// some 56 KB.
const ACTIONS: usize = 450;

/// `GET /a/frontend/bootconf`
pub(super) fn bootconf(call: &Call) -> RestResult {
    let version = match call.caller {
        Some(_) => VERSION,
        None => HIDDEN_VERSION,
    };
    let shown = serde_json::json!({
        "ajxpResourcesFolder": "plug/gui.ajax/res",
        "ENDPOINT_REST_API": "/a",
        "ENDPOINT_S3_GATEWAY": "/io",
        "ENDPOINT_WEBSOCKET": "/ws/event",
        "PUBLIC_BASEURI": "/public",
        "zipEnabled": true,
        "multipleFilesDownloadEnabled": true,
        "customWording": {
            "title": "Cells",
            "icon": "plug/gui.ajax/res/themes/common/images/LoginBoxLogo.png",
            "iconBinary": "",
            "loginTitle": "",
            "loginLegend": "",
        },
        "usersEnabled": true,
        "loggedUser": false,
        "currentLanguage": "en-us",
        "session_timeout": 3600,
        "client_timeout": 1440,
        "client_timeout_warning": 3,
        "availableLanguages": {"de": "Deutsch", "en-us": "English", "fr": "Français"},
        "usersEditable": true,
        "ajxpVersion": HIDDEN_VERSION,
        "ajxpVersionDate": "",
        "i18nMessages": messages(),
        "theme": "material",
        "ajxpImagesCommon": true,
        "validMailer": false,
        "backend": {
            "BuildRevision": "",
            "BuildStamp": "",
            "License": "agplv3",
            "PackageLabel": "Pydio Cells Home Edition",
            "PackageType": "PydioHome",
            "Version": version,
            "ServerOffset": 0,
            "PackagingInfo": null,
        },
    });
    reply(&shown)
}

/// The texts of the web page make this answer a long one.
fn messages() -> serde_json::Map<String, serde_json::Value> {
    (0..2000).map(|number| (format!("ajax_gui.{number}"), format!("Message number {number}").into())).collect()
}

/// `GET /a/frontend/state`: status 200 for everybody; only a valid token makes a user appear.
pub(super) fn state(call: &Call) -> RestResult {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n <pydio_registry>\n  <actions>\n");
    for number in 0..ACTIONS {
        // Writing to a string cannot fail.
        let _ = writeln!(
            xml,
            "   <action name=\"action_{number}\">\n    <gui hasAccessKey=\"false\" \
             text=\"{number}\" title=\"{number}\"></gui>\n   </action>"
        );
    }
    xml.push_str("  </actions>\n");
    if let Some(caller) = &call.caller {
        let workspaces = match caller.scope {
            Some(_) => String::new(),
            None => match call.shared.links.by_user(&caller.login) {
                Some(link) => repository(&link),
                None if call.shared.links.is_visitor(&caller.login) => String::new(),
                None => repositories(&caller.login),
            },
        };
        let name = world::user(&caller.login).map_or("", |user| user.display_name);
        let rights = special_rights(caller.admin, call.shared.logins.must_change_password(&caller.login));
        let _ = write!(
            xml,
            "  <user id=\"{}\">\n   <active_repo id=\"homepage\"></active_repo>\n   \
             <preferences>\n    <pref name=\"displayName\" pluginId=\"core.conf\" \
             value=\"{name}\"></pref>\n    <pref name=\"lang\" pluginId=\"core.conf\" \
             value=\"en-us\"></pref>\n   </preferences>\n   <repositories>\n{workspaces}   \
             </repositories>\n{rights}  </user>\n",
            caller.login
        );
    }
    xml.push_str(" </pydio_registry>");
    Ok(respond(StatusCode::OK, "application/xml", chunked(xml)))
}

/// The permissions of a user; an element without attributes is omitted.
fn special_rights(admin: bool, must_change_password: bool) -> String {
    let mut attributes = String::new();
    if admin {
        attributes.push_str(" is_admin=\"1\"");
    }
    if must_change_password {
        attributes.push_str(" lock=\"pass_change\"");
    }
    if attributes.is_empty() { attributes } else { format!("   <special_rights{attributes}></special_rights>\n") }
}

fn repository(link: &Link) -> String {
    let acl = link.right().map_or("", crate::world::Right::letters);
    format!(
        "    <repo access_type=\"gateway\" acl=\"{acl}\" id=\"{}\" owner=\"shared\" repositorySlug=\"{}\" \
         repository_type=\"link\">\n     <label><![CDATA[{}]]></label>\n    </repo>\n",
        link.uuid, link.slug, link.label
    )
}

fn repositories(login: &str) -> String {
    let mut xml = String::new();
    for workspace in &WORKSPACES {
        let Some(right) = workspace.right_of(login) else {
            continue;
        };
        let acl = right.letters();
        let kind = match workspace.root_kind {
            RootKind::Personal => "workspace-personal",
            RootKind::Datasource | RootKind::Folder => "workspace",
        };
        let _ = write!(
            xml,
            "    <repo access_type=\"gateway\" acl=\"{acl}\" id=\"{}\" repositorySlug=\"{}\" \
             repository_type=\"{kind}\">\n     <label><![CDATA[{}]]></label>\n    </repo>\n",
            workspace.uuid, workspace.slug, workspace.label
        );
    }
    xml
}

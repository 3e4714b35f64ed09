//! `/public/…`: the web page of a public link.

use http::StatusCode;
use serde_json::json;

use crate::Shared;
use crate::transport::{Response, chunked, full, respond};

/// Returns the page of the link with this hash. For a link that was removed or has ended, the page has status 404.
pub(crate) fn page(shared: &Shared, path: &str) -> Response {
    let hash = path.trim_end_matches('/');
    let (html, page_type) = ("text/html; charset=utf-8", "text/html; charset=utf8");
    let missing = |words: &str| {
        let page = format!(
            "<!DOCTYPE html>\n<html>\n\t<head>\n\t\t<title>Cells</title>\n\t</head>\n\t<body>\n\t\t<div>{words}</div>\n\t</body>\n</html>\n"
        );
        respond(StatusCode::NOT_FOUND, html, full(page))
    };
    let Some(link) = shared.links.by_hash(hash) else {
        return missing("Cannot find this link! Please contact the person who sent it to you.");
    };
    if !link.is_open(shared.clock.now()) {
        return missing("This link has expired. Please contact the person who sent it to you.");
    }
    if link.is_used_up() {
        return missing("This link has expired (number of maximum downloads has been reached).");
    }
    let mut parameters = json!({
        "MINISITE": hash,
        "START_REPOSITORY": link.uuid,
        "PRELOG_USER": link.user_login,
    });
    if link.password.is_some() {
        parameters = json!({
            "MINISITE": hash,
            "START_REPOSITORY": link.uuid,
            "PRESET_LOGIN": link.user_login,
            "PASSWORD_AUTH_ONLY": true,
        });
    }
    let page = format!(
        "<!DOCTYPE html>\n<html xmlns:ajxp>\n\t<head>\n\t\t<title>Cells</title>\n\t</head>\n\t<body>\n\t\t<script>\n\
         \t\t\tvar pydio, startParameters = {{}}, MessageHash={{}};\n\t\t\tstartParameters = {parameters};\n\t\t</script>\n\t</body>\n</html>\n"
    );
    respond(StatusCode::OK, page_type, chunked(page))
}

//! `/public/…`: the web page of a public link.

use http::StatusCode;
use serde_json::json;

use crate::Shared;
use crate::transport::{Response, chunked, full, respond};

/// The page of the link with that hash; one that is gone or over is 404, as a page as well.
pub(crate) fn page(shared: &Shared, path: &str) -> Response {
    let hash = path.split('/').next().unwrap_or_default();
    let html = "text/html; charset=utf-8";
    let missing = |words: &str| {
        let page = format!(
            "<!DOCTYPE html>\n<html>\n\t<head>\n\t\t<title>Cells</title>\n\t</head>\n\t<body>{words}</body>\n</html>\n"
        );
        respond(StatusCode::NOT_FOUND, html, full(page))
    };
    let Some(link) = shared.links.by_hash(hash) else { return missing("Cannot find this link") };
    if !link.is_open(shared.clock.now()) {
        return missing("This link has expired. Please contact the person who has shared this link.");
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
         \t\t\tvar startParameters = {parameters};\n\t\t</script>\n\t</body>\n</html>\n"
    );
    respond(StatusCode::OK, html, chunked(page))
}

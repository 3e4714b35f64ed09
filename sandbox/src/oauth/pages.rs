//! The web pages of a sign-in: simple ones of the sandbox, with the same fields as on a real server.

use http::{Method, StatusCode};

use super::{found, set};
use crate::Shared;
use crate::transport::{Request, Response, chunked, escape_html, form, full, respond};

/// The page of `/oauth2/login`. The script asks first whether the browser has a session, then shows the form.
const LOGIN: &str = include_str!("login.html");

/// Answers at the addresses that belong to a login; `None` at all others.
pub(crate) fn page(shared: &Shared, request: &Request) -> Option<Response> {
    if request.method() != Method::GET {
        return None;
    }
    let pairs = form(request.uri().query().unwrap_or_default());
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    match request.uri().path() {
        "/oauth2/login" if !value("cancel").is_empty() => {
            let challenge = value("login_challenge");
            let error = format!("{}/oauth2/fallbacks/error?error=invalid_request", shared.url);
            Some(found(&shared.authorizations.decline(challenge).unwrap_or(error)))
        }
        "/oauth2/login" => Some(html(LOGIN.to_owned())),
        "/oauth2/oob" => Some(html(dialog(
            "Authentication Success",
            &format!(
                "<p>Copy this code into the program that asked for it.</p>\
                 <input id=\"oob-code\" type=\"text\" size=\"90\" readonly value=\"{}\">",
                escape_html(value("code"))
            ),
        ))),
        "/oauth2/fallbacks/error" => Some(html(dialog(
            "Authentication Failed",
            &format!(
                "<p id=\"error\">{}</p><p>{}</p>",
                escape_html(value("error")),
                escape_html(value("error_description"))
            ),
        ))),
        _ => None,
    }
}

/// 404 below `/oidc`.
pub(crate) fn no_route() -> Response {
    let page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n    <meta charset=\"UTF-8\">\n    <title>404</title>\n\
        </head>\n<body>\n<h1>Error 404</h1>\n</body>\n</html>";
    respond(StatusCode::NOT_FOUND, "text/html; charset=utf-8", full(page))
}

fn html(page: String) -> Response {
    let mut response = respond(StatusCode::OK, "text/html; charset=utf-8", chunked(page));
    set(&mut response, http::HeaderName::from_static("x-xss-protection"), "1; mode=block");
    response
}

fn dialog(title: &str, content: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body><h1>{title}</h1>{content}</body>\n</html>\n"
    )
}

//! `GET /oidc/oauth2/auth`: the first step. Checks the client's request, then redirects the browser to the login page.

use http::header::SET_COOKIE;

use super::{ProofKey, SCOPES, Wish, found, refusal_url, see_other, set};
use crate::transport::{Response, encode_query, form};
use crate::{Shared, random};

/// The fewest characters of a state.
const SHORTEST_STATE: usize = 8;

/// What all refusals of a request begin with.
pub(super) const MALFORMED: &str = "The request is missing a required parameter, includes an invalid parameter value, \
    includes a parameter more than once, or is otherwise malformed.";

/// What refusals of a client begin with.
pub(super) const UNKNOWN_CLIENT: &str = "Client authentication failed (e.g., unknown client, no client authentication \
    included, or unsupported authentication method).";

/// Checks a request. If the client or the redirect URI is wrong, the browser ends at a page of the server; all other
/// errors are sent to the client.
pub(super) fn start(shared: &Shared, query: &str) -> Response {
    let pairs = form(query);
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let text = |name: &str| value(name).unwrap_or_default().to_owned();
    let Some(client) = shared.authorizations.client(&text("client_id")) else {
        let description = format!("{UNKNOWN_CLIENT} The requested OAuth 2.0 Client does not exist.");
        return fallback(shared, "invalid_client", &description);
    };
    let redirect = text("redirect_uri");
    if !client.redirects.contains(&redirect) {
        let description = format!(
            "{MALFORMED} The 'redirect_uri' parameter does not match any of the OAuth 2.0 Client's pre-registered \
             redirect urls."
        );
        return fallback(shared, "invalid_request", &description);
    }
    let wish = Wish {
        client: client.id.to_owned(),
        redirect,
        scope: text("scope"),
        state: text("state"),
        proof: match (value("code_challenge"), value("code_challenge_method")) {
            (None | Some(""), _) => ProofKey::Absent,
            (Some(challenge), Some("S256")) => ProofKey::Sha256(challenge.to_owned()),
            (Some(_), _) => ProofKey::Unusable,
        },
    };
    if let Some((error, description)) = refusal(&wish, value("response_type"), value("prompt")) {
        return see_other(&refusal_url(&wish, error, &description));
    }
    let name = shared.authorizations.challenge(wish, shared.sessions.lifetimes());
    let mut response = found(&format!("{}/oauth2/login?login_challenge={name}", shared.url));
    let cookie =
        format!("oauth2_authentication_csrf={}; Path=/; HttpOnly; Secure; SameSite=None", random::folder_etag());
    set(&mut response, SET_COOKIE, &cookie);
    response
}

fn refusal(wish: &Wish, response_type: Option<&str>, prompt: Option<&str>) -> Option<(&'static str, String)> {
    if wish.state.chars().count() < SHORTEST_STATE {
        let description = "The state is missing or does not have enough characters and is therefore considered too \
            weak. Request parameter 'state' must be at least be 8 characters long to ensure sufficient entropy.";
        return Some(("invalid_state", description.to_owned()));
    }
    if let Some(unknown) = wish.scope.split(' ').find(|scope| !scope.is_empty() && !SCOPES.contains(scope)) {
        let description = format!(
            "The requested scope is invalid, unknown, or malformed. The OAuth 2.0 Client is not allowed to request \
             scope '{unknown}'."
        );
        return Some(("invalid_scope", description));
    }
    // `token` ends in a code as well.
    if !matches!(response_type, Some("code" | "token")) {
        let description = "The authorization server does not support obtaining a token using this method.";
        return Some(("unsupported_response_type", description.to_owned()));
    }
    if prompt == Some("none") {
        let description = "The Authorization Server requires End-User authentication.";
        return Some(("login_required", description.to_owned()));
    }
    None
}

/// Redirects the browser to a page of the server with the error. The client is not informed.
fn fallback(shared: &Shared, error: &str, description: &str) -> Response {
    let query = format!("error={error}&error_description={}", encode_query(description));
    found(&format!("{}/oauth2/fallbacks/error?{query}", shared.url))
}

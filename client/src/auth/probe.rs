//! Finds out from REST whether a token is dead.

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Method, StatusCode};

use super::token::Token;
use crate::account::ServerUrl;
use crate::auth::AuthError;
use crate::http::{Detail, Http, HttpError, HttpErrorKind};
use crate::path::encode_segment;

/// The longest answer to a probe that is read, in bytes.
const PROBE_LIMIT: usize = 16 * 1024;

/// The workspace for a probe that is not about a certain one. Any name works.
pub const ANY_WORKSPACE: &str = "-";

/// Whether a token is dead according to REST. The request is for a workspace, which need not exist.
///
/// # Errors
/// There is no answer, or the server itself fails ([`AuthError::Server`]), so nothing is known.
pub(super) async fn probe(http: &Http, url: &ServerUrl, workspace: &str, token: &Token) -> Result<bool, AuthError> {
    let path = format!("/a/tree/stat/{}", encode_segment(workspace));
    let request = http.server_request(Method::GET, url, &path)?;
    let response = http.send(request.header(AUTHORIZATION, bearer(token)?).header(ACCEPT, "application/json")).await?;
    let status = response.status();
    // A plain 500 may also be a missing permission (docs/protocol.md §4.1).
    if matches!(status.as_u16(), 429 | 502..=504) {
        let message = "the server refused the request, and failed when it was asked whether the token is valid";
        return Err(AuthError::Server { status: status.as_u16(), message: message.to_owned() });
    }
    Ok(is_dead_token_answer(status, &http.read(response, PROBE_LIMIT).await?))
}

/// Whether an answer says that the token is not valid: 401 with the text `Unauthorized.`, including the full stop.
/// Without the full stop it means a missing permission.
pub fn is_dead_token_answer(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::UNAUTHORIZED && body.trim_ascii() == b"Unauthorized."
}

/// Returns the header with a token.
///
/// # Errors
/// The token contains a character that no token has.
pub(super) fn bearer(token: &Token) -> Result<HeaderValue, HttpError> {
    let unusable = || {
        HttpError::new(HttpErrorKind::Request, "the token contains invalid characters").detail(Detail::MalformedToken)
    };
    if !token.is_sound() {
        return Err(unusable());
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| unusable())?;
    value.set_sensitive(true);
    Ok(value)
}

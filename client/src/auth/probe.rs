//! Whether a token is dead, as REST tells it.

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Method, StatusCode};

use super::token::Token;
use crate::account::ServerUrl;
use crate::http::{Detail, Http, HttpError, HttpErrorKind};
use crate::path::encode_segment;

/// The longest answer to a probe that is looked at.
const PROBE_LIMIT: usize = 16 * 1024;

/// The workspace that is asked for to see whether a token is alive, where no other is at stake: any name will do.
pub const ANY_WORKSPACE: &str = "-";

/// Whether REST says that a token is dead. A workspace is asked for; which one does not matter for the answer, and it
/// need not exist.
///
/// # Errors
/// There is no answer; then nothing is known.
pub(super) async fn probe(http: &Http, url: &ServerUrl, workspace: &str, token: &Token) -> Result<bool, HttpError> {
    let path = format!("/a/tree/stat/{}", encode_segment(workspace));
    let request = http.server_request(Method::GET, url, &path)?;
    let response = http.send(request.header(AUTHORIZATION, bearer(token)?).header(ACCEPT, "application/json")).await?;
    let status = response.status();
    Ok(is_dead_token_answer(status, &http.read(response, PROBE_LIMIT).await?))
}

/// Whether an answer says that the token itself is not valid: 401 with the text `Unauthorized.`, full stop included.
/// The same text without the full stop is a missing right.
pub fn is_dead_token_answer(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::UNAUTHORIZED && body.trim_ascii() == b"Unauthorized."
}

/// The header that carries a token.
///
/// # Errors
/// A token with a character that no token has.
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

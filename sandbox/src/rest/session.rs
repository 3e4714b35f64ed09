//! `POST /a/frontend/session`: log in with a password, refresh, log out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, HOST, HeaderValue, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::error::{Prefix, RestError, RestResult};
use super::json::message;
use super::{Call, reply};
use crate::sessions::Grant;
use crate::transport::header;
use crate::world::PasswordCheck;

/// How long a browser keeps the cookie, in seconds.
const COOKIE_LIFETIME: u64 = 3600;

message! {
    struct SessionRequest {
        client_time: i32 = "ClientTime",
        auth_info: BTreeMap<String, String> = "AuthInfo",
        logout: bool = "Logout",
    }
}

#[derive(Debug, Default, Serialize)]
struct SessionAnswer {
    #[serde(rename = "JWT", skip_serializing_if = "Option::is_none")]
    jwt: Option<String>,
    #[serde(rename = "ExpireTime", skip_serializing_if = "Option::is_none")]
    expire_time: Option<i64>,
    #[serde(rename = "Token", skip_serializing_if = "Option::is_none")]
    token: Option<TokenAnswer>,
}

#[derive(Debug, Serialize)]
struct TokenAnswer {
    #[serde(rename = "AccessToken")]
    access_token: String,
    #[serde(rename = "IDToken")]
    identity_token: String,
    #[serde(rename = "ExpiresAt")]
    expires_at: String,
}

/// Every answer sets the cookie, also that of a refusal: it then holds no tokens.
pub(super) async fn post(call: &mut Call) -> RestResult {
    let request: SessionRequest = call.message().await?;
    let field = |name: &str| request.auth_info.get(name).map_or("", String::as_str);
    let sent = refresh_token(&call.headers);
    let (outcome, cookie) = match field("type") {
        "credentials" => {
            let outcome = log_in(call, field("login"), field("password"));
            (outcome.map(Some), Cookie::Kept)
        }
        "refresh" => (refresh(call, sent.as_deref()).map(Some), Cookie::Kept),
        "logout" => {
            if let Some(token) = sent {
                call.shared.sessions.end(&token, &call.shared.tokens);
            }
            (Ok(None), Cookie::Forgotten)
        }
        "external" => (Err(login_failed()), Cookie::Kept),
        _ => (Ok(None), Cookie::Kept),
    };
    let content = outcome.as_ref().ok().and_then(Option::as_ref);
    let cookie = set_cookie(call, content, cookie);
    let mut response = match outcome {
        Ok(grant) => reply(&grant.map(SessionAnswer::from).unwrap_or_default())?,
        Err(error) => error.into_answer().map_err(|_| RestError::Panic)?,
    };
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    Ok(response)
}

fn log_in(call: &Call, login: &str, password: &str) -> Result<Grant, RestError> {
    match call.shared.logins.check(login, password) {
        PasswordCheck::Accepted => Ok(call.shared.sessions.begin(login, &call.shared.tokens)),
        PasswordCheck::Refused => Err(login_failed()),
        PasswordCheck::Locked => Err(RestError::typed(
            StatusCode::UNAUTHORIZED,
            Prefix::Unauthorized,
            "User is locked - Please contact your admin",
        )),
    }
}

fn refresh(call: &Call, token: Option<&str>) -> Result<Grant, RestError> {
    let unauthorized = StatusCode::UNAUTHORIZED;
    let token = token.ok_or_else(|| RestError::untyped(unauthorized, "No refresh token"))?;
    call.shared
        .sessions
        .refresh(token, &call.shared.tokens)
        .ok_or_else(|| RestError::nested(unauthorized, "token_inactive"))
}

fn login_failed() -> RestError {
    RestError::typed(StatusCode::UNAUTHORIZED, Prefix::Unauthorized, "Login failed")
}

impl From<Grant> for SessionAnswer {
    fn from(grant: Grant) -> Self {
        Self {
            jwt: Some(grant.access.clone()),
            expire_time: Some(grant.expires),
            token: Some(TokenAnswer {
                access_token: grant.access,
                identity_token: grant.identity,
                expires_at: grant.expires.to_string(),
            }),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cookie {
    Kept,
    /// A session cookie of the browser, without a date.
    Forgotten,
}

/// The cookie holds all tokens, encoded twice but not encrypted: some 3 KB.
fn set_cookie(call: &Call, grant: Option<&Grant>, kind: Cookie) -> String {
    let content =
        grant.map_or_else(String::new, |grant| format!("{}|{}|{}", grant.access, grant.identity, grant.refresh));
    let inner = URL_SAFE_NO_PAD.encode(content);
    let signature: [u8; 32] = rand::random();
    let signature = URL_SAFE_NO_PAD.encode(signature);
    let value = URL_SAFE_NO_PAD.encode(format!("{}|{inner}|{signature}", call.shared.clock.now()));
    let host = header(&call.headers, HOST.as_str()).unwrap_or_default();
    let domain = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let expiry = match kind {
        Cookie::Kept => {
            let lifetime = std::time::Duration::from_secs(COOKIE_LIFETIME);
            let date = httpdate::fmt_http_date(call.shared.clock.system_time() + lifetime);
            format!("; Expires={date}; Max-Age={COOKIE_LIFETIME}")
        }
        Cookie::Forgotten => String::new(),
    };
    format!("pydio={value}; Path=/a/frontend; Domain={domain}{expiry}; HttpOnly")
}

/// The refresh token in the cookie that was sent.
fn refresh_token(headers: &HeaderMap) -> Option<String> {
    let cookies = header(headers, COOKIE.as_str())?;
    let value = cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("pydio="))?;
    let outer = String::from_utf8(URL_SAFE_NO_PAD.decode(value).ok()?).ok()?;
    let inner = URL_SAFE_NO_PAD.decode(outer.split('|').nth(1)?).ok()?;
    let tokens = String::from_utf8(inner).ok()?;
    tokens.split('|').nth(2).map(str::to_owned)
}

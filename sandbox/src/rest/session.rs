//! `POST /a/frontend/session`: signing in with a password, refreshing, signing out; and the sign-in step of the
//! authorization server, which is the same with a challenge.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, HOST, HeaderValue, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::error::{Prefix, RestError, RestResult};
use super::json::message;
use super::{Call, reply};
use crate::Shared;
use crate::sessions::{ALL_SCOPES, FRONTEND, Grant};
use crate::transport::header;
use crate::world::PasswordCheck;

/// The header of visitors of public links, which names the link.
const MINISITE: &str = "x-pydio-minisite";

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
    /// Where the browser goes next: back to the client, with a code.
    #[serde(rename = "RedirectTo", skip_serializing_if = "Option::is_none")]
    redirect_to: Option<String>,
    /// A further step that the user has to take.
    #[serde(rename = "Trigger", skip_serializing_if = "Option::is_none")]
    trigger: Option<String>,
    #[serde(rename = "TriggerInfo", skip_serializing_if = "BTreeMap::is_empty")]
    trigger_info: BTreeMap<String, String>,
}

/// What a login leads to.
enum Step {
    Tokens(Box<Grant>),
    Redirect(String),
    SecondFactor(String),
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

/// Every answer sets the cookie, even that of a refusal, whose cookie contains no tokens.
pub(super) async fn post(call: &mut Call) -> RestResult {
    let request: SessionRequest = call.message().await?;
    let field = |name: &str| request.auth_info.get(name).map_or("", String::as_str);
    let name = cookie_name(&call.headers);
    let sent = refresh_token(&call.headers, &name);
    let (outcome, cookie) = match field("type") {
        "credentials" => {
            let outcome = log_in(call, field("login"), field("password"), field("challenge"));
            (outcome.map(Some), Cookie::Kept)
        }
        "refresh" => {
            let shared = Arc::clone(&call.shared);
            let grant = refresh(&shared, sent.as_deref()).await;
            (grant.map(|grant| Some(Step::Tokens(Box::new(grant)))), Cookie::Kept)
        }
        "logout" => {
            if let Some(token) = sent {
                call.shared.sessions.end(&token, FRONTEND, &call.shared.tokens);
            }
            (Ok(None), Cookie::Forgotten)
        }
        "external" => (external(call, sent.as_deref(), field("challenge")).map(Some), Cookie::Kept),
        _ => (Ok(None), Cookie::Kept),
    };
    let content = match &outcome {
        Ok(Some(Step::Tokens(grant))) => Some(&**grant),
        _ => None,
    };
    let cookie = set_cookie(call, &name, content, cookie);
    let mut response = match outcome {
        Ok(step) => reply(&step.map(SessionAnswer::from).unwrap_or_default())?,
        Err(error) => error.into_answer().map_err(|_| RestError::Panic)?,
    };
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    Ok(response)
}

fn log_in(call: &Call, login: &str, password: &str, challenge: &str) -> Result<Step, RestError> {
    let (shared, logins) = (&call.shared, &call.shared.logins);
    match shared.links.by_user(login) {
        // Which link the header names does not matter.
        Some(_) if header(&call.headers, MINISITE).is_none() => return Err(login_failed()),
        Some(link) => logins.set_password(login, &link.visitors_password()),
        None if shared.links.is_visitor(login) => return Err(login_failed()),
        None => {}
    }
    let lifetimes = shared.sessions.lifetimes();
    // A challenge that cannot be met counts as a wrong password.
    let can_be_met = challenge.is_empty() || shared.authorizations.can_be_met(challenge);
    match if can_be_met { logins.check(login, password) } else { logins.fail(login) } {
        PasswordCheck::Accepted => {}
        PasswordCheck::Refused => return Err(login_failed()),
        PasswordCheck::Locked => return Err(locked()),
    }
    if let Some(name) = logins.second_factor(login) {
        return Ok(Step::SecondFactor(name));
    }
    if challenge.is_empty() {
        let grant = shared.sessions.begin(login, FRONTEND, ALL_SCOPES, &shared.tokens);
        return Ok(Step::Tokens(Box::new(grant)));
    }
    shared.authorizations.authorize(challenge, login, lifetimes).map(Step::Redirect).ok_or_else(login_failed)
}

/// A browser with a session gets its code without any question.
fn external(call: &Call, token: Option<&str>, challenge: &str) -> Result<Step, RestError> {
    let shared = &call.shared;
    let login = token.and_then(|token| shared.sessions.user_of(token)).ok_or_else(login_failed)?;
    if shared.logins.is_locked(&login) {
        return Err(locked());
    }
    let redirect = shared.authorizations.authorize(challenge, &login, shared.sessions.lifetimes());
    redirect.map(Step::Redirect).ok_or_else(login_failed)
}

async fn refresh(shared: &Shared, token: Option<&str>) -> Result<Grant, RestError> {
    let unauthorized = StatusCode::UNAUTHORIZED;
    let token = token.ok_or_else(|| RestError::untyped(unauthorized, "No refresh token"))?;
    shared
        .sessions
        .refresh(token, FRONTEND, &shared.tokens)
        .await
        .map_err(|_| RestError::nested(unauthorized, "token_inactive"))
}

fn locked() -> RestError {
    RestError::typed(StatusCode::UNAUTHORIZED, Prefix::Unauthorized, "User is locked - Please contact your admin")
}

fn login_failed() -> RestError {
    RestError::typed(StatusCode::UNAUTHORIZED, Prefix::Unauthorized, "Login failed")
}

impl From<Step> for SessionAnswer {
    fn from(step: Step) -> Self {
        match step {
            Step::Tokens(grant) => Self {
                jwt: Some(grant.access.clone()),
                expire_time: Some(grant.expires),
                token: Some(TokenAnswer {
                    access_token: grant.access,
                    identity_token: grant.identity,
                    expires_at: grant.expires.to_string(),
                }),
                ..Self::default()
            },
            Step::Redirect(url) => Self { redirect_to: Some(url), ..Self::default() },
            Step::SecondFactor(name) => Self {
                trigger_info: BTreeMap::from([("type".to_owned(), name.clone())]),
                trigger: Some(name),
                ..Self::default()
            },
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cookie {
    Kept,
    /// A session cookie of the browser, without a date.
    Forgotten,
}

/// The cookie contains all tokens, encoded twice but not encrypted: about 3 KB.
fn set_cookie(call: &Call, name: &str, grant: Option<&Grant>, kind: Cookie) -> String {
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
    format!("{name}={value}; Path=/a/frontend; Domain={domain}{expiry}; HttpOnly")
}

/// Visitors of a public link have their own cookie.
fn cookie_name(headers: &HeaderMap) -> String {
    header(headers, MINISITE).map_or_else(|| "pydio".to_owned(), |hash| format!("pydio-{hash}"))
}

/// The refresh token in the cookie that was sent.
fn refresh_token(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = header(headers, COOKIE.as_str())?;
    let value = cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))?;
    let outer = String::from_utf8(URL_SAFE_NO_PAD.decode(value).ok()?).ok()?;
    let inner = URL_SAFE_NO_PAD.decode(outer.split('|').nth(1)?).ok()?;
    let tokens = String::from_utf8(inner).ok()?;
    tokens.split('|').nth(2).map(str::to_owned)
}

//! A password session: a sign-in, its token with a life of ten minutes, and the cookie that renews it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::clock::Clock;
use super::error::{AuthError, LinkRefusal};
use super::flight::{Flight, Supply};
use super::public_link::{self, LinkPage};
use super::token::{Need, TimedToken, Token, USUAL_LIFE};
use crate::account::{LinkUrl, ServerUrl};
use crate::http::{Http, redact, retry};

/// The path of the call that opens, renews and ends sessions.
pub(super) const SESSION: &str = "/a/frontend/session";

/// The longest session answer that is read, in bytes.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// A password session. It is opened when the first token is requested.
#[derive(Debug)]
pub(super) struct Session(Flight<LoginSupply>);

/// Everything that opening and renewing a session needs.
#[derive(Debug)]
struct LoginSupply {
    http: Http,
    url: ServerUrl,
    login: String,
    password: SecretString,
    clock: Clock,
    link: Option<Link>,
}

/// The public link that is visited.
#[derive(Debug)]
struct Link {
    hash: String,
    /// Whether the link has a password, so that the given one may be wrong.
    has_password: bool,
}

#[derive(Debug, Default)]
struct State {
    current: Option<TimedToken>,
    cookie: Option<SecretString>,
    /// A refusal that would repeat itself. It is remembered, because ten wrong passwords lock the user.
    refused: Option<AuthError>,
    expires_at: Option<Timestamp>,
}

impl Session {
    pub(super) fn new(http: Http, url: ServerUrl, login: String, password: SecretString, clock: Clock) -> Self {
        Self::of(LoginSupply { http, url, login, password, clock, link: None })
    }

    /// Creates the session of a visitor of a public link, as the hidden user `login` of that link.
    pub(super) fn of_link(http: Http, link: &LinkUrl, page: &LinkPage, password: SecretString) -> Self {
        let visited = Link { hash: link.hash().to_owned(), has_password: page.wants_password };
        let (url, login, clock) = (link.server().clone(), page.login.clone(), Clock::default());
        Self::of(LoginSupply { http, url, login, password, clock, link: Some(visited) })
    }

    fn of(supply: LoginSupply) -> Self {
        let clock = supply.clock.clone();
        Self(Flight::new(supply, State::default(), clock))
    }

    pub(super) async fn token(&self, minimum_life: Duration) -> Result<Token, AuthError> {
        self.0.get(&Need::Life(minimum_life)).await
    }

    pub(super) async fn renew(&self, refused: &Token) -> Result<Token, AuthError> {
        self.0.get(&Need::Other(refused.clone())).await
    }

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at()
    }

    /// Ends the session on the server, if one was opened.
    pub(super) async fn close(&self) {
        // Taking the cookie waits for a renewal in progress, whose answer replaces the cookie.
        let take = |state: &mut State| {
            (state.current, state.expires_at) = (None, None);
            state.cookie.take()
        };
        if let Some(cookie) = self.0.with_state(take).await {
            let request = json!({"AuthInfo": {"type": "logout"}});
            if let Err(error) = self.0.supply().post(&request, Some(&cookie)).await {
                tracing::debug!(%error, "signing out failed");
            }
        }
    }
}

impl Supply for LoginSupply {
    type State = State;
    type Need = Need;
    type Item = Token;
    type Error = AuthError;

    fn at_hand(&self, state: &State, need: &Need, _: Option<&AuthError>) -> Option<Result<Token, AuthError>> {
        let current = state.current.as_ref().filter(|current| current.meets(need, &self.clock));
        let refused = || state.refused.clone().map(Err);
        current.map(|current| Ok(current.token.clone())).or_else(refused)
    }

    async fn fetch(&self, state: &mut State, _: &Need) -> Result<Token, AuthError> {
        self.open(state).await.inspect_err(|error| {
            state.current = None;
            if matches!(
                error,
                AuthError::WrongPassword | AuthError::Locked | AuthError::FurtherStep(_) | AuthError::Link(_)
            ) {
                state.refused = Some(error.clone());
            }
        })
    }

    /// Always `None`: if a session cannot be renewed, the sign-in that follows returns another token, so nothing is
    /// lost.
    fn fallback(&self, _: &State, _: &Need, _: &AuthError) -> Option<Token> {
        None
    }

    fn expires_at(&self, state: &State) -> Option<Timestamp> {
        state.expires_at
    }
}

impl LoginSupply {
    /// Renews with the cookie if there is one, otherwise signs in. A cookie is valid for one use and lost with a lost
    /// answer, so any failure of the renewal leads to a new sign-in.
    async fn open(&self, state: &mut State) -> Result<Token, AuthError> {
        // Taken out before it is sent: using a cookie twice would end the session (docs/protocol.md §6.2).
        if let Some(cookie) = state.cookie.take() {
            let request = json!({"AuthInfo": {"type": "refresh"}});
            match self.ask(state, &request, Some(&cookie)).await {
                Ok(token) => return Ok(token),
                Err(AuthError::Http(error)) if error.unsent => {
                    state.cookie = Some(cookie);
                    return Err(error.into());
                }
                Err(error) => tracing::debug!(%error, "the session could not be renewed; signing in again"),
            }
        }
        let request = json!({"AuthInfo": {
            "type": "credentials",
            "login": self.login,
            "password": self.password.expose_secret(),
        }});
        let granted = self.ask(state, &request, None).await;
        granted.map_err(|error| match (&self.link, error) {
            (Some(Link { has_password: true, .. }), AuthError::WrongPassword) => LinkRefusal::WrongPassword.into(),
            // The link existed a moment ago, so its user was removed in the meantime.
            (Some(_), AuthError::WrongPassword) => LinkRefusal::Unknown.into(),
            (Some(_), AuthError::Locked) => LinkRefusal::Locked.into(),
            (_, error) => error,
        })
    }

    async fn ask(&self, state: &mut State, request: &Value, cookie: Option<&SecretString>) -> Result<Token, AuthError> {
        let (status, headers, body) = self.post(request, cookie).await?;
        let answer = judge(status, &headers, &body)?;
        let life = answer.life(&headers);
        if let Some(cookie) = session_cookie(&headers) {
            self.http.keep_secret(&cookie);
            state.cookie = Some(cookie);
        }
        // Local time plus the remaining life, because the server's clock may differ from this machine's.
        state.expires_at = self.clock.in_the_future(life);
        let token = Token::new(&answer.token).ok_or_else(|| {
            AuthError::NotCells(
                "the token in the server's answer to the sign-in contains invalid characters".to_owned(),
            )
        })?;
        self.http.keep_secret(token.secret());
        state.current = Some(TimedToken { token: token.clone(), life, end: Some(self.clock.end_of(life)) });
        Ok(token)
    }

    /// Sends a call to the session service, without an Authorization header: a bad one makes even this call fail.
    async fn post(
        &self,
        request: &Value,
        cookie: Option<&SecretString>,
    ) -> Result<(StatusCode, HeaderMap, bytes::Bytes), AuthError> {
        let mut builder = self
            .http
            .server_request(Method::POST, &self.url, SESSION)?
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(request.to_string());
        if let Some(link) = &self.link {
            builder = builder.header(public_link::HEADER, &link.hash);
        }
        if let Some(cookie) = cookie
            && let Ok(mut value) = HeaderValue::from_str(cookie.expose_secret())
        {
            value.set_sensitive(true);
            builder = builder.header(COOKIE, value);
        }
        let response = self.http.send(builder).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.http.read(response, ANSWER_LIMIT).await?;
        Ok((status, headers, body))
    }
}

/// The result of a session call.
#[derive(Debug)]
struct Granted {
    token: String,
    expires: Option<u64>,
}

impl Granted {
    /// Returns the life of the token by the server's own clock, so that a wrong local clock has no effect.
    fn life(&self, headers: &HeaderMap) -> Duration {
        let now = retry::server_time(headers).unwrap_or_else(SystemTime::now);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match self.expires {
            Some(expires) if expires > now => Duration::from_secs(expires - now),
            _ => USUAL_LIFE,
        }
    }
}

/// Returns the JSON object of a successful answer.
pub(super) fn answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Value, AuthError> {
    let json = serde_json::Deserializer::from_slice(body).into_iter::<Value>().next().and_then(Result::ok);
    match json.filter(Value::is_object) {
        None => Err(no_json(status, headers, body)),
        Some(json) if !status.is_success() => Err(refusal(status, &json)),
        Some(json) => Ok(json),
    }
}

fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Granted, AuthError> {
    let json = answer(status, headers, body)?;
    // A further step comes with status 200 and without a token, so it must be found before the token is missed.
    for step in ["Trigger", "RedirectTo"] {
        if let Some(text) = json.get(step).and_then(Value::as_str).filter(|text| !text.is_empty()) {
            let named = if step == "Trigger" { redact::text(text).into_owned() } else { "single sign-on".to_owned() };
            return Err(AuthError::FurtherStep(named));
        }
    }
    let token = json
        .get("JWT")
        .or_else(|| json.pointer("/Token/AccessToken"))
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty());
    match token {
        Some(token) => Ok(Granted {
            token: token.to_owned(),
            expires: json.get("ExpireTime").or_else(|| json.pointer("/Token/ExpiresAt")).and_then(seconds),
        }),
        None => Err(AuthError::Server {
            status: status.as_u16(),
            message: "the server's answer to the sign-in contains no token".to_owned(),
        }),
    }
}

fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn no_json(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> AuthError {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if status.is_success() && body.is_empty() {
        return AuthError::NotCells(
            "the server's answer to the sign-in is empty: this host name is not configured on the Cells server"
                .to_owned(),
        );
    }
    if kind.starts_with("text/html") || status.is_success() {
        return AuthError::NotCells(format!(
            "the server's answer to the sign-in is a web page (HTTP {status}): not a Cells server"
        ));
    }
    // Only the beginning: this may be any page of a proxy.
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned();
    AuthError::Server {
        status: status.as_u16(),
        message: if text.is_empty() { "the sign-in failed".to_owned() } else { redact::text(&text).into_owned() },
    }
}

/// Interprets a refused sign-in. A wrong password and a locked user differ only in the server's fixed English words; a
/// newer server's codes mean the same.
fn refusal(status: StatusCode, json: &Value) -> AuthError {
    let text = |name| json.get(name).and_then(Value::as_str).unwrap_or_default();
    let (title, detail) = (text("Title"), text("Detail"));
    let both = format!("{title} {detail}");
    if both.contains("E_USER_LOCKED") || both.to_lowercase().contains("user is locked") {
        return AuthError::Locked;
    }
    if status == StatusCode::UNAUTHORIZED && (both.contains("Login failed") || both.contains("E_LOGIN_FAILED")) {
        return AuthError::WrongPassword;
    }
    let message = if title.is_empty() { "the sign-in failed" } else { title };
    AuthError::Server { status: status.as_u16(), message: redact::text(message).into_owned() }
}

/// Returns the session's cookies for the next request: `name=value` of each cookie that was set.
fn session_cookie(headers: &HeaderMap) -> Option<SecretString> {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for value in headers.get_all(SET_COOKIE) {
        let Some((name, value)) = value.to_str().ok().and_then(|text| text.split(';').next()?.split_once('=')) else {
            continue;
        };
        let name = name.trim();
        pairs.retain(|(known, _)| *known != name);
        // An empty value deletes the cookie.
        if !value.trim().is_empty() {
            pairs.push((name, value.trim()));
        }
    }
    if pairs.is_empty() {
        return None;
    }
    let text: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Some(SecretString::from(text.join("; ")))
}

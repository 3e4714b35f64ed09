//! The authorization server of a Cells server, used as the client `cells-client`: authorization codes with a proof key,
//! refresh, revocation. All requests go to the URL of the account, whatever address the server reports. No call is
//! repeated here, because a second use of a code or of a refresh token ends the session.

pub mod loopback;
pub mod password;

use std::borrow::Cow;

use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{Method, StatusCode};
use jiff::Timestamp;
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse, BasicTokenType};
use oauth2::{
    AsyncHttpClient, AuthUrl, AuthorizationCode, ClientId, CsrfToken, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use url::Url;

use super::clock::Clock;
use super::token::{Token, USUAL_LIFE};
use crate::account::{ServerUrl, TokenPair};
use crate::http::retry::{Advice, Retryable};
use crate::http::{Http, HttpError, SendOptions, redact};

/// The client id that every Cells server knows: a public client without a secret.
const CLIENT: &str = "cells-client";

/// The requested scopes. Without `offline` there is no refresh token.
const SCOPES: [&str; 5] = ["openid", "email", "profile", "pydio", "offline"];

const AUTHORIZE: &str = "/oidc/oauth2/auth";
const TOKEN: &str = "/oidc/oauth2/token";
const REVOKE: &str = "/oidc/oauth2/revoke";
const DISCOVERY: &str = "/oidc/.well-known/openid-configuration";

/// The path of the redirect to this machine.
pub const CALLBACK_PATH: &str = "/servers/callback";

/// The only port that servers accept for the redirect.
pub const CALLBACK_PORT: u16 = 3000;

/// The number of random bytes in a state.
const STATE_BYTES: u32 = 32;

/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 256 * 1024;

/// The authorization server returned no tokens.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OAuthError {
    /// The server refused the request.
    #[error("the server refused the sign-in: {description} ({code})")]
    Refused {
        /// The HTTP status; 0 if the browser brought the refusal.
        status: u16,
        /// The code of RFC 6749, such as `invalid_grant`.
        code: String,
        /// The server's description, without secrets.
        description: String,
    },
    /// The answer is not that of a Cells server's authorization server.
    #[error("{0}")]
    NotCells(String),
    /// The server, or a proxy in front of it, is failing.
    #[error("the server cannot renew the session now (HTTP {0})")]
    Unavailable(u16),
    /// The pasted URL, or the browser, belongs to another sign-in.
    #[error("this belongs to another sign-in: its state does not match")]
    OtherState,
    /// The pasted text is neither a code nor the URL of the page.
    #[error("{0}")]
    NoCode(&'static str),
    /// There is no usable answer. Unless [`HttpError::unsent`] is set, the server may have acted.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Retryable for OAuthError {
    /// Another attempt is safe only if the server has certainly not acted.
    fn advice(&self) -> Advice {
        match self {
            Self::Http(error) => error.advice(),
            Self::Unavailable(_) => Advice::Retry,
            Self::Refused { .. } | Self::NotCells(_) | Self::OtherState | Self::NoCode(_) => Advice::Stop,
        }
    }
}

impl OAuthError {
    fn refused(status: u16, code: &str, description: Option<&str>) -> Self {
        let description = description.filter(|text| !text.is_empty()).unwrap_or("no reason given");
        Self::Refused {
            status,
            code: redact::text(code).into_owned(),
            description: redact::text(description).into_owned(),
        }
    }
}

/// Where the server redirects the browser with the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// To a listener on this port of this machine.
    Loopback(u16),
    /// To a page of the server that shows the code, to be copied. The server's own idea of its address is used.
    OutOfBand(ServerUrl),
}

impl Redirect {
    fn uri(&self) -> String {
        match self {
            Self::Loopback(port) => format!("http://localhost:{port}{CALLBACK_PATH}"),
            Self::OutOfBand(site) => format!("{}/oauth2/oob", site.origin()),
        }
    }
}

/// A state, compared in constant time.
#[derive(Debug)]
struct State(CsrfToken);

impl State {
    fn is(&self, other: &str) -> bool {
        bool::from(self.0.secret().as_bytes().ct_eq(other.as_bytes()))
    }
}

/// A sign-in: the page to open, and the secrets that only this process knows.
#[derive(Debug)]
pub struct Attempt {
    url: Url,
    redirect: Redirect,
    state: State,
    verifier: PkceCodeVerifier,
}

/// An authorization code that can be exchanged for tokens.
#[derive(Debug)]
pub struct Code(AuthorizationCode);

impl Attempt {
    /// Returns the URL of the sign-in page.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Reads the code from the query of the redirect.
    ///
    /// # Errors
    /// [`OAuthError::OtherState`] if it belongs to another sign-in, [`OAuthError::Refused`] if it contains an error,
    /// [`OAuthError::NoCode`] if it contains neither a code nor an error.
    pub fn read_query(&self, query: &str) -> Result<Code, OAuthError> {
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let value = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_ref());
        if !self.state.is(value("state").unwrap_or_default()) {
            return Err(OAuthError::OtherState);
        }
        if let Some(error) = value("error").filter(|error| !error.is_empty()) {
            return Err(OAuthError::refused(0, error, value("error_description")));
        }
        match value("code").filter(|code| !code.is_empty()) {
            Some(code) => Ok(Code(AuthorizationCode::new(code.to_owned()))),
            None => Err(OAuthError::NoCode("the address contains no code")),
        }
    }

    /// Reads the code from pasted text: the code alone, or the complete URL of the last page, whose state must match.
    ///
    /// # Errors
    /// As [`Attempt::read_query`].
    pub fn read_pasted(&self, text: &str) -> Result<Code, OAuthError> {
        let text = text.trim();
        if let Some((_, query)) = text.split_once('?') {
            return self.read_query(query.split('#').next().unwrap_or_default());
        }
        let is_code = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '~');
        match text {
            "" => Err(OAuthError::NoCode("nothing was pasted")),
            text if text.contains("://") => Err(OAuthError::NoCode("the address contains no code")),
            text if text.chars().all(is_code) => Ok(Code(AuthorizationCode::new(text.to_owned()))),
            _ => Err(OAuthError::NoCode("this is neither a code nor the address of the page")),
        }
    }
}

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The authorization server of one Cells server.
#[derive(Debug, Clone)]
pub struct OAuth {
    http: Http,
    server: ServerUrl,
    clock: Clock,
}

impl OAuth {
    /// Creates the client. Nothing is sent.
    pub fn new(http: Http, server: ServerUrl) -> Self {
        Self::by_clock(http, server, Clock::default())
    }

    /// Like [`OAuth::new`], with another clock for the expiry of tokens.
    pub(super) fn by_clock(http: Http, server: ServerUrl, clock: Clock) -> Self {
        Self { http, server, clock }
    }

    fn client(&self) -> Result<Client, OAuthError> {
        let unusable = |_| OAuthError::NotCells(format!("{} cannot be used to sign in", self.server));
        let at = |path: &str| format!("{}{path}", self.server.origin());
        Ok(BasicClient::new(ClientId::new(CLIENT.to_owned()))
            .set_auth_uri(AuthUrl::new(at(AUTHORIZE)).map_err(unusable)?)
            .set_token_uri(TokenUrl::new(at(TOKEN)).map_err(unusable)?))
    }

    /// Begins a sign-in with a new state and a new proof key. Nothing is sent.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn begin(&self, redirect: Redirect) -> Result<Attempt, OAuthError> {
        let uri = RedirectUrl::new(redirect.uri())
            .map_err(|_| OAuthError::NotCells(format!("{} cannot be used to sign in", self.server)))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = self
            .client()?
            .authorize_url(|| CsrfToken::new_random_len(STATE_BYTES))
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Owned(uri))
            .url();
        Ok(Attempt { url, redirect, state: State(state), verifier })
    }

    /// Requests the page of a sign-in without following the redirect to the sign-in page, to detect errors before a
    /// browser is opened. Returns the name of the challenge that the login must contain.
    ///
    /// # Errors
    /// [`OAuthError::Refused`] if the server does not know the client or does not accept the redirect.
    pub async fn challenge(&self, attempt: &Attempt) -> Result<String, OAuthError> {
        let path = format!("{AUTHORIZE}?{}", attempt.url.query().unwrap_or_default());
        let request = self.http.server_request(Method::GET, &self.server, &path)?.header(ACCEPT, "text/html");
        let options = SendOptions { redirect_is_answer: true, ..SendOptions::default() };
        let response = self.http.send_with(request, &options).await?;
        let status = response.status();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(target) = location.and_then(|text| attempt.url.join(text).ok()).filter(|_| status.is_redirection())
        else {
            return Err(self.no_sign_in(status));
        };
        let value = |wanted: &str| target.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value);
        if let Some(error) = value("error") {
            let description = value("error_description");
            return Err(OAuthError::refused(status.as_u16(), &error, description.as_deref()));
        }
        match value("login_challenge") {
            Some(challenge) if !challenge.is_empty() => Ok(challenge.into_owned()),
            _ => Err(self.no_sign_in(status)),
        }
    }

    fn no_sign_in(&self, status: StatusCode) -> OAuthError {
        OAuthError::NotCells(format!(
            "{} has no sign-in page at {AUTHORIZE} (HTTP {}): it may be configured with another address",
            self.server,
            status.as_u16()
        ))
    }

    /// Returns the server's own idea of its address, which is the base of its pages; `None` if unknown.
    pub async fn site(&self) -> Option<ServerUrl> {
        let request = self.http.server_request(Method::GET, &self.server, DISCOVERY).ok()?;
        let response = self.http.send(request.header(ACCEPT, "application/json")).await.ok()?;
        let body = self.http.read(response, ANSWER_LIMIT).await.ok()?;
        let discovery: Value = serde_json::from_slice(&body).ok()?;
        let issuer = Url::parse(discovery.get("issuer")?.as_str()?).ok()?;
        ServerUrl::parse(&issuer.origin().ascii_serialization()).ok()
    }

    /// Exchanges a code for tokens. Call it only once, because a second use of a code revokes the tokens of the first.
    ///
    /// # Errors
    /// See [`OAuthError`].
    pub async fn exchange(&self, attempt: &Attempt, code: Code) -> Result<TokenPair, OAuthError> {
        let uri = RedirectUrl::new(attempt.redirect.uri())
            .map_err(|_| OAuthError::NotCells(format!("{} cannot be used to sign in", self.server)))?;
        let verifier = PkceCodeVerifier::new(attempt.verifier.secret().clone());
        let client = self.client()?;
        let request = client.exchange_code(code.0).set_pkce_verifier(verifier).set_redirect_uri(Cow::Owned(uri));
        self.tokens(request.request_async(&Wire(self)).await)
    }

    /// Exchanges a refresh token for a new pair. The old pair becomes invalid, even if the answer is lost. A second
    /// call with the same token ends the session, unless the server never received the first one.
    ///
    /// # Errors
    /// See [`OAuthError`]; [`OAuthError::Refused`] with `token_inactive` if the session has ended.
    pub async fn refresh(&self, refresh: &SecretString) -> Result<TokenPair, OAuthError> {
        let client = self.client()?;
        let token = RefreshToken::new(refresh.expose_secret().to_owned());
        self.tokens(client.exchange_refresh_token(&token).request_async(&Wire(self)).await)
    }

    /// Ends the session of an access or refresh token. The server confirms any request.
    ///
    /// # Errors
    /// There is no answer, or it is not from an authorization server.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), OAuthError> {
        // The oauth2 crate revokes tokens over https only.
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose_secret())
            .append_pair("client_id", CLIENT)
            .finish();
        let request = self
            .http
            .server_request(Method::POST, &self.server, REVOKE)?
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let response = self.http.send(request).await?;
        match response.status() {
            StatusCode::OK => Ok(()),
            status => Err(OAuthError::refused(status.as_u16(), "revocation", None)),
        }
    }

    /// Converts an answer to a pair. An answer that cannot be read is not shown, because it may contain tokens.
    fn tokens(&self, answer: Answered) -> Result<TokenPair, OAuthError> {
        let answer = answer.map_err(refusal)?;
        let access = answer.access_token().secret();
        if Token::new(access).is_none() || *answer.token_type() != BasicTokenType::Bearer {
            return Err(OAuthError::NotCells(
                "the server's answer to the sign-in contains an unusable token".to_owned(),
            ));
        }
        let life = answer.expires_in().unwrap_or(USUAL_LIFE);
        let refresh = answer.refresh_token().filter(|token| !token.secret().is_empty());
        let pair = TokenPair {
            access: SecretString::from(access.as_str()),
            refresh: refresh.map(|token| SecretString::from(token.secret().as_str())),
            expires_at: self.clock.in_the_future(life).map(Timestamp::as_second),
            life: Some(life),
        };
        self.http.keep_secret(&pair.access);
        pair.refresh.iter().for_each(|secret| self.http.keep_secret(secret));
        Ok(pair)
    }
}

/// Sends the requests of the oauth2 crate with the shared HTTP client, one attempt each.
struct Wire<'a>(&'a OAuth);

impl<'c> AsyncHttpClient<'c> for Wire<'_> {
    type Error = WireError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, WireError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let OAuth { http, server, .. } = self.0;
            let (parts, body) = request.into_parts();
            let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
            let request = http.server_request(parts.method, server, path)?.headers(parts.headers).body(body);
            let response = http.send(request).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                return Err(WireError::Unavailable(status.as_u16()));
            }
            let body = http.read(response, ANSWER_LIMIT).await?;
            let mut answer = HttpResponse::new(body.to_vec());
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok(answer)
        })
    }
}

/// There is no answer for the oauth2 crate.
#[derive(Debug, thiserror::Error)]
enum WireError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("HTTP {0}")]
    Unavailable(u16),
}

type Failure = RequestTokenError<WireError, BasicErrorResponse>;
type Answered = Result<BasicTokenResponse, Failure>;

fn refusal(failure: Failure) -> OAuthError {
    match failure {
        RequestTokenError::Request(WireError::Http(error)) => error.into(),
        RequestTokenError::Request(WireError::Unavailable(status)) => OAuthError::Unavailable(status),
        RequestTokenError::ServerResponse(refusal) => {
            let description = refusal.error_description().map(String::as_str);
            OAuthError::refused(400, refusal.error().as_ref(), description)
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            OAuthError::NotCells("the server's answer to the sign-in contains no usable token".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpOptions;

    fn attempt(redirect: Redirect) -> Attempt {
        let http = Http::new(&HttpOptions::default()).expect("a client");
        let server = ServerUrl::parse("https://files.example.com").expect("a URL");
        OAuth::new(http, server).begin(redirect).expect("an attempt")
    }

    fn parameter(attempt: &Attempt, name: &str) -> String {
        let pair = attempt.url.query_pairs().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }

    #[test]
    fn every_sign_in_has_a_state_and_a_proof_key_of_its_own() {
        let (one, two) = (attempt(Redirect::Loopback(3000)), attempt(Redirect::Loopback(3000)));
        for attempt in [&one, &two] {
            assert!(attempt.url.as_str().starts_with("https://files.example.com/oidc/oauth2/auth?"));
            assert_eq!(parameter(attempt, "response_type"), "code");
            assert_eq!(parameter(attempt, "client_id"), "cells-client");
            assert_eq!(parameter(attempt, "scope"), "openid email profile pydio offline");
            assert_eq!(parameter(attempt, "redirect_uri"), "http://localhost:3000/servers/callback");
            assert_eq!(parameter(attempt, "code_challenge_method"), "S256");
            assert!(parameter(attempt, "code_challenge").len() == 43 && attempt.verifier.secret().len() >= 43);
            let state = parameter(attempt, "state");
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            assert!(state.len() == 43 && state.bytes().all(plain), "servers give the state back as it is: {state}");
        }
        assert_ne!(parameter(&one, "state"), parameter(&two, "state"));
        assert_ne!(parameter(&one, "code_challenge"), parameter(&two, "code_challenge"));
        let shown = format!("{one:?}");
        assert!(!shown.contains(one.verifier.secret()), "{shown}");
        let oob = attempt(Redirect::OutOfBand(ServerUrl::parse("https://inner.example:8443").expect("a URL")));
        assert_eq!(parameter(&oob, "redirect_uri"), "https://inner.example:8443/oauth2/oob");
    }

    #[test]
    fn codes_are_read_from_what_people_paste() {
        let attempt = attempt(Redirect::Loopback(3000));
        let state = parameter(&attempt, "state");
        let code = |text: &str| attempt.read_pasted(text).map(|code| code.0.into_secret());
        assert_eq!(code("  ab-C_1.x~y \n").expect("a code"), "ab-C_1.x~y");
        let address = format!("http://localhost:3000/servers/callback?code=abc.def&state={state}");
        assert_eq!(code(&address).expect("a code"), "abc.def");
        assert_eq!(code(&format!("?state={state}&code=abc.def#x")).expect("a code"), "abc.def");
        for (text, expected) in [
            ("", "nothing was pasted"),
            ("a code", "this is neither a code nor the address of the page"),
            ("https://files.example.com/oauth2/oob", "the address contains no code"),
            (
                "https://h/oauth2/oob?code=abc&state=another-state-altogether",
                "this belongs to another sign-in: its state does not match",
            ),
            ("https://h/oauth2/oob?code=abc", "this belongs to another sign-in: its state does not match"),
        ] {
            assert_eq!(code(text).expect_err(text).to_string(), expected, "{text}");
        }
        assert_eq!(
            code(&format!("http://h/?state={state}&code=")).expect_err("none").to_string(),
            "the address contains no code"
        );
        let refused = format!("http://h/?state={state}&error=access_denied&error_description=No+thanks.&code=x");
        assert_eq!(
            code(&refused).expect_err("refused").to_string(),
            "the server refused the sign-in: No thanks. (access_denied)"
        );
    }
}

//! The authorization server below `/oidc/`, and the web pages that go with it.

mod authorize;
pub(crate) mod control;
pub(crate) mod pages;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, HOST, HeaderName, HeaderValue, LOCATION, PRAGMA, VARY, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::clock::Clock;
use crate::sessions::Lifetimes;
use crate::transport::{Answer, Request, Response, encode_query, full, header, respond};
use crate::{Shared, random};

/// What a client may ask for.
const SCOPES: [&str; 5] = ["openid", "email", "profile", "pydio", "offline"];

/// The shortest verifier of a proof key.
const SHORTEST_VERIFIER: usize = 43;

/// The path of the listener that a client on the user's own machine opens.
const CALLBACK: &str = "/servers/callback";

/// A client that the server knows. None of them has a secret.
#[derive(Clone, Debug)]
struct Client {
    id: &'static str,
    redirects: Vec<String>,
}

/// How the verifier that comes with a code is to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ProofKey {
    /// No challenge was sent, so no verifier may be.
    Absent,
    /// The hash of the verifier.
    Sha256(String),
    /// A method that the first step lets pass and the login step does not.
    Unusable,
}

/// What a client has asked for and the server has found acceptable.
#[derive(Clone, Debug)]
struct Wish {
    client: String,
    redirect: String,
    scope: String,
    /// The state, as it was sent and as it is returned: without any encoding.
    state: String,
    proof: ProofKey,
}

#[derive(Debug)]
struct Code {
    wish: Wish,
    login: String,
    ends_millis: i64,
    /// The access token that it was exchanged for.
    traded_for: Option<String>,
}

#[derive(Debug, Default)]
struct Pending {
    clients: Vec<Client>,
    /// The requests by the name of their challenge, with the time until which they can be met.
    challenges: HashMap<String, (Wish, i64)>,
    codes: HashMap<String, Code>,
}

/// The authorizations that are under way.
#[derive(Debug)]
pub(crate) struct Authorizations {
    clock: Clock,
    pending: Mutex<Pending>,
    /// The modulus of the key that supposedly signs tokens.
    modulus: String,
}

impl Authorizations {
    /// `url` is that of the server, without a slash at the end.
    pub(crate) fn new(clock: Clock, url: &str) -> Self {
        let local = |port: u16| format!("http://localhost:{port}{CALLBACK}");
        let clients = vec![
            Client { id: "cells-client", redirects: vec![local(3000), format!("{url}/oauth2/oob")] },
            Client { id: "cells-sync", redirects: std::iter::once(3000).chain(3636..=3666).map(local).collect() },
            Client { id: "cells-mobile", redirects: vec!["cellsauth://callback".to_owned()] },
            Client { id: "cells-frontend", redirects: vec![format!("{url}/auth/callback")] },
        ];
        let modulus = URL_SAFE_NO_PAD.encode(rand::random::<[[u8; 32]; 16]>().concat());
        Self { clock, pending: Mutex::new(Pending { clients, ..Pending::default() }), modulus }
    }

    /// Accepts one more redirect URI, as an administrator could.
    pub(crate) fn register(&self, client: &str, redirect: &str) {
        if let Some(client) = self.lock().clients.iter_mut().find(|known| known.id == client) {
            client.redirects.push(redirect.to_owned());
        }
    }

    fn client(&self, id: &str) -> Option<Client> {
        self.lock().clients.iter().find(|client| client.id == id).cloned()
    }

    /// Stores a request until somebody has signed in. Returns the name of the challenge.
    fn challenge(&self, wish: Wish, lifetimes: Lifetimes) -> String {
        let name = random::folder_etag();
        let ends = self.clock.now_millis().saturating_add(millis(lifetimes.challenge));
        self.lock().challenges.insert(name.clone(), (wish, ends));
        name
    }

    /// Whether a login can meet this challenge now.
    pub(crate) fn can_be_met(&self, challenge: &str) -> bool {
        let now = self.clock.now_millis();
        let pending = self.lock();
        let open = pending.challenges.get(challenge).filter(|(_, ends)| now < *ends);
        open.is_some_and(|(wish, _)| wish.proof != ProofKey::Unusable)
    }

    /// Returns where to redirect the browser of a signed-in user; `None` if the challenge is used up, has expired, or
    /// cannot be met. It can be met once.
    pub(crate) fn authorize(&self, challenge: &str, login: &str, lifetimes: Lifetimes) -> Option<String> {
        if !self.can_be_met(challenge) {
            return None;
        }
        let now = self.clock.now_millis();
        let mut pending = self.lock();
        let (wish, _) = pending.challenges.remove(challenge)?;
        let code = random::token();
        let target = with_query(&wish.redirect, &format!("code={code}&state={}", wish.state));
        let ends_millis = now.saturating_add(millis(lifetimes.code));
        pending.codes.insert(code, Code { wish, login: login.to_owned(), ends_millis, traded_for: None });
        Some(target)
    }

    /// Returns where to redirect the browser of a user who declines to sign in.
    fn decline(&self, challenge: &str) -> Option<String> {
        let (wish, _) = self.lock().challenges.remove(challenge)?;
        let description = "The resource owner or authorization server denied the request.";
        Some(refusal_url(&wish, "access_denied", description))
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request is carried out even if its client disconnects: tokens are exchanged completely or not at all.
pub(crate) fn outlives_client(method: &Method, path: &str) -> bool {
    *method == Method::POST && path.starts_with("/oidc/")
}

/// Answers a request below `/oidc`.
pub(crate) async fn handle(shared: &Arc<Shared>, request: Request) -> Answer {
    // Unlike the rest of the server, this part requires the port in the name of the host.
    let host = header(request.headers(), HOST.as_str()).unwrap_or_default().to_owned();
    let is_exact = shared.address.ip().is_unspecified() || shared.url.split("://").nth(1) == Some(&host);
    let path = request.uri().path().to_owned();
    let mut response = match (path.as_str(), request.method()) {
        _ if !is_exact => pages::no_route(),
        ("/oidc/.well-known/openid-configuration", &Method::GET) => document(&discovery(&shared.url)),
        ("/oidc/.well-known/jwks.json", &Method::GET) => document(&keys(&shared.authorizations.modulus)),
        ("/oidc/oauth2/auth", &Method::GET) => authorize::start(shared, request.uri().query().unwrap_or_default()),
        ("/oidc/oauth2/token", &Method::POST) => token::issue(shared, request).await?,
        ("/oidc/oauth2/revoke", &Method::POST) => token::revoke(shared, request).await?,
        ("/oidc/oauth2/token" | "/oidc/oauth2/revoke", _) => respond(StatusCode::METHOD_NOT_ALLOWED, "", full("")),
        ("/oidc/oauth2/sessions/logout", &Method::GET) => found(&format!("{}/oauth2/logout/callback", shared.url)),
        ("/oidc/userinfo", &Method::GET | &Method::POST) => user_info(shared, &request),
        _ => pages::no_route(),
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}

fn discovery(url: &str) -> Value {
    json!({
        "issuer": format!("{url}/oidc/"),
        "authorization_endpoint": format!("{url}/oidc/oauth2/auth"),
        "token_endpoint": format!("{url}/oidc/oauth2/token"),
        "jwks_uri": format!("{url}/oidc/.well-known/jwks.json"),
        "subject_types_supported": ["public"],
        "response_types_supported":
            ["code", "code id_token", "id_token", "token id_token", "token", "token id_token code"],
        "claims_supported": ["sub"],
        "grant_types_supported": ["authorization_code", "implicit", "client_credentials", "refresh_token"],
        "response_modes_supported": ["query", "fragment"],
        "userinfo_endpoint": format!("{url}/oidc/userinfo"),
        "scopes_supported": ["offline_access", "offline", "openid"],
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "client_secret_basic", "private_key_jwt", "none"],
        "userinfo_signing_alg_values_supported": ["none", "RS256"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "request_parameter_supported": true,
        "request_uri_parameter_supported": true,
        "require_request_uri_registration": true,
        "claims_parameter_supported": false,
        "revocation_endpoint": format!("{url}/oidc/oauth2/revoke"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        "end_session_endpoint": format!("{url}/oidc/oauth2/sessions/logout"),
        "request_object_signing_alg_values_supported": ["RS256", "none"],
        "code_challenge_methods_supported": ["plain", "S256"],
    })
}

fn keys(modulus: &str) -> Value {
    json!({"keys": [{
        "use": "sig", "kty": "RSA", "kid": "public:hydra.openid.id-token", "alg": "RS256", "n": modulus, "e": "AQAB",
    }]})
}

/// Returns the user of the token. Personal tokens, identity tokens and others are not accepted. The word `Bearer` may
/// be in any case.
fn user_info(shared: &Shared, request: &Request) -> Response {
    let sent = header(request.headers(), "authorization").and_then(|value| value.split_once(' '));
    let token = sent.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map_or("", |(_, token)| token);
    let caller = shared.tokens.check(token).filter(|caller| !shared.logins.is_locked(&caller.login));
    match caller.and_then(|_| shared.sessions.identity(token)) {
        Some(identity) => document(&shared.sessions.claims(&identity)),
        None => {
            let error = "request_unauthorized";
            let description = "The request could not be authorized. Check that you provided valid credentials in the \
                right format.";
            let body = json!({"error": error, "error_description": description});
            let mut response = respond(StatusCode::UNAUTHORIZED, "application/json", full(body.to_string()));
            let challenge = format!("Bearer error=\"{error}\",error_description=\"{description}\"");
            set(&mut response, WWW_AUTHENTICATE, &challenge);
            response
        }
    }
}

fn document(value: &Value) -> Response {
    respond(StatusCode::OK, "application/json; charset=utf-8", full(value.to_string()))
}

/// 302, with the small page that Go's server adds.
fn found(location: &str) -> Response {
    let page = format!("<a href=\"{}\">Found</a>.\n\n", location.replace('&', "&amp;"));
    let mut response = respond(StatusCode::FOUND, "text/html; charset=utf-8", full(page));
    set(&mut response, LOCATION, location);
    response
}

/// 303, as the authorization server sends browsers back to clients.
fn see_other(location: &str) -> Response {
    let mut response = respond(StatusCode::SEE_OTHER, "", full(""));
    set(&mut response, LOCATION, location);
    uncached(&mut response);
    response
}

fn uncached(response: &mut Response) {
    set(response, CACHE_CONTROL, "no-store");
    set(response, PRAGMA, "no-cache");
}

/// Sets a header; a value that cannot be one is left out.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        response.headers_mut().insert(name, value);
    }
}

fn refusal_url(wish: &Wish, error: &str, description: &str) -> String {
    let query = format!("error={error}&error_description={}&state={}", encode_query(description), wish.state);
    with_query(&wish.redirect, &query)
}

fn with_query(url: &str, query: &str) -> String {
    format!("{url}{}{query}", if url.contains('?') { '&' } else { '?' })
}

/// What a verifier is compared with.
fn proof_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

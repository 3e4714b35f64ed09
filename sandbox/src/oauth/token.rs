//! `POST /oidc/oauth2/token` and `POST /oidc/oauth2/revoke`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use serde::Serialize;

use super::authorize::{MALFORMED, UNKNOWN_CLIENT};
use super::{ProofKey, SHORTEST_VERIFIER, proof_of, uncached};
use crate::Shared;
use crate::sessions::{Grant, Refusal};
use crate::transport::{Answer, Dropped, Request, Response, form, full, header, respond};

/// What refusals of a code or a refresh token begin with.
const INVALID_GRANT: &str = "The provided authorization grant (e.g., authorization code, resource owner credentials) or \
    refresh token is invalid, expired, revoked, does not match the redirection URI used in the authorization request, \
    or was issued to another client.";

/// What follows if nothing better is known.
const CHECK_PARAMETERS: &str = "Make sure that the various parameters are correct, be aware of case sensitivity and trim \
    your parameters. Make sure that the client you are using has exactly whitelisted the redirect_uri you specified.";

#[derive(Serialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
    token_type: &'static str,
}

impl From<Grant> for TokenAnswer {
    fn from(grant: Grant) -> Self {
        let has = |wanted: &str| grant.scope.split(' ').any(|scope| scope == wanted);
        Self {
            id_token: has("openid").then_some(grant.identity),
            refresh_token: has("offline").then_some(grant.refresh),
            access_token: grant.access,
            expires_in: grant.lifetime,
            scope: grant.scope,
            token_type: "bearer",
        }
    }
}

#[derive(Serialize)]
struct ErrorAnswer {
    error: &'static str,
    error_description: String,
}

/// An error of the token endpoint: status, code, and words.
struct TokenError {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl TokenError {
    fn new(status: StatusCode, error: &'static str, beginning: &str, detail: &str) -> Self {
        let separator = if detail.is_empty() { "" } else { " " };
        Self { status, error, description: format!("{beginning}{separator}{detail}") }
    }

    fn request(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", MALFORMED, detail)
    }

    fn grant(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", INVALID_GRANT, detail)
    }

    fn client(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", UNKNOWN_CLIENT, detail)
    }

    fn into_response(self) -> Response {
        let body = ErrorAnswer { error: self.error, error_description: self.description };
        json_answer(self.status, &body)
    }
}

fn json_answer(status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = respond(status, "application/json;charset=UTF-8", full(text));
    uncached(&mut response);
    response
}

/// A form that was sent, and the client that it comes from.
struct Form {
    pairs: Vec<(String, String)>,
    basic: Option<String>,
}

impl Form {
    /// Reads the body. Anything but a form counts as an empty one.
    async fn read(request: Request) -> Result<Self, Dropped> {
        let (parts, body) = request.into_parts();
        let kind = header(&parts.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        let is_form = kind.split(';').next().unwrap_or_default().trim() == "application/x-www-form-urlencoded";
        // The client has gone; nobody reads the answer.
        let bytes = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        let pairs = if is_form { form(&String::from_utf8_lossy(&bytes)) } else { Vec::new() };
        let basic = header(&parts.headers, AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Basic "));
        let basic = basic.and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(Self { pairs, basic })
    }

    fn value(&self, name: &str) -> &str {
        self.pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    fn client_id(&self) -> Option<&str> {
        let basic = self.basic.as_deref().map(|text| text.split(':').next().unwrap_or_default());
        basic.or_else(|| Some(self.value("client_id")).filter(|id| !id.is_empty()))
    }

    /// Returns the client. None of the known ones has a secret.
    fn client(&self, shared: &Shared) -> Result<String, TokenError> {
        let id = self.client_id().ok_or_else(|| {
            TokenError::request(
                "Client credentials missing or malformed in both HTTP Authorization header and HTTP POST body.",
            )
        })?;
        let client = shared.authorizations.client(id).ok_or_else(|| TokenError::client(""))?;
        if self.has("client_secret") {
            return Err(TokenError::client(
                "The OAuth 2.0 Client supports client authentication method 'none', but method 'client_secret_post' \
                 was requested. You must configure the OAuth 2.0 client's 'token_endpoint_auth_method' value to \
                 accept 'client_secret_post'.",
            ));
        }
        Ok(client.id.to_owned())
    }
}

/// Exchanges a code or a refresh token for tokens.
pub(super) async fn issue(shared: &Shared, request: Request) -> Answer {
    let form = Form::read(request).await?;
    Ok(match grant(shared, &form).await {
        Ok(grant) => json_answer(StatusCode::OK, &TokenAnswer::from(grant)),
        Err(error) => error.into_response(),
    })
}

async fn grant(shared: &Shared, form: &Form) -> Result<Grant, TokenError> {
    if form.pairs.is_empty() {
        return Err(TokenError::request("The POST body can not be empty."));
    }
    let client = form.client(shared)?;
    match form.value("grant_type") {
        "" => Err(TokenError::request("Request parameter 'grant_type' is missing")),
        "authorization_code" => trade_code(shared, form, &client),
        "refresh_token" => {
            let token = form.value("refresh_token");
            shared.sessions.refresh(token, &client, &shared.tokens).await.map_err(refresh_error)
        }
        "client_credentials" => Err(TokenError::grant(
            "The OAuth 2.0 Client is marked as public and is thus not allowed to use authorization grant \
             'client_credentials'.",
        )),
        kind @ "urn:ietf:params:oauth:grant-type:jwt-bearer" => Err(TokenError::new(
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            "The client is not authorized to request a token using this method.",
            &format!("The OAuth 2.0 Client is not allowed to use authorization grant '{kind}'."),
        )),
        _ => Err(TokenError::request(CHECK_PARAMETERS)),
    }
}

fn refresh_error(refusal: Refusal) -> TokenError {
    match refusal {
        Refusal::Unknown => TokenError::grant(""),
        Refusal::OtherClient => TokenError::grant(
            "The OAuth 2.0 Client ID from this request does not match the ID during the initial token issuance.",
        ),
        Refusal::Inactive => TokenError::new(
            StatusCode::UNAUTHORIZED,
            "token_inactive",
            "Token is inactive because it is malformed, expired or otherwise invalid. Token validation failed.",
            "",
        ),
        Refusal::Concurrent => TokenError::request(
            "Failed to refresh token because of multiple concurrent requests using the same token which is not \
             allowed.",
        ),
    }
}

/// A code is valid once, for its client and redirect URI. A wrong proof key uses it up; another client or redirect URI
/// does not. A second use revokes the tokens that it was exchanged for.
fn trade_code(shared: &Shared, form: &Form, client: &str) -> Result<Grant, TokenError> {
    let now = shared.clock.now_millis();
    let text = form.value("code");
    let mut pending = shared.authorizations.lock();
    let code = pending.codes.get_mut(text).filter(|code| now < code.ends_millis);
    let code = code.ok_or_else(|| TokenError::grant(""))?;
    if code.wish.client != client {
        return Err(TokenError::grant(
            "The OAuth 2.0 Client ID from this request does not match the one from the authorize request.",
        ));
    }
    if let Some(access) = &code.traded_for {
        shared.sessions.end(access, client, &shared.tokens);
        return Err(TokenError::grant("The authorization code has already been used."));
    }
    if code.wish.redirect != form.value("redirect_uri") {
        return Err(TokenError::grant(
            "The 'redirect_uri' from this request does not match the one from the authorize request.",
        ));
    }
    if let Some(detail) = proof_problem(&code.wish.proof, form.value("code_verifier")) {
        pending.codes.remove(text);
        return Err(TokenError::grant(detail));
    }
    let grant = shared.sessions.begin(&code.login, client, &code.wish.scope, &shared.tokens);
    code.traded_for = Some(grant.access.clone());
    Ok(grant)
}

fn proof_problem(proof: &ProofKey, verifier: &str) -> Option<&'static str> {
    let mismatch = "The PKCE code challenge did not match the code verifier.";
    match proof {
        ProofKey::Absent => (!verifier.is_empty()).then_some(mismatch),
        ProofKey::Sha256(_) if verifier.len() < SHORTEST_VERIFIER => {
            Some("The PKCE code verifier must be at least 43 characters.")
        }
        ProofKey::Sha256(challenge) => (proof_of(verifier) != *challenge).then_some(mismatch),
        ProofKey::Unusable => Some(mismatch),
    }
}

/// Ends the session of a token. The answer does not show whether there was one.
pub(super) async fn revoke(shared: &Shared, request: Request) -> Answer {
    let form = Form::read(request).await?;
    let Some(client) = form.client_id() else {
        return Ok(TokenError::request(CHECK_PARAMETERS).into_response());
    };
    shared.sessions.end(form.value("token"), client, &shared.tokens);
    let mut response = respond(StatusCode::OK, "", full(""));
    uncached(&mut response);
    Ok(response)
}

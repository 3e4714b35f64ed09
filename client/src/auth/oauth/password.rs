//! Exchanges a password for tokens without a browser, by taking the steps of the sign-in page. So the password need not
//! be stored.

use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{ANSWER_LIMIT, CALLBACK_PORT, OAuth, OAuthError, Redirect};
use crate::account::TokenPair;
use crate::auth::error::AuthError;
use crate::auth::session;
use crate::http::redact;

/// The result of a sign-in with a password.
#[derive(Debug)]
pub enum SignedIn {
    /// A pair that can be renewed.
    Tokens(Box<TokenPair>),
    /// This server returns no tokens for a password, so a session must be opened with it each time. The reason in
    /// words.
    NotOffered(String),
}

impl OAuth {
    /// Signs in with a password. It is sent once: a wrong one is never retried, since ten of them lock the user.
    ///
    /// # Errors
    /// [`AuthError::WrongPassword`], [`AuthError::Locked`], [`AuthError::FurtherStep`] and others. A session would fail
    /// in the same way.
    pub async fn sign_in(&self, login: &str, password: &SecretString) -> Result<SignedIn, AuthError> {
        let attempt = self.begin(Redirect::Loopback(CALLBACK_PORT)).map_err(as_auth)?;
        let challenge = match self.challenge(&attempt).await {
            Ok(challenge) => challenge,
            Err(OAuthError::Http(error)) => return Err(error.into()),
            Err(error) => return Ok(SignedIn::NotOffered(error.to_string())),
        };
        let Some(target) = self.log_in(login, password, &challenge).await? else {
            return Ok(SignedIn::NotOffered("the server's answer to the sign-in contains no code".to_owned()));
        };
        // A code from elsewhere, with another state, comes from a single sign-on.
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let code = match attempt.read_query(query) {
            Ok(code) if target.starts_with(&attempt.redirect.uri()) => code,
            Err(error @ OAuthError::Refused { .. }) => return Err(as_auth(error)),
            _ => return Err(AuthError::FurtherStep("single sign-on".to_owned())),
        };
        match self.exchange(&attempt, code).await {
            Ok(tokens) if tokens.refresh.is_some() => Ok(SignedIn::Tokens(Box::new(tokens))),
            Ok(_) => Ok(SignedIn::NotOffered("the server issued no refresh token".to_owned())),
            Err(OAuthError::Http(error)) => Err(error.into()),
            Err(error) => Ok(SignedIn::NotOffered(error.to_string())),
        }
    }

    /// Sends the login. Returns the redirect for the browser; `None` if there is none.
    async fn log_in(&self, login: &str, password: &SecretString, challenge: &str) -> Result<Option<String>, AuthError> {
        let info = json!({"AuthInfo": {
            "type": "credentials",
            "login": login,
            "password": password.expose_secret(),
            "challenge": challenge,
        }});
        let request = self
            .http
            .server_request(Method::POST, &self.server, session::SESSION)?
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(info.to_string());
        let response = self.http.send(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.http.read(response, ANSWER_LIMIT).await?;
        let json = session::answer(status, &headers, &body)?;
        let text = |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(step) = text("Trigger") {
            return Err(AuthError::FurtherStep(redact::text(step).into_owned()));
        }
        Ok(text("RedirectTo").map(str::to_owned))
    }
}

fn as_auth(error: OAuthError) -> AuthError {
    match error {
        OAuthError::Http(error) => error.into(),
        OAuthError::Refused { status, .. } => AuthError::Server { status, message: error.to_string() },
        error => AuthError::NotCells(error.to_string()),
    }
}

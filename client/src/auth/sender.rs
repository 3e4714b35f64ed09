//! The authenticated sender: sends REST calls with a token, and renews the token once if it is refused.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use tokio::time::Instant;

use super::error::{AuthError, LinkRefusal};
use super::probe::{bearer, is_dead_token_answer, probe};
use super::public_link::LinkPage;
use super::source::TokenSource;
use super::token::Token;
use crate::account::{LinkUrl, ServerUrl};
use crate::http::limit::LONGEST_ANSWER;
use crate::http::{Http, HttpError};

/// The longest body of a refused call that is read, in bytes.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// The authenticated sender: the HTTP client, the server, and the source of tokens for it.
#[derive(Debug)]
pub struct Sender {
    /// The HTTP client.
    pub http: Http,
    /// The server.
    pub url: ServerUrl,
    /// The source of tokens.
    pub tokens: TokenSource,
    /// The public link, if the user is its visitor.
    pub link: Option<LinkUrl>,
}

impl Sender {
    /// Creates a sender for a server.
    pub fn new(http: Http, url: ServerUrl, tokens: TokenSource) -> Self {
        Self { http, url, tokens, link: None }
    }

    /// Creates a sender for a visitor of a public link.
    pub fn visiting(http: Http, link: LinkUrl, tokens: TokenSource) -> Self {
        Self { http, url: link.server().clone(), tokens, link: Some(link) }
    }

    /// Returns why the public link no longer admits visitors, if that is so. The server then refuses calls in the words
    /// of a missing permission.
    pub async fn link_refusal(&self) -> Option<LinkRefusal> {
        match LinkPage::fetch(&self.http, self.link.as_ref()?).await {
            Err(AuthError::Link(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// Sends a REST call and returns the complete answer. If the server refuses the token as dead, renews it once and
    /// sends the call again. `path` is absolute and percent-encoded, `body` is JSON.
    ///
    /// # Errors
    /// [`AuthError::Expired`] if the token is dead and cannot be renewed; [`AuthError::Http`] without an answer.
    pub async fn call(&self, method: &Method, path: &str, body: Option<&Bytes>) -> Result<Answer, AuthError> {
        self.call_within(LONGEST_ANSWER, method, path, body).await
    }

    /// Like [`Sender::call`], for an answer of at most `longest` bytes.
    ///
    /// # Errors
    /// As [`Sender::call`]; [`AuthError::Http`] of the kind `TooLarge` if the answer is longer.
    pub async fn call_within(
        &self,
        longest: usize,
        method: &Method,
        path: &str,
        body: Option<&Bytes>,
    ) -> Result<Answer, AuthError> {
        let response = self.start(method, path, body, "application/json").await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.http.read_whole(response, longest).await?;
        Ok(Answer { status, headers, body })
    }

    /// Like [`Sender::call`], for a large answer whose body the caller reads as it arrives; `accept` is the media type.
    ///
    /// # Errors
    /// As [`Sender::call`].
    pub async fn start(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Bytes>,
        accept: &'static str,
    ) -> Result<reqwest::Response, AuthError> {
        let token = self.tokens.token(Duration::ZERO).await?;
        if let Refused::No(response) = self.refused(self.attempt(method, path, body, accept, &token).await?).await? {
            return Ok(response);
        }
        let fresh = self.tokens.renew(&token).await?;
        match self.refused(self.attempt(method, path, body, accept, &fresh).await?).await? {
            Refused::No(response) => Ok(response),
            Refused::Dead => Err(AuthError::Expired),
        }
    }

    /// Whether the server refuses the token as dead. Reads the refusal completely, so that the connection is free for
    /// the next request.
    async fn refused(&self, response: reqwest::Response) -> Result<Refused, AuthError> {
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(Refused::No(response));
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, body: self.http.read(response, LONGEST_REFUSAL).await? };
        Ok(if is_dead_token_answer(answer.status, &answer.body) { Refused::Dead } else { Refused::No(rebuild(answer)) })
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Bytes>,
        accept: &'static str,
        token: &Token,
    ) -> Result<reqwest::Response, HttpError> {
        let mut request = self
            .http
            .server_request(method.clone(), &self.url, path)?
            .header(AUTHORIZATION, bearer(token)?)
            .header(ACCEPT, accept);
        // The server refuses a body without this type, and an empty body with it.
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        self.http.send(request).await
    }

    /// Whether `token` is dead according to REST, since the gateway refuses a dead token and a missing permission in
    /// the same words. `started` is when the refused request was sent: a token that REST has accepted since then was
    /// alive.
    ///
    /// # Errors
    /// [`AuthError::Http`] without an answer; then nothing is known.
    pub async fn is_dead(&self, token: &Token, workspace: &str, started: Instant) -> Result<bool, AuthError> {
        let mut proven = self.tokens.proven.lock().await;
        if let Some((known, since)) = proven.as_ref()
            && known.is(token)
            && *since >= started
        {
            return Ok(false);
        }
        let asked = Instant::now();
        if probe(&self.http, &self.url, workspace, token).await? {
            return Ok(true);
        }
        *proven = Some((token.clone(), asked));
        Ok(false)
    }
}

/// What the server thinks of a token.
enum Refused {
    /// The token is valid, or the refusal has another reason.
    No(reqwest::Response),
    /// The token is dead.
    Dead,
}

fn rebuild(answer: Answer) -> reqwest::Response {
    let mut response = http::Response::new(reqwest::Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response.into()
}

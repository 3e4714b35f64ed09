//! The authenticated sender: a REST call with a token, renewed once where it was refused.

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

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// The authenticated sender: one HTTP core, one server, one source of tokens.
#[derive(Debug)]
pub struct Sender {
    /// The HTTP core.
    pub http: Http,
    /// The server.
    pub url: ServerUrl,
    /// The source of tokens.
    pub tokens: TokenSource,
    /// The public link whose visitor the user is.
    pub link: Option<LinkUrl>,
}

impl Sender {
    /// A sender for a server.
    pub fn new(http: Http, url: ServerUrl, tokens: TokenSource) -> Self {
        Self { http, url, tokens, link: None }
    }

    /// A sender for a visitor of a public link.
    pub fn visiting(http: Http, link: LinkUrl, tokens: TokenSource) -> Self {
        Self { http, url: link.server().clone(), tokens, link: Some(link) }
    }

    /// Why the public link lets its visitors in no more, where that is so: what was allowed a moment ago may be refused
    /// in the words of a missing right.
    pub async fn link_refusal(&self) -> Option<LinkRefusal> {
        match LinkPage::fetch(&self.http, self.link.as_ref()?).await {
            Err(AuthError::Link(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// Sends a REST call and gives the answer whole. A token that the server refuses as dead is renewed once and the
    /// call sent again; `path` is absolute and percent-encoded; `body` is JSON.
    ///
    /// # Errors
    /// [`AuthError::Expired`] where the token is dead and cannot be renewed; [`AuthError::Http`] without an answer.
    pub async fn call(&self, method: &Method, path: &str, body: Option<&Bytes>) -> Result<Answer, AuthError> {
        let response = self.start(method, path, body, "application/json").await?;
        self.whole(response).await
    }

    /// [`Sender::call`] for a large answer, whose body is left to be read as it comes; `accept` is the media type.
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
        let response = self.attempt(method, path, body, accept, &token).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let answer = self.whole(response).await?;
        if !is_dead_token_answer(answer.status, &answer.body) {
            return rebuild(answer);
        }
        let fresh = self.tokens.renew(&token).await?;
        let response = self.attempt(method, path, body, accept, &fresh).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let answer = self.whole(response).await?;
        if is_dead_token_answer(answer.status, &answer.body) {
            return Err(AuthError::Expired);
        }
        rebuild(answer)
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
        // The server refuses a body without this type, and takes an empty one for a mistake.
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        self.http.send(request).await
    }

    async fn whole(&self, response: reqwest::Response) -> Result<Answer, AuthError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.http.read_whole(response, LONGEST_ANSWER).await?;
        Ok(Answer { status, headers, body })
    }

    /// Whether `token` is dead, as REST tells it: the gateway refuses a dead token and a missing right in the same
    /// words. `started` is when the refused request was sent: a token that REST has accepted since then was alive.
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

fn rebuild(answer: Answer) -> Result<reqwest::Response, AuthError> {
    let mut response = http::Response::new(reqwest::Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response.into())
}

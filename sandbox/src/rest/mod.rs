//! The REST interface below `/a/`: who asks, which endpoint, and the common rules of bodies.

mod bulk;
mod error;
mod json;
mod node;
mod tree;

use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, VARY};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde::Serialize;

use crate::Shared;
use crate::tokens::Caller;
use crate::transport::{
    Answer, Body, Dropped, Request, Response, chunked, decode, full, header, respond, web_page,
};
use error::{RestError, RestResult};
use json::Field;

/// Answers up to this size announce their length; longer ones are sent in chunks.
const LONGEST_BUFFERED: usize = 2048;

/// The services of the interface. Every other name leads to the web page.
const SERVICES: [&str; 2] = ["tree", "meta"];

/// A request on its way through the interface.
pub(crate) struct Call {
    shared: Arc<Shared>,
    caller: Option<Caller>,
    method: Method,
    headers: HeaderMap,
    /// Decoded, without `/a/`.
    path: String,
    body: Body,
}

/// Answers a request below `/a`.
pub(crate) async fn handle(shared: &Arc<Shared>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let decoded = decode(parts.uri.path());
    let path = decoded.strip_prefix("/a/").unwrap_or_default();
    let service = path.split('/').next().unwrap_or_default();
    if !SERVICES.contains(&service) {
        return Ok(web_page());
    }
    let mut call = Call {
        shared: Arc::clone(shared),
        caller: None,
        method: parts.method,
        headers: parts.headers,
        path: path.to_owned(),
        body,
    };
    let accepts_json = accepts_json(&call.headers);
    let result = match call.admit() {
        Ok(()) => dispatch(&mut call).await,
        Err(refusal) => Err(refusal),
    };
    let mut response = match result {
        Ok(response) if !accepts_json && is_json(response.headers()) => {
            respond(StatusCode::OK, "", full(""))
        }
        Ok(response) => response,
        Err(error) => error.into_answer()?,
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}

async fn dispatch(call: &mut Call) -> RestResult {
    let path = call.path.clone();
    if let Some(node) = path.strip_prefix("tree/stat/")
        && !node.is_empty()
    {
        call.expect(&Method::GET)?;
        return tree::stat(call, node);
    }
    if let Some(node) = path.strip_prefix("meta/get/")
        && !node.is_empty()
    {
        call.expect(&Method::POST)?;
        return tree::meta_get(call, node).await;
    }
    match path.as_str() {
        "tree/stats" | "meta/bulk/get" => {
            call.expect(&Method::POST)?;
            bulk::list(call).await
        }
        "tree/create" => {
            call.expect(&Method::POST)?;
            tree::create(call).await
        }
        _ => Err(RestError::no_route()),
    }
}

impl Call {
    /// Checks the token, and whether its user may use the endpoint at all.
    fn admit(&mut self) -> Result<(), RestError> {
        let sent = header(&self.headers, AUTHORIZATION.as_str());
        let token = sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if token.is_empty() {
            return Err(RestError::not_permitted());
        }
        let caller = self.shared.tokens.check(token);
        self.caller = caller.filter(|caller| !self.shared.logins.is_locked(&caller.login));
        if self.caller.is_none() {
            return Err(RestError::bad_token());
        }
        if self.method == Method::HEAD || self.method == Method::OPTIONS {
            return Err(RestError::not_permitted());
        }
        Ok(())
    }

    /// Whoever asks. Only endpoints that need no token are reached without one.
    fn caller(&self) -> Result<&Caller, RestError> {
        self.caller.as_ref().ok_or_else(RestError::not_permitted)
    }

    fn expect(&self, method: &Method) -> Result<(), RestError> {
        if self.method == *method {
            Ok(())
        } else {
            Err(RestError::wrong_method())
        }
    }

    /// Reads the request body as JSON of that form.
    async fn message<T: Field>(&mut self) -> Result<T, RestError> {
        let content_type = header(&self.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.is_empty() {
            return Err(RestError::no_content_type());
        }
        if !essence.eq_ignore_ascii_case("application/json") {
            let message =
                format!("[ServiceError:400] Unable to unmarshal content of type:{essence}");
            return Err(RestError::internal(&message));
        }
        let body = (&mut self.body)
            .collect()
            .await
            // The client has gone; nobody reads the answer.
            .map_err(|_| RestError::Panic)?;
        json::parse(&body.to_bytes())
    }
}

fn accepts_json(headers: &HeaderMap) -> bool {
    header(headers, ACCEPT.as_str()).is_none_or(|accept| {
        accept.contains("json") || accept.contains('*') || !accept.contains("application/xml")
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    header(headers, CONTENT_TYPE.as_str()) == Some("application/json")
}

/// A JSON answer, status 200.
fn reply(value: &impl Serialize) -> RestResult {
    let text = serde_json::to_string(value)
        .map_err(|error| RestError::internal(&error.to_string()))?;
    let body = if text.len() > LONGEST_BUFFERED {
        chunked(text)
    } else {
        full(text)
    };
    Ok(respond(StatusCode::OK, "application/json", body))
}

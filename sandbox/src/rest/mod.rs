//! The REST interface below `/a/`: who asks, which endpoint, and the common rules of bodies.

mod admin;
mod archives;
mod auth;
mod bulk;
mod datasources;
mod discovery;
mod error;
mod frontend;
mod idm;
mod job_logs;
pub(crate) mod jobs;
mod json;
mod node;
mod search;
mod session;
mod share;
mod trash;
mod tree;
mod user_meta;

use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, VARY};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use serde::Serialize;

use crate::Shared;
use crate::tokens::Caller;
use crate::transport::{Answer, Body, Request, chunked, decode, full, header, respond, web_page};
use error::{RestError, RestResult};
use json::Field;

/// Answers up to this size announce their length; longer ones are sent in chunks.
const LONGEST_BUFFERED: usize = 2048;

/// The services of the interface. Every other name leads to the web page.
const SERVICES: [&str; 13] = [
    "search",
    "tree",
    "meta",
    "jobs",
    "frontend",
    "config",
    "auth",
    "share",
    "user",
    "role",
    "workspace",
    "acl",
    "user-meta",
];

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
        Ok(response) if !accepts_json && is_json(response.headers()) => respond(StatusCode::OK, "", full("")),
        Ok(response) => response,
        Err(error) => error.into_answer()?,
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}

/// Finds the endpoint. Names that take the rest of the path come first.
async fn dispatch(call: &mut Call) -> RestResult {
    let path = call.path.clone();
    let below = |prefix| path.strip_prefix(prefix).filter(|rest: &&str| !rest.is_empty());
    if let Some(node) = below("tree/stat/") {
        call.expect(&Method::GET)?;
        return tree::stat(call, node);
    }
    if let Some(node) = below("meta/get/") {
        call.expect(&Method::POST)?;
        return tree::meta_get(call, node).await;
    }
    match path.split('/').next() {
        Some("share") => dispatch_shares(call, &path).await,
        Some("user" | "role" | "workspace" | "acl") => dispatch_idm(call, &path).await,
        Some("user-meta") => dispatch_user_meta(call, &path).await,
        Some("search") if path == "search/nodes" => {
            call.expect(&Method::POST)?;
            search::nodes(call).await
        }
        Some("jobs") => dispatch_jobs(call, path.trim_end_matches('/')).await,
        Some("tree" | "meta") => {
            let known =
                ["tree/stats", "meta/bulk/get", "tree/create", "tree/delete", "tree/restore", "tree/admin/list"];
            if !known.contains(&path.as_str()) {
                return Err(RestError::no_route());
            }
            call.expect(&Method::POST)?;
            match path.as_str() {
                "tree/create" => tree::create(call).await,
                "tree/delete" => trash::delete(call).await,
                "tree/restore" => trash::restore(call).await,
                "tree/admin/list" => admin::list(call).await,
                _ => bulk::list(call).await,
            }
        }
        _ => dispatch_server(call, &path).await,
    }
}

async fn dispatch_jobs(call: &mut Call, path: &str) -> RestResult {
    if !call.shared.jobs.is_alive() {
        // The client waits until its own time-out.
        return std::future::pending().await;
    }
    match (path, &call.method) {
        ("jobs/user", &Method::POST) => jobs::list(call).await,
        ("jobs/user", &Method::PUT) => jobs::control(call).await,
        ("jobs/tasks/delete", &Method::POST) => jobs::delete_tasks(call).await,
        ("jobs/tasks/logs", &Method::POST) => job_logs::list(call).await,
        ("jobs/user" | "jobs/tasks/delete" | "jobs/tasks/logs", _) => Err(RestError::wrong_method()),
        _ => match path.strip_prefix("jobs/user/") {
            Some(name) if !name.contains('/') => {
                call.expect(&Method::PUT)?;
                jobs::start(call, name).await
            }
            _ => Err(RestError::no_route()),
        },
    }
}

async fn dispatch_idm(call: &mut Call, path: &str) -> RestResult {
    let (service, rest) = path.split_once('/').unwrap_or((path, ""));
    let method = call.method.clone();
    match (service, rest, &method) {
        ("user", "", &Method::POST) => idm::search_users(call).await,
        ("role", "", &Method::POST) => idm::search_roles(call).await,
        ("workspace", "", &Method::POST) => idm::search_workspaces(call).await,
        ("acl", "", &Method::POST) => idm::search_acls(call).await,
        ("acl", "", &Method::PUT) => idm::put_acl(call).await,
        ("acl", "bulk/delete", &Method::POST) => idm::delete_acls(call).await,
        (_, "", _) => Err(RestError::wrong_method()),
        ("user", login, &Method::GET) => idm::get_user(call, login),
        ("user", login, &Method::PUT) => idm::put_user(call, login).await,
        ("user", login, &Method::DELETE) => idm::delete_user(call, login),
        ("role", uuid, &Method::GET) => idm::get_role(call, uuid),
        ("workspace", slug, &Method::DELETE) => idm::delete_workspace(call, slug),
        _ => Err(RestError::wrong_method()),
    }
}

async fn dispatch_user_meta(call: &mut Call, path: &str) -> RestResult {
    let method = call.method.clone();
    match (path, &method) {
        ("user-meta/namespace", &Method::GET) => user_meta::namespaces(call),
        ("user-meta/namespace", &Method::PUT) => user_meta::define(call).await,
        ("user-meta/update", &Method::PUT) => user_meta::update(call).await,
        ("user-meta/search", &Method::POST) => user_meta::search(call).await,
        _ => match path.strip_prefix("user-meta/tags/") {
            Some(namespace) if method == Method::GET => user_meta::tags(call, namespace),
            Some(_) => Err(RestError::wrong_method()),
            None => Err(RestError::no_route()),
        },
    }
}

async fn dispatch_shares(call: &mut Call, path: &str) -> RestResult {
    match (path, &call.method) {
        ("share/link", &Method::PUT) => share::put_link(call).await,
        ("share/resources", &Method::POST) => Ok(respond(StatusCode::OK, "application/json", full(""))),
        ("share/link" | "share/resources", _) => Err(RestError::wrong_method()),
        _ => match (path.strip_prefix("share/link/"), &call.method) {
            (Some(uuid), &Method::GET) => share::get_link(call, uuid),
            (Some(uuid), &Method::DELETE) => share::delete_link(call, uuid),
            (Some(_), _) => Err(RestError::wrong_method()),
            (None, _) => Err(RestError::no_route()),
        },
    }
}

/// Endpoints about the server and about who is asking.
async fn dispatch_server(call: &mut Call, path: &str) -> RestResult {
    match path {
        "frontend/session" => {
            call.expect(&Method::POST)?;
            session::post(call).await
        }
        "frontend/state" => {
            call.expect(&Method::GET)?;
            frontend::state(call)
        }
        "frontend/bootconf" => {
            call.expect(&Method::GET)?;
            frontend::bootconf(call)
        }
        "config/discovery" => {
            call.expect(&Method::GET)?;
            discovery::discovery(call)
        }
        "config/discovery/openapi" => {
            call.expect(&Method::GET)?;
            discovery::openapi()
        }
        "config/datasource" => {
            call.expect(&Method::GET)?;
            datasources::list(call)
        }
        "auth/token/document" => {
            call.expect(&Method::POST)?;
            auth::document(call).await
        }
        "auth/token/revoke" => {
            call.expect(&Method::POST)?;
            auth::revoke(call).await
        }
        _ => match path.strip_prefix("config/datasource/") {
            Some(name) => {
                call.expect(&Method::GET)?;
                datasources::get(call, name)
            }
            None => Err(RestError::no_route()),
        },
    }
}

impl Call {
    /// Checks the token, and whether its user may use the endpoint at all.
    fn admit(&mut self) -> Result<(), RestError> {
        let sent = header(&self.headers, AUTHORIZATION.as_str());
        let token = sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if token.is_empty() {
            return if self.is_public() { Ok(()) } else { Err(RestError::not_permitted()) };
        }
        let caller = self.shared.tokens.check(token);
        self.caller = caller.filter(|caller| !self.shared.logins.is_locked(&caller.login));
        if self.caller.is_none() && self.path != "frontend/state" {
            return Err(RestError::bad_token());
        }
        if self.method == Method::HEAD || self.method == Method::OPTIONS {
            return Err(RestError::not_permitted());
        }
        Ok(())
    }

    /// Whether the endpoint needs no token. If one is sent, it must be valid anyway, except for the state.
    fn is_public(&self) -> bool {
        let path = self.path.as_str();
        path.starts_with("config/discovery")
            || ["frontend/session", "frontend/state", "frontend/bootconf"].contains(&path)
    }

    /// Refuses everybody but administrators.
    fn require_admin(&self) -> Result<(), RestError> {
        if self.caller()?.admin { Ok(()) } else { Err(RestError::not_permitted()) }
    }

    /// Returns who sends the request. Only endpoints that need no token are reached without one.
    fn caller(&self) -> Result<&Caller, RestError> {
        self.caller.as_ref().ok_or_else(RestError::not_permitted)
    }

    fn expect(&self, method: &Method) -> Result<(), RestError> {
        if self.method == *method { Ok(()) } else { Err(RestError::wrong_method()) }
    }

    /// Reads the request body as JSON of that form.
    async fn message<T: Field>(&mut self) -> Result<T, RestError> {
        let content_type = header(&self.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.is_empty() {
            return Err(RestError::no_content_type());
        }
        if !essence.eq_ignore_ascii_case("application/json") {
            let message = format!("[ServiceError:400] Unable to unmarshal content of type:{essence}");
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
    header(headers, ACCEPT.as_str())
        .is_none_or(|accept| accept.contains("json") || accept.contains('*') || !accept.contains("application/xml"))
}

fn is_json(headers: &HeaderMap) -> bool {
    header(headers, CONTENT_TYPE.as_str()) == Some("application/json")
}

/// A JSON answer, status 200.
fn reply(value: &impl Serialize) -> RestResult {
    let text = serde_json::to_string(value).map_err(|error| RestError::internal(&error.to_string()))?;
    let body = if text.len() > LONGEST_BUFFERED { chunked(text) } else { full(text) };
    Ok(respond(StatusCode::OK, "application/json", body))
}

/// Whether a field of an answer is omitted, as the server omits zero values.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

//! The user of a token, the discovery document, and the server's version.

use std::time::SystemTime;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;
use tokio::io::AsyncBufRead;
use tokio_util::io::StreamReader;

use super::{Client, error};
use crate::account::ServerUrl;
use crate::auth::{Answer, AuthError, is_dead_token_answer};
use crate::failure::{Reason, ServerError, ServerErrorKind};
use crate::http::limit::Pieces;
use crate::http::{Http, HttpError, retry};

/// The longest discovery document or error answer that is read, in bytes.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// The maximum length of an element of the frontend's state in bytes, and the maximum depth.
const LONGEST_ELEMENT: usize = 1024 * 1024;
const DEEPEST_ELEMENT: usize = 100;

const DISCOVERY: &str = "/a/config/discovery";

/// The user of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub login: String,
    /// The display name, if set.
    pub display_name: Option<String>,
    /// The e-mail address, if set.
    pub email: Option<String>,
    /// Whether the user is an administrator.
    pub admin: bool,
    /// Whether the server asks the user to change the password. All calls still work.
    pub must_change_password: bool,
}

/// Information that the server publishes about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// The version, if it has the form x.y.z. It is only a hint: self-built servers all report 4.0.0.
    pub version: Option<String>,
    /// The product name, if reported.
    pub product: Option<String>,
}

impl Client {
    /// Returns the user of the token; `None` if the token is not valid.
    ///
    /// # Errors
    /// Any failure of the call; [`ServerErrorKind::NotCells`] if the answer is not the frontend's state.
    pub async fn user(&self) -> Result<Option<User>, ServerError> {
        let response = match self.sender.start(&Method::GET, "/a/frontend/state", None, "application/xml").await {
            Ok(response) => response,
            Err(AuthError::Expired) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let is_xml =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|kind| kind.contains("xml"));
        if !status.is_success() || !is_xml {
            let body = self.sender.http.read_whole(response, ANSWER_LIMIT).await?;
            if is_dead_token_answer(status, &body) {
                return Ok(None);
            }
            let answer = Answer { status, headers, body };
            error::json_of(&answer)?;
            return Err(ServerError::new(ServerErrorKind::NotCells, "the answer does not describe a Cells server"));
        }
        let body = self.sender.http.stream(response).map_err(std::io::Error::other);
        read_user(StreamReader::new(Box::pin(body))).await
    }

    /// Returns what the server reports about itself to this token. Servers from 4.4 report the version only to
    /// administrators.
    ///
    /// # Errors
    /// Any failure of the call.
    pub async fn server_info(&self) -> Result<ServerInfo, ServerError> {
        match self.get::<Value>(DISCOVERY).await {
            Ok(discovery) if discovery.get("Version").is_some() => return Ok(info_of(&discovery)),
            // The server refuses a standard user's token here, but accepts a request without any token.
            Ok(_) => {}
            Err(error) if error.kind == ServerErrorKind::Forbidden => {}
            Err(error) => return Err(error),
        }
        let boot: Value = self.get("/a/frontend/bootconf").await?;
        Ok(boot.get("backend").map(info_of).unwrap_or_default())
    }
}

fn info_of(json: &Value) -> ServerInfo {
    let text = |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    ServerInfo {
        version: text("Version").filter(|version| is_version(version)).map(ToOwned::to_owned),
        product: text("PackageLabel").or_else(|| text("PackageType")).map(ToOwned::to_owned),
    }
}

/// Whether a text is a version x.y.z, with or without a suffix. Development builds report a hash instead.
fn is_version(text: &str) -> bool {
    let core = text.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = core.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads the `<user>` element from the frontend's state. The document is large and the element is near its end; the
/// rest is not read.
pub(super) async fn read_user(body: impl AsyncBufRead + Unpin) -> Result<Option<User>, ServerError> {
    let mut reader = Reader::from_reader(Pieces::new(body));
    let mut buffer = Vec::new();
    let mut user: Option<User> = None;
    let mut rooted = false;
    let mut depth = 0_usize;
    loop {
        buffer.clear();
        reader.get_mut().begin(LONGEST_ELEMENT);
        let event = reader.read_event_into_async(&mut buffer).await;
        match &event {
            Ok(Event::Start(_)) => depth += 1,
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST_ELEMENT {
            return Err(ServerError::new(ServerErrorKind::NotCells, "the state of the server is nested too deeply"));
        }
        match event {
            Ok(Event::Start(element) | Event::Empty(element)) => {
                rooted = true;
                match user.as_mut() {
                    Some(user) => note(user, &element),
                    None if element.name().as_ref() == "user" => user = Some(User::from_element(&element)),
                    None => {}
                }
            }
            Ok(Event::End(element)) if element.name().as_ref() == "user" => break,
            Ok(Event::Eof) if rooted => break,
            Ok(Event::Eof) => {
                return Err(ServerError::new(
                    ServerErrorKind::NotCells,
                    "the server sent an empty answer about its state",
                ));
            }
            Ok(_) => {}
            Err(error) => return Err(broken_state(&error)),
        }
    }
    Ok(user.filter(|user| !user.login.is_empty()))
}

fn broken_state(error: &quick_xml::Error) -> ServerError {
    if let quick_xml::Error::Io(io) = error
        && let Some(http) = io.get_ref().and_then(|inner| inner.downcast_ref::<HttpError>())
    {
        return http.clone().into();
    }
    ServerError::new(ServerErrorKind::NotCells, format!("the state of the server is not well-formed XML: {error}"))
}

impl User {
    fn from_element(element: &BytesStart<'_>) -> Self {
        Self { login: attribute(element, "id").unwrap_or_default(), ..Self::default() }
    }
}

fn note(user: &mut User, element: &BytesStart<'_>) {
    match element.name().as_ref() {
        "pref" => {
            let value = attribute(element, "value").filter(|value| !value.is_empty());
            match attribute(element, "name").as_deref() {
                Some("displayName") => user.display_name = value,
                Some("email") => user.email = value,
                _ => {}
            }
        }
        "special_rights" => {
            user.admin = attribute(element, "is_admin").is_some_and(|value| value == "1" || value == "true");
            user.must_change_password = attribute(element, "lock").is_some_and(|locks| locks.contains("pass_change"));
        }
        _ => {}
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    let text = attribute.value;
    match quick_xml::escape::unescape(&text) {
        Ok(plain) => Some(plain.into_owned()),
        Err(_) => Some(text.into_owned()),
    }
}

/// The result of the first contact with a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Greeting {
    /// The server's time, with a precision of one second, if the answer contains it.
    pub time: Option<SystemTime>,
}

/// Checks without credentials that `url` is a Cells server. The error distinguishes between an unreachable server, an
/// untrusted certificate, a redirect, another kind of server, and a host name that is not configured on the server.
///
/// # Errors
/// [`ServerErrorKind::Transport`] without an answer; [`ServerErrorKind::NotCells`]; [`ServerErrorKind::Server`] if the
/// server or a proxy fails.
pub async fn probe(http: &Http, url: &ServerUrl) -> Result<Greeting, ServerError> {
    let request = http.server_request(Method::GET, url, DISCOVERY)?.header(ACCEPT, "application/json");
    let response = http.send(request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body: Bytes = http.read_whole(response, ANSWER_LIMIT).await?;
    let answer = Answer { status, headers, body };
    let json = error::json_of(&answer).map_err(|error| as_probe(error, url))?;
    match serde_json::from_slice::<Value>(json) {
        Ok(discovery) if discovery.get("Endpoints").is_some_and(Value::is_object) => {
            Ok(Greeting { time: retry::server_time(&answer.headers) })
        }
        _ => Err(ServerError {
            status: Some(status.as_u16()),
            ..ServerError::new(
                ServerErrorKind::NotCells,
                format!("something answers at {url}, but it is not a Cells server"),
            )
        }),
    }
}

/// Rewrites the error for the context of a probe. The kind stays the same except for refusals, which a Cells server
/// never sends here.
fn as_probe(mut error: ServerError, url: &ServerUrl) -> ServerError {
    match (error.kind, error.status) {
        (ServerErrorKind::NotCells, Some(200)) if error.is(Reason::Empty) => {
            error.message =
                format!("a server at {url} sends empty answers: the host '{}' is not configured on it", url.host());
        }
        (ServerErrorKind::NotCells, _) => {
            error.message = format!("{url} answers with a web page: it is not a Cells server");
        }
        (
            ServerErrorKind::NotFound
            | ServerErrorKind::BadRequest
            | ServerErrorKind::Forbidden
            | ServerErrorKind::Unauthenticated,
            _,
        ) => {
            error.kind = ServerErrorKind::NotCells;
            error.message = format!("something answers at {url}, but it is not a Cells server ({})", error.message);
        }
        _ => {}
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_user_is_read_out_of_the_state() {
        let state = r#"<?xml version="1.0"?> <pydio_registry><actions><action name="x"/></actions>
            <user id="al&amp;ice"><special_rights is_admin="1" lock="pass_change"></special_rights>
            <preferences><pref name="displayName" value="Alice A"/><pref name="email" value=""></pref></preferences></user>
            <broken"#;
        let user = read_user(state.as_bytes()).await.expect("a state").expect("a user");
        let wanted = User {
            login: "al&ice".to_owned(),
            display_name: Some("Alice A".to_owned()),
            email: None,
            admin: true,
            must_change_password: true,
        };
        assert_eq!(user, wanted);
    }

    #[tokio::test]
    async fn a_state_without_a_user_means_an_invalid_token() {
        assert_eq!(read_user(&b"<pydio_registry><a/></pydio_registry>"[..]).await.expect("a state"), None);
        assert_eq!(read_user(&b""[..]).await.expect_err("nothing").kind, ServerErrorKind::NotCells);
    }

    #[tokio::test]
    async fn no_element_of_the_state_is_longer_or_deeper_than_those_of_a_server() {
        for state in [
            format!("<a><user id=\"{}", "x".repeat(3_000_000)),
            format!("<a>{}", "<b>".repeat(1_000_000)),
            format!("<a><!-- {}", "x".repeat(3_000_000)),
        ] {
            let error = read_user(state.as_bytes()).await.expect_err("too much");
            assert!(!error.message.contains("xxx"), "{error:?}");
        }
    }

    #[test]
    fn only_real_versions_count() {
        for (text, real) in [
            ("4.4.12", true),
            ("v5.0.2", true),
            ("4.4.0-alpha3", true),
            ("d41d8cd98f00b204e9800998ecf8427e", false),
            ("", false),
            ("4.4", false),
        ] {
            assert_eq!(is_version(text), real, "{text}");
        }
    }
}

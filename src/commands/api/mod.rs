//! `cec api`: any REST call.

mod body;

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::commands::verb::{RemotePaths, Verb};
use crate::context::Ctx;
use crate::error::{CliError, Kind, Outcome};
use cells_client::api::scheduler::is_task_id;

/// Arguments of `cec api`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Sends a request with the credentials of the current account and prints the response unchanged, even \
    if it is an error; the exit code matches the response. A path without a leading slash is below /a/. Fields \
    form a JSON body; with GET, HEAD and DELETE they form a query. Names may be nested: 'Node[Path]=x', \
    'Nodes[][Path]=x'. A request with a body but no fields sends {}.\n\nExamples:\n  cec api GET \
    config/discovery\n  \
    cec api POST user -F Limit=2 --paginate\n  cec api POST search/nodes -f 'Query[FileName]=report'\n  \
    echo '{\"NodePaths\": [\"common-files\"]}' | cec api POST /a/tree/stats --input -"
)]
pub struct Args {
    /// GET, POST, PUT, PATCH, DELETE or HEAD
    #[arg(value_name = "METHOD", value_parser = parse_method)]
    method: Method,
    /// Path, with its query if any
    #[arg(value_name = "PATH")]
    path: String,
    /// Field with a text value
    #[arg(short = 'f', long = "raw-field", value_name = "NAME=VALUE", value_parser = body::parse_field)]
    raw_fields: Vec<body::Field>,
    /// Field with a typed value: true, false, null, a number, @FILE for the content of a file, or text
    #[arg(short = 'F', long = "field", value_name = "NAME=VALUE", value_parser = body::parse_field)]
    fields: Vec<body::Field>,
    /// File with the body, or - to read standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["raw_fields", "fields"])]
    input: Option<std::path::PathBuf>,
    /// Request all pages, using Offset and Limit (or From and Size) in the body
    #[arg(long)]
    paginate: bool,
    /// Print the status line and the headers before the response
    #[arg(short, long)]
    include: bool,
}

fn parse_method(text: &str) -> Result<Method, String> {
    match text.to_ascii_uppercase().as_str() {
        "GET" => Ok(Method::GET),
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "DELETE" => Ok(Method::DELETE),
        "HEAD" => Ok(Method::HEAD),
        _ => Err("expected GET, POST, PUT, PATCH, DELETE or HEAD".to_owned()),
    }
}

impl Verb for Args {
    fn remote_paths(&self) -> RemotePaths<'_> {
        RemotePaths::None
    }

    /// Sends a REST call and prints the answer.
    ///
    /// # Errors
    /// The meaning of an unsuccessful answer; [`Kind::Usage`] if the arguments are not a valid call.
    async fn run(self, ctx: &Ctx) -> Result<Outcome, CliError> {
        let has_body = !matches!(self.method, Method::GET | Method::HEAD | Method::DELETE);
        let mut path = absolute(&self.path)?;
        let fields = body::object(&self.raw_fields, &self.fields)?;
        let body = match (&self.input, has_body) {
            (Some(file), _) => Some(body::read(file)?),
            (None, true) => Some(Bytes::from(Value::Object(fields).to_string())),
            (None, false) => {
                body::append_query(&mut path, &fields);
                None
            }
        };
        check(&path, body.as_deref())?;
        if !self.paginate {
            call(ctx, &self, &path, body).await?;
            return Ok(Outcome::Done);
        }
        let Some(Ok(Value::Object(first))) = body.as_deref().map(serde_json::from_slice) else {
            return Err(CliError::new(Kind::Usage, "--paginate needs a body that is a JSON object"));
        };
        let mut pages = body::Pages::new(first);
        while let Some(page) = pages.next() {
            let answer = call(ctx, &self, &path, Some(page)).await?;
            pages.answered(&answer)?;
        }
        Ok(Outcome::Done)
    }
}

/// Returns the path relative to the server's root.
fn absolute(typed: &str) -> Result<String, CliError> {
    if typed.split('?').next().is_some_and(|path| path.contains("://")) {
        let message = "the path is a complete URL, but requests go only to the current account's server";
        return Err(CliError::new(Kind::Usage, message).hint("omit the scheme and the host"));
    }
    if typed.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(CliError::new(Kind::Usage, "the path contains a space: write it as %20"));
    }
    Ok(match (typed.starts_with('/'), typed.starts_with("a/")) {
        (true, _) => typed.to_owned(),
        (false, true) => format!("/{typed}"),
        (false, false) => format!("/a/{typed}"),
    })
}

/// Refuses the one call that would end a service for everybody.
fn check(path: &str, body: Option<&[u8]>) -> Result<(), CliError> {
    if !is_call(path, &["jobs", "tasks", "delete"]) {
        return Ok(());
    }
    let body: Value = body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    let named = body.as_object().into_iter().flatten().filter(|(name, _)| name.eq_ignore_ascii_case("TaskID"));
    let ids: Vec<Value> = named.flat_map(|(_, ids)| ids.as_array().cloned().unwrap_or(vec![ids.clone()])).collect();
    match ids.iter().find(|id| !id.as_str().is_some_and(is_task_id)) {
        None => Ok(()),
        Some(id) => {
            let message = format!(
                "{id} is not a complete task id, and this request would crash the server's jobs \
                service"
            );
            Err(CliError::new(Kind::Usage, message))
        }
    }
}

/// Whether a path leads to this call, in any spelling that the server or a proxy might normalize.
fn is_call(path: &str, names: &[&str]) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().replace('\\', "/");
    let mut found: Vec<&str> = Vec::new();
    for name in decoded.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(found.pop()),
            name => found.push(name),
        }
    }
    let is_same = |(found, wanted): (&&str, &&str)| found.eq_ignore_ascii_case(wanted);
    found.len() >= names.len() && found[found.len() - names.len()..].iter().zip(names).all(is_same)
}

/// Sends one call and prints its answer. Returns the answer.
async fn call(ctx: &Ctx, arguments: &Args, path: &str, body: Option<Bytes>) -> Result<Bytes, CliError> {
    let during = |error: CliError| error.during(format!("{} {path}", arguments.method));
    let exchanged = ctx.api().await?.exchange(arguments.method.clone(), path, body).await;
    let (mut answer, error) = exchanged.map_err(|error| during(error.into()))?;
    if arguments.include {
        ctx.ui.line(&format!("HTTP/1.1 {}", answer.status))?;
        for (name, value) in &answer.headers {
            ctx.ui.line(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))?;
        }
        ctx.ui.line("")?;
    }
    let is_page = error.as_ref().is_some_and(|error| error.kind == cells_client::failure::ServerErrorKind::NotCells);
    if ctx.ui.is_json() {
        // A reader of JSON must not see an error document as the result, so the refusal is printed on standard error
        // only.
        if error.is_none()
            && let Ok(value) = serde_json::from_slice::<Value>(&answer.body)
        {
            ctx.ui.json_document(&value)?;
        }
    } else if !is_page {
        write(ctx, &answer.body)?;
    }
    match error {
        None => Ok(answer.body),
        Some(error) => {
            let mut error = CliError::from(error);
            // Only one long answer may be in memory at a time.
            drop(std::mem::take(&mut answer.body));
            if is_page && answer.status.is_success() && path.starts_with("/a/") {
                // The URL is right if the server answers another call.
                if ctx.api().await?.raw(Method::GET, "/a/config/discovery", None).await.is_ok() {
                    error.kind = Kind::NotFound;
                }
                error.message = "the server answered with a web page: it does not know this request".to_owned();
                error.hints = vec!["write the path like /a/tree/stat/WORKSPACE".into()];
            } else if is_page && !path.starts_with("/a/") {
                let call = path.trim_start_matches('/');
                error.hints = vec![format!("REST calls are below /a: try '/a/{call}'").into()];
            } else if arguments.method == Method::HEAD && error.kind == Kind::Auth {
                error.hints = vec!["the server refuses HEAD with any token: use GET".into()];
            }
            Err(during(error))
        }
    }
}

/// Prints an answer: JSON is indented on a terminal, everything else is unchanged.
fn write(ctx: &Ctx, body: &[u8]) -> Result<(), CliError> {
    if body.is_empty() {
        return Ok(());
    }
    if ctx.ui.stdout_is_terminal() {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => ctx.ui.json_indented(&value)?,
            Err(_) => ctx.ui.line(String::from_utf8_lossy(body).trim_end())?,
        }
        return Ok(());
    }
    ctx.ui.bytes(body)?;
    if !body.ends_with(b"\n") {
        ctx.ui.bytes(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_start_at_the_root() {
        for (typed, path) in [
            ("user", "/a/user"),
            ("a/user", "/a/user"),
            ("/a/user?x=1", "/a/user?x=1"),
            ("/io/x", "/io/x"),
            ("/a/x?u=http://other.example", "/a/x?u=http://other.example"),
        ] {
            assert_eq!(absolute(typed).expect(typed), path);
        }
        for typed in ["https://other.example/a/user", "a b", "a\nb"] {
            assert_eq!(absolute(typed).expect_err(typed).kind, Kind::Usage);
        }
    }

    #[test]
    fn short_task_ids_are_not_sent() {
        let refused = |path: &str, body: &str| check(path, Some(body.as_bytes())).is_err();
        assert!(refused("/a/jobs/tasks/delete", r#"{"TaskID":["x"]}"#));
        assert!(refused("/a/jobs/tasks/delete/?y", r#"{"TaskID":["eeb9cac9-5d30-42e8-9e7f-f96aea8c22e4",""]}"#));
        assert!(!refused("/a/jobs/tasks/delete", r#"{"TaskID":["eeb9cac9-5d30-42e8-9e7f-f96aea8c22e4"]}"#));
        assert!(!refused("/a/user", r#"{"TaskID":["x"]}"#));
        for path in [
            "/a/jobs/tasks/./delete",
            "/a/jobs/tasks/x/../delete",
            "/a/jobs//tasks/%64elete",
            "/a/jobs/tasks%2Fdelete",
            "/a/jobs/tasks/y/%2e%2e/delete?z#w",
        ] {
            assert!(refused(path, r#"{"TaskID":["x"]}"#), "{path}");
        }
        assert!(refused("/a/jobs/tasks/delete", r#"{"taskID":["x"]}"#));
        assert!(refused("/a/jobs/tasks/delete", r#"{"TaskID":"x"}"#));
    }
}

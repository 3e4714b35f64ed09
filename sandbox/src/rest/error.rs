//! The error bodies of the REST interface, in all their forms.

use http::StatusCode;
use serde::Serialize;

use crate::transport::{Answer, Dropped, Response, full, respond, text};
use crate::tree::forest::TreeError;

/// What the server puts in front of the message in `Detail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    NotFound,
    Forbidden,
    Conflict,
    Locked,
    Unauthorized,
    BadRequest,
    Internal,
}

impl Prefix {
    fn text(self) -> &'static str {
        match self {
            Self::NotFound => "Not Found: ",
            Self::Forbidden => "Forbidden: ",
            Self::Conflict => "Conflict: ",
            Self::Locked => "Locked: ",
            Self::Unauthorized => "Unauthorized: ",
            Self::BadRequest => "Bad Request: ",
            Self::Internal => "Internal Server Error: ",
        }
    }
}

/// Why a request is not answered with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RestError {
    /// One or more JSON documents in a row.
    Json { status: StatusCode, body: String },
    /// Plain text.
    Text { status: StatusCode, text: &'static str },
    /// The handler panics: the connection is closed.
    Panic,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    title: &'a str,
    detail: &'a str,
}

fn document(title: &str, detail: &str) -> String {
    serde_json::to_string(&Document { title, detail }).unwrap_or_default()
}

impl RestError {
    /// An error the server knows the kind of.
    pub(crate) fn typed(status: StatusCode, prefix: Prefix, message: &str) -> Self {
        let detail = format!("{}{message}", prefix.text());
        Self::Json { status, body: document(message, &detail) }
    }

    /// An error of no particular kind: title and detail are the same.
    pub(crate) fn untyped(status: StatusCode, message: &str) -> Self {
        Self::Json { status, body: document(message, message) }
    }

    /// An untyped error of status 500.
    pub(crate) fn internal(message: &str) -> Self {
        Self::untyped(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// An error of an inner service, shown as JSON inside the title.
    pub(crate) fn nested(status: StatusCode, detail: &str) -> Self {
        let inner = serde_json::json!({"Id": "", "Code": 0, "Detail": detail, "Status": ""});
        Self::untyped(status, &inner.to_string())
    }

    /// The same body, followed by something else without a separator, so that it is not valid JSON.
    pub(crate) fn followed_by(self, more: &str) -> Self {
        match self {
            Self::Json { status, body } => Self::Json { status, body: body + more },
            other => other,
        }
    }

    /// The same document twice.
    pub(crate) fn twice(self) -> Self {
        match &self {
            Self::Json { body, .. } => {
                let again = body.clone();
                self.followed_by(&again)
            }
            _ => self,
        }
    }

    /// The same error with another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        match self {
            Self::Json { body, .. } => Self::Json { status, body },
            other => other,
        }
    }

    /// No token, or one whose user lacks the right for this endpoint.
    pub(crate) fn not_permitted() -> Self {
        Self::Text { status: StatusCode::UNAUTHORIZED, text: "Unauthorized\n" }
    }

    /// A token that is not valid: the text differs by a full stop.
    pub(crate) fn bad_token() -> Self {
        Self::Text { status: StatusCode::UNAUTHORIZED, text: "Unauthorized.\n" }
    }

    /// No such endpoint in a service that exists.
    pub(crate) fn no_route() -> Self {
        Self::Text { status: StatusCode::NOT_FOUND, text: "404: Page Not Found" }
    }

    /// The endpoint exists for another method.
    pub(crate) fn wrong_method() -> Self {
        Self::Text { status: StatusCode::METHOD_NOT_ALLOWED, text: "405: Method Not Allowed" }
    }

    /// A body without a type.
    pub(crate) fn no_content_type() -> Self {
        Self::Text { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, text: "415: Unsupported Media Type" }
    }

    /// No such node; `path` is below the workspace.
    pub(crate) fn no_node(path: &str) -> Self {
        let message = format!("Could not retrieve node {path}");
        Self::typed(StatusCode::NOT_FOUND, Prefix::NotFound, &message)
    }

    /// No such workspace for this user.
    pub(crate) fn no_workspace(slug: &str) -> Self {
        let message = format!("Workspace {slug} is not found");
        Self::typed(StatusCode::NOT_FOUND, Prefix::NotFound, &message)
    }

    /// Something directly in the top of a workspace that has several roots.
    pub(crate) fn no_root() -> Self {
        Self::typed(StatusCode::INTERNAL_SERVER_ERROR, Prefix::NotFound, "Cannot find root node")
    }

    /// The token does not reach the path. The status is still 404.
    pub(crate) fn not_readable() -> Self {
        let message = "path is not readable";
        Self::typed(StatusCode::NOT_FOUND, Prefix::Forbidden, message)
    }

    /// A path that may be read only.
    pub(crate) fn not_writeable() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::typed(status, Prefix::Forbidden, "path is not writeable")
    }

    /// A job has locked the node or a folder above it.
    pub(crate) fn locked() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::typed(status, Prefix::Locked, "Node is currently locked")
    }

    /// The answer to send.
    pub(crate) fn into_answer(self) -> Answer {
        match self {
            Self::Json { status, body } => Ok(respond(status, "application/json", full(body))),
            Self::Text { status, text: words } => Ok(text(status, words)),
            Self::Panic => Err(Dropped),
        }
    }
}

impl From<TreeError> for RestError {
    fn from(error: TreeError) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        match error {
            TreeError::NameTooLong => Self::typed(
                status,
                Prefix::Internal,
                "Error while inserting node: Error 1406 (22001): Data too long for column 'name' \
                 at row 1",
            ),
            TreeError::FileInTheWay => {
                Self::typed(status, Prefix::Forbidden, "trying to create a folder on top of an existing file")
            }
            TreeError::FolderInTheWay | TreeError::WorkspaceRoot => {
                Self::typed(status, Prefix::Conflict, "A folder already exists with the same name")
            }
            TreeError::Missing => Self::no_node("/").with_status(status),
        }
    }
}

/// An answer, or why there is none.
pub(crate) type RestResult = Result<Response, RestError>;

//! The errors of commands: kind, cause, context and hints; the exit codes; the one place that renders errors.

use std::fmt;

/// What kind of failure it is, which decides the exit code (product.md §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any other failure, local I/O, a question answered No: 1.
    Failure,
    /// Wrong usage, or a confirmation that nobody can give: 2.
    Usage,
    /// Something does not exist: 3.
    NotFound,
    /// Not signed in, token refused: 4.
    Auth,
    /// Permission denied, read-only, quota: 5.
    Permission,
    /// Server unreachable, time-out, 5xx after retries, not a Cells server, TLS refused, a lock that stays: 6.
    Unreachable,
    /// Some items failed: 7.
    Partial,
    /// The target exists: 8.
    Exists,
    /// Bytes differ from what they should be: 9.
    Integrity,
    /// A server job failed: 10.
    JobFailed,
    /// SIGINT: 130.
    Interrupted,
    /// SIGTERM: 143.
    Terminated,
}

/// The failure of a command.
#[derive(Debug)]
pub struct CliError {
    /// What kind of failure it is.
    pub kind: Kind,
    /// The true cause, one sentence without a full stop.
    pub message: String,
    /// What was being done, outermost last.
    pub context: Vec<String>,
    /// What the user can do.
    pub hints: Vec<String>,
    /// The HTTP status behind it.
    pub http_status: Option<u16>,
    /// The server's request id.
    pub request_id: Option<String>,
    /// The path it is about.
    pub path: Option<String>,
}

impl CliError {
    /// A failure with its cause.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            context: Vec::new(),
            hints: Vec::new(),
            http_status: None,
            request_id: None,
            path: None,
        }
    }

    /// Adds what was being done: `listing common-files/D`.
    #[must_use]
    pub fn during(mut self, what: impl Into<String>) -> Self {
        self.context.push(what.into());
        self
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the path it is about.
    #[must_use]
    pub fn about(mut self, path: impl fmt::Display) -> Self {
        self.path = Some(path.to_string());
        self
    }
}

/// How a command ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All done: 0.
    Done,
    /// Some items failed, already reported: 7.
    Partial,
    /// An honest no: the thing does not exist: 3.
    NotFound,
    /// Differences were found: 1.
    Differences,
    /// All items failed alike, already reported: that kind's code.
    Failed(Kind),
}

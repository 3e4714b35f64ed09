//! The errors of commands: kind, cause, context and hints; the exit codes; the only place that renders errors.

use std::fmt;

use serde::Serialize;

use cells_client::failure::Reason;

mod advice;
mod convert;
mod hint;
mod transfer;

pub(crate) use advice::AFTER_UPGRADE;
pub use hint::Hint;

/// The kind of a failure, which determines the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any other failure, such as local I/O, or a prompt answered No: 1.
    Failure,
    /// Wrong usage, or a confirmation without anybody to ask: 2.
    Usage,
    /// Something does not exist: 3.
    NotFound,
    /// Not signed in, token refused: 4.
    Auth,
    /// Permission denied, read-only, quota: 5.
    Permission,
    /// Server unreachable, time-out, 5xx after retries, not a Cells server, TLS failure, a lasting lock: 6.
    Unreachable,
    /// Some items failed: 7.
    Partial,
    /// The target exists: 8.
    Exists,
    /// Content differs from the expected one: 9.
    Integrity,
    /// A server job failed: 10.
    JobFailed,
    /// SIGINT: 130.
    Interrupted,
    /// SIGTERM: 143.
    Terminated,
    /// SIGHUP: 129.
    HungUp,
    /// The reader of standard output has gone: 0, without a message.
    ClosedPipe,
}

impl Kind {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Auth => 4,
            Self::Permission => 5,
            Self::Unreachable => 6,
            Self::Partial => 7,
            Self::Exists => 8,
            Self::Integrity => 9,
            Self::JobFailed => 10,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::HungUp => 129,
        }
    }

    /// Returns the name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClosedPipe => "closed_pipe",
            Self::Failure => "failure",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Auth => "auth",
            Self::Permission => "permission",
            Self::Unreachable => "unreachable",
            Self::Partial => "partial",
            Self::Exists => "exists",
            Self::Integrity => "integrity",
            Self::JobFailed => "job_failed",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
            Self::HungUp => "hung_up",
        }
    }

    /// Whether failures of this kind always affect all items: the user or the reader has gone, or nobody is signed in.
    pub fn ends_everything(self) -> bool {
        matches!(self, Self::Auth | Self::Interrupted | Self::Terminated | Self::HungUp | Self::ClosedPipe)
    }
}

/// The failure of a command.
#[derive(Debug, Clone)]
pub struct CliError {
    /// The kind of the failure.
    pub kind: Kind,
    /// The cause, as one sentence without a full stop.
    pub message: String,
    /// The steps during which it failed, innermost first.
    pub context: Vec<String>,
    /// What the user can do about it.
    pub hints: Vec<Hint>,
    /// The HTTP status, if there was an answer.
    pub http_status: Option<u16>,
    /// The server's request id.
    pub request_id: Option<String>,
    /// The path that the failure is about.
    pub path: Option<String>,
    /// Details from the server's words, beyond the kind.
    pub reason: Option<Reason>,
    /// The underlying errors, nearest first, for the log.
    pub causes: Vec<String>,
    /// Whether every other item would fail in the same way: the server is unreachable, or the account settings
    /// contradict each other.
    pub concerns_all: bool,
    /// Whether the message of an interruption says how far the command came.
    pub says_how_far: bool,
}

impl CliError {
    /// Creates a failure.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: clipped(without_code(message.into())),
            context: Vec::new(),
            hints: Vec::new(),
            http_status: None,
            request_id: None,
            path: None,
            reason: None,
            causes: Vec::new(),
            concerns_all: false,
            says_how_far: true,
        }
    }

    /// Creates the failure of a command that was interrupted and has nothing to report about its progress.
    pub fn interrupted() -> Self {
        Self { says_how_far: false, ..Self::new(Kind::Interrupted, "interrupted") }
    }

    /// Returns all hints as one text, if there are any.
    pub fn hint_text(&self) -> Option<String> {
        let hints: Vec<String> = self.hints.iter().map(Hint::to_string).collect();
        (!hints.is_empty()).then(|| hints.join("; "))
    }

    /// Marks the failure as one that affects all items.
    #[must_use]
    pub fn concerning_all(mut self) -> Self {
        self.concerns_all = true;
        self
    }

    /// Whether it makes no sense to continue with the next item.
    pub fn ends_everything(&self) -> bool {
        self.concerns_all || self.kind.ends_everything()
    }

    /// Adds the underlying errors for the log.
    #[must_use]
    fn caused_by(mut self, causes: Vec<String>) -> Self {
        self.causes = causes;
        self
    }

    /// Writes the underlying errors to the log.
    pub(crate) fn log_causes(&self) {
        for cause in &self.causes {
            tracing::debug!(kind = self.kind.name(), "caused by: {cause}");
        }
    }

    /// Adds the step during which it failed, such as `listing common-files/D`.
    #[must_use]
    pub fn during(mut self, what: impl Into<String>) -> Self {
        self.context.push(what.into());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Replaces the general hint about signing in by a specific one, if known.
    #[must_use]
    pub fn advised(mut self, how: Option<&str>) -> Self {
        let Some(how) = how else { return self };
        for hint in self.hints.iter_mut().filter(|hint| **hint == Hint::SignIn) {
            *hint = how.into();
        }
        self
    }

    /// Adds the path that the failure is about.
    #[must_use]
    pub fn about(mut self, path: impl fmt::Display) -> Self {
        self.path = Some(path.to_string());
        self
    }

    /// Creates the failure of a path that does not exist on the server.
    pub fn not_found(path: impl fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("'{path}' does not exist")).about(path)
    }

    /// Creates the failure of an empty path.
    pub fn empty_path() -> Self {
        Self::new(Kind::Usage, "a path is empty")
            .hint("check for an unset variable; the root of the server, which contains the workspaces, is written /")
    }

    /// Renders the error as a block of lines with a final newline, or as one line of JSON. Escapes control characters.
    pub fn render(&self, json: bool, color: bool) -> String {
        if json { self.render_json() } else { self.render_text(color) }
    }

    fn render_text(&self, color: bool) -> String {
        use crate::ui::escape;
        let (red, bold, reset) = if color { ("\u{1b}[1;31m", "\u{1b}[1m", "\u{1b}[0m") } else { ("", "", "") };
        let mut text = format!("{red}error{reset}{bold}:{reset} {}\n", escape(&self.message));
        let mut line = |label: &str, value: &str| {
            text.push_str(&format!("  {label}: {}\n", escape(value)));
        };
        for context in &self.context {
            line("while", context);
        }
        for hint in &self.hints {
            line("hint", &hint.to_string());
        }
        if let Some(id) = &self.request_id {
            line("request-id", id);
        }
        text
    }

    fn render_json(&self) -> String {
        #[derive(Serialize)]
        struct Record<'a> {
            r#type: &'static str,
            code: u8,
            kind: &'static str,
            message: &'a str,
            hint: Option<String>,
            path: Option<&'a str>,
            http: Option<u16>,
            request_id: Option<&'a str>,
        }
        let record = Record {
            r#type: "error",
            code: self.kind.code(),
            kind: self.kind.name(),
            message: &self.message,
            hint: self.hint_text(),
            path: self.path.as_deref(),
            http: self.http_status,
            request_id: self.request_id.as_deref(),
        };
        // A struct of texts and numbers can always be serialized.
        let text = serde_json::to_string(&record).unwrap_or_default();
        let mut text = crate::ui::json_safe(&text).into_owned();
        text.push('\n');
        text
    }
}

/// Returns the underlying errors, nearest first.
fn causes(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string).collect()
}

/// The longest sentence that is printed, in bytes. A server can send any amount.
const LONGEST_SENTENCE: usize = 4096;

fn clipped(mut sentence: String) -> String {
    if sentence.len() > LONGEST_SENTENCE {
        sentence.truncate(sentence.floor_char_boundary(LONGEST_SENTENCE));
        sentence.push('…');
    }
    sentence
}

/// Removes the error number, which only helps programmers, from a message of the system.
fn without_code(message: String) -> String {
    let Some((before, rest)) = message.split_once(" (os error ") else { return message };
    match rest.split_once(')') {
        Some((number, after)) if number.bytes().all(|byte| byte.is_ascii_digit()) => format!("{before}{after}"),
        _ => message,
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

/// How a command ended if not with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything succeeded: 0.
    Done,
    /// Some items failed, and were reported: 7.
    Partial,
    /// Differences were found: 1.
    Differences,
    /// All items failed in the same way, and were reported: the code of this kind.
    Failed(Kind),
}

impl Outcome {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Partial => Kind::Partial.code(),
            Self::Differences => Kind::Failure.code(),
            Self::Failed(kind) => kind.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> CliError {
        let mut error = CliError::new(Kind::Auth, "the token is no longer valid (HTTP 401)")
            .during("listing common-files/D")
            .hint("run 'cec configure token'")
            .hint("or set CEC_TOKEN")
            .about("common-files/D");
        error.http_status = Some(401);
        error.request_id = Some("18EAB9EBF3250E10".to_owned());
        error
    }

    #[test]
    fn an_error_is_one_block() {
        assert_eq!(
            sample().render(false, false),
            "error: the token is no longer valid (HTTP 401)\n  while: listing common-files/D\n  \
             hint: run 'cec configure token'\n  hint: or set CEC_TOKEN\n  request-id: 18EAB9EBF3250E10\n"
        );
        assert!(sample().render(false, true).starts_with("\u{1b}[1;31merror\u{1b}[0m"));
    }

    #[test]
    fn a_sentence_has_an_end_whatever_a_server_says() {
        let error = CliError::new(Kind::Failure, "é".repeat(1_000_000)).hint("x".repeat(1_000_000));
        assert!(error.message.len() < 4100 && error.message.ends_with("é…"), "{}", error.message.len());
        assert!(error.hints[0].to_string().len() < 4100);
    }

    #[test]
    fn numbers_of_the_system_are_left_out() {
        let error = CliError::new(Kind::Failure, "a/b: Permission denied (os error 13)");
        assert_eq!(error.message, "a/b: Permission denied");
        assert_eq!(CliError::new(Kind::Failure, "a (os error x)").message, "a (os error x)");
    }

    #[test]
    fn an_error_is_one_line_of_json() {
        assert_eq!(
            sample().render(true, true),
            "{\"type\":\"error\",\"code\":4,\"kind\":\"auth\",\
             \"message\":\"the token is no longer valid (HTTP 401)\",\
             \"hint\":\"run 'cec configure token'; or set CEC_TOKEN\",\"path\":\"common-files/D\",\"http\":401,\
             \"request_id\":\"18EAB9EBF3250E10\"}\n"
        );
    }

    #[test]
    fn control_characters_cannot_reach_the_terminal() {
        let error = CliError::not_found("ws/\u{1b}[31mx\n\u{202e}y");
        let text = error.render(false, false);
        assert_eq!(text, "error: 'ws/\\u{1b}[31mx\\n\\u{202e}y' does not exist\n");
    }

    #[test]
    fn exit_codes_are_a_contract() {
        let codes = [
            (Kind::Failure, 1),
            (Kind::Usage, 2),
            (Kind::NotFound, 3),
            (Kind::Auth, 4),
            (Kind::Permission, 5),
            (Kind::Unreachable, 6),
            (Kind::Partial, 7),
            (Kind::Exists, 8),
            (Kind::Integrity, 9),
            (Kind::JobFailed, 10),
            (Kind::Interrupted, 130),
            (Kind::Terminated, 143),
            (Kind::HungUp, 129),
            (Kind::ClosedPipe, 0),
        ];
        for (kind, code) in codes {
            assert_eq!((kind.code(), Outcome::Failed(kind).code()), (code, code));
        }
        assert_eq!(Outcome::Done.code(), 0);
        assert_eq!(Outcome::Partial.code(), 7);
        assert_eq!(Outcome::Differences.code(), 1);
    }
}

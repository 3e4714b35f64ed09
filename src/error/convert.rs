//! What the failures of the lower rooms mean for a command.

use std::io;

use super::{CliError, Kind};
use crate::account::UrlError;
use crate::api::error::Cause as ApiCause;
use crate::api::update::UpdateError;
use crate::api::{ApiError, ApiErrorKind};
use crate::auth::oauth::OAuthError;
use crate::auth::{AuthError, LinkRefusal};
use crate::env::EnvError;
use crate::http::{HttpError, HttpErrorKind};
use crate::path::shell::command_line;
use crate::path::{NameError, PathError, without_archive_ending};
use crate::s3::error::Cause as S3Cause;
use crate::s3::{S3Error, S3ErrorKind};
use crate::settings::SettingsError;
use crate::store::{KeyringError, StoreError};
use crate::ui::OutputError;
use crate::ui::template::FormatError;
use crate::walk::WalkError;

/// How to sign in (again).
pub(crate) const SIGN_IN: &str = "run 'cec configure' to sign in, or set CEC_URL and CEC_TOKEN";
const UNLOCK: &str = "unlock the keyring (log in to the desktop, or run its own program), then try again";
const NOT_CELLS: &str = "check the URL, and what answers in front of the server (proxy, sign-in page)";
const UNASKED: &str = "a proxy in front of the server may mix up the answers of several requests; look at its settings";
/// What to do if the system gives no further open file.
pub(crate) const TOO_MANY_FILES: &str = "use fewer --transfers, or raise the limit of open files (ulimit -n)";
const SERVER: &str = "the server or a service behind it is in trouble; try again later, or see its log";

impl From<HttpError> for CliError {
    fn from(error: HttpError) -> Self {
        let kind = match error.kind {
            HttpErrorKind::Request => Kind::Usage,
            HttpErrorKind::NoFile => Kind::NotFound,
            _ => Kind::Unreachable,
        };
        let converted = Self::new(kind, error.message);
        let converted = match error.kind {
            // One request may be slower than another, and one connection break where another holds.
            HttpErrorKind::Timeout if !error.unsent => converted,
            HttpErrorKind::Closed | HttpErrorKind::Redirect | HttpErrorKind::TooLarge => converted,
            _ => converted.concerning_all(),
        };
        match error.hint {
            Some(hint) => converted.hint(hint),
            None => converted,
        }
    }
}

impl From<AuthError> for CliError {
    fn from(error: AuthError) -> Self {
        let message = error.to_string();
        match error {
            AuthError::Http(error) => error.into(),
            AuthError::NotCells(_) => Self::new(Kind::Unreachable, message).hint(NOT_CELLS).concerning_all(),
            AuthError::Server { status, .. } => {
                let kind = if status >= 500 || status == 429 { Kind::Unreachable } else { Kind::Auth };
                Self { http_status: Some(status), ..Self::new(kind, message) }.concerning_all()
            }
            AuthError::WrongPassword => {
                Self::new(Kind::Auth, message).hint("ten wrong passwords lock the user; check before trying again")
            }
            AuthError::Link(refusal) => of_link(refusal),
            AuthError::Locked => Self::new(Kind::Auth, message).hint("ask an administrator of the server to unlock it"),
            AuthError::SessionLost | AuthError::NotStored(_) => Self::new(Kind::Auth, message).hint(SIGN_IN),
            AuthError::Store(cause) => {
                of_store(&cause, message).hint("nothing was lost: run it again once that is mended")
            }
            AuthError::Expired => Self { http_status: Some(401), ..Self::new(Kind::Auth, message).hint(SIGN_IN) },
            AuthError::FurtherStep(_) => {
                Self::new(Kind::Auth, message).hint("sign in with the browser: cec configure oauth")
            }
        }
    }
}

fn of_link(refusal: LinkRefusal) -> CliError {
    let (kind, hint) = match refusal {
        LinkRefusal::Unknown => (Kind::NotFound, "it was removed, or there is a slip in its URL"),
        LinkRefusal::Expired | LinkRefusal::Used => (Kind::Permission, "ask whoever sent it for a new one"),
        LinkRefusal::PasswordNeeded => (Kind::Auth, "set CEC_LINK_PASSWORD; on a terminal it is asked for"),
        LinkRefusal::WrongPassword => (Kind::Auth, "ten wrong passwords lock the link; check before trying again"),
        LinkRefusal::Locked => {
            (Kind::Auth, "an administrator of the server can unlock it, or whoever sent it makes a new one")
        }
    };
    CliError::new(kind, refusal.to_string()).hint(hint)
}

impl From<OAuthError> for CliError {
    fn from(error: OAuthError) -> Self {
        let message = error.to_string();
        match error {
            OAuthError::Http(error) => error.into(),
            OAuthError::Unavailable(status) => {
                Self { http_status: Some(status), ..Self::new(Kind::Unreachable, message).hint(SERVER) }
            }
            OAuthError::NotCells(_) => Self::new(Kind::Unreachable, message)
                .hint("check the URL; a personal access token works as well: cec configure token"),
            OAuthError::Refused { status, code, .. } => {
                let hint = match code.as_str() {
                    "access_denied" => "it was declined in the browser; run it again to go back to the login page",
                    "invalid_grant" => "a code is good once, and for ten minutes; run it again for a new one",
                    "invalid_client" | "invalid_request" => {
                        "the server may know itself under another address: use that, or a personal access token (cec \
                         configure token)"
                    }
                    _ => SIGN_IN,
                };
                let message = match code.as_str() {
                    "invalid_grant" => {
                        "the code was not accepted: it is incomplete, already used, or expired".to_owned()
                    }
                    _ => message,
                };
                Self { http_status: (status > 0).then_some(status), ..Self::new(Kind::Auth, message).hint(hint) }
            }
            OAuthError::OtherState | OAuthError::NoCode(_) => {
                Self::new(Kind::Auth, message).hint("run it again for a new sign-in")
            }
        }
    }
}

/// The kind of such a failure, and what can be done.
pub(super) fn of_api(kind: ApiErrorKind) -> (Kind, Option<&'static str>) {
    match kind {
        ApiErrorKind::Unauthenticated | ApiErrorKind::Auth => (Kind::Auth, Some(SIGN_IN)),
        ApiErrorKind::Forbidden | ApiErrorKind::Quota => (Kind::Permission, None),
        ApiErrorKind::NotFound => (Kind::NotFound, None),
        ApiErrorKind::Conflict => (Kind::Exists, None),
        ApiErrorKind::Locked => (Kind::Unreachable, Some("a job or another user holds it; try again later")),
        ApiErrorKind::BadRequest => (Kind::Failure, None),
        ApiErrorKind::TooMany => (Kind::Unreachable, Some("the server asks for fewer requests; try again later")),
        ApiErrorKind::Server => (Kind::Unreachable, Some(SERVER)),
        ApiErrorKind::Unasked => (Kind::Unreachable, Some(UNASKED)),
        ApiErrorKind::NotCells => (Kind::Unreachable, Some(NOT_CELLS)),
        ApiErrorKind::Transport => (Kind::Unreachable, None),
    }
}

impl From<ApiError> for CliError {
    fn from(error: ApiError) -> Self {
        let ApiError { kind, message, status, source, .. } = error;
        match source {
            Some(ApiCause::Http(error)) => return error.into(),
            Some(ApiCause::Auth(error)) => return error.into(),
            None => {}
        }
        let (kind, hint) = of_api(kind);
        let mut converted = Self::new(kind, message);
        converted.http_status = status;
        converted.hints.extend(hint.map(str::to_owned));
        converted
    }
}

/// The kind of such a failure, and what can be done.
pub(super) fn of_s3(kind: S3ErrorKind) -> (Kind, Option<&'static str>) {
    match kind {
        S3ErrorKind::Unauthenticated | S3ErrorKind::Auth => (Kind::Auth, Some(SIGN_IN)),
        S3ErrorKind::Forbidden | S3ErrorKind::Quota => (Kind::Permission, None),
        S3ErrorKind::NotFound => (Kind::NotFound, None),
        S3ErrorKind::Conflict => (Kind::Exists, None),
        S3ErrorKind::UploadGone | S3ErrorKind::BadRequest | S3ErrorKind::Range | S3ErrorKind::Body => {
            (Kind::Failure, None)
        }
        S3ErrorKind::NameInUse | S3ErrorKind::Locked => {
            (Kind::Unreachable, Some("a job or another upload holds it; try again later"))
        }
        S3ErrorKind::TooMany => (Kind::Unreachable, Some("the server asks for fewer requests; try again later")),
        S3ErrorKind::TooLarge => (
            Kind::Failure,
            Some(
                "a proxy limits the size of a request: raise its limit (nginx: client_max_body_size), or lower --part-size and --multipart-threshold; a part cannot be smaller than 10 MiB",
            ),
        ),
        S3ErrorKind::Signature => {
            (Kind::Failure, Some("a proxy may change the path or the Host header; also compare this machine's clock"))
        }
        S3ErrorKind::Server => (Kind::Unreachable, Some(SERVER)),
        S3ErrorKind::Unasked => (Kind::Unreachable, Some(UNASKED)),
        S3ErrorKind::NotCells => (Kind::Unreachable, Some(NOT_CELLS)),
        S3ErrorKind::Transport => (Kind::Unreachable, None),
    }
}

impl From<S3Error> for CliError {
    fn from(error: S3Error) -> Self {
        let S3Error { kind, message, status, request_id, source, .. } = error;
        match source {
            Some(S3Cause::Http(error)) => return error.into(),
            Some(S3Cause::Auth(error)) => return error.into(),
            None => {}
        }
        let (kind, hint) = of_s3(kind);
        let mut converted = Self::new(kind, message);
        converted.http_status = status;
        converted.request_id = request_id;
        converted.hints.extend(hint.map(str::to_owned));
        converted
    }
}

impl From<WalkError> for CliError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Api(error) => error.into(),
            WalkError::S3(error) => error.into(),
            WalkError::ArchiveFolder(ref folder) => {
                let message = error.to_string();
                let stem = without_archive_ending(folder.name());
                let target = folder.parent().unwrap_or_default().join(if stem.is_empty() { "NAME" } else { stem });
                Self::new(Kind::Failure, message)
                    .hint(format!(
                        "give it another name: {}",
                        command_line("cec mv", &[folder.as_str(), target.as_str()])
                    ))
                    .about(folder)
            }
            WalkError::Pattern { .. } => {
                Self::new(Kind::Usage, error.to_string()).hint("--no-glob takes names as they are")
            }
        }
    }
}

impl From<UpdateError> for CliError {
    fn from(error: UpdateError) -> Self {
        let message = error.to_string();
        match error {
            UpdateError::Http(error) => error.into(),
            UpdateError::Url(_) | UpdateError::Key => Self::new(Kind::Usage, message),
            UpdateError::Server(_) => Self::new(Kind::Unreachable, message),
            UpdateError::Refused(_) => Self::new(Kind::Integrity, message).hint("nothing was changed"),
        }
    }
}

impl From<PathError> for CliError {
    fn from(error: PathError) -> Self {
        Self::new(Kind::Usage, error.to_string())
    }
}

impl From<NameError> for CliError {
    fn from(error: NameError) -> Self {
        Self::new(Kind::Usage, error.to_string())
    }
}

impl From<UrlError> for CliError {
    fn from(error: UrlError) -> Self {
        Self::new(Kind::Usage, error.to_string())
    }
}

impl From<EnvError> for CliError {
    fn from(error: EnvError) -> Self {
        Self::new(Kind::Usage, error.to_string())
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        let converted = Self::new(Kind::Usage, error.message).concerning_all();
        match error.hint {
            Some(hint) => converted.hint(hint),
            None => converted,
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        of_store(&error, error.to_string()).concerning_all()
    }
}

/// What such a failure means, told in these words.
fn of_store(error: &StoreError, message: String) -> CliError {
    match error {
        StoreError::Keyring { source, .. } => {
            let converted = CliError::new(Kind::Auth, message);
            let converted = match source {
                KeyringError::Locked | KeyringError::Silent => converted.hint(UNLOCK),
                KeyringError::Absent(_) | KeyringError::Failed(_) => converted,
            };
            converted
                .hint("to keep the secret in config.json instead, sign in again: cec configure --skip-keyring")
                .hint("or set CEC_URL and CEC_TOKEN")
        }
        StoreError::NotKept(source) => {
            let converted = CliError::new(Kind::Auth, message);
            match source {
                KeyringError::Locked | KeyringError::Silent => converted.hint(UNLOCK),
                KeyringError::Absent(_) | KeyringError::Failed(_) => converted,
            }
            .hint("add --skip-keyring to keep the secret in config.json, readable by you only")
        }
        StoreError::NoSecret { .. } | StoreError::Type { .. } => CliError::new(Kind::Auth, message).hint(SIGN_IN),
        StoreError::Url { .. } => CliError::new(Kind::Usage, message),
        StoreError::Format { .. } => {
            CliError::new(Kind::Failure, message).hint("mend the file, or remove it with 'cec clear' (with the same --config, where one was given) and sign in again")
        }
        StoreError::NoFolder => CliError::new(Kind::Usage, message).hint("set HOME or CEC_CONFIG, or work without stored accounts: set CEC_URL and CEC_TOKEN"),
        StoreError::Busy { .. } | StoreError::Io { .. } | StoreError::BrokenDown(_) => {
            CliError::new(Kind::Failure, message)
        }
    }
}

impl From<OutputError> for CliError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Closed => Self::new(Kind::ClosedPipe, "the reader of standard output is gone"),
            OutputError::Io(error) => Self::new(Kind::Failure, format!("cannot write to standard output: {error}")),
            OutputError::Filter(complaint) => Self::new(Kind::Failure, complaint)
                .hint("the same command with --json shows what the expression was given"),
        }
    }
}

impl From<FormatError> for CliError {
    fn from(error: FormatError) -> Self {
        Self::new(Kind::Usage, error.to_string())
    }
}

/// Whether the process, or the system, has as many files open as it may.
fn too_many_files(error: &io::Error) -> bool {
    // EMFILE and ENFILE, the same on all of Unix.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let kind = if error.kind() == io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failure };
        let converted = Self::new(kind, error.to_string());
        if too_many_files(&error) { converted.hint(TOO_MANY_FILES) } else { converted }
    }
}

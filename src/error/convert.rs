//! Converts the errors of the client library into those of commands.

use std::io;

use super::advice::{self, NO_PASSWORD_IN_URL, NOT_CELLS, SERVER, TOO_MANY_FILES, UNLOCK};
use super::{CliError, Hint, Kind, causes};
use crate::env::EnvError;
use crate::settings::SettingsError;
use crate::ui::OutputError;
use crate::ui::template::FormatError;
use cells_client::account::UrlError;
use cells_client::api::update::UpdateError;
use cells_client::auth::oauth::OAuthError;
use cells_client::auth::{AuthError, LinkRefusal};
use cells_client::failure::{Cause, ServerError};
use cells_client::http::{HttpError, HttpErrorKind};
use cells_client::path::{NameError, PathError, without_archive_ending};
use cells_client::store::{KeyringError, StoreError};
use cells_client::walk::WalkError;

impl From<HttpError> for CliError {
    fn from(error: HttpError) -> Self {
        let kind = match error.kind {
            HttpErrorKind::Request => Kind::Usage,
            HttpErrorKind::NoFile => Kind::NotFound,
            _ => Kind::Unreachable,
        };
        let converted = Self::new(kind, error.message.clone());
        let converted = match error.kind {
            // A time-out or a broken connection may concern one request only, so other items may still succeed.
            HttpErrorKind::Timeout if !error.unsent => converted,
            HttpErrorKind::Closed | HttpErrorKind::Redirect | HttpErrorKind::TooLarge => converted,
            _ => converted.concerning_all(),
        };
        let converted = match &error.detail {
            Some(detail) => converted.hint(advice::of_http(detail)),
            None => converted,
        };
        converted.caused_by(causes(&error))
    }
}

impl From<AuthError> for CliError {
    fn from(error: AuthError) -> Self {
        let (message, causes) = (error.to_string(), causes(&error));
        match error {
            AuthError::Http(error) => error.into(),
            AuthError::NotCells(_) => Self::new(Kind::Unreachable, message).hint(NOT_CELLS).concerning_all(),
            AuthError::Server { status, .. } => {
                let kind = if status >= 500 || status == 429 { Kind::Unreachable } else { Kind::Auth };
                Self { http_status: Some(status), ..Self::new(kind, message) }.concerning_all()
            }
            AuthError::WrongPassword => Self::new(Kind::Auth, message)
                .hint("check both before you try again: ten wrong passwords lock the user"),
            AuthError::Link(refusal) => of_link(refusal),
            AuthError::Locked => Self::new(Kind::Auth, message).hint("ask an administrator of the server to unlock it"),
            AuthError::SessionLost | AuthError::NotStored(_) => {
                Self::new(Kind::Auth, message).hint(Hint::SignIn).caused_by(causes)
            }
            AuthError::Store(cause) => {
                of_store(&cause, message).hint("nothing was lost: fix that and run it again").caused_by(causes)
            }
            AuthError::Expired => Self { http_status: Some(401), ..Self::new(Kind::Auth, message).hint(Hint::SignIn) },
            AuthError::FurtherStep(_) => {
                Self::new(Kind::Auth, message).hint("sign in with the browser: cec configure oauth")
            }
        }
    }
}

fn of_link(refusal: LinkRefusal) -> CliError {
    let (kind, hint) = match refusal {
        LinkRefusal::Unknown => (Kind::NotFound, "check the URL; the link may have been removed"),
        LinkRefusal::Expired | LinkRefusal::Used => (Kind::Permission, "ask the sender for a new link"),
        LinkRefusal::PasswordNeeded => {
            (Kind::Auth, "set CEC_LINK_PASSWORD, or run the command on a terminal to enter it")
        }
        LinkRefusal::WrongPassword => (Kind::Auth, "check it before you try again: ten wrong passwords lock the link"),
        LinkRefusal::Locked => {
            (Kind::Auth, "ask an administrator of the server to unlock it, or the sender for a new link")
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
                .hint("check the URL, or use a personal access token: cec configure token"),
            OAuthError::Refused { status, code, .. } => {
                let hint: Hint = match code.as_str() {
                    "access_denied" => {
                        "run it again to return to the sign-in page: it was declined in the browser".into()
                    }
                    "invalid_grant" => "run it again for a new code: each is valid once, for ten minutes".into(),
                    "invalid_client" | "invalid_request" => {
                        "use the address that the server is configured with, or a personal access token (cec \
                         configure token)"
                            .into()
                    }
                    _ => Hint::SignIn,
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
                Self::new(Kind::Auth, message).hint("run it again to start a new sign-in")
            }
        }
    }
}

impl From<ServerError> for CliError {
    fn from(error: ServerError) -> Self {
        match error.source {
            Some(Cause::Http(error)) => return error.into(),
            Some(Cause::Auth(error)) => return error.into(),
            None => {}
        }
        let (kind, hint) = advice::of_server(error.kind, error.reason);
        let mut converted = Self::new(kind, error.message);
        converted.reason = error.reason;
        converted.http_status = error.status;
        converted.request_id = error.request_id;
        converted.hints.extend(hint);
        converted
    }
}

impl From<WalkError> for CliError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Server(error) => error.into(),
            WalkError::ArchiveFolder(ref folder) => {
                let message = error.to_string();
                let stem = without_archive_ending(folder.name());
                let target = folder.parent().unwrap_or_default().join(if stem.is_empty() { "NAME" } else { stem });
                Self::new(Kind::Failure, message)
                    .hint(Hint::command("rename it", "cec mv", &[folder.as_str(), target.as_str()]))
                    .about(folder)
            }
            WalkError::Rule { .. } => {
                Self::new(Kind::Usage, error.to_string()).hint("'cec help filters' explains patterns and rules")
            }
            WalkError::Pattern { .. } => {
                Self::new(Kind::Usage, error.to_string()).hint("use --no-glob to take names literally")
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
        let converted = Self::new(Kind::Usage, error.to_string());
        if error == UrlError::Credentials { converted.hint(NO_PASSWORD_IN_URL) } else { converted }
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
        of_store(&error, error.to_string()).concerning_all().caused_by(causes(&error))
    }
}

/// Converts an error of the store, with this message.
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
        StoreError::NoSecret { .. } | StoreError::Type { .. } => CliError::new(Kind::Auth, message).hint(Hint::SignIn),
        StoreError::Url { .. } => CliError::new(Kind::Usage, message),
        StoreError::Format { .. } => CliError::new(Kind::Failure, message)
            .hint("fix the file, or remove it with 'cec clear' (with the same --config, if any) and sign in again"),
        StoreError::NoFolder => CliError::new(Kind::Usage, message)
            .hint("set HOME or CEC_CONFIG, or work without stored accounts: set CEC_URL and CEC_TOKEN"),
        StoreError::Busy { .. } | StoreError::Io { .. } | StoreError::BrokenDown(_) => {
            CliError::new(Kind::Failure, message)
        }
    }
}

impl From<OutputError> for CliError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Closed => Self::new(Kind::ClosedPipe, "the reader of standard output has closed it"),
            OutputError::Io(error) => Self::new(Kind::Failure, format!("cannot write to standard output: {error}")),
            OutputError::Filter(complaint) => Self::new(Kind::Failure, complaint)
                .hint("run the same command with --json to see the input of the expression"),
        }
    }
}

impl From<FormatError> for CliError {
    fn from(error: FormatError) -> Self {
        Self::new(Kind::Usage, error.to_string())
    }
}

/// Whether the process or the system has reached its limit of open files.
fn too_many_files(error: &io::Error) -> bool {
    // EMFILE and ENFILE, which are the same on all Unix systems.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        let kind = if error.kind() == io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failure };
        let converted = Self::new(kind, error.to_string());
        if too_many_files(&error) { converted.hint(TOO_MANY_FILES) } else { converted }
    }
}

//! Standard input, which only one thing of a run can be read from.

#![expect(clippy::disallowed_methods, reason = "lists may come from standard input")]

use std::io;
use std::path::Path;

use secrecy::ExposeSecret as _;

use crate::context::Ctx;
use crate::error::{CliError, Kind};
use crate::settings::{Selection, TokenOrigin, UnstoredSecret};

/// Whether the token or the password is read from standard input.
///
/// # Errors
/// The settings are not valid.
pub fn secret_is_piped(ctx: &Ctx) -> Result<bool, CliError> {
    Ok(match ctx.settings.selection()? {
        Selection::Unstored { secret: UnstoredSecret::Token(TokenOrigin::StandardInput), .. } => true,
        Selection::Unstored { secret: UnstoredSecret::Password(password), .. } => password.expose_secret() == "-",
        Selection::Unstored { .. } | Selection::Link { .. } | Selection::Stored { .. } => false,
    })
}

/// Reads the text of a file; `-` means standard input.
///
/// # Errors
/// The file cannot be read or is not UTF-8; standard input is used for the sign-in secret; the run is canceled.
pub async fn text(ctx: &Ctx, place: &Path) -> Result<String, CliError> {
    let is_input = place.as_os_str() == "-";
    if is_input && secret_is_piped(ctx)? {
        let message = "standard input cannot be both the list and the sign-in secret";
        return Err(CliError::new(Kind::Usage, message).hint("use --token-file or CEC_TOKEN for the token"));
    }
    let owned = place.to_owned();
    let read = tokio::task::spawn_blocking(move || match is_input {
        true => io::read_to_string(io::stdin()),
        false => std::fs::read_to_string(owned),
    });
    let read = tokio::select! {
        read = read => read.unwrap_or_else(|error| Err(io::Error::other(error))),
        () = ctx.cancel.cancelled() => return Err(CliError::interrupted()),
    };
    read.map_err(|error| {
        let kind = if error.kind() == io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failure };
        let shown = if is_input { "standard input".to_owned() } else { format!("'{}'", place.display()) };
        let reason = match error.kind() {
            io::ErrorKind::InvalidData => "it is not valid UTF-8".to_owned(),
            _ => error.to_string(),
        };
        CliError::new(kind, format!("cannot read {shown}: {reason}"))
    })
}

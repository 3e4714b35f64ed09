//! Reads tokens and passwords from an option, a file, standard input, the terminal, or the output of a command.

mod command;

use std::io::Read as _;

use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{CliError, Kind};
use crate::settings::TokenOrigin;
use crate::shell::command_line;
use crate::ui::Ui;
use crate::ui::prompt::Extent;
use cells_client::auth::Token;
use cells_client::sys::atomic_file::is_readable_by_others;

/// The longest token file that is read, in bytes.
const LONGEST_TOKEN: u64 = 64 * 1024;

/// Reads a token from its origin. Input on a terminal is not shown.
///
/// # Errors
/// The token cannot be read, is empty, or contains characters that tokens never have.
pub async fn read_token(ui: &Ui, origin: &TokenOrigin) -> Result<SecretString, CliError> {
    let given = || "the given token".to_owned();
    let (text, name) = match origin {
        TokenOrigin::Inline(token) => (token.expose_secret().to_owned(), given()),
        TokenOrigin::StandardInput => {
            let read = ui.read_secret("Token", LONGEST_TOKEN, Extent::Everything).await;
            (read.map_err(|error| cannot_read("the token", "standard input", &error))?, given())
        }
        TokenOrigin::File(path) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path).map_err(|error| {
                let kind = CliError::from(std::io::Error::from(error.kind())).kind;
                CliError::new(kind, format!("cannot read the token file {name}: {error}"))
            })?;
            if file.metadata().is_ok_and(|metadata| metadata.is_file()) && is_readable_by_others(path) {
                ui.warn(&format!(
                    "other users can read the token in {name}; run: {}",
                    command_line("chmod 600", &[&name])
                ));
            }
            (
                read_limited(file).map_err(|error| cannot_read("the token", &name, &error))?,
                format!("the token file {name}"),
            )
        }
        TokenOrigin::Command(command) => {
            // The command may prompt on the terminal.
            let held = ui.hold_waiting();
            let printed = command::run(command, command::LIMIT).await?;
            drop(held);
            if printed.trim().is_empty() {
                return Err(CliError::new(Kind::Auth, "the command in CEC_TOKEN_COMMAND printed nothing"));
            }
            (printed, "the output of the command in CEC_TOKEN_COMMAND".to_owned())
        }
    };
    let token = text.trim();
    if token.is_empty() {
        return Err(CliError::new(Kind::Usage, format!("{name} is empty")));
    }
    // A path that was passed by mistake must not be sent as a token. Tokens of a server contain no slash.
    if Token::new(token).is_none() || token.contains('/') {
        let message =
            format!("{name} is not a valid token: it contains a space, line break, slash or other invalid character");
        return Err(CliError::new(Kind::Usage, message));
    }
    Ok(SecretString::from(token))
}

/// Returns a password; `-` means a line of standard input. Input on a terminal is not shown.
///
/// # Errors
/// The password cannot be read, or is empty.
pub async fn read_password(ui: &Ui, given: &SecretString) -> Result<SecretString, CliError> {
    let password = match given.expose_secret() {
        "-" => {
            let read = ui.read_secret("Password", LONGEST_TOKEN, Extent::Line).await;
            read.map(SecretString::from).map_err(|error| cannot_read("the password", "standard input", &error))?
        }
        _ => given.clone(),
    };
    if password.expose_secret().is_empty() {
        return Err(CliError::new(Kind::Usage, "the given password is empty"));
    }
    Ok(password)
}

/// Creates the error for a secret that cannot be read.
pub fn cannot_read(what: &str, place: &str, error: &std::io::Error) -> CliError {
    CliError::new(Kind::Failure, format!("cannot read {what} from {place}: {error}"))
}

fn read_limited(source: impl std::io::Read) -> std::io::Result<String> {
    let mut text = String::new();
    source.take(LONGEST_TOKEN).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::streams::recorded::Recorded;

    fn ui() -> std::sync::Arc<Ui> {
        Recorded::pipes(&crate::settings::OutputSettings::default(), "").ui()
    }

    #[tokio::test]
    async fn tokens_are_trimmed_and_never_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "  abc\n").expect("a file");
        let token = read_token(&ui(), &TokenOrigin::File(path.clone())).await.expect("a token");
        assert_eq!(token.expose_secret(), "abc");
        std::fs::write(&path, "\n").expect("a file");
        assert_eq!(read_token(&ui(), &TokenOrigin::File(path)).await.expect_err("empty").kind, Kind::Usage);
        let missing = read_token(&ui(), &TokenOrigin::File("/no/such/file".into())).await.expect_err("missing");
        assert_eq!(missing.kind, Kind::NotFound);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn tokens_come_from_commands() {
        let token = read_token(&ui(), &TokenOrigin::Command("printf 'x%s\\n' yz".to_owned())).await.expect("a token");
        assert_eq!(token.expose_secret(), "xyz");
        assert_eq!(
            read_token(&ui(), &TokenOrigin::Command("exit 3".to_owned())).await.expect_err("failed").kind,
            Kind::Auth
        );
    }

    #[tokio::test]
    async fn tokens_hold_what_a_header_can_carry() {
        for text in ["", "  ", "x y", "x\ny", "t\u{f6}ken", "a\u{1}b", "x;touch${IFS}y", "=", "a=b", "'a'"] {
            let error = read_token(&ui(), &TokenOrigin::Inline(text.into())).await.expect_err(text);
            assert_eq!(error.kind, Kind::Usage, "{text:?}");
            assert!(text.trim().is_empty() || !error.message.contains(text), "{error}");
        }
        assert_eq!(read_password(&ui(), &"".into()).await.expect_err("empty").kind, Kind::Usage);
        assert_eq!(read_password(&ui(), &" p w ".into()).await.expect("a password").expose_secret(), " p w ");
    }
}

//! Runs the command in CEC_TOKEN_COMMAND, which prints a token.

use std::time::{Duration, Instant};

use super::read_limited;
use crate::env;
use crate::error::{CliError, Kind};

/// The time limit of the command.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// Runs a command in a shell and returns its output.
///
/// # Errors
/// [`Kind::Auth`] if it cannot be run, fails, or exceeds `limit`.
pub(super) async fn run(command: &str, limit: Duration) -> Result<String, CliError> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let cannot = |error: std::io::Error| {
        CliError::new(Kind::Auth, format!("the command in CEC_TOKEN_COMMAND cannot be run: {error}"))
    };
    let ended = Instant::now() + limit;
    let mut process = std::process::Command::new(shell);
    // Otherwise a command that runs this program again would start itself without end.
    process.arg(flag).arg(command).env_remove(env::TOKEN_COMMAND);
    process.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    let mut child = process.spawn().map_err(cannot)?;
    let output = child.stdout.take();
    let reading = tokio::task::spawn_blocking(move || output.map_or_else(|| Ok(String::new()), read_limited));
    let read = tokio::time::timeout(limit, reading).await;
    let status = loop {
        match child.try_wait().map_err(cannot)? {
            Some(status) if read.is_ok() => break Some(status),
            _ if read.is_err() || Instant::now() >= ended => break None,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let (Some(status), Ok(read)) = (status, read) else {
        // The command may have ended at this moment.
        let _ = child.kill();
        let _ = child.try_wait();
        let message = format!("the command in CEC_TOKEN_COMMAND did not end within {} seconds", limit.as_secs());
        return Err(CliError::new(Kind::Auth, message));
    };
    if !status.success() {
        return Err(CliError::new(Kind::Auth, format!("the command in CEC_TOKEN_COMMAND failed ({status})")));
    }
    match read {
        Ok(text) => text.map_err(cannot),
        Err(error) => {
            Err(CliError::new(Kind::Failure, format!("the command in CEC_TOKEN_COMMAND could not be watched: {error}")))
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_that_does_not_end_is_not_waited_for() {
        let started = Instant::now();
        let error = run("exec sleep 20", Duration::from_millis(200)).await.expect_err("too long");
        assert_eq!(error.kind, Kind::Auth);
        assert!(error.message.contains("did not end"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

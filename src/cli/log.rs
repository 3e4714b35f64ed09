//! The log for `--log`.

#![expect(clippy::disallowed_methods, reason = "the log goes to standard error, escaped")]

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::error::{CliError, Kind};
use crate::settings::{LogLevel, OutputSettings};
use cells_client::http::redact::Secrets;

/// Starts the log if it is enabled, with `secrets` masked. Records only messages of this program and its client
/// library, because those of other libraries could contain headers, and so tokens.
///
/// # Errors
/// The log file cannot be opened.
pub fn start(settings: &OutputSettings, secrets: &Secrets) -> Result<(), CliError> {
    let Some(level) = settings.log else { return Ok(()) };
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level).with_target("cells_client", level);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false);
    let secrets = secrets.clone();
    let layer = match &settings.log_file {
        None => lines.with_writer(move || LogLine { to: io::stderr(), secrets: secrets.clone() }).boxed(),
        Some(path) if path.as_os_str() == "-" => {
            return Err(CliError::new(Kind::Usage, "--log-file requires a file, not -")
                .hint("omit --log-file to log to standard error; for a file with this name, write ./-"));
        }
        Some(path) => {
            let mut options = OpenOptions::new();
            options.create(true).append(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(path).map_err(|error| {
                CliError::new(Kind::Failure, format!("cannot open the log file {}: {error}", path.display()))
            })?;
            let file = Arc::new(file);
            lines.with_writer(move || LogLine { to: Arc::clone(&file), secrets: secrets.clone() }).boxed()
        }
    };
    // A second call in the same process keeps the first log.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer.with_filter(own)));
    Ok(())
}

/// Writes lines of the log. Parts of them may come from a server, so control characters are escaped and secrets masked.
struct LogLine<W> {
    to: W,
    secrets: Secrets,
}

impl<W: Write> Write for LogLine<W> {
    /// Writes one complete line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let masked = self.secrets.mask(text.strip_suffix('\n').unwrap_or(&text));
        self.to.write_all(format!("{}\n", crate::ui::escape(&masked)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_stays_one_and_shows_no_secret() {
        let secrets = Secrets::default();
        secrets.keep(&"atoken0123456789".into());
        let mut written = Vec::new();
        let mut line = LogLine { to: &mut written, secrets };
        line.write_all(b" WARN no\nFORGED \x1b[31m atoken0123456789\n").expect("a line");
        assert_eq!(String::from_utf8_lossy(&written), " WARN no\\nFORGED \\u{1b}[31m ***\n");
    }
}

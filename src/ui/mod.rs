//! Output to the user: results on standard output, everything else on standard error.

pub mod human;
pub mod jq;
pub mod json;
pub mod manifest;
pub mod near;
pub mod progress;
pub mod prompt;
#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;
pub mod streams;
pub mod table;
pub mod template;
pub mod waiting;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use indicatif::ProgressDrawTarget;
use serde::Serialize;

use crate::error::Hint;
use crate::settings::{ColorChoice, OutputSettings};
use cells_client::http::redact::Secrets;
use streams::{Streams, Terminal};

/// How long lines may be buffered before the next one flushes them to a pipe.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader has gone (`cec ls | head`): stop quietly.
    #[error("the reader of standard output has closed it")]
    Closed,
    /// The system reported an error.
    #[error(transparent)]
    Io(io::Error),
    /// The expression of `--jq` does not match a result.
    #[error("{0}")]
    Filter(String),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Io(error) }
    }
}

struct Output {
    writer: io::BufWriter<Box<dyn Write + Send>>,
    flushed: Instant,
    /// Whether a write has failed, so that all others would fail too.
    broken: bool,
}

impl Output {
    fn write(&mut self, pieces: &[&[u8]], flush: bool) -> io::Result<()> {
        for piece in pieces {
            self.writer.write_all(piece)?;
        }
        if flush {
            self.writer.flush()?;
            self.flushed = Instant::now();
        }
        Ok(())
    }
}

/// The terminal or the streams that replace it.
pub struct Ui {
    output: Mutex<Output>,
    messages: Mutex<Box<dyn Write + Send>>,
    input: Arc<Mutex<dyn BufRead + Send>>,
    terminal: Terminal,
    settings: OutputSettings,
    stdin_terminal: bool,
    stdout_terminal: bool,
    stderr_terminal: bool,
    secrets: Secrets,
    sign_in: OnceLock<String>,
    /// The last part of the URL of the public link in use, and the URL.
    link: OnceLock<(String, String)>,
    filter: Option<jq::JsonFilter>,
    board: waiting::Board,
    /// Clears the terminal if the program ends early.
    cleanup: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Ui {
    /// Uses the standard streams of this process.
    pub fn new(settings: &OutputSettings) -> Self {
        Self::over(Streams::of_process(), settings)
    }

    /// A screen that uses these streams.
    pub fn over(streams: Streams, settings: &OutputSettings) -> Self {
        Self {
            output: Mutex::new(Output {
                writer: io::BufWriter::with_capacity(32 * 1024, streams.output),
                flushed: Instant::now(),
                broken: false,
            }),
            messages: Mutex::new(streams.messages),
            input: streams.input,
            terminal: streams.terminal,
            settings: settings.clone(),
            stdin_terminal: streams.input_is_terminal,
            stdout_terminal: streams.output_is_terminal,
            stderr_terminal: streams.messages_are_terminal,
            secrets: Secrets::default(),
            sign_in: OnceLock::new(),
            link: OnceLock::new(),
            filter: None,
            board: waiting::Board::default(),
            cleanup: Mutex::new(None),
        }
    }

    /// Returns the same with a filter for all JSON results.
    #[must_use]
    pub fn filtered(self, filter: Option<jq::JsonFilter>) -> Self {
        Self { filter, ..self }
    }

    /// Sets the function that [`Ui::clear`] calls, replacing the previous one.
    pub fn before_exit(&self, clear: impl Fn() + Send + 'static) {
        *lock(&self.cleanup) = Some(Box::new(clear));
    }

    /// Clears moving lines from the terminal, because the program is about to be ended.
    pub fn clear(&self) {
        self.board.make_room(true);
        if let Some(clear) = &*lock(&self.cleanup) {
            clear();
        }
    }

    /// Whether results are printed as JSON.
    pub fn is_json(&self) -> bool {
        self.settings.json
    }

    /// Whether status lines are suppressed.
    pub fn is_quiet(&self) -> bool {
        self.settings.quiet
    }

    /// Whether tables have all their columns, whatever the terminal's width.
    pub fn is_wide(&self) -> bool {
        self.settings.wide
    }

    /// Whether lines may move on the terminal of standard error.
    pub fn moves(&self) -> bool {
        self.stderr_terminal && !self.settings.still
    }

    /// Whether standard input is a terminal.
    pub fn stdin_is_terminal(&self) -> bool {
        self.stdin_terminal
    }

    /// Whether standard output is a terminal.
    pub fn stdout_is_terminal(&self) -> bool {
        self.stdout_terminal
    }

    /// Whether standard error is a terminal.
    pub fn stderr_is_terminal(&self) -> bool {
        self.stderr_terminal
    }

    /// Whether results have colors.
    pub fn color(&self) -> bool {
        self.colored(self.stdout_terminal)
    }

    /// Whether messages have colors.
    pub fn stderr_color(&self) -> bool {
        self.colored(self.stderr_terminal)
    }

    fn colored(&self, terminal: bool) -> bool {
        match self.settings.color {
            ColorChoice::Auto => terminal,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        }
    }

    /// Returns the width of the terminal in columns; `None` if there is none.
    pub fn width(&self) -> Option<usize> {
        if !self.stdout_terminal && !self.stderr_terminal {
            return None;
        }
        (self.terminal.columns)()
    }

    /// What lines that move are drawn on.
    pub fn canvas(&self) -> ProgressDrawTarget {
        (self.terminal.canvas)()
    }

    /// Writes one line of results. On a terminal all control characters are escaped, including tabs; in a pipe the text
    /// is unchanged.
    ///
    /// # Errors
    /// [`OutputError::Closed`] if the reader has gone.
    pub fn line(&self, text: &str) -> Result<(), OutputError> {
        self.styled_line(&[Piece::Text(text)])
    }

    /// Writes one line of values, separated by a tab in a pipe, and by a gap on a terminal.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn cells(&self, cells: &[&str]) -> Result<(), OutputError> {
        self.line(&cells.join(if self.stdout_terminal { "  " } else { "\t" }))
    }

    /// Like [`Ui::line`], for a text of several lines, such as a settings file.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn lines(&self, text: &str) -> Result<(), OutputError> {
        text.lines().try_for_each(|line| self.line(line))
    }

    /// Like [`Ui::line`], for a text with styled parts. A style is a constant of this program, so no text from
    /// elsewhere can be one.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn styled_line(&self, pieces: &[Piece<'_>]) -> Result<(), OutputError> {
        let safe: Vec<Cow<'_, str>> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Style(style) => Cow::Borrowed(*style),
                Piece::Text(text) if self.stdout_terminal => escape(text),
                Piece::Text(text) => Cow::Borrowed(*text),
                Piece::Tab => Cow::Borrowed("\t"),
            })
            .collect();
        let bytes = safe.iter().map(|piece| piece.as_bytes());
        self.write(&bytes.chain([&b"\n"[..]]).collect::<Vec<_>>())
    }

    /// Writes a text followed by `end`, such as a NUL. It is escaped like a line on a terminal, and unchanged
    /// elsewhere.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn record(&self, text: &str, end: &'static str) -> Result<(), OutputError> {
        self.write(&[self.shown(text).as_bytes(), end.as_bytes()])
    }

    /// Writes unchanged bytes, the content of a file. Use [`Ui::line`] for texts.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), OutputError> {
        self.write(&[bytes])
    }

    /// Writes one JSON value on its own line.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn json_line(&self, value: &impl Serialize) -> Result<(), OutputError> {
        let text = serde_json::to_string(value).map_err(io::Error::from)?;
        let Some(filter) = &self.filter else { return self.json_text(&text) };
        for given in filter.apply(&text).map_err(OutputError::Filter)? {
            match given {
                jq::FilterResult::Text(text) => self.line(&self.shown(&text))?,
                jq::FilterResult::Json(text) => self.json_text(&text)?,
            }
        }
        Ok(())
    }

    /// Writes one JSON value, always indented, whatever [`Ui::is_json`] returns.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn json_indented(&self, value: &impl Serialize) -> Result<(), OutputError> {
        if self.stdout_terminal {
            self.board.make_room(true);
        }
        let mut output = lock(&self.output);
        // Written while it is serialized: deep nesting makes the text many times longer than the value.
        let written = serde_json::to_writer_pretty(SafeJson(&mut output.writer), value).map_err(io::Error::from);
        let result = written.and_then(|()| output.write(&[b"\n"], self.stdout_terminal));
        output.broken |= result.is_err();
        Ok(result?)
    }

    fn json_text(&self, text: &str) -> Result<(), OutputError> {
        self.write(&[json_safe(text).as_bytes(), b"\n"])
    }

    /// Writes the only JSON document of a command: indented on a terminal, on one line in a pipe.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn json_document(&self, value: &impl Serialize) -> Result<(), OutputError> {
        if !self.stdout_terminal || self.filter.is_some() {
            return self.json_line(value);
        }
        self.json_indented(value)
    }

    fn write(&self, pieces: &[&[u8]]) -> Result<(), OutputError> {
        if self.stdout_terminal {
            self.board.make_room(pieces.last().is_some_and(|piece| piece.ends_with(b"\n")));
        }
        let mut output = lock(&self.output);
        let flush = self.stdout_terminal || output.flushed.elapsed() >= FLUSH_INTERVAL;
        let result = output.write(pieces, flush);
        output.broken |= result.is_err();
        Ok(result?)
    }

    /// Whether standard output has failed, so that no further result can be written.
    pub fn is_broken(&self) -> bool {
        lock(&self.output).broken
    }

    /// Flushes all results to the reader.
    ///
    /// # Errors
    /// As [`Ui::line`].
    pub fn flush(&self) -> Result<(), OutputError> {
        let mut output = lock(&self.output);
        let result = output.write(&[], true);
        output.broken |= result.is_err();
        Ok(result?)
    }

    /// Prints what was done. Silent with `--quiet` and `--json`.
    pub fn status(&self, text: &str) {
        if !self.is_quiet() && !self.is_json() {
            self.message("", "", text);
        }
    }

    /// Prints a warning.
    pub fn warn(&self, text: &str) {
        if self.settings.log_file.is_some() {
            tracing::warn!("{text}");
        }
        if self.is_json() {
            self.json_message("warning", text);
        } else {
            self.message("warning: ", "\u{1b}[1;33m", text);
        }
    }

    /// Prints what the user can do next. Silent with `--quiet` and `--json`.
    pub fn hint(&self, hint: impl Into<Hint>) {
        if !self.is_quiet() && !self.is_json() {
            self.message("hint: ", "\u{1b}[1m", &self.naming_link(hint.into()).to_string());
        }
    }

    fn message(&self, label: &str, style: &str, text: &str) {
        let text = escape(text);
        if self.stderr_color() && !label.is_empty() {
            self.to_stderr(&format!("{style}{label}\u{1b}[0m{text}\n"));
        } else {
            self.to_stderr(&format!("{label}{text}\n"));
        }
    }

    fn json_message(&self, kind: &str, text: &str) {
        let record = serde_json::json!({"type": kind, "message": text}).to_string();
        self.to_stderr(&format!("{}\n", json_safe(&record)));
    }

    /// Writes a JSON object on its own line to standard error.
    pub fn json_status(&self, value: &serde_json::Value) {
        self.to_stderr(&format!("{}\n", json_safe(&value.to_string())));
    }

    /// Prints an error, after all buffered results.
    pub fn error(&self, error: &crate::error::CliError) {
        // If this fails, the next result or the end reports it.
        let _ = lock(&self.output).writer.flush();
        // A log on standard error would only repeat the causes next to the error.
        if self.settings.log_file.is_some() {
            let context: Vec<&str> = error.context.iter().map(String::as_str).collect();
            tracing::error!(kind = error.kind.name(), doing = %context.join("; "), "{}", error.message);
        }
        error.log_causes();
        self.to_stderr(&self.advised(error).render(self.is_json(), self.stderr_color()));
    }

    /// Sets the hint for credentials in use that are no longer valid. Only the first call has an effect.
    pub fn keep_advice(&self, how: String) {
        let _ = self.sign_in.set(how);
    }

    /// Returns an error with the hint about signing in that applies here.
    pub fn advised(&self, error: &crate::error::CliError) -> crate::error::CliError {
        let mut error = error.clone().advised(self.sign_in.get().map(String::as_str));
        error.hints = error.hints.into_iter().map(|hint| self.naming_link(hint)).collect();
        error
    }

    fn naming_link(&self, hint: Hint) -> Hint {
        match self.link.get() {
            Some((name, url)) => hint.naming_link(name, url),
            None => hint,
        }
    }

    /// Remembers the public link in use, so that command lines in hints can name it by its URL.
    pub fn keep_link(&self, name: &str, url: String) {
        let _ = self.link.set((name.to_owned(), url));
    }

    /// Writes to standard error with secrets masked. A failure cannot be reported anywhere.
    fn to_stderr(&self, text: &str) {
        self.board.make_room(text.ends_with('\n'));
        let _ = lock(&self.messages).write_all(self.secrets.mask(text).as_bytes());
    }

    /// Returns the secrets that no message may show. The log masks the same ones.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Returns a name for standard output: control characters escaped on a terminal, unchanged elsewhere.
    pub fn shown<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if self.stdout_terminal { escape(name) } else { Cow::Borrowed(name) }
    }

    /// Returns a size for standard output: readable on a terminal, a number elsewhere.
    pub fn size(&self, bytes: u64) -> String {
        if self.stdout_terminal { human::bytes(bytes) } else { bytes.to_string() }
    }

    /// Returns a time for standard output: relative on a terminal, RFC 3339 elsewhere.
    pub fn time(&self, time: jiff::Timestamp) -> String {
        if self.stdout_terminal { human::ago(time, jiff::Timestamp::now()) } else { time.to_string() }
    }
}

/// Locks a mutex. A poisoned one only means that another thread panicked while it was writing; the content is usable.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Whether a character could move the cursor, change colors, or change the text direction.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A part of a result line.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    /// Text from anywhere.
    Text(&'a str),
    /// An escape sequence that changes the style of the following text.
    Style(&'static str),
    /// A tab of this program.
    Tab,
}

/// Escapes characters that act on a terminal: control characters (C0 and C1) and directional overrides become `\n`,
/// `\t`, `\r` or `\u{…}`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            character if !is_unsafe(character) => escaped.push(character),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            character => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
        }
    }
    Cow::Owned(escaped)
}

/// Escapes JSON while it is written. serde_json never writes a part of a character.
struct SafeJson<W>(W);

impl<W: Write> Write for SafeJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.0.write_all(json_safe(text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Escapes characters in JSON strings that act on a terminal, in the form of JSON. (Those below U+0020 already are.)
pub fn json_safe(text: &str) -> Cow<'_, str> {
    let unsafe_in_json = |character: char| is_unsafe(character) && character != '\n';
    if !text.chars().any(unsafe_in_json) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if unsafe_in_json(character) {
            // All of them are in the basic plane. Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::streams::recorded::Recorded;
    use super::*;
    use crate::error::CliError;

    #[test]
    fn messages_are_apart_from_results() {
        let show = |settings: OutputSettings| {
            let screen = Recorded::pipes(&settings, "");
            let ui = screen.ui();
            ui.status("done");
            ui.warn("it is\nodd");
            ui.hint("do this");
            ui.line("a\u{1b}b").expect("a pipe");
            ui.error(&CliError::from(OutputError::Closed).hint("look elsewhere"));
            (screen.stdout(), screen.stderr())
        };
        let cause = OutputError::Closed;
        let result = "a\u{1b}b\n".to_owned();
        let (usual, json) = (OutputSettings::default(), OutputSettings { json: true, ..OutputSettings::default() });
        let told = format!("done\nwarning: it is\\nodd\nhint: do this\nerror: {cause}\n  hint: look elsewhere\n");
        assert_eq!(show(usual.clone()), (result.clone(), told));
        let told = format!("warning: it is\\nodd\nerror: {cause}\n  hint: look elsewhere\n");
        assert_eq!(show(OutputSettings { quiet: true, ..usual }), (result.clone(), told));
        let (shown, told) = show(json);
        assert_eq!(shown, result);
        let records: Vec<serde_json::Value> =
            told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(records[0], serde_json::json!({"type": "warning", "message": "it is\nodd"}));
        assert_eq!((records.len(), &records[1]["hint"]), (2, &serde_json::json!("look elsewhere")));
    }

    #[test]
    fn a_terminal_has_colors_and_escapes_and_no_message_shows_a_secret() {
        let screen = Recorded::terminal(&OutputSettings::default(), "");
        let ui = screen.ui();
        ui.secrets().keep(&"a-secret-of-somebody".into());
        ui.line("a\u{1b}\tb").expect("a terminal");
        ui.cells(&["one", "two"]).expect("a terminal");
        ui.warn("the server said a-secret-of-somebody");
        assert_eq!(screen.stdout(), "a\\u{1b}\\tb\none  two\n");
        let (label, rest) = screen
            .stderr()
            .split_once("the server said ")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect("a warning");
        assert_eq!(label, "\u{1b}[1;33mwarning: \u{1b}[0m");
        assert!(!rest.contains("secret"), "{rest}");
        assert_eq!(ui.width(), Some(80));
    }

    #[test]
    fn json_strings_cannot_act_on_the_terminal() {
        let text = serde_json::to_string("a\u{9b}\u{202e}b\u{1b}\u{7f}").expect("a text");
        assert_eq!(json_safe(&text), "\"a\\u009b\\u202eb\\u001b\\u007f\"");
    }

    #[test]
    fn json_is_made_safe_while_it_is_written() {
        let mut written = Vec::new();
        let value = serde_json::json!({"é\u{9b}": ["a\u{202e}\u{1b}\"b\u{7f}", {"漢": 1}]});
        serde_json::to_writer_pretty(SafeJson(&mut written), &value).expect("written");
        let whole = serde_json::to_string_pretty(&value).expect("a text");
        assert_eq!(String::from_utf8(written).expect("a text"), json_safe(&whole));
    }

    #[test]
    fn names_cannot_act_on_the_terminal() {
        assert!(matches!(escape("plain é 漢 \u{1f600}"), Cow::Borrowed(_)));
        assert_eq!(escape("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(escape("t\tn\nr\r\u{7f}\u{9b}31m"), "t\\tn\\nr\\r\\u{7f}\\u{9b}31m");
        assert_eq!(escape("x\u{202e}gpj.exe\u{2066}"), "x\\u{202e}gpj.exe\\u{2066}");
    }
}

//! What a screen reads from and writes to: the streams of the process, or what a test gives it.

#![expect(clippy::disallowed_methods, reason = "the one place that opens the standard streams for the screen")]

use std::io::{self, BufRead, BufReader, IsTerminal as _, Write};
use std::sync::{Arc, Mutex};

use indicatif::ProgressDrawTarget;

/// Three streams, and whether they are a terminal.
pub struct Streams {
    /// What is typed, or comes through a pipe. A reader waits for it on its own thread.
    pub input: Arc<Mutex<dyn BufRead + Send>>,
    /// Takes results.
    pub output: Box<dyn Write + Send>,
    /// Takes everything else. Each message is one write.
    pub messages: Box<dyn Write + Send>,
    /// Whether somebody types the input.
    pub input_is_terminal: bool,
    /// Whether results are shown on a terminal.
    pub output_is_terminal: bool,
    /// Whether messages are shown on a terminal.
    pub messages_are_terminal: bool,
    /// What belongs to the terminal itself.
    pub terminal: Terminal,
}

/// The terminal behind the streams.
#[derive(Clone, Copy)]
pub struct Terminal {
    /// Its columns; `None` if there is none.
    pub columns: fn() -> Option<usize>,
    /// Draws lines that move.
    pub canvas: fn() -> ProgressDrawTarget,
    /// Stops showing what is typed, until its result is dropped.
    #[cfg(unix)]
    pub hide: fn() -> io::Result<Option<crate::sys::tty::Hidden<io::Stdin>>>,
}

impl Streams {
    /// The standard streams of this process.
    pub fn of_process() -> Self {
        Self {
            // Standard input has a buffer that other readers share: nothing but what is used is taken from it.
            input: Arc::new(Mutex::new(BufReader::with_capacity(1, io::stdin()))),
            output: Box::new(io::stdout()),
            messages: Box::new(io::stderr()),
            input_is_terminal: io::stdin().is_terminal(),
            output_is_terminal: io::stdout().is_terminal(),
            messages_are_terminal: io::stderr().is_terminal(),
            terminal: Terminal {
                columns: || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)),
                canvas: ProgressDrawTarget::stderr,
                #[cfg(unix)]
                hide: || crate::sys::tty::Hidden::start(io::stdin()).map(Some),
            },
        }
    }
}

/// A screen that a test can read.
#[cfg(test)]
pub mod recorded {
    use super::*;
    use crate::settings::OutputSettings;
    use crate::ui::{Ui, lock};

    /// Keeps what is written to it. Copies are the same.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        fn text(&self) -> String {
            String::from_utf8_lossy(&lock(&self.0)).into_owned()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What was written to a screen.
    pub struct Recorded {
        ui: Arc<Ui>,
        output: Page,
        messages: Page,
    }

    impl Recorded {
        /// The screen of somebody at a terminal of 80 columns, who types this.
        pub fn terminal(settings: &OutputSettings, typed: &str) -> Self {
            Self::start(settings, typed, true)
        }

        /// Pipes, with this in the first one.
        pub fn pipes(settings: &OutputSettings, input: &str) -> Self {
            Self::start(settings, input, false)
        }

        fn start(settings: &OutputSettings, input: &str, is_terminal: bool) -> Self {
            let (output, messages) = (Page::default(), Page::default());
            let streams = Streams {
                input: Arc::new(Mutex::new(io::Cursor::new(input.to_owned()))),
                output: Box::new(output.clone()),
                messages: Box::new(messages.clone()),
                input_is_terminal: is_terminal,
                output_is_terminal: is_terminal,
                messages_are_terminal: is_terminal,
                terminal: Terminal {
                    columns: || Some(80),
                    canvas: ProgressDrawTarget::hidden,
                    #[cfg(unix)]
                    hide: || Ok(None),
                },
            };
            Self { ui: Arc::new(Ui::over(streams, settings)), output, messages }
        }

        /// The screen itself.
        pub fn ui(&self) -> Arc<Ui> {
            Arc::clone(&self.ui)
        }

        /// All results so far.
        pub fn stdout(&self) -> String {
            self.ui.flush().expect("a page takes everything");
            self.output.text()
        }

        /// All messages so far.
        pub fn stderr(&self) -> String {
            self.messages.text()
        }
    }
}

//! Typing that is not shown.

#[cfg(unix)]
pub use unix::Hidden;

#[cfg(unix)]
mod unix {
    use std::io;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// While it lives, the terminal on standard input does not show what is typed. Ctrl-C stays a signal, and however
    /// the wait for input ends, the terminal is as before.
    #[derive(Debug)]
    pub struct Hidden {
        before: Termios,
    }

    impl Hidden {
        /// Stops showing what is typed. To be called before the question is shown: an answer may come at once.
        ///
        /// # Errors
        /// Standard input is no terminal, or cannot be switched.
        pub fn start() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
            Ok(Self { before })
        }
    }

    impl Drop for Hidden {
        fn drop(&mut self) {
            // A terminal that is gone needs no mending.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        }
    }
}

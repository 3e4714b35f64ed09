//! Typing that is not shown.

#[cfg(unix)]
pub use unix::Hidden;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::AsFd;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// While it lives, a terminal does not show what is typed. Ctrl-C stays a signal, and however
    /// the wait for input ends, the terminal is as before.
    #[derive(Debug)]
    pub struct Hidden<T: AsFd> {
        terminal: T,
        before: Termios,
    }

    impl<T: AsFd> Hidden<T> {
        /// Stops showing what is typed. To be called before the question is shown: an answer may come at once.
        ///
        /// # Errors
        /// It is no terminal, or cannot be switched.
        pub fn start(terminal: T) -> io::Result<Self> {
            let before = tcgetattr(&terminal)?;
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
            Ok(Self { terminal, before })
        }
    }

    impl<T: AsFd> Drop for Hidden<T> {
        fn drop(&mut self) {
            // A terminal that is gone needs no mending.
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        }
    }
}

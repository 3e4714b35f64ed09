//! Input on a terminal without echo.

#[cfg(unix)]
pub use unix::Hidden;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::AsFd;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// Disables the echo of a terminal until it is dropped. Ctrl-C remains a signal. The previous mode is restored
    /// however the input ends.
    #[derive(Debug)]
    pub struct Hidden<T: AsFd> {
        terminal: T,
        before: Termios,
    }

    impl<T: AsFd> Hidden<T> {
        /// Disables the echo. Call it before the prompt is shown, because the answer may come at once.
        ///
        /// # Errors
        /// The file is not a terminal, or its mode cannot be changed.
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
            // This fails only if the terminal is gone.
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        }
    }
}

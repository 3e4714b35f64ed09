//! SIGINT, SIGTERM and SIGHUP: the first signal asks the command to stop, the second one ends the process. In both
//! cases the process dies from its signal, as a shell expects: bash ends a loop only if its command died from SIGINT.

#![expect(clippy::disallowed_methods, reason = "the program ends as if the signal had killed it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// A signal that stops the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, or Ctrl-C on any system.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    Hangup,
}

impl Signal {
    /// Returns the conventional exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Hangup => 129,
        }
    }

    /// Returns the signal that an exit code represents.
    pub fn of_exit_code(code: u8) -> Option<Self> {
        [Self::Interrupt, Self::Terminate, Self::Hangup].into_iter().find(|signal| signal.exit_code() == code)
    }

    /// Ends the process with this signal's default action, so that its parent sees the signal; with
    /// [`Signal::exit_code`] if the system has no signals. Nothing is cleaned up.
    pub fn die(self) -> ! {
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
            let number = match self {
                Self::Interrupt => SIGINT,
                Self::Terminate => SIGTERM,
                Self::Hangup => SIGHUP,
            };
            // If this fails, the exit code has the same meaning.
            let _ = signal_hook::low_level::emulate_default_handler(number);
        }
        std::process::exit(i32::from(self.exit_code()))
    }
}

/// The signals received so far.
#[derive(Debug, Clone, Default)]
pub struct Signals(Arc<AtomicU8>);

impl Signals {
    /// Returns the first signal received, if any.
    pub fn first(&self) -> Option<Signal> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            code => Signal::of_exit_code(code),
        }
    }
}

/// How long clearing the terminal may take. A blocked terminal must not keep the process alive.
const CLEARING: Duration = Duration::from_millis(300);

/// Cancels `cancel` at the first signal, and ends the process at the second one, after `clear` has cleared the
/// terminal. Call it inside the runtime.
///
/// # Errors
/// The signal handlers cannot be installed.
pub fn watch(cancel: CancellationToken, clear: impl FnOnce() + Send + 'static) -> std::io::Result<Signals> {
    let signals = Signals::default();
    let received = signals.clone();
    let mut source = Source::new()?;
    tokio::spawn(async move {
        let first = source.next().await;
        received.0.store(first.exit_code(), Ordering::Release);
        cancel.cancel();
        let second = source.next().await;
        let (cleared, is_cleared) = mpsc::channel();
        let clearing = std::thread::Builder::new().spawn(move || {
            clear();
            // The receiver may have stopped waiting.
            let _ = cleared.send(());
        });
        if clearing.is_ok() {
            let _ = is_cleared.recv_timeout(CLEARING);
        }
        second.die();
    });
    Ok(signals)
}

#[cfg(unix)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// The hangup of the terminal; `None` if it must be ignored (nohup).
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Source {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hangup })
    }

    async fn next(&mut self) -> Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = hangup => Signal::Hangup,
        }
    }
}

/// Whether this process was started with SIGHUP ignored, as nohup does; true if unknown.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    std::fs::read_to_string("/proc/self/status").map_or(true, |status| ignored_signals(&status) & 1 == 1)
}

/// Returns the mask of ignored signals in /proc/self/status; bit 0 is the first signal.
#[cfg(unix)]
fn ignored_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    #[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert_eq!(ignored_signals("Name:\tcec\nSigIgn:\t0000000000001001\n"), 0x1001);
        assert_eq!(ignored_signals("nothing of the kind"), u64::MAX);
    }
}

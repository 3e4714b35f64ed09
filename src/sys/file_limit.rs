//! The limit on the size of files (`ulimit -f`).

/// Turns the signal that ends a process at that limit into an error of the write that meets it, so that a download cleans
/// up and says why. Without effect where the system has no such signal. Call it inside the runtime.
pub fn outlive() {
    #[cfg(all(unix, not(any(target_arch = "mips", target_arch = "mips64"))))]
    {
        /// SIGXFSZ.
        const TOO_LARGE: i32 = 25;
        // A handler stays for good, even if nobody waits for the signal; without one things are as they were.
        let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(TOO_LARGE));
    }
}

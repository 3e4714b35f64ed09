//! What the system lets one process have.

/// As many open files as the most transfers at once need, several for each.
#[cfg(unix)]
const OPEN_FILES: u64 = 8192;

/// Raises the limit of open files as far as it is low and may be raised: 256 is usual on macOS. If that is refused, the
/// limit stays.
#[cfg(unix)]
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Some(wanted) = wanted(limit.current, limit.maximum) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
}

/// How many files this process may have open; `None` stands for no limit.
#[cfg(unix)]
pub fn open_files() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Systems that have no such limit.
#[cfg(not(unix))]
pub fn open_files() -> Option<usize> {
    None
}

/// The new limit, if the present one is too low; `None` stands for no limit.
#[cfg(unix)]
fn wanted(current: Option<u64>, maximum: Option<u64>) -> Option<u64> {
    let current = current?;
    let wanted = maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    (wanted > current).then_some(wanted)
}

/// Systems that have no such limit need nothing.
#[cfg(not(unix))]
pub fn raise_open_files() {}

/// Turns the signal that ends a process at the limit on file sizes (`ulimit -f`) into an error of the write that meets
/// it, so that a download cleans up and says why. Has no effect if the system has no such signal. Call it inside the
/// runtime.
pub fn survive_file_size_limit() {
    #[cfg(all(unix, not(any(target_arch = "mips", target_arch = "mips64"))))]
    {
        /// SIGXFSZ.
        const TOO_LARGE: i32 = 25;
        // A handler stays for good, even if nobody waits for the signal; without one things are as they were.
        let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(TOO_LARGE));
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_raised_as_far_as_it_may_be() {
        for (current, maximum, expected) in [
            (Some(256), None, Some(8192)),
            (Some(256), Some(20_000), Some(8192)),
            (Some(256), Some(1024), Some(1024)),
            (Some(24), Some(24), None),
            (Some(10_000), Some(20_000), None),
            (None, None, None),
        ] {
            assert_eq!(wanted(current, maximum), expected, "{current:?} {maximum:?}");
        }
    }
}

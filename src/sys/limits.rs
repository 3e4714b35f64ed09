//! Resource limits of the process.

/// The number of open files for the largest number of transfers, several for each.
#[cfg(unix)]
const OPEN_FILES: u64 = 8192;

/// Raises the limit of open files if it is low and may be raised: on macOS, 256 is usual. If the system refuses, the
/// limit does not change.
#[cfg(unix)]
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Some(wanted) = raised(limit.current, limit.maximum) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
}

/// Returns how many files this process may have open; `None` means no limit.
#[cfg(unix)]
pub fn open_files() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Returns `None`: the system has no such limit.
#[cfg(not(unix))]
pub fn open_files() -> Option<usize> {
    None
}

/// Returns the new limit if the present one is too low; `None` as an argument means no limit.
#[cfg(unix)]
fn raised(current: Option<u64>, maximum: Option<u64>) -> Option<u64> {
    let current = current?;
    let wanted = maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    (wanted > current).then_some(wanted)
}

/// Does nothing: the system has no such limit.
#[cfg(not(unix))]
pub fn raise_open_files() {}

/// Turns the signal that ends a process at the file size limit (`ulimit -f`) into an error of the write, so that a
/// download cleans up and reports the reason. No effect if the system has no such signal. Call it inside the runtime.
pub fn survive_file_size_limit() {
    #[cfg(all(unix, not(any(target_arch = "mips", target_arch = "mips64"))))]
    {
        /// The number of SIGXFSZ.
        const TOO_LARGE: i32 = 25;
        // The handler stays installed even if nobody waits for the signal. Without it, the signal would end the
        // process.
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
            assert_eq!(raised(current, maximum), expected, "{current:?} {maximum:?}");
        }
    }
}

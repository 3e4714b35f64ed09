//! Detects a missing standard input.

/// Whether this process was started without a standard input (`<&-`), if that can be detected (only on Linux).
///
/// In that case the Rust runtime opens `/dev/null` for reading and writing before any other code runs. A shell's
/// `</dev/null` is open for reading only. A `/dev/null` that is open for both counts as missing.
pub fn was_closed() -> bool {
    let leads_nowhere =
        std::fs::read_link("/proc/self/fd/0").is_ok_and(|path| path == std::path::Path::new("/dev/null"));
    leads_nowhere && std::fs::read_to_string("/proc/self/fdinfo/0").is_ok_and(|about| is_for_both(&about))
}

/// Whether a file is open for reading and writing according to /proc/self/fdinfo: the last octal digit of the flags.
fn is_for_both(about: &str) -> bool {
    about.lines().find_map(|line| line.strip_prefix("flags:")).is_some_and(|flags| flags.trim().ends_with('2'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_of_an_open_file_is_read() {
        assert!(is_for_both("pos:\t0\nflags:\t0100002\nmnt_id:\t27\n"));
        assert!(!is_for_both("pos:\t0\nflags:\t0100000\nmnt_id:\t27\n"));
        assert!(!is_for_both("pos:\t0\n"));
    }
}

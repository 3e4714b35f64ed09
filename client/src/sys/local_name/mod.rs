//! Checks whether names from the server are valid local names.

use std::path::Path;

use unicode_normalization::UnicodeNormalization;

#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;

/// Device names that Windows reserves, with any extension.
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];

/// Checks that a remote name, as one segment of a local path, stays inside its folder and can exist on this system.
///
/// # Errors
/// Why the name is not valid.
pub fn check(name: &str) -> Result<(), &'static str> {
    check_for(name, cfg!(windows))
}

fn check_for(name: &str, windows: bool) -> Result<(), &'static str> {
    if name.is_empty() || name == "." || name == ".." {
        return Err("the name would point outside the target folder");
    }
    if name.contains('/') {
        return Err("the name contains a slash");
    }
    if name.contains('\0') {
        return Err("the name contains a NUL character");
    }
    if !windows {
        return Ok(());
    }
    if name.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) || name.chars().any(|character| character < ' ') {
        return Err("the name contains a character that Windows does not allow");
    }
    if name.ends_with(['.', ' ']) {
        return Err("the name ends with a dot or space, which Windows drops");
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = ["COM", "LPT"].iter().any(|device| {
        stem.strip_prefix(device).is_some_and(|rest| {
            let mut digits = rest.chars();
            matches!((digits.next(), digits.next()), (Some('1'..='9' | '¹' | '²' | '³'), None))
        })
    });
    if DEVICES.contains(&stem.as_str()) || numbered {
        return Err("the name is that of a Windows device");
    }
    Ok(())
}

/// The start and the end of temporary file names.
const TEMPORARY: (&str, &str) = (".cec-", ".part");

/// The maximum number of links to follow. More than that count as a loop.
const MOST_LINKS: usize = 32;

/// The number of characters in between: a random number of 128 bits.
const RANDOM: usize = 32;

/// Returns a unique, unpredictable name for a temporary file.
pub fn temporary() -> String {
    format!("{}{:0RANDOM$x}{}", TEMPORARY.0, rand::random::<u128>(), TEMPORARY.1)
}

/// Whether a name has the form of [`temporary`]. It does not prove that this program created the file.
pub fn is_temporary(name: &str) -> bool {
    let random = name.strip_prefix(TEMPORARY.0).and_then(|rest| rest.strip_suffix(TEMPORARY.1));
    random.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether a path leads to an open file of this process, like /dev/stdout and /dev/fd/3. The file behind it can be
/// written to, but must not be replaced by name.
pub fn is_descriptor(path: &Path) -> bool {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let real = folder.canonicalize().unwrap_or_default();
        if real == Path::new("/dev/fd") || (real.starts_with("/proc") && real.ends_with("fd")) {
            return true;
        }
        match path.read_link() {
            Ok(next) => path = folder.join(next),
            Err(_) => return false,
        }
    }
    false
}

/// Whether the file system of a folder ignores case or the Unicode form in names. False if that cannot be tested
/// because the folder is not writable. Blocking.
pub fn is_folding(folder: &Path) -> bool {
    let Ok(probe) = tempfile::Builder::new().prefix(".cec-CASE-\u{e9}-").suffix(".part").tempfile_in(folder) else {
        return false;
    };
    let name = probe.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let others = [name.replace("CASE", "case"), name.nfd().collect()];
    others.iter().any(|other| folder.join(other).exists())
}

/// Returns the common form of all names that such a file system treats as equal.
pub fn folded(name: &str) -> String {
    name.nfc().flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_its_folder() {
        for name in ["", ".", "..", "a/b", "/etc", "a\0b"] {
            assert!(check_for(name, false).is_err(), "{name:?}");
            assert!(check_for(name, true).is_err(), "{name:?}");
        }
        for name in ["...", "..x", "tab\t", "a\\b", "C:", "con", "x. "] {
            assert!(check_for(name, false).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn temporary_names_differ_and_are_known() {
        let (one, other) = (temporary(), temporary());
        assert!(one != other && is_temporary(&one) && is_temporary(&other), "{one} {other}");
        for name in [".cec-mydata.part", ".cec-21c83db663c0a3fa.part", ".cec-.part", &one[1..], &one.to_uppercase()] {
            assert!(!is_temporary(name), "{name}");
        }
        assert!(check_for(&one, true).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_descriptor_is_never_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "").expect("a file");
        std::os::unix::fs::symlink("/dev/stdout", &link).expect("a link");
        for path in [Path::new("/dev/stdout"), Path::new("/dev/fd/1"), Path::new("/proc/self/fd/0"), &link] {
            assert!(is_descriptor(path), "{}", path.display());
        }
        std::fs::remove_file(&link).expect("removed");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        for path in [Path::new("file"), Path::new("/proc/version"), &file, &link] {
            assert!(!is_descriptor(path), "{}", path.display());
        }
    }

    #[test]
    fn windows_has_rules_of_its_own() {
        for name in ["a\\b", "C:", "what?", "CON", "con.txt", "Lpt1", "COM9.log", "end.", "end ", "tab\t"] {
            assert!(check_for(name, true).is_err(), "{name:?}");
        }
        for name in ["plain", "COM10", "console", "..x", "é", "com"] {
            assert!(check_for(name, true).is_ok(), "{name:?}");
        }
    }
}

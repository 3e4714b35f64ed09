//! Names from the server that can be names here.

use std::path::Path;

use unicode_normalization::UnicodeNormalization;

#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;

/// Device names that Windows reserves, with any extension.
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];

/// Checks that a remote name, used as one segment of a local path, stays inside its folder and can exist.
///
/// # Errors
/// Why it cannot.
pub fn check(name: &str) -> Result<(), &'static str> {
    check_for(name, cfg!(windows))
}

fn check_for(name: &str, windows: bool) -> Result<(), &'static str> {
    if name.is_empty() || name == "." || name == ".." {
        return Err("the name would lead out of the target folder");
    }
    if name.contains('/') {
        return Err("the name holds a slash");
    }
    if name.contains('\0') {
        return Err("the name holds a NUL character");
    }
    if !windows {
        return Ok(());
    }
    if name.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) || name.chars().any(|character| character < ' ') {
        return Err("the name holds a character that Windows does not allow");
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

/// Whether the file system of a folder takes names for one that differ in upper and lower case, or in how their accents
/// are written. False where nothing can be written there to find out. Blocking.
pub fn is_folding(folder: &Path) -> bool {
    let Ok(probe) = tempfile::Builder::new().prefix(".cec-CASE-\u{e9}-").suffix(".part").tempfile_in(folder) else {
        return false;
    };
    let name = probe.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let others = [name.replace("CASE", "case"), name.nfd().collect()];
    others.iter().any(|other| folder.join(other).exists())
}

/// The one form of all names that such a file system takes for the same.
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
    fn windows_has_rules_of_its_own() {
        for name in ["a\\b", "C:", "what?", "CON", "con.txt", "Lpt1", "COM9.log", "end.", "end ", "tab\t"] {
            assert!(check_for(name, true).is_err(), "{name:?}");
        }
        for name in ["plain", "COM10", "console", "..x", "é", "com"] {
            assert!(check_for(name, true).is_ok(), "{name:?}");
        }
    }
}

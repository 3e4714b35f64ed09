//! Properties of all names from a server, for property tests and the fuzz target.

use std::path::Path;

use super::check_for;

/// Checks that a valid name is exactly one step below its folder.
pub fn local_name(name: &str) {
    let here = check_for(name, false);
    let on_windows = check_for(name, true);
    assert!(here.is_ok() || on_windows.is_err(), "{name:?}: Windows allows no more than others");
    if here.is_ok() {
        let folder = Path::new("folder");
        let path = folder.join(name);
        assert_eq!(path.parent(), Some(folder), "{name:?}");
        assert_eq!(path.file_name(), Some(name.as_ref()), "{name:?}");
    }
    if on_windows.is_ok() {
        assert!(!name.contains(['\\', ':', '/', '\0']) && !name.ends_with(['.', ' ']), "{name:?}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_name_stays_in_its_folder_or_is_refused(name in any::<String>()) {
            super::local_name(&name);
        }

        #[test]
        fn so_do_names_that_try(name in r"[./\\:a \x00]{0,5}|(?i)(con|nul|com|lpt)[0-9¹]{0,2} ?\.?") {
            super::local_name(&name);
        }
    }
}

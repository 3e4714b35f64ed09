//! Decides for each file whether to transfer it. Pure functions.

use std::time::SystemTime;

use jiff::Timestamp;

use crate::transfer::event::Reason;
use crate::transfer::options::IfExists;

/// The result of applying the policy to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Transfer the file.
    Transfer(Reason),
    /// Do nothing: the target has the same content.
    Unchanged,
    /// Keep the target.
    Skip,
    /// Report that the target exists.
    Exists,
}

/// The result of comparing a source with an existing target file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// Whether the contents are equal; false if the policy does not depend on it.
    pub same_content: bool,
    /// Whether the source was modified later than the target.
    pub source_is_newer: bool,
}

/// Applies the policy to a file; `existing` describes the target, if it exists.
pub fn decide(policy: IfExists, existing: Option<Comparison>) -> Decision {
    let Some(existing) = existing else {
        return Decision::Transfer(Reason::New);
    };
    if existing.same_content {
        return Decision::Unchanged;
    }
    match policy {
        IfExists::Fail => Decision::Exists,
        IfExists::Skip => Decision::Skip,
        IfExists::Overwrite => Decision::Transfer(Reason::Replaces),
        IfExists::Update if existing.source_is_newer => Decision::Transfer(Reason::Newer),
        IfExists::Update => Decision::Skip,
        IfExists::Rename => Decision::Transfer(Reason::Renamed),
    }
}

/// Whether a local time is later than a server's time, which has a precision of one second.
pub fn is_newer(local: Option<SystemTime>, remote: Option<Timestamp>) -> bool {
    let (Some(local), Some(remote)) = (local, remote) else {
        return false;
    };
    Timestamp::try_from(local).is_ok_and(|local| local.as_second() > remote.as_second())
}

/// Returns the names to try if `name` is in use: `report-1.pdf`, `report-2.pdf`, and so on. The number is inserted
/// before the last extension.
pub fn free_names(name: &str) -> impl Iterator<Item = String> + '_ {
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    };
    (1_u32..).map(move |number| format!("{stem}-{number}{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_table() {
        use Decision::{Exists, Skip, Transfer, Unchanged};
        use IfExists::{Fail, Overwrite, Rename, Update};
        let comparison = |same_content, source_is_newer| Some(Comparison { same_content, source_is_newer });
        for (policy, existing, decision) in [
            (Fail, None, Transfer(Reason::New)),
            (IfExists::Skip, None, Transfer(Reason::New)),
            (Fail, comparison(true, true), Unchanged),
            (Overwrite, comparison(true, true), Unchanged),
            (Rename, comparison(true, false), Unchanged),
            (Fail, comparison(false, true), Exists),
            (IfExists::Skip, comparison(false, true), Skip),
            (Overwrite, comparison(false, false), Transfer(Reason::Replaces)),
            (Update, comparison(false, true), Transfer(Reason::Newer)),
            (Update, comparison(false, false), Skip),
            (Rename, comparison(false, true), Transfer(Reason::Renamed)),
        ] {
            assert_eq!(decide(policy, existing), decision, "{policy:?} {existing:?}");
        }
    }

    #[test]
    fn free_names_keep_the_extension() {
        let first = |name: &str| free_names(name).next();
        assert_eq!(first("a.tar.gz").as_deref(), Some("a.tar-1.gz"));
        assert_eq!(first("plain").as_deref(), Some("plain-1"));
        assert_eq!(first(".hidden").as_deref(), Some(".hidden-1"));
        assert_eq!(free_names("x.y").nth(2).as_deref(), Some("x-3.y"));
    }
}

//! Paths on the server: `workspace/folder/file`, in the user's form and in the server's.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use unicode_normalization::{UnicodeNormalization, is_nfc};

#[cfg(any(test, feature = "fuzzing"))]
pub mod properties;
mod view;

pub use view::View;

/// All bytes except the unreserved ones of RFC 3986. The canonical URI of SigV4 requires the same set.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The maximum length of a name on the server, in characters.
pub const MAXIMUM_NAME_CHARACTERS: usize = 255;

/// Percent-encodes one name as UTF-8, all characters except `A-Za-z0-9-._~`.
pub fn encode_segment(name: &str) -> String {
    percent_encode(name.as_bytes(), SEGMENT).to_string()
}

/// Returns a text in Unicode form NFC. Names and patterns are compared in this form, because some file systems store
/// accents as separate characters and keyboards do not: an exclusion must not miss a file for this reason.
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// The text is not a remote path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path contains a `.` or `..` segment, which the server answers with a redirect.
    #[error("'{0}' contains a '{1}' segment; write the path without it")]
    DotSegment(String, String),
    /// The path contains a NUL character.
    #[error("'{0}' contains a NUL character")]
    Nul(String),
}

/// The name cannot be written to the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name contains a backslash: the server stores it but can never read it again.
    #[error("the name '{0}' contains a backslash, and the server could not read it again")]
    Backslash(String),
    /// The name is longer than [`MAXIMUM_NAME_CHARACTERS`].
    #[error("the name '{name}' has {characters} characters; the server allows at most 255")]
    TooLong {
        /// The name.
        name: String,
        /// The number of characters in NFC.
        characters: usize,
    },
    /// The name contains a NUL character.
    #[error("the name '{0}' contains a NUL character")]
    Nul(String),
    /// The server treats a folder of this name as an archive.
    #[error("the name '{0}' ends like that of an archive: the server could not list a folder of that name")]
    ArchiveFolder(String),
    /// The server uses this name itself.
    #[error("the name '{0}' is reserved by the server")]
    Reserved(String),
}

/// A path on the server: the workspace's slug and the names below it, without leading, trailing or doubled slashes. The
/// empty path is the root, which contains the workspaces.
///
/// The text is kept as typed. [`RemotePath::nfc`] returns the form for writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RemotePath(String);

impl RemotePath {
    /// Returns the root, which contains the workspaces.
    pub fn root() -> Self {
        Self::default()
    }

    /// Parses a path as a user types it: without a prefix, or with one (`cells://ws/p`, `cells:///ws/p`,
    /// `cells//ws/p`).
    ///
    /// # Errors
    /// The path contains a `.` or `..` segment, or a NUL.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let bare = strip_prefix(text).unwrap_or(text);
        Self::from_bare(text, bare)
    }

    /// Whether a text has the prefix of a remote path, so that it is not a local one.
    pub fn is_marked(text: &str) -> bool {
        strip_prefix(text).is_some()
    }

    fn from_bare(typed: &str, bare: &str) -> Result<Self, PathError> {
        if bare.contains('\0') {
            return Err(PathError::Nul(typed.to_owned()));
        }
        let mut clean = String::with_capacity(bare.len());
        for segment in bare.split('/').filter(|segment| !segment.is_empty()) {
            if segment == "." || segment == ".." {
                return Err(PathError::DotSegment(typed.to_owned(), segment.to_owned()));
            }
            if !clean.is_empty() {
                clean.push('/');
            }
            clean.push_str(segment);
        }
        Ok(Self(clean))
    }

    /// Creates the path of a node from the server. Never fails, since the node exists.
    pub fn from_server(text: &str) -> Self {
        Self(text.trim_matches('/').to_owned())
    }

    /// Returns the text without prefix and without outer slashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the path is the root, above the workspaces.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the path is a workspace, not something inside one.
    pub fn is_workspace(&self) -> bool {
        !self.is_root() && !self.0.contains('/')
    }

    /// Returns the workspace's slug; empty for the root.
    pub fn workspace(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Returns the last name; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the parent; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.rsplit_once('/') {
            Some((parent, _)) => Self(parent.to_owned()),
            None => Self::root(),
        })
    }

    /// Returns the path of something below this one; `relative` may contain slashes.
    #[must_use]
    pub fn join(&self, relative: &str) -> Self {
        let relative = relative.trim_matches('/');
        if self.is_root() {
            Self(relative.to_owned())
        } else if relative.is_empty() {
            self.clone()
        } else {
            Self(format!("{}/{relative}", self.0))
        }
    }

    /// Returns the names of the path, beginning with the workspace's slug.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// Returns the part below `ancestor`, without a leading slash; `None` if `self` is neither `ancestor` nor below it.
    pub fn relative_to(&self, ancestor: &Self) -> Option<&str> {
        if ancestor.is_root() {
            return Some(&self.0);
        }
        let rest = self.0.strip_prefix(ancestor.as_str())?;
        if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
    }

    /// Returns this path and the folders above it up to the workspace, the deepest first; none for the root.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self.clone()), Self::parent).take_while(|path| !path.is_root())
    }

    /// Returns the form for writes: S3 stores NFC only.
    #[must_use]
    pub fn nfc(&self) -> Self {
        Self(composed(&self.0).into_owned())
    }

    /// Returns the form for writes below `existing`: its own names are kept, and only the rest is converted to NFC.
    #[must_use]
    pub fn nfc_below(&self, existing: &Self) -> Self {
        self.relative_to(existing).map_or_else(|| self.nfc(), |rest| existing.join(&rest.nfc().collect::<String>()))
    }

    /// Returns the decomposed form, the last one that a read tries.
    #[must_use]
    pub fn nfd(&self) -> Self {
        Self(self.0.nfd().collect())
    }

    /// Returns the forms that a read tries in turn: as typed, NFC, NFD, each once.
    pub fn read_forms(&self) -> Vec<Self> {
        let mut forms = vec![self.clone()];
        for form in [self.nfc(), self.nfd()] {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        forms
    }

    /// Returns the path for a URL, each segment percent-encoded.
    pub fn encoded(&self) -> String {
        let mut text = String::with_capacity(self.0.len() + 8);
        for (index, segment) in self.segments().enumerate() {
            if index > 0 {
                text.push('/');
            }
            text.push_str(&encode_segment(segment));
        }
        text
    }

    /// Returns the path in the form that a user types for `scp`.
    pub fn marked(&self) -> String {
        format!("cells://{}", self.0)
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_root() { "/" } else { &self.0 })
    }
}

/// Returns a name without the ending that makes the server treat it as an archive.
pub fn without_archive_ending(name: &str) -> &str {
    [".tar.gz", ".tar", ".zip"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// Checks that files inside a folder of this name can be read again: for some names, the server looks for them inside
/// an archive.
///
/// # Errors
/// [`NameError::ArchiveFolder`].
pub fn check_folder_name(name: &str) -> Result<(), NameError> {
    if without_archive_ending(name) == name { Ok(()) } else { Err(NameError::ArchiveFolder(name.to_owned())) }
}

/// The name of the server's own file in each folder of structured storage. Only S3 listings show it.
pub const FOLDER_MARKER: &str = ".pydio";

/// Checks that a name can be written to the server and read again.
///
/// # Errors
/// See [`NameError`].
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.contains('\\') {
        return Err(NameError::Backslash(name.to_owned()));
    }
    if name.contains('\0') {
        return Err(NameError::Nul(name.to_owned()));
    }
    if name == FOLDER_MARKER {
        return Err(NameError::Reserved(name.to_owned()));
    }
    // A name of at most 255 bytes has at most 255 characters, and NFC never increases their number.
    if name.len() > MAXIMUM_NAME_CHARACTERS {
        let characters = name.nfc().count();
        if characters > MAXIMUM_NAME_CHARACTERS {
            return Err(NameError::TooLong { name: name.to_owned(), characters });
        }
    }
    Ok(())
}

fn strip_prefix(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("cells://") {
        return Some(rest);
    }
    text.strip_prefix("cells//")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RemotePath {
        RemotePath::parse(text).expect("a path")
    }

    #[test]
    fn all_prefixes_name_the_same_node() {
        for text in ["cells://ws/p", "cells:///ws/p", "cells//ws/p", "ws/p", "/ws//p/"] {
            assert_eq!(parse(text).as_str(), "ws/p", "{text}");
        }
        for text in ["./cells", "cells", "cells/a", "ws/p"] {
            assert!(!RemotePath::is_marked(text), "{text}");
        }
        assert!(parse("cells://").is_root());
    }

    #[test]
    fn dot_segments_and_nul_are_refused() {
        for text in ["a/../b", "..", "cells://./a", "a/."] {
            assert!(matches!(RemotePath::parse(text), Err(PathError::DotSegment(..))), "{text}");
        }
        assert!(matches!(RemotePath::parse("a\0b"), Err(PathError::Nul(_))));
        assert_eq!(parse("a/..x/...").as_str(), "a/..x/...");
    }

    #[test]
    fn parts_of_a_path() {
        let path = parse("ws/a/b.txt");
        assert_eq!((path.workspace(), path.name()), ("ws", "b.txt"));
        assert_eq!(path.parent(), Some(parse("ws/a")));
        assert_eq!(parse("ws").parent(), Some(RemotePath::root()));
        assert_eq!(RemotePath::root().parent(), None);
        assert!(parse("ws").is_workspace());
        assert_eq!(path.relative_to(&parse("ws")), Some("a/b.txt"));
        assert_eq!(path.relative_to(&parse("w")), None);
        assert_eq!(path.relative_to(&path), Some(""));
        assert_eq!(RemotePath::root().join("ws/x"), parse("ws/x"));
    }

    #[test]
    fn urls_encode_everything_but_unreserved() {
        assert_eq!(parse("ws/a b+%?#é~_-.").encoded(), "ws/a%20b%2B%25%3F%23%C3%A9~_-.");
    }

    #[test]
    fn ancestors_end_at_the_workspace() {
        assert_eq!(parse("ws/a/b").ancestors().collect::<Vec<_>>(), [parse("ws/a/b"), parse("ws/a"), parse("ws")]);
        assert_eq!(RemotePath::root().ancestors().count(), 0);
    }

    #[test]
    fn reads_try_three_forms_and_writes_use_nfc() {
        let typed = parse("ws/e\u{301}");
        assert_eq!(typed.nfc().as_str(), "ws/\u{e9}");
        assert_eq!(typed.read_forms().len(), 2);
        assert_eq!(parse("ws/plain").read_forms().len(), 1);
    }

    #[test]
    fn names_that_the_server_cannot_return_are_refused() {
        assert!(check_name(&"é".repeat(255)).is_ok());
        assert!(check_name(&"e\u{301}".repeat(255)).is_ok());
        assert!(check_name(&"é".repeat(256)).is_err());
        assert!(check_name("back\\slash").is_err());
        assert!(check_name(".pydio").is_err());
        assert!(check_name("tab\tnew\nline \u{1}").is_ok());
    }
}

//! The paths of a public link, as displayed and as on the server.

use super::RemotePath;

/// The displayed names of a public link's content.
///
/// To the server, a link is a workspace with a slug that nobody knows, and a file that is shared by itself has another
/// name in it. Displayed paths begin with the last part of the link's URL: `1f0c6a3b9d20/folder/file`.
#[derive(Debug, Clone)]
pub struct View {
    name: String,
    workspace: String,
    label: Option<String>,
    entries: Vec<Entry>,
    upload_only: bool,
}

/// A file or folder that is shared by itself, not as a part of a shared folder.
#[derive(Debug, Clone)]
struct Entry {
    shown: String,
    real: String,
}

impl View {
    /// Creates the view of a link. `name` is the last part of its URL, `workspace` the slug of its workspace, `label`
    /// the name of the shared folder. `upload_only` if its content may not be read.
    pub fn new(name: &str, workspace: &str, label: Option<String>, upload_only: bool) -> Self {
        let label = label.filter(|label| !label.is_empty());
        Self { name: name.to_owned(), workspace: workspace.to_owned(), label, entries: Vec::new(), upload_only }
    }

    /// Adds single files and folders: the displayed name of each, and its name on the server. If several have the same
    /// displayed name, all but the first keep their names on the server.
    #[must_use]
    pub fn with_entries(mut self, entries: impl IntoIterator<Item = (String, String)>) -> Self {
        for (wanted, real) in entries {
            let free = !wanted.is_empty() && self.entries.iter().all(|entry| entry.shown != wanted);
            let shown = if free { wanted } else { real.clone() };
            self.entries.push(Entry { shown, real });
        }
        self
    }

    /// Whether the content may not be read.
    pub fn is_upload_only(&self) -> bool {
        self.upload_only
    }

    /// Translates a displayed path to the server's. A link to a single file means that file.
    #[must_use]
    pub fn to_server(&self, path: &RemotePath) -> RemotePath {
        let link = RemotePath(self.name.clone());
        let Some(below) = path.relative_to(&link).filter(|_| !path.is_root()) else { return path.clone() };
        let root = RemotePath(self.workspace.clone());
        let (first, rest) = below.split_once('/').unwrap_or((below, ""));
        match self.entries.as_slice() {
            [only] if first.is_empty() => root.join(&only.real),
            entries => match entries.iter().find(|entry| entry.shown == first) {
                Some(entry) => root.join(&entry.real).join(rest),
                None => root.join(below),
            },
        }
    }

    /// Translates a path of the server to the displayed one.
    #[must_use]
    pub fn shown(&self, path: RemotePath) -> RemotePath {
        let root = RemotePath(self.workspace.clone());
        let Some(below) = path.relative_to(&root).filter(|_| !path.is_root()) else { return path };
        let link = RemotePath(self.name.clone());
        let (first, rest) = below.split_once('/').unwrap_or((below, ""));
        match self.entries.iter().find(|entry| entry.real == first) {
            Some(entry) => link.join(&entry.shown).join(rest),
            None => link.join(below),
        }
    }

    /// Returns the name of the shared folder.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Whether the name of this path was chosen by the creator of the link: the path is the link itself, or its only
    /// file.
    pub fn names(&self, path: &RemotePath) -> bool {
        let link = RemotePath(self.name.clone());
        match self.entries.as_slice() {
            [only] => *path == link || *path == link.join(&only.shown),
            _ => *path == link,
        }
    }

    /// Returns the name of the shared folder, if the path is the link itself.
    pub fn label_of(&self, path: &RemotePath) -> Option<&str> {
        self.label.as_deref().filter(|_| path.as_str() == self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RemotePath {
        RemotePath::parse(text).expect("a path")
    }

    #[test]
    fn a_folder_is_named_by_the_link() {
        let view = View::new("1f0c6a3b9d20", "reports-1", Some("reports".to_owned()), false);
        for (shown, real) in [
            ("1f0c6a3b9d20", "reports-1"),
            ("1f0c6a3b9d20/a/b.txt", "reports-1/a/b.txt"),
            ("1f0c6a3b9d20/reports-1", "reports-1/reports-1"),
            ("1f0c6a3b9d20/1f0c6a3b9d20", "reports-1/1f0c6a3b9d20"),
        ] {
            assert_eq!(view.to_server(&path(shown)), path(real));
            assert_eq!(view.shown(path(real)), path(shown));
        }
        assert_eq!(view.to_server(&RemotePath::root()), RemotePath::root());
        assert_eq!(view.to_server(&path("1f0c6a3b9d20x/a")), path("1f0c6a3b9d20x/a"));
        assert_eq!(view.label_of(&path("1f0c6a3b9d20")), Some("reports"));
        assert_eq!(view.label_of(&path("1f0c6a3b9d20/a")), None);
    }

    #[test]
    fn a_single_file_is_the_link_itself_and_has_its_own_name() {
        let view = View::new("1f0c6a3b9d20", "a-txt", None, false)
            .with_entries([("a.txt".to_owned(), "2380870d-a.txt".to_owned())]);
        assert_eq!(view.to_server(&path("1f0c6a3b9d20")), path("a-txt/2380870d-a.txt"));
        assert_eq!(view.to_server(&path("1f0c6a3b9d20/a.txt")), path("a-txt/2380870d-a.txt"));
        assert_eq!(view.shown(path("a-txt/2380870d-a.txt")), path("1f0c6a3b9d20/a.txt"));
        assert!(view.names(&path("1f0c6a3b9d20/a.txt")) && !view.names(&path("1f0c6a3b9d20/other")));
        assert_eq!(view.to_server(&path("1f0c6a3b9d20/other")), path("a-txt/other"));
    }

    #[test]
    fn several_nodes_with_one_name_get_different_names() {
        let view = View::new("1f0c6a3b9d20", "two", None, false)
            .with_entries([("a".to_owned(), "01-a".to_owned()), ("a".to_owned(), "02-a".to_owned())]);
        assert_eq!(view.to_server(&path("1f0c6a3b9d20")), path("two"));
        assert_eq!(view.shown(path("two/01-a/x")), path("1f0c6a3b9d20/a/x"));
        assert_eq!(view.shown(path("two/02-a")), path("1f0c6a3b9d20/02-a"));
        assert_eq!(view.to_server(&path("1f0c6a3b9d20/02-a")), path("two/02-a"));
    }
}

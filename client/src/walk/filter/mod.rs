//! Which files of a tree are selected: by rules in rclone's grammar, by a list of names, by size and age, by depth. The
//! same filter is used for local and remote trees; paths are relative to the root of the tree.

mod ignore;
mod pattern;
mod rules;

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::api::Node;
use crate::path::{RemotePath, composed};

pub use ignore::{IGNORE_FILE, IgnoreFile};
pub use rules::{Rules, Verdict};

/// Selects files and folders. The default selects everything.
#[derive(Debug)]
pub struct Filter {
    /// The rules for paths.
    pub rules: Rules,
    /// The only files to select, if there is such a list.
    pub names: Option<Names>,
    /// The smallest size in bytes.
    pub min_size: Option<u64>,
    /// The largest size in bytes.
    pub max_size: Option<u64>,
    /// The earliest modification time. A file without a time is not selected if there is a limit.
    pub modified_from: Option<SystemTime>,
    /// The latest modification time.
    pub modified_to: Option<SystemTime>,
    /// The number of levels that are entered: 1 means only the root.
    pub max_depth: Option<usize>,
    /// Whether to select names that start with a dot.
    pub hidden: bool,
    /// Whether to apply the ignore files of a local tree.
    pub ignore_files: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            names: None,
            min_size: None,
            max_size: None,
            modified_from: None,
            modified_to: None,
            max_depth: None,
            hidden: true,
            ignore_files: false,
        }
    }
}

impl Filter {
    /// Whether a file is selected.
    pub fn file(&self, path: &str, size: u64, modified: Option<SystemTime>) -> bool {
        if let Some(names) = &self.names {
            return names.select(path);
        }
        self.min_size.is_none_or(|least| size >= least)
            && self.max_size.is_none_or(|most| size <= most)
            && self.time(modified)
            && self.path(path)
    }

    /// Whether the path of a file is selected, whatever its size and time are.
    pub fn path(&self, path: &str) -> bool {
        match &self.names {
            Some(names) => names.files.contains(&*composed(path)),
            None => (self.hidden || !is_hidden(path)) && self.rules.file(path),
        }
    }

    /// Whether a folder may contain selected files and must be entered.
    pub fn folder(&self, path: &str) -> bool {
        if let Some(names) = &self.names {
            return names.folders.contains(&*composed(path));
        }
        (self.hidden || !is_hidden(path))
            && self.max_depth.is_none_or(|most| path.split('/').count() < most)
            && (self.rules.is_empty() || self.rules.folder(&format!("{path}/")))
    }

    /// Whether a node of a remote tree with this root is selected.
    pub fn node(&self, root: &RemotePath, node: &Node) -> bool {
        let Some(path) = node.path.relative_to(root) else { return true };
        if node.is_folder() { self.folder(path) } else { self.named_node(path, node) }
    }

    /// Whether a file of the server is selected under this path.
    pub fn named_node(&self, path: &str, node: &Node) -> bool {
        let modified = node.modified.and_then(|time| {
            let seconds = Duration::from_secs(time.as_second().unsigned_abs());
            let epoch = SystemTime::UNIX_EPOCH;
            if time.as_second() < 0 { epoch.checked_sub(seconds) } else { epoch.checked_add(seconds) }
        });
        self.file(path, node.size, modified)
    }

    fn time(&self, modified: Option<SystemTime>) -> bool {
        let (from, to) = (self.modified_from, self.modified_to);
        if from.is_none() && to.is_none() {
            return true;
        }
        modified.is_some_and(|time| from.is_none_or(|from| time >= from) && to.is_none_or(|to| time <= to))
    }

    /// Whether single files may be left out. A folder without selected files is then left out too.
    pub fn selects_files(&self) -> bool {
        let by_size = self.min_size.is_some() || self.max_size.is_some();
        let by_time = self.modified_from.is_some() || self.modified_to.is_some();
        self.names.is_some() || by_size || by_time || !self.rules.is_empty()
    }

    /// Returns the listed names that no file has had so far, sorted.
    pub fn missing(&self) -> Vec<String> {
        let missing = |names: &Names| names.missing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut missing: Vec<String> = self.names.as_ref().map(missing).into_iter().flatten().collect();
        missing.sort_unstable();
        missing
    }
}

/// Whether the last name of a path starts with a dot. The folders above it were checked when they were entered.
fn is_hidden(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with('.'))
}

/// A list of files by their paths.
#[derive(Debug, Default)]
pub struct Names {
    files: HashSet<String>,
    /// The folders that contain them.
    folders: HashSet<String>,
    /// The files that were not selected so far.
    missing: Mutex<HashSet<String>>,
}

impl Names {
    /// Creates a list. Separators at the start and the end of a path, and `./` at its start, have no meaning.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = Self::default();
        for path in paths {
            let path = path.trim_matches('/');
            let path = path.strip_prefix("./").unwrap_or(path);
            let path = &*composed(path);
            if path.is_empty() || !names.files.insert(path.to_owned()) {
                continue;
            }
            let mut above = path;
            while let Some((folder, _)) = above.rsplit_once('/') {
                if !names.folders.insert(folder.to_owned()) {
                    break;
                }
                above = folder;
            }
        }
        names.missing = Mutex::new(names.files.clone());
        names
    }

    fn select(&self, path: &str) -> bool {
        let path = composed(path);
        let selected = self.files.contains(&*path);
        if selected {
            self.missing.lock().unwrap_or_else(PoisonError::into_inner).remove(&*path);
        }
        selected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(lines: &[&str]) -> Filter {
        let mut rules = Rules::default();
        for line in lines {
            rules.add_line(line).expect(line);
        }
        Filter { rules, ..Filter::default() }
    }

    fn named(filter: &Filter, path: &str) -> bool {
        filter.file(path, 0, None)
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let filter = rules(&["- secret*.jpg", "+ *.jpg", "- *"]);
        assert!(named(&filter, "a/b.jpg") && !named(&filter, "a/secret1.jpg") && !named(&filter, "b.txt"));
        // An exclusion of all files also excludes all folders, unless a rule before it needs them.
        assert!(filter.folder("a") && !rules(&["+ /a/*.jpg", "- *"]).folder("b"));
        let reset = rules(&["- *", "!", "- *.txt"]);
        assert!(named(&reset, "a") && !named(&reset, "a.txt"));
        assert!(Rules::default().add_line("* x").is_err() && Rules::default().add_line("ä").is_err());
    }

    #[test]
    fn folders_are_entered_only_if_they_may_contain_selected_files() {
        let filter = rules(&["- node_modules/", "+ /src/**", "- **"]);
        assert!(filter.folder("src") && filter.folder("src/a") && !filter.folder("src/node_modules"));
        assert!(!filter.folder("docs") && !named(&filter, "x") && named(&filter, "src/a/b"));
        assert!(!named(&filter, "a/node_modules/b/c"));
        // A file with the name of an excluded folder stays.
        assert!(named(&filter, "src/node_modules"));
        // A rule without a separator is one for files.
        assert!(rules(&["- build"]).folder("build"));
    }

    #[test]
    fn sizes_times_depth_and_hidden_names_are_limits_too() {
        let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let sized = Filter { min_size: Some(2), max_size: Some(3), ..Filter::default() };
        assert_eq!([1, 2, 3, 4].map(|size| sized.file("a", size, None)), [false, true, true, false]);
        let timed = Filter { modified_from: Some(time(2)), modified_to: Some(time(3)), ..Filter::default() };
        assert_eq!([1, 2, 3, 4].map(|at| timed.file("a", 0, Some(time(at)))), [false, true, true, false]);
        assert!(!named(&timed, "a") && timed.folder("a"));
        let shallow = Filter { max_depth: Some(2), ..Filter::default() };
        assert!(shallow.folder("a") && !shallow.folder("a/b") && named(&shallow, "a/b"));
        let visible = Filter { hidden: false, ..Filter::default() };
        assert!(!named(&visible, "a/.b") && !visible.folder(".a") && named(&visible, "a.b"));
        assert!(sized.selects_files() && timed.selects_files() && !shallow.selects_files());
    }

    #[test]
    fn accents_match_in_both_unicode_forms() {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
        for (pattern, name) in [(composed, decomposed), (decomposed, composed)] {
            let filter = rules(&[&format!("- {pattern}*.txt"), &format!("- {pattern}/")]);
            assert!(!named(&filter, &format!("a/{name}1.txt")) && !filter.folder(name), "{pattern:?} {name:?}");
            let ignored = IgnoreFile::parse(&format!("{pattern}\n"));
            assert_eq!(ignored.verdict(name, false), Some(Verdict::Exclude), "{pattern:?} {name:?}");
            let path = format!("{pattern}/{pattern}");
            let listed = Filter { names: Some(Names::new([path.as_str()])), ..Filter::default() };
            let path = format!("{name}/{name}");
            assert!(listed.folder(name) && listed.path(&path) && named(&listed, &path), "{pattern:?} {name:?}");
            assert!(listed.missing().is_empty());
        }
    }

    #[test]
    fn a_list_names_all_files_and_knows_which_are_missing() {
        let filter = Filter { names: Some(Names::new(["/a/b/c", "./d", "e/"])), ..Filter::default() };
        assert!(filter.folder("a") && filter.folder("a/b") && !filter.folder("a/b/c") && !filter.folder("x"));
        assert!(named(&filter, "a/b/c") && !named(&filter, "c") && named(&filter, "e"));
        assert_eq!(filter.missing(), ["d"]);
    }
}

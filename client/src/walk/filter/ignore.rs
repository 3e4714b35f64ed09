//! Ignore files in the grammar of gitignore(5): the last rule that matches decides, `!` includes again, and the rules of
//! a deeper folder have priority.

use super::Verdict;
use super::pattern::{Pattern, class, push_literal};
use crate::path::composed;

/// The name of ignore files.
pub const IGNORE_FILE: &str = ".cellsignore";

/// The rules of one ignore file.
#[derive(Debug, Clone, Default)]
pub struct IgnoreFile(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    verdict: Verdict,
    folders_only: bool,
    pattern: Pattern,
}

impl IgnoreFile {
    /// Parses the content of an ignore file. As in git, a pattern that is not valid matches nothing.
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self(text.lines().filter_map(rule).collect())
    }

    /// Returns the verdict of the last rule that matches; `path` is relative to the folder of the ignore file.
    pub fn verdict(&self, path: &str, is_folder: bool) -> Option<Verdict> {
        let Self(rules) = self;
        let path = &*composed(path);
        let matches = |rule: &&Rule| (is_folder || !rule.folders_only) && rule.pattern.is_match(path);
        rules.iter().rev().find(matches).map(|rule| rule.verdict)
    }
}

fn rule(line: &str) -> Option<Rule> {
    let line = &*composed(trimmed(line));
    let (verdict, line) = match line.strip_prefix('!') {
        Some(rest) => (Verdict::Include, rest),
        None if line.starts_with('#') => return None,
        None => (Verdict::Exclude, line),
    };
    let (folders_only, line) = match line.strip_suffix('/') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (rooted, glob) = match line.strip_prefix('/') {
        Some(rest) => (true, rest),
        None => (line.contains('/'), line),
    };
    if glob.is_empty() {
        return None;
    }
    let pattern = Pattern::compile(&format!("^{}$", regex(glob, rooted)?), glob, !rooted).ok()?;
    Some(Rule { verdict, folders_only, pattern })
}

/// Removes spaces at the end of a line, except for one after a backslash.
fn trimmed(line: &str) -> &str {
    let bare = line.trim_end_matches(' ');
    let backslashes = bare.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if backslashes % 2 == 1 && bare.len() < line.len() { &line[..=bare.len()] } else { bare }
}

/// Returns the regular expression of a pattern; `None` if it is not valid.
fn regex(glob: &str, rooted: bool) -> Option<String> {
    let mut regex = String::with_capacity(glob.len() * 2);
    let mut rest = glob;
    let mut at_start = true;
    while let Some(character) = rest.chars().next() {
        let stars = rest.len() - rest.trim_start_matches('*').len();
        let after_stars = &rest[stars..];
        let is_end = after_stars.is_empty();
        rest = match character {
            // Any number of folders, also none.
            '*' if rooted && stars >= 2 && at_start && after_stars.starts_with('/') => {
                regex.push_str("(?s:.*/)?");
                &after_stars[1..]
            }
            '*' if rooted && stars >= 2 && at_start && is_end => {
                regex.push_str("(?s:.+)");
                after_stars
            }
            '*' => {
                regex.push_str("[^/]*");
                after_stars
            }
            '?' => {
                regex.push_str("[^/]");
                &rest[1..]
            }
            '[' => {
                let (class, after) = class(&rest[1..], true).ok()?;
                regex.push_str(&class);
                after
            }
            '\\' => {
                let escaped = rest.chars().nth(1)?;
                push_literal(&mut regex, escaped);
                &rest[1 + escaped.len_utf8()..]
            }
            other => {
                push_literal(&mut regex, other);
                &rest[other.len_utf8()..]
            }
        };
        // `**/` is followed by another segment.
        at_start = glob[..glob.len() - rest.len()].ends_with('/');
    }
    Some(regex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignores(text: &str, path: &str) -> bool {
        let (path, is_folder) = path.strip_suffix('/').map_or((path, false), |path| (path, true));
        IgnoreFile::parse(text).verdict(path, is_folder) == Some(Verdict::Exclude)
    }

    #[test]
    fn rules_match_as_in_git() {
        for (rules, path) in [
            ("*.o", "a/b.o"),
            ("build/", "x/build/"),
            ("/build", "build"),
            ("a/b", "a/b"),
            ("**/x", "x"),
            ("**/x", "a/b/x"),
            ("a/**", "a/b"),
            ("a/**/b", "a/b"),
            ("a/**/b", "a/x/y/b"),
            ("\\#x", "#x"),
            ("\\!x", "!x"),
            ("x\\ ", "x "),
            ("x  ", "x"),
            ("!x\nx", "x"),
            ("[!a]x", "bx"),
            ("[]-]x", "]x"),
            ("a**b", "axxb"),
            ("\u{feff}x\r\ny", "x"),
            ("ä?", "äö"),
        ] {
            assert!(ignores(rules, path), "{rules:?} on {path:?}");
        }
        for (rules, path) in [
            ("build/", "build"),
            ("/build", "x/build"),
            ("a/b", "c/a/b"),
            ("a/**", "a/"),
            ("#x", "#x"),
            ("x\n!x", "x"),
            ("a*b", "a/b"),
            ("[!a]x", "/x"),
            ("a[", "a["),
            ("x\\", "x"),
            ("/", "x"),
            ("", "x"),
        ] {
            assert!(!ignores(rules, path), "{rules:?} on {path:?}");
        }
    }

    /// Every rule on every path, compared with git itself.
    #[cfg(unix)]
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a skipped test says so on standard output")]
    fn git_check_ignore_agrees() {
        use std::io::Write as _;
        use std::process::{Command, Stdio};

        let rules = [
            "*",
            "a",
            "/a",
            "a/",
            "b",
            "*.o",
            "!x.o\n*.o",
            "*.o\n!x.o",
            "a/b",
            "/a/b",
            "a/b/",
            "a/*",
            "a/**",
            "**/b",
            "a/**/b",
            "**",
            "/**",
            "**/",
            "a**",
            "a**b",
            "?",
            "??",
            "[ab]",
            "[!ab]",
            "[^a]",
            "[a-c].o",
            "[]x]",
            "[!]x]",
            "[x-]",
            "\\*",
            "\\x.o",
            "x.o ",
            "x.o\\ ",
            "\\!b",
            "\\#b",
            "#b",
            "!b",
            "[",
            "[[:alpha:]]",
            "[[:digit:]]",
            "a/\\b",
            "a/?",
            "?/b",
            "/*/b",
            "*/b",
            "/",
            "//",
            "a//b",
            "*/",
            "b/*",
            "b/c",
            "**/b/c",
            "b/**/c",
            "x\\",
            "*\n!a/\n!a/b/\n!*.o",
            "a/*\n!a/b",
            "/*\n!/a",
            "***/b",
            "a/***",
            ".*",
            "[a/]b",
        ];
        // A name is a file in one tree, and a folder in the other one.
        // All are ASCII: git compares bytes, and a `?` is half of an umlaut to it.
        let trees: [&[&str]; 2] = [
            &["a", "b", "x.o", "x", "*", "x.o ", "!b", "#b", "]", "-", "ab", "axb", ".h", "1"],
            &["a/", "a/x.o", "a/b/", "a/b/c/", "a/b/x.o", "a/c", "b/", "b/c", "c/", "c/b", "x.o/", "ab/"],
        ];
        for paths in trees {
            let folder = tempfile::tempdir().expect("a folder");
            let git = |arguments: &[&str]| {
                let mut command = Command::new("git");
                command.args(arguments).current_dir(folder.path()).env_clear();
                command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", folder.path()).env("LC_ALL", "C.UTF-8");
                command
            };
            if !git(&["init", "-q"]).status().is_ok_and(|status| status.success()) {
                let _ = writeln!(std::io::stdout(), "skipped: needs git");
                return;
            }
            for path in paths {
                let place = folder.path().join(path);
                if path.ends_with('/') {
                    std::fs::create_dir_all(place).expect("a folder");
                } else {
                    std::fs::write(place, "").expect("a file");
                }
            }
            for text in rules {
                std::fs::write(folder.path().join(".gitignore"), text).expect("a file");
                let mut check = git(&["check-ignore", "--no-index", "--stdin", "-z", "-v", "-n"])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("git");
                // A slash at the end would be a part of the name for git.
                let input: String = paths.iter().map(|path| format!("{}\0", path.trim_end_matches('/'))).collect();
                check.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("paths");
                let output = check.wait_with_output().expect("git").stdout;
                let output = String::from_utf8(output).expect("UTF-8");
                let fields: Vec<&str> = output.split('\0').collect();
                for (path, fields) in paths.iter().zip(fields.chunks(4)) {
                    let [_, _, pattern, named] = fields else { panic!("{text:?}: {fields:?}") };
                    assert_eq!(*named, path.trim_end_matches('/'));
                    let expected = !pattern.is_empty() && !pattern.starts_with('!');
                    // A path is ignored as well if a folder above it is, which the walk does not enter.
                    let above = path.match_indices('/').map(|(slash, _)| &path[..=slash]);
                    let found = above.chain([*path]).any(|path| ignores(text, path));
                    assert_eq!(found, expected, "{text:?} on {path:?}: {fields:?}");
                }
            }
        }
    }
}

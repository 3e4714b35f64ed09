//! Lists of rules for files and folders. The first rule that matches decides, as in rclone.

use super::pattern::{Pattern, folder_globs};
use crate::path::composed;
use crate::walk::WalkError;

/// What a rule does with the paths that match it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Select them.
    Include,
    /// Leave them out.
    Exclude,
}

/// Ordered rules. Without a matching rule, a path is selected.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    files: Vec<(Verdict, Pattern)>,
    /// The rules for folders, most of which follow from those for files.
    folders: Vec<(Verdict, Pattern)>,
}

impl Rules {
    /// Adds a rule.
    ///
    /// # Errors
    /// [`WalkError::Rule`].
    pub fn add(&mut self, verdict: Verdict, glob: &str) -> Result<(), WalkError> {
        let parse = |text: &str| {
            Pattern::parse(&composed(text)).map_err(|reason| WalkError::Rule { rule: glob.to_owned(), reason })
        };
        let for_folders = glob.ends_with('/');
        let complete = if for_folders && verdict == Verdict::Exclude { format!("{glob}**") } else { glob.to_owned() };
        let any_depth = complete.contains("**");
        let pattern = parse(&complete)?;
        if !for_folders || any_depth {
            // An exclusion of files says nothing about folders, except for the one of all files.
            if verdict == Verdict::Include || complete == "*" {
                for folder in folder_globs(&complete) {
                    // The root itself is always entered.
                    if folder != "/" {
                        self.folders.push((verdict, parse(&folder)?));
                    }
                }
            }
            self.files.push((verdict, pattern.clone()));
        }
        if for_folders || any_depth {
            self.folders.push((verdict, pattern));
        }
        Ok(())
    }

    /// Adds a rule as written after `--filter`: `+ PATTERN`, `- PATTERN`, or `!`, which removes all rules before it.
    ///
    /// # Errors
    /// [`WalkError::Rule`].
    pub fn add_line(&mut self, line: &str) -> Result<(), WalkError> {
        match line.split_at_checked(2) {
            _ if line == "!" => {
                *self = Self::default();
                Ok(())
            }
            Some(("+ ", glob)) => self.add(Verdict::Include, glob),
            Some(("- ", glob)) => self.add(Verdict::Exclude, glob),
            _ => Err(WalkError::Rule {
                rule: line.to_owned(),
                reason: "a rule is '+ PATTERN', '- PATTERN' or '!'".to_owned(),
            }),
        }
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty()
    }

    /// Whether a file is selected.
    pub(super) fn file(&self, path: &str) -> bool {
        decide(&self.files, path)
    }

    /// Whether a folder may contain selected files; `path` ends in `/`.
    pub(super) fn folder(&self, path: &str) -> bool {
        decide(&self.folders, path)
    }
}

fn decide(rules: &[(Verdict, Pattern)], path: &str) -> bool {
    let path = &*composed(path);
    rules.iter().find(|(_, pattern)| pattern.is_match(path)).is_none_or(|(verdict, _)| *verdict == Verdict::Include)
}
